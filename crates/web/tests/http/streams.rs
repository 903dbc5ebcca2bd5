//! Streams of hints end with their session and do not make it last, and hint only of what their user may see now.

use crate::console::{Console, Stream};
use crate::forms::{contents, send};
use http::StatusCode;
use serde_json::json;
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

/// Within this a stream tells what happened to its user; what tells it every 15 s only is too late.
const SOON: Duration = Duration::from_secs(5);

async fn begun(stream: &mut Stream) {
    assert_eq!(stream.event(SOON).await.as_deref(), Some("event: hello\ndata: {}\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_away_is_told_at_once_to_the_streams_that_are_open() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    let (lab, prod) = (console.fabric("lab").await, console.fabric("prod").await);
    console.permit(&bob, &["view"], Some(json!({"name": "lab"}))).await;
    let on_prod = console.permit_on(&bob, "hedgerow.fabric", &["view"], Some(json!({"name": "prod"}))).await;
    let mut admin = console.logged_in("alice").await;
    let mut other = console.logged_in("bob").await;
    let mut list = other.stream("/events/").await;
    let mut one = other.stream(&format!("/fabrics/{}/events/", prod.id)).await;
    begun(&mut list).await;
    begun(&mut one).await;
    let hint = Some("event: changed\ndata: {}\n\n");
    console.state.engine.fabric_saved(prod.id).await;
    assert_eq!(list.event(SOON).await.as_deref(), hint, "the control: both are listened to");
    assert_eq!(one.event(SOON).await.as_deref(), hint);

    let path = format!("/permissions/{on_prod}/delete/");
    let page = admin.open(&path).await;
    assert_eq!(send(&mut admin, &path, &contents(&page)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(list.event(SOON).await.as_deref(), hint, "there is one less to be seen");
    assert_eq!(one.event(SOON).await.as_deref(), hint, "the page reads itself again, and is told that it may not");
    assert_eq!(other.open(&format!("/fabrics/{}/", prod.id)).await.status, StatusCode::NOT_FOUND);
    console.state.engine.fabric_saved(prod.id).await;
    assert_eq!(list.event(Duration::from_secs(1)).await, None, "nothing is told of the one that is hidden");
    console.state.engine.fabric_saved(lab.id).await;
    assert_eq!(list.event(SOON).await.as_deref(), hint, "the one that is left is told of");
    assert_eq!(one.event(Duration::from_secs(1)).await, None, "nothing is told of the one that is hidden");

    let path = format!("/users/{}/", bob.id);
    let page = admin.open(&path).await;
    let end = [("csrfmiddlewaretoken".to_owned(), page.field("csrfmiddlewaretoken"))];
    assert_eq!(send(&mut admin, &format!("{path}sessions/end/"), &end).await.status, StatusCode::SEE_OTHER);
    for stream in [&mut list, &mut one] {
        let told = stream.event(SOON).await.unwrap_or_default();
        assert!(told.starts_with("event: session_ended") && told.contains("alice"), "{told}");
        assert_eq!(stream.event(SOON).await.as_deref(), Some(""), "that was the last word");
    }
}
