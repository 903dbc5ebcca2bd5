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
        wanted_version: None,
        reboot_required: false,
        rebooting: false,
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
fn what_was_applied_is_held_until_something_else_is() {
    assert!(agent(3, 2, 3).holds_an_older_form() && !agent(3, 3, 3).holds_an_older_form());
    let offline = AgentSummary { last_heartbeat: None, ..agent(3, 2, 3) };
    assert!(offline.holds_an_older_form(), "nobody hears of it, and it holds what it has");
    let planned = AgentSummary { last_applied_gen: None, ..agent(3, 0, 0) };
    assert!(!planned.holds_an_older_form(), "a switch that was never there holds nothing");
}

#[test]
fn a_reboot_and_another_version_are_told_from_applied_and_from_offline() {
    let state = |change: fn(&mut AgentSummary)| {
        let mut summary = agent(3, 3, 3);
        (summary.version, summary.wanted_version) = (Some("v2".into()), Some("v2".into()));
        change(&mut summary);
        switch_state(&summary, at(0))
    };
    assert_eq!(state(|_| {}), SwitchState::Applied);
    assert_eq!(state(|a| a.wanted_version = Some("v3".into())), SwitchState::VersionSkew);
    assert_eq!(state(|a| a.wanted_version = None), SwitchState::Applied, "what is not known is no skew");
    assert_eq!(state(|a| a.version = None), SwitchState::Applied);
    let behind = |a: &mut AgentSummary| (a.generation, a.wanted_version) = (4, Some("v3".into()));
    assert_eq!(state(behind), SwitchState::Pending, "what is not applied is the worse news");
    assert_eq!(state(|a| a.reboot_required = true), SwitchState::RebootRequired);
    assert_eq!(state(|a| (a.generation, a.reboot_required) = (4, true)), SwitchState::RebootRequired);
    assert_eq!(state(|a| (a.reboot_required, a.rebooting) = (true, true)), SwitchState::Rebooting);
    // Silence while it reboots is no outage, until it lasts too long.
    assert_eq!(state(|a| (a.rebooting, a.last_heartbeat) = (true, Some(at(-600)))), SwitchState::Rebooting);
    assert_eq!(state(|a| (a.rebooting, a.last_heartbeat) = (true, Some(at(-601)))), SwitchState::Offline);
    assert_eq!(state(|a| (a.rebooting, a.last_heartbeat) = (true, None)), SwitchState::Unknown);
    assert!(SwitchState::RebootRequired.is_blocked() && !SwitchState::Rebooting.is_blocked());
}

#[test]
fn reboot_and_version_are_read_from_the_agent() {
    let read = |spec: serde_json::Value, status: serde_json::Value| {
        let object = json!({"apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent",
            "metadata": {"name": "leaf-1", "generation": 1}, "spec": spec, "status": status});
        AgentView::from_value(&filter_allowed(&object)).unwrap().summary
    };
    let summary = read(
        json!({"version": {"default": "v3", "password": "hash"}, "reboot": "boot-1"}),
        json!({"version": "v2", "bootID": "boot-1", "rebootRequired": true}),
    );
    assert!(summary.has_skew() && summary.rebooting && summary.reboot_required, "{summary:?}");
    let back = read(json!({"powerReset": "boot-1"}), json!({"bootID": "boot-2"}));
    assert!(!back.rebooting && !back.reboot_required && !back.has_skew(), "it came back with another boot: {back:?}");
    assert!(!read(json!({"reboot": ""}), json!({"bootID": ""})).rebooting, "nobody asked for one");
}

#[test]
fn a_clock_that_is_ahead_is_named_with_how_much_and_what_to_do() {
    let mut ahead = agent(3, 3, 3);
    ahead.last_heartbeat = Some(at(3_540));
    let state = switch_state(&ahead, at(0));
    assert_eq!(state, SwitchState::Unknown);
    let said = in_sentence(&ahead, state, at(0));
    for part in ["leaf-1", "59 min ahead", "clock", "Check NTP on the switch and on this server."] {
        assert!(said.contains(part), "{part}: {said}");
    }
    ahead.last_heartbeat = None;
    let said = in_sentence(&ahead, switch_state(&ahead, at(0)), at(0));
    assert_eq!(said, "Nothing is known of leaf-1: its Agent has never had a heartbeat.");
}

#[test]
fn where_no_version_is_asked_for_the_others_say_what_is_usual() {
    let with = |name: &str, version: &str| AgentSummary {
        kind: AgentKind::GatewayAgent,
        name: name.into(),
        version: Some(version.into()),
        ..agent(1, 1, 1)
    };
    let mut three = [with("a", "v2"), with("b", "v2"), with("c", "v1"), agent(1, 1, 1)];
    expect_versions(&mut three);
    assert_eq!(three.iter().filter(|a| a.has_skew()).map(|a| a.name.as_str()).collect::<Vec<_>>(), ["c"]);
    assert_eq!(three[3].wanted_version, None, "switches are another kind");
    let mut split = [with("a", "v2"), with("b", "v1")];
    expect_versions(&mut split);
    assert!(split.iter().all(|a| !a.has_skew()), "neither is the usual one");
}

#[test]
fn the_worst_switch_comes_first() {
    let mut switches: Vec<SwitchRollout> = SwitchState::ALL
        .iter()
        .map(|state| SwitchRollout::new(state.as_str(), AgentKind::Agent, *state, None))
        .collect();
    worst_first(&mut switches);
    let order: Vec<&str> = switches.iter().map(|s| s.agent.as_str()).collect();
    assert_eq!((order[0], *order.last().unwrap()), ("stuck", "applied"), "{order:?}");
    assert!(order.iter().position(|s| *s == "offline") < order.iter().position(|s| *s == "rebooting"));
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
    assert_eq!(rollout(&[holding("leaf-9", false)]), RolloutState::Unknown, "there is no Agent of that name");
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

/// A leaf pair under one spine, with a gateway; every object and who must be told of it.
fn lab() -> Vec<(crate::ObjectKey, serde_json::Value)> {
    let objects = [
        (
            "wiring",
            "Switch",
            "leaf-1",
            json!({"role": "server-leaf", "redundancy": {"group": "pair", "type": "eslag"}}),
        ),
        (
            "wiring",
            "Switch",
            "leaf-2",
            json!({"role": "server-leaf", "redundancy": {"group": "pair", "type": "eslag"}}),
        ),
        ("wiring", "Switch", "leaf-3", json!({"role": "server-leaf", "vlanNamespaces": ["other"]})),
        ("wiring", "Switch", "spine", json!({"role": "spine"})),
        ("wiring", "Server", "server", json!({})),
        ("wiring", "VLANNamespace", "default", json!({"ranges": [{"from": 1, "to": 9}]})),
        (
            "wiring",
            "Connection",
            "up",
            json!({"fabric": {"links": [{"spine": {"port": "spine/E1/1"}, "leaf": {"port": "leaf-1/E1/1"}}]}}),
        ),
        (
            "wiring",
            "Connection",
            "pair",
            json!({"eslag": {"links": [{"server": {"port": "server/a"}, "switch": {"port": "leaf-1/E1/2"}},
            {"server": {"port": "server/b"}, "switch": {"port": "leaf-2/E1/2"}}]}}),
        ),
        ("wiring", "Connection", "out", json!({"external": {"link": {"switch": {"port": "leaf-3/E1/1"}}}})),
        (
            "wiring",
            "Connection",
            "loop",
            json!({"vpcLoopback": {"links": [{"switch1": {"port": "leaf-1/E1/8"}, "switch2": {"port": "leaf-1/E1/9"}}]}}),
        ),
        (
            "vpc",
            "VPC",
            "red",
            json!({"subnets": {"default": {"subnet": "10.0.1.0/24", "dhcp": {"relayVPC": "relay"}}}}),
        ),
        ("vpc", "VPC", "relay", json!({"subnets": {"default": {"subnet": "10.0.2.0/24"}}})),
        ("vpc", "VPC", "blue", json!({"subnets": {"default": {"subnet": "10.0.3.0/24"}}})),
        ("vpc", "VPC", "idle", json!({"subnets": {"default": {"subnet": "10.0.4.0/24"}}})),
        ("vpc", "VPCAttachment", "red-pair", json!({"subnet": "red/default", "connection": "pair"})),
        ("vpc", "VPCPeering", "red--relay", json!({"permit": [{"red": {}, "relay": {}}]})),
        ("vpc", "External", "edge", json!({"ipv4Namespace": "default"})),
        ("vpc", "ExternalAttachment", "edge-3", json!({"external": "edge", "connection": "out"})),
        (
            "vpc",
            "ExternalPeering",
            "blue--edge",
            json!({"permit": {"vpc": {"name": "blue"}, "external": {"name": "edge"}}}),
        ),
        ("gateway", "Gateway", "gw", json!({"workers": 4})),
        ("gateway", "GatewayGroup", "default", json!({})),
        ("gateway", "GatewayPeering", "red--blue", json!({"peering": {"red": {}, "blue": {}}})),
    ];
    let object = |(group, kind, name, spec): (&str, &str, &str, serde_json::Value)| {
        let group = format!("{group}.githedgehog.com");
        (
            crate::ObjectKey::new(&group, kind, "default", name),
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "spec": spec}),
        )
    };
    objects.into_iter().map(object).collect()
}

fn agent_of(kind: &str, name: &str, spec: serde_json::Value) -> AgentView {
    AgentView::from_value(
        &json!({"kind": kind, "metadata": {"name": name, "namespace": "default", "generation": 1}, "spec": spec}),
    )
    .unwrap()
}

#[test]
fn an_object_concerns_the_switches_that_the_wiring_leads_to() {
    let lab = lab();
    let told = holdings(lab.iter().map(|(k, v)| (k, v)), &[]);
    let names = |kind: &str, name: &str| -> String {
        let found = told.iter().find(|(key, _)| key.kind == kind && key.name == name);
        let list: Vec<&str> = found.into_iter().flat_map(|(_, held)| held).map(|h| h.agent.as_str()).collect();
        list.join(" ")
    };
    for (kind, name, agents) in [
        ("Switch", "leaf-1", "leaf-1 leaf-2 spine"),
        ("Switch", "leaf-3", "leaf-3"),
        ("Switch", "spine", "leaf-1 spine"),
        ("Server", "server", ""),
        ("VLANNamespace", "default", "leaf-1 leaf-2 spine"),
        ("Connection", "up", "leaf-1 spine"),
        ("Connection", "pair", "leaf-1 leaf-2"),
        ("Connection", "loop", ""),
        ("VPC", "red", "leaf-1 leaf-2 gw"),
        ("VPC", "relay", "leaf-1 leaf-2"),
        ("VPC", "blue", "leaf-3 gw"),
        ("VPC", "idle", ""),
        ("VPCAttachment", "red-pair", "leaf-1 leaf-2"),
        ("VPCPeering", "red--relay", "leaf-1 leaf-2"),
        ("External", "edge", "leaf-1 leaf-2 leaf-3 spine"),
        ("ExternalAttachment", "edge-3", "leaf-3"),
        ("ExternalPeering", "blue--edge", "leaf-3"),
        ("Gateway", "gw", "gw"),
        ("GatewayGroup", "default", "gw"),
        ("GatewayPeering", "red--blue", "gw"),
    ] {
        assert_eq!(names(kind, name), agents, "{kind} {name}");
    }
}

#[test]
fn lesson_45_an_agent_holds_an_object_when_it_holds_that_very_spec() {
    let lab = lab();
    let of = |agents: &[AgentView], kind: &str, name: &str| -> Vec<(String, bool, bool)> {
        let told = holdings(lab.iter().map(|(k, v)| (k, v)), agents);
        let found = told.into_iter().find(|(key, _)| key.kind == kind && key.name == name);
        found.into_iter().flat_map(|(_, held)| held).map(|h| (h.agent, h.wanted, h.holds)).collect()
    };
    let with = |spec| [agent_of("Agent", "leaf-3", spec)];
    let held = |wanted, holds| vec![("leaf-3".to_owned(), wanted, holds)];
    // Absent, false and empty are one, and so are defaults.
    let same = json!({"externalAttachments": {"edge-3": {"external": "edge", "connection": "out", "switch": {}}}});
    assert_eq!(of(&with(same), "ExternalAttachment", "edge-3"), held(true, true));
    let old = json!({"externalAttachments": {"edge-3": {"external": "other", "connection": "out"}}});
    assert_eq!(of(&with(old), "ExternalAttachment", "edge-3"), held(true, false));
    assert_eq!(of(&with(json!({})), "ExternalAttachment", "edge-3"), held(true, false));
    // Gone from the cluster, and still held; then gone from the switch too.
    let lingering = json!({"vpcAttachments": {"gone": {"subnet": "red/default"}}});
    assert_eq!(of(&with(lingering), "VPCAttachment", "gone"), held(false, true));
    assert_eq!(of(&with(json!({})), "VPCAttachment", "gone"), []);
    // The switch's own spec counts, not the list of its neighbours.
    let own = json!({"switch": {"role": "spine"}, "switches": {"leaf-3": {"role": "server-leaf", "vlanNamespaces": ["other"]}}});
    assert_eq!(of(&with(own), "Switch", "leaf-3"), held(true, false));
    // A gateway has a form of its own for VPCs.
    let gateway = |cidr: &str| {
        [agent_of("GatewayAgent", "gw", json!({"vpcs": {"blue": {"vni": 1, "subnets": {"default": {"cidr": cidr}}}}}))]
    };
    let on_gateway =
        |agents: &[AgentView]| of(agents, "VPC", "blue").into_iter().any(|(agent, _, holds)| agent == "gw" && holds);
    assert!(on_gateway(&gateway("10.0.3.0/24")) && !on_gateway(&gateway("10.0.9.0/24")));
}

#[test]
fn what_an_agent_holds_changes_with_its_generation_and_not_with_its_heartbeat() {
    let agent = |uid: &str, generation: i64, heartbeat: &str| {
        let metadata = json!({"name": "leaf-1", "namespace": "default", "uid": uid, "generation": generation});
        let agent = json!({"kind": "Agent", "metadata": metadata, "status": {"lastHeartbeat": heartbeat}});
        AgentView::from_value(&agent).unwrap().held_version()
    };
    let (first, later) = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:15Z");
    assert!(agent("a", 1, first).is_some());
    assert_eq!(agent("a", 1, first), agent("a", 1, later));
    assert_ne!(agent("a", 1, first), agent("a", 2, first));
    assert_ne!(agent("a", 1, first), agent("b", 1, first), "deleted and made again");
    assert_eq!((agent("", 1, first), agent("a", 0, first)), (None, None), "too little to tell");
}
