//! The two pages that confirm by a typed name: deleting a fabric, and accepting another cluster behind it.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Fact, Head, Notice, Tabs};
use crate::url;
use askama::Template;

/// What the page shows before a fabric is deleted.
#[derive(Template)]
#[template(path = "fabric_delete.html")]
pub struct DeletePage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub dependents: Vec<Fact>,
    pub typed: String,
    pub error: Option<Notice>,
}

/// What the page shows when another cluster answers.
#[derive(Template)]
#[template(path = "confirm_cluster.html")]
pub struct ConfirmPage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub changed: bool,
    pub remembered: String,
    pub answering: String,
    pub typed: String,
    pub error: Option<Notice>,
}
