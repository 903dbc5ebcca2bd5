//! What may be read of kinds that carry password hashes, keys and certificates. Everything else of them is dropped
//! before it is kept anywhere. Annotations are never allowed: kubectl keeps a copy of the whole object in one.

use crate::kind::carries_secrets;
use serde_json::{Map, Value};

const OF_METADATA: [&str; 7] =
    ["name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp"];

const AGENT: &[&str] = &[
    "/spec/role",
    "/spec/description",
    "/spec/switch",
    "/spec/switches",
    "/spec/connections",
    "/spec/vpcs",
    "/spec/vpcAttachments",
    "/spec/vpcPeers",
    "/spec/externals",
    "/spec/externalAttachments",
    "/spec/externalPeerings",
    "/spec/ipv4Namespaces",
    "/spec/vlanNamespaces",
    "/spec/redundancyGroupPeers",
    "/spec/version/default",
    "/spec/reboot",
    "/spec/powerReset",
    "/status/version",
    "/status/lastHeartbeat",
    "/status/lastAttemptTime",
    "/status/lastAttemptGen",
    "/status/lastAppliedTime",
    "/status/lastAppliedGen",
    "/status/rebootRequired",
    "/status/bootID",
    "/status/conditions",
];

const GATEWAY_AGENT: &[&str] = &[
    "/spec/gateway",
    "/spec/peerings",
    "/spec/groups",
    "/spec/vpcs",
    "/spec/agentVersion",
    "/status/agentVersion",
    "/status/lastHeartbeat",
    "/status/lastAppliedTime",
    "/status/lastAppliedGen",
    "/status/state/frr/lastAppliedGen",
    "/status/state/dataplane/version",
    "/status/state/lastCollectedTime",
];

const FABRICATOR: &[&str] = &[
    "/status/release",
    "/status/versions",
    "/status/components",
    "/status/conditions",
    "/status/lastAppliedGen",
    "/status/lastAppliedTime",
    "/status/lastAppliedController",
    "/status/lastStatusCheck",
];

const CONTROL_NODE: &[&str] = &["/status/conditions"];

/// The JSON pointers that may be kept of a kind, beside its identity; `None` for kinds that carry no secrets and may
/// be kept whole.
pub fn allow_list(group: &str, kind: &str) -> Option<&'static [&'static str]> {
    if !carries_secrets(group, kind) {
        return None;
    }
    Some(match kind {
        "Agent" => AGENT,
        "GatewayAgent" => GATEWAY_AGENT,
        "Fabricator" => FABRICATOR,
        "ControlNode" => CONTROL_NODE,
        // A kind that is said to carry secrets and has no list of its own keeps nothing.
        _ => &[],
    })
}

/// What may be kept of an object: all of it, or what its kind's list allows.
pub fn filter_allowed(object: &Value) -> Value {
    let (group, kind) = crate::normalise::group_kind(object);
    let Some(allowed) = allow_list(group, kind) else { return object.clone() };
    let mut kept = Map::new();
    for key in ["apiVersion", "kind"] {
        if let Some(value) = object.get(key) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    let metadata: Map<String, Value> = OF_METADATA
        .iter()
        .filter_map(|key| Some(((*key).to_owned(), object.get("metadata")?.get(key)?.clone())))
        .collect();
    kept.insert("metadata".to_owned(), Value::Object(metadata));
    for pointer in allowed {
        if let Some(value) = object.pointer(pointer) {
            place(&mut kept, pointer, value.clone());
        }
    }
    Value::Object(kept)
}

fn place(root: &mut Map<String, Value>, pointer: &str, value: Value) {
    let (first, rest) = match pointer.trim_start_matches('/').split_once('/') {
        Some((first, rest)) => (first, Some(rest)),
        None => (pointer.trim_start_matches('/'), None),
    };
    match rest {
        None => {
            root.insert(first.to_owned(), value);
        }
        Some(rest) => {
            let below = root.entry(first.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(below) = below {
                place(below, rest, value);
            }
        }
    }
}
