//! The lab beside what Hedgehog's real controller was recorded to do. The recordings stand outside of the repository;
//! where they are missing, these tests say so and pass.

use crate::{
    admission::{self, FabricSettings, Objects},
    api::{
        ApiError,
        registry::Registry,
        store::Store,
        write::{FieldValidation, Preconditions, WriteOptions, Writes, Written},
    },
    faults::Faults,
    kinds, profiles,
};
use serde_json::{Value, json};
use std::{path::Path, sync::Arc};

fn recording(file: &str) -> Option<Vec<Value>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/hedgehog/recorded").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: ../shared is not here");
        return None;
    };
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A store, as a real cluster would hold it after the recorded objects were applied.
struct Cluster {
    store: Store,
    faults: Faults,
}

impl Cluster {
    fn new() -> Self {
        let store = Store::new(Registry::new(&kinds::crds()), FabricSettings::default());
        let cluster = Self { store, faults: Faults::default() };
        let namespaces = cluster.store.registry.by_kind("Namespace").unwrap().clone();
        cluster
            .store
            .lock()
            .put(&namespaces, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}));
        for profile in profiles::built_in() {
            cluster.create(profile, false).unwrap();
        }
        cluster
    }

    fn writes(&self) -> Writes<'_> {
        Writes { store: &self.store, faults: &self.faults }
    }

    fn options(dry_run: bool, manager: &str) -> WriteOptions {
        WriteOptions {
            manager: manager.to_owned(),
            dry_run,
            field_validation: FieldValidation::Strict,
            ..WriteOptions::default()
        }
    }

    fn create(&self, object: &Value, dry_run: bool) -> Result<Written, ApiError> {
        let resource = self.store.registry.of_object(object).unwrap();
        self.writes().create(resource, "default", object.clone(), &Self::options(dry_run, "test"))
    }

    fn apply(&self, object: &Value, manager: &str, force: bool, dry_run: bool) -> Result<Written, ApiError> {
        let resource = self.store.registry.of_object(object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        self.writes().apply(resource, "default", name, object.clone(), force, &Self::options(dry_run, manager))
    }

    fn replace(&self, object: &Value) -> Result<Written, ApiError> {
        let resource = self.store.registry.of_object(object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let mut change = |old: &Value| {
            let mut new = object.clone();
            new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"].clone();
            Ok(new)
        };
        self.writes().update(resource, "default", name, &mut change, &Self::options(false, "test"))
    }

    fn delete(&self, object: &Value) -> Result<Written, ApiError> {
        let resource = self.store.registry.of_object(object).unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        self.writes().delete(resource, "default", name, &Preconditions::default(), false)
    }
}

/// An object without what the server adds.
fn plain(object: &Value) -> Value {
    let mut object = object.clone();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for key in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields"] {
        metadata.shift_remove(key);
    }
    object
}

fn with_pairs() -> Option<Cluster> {
    let pairs = recording("pairs.jsonl")?;
    let cluster = Cluster::new();
    for pair in &pairs {
        let kind = &pair["applied"]["kind"];
        let name = &pair["applied"]["metadata"]["name"];
        let written = cluster.apply(&pair["applied"], "first", false, false);
        let written = written.unwrap_or_else(|e| panic!("{kind} {name}: {e}"));
        assert_eq!(plain(&written.object), pair["stored"], "{kind} {name}");
        assert!(written.warnings.is_empty(), "{kind} {name}: {:?}", written.warnings);
    }
    assert_eq!(pairs.len(), 69);
    Some(cluster)
}

#[test]
fn what_was_applied_is_stored_as_recorded() {
    let Some(cluster) = with_pairs() else { return };
    // Applying all of it again changes nothing, not even a version.
    for pair in recording("pairs.jsonl").unwrap() {
        let version = cluster.store.lock().version();
        cluster.apply(&pair["applied"], "first", false, false).unwrap();
        assert_eq!(cluster.store.lock().version(), version, "{}", pair["applied"]["metadata"]["name"]);
    }
}

#[test]
fn defaulting_is_stable_and_exact() {
    let Some(pairs) = recording("pairs.jsonl") else { return };
    let none = Objects::default();
    for pair in pairs {
        let name = &pair["applied"]["metadata"]["name"];
        assert_eq!(admission::default(&pair["applied"], &none), pair["stored"], "{name}");
        assert_eq!(admission::default(&pair["stored"], &none), pair["stored"], "{name} again");
    }
}

/// What *adopt* commits of a stored object is stored as that object was, when it is applied to an empty cluster.
#[test]
fn an_adopted_object_is_stored_again_as_it_was() {
    let Some(pairs) = recording("pairs.jsonl") else { return };
    let cluster = Cluster::new();
    for pair in &pairs {
        let manifest = model::adopt::manifest(&pair["stored"]).unwrap();
        let name = &manifest["metadata"]["name"];
        let written = cluster.create(&manifest, false).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(plain(&written.object), pair["stored"], "{name}: {manifest}");
        assert!(written.warnings.is_empty(), "{name}: {:?}", written.warnings);
    }
}

/// The reason without the frame that kubectl puts around it.
fn reason(says: &str) -> String {
    let text = says.trim_start_matches("Error from server (Forbidden): ").trim_start_matches("Error from server: ");
    match text.split_once("\" is invalid: ") {
        Some((_, causes)) => causes.to_owned(),
        None => text.to_owned(),
    }
}

/// Where the lab's own words differ from the recorded ones: what its refusal must contain.
const OWN_WORDS: &[(&str, &str)] =
    &[("unhydrated", "invalid ProtocolIP"), ("wrong-type", ".spec.subnets.default.vlan:")];

#[test]
fn verdicts_are_as_recorded() {
    let Some(cluster) = with_pairs() else { return };
    let verdicts = recording("verdicts.jsonl").unwrap();
    assert_eq!(verdicts.len(), 57);
    let mut wrong = Vec::new();
    for row in &verdicts {
        let (case, says) = (row["case"].as_str().unwrap(), row["says"].as_str().unwrap());
        let answer = cluster.apply(&row["object"], "second", true, true);
        let verdict = if answer.is_ok() { "accepted" } else { "rejected" };
        let words = match &answer {
            Ok(written) => written.warnings.iter().map(|w| format!("Warning: {w}")).collect::<Vec<_>>().join("\n"),
            Err(error) => error.message.clone(),
        };
        let same = match OWN_WORDS.iter().find(|(c, _)| *c == case) {
            Some((_, own)) => words.contains(own),
            None if says.is_empty() => words.is_empty(),
            None => words.contains(&reason(says)),
        };
        if verdict != row["verdict"] || !same {
            wrong.push(format!("{case}: {verdict}: {words}\n    recorded: {}: {says}", row["verdict"]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn changes_end_as_recorded() {
    let Some(cluster) = with_pairs() else { return };
    let steps = recording("changes.jsonl").unwrap();
    assert_eq!(steps.len(), 26);
    for (i, step) in steps.iter().enumerate() {
        let case = format!("step {i}, {}", step["case"].as_str().unwrap());
        let object = &step["object"];
        let forced = case.ends_with(", forced");
        let answer = match step["how"].as_str().unwrap() {
            "ssa" => cluster.apply(object, "first", forced, false),
            "ssa-other" => cluster.apply(object, "second", forced, false),
            "put" => cluster.replace(object),
            "delete" => cluster.delete(object),
            other => panic!("{other}"),
        };
        let verdict = if answer.is_ok() { "accepted" } else { "rejected" };
        assert_eq!(step["verdict"], verdict, "{case}: {:?}", answer.err());
        if let (Ok(written), true) = (&answer, step["stored"].is_object()) {
            assert_eq!(plain(&written.object), step["stored"], "{case}");
        }
        if let Err(error) = &answer {
            let says = step["says"].as_str().unwrap();
            let first = reason(says.lines().next().unwrap().trim_start_matches("error: "));
            assert!(error.message.contains(&first), "{case}: {error}\n    recorded: {first}");
        }
    }
}

/// What the recorded agents hold, by name, the planned ones hold too, with equal specs.
#[test]
fn agents_embed_what_was_recorded() {
    let Some(cluster) = with_pairs() else { return };
    let planned = crate::agents::plan(&cluster.store).objects;
    let recorded = recording("agents.jsonl").unwrap();
    assert_eq!(recorded.len(), 8);
    let mut compared = 0;
    for agent in recorded {
        let same = |o: &&Value| o["kind"] == agent["kind"] && o["metadata"]["name"] == agent["metadata"]["name"];
        let own = planned.iter().find(same).unwrap_or_else(|| panic!("{} is missing", agent["metadata"]["name"]));
        let name = &agent["metadata"]["name"];
        for part in ["role", "description", "switch", "redundancyGroupPeers", "attachedVPCs", "configuredVPCSubnets"] {
            assert_eq!(own["spec"].get(part), agent["spec"].get(part), "{name}: {part}");
        }
        for part in [
            "vpcs",
            "vpcAttachments",
            "vpcPeers",
            "connections",
            "switches",
            "externals",
            "externalAttachments",
            "externalPeerings",
            "ipv4Namespaces",
            "vlanNamespaces",
        ] {
            if agent["kind"] == "GatewayAgent" {
                continue;
            }
            assert_eq!(own["spec"].get(part), agent["spec"].get(part), "{name}: {part}");
            compared += own["spec"].get(part).and_then(Value::as_object).map_or(0, serde_json::Map::len);
        }
        if agent["kind"] == "GatewayAgent" {
            for part in ["gateway", "groups", "peerings", "communities", "config"] {
                assert_eq!(own["spec"][part], agent["spec"][part], "{name}: {part}");
            }
            let names = |v: &Value| {
                v["spec"]["vpcs"].as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(names(own), names(&agent), "{name}: vpcs");
        }
        let (labels, recorded) = (own["metadata"].get("labels"), agent["metadata"].get("labels"));
        assert_eq!(labels, recorded, "{name}: labels");
        assert_eq!(own["metadata"].get("annotations"), agent["metadata"].get("annotations"), "{name}: annotations");
    }
    assert!(compared > 100, "{compared}");
}

#[test]
fn built_in_profiles_are_as_recorded() {
    let Some(mut recorded) = recording("switchprofiles.jsonl") else { return };
    assert_eq!(recorded.len(), profiles::built_in().len());
    for object in &mut recorded {
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        let mut own = profiles::find(&name).unwrap().clone();
        // The notes are words of their own.
        let notes = |o: &mut Value| o["spec"].as_object_mut().unwrap().shift_remove("notes").is_some();
        assert_eq!(notes(&mut own), notes(object), "{name}");
        assert_eq!(own, *object, "{name}");
    }
}

#[test]
fn a_stored_object_can_be_read_back_while_it_is_written() {
    let cluster = Cluster::new();
    let store: &dyn admission::Lookup = &cluster.store;
    let profile: Arc<Value> = store.get("SwitchProfile", "vs").unwrap();
    assert_eq!(profile["spec"]["displayName"], "Virtual Switch");
}
