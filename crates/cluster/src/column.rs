//! Cells of printer columns: the JSONPath that CRDs use, which is Kubernetes' own dialect.
//!
//! It differs from RFC 9535 in the very thing that Hedgehog's columns need: a dot in a name is escaped as `\.`, as in
//! `.metadata.labels.fabric\.githedgehog\.com/connection-type`. Supported is what an API server accepts in a column:
//! names, indices, `[*]` and filters like `[?(@.type=="Ready")]`.

use crate::kinds::Column;
use serde_json::Value;

/// One step into a value.
#[derive(Debug, PartialEq)]
enum Step {
    Field(String),
    Index(i64),
    Each,
    /// `[?(@.path op literal)]`
    Filter {
        path: Vec<Step>,
        equal: bool,
        literal: Value,
    },
}

impl Column {
    /// The cell of this column for an object: `None` when the path finds nothing or is of no known form, an array when
    /// it finds several values.
    pub fn cell(&self, object: &Value) -> Option<Value> {
        let mut found = vec![object];
        let steps = parse(&self.json_path)?;
        for step in &steps {
            found = found.into_iter().flat_map(|value| take(step, value)).collect();
        }
        match found.as_slice() {
            [] => None,
            [one] => Some((*one).clone()).filter(|v| !v.is_null()),
            several => Some(Value::Array(several.iter().map(|v| (*v).clone()).collect())),
        }
    }
}

fn take<'a>(step: &Step, value: &'a Value) -> Vec<&'a Value> {
    match step {
        Step::Field(name) => value.get(name).into_iter().collect(),
        Step::Index(n) => {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let at = if *n < 0 { list.len().checked_sub(n.unsigned_abs() as usize) } else { usize::try_from(*n).ok() };
            at.and_then(|at| list.get(at)).into_iter().collect()
        }
        Step::Each => match value {
            Value::Array(list) => list.iter().collect(),
            Value::Object(map) => map.values().collect(),
            _ => Vec::new(),
        },
        Step::Filter { path, equal, literal } => {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let holds = |item: &&Value| {
                let mut found = vec![*item];
                for step in path {
                    found = found.into_iter().flat_map(|v| take(step, v)).collect();
                }
                found.contains(&literal) == *equal
            };
            list.iter().filter(holds).collect()
        }
    }
}

/// The steps of a path; `None` when it is not of a known form.
fn parse(path: &str) -> Option<Vec<Step>> {
    let path = path.trim();
    let path = path.strip_prefix('{').and_then(|p| p.strip_suffix('}')).unwrap_or(path);
    let mut rest = path.strip_prefix(['$', '@']).unwrap_or(path);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let (inside, after) = split_bracket(bracket)?;
            steps.push(parse_bracket(inside)?);
            rest = after;
        } else {
            let (name, after) = split_name(rest.strip_prefix('.').unwrap_or(rest));
            match name.as_str() {
                // `..` would search at any depth; the API server refuses it in columns.
                "" => return None,
                "*" => steps.push(Step::Each),
                _ => steps.push(Step::Field(name)),
            }
            rest = after;
        }
    }
    Some(steps)
}

/// A name up to the next unescaped dot or bracket, unescaped.
fn split_name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => name.extend(characters.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (name, &text[at..]),
            other => name.push(other),
        }
    }
    (name, "")
}

/// What stands before the bracket's end, quotes and inner brackets respected.
fn split_bracket(text: &str) -> Option<(&str, &str)> {
    let (mut quote, mut depth) = (None, 0);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), _) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') if depth == 0 => return Some((&text[..at], &text[at + 1..])),
            (None, ']') => depth -= 1,
            (None, _) => {}
        }
    }
    None
}

fn parse_bracket(inside: &str) -> Option<Step> {
    let inside = inside.trim();
    if inside == "*" {
        return Some(Step::Each);
    }
    if let Some(condition) = inside.strip_prefix("?(").and_then(|i| i.strip_suffix(')')) {
        let (left, equal, right) = match condition.split_once("==") {
            Some((left, right)) => (left, true, right),
            None => condition.split_once("!=").map(|(left, right)| (left, false, right))?,
        };
        let path = parse(left.trim().strip_prefix('@')?)?;
        return Some(Step::Filter { path, equal, literal: parse_literal(right)? });
    }
    match unquote(inside) {
        Some(name) => Some(Step::Field(name.to_owned())),
        None => inside.parse().ok().map(Step::Index),
    }
}

fn parse_literal(text: &str) -> Option<Value> {
    let text = text.trim();
    match unquote(text) {
        Some(quoted) => Some(Value::from(quoted)),
        None => serde_json::from_str(text).ok(),
    }
}

fn unquote(text: &str) -> Option<&str> {
    ['"', '\''].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn cell(path: &str, object: &Value) -> Option<Value> {
        let column = Column {
            name: String::new(),
            json_path: path.to_owned(),
            r#type: "string".to_owned(),
            priority: 0,
            description: String::new(),
        };
        column.cell(object)
    }

    #[test]
    fn paths_that_crds_use_find_their_values() {
        let object = json!({
            "metadata": {"labels": {"fabric.githedgehog.com/connection-type": "fabric"}, "generation": 3},
            "spec": {"subnets": ["10.0.0.0/16", "10.1.0.0/16"], "redundancy": {}, "none": null,
                     "ports": [{"name": "a", "speed": 1}, {"name": "b", "speed": 2}]},
            "status": {"conditions": [
                {"type": "Applied", "status": "False"}, {"type": "Ready", "status": "True"}]},
        });
        for (path, expected) in [
            (".metadata.generation", json!(3)),
            (r".metadata.labels.fabric\.githedgehog\.com/connection-type", json!("fabric")),
            ("{.metadata.generation}", json!(3)),
            ("$.spec['subnets'][0]", json!("10.0.0.0/16")),
            (".spec.subnets[-1]", json!("10.1.0.0/16")),
            (".spec.subnets", json!(["10.0.0.0/16", "10.1.0.0/16"])),
            (".spec.subnets[*]", json!(["10.0.0.0/16", "10.1.0.0/16"])),
            (".spec.ports[*].name", json!(["a", "b"])),
            (".spec.ports[?(@.speed==2)].name", json!("b")),
            (".spec.ports[?(@.name!='b')].speed", json!(1)),
            (".spec.redundancy", json!({})),
            (r#".status.conditions[?(@.type=="Ready")].status"#, json!("True")),
        ] {
            assert_eq!(cell(path, &object), Some(expected), "{path}");
        }
        for path in [
            ".status.vni",
            ".spec.none",
            ".spec.subnets[9]",
            ".spec.subnets[-9]",
            r#".status.conditions[?(@.type=="X")]"#,
        ] {
            assert_eq!(cell(path, &object), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_finds_nothing_and_breaks_nothing() {
        for path in ["..name", ".a[", ".a[?(b)]", ".a[?(@.x<1)]", "[", ".a[x]", ".a..b", "\\", ".a['b"] {
            assert_eq!(cell(path, &json!({"a": {"b": 1}, "name": 2})), None, "{path}");
        }
        assert_eq!(cell("", &json!({"a": 1})), Some(json!({"a": 1})));
    }
}
