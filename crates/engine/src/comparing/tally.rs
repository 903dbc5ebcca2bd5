//! What a comparison found, in numbers.

use super::memory::Remembered;
use super::rollout::Groups;
use model::ObjectKey;
use model::compare::ObjectState;
use model::status::Counts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a comparison found, as its row keeps it: in all, by kind, and how far the switches are.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub totals: Counts,
    pub by_kind: BTreeMap<String, BTreeMap<ObjectState, u64>>,
    pub rollout: Groups,
}

impl Tally {
    /// Counts all objects of a fabric.
    pub(super) fn of(objects: &HashMap<Arc<ObjectKey>, Box<Remembered>>) -> Self {
        let mut totals = Counts::default();
        let mut by_kind: HashMap<(&str, &str), BTreeMap<ObjectState, u64>> = HashMap::new();
        for (key, judged) in objects {
            let of_kind = by_kind.entry((key.kind.as_str(), key.group.as_str())).or_default();
            *of_kind.entry(judged.state).or_default() += 1;
            totals.add(judged.state, judged.managed);
            if judged.state == ObjectState::Equal && judged.findings.iter().any(model::preflight::is_discarded) {
                totals.discarded += 1;
            }
        }
        let desired = objects.values().filter(|judged| judged.desired.is_some());
        Self {
            totals,
            by_kind: by_kind.into_iter().map(|((kind, group), n)| (format!("{kind}.{group}"), n)).collect(),
            rollout: Groups::of(desired.map(|judged| judged.holdings.as_slice())),
        }
    }
}
