//! What an API server does with a structural schema: prune unknown fields, fill in defaults, validate. The words of
//! the causes are those of kube-apiserver, because clients read them.

use regex::Regex;
use serde_json::{Map, Value, json};
use std::{collections::HashMap, sync::LazyLock, sync::Mutex};

/// One thing that is wrong with an object, as in `Status.details.causes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `FieldValueRequired`, `FieldValueInvalid`, ...
    pub reason: &'static str,
    /// Path of the field, e.g. `spec.role`.
    pub field: String,
    /// What is wrong, e.g. `Required value`.
    pub message: String,
}

fn field_path(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

fn inner_schema<'a>(schema: &'a Value, field: &str) -> Option<&'a Value> {
    let properties = schema.get("properties");
    properties.and_then(|p| p.get(field)).or_else(|| schema.get("additionalProperties").filter(|a| a.is_object()))
}

fn keeps_unknown(schema: &Value) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
        || schema.get("additionalProperties") == Some(&Value::Bool(true))
}

/// Removes what the schema does not know, and names it: `spec.subnets.default.vlann`.
///
/// The outermost level is an object of Kubernetes: its `apiVersion`, `kind` and `metadata` are left alone.
pub fn prune(object: &mut Value, schema: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    let Some(fields) = object.as_object_mut() else { return unknown };
    fields.retain(|name, value| {
        if matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            return true;
        }
        let Some(inner) = inner_schema(schema, name) else {
            unknown.push(name.clone());
            return keeps_unknown(schema);
        };
        prune_value(value, inner, name, &mut unknown);
        true
    });
    unknown
}

fn prune_value(value: &mut Value, schema: &Value, path: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.retain(|name, value| match inner_schema(schema, name) {
            Some(inner) => {
                prune_value(value, inner, &field_path(path, name), unknown);
                true
            }
            None if keeps_unknown(schema) => true,
            None => {
                unknown.push(field_path(path, name));
                false
            }
        }),
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                for (i, item) in items.iter_mut().enumerate() {
                    prune_value(item, inner, &format!("{path}[{i}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

/// Drops nulls of fields that are not nullable, then fills in defaults of absent fields.
pub fn fill_defaults(object: &mut Value, schema: &Value) {
    match object {
        Value::Object(fields) => {
            fields.retain(|name, value| {
                !value.is_null()
                    || inner_schema(schema, name).is_none_or(|s| s.get("nullable") == Some(&Value::Bool(true)))
            });
            if let Some(Value::Object(properties)) = schema.get("properties") {
                for (name, inner) in properties {
                    if let (Some(default), false) = (inner.get("default"), fields.contains_key(name)) {
                        fields.insert(name.clone(), default.clone());
                    }
                }
            }
            for (name, value) in fields.iter_mut() {
                if let Some(inner) = inner_schema(schema, name) {
                    fill_defaults(value, inner);
                }
            }
        }
        Value::Array(items) => {
            if let Some(inner) = schema.get("items") {
                items.iter_mut().for_each(|item| fill_defaults(item, inner));
            }
        }
        _ => {}
    }
}

/// Everything that the schema finds wrong with an object.
pub fn validate(object: &Value, schema: &Value) -> Vec<Cause> {
    let mut causes = Vec::new();
    check(object, schema, "", &mut causes);
    causes
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(n) if n.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn invalid(path: &str, value: &Value, rule: impl std::fmt::Display) -> Cause {
    Cause {
        reason: "FieldValueInvalid",
        field: path.to_owned(),
        message: format!("Invalid value: {value}: {path} in body should {rule}"),
    }
}

fn check(value: &Value, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
        return;
    }
    if schema.get("x-kubernetes-int-or-string") == Some(&Value::Bool(true)) {
        return;
    }
    let found = type_name(value);
    if let Some(wanted) = schema.get("type").and_then(Value::as_str)
        && wanted != found
        && !(wanted == "number" && found == "integer")
    {
        causes.push(Cause {
            reason: "FieldValueTypeInvalid",
            field: path.to_owned(),
            message: format!("Invalid value: \"{found}\": {path} in body must be of type {wanted}: \"{found}\""),
        });
        return;
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        let words: Vec<String> = allowed.iter().map(Value::to_string).collect();
        causes.push(Cause {
            reason: "FieldValueNotSupported",
            field: path.to_owned(),
            message: format!("Unsupported value: {value}: supported values: {}", words.join(", ")),
        });
    }
    match value {
        Value::Object(fields) => check_object(fields, schema, path, causes),
        Value::Array(items) => check_array(items, schema, path, causes),
        Value::String(text) => check_text(value, text, schema, path, causes),
        Value::Number(number) => {
            let n = number.as_f64().unwrap_or_default();
            if let Some(min) = schema.get("minimum").filter(|m| m.as_f64().is_some_and(|m| n < m)) {
                causes.push(invalid(path, value, format_args!("be greater than or equal to {min}")));
            }
            if let Some(max) = schema.get("maximum").filter(|m| m.as_f64().is_some_and(|m| n > m)) {
                causes.push(invalid(path, value, format_args!("be less than or equal to {max}")));
            }
        }
        _ => {}
    }
}

fn check_object(fields: &Map<String, Value>, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    for required in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !fields.contains_key(required) {
            causes.push(Cause {
                reason: "FieldValueRequired",
                field: field_path(path, required),
                message: "Required value".to_owned(),
            });
        }
    }
    for (name, value) in fields {
        if path.is_empty() && matches!(name.as_str(), "apiVersion" | "kind" | "metadata") {
            continue;
        }
        if let Some(inner) = inner_schema(schema, name) {
            check(value, inner, &field_path(path, name), causes);
        }
    }
}

fn check_array(items: &[Value], schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = items.len() as u64;
    if let Some(min) = schema.get("minItems").and_then(Value::as_u64).filter(|min| length < *min) {
        causes.push(invalid(path, &json!(length), format_args!("have at least {min} items")));
    }
    if let Some(max) = schema.get("maxItems").and_then(Value::as_u64).filter(|max| length > *max) {
        causes.push(Cause {
            reason: "FieldValueTooMany",
            field: path.to_owned(),
            message: format!("Too many: {length}: must have at most {max} items"),
        });
    }
    if let Some(inner) = schema.get("items") {
        for (i, item) in items.iter().enumerate() {
            check(item, inner, &format!("{path}[{i}]"), causes);
        }
    }
}

fn check_text(value: &Value, text: &str, schema: &Value, path: &str, causes: &mut Vec<Cause>) {
    let length = text.chars().count() as u64;
    if let Some(max) = schema.get("maxLength").and_then(Value::as_u64).filter(|max| length > *max) {
        causes.push(Cause {
            reason: "FieldValueTooLong",
            field: path.to_owned(),
            message: format!("Too long: may not be more than {max} bytes"),
        });
    }
    if let Some(min) = schema.get("minLength").and_then(Value::as_u64).filter(|min| length < *min) {
        causes.push(invalid(path, value, format_args!("be at least {min} chars long")));
    }
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !matches(pattern, text)
    {
        causes.push(invalid(path, value, format_args!("match '{pattern}'")));
    }
    if schema.get("format").and_then(Value::as_str) == Some("date-time") && text.parse::<jiff::Timestamp>().is_err() {
        causes.push(Cause {
            reason: "FieldValueInvalid",
            field: path.to_owned(),
            message: format!("Invalid value: {value}: {path} in body must be of type date-time: {value}"),
        });
    }
}

/// Patterns are compiled once. One that this engine does not understand (a foreign CRD's look-ahead) matches all.
fn matches(pattern: &str, text: &str) -> bool {
    static COMPILED: LazyLock<Mutex<HashMap<String, Option<Regex>>>> = LazyLock::new(Mutex::default);
    let mut compiled = COMPILED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let regex = compiled.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_none_or(|r| r.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::schema_of;

    fn switch(spec: Value) -> Value {
        json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Switch", "metadata": {"name": "s"}, "spec": spec})
    }

    #[test]
    fn unknown_fields_are_removed_and_named() {
        let mut vpc = json!({"kind": "VPC", "metadata": {"labels": {"a": "b"}}, "extra": 1,
            "spec": {"mod": "x", "subnets": {"a": {"vlann": 1, "vlan": 2}}, "staticRoutes": [{"prefix": "p", "via": 1}]}});
        let unknown = prune(&mut vpc, schema_of("VPC").unwrap());
        assert_eq!(unknown, ["extra", "spec.mod", "spec.subnets.a.vlann", "spec.staticRoutes[0].via"]);
        assert_eq!(
            vpc,
            json!({"kind": "VPC", "metadata": {"labels": {"a": "b"}},
            "spec": {"subnets": {"a": {"vlan": 2}}, "staticRoutes": [{"prefix": "p"}]}})
        );
    }

    #[test]
    fn what_is_not_described_is_kept() {
        let mut agent = json!({"spec": {"config": {"anything": [1, {"b": null}]}, "vpcs": {"v": {"x": 1}}}});
        let before = agent.clone();
        assert!(prune(&mut agent, schema_of("Agent").unwrap()).is_empty());
        assert_eq!(agent, before);
    }

    #[test]
    fn defaults_fill_only_objects_that_are_there() {
        let mut with = switch(json!({"role": "spine", "linkFlapErrDisable": {"recoveryInterval": 0}}));
        fill_defaults(&mut with, schema_of("Switch").unwrap());
        assert_eq!(
            with["spec"]["linkFlapErrDisable"],
            json!({"recoveryInterval": 0, "flapThreshold": 3, "samplingInterval": 30})
        );
        let mut without = switch(json!({"role": "spine"}));
        fill_defaults(&mut without, schema_of("Switch").unwrap());
        assert_eq!(without, switch(json!({"role": "spine"})));
    }

    #[test]
    fn causes_speak_as_the_api_server_does() {
        let schema = schema_of("Switch").unwrap();
        let says = |spec: Value| {
            validate(&switch(spec), schema)
                .into_iter()
                .map(|c| format!("{}: {}", c.field, c.message))
                .collect::<Vec<_>>()
        };
        assert_eq!(says(json!({})), ["spec.role: Required value"]);
        assert_eq!(
            says(json!({"role": "nope"})),
            ["spec.role: Unsupported value: \"nope\": supported values: \"spine\", \"server-leaf\", \"border-leaf\", \
              \"mixed-leaf\", \"virtual-edge\""]
        );
        assert_eq!(
            says(json!({"role": "spine", "asn": "x", "linkFlapErrDisable": {"flapThreshold": 51}})),
            [
                "spec.asn: Invalid value: \"string\": spec.asn in body must be of type integer: \"string\"",
                "spec.linkFlapErrDisable.flapThreshold: Invalid value: 51: spec.linkFlapErrDisable.flapThreshold in body \
                 should be less than or equal to 50"
            ]
        );
        let ranges = validate(&json!({"spec": {"ranges": []}}), schema_of("VLANNamespace").unwrap());
        assert_eq!(ranges[0].message, "Invalid value: 0: spec.ranges in body should have at least 1 items");
        let link = json!({"spec": {"fabric": {"links": [{"leaf": {"ip": "10.0.0.1"}}]}}});
        assert_eq!(validate(&link, schema_of("Connection").unwrap())[0].field, "spec.fabric.links[0].leaf.ip");
    }
}
