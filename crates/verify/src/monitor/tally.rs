//! What a monitor has seen so far, as Prometheus reads it.

use super::judged::{Judged, Mark};
use super::row::Row;
use jiff::Timestamp;
use metrics::verify::{JourneyFacts, VerifyFacts};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a monitor has seen since it began.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How many runs ended, by their verdict.
    pub runs: BTreeMap<&'static str, u64>,
    /// The newest run.
    pub newest: Option<Judged>,
    /// When the newest run that passed was over.
    pub last_success: Option<Timestamp>,
    /// Runs in a row that were not good.
    pub row: Row,
}

impl Tally {
    /// One more run. Gives the row before it, which says whether anybody must be told.
    pub fn add(&mut self, run: &Judged) -> Row {
        *self.runs.entry(run.verdict.code()).or_default() += 1;
        if run.verdict == Mark::Pass {
            self.last_success = Some(run.ended);
        }
        self.newest = Some(run.clone());
        let after = self.row.after_run(run);
        std::mem::replace(&mut self.row, after)
    }

    /// The text for Prometheus, where a run is due each `interval`.
    pub fn exposition(&self, interval: Duration) -> String {
        let facts = facts(self.newest.as_ref(), self.last_success, self.row.count, interval);
        metrics::verify::exposition(&facts, &self.runs)
    }
}

/// What is known of the runs against one target.
fn facts(
    newest: Option<&Judged>,
    last_success: Option<Timestamp>,
    failures_in_a_row: u32,
    interval: Duration,
) -> VerifyFacts {
    let seconds = |at: Timestamp| at.as_millisecond() as f64 / 1000.0;
    let mut facts = VerifyFacts { interval: interval.as_secs_f64(), ..VerifyFacts::default() };
    let Some(run) = newest else { return facts };
    let journey = |one: &super::JudgedJourney| JourneyFacts {
        name: one.name.clone(),
        driver: one.driver.clone(),
        verdict: one.verdict.code().to_owned(),
        seconds: one.ms as f64 / 1000.0,
    };
    facts.verdict = run.verdict.code().to_owned();
    facts.journeys = run.journeys.iter().map(journey).collect();
    facts.last_run = Some(seconds(run.ended));
    facts.last_success = last_success.map(seconds);
    facts.failures_in_a_row = failures_in_a_row;
    facts.seconds = run.ended.duration_since(run.started).as_secs_f64();
    facts
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::judged;
    use super::*;

    #[test]
    fn every_word_is_one_of_prometheus() {
        assert!(metrics::verify::RUN_VERDICTS.iter().copied().eq(Mark::OF_RUNS.map(Mark::code)));
        assert!(metrics::verify::JOURNEY_VERDICTS.iter().copied().eq(Mark::OF_JOURNEYS.map(Mark::code)));
    }

    #[test]
    fn runs_are_counted_and_only_a_pass_is_a_success() {
        let mut tally = Tally::default();
        let interval = Duration::from_secs(60);
        assert!(!tally.exposition(interval).contains("verify_verdict{"));
        for (mark, second) in [(Mark::Pass, 0), (Mark::Fail, 10), (Mark::Invalid, 20)] {
            tally.add(&judged(mark, second));
        }
        let text = tally.exposition(interval);
        for line in [
            "hedgerow_verify_runs_total{verdict=\"pass\"} 1",
            "hedgerow_verify_runs_total{verdict=\"fail\"} 1",
            "hedgerow_verify_failures_in_a_row 2",
            "hedgerow_verify_verdict{verdict=\"invalid\"} 1",
            "hedgerow_verify_last_run_timestamp_seconds 1767225622.0",
            "hedgerow_verify_last_success_timestamp_seconds 1767225602.0",
            "hedgerow_verify_run_duration_seconds 2.0",
        ] {
            assert!(text.lines().any(|said| said == line), "{line} is not in\n{text}");
        }
        assert_eq!(tally.add(&judged(Mark::Unverified, 30)).count, 2);
        let text = tally.exposition(interval);
        assert!(text.contains("hedgerow_verify_failures_in_a_row 0"), "{text}");
        assert!(text.contains("last_success_timestamp_seconds 1767225602"), "not verified is no success: {text}");
    }
}
