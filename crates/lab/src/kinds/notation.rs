//! From the compact notation of `assets/kinds` to CustomResourceDefinitions. The notation is explained in the README
//! beside these files.

use serde_json::{Map, Value, json};

/// A mistake in the notation.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("not YAML: {0}")]
    Yaml(String),
    #[error("'{0}' is missing")]
    Missing(&'static str),
    #[error("field '{field}': {reason}")]
    Field { field: String, reason: String },
}

fn bad(field: &str, reason: impl Into<String>) -> Error {
    Error::Field { field: field.to_owned(), reason: reason.into() }
}

/// All definitions of one file.
pub(super) fn definitions(text: &str) -> Result<Vec<Value>, Error> {
    let file: Value = serde_saphyr::from_str(text).map_err(|e| Error::Yaml(e.to_string()))?;
    let group = text_of(&file, "group")?;
    let version = text_of(&file, "version")?;
    let kinds = file.get("kinds").and_then(Value::as_array).ok_or(Error::Missing("kinds"))?;
    kinds.iter().map(|kind| definition(group, version, kind)).collect()
}

fn text_of<'a>(value: &'a Value, key: &'static str) -> Result<&'a str, Error> {
    value.get(key).and_then(Value::as_str).ok_or(Error::Missing(key))
}

fn definition(group: &str, version: &str, entry: &Value) -> Result<Value, Error> {
    let kind = text_of(entry, "kind")?;
    let plural = text_of(entry, "plural")?;
    let mut names = json!({
        "plural": plural,
        "singular": kind.to_lowercase(),
        "kind": kind,
        "listKind": format!("{kind}List"),
    });
    for (from, to) in [("short", "shortNames"), ("categories", "categories")] {
        if let Some(list) = entry.get(from) {
            names[to] = list.clone();
        }
    }
    let mut properties = json!({
        "apiVersion": {"type": "string", "description": "Group and version of this kind."},
        "kind": {"type": "string", "description": "The kind."},
        "metadata": {"type": "object"},
    });
    let mut required = Vec::new();
    for key in ["spec", "spec!", "status"] {
        if let Some(part) = entry.get(key) {
            let name = key.trim_end_matches('!');
            properties[name] = node(key, part)?;
            if key.ends_with('!') {
                required.push(json!(name));
            }
        }
    }
    let mut schema = json!({"type": "object", "description": text_of(entry, "about")?, "properties": properties});
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    let mut served = json!({
        "name": version,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    });
    if let Some(columns) = entry.get("columns").and_then(Value::as_array) {
        let columns: Result<Vec<Value>, Error> = columns.iter().map(column).collect();
        served["additionalPrinterColumns"] = Value::Array(columns?);
    }
    Ok(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [served]},
    }))
}

/// `NAME[@PRIORITY][:TYPE] JSONPATH`, or `Age`.
fn column(entry: &Value) -> Result<Value, Error> {
    let text = entry.as_str().ok_or_else(|| bad("columns", "a column is a text"))?;
    if text == "Age" {
        return Ok(json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}));
    }
    let (head, path) = text.split_once(' ').ok_or_else(|| bad(text, "a column needs a JSONPath"))?;
    let (head, kind) = head.split_once(':').unwrap_or((head, "string"));
    let (name, priority) = match head.split_once('@') {
        Some((name, p)) => (name, p.parse::<u32>().map_err(|_| bad(text, "the priority is no number"))?),
        None => (head, 0),
    };
    let mut column = json!({"name": name, "type": kind, "jsonPath": path.trim()});
    if priority > 0 {
        column["priority"] = json!(priority);
    }
    Ok(column)
}

/// What a field's name says about it beside the name.
struct Key<'a> {
    name: &'a str,
    required: bool,
    /// Lists and maps around the value, outermost first.
    wraps: Vec<Wrap>,
}

enum Wrap {
    List { min: Option<u64>, max: Option<u64> },
    Map,
}

fn key(text: &str) -> Result<Key<'_>, Error> {
    let end = text.find(['!', '[', '{']).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut found = Key { name, required: false, wraps: Vec::new() };
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('!') {
            found.required = true;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("{}") {
            found.wraps.push(Wrap::Map);
            rest = after;
        } else if let Some((inside, after)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            let (min, max) = inside.split_once("..").unwrap_or(("", ""));
            let bound = |s: &str| -> Result<Option<u64>, Error> {
                if s.is_empty() { Ok(None) } else { s.parse().map(Some).map_err(|_| bad(text, "not a bound")) }
            };
            found.wraps.push(Wrap::List { min: bound(min)?, max: bound(max)? });
            rest = after;
        } else {
            return Err(bad(text, "what stands behind the name is not understood"));
        }
    }
    Ok(found)
}

fn node(field: &str, value: &Value) -> Result<Value, Error> {
    match value {
        Value::String(text) => scalar(field, text),
        Value::Object(fields) => object(fields),
        _ => Err(bad(field, "neither a type nor a mapping")),
    }
}

fn object(fields: &Map<String, Value>) -> Result<Value, Error> {
    let mut schema = json!({"type": "object"});
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (text, value) in fields {
        if text == "_" {
            schema["description"] = value.clone();
            continue;
        }
        if text == "$" {
            schema["x-kubernetes-map-type"] = value.clone();
            continue;
        }
        let key = key(text)?;
        let mut inner = node(text, value)?;
        let about = inner.as_object_mut().and_then(|o| o.shift_remove("description"));
        for wrap in key.wraps.iter().rev() {
            inner = match wrap {
                Wrap::Map => json!({"type": "object", "additionalProperties": inner}),
                Wrap::List { min, max } => {
                    let mut list = json!({"type": "array", "items": inner});
                    if let Some(min) = min {
                        list["minItems"] = json!(min);
                    }
                    if let Some(max) = max {
                        list["maxItems"] = json!(max);
                    }
                    list
                }
            };
        }
        if let Some(about) = about {
            inner["description"] = about;
        }
        if key.required {
            required.push(json!(key.name));
        }
        properties.insert(key.name.to_owned(), inner);
    }
    if !properties.is_empty() {
        schema["properties"] = Value::Object(properties);
    }
    if !required.is_empty() {
        schema["required"] = Value::Array(required);
    }
    Ok(schema)
}

/// `TYPE [RULE...] [; description]`.
fn scalar(field: &str, text: &str) -> Result<Value, Error> {
    let (head, about) = match text.split_once(';') {
        Some((head, about)) => (head.trim(), Some(about.trim())),
        None => (text.trim(), None),
    };
    let mut words = head.split_whitespace();
    let mut schema = match words.next().unwrap_or_default() {
        kind @ ("string" | "boolean" | "integer" | "number") => json!({"type": kind}),
        format @ ("int32" | "int64") => json!({"type": "integer", "format": format}),
        "date-time" => json!({"type": "string", "format": "date-time"}),
        "any" => json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        other => return Err(bad(field, format!("'{other}' is no type"))),
    };
    for word in words {
        let (rule, argument) = word.split_once('=').ok_or_else(|| bad(field, format!("'{word}' is no rule")))?;
        let number = || argument.parse::<i64>().map_err(|_| bad(field, format!("'{word}' needs a number")));
        match rule {
            "min" => schema["minimum"] = json!(number()?),
            "max" => schema["maximum"] = json!(number()?),
            "minlen" => schema["minLength"] = json!(number()?),
            "maxlen" => schema["maxLength"] = json!(number()?),
            "default" => schema["default"] = json!(number()?),
            "pattern" => schema["pattern"] = json!(argument),
            "enum" => {
                schema["enum"] = argument.split('|').map(|v| if v == "\"\"" { "" } else { v }).collect();
            }
            _ => return Err(bad(field, format!("'{rule}' is no rule"))),
        }
    }
    if let Some(about) = about {
        schema["description"] = json!(about);
    }
    Ok(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Result<Value, Error> {
        let file =
            format!("group: g.example\nversion: v1\nkinds:\n- kind: K\n  plural: ks\n  about: A.\n  spec:\n{text}");
        definitions(&file)
            .map(|c| c[0]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"].clone())
    }

    #[test]
    fn lists_and_maps_nest_from_left_to_right() {
        let schema = spec("    permit![1..10]{}: string minlen=1 ; words").unwrap();
        assert_eq!(
            schema,
            json!({"type": "object", "required": ["permit"], "properties": {"permit": {
                "type": "array", "minItems": 1, "maxItems": 10, "description": "words",
                "items": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
            }}})
        );
    }

    #[test]
    fn a_mistake_names_its_field() {
        for (text, word) in
            [("    a: sting", "sting"), ("    a: string length=3", "length"), ("    a[: string", "not understood")]
        {
            let error = spec(text).map(|s| s.to_string()).unwrap_err().to_string();
            assert!(error.contains("'a"), "{error}");
            assert!(error.contains(word), "{error}");
        }
    }
}
