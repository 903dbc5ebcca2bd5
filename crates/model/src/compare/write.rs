//! What is sent to the API server: the desired object, and of the live one whatever Git leaves to others.
//!
//! A replace takes away what it does not name. So everything that the comparison does not look at is carried over:
//! addresses that an installer filled in, port locators, labels and annotations of other people, finalizers.

use super::metadata::{finalizers, is_system, map};
use crate::normalise::{link_ports, rules_for, same_link, scalar::is_zero, shape::Shape};
use crate::path::Path;
use serde_json::{Map, Value, json};

/// Metadata that Git says, or may say. Everything else in it is the server's.
const OF_GIT: [&str; 5] = ["name", "namespace", "labels", "annotations", "finalizers"];

/// The object to create (without `live`) or to replace the live one with: under the live object's uid and
/// resourceVersion, so that nothing is overwritten that was not seen.
///
/// `base` is the desired object as it was last verified: labels, annotations and finalizers that it named and
/// `desired` names no more are taken away; others of the live object stay.
pub fn desired_for_write(desired: &Value, live: Option<&Value>, base: Option<&Value>) -> Value {
    let mut object = Map::new();
    for (key, value) in desired.as_object().into_iter().flatten() {
        match key.as_str() {
            "status" => {}
            "metadata" => {
                object.insert(key.clone(), metadata(desired, live, base));
            }
            _ => {
                object.insert(key.clone(), value.clone());
            }
        }
    }
    if let Some(live_spec) = live.and_then(|live| live.get("spec")) {
        let shape = rules_for(desired).spec;
        let mut spec = object.get_mut("spec").map_or(Value::Null, Value::take);
        carry_over(&mut spec, live_spec, shape);
        if !spec.is_null() {
            object.insert("spec".to_owned(), spec);
        }
    }
    Value::Object(object)
}

fn metadata(desired: &Value, live: Option<&Value>, base: Option<&Value>) -> Value {
    let mut metadata = Map::new();
    if let Some(written) = desired.get("metadata").and_then(Value::as_object) {
        for key in OF_GIT {
            if let Some(value) = written.get(key) {
                metadata.insert(key.to_owned(), value.clone());
            }
        }
    }
    for field in ["labels", "annotations"] {
        let wanted = map(desired, field);
        let mut merged: Map<String, Value> = wanted
            .into_iter()
            .flatten()
            .filter(|(key, _)| !is_system(desired, field, key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        for (key, value) in live.and_then(|live| map(live, field)).into_iter().flatten() {
            let once_ours = base.and_then(|base| map(base, field)).is_some_and(|map| map.contains_key(key));
            // kubectl's own record belongs to kubectl, although it is never compared.
            let keep = key == "kubectl.kubernetes.io/last-applied-configuration" || !is_system(desired, field, key);
            if keep && !once_ours && !merged.contains_key(key) {
                merged.insert(key.clone(), value.clone());
            }
        }
        metadata.shift_remove(field);
        if !merged.is_empty() {
            metadata.insert(field.to_owned(), Value::Object(merged));
        }
    }
    let mut wanted = finalizers(desired).to_vec();
    let base_finalizers = base.map_or(&[] as &[Value], finalizers);
    for value in live.map_or(&[] as &[Value], finalizers) {
        if !wanted.contains(value) && !base_finalizers.contains(value) {
            wanted.push(value.clone());
        }
    }
    metadata.shift_remove("finalizers");
    if !wanted.is_empty() {
        metadata.insert("finalizers".to_owned(), Value::Array(wanted));
    }
    for key in ["uid", "resourceVersion", "ownerReferences"] {
        if let Some(value) = live.and_then(|live| live.get("metadata")?.get(key)) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(metadata)
}

/// Puts into `desired` what the comparison does not look at, from the same place of the live object.
fn carry_over(desired: &mut Value, live: &Value, shape: &'static Shape) {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            desired.retain(|key, _| !shape.field(key).ignored || live.contains_key(key));
            for (key, value) in live {
                let child = shape.field(key);
                if child.ignored || (child.hydrated && desired.get(key).is_none_or(is_zero) && !is_zero(value)) {
                    desired.insert(key.clone(), value.clone());
                } else if let Some(below) = desired.get_mut(key).filter(|_| !child.hydrated) {
                    carry_over(below, value, child);
                }
            }
        }
        (Value::Array(desired), Value::Array(live)) => {
            for (n, item) in desired.iter_mut().enumerate() {
                let twin = if shape.links { same_link(item, live) } else { live.get(n) };
                if let Some(twin) = twin {
                    carry_over(item, twin, shape.items);
                }
            }
        }
        // Only named, as in `eth0:` without anything below; null stays null when there is nothing to carry.
        (desired @ Value::Null, Value::Object(_)) => {
            let mut named = json!({});
            carry_over(&mut named, live, shape);
            if !is_zero(&named) {
                *desired = named;
            }
        }
        _ => {}
    }
}

/// The addresses of live links (fabric, mesh, gateway) that a replace with `written` would take away, as paths of the
/// live object. A link is recognised by its ports; an address that is replaced by another one is not taken away.
pub fn removed_link_addresses(written: &Value, live: &Value) -> Vec<Path> {
    let mut removed = Vec::new();
    for variant in ["fabric", "mesh", "gateway"] {
        let links = |object: &Value| -> Vec<Value> {
            object.pointer(&format!("/spec/{variant}/links")).and_then(Value::as_array).cloned().unwrap_or_default()
        };
        if live.get("kind").and_then(Value::as_str) != Some("Connection") {
            continue;
        }
        let kept = links(written);
        for (n, link) in links(live).iter().enumerate() {
            let twin = same_link(link, &kept);
            for (end, value) in link.as_object().into_iter().flatten() {
                let address = |v: &Value| v.get("ip").is_some_and(|ip| !is_zero(ip));
                // A link without ports cannot be recognised; then its place has to do.
                let stays = match twin {
                    Some(twin) => twin.get(end).is_some_and(address),
                    None if link_ports(link).is_empty() => kept.get(n).and_then(|l| l.get(end)).is_some_and(address),
                    None => false,
                };
                if address(value) && !stays {
                    let path = Path::root().join("spec").join(variant).join("links").join(n);
                    removed.push(path.join(end.as_str()).join("ip"));
                }
            }
        }
    }
    removed
}
