//! Streams of hints end with their session and do not make it last.

use crate::console::Console;
use http::StatusCode;
use std::time::Duration;

#[tokio::test]
async fn a_stream_is_opened_for_those_who_may_see_and_is_no_activity() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let before = browser.script("/session/").await.json()["idle_expires_at"].clone();
    console.clock.advance(Duration::from_secs(600));
    let path = format!("/fabrics/{}/events/", fabric.id);
    let stream = browser.send("GET", &path, &[("accept", "text/event-stream")], None).await;
    assert_eq!((stream.status, stream.header("content-type")), (StatusCode::OK, "text/event-stream"));
    assert_eq!(stream.header("x-accel-buffering"), "no");
    let background = [("accept", "text/html"), ("x-hedgerow-background", "1")];
    assert_eq!(browser.send("GET", "/fabrics/", &background, None).await.status, StatusCode::OK);
    let polled =
        browser.send("GET", "/session/", &[("accept", "application/json"), ("x-hedgerow-background", "1")], None).await;
    assert_eq!(polled.json()["idle_expires_at"], before, "none of this was activity");
    assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK);
    let now = browser.script("/session/").await.json()["idle_expires_at"].clone();
    assert_ne!(now, before, "the control arm: opening a page is");
    console.clock.advance(Duration::from_secs(3_601));
    let ended = browser.send("GET", &path, &[("accept", "text/event-stream")], None).await;
    assert_eq!(ended.status, StatusCode::UNAUTHORIZED);
    assert_eq!(ended.json()["code"], "session_idle_expired");
}
