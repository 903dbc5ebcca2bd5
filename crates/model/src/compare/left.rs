//! Fields that a run leaves as they are in the cluster: taken over from the live object before anything is compared or
//! written.

use crate::normalise::scalar::canonical_mac;
use crate::path::{Path, Segment};
use serde_json::{Map, Value};

/// Where a field that is to be left begins: the field itself, or the whole list that it stands in. The places of a list
/// mean nothing from one side to the other, so a list is left as a whole.
pub fn left_part(path: &Path) -> Path {
    path.segments().iter().take_while(|segment| matches!(segment, Segment::Key(_))).cloned().collect()
}

/// The desired object with these parts as they are in the live one; what the live one does not have is taken out.
pub fn with_left_parts(desired: &Value, live: &Value, parts: &[Path]) -> Value {
    let mut object = desired.clone();
    for part in parts {
        let there = look(live, part.segments());
        // The same key may be spelt in two ways; it must not stand twice.
        if let Some((spelt, _)) = look(&object, part.segments()) {
            spelt.remove(&mut object);
        }
        if let Some((spelt, value)) = there {
            put(&mut object, spelt.segments(), value.clone());
        }
    }
    object
}

/// What stands at a path, and how its keys are spelt there.
fn look<'v>(object: &'v Value, path: &[Segment]) -> Option<(Path, &'v Value)> {
    let (mut value, mut spelt) = (object, Path::root());
    for segment in path {
        let Segment::Key(key) = segment else { return None };
        let map = value.as_object()?;
        let found = spelling(map, key)?;
        value = map.get(found)?;
        spelt.push(found.as_str());
    }
    Some((spelt, value))
}

/// How a map spells a key, if it has it.
fn spelling<'m>(map: &'m Map<String, Value>, key: &str) -> Option<&'m String> {
    let same = |other: &&String| canonical_mac(key).is_some_and(|mac| canonical_mac(other) == Some(mac));
    map.get_key_value(key).map(|(key, _)| key).or_else(|| map.keys().find(same))
}

fn put(object: &mut Value, path: &[Segment], value: Value) {
    let Some((Segment::Key(key), rest)) = path.split_first() else { return };
    if !object.is_object() {
        *object = Value::Object(Map::new());
    }
    let Some(map) = object.as_object_mut() else { return };
    let key = spelling(map, key).unwrap_or(key).clone();
    if rest.is_empty() {
        map.insert(key, value);
    } else {
        put(map.entry(key).or_insert_with(|| Value::Object(Map::new())), rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn left(desired: &Value, live: &Value, path: &str) -> Value {
        with_left_parts(desired, live, &[left_part(&path.parse().unwrap())])
    }

    #[test]
    fn a_field_is_as_in_the_cluster_and_nothing_else_is() {
        let desired = json!({"spec": {"mode": "l3vni", "subnets": {"a": {"vlan": 1, "subnet": "10.0.0.0/24"}, "b": {"vlan": 2}}}});
        let live = json!({"spec": {"subnets": {"a": {"vlan": 9, "subnet": "10.9.0.0/24"}, "c": {"vlan": 3}}}});
        let of = |path| left(&desired, &live, path)["spec"].clone();
        assert_eq!(of("spec.subnets.a.vlan")["subnets"]["a"], json!({"vlan": 9, "subnet": "10.0.0.0/24"}));
        assert_eq!(of("spec.subnets.c")["subnets"]["c"], json!({"vlan": 3}), "only in the cluster: it stays");
        assert_eq!(of("spec.subnets.c.vlan")["subnets"]["c"], json!({"vlan": 3}));
        assert_eq!(of("spec.subnets.b")["subnets"], json!({"a": {"vlan": 1, "subnet": "10.0.0.0/24"}}), "only in Git");
        assert_eq!(of("spec.mode"), json!({"subnets": desired["spec"]["subnets"]}));
        assert_eq!(left(&desired, &live, "spec.none"), desired);
        assert_eq!(left(&json!({}), &live, "spec.subnets.a.vlan"), json!({"spec": {"subnets": {"a": {"vlan": 9}}}}));
    }

    #[test]
    fn a_list_is_left_as_a_whole() {
        let (desired, live) = (json!({"spec": {"subnets": ["a", "b"]}}), json!({"spec": {"subnets": ["b", "c", "d"]}}));
        assert_eq!(left_part(&"spec.subnets[1]".parse().unwrap()).to_string(), "spec.subnets");
        assert_eq!(left(&desired, &live, "spec.subnets[1]"), live);
        assert_eq!(left(&desired, &json!({}), "spec.subnets[1]"), json!({"spec": {}}));
    }

    #[test]
    fn keys_that_are_spelt_in_two_ways_are_one() {
        let desired = json!({"spec": {"static": {"AA-BB-CC-00-11-22": {"ip": "10.0.0.5"}}}});
        let live = json!({"spec": {"static": {"aa:bb:cc:00:11:22": {"ip": "10.0.0.6"}}}});
        let as_in_git = json!({"spec": {"static": {"AA-BB-CC-00-11-22": {"ip": "10.0.0.6"}}}});
        assert_eq!(left(&desired, &live, "spec.static[\"AA-BB-CC-00-11-22\"].ip"), as_in_git);
        assert_eq!(left(&desired, &live, "spec.static[\"AA-BB-CC-00-11-22\"]"), live);
    }
}
