//! How far the switches are: counted over all desired objects when they are compared, judged against the clock when it
//! is read.

use super::Compared;
use jiff::Timestamp;
use model::ObjectKey;
use model::rollout::{
    AgentSummary, AgentView, Holding, RolloutState, SwitchState, holdings, in_sentence, object_rollout, switch_state,
};
use model::status::RolloutCounts;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use store::AgentRow;

/// Desired objects by the agents that they concern: few groups, however many objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Groups(Vec<(Vec<Holding>, u64)>);

impl Groups {
    pub(super) fn add(&mut self, holdings: &[Holding]) {
        if holdings.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(group, _)| group == holdings) {
            Some((_, count)) => *count += 1,
            None => self.0.push((holdings.to_vec(), 1)),
        }
    }

    /// How far they are now.
    pub fn counts(&self, agents: &[AgentSummary], at: Option<Timestamp>, now: Timestamp) -> RolloutCounts {
        let mut counts = RolloutCounts { at, ..RolloutCounts::default() };
        let mut worst: BTreeMap<(u8, String), SwitchState> = BTreeMap::new();
        for (group, n) in &self.0 {
            let rollout = object_rollout(group, agents, now);
            counts.total += n;
            if rollout.state == RolloutState::Applied {
                counts.applied += n;
            }
            for switch in rollout.switches.into_iter().filter(|s| s.state != SwitchState::Applied) {
                counts.blocked |= switch.state.is_blocked();
                worst.insert((u8::MAX - switch.state.severity(), switch.agent), switch.state);
            }
        }
        counts.reason =
            worst.into_iter().next().map(|((_, name), state)| match agents.iter().find(|a| a.name == name) {
                Some(agent) => in_sentence(agent, state, now),
                None => format!("Nothing is known of {name}: the cluster has no Agent of that name."),
            });
        counts
    }
}

/// Agents as the store keeps them.
pub(super) fn rows(agents: &[AgentView], at: Timestamp) -> Vec<AgentRow> {
    agents
        .iter()
        .map(|agent| AgentRow {
            kind: agent.summary.kind.as_str().to_owned(),
            name: agent.summary.name.clone(),
            summary: serde_json::to_value(&agent.summary).unwrap_or_default(),
            observed_at: at,
        })
        .collect()
}

/// How far the switches are with what a run wrote.
pub(crate) struct Seen {
    /// Switches and gateways that are concerned.
    pub concerned: u64,
    /// Of these, how many run all of it.
    pub applied: u64,
    /// Whether waiting longer can change nothing soon: all applied, or the rest is offline or stuck, or nobody reports.
    pub settled: bool,
    /// One sentence.
    pub sentence: String,
}

impl Compared {
    /// Looks at the agents: how far are they with these objects?
    pub fn rollout_of(&self, written: &HashSet<ObjectKey>, agents: &[AgentView], now: Timestamp) -> Seen {
        let summaries: Vec<AgentSummary> = agents.iter().map(|a| a.summary.clone()).collect();
        let all = holdings(self.live.iter().map(|(key, live)| (key, live.as_ref())), agents);
        let mut worst: BTreeMap<String, SwitchState> = BTreeMap::new();
        for holdings in written.iter().filter_map(|key| all.get(key)) {
            for switch in object_rollout(holdings, &summaries, now).switches {
                let state = worst.entry(switch.agent).or_insert(switch.state);
                if switch.state.severity() > state.severity() {
                    *state = switch.state;
                }
            }
        }
        let concerned = worst.len() as u64;
        let applied = worst.values().filter(|s| **s == SwitchState::Applied).count() as u64;
        if agents.is_empty() && concerned > 0 {
            let sentence = "No switch reports: the cluster has no Agent objects, so whether they run it is not known.";
            return Seen { concerned, applied, settled: true, sentence: sentence.to_owned() };
        }
        let waiting: BTreeSet<&String> =
            worst.iter().filter(|(_, s)| **s != SwitchState::Applied).map(|(name, _)| name).collect();
        let blocked = worst.values().filter(|s| **s != SwitchState::Applied).all(|s| s.is_blocked());
        let first = waiting.first().and_then(|name| {
            let agent = summaries.iter().find(|a| a.name == **name)?;
            Some(in_sentence(agent, worst[*name], now))
        });
        let sentence = match (concerned, concerned - applied) {
            (0, _) => "No switch is concerned.".to_owned(),
            (1, 0) => "The one switch that is concerned has applied it.".to_owned(),
            (n, 0) => format!("All {n} switches that are concerned have applied it."),
            (n, _) => format!("{applied} of {n} switches have applied it. {}", first.unwrap_or_default()),
        };
        Seen { concerned, applied, settled: blocked, sentence }
    }
}

/// The state of a switch by itself, for the table of switches.
pub(crate) fn state_of(agent: &AgentSummary, now: Timestamp) -> SwitchState {
    switch_state(agent, now)
}
