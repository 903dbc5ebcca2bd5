//! One class per cause: no session, each way a session ends, CSRF, permission, not found. A script gets problem+json, a
//! navigation a page; never a login page with 200, and each try of a verb is recorded.

use crate::console::{Answer, Browser, Console, HOST, PASSWORD};
use http::StatusCode;
use std::time::Duration;
use store::attempts::AttemptFilter;
use store::{Page, Scope};

async fn attempts(console: &Console) -> Vec<store::Attempt> {
    console.store.attempts().list(&Scope::System, &AttemptFilter::default(), Page::first(50)).await.unwrap().rows
}

fn is_problem(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let json = answer.json();
    assert_eq!(json["code"], code);
    assert_eq!(json["success"], false);
    assert_eq!(json["request_id"], answer.header("x-request-id"));
    for field in ["detail", "what_to_do", "message", "title"] {
        assert!(json[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {json}");
    }
}

async fn press(browser: &mut Browser, id: i64, token: &str) -> Answer {
    browser.call(&format!("/fabrics/{id}/sync/"), token, &[]).await
}

#[tokio::test]
async fn lesson_8_each_end_of_a_session_has_its_code_beside_a_session_that_holds() {
    let console = Console::start().await;
    let user = console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let ends: [(&str, &str); 3] =
        [("idle", "session_idle_expired"), ("absolute", "session_absolute_expired"), ("revoked", "session_revoked")];
    for (how, code) in ends {
        let mut browser = console.logged_in("alice").await;
        let token = browser.token().await;
        assert_eq!(press(&mut browser, fabric.id, &token).await.status, StatusCode::ACCEPTED, "the control arm");
        match how {
            "idle" => console.clock.advance(Duration::from_secs(3_601)),
            "absolute" => {
                for _ in 0..13 {
                    console.clock.advance(Duration::from_secs(3_400));
                    browser.open("/fabrics/").await;
                }
            }
            _ => {
                console.state.sessions.revoke_all(user.id, None, "root").await.unwrap();
            }
        }
        let answer = press(&mut browser, fabric.id, &token).await;
        is_problem(&answer, StatusCode::UNAUTHORIZED, code);
        let json = answer.json();
        assert_eq!(json["error"], "authentication_required");
        assert_eq!(json["redirect"], format!("/login/?next=%2Ffabrics%2F{}%2F", fabric.id));
        let navigated = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
        assert_eq!(navigated.status, StatusCode::SEE_OTHER);
        assert_eq!(navigated.header("location"), format!("/login/?next=%2Ffabrics%2F{}%2F", fabric.id));
        let rows = attempts(&console).await;
        // Both are there, and tell a press that was refused from a page that led to the login.
        assert_eq!((rows[0].action.as_str(), rows[0].method.as_str()), ("fabric", "GET"));
        assert!(rows[0].message.starts_with("Redirected to the login page. "), "{}", rows[0].message);
        assert_eq!(rows[0].request_id, navigated.header("x-request-id"));
        let rows = &rows[1..];
        assert_eq!(rows[0].code.map(|c| c.as_str()), Some(code));
        assert_eq!((rows[0].action.as_str(), rows[0].method.as_str()), ("sync", "POST"));
        assert_eq!((rows[0].actor.as_str(), rows[0].fabric_name.as_str()), ("alice", "lab-1"));
        assert_eq!(rows[0].request_id, answer.header("x-request-id"));
        // Log in again, the same page, the same press.
        let again = browser.log_in("alice", PASSWORD, "/").await;
        assert_eq!(again.status, StatusCode::SEE_OTHER);
        let token = browser.token().await;
        assert_eq!(press(&mut browser, fabric.id, &token).await.status, StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn lesson_9_a_csrf_failure_is_json_for_scripts_and_a_sentence_for_people() {
    let console = Console::start().await;
    console.admin().await;
    console.user("bob", true).await;
    let fabric = console.fabric("lab-1").await;
    let path = format!("/fabrics/{}/sync/", fabric.id);
    let mut browser = console.logged_in("alice").await;
    let others = console.logged_in("bob").await.token().await;
    for token in ["", "nonsense", others.as_str()] {
        let answer = browser.call(&path, token, &[]).await;
        is_problem(&answer, StatusCode::FORBIDDEN, "csrf_failed");
        let page = browser.submit(&path, &[("csrfmiddlewaretoken", token)]).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert!(page.header("content-type").starts_with("text/html"));
        assert!(page.text().contains("Nothing was done."), "{}", page.text());
    }
    assert_eq!(console.store.operations().open().await.unwrap().len(), 0, "nothing was started");
    assert_eq!(attempts(&console).await.iter().filter(|a| a.code == Some(model::Code::CsrfFailed)).count(), 6);
    let token = browser.token().await;
    assert_eq!(browser.call(&path, &token, &[]).await.status, StatusCode::ACCEPTED, "the control arm");
}

#[tokio::test]
async fn a_foreign_origin_is_refused_whatever_it_knows() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let token = browser.token().await;
    let path = format!("/fabrics/{}/sync/", fabric.id);
    let body = || Some(crate::console::encode(&[("csrfmiddlewaretoken", &token)]));
    let form = ("content-type", "application/x-www-form-urlencoded");
    for foreign in [("origin", "http://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")] {
        let answer = browser.send("POST", &path, &[form, foreign], body()).await;
        is_problem(&answer, StatusCode::FORBIDDEN, "csrf_failed");
        assert_eq!(
            answer.header("connection"),
            "close",
            "its body was not read, so the connection ends, and it is said"
        );
    }
    let here = format!("http://{HOST}");
    let answer = browser.send("POST", &path, &[form, ("origin", &here)], body()).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "the control arm");
    assert_eq!(answer.header("connection"), "", "what was read leaves the connection as it is");
}

#[tokio::test]
async fn lesson_49_logging_in_again_in_a_second_tab_leaves_the_first_tabs_button_working() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let first_tab = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    let old_session = browser.cookies["hedgerow_session"].clone();
    // The second tab shares the browser's cookies. Its session ended, or somebody else used it: it logs in anew.
    browser.cookies.remove("hedgerow_session");
    assert_eq!(browser.log_in("alice", PASSWORD, "/").await.status, StatusCode::SEE_OTHER);
    assert_ne!(browser.cookies["hedgerow_session"], old_session, "the precondition: another session");
    let fields = [("csrfmiddlewaretoken", first_tab.field("csrfmiddlewaretoken"))];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let pressed = browser.submit(&format!("/fabrics/{}/sync/", fabric.id), &fields).await;
    assert_eq!(pressed.status, StatusCode::SEE_OTHER, "{}", pressed.text());
    assert!(pressed.header("location").starts_with("/operations/"));
}

#[tokio::test]
async fn a_page_of_an_earlier_day_is_sent_again_with_one_press() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let old = browser.open(&format!("/fabrics/{}/edit/", fabric.id)).await;
    console.clock.advance(Duration::from_secs(13 * 3_600));
    assert_eq!(browser.log_in("alice", PASSWORD, "/").await.status, StatusCode::SEE_OTHER);
    let path = format!("/fabrics/{}/edit/", fabric.id);
    let token = old.field("csrfmiddlewaretoken");
    let fields = [
        ("csrfmiddlewaretoken", token.as_str()),
        ("version", "1"),
        ("name", "lab-1"),
        ("description", "typed before"),
        ("deadline_minutes", "15"),
        ("cluster_kind", "kubeconfig"),
        ("kubeconfig", "apiVersion: v1 # a secret"),
        ("namespace", "default"),
        ("branch", "main"),
    ];
    let answer = browser.submit(&path, &fields).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.field("description"), "typed before");
    assert!(!answer.body.contains("a secret"), "credentials are not kept in a page");
    assert!(answer.body.contains("type=\"password\"") && answer.text().contains("Enter it again."));
    let fresh = answer.field("csrfmiddlewaretoken");
    let again = [
        ("csrfmiddlewaretoken", fresh.as_str()),
        ("version", "1"),
        ("name", "lab-1"),
        ("description", "typed before"),
        ("deadline_minutes", "15"),
        ("cluster_kind", "none"),
        ("namespace", "default"),
        ("branch", "main"),
    ];
    assert_eq!(browser.submit(&path, &again).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn lesson_35_a_missing_permission_is_named_and_what_may_not_be_seen_is_not_there() {
    let console = Console::start().await;
    let bob = console.user("bob", false).await;
    let (seen, hidden) = (console.fabric("lab-1").await, console.fabric("production").await);
    console.permit(&bob, &["view"], Some(serde_json::json!({"name__startswith": "lab-"}))).await;
    let mut browser = console.logged_in("bob").await;
    let list = browser.open("/fabrics/").await;
    assert!(list.body.contains("lab-1") && !list.body.contains("production"));
    let token = browser.token().await;
    let answer = press(&mut browser, seen.id, &token).await;
    is_problem(&answer, StatusCode::FORBIDDEN, "permission_denied");
    assert!(answer.json()["detail"].as_str().unwrap().contains("hedgerow.sync_fabric"));
    is_problem(&press(&mut browser, hidden.id, &token).await, StatusCode::NOT_FOUND, "not_found");
    assert_eq!(browser.open(&format!("/fabrics/{}/", hidden.id)).await.status, StatusCode::NOT_FOUND);
    let page = browser.open(&format!("/fabrics/{}/", seen.id)).await;
    assert!(page.text().contains("Needs the permission hedgerow.sync_fabric"), "{}", page.text());
    assert!(!page.body.contains("/edit/"), "settings are not offered");
    assert_eq!(browser.open(&format!("/fabrics/{}/edit/", seen.id)).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.open("/fabrics/add/").await.status, StatusCode::FORBIDDEN);
    console.permit(&bob, &["sync"], None).await;
    assert_eq!(press(&mut browser, seen.id, &token).await.status, StatusCode::ACCEPTED, "the control arm");
    is_problem(&press(&mut browser, hidden.id, &token).await, StatusCode::NOT_FOUND, "not_found");
}

#[tokio::test]
async fn lesson_39_a_bad_address_is_a_page_and_bad_input_is_told() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    for path in [
        "/nowhere/",
        "/fabrics/4711/",
        "/fabrics/abc/",
        "/fabrics/-1/",
        "/fabrics/007/",
        "/fabrics/99999999999999999999/",
        "/operations/4711/",
    ] {
        let answer = browser.open(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.header("content-type").starts_with("text/html"), "{path}");
        assert!(answer.body.contains(answer.header("x-request-id")), "{path}");
    }
    let id = fabric.id;
    for path in
        ["objects/?state=purple", "objects/?page=0", "objects/?page=x", "objects/?sort=colour", "activity/?show=x"]
    {
        let answer = browser.open(&format!("/fabrics/{id}/{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
    let missing = browser.open(&format!("/fabrics/{id}/objects/VPC.vpc.githedgehog.com/default/none/")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(browser.open(&format!("/fabrics/{id}/objects/VPC/default/none/")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn methods_slashes_and_sizes() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let slash = browser.open(&format!("/fabrics/{}?x=1", fabric.id)).await;
    assert_eq!(
        (slash.status, slash.header("location")),
        (StatusCode::PERMANENT_REDIRECT, format!("/fabrics/{}/?x=1", fabric.id).as_str())
    );
    let without = browser.call(&format!("/fabrics/{}/sync", fabric.id), "x", &[]).await;
    assert_eq!(without.status, StatusCode::NOT_FOUND, "an unsafe method is not led on");
    let wrong =
        browser.send("DELETE", &format!("/fabrics/{}/", fabric.id), &[("accept", "application/json")], None).await;
    is_problem(&wrong, StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed");
    let token = browser.token().await;
    let large = "x".repeat(2 << 20);
    let answer = browser.call("/fabrics/add/", &token, &[("description", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let text = browser
        .send("POST", "/theme/", &[("content-type", "text/plain"), ("x-csrftoken", &token)], Some("x".into()))
        .await;
    assert_eq!(text.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
