//! Objects as the tables that `kubectl get` prints: the printer columns of the definition, filled in by the server.

use super::registry::Resource;
use serde_json::{Value, json};

/// A table of objects, with the metadata of the list that they came in.
pub(super) fn table(resource: &Resource, objects: &[&Value], list_metadata: Value, headers: bool) -> Value {
    let rows: Vec<Value> = objects.iter().map(|o| row(resource, o)).collect();
    let mut table = json!({"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": list_metadata});
    table["columnDefinitions"] = if headers { columns(resource) } else { json!([]) };
    table["rows"] = Value::Array(rows);
    table
}

fn columns(resource: &Resource) -> Value {
    let mut all = vec![json!({"name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "Name of the object, unique in its namespace."})];
    for column in &resource.columns {
        all.push(json!({
            "name": column["name"], "type": column["type"],
            "format": column["format"].as_str().unwrap_or_default(),
            "description": column["description"].as_str().unwrap_or_default(),
            "priority": column["priority"].as_i64().unwrap_or_default(),
        }));
    }
    if resource.columns.is_empty() {
        all.push(
            json!({"name": "Age", "type": "date", "format": "", "priority": 0, "description": "Time since creation."}),
        );
    }
    Value::Array(all)
}

fn row(resource: &Resource, object: &Value) -> Value {
    let mut cells = vec![object["metadata"]["name"].clone()];
    for column in &resource.columns {
        let path = column["jsonPath"].as_str().unwrap_or_default();
        let kind = column["type"].as_str().unwrap_or("string");
        cells.push(find(object, path).map_or(Value::Null, |value| cell(kind, value)));
    }
    if resource.columns.is_empty() {
        cells.push(cell("date", &object["metadata"]["creationTimestamp"]));
    }
    json!({"cells": cells, "object": partial(object)})
}

/// The object's metadata alone.
pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

fn cell(kind: &str, value: &Value) -> Value {
    match (kind, value) {
        (_, Value::Null) => Value::Null,
        ("string", Value::String(text)) => json!(text),
        ("string", other) => json!(other.to_string()),
        ("date", Value::String(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => json!(age(jiff::Timestamp::now().as_second() - time.as_second())),
            Err(_) => json!("<invalid>"),
        },
        ("integer", Value::Number(_)) | ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        _ => json!("<invalid>"),
    }
}

/// A duration the way kubectl writes ages: two units while they are small, then one.
fn age(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |a: i64, unit: char, b: i64, small: char| {
        if b == 0 { format!("{a}{unit}") } else { format!("{a}{unit}{b}{small}") }
    };
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => two(days / 365, 'y', days % 365, 'd'),
        _ => format!("{}y", days / 365),
    }
}

/// The first value at a JSONPath of the simple kind that printer columns use: fields with `\.` for dots in names,
/// `[0]`, and `[?(@.type=="Ready")]`.
fn find<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = object;
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(filter) = rest.strip_prefix("[?(@.") {
            let (condition, after) = filter.split_once(")]")?;
            let (field, wanted) = condition.split_once("==")?;
            let wanted = wanted.trim().trim_matches(['"', '\'']);
            at = at.as_array()?.iter().find(|item| item.get(field.trim()).and_then(Value::as_str) == Some(wanted))?;
            rest = after;
        } else if let Some(index) = rest.strip_prefix('[') {
            let (index, after) = index.split_once(']')?;
            at = match index.parse::<usize>() {
                Ok(index) => at.get(index)?,
                Err(_) => at.get(index.trim_matches(['"', '\'']))?,
            };
            rest = after;
        } else {
            let (name, after) = field(rest.strip_prefix('.').unwrap_or(rest));
            at = at.get(name)?;
            rest = after;
        }
    }
    Some(at)
}

fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '\\' => name.extend(chars.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[i..]),
            _ => name.push(c),
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_printer_columns() {
        let object = json!({"metadata": {"labels": {"a.b/c": "x"}}, "spec": {"list": [1, 2]},
            "status": {"conditions": [{"type": "Applied", "status": "A"}, {"type": "Ready", "status": "R"}]}});
        assert_eq!(find(&object, ".metadata.labels.a\\.b/c"), Some(&json!("x")));
        assert_eq!(find(&object, ".status.conditions[?(@.type==\"Ready\")].status"), Some(&json!("R")));
        assert_eq!(find(&object, ".spec.list[1]"), Some(&json!(2)));
        assert_eq!(find(&object, ".spec.none.deep"), None);
        assert_eq!(cell("string", &json!({"a": [1]})), json!("{\"a\":[1]}"));
    }

    #[test]
    fn ages() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (121, "2m1s"),
            (180, "3m"),
            (3600, "60m"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ] {
            assert_eq!(age(seconds), text);
        }
    }
}
