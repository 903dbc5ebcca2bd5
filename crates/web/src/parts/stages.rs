//! The stage rail *saved → accepted → live → applied*: large on a fabric's page, four small marks in lists.

use super::{Tone, markup};
use crate::icon::Icon;
use crate::when::When;
use askama::Template;

/// How a stage stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Reached.
    Done,
    /// The first one that is not reached: it carries the reason.
    Loud,
    /// After the loud one.
    Later,
    /// Its evidence is too old.
    Stale,
}

/// One of the four stages.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The stage's name.
    pub name: &'static str,
    /// How it stands out.
    pub weight: Weight,
    /// Its colour.
    pub tone: Tone,
    /// Its shape.
    pub icon: Icon,
    /// The count or the commit.
    pub count: String,
    /// When it was reached, or when the evidence was taken.
    pub when: Option<When>,
    /// Why it is not reached; empty when it is.
    pub why: String,
    /// Where its evidence stands.
    pub href: Option<String>,
}

impl Stage {
    fn class(&self) -> &'static str {
        match self.weight {
            Weight::Done => "done",
            Weight::Loud => "loud",
            Weight::Later => "later",
            Weight::Stale => "stale",
        }
    }

    fn summary(&self) -> String {
        let mut text = format!("{}: {}", self.name, self.count);
        if !self.why.is_empty() {
            text.push_str(", ");
            text.push_str(&self.why);
        }
        text
    }
}

/// The rail on a fabric's page.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/rail.html")]
pub struct StageRail {
    /// The four stages, in order.
    pub stages: Vec<Stage>,
}

/// The rail in a list.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/rail_marks.html")]
pub struct RailMarks {
    /// The four stages, in order.
    pub stages: Vec<Stage>,
}

markup!(StageRail, RailMarks);
