//! The verbs against a lab: what a form, a script and the predecessor's clients are answered, and what is true in the
//! cluster afterwards.

use crate::console::{Answer, Browser, Console};
use http::StatusCode;
use lab::{Fault, FaultPlan, Lab, Options, Rejection, RequestFault};
use serde_json::Value;
use std::time::{Duration, Instant};
use store::Fabric;

pub const MANIFESTS: &str = "\
apiVersion: vpc.githedgehog.com/v1beta1
kind: IPv4Namespace
metadata: {name: default}
spec: {subnets: [10.10.0.0/16]}
---
apiVersion: wiring.githedgehog.com/v1beta1
kind: VLANNamespace
metadata: {name: default}
spec: {ranges: [{from: 1000, to: 2999}]}
---
apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata: {name: vpc-01}
spec:
  ipv4Namespace: default
  vlanNamespace: default
  subnets:
    default: {subnet: 10.10.1.0/24, vlan: 1001}
---
apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata: {name: vpc-02}
spec:
  ipv4Namespace: default
  vlanNamespace: default
  subnets:
    default: {subnet: 10.10.2.0/24, vlan: 1002}
";

/// A lab, a console, a fabric on it with manifests, and a browser that is logged in.
pub async fn with_lab() -> (Lab, Console, Fabric, Browser) {
    let lab = Lab::start(Options { empty: true, ..Options::default() }).await.unwrap();
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric_on("lab-1", &lab.kubeconfig()).await;
    console.commit(&fabric, "vpcs/all.yaml", MANIFESTS).await;
    let browser = console.logged_in("alice").await;
    (lab, console, fabric, browser)
}

/// Follows an operation to its end by the address that the page or the answer gave.
pub async fn follow(browser: &mut Browser, url: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(40);
    loop {
        let operation = browser.script(url).await.json();
        if operation["final"] == true {
            return operation;
        }
        assert!(Instant::now() < until, "{operation}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks for a verb and waits for its result. An answer that comes before the end is asked for again with the same key,
/// which is the same operation: a busy machine takes longer than one request may wait.
pub async fn result(browser: &mut Browser, path: &str, token: &str) -> Answer {
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let answer = browser.call(&format!("{path}?wait=30"), token, &[("idempotency_key", "the-one")]).await;
        if answer.status != StatusCode::ACCEPTED || Instant::now() > until {
            return answer;
        }
    }
}

/// Presses a button as the page has it: its address, its token, its hidden fields.
pub async fn press(browser: &mut Browser, fabric: &Fabric, button: &str) -> String {
    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
    let (before, _) = page.body.split_once(&format!("id=\"{button}\"")).expect("the button is there");
    let form = before.rsplit("<form").next().unwrap();
    let value = |name: &str| {
        let rest = form.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
        Some(rest.split('"').next()?.to_owned())
    };
    let action = form.split("action=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut fields = vec![("csrfmiddlewaretoken".to_owned(), value("csrfmiddlewaretoken").unwrap())];
    fields.extend(["idempotency_key", "comparison"].iter().filter_map(|name| Some(((*name).to_owned(), value(name)?))));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = browser.submit(action, &fields).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.header("location").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_every_button_leads_to_its_operation_and_what_it_says_is_true() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    for button in ["test-connection-btn", "sync-from-git-btn"] {
        let url = press(&mut browser, &fabric, button).await;
        let operation = follow(&mut browser, &url).await;
        assert_eq!(operation["state"], "succeeded", "{operation}");
    }
    assert!(lab.object("VPC", "vpc-01").is_none(), "comparing writes nothing");
    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    assert!(page.text().contains("Out of sync") && page.text().contains("not in the cluster yet"), "{}", page.text());
    let url = press(&mut browser, &fabric, "sync-now-btn").await;
    let operation = follow(&mut browser, &url).await;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert_eq!(lab.object("VPC", "vpc-01").unwrap()["spec"]["subnets"]["default"]["vlan"], 1001);
    assert_eq!(operation["outcomes"]["count"], 4);
    assert!(operation["outcomes"]["results"].as_array().unwrap().iter().all(|o| o["verified"] == true));
    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    assert!(page.text().contains("In sync"), "{}", page.text());
    let page = browser.open(&url).await;
    assert!(page.body.contains("read back, equal") && page.text().contains("Started by alice, with the button"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_gets_the_operation_at_once_or_waits_for_its_result() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    let token = browser.token().await;
    let path = format!("/fabrics/{}/sync/", fabric.id);
    let at_once = browser.call(&path, &token, &[]).await;
    assert_eq!(at_once.status, StatusCode::ACCEPTED);
    let json = at_once.json();
    assert_eq!((&json["success"], &json["disposition"]), (&Value::Null, &Value::from("new")));
    assert_eq!(json["operation"]["request_id"], at_once.header("x-request-id"));
    follow(&mut browser, json["operation"]["url"].as_str().unwrap()).await;
    let waited = result(&mut browser, &path, &token).await;
    assert_eq!(waited.status, StatusCode::OK, "{}", waited.body);
    assert_eq!(
        (&waited.json()["success"], &waited.json()["operation"]["state"]),
        (&Value::from(true), &Value::from("succeeded"))
    );
    assert!(lab.object("VPC", "vpc-02").is_some(), "200 is only for what is there");
    assert!(waited.body.len() < 10_000, "lesson 51: answers are bounded");
    assert_eq!(browser.call(&format!("{path}?wait=soon"), &token, &[]).await.status, StatusCode::BAD_REQUEST);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_predecessors_addresses_wait_and_tell_the_truth() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    let token = browser.token().await;
    for prefix in ["/plugins/hedgehog/fabrics", "/plugins/hedgehog/api/fabrics"] {
        let path = format!("{prefix}/{}/sync/", fabric.id);
        lab.faults().set(FaultPlan { requests: vec![RequestFault::all(Fault::Unauthorized)], ..FaultPlan::default() });
        let refused = browser.call(&path, &token, &[]).await;
        assert_eq!(refused.status, StatusCode::BAD_GATEWAY, "{}", refused.body);
        assert_eq!(refused.header("content-type"), "application/problem+json");
        let json = refused.json();
        assert_eq!(
            (&json["success"], &json["code"]),
            (&Value::from(false), &Value::from("kubernetes_unauthorized")),
            "{json}"
        );
        assert_eq!(json["operation"]["state"], "failed");
        lab.faults().set(FaultPlan::default());
        let good = browser.call(&path, &token, &[]).await;
        assert_eq!((good.status, &good.json()["success"]), (StatusCode::OK, &Value::from(true)), "{}", good.body);
        assert_eq!(browser.open(&path).await.header("location"), format!("/fabrics/{}/", fabric.id));
    }
    let page = browser.open(&format!("/plugins/hedgehog/fabrics/{}/", fabric.id)).await;
    assert!(page.body.contains("id=\"sync-now-btn\""));
    let attempts = console
        .store
        .attempts()
        .list(&store::Scope::System, &store::attempts::AttemptFilter::default(), store::Page::first(20))
        .await
        .unwrap();
    let tries: Vec<_> = attempts.rows.iter().filter(|row| row.verb.is_some()).collect();
    assert_eq!(tries.len(), 4, "each try is recorded");
    assert!(tries.iter().all(|a| a.operation_id.is_some() && a.actor == "alice"));
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_object_is_named_with_the_servers_words_and_the_others_are_done() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    let rejection = Rejection { kind: "VPC".into(), name: "vpc-02".into(), message: "not this one".into() };
    lab.faults().set(FaultPlan { reject: vec![rejection], ..FaultPlan::default() });
    let token = browser.token().await;
    let answer = result(&mut browser, &format!("/fabrics/{}/sync/", fabric.id), &token).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.body);
    let json = answer.json();
    assert_eq!(json["operation"]["state"], "partial", "{json}");
    let page = browser.open(json["operation"]["url"].as_str().unwrap()).await;
    let first_row = page.body.split("data-object=\"").nth(1).unwrap();
    assert!(first_row.starts_with("VPC.vpc.githedgehog.com/default/vpc-02"), "failures stand on top");
    assert!(page.text().contains("not this one"), "{}", page.text());
    assert!(lab.object("VPC", "vpc-01").is_some());
    let only = browser.open(&format!("{}?outcome=refused", json["operation"]["url"].as_str().unwrap())).await;
    assert_eq!(only.body.matches("data-object=").count(), 1);
    let list = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    assert!(list.text().contains("not this one"), "{}", list.text());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_the_same_operation_and_only_for_its_user() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    console.user("bob", true).await;
    let token = browser.token().await;
    let path = format!("/fabrics/{}/sync-from-git/?wait=30", fabric.id);
    let press = async |browser: &mut Browser, token: &str, key: &str| {
        browser.call(&path, token, &[("idempotency_key", key)]).await.json()["operation"]["id"].as_i64().unwrap()
    };
    let first = press(&mut browser, &token, "k-1").await;
    assert_eq!(press(&mut browser, &token, "k-1").await, first);
    assert_ne!(press(&mut browser, &token, "k-2").await, first);
    let mut bob = console.logged_in("bob").await;
    let bobs = bob.token().await;
    assert_ne!(press(&mut bob, &bobs, "k-1").await, first, "a key is its user's own");
    let bad = browser.call(&path, &token, &[("idempotency_key", "with space")]).await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_can_be_cancelled_and_says_by_whom() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    lab.faults().set(FaultPlan { requests: vec![RequestFault::all(Fault::Hang)], ..FaultPlan::default() });
    let url = press(&mut browser, &fabric, "sync-now-btn").await;
    let page = browser.open(&url).await;
    assert!(page.body.contains("id=\"cancel-btn\""), "{}", page.text());
    let token = page.field("csrfmiddlewaretoken");
    let began = Instant::now();
    let cancelled = browser.submit(&format!("{url}cancel/"), &[("csrfmiddlewaretoken", &token)]).await;
    assert_eq!((cancelled.status, cancelled.header("location")), (StatusCode::SEE_OTHER, url.as_str()));
    let operation = follow(&mut browser, &url).await;
    assert_eq!(operation["state"], "cancelled", "{operation}");
    assert!(began.elapsed() < Duration::from_secs(10));
    let page = browser.open(&url).await;
    assert!(page.text().contains("alice") && !page.body.contains("cancel-btn"), "{}", page.text());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_of_another_fabric_is_refused() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    let other = console.fabric("other").await;
    let token = browser.token().await;
    browser.call(&format!("/fabrics/{}/sync-from-git/?wait=30", fabric.id), &token, &[]).await;
    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    let comparison = page.field("comparison");
    let wrong = browser.call(&format!("/fabrics/{}/sync/", other.id), &token, &[("comparison", &comparison)]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.json()["code"], "changed_since_comparison");
    let right =
        browser.call(&format!("/fabrics/{}/sync/?wait=30", fabric.id), &token, &[("comparison", &comparison)]).await;
    assert_eq!(right.status, StatusCode::OK, "the control arm: {}", right.body);
    lab.stop().await;
}

/// What a script of this site sends with JSON.
fn json_headers<'a>(origin: &'a str, token: &'a str) -> [(&'a str, &'a str); 4] {
    [("accept", "application/json"), ("content-type", "application/json"), ("origin", origin), ("x-csrftoken", token)]
}

/// Query, verb's path, fields, and what the refusal names.
type Refused<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

/// What is misspelt or meant otherwise must not become a run of everything.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_verb_does_not_take_is_refused_and_nothing_is_written() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    let token = browser.token().await;
    let sync = format!("/fabrics/{}/sync/", fabric.id);
    let refused: &[Refused<'_>] = &[
        ("", "sync/", &[("dryRun", "true")], "dryRun"),
        ("", "sync/", &[("dry_run", "perhaps")], "dry_run"),
        ("", "sync/", &[("dry_run", "on"), ("dry_run", "off")], "dry_run"),
        ("", "sync/", &[("{\"dry_run\": true}", "")], "dry_run"),
        ("", "sync/", &[("objects", "VPC.vpc.githedgehog.com/default/vpc-01")], "objects"),
        ("", "sync/", &[("object", "")], "No object is chosen"),
        ("", "sync/", &[("kind", " ")], "No object is chosen"),
        ("?dry_run=true", "sync/", &[], "dry_run"),
        ("?wait=5&dry-run=1", "sync/", &[], "dry-run"),
        ("", "sync/", &[("adopt", "VPC.vpc.githedgehog.com/default/vpc-01")], "adopt"),
        ("", "sync-from-fabric/", &[("dry_run", "true")], "dry_run"),
        ("", "sync-from-git/", &[("object", "VPC.vpc.githedgehog.com/default/vpc-01")], "object"),
    ];
    for (query, way, fields, named) in refused {
        let path = format!("/fabrics/{}/{way}{query}", fabric.id);
        let answer = browser.call(&path, &token, fields).await;
        let said = answer.json();
        assert_eq!(
            (answer.status, &said["code"]),
            (StatusCode::BAD_REQUEST, &"invalid_input".into()),
            "{path} {fields:?}"
        );
        assert!(said["detail"].as_str().unwrap().contains(named), "{fields:?}: {said}");
    }
    let origin = format!("http://{}", crate::console::HOST);
    let headers = json_headers(&origin, &token);
    for body in [r#"{"object": []}"#, r#"{"kind": [], "dry_run": false}"#, r#"{"dry_run": "ja"}"#, r#"{"dry_run": 2}"#]
    {
        let answer = browser.send("POST", &sync, &headers, Some(body.to_owned())).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.body);
    }
    let all = store::operations::OperationFilter::default();
    let operations = console.store.operations().list(&store::Scope::System, &all, store::Page::first(9)).await.unwrap();
    assert_eq!(operations.total, 0, "no operation came of it: {:?}", operations.rows);

    // The control: what a Python script means by true is a dry run, and writes nothing.
    for body in [r#"{"dry_run": true, "object": null}"#, r#"{"dry_run": "True", "comparison": ""}"#] {
        let path = format!("{sync}?wait=30");
        let answer = browser.send("POST", &path, &headers, Some(body.to_owned())).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let operation = browser.script(answer.json()["operation"]["url"].as_str().unwrap()).await.json();
        assert_eq!(operation["options"]["dry_run"], true, "{operation}");
    }
    let dry = browser.call(&format!("{sync}?wait=30"), &token, &[("dry_run", "True")]).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.body);
    assert!(lab.object("VPC", "vpc-01").is_none(), "nothing was written");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let (lab, _console, fabric, mut browser) = with_lab().await;
    let token = browser.token().await;
    let origin = format!("http://{}", crate::console::HOST);
    let headers = [&json_headers(&origin, &token)[..], &[("idempotency-key", "of-today")]].concat();
    let sync = format!("/fabrics/{}/sync/?wait=30", fabric.id);
    let dry = browser.send("POST", &sync, &headers, Some(r#"{"dry_run": true}"#.into())).await;
    assert_eq!(dry.status, StatusCode::OK, "{}", dry.body);
    let other = browser.send("POST", &sync, &headers, Some("{}".into())).await;
    let said = other.json();
    assert_eq!((other.status, &said["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &"invalid_input".into()), "{said}");
    assert_eq!(said["success"], false, "a dry run is not the answer to a sync: {said}");
    let again = browser.send("POST", &sync, &headers, Some(r#"{"dry_run": true}"#.into())).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    assert_eq!(again.json()["operation"]["id"], dry.json()["operation"]["id"], "the control: the same is the same");
    lab.stop().await;
}
