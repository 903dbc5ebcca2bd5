//! Watches of a server that misbehaves: silence, refusals, streams that hold something else.

use crate::support::{Answer, Server, half, json, page, status, text, vpc_kind};
use cluster::{ErrorKind, KindInfo, Watch, WatchEvent, WatchLimits};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn limits() -> WatchLimits {
    WatchLimits {
        silence: Duration::from_millis(300),
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(50),
        ..WatchLimits::default()
    }
}

fn watch(server: &Server, from: Option<&str>) -> Watch {
    server.cluster().watch(&vpc_kind(), "default", from.map(str::to_owned), limits())
}

/// A whole stream, which ends at once.
fn stream(lines: &[Value]) -> Answer {
    text(200, "application/json", lines.iter().map(|line| format!("{line}\n")).collect::<String>())
}

fn event(kind: &str, name: &str, version: &str) -> Value {
    json!({"type": kind, "object": {"kind": "VPC", "apiVersion": "vpc.githedgehog.com/v1beta1",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": version}}})
}

/// How many watches of this process were lost for a reason, by what its metrics say. The tests beside this one raise it,
/// too.
fn lost(reason: &str) -> u64 {
    let series = format!("hedgerow_watch_restarts_total{{reason=\"{reason}\"}} ");
    let text = metrics::exposition(&metrics::Facts::default());
    text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or_default()
}

fn version(query: &str) -> String {
    query.split('&').find_map(|part| part.strip_prefix("resourceVersion=")).unwrap_or("none").to_owned()
}

#[tokio::test]
async fn it_resumes_from_the_last_version_that_was_told() {
    let from = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = from.clone();
    let server = Server::start(move |request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        assert!(query.contains("watch=true&allowWatchBookmarks=true"), "{query}");
        let seconds = query.split("timeoutSeconds=").nth(1).and_then(|rest| rest.parse::<u64>().ok()).unwrap();
        assert!((240..=480).contains(&seconds), "{query}");
        let turn = {
            let mut seen = seen.lock().unwrap();
            seen.push(version(&query));
            seen.len()
        };
        async move {
            match turn {
                1 => stream(&[event("ADDED", "a", "43"), event("MODIFIED", "a", "44")]),
                2 => stream(&[json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "50"}}})]),
                _ => half("", None),
            }
        }
    })
    .await;
    let mut watch = watch(&server, Some("42"));
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(match watch.next().await.unwrap() {
            WatchEvent::Opened => "opened".to_owned(),
            WatchEvent::Applied(object) => format!("{}@{}", object.name, object.resource_version),
            WatchEvent::Bookmark { resource_version } => format!("bookmark {resource_version}"),
            other => panic!("{other:?}"),
        });
    }
    assert_eq!(told, ["opened", "a@43", "a@44", "opened", "bookmark 50", "opened"]);
    assert_eq!(*from.lock().unwrap(), ["42", "44", "50"]);
}

/// A proxy that closes each stream with its first event: the next one waits longer each time, and nothing is lost.
#[tokio::test]
async fn streams_that_end_at_once_are_opened_ever_more_rarely_although_they_tell_something() {
    let opened = std::sync::Arc::new(Mutex::new(Vec::new()));
    let times = opened.clone();
    let server = Server::start(move |_| {
        let mut times = times.lock().unwrap();
        times.push(std::time::Instant::now());
        let version = 42 + times.len();
        async move { stream(&[event("MODIFIED", "a", &version.to_string())]) }
    })
    .await;
    let longest = WatchLimits { longest_pause: Duration::from_secs(60), ..limits() };
    let mut watch = server.cluster().watch(&vpc_kind(), "default", Some("42".to_owned()), longest);
    for version in 43..53 {
        assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
        let told = watch.next().await.unwrap();
        assert!(matches!(&told, WatchEvent::Applied(a) if a.resource_version == version.to_string()), "{told:?}");
    }
    // The pauses double from 5 ms on; by chance each is half of that at least.
    let opened = opened.lock().unwrap();
    for (failures, pair) in (0_u32..).zip(opened.windows(2)) {
        let least = Duration::from_micros(2_500) * 2_u32.pow(failures);
        assert!(pair[1] - pair[0] >= least, "pause {failures} took {:?}, not {least:?}", pair[1] - pair[0]);
    }
}

#[tokio::test]
async fn a_stream_without_a_word_counts_as_dead() {
    let before = lost("silent");
    let server = Server::start(|_| async { half("", None) }).await;
    let mut watch = watch(&server, Some("42"));
    assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
    let error = watch.next().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionCut, "{error}");
    assert!(error.message.contains("No event and no bookmark for 0.3 s"), "{error}");
    assert!(lost("silent") > before, "it is not counted");
    assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened, "and the next one is opened");
}

#[tokio::test]
async fn a_forgotten_version_is_listed_anew_whichever_way_it_is_said() {
    for as_event in [false, true] {
        let before = lost("expired");
        let turns = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            let is_watch = request.uri().query().unwrap_or_default().contains("watch=true");
            let turn = if is_watch { turns.fetch_add(1, Ordering::SeqCst) } else { 9 };
            async move {
                let gone = json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (9)"});
                match (turn, as_event) {
                    (9, _) => page(&["a"], "", None),
                    (0, true) => stream(&[json!({"type": "ERROR", "object": gone})]),
                    (0, false) => status(410, "Expired", "too old resource version"),
                    _ => half("", None),
                }
            }
        })
        .await;
        let mut watch = watch(&server, Some("1"));
        let mut first = watch.next().await.unwrap();
        if as_event {
            assert_eq!(first, WatchEvent::Opened);
            first = watch.next().await.unwrap();
        }
        let WatchEvent::Listed(listed) = first else { panic!("{first:?}") };
        assert_eq!((listed.objects.len(), listed.resource_version.as_str()), (1, "42"));
        assert!(lost("expired") > before, "it is not counted, said as an event: {as_event}");
        assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
    }
}

#[tokio::test]
async fn refusals_are_told_and_a_version_that_is_always_refused_is_given_up() {
    // A server that was restored from a backup: it never reached that version.
    let server = Server::start(|request| {
        let query = request.uri().query().unwrap_or_default().to_owned();
        async move {
            match query.contains("watch=true") {
                true if version(&query) == "99" => {
                    status(504, "Timeout", "Too large resource version: 99, current: 42")
                }
                true => half("", None),
                false => page(&["a"], "", None),
            }
        }
    })
    .await;
    let mut watch = watch(&server, Some("99"));
    let mut refusals = 0;
    let listed = loop {
        match watch.next().await {
            Err(error) => {
                assert_eq!((error.kind, error.status), (ErrorKind::Timeout, Some(504)), "{error}");
                refusals += 1;
                assert!(refusals < 20, "it never gives up");
            }
            Ok(event) => break event,
        }
    };
    assert!(matches!(listed, WatchEvent::Listed(_)), "{listed:?}");
    assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
}

#[tokio::test]
async fn what_is_no_event_is_an_error_and_nothing_is_made_of_it() {
    let strange = [
        text(200, "text/html", "<!doctype html><title>Login</title>\n"),
        stream(&[json!({"type": "ADDED", "object": {"metadata": {}}})]),
        stream(&[json!({"type": "CHANGED", "object": {"metadata": {"name": "a"}}})]),
        stream(&[json!({"type": "BOOKMARK", "object": {}})]),
        text(200, "application/json", "{\"type\":\n"),
    ];
    let answers = Mutex::new(Vec::from(strange));
    let count = answers.lock().unwrap().len();
    let server = Server::start(move |_| {
        let answer = answers.lock().unwrap().pop();
        async move { answer.unwrap_or_else(|| half("", None)) }
    })
    .await;
    let mut watch = watch(&server, Some("42"));
    let before = lost("unreadable");
    for _ in 0..count {
        assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
        let error = watch.next().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Protocol, "{error}");
    }
    assert_eq!(lost("unreadable") - before, count as u64, "each is counted, and only this test makes any");
    assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
}

#[tokio::test]
async fn a_stream_that_ends_too_soon_or_by_an_error_is_counted_as_lost() {
    let refused = json!({"kind": "Status", "code": 500, "reason": "InternalError", "message": "etcd is away"});
    let turns = [("refused", stream(&[json!({"type": "ERROR", "object": refused})])), ("disconnected", stream(&[]))];
    for (reason, answer) in turns {
        let answers = Mutex::new(Some(answer));
        let server = Server::start(move |_| {
            let answer = answers.lock().unwrap().take();
            async move { answer.unwrap_or_else(|| half("", None)) }
        })
        .await;
        let before = lost(reason);
        let mut watch = watch(&server, Some("42"));
        assert_eq!(watch.next().await.unwrap(), WatchEvent::Opened);
        // An end without an error is not told: the next stream is opened.
        let _ = watch.next().await;
        assert!(lost(reason) > before, "{reason} is not counted");
    }
}

#[tokio::test]
async fn unauthorized_and_forbidden_are_told_with_their_kind() {
    let server = Server::start(|request| {
        let is_vpc = request.uri().path().contains("vpcs");
        async move {
            match is_vpc {
                true => status(401, "Unauthorized", "Unauthorized"),
                false => status(403, "Forbidden", "externals is forbidden: User \"x\" cannot watch resource"),
            }
        }
    })
    .await;
    assert_eq!(watch(&server, Some("1")).next().await.unwrap_err().kind, ErrorKind::Unauthorized);
    let externals = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "External", "externals", true);
    let mut forbidden = server.cluster().watch(&externals, "default", Some("1".into()), limits());
    assert_eq!(forbidden.next().await.unwrap_err().kind, ErrorKind::Forbidden);
}

#[tokio::test]
async fn of_agents_only_the_allowed_fields_arrive_by_watch_too() {
    let agent = json!({"metadata": {"name": "leaf-1", "resourceVersion": "7", "annotations": {"x": "$5$hash"}},
        "spec": {"role": "server-leaf", "users": [{"name": "admin", "password": "$5$hash"}]}, "status": {"lastAppliedGen": 7}});
    let list = json!({"kind": "AgentList", "apiVersion": "agent.githedgehog.com/v1beta1", "metadata": {"resourceVersion": "5"}, "items": [agent.clone()]});
    let server = Server::start(move |request| {
        let is_watch = request.uri().query().unwrap_or_default().contains("watch=true");
        let answer = if is_watch {
            stream(&[json!({"type": "MODIFIED", "object": agent}), json!({"type": "DELETED", "object": agent})])
        } else {
            json(200, &list)
        };
        async move { answer }
    })
    .await;
    let agents = KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true);
    let mut watch = server.cluster().watch(&agents, "default", None, limits());
    for _ in 0..4 {
        let event = format!("{:?}", watch.next().await.unwrap());
        assert!(!event.contains("hash"), "{event}");
        assert!(event.contains("server-leaf") || event == "Opened", "{event}");
    }
}
