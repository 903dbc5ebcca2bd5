//! Paths of fields as managedFields writes them: read from an object, written to one, and turned into `fieldsV1`.

use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A path of keys as fieldsV1 writes them: `f:` and a field's name, `v:` and a value of a set, `k:` and the key of an
/// item; a last key of `.` stands for the existence of what has fields of its own.
pub(super) type Path = Vec<String>;
/// Paths that one manager owns.
pub(super) type Set = BTreeSet<Path>;

pub(super) fn collect(fields: &Value, path: &mut Path, set: &mut Set) {
    for (key, inner) in fields.as_object().into_iter().flatten() {
        path.push(key.clone());
        if inner.as_object().is_none_or(Map::is_empty) {
            set.insert(path.clone());
        } else {
            collect(inner, path, set);
        }
        path.pop();
    }
}

pub(super) fn fields_v1(set: &Set) -> Value {
    let mut root = Map::new();
    for path in set {
        let mut at = &mut root;
        for key in path {
            let inner = at.entry(key.clone()).or_insert_with(|| json!({}));
            match inner.as_object_mut() {
                Some(inner) => at = inner,
                None => break,
            }
        }
    }
    Value::Object(root)
}

/// All fields of an object that can be owned, with their values. What the schema calls atomic is one field.
pub(super) fn leaves<'a>(object: &'a Value, schema: Option<&Value>) -> BTreeMap<Path, &'a Value> {
    let mut all = BTreeMap::new();
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" => {}
            "metadata" => {
                for part in ["labels", "annotations", "finalizers", "ownerReferences"] {
                    if let Some(value) = value.get(part) {
                        walk(value, None, &mut vec![field("metadata"), field(part)], &mut all);
                    }
                }
            }
            _ => walk(value, below(schema, key), &mut vec![field(key)], &mut all),
        }
    }
    all
}

pub(super) fn below<'s>(schema: Option<&'s Value>, key: &str) -> Option<&'s Value> {
    let schema = schema?;
    schema.get("properties").and_then(|p| p.get(key)).or_else(|| schema.get("additionalProperties"))
}

pub(super) fn field(name: &str) -> String {
    format!("f:{name}")
}

pub(super) fn walk<'a>(value: &'a Value, schema: Option<&Value>, path: &mut Path, all: &mut BTreeMap<Path, &'a Value>) {
    let atomic = schema.is_some_and(|s| s.get("x-kubernetes-map-type").is_some_and(|t| t == "atomic"));
    let exists = |path: &mut Path, all: &mut BTreeMap<Path, &'a Value>| {
        path.push(".".to_owned());
        all.insert(path.clone(), &Value::Null);
        path.pop();
    };
    match value {
        Value::Object(fields) if !fields.is_empty() && !atomic => {
            exists(path, all);
            for (key, inner) in fields {
                path.push(field(key));
                walk(inner, below(schema, key), path, all);
                path.pop();
            }
        }
        Value::Array(items) if !items.is_empty() && in_metadata(path) => {
            exists(path, all);
            for item in items {
                path.push(item_key(item));
                all.insert(path.clone(), item);
                path.pop();
            }
        }
        _ => _ = all.insert(path.clone(), value),
    }
}

/// The lists of metadata are sets; all others are one value.
pub(super) fn in_metadata(path: &Path) -> bool {
    path.first().is_some_and(|k| k == "f:metadata")
}

pub(super) fn item_key(item: &Value) -> String {
    match item.get("uid") {
        Some(uid) => format!("k:{}", json!({"uid": uid})),
        None => format!("v:{item}"),
    }
}

/// What an applied configuration owns. Other than with an update, only entries of maps exist by themselves: a struct,
/// which the schema names, exists by its fields.
pub(super) fn applied_leaves<'a>(config: &'a Value, schema: Option<&Value>) -> BTreeMap<Path, &'a Value> {
    let mut all = leaves(config, schema);
    all.retain(|path, _| match path.split_last() {
        Some((last, parents)) if last == "." => is_map_entry(parents, schema),
        _ => true,
    });
    all
}

pub(super) fn is_map_entry(path: &[String], schema: Option<&Value>) -> bool {
    if path.len() < 2 || path[0] == "f:metadata" {
        return false;
    }
    let Some(mut at) = schema else { return true };
    for (i, key) in path.iter().enumerate() {
        let known = key.strip_prefix("f:").and_then(|name| at.get("properties")?.get(name));
        match (known, at.get("additionalProperties")) {
            (Some(inner), _) if i + 1 == path.len() => return !inner.is_object(),
            (Some(inner), _) | (None, Some(inner)) if i + 1 < path.len() => at = inner,
            _ => return true,
        }
    }
    false
}

/// `.spec.subnets.default.vlan`.
pub(super) fn dotted(path: &Path) -> String {
    path.iter().map(|key| format!(".{}", key.strip_prefix("f:").unwrap_or(key))).collect()
}

pub(super) fn insert(object: &mut Value, path: &Path, value: &Value) {
    let mut at = object;
    for key in path {
        let Some(name) = key.strip_prefix("f:") else {
            // An item of a set: added when it is not there.
            if !at.is_array() {
                *at = json!([]);
            }
            if let Some(items) = at.as_array_mut() {
                items.retain(|item| item_key(item) != *key);
                items.push(value.clone());
            }
            return;
        };
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[name];
    }
    // An object that was applied empty does not wipe the fields that others put into it.
    if !(value.as_object().is_some_and(Map::is_empty) && at.is_object()) {
        *at = value.clone();
    }
}

/// Removes a field or an item of a set, or with the existence of an object all of it.
pub(super) fn remove(object: &mut Value, path: &Path) {
    let path = if path.last().is_some_and(|k| k == ".") { &path[..path.len() - 1] } else { &path[..] };
    let Some((last, parents)) = path.split_last() else { return };
    let mut at = object;
    for key in parents {
        match key.strip_prefix("f:").and_then(|name| at.get_mut(name)) {
            Some(inner) => at = inner,
            None => return,
        }
    }
    match (at, last.strip_prefix("f:")) {
        (Value::Object(fields), Some(name)) => _ = fields.shift_remove(name),
        (Value::Array(items), None) => items.retain(|item| item_key(item) != *last),
        _ => {}
    }
}
