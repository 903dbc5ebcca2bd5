//! The head of the report: the verdict, and under which conditions it holds.

use super::mark::Mark;
use crate::evidence::words::{clock_time, count, length, moment, ms_between};
use crate::results::{Clock, Run};
use crate::verdict::Verdict;

/// The head.
pub struct Summary {
    /// The verdict.
    pub mark: Mark,
    /// What the verdict is about, name and value.
    pub facts: Vec<(&'static str, String)>,
    /// Versions of everything.
    pub versions: Vec<(String, String)>,
    /// Clocks of others: whose, how far off, what it said, what ours said.
    pub clocks: Vec<(String, String, String)>,
    /// How many journeys came to what.
    pub counts: Vec<(Mark, usize)>,
}

impl Summary {
    /// Of a run.
    pub fn new(run: &Run) -> Self {
        let (target, given) = (&run.target, &run.conditions);
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let took = length(ms_between(run.started, run.ended));
        let facts = vec![
            ("Target", target.url.clone()),
            ("Product", or(&target.product, "not recognised")),
            ("Profile", target.profile.clone()),
            ("User", or(&target.username, "none")),
            ("Fabric", target.fabric.clone().unwrap_or_else(|| "none was used".to_owned())),
            ("Began", moment(run.started)),
            ("Took", format!("{took} of at most {}", length(given.max_seconds.saturating_mul(1000)))),
            ("Requests", format!("{} of at most {}", run.requests, given.max_requests)),
            ("Drivers", or(&given.drivers.join(", "), "none")),
            ("Oracles", or(&given.oracles.join(", "), "none: not verified")),
            ("Changes", (if given.allow_sync { "allowed" } else { "not allowed" }).to_owned()),
            ("Run", run.id.clone()),
        ];
        let verdicts = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass, Verdict::Skipped];
        let number = |verdict| run.journeys.iter().filter(|journey| journey.verdict == verdict).count();
        let counts = verdicts.map(|verdict| (Mark::of_journey(verdict), number(verdict)));
        Self {
            mark: Mark::of_run(run.verdict),
            facts,
            versions: run.versions.iter().map(|one| (one.of.clone(), one.version.clone())).collect(),
            clocks: run.clocks.iter().map(clock).collect(),
            counts: counts.into_iter().filter(|(_, number)| *number > 0).collect(),
        }
    }

    /// "2 journeys", for the heading.
    pub fn journeys(&self) -> String {
        self.of_journeys(self.counts.iter().map(|(_, number)| number).sum())
    }

    /// So many readings, in words.
    pub fn of_readings(&self, number: usize) -> String {
        count(number, "reading", "readings")
    }

    /// So many pictures are, in words.
    pub fn of_pictures(&self, number: usize) -> String {
        count(number, "picture is", "pictures are")
    }

    /// So many journeys, in words.
    pub fn of_journeys(&self, number: usize) -> String {
        count(number, "journey", "journeys")
    }
}

fn clock(clock: &Clock) -> (String, String, String) {
    let off = match clock.ahead_ms.unsigned_abs() {
        // A Date header has whole seconds.
        0..=1000 => "agrees within a second".to_owned(),
        ms if clock.ahead_ms > 0 => format!("{} ahead of ours", length(ms)),
        ms => format!("{} behind ours", length(ms)),
    };
    (clock.of.clone(), off, format!("said {} at our {}", clock_time(clock.said), clock_time(clock.ours)))
}
