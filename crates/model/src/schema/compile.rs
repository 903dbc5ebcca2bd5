//! A schema as a tree that is quick to check against.

use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
}

/// A bound of a number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    pub value: f64,
    pub exclusive: bool,
}

/// What a schema says of one value.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    pub kind: Option<Type>,
    pub int_or_string: bool,
    pub properties: HashMap<String, Node>,
    pub required: Vec<String>,
    /// The schema of entries with keys of the user's.
    pub entries: Option<Box<Node>>,
    /// Whether keys that are not named are kept.
    pub open: bool,
    pub items: Option<Box<Node>>,
    pub allowed: Vec<Value>,
    pub has_default: bool,
    pub minimum: Option<Bound>,
    pub maximum: Option<Bound>,
    pub min_length: Option<u64>,
    pub max_length: Option<u64>,
    pub min_items: Option<u64>,
    pub max_items: Option<u64>,
    pub min_properties: Option<u64>,
    pub max_properties: Option<u64>,
    pub pattern: Option<Regex>,
}

impl Node {
    /// Compiles one schema. A schema nested deeper than any kind's is cut off, and everything below is accepted.
    pub fn compile(schema: &Value) -> Self {
        Self::at_depth(schema, 0)
    }

    fn at_depth(schema: &Value, depth: u8) -> Self {
        const DEEPEST: u8 = 64;
        if depth > DEEPEST {
            return Self { open: true, ..Self::default() };
        }
        let number = |key: &str| schema.get(key).and_then(Value::as_u64);
        let flag = |key: &str| schema.get(key).and_then(Value::as_bool) == Some(true);
        let bound =
            |key: &str, exclusive: &str| Some(Bound { value: schema.get(key)?.as_f64()?, exclusive: flag(exclusive) });
        let below = |schema: &Value| Self::at_depth(schema, depth + 1);
        let properties: HashMap<String, Node> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, schema)| (key.clone(), below(schema)))
            .collect();
        let additional = schema.get("additionalProperties");
        let kind = match schema.get("type").and_then(Value::as_str) {
            Some("object") => Some(Type::Object),
            Some("array") => Some(Type::Array),
            Some("string") => Some(Type::String),
            Some("integer") => Some(Type::Integer),
            Some("number") => Some(Type::Number),
            Some("boolean") => Some(Type::Boolean),
            _ => None,
        };
        Self {
            kind,
            int_or_string: flag("x-kubernetes-int-or-string"),
            required: texts(schema.get("required")),
            entries: additional.filter(|a| a.is_object()).map(|a| Box::new(below(a))),
            open: flag("x-kubernetes-preserve-unknown-fields")
                || flag("x-kubernetes-embedded-resource")
                || additional == Some(&Value::Bool(true))
                || kind.is_none(),
            items: schema.get("items").filter(|i| i.is_object()).map(|i| Box::new(below(i))),
            allowed: schema.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
            has_default: schema.get("default").is_some(),
            minimum: bound("minimum", "exclusiveMinimum"),
            maximum: bound("maximum", "exclusiveMaximum"),
            min_length: number("minLength"),
            max_length: number("maxLength"),
            min_items: number("minItems"),
            max_items: number("maxItems"),
            min_properties: number("minProperties"),
            max_properties: number("maxProperties"),
            // A pattern that only the server can read is left to the server.
            pattern: schema.get("pattern").and_then(Value::as_str).and_then(|p| Regex::new(p).ok()),
            properties,
        }
    }

    /// Whether keys that are not named are kept. An object without a single named field is not open: the server prunes
    /// everything in it.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a value is of the right type.
    pub fn accepts(&self, value: &Value) -> bool {
        if self.int_or_string {
            return value.is_string() || is_whole(value);
        }
        match self.kind {
            None => true,
            Some(Type::Object) => value.is_object(),
            Some(Type::Array) => value.is_array(),
            Some(Type::String) => value.is_string(),
            Some(Type::Integer) => is_whole(value),
            Some(Type::Number) => value.is_number(),
            Some(Type::Boolean) => value.is_boolean(),
        }
    }

    /// The wanted type in words.
    pub fn wanted(&self) -> &'static str {
        if self.int_or_string {
            return "a whole number or a text";
        }
        match self.kind {
            None => "anything",
            Some(Type::Object) => "a mapping",
            Some(Type::Array) => "a list",
            Some(Type::String) => "a text",
            Some(Type::Integer) => "a whole number",
            Some(Type::Number) => "a number",
            Some(Type::Boolean) => "true or false",
        }
    }
}

fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|f| f.fract() == 0.0)
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}
