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
    let first = run.finding.clone().or_else(|| run.journeys.iter().find_map(|journey| journey.finding.clone()));
    planted.found = first.as_ref().map(|finding| finding.cause);
    planted.observed = first.map(|finding| finding.observed).unwrap_or_default();
    planted.caught = Some(missed.is_none());
    planted.missed_because = missed;
    planted
}
