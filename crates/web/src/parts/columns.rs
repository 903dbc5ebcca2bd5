//! The cells of printer columns: what a CRD lets kubectl show of its objects, shown in the list of one kind.

use crate::when::When;
use cluster::Column;
use jiff::Timestamp;
use serde_json::Value;

/// The longest text of one cell, in characters; the rest stands on the object's page.
const LONGEST: usize = 160;

/// What stands in one cell.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A text.
    Text(String),
    /// A moment.
    At(When),
    /// The object has no such value.
    Missing,
}

impl Cell {
    /// The cell of a column for an object, seen from `now`.
    pub fn of(column: &Column, object: &Value, now: Timestamp) -> Self {
        let Some(value) = column.cell(object) else { return Self::Missing };
        if column.r#type == "date"
            && let Some(at) = value.as_str().and_then(|text| text.parse::<Timestamp>().ok())
        {
            return Self::At(When::new(at, now));
        }
        match text(&value) {
            text if text.is_empty() => Self::Missing,
            text => Self::Text(cut(text)),
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_or_dash).collect::<Vec<_>>().join(", "),
        // A map of things has its names in the cell, one of values the values too; the rest stands on the object's page.
        Value::Object(map) => map.iter().map(|(name, value)| entry(name, value)).collect::<Vec<_>>().join(", "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn entry(name: &str, value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Array(_) | Value::Null => name.to_owned(),
        value => format!("{name}: {}", text(value)),
    }
}

/// Inside of a list, what is empty keeps its place.
fn text_or_dash(value: &Value) -> String {
    match text(value) {
        text if text.is_empty() => "–".to_owned(),
        text => text,
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_show_what_kubectl_would_and_say_when_there_is_nothing() {
        let object = json!({
            "metadata": {
                "creationTimestamp": "2026-02-03T14:00:00Z",
                "labels": {"fabric.githedgehog.com/connection-type": "mclag"},
                "annotations": {"link.example/speed": "100G"},
            },
            "spec": {
                "role": "leaf", "groups": ["a", "b"], "asn": 65101, "roce": false, "empty": {}, "none": [],
                "ports": [{"name": "E1/1"}, {"name": "E1/2"}, {}], "mixed": ["x", null, {"y": 1}], "since": "yesterday",
                "subnets": {"backup": {"vlan": 2}, "default": {"vlan": 1}}, "long": "x".repeat(500),
            },
        });
        let now = "2026-02-03T14:02:00Z".parse().unwrap();
        let shown = |path: &str, r#type: &str| {
            let column = Column {
                name: "C".into(),
                json_path: path.into(),
                r#type: r#type.into(),
                priority: 0,
                description: String::new(),
            };
            match Cell::of(&column, &object, now) {
                Cell::Text(text) => text,
                Cell::At(when) => when.to_string(),
                Cell::Missing => "(missing)".to_owned(),
            }
        };
        for (path, r#type, expected) in [
            (".spec.role", "string", "leaf"),
            (".spec.groups", "string", "a, b"),
            (".spec.asn", "integer", "65101"),
            (".spec.roce", "boolean", "false"),
            (".spec.ports[*].name", "string", "E1/1, E1/2"),
            (".spec.mixed", "string", "x, –, y: 1"),
            (".spec.subnets", "string", "backup, default"),
            (r".metadata.labels.fabric\.githedgehog\.com/connection-type", "string", "mclag"),
            (r".metadata.annotations.link\.example/speed", "string", "100G"),
            (".spec.since", "date", "yesterday"),
            (".status.vni", "integer", "(missing)"),
            (".spec.empty", "string", "(missing)"),
            (".spec.none", "string", "(missing)"),
            ("..nonsense[", "string", "(missing)"),
        ] {
            assert_eq!(shown(path, r#type), expected, "{path}");
        }
        assert!(shown(".metadata.creationTimestamp", "date").ends_with(" data-ago>2 min ago</time>"));
        assert_eq!(shown(".spec.long", "string").chars().count(), LONGEST);
    }
}
