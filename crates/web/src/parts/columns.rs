//! The columns that a list of one kind shows: the printer columns of its CRD, as a comparison keeps them.

use cluster::Column;
use serde_json::Value;

/// A kind and its columns, as a comparison keeps them.
#[derive(Debug, serde::Deserialize)]
struct KindColumns {
    group: String,
    kind: String,
    #[serde(default)]
    columns: Vec<Column>,
}

/// The columns of a kind that a list shows, out of what a comparison keeps of the kinds. Name and age stand there
/// anyway, and what the status holds is not of the desired state.
pub fn of_kind(kinds: &Value, group: &str, kind: &str) -> Vec<Column> {
    let all = kinds.as_array().into_iter().flatten();
    let found = all.filter_map(|each| serde_json::from_value::<KindColumns>(each.clone()).ok());
    let of_this = found.filter(|each| each.group == group && each.kind == kind).flat_map(|each| each.columns);
    of_this
        .filter(|column| column.priority == 0 && column.r#type != "date" && column.json_path.starts_with(".spec"))
        .take(6)
        .collect()
}

/// The text of a column for an object; empty when the object has no such value.
pub fn cell(column: &Column, object: &Value) -> String {
    text(column.cell(object))
}

fn text(value: Option<Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text,
        Some(Value::Array(items)) => items.into_iter().map(|item| text(Some(item))).collect::<Vec<_>>().join(", "),
        Some(other) => {
            let json = other.to_string();
            if json.len() <= 120 { json } else { format!("{}…", json.chars().take(119).collect::<String>()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_takes_the_columns_of_its_kind() {
        let column = |name: &str, path: &str, r#type: &str, priority: i32| json!({"name": name, "json_path": path, "type": r#type, "priority": priority, "description": ""});
        let kinds = json!([
            "Server.wiring.githedgehog.com",
            {"group": "g", "kind": "K", "columns": [
                column("Role", ".spec.role", "string", 0),
                column("Groups", ".spec.groups", "string", 0),
                column("Wide", ".spec.wide", "string", 1),
                column("Age", ".metadata.creationTimestamp", "date", 0),
            ]},
        ]);
        let columns = of_kind(&kinds, "g", "K");
        assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["Role", "Groups"]);
        let object = json!({"spec": {"role": "leaf", "groups": ["a", "b"]}});
        let cells: Vec<String> = columns.iter().map(|column| cell(column, &object)).collect();
        assert_eq!(cells, ["leaf", "a, b"]);
        assert_eq!(cell(&columns[0], &json!({})), "");
        assert!(of_kind(&kinds, "wiring.githedgehog.com", "Server").is_empty());
    }
}
