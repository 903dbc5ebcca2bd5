//! Live objects as they were received: the JSON text with its version, parsed when somebody looks into it.
//!
//! Parsed, an object takes ten times the memory of its text, and of ten thousand objects a comparison looks into the few
//! that changed.

use cluster::Received;
use model::ObjectKey;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};
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
        // Text that no parser takes stands for an object of which nothing is known: it is equal to nothing.
        Arc::new(serde_json::from_str(&self.json).unwrap_or_else(|e| {
            tracing::warn!(error = %e, "a live object could not be parsed");
            Value::Null
        }))
    }

    /// Whether Hedgerow has written it. Of most it is plain without a parser.
    pub fn was_applied(&self) -> bool {
        self.json.contains(model::prune::FIELD_MANAGER) && model::prune::was_applied(&self.value())
    }

    /// The object without `managedFields`, which are larger than the rest: for rules that look at all objects.
    pub fn without_managers(&self) -> Value {
        let mut text = serde_json::Deserializer::from_str(&self.json);
        Skipping { below: Some("metadata"), skip: "managedFields" }.deserialize(&mut text).unwrap_or_default()
    }
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

/// Reads an object, leaving one key out: of the map under `below`, or of the object itself.
#[derive(Clone, Copy)]
struct Skipping {
    below: Option<&'static str>,
    skip: &'static str,
}

impl<'de> DeserializeSeed<'de> for Skipping {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Skipping {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if self.below == Some(key.as_str()) {
                let value = entries.next_value_seed(Skipping { below: None, ..self })?;
                map.insert(key, value);
            } else if self.below.is_none() && key == self.skip {
                entries.next_value::<IgnoredAny>()?;
            } else {
                let value = entries.next_value_seed(Plain)?;
                map.insert(key, value);
            }
        }
        Ok(Value::Object(map))
    }
}

/// Any value as it stands.
struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
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

    /// All objects parsed, without their managers.
    pub fn parsed(&self) -> Vec<(&ObjectKey, Value)> {
        self.iter().map(|(key, live)| (&**key, live.without_managers())).collect()
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
    use serde_json::json;

    #[test]
    fn only_the_managers_are_left_out() {
        let object = json!({
            "kind": "VPC", "managedFields": "not the one",
            "metadata": {"name": "a", "managedFields": [{"manager": "x"}], "labels": {"managedFields": "kept"}},
            "spec": {"metadata": {"managedFields": "kept"}, "n": 1.5},
        });
        let live = Live::from(&object);
        let mut expected = object.clone();
        expected["metadata"].as_object_mut().unwrap().remove("managedFields");
        assert_eq!(live.without_managers(), expected);
        assert_eq!((*live.value()).clone(), object);
    }

    #[test]
    fn what_cannot_be_parsed_is_equal_to_nothing() {
        let live = Live { version: "1".into(), json: "[".into() };
        assert_eq!((*live.value()).clone(), Value::Null);
        assert_eq!(live.without_managers(), Value::Null);
    }
}
