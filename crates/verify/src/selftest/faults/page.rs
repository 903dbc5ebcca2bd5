//! What a person would press, its address, the parts that the page loads, and the way of a press.

use super::parting::readdressed;
use super::{Fault, says_nothing};
use crate::cause::Cause;
use crate::selftest::passing::Answered;
use crate::selftest::rule::Rule;
use serde_json::json;
use std::time::Duration;

/// The form of the button that syncs.
pub(super) const FORM: &str = r#"(?s)<form class="verb[^>]*data-verb="sync_to_kubernetes">(.*?)</form>"#;

pub(super) fn all() -> Vec<Fault> {
    let mut all = controls();
    all.extend(requests());
    all.extend(pages());
    all.extend(assets());
    all
}

/// The fabric's page without the button.
pub(super) fn without_button(on: &super::Ground) -> Rule {
    Rule::on("GET", &on.page()).page().text(r#"(?s)<button id="sync-now-btn".*?</button>"#, "")
}

fn controls() -> Vec<Fault> {
    vec![
        Fault::new("page_kept", "The fabric's page lets browsers keep it for ten minutes.", &["fabric_page"])
            .fails(Cause::PageKept)
            .rule(|on| {
                Rule::on("GET", &on.page()).page().after(|_, answer| {
                    let kept = http::HeaderValue::from_static("private, max-age=600");
                    answer.headers.insert(http::header::CACHE_CONTROL, kept);
                    true
                })
            }),
        Fault::new("button_missing", "The page lacks the button.", &["fabric_page", "sync_by_button", "sync_by_form"])
            .fails(Cause::ControlMissing)
            .rule(without_button),
        Fault::new("button_disabled", "The button is there, and cannot be pressed.", &["sync_by_button"])
            .fails(Cause::ControlMissing)
            .rule(|on| {
                Rule::on("GET", &on.page())
                    .page()
                    .text(r#"<button id="sync-now-btn""#, r#"<button disabled id="sync-now-btn""#)
            }),
        Fault::new(
            "button_without_handler",
            "The button has neither form nor script.",
            &["sync_by_button", "sync_by_form"],
        )
        .fails(Cause::ControlDead)
        .rule(|on| Rule::on("GET", &on.page()).page().text(FORM, "<div>$1</div>")),
        Fault::new(
            "wrong_address",
            "The form names an address that does not exist.",
            &["fabric_page", "sync_by_button"],
        )
        .fails(Cause::WrongAddress)
        .rule(|on| {
            let id = on.fabric.clone();
            Rule::on("GET", &on.page())
                .page()
                .text(r#"action="/fabrics/\d+/sync/""#, &format!(r#"action="/fabrics/{id}/synchronise/""#))
        }),
        Fault::new(
            "button_does_another",
            "The button that tests the connection reads the cluster.",
            &["test_connection"],
        )
        .fails(Cause::WrongAddress)
        .rule(|on| {
            Rule::on("GET", &on.page())
                .page()
                .text(r#"(action="/fabrics/\d+/)test-connection/""#, r#"${1}sync-from-fabric/""#)
        }),
        Fault::new(
            "button_of_another_fabric",
            "The button that reads the cluster reads another fabric's.",
            &["sync_from_fabric"],
        )
        .fails(Cause::WrongAddress)
        .rule(|on| {
            let other = format!(r#"action="/fabrics/{}/sync-from-fabric/""#, on.unreachable);
            Rule::on("GET", &on.page()).page().text(r#"action="/fabrics/\d+/sync-from-fabric/""#, &other)
        }),
        Fault::new(
            "press_readdressed",
            "A press that reads the cluster is led to another fabric on its way.",
            &["sync_from_fabric"],
        )
        .fails(Cause::WrongAddress)
        .rule(|on| readdressed(on, "sync-from-fabric")),
        Fault::new("wrong_method", "The form's address takes no POST.", &["sync_by_button"])
            .fails(Cause::MethodRefused)
            .rule(|on| {
                let id = on.fabric.clone();
                Rule::on("GET", &on.page())
                    .page()
                    .text(r#"action="/fabrics/\d+/sync/""#, &format!(r#"action="/fabrics/{id}/operations/""#))
            }),
    ]
}

fn requests() -> Vec<Fault> {
    vec![
        Fault::new("press_unanswered", "The press reaches a server that never answers.", &["sync_by_button"])
            .fails(Cause::Unanswered)
            .patience(Duration::from_secs(2))
            .rule(|on| Rule::on("POST", &on.sync()).hang()),
        Fault::new("press_cut", "The connection is cut when the button is pressed.", &["sync_by_button"])
            .fails(Cause::Transport)
            .rule(|on| Rule::on("POST", &on.sync()).cut()),
        Fault::new("press_meets_a_gateway", "Something before the console answers the press.", &["sync_by_button"])
            .fails(Cause::Transport)
            .rule(|on| {
                Rule::on("POST", &on.sync())
                    .answer(|_| Answered::page(502, "<title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"))
            }),
        Fault::new("press_silent", "After the press the page says nothing.", &["sync_by_button"])
            .fails(Cause::SilentFailure)
            .fails(Cause::Unanswered)
            .patience(Duration::from_secs(6))
            .rule(|on| says_nothing(Rule::on("POST", &on.sync()), &format!("/fabrics/{}/", on.fabric))),
        Fault::new("press_fails_inside", "The press meets an error of the server.", &["sync_by_button"])
            .fails(Cause::ServerError)
            .rule(|on| {
                Rule::on("POST", &on.sync())
                    .answer(|_| Answered::page(500, "<title>Error</title><main>Something broke.</main>"))
            }),
        Fault::new("raw_words", "The page shows what its program stumbled over.", &["sync_by_button"])
            .fails(Cause::UnclearMessage)
            .rules(|_| {
                let raw = r#"Unexpected token '<', "<!DOCTYPE "... is not valid JSON"#;
                let shown = raw.replace('<', "&lt;");
                vec![
                    Rule::on("GET", r"^/operations/\d+/").page().text(
                        r#"(?s)(data-live="operation-head".*?<p class="sentence">).*?(</p>)"#,
                        &format!("${{1}}{shown}$2"),
                    ),
                    Rule::on("GET", r"^/operations/\d+/").script().json(move |body| body["message"] = json!(raw)),
                ]
            }),
    ]
}

fn pages() -> Vec<Fault> {
    vec![
        Fault::new("fabric_page_fails", "The fabric's page is an error of the server.", &["fabric_page"])
            .fails(Cause::ServerError)
            .rule(|on| {
                Rule::on("GET", &on.page())
                    .page()
                    .answer(|_| Answered::page(500, "<title>Error</title><main>Something broke.</main>"))
            }),
        Fault::new("list_page_fails", "One of the other pages is an error of the server.", &["crawl"])
            .fails(Cause::ServerError)
            .rule(|on| {
                Rule::on("GET", &on.below("objects/"))
                    .page()
                    .answer(|_| Answered::page(500, "<title>Error</title><main>Something broke.</main>"))
            }),
        Fault::new("broken_link", "A page links to an address that does not exist.", &["crawl"])
            .fails(Cause::NotFound)
            .rule(|on| {
                let link = format!(r#"$0<a href="/fabrics/{}/report/">Report</a>"#, on.fabric);
                Rule::on("GET", "^/$").page().text("<body[^>]*>", &link)
            }),
        Fault::new("empty_page", "A page is there, and empty.", &["crawl"]).fails(Cause::BrokenPage).rule(|_| {
            Rule::on("GET", "^/activity/$").page().answer(|_| Answered::page(200, "<html><body></body></html>"))
        }),
        Fault::new("raw_template", "A page shows what its template forgot to fill in.", &["crawl"])
            .fails(Cause::BrokenPage)
            .rule(|_| Rule::on("GET", "^/$").page().text("</main>", "{{ fabric.name }}</main>")),
        Fault::new("fabric_not_listed", "The list leaves the fabric out.", &["fabric_page"])
            .invalid(Cause::FabricUnknown)
            .rule(|_| Rule::on("GET", "^/fabrics/$").page().text(r#"(?s)<tr class="[^"]*fabric-row.*?</tr>"#, "")),
    ]
}

fn assets() -> Vec<Fault> {
    vec![
        Fault::new("stylesheet_as_text", "Style sheets come with a type that browsers refuse.", &["fabric_page"])
            .fails(Cause::AssetBroken)
            .rule(|_| {
                Rule::on("GET", r"^/static/.*\.css").after(|_, answer| {
                    answer.set_header("content-type", "text/plain");
                    true
                })
            }),
        Fault::new("script_missing", "The page's script is not there.", &["fabric_page"])
            .fails(Cause::AssetBroken)
            .rule(|_| Rule::on("GET", r"^/static/.*\.js").answer(|_| Answered::page(404, "not found"))),
        Fault::new("script_blocked", "The page's own policy forbids its script.", &["fabric_page"])
            .fails(Cause::AssetBroken)
            .rule(|on| {
                Rule::on("GET", &on.page()).page().after(|_, answer| {
                    let policy = answer.header("content-security-policy");
                    let policy = policy.replace("script-src 'self'", "script-src 'none'");
                    answer.set_header("content-security-policy", &policy);
                    true
                })
            }),
        Fault::new("script_error", "The page's script throws.", &["sync_by_button"])
            .fails(Cause::ScriptError)
            .in_a_browser()
            .rule(|_| {
                Rule::on("GET", r"^/static/.*main\.js")
                    .text(r"\z", "\nsetTimeout(() => { throw new Error('planted'); }, 0);\n")
            }),
    ]
}
