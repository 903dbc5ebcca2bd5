//! Reading fields of an object's JSON. What is absent, null or of another type reads as empty: types are the
//! schema's business, which has its say after the mutating webhooks.

use serde_json::{Map, Value};

/// A text at a JSON pointer; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// A number at a JSON pointer; 0 when there is none.
pub(super) fn number(value: &Value, pointer: &str) -> i64 {
    value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// A switch at a JSON pointer; off when there is none.
pub(super) fn flag(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).and_then(Value::as_bool).unwrap_or_default()
}

/// The items of a list at a JSON pointer.
pub(super) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list at a JSON pointer.
pub(super) fn texts<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    items(value, pointer).iter().filter_map(Value::as_str).collect()
}

/// The entries of a map at a JSON pointer, by name as Go prints them.
pub(super) fn entries<'a>(value: &'a Value, pointer: &str) -> Vec<(&'a str, &'a Value)> {
    let mut all: Vec<(&str, &Value)> = value
        .pointer(pointer)
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|m| m.iter().map(|(k, v)| (k.as_str(), v)))
        .collect();
    all.sort_by_key(|(k, _)| *k);
    all
}

/// Whether something other than null stands at a JSON pointer.
pub(super) fn present(value: &Value, pointer: &str) -> bool {
    value.pointer(pointer).is_some_and(|v| !v.is_null())
}

/// The object's name.
pub(super) fn name(value: &Value) -> &str {
    text(value, "/metadata/name")
}

/// The fields under `key`, made an object when absent or null. `None` when something else stands there.
pub(super) fn object_mut<'a>(fields: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let entry = fields.entry(key.to_owned()).or_insert(Value::Null);
    if entry.is_null() {
        *entry = Value::Object(Map::new());
    }
    entry.as_object_mut()
}

/// Sets a field when it is absent, null or its zero value.
pub(super) fn set_if_zero(fields: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    if fields.get(key).is_none_or(is_zero) {
        fields.insert(key.to_owned(), value.into());
    }
}

/// Null, false, 0 or the empty text. Empty lists and maps are not: Go tells them from nil.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(b) => !b,
        Value::Number(n) => n.as_f64() == Some(0.0),
        Value::String(s) => s.is_empty(),
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Sorts a list of texts in place.
pub(super) fn sort_texts(value: Option<&mut Value>) {
    if let Some(Value::Array(list)) = value {
        list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
}
