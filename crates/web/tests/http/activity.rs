//! The activity under its filters: in the address, as chips that can be taken off, with exact counts; nonsense is refused.

use crate::console::{Browser, Console};
use auth::Clock;
use http::StatusCode;
use model::Code;
use model::operation::{Trigger, Verb};
use serde_json::json;
use std::time::Duration;
use store::{Fabric, NewAttempt, NewOperation};

async fn asked(console: &Console, fabric: &Fabric, actor: &str, verb: Verb, trigger: Trigger) -> i64 {
    let new = NewOperation {
        fabric_id: fabric.id,
        verb,
        writes: verb.writes(),
        actor: actor.into(),
        actor_user_id: None,
        trigger,
        request_id: "req".into(),
        idempotency_key: None,
        fingerprint: format!("{actor} {verb} {}", console.clock.now()),
        options: json!({}),
        shown_comparison_id: None,
        commit: None,
        phases: vec![],
        time_limit: None,
    };
    let id = console.store.operations().enqueue(new, console.clock.now()).await.unwrap().operation.id;
    console.store.operations().request_cancel(id, actor, console.clock.now()).await.unwrap();
    console.clock.advance(Duration::from_secs(60));
    id
}

async fn turned_away(console: &Console, fabric: &Fabric, actor: &str) {
    let attempt = NewAttempt {
        at: console.clock.now(),
        fabric_id: Some(fabric.id),
        fabric_name: fabric.name.clone(),
        verb: Some(Verb::SyncToKubernetes),
        action: "sync".into(),
        subject: String::new(),
        actor: actor.into(),
        user_id: None,
        address: "192.0.2.7".into(),
        method: "POST".into(),
        path: "/fabrics/1/sync/".into(),
        http_status: 403,
        code: Some(Code::PermissionDenied),
        message: "Needs a permission.".into(),
        request_id: "req-9".into(),
        operation_id: None,
    };
    console.store.attempts().record(&attempt).await.unwrap();
    console.clock.advance(Duration::from_secs(60));
}

/// How many rows the page shows, and how many it says there are.
async fn counted(browser: &mut Browser, query: &str) -> (usize, String) {
    let page = browser.open(&format!("/activity/{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{query}: {}", page.text());
    let table = page.body.split("<tbody>").nth(1).map_or("", |rest| rest.split("</tbody>").next().unwrap());
    let count = page.body.split("data-count=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (table.matches("<tr>").count(), count)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_narrows_the_one_list_and_is_a_chip() {
    let console = Console::start().await;
    console.admin().await;
    // These are rows, not runs: nothing may take them up.
    console.state.engine.stop().await;
    let (lab, prod) = (console.fabric("lab-1").await, console.fabric("prod").await);
    let began = console.clock.now();
    asked(&console, &lab, "alice", Verb::SyncToKubernetes, Trigger::Button).await;
    asked(&console, &prod, "alice", Verb::SyncFromGit, Trigger::Script).await;
    asked(&console, &prod, "system", Verb::SyncToKubernetes, Trigger::Interval).await;
    turned_away(&console, &lab, "bob").await;
    let mut browser = console.logged_in("alice").await;
    let minute = |n: i64| {
        let at = began + jiff::SignedDuration::from_secs(60 * n - 1);
        at.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    };
    for (query, rows) in [
        (String::new(), 4),
        (format!("?fabric={}", lab.id), 2),
        ("?actor=alice".into(), 2),
        ("?verb=sync_to_kubernetes".into(), 3),
        ("?state=cancelled".into(), 3),
        ("?state=succeeded".into(), 0),
        ("?code=permission_denied".into(), 1),
        ("?show=refused".into(), 1),
        (format!("?since={}", minute(2)), 2),
        (format!("?before={}", minute(1)), 1),
        (format!("?since={}&before={}", minute(1), minute(3)), 2),
        ("?since=2020-01-01".into(), 4),
        (format!("?fabric={}&actor=alice&verb=sync_from_git", prod.id), 1),
    ] {
        assert_eq!(counted(&mut browser, &query).await, (rows, rows.to_string()), "{query}");
    }
    let page = browser.open(&format!("/activity/?fabric={}&actor=alice&show=operations", prod.id)).await;
    for part in ["Take off the filter fabric: prod", "Take off the filter by: alice"] {
        assert!(page.body.contains(part), "{part}");
    }
    let without = "href=\"/activity/?show=operations&#38;actor=alice\"";
    assert!(page.body.contains(without), "a chip is taken off and the others stay: {}", page.body);
    let all = browser.open("/activity/").await;
    let row = all.body.split("<tr>").find(|row| row.contains(">system<")).expect("the system's row");
    assert!(row.contains("by itself"), "{row}");
    assert!(!all.body.split("<tr>").find(|row| row.contains(">bob<")).unwrap().contains("by itself"));

    for query in [
        "?fabric=4711",
        "?fabric=x",
        "?verb=nonsense",
        "?state=nonsense",
        "?code=nonsense",
        "?since=yesterday",
        "?before=13:00",
        "?show=nonsense",
        "?page=0",
    ] {
        let refused = browser.open(&format!("/activity/{query}")).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{query}");
        let name = query.trim_start_matches('?').split('=').next().unwrap();
        assert!(refused.text().contains(&format!("The parameter {name} cannot be")), "{query}: {}", refused.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_sees_the_rows_of_fabrics_that_may_be_seen() {
    let console = Console::start().await;
    console.admin().await;
    // These are rows, not runs: nothing may take them up.
    console.state.engine.stop().await;
    let (lab, prod) = (console.fabric("lab-1").await, console.fabric("prod").await);
    for fabric in [&lab, &prod] {
        asked(&console, fabric, "alice", Verb::SyncFromGit, Trigger::Button).await;
        turned_away(&console, fabric, "alice").await;
    }
    let reader = console.user("reader", false).await;
    console.permit(&reader, &["view"], Some(json!({"name": "lab-1"}))).await;
    let mut reader = console.logged_in("reader").await;
    assert_eq!(counted(&mut reader, "").await, (2, "2".to_owned()));
    assert_eq!(counted(&mut reader, "?actor=alice").await, (2, "2".to_owned()));
    let page = reader.open("/activity/").await;
    assert!(page.body.contains("lab-1") && !page.body.contains("prod"), "not even in the filter");
    assert_eq!(reader.open(&format!("/activity/?fabric={}", prod.id)).await.status, StatusCode::BAD_REQUEST);
}
