//! What a journey, and what the whole run, came to.

use crate::journeys::Journey;
use crate::recorder::millis;
use crate::results::{Check, Finding, JourneyResult};
use crate::site::{DriverKind, Site};
use crate::stop::Stop;
use crate::verdict::{RunVerdict, Verdict};
use jiff::Timestamp;
use std::time::Instant;

/// A journey under way.
pub(super) struct UnderWay {
    journey: &'static Journey,
    kind: DriverKind,
    started: Timestamp,
    clock: Instant,
    first_step: usize,
}

impl UnderWay {
    pub(super) fn new(journey: &'static Journey, kind: DriverKind, site: &Site) -> Self {
        let first_step = site.recorder.count();
        Self { journey, kind, started: Timestamp::now(), clock: Instant::now(), first_step }
    }

    /// What is known of it when the run was ended in its middle.
    pub(super) fn cut_off(self, steps: usize) -> JourneyResult {
        JourneyResult {
            name: self.journey.name.into(),
            proves: self.journey.proves.into(),
            driver: self.kind.name().into(),
            verdict: Verdict::Inconclusive,
            verified: None,
            sentence: "The run was ended from outside before it was over.".into(),
            finding: None,
            checks: Vec::new(),
            measured: Vec::new(),
            started: self.started,
            ms: millis(self.clock.elapsed()),
            first_step: self.first_step,
            steps: steps.saturating_sub(self.first_step),
        }
    }
}

pub(super) fn judge(
    walked: &Result<(), Stop>,
    verified: Option<bool>,
    checks: &[Check],
) -> (Verdict, String, Option<Finding>) {
    match walked {
        Ok(()) if verified == Some(false) => {
            let open = checks.iter().rev().find(|check| check.held.is_none());
            let why = open.map_or("", |check| check.observed.as_str());
            (
                Verdict::Inconclusive,
                format!("Not verified: {why}. What the page says was seen, and not what is true."),
                None,
            )
        }
        Ok(()) => match checks.iter().find(|check| check.held.is_none()) {
            Some(open) => {
                let sentence =
                    format!("What could be told was seen to hold. Not told: {} ({}).", open.expected, open.observed);
                (Verdict::Pass, sentence, None)
            }
            None => (Verdict::Pass, "Everything that it proves was seen to hold.".to_owned(), None),
        },
        Err(Stop::Fail(finding)) => {
            (Verdict::Fail, format!("{}: {}", finding.cause.title(), finding.observed), Some((**finding).clone()))
        }
        Err(Stop::Invalid(finding)) => (
            Verdict::Inconclusive,
            format!("A precondition does not hold. {}: {}", finding.cause.title(), finding.observed),
            Some((**finding).clone()),
        ),
        Err(Stop::Inconclusive(why) | Stop::Mismatch(why)) => (Verdict::Inconclusive, why.clone(), None),
        Err(Stop::Skipped(why)) => (Verdict::Skipped, why.clone(), None),
    }
}

pub(super) fn conclude(
    journeys: &[JourneyResult],
    stop: Option<Stop>,
    interrupted: bool,
) -> (RunVerdict, String, Option<Finding>) {
    if interrupted {
        return (RunVerdict::Interrupted, "The run was ended from outside before it was over.".to_owned(), None);
    }
    // What was found stays found, whatever ended the run after it.
    let has_failed = journeys.iter().any(|one| one.verdict == Verdict::Fail);
    match stop.filter(|_| !has_failed) {
        Some(Stop::Mismatch(why)) => return (RunVerdict::Mismatch, why, None),
        Some(Stop::Invalid(finding) | Stop::Fail(finding)) => {
            let judged = match journeys.iter().filter(|one| one.verdict == Verdict::Pass).count() {
                0 => "Nothing was judged".to_owned(),
                passed => format!("After {passed} that passed, nothing more was judged"),
            };
            let sentence = format!(
                "{judged}, because a precondition does not hold. {}: {}",
                finding.cause.title(),
                finding.observed
            );
            return (RunVerdict::Invalid, sentence, Some(*finding));
        }
        Some(Stop::Inconclusive(why) | Stop::Skipped(why)) => return (RunVerdict::Inconclusive, why, None),
        None => {}
    }
    let count = |verdict: Verdict| journeys.iter().filter(|one| one.verdict == verdict).count();
    let verdict = RunVerdict::of(journeys.iter().map(|one| one.verdict));
    let counts = format!(
        "{} passed, {} failed, {} inconclusive, {} skipped",
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::Inconclusive),
        count(Verdict::Skipped)
    );
    let first = journeys.iter().find(|one| one.verdict == Verdict::Fail);
    let sentence = match (verdict, first) {
        (RunVerdict::Fail, Some(first)) => format!("{counts}. First, {}: {}", first.name, first.sentence),
        (RunVerdict::Inconclusive, _) => match journeys.iter().find(|one| one.verdict == Verdict::Inconclusive) {
            Some(open) => format!("{counts}. Not told, {}: {}", open.name, open.sentence),
            None => format!("{counts}. Nothing was judged."),
        },
        _ => format!("{counts}."),
    };
    (verdict, sentence, first.and_then(|first| first.finding.clone()))
}
