//! Desired × live → comparison: one verdict an object, with its field differences.
//!
//! `compare/diff.rs` walks the canonical trees that [`crate::normalise`] makes, `compare/metadata.rs` knows whose
//! labels count, `compare/left.rs` what a run leaves to the cluster, `compare/deletion.rs` what is being deleted,
//! `compare/managed.rs` reads who changed a field, `compare/write.rs` builds what is sent.

mod deletion;
mod diff;
mod left;
mod managed;
mod metadata;
mod write;

pub use deletion::Deletion;
pub use left::{left_part, with_left_parts};
pub use write::{desired_for_write, removed_link_addresses};

use crate::manifest::Finding;
use crate::normalise;
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

/// Judges one object: its state, and the fields in which desired and live differ.
///
/// `base` is the *desired* object as it was when it was last verified live; `None` when it never was. Seen from it, a
/// difference is Git's, the cluster's, or both's:
///
/// | desired | live | base | state |
/// |---|---|---|---|
/// | some | equal | any | `equal` |
/// | some | none | none | `undelivered` |
/// | some | none | some | `missing`, whether Git changed too or not: there are no fields to be in conflict |
/// | some | differs | none | `undelivered` |
/// | some | equal, and is being deleted | any | `modified`: it goes ([`Deletion`]) |
/// | some | differs | some | `undelivered`, `modified` or `conflict`, by the sides of the fields that differ |
/// | none | some | any | `extra` |
/// | none | none | any | `equal`: nothing is wanted and nothing is there |
///
/// The fields are leaves, in the manifest's own spelling, with the values as written on each side. Fields that
/// [`crate::normalise::ignored`] names are no differences.
pub fn compare_object(
    desired: Option<&Value>,
    live: Option<&Value>,
    base: Option<&Value>,
) -> (ObjectState, Vec<FieldDiff>) {
    let (desired, live) = match (desired, live) {
        (Some(desired), Some(live)) => (desired, live),
        (Some(_), None) if base.is_some() => return (ObjectState::Missing, Vec::new()),
        (Some(_), None) => return (ObjectState::Undelivered, Vec::new()),
        (None, Some(_)) => return (ObjectState::Extra, Vec::new()),
        (None, None) => return (ObjectState::Equal, Vec::new()),
    };
    let found = differences(desired, live, base);
    let going = deletion::diffs(desired, live);
    if found.is_empty() && going.is_empty() {
        return (ObjectState::Equal, Vec::new());
    }
    let sides = base.map(|base| Sides::of(desired, live, base));
    let fields = found.into_iter().map(|leaf| {
        let side = sides.as_ref().map_or(Side::Desired, |sides| sides.side(&leaf));
        let wrote = leaf.live_path.as_ref().and_then(|path| managed::last_manager(live, path));
        let (manager, changed_at) = wrote.map_or((None, None), |(manager, at)| (Some(manager), at));
        FieldDiff { path: leaf.path.to_string(), desired: leaf.desired, live: leaf.live, side, manager, changed_at }
    });
    // That it goes comes first: it is more than any field of it.
    let diffs: Vec<FieldDiff> = going.into_iter().chain(fields).collect();
    let all = |side| diffs.iter().all(|diff| diff.side == side);
    let state = match () {
        () if all(Side::Desired) => ObjectState::Undelivered,
        () if all(Side::Live) => ObjectState::Modified,
        () => ObjectState::Conflict,
    };
    (state, diffs)
}

/// Whether two objects are equal when the first is what Git wants: as [`compare_object`] says, without the fields.
pub fn is_equal(desired: &Value, live: &Value, base: Option<&Value>) -> bool {
    differences(desired, live, base).is_empty()
}

fn differences(desired: &Value, live: &Value, base: Option<&Value>) -> Vec<diff::Leaf> {
    let mut found = metadata::leaves(desired, live, base);
    if !same_as_written(desired, live) {
        let rules = normalise::rules_for(desired);
        let (d, l) = (normalise::canonical_state(desired, &rules), normalise::canonical_state(live, &rules));
        found.extend(diff::leaves(&d, &l));
    }
    found
}

/// The fast path: most objects are stored as they were written, and need no canonical form.
fn same_as_written(desired: &Value, live: &Value) -> bool {
    let state = |key: &str| !matches!(key, "apiVersion" | "kind" | "metadata" | "status");
    match (desired, live) {
        (Value::Object(d), Value::Object(l)) => {
            d.iter().all(|(key, value)| !state(key) || l.get(key) == Some(value))
                && l.keys().all(|key| !state(key) || d.contains_key(key))
        }
        _ => false,
    }
}

/// What each side changed since the base.
struct Sides {
    desired: Vec<diff::Leaf>,
    live: Vec<diff::Leaf>,
}

impl Sides {
    fn of(desired: &Value, live: &Value, base: &Value) -> Self {
        Self { desired: differences(desired, base, Some(base)), live: differences(base, live, Some(base)) }
    }

    fn side(&self, leaf: &diff::Leaf) -> Side {
        let touched = |by: &[diff::Leaf]| {
            by.iter().any(|l| l.canonical.starts_with(&leaf.canonical) || leaf.canonical.starts_with(&l.canonical))
        };
        match (touched(&self.desired), touched(&self.live)) {
            (true, true) => Side::Both,
            (false, true) => Side::Live,
            // Neither happens where a path was ignored against one of the three and not against another.
            (true, false) | (false, false) => Side::Desired,
        }
    }
}

#[cfg(test)]
mod tests;
