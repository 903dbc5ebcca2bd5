//! Schemas without CRDs: the server's OpenAPI v3 documents, which every account may read.

use super::soft;
use crate::call::Call;
use crate::kinds::KindInfo;
use crate::{Cluster, Error};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// How many references inside each other are followed; kinds made from CRDs have two.
const DEEPEST: u32 = 8;

impl Cluster {
    /// Fills in the schemas that the CRDs did not give, one document a group and version.
    pub(super) async fn fill_schemas(&self, kinds: &mut [KindInfo]) -> Result<(), Error> {
        let missing: BTreeSet<(String, String)> =
            kinds.iter().filter(|k| k.schema.is_none()).map(|k| (k.gvk.group.clone(), k.gvk.version.clone())).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let index: Value = match self.fetch(&Call::get("read the OpenAPI index", "/openapi/v3")).await {
            Ok(index) => index,
            Err(e) if soft(&e) => {
                tracing::debug!(server = %self.inner.server, error = %e, "no OpenAPI either");
                return Ok(());
            }
            Err(e) => return Err(e),
        };
        for (group, version) in missing {
            let path = format!("apis/{group}/{version}");
            // The index names a path of the same server; anything else is not followed.
            let target = index["paths"][&path]["serverRelativeURL"].as_str().filter(|t| t.starts_with("/openapi/v3/"));
            let Some(target) = target else { continue };
            let document: Value =
                match self.fetch(&Call::get(format!("read the OpenAPI of {group}/{version}"), target)).await {
                    Ok(document) => document,
                    Err(e) if soft(&e) => continue,
                    Err(e) => return Err(e),
                };
            let of_group =
                kinds.iter_mut().filter(|k| k.schema.is_none() && k.gvk.group == group && k.gvk.version == version);
            for kind in of_group {
                kind.schema = schema(&document, kind);
            }
        }
        Ok(())
    }
}

/// The schema of a kind, in the form a CRD has it: references resolved, `metadata` a plain object.
fn schema(document: &Value, kind: &KindInfo) -> Option<Value> {
    let schemas = document.pointer("/components/schemas")?.as_object()?;
    let (_, found) = schemas.iter().find(|(_, s)| {
        s["x-kubernetes-group-version-kind"].as_array().is_some_and(|list| {
            list.iter().any(|g| {
                g["group"] == kind.gvk.group.as_str()
                    && g["version"] == kind.gvk.version.as_str()
                    && g["kind"] == kind.gvk.kind.as_str()
            })
        })
    })?;
    let mut schema = resolve(found, schemas, 0);
    if let Value::Object(map) = &mut schema {
        map.remove("x-kubernetes-group-version-kind");
    }
    if let Some(metadata) = schema.pointer_mut("/properties/metadata") {
        *metadata = json!({"type": "object"});
    }
    Some(schema)
}

fn resolve(value: &Value, schemas: &Map<String, Value>, depth: u32) -> Value {
    if depth > DEEPEST {
        return json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    }
    match value {
        Value::Object(map) => {
            if let Some(name) =
                map.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix("#/components/schemas/"))
            {
                return schemas.get(name).map_or_else(|| json!({"type": "object"}), |s| resolve(s, schemas, depth + 1));
            }
            Value::Object(map.iter().map(|(k, v)| (k.clone(), resolve(v, schemas, depth))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(|v| resolve(v, schemas, depth)).collect()),
        other => other.clone(),
    }
}
