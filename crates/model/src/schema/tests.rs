//! Schemas of our own, and what they say.

use super::*;
use serde_json::json;

fn schema() -> Schema {
    Schema::new(&json!({"type": "object", "required": ["spec"], "properties": {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
        "status": {"type": "object"},
        "spec": {"type": "object", "required": ["role", "flap"], "properties": {
            "role": {"type": "string", "enum": ["spine", "server-leaf"]},
            "asn": {"type": "integer", "format": "int32", "minimum": 1},
            "share": {"type": "number", "maximum": 1, "exclusiveMaximum": true},
            "name": {"type": "string", "minLength": 2, "maxLength": 4, "pattern": "^[a-z]+$"},
            "port": {"x-kubernetes-int-or-string": true},
            "on": {"type": "boolean"},
            "list": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "object", "required": ["to"],
                "properties": {"to": {"type": "integer"}, "from": {"type": "integer"}}}},
            "map": {"type": "object", "maxProperties": 1, "additionalProperties": {"type": "object",
                "properties": {"ip": {"type": "string"}}}},
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "flap": {"type": "integer", "default": 3},
            "empty": {"type": "object"},
        }},
    }}))
}

fn said(spec: Value) -> Vec<String> {
    let object =
        json!({"apiVersion": "x.githedgehog.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec});
    let findings = schema().check_object(&object);
    findings.iter().map(|f| format!("{} {}", f.rule, f.path.as_deref().unwrap_or_default())).collect()
}

#[test]
fn what_the_schema_allows_passes() {
    let good = json!({"role": "spine", "asn": 4_200_000_000_u32, "share": 0.5, "name": "abc", "port": "http", "on": false,
        "list": [{"to": 1}], "map": {"any key": {"ip": "x"}}, "free": {"what": ["ever"]}, "empty": {}});
    assert_eq!(said(good), [""; 0]);
    assert_eq!(said(json!({"role": "spine", "port": 80, "asn": 7.0, "name": null, "map": {"a": null}})), [""; 0]);
}

#[test]
fn what_it_does_not_allow_is_said_at_its_path() {
    for (spec, wanted) in [
        (json!({}), vec!["missing_field spec.role"]),
        (json!({"role": null}), vec!["missing_field spec.role"]),
        (json!({"role": "spin"}), vec!["not_allowed spec.role"]),
        (json!({"role": "spine", "asn": "65101"}), vec!["wrong_type spec.asn"]),
        (json!({"role": "spine", "asn": 1.5}), vec!["wrong_type spec.asn"]),
        (json!({"role": "spine", "asn": 0}), vec!["out_of_range spec.asn"]),
        (json!({"role": "spine", "share": 1}), vec!["out_of_range spec.share"]),
        (json!({"role": "spine", "name": "a"}), vec!["out_of_range spec.name"]),
        (json!({"role": "spine", "name": "ABC"}), vec!["not_allowed spec.name"]),
        (json!({"role": "spine", "port": true}), vec!["wrong_type spec.port"]),
        (json!({"role": "spine", "on": "true"}), vec!["wrong_type spec.on"]),
        (json!({"role": "spine", "list": []}), vec!["out_of_range spec.list"]),
        (
            json!({"role": "spine", "list": [{"from": 1}, 7]}),
            vec!["missing_field spec.list[0].to", "wrong_type spec.list[1]"],
        ),
        (json!({"role": "spine", "map": {"a": {}, "b": {}}}), vec!["out_of_range spec.map"]),
        (json!({"role": "spine", "map": {"E1/1": {"ipp": "x"}}}), vec!["unknown_field spec.map[\"E1/1\"].ipp"]),
        (json!({"role": "spine", "empty": {"a": 1}}), vec!["unknown_field spec.empty.a"]),
        (json!("text"), vec!["wrong_type spec"]),
    ] {
        assert_eq!(said(spec.clone()), wanted, "{spec}");
    }
    let object = json!({"kind": "Thing", "metadata": {"name": "a", "lables": {}}, "specs": {}});
    let findings = schema().check_object(&object);
    let messages: Vec<_> = findings.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "metadata.lables is no field of Thing; the server would drop it. Did you mean labels?",
            "specs is no field of Thing; the server would drop it. Did you mean spec?",
            "spec is required and is not there."
        ]
    );
}

#[test]
fn lesson_46_a_misspelt_field_is_an_error_with_its_path() {
    let object = json!({"kind": "Thing", "spec": {"role": "spine", "lsit": [{"to": 1}]}});
    let findings = schema().check_object(&object);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].path.as_deref(), Some("spec.lsit"));
    assert!(findings[0].message.ends_with("Did you mean list?"), "{}", findings[0].message);
}

#[test]
fn yaml_traps_have_a_hint() {
    let message = |spec: Value| schema().check_object(&json!({"kind": "Thing", "spec": spec}))[0].message.clone();
    assert_eq!(message(json!({"role": 7})), "spec.role must be a text; here is the number 7. Put it in quotes.");
    assert_eq!(
        message(json!({"role": "spine", "asn": "7"})),
        "spec.asn must be a whole number; here is '7'. Take the quotes away."
    );
}

#[test]
fn what_a_webhook_fills_in_is_not_demanded() {
    let schema = Schema::new(&json!({"type": "object", "properties": {"spec": {"type": "object",
        "required": ["neighbor", "switch", "external"], "properties": {"neighbor": {"type": "object"},
        "switch": {"type": "object"}, "external": {"type": "string"}}}}}));
    let missing = |kind: &str| -> Vec<Option<String>> {
        schema.check_object(&json!({"kind": kind, "spec": {}})).into_iter().map(|f| f.path).collect()
    };
    assert_eq!(missing("ExternalAttachment"), [Some("spec.external".into())]);
    assert_eq!(missing("Other").len(), 3);
}

#[test]
fn odd_schemas_do_not_panic() {
    for openapi in
        [json!(null), json!([]), json!({"type": "object", "properties": 3, "required": [1]}), json!({"type": 1})]
    {
        Schema::new(&openapi).check_object(&json!({"spec": {"a": [1, null, {"b": "c"}]}}));
    }
    let mut deep = json!({"type": "object"});
    let mut value = json!(1);
    for _ in 0..200 {
        deep = json!({"type": "object", "properties": {"a": deep}});
        value = json!({"a": value});
    }
    Schema::new(&deep).check_object(&value);
}
