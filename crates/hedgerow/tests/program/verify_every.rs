//! `hedgerow verify --every`: it counts, it tells somebody once when the console is gone and once when it is back, and it
//! leaves nothing behind.

use crate::running::{PATIENCE, Running, program, run, stdout};
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use store::Store;

/// What a webhook was sent.
#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<Value>>>);

impl Received {
    /// A receiver, and its address.
    async fn start() -> (Self, String) {
        let received = Self::default();
        let kept = received.clone();
        let take = move |axum::Json(body): axum::Json<Value>| async move { kept.0.lock().unwrap().push(body) };
        let router = axum::Router::new().route("/hook", axum::routing::post(take));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (received, address)
    }

    fn all(&self) -> Vec<Value> {
        self.0.lock().unwrap().clone()
    }

    async fn until(&self, count: usize) -> Vec<Value> {
        let end = Instant::now() + PATIENCE;
        while self.all().len() < count {
            assert!(Instant::now() < end, "{:?}", self.all());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.all()
    }
}

/// The next run with this verdict.
fn run_with(monitor: &mut Running, verdict: &str) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let line = monitor.json();
        if line["verdict"] == verdict {
            return line;
        }
        assert!(Instant::now() < end, "no run was {verdict}; the last: {line}");
    }
}

async fn metrics(url: &str) -> String {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

fn number(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
}

fn demo(home: &Path, port: u16) -> (Running, Value) {
    let listen = format!("127.0.0.1:{port}");
    let mut demo = Running::start(program(home, &["demo", "--json", "--data", "kept", "--listen", &listen]));
    let ready = demo.json();
    (demo, ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_counts_and_tells_once_that_the_console_is_gone_and_once_that_it_is_back() {
    let home = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (mut console, ready) = demo(home.path(), port);
    std::fs::write(home.path().join("pw"), ready["password"].as_str().unwrap()).unwrap();
    let (received, hook) = Received::start().await;
    let (url, username) = (ready["url"].as_str().unwrap(), ready["username"].as_str().unwrap());
    let mut arguments = vec!["verify", "--target", url, "--username", username, "--password-file", "pw"];
    arguments.extend(["--every", "1s", "--metrics", "127.0.0.1:0", "--webhook", &hook, "--alert-after", "2"]);
    arguments.extend(["--keep", "3", "--output", "runs", "--json"]);
    arguments.extend(["--journey", "login_logout", "--journey", "fabric_page"]);
    let mut monitor = Running::start(program(home.path(), &arguments));
    let page = monitor.json()["metrics"].as_str().unwrap().to_owned();

    run_with(&mut monitor, "pass");
    run_with(&mut monitor, "pass");
    let text = metrics(&page).await;
    assert!(number(&text, "hedgerow_verify_runs_total{verdict=\"pass\"}") >= 2.0, "{text}");
    assert!(text.contains("hedgerow_verify_runs_total{verdict=\"pass\"}") && !text.contains("verdict=\"fail\"} 1"));
    for one in ["hedgerow_verify_failures_in_a_row 0", "hedgerow_verify_verdict{verdict=\"pass\"} 1"] {
        assert!(text.lines().any(|line| line == one), "{one} is not in\n{text}");
    }
    let took = "hedgerow_verify_journey_duration_seconds{journey=\"fabric_page\",driver=\"http\"}";
    assert!(number(&text, took) > 0.0);
    assert!(received.all().is_empty(), "nothing was wrong");

    console.stop("-TERM");
    for _ in 0..4 {
        run_with(&mut monitor, "invalid");
    }
    let alerts = received.until(1).await;
    assert_eq!((alerts.len(), &alerts[0]["event"]), (1, &"failing".into()), "{alerts:?}");
    assert_eq!(
        (&alerts[0]["cause"], &alerts[0]["failure_point"]),
        (&"transport_failed".into(), &2.into()),
        "{alerts:?}"
    );
    // The first of the row may have met the console while it ended.
    assert_eq!((&alerts[0]["in_a_row"], &alerts[0]["verdict"]), (&2.into(), &"invalid".into()), "{alerts:?}");
    let text = metrics(&page).await;
    assert!(number(&text, "hedgerow_verify_failures_in_a_row") >= 4.0, "{text}");
    assert_eq!(number(&text, "hedgerow_verify_verdict{verdict=\"invalid\"}"), 1.0);

    let (_again, _) = demo(home.path(), port);
    let back = jiff::Timestamp::now();
    run_with(&mut monitor, "pass");
    run_with(&mut monitor, "pass");
    let alerts = received.until(2).await;
    assert_eq!(alerts[1]["event"], "recovered", "{alerts:?}");
    assert!(alerts[1]["in_a_row"].as_u64() >= Some(4), "{alerts:?}");
    assert_eq!(alerts[1]["since"], alerts[0]["since"], "it is the same row");
    let said = format!("{alerts:?}");
    assert!(!said.contains(ready["password"].as_str().unwrap()), "{said}");

    // Ended in the middle of whatever it is doing.
    let (status, _) = monitor.stop("-TERM");
    assert_eq!(status.code(), Some(0), "{}", monitor.errors());
    assert_eq!(received.all().len(), 2, "told once each: {:?}", received.all());
    let runs: Vec<_> = std::fs::read_dir(home.path().join("runs")).unwrap().map(|run| run.unwrap().path()).collect();
    assert!((3..=4).contains(&runs.len()), "three are kept, and the one that was interrupted: {runs:?}");
    let verdict = |folder: &Path| {
        let results = std::fs::read(folder.join("results.json")).unwrap();
        serde_json::from_slice::<Value>(&results).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    assert!(runs.iter().filter(|run| verdict(run) == "invalid").count() >= 2, "those that failed are kept: {runs:?}");
    for folder in &runs {
        let checked = run(home.path(), &["verify", "--check", folder.to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(0), "{}", stdout(&checked));
    }

    let store = Store::open(home.path().join("kept/hedgerow.db").to_str().unwrap()).await.unwrap();
    let user = store.users().by_name(username).await.unwrap().unwrap();
    let sessions = store.sessions().list_of_user(user.id).await.unwrap();
    let of_monitor: Vec<_> = sessions.iter().filter(|one| one.created_at > back).collect();
    assert!(!of_monitor.is_empty() && of_monitor.iter().all(|one| one.ended_at.is_some()), "{of_monitor:?}");
}

#[test]
fn what_cannot_work_is_said_before_anything_runs() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("pw"), "secret-enough").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let common =
        ["verify", "--target", "http://127.0.0.1:9", "--username", "x", "--password-file", "pw", "--output", "o"];
    for (flags, expected) in [
        (vec!["--every", "1m", "--metrics", &address], "choose another with --metrics"),
        (vec!["--every", "1m", "--webhook", "ftp://h.example/"], "address of the webhook"),
        (vec!["--metrics", &address], "--every"),
        (vec!["--every", "1"], "the unit is missing"),
        (vec!["--every", "1m", "--alert-after", "0"], "--alert-after"),
    ] {
        let refused = run(home.path(), &[&common[..], &flags].concat());
        let said = crate::running::stderr(&refused);
        assert!(!refused.status.success() && said.contains(expected), "{flags:?}: {said}");
    }
    assert!(!home.path().join("o").exists(), "nothing was made");
}

#[test]
fn the_journeys_are_listed_as_data_too() {
    let home = tempfile::tempdir().unwrap();
    let listed = run(home.path(), &["verify", "--list", "--json"]);
    assert!(listed.status.success(), "{}", crate::running::stderr(&listed));
    let all: Vec<Value> = serde_json::from_str(&stdout(&listed)).unwrap();
    let drift = all.iter().find(|one| one["name"] == "drift").unwrap();
    assert_eq!(drift["changes"], true);
    assert!(drift["proves"].as_str().is_some_and(|proves| proves.len() > 20), "{drift}");
}
