//! The state of a fabric: its words and codes, and where pages, scripts, metrics and the database say it.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the words of a status mean.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The words of each state, by its code.
    pub words: IndexMap<String, Vec<String>>,
    /// The codes that say that all is well.
    pub good: Vec<String>,
    /// The codes that say that something failed.
    pub failed: Vec<String>,
    /// The codes that say that something is under way.
    #[serde(default)]
    pub busy: Vec<String>,
    /// Where scripts read it.
    #[serde(default)]
    pub api: Vec<ApiStatus>,
    /// The metric that says it: its name, with the labels `fabric` and `state`.
    #[serde(default)]
    pub metric: Option<Metric>,
}

impl Status {
    /// The code of a word, or of a code itself.
    pub fn code(&self, word: &str) -> Option<&str> {
        let plain = |text: &str| text.trim().to_lowercase();
        let word = plain(word);
        let by_word = |(code, words): (&'_ String, &'_ Vec<String>)| {
            plain(code) == word
                || words.iter().any(|one| word == plain(one) || word.starts_with(&format!("{} ", plain(one))))
        };
        self.words.iter().find(|(code, words)| by_word((code, words))).map(|(code, _)| code.as_str())
    }
}

/// Where a script reads something of a fabric.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiStatus {
    /// The address, with `{id}` for the fabric's number.
    pub address: String,
    /// A JSON pointer.
    pub pointer: String,
}

/// A metric.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// The address of the metrics.
    pub address: String,
    /// The name of the metric, which is 1 for the state that holds.
    pub name: String,
    /// How many seconds it may lag behind the pages: targets read it anew every few seconds only.
    #[serde(default)]
    pub lag: u64,
}

/// What the target's own database says, for `--oracle-database`. Each is a query that answers with one row of one column, a
/// whole number or text; `{id}` is the fabric's number.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DatabasePlaces {
    /// The fabric's name: by it, and by `newest`, the database is known to be the target's own.
    #[serde(default)]
    pub name: Option<String>,
    /// The number of the fabric's newest operation.
    #[serde(default)]
    pub newest: Option<String>,
    /// The stored word of its state, where one is stored.
    #[serde(default)]
    pub status: Option<String>,
    /// How many stored facts contradict that all is well.
    #[serde(default)]
    pub against_good: Option<String>,
    /// When a sync last succeeded, in microseconds since 1970.
    #[serde(default)]
    pub last_success: Option<String>,
}
