//! What the pages of accounts are made of: a list, a page of one object, a form, and a confirmation.

use super::errors::Errors;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::tokens::Row as TokenRow;
use crate::parts::field::Field;
use crate::parts::markup;
use crate::parts::{Badge, ChangesPanel, Chips, Choice, Fact, Notice, Pager, SessionRow};
use crate::url;
use crate::when::When;
use askama::Template;
use store::Named;

/// What stands in one cell of a list.
pub enum Cell {
    Text(String),
    Mark(Badge),
    At(When),
}

/// One row of a list.
pub struct Row {
    pub href: String,
    pub name: String,
    pub cells: Vec<Cell>,
}

/// A filter with a few values.
pub struct Filter {
    pub name: &'static str,
    pub label: &'static str,
    pub options: Vec<Choice>,
}

/// A list of users, groups or permissions.
#[derive(Template)]
#[template(path = "accounts_list.html")]
pub struct Roster {
    pub frame: Frame,
    pub title: &'static str,
    pub sections: Vec<Choice>,
    pub add: Option<Choice>,
    pub path: String,
    pub search: String,
    pub filters: Vec<Filter>,
    pub chips: Chips,
    pub columns: Vec<&'static str>,
    pub rows: Vec<Row>,
    pub empty: String,
    pub pager: Pager,
}

/// One line of a list on a page.
pub struct Item {
    pub label: String,
    pub href: Option<String>,
    pub note: String,
}

/// A list on a page.
pub struct ItemList {
    pub id: &'static str,
    pub title: String,
    pub items: Vec<Item>,
    pub empty: String,
}

/// What can be done on a page.
pub struct Deed {
    pub label: String,
    pub href: String,
    pub is_danger: bool,
}

/// The page of one user, group or permission.
#[derive(Template)]
#[template(path = "accounts_object.html")]
pub struct Sheet {
    pub frame: Frame,
    pub title: String,
    pub mark: Option<Badge>,
    pub sections: Vec<Choice>,
    pub deeds: Vec<Deed>,
    pub facts: Vec<Fact>,
    pub text: Option<(String, String)>,
    pub lists: Vec<ItemList>,
    /// The open sessions of a user, for whoever may end them, and where.
    pub sessions: Option<(Vec<SessionRow>, String)>,
    /// A user's API tokens, each with the address that revokes it.
    pub tokens: Option<Vec<(TokenRow, String)>>,
    pub changes: Option<ChangesPanel>,
}

/// One box of several.
pub struct Tick {
    pub value: String,
    pub label: String,
    pub checked: bool,
}

/// Boxes that belong together.
#[derive(Template)]
#[template(path = "parts/ticks.html")]
pub struct Ticks {
    pub name: &'static str,
    pub legend: &'static str,
    pub help: String,
    pub options: Vec<Tick>,
    pub empty: &'static str,
    pub error: Option<String>,
}

markup!(Ticks);

impl Ticks {
    pub fn of(
        (name, legend): (&'static str, &'static str),
        all: Vec<Named>,
        chosen: &[i64],
        empty: &'static str,
        errors: &Errors,
    ) -> Self {
        let tick =
            |named: Named| Tick { checked: chosen.contains(&named.id), value: named.id.to_string(), label: named.name };
        let options = all.into_iter().map(tick).collect();
        Self { name, legend, help: String::new(), options, empty, error: errors.of(name) }
    }
}

/// A form.
#[derive(Template)]
#[template(path = "accounts_form.html")]
pub struct Form {
    pub frame: Frame,
    pub title: String,
    pub action: String,
    pub lead: String,
    pub fields: Vec<Field>,
    pub ticks: Vec<Ticks>,
    pub errors: Vec<(String, String)>,
    pub notice: Option<Notice>,
    /// The actor's own password, when the change needs it.
    pub password: Option<Field>,
    pub submit: String,
    pub cancel: String,
}

/// The page before something is deleted.
#[derive(Template)]
#[template(path = "accounts_delete.html")]
pub struct Delete {
    pub frame: Frame,
    pub title: String,
    pub lead: String,
    pub facts: Vec<Fact>,
    pub action: String,
    pub submit: String,
    pub cancel: String,
    pub notice: Option<Notice>,
    /// The actor's own password, when the change needs it.
    pub password: Option<Field>,
}
