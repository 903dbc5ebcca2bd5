//! Desired × live → comparison: one verdict an object, with its field differences.

use crate::manifest::Finding;
use crate::object::{Gvk, ObjectKey};
use crate::operation::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;

words! {
    /// The verdict on one object. *Base* is the form that was last verified live.
    ObjectState {
        /// Desired and live are equal.
        Equal = "equal",
        /// Desired is newer than what was last delivered, or was never delivered.
        Undelivered = "undelivered",
        /// The cluster's object was changed by somebody else.
        Modified = "modified",
        /// It was live once and is gone from the cluster.
        Missing = "missing",
        /// Both changed.
        Conflict = "conflict",
        /// Only in the cluster.
        Extra = "extra",
        /// The kind could not be read, or the manifest is wrong: nothing is known.
        Unknown = "unknown",
    }
}

words! {
    /// Which side a differing field was changed on, seen from the base.
    Side {
        /// Changed in Git.
        Desired = "desired",
        /// Changed in the cluster.
        Live = "live",
        /// Changed on both sides.
        Both = "both",
    }
}

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldDiff {
    /// The field's path, e.g. `spec.subnets.default.vlan`.
    pub path: String,
    /// The value in Git; `None` when absent.
    pub desired: Option<Value>,
    /// The value in the cluster; `None` when absent.
    pub live: Option<Value>,
    /// Which side changed.
    pub side: Side,
    /// The field manager that last set it in the cluster, from managedFields.
    pub manager: Option<String>,
    /// When that manager last wrote, from managedFields.
    pub changed_at: Option<jiff::Timestamp>,
}

/// The verdict on one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which object.
    pub key: ObjectKey,
    /// Group, version and kind as desired, or as live when it is not desired.
    pub gvk: Gvk,
    /// The verdict.
    pub state: ObjectState,
    /// The fields that differ; empty unless both sides exist.
    pub diffs: Vec<FieldDiff>,
    /// What is wrong with the desired object.
    pub findings: Vec<Finding>,
}
