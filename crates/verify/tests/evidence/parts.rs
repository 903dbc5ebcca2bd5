//! The parts of the sample: pages, forms, steps, checks, at milliseconds after its start.

use super::sample::{FORGOTTEN, SITE};
use jiff::{Timestamp, ToSpan};
use verify::exchange::Exchange;
use verify::results::{Check, CheckKind, JourneyResult, Path, Step};
use verify::verdict::Verdict;

/// A moment of the run.
pub fn at(ms: i64) -> Timestamp {
    let start: Timestamp = "2026-03-02T14:05:09.120Z".parse().unwrap();
    start + ms.milliseconds()
}

/// Header lines.
pub fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A page that was asked for.
pub fn get(ms: i64, path: &str, status: u16, body: &str) -> Exchange {
    Exchange {
        started: at(ms),
        ms: 84,
        method: "GET".into(),
        url: format!("{SITE}{path}"),
        kind: "document".into(),
        request_headers: pairs(&[
            ("host", "hedgerow.example.net"),
            ("cookie", &format!("hedgerow_session={FORGOTTEN}; theme=dark")),
            ("accept", "text/html,*/*;q=0.8"),
        ]),
        status,
        response_headers: pairs(&[
            ("content-type", "text/html; charset=utf-8"),
            ("x-request-id", "01J9Z3Q8"),
            (
                "set-cookie",
                &format!(
                    "hedgerow_session={FORGOTTEN}; Path=/; HttpOnly; Secure; SameSite=Lax; Expires=Wed, 04 Mar 2026 14:05:09 GMT"
                ),
            ),
        ]),
        response_body: Some(body.to_owned()),
        response_bytes: body.len() as u64,
        ..Exchange::default()
    }
}

/// A form that was sent.
pub fn post(ms: i64, path: &str, status: u16, location: &str, body: &str) -> Exchange {
    let mut exchange = get(ms, path, status, body);
    exchange.method = "POST".into();
    exchange.request_headers.extend(pairs(&[("content-type", "application/x-www-form-urlencoded"), ("origin", SITE)]));
    exchange.request_body = Some("csrfmiddlewaretoken=[redacted]&next=%2Ffabrics%2F&username=ada+l".into());
    if !location.is_empty() {
        exchange.response_headers.push(("location".into(), location.into()));
    }
    exchange
}

/// A step of the user's path.
pub fn step(number: usize, journey: &str, who: &str, ms: i64, took: u64, what: &str, exchanges: Vec<Exchange>) -> Step {
    let last = exchanges.last();
    Step {
        number,
        journey: journey.into(),
        path: Path::User,
        who: who.into(),
        what: what.into(),
        started: at(ms),
        ms: took,
        url: last.map_or(String::new(), |one| one.url.clone()),
        status: last.map_or(0, |one| one.status),
        title: "lab-1 · Hedgerow".into(),
        message: String::new(),
        obstacle: None,
        exchanges,
        console: Vec::new(),
        screenshot: None,
        accessible_tree: None,
    }
}

/// The same by a browser, with its picture.
pub fn seen(mut step: Step) -> Step {
    step.screenshot = Some(format!("steps/{:04}.png", step.number));
    step.accessible_tree = Some(format!("steps/{:04}.tree.json", step.number));
    step
}

/// A check.
pub fn check(
    kind: CheckKind,
    expected: &str,
    observed: &str,
    held: Option<bool>,
    ms: i64,
    step: Option<usize>,
) -> Check {
    Check { kind, expected: expected.into(), observed: observed.into(), held, at: at(ms), step }
}

/// A journey without checks.
pub fn journey(
    name: &str,
    driver: &str,
    verdict: Verdict,
    sentence: &str,
    ms: (i64, u64),
    steps: (usize, usize),
) -> JourneyResult {
    let proves = match name {
        "login" => "A person with a good password gets in, and one with a bad password is told why not.",
        "sync" => "A press on “Sync to Kubernetes” brings the fabric to what Git says, and the page says so only then.",
        "status" => "The state of the fabric is the same on every page, and is what the cluster holds.",
        "session-end" => "The end of a session is told, and nothing that was typed is lost.",
        _ => "A running operation can be cancelled, and writes nothing afterwards.",
    };
    JourneyResult {
        name: name.into(),
        proves: proves.into(),
        driver: driver.into(),
        verdict,
        verified: None,
        sentence: sentence.into(),
        finding: None,
        checks: Vec::new(),
        measured: Vec::new(),
        started: at(ms.0),
        ms: ms.1,
        first_step: steps.0,
        steps: steps.1,
    }
}
