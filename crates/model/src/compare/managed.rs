//! Who set a field in the cluster, and when: read from `metadata.managedFields`.

use crate::path::{Path, Segment};
use jiff::Timestamp;
use serde_json::Value;

/// The manager that set a field last, and when it last wrote.
pub(super) fn last_manager(live: &Value, path: &Path) -> Option<(String, Option<Timestamp>)> {
    live.get("metadata")?
        .get("managedFields")?
        .as_array()?
        .iter()
        .filter(|entry| entry.get("subresource").and_then(Value::as_str).unwrap_or_default().is_empty())
        .filter(|entry| {
            let fields = entry.get("fieldsV1").filter(|fields| fields.as_object().is_some_and(|f| !f.is_empty()));
            fields.is_some_and(|fields| owns(fields, path.segments(), live))
        })
        .filter_map(|entry| {
            let manager = entry.get("manager")?.as_str()?.to_owned();
            let time = entry.get("time").and_then(Value::as_str).and_then(|t| t.parse::<Timestamp>().ok());
            Some((manager, time))
        })
        .max_by_key(|(_, time)| *time)
}

/// Whether a set of fields in FieldsV1 form holds a path, or something above it as a whole.
fn owns(fields: &Value, path: &[Segment], value: &Value) -> bool {
    let Some(map) = fields.as_object() else { return false };
    let Some((first, rest)) = path.split_first() else { return true };
    let below = match first {
        Segment::Key(key) => map.get(&format!("f:{key}")).map(|set| (set, value.get(key.as_str()))),
        Segment::Index(index) => {
            let item = value.get(index);
            map.iter().find(|(key, _)| item_matches(key, item, *index)).map(|(_, set)| (set, item))
        }
    };
    match below {
        Some((set, item)) => owns(set, rest, item.unwrap_or(&Value::Null)),
        // An empty set below the root owns its field as a whole: lists in CRDs are atomic.
        None => map.is_empty(),
    }
}

fn item_matches(key: &str, item: Option<&Value>, index: usize) -> bool {
    let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
    match (key.get(..2), key.get(2..), item) {
        (Some("v:"), Some(text), Some(item)) => parse(text).as_ref() == Some(item),
        (Some("k:"), Some(text), Some(item)) => parse(text)
            .and_then(|keys| Some(keys.as_object()?.iter().all(|(k, v)| item.get(k) == Some(v))))
            .unwrap_or(false),
        (Some("i:"), Some(text), _) => text.parse() == Ok(index),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manager(live: &Value, path: &str) -> Option<String> {
        last_manager(live, &path.parse().unwrap()).map(|(manager, _)| manager)
    }

    #[test]
    fn names_the_manager_that_wrote_last() {
        let live = json!({
            "metadata": {"managedFields": [
                {"manager": "hedgerow", "operation": "Update", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1",
                 "fieldsV1": {"f:spec": {".": {}, "f:subnets": {"f:default": {".": {}, "f:vlan": {}, "f:subnet": {}}},
                     "f:permit": {}}, "f:metadata": {"f:labels": {"f:a.b/c": {}}, "f:finalizers": {"v:\"x\"": {}}}}},
                {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-02T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:subnets": {"f:default": {"f:vlan": {}}}}}},
                {"manager": "agent", "subresource": "status", "time": "2026-01-03T00:00:00Z",
                 "fieldsV1": {"f:spec": {"f:subnets": {"f:default": {"f:vlan": {}}}}}},
            ], "finalizers": ["x"]},
            "spec": {"subnets": {"default": {"vlan": 1, "subnet": "10.0.0.0/24"}}, "permit": [["a"]]},
        });
        assert_eq!(manager(&live, "spec.subnets.default.vlan").as_deref(), Some("kubectl-edit"));
        assert_eq!(manager(&live, "spec.subnets.default.subnet").as_deref(), Some("hedgerow"));
        assert_eq!(manager(&live, "spec.permit[0][0]").as_deref(), Some("hedgerow"));
        assert_eq!(manager(&live, "metadata.labels[\"a.b/c\"]").as_deref(), Some("hedgerow"));
        assert_eq!(manager(&live, "metadata.finalizers[0]").as_deref(), Some("hedgerow"));
        assert_eq!(manager(&live, "spec.subnets.default.gateway"), None);
        assert_eq!(manager(&live, "spec.mode"), None);
        assert_eq!(manager(&json!({}), "spec.mode"), None);
    }
}
