//! Where pages say what the switches run, and what their words mean.

use super::Css;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the fabric's page, and an object's own, say of each switch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchPlaces {
    /// One switch, on either page.
    pub row: Css,
    /// The attribute of the row that holds the switch's name.
    pub name: String,
    /// The word of its state, in the row.
    pub state: Css,
    /// Words that say that it runs what it was given.
    pub applied: Vec<String>,
    /// Words that say that it is alive and does not run it yet.
    pub waiting: Vec<String>,
}

impl SwitchPlaces {
    /// Whether this word says that the switch runs what it was given.
    pub fn is_applied(&self, word: &str) -> bool {
        is_of(&self.applied, word)
    }

    /// Whether this word says that the switch does not run it yet.
    pub fn is_waiting(&self, word: &str) -> bool {
        is_of(&self.waiting, word)
    }
}

/// Whether a word is one of these, without regard to case and white space.
fn is_of(words: &[String], word: &str) -> bool {
    words.iter().any(|one| one.trim().to_lowercase() == word.trim().to_lowercase())
}
