//! Hedgehog's releases as their own CRDs have them, and a kind that nobody has heard of: all of them are found in the
//! cluster, none is known in advance.

use crate::connect;
use crate::kinds::{basic, crd, server};
use cluster::{ErrorKind, Forms, Kinds, ProblemKind};
use serde_json::{Value, json};
use std::path::PathBuf;
use testkit::{Access, ApiFront, ControlPlane, read_crds};

/// The CRDs of each release, where they are at hand.
fn releases() -> Option<Vec<(&'static str, Vec<PathBuf>, usize)>> {
    let Some(shared) = testkit::shared_folder().map(|s| s.join("hedgehog")) else {
        println!("skipped: ../shared is not here");
        return None;
    };
    Some(vec![
        ("v0.96", vec![shared.join("crds-by-release/v0.96")], 17),
        ("v0.120", vec![shared.join("crds-by-release/v0.120")], 22),
        ("v0.126", vec![shared.join("crds"), shared.join("crds/fabricator")], 25),
    ])
}

#[tokio::test]
async fn every_release_is_discovered_with_columns_and_schemas() {
    let Some(releases) = releases() else { return };
    let plane = ControlPlane::pool().await.unwrap();
    for (release, folders, count) in releases {
        let definitions: Vec<Value> = folders.iter().flat_map(|f| read_crds(f).unwrap()).collect();
        plane.replace_crds(&definitions).await.unwrap();
        let cluster = connect(&plane.kubeconfig_admin());
        let kinds = cluster.discover().await.unwrap();
        assert_eq!(kinds.kinds.len(), count, "{release}");
        assert!(kinds.problems.is_empty(), "{release}: {:?}", kinds.problems);
        for definition in &definitions {
            let spec = &definition["spec"];
            let name = spec["names"]["kind"].as_str().unwrap();
            let kind = kinds.find(spec["group"].as_str().unwrap(), name).unwrap_or_else(|| panic!("{release}: {name}"));
            let version = &spec["versions"][0];
            assert_eq!(kind.gvk.version, version["name"].as_str().unwrap());
            assert_eq!(kind.short_names.len(), spec["names"]["shortNames"].as_array().map_or(0, Vec::len), "{name}");
            let columns = version["additionalPrinterColumns"].as_array();
            assert_eq!(kind.columns.len(), columns.map_or(0, Vec::len), "{name}");
            let schema = kind.schema.as_ref().unwrap_or_else(|| panic!("{release}: {name} has no schema"));
            assert_eq!(schema.pointer("/properties/spec/type"), Some(&json!("object")), "{name}");
            let listed = cluster.list(kind, "default", &|_, _| ()).await.unwrap();
            assert!(listed.objects.is_empty());
        }
        let connection = kinds.find("wiring.githedgehog.com", "Connection").unwrap();
        let of_type = connection.columns.iter().find(|c| c.name == "Type").unwrap();
        assert!(of_type.json_path.contains("connection-type"), "{of_type:?}");
    }
}

#[tokio::test]
async fn a_kind_nobody_has_heard_of_is_read_and_written() {
    let plane = ControlPlane::pool().await.unwrap();
    let spec = json!({"colour": {"type": "string", "enum": ["red", "blue"]}});
    let mut novelty = crd("novelty.githedgehog.com", "Gizmo", "gizmos", &spec);
    novelty["spec"]["versions"][0]["name"] = json!("v3alpha7");
    novelty["spec"]["scope"] = json!("Cluster");
    let foreign = crd("example.com", "Thing", "things", &spec);
    plane.replace_crds(&[novelty, foreign]).await.unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let kinds = cluster.discover().await.unwrap();
    assert_eq!(kinds.kinds.len(), 1, "other people's groups are none of ours");
    let kind = &kinds.kinds[0];
    assert_eq!((kind.gvk.to_string().as_str(), kind.namespaced), ("Gizmo.novelty.githedgehog.com/v3alpha7", false));
    let gizmo = json!({
        "apiVersion": "novelty.githedgehog.com/v3alpha7", "kind": "Gizmo",
        "metadata": {"name": "g"}, "spec": {"colour": "red"},
    });
    let written = cluster.create(kind, &gizmo, false).await.unwrap().object;
    let made = cluster.list(kind, "default", &|_, _| ()).await.unwrap().objects.remove(0);
    assert_eq!((&made["metadata"], &made["spec"]["colour"]), (&written["metadata"], &json!("red")));
    let mut wrong = made.clone();
    wrong["spec"]["colour"] = json!("green");
    let error = cluster.replace(kind, &wrong, false).await.unwrap_err();
    assert_eq!((error.kind, error.causes[0].0.as_str()), (ErrorKind::Rejected, "spec.colour"));
    let text = |field: &str| made["metadata"][field].as_str().unwrap();
    cluster.delete(kind, "", "g", text("uid"), text("resourceVersion"), false).await.unwrap();
    assert_eq!(cluster.get(kind, "", "g").await.unwrap(), None);
}

/// What was read of CRDs before is believed for as long as they are in that form, and no longer.
#[tokio::test]
async fn of_what_was_read_before_only_crds_that_changed_are_read_again() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let front = ApiFront::start(&plane).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&front.url(), plane.admin_token()));
    // The server goes on writing a new CRD's status for a moment, and that is another form of it.
    let (known, forms) = testkit::eventually(std::time::Duration::from_secs(30), "the CRDs stand still", || async {
        let (known, forms) = cluster.discover_again(&Kinds::default(), &Forms::default()).await.unwrap();
        front.take_calls();
        let again = cluster.discover_again(&known, &forms).await.unwrap().0;
        assert_eq!(again.kinds.len(), 2);
        match definitions_read(&front) {
            read if read.is_empty() && again == known => Ok((known, forms)),
            read => Err(format!("read again: {read:?}")),
        }
    })
    .await
    .unwrap();

    let mut changed = basic();
    changed[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["asset"] =
        json!({"type": "string"});
    let (name, kind) = (text(&changed[0], "/metadata/name"), text(&changed[0], "/spec/names/kind"));
    let patch = json!({"spec": {"versions": changed[0]["spec"]["versions"]}}).to_string();
    plane.kubectl(&["patch", "crd", &name, "--type=merge", "-p", &patch]).await.unwrap();
    front.take_calls();
    let (again, forms) = cluster.discover_again(&known, &forms).await.unwrap();
    assert_eq!(definitions_read(&front), std::slice::from_ref(&name), "the other stands as it was read");
    let of_kind = |kinds: &Kinds| kinds.kinds.iter().find(|k| k.gvk.kind == kind).unwrap().schema.clone().unwrap();
    let asset = "/properties/spec/properties/asset/type";
    assert_eq!(of_kind(&again).pointer(asset), Some(&json!("string")));
    assert_eq!(of_kind(&known).pointer(asset), None);
    assert!(again.kinds.iter().all(|k| k.schema.is_some()), "{again:?}");

    // Whoever stamps CRDs changes nothing of what they say.
    plane.kubectl(&["annotate", "crd", &name, "example.com/stamp=1"]).await.unwrap();
    front.take_calls();
    let (stamped, _) = cluster.discover_again(&again, &forms).await.unwrap();
    assert_eq!((definitions_read(&front), stamped == again), (vec![name], true));
}

fn text(object: &Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(Value::as_str).unwrap().to_owned()
}

/// The CRDs that were read, each by its name.
fn definitions_read(front: &ApiFront) -> Vec<String> {
    let read = front.calls().into_iter().map(|call| call.path);
    read.filter_map(|path| Some(path.split_once("/customresourcedefinitions/")?.1.to_owned())).collect()
}

#[tokio::test]
async fn schemas_come_from_openapi_where_crds_may_not_be_read() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let user = plane.token_user("no-crds", &Access::none()).await.unwrap();
    let cluster = connect(&plane.kubeconfig(&plane.url(), &user.token));
    // The server publishes a new kind's OpenAPI a moment after it serves the kind.
    let kinds = testkit::eventually(std::time::Duration::from_secs(30), "both schemas are published", || async {
        let kinds = cluster.discover().await.unwrap();
        if kinds.kinds.iter().all(|k| k.schema.is_some()) { Ok(kinds) } else { Err(format!("{:?}", kinds.problems)) }
    })
    .await
    .unwrap();
    assert_eq!(kinds.kinds.len(), 2, "kinds are found all the same");
    let problems: Vec<ProblemKind> = kinds.problems.iter().map(|p| p.kind).collect();
    assert_eq!(problems, [ProblemKind::DefinitionsForbidden], "{:?}", kinds.problems);
    let kind = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    assert!(kind.columns.is_empty());
    let schema = kind.schema.as_ref().unwrap();
    assert_eq!(schema.pointer("/properties/spec/properties/description/type"), Some(&json!("string")));
    assert_eq!(schema.pointer("/properties/metadata"), Some(&json!({"type": "object"})));
}

#[tokio::test]
async fn a_definition_that_is_not_served_is_named() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    // The plural differs, the kind is taken: the server stores the CRD and does not serve it.
    let mut twin = crd("wiring.githedgehog.com", "Server", "serverz", &json!({}));
    twin["spec"]["names"]["singular"] = json!("serverz");
    let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    let client = plane.client().unwrap();
    client.request("POST", path, Some(&twin)).await.unwrap().success("install the twin").unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let kinds = testkit::eventually(std::time::Duration::from_secs(30), "the server has judged its names", || async {
        let kinds = cluster.discover().await.unwrap();
        let judged = kinds.problems.iter().any(|p| p.message.contains("already in use"));
        if judged { Ok(kinds) } else { Err(format!("{:?}", kinds.problems)) }
    })
    .await
    .unwrap();
    assert!(kinds.may_be_incomplete());
    let problem = &kinds.problems[0];
    assert_eq!((problem.kind, problem.subject.as_str()), (ProblemKind::NotServed, "serverz.wiring.githedgehog.com"));
    assert_eq!(kinds.kinds.len(), 2);
}

#[tokio::test]
async fn an_aggregated_api_that_does_not_answer_is_named() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let client = plane.client().unwrap();
    let path = "/apis/apiregistration.k8s.io/v1/apiservices";
    let names =
        [("v1.remote.githedgehog.com", "remote.githedgehog.com"), ("v1.metrics.example.com", "metrics.example.com")];
    for (name, group) in names {
        let service = json!({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": name},
            "spec": {"group": group, "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 100,
                     "insecureSkipTLSVerify": true, "service": {"name": "gone", "namespace": "default"}},
        });
        client.request("POST", path, Some(&service)).await.unwrap().success("register").unwrap();
    }
    let cluster = connect(&plane.kubeconfig_admin());
    let found = testkit::eventually(std::time::Duration::from_secs(60), "both are named", || async {
        let kinds = cluster.discover().await.unwrap();
        if kinds.problems.len() == 2 { Ok(kinds) } else { Err(format!("{:?}", kinds.problems)) }
    })
    .await;
    for (name, _) in names {
        client.request("DELETE", &format!("{path}/{name}"), None).await.unwrap().success("unregister").unwrap();
    }
    let kinds = found.unwrap();
    for (subject, hides) in [("remote.githedgehog.com/v1", true), ("metrics.example.com/v1", false)] {
        let problem = kinds.problems.iter().find(|p| p.subject == subject).unwrap();
        assert_eq!((problem.kind, problem.hides_kinds), (ProblemKind::StaleGroup, hides));
    }
    assert_eq!(kinds.kinds.len(), 2, "the others are found");
    assert!(kinds.may_be_incomplete());
}

#[tokio::test]
async fn of_an_agent_only_the_allowed_fields_leave_the_room() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let agent = json!({
        "apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent", "metadata": {"name": "leaf-1", "namespace": "default"},
        "spec": {"role": "server-leaf", "users": [{"name": "admin", "password": "$5$s3cr3t"}]},
    });
    let cluster = connect(&plane.kubeconfig_admin());
    let kinds = cluster.discover().await.unwrap();
    let kind = kinds.find("agent.githedgehog.com", "Agent").unwrap();
    let asked = cluster.create(kind, &agent, true).await.unwrap().object;
    let made = cluster.create(kind, &agent, false).await.unwrap().object;
    assert!(!made.to_string().contains("s3cr3t"), "{made}");
    let read = cluster.get(kind, "default", "leaf-1").await.unwrap().unwrap();
    let listed = cluster.list(kind, "default", &|_, _| ()).await.unwrap().objects.remove(0);
    for object in [asked, read, listed] {
        assert_eq!(object["spec"]["role"], "server-leaf");
        assert!(!object.to_string().contains("s3cr3t"), "{object}");
    }
    let stored = plane.client().unwrap().get("Agent", "leaf-1").await.unwrap().unwrap();
    assert!(stored.to_string().contains("s3cr3t"), "the control: the cluster does hold it");
    let plain = kinds.find("wiring.githedgehog.com", "Server").unwrap();
    let whole = cluster.create(plain, &server("s", "d"), false).await.unwrap().object;
    assert!(whole["metadata"]["managedFields"].is_array(), "other kinds come whole");
}
