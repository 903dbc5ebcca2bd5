//! Connection tests against servers that are not what they should be: always a report, in time, with its outcome.

use crate::support::{Answer, Server, access, connect, json, limits, status, text};
use cluster::{Cluster, Limits, Outcome, ProblemKind, TlsReason};
use model::Code;
use serde_json::json;
use std::future::pending;
use std::time::{Duration, Instant};

#[tokio::test]
async fn each_obstacle_has_its_outcome() {
    let login = |_| async { text(200, "text/html", "<title>Sign in</title>") };
    let unauthorized = |_| async { status(401, "Unauthorized", "Unauthorized") };
    let nowhere = |_| async { text(404, "text/plain", "404 page not found") };
    let broken = |_| async { status(500, "InternalError", "etcd is gone") };
    let page = Server::start(login).await;
    let closed =
        format!("https://{}", tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap());
    let foreign = testkit::tls::Authority::new("somebody else").unwrap();
    let table = [
        (page.cluster(), Outcome::NotKubernetes, Code::ConnectionFailed),
        (Server::start(unauthorized).await.cluster(), Outcome::Unauthorized, Code::KubernetesUnauthorized),
        (Server::start(nowhere).await.cluster(), Outcome::NotKubernetes, Code::ConnectionFailed),
        (Server::start(broken).await.cluster(), Outcome::Failed, Code::KubernetesUnavailable),
        (connect(&closed, &page.ca, limits()), Outcome::Unreachable, Code::ConnectionFailed),
        (
            connect(&page.url(), foreign.certificate(), limits()),
            Outcome::Tls { reason: TlsReason::UnknownCa },
            Code::ConnectionFailed,
        ),
    ];
    for (cluster, outcome, code) in table {
        let report = cluster.test("default").await;
        assert_eq!((report.outcome, report.code), (outcome, Some(code)), "{}", report.message);
        assert!(report.message.contains(' '), "a sentence, no bare word: {}", report.message);
        assert!(!report.can_read && !report.can_write);
        assert!(!serde_json::to_string(&report).unwrap().contains("s3cr3t"));
    }
}

#[tokio::test]
async fn a_test_as_a_whole_has_the_limit_of_one_call() {
    let server = Server::start(|request| async move {
        match request.uri().path() {
            "/version" => json(200, &json!({"gitVersion": "v1.33.0"})),
            _ => pending::<Answer>().await,
        }
    })
    .await;
    let start = Instant::now();
    let cluster = server.cluster_with(Limits { request: Duration::from_millis(900), ..limits() });
    let report = cluster.test("default").await;
    assert_eq!((report.outcome, report.code), (Outcome::Timeout, Some(Code::KubernetesTimeout)), "{}", report.message);
    assert_eq!(report.version.as_deref(), Some("v1.33.0"), "what was learnt before is kept");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_report_is_flat_json_and_comes_back_whole() {
    let page = Server::start(|_| async { text(200, "text/html", "") }).await;
    let foreign = testkit::tls::Authority::new("somebody else").unwrap();
    let report = connect(&page.url(), foreign.certificate(), limits()).test("default").await;
    let written = serde_json::to_value(&report).unwrap();
    assert_eq!((&written["outcome"], &written["reason"]), (&json!("tls"), &json!("unknown_ca")));
    assert_eq!(written["code"], "connection_failed");
    assert_eq!(written["tls_verified"], true);
    assert_eq!(serde_json::from_value::<cluster::TestReport>(written).unwrap(), report);
    let blind = Cluster::connect(&access(&page.url(), &page.ca, false), limits()).unwrap();
    assert!(!blind.test("default").await.tls_verified);
}

/// A server that speaks discovery as Kubernetes did before 1.26: group by group, with no aggregated form.
async fn old_server(group_answer: impl Fn() -> Answer + Clone + Send + Sync + 'static) -> Server {
    Server::start(move |request| {
        let group_answer = group_answer.clone();
        async move {
            match request.uri().path() {
                "/apis" => json(
                    200,
                    &json!({"kind": "APIGroupList", "groups": [
                        {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]},
                        {"name": "wiring.githedgehog.com",
                         "versions": [{"groupVersion": "w/v1alpha1", "version": "v1alpha1"}, {"groupVersion": "w/v1beta1", "version": "v1beta1"}],
                         "preferredVersion": {"groupVersion": "w/v1beta1", "version": "v1beta1"}},
                        {"name": "vpc.githedgehog.com",
                         "versions": [{"groupVersion": "v/v1beta1", "version": "v1beta1"}],
                         "preferredVersion": {"groupVersion": "v/v1beta1", "version": "v1beta1"}},
                    ]}),
                ),
                "/apis/wiring.githedgehog.com/v1beta1" => json(
                    200,
                    &json!({"kind": "APIResourceList", "resources": [
                        {"name": "switches", "singularName": "switch", "namespaced": true, "kind": "Switch",
                         "verbs": ["get", "list"], "shortNames": ["sw"], "categories": ["hedgehog"]},
                        {"name": "switches/status", "namespaced": true, "kind": "Switch", "verbs": ["get"]},
                    ]}),
                ),
                "/apis/wiring.githedgehog.com/v1alpha1" => json(
                    200,
                    &json!({"resources": [
                        {"name": "switches", "namespaced": true, "kind": "Switch", "verbs": []},
                        {"name": "racks", "namespaced": true, "kind": "Rack", "verbs": ["list"]},
                    ]}),
                ),
                "/apis/vpc.githedgehog.com/v1beta1" => group_answer(),
                _ => text(404, "text/plain", "404 page not found"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn an_older_server_is_asked_group_by_group() {
    let server =
        old_server(|| json(200, &json!({"resources": [{"name": "vpcs", "namespaced": true, "kind": "VPC"}]}))).await;
    let kinds = server.cluster().discover().await.unwrap();
    let found: Vec<String> = kinds.kinds.iter().map(|k| k.gvk.to_string()).collect();
    let expected = [
        "VPC.vpc.githedgehog.com/v1beta1",
        "Rack.wiring.githedgehog.com/v1alpha1",
        "Switch.wiring.githedgehog.com/v1beta1",
    ];
    assert_eq!(found, expected, "each in its preferred version");
    let switch = kinds.find("wiring.githedgehog.com", "Switch").unwrap();
    assert_eq!(
        (switch.singular.as_str(), switch.has_status, switch.short_names.as_slice()),
        ("switch", true, &["sw".to_owned()][..])
    );
    assert!(!kinds.may_be_incomplete());
    let missing = kinds.problems.iter().filter(|p| p.kind == ProblemKind::SchemaMissing).count();
    assert_eq!(missing, 3, "no CRDs and no OpenAPI: said of every kind");
}

#[tokio::test]
async fn a_group_that_fails_is_named_and_does_not_hide_the_others() {
    let server =
        old_server(|| status(503, "ServiceUnavailable", "the server is currently unable to handle the request")).await;
    let kinds = server.cluster().discover().await.unwrap();
    assert_eq!(kinds.kinds.len(), 2);
    assert!(kinds.may_be_incomplete());
    let problem = kinds.problems.iter().find(|p| p.hides_kinds).unwrap();
    assert_eq!((problem.kind, problem.subject.as_str()), (ProblemKind::GroupFailed, "vpc.githedgehog.com/v1beta1"));
    assert!(problem.message.contains("currently unable"), "{}", problem.message);
}

#[tokio::test]
async fn a_kubernetes_without_hedgehog_says_so() {
    let server = Server::start(|request| async move {
        match request.uri().path() {
            "/version" => json(200, &json!({"gitVersion": "v1.33.0"})),
            "/api/v1/namespaces/kube-system" => json(200, &json!({"metadata": {"uid": "u-1"}})),
            "/apis" => json(200, &json!({"kind": "APIGroupDiscoveryList", "items": []})),
            // Of no CRDs at all kube-apiserver says it so.
            path if path.ends_with("customresourcedefinitions") => {
                json(200, &json!({"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "7"}, "items": null}))
            }
            path if path.ends_with("rulesreviews") => json(201, &json!({"metadata": {}, "spec": {}, "status": {"incomplete": false, "nonResourceRules": [], "resourceRules": []}})),
            path if path.ends_with("accessreviews") => json(201, &json!({"status": {"allowed": true}})),
            _ => text(404, "text/plain", "404 page not found"),
        }
    })
    .await;
    let report = server.cluster().test("default").await;
    assert_eq!((report.outcome, report.identity.as_deref()), (Outcome::NoKinds, Some("u-1")), "{}", report.message);
    assert!(report.message.contains("githedgehog.com"), "{}", report.message);
}
