//! Operations: the words for runs of a verb, their phases and the outcome of each object.

use crate::compare::FieldDiff;
use crate::{Code, ObjectKey};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $( $(#[$vdoc:meta])* $variant:ident = $text:literal ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$vdoc])* $variant, )* }
        impl $name {
            /// Every value, in order.
            pub const ALL: &[$name] = &[$($name::$variant,)*];
            /// The word as it is written in the database, in JSON and in class names.
            pub const fn as_str(self) -> &'static str { match self { $($name::$variant => $text,)* } }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::operation::UnknownWord;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                match s { $($text => Ok($name::$variant),)* _ => Err($crate::operation::UnknownWord(s.to_owned(), stringify!($name))) }
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_str(self.as_str()) }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use words;

/// A text that is none of the words.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not a {1}")]
pub struct UnknownWord(pub String, pub &'static str);

words! {
    /// What a user asks of a fabric.
    Verb {
        /// Ask the cluster who it is and what these credentials may do. Changes nothing.
        TestConnection = "test_connection",
        /// Fetch the source and compare.
        SyncFromGit = "sync_from_git",
        /// Read the cluster now and compare.
        SyncFromFabric = "sync_from_fabric",
        /// Make the cluster equal to the desired state.
        SyncToKubernetes = "sync_to_kubernetes",
    }
}

impl Verb {
    /// The verb as its button says it.
    pub const fn title(self) -> &'static str {
        match self {
            Verb::TestConnection => "Test Connection",
            Verb::SyncFromGit => "Sync from Git",
            Verb::SyncFromFabric => "Sync from Fabric",
            Verb::SyncToKubernetes => "Sync to Kubernetes",
        }
    }

    /// Whether the verb writes to the cluster: one such operation per fabric at a time.
    pub const fn writes(self) -> bool {
        matches!(self, Verb::SyncToKubernetes)
    }
}

words! {
    /// Where an operation stands.
    OperationState {
        /// Waits for the running one.
        Queued = "queued",
        /// Runs, under a lease.
        Running = "running",
        /// Everything it set out to do was done and verified.
        Succeeded = "succeeded",
        /// Some of it was.
        Partial = "partial",
        /// It failed.
        Failed = "failed",
        /// A person ended it.
        Cancelled = "cancelled",
        /// Its deadline passed.
        TimedOut = "timed_out",
        /// The process that ran it died.
        Interrupted = "interrupted",
    }
}

impl OperationState {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

words! {
    /// What started an operation.
    Trigger {
        /// A person pressed a button.
        Button = "button",
        /// A script called the address.
        Script = "script",
        /// The background comparison.
        Schedule = "schedule",
        /// The fabric's policy: its interval is over, or a new commit is to be delivered.
        Interval = "interval",
        /// The fabric's policy: something was changed in the cluster.
        SelfHeal = "self_heal",
    }
}

words! {
    /// The phases of an operation; a verb goes through some of them, in this order.
    Phase {
        /// Reach the API server and prove which cluster it is.
        Connect = "connect",
        /// Fetch the source and read its manifests.
        FetchSource = "fetch_source",
        /// Read the live objects.
        Observe = "observe",
        /// Compare desired with live.
        Compare = "compare",
        /// Check what must hold before anything is written.
        Preflight = "preflight",
        /// Write, in dependency order.
        Apply = "apply",
        /// Delete what Git no longer names, in reverse order.
        Prune = "prune",
        /// Read again and compare again.
        Verify = "verify",
        /// Follow the switches until they run it.
        Rollout = "rollout",
        /// Commit objects of the cluster to the source.
        Adopt = "adopt",
    }
}

impl Phase {
    /// The phase in the words of a page.
    pub const fn title(self) -> &'static str {
        match self {
            Phase::Connect => "Connect to the cluster",
            Phase::FetchSource => "Fetch the source",
            Phase::Observe => "Read the cluster",
            Phase::Compare => "Compare",
            Phase::Preflight => "Check before writing",
            Phase::Apply => "Write to the cluster",
            Phase::Prune => "Delete what Git no longer names",
            Phase::Verify => "Read again and verify",
            Phase::Rollout => "Follow the switches",
            Phase::Adopt => "Commit to the source",
        }
    }
}

words! {
    /// Where a phase stands.
    PhaseState {
        /// Not begun.
        Waiting = "waiting",
        /// Under way.
        Running = "running",
        /// Done.
        Done = "done",
        /// Done, but not for everything.
        Partial = "partial",
        /// Failed.
        Failed = "failed",
        /// Will not run, because an earlier phase ended the operation.
        Skipped = "skipped",
    }
}

/// One phase of an operation, with its progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhaseProgress {
    /// Which phase.
    pub phase: Phase,
    /// Where it stands.
    pub state: PhaseState,
    /// How many are done; objects, kinds, files or switches, whatever the phase counts.
    pub done: u64,
    /// Out of how many; 0 when unknown.
    pub total: u64,
    /// When it began.
    pub started_at: Option<jiff::Timestamp>,
    /// When it ended.
    pub ended_at: Option<jiff::Timestamp>,
    /// What it is doing or what it found, one sentence.
    pub detail: String,
    /// How often something in it was tried again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub retries: u32,
    /// What is waited for before it is tried again, right now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The switches and gateways that are followed, worst first; of very many, the worst.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<crate::rollout::SwitchRollout>,
}

impl PhaseProgress {
    /// A phase that has not begun.
    pub fn waiting(phase: Phase) -> Self {
        Self {
            phase,
            state: PhaseState::Waiting,
            done: 0,
            total: 0,
            started_at: None,
            ended_at: None,
            detail: String::new(),
            retries: 0,
            retry: None,
            switches: Vec::new(),
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Something failed in a way that passes, and is about to be tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// What is tried: `list VPC in default`, or an object.
    pub what: String,
    /// Why the last try failed, one sentence.
    pub why: String,
    /// The code of that failure.
    pub code: Code,
    /// Which try comes next, from 2 on.
    pub attempt: u32,
    /// How many tries there are at most.
    pub of: u32,
    /// When it comes.
    pub at: jiff::Timestamp,
}

words! {
    /// What became of one object in an operation.
    OutcomeKind {
        /// Created and accepted by the API server.
        Created = "created",
        /// Replaced and accepted by the API server.
        Updated = "updated",
        /// Was equal already; nothing was written.
        Unchanged = "unchanged",
        /// Deleted, because Git no longer names it.
        Pruned = "pruned",
        /// What it refers to did not come.
        WaitingForReference = "waiting_for_reference",
        /// Left out of the run by whoever asked for it.
        LeftOut = "left_out",
        /// Committed to the source as it is in the cluster.
        Adopted = "adopted",
        /// Refused by the API server or a webhook.
        Refused = "refused",
        /// Somebody else changed it between comparison and write; not overwritten.
        ChangedMeanwhile = "changed_meanwhile",
        /// Written, but the re-read found something else.
        NotVerified = "not_verified",
        /// The write failed for another reason (network, time, RBAC).
        Failed = "failed",
        /// A write or deletion was sent, its answer was lost, and nobody could read back what came of it.
        Unknown = "unknown",
        /// Not tried, because the operation ended before, or a finding blocks it.
        NotAttempted = "not_attempted",
        /// Only in the cluster; left alone.
        Extra = "extra",
    }
}

impl OutcomeKind {
    /// Whether nothing is left to do about the object after this outcome.
    pub const fn is_good(self) -> bool {
        matches!(
            self,
            Self::Created
                | Self::Updated
                | Self::Unchanged
                | Self::Pruned
                | Self::LeftOut
                | Self::Adopted
                | Self::Extra
        )
    }
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectOutcome {
    /// Which object.
    pub key: ObjectKey,
    /// What became of it.
    pub outcome: OutcomeKind,
    /// Whether it was read back after the write and was equal.
    pub verified: bool,
    /// The code of the failure, if it failed.
    pub code: Option<Code>,
    /// The server's words or ours; empty when there is nothing to say.
    pub message: String,
    /// What was overwritten, and whose it was; one line a field.
    pub overwrote: Vec<String>,
    /// Number of tries of the write.
    pub attempts: u32,
    /// When the outcome was known.
    pub at: jiff::Timestamp,
    /// What else is known of it, for the page and for scripts.
    #[serde(default)]
    pub detail: OutcomeDetail,
}

/// What is known of an object's outcome besides a word and a sentence.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutcomeDetail {
    /// The webhook that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// What it waits for, as `Kind name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The fields that this is about: what a write changes, or what somebody changed meanwhile, with who did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDiff>,
    /// The fields that the request left to the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_fields: Vec<String>,
    /// The switches and gateways that a write of this object concerns.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<String>,
    /// What the API server said besides its answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Whether it was there and was to be deleted, not written.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deletion: bool,
}
