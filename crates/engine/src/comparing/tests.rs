//! What is used again from one comparison to the next, and what ends that: each thing that a verdict depends on is
//! changed once by itself, and exactly what depends on it is judged and written anew.

use super::confirm::Confirmation;
use super::memory::Memory;
use super::verdicts::{Depth, Verdicts, judge_all, prepare};
use crate::observing::{Live, Observation, Problem};
use cluster::{KindInfo, Kinds};
use jiff::Timestamp;
use model::compare::ObjectState;
use model::manifest::{Finding, Limits, Manifest, parse_file};
use model::rollout::AgentView;
use model::{Code, ObjectKey};
use serde_json::{Value, json};
use source::{Commit, Desired};
use std::collections::HashMap;
use std::sync::Arc;

const VPC: &str = "vpc.githedgehog.com";
const WIRING: &str = "wiring.githedgehog.com";

const FABRIC: &str = "
{apiVersion: wiring.githedgehog.com/v1beta1, kind: VLANNamespace, metadata: {name: default}, spec: {ranges: [{from: 100, to: 199}]}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: IPv4Namespace, metadata: {name: default}, spec: {subnets: [10.0.0.0/16]}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPC, metadata: {name: red}, spec: {ipv4Namespace: default, vlanNamespace: default, subnets: {default: {subnet: 10.0.1.0/24, vlan: 101}}}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPC, metadata: {name: blue}, spec: {ipv4Namespace: default, vlanNamespace: default, subnets: {default: {subnet: 10.0.2.0/24, vlan: 102}}}}
";

fn parse(text: &str) -> Vec<Arc<Manifest>> {
    let parsed = parse_file("fabric.yaml", text.as_bytes(), "default", &Limits::default());
    assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    parsed.manifests
}

fn commit(id: char, manifests: Vec<Arc<Manifest>>) -> Arc<Desired> {
    let commit = Commit {
        id: id.to_string().repeat(40),
        time: Timestamp::UNIX_EPOCH,
        author: "tester".into(),
        subject: "objects".into(),
    };
    Arc::new(Desired { commit, manifests, findings: Vec::new(), files: 1 })
}

fn key(kind: &str, name: &str) -> ObjectKey {
    ObjectKey::new(if kind == "VLANNamespace" || kind == "Switch" { WIRING } else { VPC }, kind, "default", name)
}

/// A cluster, and a fabric's memory of it.
struct World {
    memory: Memory,
    desired: Arc<Desired>,
    of_source: Arc<Vec<Finding>>,
    live: HashMap<ObjectKey, Arc<Value>>,
    unread: Vec<(&'static str, &'static str)>,
    agents: Option<Vec<AgentView>>,
    kinds: Arc<Kinds>,
    writes: u64,
}

impl World {
    /// Everything is live as Git wants it, and was compared once.
    fn settled() -> Self {
        let desired = commit('a', parse(FABRIC));
        let known = [(WIRING, "VLANNamespace"), (WIRING, "Switch"), (VPC, "IPv4Namespace"), (VPC, "VPC")];
        let kinds = known.map(|(group, kind)| KindInfo::bare(group, "v1beta1", kind, &kind.to_lowercase(), true));
        let mut world = Self {
            memory: Memory::default(),
            desired: desired.clone(),
            of_source: Arc::default(),
            live: HashMap::new(),
            unread: Vec::new(),
            agents: Some(Vec::new()),
            kinds: Arc::new(Kinds { kinds: kinds.into(), problems: Vec::new() }),
            writes: 0,
        };
        for manifest in &desired.manifests {
            world.write(manifest.object.value());
        }
        assert_eq!(world.compare().states(), "4 equal");
        world
    }

    /// Somebody writes an object to the cluster.
    fn write(&mut self, mut object: Value) {
        self.writes += 1;
        object["metadata"]["resourceVersion"] = self.writes.to_string().into();
        self.live.insert(ObjectKey::of(&object).unwrap(), Arc::new(object));
    }

    /// The objects in new versions' absence: as a list reads them anew each time.
    fn observe(&self) -> Arc<Observation> {
        let is_read = |group: &str, kind: &str| !self.unread.iter().any(|(g, k)| (*g, *k) == (group, kind));
        let kinds = self.kinds.kinds.iter().map(|k| (k.gvk.group.clone(), k.gvk.kind.clone()));
        let live = self.live.iter().filter(|(key, _)| is_read(&key.group, &key.kind));
        let problem = |(group, kind): &(&str, &str)| Problem {
            group: (*group).into(),
            kind: (*kind).into(),
            code: Code::KubernetesForbidden,
            message: "may not be read".into(),
        };
        Arc::new(Observation {
            began_at: Timestamp::UNIX_EPOCH,
            observed_at: Timestamp::UNIX_EPOCH,
            kinds: self.kinds.clone(),
            live: live.map(|(key, object)| (Arc::new(key.clone()), Arc::new(Live::from(object.as_ref())))).collect(),
            read: kinds.filter(|(group, kind)| is_read(group, kind)).collect(),
            problems: self.unread.iter().map(problem).collect(),
            agents: self.agents.clone(),
            versions: HashMap::new(),
        })
    }

    fn compare(&mut self) -> Compared {
        self.compare_to(Depth::Everything)
    }

    fn compare_to(&mut self, depth: Depth) -> Compared {
        let memory = std::mem::take(&mut self.memory);
        let prepared = prepare(memory, self.desired.clone(), self.observe(), self.of_source.clone(), depth);
        let findings = prepared.findings.clone();
        let bases_needed = prepared.bases_needed.clone();
        let verdicts = judge_all(prepared, HashMap::new());
        let Verdicts { memory, delta, found, settled } = verdicts;
        self.memory = memory;
        self.memory.stored(1, Timestamp::UNIX_EPOCH, 0);
        let mut written: Vec<String> = delta.upserts.iter().map(|row| row.key.name.clone()).collect();
        written.sort();
        let removed = delta.deletes.iter().map(|key| key.name.clone()).collect();
        let blocked = found.blocked.into_iter().map(|(key, _)| key.name).collect();
        let told = |d: &super::Differing| {
            let paths: Vec<&str> = d.diffs.iter().map(|diff| diff.path.as_str()).collect();
            format!("{}: {}", d.manifest.key.name, paths.join(" "))
        };
        let differing = found.differing.iter().map(told).collect();
        let tally = serde_json::to_value(&settled.tally).unwrap();
        Compared { findings, bases_needed, written, removed, blocked, differing, settled, tally }
    }
}

/// One agent, which holds the VLAN namespace like this.
fn agent(generation: i64, heartbeat: &str, vlans: Value) -> Option<Vec<AgentView>> {
    let object = json!({"kind": "Agent",
        "metadata": {"name": "leaf-1", "namespace": "default", "uid": "1", "generation": generation},
        "spec": {"vlanNamespaces": {"default": vlans}}, "status": {"lastHeartbeat": heartbeat}});
    Some(vec![AgentView::from_value(&object).unwrap()])
}

fn ranges(to: i64) -> Value {
    json!({"ranges": [{"from": 100, "to": to}]})
}

struct Compared {
    findings: Arc<crate::findings::Findings>,
    bases_needed: Vec<ObjectKey>,
    written: Vec<String>,
    removed: Vec<String>,
    blocked: Vec<String>,
    differing: Vec<String>,
    settled: Arc<super::Settled>,
    tally: Value,
}

impl Compared {
    fn states(&self) -> String {
        let kinds = self.tally["by_kind"].as_object().unwrap();
        let mut states: HashMap<String, u64> = HashMap::new();
        for (state, n) in kinds.values().flat_map(|kind| kind.as_object().unwrap()) {
            *states.entry(state.clone()).or_default() += n.as_u64().unwrap();
        }
        let mut states: Vec<String> = states.into_iter().map(|(state, n)| format!("{n} {state}")).collect();
        states.sort();
        states.join(", ")
    }

    fn rules(&self) -> Vec<&str> {
        self.findings.of_rules().iter().map(|f| f.rule.as_str()).collect()
    }

    fn nothing(&self) -> bool {
        self.written.is_empty() && self.removed.is_empty() && self.bases_needed.is_empty()
    }
}

#[test]
fn what_did_not_change_is_neither_judged_nor_written_nor_checked_again() {
    let mut world = World::settled();
    let first = world.compare();
    let second = world.compare();
    assert!(first.nothing() && second.nothing(), "{:?} {:?}", first.written, second.written);
    assert!(Arc::ptr_eq(&first.findings, &second.findings), "the rules were asked again");
    assert_eq!(first.tally, second.tally);
    assert_eq!(second.states(), "4 equal");
    assert!(Arc::ptr_eq(&first.settled, &second.settled), "the objects were counted again");
}

#[test]
fn what_differs_is_told_each_time_and_written_once() {
    let mut world = World::settled();
    let mut red = world.live[&key("VPC", "red")].as_ref().clone();
    red["spec"]["subnets"]["default"]["vlan"] = 150.into();
    world.write(red);
    assert_eq!(world.compare().written, ["red"]);
    for _ in 0..2 {
        let compared = world.compare();
        assert_eq!(compared.differing, ["red: spec.subnets.default.vlan"]);
        assert_eq!((compared.written.len(), compared.states().as_str()), (0, "1 undelivered, 3 equal"));
    }
}

#[test]
fn a_new_commit_is_judged_where_it_differs() {
    let mut world = World::settled();
    let mut manifests = world.desired.manifests.clone();
    let blue = manifests.iter_mut().find(|m| m.key.name == "blue").unwrap();
    Arc::make_mut(blue).object.edit(|object| object["spec"]["subnets"]["default"]["vlan"] = 101.into());
    world.desired = commit('b', manifests);
    let compared = world.compare();
    // The rules look at the new commit: red and blue now claim one VLAN.
    assert_eq!(compared.rules(), ["vlan_used_twice", "vlan_used_twice"]);
    assert_eq!(compared.bases_needed, [key("VPC", "blue")], "of the others it is known that they are equal");
    assert_eq!(compared.written, ["blue", "red"], "blue differs, red has a warning");
    assert_eq!(compared.states(), "1 undelivered, 3 equal");
}

#[test]
fn a_commit_that_changes_nothing_here_writes_nothing() {
    let mut world = World::settled();
    world.desired = commit('b', world.desired.manifests.clone());
    assert!(world.compare().nothing());
}

#[test]
fn a_changed_live_object_is_judged_and_the_rules_look_again() {
    let mut world = World::settled();
    let mut red = world.live[&key("VPC", "red")].as_ref().clone();
    red["spec"]["subnets"]["default"]["vlan"] = 150.into();
    world.write(red);
    let compared = world.compare();
    assert_eq!((compared.written, compared.bases_needed), (vec!["red".to_owned()], vec![key("VPC", "red")]));
    // An object of nobody's that takes a VLAN: as many live objects as before, and still not the same.
    world.live.remove(&key("VPC", "red"));
    world.write(json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "metadata": {"name": "green", "namespace": "default"},
        "spec": {"subnets": {"default": {"subnet": "10.0.9.0/24", "vlan": 102}}}}));
    let compared = world.compare();
    assert_eq!(compared.rules(), ["vlan_used_twice"], "blue's VLAN is green's");
    assert_eq!(compared.written, ["blue", "green", "red"]);
    // It goes again.
    world.live.remove(&key("VPC", "green"));
    let compared = world.compare();
    assert!(compared.rules().is_empty());
    assert_eq!((compared.written, compared.removed), (vec!["blue".to_owned()], vec!["green".to_owned()]));
}

#[test]
fn only_a_new_version_of_the_same_content_writes_its_row_and_stays_equal() {
    let mut world = World::settled();
    world.write(world.live[&key("VPC", "red")].as_ref().clone());
    let compared = world.compare();
    assert_eq!((compared.states().as_str(), compared.written), ("4 equal", vec!["red".to_owned()]));
    assert!(world.compare().nothing());
}

#[test]
fn a_kind_that_cannot_be_read_any_more_is_unknown_and_comes_back() {
    let mut world = World::settled();
    world.unread = vec![(VPC, "VPC")];
    let compared = world.compare();
    assert_eq!(compared.states(), "2 equal, 2 unknown");
    assert_eq!(compared.blocked, ["blue", "red"]);
    let again = world.compare();
    assert_eq!((again.states().as_str(), again.nothing()), ("2 equal, 2 unknown", true), "{:?}", again.written);
    // A reference to what cannot be read is not judged; as soon as it can be, it is.
    let mut manifests = world.desired.manifests.clone();
    manifests.retain(|m| m.key.kind != "IPv4Namespace");
    world.live.remove(&key("IPv4Namespace", "default"));
    world.desired = commit('b', manifests);
    world.unread = vec![(VPC, "IPv4Namespace")];
    assert!(world.compare().rules().is_empty());
    world.unread.clear();
    assert_eq!(world.compare().rules(), ["missing_reference", "missing_reference"]);
}

#[test]
fn other_findings_of_source_or_schemas_are_judged_where_they_differ() {
    let mut world = World::settled();
    let red = world.desired.manifests.iter().find(|m| m.key.name == "red").unwrap();
    // As when the cluster's definitions changed, so that the schemas were asked again.
    world.of_source = Arc::new(vec![Finding::error("unknown_field", "spec.mode is no field of a VPC.").of(red)]);
    let compared = world.compare();
    assert_eq!((compared.states().as_str(), compared.written), ("1 unknown, 3 equal", vec!["red".to_owned()]));
    assert_eq!(compared.blocked, ["red"]);
    world.of_source = Arc::default();
    let compared = world.compare();
    assert_eq!((compared.states().as_str(), compared.written), ("4 equal", vec!["red".to_owned()]));
}

#[test]
fn who_holds_what_is_looked_at_again_when_an_agent_holds_something_else() {
    let mut world = World::settled();
    world.agents = agent(1, "2026-01-01T00:00:00Z", ranges(199));
    assert_eq!(world.compare().written, ["default", "default"], "a switch runs both namespaces now");
    world.agents = agent(1, "2026-01-01T00:00:15Z", ranges(199));
    assert!(world.compare().nothing(), "a heartbeat says nothing about what is held");
    world.agents = agent(2, "2026-01-01T00:00:30Z", ranges(150));
    assert_eq!(world.compare().written, ["default"], "its VLAN namespace is not the live one");
    // While no agent can be read, what was known stays. What changed meanwhile is looked at as soon as one can be.
    world.agents = None;
    assert!(world.compare().nothing());
    let mut vlans = world.live[&key("VLANNamespace", "default")].as_ref().clone();
    vlans["spec"] = ranges(150);
    world.write(vlans);
    assert_eq!(world.compare().written, ["default"], "it is not as Git wants it");
    world.agents = agent(2, "2026-01-01T00:00:45Z", ranges(150));
    assert_eq!(world.compare().written, ["default"], "and that is what the switch holds");
    assert!(world.compare().written.is_empty());
}

#[test]
fn the_servers_word_is_written_once_and_stays() {
    let mut world = World::settled();
    let (red, manifest) = (key("VPC", "red"), world.desired.manifests.iter().find(|m| m.key.name == "red").unwrap());
    let live = Arc::new(Live::from(world.live[&red].as_ref()));
    let says = |equal| Confirmation::new(manifest.object.clone(), Some(&live), Some(equal), Vec::new());
    let (agrees, disagrees) = (says(true), says(false));
    world.memory.hear(red.clone(), agrees);
    assert_eq!(world.compare().written, ["red"], "that it is confirmed is news");
    assert!(world.compare().nothing());
    world.memory.hear(red.clone(), disagrees);
    let compared = world.compare();
    assert_eq!((compared.states().as_str(), compared.written), ("1 undelivered, 3 equal", vec!["red".to_owned()]));
    assert_eq!(world.memory.objects[&red].confirmed, Some(false), "a disagreement is counted");
    assert_eq!(world.memory.objects[&red].state, ObjectState::Undelivered);
    assert!(world.compare().written.is_empty());
}

#[test]
fn the_servers_word_against_a_difference_stays_a_disagreement() {
    let mut world = World::settled();
    let red = key("VPC", "red");
    let mut object = world.live[&red].as_ref().clone();
    object["spec"]["mode"] = "l3vni".into();
    world.write(object);
    assert_eq!(world.compare().states(), "1 undelivered, 3 equal");
    let manifest = world.desired.manifests.iter().find(|m| m.key.name == "red").unwrap();
    let live = Arc::new(Live::from(world.live[&red].as_ref()));
    let word = Confirmation::new(manifest.object.clone(), Some(&live), Some(true), Vec::new());
    world.memory.hear(red.clone(), word);
    assert_eq!(world.compare().states(), "4 equal");
    assert_eq!(world.memory.objects[&red].confirmed, Some(false));
    // Another look, for another reason, does not make an agreement of it.
    let mut manifests = world.desired.manifests.clone();
    Arc::make_mut(manifests.iter_mut().find(|m| m.key.name == "red").unwrap()).location.line += 1;
    world.desired = commit('b', manifests);
    assert_eq!(world.compare().written, ["red"], "it stands on another line");
    assert_eq!(world.memory.objects[&red].confirmed, Some(false));
}

/// A change that is judged at once, before the rules and the agents are asked about the whole again.
#[test]
fn a_change_is_judged_at_once_and_the_whole_is_owed() {
    let mut world = World::settled();
    let mut vlans = world.live[&key("VLANNamespace", "default")].as_ref().clone();
    world.agents = agent(1, "2026-01-01T00:00:15Z", vlans["spec"].clone());
    world.compare();
    let holds = |world: &World| world.memory.objects[&key("VLANNamespace", "default")].holdings[0].holds;
    assert!(holds(&world), "the control: the switch holds it");

    vlans["spec"] = ranges(150);
    world.write(vlans);
    world.live.remove(&key("VPC", "blue"));
    let at_once = world.compare_to(Depth::Changes);
    assert_eq!(at_once.written, ["blue", "default"]);
    assert_eq!(at_once.states(), "2 equal, 2 undelivered");
    assert!(!holds(&world), "nobody is known to hold what changed a moment ago");
    assert!(at_once.rules().is_empty(), "the rules were not asked yet");

    // Another look at changes finds none; the next whole one asks about everything.
    assert!(world.compare_to(Depth::Changes).written.is_empty());
    let whole = world.compare();
    assert!(!Arc::ptr_eq(&at_once.findings, &whole.findings), "the rules were asked");
    let again = world.compare();
    assert!(Arc::ptr_eq(&whole.findings, &again.findings), "nothing is owed any more");
}

/// Controllers write status, and people annotations, often: neither rules nor agents look at these.
#[test]
fn what_rules_and_agents_do_not_look_at_is_judged_without_asking_them() {
    let mut world = World::settled();
    let mut vlans = world.live[&key("VLANNamespace", "default")].as_ref().clone();
    world.agents = agent(1, "2026-01-01T00:00:15Z", vlans["spec"].clone());
    let before = world.compare();
    let holds = |world: &World| world.memory.objects[&key("VLANNamespace", "default")].holdings[0].holds;
    assert!(holds(&world), "the control: the switch holds it");
    for (depth, status) in [(Depth::Changes, 1), (Depth::News, 2), (Depth::Everything, 3)] {
        vlans["status"] = json!({"used": status});
        world.write(vlans.clone());
        let after = world.compare_to(depth);
        assert_eq!((after.states().as_str(), after.written.as_slice()), ("4 equal", &["default".to_owned()][..]));
        assert!(Arc::ptr_eq(&before.findings, &after.findings), "{depth:?}: the rules were asked again");
        assert!(holds(&world), "{depth:?}: the switch still holds what it states");
    }
    vlans["metadata"]["labels"] = json!({"tier": "1"});
    world.write(vlans);
    assert!(!Arc::ptr_eq(&before.findings, &world.compare().findings), "the control: labels are looked at");
}

#[test]
fn what_somebody_made_and_deleted_in_the_cluster_comes_and_goes_at_once() {
    let mut world = World::settled();
    let mut extra = world.live[&key("VPC", "red")].as_ref().clone();
    extra["metadata"]["name"] = "green".into();
    world.write(extra);
    assert_eq!(world.compare_to(Depth::Changes).states(), "1 extra, 4 equal");
    world.live.remove(&key("VPC", "green"));
    let gone = world.compare_to(Depth::Changes);
    assert_eq!((gone.states().as_str(), gone.removed), ("4 equal", vec!["green".to_owned()]));
}

#[test]
fn a_difference_that_is_known_is_no_news() {
    let mut world = World::settled();
    let mut red = world.live[&key("VPC", "red")].as_ref().clone();
    red["spec"]["mode"] = "l3vni".into();
    world.write(red);
    assert_eq!(world.compare_to(Depth::News).differing, ["red: spec.mode"]);
    for depth in [Depth::News, Depth::Changes] {
        let again = world.compare_to(depth);
        assert!(again.nothing() && again.differing.is_empty(), "{:?}", again.differing);
        assert_eq!(again.states(), "1 undelivered, 3 equal");
    }
    // Something else changes: the rules look at the whole, and what is known is still no news.
    let mut blue = world.live[&key("VPC", "blue")].as_ref().clone();
    blue["spec"]["mode"] = "l3vni".into();
    world.write(blue);
    assert_eq!(world.compare_to(Depth::News).differing, ["blue: spec.mode"]);
    assert_eq!(world.compare().differing, ["blue: spec.mode", "red: spec.mode"], "who wants everything gets it");
}
