//! What is written down once, and what is cut: a browser asks for the same style sheets and scripts at every page, and
//! most pages are of steps that nobody will ever dispute. Before a folder is written,
//!
//! - a style sheet, script or picture that was answered as before keeps its line, and names the request that has the rest;
//! - an answer's body that stands elsewhere in the run is kept there, and named here;
//! - of longer bodies the beginning is kept, unless the step matters (`matter`).
//!
//! Nothing goes without a word: the first two are fields of the exchange, the third is said at the body's end, and the
//! report counts all three. What the folder's other files hold is derived from what is left.

use super::matter::Matters;
use super::words::beginning;
use crate::exchange::{Exchange, Place};
use crate::results::Run;
use std::collections::HashMap;

/// So much of a body is kept in a step that does not matter.
const BODY: usize = 4 * 1024;
/// A shorter body is not worth the words that it stands elsewhere.
const SHORT: usize = 512;
/// Headers that are another at each answer, and say nothing about it.
const VOLATILE: [&str; 7] =
    ["date", "age", "x-request-id", "content-length", "transfer-encoding", "connection", "keep-alive"];

/// Bounds what a run holds.
pub fn bound(run: &mut Run) {
    let matters = Matters::of(run);
    let mut assets: HashMap<String, Place> = HashMap::new();
    let mut bodies: HashMap<String, (Place, bool)> = HashMap::new();
    for step in &mut run.steps {
        let matter = matters.has(step);
        for (request, exchange) in step.exchanges.iter_mut().enumerate() {
            let here = Place { step: step.number, request };
            if let Some((same, body)) = same_asset(exchange) {
                // What the browser had kept came without its body.
                let whole = format!("{same}\n\n{body}");
                let there = assets.get(if exchange.from_cache { &same } else { &whole });
                if let Some(there) = there {
                    exchange.as_in = Some(*there);
                    exchange.request_headers.clear();
                    exchange.response_headers.clear();
                    exchange.response_body = None;
                } else {
                    assets.insert(whole, here);
                    assets.insert(same, here);
                }
                continue;
            }
            let body = exchange.response_body.as_deref().filter(|body| body.len() > SHORT);
            if let Some(body) = body {
                // The place where it is kept whole, if there is one.
                let is_better = bodies.get(body).is_none_or(|(_, known)| matter && !known);
                if is_better {
                    bodies.insert(body.to_owned(), (here, matter));
                }
            }
        }
    }
    for step in &mut run.steps {
        let matter = matters.has(step);
        for (request, exchange) in step.exchanges.iter_mut().enumerate() {
            let Some(body) = exchange.response_body.as_mut() else { continue };
            match bodies.get(body.as_str()) {
                Some((there, _)) if *there != (Place { step: step.number, request }) => {
                    exchange.body_as_in = Some(*there);
                    exchange.response_body = None;
                }
                _ if !matter => *body = cut(body),
                _ => {}
            }
        }
    }
}

/// What two answers with a style sheet, a script or a picture have in common when they are the same, and their bodies;
/// nothing for pages and for what was not answered with what was asked for.
fn same_asset(exchange: &Exchange) -> Option<(String, &str)> {
    if !exchange.is_asset() || exchange.error.is_some() || !(200..400).contains(&exchange.status) {
        return None;
    }
    let lasting = |name: &str| !VOLATILE.iter().any(|one| one.eq_ignore_ascii_case(name));
    let headers = exchange.response_headers.iter().filter(|(name, _)| lasting(name));
    let headers: String = headers.map(|(name, value)| format!("\n{name}: {value}")).collect();
    let body = exchange.response_body.as_deref().unwrap_or_default();
    Some((format!("{} {} {}{headers}", exchange.method, exchange.url, exchange.status), body))
}

/// The beginning of a body, with how much of it is not kept.
fn cut(body: &str) -> String {
    // It may have been cut before, where it came from.
    let said = body.strip_suffix(" more bytes are not kept]").and_then(|text| text.rsplit_once("\n["));
    let (text, before) = match said.and_then(|(text, number)| Some((text, number.parse::<usize>().ok()?))) {
        Some(said) => said,
        None => (body, 0),
    };
    match beginning(text, BODY) {
        (_, 0) => body.to_owned(),
        (kept, left) => format!("{kept}\n[{} more bytes are not kept]", left.saturating_add(before)),
    }
}

/// How much of a run was bounded, in sentences; none where everything stands where it was seen.
pub fn told(run: &Run) -> Vec<String> {
    let exchanges = || run.steps.iter().flat_map(|step| &step.exchanges);
    let cut = |exchange: &&Exchange| {
        exchange.response_body.as_deref().is_some_and(|body| body.ends_with(" more bytes are not kept]"))
    };
    let told = [
        (
            "Style sheets, scripts and pictures that were answered as before",
            exchanges().filter(|one| one.as_in.is_some()).count(),
            "Their headers and bodies stand at the first of each.",
        ),
        (
            "Answers whose body stands elsewhere in the run",
            exchanges().filter(|one| one.body_as_in.is_some()).count(),
            "It is kept there.",
        ),
        (
            "Answers that were longer than what is kept",
            exchanges().filter(cut).count(),
            "Of pages that is the first 32 KiB, in steps that show no failure the first 4 KiB, and of style sheets and \
             scripts the first 512 bytes.",
        ),
    ];
    let said = told.into_iter().filter(|(_, number, _)| *number > 0);
    said.map(|(what, number, rest)| format!("{what}: {number}. {rest}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cut_before_is_counted_together() {
        let long = "x".repeat(BODY + 10);
        assert_eq!(cut("short"), "short");
        assert!(cut(&long).ends_with("x\n[10 more bytes are not kept]"));
        assert!(cut(&format!("{long}\n[90 more bytes are not kept]")).ends_with("x\n[100 more bytes are not kept]"));
        let kept = "short\n[90 more bytes are not kept]";
        assert_eq!((cut(kept).as_str(), cut(&cut(&long))), (kept, cut(&long)), "cutting twice is cutting once");
    }

    #[test]
    fn an_asset_is_the_same_while_nothing_that_lasts_is_another() {
        let asset = |date: &str, policy: &str| Exchange {
            method: "GET".into(),
            url: "https://h.example/static/a.js".into(),
            kind: "script".into(),
            status: 200,
            response_headers: vec![("Date".into(), date.into()), ("content-security-policy".into(), policy.into())],
            ..Exchange::default()
        };
        let of = |exchange: &Exchange| same_asset(exchange).map(|(same, body)| format!("{same}{body}"));
        let first = of(&asset("1", "none"));
        assert!(first.is_some() && first == of(&asset("2", "none")));
        assert_ne!(first, of(&asset("1", "self")), "a header that was taken away is evidence");
        let page = Exchange { kind: "document".into(), ..asset("1", "none") };
        let failed = Exchange { status: 404, ..asset("1", "none") };
        assert_eq!((of(&page), of(&failed)), (None, None));
    }
}
