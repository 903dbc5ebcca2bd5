//! Lists and watches of one kind in every order: what reaches further counts, and nothing comes back.

use super::*;
use crate::observing::Live;
use cluster::KindInfo;
use serde_json::json;

const VPC: &str = "vpc.githedgehog.com";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id() -> KindId {
    (VPC.into(), "VPC".into())
}

fn agents() -> KindId {
    ("agent.githedgehog.com".into(), "Agent".into())
}

fn object(name: &str, version: u64) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "metadata": {"name": name, "namespace": "default", "resourceVersion": version.to_string()}})
}

fn received(object: &Value) -> Received {
    let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    Received {
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        resource_version: text("/metadata/resourceVersion"),
        json: object.to_string().into_boxed_str(),
    }
}

fn agent(generation: i64, version: u64, heartbeat: &str, applied: i64) -> Value {
    json!({"apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent",
        "metadata": {"name": "leaf-1", "namespace": "default", "uid": "u", "generation": generation,
            "resourceVersion": version.to_string()},
        "spec": {"vpcs": {"a": {"generation": generation}}},
        "status": {"lastHeartbeat": heartbeat, "lastAppliedGen": applied}})
}

/// Lists that read these VPCs (name, version), up to a version, at a moment.
fn lists(objects: &[(&str, u64)], version: u64, second: i64) -> Observation {
    let known = [(VPC, "VPC", "vpcs"), ("agent.githedgehog.com", "Agent", "agents")];
    let kinds = known.map(|(group, kind, plural)| KindInfo::bare(group, "v1beta1", kind, plural, true));
    let live = objects.iter().map(|(name, version)| {
        let object = object(name, *version);
        (Arc::new(ObjectKey::of(&object).unwrap()), Arc::new(Live::from(&object)))
    });
    Observation {
        began_at: at(second),
        observed_at: at(second),
        kinds: Arc::new(Kinds { kinds: kinds.into(), problems: Vec::new() }),
        live: live.collect(),
        read: [id()].into(),
        problems: Vec::new(),
        agents: Some(Vec::new()),
        versions: [(id(), version.to_string()), (agents(), version.to_string())].into(),
    }
}

fn names(index: &Index) -> Vec<String> {
    let mut names: Vec<String> =
        index.live.iter().map(|(key, live)| format!("{}@{}", key.name, live.version().unwrap())).collect();
    names.sort();
    names
}

fn applied(name: &str, version: u64) -> WatchEvent {
    WatchEvent::Applied(received(&object(name, version)))
}

fn deleted(name: &str, version: u64) -> WatchEvent {
    WatchEvent::Deleted(received(&object(name, version)))
}

#[test]
fn events_after_a_list_count_and_events_from_before_it_do_not() {
    let mut index = Index::new(&lists(&[("a", 5), ("b", 6)], 10, 1));
    assert_eq!(index.apply(&id(), applied("a", 11), at(2)), Change::Content);
    assert_eq!(index.apply(&id(), deleted("b", 12), at(3)), Change::Content);
    assert_eq!(names(&index), ["a@11"]);
    // A list that began earlier and ended later: it reaches less far.
    index.fold(&lists(&[("a", 5), ("b", 6)], 10, 1));
    assert_eq!(names(&index), ["a@11"], "b does not come back");
    // One that reaches further brings what the stream has not told yet; when the stream tells it, that is nothing new.
    index.fold(&lists(&[("a", 13), ("c", 14)], 15, 4));
    assert_eq!(names(&index), ["a@13", "c@14"]);
    for event in [applied("a", 13), applied("c", 14), applied("d", 13), deleted("d", 15)] {
        assert_eq!(index.apply(&id(), event, at(5)), Change::Nothing);
    }
    assert_eq!(names(&index), ["a@13", "c@14"]);
    assert_eq!(index.apply(&id(), deleted("c", 16), at(6)), Change::Content);
    assert_eq!(names(&index), ["a@13"]);
}

#[test]
fn a_watch_that_lists_again_replaces_what_was_known() {
    let mut index = Index::new(&lists(&[("a", 5), ("b", 6)], 10, 1));
    let listed = |objects: &[(&str, u64)], version: u64| {
        let objects = objects.iter().map(|(name, version)| received(&object(name, *version))).collect();
        WatchEvent::Listed(ListedAsReceived { objects, resource_version: version.to_string() })
    };
    assert_eq!(index.apply(&id(), listed(&[("b", 20), ("c", 21)], 22), at(2)), Change::Content);
    assert_eq!(names(&index), ["b@20", "c@21"]);
    assert_eq!(index.apply(&id(), listed(&[], 22), at(3)), Change::Nothing, "it reaches no further");
    assert_eq!(index.apply(&id(), applied("b", 21), at(4)), Change::Nothing, "from before the list");
    assert_eq!(names(&index), ["b@20", "c@21"]);
}

#[test]
fn the_evidence_is_as_old_as_the_kind_that_was_silent_longest() {
    let mut index = Index::new(&lists(&[("a", 5)], 10, 1));
    index.apply(&id(), applied("a", 11), at(50));
    assert_eq!(index.proof(), at(1), "nothing was heard of agents");
    assert_eq!(index.observation(at(60)).observed_at, at(1));
    index.apply(&agents(), WatchEvent::Bookmark { resource_version: "12".into() }, at(40));
    assert_eq!((index.proof(), index.proof_of_agents()), (at(40), at(40)));
    for id in [id(), agents()] {
        index.apply(&id, WatchEvent::Opened, at(60));
        index.ended(&id);
    }
    assert_eq!(index.proof(), at(40), "that a stream opens or ends proves nothing");
    // An older clock moves nothing back.
    index.apply(&agents(), WatchEvent::Bookmark { resource_version: "13".into() }, at(30));
    assert_eq!(index.proof(), at(40));
    index.fold(&lists(&[("a", 11)], 12, 70));
    assert_eq!(index.proof(), at(70), "lists prove every kind");
}

#[test]
fn it_is_whole_while_every_kind_has_a_stream() {
    let mut index = Index::new(&lists(&[], 10, 1));
    assert!(!index.is_whole());
    index.apply(&id(), WatchEvent::Opened, at(2));
    assert!(!index.is_whole());
    index.apply(&agents(), WatchEvent::Opened, at(2));
    assert!(index.is_whole());
    index.ended(&id());
    assert!(!index.is_whole());
    index.apply(&id(), WatchEvent::Opened, at(3));
    let mut read = lists(&[], 11, 4);
    assert!(index.is_of(&read));
    read.problems.push(Problem {
        group: VPC.into(),
        kind: "External".into(),
        code: model::Code::KubernetesForbidden,
        message: String::new(),
    });
    index.fold(&read);
    assert!(!index.is_whole(), "a kind that cannot be read is looked for by lists");
    read.versions.remove(&agents());
    assert!(!index.is_of(&read), "another set of kinds begins anew");
}

#[test]
fn a_heartbeat_is_no_change_and_the_same_spec_is_kept_once() {
    let mut index = Index::new(&lists(&[], 10, 1));
    let event = |agent: Value| WatchEvent::Applied(received(&agent));
    let first = "2026-01-01T00:00:00Z";
    assert_eq!(index.apply(&agents(), event(agent(1, 11, first, 1)), at(2)), Change::Content);
    let before = index.agents().unwrap().remove(0);
    assert_eq!(index.apply(&agents(), event(agent(1, 12, "2026-01-01T00:00:15Z", 1)), at(3)), Change::Heartbeat);
    let after = index.agents().unwrap().remove(0);
    assert!(after.shares_specs_with(&before), "the specs are kept once");
    assert_eq!(after.summary.last_heartbeat, Some("2026-01-01T00:00:15Z".parse().unwrap()));
    assert_eq!(index.apply(&agents(), event(agent(1, 13, first, 0)), at(4)), Change::Report);
    assert_eq!(index.apply(&agents(), event(agent(2, 14, first, 1)), at(5)), Change::Content);
    assert!(!index.agents().unwrap()[0].shares_specs_with(&before), "another spec");
    assert_eq!(index.apply(&agents(), WatchEvent::Deleted(received(&agent(2, 15, first, 1))), at(6)), Change::Content);
    assert_eq!(index.agents(), Some(Vec::new()));
}

#[test]
fn a_server_that_went_back_in_time_is_noticed_and_proves_nothing_until_everything_is_listed() {
    let listed = |version: u64| {
        WatchEvent::Listed(ListedAsReceived { objects: Vec::new(), resource_version: version.to_string() })
    };
    let mut index = Index::new(&lists(&[("a", 5)], 10, 1));
    for id in [id(), agents()] {
        index.apply(&id, WatchEvent::Opened, at(2));
        index.apply(&id, WatchEvent::Bookmark { resource_version: "90".into() }, at(20));
    }
    assert!(index.is_whole() && !index.is_doubted());
    // Lists that began before the bookmark came may reach less far: that is no going back.
    assert!(!index.is_ahead_of(&lists(&[("a", 5)], 40, 15)));
    assert!(!index.is_ahead_of(&lists(&[("a", 5)], 90, 30)), "the control");
    // A watch had to list again, and its list is behind what is known.
    assert_eq!(index.apply(&id(), listed(40), at(30)), Change::Nothing);
    assert!(index.is_doubted() && !index.is_whole(), "only lists of everything can tell");
    index.apply(&id(), applied("a", 41), at(50));
    index.apply(&agents(), WatchEvent::Bookmark { resource_version: "41".into() }, at(50));
    assert_eq!(index.proof(), at(20), "what comes after the doubt proves nothing");
    let read = lists(&[("b", 8)], 42, 60);
    assert!(index.is_ahead_of(&read), "it is to begin anew");
    assert_eq!(names(&Index::new(&read)), ["b@8"]);
    // Had it been the other lists that came in between, the next ones end the doubt.
    index.fold(&lists(&[("a", 95)], 99, 61));
    assert!(!index.is_doubted() && index.is_whole());
    assert_eq!((names(&index), index.proof()), (vec!["a@95".to_owned()], at(61)));
}

#[test]
fn what_was_proved_while_the_clock_was_ahead_is_known_by_its_time() {
    let mut index = Index::new(&lists(&[("a", 5)], 10, 1));
    index.apply(&id(), WatchEvent::Bookmark { resource_version: "20".into() }, at(9_000));
    assert!(index.has_future_proof(at(10)), "one kind is enough, although the oldest proof is of the past");
    assert!(!index.has_future_proof(at(9_000)), "the control: the clock has come there");
}
