//! A clean end of `hedgerow serve`, whatever holds on to it; and what it removes by itself while it runs.

use crate::running::{PATIENCE, Running, program};
use crate::serving::serve;
use crate::visitor::Visitor;
use std::time::{Duration, Instant};
use store::attempts::{AttemptFilter, NewAttempt};
use store::{Page, Scope, Store};

#[tokio::test]
async fn an_open_connection_does_not_hold_the_end() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &["--json", "--set", "shutdown.grace=500ms"]);
    let ready = server.json();
    let address = ready["url"].as_str().unwrap().trim_start_matches("http://").trim_end_matches('/').to_owned();
    // Half a request: a client that will never end it.
    let mut half = tokio::net::TcpStream::connect(&address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut half, b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let began = Instant::now();
    let (status, _) = server.stop("-TERM");
    assert_eq!(status.code(), Some(0), "{}", server.errors());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}: {}", began.elapsed(), server.errors());
}

#[test]
fn nobody_reading_the_log_does_not_keep_it_from_ending() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", "data", "--json", "--set", "log.level=debug"];
    for signal in ["-TERM", "-INT"] {
        let mut server = Running::start_unheard(program(home.path(), &arguments));
        server.json();
        let (status, rest) = server.stop(signal);
        assert_eq!((status.code(), rest.as_str()), (Some(0), ""), "{signal}");
    }
}

#[tokio::test]
async fn an_open_stream_of_events_does_not_hold_the_end() {
    let home = tempfile::tempdir().unwrap();
    let mut server = serve(home.path(), &["--json", "--set", "shutdown.grace=50s"]);
    let ready = server.json();
    let mut visitor = Visitor::of(&ready);
    assert_eq!(visitor.log_in(&ready).await, 303);
    let mut stream = visitor.listen("/events/").await;
    assert!(stream.chunk().await.unwrap().is_some(), "it says hello");
    let began = Instant::now();
    let (status, _) = server.stop("-TERM");
    assert_eq!(status.code(), Some(0), "{}", server.errors());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}: {}", began.elapsed(), server.errors());
    assert!(stream.chunk().await.unwrap().is_none(), "the stream ends as a stream, not as an error");
}

#[tokio::test]
async fn attempts_of_long_ago_are_removed_and_younger_ones_kept() {
    let home = tempfile::tempdir().unwrap();
    serve(home.path(), &["--json"]).json();
    let store = Store::open(home.path().join("data/hedgerow.db").to_str().unwrap()).await.unwrap();
    for (days, message) in [(91, "old"), (89, "young")] {
        let attempt = NewAttempt {
            at: jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days),
            fabric_id: None,
            fabric_name: String::new(),
            verb: None,
            action: "sync".into(),
            subject: String::new(),
            actor: "alice".to_owned(),
            user_id: None,
            token_key: None,
            address: "192.0.2.1".to_owned(),
            method: "POST".to_owned(),
            path: "/fabrics/1/sync/".to_owned(),
            http_status: 404,
            redirected: false,
            code: None,
            message: message.to_owned(),
            request_id: message.to_owned(),
            operation_id: None,
        };
        store.attempts().record(&attempt).await.unwrap();
    }
    let mut server = serve(home.path(), &["--json"]);
    server.json();
    let until = Instant::now() + PATIENCE;
    loop {
        let page = Page::first(10);
        let left = store.attempts().list(&Scope::System, &AttemptFilter::default(), page).await.unwrap();
        let left: Vec<&str> = left.rows.iter().map(|attempt| attempt.message.as_str()).collect();
        match left.as_slice() {
            ["young"] => break,
            _ if Instant::now() > until => panic!("{left:?} are left: {}", server.errors()),
            _ => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    store.close().await;
    assert_eq!(server.stop("-TERM").0.code(), Some(0));
}
