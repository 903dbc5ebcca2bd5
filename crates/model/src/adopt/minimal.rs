//! What of an object need not be written, because its absence means the same.
//!
//! Nothing is listed here: a field is taken out, and stays out when the canonical form of the object is still the same.
//! So the normaliser alone knows Hedgehog's defaults, and what it holds to be significant by its presence stays.

use crate::normalise::{canonical_state, group_kind, is_known, rules_for};
use crate::path::{Path, Segment};
use serde_json::Value;

/// The object without what its absence says as well: empty structs and lists first, then values that a webhook would fill
/// in. A zero that stands there was written by somebody, and stays. Of kinds that nobody has heard of, everything does.
pub(super) fn of(mut object: Value) -> Value {
    if !is_known(group_kind(&object)) {
        return object;
    }
    let stored = object.clone();
    for take in [is_empty as fn(&Value) -> bool, is_value] {
        for path in fields(&object) {
            let Some(value) = path.get(&object) else { continue };
            if take(value) || is_empty(value) {
                try_without(&mut object, &path, &stored);
            }
        }
    }
    object
}

/// Takes a field out, unless that changes what the object says.
fn try_without(object: &mut Value, path: &Path, stored: &Value) {
    let mut without = object.clone();
    path.remove(&mut without);
    let rules = rules_for(stored);
    if canonical_state(&without, &rules).same(&canonical_state(stored, &rules)) {
        *object = without;
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// A value that a default may be: a text, a number, a list. A map goes when nothing of it is left.
fn is_value(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(flag) => *flag,
        Value::Array(list) => !list.is_empty(),
        Value::Null | Value::Object(_) => false,
    }
}

/// The fields below the spec, each after those that it holds. Items of lists are no fields: they have a place, not a name.
fn fields(object: &Value) -> Vec<Path> {
    let mut found = Vec::new();
    let root = Path::root().join("spec");
    if let Some(spec) = root.get(object) {
        walk(spec, &root, &mut found);
    }
    found
}

fn walk(value: &Value, path: &Path, found: &mut Vec<Path>) {
    let mut step = |value: &Value, segment: Segment| {
        let child = path.child(segment.clone());
        walk(value, &child, found);
        if matches!(segment, Segment::Key(_)) {
            found.push(child);
        }
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| step(value, Segment::Key(key.clone()))),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, value)| step(value, Segment::Index(n))),
        _ => {}
    }
}
