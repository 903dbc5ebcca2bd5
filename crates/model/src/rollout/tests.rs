//! Switch states and object rollouts.

use super::*;
use serde_json::json;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn agent(generation: i64, applied: i64, attempt: i64) -> AgentSummary {
    AgentSummary {
        kind: AgentKind::Agent,
        name: "leaf-1".into(),
        generation,
        last_applied_gen: Some(applied),
        last_attempt_gen: Some(attempt),
        last_applied_at: Some(at(-1_000)),
        last_attempt_at: Some(at(-10)),
        unapplied_since: None,
        last_heartbeat: Some(at(-5)),
        version: None,
        role: None,
    }
}

#[test]
fn a_switch_is_what_its_agent_says_while_it_speaks() {
    let state = |change: fn(&mut AgentSummary)| {
        let mut summary = agent(3, 3, 3);
        change(&mut summary);
        switch_state(&summary, at(0))
    };
    assert_eq!(state(|_| {}), SwitchState::Applied);
    assert_eq!(state(|a| a.generation = 4), SwitchState::Pending);
    assert_eq!(state(|a| a.last_applied_gen = None), SwitchState::Pending);
    assert_eq!(
        state(|a| (a.generation, a.last_applied_gen, a.last_attempt_gen) = (0, Some(0), Some(0))),
        SwitchState::Pending
    );
    assert_eq!(state(|a| a.last_heartbeat = Some(at(-60))), SwitchState::Applied);
    assert_eq!(state(|a| a.last_heartbeat = Some(at(-61))), SwitchState::Offline);
    assert_eq!(state(|a| a.last_heartbeat = Some(at(61))), SwitchState::Unknown);
    assert_eq!(state(|a| a.last_heartbeat = None), SwitchState::Unknown);
    // An attempt that is not applied: pending for five minutes, then stuck, whichever time says so.
    assert_eq!(state(|a| (a.generation, a.last_attempt_gen) = (4, Some(4))), SwitchState::Pending);
    assert_eq!(
        state(|a| (a.generation, a.last_attempt_gen, a.last_attempt_at) = (4, Some(4), Some(at(-301)))),
        SwitchState::Stuck
    );
    assert_eq!(
        state(|a| (a.generation, a.last_attempt_gen, a.unapplied_since) = (4, Some(4), Some(at(-301)))),
        SwitchState::Stuck
    );
    assert_eq!(
        state(|a| (a.generation, a.last_attempt_at) = (4, Some(at(-301)))),
        SwitchState::Pending,
        "nothing was tried yet"
    );
}

#[test]
fn an_object_is_as_far_as_the_worst_of_its_switches() {
    let holding = |agent: &str, holds| Holding { agent: agent.into(), kind: AgentKind::Agent, wanted: true, holds };
    let mut late = agent(4, 3, 3);
    late.name = "leaf-2".into();
    let agents = [agent(3, 3, 3), late];
    let rollout = |holdings: &[Holding]| object_rollout(holdings, &agents, at(0)).state;
    assert_eq!(rollout(&[]), RolloutState::NotApplicable);
    assert_eq!(rollout(&[holding("leaf-1", true)]), RolloutState::Applied);
    assert_eq!(rollout(&[holding("leaf-1", true), holding("leaf-2", true)]), RolloutState::Pending);
    assert_eq!(rollout(&[holding("leaf-1", false)]), RolloutState::Submitted);
    assert_eq!(rollout(&[holding("leaf-9", false)]), RolloutState::Submitted, "its Agent is not made yet");
    let gone = Holding { wanted: false, ..holding("leaf-1", true) };
    assert_eq!(rollout(&[gone]), RolloutState::Submitted, "deleted, and still held");
    assert_eq!(object_rollout(&[holding("leaf-1", false)], [], at(0)).state, RolloutState::Unknown);
}

#[test]
fn a_gateway_has_applied_what_both_its_parts_have() {
    let object = |agent: i64, routing: serde_json::Value| {
        json!({"kind": "GatewayAgent", "metadata": {"name": "g1", "generation": 4},
            "status": {"lastAppliedGen": agent, "state": {"frr": routing}}})
    };
    let applied = |value| AgentView::from_value(&value).unwrap().summary.last_applied_gen;
    assert_eq!(applied(object(4, json!({"lastAppliedGen": 4}))), Some(4));
    assert_eq!(applied(object(4, json!({"lastAppliedGen": 3}))), Some(3));
    assert_eq!(applied(object(4, json!({}))), None);
}

#[test]
fn only_allowed_fields_pass() {
    let fabricator = json!({"apiVersion": "fabricator.githedgehog.com/v1beta1", "kind": "Fabricator",
        "metadata": {"name": "default", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hash"}},
        "spec": {"config": {"control": {"defaultUser": {"password": "hash"}}}},
        "status": {"release": "26.03", "secret": "hash"}});
    let kept = filter_allowed(&fabricator);
    assert_eq!(kept["status"], json!({"release": "26.03"}));
    assert!(!kept.to_string().contains("hash"));
    let vpc = json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "spec": {"a": 1}});
    assert_eq!(filter_allowed(&vpc), vpc);
    assert_eq!(allow_list("vpc.githedgehog.com", "VPC"), None);
}
