//! The parts that pages are put together from: each a small value with its own markup, free of any database or
//! engine, so that a page can be rendered from sample values.

pub mod badge;
pub mod changes;
pub mod code;
pub mod columns;
pub mod compare;
pub mod derive;
pub mod field;
pub mod finding;
pub mod head;
pub mod list;
pub mod notice;
pub mod session_row;
pub mod stages;
pub mod verdict;
pub mod yaml;

pub use badge::{Badge, Tone};
pub use changes::ChangesPanel;
pub use code::code_word;
pub use finding::FindingLine;
pub use head::{Head, Tabs, VerbForm};
pub use list::{Chip, Chips, Choice, OperationRow, OperationsTable, Pager};
pub use notice::Notice;
pub use session_row::SessionRow;
pub use stages::{RailMarks, Stage, StageRail};

use crate::when::When;

/// One line of a list of names and values.
#[derive(Debug, Clone)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// Its value; may be empty when the time says it all.
    pub value: String,
    /// A time that follows the value.
    pub when: Option<When>,
}

impl Fact {
    /// A fact without a time.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into(), when: None }
    }

    /// A fact that is a time, or a word when there is none.
    pub fn at(name: impl Into<String>, when: Option<When>, otherwise: &str) -> Self {
        let value = if when.is_some() { String::new() } else { otherwise.to_owned() };
        Self { name: name.into(), value, when }
    }
}

/// Marks a part's own markup as ready for a page.
macro_rules! markup {
    ($($part:ty),*) => { $( impl askama::filters::HtmlSafe for $part {} )* };
}
pub(crate) use markup;
