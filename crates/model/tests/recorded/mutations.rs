//! Every stored object, with each of its leaves changed or taken away in turn, differs from itself, unless the change
//! is one of the equivalences that are stated here by hand, independently of the code.

use crate::shared::{pairs, title};
use model::compare::{ObjectState, compare_object};
use model::path::Path;
use serde_json::{Value, json};

fn leaves(value: &Value, path: Path, found: &mut Vec<Path>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(key, below)| leaves(below, path.child(key.as_str()), found));
        }
        Value::Array(list) if !list.is_empty() => {
            list.iter().enumerate().for_each(|(n, below)| leaves(below, path.child(n), found));
        }
        _ => found.push(path),
    }
}

fn set(object: &mut Value, path: &Path, value: Value) {
    let pointer: String = path
        .segments()
        .iter()
        .map(|segment| match segment {
            model::path::Segment::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            model::path::Segment::Index(n) => format!("/{n}"),
        })
        .collect();
    *object.pointer_mut(&pointer).unwrap() = value;
}

fn changed(value: &Value) -> Vec<Value> {
    match value {
        Value::String(text) => vec![json!(format!("{text}x")), json!("something else")],
        Value::Number(n) => vec![json!(n.as_i64().unwrap() + 1), json!(n.to_string())],
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Array(_) => vec![json!(["new"])],
        Value::Object(_) => vec![json!({"new": "value"})],
        Value::Null => vec![json!("value")],
    }
}

/// Leaves whose absence means what stands there, in the recorded objects: zeros and empties of ordinary fields, and
/// values that are the default.
fn absent_is_the_same(kind: &str, object: &Value, path: &str, value: &Value) -> bool {
    let subnet = |end: &str| path.starts_with("spec.subnets.") && path.ends_with(end);
    let cidr = || {
        let name = path.split('.').nth(2).unwrap_or_default();
        object["spec"]["subnets"][name]["subnet"].as_str().unwrap_or_default().to_owned()
    };
    let ends_with = |end: &str| {
        let network = cidr().rsplit_once('.').map(|(front, _)| front.to_owned()).unwrap_or_default();
        value == &json!(format!("{network}.{end}"))
    };
    match kind {
        "VPC" => {
            matches!(path, "spec.ipv4Namespace" | "spec.vlanNamespace") && value == "default"
                || subnet(".dhcp") && value == &json!({})
                || subnet(".dhcp.enable") && value == &json!(false)
                || subnet(".gateway") && ends_with("1")
                || subnet(".dhcp.range.start") && ends_with("2")
                || subnet(".dhcp.range.end") && ends_with("255")
                || subnet(".options.interfaceMTU") && value == 9036
                || subnet(".options.leaseTimeSeconds") && value == 3600
                || (subnet(".options.dnsServers") || subnet(".options.timeServers")) && value == &json!([])
        }
        "Switch" => {
            matches!(path, "spec.ecmp" | "spec.redundancy") && value == &json!({})
                || path == "spec.vlanNamespaces[0]" && value == "default"
                || path.starts_with("spec.groups[") && value == &object["spec"]["redundancy"]["group"]
        }
        "ExternalAttachment" => matches!(path, "spec.neighbor" | "spec.switch") && value == &json!({}),
        "External" => path == "spec.ipv4Namespace" && value == "default",
        "Gateway" => {
            path == "spec.profiling" && value == &json!({})
                || matches!(path, "spec.logs.default" | "spec.logs.tags.all") && value == "info"
        }
        "GatewayPeering" => {
            path == "spec.gatewayGroup" && value == "default"
                || path == "spec.acl.default" && value == "deny-unless-exposed"
                || path == "spec.acl.rules[0].scope" && value == "flow"
                || path.ends_with(".idleTimeout") && value == "2m0s"
        }
        "VLANNamespace" => path.ends_with(".to") && value == &object["spec"]["ranges"][0]["from"],
        _ => path == "spec" && value == &json!({}),
    }
}

#[test]
fn any_other_change_of_a_stored_object_is_seen() {
    let (mut changes, mut removals) = (0, 0);
    for (_, stored) in pairs().into_iter().flatten() {
        let kind = stored["kind"].as_str().unwrap();
        let mut paths = Vec::new();
        leaves(&stored["spec"], Path::root().join("spec"), &mut paths);
        for field in ["labels", "annotations"] {
            if let Some(map) = stored["metadata"][field].as_object() {
                let users = map
                    .keys()
                    .filter(|key| !key.contains("fabric.githedgehog.com/") && !key.starts_with("vpc.gateway."));
                paths.extend(users.map(|key| Path::root().join("metadata").join(field).join(key.as_str())));
            }
        }
        for path in paths {
            let written = path.to_string();
            let value = path.get(&stored).unwrap().clone();
            for other in changed(&value) {
                let mut live = stored.clone();
                set(&mut live, &path, other.clone());
                let (state, diffs) = compare_object(Some(&stored), Some(&live), None);
                assert_eq!(state, ObjectState::Undelivered, "{} {written}: {value} -> {other}", title(&stored));
                let near = diffs.iter().any(|d| d.path.starts_with(&written) || sorted(kind, &written, &d.path));
                assert!(near, "{} {written}: {value} -> {other} is explained by {diffs:?}", title(&stored));
                changes += 1;
                let (_, back) = compare_object(Some(&live), Some(&stored), None);
                assert!(!back.is_empty(), "{} {written}: {other} -> {value}", title(&stored));
            }
            let mut live = stored.clone();
            path.remove(&mut live).unwrap();
            let (state, diffs) = compare_object(Some(&stored), Some(&live), None);
            let same = absent_is_the_same(kind, &stored, &written, &value);
            let wanted = if same { ObjectState::Equal } else { ObjectState::Undelivered };
            assert_eq!(state, wanted, "{} without {written} ({value}): {diffs:?}", title(&stored));
            removals += 1;
        }
        let mut live = stored.clone();
        live["spec"]["somethingNew"] = json!("value");
        assert_ne!(compare_object(Some(&stored), Some(&live), None).0, ObjectState::Equal, "{}", title(&stored));
    }
    if crate::shared::folder().is_some() {
        assert!(changes > 800 && removals > 400, "{changes} changes, {removals} removals were tried");
    }
}

/// In a sorted list the changed item may take another place.
fn sorted(kind: &str, path: &str, found: &str) -> bool {
    let list = |path: &str| path.split('[').next().unwrap_or_default().to_owned();
    matches!(kind, "Switch" | "VPC" | "IPv4Namespace" | "VLANNamespace" | "ExternalPeering" | "Gateway")
        && list(path) == list(found)
}
