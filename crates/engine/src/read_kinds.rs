//! What a comparison keeps of the kinds that it read: group, kind, plural and printer columns, so that lists of objects show the
//! columns of the cluster's own release without asking the cluster again.

use crate::observing::Observation;
use cluster::Column;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct ReadKind {
    group: String,
    kind: String,
    plural: String,
    columns: Vec<ReadColumn>,
}

/// A printer column, in the words of its CRD.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadColumn {
    name: String,
    r#type: String,
    json_path: String,
    #[serde(default)]
    priority: i32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
}

/// The kinds that were read, as a comparison keeps them.
pub(crate) fn of(observation: &Observation) -> Value {
    let kinds = observation.read.iter().map(|(group, kind)| ReadKind {
        group: group.clone(),
        kind: kind.clone(),
        plural: observation.kinds.find(group, kind).map(|k| k.plural.clone()).unwrap_or_default(),
        columns: observation.kinds.find(group, kind).map(|k| k.columns.iter().map(kept).collect()).unwrap_or_default(),
    });
    serde_json::to_value(kinds.collect::<Vec<_>>()).unwrap_or_default()
}

fn kept(column: &Column) -> ReadColumn {
    ReadColumn {
        name: column.name.clone(),
        r#type: column.r#type.clone(),
        json_path: column.json_path.clone(),
        priority: column.priority,
        description: column.description.clone(),
    }
}

/// Whether a kind was read, by what a comparison keeps.
pub(crate) fn has_read(kept: &Value, group: &str, kind: &str) -> bool {
    kept.as_array().into_iter().flatten().any(|entry| entry["group"] == group && entry["kind"] == kind)
}

/// The plural of a kind, out of what a comparison keeps; comparisons of older releases keep none.
pub(crate) fn plural(kept: &Value, group: &str, kind: &str) -> Option<String> {
    let found = kept.as_array()?.iter().find(|entry| entry["group"] == group && entry["kind"] == kind)?;
    found["plural"].as_str().filter(|plural| !plural.is_empty()).map(str::to_owned)
}

/// The printer columns of a kind, out of what a comparison keeps, in the CRD's order. Comparisons of older releases keep
/// only names; for them there are none until the next comparison.
pub fn columns(kept: &Value, group: &str, kind: &str) -> Vec<Column> {
    let entries = kept.as_array().into_iter().flatten();
    let of_this = |entry: &&Value| entry["group"] == group && entry["kind"] == kind;
    let Some(found) = entries.into_iter().find(of_this) else { return Vec::new() };
    let columns = found["columns"].as_array().into_iter().flatten();
    // One column that cannot be understood takes no other with it.
    let understood = columns.filter_map(|column| serde_json::from_value::<ReadColumn>(column.clone()).ok());
    let column = |read: ReadColumn| Column {
        name: read.name,
        json_path: read.json_path,
        r#type: read.r#type,
        priority: read.priority,
        description: read.description,
    };
    understood.map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_kept_is_read_again_and_what_is_not_understood_is_left_out() {
        let vni = Column {
            name: "VNI".into(),
            json_path: ".status.vni".into(),
            r#type: "integer".into(),
            priority: 1,
            description: String::new(),
        };
        let kind = ReadKind { group: "g".into(), kind: "K".into(), plural: "ks".into(), columns: vec![kept(&vni)] };
        let mut stored = json!(["Server.wiring.githedgehog.com", kind, 7]);
        assert_eq!(
            stored[1],
            json!({"group": "g", "kind": "K", "plural": "ks", "columns": [
                {"name": "VNI", "type": "integer", "jsonPath": ".status.vni", "priority": 1}]})
        );
        assert_eq!(columns(&stored, "g", "K"), [vni]);
        assert_eq!(plural(&stored, "g", "K").as_deref(), Some("ks"));
        assert_eq!(plural(&stored, "g", "Other"), None);
        assert!(has_read(&stored, "g", "K") && !has_read(&stored, "g", "Other"));
        stored[1]["columns"] = json!([{"name": "Old"}, {"name": "A", "type": "string", "jsonPath": ".spec.a"}]);
        let names: Vec<String> = columns(&stored, "g", "K").into_iter().map(|column| column.name).collect();
        assert_eq!(names, ["A"]);
        for (stored, group) in [(&stored, "wiring.githedgehog.com"), (&json!([]), "g"), (&Value::Null, "g")] {
            assert_eq!(columns(stored, group, "Server"), []);
        }
    }
}
