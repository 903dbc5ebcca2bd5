//! Checks a manifest against the schema of its kind, as the cluster publishes it (structural OpenAPI v3, as in CRDs),
//! before anything is sent.
//!
//! The server prunes what a schema does not know, so that a misspelt field makes desired and live look equal: here it
//! is an error. The other way round, the schema is stricter than the server's practice: Hedgehog's webhooks fill in
//! required fields before they are validated. What a webhook fills in is therefore not demanded.
//!
//! Left to the server: `anyOf`, `oneOf`, `not` and CEL rules, and the widths of integers (Hedgehog's AS numbers are
//! declared narrower than they are accepted).

mod compile;
mod words;

use crate::manifest::{Finding, Manifest};
use crate::normalise::group_kind;
use crate::path::{Path, Segment};
use compile::{Node, Type};
use serde_json::{Map, Value};
use words::{describe, nearest};

/// A schema, compiled once for many checks.
#[derive(Debug, Clone)]
pub struct Schema {
    root: Node,
}

/// Required fields that a webhook fills in before the schema is applied; `*` stands for any key.
const FILLED_BY_WEBHOOKS: &[(&str, &[&str])] = &[
    ("ExternalAttachment", &["spec", "neighbor"]),
    ("ExternalAttachment", &["spec", "switch"]),
    ("VPC", &["spec", "subnets", "*", "dhcp", "options", "interfaceMTU"]),
    ("VPC", &["spec", "subnets", "*", "dhcp", "options", "leaseTimeSeconds"]),
    ("GatewayPeering", &["spec", "acl", "default"]),
];

/// The fields of Kubernetes' own metadata; CRDs do not repeat them.
const METADATA: &[&str] = &[
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

impl Schema {
    /// Compiles a schema: what stands under `openAPIV3Schema` in a CRD's version. What it does not understand is not
    /// checked.
    pub fn new(openapi: &Value) -> Self {
        Self { root: Node::compile(openapi) }
    }

    /// What is wrong with a manifest by this schema, each finding at the manifest's place;
    /// [`crate::manifest::locate`] gives the line of its path.
    pub fn check(&self, manifest: &Manifest) -> Vec<Finding> {
        self.check_object(&manifest.object.value()).into_iter().map(|finding| finding.of(manifest)).collect()
    }

    /// What is wrong with an object by this schema.
    pub fn check_object(&self, object: &Value) -> Vec<Finding> {
        let Some(map) = object.as_object() else { return Vec::new() };
        let (_, kind) = group_kind(object);
        let mut check = Check { kind, path: Path::root(), found: Vec::new() };
        for (key, value) in map {
            match key.as_str() {
                // The status is not sent; identity is checked where manifests are read.
                "apiVersion" | "kind" | "status" => {}
                "metadata" => check.below("metadata", |check| check.metadata(value)),
                _ => match self.root.properties.get(key) {
                    Some(node) => check.below(key.as_str(), |check| check.value(value, node)),
                    None if self.root.is_open() => {}
                    None => check.unknown(key, self.root.properties.keys().map(String::as_str).chain(["metadata"])),
                },
            }
        }
        check.required(map, &self.root);
        check.found
    }
}

struct Check<'o> {
    kind: &'o str,
    path: Path,
    found: Vec<Finding>,
}

impl Check<'_> {
    fn below(&mut self, segment: impl Into<Segment>, act: impl FnOnce(&mut Self)) {
        self.path.push(segment);
        act(self);
        self.path.pop();
    }

    fn say(&mut self, rule: &str, message: String) {
        self.found.push(Finding::error(rule, message).at(&self.path));
    }

    fn metadata(&mut self, metadata: &Value) {
        for (key, _) in metadata.as_object().into_iter().flatten() {
            if !METADATA.contains(&key.as_str()) {
                self.unknown(key, METADATA.iter().copied());
            }
        }
    }

    fn unknown<'k>(&mut self, key: &str, known: impl Iterator<Item = &'k str>) {
        let near = nearest(key, known);
        self.below(key, |check| {
            let hint = near.map_or_else(
                || "Remove it, or check where it belongs.".to_owned(),
                |near| format!("Did you mean {near}?"),
            );
            let message = format!("{} is no field of {}; the server would drop it. {hint}", check.path, check.kind);
            check.say("unknown_field", message);
        });
    }

    fn required(&mut self, map: &Map<String, Value>, node: &Node) {
        for key in &node.required {
            let there = map.get(key).is_some_and(|value| !value.is_null());
            let has_default = node.properties.get(key).is_some_and(|node| node.has_default);
            if !there && !has_default && !self.is_filled_in(key) {
                self.below(key.as_str(), |check| {
                    check.say("missing_field", format!("{} is required and is not there.", check.path));
                });
            }
        }
    }

    fn is_filled_in(&self, key: &str) -> bool {
        FILLED_BY_WEBHOOKS.iter().any(|(kind, wanted)| {
            let steps = self.path.segments();
            *kind == self.kind
                && wanted.len() == steps.len() + 1
                && wanted.last() == Some(&key)
                && wanted.iter().zip(steps).all(|(want, step)| match step {
                    Segment::Key(step) => *want == "*" || *want == step,
                    Segment::Index(_) => false,
                })
        })
    }

    fn value(&mut self, value: &Value, node: &Node) {
        // Null is absent, and whether that is allowed is for the holder to say.
        if value.is_null() {
            return;
        }
        if !node.accepts(value) {
            let wanted = node.wanted();
            let message = format!("{} must be {wanted}; here is {}.{}", self.path, describe(value), hint(value, node));
            return self.say("wrong_type", message);
        }
        if !node.allowed.is_empty() && !node.allowed.contains(value) {
            let list: Vec<String> = node.allowed.iter().map(describe).collect();
            let near = value.as_str().and_then(|text| nearest(text, node.allowed.iter().filter_map(Value::as_str)));
            let hint = near.map(|near| format!(" Did you mean '{near}'?")).unwrap_or_default();
            let message = format!("{} is {}; it must be one of {}.{hint}", self.path, describe(value), list.join(", "));
            return self.say("not_allowed", message);
        }
        match value {
            Value::Number(number) => self.number(number.as_f64().unwrap_or(0.0), node),
            Value::String(text) => self.text(text, node),
            Value::Array(items) => self.list(items, node),
            Value::Object(map) => self.map(map, node),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn number(&mut self, number: f64, node: &Node) {
        let path = &self.path;
        let message = match (node.minimum, node.maximum) {
            (Some(least), _) if number < least.value || (least.exclusive && number <= least.value) => {
                let than = if least.exclusive { "more than" } else { "at least" };
                format!("{path} is {number}; it must be {than} {}.", least.value)
            }
            (_, Some(most)) if number > most.value || (most.exclusive && number >= most.value) => {
                let than = if most.exclusive { "less than" } else { "at most" };
                format!("{path} is {number}; it must be {than} {}.", most.value)
            }
            _ => return,
        };
        self.say("out_of_range", message);
    }

    fn text(&mut self, text: &str, node: &Node) {
        let length = text.chars().count() as u64;
        self.size(length, node.min_length, node.max_length, "characters");
        if let Some(pattern) = node.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
            let message = format!("{} is '{text}', which does not match {}.", self.path, pattern.as_str());
            self.say("not_allowed", message);
        }
    }

    fn list(&mut self, items: &[Value], node: &Node) {
        self.size(items.len() as u64, node.min_items, node.max_items, "items");
        if let Some(item) = &node.items {
            for (n, value) in items.iter().enumerate() {
                self.below(n, |check| check.value(value, item));
            }
        }
    }

    fn map(&mut self, map: &Map<String, Value>, node: &Node) {
        self.size(map.len() as u64, node.min_properties, node.max_properties, "entries");
        for (key, value) in map {
            match (node.properties.get(key), &node.entries) {
                (Some(field), _) => self.below(key.as_str(), |check| check.value(value, field)),
                (None, Some(entry)) => self.below(key.as_str(), |check| check.value(value, entry)),
                (None, None) if node.is_open() => {}
                (None, None) => self.unknown(key, node.properties.keys().map(String::as_str)),
            }
        }
        self.required(map, node);
    }

    fn size(&mut self, size: u64, least: Option<u64>, most: Option<u64>, what: &str) {
        let message = match (least, most) {
            (Some(least), _) if size < least => format!("{} has {size} {what}; it needs at least {least}.", self.path),
            (_, Some(most)) if size > most => format!("{} has {size} {what}; it may have at most {most}.", self.path),
            _ => return,
        };
        self.say("out_of_range", message);
    }
}

/// What to do about a value of a wrong type: YAML's own traps.
fn hint(value: &Value, node: &Node) -> String {
    match (value, node.kind) {
        (Value::Number(_) | Value::Bool(_), Some(Type::String)) => " Put it in quotes.".to_owned(),
        (Value::String(text), Some(Type::Integer | Type::Number)) if text.trim().parse::<f64>().is_ok() => {
            " Take the quotes away.".to_owned()
        }
        (Value::String(text), Some(Type::Boolean)) if ["true", "false"].contains(&text.as_str()) => {
            " Take the quotes away.".to_owned()
        }
        (Value::String(text), Some(Type::Array)) => format!(" Write [{text}]."),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
