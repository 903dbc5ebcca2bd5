//! The facts that the status is derived from. All of them are recorded, none is guessed.

use super::FRESHNESS;
use crate::code::Code;
use crate::compare::ObjectState;
use crate::operation::{OperationState, words};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How many objects a comparison found in each state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Desired and live are equal.
    pub equal: u64,
    /// Not delivered yet.
    pub undelivered: u64,
    /// Changed in the cluster.
    pub modified: u64,
    /// Gone from the cluster.
    pub missing: u64,
    /// Changed on both sides.
    pub conflict: u64,
    /// Only in the cluster, of kinds that the fabric manages.
    pub extra: u64,
    /// Only in the cluster, of other kinds. They count for nothing.
    pub extra_unmanaged: u64,
    /// Not judged: the manifest is wrong.
    pub unknown: u64,
    /// Not judged: Git names it, and its kind could not be read. Comparisons of older releases count these as `unknown`.
    #[serde(default)]
    pub unread: u64,
    /// Equal, but Git names something that the server discards (rule words that begin with `discarded_`).
    pub discarded: u64,
    /// Documents of the source that could not be read as objects.
    pub broken_documents: u64,
}

impl Counts {
    /// Counts one more object.
    pub fn add(&mut self, state: ObjectState, kind_is_managed: bool) {
        let counter = match state {
            ObjectState::Equal => &mut self.equal,
            ObjectState::Undelivered => &mut self.undelivered,
            ObjectState::Modified => &mut self.modified,
            ObjectState::Missing => &mut self.missing,
            ObjectState::Conflict => &mut self.conflict,
            ObjectState::Extra if kind_is_managed => &mut self.extra,
            ObjectState::Extra => &mut self.extra_unmanaged,
            ObjectState::Unknown => &mut self.unknown,
        };
        *counter += 1;
    }

    /// Objects that Git names.
    pub fn desired(&self) -> u64 {
        self.equal + self.undelivered + self.modified + self.missing + self.conflict + self.unknown + self.unread
    }

    /// Objects that are not as Git wants them.
    pub fn differing(&self) -> u64 {
        self.undelivered + self.modified + self.missing + self.conflict + self.unknown + self.unread + self.extra
    }

    /// Whether everything that Git names was read, is live, and keeps nothing back.
    pub fn all_equal(&self) -> bool {
        self.differing() == 0 && self.discarded == 0 && self.broken_documents == 0
    }

    /// What differs, as one clause; empty when nothing does.
    pub fn in_words(&self) -> String {
        let parts = [
            (self.undelivered, "not delivered"),
            (self.modified, "changed in the cluster"),
            (self.missing, "missing in the cluster"),
            (self.conflict, "changed on both sides"),
            (self.unknown, "with errors in the manifest"),
            (self.unread, "not read"),
            (self.extra, "only in the cluster"),
        ];
        let list: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, words)| format!("{count} {words}")).collect();
        list.join(", ")
    }
}

/// A running *Sync to Kubernetes*.
#[derive(Debug, Clone, PartialEq)]
pub struct RunningSync {
    /// When it began.
    pub started_at: Timestamp,
    /// Whether its process is believed to live. No clock on a wall decides that: see the engine's leases.
    pub holds_lease: bool,
    /// When its process last said that it lives.
    pub heartbeat_at: Timestamp,
    /// Objects done so far, and in all; zeros while unknown.
    pub progress: (u64, u64),
}

/// The last *Sync to Kubernetes* that ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LastSync {
    /// How it ended.
    pub state: OperationState,
    /// The code of its failure.
    pub code: Option<Code>,
    /// What happened, naming the object, one sentence.
    pub message: String,
    /// When.
    pub ended_at: Timestamp,
}

words! {
    /// How a try to compare ended.
    ComparisonOutcome {
        /// Everything was read and compared.
        Ok = "ok",
        /// Some kinds or files could not be read.
        Partial = "partial",
        /// Nothing was compared.
        Failed = "failed",
    }
}

/// The last try to compare, whatever came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonAttempt {
    /// How it ended.
    pub outcome: ComparisonOutcome,
    /// The code of its failure.
    pub code: Option<Code>,
    /// What happened, naming the object or the kind, one sentence.
    pub message: String,
    /// When it ended.
    pub at: Timestamp,
}

/// The last comparison that read everything.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonFact {
    /// The commit that it compared.
    pub commit: String,
    /// When the cluster was read.
    pub at: Timestamp,
    /// What it found.
    pub counts: Counts,
}

/// Everything that the status is derived from. All of it is recorded, none of it is guessed.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Whether the fabric has a cluster endpoint.
    pub has_cluster: bool,
    /// Whether sync is switched on.
    pub sync_enabled: bool,
    /// The *Sync to Kubernetes* that holds the fabric's lease. Comparisons and connection tests do not belong here.
    pub running_sync: Option<RunningSync>,
    /// The last *Sync to Kubernetes* that ended.
    pub last_sync: Option<LastSync>,
    /// The last try to compare.
    pub last_attempt: Option<ComparisonAttempt>,
    /// The last comparison that read everything.
    pub last_comparison: Option<ComparisonFact>,
    /// The commit that the source is at now; `None` when it has none yet.
    pub current_commit: Option<String>,
    /// When the fabric's settings were last changed: a comparison from before may be of another cluster, namespace or
    /// branch.
    pub settings_changed_at: Option<Timestamp>,
    /// How old evidence may be.
    pub freshness: SignedDuration,
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            has_cluster: false,
            sync_enabled: true,
            running_sync: None,
            last_sync: None,
            last_attempt: None,
            last_comparison: None,
            current_commit: None,
            settings_changed_at: None,
            freshness: FRESHNESS,
        }
    }
}
