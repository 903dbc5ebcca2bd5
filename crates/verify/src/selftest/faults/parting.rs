//! One fault for every layer between a person and the cluster, and the way beside it as it is: the journey that walks both
//! must name the layer at which they part. A layer that stands before others must win over what follows from it.

use super::guard::lend;
use super::page::{FORM, without_button};
use super::session::{LEADS_BACK, lost};
use super::work::refused;
use super::{Fault, Ground, shows_earlier};
use crate::cause::{Cause, Layer};
use crate::selftest::bed::READER;
use crate::selftest::passing::Answered;
use crate::selftest::rule::Rule;
use serde_json::json;
use std::time::Duration;

/// How long an answer is waited for that never comes.
const SHORT: Duration = Duration::from_secs(6);

fn parts(name: &'static str, sentence: &'static str, layer: Layer) -> Fault {
    let fault = Fault { parts_at: Some(layer), ..Fault::new(name, sentence, &["two_paths"]) };
    fault.fails(match layer {
        Layer::Page => Cause::ControlMissing,
        Layer::Script => Cause::ControlDead,
        Layer::Request => Cause::Transport,
        Layer::Route => Cause::WrongAddress,
        Layer::Session => Cause::NoSession,
        Layer::Csrf => Cause::Csrf,
        Layer::Permission => Cause::Permission,
        Layer::ConnectionGuard => Cause::Connection,
        Layer::State => Cause::NoEffect,
        Layer::Cluster => Cause::Cluster,
    })
}

/// A press goes to the fabric whose cluster nobody reaches: everything that is said of it is true of that one.
pub(super) fn readdressed(on: &Ground, verb: &str) -> Rule {
    let other = format!("/fabrics/{}/{verb}/", on.unreachable);
    Rule::on("POST", &on.below(&format!("{verb}/$"))).change(move |asked| asked.address.clone_from(&other))
}

pub(super) fn all() -> Vec<Fault> {
    let mut all = before_the_server();
    all.extend(at_the_door());
    all.extend(behind());
    all
}

fn before_the_server() -> Vec<Fault> {
    vec![
        parts("parts_at_page", "The page lacks the button; the cluster would take everything.", Layer::Page)
            .rule(without_button),
        parts("parts_at_script", "The button has neither form nor script; the rest is as it was.", Layer::Script)
            .patience(SHORT)
            .rule(|on| Rule::on("GET", &on.page()).page().text(FORM, "<div>$1</div>")),
        parts("parts_at_broken_script", "The page's script keeps the press to itself.", Layer::Script)
            .patience(SHORT)
            .in_a_browser()
            .rule(|_| {
                Rule::on("GET", r"^/static/.*main\.js").text(
                    r"\z",
                    "\naddEventListener('submit', (event) => { if (event.target.dataset.verb === 'sync_to_kubernetes') \
                     { event.preventDefault(); event.stopImmediatePropagation(); } }, true);\n",
                )
            }),
        parts("parts_at_request", "The press is cut off on its way.", Layer::Request)
            .rule(|on| Rule::on("POST", &on.sync()).cut()),
        parts("parts_at_proxy", "Something before the console answers the press with 502.", Layer::Request).rule(
            |on| Rule::on("POST", &on.sync()).answer(|_| Answered::page(502, "<title>502</title><h1>Bad Gateway</h1>")),
        ),
        parts("parts_at_route", "The form names an address that does not exist.", Layer::Route).rule(|on| {
            let id = on.fabric.clone();
            Rule::on("GET", &on.page())
                .page()
                .text(r#"action="/fabrics/\d+/sync/""#, &format!(r#"action="/fabrics/{id}/synchronise/""#))
        }),
    ]
}

fn at_the_door() -> Vec<Fault> {
    vec![
        parts("parts_at_session", "The press comes without its session.", Layer::Session)
            .rules(|on| vec![lost(Rule::on("POST", &on.sync())), lost(Rule::on("GET", LEADS_BACK))]),
        parts("parts_at_csrf", "The press comes with the token of another user.", Layer::Csrf)
            .rule(|on| lend(Rule::on("POST", &on.sync()), READER, false, true)),
        parts("parts_at_permission", "The press's user may only look.", Layer::Permission)
            .rule(|on| lend(Rule::on("POST", &on.sync()).by(&on.admin), READER, true, true)),
        parts("parts_at_hidden", "Who may not press is told that there is nothing.", Layer::Permission).rule(|on| {
            Rule::on("POST", &on.sync()).answer(|_| {
                let refusal = json!({"status": 404, "code": "not_found", "detail": "There is no such thing."});
                Answered::json(404, &refusal)
            })
        }),
    ]
}

fn behind() -> Vec<Fault> {
    vec![
        parts("parts_at_guard", "The console does not reach a cluster that is there.", Layer::ConnectionGuard).rules(
            |on| {
                let number: u64 = on.fabric.parse().unwrap_or_default();
                // What is said of the other fabric is said of this one.
                let own = Rule::on("GET", r"^/operations/\d+/")
                    .script()
                    .json(move |body| body["fabric"]["id"] = json!(number));
                vec![readdressed(on, "sync"), readdressed(on, "test-connection"), own]
            },
        ),
        parts("parts_at_another_fabric", "The form names the address of another fabric.", Layer::Route).rule(|on| {
            let other = format!(r#"action="/fabrics/{}/sync/""#, on.unreachable);
            Rule::on("GET", &on.page()).page().text(r#"action="/fabrics/\d+/sync/""#, &other)
        }),
        parts("parts_at_guard_at_once", "The console says at once that it has no connection.", Layer::ConnectionGuard)
            .rule(|on| {
                Rule::on("POST", &on.sync()).answer(|_| {
                    let refusal = json!({"status": 502, "code": "connection_failed", "detail": "Not connected."});
                    Answered::json(502, &refusal)
                })
            }),
        parts("parts_at_state", "The press does nothing, and an older success is shown.", Layer::State)
            .rule(|on| shows_earlier(Rule::on("POST", &on.sync()), &on.earlier)),
        parts("parts_at_cluster", "The cluster forbids the console what it allows the oracle.", Layer::Cluster)
            .lab(refused("forbidden")),
    ]
}
