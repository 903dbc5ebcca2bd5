//! Two runs beside each other: what failed only in one, whose verdict, cause, time or version is another. Pure: takes two
//! runs, gives what differs, as data and as text.

use super::words::{length, moment, plain};
use crate::cause::Cause;
use crate::results::{JourneyResult, Run};
use crate::verdict::{RunVerdict, Verdict};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

mod text;

/// A time has changed when one is more than so many times the other, and more than so many milliseconds apart.
const TIMES: u64 = 2;
const APART_MS: u64 = 100;

/// What differs between two runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The first run.
    pub before: RunName,
    /// The second run.
    pub after: RunName,
    /// What was not the same about the runs themselves, so that what follows may come of it.
    pub conditions: Vec<Changed<String>>,
    /// Journeys whose verdict is another; absent on the side where they were not made.
    pub verdicts: Vec<Changed<Option<Verdict>>>,
    /// Journeys that an oracle confirmed in one run only.
    pub verified: Vec<Changed<Option<bool>>>,
    /// What fails now and did not before.
    pub new_failures: Vec<Failure>,
    /// What failed before and does not now.
    pub gone_failures: Vec<Failure>,
    /// What fails in both, for another cause.
    pub causes: Vec<Changed<Cause>>,
    /// Times that changed notably, in milliseconds.
    pub times: Vec<Changed<u64>>,
    /// Versions that are not the same; absent on the side that does not name them.
    pub versions: Vec<Changed<Option<String>>>,
}

/// Which run it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunName {
    /// Its name.
    pub id: String,
    /// When it began.
    pub started: Timestamp,
    /// Its verdict.
    pub verdict: RunVerdict,
    /// Its verdict in a sentence.
    pub sentence: String,
}

/// Something that is another in the second run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed<T> {
    /// What: "login (http)", "target".
    pub of: String,
    /// In the first run.
    pub before: T,
    /// In the second run.
    pub after: T,
}

/// A failure of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where: "login (http)", or "preconditions".
    pub of: String,
    /// Its cause, when one was named.
    pub cause: Option<Cause>,
    /// What was observed.
    pub observed: String,
}

/// Compares two runs.
pub fn compare(before: &Run, after: &Run) -> Comparison {
    let (old, new) = (by_name(before), by_name(after));
    let mut verdicts = Vec::new();
    let mut verified = Vec::new();
    let mut times = Vec::new();
    for (of, (was, is)) in beside(&old, &new) {
        let sides = |read: fn(&JourneyResult) -> Verdict| (was.map(|one| read(one)), is.map(|one| read(one)));
        push(&mut verdicts, &of, sides(|one| one.verdict));
        if let (Some(was), Some(is)) = (was, is) {
            push(&mut verified, &of, (was.verified, is.verified));
            compare_times(&mut times, &of, was, is);
        }
    }
    let (failed, fails) = (failures(before), failures(after));
    let mut causes = Vec::new();
    for (of, failure) in &failed {
        if let (Some(was), Some(is)) = (failure.cause, fails.get(of).and_then(|now| now.cause)) {
            push(&mut causes, of, (was, is));
        }
    }
    Comparison {
        before: name(before),
        after: name(after),
        conditions: conditions(before, after),
        verdicts,
        verified,
        new_failures: only_in(&fails, &failed),
        gone_failures: only_in(&failed, &fails),
        causes,
        times,
        versions: versions(before, after),
    }
}

fn name(run: &Run) -> RunName {
    RunName { id: run.id.clone(), started: run.started, verdict: run.verdict, sentence: run.sentence.clone() }
}

fn by_name(run: &Run) -> IndexMap<String, &JourneyResult> {
    run.journeys.iter().map(|journey| (format!("{} ({})", journey.name, journey.driver), journey)).collect()
}

type Sides<'a, T> = (Option<&'a T>, Option<&'a T>);

/// Both sides by name: in the order of the second, then what only the first has.
fn beside<'a, T>(old: &'a IndexMap<String, T>, new: &'a IndexMap<String, T>) -> Vec<(String, Sides<'a, T>)> {
    let both = new.iter().map(|(name, is)| (name.clone(), (old.get(name), Some(is))));
    let gone =
        old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(name, was)| (name.clone(), (Some(was), None)));
    both.chain(gone).collect()
}

fn push<T: PartialEq>(into: &mut Vec<Changed<T>>, of: &str, (before, after): (T, T)) {
    if before != after {
        into.push(Changed { of: of.to_owned(), before, after });
    }
}

fn compare_times(times: &mut Vec<Changed<u64>>, of: &str, was: &JourneyResult, is: &JourneyResult) {
    // What was skipped took no time that means anything.
    if [was.verdict, is.verdict].contains(&Verdict::Skipped) {
        return;
    }
    let read = |journey: &JourneyResult| -> IndexMap<String, u64> {
        let whole = [(of.to_owned(), journey.ms)].into_iter();
        whole.chain(journey.measured.iter().map(|one| (format!("{of}, {}", one.what), one.ms))).collect()
    };
    let (was, is) = (read(was), read(is));
    for (what, before) in &was {
        let Some(after) = is.get(what) else { continue };
        let (less, more) = (*before.min(after), *before.max(after));
        if more > less.saturating_mul(TIMES) && more - less > APART_MS {
            times.push(Changed { of: what.clone(), before: *before, after: *after });
        }
    }
}

/// What a run's failures are, by where.
fn failures(run: &Run) -> IndexMap<String, Failure> {
    let mut found = IndexMap::new();
    if let Some(finding) = &run.finding {
        let of = "preconditions".to_owned();
        let failure = Failure { of: of.clone(), cause: Some(finding.cause), observed: finding.observed.clone() };
        found.insert(of, failure);
    }
    for (of, journey) in by_name(run) {
        if journey.verdict == Verdict::Fail {
            let observed = journey.finding.as_ref().map_or(&journey.sentence, |finding| &finding.observed);
            let cause = journey.finding.as_ref().map(|finding| finding.cause);
            found.insert(of.clone(), Failure { of, cause, observed: observed.clone() });
        }
    }
    found
}

fn only_in(these: &IndexMap<String, Failure>, those: &IndexMap<String, Failure>) -> Vec<Failure> {
    these.values().filter(|failure| !those.contains_key(&failure.of)).cloned().collect()
}

fn conditions(before: &Run, after: &Run) -> Vec<Changed<String>> {
    let read = |run: &Run| {
        let (target, given) = (&run.target, &run.conditions);
        [
            ("target", target.url.clone()),
            ("profile", target.profile.clone()),
            ("product", target.product.clone()),
            ("user", target.username.clone()),
            ("fabric", target.fabric.clone().unwrap_or_default()),
            ("drivers", given.drivers.join(", ")),
            ("journeys", given.journeys.join(", ")),
            ("oracles", given.oracles.join(", ")),
            ("may change anything", given.allow_sync.to_string()),
        ]
    };
    let mut changed = Vec::new();
    for ((of, was), (_, is)) in read(before).into_iter().zip(read(after)) {
        push(&mut changed, of, (was, is));
    }
    changed
}

fn versions(before: &Run, after: &Run) -> Vec<Changed<Option<String>>> {
    let read = |run: &Run| -> IndexMap<String, String> {
        run.versions.iter().map(|version| (version.of.clone(), version.version.clone())).collect()
    };
    let mut changed = Vec::new();
    for (of, (was, is)) in beside(&read(before), &read(after)) {
        push(&mut changed, &of, (was.cloned(), is.cloned()));
    }
    changed
}
