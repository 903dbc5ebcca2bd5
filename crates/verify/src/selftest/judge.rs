//! Whether a fault was found: by every journey that meets it, with the right verdict and the right cause. Found as
//! something else is not found.

use super::faults::{Fault, Kind};
use super::result::Planted;
use crate::cause::Cause;
use crate::results::Run;
use crate::verdict::{RunVerdict, Verdict};
use std::time::Duration;

/// Judges what a run over a planted fault found. `altered` is how often the proxy altered something, where it was to.
pub fn judge(fault: &Fault, run: &Run, altered: Option<u64>, took: Duration) -> Planted {
    let mut planted = Planted::of(fault);
    planted.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    planted.altered = altered;
    let right = |cause: Option<Cause>| cause.is_some_and(|cause| fault.causes.contains(&cause));
    let missed = match fault.kind {
        _ if altered == Some(0) => Some("it was never planted: nothing that passed was altered".to_owned()),
        Kind::Invalid => {
            let cause = run.finding.as_ref().map(|finding| finding.cause);
            (run.verdict != RunVerdict::Invalid || !right(cause))
                .then(|| format!("the run is {}: {}", run.verdict.word(), run.sentence))
        }
        Kind::Fail if run.journeys.len() < fault.journeys.len() => {
            Some(format!("the run is {}: {}", run.verdict.word(), run.sentence))
        }
        Kind::Fail => run.journeys.iter().find_map(|journey| {
            let cause = journey.finding.as_ref().map(|finding| finding.cause);
            let word = cause.map_or(journey.verdict.word(), Cause::code);
            (journey.verdict != Verdict::Fail || !right(cause))
                .then(|| format!("{}: {word}: {}", journey.name, journey.sentence))
        }),
    };
    planted.parted_at = run.discrepancy.as_ref().and_then(|found| found.parts_at);
    let missed = missed.or_else(|| {
        let wanted = fault.parts_at.filter(|layer| planted.parted_at != Some(*layer))?;
        let told = run.discrepancy.as_ref().map_or("the two paths were not walked", |found| found.sentence.as_str());
        Some(format!("the paths part at the layer {}, and that was not told: {told}", wanted.word()))
    });
    let first = run.finding.clone().or_else(|| run.journeys.iter().find_map(|journey| journey.finding.clone()));
    planted.found = first.as_ref().map(|finding| finding.cause);
    planted.observed = first.map(|finding| finding.observed).unwrap_or_default();
    planted.caught = Some(missed.is_none());
    planted.missed_because = missed;
    planted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Layer;
    use crate::results::{Conditions, Discrepancy, Finding, JourneyResult, SCHEMA, Target};
    use crate::selftest::rule::Rule;
    use jiff::Timestamp;

    fn run(verdict: RunVerdict, found: Option<Cause>, journeys: &[(Verdict, Option<Cause>)]) -> Run {
        let finding = |cause: Option<Cause>| cause.map(|cause| Finding::new(cause, "expected", "observed"));
        let journey = |(verdict, cause): &(Verdict, Option<Cause>)| JourneyResult {
            name: "sync_by_button".into(),
            proves: String::new(),
            driver: "http".into(),
            verdict: *verdict,
            verified: None,
            sentence: "it is so".into(),
            finding: finding(*cause),
            checks: Vec::new(),
            measured: Vec::new(),
            started: Timestamp::UNIX_EPOCH,
            ms: 1,
            first_step: 0,
            steps: 0,
        };
        Run {
            schema: SCHEMA,
            id: String::new(),
            verdict,
            exit_code: 1,
            sentence: "it is so".into(),
            finding: finding(found),
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            target: Target::default(),
            conditions: Conditions::default(),
            versions: Vec::new(),
            clocks: Vec::new(),
            preconditions: Vec::new(),
            journeys: journeys.iter().map(journey).collect(),
            discrepancy: None,
            steps: Vec::new(),
            readings: Vec::new(),
            leaks: Vec::new(),
            cleanup: Vec::new(),
            requests: 1,
        }
    }

    fn fault() -> Fault {
        let fault = Fault::new("nothing_done", "Nothing is done.", &["sync_by_button"]).fails(Cause::NoEffect);
        fault.rule(|_| Rule::on("POST", "").cut())
    }

    fn caught(fault: &Fault, run: &Run, altered: Option<u64>) -> bool {
        judge(fault, run, altered, Duration::from_millis(5)).caught == Some(true)
    }

    #[test]
    fn found_as_something_else_is_not_found() {
        let right = run(RunVerdict::Fail, Some(Cause::NoEffect), &[(Verdict::Fail, Some(Cause::NoEffect))]);
        assert!(caught(&fault(), &right, Some(1)));
        assert!(!caught(&fault(), &right, Some(0)), "what was never planted was found by mistake");
        let other = run(RunVerdict::Fail, Some(Cause::Stuck), &[(Verdict::Fail, Some(Cause::Stuck))]);
        let judged = judge(&fault(), &other, Some(1), Duration::ZERO);
        assert_eq!((judged.caught, judged.found), (Some(false), Some(Cause::Stuck)));
        assert!(judged.missed_because.is_some_and(|why| why.contains("stuck")));
        let passed = run(RunVerdict::Pass, None, &[(Verdict::Pass, None)]);
        assert!(!caught(&fault(), &passed, Some(1)));
        let open = run(RunVerdict::Inconclusive, None, &[(Verdict::Inconclusive, None)]);
        assert!(!caught(&fault(), &open, Some(1)), "what could not be told was not found");
    }

    #[test]
    fn a_path_that_parts_at_another_layer_is_not_found() {
        let mut run = run(RunVerdict::Fail, Some(Cause::NoEffect), &[(Verdict::Fail, Some(Cause::NoEffect))]);
        let mut fault = fault();
        fault.parts_at = Some(Layer::State);
        assert!(!caught(&fault, &run, Some(1)), "nobody walked two paths");
        let found = |parts_at| Discrepancy {
            subject: String::new(),
            arms: Vec::new(),
            parts_at,
            sentence: "they part".into(),
            probes: Vec::new(),
        };
        run.discrepancy = Some(found(Some(Layer::Script)));
        assert!(!caught(&fault, &run, Some(1)));
        run.discrepancy = Some(found(None));
        assert!(!caught(&fault, &run, Some(1)));
        run.discrepancy = Some(found(Some(Layer::State)));
        assert!(caught(&fault, &run, Some(1)));
    }

    #[test]
    fn a_failure_is_not_an_invalid_run_and_the_other_way_round() {
        let invalid = run(RunVerdict::Invalid, Some(Cause::NoEffect), &[]);
        assert!(!caught(&fault(), &invalid, Some(1)));
        let precondition = Fault::new("down", "It is down.", &["crawl"]).invalid(Cause::Transport);
        let right = run(RunVerdict::Invalid, Some(Cause::Transport), &[]);
        assert!(caught(&precondition, &right, Some(3)));
        let failed = run(RunVerdict::Fail, Some(Cause::Transport), &[(Verdict::Fail, Some(Cause::Transport))]);
        assert!(!caught(&precondition, &failed, Some(3)));
    }

    #[test]
    fn each_journey_that_meets_it_must_find_it() {
        let two = Fault::new("two", "Two see it.", &["sync_by_button", "sync_by_form"]).fails(Cause::NoEffect);
        let right = (Verdict::Fail, Some(Cause::NoEffect));
        let one = run(RunVerdict::Fail, Some(Cause::NoEffect), &[right, (Verdict::Pass, None)]);
        assert!(!caught(&two, &one, Some(1)));
        let both = run(RunVerdict::Fail, Some(Cause::NoEffect), &[right, right]);
        assert!(caught(&two, &both, Some(1)));
        let cut_short = run(RunVerdict::Fail, Some(Cause::NoEffect), &[right]);
        assert!(!caught(&two, &cut_short, Some(1)));
    }
}
