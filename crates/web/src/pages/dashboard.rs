//! The dashboard: every fabric the user may see, with its state, its stages and what differs.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Badge, Chips, Pager, RailMarks};
use crate::url;
use crate::when::When;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "dashboard.html")]
pub struct Page {
    pub frame: Frame,
    pub summary: String,
    pub can_add: bool,
    pub chips: Chips,
    pub rows: Vec<Row>,
    pub empty: String,
    pub pager: Pager,
}

/// One fabric.
pub struct Row {
    pub href: String,
    pub name: String,
    pub description: String,
    pub state: Badge,
    pub marks: RailMarks,
    pub sentence: String,
    pub verified: Option<When>,
    pub last_sync: Option<When>,
}
