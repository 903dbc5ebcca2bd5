//! Agents as the recorded ones are, in each state.

use super::*;
use serde_json::json;

const NOW: &str = "2026-11-22T17:43:00Z";

fn agent(name: &str, applied: Option<i64>, heartbeat: Option<&str>) -> Value {
    json!({
        "metadata": {"name": name, "generation": 7},
        "spec": {
            "users": [{"password": "$5$hash"}],
            "vpcs": {"vpc-1": {"subnets": {"default": {"vlan": 1001, "dhcp": {}}}}},
            "vpcPeers": {"vpc-1--vpc-2": {"permit": []}},
        },
        "status": {"lastAppliedGen": applied, "lastAttemptGen": 7, "lastHeartbeat": heartbeat},
    })
}

fn one(agent: &Value, wanted: Wanted<'_>) -> SwitchReading {
    read(std::slice::from_ref(agent), wanted, NOW.parse().unwrap()).remove(0)
}

#[test]
fn the_very_spec_applied_and_alive_is_on_the_switch() {
    let fresh = Some("2026-11-22T17:42:50Z");
    let spec = json!({"subnets": {"default": {"vlan": 1001}}, "mode": ""});
    let wanted = Wanted::Object("VPC", "vpc-1", &spec);
    let read = one(&agent("leaf-1", Some(7), fresh), wanted);
    assert_eq!((read.verdict, read.holding), (Verdict::Applied, Holding::This));
    assert_eq!(read.sentence, "leaf-1 runs VPC vpc-1, generation 7.");
    assert!(!serde_json::to_string(&read).unwrap().contains("$5$hash"));
    for (applied, verdict) in [(Some(6), Verdict::Pending), (None, Verdict::Pending), (Some(8), Verdict::Unknown)] {
        assert_eq!(one(&agent("leaf-1", applied, fresh), wanted).verdict, verdict, "{applied:?}");
    }
    for heartbeat in ["2026-11-22T17:41:59Z", "2026-11-21T17:42:50Z"] {
        let read = one(&agent("leaf-1", Some(7), Some(heartbeat)), wanted);
        assert_eq!(read.verdict, Verdict::Silent);
        assert!(read.sentence.contains("last heard of"), "{}", read.sentence);
    }
    for heartbeat in [None, Some("2026-11-22T18:00:00Z"), Some("yesterday")] {
        assert_eq!(one(&agent("leaf-1", Some(7), heartbeat), wanted).verdict, Verdict::Unknown, "{heartbeat:?}");
    }
}

#[test]
fn another_spec_is_pending_and_no_spec_is_not_known() {
    let agent = agent("leaf-1", Some(7), Some("2026-11-22T17:42:50Z"));
    let spec = json!({"subnets": {"default": {"vlan": 1002}}});
    let read = one(&agent, Wanted::Object("VPC", "vpc-1", &spec));
    assert_eq!((read.verdict, read.holding), (Verdict::Pending, Holding::Another));
    let read = one(&agent, Wanted::Object("VPC", "vpc-2", &spec));
    assert_eq!((read.verdict, read.holding), (Verdict::Unknown, Holding::Nothing));
    let read = one(&agent, Wanted::Object("Server", "server-1", &spec));
    assert_eq!((read.verdict, read.holding), (Verdict::Unknown, Holding::NeverHeld));
    assert_eq!(one(&agent, Wanted::Gone("VPC", "vpc-1")).verdict, Verdict::Pending);
    let read = one(&agent, Wanted::Gone("VPC", "vpc-2"));
    assert_eq!((read.verdict, read.sentence.as_str()), (Verdict::Applied, "leaf-1 does not run VPC vpc-2 any more."));
    let peering = json!({});
    assert_eq!(one(&agent, Wanted::Object("VPCPeering", "vpc-1--vpc-2", &peering)).verdict, Verdict::Applied);
    assert_eq!(one(&agent, Wanted::Anything).holding, Holding::NotAsked);
}

#[test]
fn over_all_those_that_are_not_concerned_do_not_count() {
    let fresh = Some("2026-11-22T17:42:50Z");
    let spec = json!({"subnets": {"default": {"vlan": 1001}}});
    let mut spine = agent("spine-1", Some(7), fresh);
    spine["spec"]["vpcs"] = json!({});
    let of = |agents: &[Value]| overall(&read(agents, Wanted::Object("VPC", "vpc-1", &spec), NOW.parse().unwrap()));
    assert_eq!(of(&[agent("leaf-1", Some(7), fresh), spine.clone()]), Verdict::Applied);
    assert_eq!(of(&[agent("leaf-1", Some(7), fresh), agent("leaf-2", Some(6), fresh)]), Verdict::Pending);
    assert_eq!(of(&[agent("leaf-1", Some(6), fresh), agent("leaf-2", Some(7), None)]), Verdict::Pending);
    assert_eq!(of(&[spine]), Verdict::Unknown);
    assert_eq!(of(&[]), Verdict::Unknown);
}

#[test]
fn a_switch_without_connections_stands_at_its_own_place_and_is_nobody_elses() {
    let fresh = Some("2026-11-22T17:42:50Z");
    let (live, other) = (json!({"role": "spine", "asn": 65100}), json!({"role": "spine", "asn": 65101}));
    let mut agent = agent("spine-1", Some(7), fresh);
    agent["spec"]["switch"] = live.clone();
    let of = |name, spec| one(&agent, Wanted::Object("Switch", name, spec));
    assert_eq!((of("spine-1", &live).verdict, of("spine-1", &live).holding), (Verdict::Applied, Holding::This));
    assert_eq!(of("spine-1", &other).holding, Holding::Another);
    assert_eq!(of("spine-2", &live).holding, Holding::Nothing);
}
