//! Lists over many pages: complete, as of one moment, or an error.

use crate::support::{Server, limits, page, position, status, text, vpc_kind};
use cluster::{ErrorKind, KindInfo, Limits};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn pages_are_joined_and_progress_is_told() {
    let server = Server::start(|request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let at = position(&request);
        async move {
            assert!(query.contains("limit=2"), "{query}");
            match at.as_deref() {
                None => page(&["a", "b"], "p/2=", Some(3)),
                Some("p%2F2%3D") => page(&["c", "d"], "p3", Some(1)),
                Some("p3") => page(&["e"], "", None),
                other => panic!("unexpected position {other:?}"),
            }
        }
    })
    .await;
    let seen = Mutex::new(Vec::new());
    let listed =
        server.cluster().list(&vpc_kind(), "default", &|n, total| seen.lock().unwrap().push((n, total))).await.unwrap();
    let names: Vec<&str> = listed.objects.iter().map(|o| o["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    assert!(listed.objects.iter().all(|o| o["kind"] == "VPC" && o["apiVersion"] == "vpc.githedgehog.com/v1beta1"));
    assert_eq!(listed.resource_version, "42");
    assert_eq!(*seen.lock().unwrap(), [(0, None), (2, Some(5)), (4, Some(5)), (5, None)]);
}

#[tokio::test]
async fn an_expired_position_starts_the_list_again() {
    let expired = AtomicUsize::new(0);
    let server = Server::start(move |request| {
        let again = position(&request).is_some() && expired.fetch_add(1, Ordering::SeqCst) == 0;
        let at = position(&request);
        async move {
            match at {
                _ if again => status(410, "Expired", "The provided continue parameter is too old"),
                None => page(&["a", "b"], "next", None),
                Some(_) => page(&["c"], "", None),
            }
        }
    })
    .await;
    let listed = server.cluster().list(&vpc_kind(), "default", &|_, _| ()).await.unwrap();
    assert_eq!(listed.objects.len(), 3, "nothing twice, nothing lost");
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn a_list_that_always_expires_ends() {
    let server = Server::start(|request| {
        let first = position(&request).is_none();
        async move { if first { page(&["a"], "next", None) } else { status(410, "Expired", "too old") } }
    })
    .await;
    let error = server.cluster().list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
    assert_eq!((error.kind, error.status), (ErrorKind::Gone, Some(410)));
    assert_eq!(server.requests(), 8);
}

#[tokio::test]
async fn a_list_whose_pages_do_not_move_on_ends() {
    let server = Server::start(|_| async { page(&["a"], "the-same", Some(u64::MAX)) }).await;
    let error = server.cluster().list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    assert!(error.to_string().contains("does not go on"), "{error}");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_list_of_something_else_is_not_this_kind() {
    for (kind, group) in [("ServerList", "wiring.githedgehog.com"), ("VPCList", "wiring.githedgehog.com")] {
        let body = json!({"kind": kind, "apiVersion": format!("{group}/v1beta1"), "metadata": {}, "items": []});
        let server = Server::start(move |_| {
            let body = body.clone();
            async move { crate::support::json(200, &body) }
        })
        .await;
        let error = server.cluster().list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{kind} of {group} is no empty list of VPCs: {error}");
        assert!(error.to_string().contains(kind), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_object_is_not_passed_over() {
    for item in [json!(1), json!(null), json!({}), json!({"metadata": {"name": ""}})] {
        let metadata = json!({"resourceVersion": "1"});
        let items = json!([{"metadata": {"name": "a"}}, item]);
        let body = json!({"kind": "VPCList", "apiVersion": "vpc.githedgehog.com/v1beta1", "metadata": metadata, "items": items});
        let server = Server::start(move |_| {
            let body = body.clone();
            async move { crate::support::json(200, &body) }
        })
        .await;
        let cluster = server.cluster();
        let error = cluster.list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{items}: {error}");
        let error = cluster.list_as_received(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{items}: {error}");
    }
}

#[tokio::test]
async fn one_bad_page_fails_the_list() {
    let server = Server::start(|request| {
        let first = position(&request).is_none();
        async move { if first { page(&["a"], "next", None) } else { status(401, "Unauthorized", "Unauthorized") } }
    })
    .await;
    let error = server.cluster().list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unauthorized, "half a list is no list");
}

#[tokio::test]
async fn pages_that_are_too_large_are_asked_for_in_parts() {
    let server = Server::start(|request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        async move {
            match query.strip_prefix("limit=").and_then(|l| l.split('&').next()?.parse::<u32>().ok()) {
                Some(limit) if limit > 2 => text(200, "application/json", vec![b' '; 65 * 1024 * 1024]),
                _ => page(&["a", "b"], "", None),
            }
        }
    })
    .await;
    let many = Limits { page: 8, request: std::time::Duration::from_secs(60), ..limits() };
    let listed = server.cluster_with(many).list(&vpc_kind(), "default", &|_, _| ()).await.unwrap();
    assert_eq!((listed.objects.len(), server.requests()), (2, 2));
    // One object alone that is too large cannot be helped.
    let one = Limits { page: 1, ..many };
    let huge = Server::start(|_| async { text(200, "application/json", vec![b' '; 65 * 1024 * 1024]) }).await;
    let error = huge.cluster_with(one).list(&vpc_kind(), "default", &|_, _| ()).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn of_agents_only_the_allowed_fields_arrive() {
    let agents = KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true);
    let agent = json!({
        "metadata": {"name": "leaf-1", "generation": 7},
        "spec": {"role": "server-leaf", "users": [{"name": "admin", "password": "$5$hash"}]},
        "status": {"lastAppliedGen": 7},
    });
    let list = json!({"kind": "AgentList", "apiVersion": "agent.githedgehog.com/v1beta1", "metadata": {}, "items": [agent.clone()]});
    let server = Server::start(move |request| {
        let answer = if request.uri().path().ends_with("leaf-1") { agent.clone() } else { list.clone() };
        async move { crate::support::json(200, &answer) }
    })
    .await;
    let cluster = server.cluster();
    let listed = cluster.list(&agents, "default", &|_, _| ()).await.unwrap().objects.remove(0);
    let read = cluster.get(&agents, "default", "leaf-1").await.unwrap().unwrap();
    for object in [listed, read] {
        assert_eq!((&object["spec"]["role"], &object["status"]["lastAppliedGen"]), (&json!("server-leaf"), &json!(7)));
        assert!(!object.to_string().contains("hash"), "{object}");
    }
}
