//! What every answer carries, whoever asks.

use crate::console::{Answer, Console};
use http::{Method, StatusCode};
use std::collections::BTreeSet;
use web::{Kind, RouteInfo, WebSettings};

/// The route's address with things that exist.
fn address(route: &RouteInfo, fabric: i64, operation: i64) -> String {
    // The first user is the owner; group and permission are the only ones.
    let of_accounts = ["/users/", "/groups/", "/permissions/"].iter().any(|prefix| route.path.starts_with(prefix));
    let id = match route.path.starts_with("/operations/") {
        true => operation,
        false if of_accounts => 1,
        false => fabric,
    };
    filled(&route.path, id)
}

/// The path of a route with the words that stand for an object of every kind.
pub fn filled(path: &str, id: i64) -> String {
    path.replace("{id}", &id.to_string())
        .replace("{kind}", "VPC.vpc.githedgehog.com")
        .replace("{namespace}", "default")
        .replace("{name}", "vpc-01")
        .replace("{code}", "partial")
        .replace("{version}", "x")
        .replace("{file}", "main.js")
}

/// What every answer carries, whatever it is.
#[track_caller]
fn assert_headers(answer: &Answer, what: &str) {
    let csp = answer.header("content-security-policy");
    for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(csp.contains(rule), "{what}: {csp}");
    }
    assert!(!csp.contains("unsafe") && !csp.contains('*'), "{what}: {csp}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("access-control-allow-origin", ""),
        ("server", ""),
        // Not on plain loopback.
        ("strict-transport-security", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {what}");
    }
    assert!(answer.header("permissions-policy").contains("camera=()"), "{what}");
    assert_eq!(answer.header("x-request-id").len(), 36, "{what}");
    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{what}: {cookie}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_headers_and_an_id() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut owner = console.logged_in("alice").await;
    let token = owner.token().await;
    let started = owner.call(&format!("/fabrics/{}/sync-from-git/", fabric.id), &token, &[]).await;
    let operation = started.json()["operation"]["id"].as_i64().unwrap();
    let mut seen = BTreeSet::new();
    let more = ["/nowhere/", "/fabrics/4711/", "/fabrics", "/fabrics/%ff/", "/activity/?page=none"];
    let tables = web::routes();
    let of_table = tables.iter().map(|route| (route.kind, route.method.clone(), address(route, fabric.id, operation)));
    let others = more.iter().map(|path| (Kind::Page, Method::GET, (*path).to_owned()));
    for (kind, method, path) in of_table.chain(others) {
        for (who, browser) in [("nobody", console.browser()), ("the owner", owner.clone())] {
            // A wrong token, so that nothing is done: what is looked at are the answers.
            let mut browser = browser;
            let answers = match method == Method::POST {
                true => [browser.call(&path, "x", &[]).await, browser.submit(&path, &[]).await],
                false => [browser.script(&path).await, browser.open(&path).await],
            };
            for answer in answers {
                let what = format!("{method} {path} as {who}: {}", answer.status);
                assert_headers(&answer, &what);
                seen.insert(answer.status.as_u16());
                let kept = answer.header("cache-control");
                let is_file = kind == Kind::Plain && path.starts_with("/static/");
                assert!(kept == "no-store" || (is_file && kept == "no-cache"), "{what} may be kept: {kept}");
            }
        }
    }
    for status in [200, 303, 308, 400, 401, 403, 404] {
        assert!(seen.contains(&status), "no answer was {status}, but {seen:?}");
    }
    let wrong = owner.send("PUT", "/fabrics/", &[("accept", "text/html")], None).await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_headers(&wrong, "a method that nothing takes");
    let page = owner.open("/fabrics/").await.body;
    let file = page.split('"').find(|part| part.starts_with("/static/") && part.ends_with(".js")).unwrap();
    let kept = owner.open(file).await;
    assert_eq!(kept.header("cache-control"), "public, max-age=31536000, immutable", "{file}");
    assert_headers(&kept, file);
}

#[tokio::test]
async fn over_tls_every_answer_says_to_stay_there() {
    let console = Console::with(WebSettings { tls: true, ..WebSettings::default() }).await;
    for path in ["/login/", "/fabrics/", "/nowhere/"] {
        let answer = console.browser().open(path).await;
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000", "{path}: {}", answer.status);
    }
}
