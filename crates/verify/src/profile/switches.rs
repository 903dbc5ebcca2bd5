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
        self.applied.iter().any(|one| one == word)
    }

    /// Whether this word says that the switch does not run it yet.
    pub fn is_waiting(&self, word: &str) -> bool {
        self.waiting.iter().any(|one| one == word)
    }
}
