//! How far the switches are: counted over all desired objects when they are compared, judged against the clock when it
//! is read.

use super::Compared;
use crate::Error;
use crate::blocking::compute;
use jiff::Timestamp;
use model::ObjectKey;
use model::part::Part;
use model::rollout::{
    AgentKind, AgentSummary, AgentView, Holding, RolloutState, SwitchRollout, SwitchState, expect_versions, holdings,
    in_sentence, object_rollout, switch_state, without_agent, worst_first,
};
use model::status::RolloutCounts;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use store::AgentRow;

/// Desired objects by the agents that they concern: few groups, however many objects.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Groups(Vec<(Vec<Holding>, u64)>);

impl Groups {
    /// Counts objects by whom they concern; those that concern nobody are left out.
    pub(super) fn of<'a>(objects: impl Iterator<Item = &'a [Holding]>) -> Self {
        let mut groups: HashMap<&[Holding], u64> = HashMap::new();
        for holdings in objects.filter(|holdings| !holdings.is_empty()) {
            *groups.entry(holdings).or_default() += 1;
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        // In one order always, so that equal comparisons are equal rows.
        groups.sort_unstable_by_key(|(holdings, _)| {
            holdings.iter().map(|h| (h.agent.as_str(), h.kind, h.wanted, h.holds)).collect::<Vec<_>>()
        });
        Self(groups.into_iter().map(|(holdings, count)| (holdings.to_vec(), count)).collect())
    }

    /// Agents that do not hold some desired object as it is live: the controller has not told them yet.
    pub fn untold(&self) -> BTreeSet<(AgentKind, &str)> {
        let holdings = self.0.iter().flat_map(|(group, _)| group).filter(|holding| !holding.is_settled());
        holdings.map(|holding| (holding.kind, holding.agent.as_str())).collect()
    }

    /// Agents that are to hold some desired object, whether or not there are such Agents.
    pub fn wanted(&self) -> impl Iterator<Item = (AgentKind, &str)> {
        let holdings = self.0.iter().flat_map(|(group, _)| group).filter(|holding| holding.wanted);
        holdings.map(|holding| (holding.kind, holding.agent.as_str()))
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
        counts.reason = worst.into_iter().next().map(|((_, name), state)| in_words(&name, state, agents, now));
        counts
    }
}

/// Agents as the store keeps them.
pub(crate) fn rows(agents: &[AgentView], at: Timestamp) -> Vec<AgentRow> {
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
    /// Each of them, worst first, as many as an operation keeps.
    pub switches: Vec<SwitchRollout>,
}

/// So many switches an operation keeps by name; all of them are counted.
const KEPT: usize = 200;

impl Compared {
    /// Which agents hold which objects, as they were read together.
    ///
    /// # Errors
    /// When reading them ended unexpectedly.
    pub async fn holdings(&self) -> Result<BTreeMap<ObjectKey, Vec<Holding>>, Error> {
        let observation = self.observation.clone();
        compute("Reading what the agents hold", move || {
            let live = observation.live.parts(Part::Stated);
            holdings(live.iter().map(|(key, live)| (*key, live)), observation.agents.as_deref().unwrap_or_default())
        })
        .await
    }

    /// Looks at the agents: how far are they with what was written, and with what was deleted? Of that it is known whom it
    /// concerned before; a switch that has lost the name is done with it once it has applied that. `live` is what the
    /// objects state.
    pub fn rollout_of(
        live: &[(ObjectKey, Value)],
        written: &HashSet<ObjectKey>,
        deleted: &BTreeMap<ObjectKey, Vec<Holding>>,
        agents: &[AgentView],
        now: Timestamp,
    ) -> Seen {
        let mut summaries: Vec<AgentSummary> = agents.iter().map(|a| a.summary.clone()).collect();
        expect_versions(&mut summaries);
        let all = holdings(live.iter().map(|(key, live)| (key, live)), agents);
        let mut states: States = BTreeMap::new();
        let gone: Vec<Vec<Holding>> = deleted.iter().map(|(key, before)| gone(before, all.get(key))).collect();
        for holdings in written.iter().filter_map(|key| all.get(key)).chain(&gone) {
            for switch in object_rollout(holdings, &summaries, now).switches {
                let kept = states.entry((switch.kind, switch.agent.clone())).or_insert_with(|| switch.clone());
                if switch.state.severity() > kept.state.severity() {
                    *kept = switch;
                }
            }
        }
        let concerned = states.len() as u64;
        let applied = states.values().filter(|s| s.state == SwitchState::Applied).count() as u64;
        let gateways = states.keys().filter(|(kind, _)| *kind == AgentKind::GatewayAgent).count() as u64;
        let blocked = states.values().filter(|s| s.state != SwitchState::Applied).all(|s| s.state.is_blocked());
        let told = states.values().any(|s| s.generation.is_some() && s.state != SwitchState::Submitted);
        let mut switches: Vec<SwitchRollout> = states.into_values().collect();
        worst_first(&mut switches);
        if agents.is_empty() && concerned > 0 {
            let sentence = "No switch reports: the cluster has no Agent objects, so whether they run it is not known.";
            // The controller makes the Agent of a new switch in a moment.
            let new = written.iter().any(|key| matches!(key.kind.as_str(), "Switch" | "Gateway"));
            switches.truncate(KEPT);
            return Seen { concerned, applied, settled: !new, sentence: sentence.to_owned(), switches };
        }
        let (one, many) = match gateways {
            0 => ("switch", "switches"),
            n if n == concerned => ("gateway", "gateways"),
            _ => ("switch", "switches and gateways"),
        };
        let sentence = match (concerned, concerned - applied) {
            (0, _) => "No switch is concerned.".to_owned(),
            (1, 0) => format!("The one {one} that is concerned has applied it."),
            (n, 0) => format!("All {n} {many} that are concerned have applied it."),
            (1, _) => {
                format!("The one {one} that is concerned has not applied it. {}", why(&switches, &summaries, now))
            }
            (n, _) if !told => {
                format!("Submitted: none of {n} {many} was told yet. {}", why(&switches, &summaries, now))
            }
            (n, _) => format!("{applied} of {n} {many} have applied it. {}", why(&switches, &summaries, now)),
        };
        switches.truncate(KEPT);
        Seen { concerned, applied, settled: blocked, sentence, switches }
    }
}

/// Whom a deleted object concerns: everybody whom it did, and whoever still holds its name.
fn gone(before: &[Holding], now: Option<&Vec<Holding>>) -> Vec<Holding> {
    let holds = |one: &Holding| {
        now.into_iter().flatten().any(|now| now.kind == one.kind && now.agent == one.agent && !now.wanted && now.holds)
    };
    before.iter().map(|one| Holding { wanted: false, holds: holds(one), ..one.clone() }).collect()
}

/// Switches and gateways with where they stand.
type States = BTreeMap<(AgentKind, String), SwitchRollout>;

/// Why the worst few do not run it.
fn why(switches: &[SwitchRollout], agents: &[AgentSummary], now: Timestamp) -> String {
    const NAMED: usize = 3;
    let waiting: Vec<_> = switches.iter().filter(|switch| switch.state != SwitchState::Applied).collect();
    let mut sentences: Vec<String> =
        waiting.iter().take(NAMED).map(|switch| in_words(&switch.agent, switch.state, agents, now)).collect();
    match waiting.len().saturating_sub(NAMED) {
        0 => {}
        1 => sentences.push("1 more does not run it.".to_owned()),
        n => sentences.push(format!("{n} more do not run it.")),
    }
    sentences.join(" ")
}

fn in_words(name: &str, state: SwitchState, agents: &[AgentSummary], now: Timestamp) -> String {
    match agents.iter().find(|agent| agent.name == name) {
        Some(agent) => in_sentence(agent, state, now),
        None => without_agent(name),
    }
}

/// The state of a switch for the table of switches. One that has applied all that it was told, and was not told all, has
/// not applied the fabric's desired state.
pub(crate) fn state_of(agent: &AgentSummary, untold: &BTreeSet<(AgentKind, &str)>, now: Timestamp) -> SwitchState {
    let own = switch_state(agent, now);
    if own.severity() < SwitchState::Submitted.severity() && untold.contains(&(agent.kind, agent.name.as_str())) {
        return SwitchState::Submitted;
    }
    own
}
