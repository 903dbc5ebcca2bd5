//! Every endpoint, every stranger: each route of the table is called as nobody, with an expired session, with a wrong
//! token, as a reader without permissions, and as the owner.

use crate::console::{Browser, Console};
use http::{Method, StatusCode};
use std::time::Duration;
use web::{Kind, Needs, RouteInfo};

/// The route's address with things that exist.
fn address(route: &RouteInfo, fabric: i64, operation: i64) -> String {
    // The first user is the owner; group and permission are the only ones.
    let of_accounts = ["/users/", "/groups/", "/permissions/"].iter().any(|prefix| route.path.starts_with(prefix));
    let id = match route.path.starts_with("/operations/") {
        true => operation,
        false if of_accounts => 1,
        false => fabric,
    };
    route
        .path
        .replace("{id}", &id.to_string())
        .replace("{kind}", "VPC.vpc.githedgehog.com")
        .replace("{namespace}", "default")
        .replace("{name}", "vpc-01")
        .replace("{code}", "partial")
        .replace("{version}", "x")
        .replace("{file}", "main.js")
}

async fn ask(
    browser: &mut Browser,
    route: &RouteInfo,
    path: &str,
    script: bool,
    token: &str,
) -> crate::console::Answer {
    match (route.method == Method::POST, script) {
        (true, true) => browser.call(path, token, &[]).await,
        (true, false) => browser.submit(path, &[("csrfmiddlewaretoken", token)]).await,
        (false, true) => browser.script(path).await,
        (false, false) => browser.open(path).await,
    }
}

#[tokio::test]
async fn every_route_as_every_stranger() {
    let console = Console::start().await;
    console.admin().await;
    console.user("reader", false).await;
    let fabric = console.fabric("lab-1").await;
    let group = console.store.groups().create("operators", "").await.unwrap();
    let off = console.permission("nothing", "users.user", &["view"], None).await;
    assert_eq!((group.id, off), (1, 1), "they are the ones that the routes are called with");
    let mut owner = console.logged_in("alice").await;
    let token = owner.token().await;
    let started = owner.call(&format!("/fabrics/{}/sync-from-git/", fabric.id), &token, &[]).await;
    let operation = started.json()["operation"]["id"].as_i64().unwrap();
    let reader = console.logged_in("reader").await;
    let reader_token = reader.clone().token().await;
    let expired = console.logged_in("alice").await;
    let expired_token = expired.clone().token().await;
    console.state.sessions.revoke_all(1, None, "root").await.unwrap();
    let owner = console.logged_in("alice").await;
    let mut called = 0;
    for route in web::routes() {
        let path = address(&route, fabric.id, operation);
        let public = route.needs == Needs::Public;
        let what = format!("{} {path}", route.method);
        for (stranger, mut browser, token) in
            [("nobody", console.browser(), "x".to_owned()), ("expired", expired.clone(), expired_token.clone())]
        {
            let script = ask(&mut browser, &route, &path, true, &token).await;
            let person = ask(&mut browser, &route, &path, false, &token).await;
            if public {
                assert_ne!(script.status, StatusCode::INTERNAL_SERVER_ERROR, "{stranger} {what}: {}", script.body);
                continue;
            }
            assert_eq!(script.status, StatusCode::UNAUTHORIZED, "{stranger} {what}");
            let code = if stranger == "nobody" { "authentication_required" } else { "session_revoked" };
            assert_eq!(script.json()["code"], code, "{stranger} {what}");
            assert_eq!(person.status, StatusCode::SEE_OTHER, "{stranger} {what}");
            assert!(
                person.header("location").starts_with("/login/"),
                "{stranger} {what}: {}",
                person.header("location")
            );
        }
        if !public && route.method == Method::POST {
            let answer = ask(&mut owner.clone(), &route, &path, true, "wrong").await;
            assert_eq!(answer.json()["code"], "csrf_failed", "a wrong token: {what}");
        }
        if route.path.contains("logout") {
            continue;
        }
        let answer = ask(&mut reader.clone(), &route, &path, true, &reader_token).await;
        match route.needs {
            Needs::Fabrics(_) | Needs::Type(..) | Needs::Metrics => {
                assert_eq!(answer.status, StatusCode::FORBIDDEN, "the reader: {what}")
            }
            Needs::Fabric(_) | Needs::Operation(_) | Needs::User(_) | Needs::Group(_) | Needs::Permission(_) => {
                assert_eq!(answer.status, StatusCode::NOT_FOUND, "the reader: {what}")
            }
            Needs::LoggedIn | Needs::Listing | Needs::Public => {
                assert!(!answer.status.is_server_error(), "the reader: {what}")
            }
        }
        called += 1;
    }
    assert!(called > 60, "only {called} routes were called");
    // The owner comes last: among the routes are logging out and deleting.
    let mut routes = web::routes();
    routes.sort_by_key(|route| (route.path.contains("logout"), route.path.contains("delete"), route.path.clone()));
    for route in routes {
        if route.path.contains("delete") && route.method == Method::POST {
            continue;
        }
        let mut owner = owner.clone();
        let path = address(&route, fabric.id, operation);
        let token = if route.path.contains("logout") { "x".to_owned() } else { owner.token().await };
        let answer = ask(&mut owner, &route, &path, route.kind == Kind::Stream, &token).await;
        assert!(!answer.status.is_server_error(), "{} {path}: {}", route.method, answer.body);
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{} {path}", route.method);
    }
    console.clock.advance(Duration::from_secs(1));
}

#[tokio::test]
async fn every_answer_carries_the_headers_and_an_id() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    for path in ["/", "/login/", "/nowhere/", "/session/", "/healthz", "/static/x/main.js", "/fabrics/4711/"] {
        for answer in [browser.open(path).await, browser.script(path).await] {
            let csp = answer.header("content-security-policy");
            assert!(csp.contains("default-src 'none'") && csp.contains("frame-ancestors 'none'"), "{path}: {csp}");
            assert!(!csp.contains("unsafe"), "{path}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
            assert_eq!(answer.header("x-request-id").len(), 36, "{path}");
            assert!(!answer.header("cache-control").is_empty(), "{path}");
            assert_eq!(answer.header("strict-transport-security"), "", "not on plain loopback: {path}");
        }
    }
    assert_eq!(browser.open("/").await.header("cache-control"), "no-store");
}
