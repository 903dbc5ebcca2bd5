//! Labels, annotations and finalizers: those that Git names count, and those that Git named when the object was last
//! verified and names no more. All others belong to somebody else.

use super::diff::Leaf;
use crate::normalise::{is_system_annotation, is_system_label};
use crate::path::Path;
use serde_json::{Map, Value};

/// The map at `metadata.<field>`, if it is one.
pub(super) fn map<'v>(object: &'v Value, field: &str) -> Option<&'v Map<String, Value>> {
    object.get("metadata")?.get(field)?.as_object()
}

/// The finalizers of an object.
pub(super) fn finalizers(object: &Value) -> &[Value] {
    let list = object.get("metadata").and_then(|m| m.get("finalizers")).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// Whether the system itself writes this label or annotation.
pub(super) fn is_system(object: &Value, field: &str, key: &str) -> bool {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    if field == "labels" { is_system_label(key) } else { is_system_annotation(kind, key) }
}

/// The differences in labels, annotations and finalizers.
pub(super) fn leaves(desired: &Value, live: &Value, base: Option<&Value>) -> Vec<Leaf> {
    let mut found = Vec::new();
    for field in ["labels", "annotations"] {
        let (wanted, present) = (map(desired, field), map(live, field));
        for (key, value) in wanted.into_iter().flatten() {
            let there = present.and_then(|map| map.get(key));
            if !is_system(desired, field, key) && !same_text(value, there) {
                found.push(leaf(field, key, Some(value), there));
            }
        }
        let dropped = base.and_then(|base| map(base, field)).into_iter().flatten().map(|(key, _)| key);
        for key in dropped.filter(|key| wanted.is_none_or(|map| !map.contains_key(key.as_str()))) {
            if let Some(there) = present.and_then(|map| map.get(key))
                && !is_system(desired, field, key)
            {
                found.push(leaf(field, key, None, Some(there)));
            }
        }
    }
    let (wanted, present) = (finalizers(desired), finalizers(live));
    for (n, value) in wanted.iter().enumerate().filter(|(_, value)| !present.contains(value)) {
        found.push(item("finalizers", n, Some(value), None));
    }
    let base = base.map_or(&[] as &[Value], finalizers);
    for (n, value) in present.iter().enumerate().filter(|(_, v)| base.contains(v) && !wanted.contains(v)) {
        found.push(item("finalizers", n, None, Some(value)));
    }
    found
}

/// A label of null is an empty one; the API server stores it so.
fn same_text(value: &Value, there: Option<&Value>) -> bool {
    there.is_some_and(|there| {
        value == there
            || (value.is_null() && there.as_str() == Some(""))
            || (there.is_null() && value.as_str() == Some(""))
    })
}

fn leaf(field: &str, key: &str, desired: Option<&Value>, live: Option<&Value>) -> Leaf {
    at(Path::root().join("metadata").join(field).join(key), desired, live)
}

fn item(field: &str, n: usize, desired: Option<&Value>, live: Option<&Value>) -> Leaf {
    at(Path::root().join("metadata").join(field).join(n), desired, live)
}

fn at(path: Path, desired: Option<&Value>, live: Option<&Value>) -> Leaf {
    Leaf {
        live_path: live.is_some().then(|| path.clone()),
        canonical: path.clone(),
        path,
        desired: desired.cloned(),
        live: live.cloned(),
    }
}
