//! The activity under its filters: in the address, as chips that can be taken off, with exact counts; nonsense is refused.

use crate::console::{Browser, Console};
use crate::forms::{contents, send, set};
use auth::Clock;
use http::StatusCode;
use model::Code;
use model::operation::{OperationState, Trigger, Verb};
use serde_json::json;
use std::time::Duration;
use store::operations::{Finish, Lease};
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
        token_key: None,
        address: "192.0.2.7".into(),
        method: "POST".into(),
        path: "/fabrics/1/sync/".into(),
        http_status: 403,
        redirected: false,
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
    // The login that looks is a row, too.
    for (query, rows) in [
        (String::new(), 5),
        (format!("?fabric={}", lab.id), 2),
        ("?actor=alice".into(), 3),
        ("?show=operations".into(), 3),
        ("?verb=sync_to_kubernetes".into(), 3),
        ("?state=cancelled".into(), 3),
        ("?state=succeeded".into(), 0),
        ("?code=permission_denied".into(), 1),
        ("?show=refused".into(), 1),
        (format!("?since={}", minute(2)), 3),
        (format!("?before={}", minute(1)), 1),
        (format!("?since={}&before={}", minute(1), minute(3)), 2),
        ("?since=2020-01-01".into(), 5),
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
    assert_eq!(counted(&mut reader, "").await, (3, "3".to_owned()), "the rows of the fabric, and one's own login");
    assert_eq!(counted(&mut reader, "?actor=alice").await, (2, "2".to_owned()));
    let page = reader.open("/activity/").await;
    assert!(page.body.contains("lab-1") && !page.body.contains("prod"), "not even in the filter");
    assert_eq!(reader.open(&format!("/activity/?fabric={}", prod.id)).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timeline_tells_what_led_to_the_login_from_what_ran_and_failed() {
    let console = Console::start().await;
    console.admin().await;
    console.state.engine.stop().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let sync = format!("/fabrics/{}/sync/", fabric.id);
    let token = browser.token().await;
    console.clock.advance(Duration::from_secs(3_601));
    browser.submit(&sync, &[("csrfmiddlewaretoken", &token)]).await;
    console.clock.advance(Duration::from_secs(60));
    browser.log_in("alice", crate::console::PASSWORD, "/").await;
    let token = browser.token().await;
    let pressed = browser.call(&sync, &token, &[]).await.json();
    let id = pressed["operation"]["id"].as_i64().unwrap();
    console.clock.advance(Duration::from_secs(30));
    let claimed = console
        .store
        .operations()
        .claim(id, &Lease { owner: "p".into(), duration: Duration::from_secs(30) }, console.clock.now())
        .await
        .unwrap();
    assert!(claimed.is_some(), "the operation is the test's to end");
    let end = Finish {
        state: OperationState::Failed,
        code: Some(Code::KubernetesTimeout),
        message: "The API server did not answer in time.".into(),
        error_object: None,
        result: json!(null),
        phases: vec![],
    };
    assert!(console.store.operations().finish(id, "p", &end, console.clock.now()).await.unwrap());

    let page = browser.open("/activity/timeline/?user=alice").await;
    let told = page.text();
    let mut rest = told.as_str();
    for words in [
        "Done Log in by alice",
        "Session over A session of alice ended",
        "Led to the login Sync to Kubernetes by alice on lab-1",
        "session_idle_expired failure point 3",
        "Done Log in by alice",
        "Accepted Sync to Kubernetes by alice on lab-1",
        "Failed Sync to Kubernetes ended by alice on lab-1",
        "kubernetes_timeout failure point 9",
    ] {
        rest = rest.split_once(words).unwrap_or_else(|| panic!("{words} does not follow in {told}")).1;
    }
    let of_fabric = browser.open(&format!("/activity/timeline/?fabric={}", fabric.id)).await.text();
    assert!(of_fabric.contains("Led to the login") && !of_fabric.contains("Log in by alice"), "{of_fabric}");
    let early = browser.open("/activity/timeline/?user=alice&before=2020-01-01").await.text();
    assert!(early.contains("Nothing was done in this time."), "{early}");
    for nobody in ["", "?user=", "?user=+"] {
        let asked = browser.open(&format!("/activity/timeline/{nobody}")).await;
        assert_eq!(asked.status, StatusCode::OK);
        assert!(asked.text().contains("Enter a user's whole name"), "{nobody}: {}", asked.text());
    }
    for bad in ["?fabric=x", "?fabric=4711", "?user=alice&since=yesterday"] {
        assert_eq!(browser.open(&format!("/activity/timeline/{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }

    // Somebody else sees of alice what is on fabrics that may be seen, and neither her logins nor her sessions.
    let reader = console.user("reader", false).await;
    console.permit(&reader, &["view"], None).await;
    let mut reader = console.logged_in("reader").await;
    let seen = reader.open("/activity/timeline/?user=alice").await.text();
    assert!(seen.contains("Led to the login") && !seen.contains("Log in by alice"), "{seen}");
    assert!(!seen.contains("A session of"), "{seen}");
    let own = reader.open("/activity/timeline/?user=reader").await.text();
    assert!(own.contains("Done Log in by reader"), "{own}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_leaves_as_csv_and_as_json_under_the_same_filters_and_permissions() {
    let console = Console::start().await;
    console.admin().await;
    console.state.engine.stop().await;
    let (lab, prod) = (console.fabric("lab-1").await, console.fabric("prod").await);
    for fabric in [&lab, &prod] {
        asked(&console, fabric, "alice", Verb::SyncFromGit, Trigger::Button).await;
        turned_away(&console, fabric, "=HYPERLINK(1)").await;
    }
    let mut browser = console.logged_in("alice").await;
    let page = browser.open("/activity/?fabric=1&show=refused").await;
    assert!(page.body.contains("/activity/export/?show=refused&#38;fabric=1&#38;format=csv"), "{}", page.body);
    let csv = browser.open("/activity/export/?show=refused&fabric=1&format=csv").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    assert!(csv.header("content-disposition").starts_with("attachment; filename=\"hedgerow-activity-"));
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2, "a heading and one row: {}", csv.body);
    assert!(
        lines[1].contains("Not permitted,'=HYPERLINK(1),192.0.2.7,1,lab-1,,403,6,permission_denied,"),
        "{}",
        lines[1]
    );
    let json = browser.script("/activity/export/?fabric=2").await.json();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!((json["total"].as_u64(), rows.len()), (Some(2), 2), "{json}");
    assert!(rows.iter().all(|row| row["fabric"] == "prod"), "{json}");
    assert_eq!(browser.open("/activity/export/?format=xml").await.status, StatusCode::BAD_REQUEST);

    let reader = console.user("reader", false).await;
    console.permit(&reader, &["view"], Some(json!({"name": "lab-1"}))).await;
    let mut reader = console.logged_in("reader").await;
    let json = reader.script("/activity/export/").await.json();
    assert!(!json.to_string().contains("prod") && !json.to_string().contains("Log in by alice"), "{json}");
    let people: Vec<_> = json["rows"].as_array().unwrap().iter().filter(|row| row["asked"] == "login").collect();
    assert!(people.len() == 1 && people[0]["actor"] == "reader", "of logins only one's own: {people:?}");
    let nobody = console.browser().open("/activity/export/?format=csv").await;
    assert_eq!(nobody.status, StatusCode::SEE_OTHER, "a download leads a person to the login");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_request_changed_stands_beside_it_for_whoever_may_see_it() {
    let console = Console::start().await;
    console.admin().await;
    let lab = console.fabric("lab-1").await;
    let hidden = console.store.groups().create("hidden", "").await.unwrap().id.to_string();
    let bob = console.user("bob", false).await;
    let mut admin = console.logged_in("alice").await;
    let change = async |browser: &mut Browser, path: &str, name: &str, value: &str| {
        let mut fields = contents(&browser.open(path).await);
        match name {
            "group" => fields.push((name.to_owned(), value.to_owned())),
            _ => set(&mut fields, name, value),
        }
        let answer = send(browser, path, &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}: {}", answer.text());
    };
    change(&mut admin, &format!("/users/{}/edit/", bob.id), "group", &hidden).await;
    change(&mut admin, &format!("/fabrics/{}/edit/", lab.id), "description", "Row 7").await;
    let page = admin.open("/activity/").await.text();
    for part in ["User bob: changed groups: nothing → hidden", "Group hidden: changed members: nothing → bob"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let of_fabric = "Fabric lab-1: changed description: nothing → Row 7";
    for path in ["/activity/", "/fabrics/1/activity/", "/activity/timeline/?user=alice"] {
        let page = admin.open(path).await.text();
        assert!(page.contains(of_fabric), "{path}: {page}");
    }
    let json = admin.script("/activity/export/").await.json();
    let edited = json["rows"].as_array().unwrap().iter().find(|row| row["asked"] == "fabric_edit").unwrap();
    let field = json!({"field": "description", "before": null, "after": "Row 7"});
    assert_eq!(edited["changes"], json!([{"object": "Fabric lab-1: changed", "fields": [field]}]));
    let csv = admin.open("/activity/export/?format=csv").await.body;
    assert!(csv.lines().next().unwrap().ends_with(",token_key,changes") && csv.contains("Row 7"), "{csv}");

    // Whoever sees only users is told of bob's, and not which group it was.
    let eve = console.user("eve", false).await;
    console.permit_on(&eve, "users.user", &["view"], None).await;
    let mut eve = console.logged_in("eve").await;
    for path in ["/activity/", "/activity/timeline/?user=alice", "/activity/export/"] {
        let page = eve.open(path).await.body;
        assert!(page.contains("User bob: changed") && page.contains("1 that you may not see"), "{path}: {page}");
        assert!(!page.contains("hidden: changed") && !page.contains("Row 7"), "{path}: {page}");
    }
}
