//! What a document is: an object of Hedgehog's, somebody else's, a list of objects, or a mistake.

use super::place::{Node, Place};
use super::split::Document;
use super::{Finding, Limits, Location, Manifest, Parsed};
use crate::body::Body;
use crate::kind::{self, Author};
use crate::object::{Gvk, ObjectKey};
use crate::path::Path;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Lists of lists deeper than this are nobody's intention.
const LIST_DEPTH: u8 = 3;

/// Takes the values of one document into the result.
pub(super) struct Reader<'r, 't> {
    pub document: &'r Document<'t>,
    pub default_namespace: &'r str,
    pub limits: &'r Limits,
    pub parsed: &'r mut Parsed,
}

impl Reader<'_, '_> {
    /// Takes one value that begins at `location`.
    pub fn take(&mut self, value: Value, location: Location, depth: u8) {
        let Value::Object(map) = value else {
            let what = kind_of(&value);
            let message =
                format!("The document is {what}, and no Kubernetes object. It needs apiVersion, kind and metadata.");
            return self.found(Finding::error("not_an_object", message).located(location));
        };
        if is_list(&map) {
            return self.take_list(map, location, depth);
        }
        let Some(gvk) = self.gvk(&map, &location) else { return };
        if !gvk.is_hedgehog() {
            return self.found(other_kind(&gvk, &map).located(location));
        }
        let Some(name) = self.name(&map, &gvk, &location) else { return };
        let known = kind::find(&gvk.group, &gvk.kind);
        let what = format!("{} {name}", gvk.kind);
        match known.map(|k| k.author) {
            Some(Author::Controller) => {
                let message = format!(
                    "{what} is written by the fabric's controller; it is left alone. Remove it from the source."
                );
                return self.found(Finding::warning("controller_kind", message).located(location));
            }
            Some(Author::BuiltIn) => {
                let message =
                    format!("{what}: switch profiles are built in, and others are refused; it is left alone.");
                return self.found(Finding::warning("built_in_kind", message).located(location));
            }
            Some(Author::Installer) => {
                let message = format!("{what} is the installer's ({}); it is left alone.", gvk.group);
                return self.found(Finding::warning("installer_kind", message).located(location));
            }
            Some(Author::User) | None => {}
        }
        self.take_object(map, gvk, name, location);
    }

    fn take_object(&mut self, mut map: Map<String, Value>, gvk: Gvk, name: String, location: Location) {
        if self.parsed.manifests.len() >= self.limits.objects {
            let message = format!(
                "More than {} objects are not read. Split the source, or raise the limit.",
                self.limits.objects
            );
            return self.found(Finding::error("too_many_objects", message).located(location));
        }
        let written = map.get("metadata").and_then(|m| m.get("namespace")).cloned().unwrap_or(Value::Null);
        let (namespace, mistake) = match &written {
            Value::Null => (self.default_namespace.to_owned(), None),
            Value::String(text) if text.is_empty() => (self.default_namespace.to_owned(), None),
            Value::String(text) if text == self.default_namespace => (text.clone(), None),
            Value::String(text) => {
                let message = format!(
                    "{} {name} is in namespace '{text}', and this fabric's objects are in '{}'. Correct the namespace or leave it out.",
                    gvk.kind, self.default_namespace
                );
                (text.clone(), Some(Finding::error("other_namespace", message)))
            }
            _ => {
                let mistake = self.not_text("metadata.namespace", &written, &location);
                (self.default_namespace.to_owned(), Some(mistake))
            }
        };
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
        }
        let key = ObjectKey::new(&gvk.group, &gvk.kind, namespace, &name);
        let mut findings: Vec<Finding> = mistake.map(|m| m.at("metadata.namespace")).into_iter().collect();
        findings.extend(version_mistake(&gvk, &name));
        findings.extend(self.text_maps(&map, &location));
        findings.extend(server_fields(&map));
        let manifest = Manifest { version: gvk.version.into(), key, object: Body::from(&Value::Object(map)), location };
        for finding in findings {
            let finding = match finding.path.clone() {
                Some(path) if finding.location.is_none() => finding.located(self.place(&path, &manifest.location)),
                _ => finding,
            };
            self.parsed.findings.push(finding.of(&manifest));
        }
        self.parsed.manifests.push(Arc::new(manifest));
    }

    fn take_list(&mut self, mut map: Map<String, Value>, location: Location, depth: u8) {
        let items = match map.shift_remove("items") {
            Some(Value::Array(items)) => items,
            None | Some(Value::Null) => Vec::new(),
            Some(other) => {
                let message = format!("The items of a List must be a list; here is {}.", kind_of(&other));
                let location = self.place("items", &location);
                return self.found(Finding::error("not_an_object", message).at("items").located(location));
            }
        };
        if depth >= LIST_DEPTH {
            let message = "Lists of lists are opened a few levels deep only.";
            return self.found(Finding::error("too_complex", message).located(location));
        }
        if items.is_empty() {
            return self.found(Finding::warning("empty_document", "The List holds no objects.").located(location));
        }
        let places = Place::read(self.document.text).and_then(|root| {
            let begins = (location.line.checked_sub(self.document.first_line - 1)?, location.column);
            match &root.beginning_at(begins).unwrap_or(&root).get(&Path::root().join("items"))?.node {
                Node::List(places) => Some(places.iter().map(|place| place.at).collect::<Vec<_>>()),
                _ => None,
            }
        });
        for (n, item) in items.into_iter().enumerate() {
            let at = places.as_ref().and_then(|places| places.get(n)).copied();
            let location = match at {
                Some((line, column)) => {
                    Location { line: line + self.document.first_line - 1, column, ..location.clone() }
                }
                None => location.clone(),
            };
            self.take(item, location, depth + 1);
        }
    }

    fn gvk(&mut self, map: &Map<String, Value>, location: &Location) -> Option<Gvk> {
        let mut words = Vec::with_capacity(2);
        for key in ["apiVersion", "kind"] {
            match map.get(key) {
                Some(Value::String(text)) if !text.is_empty() => words.push(text.clone()),
                None | Some(Value::Null | Value::String(_)) => {
                    let message = format!("The document has no {key}, so it cannot be told what it is. Add {key}.");
                    let rule = if key == "kind" { "missing_kind" } else { "missing_api_version" };
                    self.found(Finding::error(rule, message).at(key).located(self.place(key, location)));
                }
                Some(other) => {
                    let finding = self.not_text(key, other, location);
                    self.found(finding);
                }
            }
        }
        let [api_version, kind] = <[String; 2]>::try_from(words).ok()?;
        Some(Gvk::parse(&api_version, &kind))
    }

    fn name(&mut self, map: &Map<String, Value>, gvk: &Gvk, location: &Location) -> Option<String> {
        let kind = &gvk.kind;
        let finding = match map.get("metadata") {
            Some(Value::Object(metadata)) => match metadata.get("name") {
                Some(Value::String(name)) if !name.is_empty() => return Some(name.clone()),
                None | Some(Value::Null | Value::String(_)) => {
                    let hint = if metadata.contains_key("generateName") {
                        " A generated name would be another one at each sync."
                    } else {
                        ""
                    };
                    let message = format!("The {kind} has no name. Add metadata.name.{hint}");
                    Finding::error("missing_name", message)
                        .at("metadata.name")
                        .located(self.place("metadata.name", location))
                }
                Some(other) => self.not_text("metadata.name", other, location),
            },
            None | Some(Value::Null) => {
                Finding::error("missing_name", format!("The {kind} has no metadata. Add metadata.name."))
                    .at("metadata")
                    .located(self.place("metadata", location))
            }
            Some(other) => {
                let message = format!("metadata must be a mapping; here is {}.", kind_of(other));
                Finding::error("wrong_type", message).at("metadata").located(self.place("metadata", location))
            }
        };
        self.found(finding);
        None
    }

    /// A text was wanted, and YAML read something else: `no`, `1234`, `1e3` without quotes.
    fn not_text(&self, path: &str, value: &Value, location: &Location) -> Finding {
        let written = match value {
            Value::Object(_) | Value::Array(_) => None,
            _ => self.raw(path, location),
        };
        let message = match (written, value) {
            (Some(raw), _) => {
                format!("{path} must be a text, and '{raw}' reads as {}. Write \"{raw}\".", kind_of(value))
            }
            (None, value) => format!("{path} must be a text; here is {}.", kind_of(value)),
        };
        Finding::error("wrong_type", message).at(path).located(self.place(path, location))
    }

    /// Labels and annotations hold texts only; the API server refuses the whole object otherwise.
    fn text_maps(&self, map: &Map<String, Value>, location: &Location) -> Vec<Finding> {
        let mut findings = Vec::new();
        for field in ["labels", "annotations"] {
            match map.get("metadata").and_then(|m| m.get(field)) {
                None | Some(Value::Null) => {}
                Some(Value::Object(entries)) => {
                    for (key, value) in entries.iter().filter(|(_, v)| !v.is_string() && !v.is_null()) {
                        let path = Path::root().join("metadata").join(field).join(key.as_str());
                        findings.push(self.not_text(&path.to_string(), value, location));
                    }
                }
                Some(other) => {
                    let path = format!("metadata.{field}");
                    let message = format!("{path} must be a mapping of texts; here is {}.", kind_of(other));
                    findings.push(Finding::error("wrong_type", message).at(path));
                }
            }
        }
        findings
    }

    fn place(&self, path: &str, object: &Location) -> Location {
        let found = path.parse::<Path>().ok().and_then(|path| {
            let root = Place::read(self.document.text)?;
            let begins = (object.line.checked_sub(self.document.first_line - 1)?, object.column);
            Some(root.beginning_at(begins).unwrap_or(&root).position(&path))
        });
        match found {
            Some((line, column)) => Location { line: line + self.document.first_line - 1, column, ..object.clone() },
            None => object.clone(),
        }
    }

    fn raw(&self, path: &str, object: &Location) -> Option<String> {
        let path = path.parse::<Path>().ok()?;
        let root = Place::read(self.document.text)?;
        let begins = (object.line.checked_sub(self.document.first_line - 1)?, object.column);
        match &root.beginning_at(begins).unwrap_or(&root).get(&path)?.node {
            Node::Scalar(text) => Some(text.clone()),
            _ => None,
        }
    }

    fn found(&mut self, finding: Finding) {
        self.parsed.findings.push(finding);
    }
}

fn is_list(map: &Map<String, Value>) -> bool {
    let kind = map.get("kind").and_then(Value::as_str).unwrap_or_default();
    kind == "List" || (kind.ends_with("List") && map.get("items").is_some_and(Value::is_array))
}

fn other_kind(gvk: &Gvk, map: &Map<String, Value>) -> Finding {
    let name = map.get("metadata").and_then(|m| m.get("name")).and_then(Value::as_str).unwrap_or("without a name");
    if gvk.group.contains("hedgehog") {
        // A misspelt group would otherwise go unseen.
        let message = format!(
            "{} {name} names the group '{}', which is none of Hedgehog's: theirs end in githedgehog.com. Correct the apiVersion.",
            gvk.kind, gvk.group
        );
        return Finding::error("unknown_group", message).at("apiVersion");
    }
    let message = format!("{} {name} ({}) is not Hedgehog's and is left alone.", gvk.kind, gvk.api_version());
    Finding::info("other_kind", message)
}

fn version_mistake(gvk: &Gvk, name: &str) -> Option<Finding> {
    if kind::find(&gvk.group, &gvk.kind).is_none() {
        let right = kind::KNOWN.iter().find(|k| k.kind == gvk.kind)?;
        let version = kind::served_version(right.group).unwrap_or("v1beta1");
        let message = format!(
            "{} {name} names the group {}; {} belongs to {}. Write apiVersion: {}/{version}.",
            gvk.kind, gvk.group, gvk.kind, right.group, right.group
        );
        return Some(Finding::error("wrong_group", message).at("apiVersion"));
    }
    let served = kind::served_version(&gvk.group)?;
    (gvk.version != served).then(|| {
        let message = format!(
            "{} {name} is of version {}, which no cluster serves. Write apiVersion: {}/{served}.",
            gvk.kind, gvk.version, gvk.group
        );
        Finding::error("unsupported_version", message).at("apiVersion")
    })
}

/// What only a server writes: an export was committed as it came. It is harmless and is not sent.
fn server_fields(map: &Map<String, Value>) -> Option<Finding> {
    const SERVERS: [&str; 8] = [
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "managedFields",
        "ownerReferences",
        "selfLink",
    ];
    let metadata = map.get("metadata").and_then(Value::as_object);
    let mut named: Vec<&str> =
        SERVERS.into_iter().filter(|key| metadata.is_some_and(|m| m.get(*key).is_some_and(|v| !v.is_null()))).collect();
    if map.get("status").is_some_and(|s| !crate::normalise::scalar::is_zero(s)) {
        named.push("status");
    }
    (!named.is_empty()).then(|| {
        let message = format!("The server writes {} itself; what stands here is not sent.", named.join(", "));
        Finding::info("server_field", message)
    })
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(true) => "the boolean true",
        Value::Bool(false) => "the boolean false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
