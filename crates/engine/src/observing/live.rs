//! Live objects as they were received: the JSON text with its version, parsed when somebody looks into it.
//!
//! Parsed, an object takes ten times the memory of its text, and of ten thousand objects a comparison looks into the few
//! that changed.

use crate::blocking::each;
use cluster::Received;
use model::ObjectKey;
use model::part::{self, Part};
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// One live object.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Live {
    version: Box<str>,
    json: Box<str>,
}

impl Live {
    /// The version that this is of it; `None` when the server did not say.
    pub fn version(&self) -> Option<&str> {
        Some(&*self.version).filter(|version| !version.is_empty())
    }

    /// The whole object.
    pub fn value(&self) -> Arc<Value> {
        Arc::new(serde_json::from_str(&self.json).unwrap_or_else(|e| unparsed(&e)))
    }

    /// Whether Hedgerow has written it. Of most it is plain without a parser.
    pub fn was_applied(&self) -> bool {
        self.json.contains(model::prune::FIELD_MANAGER) && model::prune::was_applied(&self.value())
    }

    /// A part of the object.
    pub fn part(&self, wanted: Part) -> Value {
        part::parse(&self.json, wanted).unwrap_or_else(|e| unparsed(&e))
    }
}

/// Text that no parser takes stands for an object of which nothing is known: it is equal to nothing.
fn unparsed(error: &serde_json::Error) -> Value {
    tracing::warn!(%error, "a live object could not be parsed");
    Value::Null
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("version", &self.version).field("bytes", &self.json.len()).finish()
    }
}

impl From<&Value> for Live {
    fn from(object: &Value) -> Self {
        let version = object.pointer("/metadata/resourceVersion").and_then(Value::as_str).unwrap_or_default();
        Self { version: version.into(), json: object.to_string().into_boxed_str() }
    }
}

/// Every live object of a fabric. Keys and objects are shared, so that a copy costs little.
#[derive(Debug, Clone, Default)]
pub(crate) struct LiveObjects(HashMap<Arc<ObjectKey>, Arc<Live>>);

impl LiveObjects {
    /// An object as it was received.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<Live>> {
        self.0.get(key)
    }

    /// The key of an object as it is shared here.
    pub fn key(&self, key: &ObjectKey) -> Option<&Arc<ObjectKey>> {
        self.0.get_key_value(key).map(|(key, _)| key)
    }

    /// Whether an object is there.
    pub fn contains_key(&self, key: &ObjectKey) -> bool {
        self.0.contains_key(key)
    }

    /// Which objects there are, in no order.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<ObjectKey>> {
        self.0.keys()
    }

    /// All objects, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<ObjectKey>, &Arc<Live>)> {
        self.0.iter()
    }

    /// Puts an object in place of the one that was there.
    pub fn insert(&mut self, key: Arc<ObjectKey>, live: Arc<Live>) {
        self.0.insert(key, live);
    }

    /// Takes an object out, and says whether it was there.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        self.0.remove(key).is_some()
    }

    /// Keeps the objects of which this holds.
    pub fn retain(&mut self, stays: impl Fn(&ObjectKey) -> bool) {
        self.0.retain(|key, _| stays(key));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A part of each object, parsed on every core; blocks.
    pub fn parts(&self, wanted: Part) -> Vec<(&ObjectKey, Value)> {
        let all: Vec<_> = self.iter().collect();
        each(&all, |(key, live)| (&***key, live.part(wanted)))
    }
}

impl Extend<(Arc<ObjectKey>, Arc<Live>)> for LiveObjects {
    fn extend<T: IntoIterator<Item = (Arc<ObjectKey>, Arc<Live>)>>(&mut self, objects: T) {
        self.0.extend(objects);
    }
}

impl FromIterator<(Arc<ObjectKey>, Arc<Live>)> for LiveObjects {
    fn from_iter<T: IntoIterator<Item = (Arc<ObjectKey>, Arc<Live>)>>(objects: T) -> Self {
        Self(objects.into_iter().collect())
    }
}

/// An object of a kind with its identity, as the engine keeps it.
pub(crate) fn keyed(group: &str, kind: &str, received: Received) -> (Arc<ObjectKey>, Arc<Live>) {
    let key = ObjectKey::new(group, kind, received.namespace, received.name);
    let live = Live { version: received.resource_version.into_boxed_str(), json: received.json };
    (Arc::new(key), Arc::new(live))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_parsed_is_equal_to_nothing() {
        let live = Live { version: "1".into(), json: "[".into() };
        assert_eq!((*live.value()).clone(), Value::Null);
        assert_eq!(live.part(Part::WithoutManagers), Value::Null);
    }
}
