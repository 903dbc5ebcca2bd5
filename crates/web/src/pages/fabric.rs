//! A fabric's page: is it all right, if not what is wrong, and what can be done.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Badge, Fact, Head, Notice, OperationRow, StageRail, Tabs};
use crate::url;
use crate::when::When;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "fabric.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub rail: StageRail,
    pub tabs: Tabs,
    pub notices: Vec<Notice>,
    pub differs: Vec<Differing>,
    pub differs_total: u64,
    pub differs_href: String,
    pub differs_empty: String,
    pub counts: Counts,
    pub findings: Vec<FindingRow>,
    pub findings_total: u64,
    pub findings_empty: String,
    pub switches: Vec<SwitchLine>,
    pub switches_summary: String,
    pub switches_empty: String,
    pub operations: Vec<OperationRow>,
    pub facts: Vec<Fact>,
}

/// One object that differs.
pub struct Differing {
    pub href: String,
    pub name: String,
    pub kind: String,
    pub state: Badge,
    pub hint: String,
}

/// The objects by kind and state.
pub struct Counts {
    pub columns: Vec<String>,
    pub rows: Vec<CountRow>,
}

/// One kind.
pub struct CountRow {
    pub kind: String,
    pub href: String,
    pub cells: Vec<CountCell>,
}

/// How many objects of one kind are in one state.
pub struct CountCell {
    pub count: u64,
    pub href: Option<String>,
}

/// One finding.
pub struct FindingRow {
    pub severity: Badge,
    pub rule: String,
    pub message: String,
    pub object: Option<(String, String)>,
    pub path: Option<String>,
    pub place: String,
}

/// One switch or gateway.
pub struct SwitchLine {
    pub name: String,
    pub is_gateway: bool,
    pub state: Badge,
    pub generations: String,
    pub heartbeat: Option<When>,
}
