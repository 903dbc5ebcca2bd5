//! Logging in and out, on the path that a user takes.

use crate::console::{Console, PASSWORD};
use http::StatusCode;
use std::time::Duration;
use web::WebSettings;

#[tokio::test]
async fn a_login_leads_back_to_the_page_that_was_wanted() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.browser();
    let wanted = format!("/fabrics/{}/objects/?state=differs", fabric.id);
    let turned = browser.open(&wanted).await;
    assert_eq!(turned.status, StatusCode::SEE_OTHER);
    let login = turned.header("location").to_owned();
    assert!(login.starts_with("/login/?next="), "{login}");
    let form = browser.open(&login).await;
    assert_eq!(form.field("next"), wanted);
    let fields = [
        ("csrfmiddlewaretoken", form.field("csrfmiddlewaretoken")),
        ("next", form.field("next")),
        ("username", "alice".to_owned()),
        ("password", PASSWORD.to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = browser.submit("/login/", &fields).await;
    assert_eq!((done.status, done.header("location")), (StatusCode::SEE_OTHER, wanted.as_str()));
    let page = browser.open(&wanted).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.body.contains("Logged in as alice"));
}

#[tokio::test]
async fn a_wrong_password_says_so_and_keeps_the_name() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.browser();
    for (name, password) in [("alice", "wrong"), ("nobody", "wrong"), ("alice", "")] {
        let answer = browser.log_in(name, password, "/").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.text().contains("The user name or the password is wrong."), "{}", answer.text());
        assert!(answer.body.contains(&format!("value=\"{name}\"")), "the name is kept");
        assert!(!browser.cookies.contains_key("hedgerow_session"));
    }
    let page = browser.open("/fabrics/").await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "nobody is logged in");
}

#[tokio::test]
async fn too_many_failures_name_the_time_to_wait() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.browser();
    let mut last = browser.log_in("alice", "wrong", "/").await;
    for _ in 0..10 {
        last = browser.log_in("alice", "wrong", "/").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = last.header("retry-after").parse().unwrap();
    assert!((1..=300).contains(&seconds));
    assert!(last.text().contains(&format!("in {seconds} s")), "{}", last.text());
    assert_eq!(browser.log_in("alice", PASSWORD, "/").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn a_login_whose_cookie_does_not_come_back_says_so() {
    // Behind TLS cookies are secure; a browser that came over http keeps none of them.
    let console = Console::with(WebSettings { tls: true, ..WebSettings::default() }).await;
    console.admin().await;
    let mut browser = console.browser();
    let page = browser.open("/login/").await;
    let token = page.field("csrfmiddlewaretoken");
    assert!(browser.cookies.is_empty(), "the precondition: the cookie was not kept");
    let headers = [
        ("accept", "text/html"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://127.0.0.1:8480"),
    ];
    let body =
        crate::console::encode(&[("csrfmiddlewaretoken", &token), ("username", "alice"), ("password", PASSWORD)]);
    let answer = browser.send("POST", "/login/", &headers, Some(body)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.text().contains("did not send back the cookie"), "{}", answer.text());
    // The control: the same over https.
    let mut browser = console.browser();
    browser.secure = true;
    let page = browser.open("/login/").await;
    let body = crate::console::encode(&[
        ("csrfmiddlewaretoken", &page.field("csrfmiddlewaretoken")),
        ("username", "alice"),
        ("password", PASSWORD),
    ]);
    let answer = browser.send("POST", "/login/", &headers, Some(body)).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert!(browser.cookies.contains_key("__Host-hedgerow_session"));
}

#[tokio::test]
async fn a_hostile_next_leads_home() {
    let console = Console::start().await;
    console.admin().await;
    for next in ["//evil.example/", "https://evil.example/", "/logout/", "/fabrics/1/sync/", "/\\evil.example"] {
        let mut browser = console.browser();
        let answer = browser
            .log_in("alice", PASSWORD, &url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>())
            .await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"), "{next}");
    }
}

#[tokio::test]
async fn logging_out_is_a_post_and_ends_the_session() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let old = browser.clone();
    assert_eq!(browser.open("/logout/").await.header("location"), "/");
    assert_eq!(browser.open("/fabrics/").await.status, StatusCode::OK, "a GET ends nothing");
    let token = browser.token().await;
    let out = browser.submit("/logout/", &[("csrfmiddlewaretoken", &token)]).await;
    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/login/"));
    assert!(!browser.cookies.contains_key("hedgerow_session"));
    let mut old = old;
    let answer = old.script("/session/").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json()["code"], "session_revoked");
}

#[tokio::test]
async fn the_login_page_says_which_limit_ended_the_session() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    console.clock.advance(Duration::from_secs(3_700));
    let page = browser.open("/login/").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().contains("not used for some time"), "{}", page.text());
    assert!(page.body.contains("session_idle_expired"));
    assert_eq!(browser.log_in("alice", PASSWORD, "/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browser.open("/login/").await.header("location"), "/", "who is logged in needs no form");
}
