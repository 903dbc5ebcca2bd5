//! The objects of a fabric: filtered, sorted and paged, with all of that in the address.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Badge, Chips, Choice, Head, Pager, Tabs};
use crate::url;
use askama::Template;

/// What the page shows.
#[derive(Template)]
#[template(path = "objects.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kinds: Vec<Choice>,
    pub states: Vec<Choice>,
    pub name: String,
    pub sort: String,
    pub chips: Chips,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub empty: String,
    pub pager: Pager,
}

/// One column's head.
pub struct Column {
    pub label: String,
    pub href: Option<String>,
    pub sorted: Option<&'static str>,
    pub may_hide: bool,
}

/// One object.
pub struct Row {
    pub href: String,
    pub name: String,
    pub sub: String,
    pub state: Badge,
    pub unconfirmed: bool,
    pub cells: Vec<String>,
    pub place: String,
}
