//! What every answer carries, whoever asks.

use crate::console::Console;

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
