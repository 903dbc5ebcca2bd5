//! What a fabric does by itself, and what it never does: the words of its policy. When something is due is worked out
//! from these and from what happened before, without a clock of its own.

use crate::operation::words;
use serde::{Deserialize, Serialize};

words! {
    /// What a window says of the time in it.
    WindowKind {
        /// Automatic syncs run only in such windows.
        Allow = "allow",
        /// No automatic sync begins in it, whatever others allow.
        Deny = "deny",
    }
}

/// A time that comes again and again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// Whether it allows or denies.
    pub kind: WindowKind,
    /// When it begins, as five fields of cron.
    pub schedule: String,
    /// How long it lasts.
    pub minutes: u32,
    /// The IANA name of the time zone that the fields are in, such as `Europe/Berlin`.
    pub time_zone: String,
}

/// Who stopped the automatic syncs of a fabric, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When.
    pub at: jiff::Timestamp,
    /// Who.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// What a fabric does by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// Seconds between two automatic syncs; `None`: only people and scripts start one.
    pub sync_interval_seconds: Option<u32>,
    /// Whether what was changed in the cluster is put right as soon as it is seen.
    pub self_heal: bool,
    /// Whether a run may delete what Git no longer names, when it asks for that.
    pub prune: bool,
    /// How many of a hundred objects a run may delete without somebody typing the fabric's name.
    pub prune_limit_percent: u8,
    /// When automatic syncs may begin.
    pub windows: Vec<Window>,
    /// How long an operation follows the switches; `None`: as long as the settings say.
    pub rollout_wait_seconds: Option<u32>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            sync_interval_seconds: None,
            self_heal: false,
            prune: false,
            prune_limit_percent: 20,
            windows: Vec::new(),
            rollout_wait_seconds: None,
        }
    }
}
