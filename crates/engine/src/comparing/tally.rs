//! What a comparison found, in numbers.

use super::memory::Remembered;
use super::rollout::Groups;
use model::ObjectKey;
use model::compare::ObjectState;
use model::manifest::Severity;
use model::rollout::{AgentKind, AgentSummary};
use model::status::Counts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a comparison found, as its row keeps it: in all, by kind, and how far the switches are.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub totals: Counts,
    pub by_kind: BTreeMap<String, BTreeMap<ObjectState, u64>>,
    pub rollout: Groups,
    /// The switches and gateways that stand in the cluster, by name: each is to have an Agent. Comparisons of older
    /// releases keep none.
    #[serde(default)]
    pub devices: BTreeSet<(AgentKind, String)>,
}

impl Tally {
    /// Counts all objects of a fabric.
    pub(super) fn of(objects: &HashMap<Arc<ObjectKey>, Box<Remembered>>) -> Self {
        let mut totals = Counts::default();
        let mut by_kind: HashMap<(&str, &str), BTreeMap<ObjectState, u64>> = HashMap::new();
        for (key, judged) in objects {
            let of_kind = by_kind.entry((key.kind.as_str(), key.group.as_str())).or_default();
            *of_kind.entry(judged.state).or_default() += 1;
            let has_error = || judged.findings.iter().any(|finding| finding.severity == Severity::Error);
            match judged.state {
                // Nothing is wrong with it, so nobody has looked: its kind could not be read.
                // Of what Git does not name either, nobody knows whether it is there.
                ObjectState::Unknown if !has_error() => totals.unread += u64::from(judged.desired.is_some()),
                state => totals.add(state, judged.managed),
            }
            if judged.state == ObjectState::Equal && judged.findings.iter().any(model::preflight::is_discarded) {
                totals.discarded += 1;
            }
        }
        let devices = objects.iter().filter(|(_, judged)| judged.live_rv.is_some());
        let devices = devices.filter_map(|(key, _)| Some((AgentKind::of(key)?, key.name.clone()))).collect();
        let desired = objects.values().filter(|judged| judged.desired.is_some());
        Self {
            totals,
            by_kind: by_kind.into_iter().map(|((kind, group), n)| (format!("{kind}.{group}"), n)).collect(),
            rollout: Groups::of(desired.map(|judged| judged.holdings.as_slice())),
            devices,
        }
    }

    /// The switches and gateways that stand in the cluster, or are to run something, and have none of these Agents.
    pub fn without_agent<'a>(&'a self, agents: &[AgentSummary]) -> BTreeSet<(AgentKind, &'a str)> {
        let stand = self.devices.iter().map(|(kind, name)| (*kind, name.as_str()));
        let all = stand.chain(self.rollout.wanted());
        all.filter(|(kind, name)| !agents.iter().any(|agent| agent.kind == *kind && agent.name == *name)).collect()
    }
}
