//! What this room expects of a Kubernetes API, written once: a lab that passes it can stand in for a real one.
//!
//! The API must serve `Server` (wiring.githedgehog.com) with its description, have a namespace `default` without
//! servers, and the kubeconfig must be an administrator's.

use crate::connect;
use crate::kinds::{basic, server};
use cluster::{Cluster, Conflict, ErrorKind, KindInfo, Outcome};
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::sync::Mutex;
use testkit::ControlPlane;

#[tokio::test]
async fn a_real_api_server_conforms() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    conformance(&plane.kubeconfig_admin()).await;
}

#[tokio::test]
async fn the_lab_conforms() {
    let lab = lab::Lab::start(lab::Options::default()).await.unwrap();
    conformance(&lab.kubeconfig()).await;
}

#[tokio::test]
async fn a_list_survives_a_compaction_in_its_middle() {
    let lab = lab::Lab::start(lab::Options::default()).await.unwrap();
    let cluster = connect(&lab.kubeconfig());
    let kinds = cluster.discover().await.unwrap();
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    for n in 0..7 {
        cluster.create(kind, &server(&format!("s-{n}"), ""), false).await.unwrap();
    }
    let progress = Mutex::new(Vec::new());
    let listed = cluster
        .list(kind, "default", &|n, _| {
            let mut progress = progress.lock().unwrap();
            progress.push(n);
            if progress.len() == 3 {
                // A write makes the snapshot of the list the past, the compaction makes it unreadable.
                lab.load([server("late", "")], "somebody").unwrap();
                lab.compact();
            }
        })
        .await
        .unwrap();
    assert_eq!(listed.objects.len(), 8, "as of the moment of the second start");
    assert_eq!(progress.lock().unwrap()[..4], [0, 2, 4, 0], "the control: it did start again");
}

#[tokio::test]
async fn a_server_that_was_killed_is_found_again() {
    let mut plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let kinds = cluster.discover().await.unwrap();
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    cluster.create(kind, &server("kept", ""), false).await.unwrap();
    plane.stop_api_server();
    let error = cluster.list(kind, "default", &|_, _| ()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable, "{error}");
    assert_eq!(cluster.test("default").await.outcome, Outcome::Unreachable);
    plane.start_api_server().await.unwrap();
    assert_eq!(cluster.list(kind, "default", &|_, _| ()).await.unwrap().objects.len(), 1);
}

async fn conformance(kubeconfig: &str) {
    let cluster = connect(kubeconfig);
    let kind = who_and_what(&cluster).await;
    create_and_read(&cluster, &kind).await;
    lists_by_page(&cluster, &kind).await;
    strict_decoding(&cluster, &kind).await;
    replaces_by_comparison(&cluster, &kind).await;
    deletes_by_comparison(&cluster, &kind).await;
    many_at_once(&cluster, &kind).await;
    rights_of_an_administrator(&cluster).await;
    strangers(kubeconfig, &kind).await;
}

async fn who_and_what(cluster: &Cluster) -> KindInfo {
    let version = cluster.version().await.unwrap();
    assert!(version.git_version.starts_with('v'), "{version:?}");
    assert_eq!(version.http, "HTTP/2.0");
    let identity = cluster.identity().await.unwrap();
    assert!(identity.uid.len() >= 8);
    assert_eq!(cluster.identity().await.unwrap(), identity);
    let kinds = cluster.discover().await.unwrap();
    assert!(!kinds.may_be_incomplete(), "{:?}", kinds.problems);
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap().clone();
    assert_eq!((kind.plural.as_str(), kind.singular.as_str(), kind.namespaced), ("servers", "server", true));
    assert_eq!(kind.gvk.version, "v1beta1");
    for verb in ["get", "list", "watch", "create", "update", "delete"] {
        assert!(kind.verbs.iter().any(|v| v == verb), "{verb} of {:?}", kind.verbs);
    }
    assert!(kind.has_status);
    let described = kind.schema.as_ref().and_then(|s| s.pointer("/properties/spec/properties/description/type"));
    assert_eq!(described, Some(&json!("string")));
    assert!(
        kind.columns.iter().any(|c| c.name == "Age" && c.json_path == ".metadata.creationTimestamp"),
        "{:?}",
        kind.columns
    );
    kind
}

async fn create_and_read(cluster: &Cluster, kind: &KindInfo) {
    assert_eq!(cluster.get(kind, "default", "one").await.unwrap(), None);
    let dry = cluster.create(kind, &server("one", "first"), true).await.unwrap();
    assert_eq!(dry.object["spec"]["description"], "first");
    assert_eq!(cluster.get(kind, "default", "one").await.unwrap(), None, "a dry run stores nothing");

    let made = cluster.create(kind, &server("one", "first"), false).await.unwrap().object;
    assert!(made["metadata"]["uid"].is_string() && made["metadata"]["resourceVersion"].is_string());
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "hedgerow");
    let read = cluster.get(kind, "default", "one").await.unwrap().unwrap();
    assert_eq!(read["metadata"], made["metadata"]);
    assert!(made.get("spec").is_none() && read.get("spec").is_some(), "a write is answered with its identity: {made}");
    assert_eq!((&read["kind"], &read["apiVersion"]), (&json!("Server"), &json!("wiring.githedgehog.com/v1beta1")));

    for dry_run in [true, false] {
        let error = cluster.create(kind, &server("one", "second"), dry_run).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Conflict(Conflict::AlreadyExists), Some(409)), "{error}");
    }
    let mut lost = server("two", "");
    lost["metadata"]["namespace"] = json!("nowhere");
    let error = cluster.create(kind, &lost, false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    let error = cluster.create(kind, &server("Not_A_Name", ""), false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert_eq!(error.causes[0].0, "metadata.name");

    let unheard = KindInfo::bare("wiring.githedgehog.com", "v1beta1", "Cat", "cats", true);
    assert_eq!(cluster.get(&unheard, "default", "one").await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(cluster.list(&unheard, "default", &|_, _| ()).await.unwrap_err().kind, ErrorKind::NotFound);
}

async fn lists_by_page(cluster: &Cluster, kind: &KindInfo) {
    for name in ["two", "three", "four", "five"] {
        cluster.create(kind, &server(name, name), false).await.unwrap();
    }
    let progress = Mutex::new(Vec::new());
    let listed = cluster.list(kind, "default", &|n, _| progress.lock().unwrap().push(n)).await.unwrap();
    let mut names: Vec<&str> = listed.objects.iter().map(|o| o["metadata"]["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["five", "four", "one", "three", "two"]);
    assert!(listed.objects.iter().all(|o| o["kind"] == "Server" && o["spec"]["description"].is_string()));
    assert!(!listed.resource_version.is_empty());
    assert_eq!(*progress.lock().unwrap(), [0, 2, 4, 5], "pages of two");
    let everywhere = cluster.list(kind, "", &|_, _| ()).await.unwrap();
    assert_eq!(everywhere.objects.len(), 5);
    let elsewhere = cluster.list(kind, "kube-system", &|_, _| ()).await.unwrap();
    assert!(elsewhere.objects.is_empty());
}

async fn strict_decoding(cluster: &Cluster, kind: &KindInfo) {
    let mut misspelt = server("six", "");
    misspelt["spec"]["descriptoin"] = json!("x");
    let error = cluster.create(kind, &misspelt, false).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Rejected, Some(400)), "{error}");
    assert_eq!(error.causes, [("spec.descriptoin".to_owned(), "unknown field".to_owned())]);
    let mut wrong = server("six", "");
    wrong["spec"]["description"] = json!(7);
    let error = cluster.create(kind, &wrong, false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected, "{error}");
    assert!(error.causes.iter().any(|(field, _)| field == "spec.description"), "{error:?}");
    assert_eq!(cluster.get(kind, "default", "six").await.unwrap(), None);
}

async fn replaces_by_comparison(cluster: &Cluster, kind: &KindInfo) {
    let seen = cluster.get(kind, "default", "one").await.unwrap().unwrap();
    let same = cluster.replace(kind, &seen, false).await.unwrap().object;
    assert_eq!(version(&same), version(&seen), "replacing by the same is no change");

    let mut wanted = seen.clone();
    wanted["spec"]["description"] = json!("changed");
    let dry = cluster.replace(kind, &wanted, true).await.unwrap().object;
    assert_eq!(dry["spec"]["description"], "changed");
    assert_eq!(cluster.get(kind, "default", "one").await.unwrap().unwrap(), seen, "a dry run changes nothing");
    cluster.replace(kind, &wanted, false).await.unwrap();
    let stored = cluster.get(kind, "default", "one").await.unwrap().unwrap();
    assert_eq!(stored["spec"]["description"], "changed");
    assert_ne!(version(&stored), version(&seen));
    assert_eq!(stored["metadata"]["generation"], 2);

    let error = cluster.replace(kind, &wanted, false).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Conflict(Conflict::Changed), Some(409)), "{error}");
    let mut other = stored.clone();
    other["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    let error = cluster.replace(kind, &other, false).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Conflict(Conflict::Recreated), Some(409)), "{error}");

    let mut gone = stored.clone();
    gone["metadata"]["name"] = json!("never-was");
    assert_eq!(cluster.replace(kind, &gone, false).await.unwrap_err().kind, ErrorKind::NotFound);
    for field in ["uid", "resourceVersion"] {
        let mut blind = stored.clone();
        blind["metadata"].as_object_mut().unwrap().remove(field);
        let error = cluster.replace(kind, &blind, false).await.unwrap_err();
        assert_eq!((error.kind, error.status), (ErrorKind::Rejected, None), "{error}");
    }
    assert_eq!(cluster.get(kind, "default", "one").await.unwrap().unwrap(), stored);
}

async fn deletes_by_comparison(cluster: &Cluster, kind: &KindInfo) {
    let object = cluster.get(kind, "default", "one").await.unwrap().unwrap();
    let (uid, at) = (object["metadata"]["uid"].as_str().unwrap(), version(&object));
    let stranger = "00000000-0000-4000-8000-000000000000";
    let error = cluster.delete(kind, "default", "one", stranger, at, false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict(Conflict::Recreated), "{error}");
    let error = cluster.delete(kind, "default", "one", uid, "1", false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Conflict(Conflict::Changed), "{error}");
    assert!(cluster.delete(kind, "default", "one", "", at, false).await.is_err());
    cluster.delete(kind, "default", "one", uid, at, true).await.unwrap();
    assert!(cluster.get(kind, "default", "one").await.unwrap().is_some(), "neither refusals nor dry runs delete");
    cluster.delete(kind, "default", "one", uid, at, false).await.unwrap();
    assert_eq!(cluster.get(kind, "default", "one").await.unwrap(), None);
    let error = cluster.delete(kind, "default", "one", uid, at, false).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

async fn many_at_once(cluster: &Cluster, kind: &KindInfo) {
    let objects: Vec<Value> = (0..60).map(|n| server(&format!("many-{n}"), "x")).collect();
    let made = try_join_all(objects.iter().map(|o| cluster.create(kind, o, false))).await.unwrap();
    assert_eq!(cluster.list(kind, "default", &|_, _| ()).await.unwrap().objects.len(), 64);
    try_join_all(made.iter().map(|w| {
        let meta = &w.object["metadata"];
        let text = |field: &str| meta[field].as_str().unwrap();
        cluster.delete(kind, "default", text("name"), text("uid"), text("resourceVersion"), false)
    }))
    .await
    .unwrap();
    assert_eq!(cluster.list(kind, "default", &|_, _| ()).await.unwrap().objects.len(), 4);
}

async fn rights_of_an_administrator(cluster: &Cluster) {
    let kinds = cluster.discover().await.unwrap();
    let reviews = cluster.review(&kinds, "default").await.unwrap();
    assert_eq!(reviews.len(), 3 + 6 * kinds.kinds.len());
    assert!(reviews.iter().all(|r| r.allowed), "{reviews:?}");
    let report = cluster.test("default").await;
    assert_eq!((report.outcome, report.code), (Outcome::Ok, None), "{}", report.message);
    assert!(report.can_read && report.can_write && report.missing.is_empty());
    assert_eq!(report.kinds.len(), kinds.kinds.len());
    assert_eq!(report.identity, Some(cluster.identity().await.unwrap().uid));
    assert!(report.version.is_some() && report.latency_ms.is_some() && report.tls_verified);
}

async fn strangers(kubeconfig: &str, kind: &KindInfo) {
    let (before, after) = kubeconfig.split_once("token: ").unwrap();
    let rest = after.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
    let cluster = connect(&format!("{before}token: nobody\n{rest}"));
    assert_eq!(cluster.list(kind, "default", &|_, _| ()).await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(cluster.create(kind, &server("x", ""), false).await.unwrap_err().kind, ErrorKind::Unauthorized);
    let report = cluster.test("default").await;
    assert_eq!(report.outcome, Outcome::Unauthorized, "{}", report.message);
}

fn version(object: &Value) -> &str {
    object["metadata"]["resourceVersion"].as_str().unwrap()
}
