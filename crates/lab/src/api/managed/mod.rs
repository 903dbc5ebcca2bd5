//! managedFields: who set which field, and when. Lists are owned as a whole, as in all of Hedgehog's kinds.
//!
//! Ownership is worked out before the mutating webhooks run, so what they fill in belongs to nobody, and what they
//! take out stays owned. That is what kube-apiserver does, and why it matters to whoever reads managedFields.

mod paths;

use paths::{Path, Set, applied_leaves, collect, dotted, fields_v1, insert, is_map_entry, leaves, remove};
use serde_json::{Value, json};

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Writer<'a> {
    pub manager: &'a str,
    pub apply: bool,
    pub subresource: Option<&'a str>,
    pub time: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    manager: String,
    operation: String,
    subresource: Option<String>,
    api_version: String,
    time: Option<String>,
    set: Set,
}

fn read(object: &Value) -> Vec<Entry> {
    let entries = object["metadata"]["managedFields"].as_array().map_or(&[][..], Vec::as_slice);
    entries
        .iter()
        .map(|e| {
            let text = |key: &str| e.get(key).and_then(Value::as_str).map(str::to_owned);
            let mut set = Set::new();
            collect(&e["fieldsV1"], &mut Vec::new(), &mut set);
            Entry {
                manager: text("manager").unwrap_or_default(),
                operation: text("operation").unwrap_or_default(),
                subresource: text("subresource"),
                api_version: text("apiVersion").unwrap_or_default(),
                time: text("time"),
                set,
            }
        })
        .collect()
}

fn write(object: &mut Value, mut entries: Vec<Entry>) {
    entries.retain(|e| !e.set.is_empty());
    let list: Vec<Value> = entries
        .iter()
        .map(|e| {
            let mut entry = json!({"manager": e.manager, "operation": e.operation, "apiVersion": e.api_version});
            if let Some(time) = &e.time {
                entry["time"] = json!(time);
            }
            entry["fieldsType"] = json!("FieldsV1");
            entry["fieldsV1"] = fields_v1(&e.set);
            if let Some(subresource) = &e.subresource {
                entry["subresource"] = json!(subresource);
            }
            entry
        })
        .collect();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        if list.is_empty() {
            metadata.shift_remove("managedFields");
        } else {
            metadata.insert("managedFields".to_owned(), Value::Array(list));
        }
    }
}

fn own<'a>(entries: &'a mut Vec<Entry>, writer: &Writer, api_version: &str) -> &'a mut Entry {
    let operation = if writer.apply { "Apply" } else { "Update" };
    let same = |e: &Entry| {
        e.manager == writer.manager && e.operation == operation && e.subresource.as_deref() == writer.subresource
    };
    let at = entries.iter().position(same).unwrap_or_else(|| {
        entries.push(Entry {
            manager: writer.manager.to_owned(),
            operation: operation.to_owned(),
            subresource: writer.subresource.map(str::to_owned),
            api_version: api_version.to_owned(),
            time: None,
            set: Set::new(),
        });
        entries.len() - 1
    });
    &mut entries[at]
}

/// Ownership after a create or an update: what changed belongs to the writer, what is gone to nobody.
pub(super) fn after_update(old: Option<&Value>, new: &mut Value, schema: Option<&Value>, writer: &Writer) {
    let mut entries = old.map(read).unwrap_or_default();
    let before = old.map(|o| leaves(o, schema)).unwrap_or_default();
    let after = leaves(new, schema);
    let changed: Set = after.iter().filter(|(p, v)| before.get(*p) != Some(v)).map(|(p, _)| p.clone()).collect();
    let gone: Set = before.keys().filter(|p| !after.contains_key(*p)).cloned().collect();
    drop(after);
    for entry in &mut entries {
        entry.set.retain(|p| !changed.contains(p) && !gone.contains(p));
    }
    if !changed.is_empty() {
        let api_version = new["apiVersion"].as_str().unwrap_or_default().to_owned();
        let own = own(&mut entries, writer, &api_version);
        own.set.extend(changed);
        own.time = Some(writer.time.to_owned());
    } else if !gone.is_empty() {
        for entry in entries.iter_mut().filter(|e| e.manager == writer.manager && e.operation == "Update") {
            entry.time = Some(writer.time.to_owned());
        }
    }
    write(new, entries);
}

/// Whether two versions of an object differ in nothing, or only in the times of ownership.
pub(super) fn equal_but_for_times(old: &Value, new: &Value) -> bool {
    if old == new {
        return true;
    }
    let without_times = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            if let Some(entry) = entry.as_object_mut() {
                entry.shift_remove("time");
            }
        }
        object
    };
    without_times(old) == without_times(new)
}

/// The outcome of server-side apply, before admission.
pub(super) enum Applied {
    /// The merged object.
    Merged(Value),
    /// Managers and fields that stand against it.
    Conflicts(Vec<(String, String)>),
}

/// Merges an applied configuration into the object that is there.
pub(super) fn apply(
    live: Option<&Value>,
    config: &Value,
    schema: Option<&Value>,
    writer: &Writer,
    force: bool,
) -> Applied {
    let base = live.cloned().unwrap_or_else(|| {
        json!({"apiVersion": config["apiVersion"], "kind": config["kind"],
            "metadata": {"name": config["metadata"]["name"], "namespace": config["metadata"]["namespace"]}})
    });
    let mut entries = read(&base);
    let current = leaves(&base, schema);
    let wanted = applied_leaves(config, schema);
    let is_own = |e: &Entry| e.manager == writer.manager && e.operation == "Apply";

    let mut conflicts = Vec::new();
    for (path, value) in &wanted {
        if path.last().is_some_and(|k| k == ".") || current.get(path) == Some(value) {
            continue;
        }
        for entry in entries.iter().filter(|e| !is_own(e) && e.set.contains(path)) {
            conflicts.push((entry.manager.clone(), dotted(path)));
        }
    }
    if !conflicts.is_empty() && !force {
        conflicts.sort();
        conflicts.dedup();
        return Applied::Conflicts(conflicts);
    }

    let wanted_set: Set = wanted.keys().cloned().collect();
    // Of structs, those count as owned in which something is owned: a struct goes with its last owner.
    let with_structs = |sets: &mut dyn Iterator<Item = &Path>| -> Set {
        let mut all = Set::new();
        for path in sets {
            for end in 1..path.len() {
                let identity = end == 1 && path[0] == "f:metadata";
                if !identity && path[end] != "." && !is_map_entry(&path[..end], schema) {
                    all.insert([&path[..end], &[".".to_owned()]].concat());
                }
            }
            all.insert(path.clone());
        }
        all
    };
    let last = with_structs(&mut entries.iter().filter(|e| is_own(e)).flat_map(|e| e.set.iter()));
    let others = entries.iter().filter(|e| !is_own(e)).flat_map(|e| e.set.iter());
    let kept = with_structs(&mut others.chain(&wanted_set));
    let stays = |path: &Path| {
        let whole = path.last().is_some_and(|k| k == ".").then(|| path[..path.len() - 1].to_vec());
        kept.contains(path) || whole.is_some_and(|whole| kept.contains(&whole))
    };
    let dropped: Vec<Path> = last.into_iter().filter(|path| !stays(path)).collect();
    let mut merged = base.clone();
    for path in &dropped {
        remove(&mut merged, path);
    }
    // An object that is dropped takes with it what nobody owns, such as defaults; what others own comes back.
    for path in entries.iter().filter(|e| !is_own(e)).flat_map(|e| e.set.iter()) {
        let under = |d: &Path| d.last().is_some_and(|k| k == ".") && path.starts_with(&d[..d.len() - 1]);
        if let Some(value) = current.get(path)
            && path.last().is_some_and(|k| k != ".")
            && dropped.iter().any(under)
        {
            insert(&mut merged, path, value);
        }
    }
    let mut changed = !dropped.is_empty();
    for (path, value) in &wanted {
        if path.last().is_some_and(|k| k == ".") {
            continue;
        }
        if current.get(path) != Some(value) {
            changed = true;
            for entry in entries.iter_mut().filter(|e| !is_own(e)) {
                entry.set.remove(path);
            }
        }
        insert(&mut merged, path, value);
    }
    let api_version = config["apiVersion"].as_str().unwrap_or_default().to_owned();
    let own = own(&mut entries, writer, &api_version);
    if changed || own.set != wanted_set || own.time.is_none() {
        own.time = Some(writer.time.to_owned());
    }
    own.set = wanted_set;
    write(&mut merged, entries);
    Applied::Merged(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn writer(manager: &str, apply: bool) -> Writer<'_> {
        Writer { manager, apply, subresource: None, time: "2026-01-01T00:00:00Z" }
    }

    fn vpc(spec: Value) -> Value {
        json!({"apiVersion": "g/v1", "kind": "VPC", "metadata": {"name": "v", "labels": {"a": "b"}}, "spec": spec})
    }

    fn owned(object: &Value, manager: &str) -> Value {
        let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
        entries.into_iter().find(|e| e["manager"] == manager).map_or(Value::Null, |e| e["fieldsV1"].clone())
    }

    #[test]
    fn a_change_moves_ownership_and_nothing_else() {
        let mut first = vpc(json!({"vlan": 1, "list": [1], "deep": {"x": 1}}));
        after_update(None, &mut first, None, &writer("a", false));
        assert_eq!(
            owned(&first, "a"),
            json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}},
                "f:spec": {".": {}, "f:deep": {".": {}, "f:x": {}}, "f:list": {}, "f:vlan": {}}})
        );
        let mut second = first.clone();
        second["spec"]["vlan"] = json!(2);
        second["spec"]["deep"] = json!({});
        after_update(Some(&first), &mut second, None, &writer("b", false));
        assert_eq!(owned(&second, "b"), json!({"f:spec": {"f:vlan": {}, "f:deep": {}}}));
        assert_eq!(
            owned(&second, "a"),
            json!({"f:metadata": {"f:labels": {".": {}, "f:a": {}}}, "f:spec": {".": {}, "f:list": {}}})
        );
    }

    #[test]
    fn apply_conflicts_with_others_unless_forced() {
        let mut live = vpc(json!({"vlan": 1, "other": 1}));
        after_update(None, &mut live, None, &writer("a", false));
        let config = vpc(json!({"vlan": 2}));
        let Applied::Conflicts(conflicts) = apply(Some(&live), &config, None, &writer("b", true), false) else {
            panic!("no conflict");
        };
        assert_eq!(conflicts, [("a".to_owned(), ".spec.vlan".to_owned())]);
        let Applied::Merged(merged) = apply(Some(&live), &config, None, &writer("b", true), true) else {
            panic!("conflict")
        };
        assert_eq!(merged["spec"], json!({"vlan": 2, "other": 1}));
        assert!(owned(&merged, "a")["f:spec"].get("f:vlan").is_none());
        assert!(owned(&merged, "b")["f:spec"].get("f:vlan").is_some());
    }

    #[test]
    fn apply_takes_away_only_what_it_owns_alone() {
        let writer = writer("b", true);
        let config = vpc(json!({"mine": 1, "shared": 1, "deep": {"x": 1}}));
        let Applied::Merged(mut live) = apply(None, &config, None, &writer, false) else { panic!("conflict") };
        live["spec"]["defaulted"] = json!(true);
        let Applied::Merged(live) =
            apply(Some(&live), &vpc(json!({"shared": 1})), None, &Writer { manager: "c", ..writer.clone() }, false)
        else {
            panic!("conflict")
        };
        let Applied::Merged(live) = apply(Some(&live), &vpc(json!({})), None, &writer, false) else {
            panic!("conflict")
        };
        assert_eq!(live["spec"], json!({"shared": 1, "defaulted": true}));
    }
}
