//! An object as text for two sides: as it would stand in a manifest, keys in one order on both, and without what
//! Kubernetes and the controllers write.

use serde_json::{Map, Value};

/// What is written first, in this order; the rest follows by name.
const FIRST: &[&str] = &["apiVersion", "kind", "metadata", "spec", "name", "namespace"];
/// What Kubernetes itself keeps in the metadata.
const SYSTEM: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    "ownerReferences",
];

/// The object's text.
pub fn text(object: &Value) -> String {
    let mut shown = Map::new();
    if let Value::Object(map) = object {
        for (key, value) in map.iter().filter(|(key, _)| *key != "status") {
            let value = match value {
                Value::Object(metadata) if key == "metadata" => {
                    let kept = metadata.iter().filter(|(name, _)| !SYSTEM.contains(&name.as_str()));
                    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
                }
                value => value.clone(),
            };
            shown.insert(key.clone(), value);
        }
    }
    let mut out = String::new();
    write(&mut out, &Value::Object(shown), 0, false);
    out
}

fn write(out: &mut String, value: &Value, indent: usize, in_list: bool) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by_key(|key| (FIRST.iter().position(|f| f == key).unwrap_or(FIRST.len()), key.as_str()));
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 || !in_list {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str(&plain(key));
                out.push(':');
                nested(out, &map[key], indent);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                if index > 0 || !in_list {
                    out.push_str(&" ".repeat(indent));
                }
                out.push_str("- ");
                write(out, item, indent + 2, true);
            }
        }
        scalar => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

fn nested(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write(out, value, indent + 2, false);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write(out, value, indent + 2, false);
        }
        Value::String(text) if text.contains('\n') && text.trim_end_matches('\n').lines().count() > 1 => {
            out.push_str(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    out.push_str(&" ".repeat(indent + 2));
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        scalar => {
            out.push(' ');
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
}

/// A part of an object as text.
pub fn fragment(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, 0, false);
    out.trim_end().to_owned()
}

/// A value on one line, as field lists show it.
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// A text as it is where YAML reads it as that text, otherwise quoted.
fn plain(text: &str) -> String {
    let first_ok = text.chars().next().is_some_and(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_'));
    let chars_ok =
        text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ' ' | '@' | '+' | ':' | '='));
    let colon_ok = !text.contains(": ") && !text.ends_with([':', ' ']);
    let word = !matches!(
        text.to_ascii_lowercase().as_str(),
        "" | "null" | "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n" | "~" | ".nan" | ".inf"
    );
    let number =
        text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o") || looks_sexagesimal(text);
    if first_ok && chars_ok && colon_ok && word && !number {
        text.to_owned()
    } else {
        Value::String(text.to_owned()).to_string()
    }
}

fn looks_sexagesimal(text: &str) -> bool {
    text.contains(':') && text.chars().all(|c| c.is_ascii_digit() || matches!(c, ':' | '.' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_reads_like_its_manifest() {
        let object = json!({
            "spec": {"vlan": 1001, "hosts": ["a", {"name": "b", "ip": "10.0.0.1/31"}], "lists": [["x", "z"]], "empty": {}, "none": [],
                     "odd": "yes", "number": "12", "time": "12:30", "colon": "a: b", "text": "one\ntwo\n"},
            "kind": "VPC", "apiVersion": "vpc.githedgehog.com/v1beta1",
            "metadata": {"name": "v", "uid": "u", "resourceVersion": "3", "managedFields": [], "labels": {"a/b": "c"}},
            "status": {"x": 1},
        });
        let expected = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: v\n  labels:\n    a/b: c\nspec:\n  \
                        colon: \"a: b\"\n  empty: {}\n  hosts:\n    - a\n    - name: b\n      ip: 10.0.0.1/31\n  lists:\n    - - x\n      \
                        - z\n  none: []\n  number: \"12\"\n  odd: \"yes\"\n  text: |\n    one\n    two\n  time: \"12:30\"\n  vlan: 1001\n";
        assert_eq!(text(&object), expected);
        let read: Value = serde_saphyr::from_str(&text(&object)).unwrap();
        assert_eq!(read["spec"], object["spec"]);
        assert_eq!(read["metadata"], json!({"name": "v", "labels": {"a/b": "c"}}));
    }
}
