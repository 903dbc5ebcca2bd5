//! The offline normaliser: what of an object counts when desired and live are compared, in one canonical form.
//!
//! Hedgehog's webhooks rewrite objects before they store them: they fill in defaults, sort lists, drop what has no
//! effect, add empty structs and rebuild their own labels. Two objects are equal when their canonical forms are. The
//! server's own dry run is more exact, and a hundred times slower: this is the voice that counts at once.
//!
//! Rules of three sorts, for the kinds that are known; unknown fields of known kinds follow the first:
//!
//! - an ordinary field that is absent, null, empty or zero is one value (`shape.rs` names the exceptions);
//! - defaults are filled in, and what the server discards is dropped (`kinds.rs`);
//! - some paths are not compared at all ([`ignored`]): port locators always, and what `hhfab` fills in at install
//!   time (addresses, ASNs) where Git does not name it.
//!
//! Of kinds that are not known, only `{}` and `[]` are the same as absent.

mod kinds;
pub(crate) mod node;
pub(crate) mod scalar;
pub(crate) mod shape;

use crate::object::Gvk;
use crate::path::Path;
use kinds::KindRules;

use node::{Fields, Node};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys at the top of an object that are no part of its desired state, or have rules of their own.
const NOT_STATE: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Group and kind as an object names them, for choosing its rules.
pub(crate) fn group_kind(object: &Value) -> (&str, &str) {
    let text = |key| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    (group, text("kind"))
}

pub(crate) fn rules_for(object: &Value) -> KindRules {
    let (group, kind) = group_kind(object);
    kinds::rules_of(group, kind)
}

/// Whether the normaliser has rules for a kind.
pub(crate) fn is_known((group, kind): (&str, &str)) -> bool {
    !is_unknown(&kinds::rules_of(group, kind))
}

/// The canonical tree of everything but the metadata.
pub(crate) fn canonical_state<'a>(object: &'a Value, rules: &KindRules) -> Fields<'a> {
    let mut state = Fields::default();
    let Some(map) = object.as_object() else { return state };
    for (key, value) in map.iter().filter(|(key, _)| !NOT_STATE.contains(&key.as_str())) {
        let node = match key.as_str() {
            "spec" => Some(canonical_spec(value, rules)),
            _ if is_unknown(rules) => Node::build(value, rules.spec),
            _ => Node::build(value, &shape::ORDINARY),
        };
        if let Some(node) = node {
            state.0.push(node::Field { key: key.into(), source: Some((key, value)), hydrated: false, node });
        }
    }
    // A manifest without a spec means an empty one, with every default of the kind.
    if !map.contains_key("spec") {
        static NO_SPEC: Value = Value::Null;
        state.0.push(node::Field {
            key: "spec".into(),
            source: None,
            hydrated: false,
            node: canonical_spec(&NO_SPEC, rules),
        });
    }
    state.0.sort_by(|a, b| a.key.cmp(&b.key));
    state
}

/// The canonical form of a spec that stands by itself, as in an Agent.
pub(crate) fn canonical_spec<'a>(spec: &'a Value, rules: &KindRules) -> Node<'a> {
    let mut fields = match spec {
        Value::Object(map) => Fields::build(map, rules.spec),
        other => match Node::build(other, rules.spec) {
            Some(node) => return node,
            None => Fields::default(),
        },
    };
    (rules.default)(&mut fields);
    Node::Map(fields)
}

fn is_unknown(rules: &KindRules) -> bool {
    std::ptr::eq(rules.spec, &shape::UNKNOWN)
}

/// Whether two specs of a kind are equal, each standing by itself.
pub(crate) fn same_spec(group: &str, kind: &str, a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    let rules = kinds::rules_of(group, kind);
    canonical_spec(a, &rules).same(&canonical_spec(b, &rules))
}

/// Whether the system writes a label itself, so that no one else's wish for it counts.
pub fn is_system_label(key: &str) -> bool {
    key.contains("fabric.githedgehog.com/") || key.contains("vpc.gateway.githedgehog.com/")
}

/// Whether the system writes an annotation itself on objects of a kind.
pub fn is_system_annotation(kind: &str, key: &str) -> bool {
    key == "kubectl.kubernetes.io/last-applied-configuration"
        || (kind == "Connection" && key.contains("fabric.githedgehog.com/") && !key.contains("hhfab."))
        || (kind == "SwitchProfile" && key == "fabric.githedgehog.com/ports")
        || (kind == "GatewayPeering" && matches!(key, "gateway.githedgehog.com/vpcs" | "gateway.githedgehog.com/nat"))
}

/// The canonical form of an object: identity, labels and annotations of people, and what counts of the rest.
///
/// Comparison itself uses [`crate::compare::compare_object`], which also knows whose labels count; this form is for
/// fingerprints and tests.
pub fn normalise(object: &Value) -> Value {
    let (group, kind) = group_kind(object);
    let mut canonical = Map::new();
    canonical.insert("group".into(), group.into());
    canonical.insert("kind".into(), kind.into());
    let mut metadata = Map::new();
    if let Some(written) = object.get("metadata").and_then(Value::as_object) {
        for key in ["name", "namespace"] {
            if let Some(value) = written.get(key).filter(|v| !scalar::is_zero(v)) {
                metadata.insert(key.into(), value.clone());
            }
        }
        for (field, system) in [("labels", false), ("annotations", true)] {
            let mut kept: Vec<_> = written
                .get(field)
                .and_then(Value::as_object)
                .into_iter()
                .flatten()
                .filter(|(key, _)| if system { !is_system_annotation(kind, key) } else { !is_system_label(key) })
                .collect();
            if !kept.is_empty() {
                kept.sort_by_key(|(key, _)| key.as_str());
                let map: Map<String, Value> = kept.into_iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                metadata.insert(field.into(), map.into());
            }
        }
    }
    canonical.insert("metadata".into(), metadata.into());
    if let Value::Object(state) = canonical_state(object, &rules_for(object)).to_value() {
        canonical.extend(state);
    }
    Value::Object(canonical)
}

/// Why a path is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreReason {
    /// Git does not name it, and the installer fills it in: the cluster's value stands.
    LeftToTheCluster,
    /// It changes with time by itself.
    TimeDependent,
}

impl IgnoreReason {
    /// The reason in the words of a page.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::LeftToTheCluster => "Git does not name it, so the cluster's value stands.",
            Self::TimeDependent => "It changes by itself with time, so it is not compared.",
        }
    }
}

/// A path of a live object that is not compared with Git; a replace carries it over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ignored {
    /// Where it stands in the live object.
    pub path: Path,
    /// The live value.
    pub live: Value,
    /// Why.
    pub reason: IgnoreReason,
}

/// The paths of a live object that are not compared with this desired object.
pub fn ignored(desired: &Value, live: &Value) -> Vec<Ignored> {
    let mut found = Vec::new();
    if let Some(spec) = live.get("spec") {
        let wanted = desired.get("spec").unwrap_or(&Value::Null);
        let path = Path::root().join("spec");
        walk_ignored(wanted, spec, rules_for(desired).spec, path, &mut |path, value, reason| {
            found.push(Ignored { path, live: value.clone(), reason });
        });
    }
    found
}

fn walk_ignored(
    desired: &Value,
    live: &Value,
    shape: &'static shape::Shape,
    path: Path,
    found: &mut impl FnMut(Path, &Value, IgnoreReason),
) {
    match (desired, live) {
        (_, Value::Object(live)) => {
            for (key, value) in live {
                let child = shape.field(key);
                let named = desired.get(key.as_str());
                let wanted = named.unwrap_or(&Value::Null);
                if child.ignored {
                    found(path.child(key.as_str()), value, IgnoreReason::TimeDependent);
                } else if child.hydrated {
                    if scalar::is_zero(wanted) && !scalar::is_zero(value) {
                        found(path.child(key.as_str()), value, IgnoreReason::LeftToTheCluster);
                    }
                } else if named.is_some() {
                    // Also into an entry that is only named, such as `enp2s1: {}`.
                    walk_ignored(wanted, value, child, path.child(key.as_str()), found);
                }
            }
        }
        (Value::Array(desired), Value::Array(live)) => {
            for (n, value) in live.iter().enumerate() {
                let wanted = if shape.links { same_link(value, desired) } else { desired.get(n) };
                if let Some(wanted) = wanted {
                    walk_ignored(wanted, value, shape.items, path.child(n), found);
                }
            }
        }
        _ => {}
    }
}

/// The link among `links` that joins the same ports.
pub(crate) fn same_link<'v>(link: &Value, links: &'v [Value]) -> Option<&'v Value> {
    let ports = link_ports(link);
    links.iter().find(|other| !ports.is_empty() && link_ports(other) == ports)
}

/// The ports of a link with the end they belong to, sorted by end.
pub(crate) fn link_ports(link: &Value) -> Vec<(&str, &str)> {
    let mut ports: Vec<_> = link
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(end, value)| Some((end.as_str(), value.get("port")?.as_str()?)))
        .collect();
    ports.sort_unstable();
    ports
}

/// The kind's rules in the words of a page, for showing beside a comparison.
pub fn rules_in_words(gvk: &Gvk) -> Vec<&'static str> {
    let mut words = vec![
        "Server metadata (uid, resourceVersion, generation, managedFields, owners) and status are not compared.",
        "Labels and annotations that Git does not name are not compared, nor are those that Hedgehog writes itself.",
    ];
    let rules = kinds::rules_of(&gvk.group, &gvk.kind);
    if is_unknown(&rules) {
        words.push("An empty object or list is the same as an absent one.");
    } else {
        words.push("A field that is absent, empty, false or zero is one value, where zero has no meaning of its own.");
        words.push("Values that Hedgehog fills in by default are as good as written.");
    }
    if rules.spec.fields.iter().any(|(_, shape)| shape.ignored) {
        words.push("Port locators change with time and are not compared.");
    }
    if has_hydrated(rules.spec, 0) {
        words.push("Addresses and AS numbers that Git does not name are left to the cluster.");
    }
    words
}

fn has_hydrated(shape: &'static shape::Shape, depth: u8) -> bool {
    depth < 7
        && (shape.hydrated
            || shape.fields.iter().any(|(_, child)| has_hydrated(child, depth + 1))
            || has_hydrated(shape.items, depth + 1)
            || has_hydrated(shape.rest, depth + 1))
}

#[cfg(test)]
mod tests;
