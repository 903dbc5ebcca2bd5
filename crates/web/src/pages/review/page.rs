//! What the review shows, as values for its template.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Badge, Choice, FindingLine, Head, Notice, Pager, Tabs, Tone};
use crate::url;
use crate::when::When;
use askama::Template;

/// The page.
#[derive(Template)]
#[template(path = "review.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub notices: Vec<Notice>,
    /// Where the run is asked for.
    pub action: String,
    /// This page.
    pub review: String,
    /// The key that makes a repeated press the same request.
    pub key: String,
    /// The comparison that is shown.
    pub comparison: Option<i64>,
    /// When it read the cluster.
    pub age: Option<When>,
    pub commit: String,
    pub summary: Vec<Sum>,
    /// Why the run would end before its first write.
    pub stop: Option<Notice>,
    /// Why no run can be asked for.
    pub why_not: Option<String>,
    /// Kinds to choose; empty where objects were chosen.
    pub kinds: Vec<Choice>,
    pub kinds_open: bool,
    pub is_selection: bool,
    /// Choices without a box on this page.
    pub kept: Vec<(&'static str, String)>,
    pub kept_words: String,
    pub changes: Vec<Change>,
    pub empty: String,
    pub findings: Vec<FindingLine>,
    pub findings_total: usize,
    /// Whether addresses of links may go, where a write would take some away.
    pub addresses: Option<bool>,
    pub prune: Option<Prune>,
    pub pager: Pager,
}

/// One number of what a run would do.
pub struct Sum {
    pub tone: Tone,
    pub count: u64,
    pub words: &'static str,
}

impl Sum {
    pub fn new(tone: Tone, count: u64, words: &'static str) -> Self {
        Self { tone, count, words }
    }
}

/// One object of the list.
pub struct Change {
    pub id: String,
    pub key: String,
    pub href: String,
    pub name: String,
    pub kind: String,
    pub action: Badge,
    pub why: String,
    /// The fields that stand open.
    pub fields: Vec<Field>,
    /// The rest of them.
    pub folded: Vec<Field>,
    pub switches: String,
    /// Whether its box chooses it, instead of leaving it out.
    pub is_selection: bool,
    pub is_written: bool,
    pub is_left: bool,
}

/// One field that a write would change.
#[derive(Template)]
#[template(path = "parts/review_field.html")]
pub struct Field {
    /// Object and path, as the form names them.
    pub value: String,
    pub path: String,
    pub live: Option<String>,
    pub desired: Option<String>,
    pub by: String,
    pub when: Option<When>,
    /// Whether somebody else set the value in the cluster.
    pub is_overwritten: bool,
    pub is_left: bool,
}

crate::parts::markup!(Field);

/// What a run that deletes would delete.
pub struct Prune {
    pub is_chosen: bool,
    pub why_not: Option<String>,
    /// Why a run with deletions would end before its first write, where one without would not.
    pub stop: Option<Notice>,
    pub deletions: Vec<Deletion>,
    pub total: u64,
    pub kept: Vec<Deletion>,
    pub kept_total: usize,
    /// Why the fabric's name has to be typed.
    pub confirm: Option<String>,
    pub typed: String,
    /// What is wrong with what was typed.
    pub typed_error: Option<String>,
}

/// An object that would be deleted, or that stays.
pub struct Deletion {
    /// Its value in the box that leaves it out; empty where it has none.
    pub key: String,
    pub is_left: bool,
    pub name: String,
    pub kind: String,
    pub href: String,
    pub note: String,
}

/// A text as it may stand in an element's id.
pub fn slug(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}
