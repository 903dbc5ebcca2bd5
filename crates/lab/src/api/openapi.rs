//! OpenAPI v3, one document a group and version: what `kubectl explain` prints, and how kubectl learns that the server
//! validates fields itself.

use super::registry::{Registry, Resource};
use serde_json::{Map, Value, json};

/// `/openapi/v3`.
pub(super) fn index(registry: &Registry) -> Value {
    let paths: Map<String, Value> = registry
        .group_versions()
        .into_iter()
        .map(|(group, version)| {
            let path = path_of(group, version);
            let url = format!("/openapi/v3/{path}?hash={:X}", hash(registry, group, version));
            (path, json!({"serverRelativeURL": url}))
        })
        .collect();
    json!({"paths": paths})
}

fn path_of(group: &str, version: &str) -> String {
    if group.is_empty() { format!("api/{version}") } else { format!("apis/{group}/{version}") }
}

/// Clients keep documents by this number.
fn hash(registry: &Registry, group: &str, version: &str) -> u64 {
    let text = document(registry, group, version).map(|d| d.to_string()).unwrap_or_default();
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// `/openapi/v3/apis/<group>/<version>`.
pub(super) fn document(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for r in registry.all().iter().filter(|r| r.group == group && r.version == version) {
        let name = component(r);
        schemas.insert(name.clone(), schema(r));
        let base = format!("/{}", path_of(group, version));
        let base = if r.namespaced { format!("{base}/namespaces/{{namespace}}") } else { base };
        paths.insert(format!("{base}/{}", r.plural), operations(r, &name, &["get", "post"]));
        paths.insert(format!("{base}/{}/{{name}}", r.plural), operations(r, &name, &["get", "put", "patch", "delete"]));
    }
    if paths.is_empty() {
        return None;
    }
    schemas.insert("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta".to_owned(), object_meta());
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": super::VERSION},
        "paths": paths,
        "components": {"schemas": schemas},
    }))
}

/// `com.githedgehog.vpc.v1beta1.VPC`.
fn component(r: &Resource) -> String {
    let mut parts: Vec<&str> =
        if r.group.is_empty() { vec!["core", "api", "k8s", "io"] } else { r.group.split('.').collect() };
    parts.reverse();
    format!("{}.{}.{}", parts.join("."), r.version, r.kind)
}

fn kind_of(r: &Resource) -> Value {
    json!({"group": r.group, "version": r.version, "kind": r.kind})
}

fn schema(r: &Resource) -> Value {
    let mut schema = r.schema.clone().unwrap_or_else(|| {
        json!({"type": "object", "properties": {"apiVersion": {"type": "string"}, "kind": {"type": "string"},
            "metadata": {}, "spec": {"type": "object"}, "status": {"type": "object"}}})
    });
    schema["properties"]["metadata"] = json!({
        "description": "Name, namespace, labels and annotations.",
        "allOf": [{"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}],
        "default": {},
    });
    schema["x-kubernetes-group-version-kind"] = json!([kind_of(r)]);
    schema
}

fn operations(r: &Resource, component: &str, methods: &[&str]) -> Value {
    let content = json!({"application/json": {"schema": {"$ref": format!("#/components/schemas/{component}")}}});
    let mut item = Map::new();
    for method in methods {
        let action = match *method {
            "get" => "get",
            "post" => "post",
            "put" => "put",
            "patch" => "patch",
            _ => "delete",
        };
        let mut operation = json!({
            "responses": {"200": {"description": "OK", "content": content}},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": kind_of(r),
        });
        if matches!(*method, "post" | "put" | "patch") {
            let parameters: Vec<Value> = ["dryRun", "fieldManager", "fieldValidation", "force"]
                .iter()
                .filter(|p| **p != "force" || *method == "patch")
                .map(|p| json!({"name": p, "in": "query", "schema": {"type": "string", "uniqueItems": true}}))
                .collect();
            operation["parameters"] = Value::Array(parameters);
            operation["requestBody"] = if *method == "patch" {
                let any = json!({"schema": {"type": "object"}});
                json!({"content": {"application/json-patch+json": any, "application/merge-patch+json": any,
                    "application/apply-patch+yaml": any}})
            } else {
                json!({"content": content})
            };
        }
        item.insert((*method).to_owned(), operation);
    }
    Value::Object(item)
}

fn object_meta() -> Value {
    let text = |about: &str| json!({"type": "string", "description": about});
    let map = |about: &str| json!({"type": "object", "additionalProperties": {"type": "string"}, "description": about});
    json!({
        "type": "object",
        "description": "What every object has.",
        "properties": {
            "name": text("Name, unique in the namespace for its kind."),
            "namespace": text("Namespace."),
            "labels": map("Short words to select objects by."),
            "annotations": map("Longer words for tools and people."),
            "uid": text("Identity over the object's life; set by the server."),
            "resourceVersion": text("Version of the object; set by the server."),
            "generation": {"type": "integer", "description": "Counts changes of the spec; set by the server."},
            "creationTimestamp": text("When it was created; set by the server."),
            "deletionTimestamp": text("When its deletion was asked for; set by the server."),
            "finalizers": {"type": "array", "items": {"type": "string"}, "description": "Who must agree to its deletion."},
            "ownerReferences": {"type": "array", "items": {"type": "object"}, "description": "Objects that it depends on."},
            "managedFields": {"type": "array", "items": {"type": "object"}, "description": "Who set which field; set by the server."},
        },
    })
}
