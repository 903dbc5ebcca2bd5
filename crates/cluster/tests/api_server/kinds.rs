//! Definitions of the tests' own: a few of Hedgehog's kinds as small as a test needs them, and one of nobody's.

use serde_json::{Value, json};

/// A CRD in one of Hedgehog's groups; `spec` is the schema of its properties.
pub fn crd(group: &str, kind: &str, plural: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase(), "listKind": format!("{kind}List"),
                      "categories": ["hedgehog"]},
            "versions": [{
                "name": "v1beta1", "served": true, "storage": true, "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Descr", "type": "string", "jsonPath": ".spec.description", "priority": 1},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
                    "spec": {"type": "object", "properties": spec},
                    "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}},
            }],
        },
    })
}

/// The kinds that the conformance suite uses, plus one that carries secrets.
pub fn basic() -> Vec<Value> {
    let server = json!({"description": {"type": "string"}, "profile": {"type": "string"}});
    let agent = json!({"role": {"type": "string"}, "users": {"type": "array", "items": {"type": "object",
        "properties": {"name": {"type": "string"}, "password": {"type": "string"}}}}});
    vec![
        crd("wiring.githedgehog.com", "Server", "servers", &server),
        crd("agent.githedgehog.com", "Agent", "agents", &agent),
    ]
}

/// A server, which needs nothing else to exist.
pub fn server(name: &str, description: &str) -> Value {
    json!({
        "apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"description": description},
    })
}
