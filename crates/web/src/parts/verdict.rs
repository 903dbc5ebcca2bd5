//! What a run of the console's own monitor found, as colour, icon and word, and the last runs as a strip of marks. The
//! words are those of `verify::monitor`; a test of the program holds that none is missing here.

use super::{Badge, Tone, markup};
use crate::icon::Icon;
use crate::when::When;
use askama::Template;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::VerifyRun;

/// How many marks a strip has at most.
pub const STRIP: u32 = 24;

/// The badge of a verdict's word; of a word that nobody knows it is the question mark.
pub fn badge(code: &str) -> Badge {
    let (tone, icon, word) = match code {
        "pass" => (Tone::Good, Icon::Tick, "Passed"),
        "unverified" => (Tone::Off, Icon::Half, "Held, not verified"),
        "fail" => (Tone::Bad, Icon::Bang, "Failed"),
        "inconclusive" => (Tone::Stale, Icon::Question, "Inconclusive"),
        "invalid" => (Tone::Bad, Icon::Unplugged, "Invalid"),
        "mismatch" => (Tone::Bad, Icon::Clash, "Profile does not fit"),
        "skipped" => (Tone::Off, Icon::Stopped, "Skipped"),
        _ => (Tone::Stale, Icon::Question, "Unknown"),
    };
    Badge::new(tone, icon, word)
}

/// The word for people of a verdict's word, as the pages show it.
pub fn word(code: &str) -> String {
    badge(code).word
}

/// One journey of a run, as the monitor keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// Who walked.
    pub driver: String,
    /// The word of its verdict.
    pub verdict: String,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The code of the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Which of the nine failure points it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_point: Option<u8>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub ms: u64,
}

impl Journey {
    /// Its badge.
    pub fn badge(&self) -> Badge {
        badge(&self.verdict)
    }

    /// Whether somebody has to look.
    fn is_open(&self) -> bool {
        matches!(self.verdict.as_str(), "fail" | "inconclusive")
    }
}

/// The journeys of a run; one that a later release has written otherwise is left out.
pub fn journeys(run: &VerifyRun) -> Vec<Journey> {
    let all = run.journeys.as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

/// What a run found: its sentence, and each journey that somebody has to look at with what to do.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/verdict.html")]
pub struct Found {
    /// The run's verdict in a sentence.
    pub sentence: String,
    /// What to do, where no journey says it.
    pub what_to_do: Option<String>,
    /// The code of the cause with its failure point, where no journey says it.
    pub cause: Option<String>,
    /// Which of the nine failure points it is.
    pub failure_point: Option<u8>,
    /// The journeys that did not pass.
    pub open: Vec<Journey>,
    /// How many in a row were not good, when there are several, and since when.
    pub in_a_row: Option<(u32, When)>,
}

impl Found {
    /// What a run found.
    pub fn of(run: &VerifyRun, now: Timestamp) -> Self {
        let open: Vec<Journey> = journeys(run).into_iter().filter(Journey::is_open).collect();
        let said = open.iter().any(|one| one.cause.is_some());
        let row = run.row.since.filter(|_| run.row.count > 1);
        Self {
            sentence: run.sentence.clone(),
            what_to_do: run.what_to_do.clone().filter(|_| !said),
            cause: run.cause.clone().filter(|_| !said),
            failure_point: run.failure_point.filter(|_| !said),
            open,
            in_a_row: row.map(|since| (run.row.count, When::new(since, now))),
        }
    }
}

/// One run of a strip.
#[derive(Debug, Clone)]
pub struct StripMark {
    /// Its badge.
    pub badge: Badge,
    /// The word, the time and the sentence, for a pointer that rests on it and for those who cannot see it.
    pub title: String,
}

/// The last runs, the newest at the right.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/verdict_strip.html")]
pub struct Strip {
    /// The runs, the oldest first.
    pub marks: Vec<StripMark>,
}

impl Strip {
    /// A strip of these runs, which come newest first.
    pub fn of<'a>(runs: impl IntoIterator<Item = &'a VerifyRun>) -> Self {
        let mark = |run: &VerifyRun| {
            let badge = badge(&run.verdict);
            let at = run.ended_at.strftime("%Y-%m-%d %H:%M:%S UTC");
            let title = format!("{}, {at}: {}", badge.word, run.sentence);
            StripMark { badge, title }
        };
        let mut marks: Vec<StripMark> = runs.into_iter().take(STRIP as usize).map(mark).collect();
        marks.reverse();
        Self { marks }
    }
}

markup!(Found, Strip);
