//! ObjectMeta: which fields there are, what may stand in them, which of them are the server's own.

use super::{error::ApiError, registry::Resource};
use crate::kinds::schema::Cause;
use serde_json::{Map, Value, json};

const FIELDS: &[&str] = &[
    "name",
    "generateName",
    "namespace",
    "selfLink",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "labels",
    "annotations",
    "ownerReferences",
    "finalizers",
    "managedFields",
];

/// Removes unknown fields of metadata, and names them.
pub(super) fn prune(object: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|key, value| {
            let known = FIELDS.contains(&key.as_str());
            if !known {
                unknown.push(format!("metadata.{key}"));
            }
            known && !value.is_null()
        });
        for map in ["labels", "annotations"] {
            if metadata.get(map).and_then(Value::as_object).is_some_and(Map::is_empty) {
                metadata.shift_remove(map);
            }
        }
    }
    unknown
}

/// What does not even decode: an error message as of a decoder, when there is one.
pub(super) fn undecodable(object: &Value) -> Option<String> {
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    if !metadata.is_null() && !metadata.is_object() {
        return Some("metadata is not an object".to_owned());
    }
    for map in ["labels", "annotations"] {
        for (key, value) in metadata.get(map).and_then(Value::as_object).into_iter().flatten() {
            if !value.is_string() {
                return Some(format!("metadata.{map}.{key} must be a string, not {value}"));
            }
        }
    }
    for text in ["name", "namespace", "generateName", "resourceVersion", "uid"] {
        if metadata.get(text).is_some_and(|v| !v.is_string() && !v.is_null()) {
            return Some(format!("metadata.{text} must be a string"));
        }
    }
    None
}

fn invalid(field: &str, value: &str, rule: &str) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        field: field.to_owned(),
        message: format!("Invalid value: \"{value}\": {rule}"),
    }
}

/// Names and labels that the API server would not take.
pub(super) fn validate(object: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    if name.is_empty() {
        causes.push(Cause {
            reason: "FieldValueRequired",
            field: "metadata.name".to_owned(),
            message: "Required value: name or generateName is required".to_owned(),
        });
    } else if !is_subdomain(name) {
        causes.push(invalid(
            "metadata.name",
            name,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must \
             start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
        ));
    }
    for (map, values) in [("labels", true), ("annotations", false)] {
        let field = format!("metadata.{map}");
        for (key, value) in metadata.get(map).and_then(Value::as_object).into_iter().flatten() {
            if !is_qualified_name(key) {
                causes.push(invalid(
                    &field,
                    key,
                    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with \
                     an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation \
                     is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
                ));
            }
            let value = value.as_str().unwrap_or_default();
            if values && !is_label_value(value) {
                causes.push(invalid(
                    &field,
                    value,
                    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and \
                     must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', \
                     regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
                ));
            }
        }
    }
    causes
}

/// A DNS subdomain of at most 253 characters.
pub(super) fn is_subdomain(name: &str) -> bool {
    let label = |label: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        edge(label.chars().next())
            && edge(label.chars().last())
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

fn is_word(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn is_label_value(text: &str) -> bool {
    text.is_empty() || is_word(text)
}

fn is_qualified_name(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_word(name),
        None => is_word(key),
    }
}

/// A text of metadata; empty when there is none.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"].get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Puts the object into the namespace of the request, which must not contradict the object's own.
pub(super) fn place(resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    if !object["metadata"].is_object() {
        object["metadata"] = json!({});
    }
    let own = text(object, "namespace");
    if resource.namespaced {
        if !own.is_empty() && own != namespace {
            return Err(ApiError::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        object["metadata"]["namespace"] = json!(namespace);
    } else if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.shift_remove("namespace");
    }
    Ok(())
}

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest version and try again";

pub(super) fn check_versions_of_apply(resource: &Resource, old: &Value, config: &Value) -> Result<(), ApiError> {
    let (name, version, uid) = (text(old, "name"), text(config, "resourceVersion"), text(config, "uid"));
    if !version.is_empty() && version != text(old, "resourceVersion") {
        return Err(ApiError::conflict(resource, name, MODIFIED));
    }
    if !uid.is_empty() && uid != text(old, "uid") {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", text(old, "uid"));
        return Err(ApiError::conflict(resource, name, &why));
    }
    Ok(())
}

pub(super) fn check_versions(resource: &Resource, old: &Value, new: &Value) -> Result<(), ApiError> {
    if text(new, "resourceVersion").is_empty() {
        return Err(ApiError::version_required(resource, text(old, "name")));
    }
    check_versions_of_apply(resource, old, new)
}

pub(super) fn restore(new: &mut Value, old: &Value, key: &str) {
    let Some(fields) = new.as_object_mut() else { return };
    match old.get(key) {
        Some(value) => _ = fields.insert(key.to_owned(), value.clone()),
        None => _ = fields.shift_remove(key),
    }
}

/// What a client cannot change: identity, times, and the part that the other endpoint is for.
pub(super) fn keep_system_fields(resource: &Resource, old: &Value, new: &mut Value, subresource: Option<&str>) {
    if subresource == Some("status") {
        let status = new.get("status").cloned();
        *new = old.clone();
        match (status, new.as_object_mut()) {
            (Some(status), Some(fields)) => _ = fields.insert("status".to_owned(), status),
            (None, Some(fields)) => _ = fields.shift_remove("status"),
            _ => {}
        }
        return;
    }
    if resource.status {
        restore(new, old, "status");
    }
    for key in [
        "uid",
        "creationTimestamp",
        "generation",
        "resourceVersion",
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "managedFields",
    ] {
        restore(&mut new["metadata"], &old["metadata"], key);
    }
}

pub(super) fn differs_beside_metadata(old: &Value, new: &Value) -> bool {
    let part = |v: &Value| {
        let mut fields = v.as_object().cloned().unwrap_or_default();
        fields.shift_remove("metadata");
        fields.shift_remove("status");
        fields
    };
    part(old) != part(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_labels() {
        let object = json!({"metadata": {"name": "a.b", "labels": {"x.example/y": "", "z": "1_a"}}});
        assert_eq!(validate(&object), []);
        let object = json!({"metadata": {"name": "A", "labels": {"x/y/z": "", "z": "<invalid>"}}});
        let fields: Vec<String> = validate(&object).into_iter().map(|c| c.field).collect();
        assert_eq!(fields, ["metadata.name", "metadata.labels", "metadata.labels"]);
    }

    #[test]
    fn unknown_metadata_is_named() {
        let mut object = json!({"metadata": {"name": "a", "lables": {}, "labels": {}, "creationTimestamp": null}});
        assert_eq!(prune(&mut object), ["metadata.lables"]);
        assert_eq!(object, json!({"metadata": {"name": "a"}}));
        assert!(undecodable(&json!({"metadata": {"labels": {"a": 1}}})).is_some());
    }
}
