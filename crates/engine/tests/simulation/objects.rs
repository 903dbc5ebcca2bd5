//! The objects that a simulation is about, and an eye of its own for whether a cluster holds what Git names. It knows
//! nothing of the engine's comparison, nor of the normaliser.

use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Kind and name.
pub type Name = (String, String);
/// What a commit names.
pub type Desired = BTreeMap<Name, Value>;

/// The kinds that the clusters of a simulation serve. Few, because each costs every simulation calls; these are enough
/// for references, for webhooks, and for an order.
pub const KINDS: [&str; 3] = ["IPv4Namespace", "VLANNamespace", "VPC"];

/// Their definitions.
pub fn definitions() -> Vec<Value> {
    let is_wanted = |crd: &Value| KINDS.contains(&crd["spec"]["names"]["kind"].as_str().unwrap_or_default());
    lab::kinds::crds().into_iter().filter(is_wanted).collect()
}

/// Name of a VPC that Git may name.
pub fn vpc_name(number: u64) -> String {
    format!("vpc-{number}")
}

/// Name of one that Git does not name.
pub fn extra_name(number: u64) -> String {
    format!("extra-{number}")
}

fn vpc_of(name: &str, block: u64, vlan: u64) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC", "metadata": {"name": name},
        "spec": {"ipv4Namespace": "default", "vlanNamespace": "default", "subnets": {"default":
            {"subnet": format!("10.0.{block}.0/24"), "gateway": format!("10.0.{block}.1"), "vlan": vlan}}}})
}

/// A VPC in one of its variants. No two VPCs have a VLAN or an address in common, whatever their variants.
pub fn vpc(number: u64, variant: u64) -> Value {
    vpc_of(&vpc_name(number), number, vlan(number, variant))
}

/// The VLAN that makes a variant what it is.
pub fn vlan(number: u64, variant: u64) -> u64 {
    1100 + 10 * number + variant
}

/// A VPC that Git does not name.
pub fn extra(number: u64) -> Value {
    vpc_of(&extra_name(number), 200 + number, 2000 + number)
}

/// What the VPCs refer to.
pub fn namespaces() -> Vec<Value> {
    vec![
        json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "IPv4Namespace", "metadata": {"name": "default"},
            "spec": {"subnets": ["10.0.0.0/16"]}}),
        json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "VLANNamespace", "metadata": {"name": "default"},
            "spec": {"ranges": [{"from": 1000, "to": 2999}]}}),
    ]
}

/// The file of an object in Git.
pub fn file_of(object: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_lowercase();
    format!("{}-{}.yaml", word(&object["kind"]), word(&object["metadata"]["name"]))
}

/// What Git names in the beginning.
pub fn at_first() -> Vec<Value> {
    namespaces().into_iter().chain((0..3).map(|number| vpc(number, 0))).collect()
}

/// Whether everything that `wanted` says stands in `live`.
fn covers(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            wanted.iter().all(|(key, value)| live.get(key).is_some_and(|live| covers(value, live)))
        }
        (wanted, live) => wanted == live,
    }
}

fn subnets(object: &Value) -> BTreeSet<&String> {
    object["spec"]["subnets"].as_object().map(|subnets| subnets.keys().collect()).unwrap_or_default()
}

/// What a cluster lacks of what a commit names; the first such thing.
pub fn lacks(desired: &Desired, lab: &lab::Lab) -> Option<String> {
    desired.iter().find_map(|((kind, name), wanted)| {
        let Some(live) = lab.object(kind, name) else { return Some(format!("{kind} {name} is not in the cluster")) };
        let is_equal = covers(&wanted["spec"], &live["spec"]) && subnets(wanted) == subnets(&live);
        (!is_equal).then(|| format!("{kind} {name} is wanted as {} and is {}", wanted["spec"], live["spec"]))
    })
}

/// What a cluster has beyond what a commit names, among the kinds that the commit names anything of.
pub fn beyond(desired: &Desired, lab: &lab::Lab) -> Option<String> {
    let named: BTreeSet<&String> = desired.keys().map(|(kind, _)| kind).collect();
    named.into_iter().find_map(|kind| {
        let found = lab.objects(kind).into_iter().find_map(|live| {
            let name = live["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            (!desired.contains_key(&(kind.clone(), name.clone()))).then_some(name)
        });
        found.map(|name| format!("{kind} {name} is only in the cluster"))
    })
}

/// The version of an object.
pub fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned()
}
