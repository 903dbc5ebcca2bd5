//! The webhooks are Go programs that decode an object and encode it again. Structs that are no pointers are encoded
//! even when empty, so objects come back with `{}` where nothing was written. Harmless, but it is what is stored.

use super::fields::object_mut;
use serde_json::{Map, Value};

/// Adds the empty structs of a kind.
pub(super) fn add_empty_structs(kind: &str, object: &mut Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let Some(spec) = object_mut(fields, "spec") else { return };
    let mut add = |name: &str| _ = object_mut(spec, name);
    match kind {
        "Switch" => ["redundancy", "boot", "ecmp"].into_iter().for_each(&mut add),
        "SwitchProfile" => ["features", "config"].into_iter().for_each(&mut add),
        "ExternalAttachment" => ["switch", "neighbor"].into_iter().for_each(&mut add),
        "Gateway" => ["logs", "profiling"].into_iter().for_each(&mut add),
        "ExternalPeering" => {
            if let Some(permit) = object_mut(spec, "permit") {
                ["vpc", "external"].into_iter().for_each(|side| _ = object_mut(permit, side));
            }
        }
        "VPC" => each(spec.get_mut("subnets"), |subnet| _ = object_mut(subnet, "dhcp")),
        "VPCPeering" => {
            for permit in spec.get_mut("permit").and_then(Value::as_array_mut).into_iter().flatten() {
                nulls_to_structs(permit);
            }
        }
        "GatewayPeering" => {
            let rules = spec.get_mut("acl").and_then(|acl| acl.get_mut("rules"));
            each(rules, |rule| _ = object_mut(rule, "match"));
        }
        "Connection" => connection(spec),
        _ => {}
    }
}

fn connection(spec: &mut Map<String, Value>) {
    let ends: &[(&str, &[&str])] = &[
        ("unbundled", &["server", "switch"]),
        ("bundled", &["server", "switch"]),
        ("eslag", &["server", "switch"]),
        ("mclag", &["server", "switch"]),
        ("mclagDomain", &["switch1", "switch2"]),
        ("fabric", &["spine", "leaf"]),
        ("mesh", &["leaf1", "leaf2"]),
        ("gateway", &["switch", "gateway"]),
        ("vpcLoopback", &["switch1", "switch2"]),
        ("external", &["switch"]),
        ("staticExternal", &["switch"]),
    ];
    for (variant, ends) in ends {
        let Some(config) = spec.get_mut(*variant).and_then(Value::as_object_mut) else { continue };
        if matches!(*variant, "unbundled" | "external" | "staticExternal")
            && let Some(link) = object_mut(config, "link")
        {
            ends.iter().for_each(|end| _ = object_mut(link, end));
        }
        for list in ["links", "peerLinks", "sessionLinks"] {
            each(config.get_mut(list), |link| ends.iter().for_each(|end| _ = object_mut(link, end)));
        }
    }
}

/// Every object in a list or a map.
fn each(values: Option<&mut Value>, mut with: impl FnMut(&mut Map<String, Value>)) {
    match values {
        Some(Value::Array(list)) => list.iter_mut().filter_map(Value::as_object_mut).for_each(with),
        Some(Value::Object(map)) => map.values_mut().filter_map(Value::as_object_mut).for_each(&mut with),
        _ => {}
    }
}

fn nulls_to_structs(map: &mut Value) {
    for value in map.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if value.is_null() {
            *value = Value::Object(Map::new());
        }
    }
}
