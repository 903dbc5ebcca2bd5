//! Watches, on a real API server and on the lab: what happens is told once and in order, also over breaks.

use crate::kinds::{basic, server};
use crate::{connect, connect_through};
use cluster::{Cluster, ErrorKind, KindInfo, ListedAsReceived, Watch, WatchEvent, WatchLimits};
use serde_json::Value;
use std::time::Duration;
use testkit::{Chaos, ChaosProxy, ControlPlane};

/// Longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_real_api_server_is_watched() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    conformance(&plane.kubeconfig_admin()).await;
}

#[tokio::test]
async fn the_lab_is_watched() {
    let lab = lab::Lab::start(lab::Options::default()).await.unwrap();
    conformance(&lab.kubeconfig()).await;
}

#[tokio::test]
async fn a_version_that_was_compacted_away_is_listed_anew() {
    let lab = lab::Lab::start(lab::Options::default()).await.unwrap();
    let cluster = connect(&lab.kubeconfig());
    let kind = servers(&cluster).await;
    lab.load([server("old", "")], "somebody").unwrap();
    let listed = list(&cluster, &kind).await;
    lab.load([server("new", "")], "somebody").unwrap();
    lab.delete("Server", "default", "old").unwrap();
    lab.compact();
    let mut watch = cluster.watch(&kind, "default", Some(listed.resource_version), limits());
    let WatchEvent::Listed(listed) = next(&mut watch).await else { panic!("it has to begin anew") };
    assert_eq!(names(&listed), ["new"]);
    assert_eq!(next(&mut watch).await, WatchEvent::Opened);
    lab.load([server("newer", "")], "somebody").unwrap();
    assert_eq!(told(&mut watch).await, "applied newer");
}

#[tokio::test]
async fn a_server_that_was_killed_is_watched_again() {
    let mut plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let cluster = connect(&plane.kubeconfig_admin());
    let kind = servers(&cluster).await;
    cluster.create(&kind, &server("one", ""), false).await.unwrap();
    let from = list(&cluster, &kind).await.resource_version;
    let mut watch = cluster.watch(&kind, "default", Some(from), limits());
    assert_eq!(next(&mut watch).await, WatchEvent::Opened);
    plane.stop_api_server();
    let error = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap_err();
    assert!(matches!(error.kind, ErrorKind::ConnectionCut | ErrorKind::Unreachable), "{error}");
    plane.start_api_server().await.unwrap();
    cluster.create(&kind, &server("two", ""), false).await.unwrap();
    // A new server remembers no version from before its start: it may answer 410, and then everything is listed.
    let told = async {
        loop {
            match watch.next().await {
                Ok(WatchEvent::Applied(object)) if object.name == "two" => break,
                Ok(WatchEvent::Listed(listed)) if names(&listed).contains(&"two") => break,
                Ok(_) => {}
                Err(e) => assert!(e.is_transient(), "{e}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, told).await.expect("the new object is told");
}

#[tokio::test]
async fn what_happened_behind_a_broken_connection_is_told_afterwards() {
    let plane = ControlPlane::pool().await.unwrap();
    plane.replace_crds(&basic()).await.unwrap();
    let proxy = ChaosProxy::start(&plane.address()).await.unwrap();
    let through = connect_through(&plane, &proxy);
    let direct = connect(&plane.kubeconfig_admin());
    let kind = servers(&direct).await;
    let from = list(&through, &kind).await.resource_version;
    let mut watch = through.watch(&kind, "default", Some(from), limits());
    assert_eq!(next(&mut watch).await, WatchEvent::Opened);
    for (chaos, name) in [(Chaos::Cut, "cut"), (Chaos::ResetAfter(0), "reset"), (Chaos::Blackhole, "hole")] {
        proxy.set(chaos);
        direct.create(&kind, &server(name, ""), false).await.unwrap();
        let error = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap_err();
        assert!(error.is_transient(), "{name}: {error}");
        proxy.set(Chaos::Cut);
        proxy.set(Chaos::Pass);
        assert_eq!(until_told(&mut watch).await, format!("applied {name}"));
    }
}

#[tokio::test]
async fn many_watches_leave_room_for_calls() {
    let lab = lab::Lab::start(lab::Options::default()).await.unwrap();
    let cluster = connect(&lab.kubeconfig());
    let kind = servers(&cluster).await;
    let mut watches = Vec::new();
    for _ in 0..cluster.limits().concurrency + 4 {
        let mut watch = cluster.watch(&kind, "default", None, limits());
        assert!(matches!(next(&mut watch).await, WatchEvent::Listed(_)));
        assert_eq!(next(&mut watch).await, WatchEvent::Opened);
        watches.push(watch);
    }
    tokio::time::timeout(PATIENCE, cluster.create(&kind, &server("one", ""), false)).await.unwrap().unwrap();
    for watch in &mut watches {
        assert_eq!(told(watch).await, "applied one");
    }
}

async fn conformance(kubeconfig: &str) {
    let cluster = connect(kubeconfig);
    let kind = servers(&cluster).await;
    for name in ["one", "two", "three"] {
        cluster.create(&kind, &server(name, ""), false).await.unwrap();
    }
    let mut watch = cluster.watch(&kind, "default", None, limits());
    let WatchEvent::Listed(listed) = next(&mut watch).await else { panic!("it begins with a list") };
    assert_eq!(names(&listed), ["one", "three", "two"]);
    for object in &listed.objects {
        let value: Value = serde_json::from_str(&object.json).unwrap();
        assert_eq!(cluster.get(&kind, "default", &object.name).await.unwrap(), Some(value), "as it is");
    }
    assert_eq!(next(&mut watch).await, WatchEvent::Opened);

    cluster.create(&kind, &server("four", "first"), false).await.unwrap();
    let made = cluster.get(&kind, "default", "four").await.unwrap().unwrap();
    let WatchEvent::Applied(seen) = next(&mut watch).await else { panic!("it was created") };
    assert_eq!(serde_json::from_str::<Value>(&seen.json).unwrap(), made);
    assert_eq!(made["metadata"]["resourceVersion"], seen.resource_version.as_str());
    let mut wanted = made.clone();
    wanted["spec"]["description"] = "second".into();
    let changed = cluster.replace(&kind, &wanted, false).await.unwrap().object;
    assert_eq!(told(&mut watch).await, "applied four");
    // What happens elsewhere is not told.
    let (uid, at) = (text(&changed, "/metadata/uid"), text(&changed, "/metadata/resourceVersion"));
    cluster.delete(&kind, "default", "four", &uid, &at, false).await.unwrap();
    let WatchEvent::Deleted(gone) = next(&mut watch).await else { panic!("it was deleted") };
    assert_eq!((gone.name.as_str(), gone.namespace.as_str()), ("four", "default"));
    let later = |a: &str, b: &str| a.parse::<u64>().unwrap() > b.parse::<u64>().unwrap();
    assert!(later(&gone.resource_version, &at), "the version of its end, not of its life");

    // A stream that the server ends by its time goes on with the next one; nothing is told twice or lost.
    let short = WatchLimits { lasts: Duration::from_secs(1), ..limits() };
    let mut watch = cluster.watch(&kind, "default", Some(listed.resource_version.clone()), short);
    assert_eq!(next(&mut watch).await, WatchEvent::Opened);
    let mut all = Vec::new();
    while all.len() < 4 {
        match next(&mut watch).await {
            WatchEvent::Applied(object) => all.push(format!("applied {}", object.name)),
            WatchEvent::Deleted(object) => {
                all.push(format!("deleted {}", object.name));
                // The stream that told this ends first.
                while next(&mut watch).await != WatchEvent::Opened {}
                cluster.create(&kind, &server("five", ""), false).await.unwrap();
            }
            WatchEvent::Opened | WatchEvent::Bookmark { .. } => {}
            WatchEvent::Listed(_) => panic!("it listed again"),
        }
    }
    assert_eq!(all, ["applied four", "applied four", "deleted four", "applied five"]);

    let unheard = KindInfo::bare("wiring.githedgehog.com", "v1beta1", "Cat", "cats", true);
    let mut nothing = cluster.watch(&unheard, "default", Some("1".into()), limits());
    assert_eq!(nothing.next().await.unwrap_err().kind, ErrorKind::NotFound);
    let (before, after) = kubeconfig.split_once("token: ").unwrap();
    let rest = after.split_once('\n').map(|(_, rest)| rest).unwrap_or_default();
    let stranger = connect(&format!("{before}token: nobody\n{rest}"));
    let mut nothing = stranger.watch(&kind, "default", Some(listed.resource_version), limits());
    assert_eq!(nothing.next().await.unwrap_err().kind, ErrorKind::Unauthorized);
}

fn limits() -> WatchLimits {
    WatchLimits { longest_pause: Duration::from_secs(1), ..WatchLimits::default() }
}

async fn servers(cluster: &Cluster) -> KindInfo {
    cluster.discover().await.unwrap().find("wiring.githedgehog.com", "Server").unwrap().clone()
}

async fn list(cluster: &Cluster, kind: &KindInfo) -> ListedAsReceived {
    cluster.list_as_received(kind, "default", &|_, _| ()).await.unwrap()
}

fn names(listed: &ListedAsReceived) -> Vec<&str> {
    let mut names: Vec<&str> = listed.objects.iter().map(|object| object.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn text(object: &Value, at: &str) -> String {
    object.pointer(at).and_then(Value::as_str).unwrap().to_owned()
}

async fn next(watch: &mut Watch) -> WatchEvent {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("something happens").unwrap()
}

/// The next event about an object.
async fn told(watch: &mut Watch) -> String {
    loop {
        match next(watch).await {
            WatchEvent::Applied(object) => return format!("applied {}", object.name),
            WatchEvent::Deleted(object) => return format!("deleted {}", object.name),
            WatchEvent::Bookmark { .. } => {}
            other => panic!("unexpected: {other:?}"),
        }
    }
}

/// The same over failures: it comes back by itself.
async fn until_told(watch: &mut Watch) -> String {
    let coming = async {
        loop {
            match watch.next().await {
                Ok(WatchEvent::Applied(object)) => return format!("applied {}", object.name),
                Ok(WatchEvent::Deleted(object)) => return format!("deleted {}", object.name),
                Ok(WatchEvent::Listed(_)) => panic!("it listed again"),
                Ok(_) => {}
                Err(e) => assert!(e.is_transient(), "{e}"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, coming).await.expect("it comes back")
}
