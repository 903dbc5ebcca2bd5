//! The one derived status of a fabric: a pure function from recorded facts and the time to a word and a sentence.
//!
//! Every page, API answer and metric calls [`derive()`] with the same facts, so that none of them can disagree. The rows
//! of the table are tried in order and the first that holds wins. A clock can make a status stale; it never makes it
//! green.

mod cause;
mod facts;
mod stages;

pub use cause::{Cause, CauseFacts, CauseKind, Changed, EndedSync, Evidence, cause};
pub use facts::{ComparisonAttempt, ComparisonFact, ComparisonOutcome, Counts, Facts, LastSync, RunningSync};
pub use stages::{PartialComparison, RolloutCounts, Stage, StageFacts, StageName, StageState, stages};

use crate::code::Code;
use crate::operation::{OperationState, words};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How old evidence may be before it counts no more; a background comparison runs every 60 s.
pub const FRESHNESS: SignedDuration = SignedDuration::from_secs(180);

words! {
    /// The state of a fabric, in the order in which the rows are tried.
    SyncState {
        /// No cluster endpoint.
        NotConfigured = "not_configured",
        /// Sync is switched off.
        Disabled = "disabled",
        /// A *Sync to Kubernetes* holds an unexpired lease.
        Syncing = "syncing",
        /// The last sync or the last comparison failed or was partial.
        Error = "error",
        /// No comparison has ever succeeded.
        NeverSynced = "never_synced",
        /// The evidence is too old, is of another commit, or the cluster cannot be read.
        Unknown = "unknown",
        /// Some object differs.
        OutOfSync = "out_of_sync",
        /// The newest comparison is of the current commit, fresh, and every object is equal.
        InSync = "in_sync",
    }
}

words! {
    /// Which of the two a failure is of.
    FailureOf {
        /// The last sync.
        Sync = "sync",
        /// The last comparison.
        Comparison = "comparison",
    }
}

impl SyncState {
    /// The state in the words of a page.
    pub const fn title(self) -> &'static str {
        match self {
            Self::NotConfigured => "Not configured",
            Self::Disabled => "Disabled",
            Self::Syncing => "Syncing",
            Self::Error => "Error",
            Self::NeverSynced => "Never synced",
            Self::Unknown => "Unknown",
            Self::OutOfSync => "Out of sync",
            Self::InSync => "In sync",
        }
    }

    /// How bad the state is; a roll-up shows its worst child.
    pub const fn severity(self) -> u8 {
        match self {
            Self::InSync => 0,
            Self::Disabled => 1,
            Self::NotConfigured => 2,
            Self::Syncing => 3,
            Self::NeverSynced => 4,
            Self::OutOfSync => 5,
            Self::Unknown => 6,
            Self::Error => 7,
        }
    }

    /// The worst of several states, for a roll-up. `None` of none.
    pub fn worst(states: impl IntoIterator<Item = Self>) -> Option<Self> {
        states.into_iter().max_by_key(|state| state.severity())
    }
}

/// The derived status.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The word.
    pub state: SyncState,
    /// The code of the error, when there is one.
    pub code: Option<Code>,
    /// What the error is of, when there is one.
    #[serde(default)]
    pub failed: Option<FailureOf>,
    /// One true sentence.
    pub message: String,
    /// When the fact that decides came to be.
    pub since: Option<Timestamp>,
    /// How new the evidence about the objects is: when the last full comparison read the cluster.
    pub evidence_at: Option<Timestamp>,
    /// Until when that evidence counts, unless there is newer; `None` when it does not count any more, or there is none.
    #[serde(default)]
    pub fresh_until: Option<Timestamp>,
    /// What that comparison found.
    pub counts: Option<Counts>,
}

/// Derives the status. The first row that holds wins.
pub fn derive(facts: &Facts, now: Timestamp) -> Status {
    let comparison = facts.last_comparison.as_ref();
    let status = |state, code, message: String, since| Status {
        state,
        code,
        failed: None,
        message,
        since,
        evidence_at: comparison.map(|c| c.at),
        fresh_until: comparison.and_then(|c| c.at.checked_add(facts.freshness).ok()).filter(|until| *until > now),
        counts: comparison.map(|c| c.counts),
    };
    if !facts.has_cluster {
        return status(SyncState::NotConfigured, None, "No cluster is configured.".into(), None);
    }
    if !facts.sync_enabled {
        return status(SyncState::Disabled, None, "Sync is switched off for this fabric.".into(), None);
    }
    if let Some(run) = facts.running_sync.as_ref().filter(|run| run.holds_lease) {
        let message = match run.progress {
            (_, 0) => "A sync to the cluster is running.".to_owned(),
            (done, total) => format!("A sync to the cluster is running: {done} of {total} objects."),
        };
        return status(SyncState::Syncing, None, message, Some(run.started_at));
    }
    if let Some(failure) = failure(facts) {
        let error = status(SyncState::Error, Some(failure.code), failure.message, Some(failure.at));
        return Status { failed: Some(failure.of), ..error };
    }
    let Some(comparison) = comparison else {
        return status(SyncState::NeverSynced, None, "No comparison with the cluster has succeeded yet.".into(), None);
    };
    if let Some((message, since)) = stale(facts, comparison, now) {
        return status(SyncState::Unknown, None, message, Some(since));
    }
    if !comparison.counts.all_equal() {
        return status(SyncState::OutOfSync, None, what_differs(&comparison.counts), Some(comparison.at));
    }
    match &facts.current_commit {
        Some(commit) if *commit == comparison.commit => {
            let n = comparison.counts.equal;
            let message = match n {
                0 => format!("Commit {} names no objects, and nothing differs.", short(commit)),
                1 => format!("The one object of commit {} is live and equal.", short(commit)),
                _ => format!("All {n} objects of commit {} are live and equal.", short(commit)),
            };
            status(SyncState::InSync, None, message, Some(comparison.at))
        }
        Some(commit) => {
            let message = format!("Commit {} has not been compared with the cluster yet.", short(commit));
            status(SyncState::Unknown, None, message, Some(comparison.at))
        }
        None => {
            let message = "It is not known which commit the source is at.".to_owned();
            status(SyncState::Unknown, None, message, Some(comparison.at))
        }
    }
}

/// A commit as pages show it.
pub fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

struct Failure {
    of: FailureOf,
    code: Code,
    message: String,
    at: Timestamp,
}

/// The failure that still stands: the later one of a failed sync and a failed comparison.
fn failure(facts: &Facts) -> Option<Failure> {
    let compared = facts.last_attempt.as_ref().filter(|attempt| attempt.outcome != ComparisonOutcome::Ok).map(|a| {
        let partial = a.outcome == ComparisonOutcome::Partial;
        Failure {
            of: FailureOf::Comparison,
            code: a.code.unwrap_or(if partial { Code::Partial } else { Code::Internal }),
            message: sentence(
                &a.message,
                if partial { "The comparison was partial." } else { "The comparison failed." },
            ),
            at: a.at,
        }
    });
    // A lease that ran out is a sync that died, even before anybody has written that down.
    let died = facts.running_sync.as_ref().map(|run| Failure {
        of: FailureOf::Sync,
        code: Code::Interrupted,
        message:
            "Nobody has heard from the process that runs the sync for a whole lease: it ended, it stands still, or it \
                  cannot reach the database."
                .to_owned(),
        at: run.heartbeat_at,
    });
    let synced = facts.last_sync.as_ref().and_then(|sync| {
        let (code, words) = match sync.state {
            OperationState::Failed => (Code::Internal, "The last sync failed."),
            OperationState::Partial => (Code::Partial, "The last sync did not do everything."),
            OperationState::TimedOut => (Code::DeadlineExceeded, "The last sync ran out of time."),
            OperationState::Interrupted => (Code::Interrupted, "The process that ran the last sync ended."),
            // A person ended it: that is no failure. What it left undone, the comparison shows.
            OperationState::Cancelled
            | OperationState::Succeeded
            | OperationState::Queued
            | OperationState::Running => return None,
        };
        let (code, message) = (sync.code.unwrap_or(code), sentence(&sync.message, words));
        Some(Failure { of: FailureOf::Sync, code, message, at: sync.ended_at })
    });
    let sync = died.or(synced).filter(|sync| {
        let ended_by = facts.last_comparison.as_ref().filter(|c| c.at > sync.at && c.counts.all_equal());
        ended_by.is_none()
    });
    match (sync, compared) {
        (Some(sync), Some(compared)) => Some(if compared.at > sync.at { compared } else { sync }),
        (sync, compared) => sync.or(compared),
    }
}

fn sentence(message: &str, otherwise: &str) -> String {
    if message.trim().is_empty() { otherwise.to_owned() } else { message.trim().to_owned() }
}

/// Why the evidence does not count, and since when.
fn stale(facts: &Facts, comparison: &ComparisonFact, now: Timestamp) -> Option<(String, Timestamp)> {
    if let Some(since) = facts.settings_changed_at.filter(|since| *since >= comparison.at) {
        return Some(("The settings were changed after the last comparison; the next one counts.".to_owned(), since));
    }
    let age = now.duration_since(comparison.at);
    let limit = facts.freshness;
    if age > limit {
        let since = comparison.at.checked_add(limit).unwrap_or(comparison.at);
        let message = format!(
            "The last successful comparison is {} old; evidence older than {} counts no more.",
            in_words(age),
            in_words(limit)
        );
        return Some((message, since));
    }
    // Evidence from the future is no evidence: a clock was wrong when it was written, or is wrong now.
    (age < -limit)
        .then(|| ("The last comparison bears a time in the future: a clock is wrong.".to_owned(), comparison.at))
}

/// A span of time as a person says it.
pub(crate) fn in_words(span: SignedDuration) -> String {
    match span.as_secs().abs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

fn what_differs(counts: &Counts) -> String {
    let mut sentences = Vec::new();
    match counts.differing() {
        0 => {}
        1 => sentences.push(format!("1 object differs: {}.", counts.in_words())),
        n => sentences.push(format!("{n} objects differ: {}.", counts.in_words())),
    }
    match counts.broken_documents {
        0 => {}
        1 => sentences.push("1 document of the source cannot be read.".to_owned()),
        n => sentences.push(format!("{n} documents of the source cannot be read.")),
    }
    match counts.discarded {
        0 => {}
        1 => sentences.push("1 object names something that the cluster discards.".to_owned()),
        n => sentences.push(format!("{n} objects name something that the cluster discards.")),
    }
    sentences.join(" ")
}

#[cfg(test)]
mod tests;
