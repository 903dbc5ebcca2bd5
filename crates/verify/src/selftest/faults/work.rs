//! Operations: said to be done and not done, stuck, done twice; and a cluster that is not what it seems.

use super::{Fault, says_nothing, shows_earlier};
use crate::cause::Cause;
use crate::selftest::passing::Answered;
use crate::selftest::rule::{Pass, Rule};
use regex::Regex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Pages and answers about operations.
const OPERATION: &str = r"^/operations/\d+/(\?.*)?$";
/// The same, and presses, which a script is answered with the operation.
const OPERATION_OR_PRESS: &str = r"^/(?:operations/\d+|fabrics/\d+/[a-z-]+)/(\?.*)?$";

/// The lab's requests take so long, in milliseconds, that two presses meet.
const SLOW: u64 = 100;

/// The same for operations that must be seen to run beside each other: their times are told in whole seconds, and each has
/// to take longer than that.
const SLOWER: u64 = 350;

pub(super) fn all() -> Vec<Fault> {
    let mut all = undone();
    all.extend(stuck());
    all.extend(twice());
    all.extend(unreachable());
    all.extend(cluster());
    all.extend(automatic());
    all
}

/// What ended as one thing is told as another, on the operation's page and to the script of the button.
pub(super) fn told(old: &str, new: &str) -> Vec<Rule> {
    let name = |word: &str| word.to_lowercase().replace("partly done", "partial");
    let (is_old, title, state) = (Regex::new(&format!("^(?:{})$", name(old))).ok(), new.to_owned(), name(new));
    vec![
        Rule::on("GET", OPERATION).page().text(&format!(">{old}<"), &format!(">{new}<")),
        Rule::on("*", OPERATION_OR_PRESS).script().json(move |body| {
            let body = if body["operation"].is_object() { &mut body["operation"] } else { body };
            let is_told = body["state"].as_str().zip(is_old.as_ref()).is_some_and(|(word, old)| old.is_match(word));
            if is_told {
                (body["state"], body["state_title"]) = (json!(state), json!(title));
                body["success"] = if state == "running" { json!(null) } else { json!(state == "succeeded") };
                body["final"] = json!(state != "running");
            }
        }),
    ]
}

/// The cluster refuses these writes.
pub(super) fn refused(fault: &str) -> Value {
    json!({"requests": [{"fault": fault, "verbs": ["update"], "kinds": ["Server", "Switch"]}]})
}

fn undone() -> Vec<Fault> {
    vec![
        Fault::new(
            "success_without_effect",
            "The press does nothing, and an older success is shown.",
            &["sync_by_button", "sync_by_form"],
        )
        .fails(Cause::NoEffect)
        .rule(|on| shows_earlier(Rule::on("POST", &on.sync()), &on.earlier)),
        Fault::new("sync_only_reads", "The button that syncs only reads the cluster.", &["sync_by_button"])
            .fails(Cause::WrongAddress)
            .rule(|on| {
                let other = format!("/fabrics/{}/sync-from-fabric/", on.fabric);
                Rule::on("POST", &on.sync()).change(move |asked| asked.address.clone_from(&other))
            }),
        Fault::new(
            "half_delivered",
            "The cluster refuses one object, and the sync is said to have succeeded.",
            &["sync_by_button"],
        )
        .fails(Cause::PartialCalledSuccess)
        .after_a_commit()
        .lab(json!({"reject": [{"kind": "Server", "name": "server-06", "message": "not today"}]}))
        .rules(|_| told("Partly done", "Succeeded")),
        Fault::new(
            "refused_called_success",
            "The cluster forbids the writes, and the sync is said to have succeeded.",
            &["sync_by_button"],
        )
        .fails(Cause::NoEffect)
        .lab(refused("forbidden"))
        .rules(|_| told("(?:Failed|Partly done)", "Succeeded")),
        Fault::new(
            "revoked_called_success",
            "The cluster's token is revoked midway, and the sync is said to have succeeded.",
            &["sync_by_button"],
        )
        .fails(Cause::NoEffect)
        .lab(refused("unauthorized"))
        .rules(|_| told("(?:Failed|Partly done)", "Succeeded")),
        Fault::new(
            "success_called_failure",
            "What was done is said to have failed.",
            &["sync_by_button", "sync_from_git"],
        )
        .fails(Cause::WrongRefusal)
        .rules(|_| told("Succeeded", "Failed")),
    ]
}

fn stuck() -> Vec<Fault> {
    let running = |fault: Fault| {
        fault.fails(Cause::Stuck).patience(Duration::from_millis(1_500)).rules(|_| told("Succeeded", "Running"))
    };
    vec![
        running(Fault::new("sync_never_ends", "The sync's page says for ever that it runs.", &["sync_by_button"])),
        running(Fault::new("reading_never_ends", "A read of the cluster never ends.", &["sync_from_fabric"])),
        Fault::new("operation_past_its_deadline", "An operation runs on after its deadline.", &["stuck_operation"])
            .fails(Cause::Stuck)
            .rule(|_| {
                Rule::on("GET", OPERATION).script().json(|body| {
                    body["final"] = json!(false);
                    body["state"] = json!("running");
                    body["deadline_at"] = json!("2020-01-01T00:00:00Z");
                })
            }),
        Fault::new("cancel_lost", "The cancel is answered, and does nothing.", &["cancel"])
            .fails(Cause::NotCancelled)
            .lab(json!({"latencyMs": SLOW}))
            .rule(|_| {
                Rule::on("POST", r"^/operations/\d+/cancel/").answer(|asked| match asked.is_script() {
                    true => Answered::json(202, &json!({})),
                    false => Answered::redirect(asked.address.trim_end_matches('/').trim_end_matches("cancel")),
                })
            }),
        Fault::new("cancel_missing", "An operation that runs cannot be cancelled.", &["cancel"])
            .fails(Cause::ControlMissing)
            .lab(json!({"latencyMs": SLOW}))
            .rule(|_| Rule::on("GET", OPERATION).page().text(r#"(?s)<button[^>]*id="cancel-btn".*?</button>"#, "")),
    ]
}

fn twice() -> Vec<Fault> {
    // The second press becomes an operation of another mode, which the console cannot know to be the same: it waits for the
    // first, and runs after it.
    let second = |on: &super::Ground| {
        Rule::on("POST", &on.sync()).only(2).change(|asked| {
            let key = uuid::Uuid::new_v4().to_string();
            asked.set_field("dry_run", "on");
            asked.set_field("idempotency_key", &key);
            // A script says it in a header as well.
            if asked.headers.contains_key("idempotency-key") {
                asked.set_header("idempotency-key", &key);
            }
        })
    };
    vec![
        Fault::new(
            "double_click_runs_twice",
            "A double click runs two operations beside each other.",
            &["double_click"],
        )
        .fails(Cause::RanTwice)
        .lab(json!({"latencyMs": SLOWER}))
        // A page's script keeps the second click to itself, so that it has to forget that it does.
        .rules(move |on| {
            let script = r"if \(!button \|\| form\.dataset\.busy\) return;|button\.disabled = true;";
            vec![second(on), Rule::on("GET", r"^/static/.*press\.js").text(script, "")]
        }),
        Fault::new("two_users_run_twice", "Two users who press at once run two operations.", &["two_users"])
            .fails(Cause::RanTwice)
            .lab(json!({"latencyMs": SLOWER}))
            .rule(second),
        Fault::new(
            "presses_leave_no_record",
            "Two presses are answered, and no operation is to be seen.",
            &["double_click"],
        )
        .fails(Cause::NotRecorded)
        .rule(|on| shows_earlier(Rule::on("POST", &on.sync()), &on.earlier)),
    ]
}

fn unreachable() -> Vec<Fault> {
    let press = |on: &super::Ground| format!("^/fabrics/{}/(test-connection|sync)/$", on.unreachable);
    let fault = |name: &'static str, sentence: &'static str| Fault::new(name, sentence, &["unreachable"]);
    vec![
        fault("unreachable_called_success", "A cluster that nobody reaches is said to be synced.")
            .fails(Cause::FailureCalledSuccess)
            .rules(|_| told("Failed", "Succeeded")),
        fault("unreachable_silent", "Of a cluster that nobody reaches the page says nothing.")
            .fails(Cause::SilentFailure)
            .fails(Cause::Unanswered)
            .patience(Duration::from_secs(6))
            .rule(move |on| says_nothing(Rule::on("POST", &press(on)), &format!("/fabrics/{}/", on.unreachable))),
        fault("unreachable_waits", "A press for a cluster that nobody reaches is never answered.")
            .fails(Cause::Unanswered)
            .patience(Duration::from_secs(2))
            .rule(move |on| Rule::on("POST", &press(on)).hang()),
    ]
}

fn cluster() -> Vec<Fault> {
    vec![
        Fault::new("oracle_refused", "The cluster does not know the oracle's credentials.", &["status_agrees"])
            .invalid(Cause::OracleUnusable)
            .lab(json!({"requests": [{"fault": "unauthorized"}]})),
        Fault::new("cluster_unavailable", "The cluster answers nothing but 503.", &["status_agrees"])
            .invalid(Cause::OracleUnusable)
            .lab(json!({"requests": [{"fault": "unavailable"}]})),
        Fault::new("another_cluster", "The fabric is at another cluster than the oracle.", &["status_agrees"])
            .invalid(Cause::OracleUnusable)
            .rule(|on| {
                Rule::on("GET", &on.page()).page().text(
                    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                    "00000000-0000-4000-8000-000000000000",
                )
            }),
    ]
}

/// Since a press, nothing that came after it is told to have begun by itself.
fn automatic() -> Vec<Fault> {
    let fault = Fault::new("automatic_stops", "After a sync by hand nothing runs by itself.", &["automatic_sync"]);
    vec![fault.fails(Cause::AutomaticStopped).while_syncs_run_by_themselves().patience(Duration::from_secs(10)).rules(
        |on| {
            let newest = Arc::new(AtomicI64::new(0));
            let (seen, is_pressed) = (newest.clone(), Arc::new(AtomicI64::new(i64::MAX)));
            let pressed = is_pressed.clone();
            let press = Rule::on("POST", &on.sync()).before(move |_, _| {
                pressed.store(seen.load(Ordering::Relaxed), Ordering::Relaxed);
                super::ready(Pass::Untouched)
            });
            let told = Rule::on("GET", r"^/operations/\d+/").script().json(move |body| {
                let id = body["id"].as_i64().unwrap_or_default();
                newest.fetch_max(id, Ordering::Relaxed);
                let by_itself = body["actor"].as_str().is_some_and(|actor| actor.starts_with("system:"));
                if by_itself && id > is_pressed.load(Ordering::Relaxed) {
                    (body["actor"], body["trigger"]) = (json!("admin"), json!("button"));
                }
            });
            vec![press, told]
        },
    )]
}
