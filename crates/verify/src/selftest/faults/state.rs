//! What the console says of the fabric: status, times, records, differences.

use super::Fault;
use crate::cause::Cause;
use crate::selftest::rule::Rule;
use serde_json::json;

/// The word of the state in the head of the fabric's page.
const BADGE: &str = r#"(?s)(data-live="head".*?<span class="badge.*?<span>)In sync(</span>)"#;

pub(super) fn all() -> Vec<Fault> {
    let mut all = status();
    all.extend(switches());
    all.extend(records());
    all.extend(differences());
    all
}

fn status() -> Vec<Fault> {
    let agrees = |name: &'static str, sentence: &'static str| {
        Fault::new(name, sentence, &["status_agrees"]).fails(Cause::StatusDisagrees)
    };
    vec![
        Fault::new(
            "status_lies",
            "Everything says that all is well, and the cluster lacks what Git says.",
            &["status_agrees"],
        )
        .fails(Cause::StatusLies)
        .after_a_commit()
        .rules(|on| {
            let fabric = on.page();
            vec![
                Rule::on("GET", "^/fabrics/").page().text("Out of sync", "In sync"),
                Rule::on("GET", &fabric).script().text("out_of_sync", "in_sync"),
                Rule::on("GET", "^/metrics").text(r#"state="in_sync"\} 0"#, r#"state="in_sync"} 1"#),
                Rule::on("GET", "^/metrics").text(r#"state="out_of_sync"\} 1"#, r#"state="out_of_sync"} 0"#),
            ]
        }),
        agrees("list_disagrees", "The list says something else than the page.")
            .rule(|_| Rule::on("GET", "^/fabrics/$").page().text("In sync", "Error")),
        Fault::new(
            "page_disagrees",
            "The page says something else than everything else.",
            &["status_agrees", "sync_by_button"],
        )
        .fails(Cause::StatusDisagrees)
        .rule(|on| Rule::on("GET", &on.page()).page().text(BADGE, "${1}Error$2")),
        agrees("api_disagrees", "The API says something else than the page.")
            .rule(|on| Rule::on("GET", &on.page()).script().json(|body| body["sync_status"] = json!("error"))),
        agrees("derived_status_disagrees", "Two fields of the API contradict each other.").rule(|on| {
            Rule::on("GET", &on.page()).script().json(|body| body["calculated_sync_status"] = json!("out_of_sync"))
        }),
        agrees("metrics_disagree", "The metrics say something else than the page.").rule(|_| {
            Rule::on("GET", "^/metrics")
                .text(r#"(hedgerow_fabric_sync_state\{fabric="west",state=)"in_sync"\} 1"#, r#"$1"error"} 1"#)
        }),
        Fault::new("timestamp_moved", "The last success moves without work.", &["status_agrees"])
            .fails(Cause::TimestampOnly)
            .rule(|on| {
                Rule::on("GET", &on.page()).script().json(|body| {
                    // A moment that no operation of the self-test can have ended at.
                    let moved = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(60);
                    body["last_success"] = json!(moved.to_string());
                })
            }),
    ]
}

fn switches() -> Vec<Fault> {
    // What the pages say of a switch that does not follow.
    let applied = |on: &super::Ground, word: &str| {
        let row = format!(r#"(?s)(data-switch="spine-01".{{0,400}}?<span>){word}(</span>)"#);
        let called = |rule: Rule| rule.page().text(&row, "${1}Applied$2");
        vec![called(Rule::on("GET", &on.page())), called(Rule::on("GET", &on.below("objects/")))]
    };
    vec![
        Fault::new(
            "switch_called_applied",
            "A switch does not apply what it was given, and is said to run it.",
            &["sync_by_button"],
        )
        .fails(Cause::SwitchesLie)
        .after_a_commit_to_a_switch()
        .lab(json!({"agentsStuck": ["spine-01"]}))
        .rules(move |on| applied(on, "Pending")),
        Fault::new(
            "submitted_called_applied",
            "The fabric controller is down, and a switch is said to run what was never handed to it.",
            &["sync_by_button"],
        )
        .fails(Cause::SwitchesLie)
        .after_a_commit_to_a_switch()
        .lab(json!({"controllerDown": true}))
        .rules(move |on| applied(on, "Submitted")),
    ]
}

fn records() -> Vec<Fault> {
    let sync = |name: &'static str, sentence: &'static str| Fault::new(name, sentence, &["sync_by_button"]);
    vec![
        sync("activity_hides", "The activity does not list the operation.")
            .fails(Cause::NotRecorded)
            .rule(|_| Rule::on("GET", "^/activity/").page().text(r#"href="/operations/\d+/""#, r#"href="/fabrics/""#)),
        sync("actor_lost", "The operation does not say who began it.")
            .fails(Cause::NotRecorded)
            .rule(|_| Rule::on("GET", r"^/operations/\d+/").script().json(|body| body["actor"] = json!(null))),
        sync("old_commit_recorded", "The operation was of an older commit than the newest.")
            .fails(Cause::StatusLies)
            .rule(|_| {
                Rule::on("GET", r"^/operations/\d+/").script().json(|body| body["commit"] = json!("0".repeat(40)))
            }),
        Fault::new("old_commit_shown", "The page shows an older commit than the newest.", &["sync_from_git"])
            .fails(Cause::StatusLies)
            .rule(|on| {
                Rule::on("GET", &on.page())
                    .page()
                    .text(r#"(<p class="stage-count"><a [^>]*>)[0-9a-f]{7,}"#, "${1}0000000")
            }),
    ]
}

fn differences() -> Vec<Fault> {
    let objects = |on: &super::Ground| Rule::on("GET", &on.below("objects/[^?]")).page();
    let drift =
        |name: &'static str, sentence: &'static str| Fault::new(name, sentence, &["drift"]).fails(Cause::DriftNotShown);
    vec![
        drift("difference_hidden", "The page of the object does not show the field that differs.")
            .rule(move |on| objects(on).text("diff-path", "quiet")),
        drift("wrong_field_blamed", "The page of the object names another field.")
            .rule(move |on| objects(on).text(r"spec\.description", "spec.profile")),
        drift("sides_swapped", "The page of the object shows Git's value as the cluster's, and the other way round.")
            .rules(move |on| {
                vec![
                    objects(on).text("data-label=\"In Git\"", "data-label=\"in git\""),
                    objects(on).text("data-label=\"In the cluster\"", "data-label=\"In Git\""),
                    objects(on).text("data-label=\"in git\"", "data-label=\"In the cluster\""),
                ]
            }),
        drift("wrong_value_shown", "The page of the object shows another value than the cluster holds.")
            .rule(move |on| objects(on).text("verify [0-9a-f]{12}", "web")),
    ]
}
