//! A state as the report shows it: a colour, a shape that can be told apart in grey, and a word. The shapes are those of
//! the console's icons, on the same 16 × 16 grid.

use crate::verdict::{RunVerdict, Verdict};
use std::fmt;

const TICK: &str = r#"<circle cx="8" cy="8" r="7" fill="currentColor"/><path class="cut" d="M4.7 8.3l2.3 2.3 4.3-4.9" fill="none" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>"#;
const BANG: &str = r#"<rect x="1" y="1" width="14" height="14" rx="2.5" fill="currentColor"/><path class="cut" d="M8 4.2v4.6M8 11.7v.1" fill="none" stroke-width="2" stroke-linecap="round"/>"#;
const QUESTION: &str = r#"<path d="M5.2 5.4A2.9 2.9 0 1 1 9.4 8c-.9.5-1.4 1-1.4 2M8 13v.1" fill="none" stroke="currentColor" stroke-width="2.1" stroke-linecap="round" stroke-linejoin="round"/>"#;
const HOLLOW: &str = r#"<circle cx="8" cy="8" r="5.8" fill="none" stroke="currentColor" stroke-width="2"/>"#;
const WARNING: &str = r#"<path d="M8 1.6L15.2 14H.8z" fill="currentColor" stroke="currentColor" stroke-width="1" stroke-linejoin="round"/><path class="cut" d="M8 6v4M8 12.2v.1" fill="none" stroke-width="1.7" stroke-linecap="round"/>"#;
const STOPPED: &str = r#"<circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.9"/><path d="M3.9 12.1l8.2-8.2" stroke="currentColor" stroke-width="1.9"/>"#;

/// A state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The colour's name: `good`, `bad`, `waiting`, `off`.
    pub tone: &'static str,
    /// The word.
    pub word: &'static str,
    shape: &'static str,
}

impl Mark {
    const fn new(tone: &'static str, shape: &'static str, word: &'static str) -> Self {
        Self { tone, word, shape }
    }

    /// Of a whole run.
    pub fn of_run(verdict: RunVerdict) -> Self {
        match verdict {
            RunVerdict::Pass => Self::new("good", TICK, "Passed"),
            RunVerdict::Fail => Self::new("bad", BANG, "Failed"),
            RunVerdict::Inconclusive => Self::new("off", QUESTION, "Inconclusive"),
            RunVerdict::Invalid => Self::new("waiting", WARNING, "Invalid"),
            RunVerdict::Mismatch => Self::new("waiting", WARNING, "Profile does not fit"),
            RunVerdict::Interrupted => Self::new("off", STOPPED, "Interrupted"),
        }
    }

    /// Of a journey.
    pub fn of_journey(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::new("good", TICK, "Passed"),
            Verdict::Fail => Self::new("bad", BANG, "Failed"),
            Verdict::Inconclusive => Self::new("off", QUESTION, "Inconclusive"),
            Verdict::Skipped => Self::new("off", HOLLOW, "Skipped"),
        }
    }

    /// Of what an oracle says of a journey; nothing where there was nothing to confirm. What failed is confirmed by nobody.
    pub fn of_verified(verified: Option<bool>, verdict: Verdict) -> Option<Self> {
        verified.map(|verified| match (verified, verdict) {
            (true, Verdict::Fail) => Self::new("off", TICK, "Asked"),
            (true, _) => Self::new("good", TICK, "Verified"),
            (false, _) => Self::new("off", QUESTION, "Not verified"),
        })
    }

    /// Of a check.
    pub fn of_check(held: Option<bool>) -> Self {
        match held {
            Some(true) => Self::new("good", TICK, "Held"),
            Some(false) => Self::new("bad", BANG, "Did not hold"),
            None => Self::new("off", QUESTION, "Could not be told"),
        }
    }

    /// Of a claim of success, or of an effect that was looked for.
    pub fn of_answer(answer: Option<bool>, yes: &'static str, no: &'static str, unknown: &'static str) -> Self {
        match answer {
            Some(true) => Self::new("good", TICK, yes),
            Some(false) => Self::new("bad", BANG, no),
            None => Self::new("off", QUESTION, unknown),
        }
    }

    /// Of a layer, by the hypothesis that it is where the path breaks.
    pub fn of_layer(breaks: Option<Option<bool>>) -> Self {
        match breaks {
            Some(Some(true)) => Self::new("bad", BANG, "Breaks here"),
            Some(Some(false)) => Self::new("good", TICK, "Holds"),
            Some(None) => Self::new("off", QUESTION, "Could not be told"),
            None => Self::new("off", HOLLOW, "Not probed"),
        }
    }

    /// Of what was put back after the run.
    pub fn of_cleanup(restored: bool) -> Self {
        if restored { Self::new("good", TICK, "As before") } else { Self::new("bad", BANG, "Left behind") }
    }

    /// A step that shows what was found wrong.
    pub const SHOWS_IT: Self = Self::new("bad", BANG, "Shows the failure");
    /// A step that could not be done.
    pub const NOT_DONE: Self = Self::new("waiting", WARNING, "Could not be done");

    /// The drawing alone, for where the word stands beside it already.
    pub fn icon(&self) -> Icon {
        Icon(self.shape)
    }
}

/// The drawing of a mark.
pub struct Icon(&'static str);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<svg class=\"icon\" viewBox=\"0 0 16 16\" aria-hidden=\"true\">{}</svg>", self.0)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<span class=\"mark tone-{}\">{}<span>{}</span></span>", self.tone, self.icon(), self.word)
    }
}

// Both are made of what stands in this file.
impl askama::filters::HtmlSafe for Icon {}
impl askama::filters::HtmlSafe for Mark {}
