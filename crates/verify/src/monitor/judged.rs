//! What a monitor keeps of a run: the verdict with its reasons, without the evidence.
//!
//! A run without oracles can see that all places agree, and not that they are right. Its verdict is *inconclusive*, which
//! is never success; but somebody who is woken for it every night stops listening. So a monitor tells it apart: every
//! assertion held, and the oracle that would confirm it was never given, is [`Mark::Unverified`]. It ends a row of
//! failures, and it is no success either.

use crate::cause::Cause;
use crate::results::{JourneyResult, Run};
use crate::verdict::{RunVerdict, Verdict};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a run or a journey says to somebody who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// Everything that it asserts was seen to hold.
    Pass,
    /// Everything that it asserts was seen to hold, as far as pages tell: no oracle was given that would confirm it.
    Unverified,
    /// Something that it asserts was seen not to hold.
    Fail,
    /// It could not be judged.
    Inconclusive,
    /// A precondition does not hold: the target did not answer, the login did not work.
    Invalid,
    /// The target is not what the profile describes.
    Mismatch,
    /// A journey that was not made.
    Skipped,
}

impl Mark {
    /// Those that a run can have.
    pub const OF_RUNS: [Self; 6] =
        [Self::Pass, Self::Unverified, Self::Fail, Self::Inconclusive, Self::Invalid, Self::Mismatch];
    /// Those that a journey can have.
    pub const OF_JOURNEYS: [Self; 5] = [Self::Pass, Self::Unverified, Self::Fail, Self::Inconclusive, Self::Skipped];

    /// The word for scripts and in metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unverified => "unverified",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Invalid => "invalid",
            Self::Mismatch => "mismatch",
            Self::Skipped => "skipped",
        }
    }

    /// The mark of a word.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::OF_RUNS.into_iter().chain([Self::Skipped]).find(|mark| mark.code() == code)
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "Passed",
            Self::Unverified => "Held, not verified",
            Self::Fail => "Failed",
            Self::Inconclusive => "Inconclusive",
            Self::Invalid => "Invalid",
            Self::Mismatch => "Profile does not fit",
            Self::Skipped => "Skipped",
        }
    }

    /// Whether nobody needs to look: it ends a row of failures.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Pass | Self::Unverified)
    }
}

/// What is kept of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Judged {
    /// The run's name, as in its results and in the user agent of what it sent.
    pub run: String,
    /// The target's address, without anything that could be a secret.
    pub target: String,
    /// The fabric that was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fabric: Option<String>,
    /// The verdict.
    pub verdict: Mark,
    /// The verdict in one sentence.
    pub sentence: String,
    /// The code of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Which of the nine failure points a user would meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_point: Option<u8>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
    /// When it began.
    pub started: Timestamp,
    /// When it was over.
    pub ended: Timestamp,
    /// Its journeys.
    pub journeys: Vec<JudgedJourney>,
}

/// What is kept of one journey.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JudgedJourney {
    /// Its name.
    pub name: String,
    /// Who walked.
    pub driver: String,
    /// The verdict.
    pub verdict: Mark,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The code of the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Which of the nine failure points a user would meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_point: Option<u8>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl Judged {
    /// What is kept of a run. A run that was ended from outside says nothing about its target.
    pub fn of(run: &Run) -> Option<Self> {
        let all_oracles = ["cluster", "git"].iter().all(|one| run.conditions.oracles.iter().any(|given| given == one));
        let journeys: Vec<JudgedJourney> = run.journeys.iter().map(|one| journey(one, all_oracles)).collect();
        let marks = || journeys.iter().map(|one| one.verdict);
        let verdict = match run.verdict {
            RunVerdict::Interrupted => return None,
            RunVerdict::Pass => Mark::Pass,
            RunVerdict::Fail => Mark::Fail,
            RunVerdict::Invalid => Mark::Invalid,
            RunVerdict::Mismatch => Mark::Mismatch,
            // A journey that could not be told, or a run that ended early, stays what it is.
            RunVerdict::Inconclusive
                if marks().any(|one| one == Mark::Unverified) && !marks().any(|one| one == Mark::Inconclusive) =>
            {
                Mark::Unverified
            }
            RunVerdict::Inconclusive => Mark::Inconclusive,
        };
        let failing = run.journeys.iter().find_map(|one| one.finding.as_ref());
        let finding = run.finding.as_ref().or(failing);
        Some(Self {
            run: run.id.clone(),
            target: address(&run.target.url),
            fabric: run.target.fabric.clone(),
            verdict,
            sentence: run.sentence.clone(),
            cause: finding.map(|one| one.cause.code().to_owned()),
            failure_point: finding.and_then(|one| one.failure_point),
            what_to_do: finding.map(|one| one.what_to_do.clone()),
            started: run.started,
            ended: run.ended,
            journeys,
        })
    }

    /// The journeys that say why the run is not good.
    pub fn failing(&self) -> impl Iterator<Item = &JudgedJourney> {
        self.journeys.iter().filter(|one| matches!(one.verdict, Mark::Fail | Mark::Inconclusive))
    }
}

fn journey(one: &JourneyResult, all_oracles: bool) -> JudgedJourney {
    let nothing_amiss = one.finding.is_none() && one.checks.iter().all(|check| check.held != Some(false));
    let verdict = match one.verdict {
        Verdict::Pass => Mark::Pass,
        Verdict::Fail => Mark::Fail,
        Verdict::Skipped => Mark::Skipped,
        Verdict::Inconclusive if one.verified == Some(false) && nothing_amiss && !all_oracles => Mark::Unverified,
        Verdict::Inconclusive => Mark::Inconclusive,
    };
    let cause = one.finding.as_ref().map(|finding| finding.cause);
    JudgedJourney {
        name: one.name.clone(),
        driver: one.driver.clone(),
        verdict,
        sentence: one.sentence.clone(),
        cause: cause.map(|cause| cause.code().to_owned()),
        failure_point: cause.and_then(Cause::failure_point),
        what_to_do: one.finding.as_ref().map(|finding| finding.what_to_do.clone()),
        ms: one.ms,
    }
}

/// Where something is, and nothing beside: names, passwords and queries may be secrets.
fn address(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return String::new() };
    // What has no host has none of these either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::results::{Conditions, Finding, SCHEMA, Target};

    pub(in crate::monitor) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_767_225_600 + second).unwrap()
    }

    fn walked(name: &str, verdict: Verdict, verified: Option<bool>, finding: Option<Finding>) -> JourneyResult {
        JourneyResult {
            name: name.into(),
            proves: String::new(),
            driver: "http".into(),
            verdict,
            verified,
            sentence: format!("{name} {}.", verdict.word()),
            finding,
            checks: Vec::new(),
            measured: Vec::new(),
            started: at(0),
            ms: 40,
            first_step: 0,
            steps: 1,
        }
    }

    fn run(verdict: RunVerdict, journeys: Vec<JourneyResult>) -> Run {
        Run {
            schema: SCHEMA,
            id: "0123456789ab".into(),
            verdict,
            exit_code: verdict.exit_code(),
            sentence: "A sentence.".into(),
            finding: None,
            started: at(0),
            ended: at(2),
            target: Target { url: "https://ada:pw@h.example/x?token=t".into(), ..Target::default() },
            conditions: Conditions::default(),
            versions: Vec::new(),
            clocks: Vec::new(),
            preconditions: Vec::new(),
            journeys,
            discrepancy: None,
            steps: Vec::new(),
            readings: Vec::new(),
            leaks: Vec::new(),
            cleanup: Vec::new(),
            requests: 0,
        }
    }

    pub(in crate::monitor) fn judged(verdict: Mark, second: i64) -> Judged {
        let mut judged = Judged::of(&run(RunVerdict::Pass, Vec::new())).unwrap();
        (judged.verdict, judged.started, judged.ended) = (verdict, at(second), at(second + 2));
        judged
    }

    #[test]
    fn want_of_an_oracle_is_told_apart_from_what_could_not_be_judged() {
        let held = || walked("status_agrees", Verdict::Inconclusive, Some(false), None);
        let open = || walked("crawl", Verdict::Inconclusive, None, None);
        let passed = || walked("login_logout", Verdict::Pass, None, None);
        for (journeys, mark) in [
            (vec![passed(), held()], Mark::Unverified),
            (vec![held(), open()], Mark::Inconclusive),
            (vec![open()], Mark::Inconclusive),
            (vec![], Mark::Inconclusive),
        ] {
            assert_eq!(Judged::of(&run(RunVerdict::Inconclusive, journeys)).unwrap().verdict, mark);
        }
        let mut with_oracles = run(RunVerdict::Inconclusive, vec![held()]);
        with_oracles.conditions.oracles = vec!["cluster".into(), "git".into()];
        assert_eq!(Judged::of(&with_oracles).unwrap().verdict, Mark::Inconclusive, "they were given, and did not tell");
    }

    #[test]
    fn the_reason_is_kept_and_secrets_of_the_address_are_not() {
        let finding = Finding::new(Cause::NoSession, "a session", "none");
        let failed = walked("fabric_page", Verdict::Fail, None, Some(finding));
        let judged = Judged::of(&run(RunVerdict::Fail, vec![failed])).unwrap();
        assert_eq!((judged.cause.as_deref(), judged.failure_point), (Some("no_session"), Some(5)));
        assert_eq!(judged.target, "https://h.example/x");
        assert_eq!(judged.failing().count(), 1);
        assert!(Judged::of(&run(RunVerdict::Interrupted, Vec::new())).is_none(), "it says nothing of the target");
    }

    #[test]
    fn words_can_be_read_back() {
        for mark in Mark::OF_RUNS.into_iter().chain(Mark::OF_JOURNEYS) {
            assert_eq!(Mark::of_code(mark.code()), Some(mark));
            assert_eq!(serde_json::to_value(mark).unwrap(), mark.code());
        }
        assert_eq!(Mark::of_code("green"), None);
    }
}
