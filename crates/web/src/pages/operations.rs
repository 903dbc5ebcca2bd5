//! Lists of what was done: a fabric's operations, a fabric's activity, and the activity of all fabrics.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Choice, Head, OperationsTable, Pager, Tabs};
use crate::url;
use askama::Template;

/// What the pages show.
#[derive(Template)]
#[template(path = "operations.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Option<Head>,
    pub tabs: Option<Tabs>,
    pub title: String,
    pub lead: String,
    pub choices: Vec<Choice>,
    pub table: OperationsTable,
    pub empty: String,
    pub pager: Pager,
}
