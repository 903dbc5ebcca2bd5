//! A step as the report shows it: closed, one line; open, every request with its answer, what the page said, and its picture.

use super::mark::Mark;
use super::picture::{Picture, Pictures};
use crate::evidence::words::{beginning, clock_time, length, size};
use crate::exchange::Exchange;
use crate::results::{Path, Run, Step};

/// So much of a body is in the report, of a step that matters; the rest is in `results.json`.
const BODY: usize = 8 * 1024;
/// So much of another step's.
const BRIEF: usize = 2 * 1024;
/// So much of a style sheet, a script or a picture.
const ASSET: usize = 1024;

/// A step.
pub struct StepView<'a> {
    /// The step.
    pub step: &'a Step,
    /// What marks it.
    pub mark: Option<Mark>,
    /// The time of day.
    pub at: String,
    /// How long it took.
    pub took: String,
    /// The path, in a word.
    pub path: &'static str,
    /// Its requests.
    pub exchanges: Vec<ExchangeView<'a>>,
    /// How many more were answered as before.
    pub repeated: usize,
    /// Its picture.
    pub picture: Option<Picture>,
}

/// A request with its answer.
pub struct ExchangeView<'a> {
    /// The exchange.
    pub exchange: &'a Exchange,
    /// The path of the address.
    pub path: String,
    /// The colour of its status.
    pub tone: &'static str,
    /// The status with its name.
    pub status: String,
    /// How long it took, and how much came.
    pub facts: String,
    /// Where a redirect leads.
    pub location: Option<&'a str>,
    /// What was sent.
    pub sent: Option<Body<'a>>,
    /// What came.
    pub came: Option<Body<'a>>,
    /// The step that has the body, where it is the same.
    pub body_in: Option<usize>,
}

/// The beginning of a body.
pub struct Body<'a> {
    /// What is shown.
    pub text: &'a str,
    /// What is left out, in words.
    pub left: Option<String>,
}

impl<'a> StepView<'a> {
    /// Of a step of a run.
    pub fn new(run: &Run, step: &'a Step, pictures: &mut Pictures) -> Self {
        let most = if pictures.matters.has(step) { BODY } else { BRIEF };
        let (repeated, told): (Vec<&Exchange>, Vec<&Exchange>) =
            step.exchanges.iter().partition(|exchange| exchange.as_in.is_some());
        Self {
            step,
            mark: mark(run, step),
            at: clock_time(step.started),
            took: length(step.ms),
            path: word(step.path),
            exchanges: told.into_iter().map(|exchange| ExchangeView::new(exchange, most)).collect(),
            repeated: repeated.len(),
            picture: step.screenshot.as_deref().map(|name| pictures.take(step, name)),
        }
    }
}

/// The name of a path.
pub fn word(path: Path) -> &'static str {
    match path {
        Path::User => "user's path",
        Path::Direct => "direct path",
        Path::Oracle => "oracle",
    }
}

/// What marks a step: that a finding or a check that did not hold points at it, or that it could not be done.
pub fn mark(run: &Run, step: &Step) -> Option<Mark> {
    let findings = run.journeys.iter().filter_map(|journey| journey.finding.as_ref()).chain(&run.finding);
    let checks = run.journeys.iter().flat_map(|journey| &journey.checks).chain(&run.preconditions);
    let mut shown = findings.filter_map(|finding| finding.step);
    let mut unheld = checks.filter(|check| check.held == Some(false)).filter_map(|check| check.step);
    if shown.any(|number| number == step.number) || unheld.any(|number| number == step.number) {
        return Some(Mark::SHOWS_IT);
    }
    step.obstacle.is_some().then_some(Mark::NOT_DONE)
}

impl<'a> ExchangeView<'a> {
    fn new(exchange: &'a Exchange, most: usize) -> Self {
        let most = if exchange.is_asset() && exchange.status < 400 { ASSET } else { most };
        let name = http::StatusCode::from_u16(exchange.status).ok().and_then(|status| status.canonical_reason());
        let status = match (exchange.status, name) {
            (0, _) => "no answer".to_owned(),
            (status, Some(name)) => format!("{status} {name}"),
            (status, None) => status.to_string(),
        };
        let location = exchange.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        let facts = match exchange.status {
            0 => length(exchange.ms),
            _ if exchange.from_cache => "out of the browser's cache".to_owned(),
            _ => format!("{}, {}", length(exchange.ms), size(exchange.response_bytes)),
        };
        Self {
            exchange,
            path: exchange.path(),
            tone: match exchange.status {
                100..300 => "good",
                300..400 => "plain",
                400..500 => "waiting",
                _ => "bad",
            },
            status,
            facts,
            location: location.map(|(_, value)| value.as_str()),
            sent: exchange.request_body.as_deref().map(|body| Body::new(body, most)),
            came: exchange.response_body.as_deref().filter(|body| !body.is_empty()).map(|body| Body::new(body, most)),
            body_in: exchange.body_as_in.map(|there| there.step),
        }
    }
}

impl<'a> Body<'a> {
    fn new(body: &'a str, most: usize) -> Self {
        let (text, left) = beginning(body, most);
        Self { text, left: (left > 0).then(|| size(left as u64)) }
    }
}
