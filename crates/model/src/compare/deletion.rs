//! Objects that are being deleted: the server has accepted that, and somebody's finalizers still hold them. Such an object
//! is there and looks as Git wants it, and is not live as desired: it goes, whatever is written to it.

use super::managed;
use super::{FieldDiff, Side};
use crate::path::Path;
use serde_json::Value;

/// What is known of an object that is being deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Since when, as the server says it.
    pub since: String,
    /// The finalizers that hold it.
    pub finalizers: Vec<String>,
}

impl Deletion {
    /// The difference that tells of it.
    pub const FIELD: &'static str = "metadata.deletionTimestamp";

    /// Of a live object; `None` when it is not being deleted.
    pub fn of(live: &Value) -> Option<Self> {
        let since = live.pointer("/metadata/deletionTimestamp")?.as_str()?.to_owned();
        let finalizers = live.pointer("/metadata/finalizers").and_then(Value::as_array);
        let finalizers = finalizers.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
        Some(Self { since, finalizers })
    }

    /// What is known, in one sentence.
    pub fn sentence(&self) -> String {
        format!("It {}.", self.predicate())
    }

    /// The same of an object that the sentence has named, without its full stop.
    pub fn predicate(&self) -> String {
        match self.finalizers.as_slice() {
            [] => format!("is being deleted since {}", self.since),
            names => format!("is being deleted since {}, held by its finalizers ({})", self.since, names.join(", ")),
        }
    }
}

/// The differences that this makes: since when, and what holds it. None when both forms are being deleted.
pub(super) fn diffs(desired: &Value, live: &Value) -> Vec<FieldDiff> {
    let Some(going) = Deletion::of(live).filter(|_| Deletion::of(desired).is_none()) else { return Vec::new() };
    let diff = |field: &str, changed_at| {
        let path = Path::root().join("metadata").join(field);
        let manager = managed::last_manager(live, &path).map(|(manager, _)| manager);
        let live = live.pointer(&format!("/metadata/{field}")).cloned();
        FieldDiff { path: path.to_string(), desired: None, live, side: Side::Live, manager, changed_at }
    };
    let mut found = vec![diff("deletionTimestamp", going.since.parse().ok())];
    if !going.finalizers.is_empty() {
        found.push(diff("finalizers", None));
    }
    found
}
