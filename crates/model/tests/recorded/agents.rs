//! What the recorded Agents hold, against the recorded objects.

use crate::shared::{lines, pairs, title};
use jiff::{SignedDuration, Timestamp};
use model::ObjectKey;
use model::rollout::{
    AgentSummary, AgentView, RolloutState, SwitchState, filter_allowed, holdings, object_rollout, switch_state,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

struct Lab {
    live: Vec<(ObjectKey, Value)>,
    agents: Vec<AgentView>,
}

impl Lab {
    fn read() -> Option<Self> {
        let live = pairs()?.into_iter().map(|(_, stored)| (ObjectKey::of(&stored).unwrap(), stored)).collect();
        let agents =
            lines("agents.jsonl")?.iter().map(|a| AgentView::from_value(&filter_allowed(a)).unwrap()).collect();
        Some(Self { live, agents })
    }

    fn summaries(&self) -> Vec<AgentSummary> {
        self.agents.iter().map(|agent| agent.summary.clone()).collect()
    }

    fn now(&self) -> Timestamp {
        self.agents[0].summary.last_heartbeat.unwrap() + SignedDuration::from_secs(10)
    }

    fn rollouts(&self) -> BTreeMap<ObjectKey, model::rollout::ObjectRollout> {
        let held = holdings(self.live.iter().map(|(k, v)| (k, v)), &self.agents);
        let summaries = self.summaries();
        held.into_iter().map(|(key, held)| (key, object_rollout(&held, &summaries, self.now()))).collect()
    }
}

#[test]
fn every_embedded_object_equals_its_stored_one() {
    let Some(lab) = Lab::read() else { return };
    let held = holdings(lab.live.iter().map(|(k, v)| (k, v)), &lab.agents);
    let mut embedded = 0;
    for (key, holdings) in &held {
        for holding in holdings {
            assert!(holding.wanted && holding.holds, "{key} on {}: {holding:?}", holding.agent);
            embedded += 1;
        }
    }
    // 123 specs in the Agents and GatewayAgents, and the names of groups and outlines of peered VPCs beside them.
    assert!(embedded >= 123, "{embedded} holdings");
    assert!(lab.agents.iter().all(|agent| switch_state(&agent.summary, lab.now()) == SwitchState::Applied));
}

#[test]
fn whom_an_object_concerns_is_whom_the_controller_told() {
    let Some(lab) = Lab::read() else { return };
    // Forget what the Agents hold: the wiring alone must name the same Agents.
    let with = holdings(lab.live.iter().map(|(k, v)| (k, v)), &lab.agents);
    let empty: Vec<AgentView> = lines("agents.jsonl")
        .unwrap()
        .into_iter()
        .map(|mut agent| {
            agent["spec"] = json!({});
            AgentView::from_value(&agent).unwrap()
        })
        .collect();
    let without = holdings(lab.live.iter().map(|(k, v)| (k, v)), &empty);
    for (key, holdings) in &with {
        let names: Vec<_> = holdings.iter().map(|h| &h.agent).collect();
        let predicted: Vec<_> = without.get(key).into_iter().flatten().map(|h| &h.agent).collect();
        assert_eq!(predicted, names, "{key}");
        assert!(without[key].iter().all(|h| h.wanted && !h.holds), "{key}");
    }
    assert_eq!(with.len(), without.len());
    let rollouts = lab.rollouts();
    let nothing_runs: Vec<&str> =
        lab.live.iter().filter(|(key, _)| !rollouts.contains_key(key)).map(|(key, _)| key.kind.as_str()).collect();
    assert!(
        nothing_runs.iter().all(|k| ["Server", "SwitchGroup", "Connection", "VLANNamespace"].contains(k)),
        "{nothing_runs:?}"
    );
}

#[test]
fn lesson_45_equal_generations_alone_are_only_submitted() {
    let Some(mut lab) = Lab::read() else { return };
    assert!(lab.rollouts().values().all(|r| r.state == RolloutState::Applied));
    for (key, object) in &mut lab.live {
        if key.kind == "VPC" && key.name == "vpc-3" {
            object["spec"]["subnets"]["default"]["vlan"] = json!(1099);
        }
    }
    let rollouts = lab.rollouts();
    let (key, rollout) = rollouts.iter().find(|(_, r)| r.state != RolloutState::Applied).unwrap();
    assert_eq!((key.name.as_str(), rollout.state), ("vpc-3", RolloutState::Submitted));
    let switch = rollout.switches.iter().find(|s| s.agent == "ds3000-03").unwrap();
    assert_eq!(switch.state, SwitchState::Submitted);
    // A deleted object is not gone from the switches while an Agent holds its name.
    lab.live.retain(|(key, _)| key.name != "vpc-3--server-7");
    let rollouts = lab.rollouts();
    let (_, gone) = rollouts.iter().find(|(key, _)| key.name == "vpc-3--server-7").unwrap();
    assert_eq!(gone.state, RolloutState::Submitted);
}

#[test]
fn no_secret_of_an_agent_is_kept() {
    for agent in lines("agents.jsonl").into_iter().flatten() {
        let kept = filter_allowed(&agent);
        let text = kept.to_string();
        for secret in ["(hash)", "(password)", "(certificate)", "annotations", "\"users\"", "\"config\"", "alloy"] {
            assert!(!text.contains(secret), "{} keeps {secret}", title(&agent));
        }
        assert_eq!(AgentView::from_value(&kept), AgentView::from_value(&agent), "{}", title(&agent));
    }
}
