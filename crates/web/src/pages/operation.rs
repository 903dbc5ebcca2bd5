//! One operation: its phases, the outcome of every object with failures on top, and how to cancel it. It reads the
//! same when it is over.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Badge, Choice, Fact, Notice, Pager, Tone};
use crate::url;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "operation.html")]
pub struct Page {
    pub frame: Frame,
    pub id: i64,
    pub title: String,
    pub fabric_id: i64,
    pub fabric_name: String,
    pub state: Badge,
    pub sentence: String,
    pub cancel: Option<Cancel>,
    pub notices: Vec<Notice>,
    pub phases: Vec<PhaseLine>,
    pub deadline: String,
    pub outcomes: Vec<OutcomeRow>,
    pub outcomes_summary: String,
    pub outcomes_empty: String,
    pub choices: Vec<Choice>,
    pub pager: Pager,
    pub facts: Vec<Fact>,
    pub report: Option<Vec<Fact>>,
}

/// The button that cancels.
pub struct Cancel {
    pub why_not: Option<String>,
}

/// One phase.
pub struct PhaseLine {
    pub phase: String,
    pub state: String,
    pub tone: Tone,
    pub icon: Icon,
    pub title: String,
    pub word: String,
    pub done: u64,
    pub total: u64,
    pub count: String,
    pub detail: String,
    pub took: String,
}

/// What became of one object.
pub struct OutcomeRow {
    pub key: String,
    pub href: String,
    pub name: String,
    pub kind: String,
    pub outcome: Badge,
    pub message: String,
    pub code: Option<String>,
    pub overwrote: Vec<String>,
    pub verified: Badge,
    pub attempts: u32,
}
