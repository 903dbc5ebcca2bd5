//! One object: its differing fields first, then desired and live beside each other, then where it stands.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::compare::SideBlock;
use crate::parts::{Badge, Fact, Head, Notice, Tabs};
use crate::url;
use crate::when::When;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "object.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kind: String,
    pub name: String,
    pub state: Badge,
    pub unconfirmed: bool,
    pub notices: Vec<Notice>,
    pub fields: Vec<FieldRow>,
    pub fields_empty: String,
    pub sides: Vec<SideBlock>,
    pub sides_note: String,
    pub sides_empty: String,
    pub patch: String,
    pub facts: Vec<Fact>,
    pub rollout: Vec<RolloutRow>,
    pub rollout_summary: String,
    pub rollout_empty: String,
    pub server_href: String,
}

/// One field that differs.
pub struct FieldRow {
    pub path: String,
    pub live: Option<String>,
    pub desired: Option<String>,
    pub by: String,
    pub when: Option<When>,
}

/// One switch that runs the object, or does not.
pub struct RolloutRow {
    pub name: String,
    pub state: Badge,
    pub generations: String,
}

/// What the page with the server's answer shows.
#[derive(Template)]
#[template(path = "server_view.html")]
pub struct ServerPage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kind: String,
    pub name: String,
    pub object_href: String,
    pub notices: Vec<Notice>,
    pub fields: Vec<FieldRow>,
}
