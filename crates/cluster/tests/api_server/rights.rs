//! Rights that are real: RBAC's refusals, revoked tokens, client certificates, and the account that we recommend.

use crate::connect;
use crate::kinds::{basic, crd, server};
use cluster::{ErrorKind, Missing, Outcome, Verb, service_account_manifest};
use model::Code;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testkit::{Access, ControlPlane, eventually};

const WRITES: [Verb; 3] = [Verb::Create, Verb::Update, Verb::Delete];

/// What is missing, by resource.
fn by_resource(missing: &[Missing]) -> BTreeMap<&str, &[Verb]> {
    missing.iter().map(|m| (m.resource.as_str(), m.verbs.as_slice())).collect()
}

#[tokio::test]
async fn a_reader_is_told_what_it_may_not_write() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let reader = plane.token_user("reader", &Access::reader()).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &reader.token));
    let report = cluster.test("default").await;
    assert_eq!((report.outcome, report.code), (Outcome::Forbidden, Some(Code::KubernetesForbidden)));
    assert_eq!((report.can_read, report.can_write), (true, false));
    // Nobody but the controller writes agents, so nothing is missing there.
    assert_eq!(by_resource(&report.missing), BTreeMap::from([("servers", &WRITES[..])]));
    assert!(report.message.contains("create, update, delete on Server"), "{}", report.message);
    assert_eq!(report.user.as_deref(), Some("system:serviceaccount:default:reader"));

    let kinds = cluster.discover().await.unwrap();
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    for dry_run in [true, false] {
        let error = cluster.create(kind, &server("s", ""), dry_run).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (ErrorKind::Forbidden, Code::KubernetesForbidden), "{error}");
    }
}

#[tokio::test]
async fn one_hidden_kind_is_named_and_the_others_are_read() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let user = plane.token_user("half", &Access::writer().except("agents")).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &user.token));
    let kinds = cluster.discover().await.unwrap();
    let agents = kinds.find("agent.githedgehog.com", "Agent").unwrap();
    let error = cluster.list(agents, "default", &|_, _| ()).await.unwrap_err();
    assert_eq!((error.kind, error.operation.as_str()), (ErrorKind::Forbidden, "list Agent in default"));
    let servers = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    assert!(cluster.list(servers, "default", &|_, _| ()).await.unwrap().objects.is_empty());
    let report = cluster.test("default").await;
    assert_eq!(report.outcome, Outcome::Forbidden);
    assert_eq!((report.can_read, report.can_write), (false, true));
    assert_eq!(by_resource(&report.missing), BTreeMap::from([("agents", &[Verb::Get, Verb::List, Verb::Watch][..])]));
}

#[tokio::test]
async fn rights_in_another_namespace_do_not_count() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let user = plane.token_user("narrow", &Access::none()).await.unwrap();
    let client = plane.client().unwrap();
    let base = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system";
    let role =
        json!({"metadata": {"name": "narrow"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]});
    let binding = json!({
        "metadata": {"name": "narrow"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "narrow"},
        "subjects": [{"kind": "ServiceAccount", "name": "narrow", "namespace": "default"}],
    });
    client.request("POST", &format!("{base}/roles"), Some(&role)).await.unwrap().success("role").unwrap();
    client.request("POST", &format!("{base}/rolebindings"), Some(&binding)).await.unwrap().success("binding").unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &user.token));
    let kinds = cluster.discover().await.unwrap();
    let allowed = |namespace: &'static str| {
        let (cluster, kinds) = (&cluster, &kinds);
        async move {
            let reviews = cluster.review(kinds, namespace).await.unwrap();
            reviews.iter().filter(|r| r.allowed).map(|r| format!("{} {}", r.verb, r.resource)).collect::<Vec<_>>()
        }
    };
    let wide = eventually(std::time::Duration::from_secs(30), "the role is in force", || async {
        let list = allowed("kube-system").await;
        if list.len() >= 12 { Ok(list) } else { Err(format!("{list:?}")) }
    })
    .await
    .unwrap();
    assert!(wide.contains(&"delete servers".to_owned()));
    // A role in one namespace gives nothing on what lives in none.
    assert!(!wide.iter().any(|r| r.contains("customresourcedefinitions")), "{wide:?}");
    assert_eq!(allowed("default").await, Vec::<String>::new());
    for thing in ["roles/narrow", "rolebindings/narrow"] {
        client.request("DELETE", &format!("{base}/{thing}"), None).await.unwrap();
    }
}

#[tokio::test]
async fn a_revoked_token_is_unauthorized_at_once_and_everywhere() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let user = plane.token_user("leaver", &Access::writer()).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &user.token));
    let kinds = cluster.discover().await.unwrap();
    assert_eq!(cluster.test("default").await.outcome, Outcome::Ok, "the control");
    plane.revoke(&user).await.unwrap();
    let kind = &kinds.kinds[0];
    assert_eq!(cluster.list(kind, "default", &|_, _| ()).await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(cluster.discover().await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(cluster.identity().await.unwrap_err().code(), Code::KubernetesUnauthorized);
    let report = cluster.test("default").await;
    assert_eq!((report.outcome, report.code), (Outcome::Unauthorized, Some(Code::KubernetesUnauthorized)));
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let identity = plane.client_certificate("operator", &["system:masters"]).unwrap();
    let report = connect(&plane.kubeconfig_with_certificate(&identity)).test("default").await;
    assert_eq!((report.outcome, report.user.as_deref()), (Outcome::Ok, Some("operator")), "{}", report.message);
}

#[tokio::test]
async fn a_namespace_that_does_not_exist_is_no_empty_fabric() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let report = cluster.test("defualt").await;
    assert_eq!((report.outcome, report.code), (Outcome::NoNamespace, Some(Code::ClusterConfigInvalid)));
    assert!(report.message.contains("'defualt'"), "{}", report.message);
}

#[tokio::test]
async fn the_recommended_account_is_enough_and_not_more() {
    let plane = ControlPlane::pool().await.unwrap();
    let mut definitions = basic();
    definitions.push(crd("novelty.githedgehog.com", "Gizmo", "gizmos", &json!({})));
    plane.replace_crds(&definitions).await.unwrap();
    let kinds = connect(&plane.kubeconfig_admin()).discover().await.unwrap();
    let manifest = service_account_manifest("hedgerow", "default", &kinds.kinds);
    let output = plane.kubectl_output(&["apply", "-f", "-"], Some(&manifest)).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // No controller manager fills the Secret here, so the token is asked for.
    let token = plane.token_of("hedgerow", std::time::Duration::from_secs(3600)).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &token));
    let report = eventually(std::time::Duration::from_secs(30), "the account's rights are in force", || async {
        let report = cluster.test("default").await;
        if report.outcome == Outcome::Ok { Ok(report) } else { Err(report.message) }
    })
    .await
    .unwrap();
    assert_eq!((report.kinds.len(), report.missing.len(), report.problems.len()), (3, 0, 0));
    let reviews = cluster.review(&kinds, "default").await.unwrap();
    let writes: Vec<&str> = reviews.iter().filter(|r| r.allowed && !r.verb.reads()).map(|r| r.kind.as_str()).collect();
    assert_eq!(writes, ["Gizmo", "Gizmo", "Gizmo", "Server", "Server", "Server"]);
    let elsewhere = cluster.review(&kinds, "kube-system").await.unwrap();
    assert!(!elsewhere.iter().any(|r| r.allowed && !r.verb.reads()), "writing is for one namespace only");
    let other = plane.client_as(&token).unwrap();
    let secrets: Value = other.request("GET", "/api/v1/namespaces/default/secrets", None).await.unwrap().body;
    assert_eq!(secrets["code"], 403, "{secrets}");
    plane.kubectl_output(&["delete", "-f", "-"], Some(&manifest)).await.unwrap();
}
