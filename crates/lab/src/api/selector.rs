//! Label and field selectors.

use super::error::ApiError;
use serde_json::Value;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    /// Name or namespace equals, or does not.
    Field(&'static str, String, bool),
}

/// Which objects a list or a watch wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Selector(Vec<Rule>);

impl Selector {
    pub fn parse(labels: &str, fields: &str) -> Result<Self, ApiError> {
        let mut rules = Vec::new();
        for part in split(labels) {
            rules.push(label_rule(part).ok_or_else(|| {
                ApiError::bad_request(format!("unable to parse requirement: '{part}' is no label selector"))
            })?);
        }
        for part in fields.split(',').filter(|p| !p.is_empty()) {
            let (key, value, equal) = if let Some((key, value)) = part.split_once("!=") {
                (key, value, false)
            } else {
                let (key, value) = part.split_once('=').unwrap_or((part, ""));
                (key, value.trim_start_matches('='), true)
            };
            let key = match key {
                "metadata.name" => "name",
                "metadata.namespace" => "namespace",
                _ => return Err(ApiError::bad_request(format!("field label not supported: {key}"))),
            };
            rules.push(Rule::Field(key, value.to_owned(), equal));
        }
        Ok(Self(rules))
    }

    pub fn matches(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"].get(key).and_then(Value::as_str);
        self.0.iter().all(|rule| match rule {
            Rule::In(key, values) => label(key).is_some_and(|l| values.iter().any(|v| v == l)),
            Rule::NotIn(key, values) => label(key).is_none_or(|l| values.iter().all(|v| v != l)),
            Rule::Exists(key) => label(key).is_some(),
            Rule::Absent(key) => label(key).is_none(),
            Rule::Field(key, value, equal) => {
                (object["metadata"][*key].as_str().unwrap_or_default() == value) == *equal
            }
        })
    }
}

/// Splits at commas that are not in brackets.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (i, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

fn label_rule(text: &str) -> Option<Rule> {
    let word = |s: &str| {
        let s = s.trim();
        (!s.is_empty() && !s.contains([' ', '(', ')', '='])).then(|| s.to_owned())
    };
    let set = |s: &str| -> Option<Vec<String>> {
        let inside = s.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inside.split(',').map(|v| v.trim().to_owned()).collect())
    };
    if let Some((key, values)) = text.split_once(" notin ") {
        return Some(Rule::NotIn(word(key)?, set(values)?));
    }
    if let Some((key, values)) = text.split_once(" in ") {
        return Some(Rule::In(word(key)?, set(values)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Rule::NotIn(word(key)?, vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once('=') {
        return Some(Rule::In(word(key)?, vec![value.trim_start_matches('=').trim().to_owned()]));
    }
    match text.strip_prefix('!') {
        Some(key) => Some(Rule::Absent(word(key)?)),
        None => Some(Rule::Exists(word(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_select() {
        let object = json!({"metadata": {"name": "n", "namespace": "default", "labels": {"a/b": "1", "c": ""}}});
        let selects = |labels: &str, fields: &str| Selector::parse(labels, fields).unwrap().matches(&object);
        for yes in ["", "a/b", "a/b=1", "a/b==1,c=", "a/b in (0, 1)", "x notin (1,2),!x", "x!=1", "c"] {
            assert!(selects(yes, ""), "{yes}");
        }
        for no in ["x", "a/b=2", "a/b!=1", "!c", "a/b notin (1)", "a/b,x in (1)"] {
            assert!(!selects(no, ""), "{no}");
        }
        assert!(selects("", "metadata.name=n,metadata.namespace==default"));
        assert!(!selects("", "metadata.name!=n"));
        assert!(Selector::parse("", "spec.x=1").is_err());
        assert!(Selector::parse("a in 1", "").is_err());
    }
}
