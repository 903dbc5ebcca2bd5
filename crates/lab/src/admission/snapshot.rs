//! Objects held in memory, by kind and name: the simplest [`Lookup`], and one that can be shared and kept up to date.

use super::{FabricSettings, Lookup};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, RwLock},
};

/// A set of objects.
#[derive(Debug, Clone, Default)]
pub struct Objects {
    kinds: HashMap<String, BTreeMap<String, Arc<Value>>>,
    settings: Option<Arc<FabricSettings>>,
}

impl Objects {
    /// A set of these objects; what has no kind or name is left out.
    pub fn new(objects: impl IntoIterator<Item = Value>) -> Self {
        let mut all = Self::default();
        objects.into_iter().for_each(|o| all.put(Arc::new(o)));
        all
    }

    /// The same objects under other settings.
    pub fn with_settings(mut self, settings: FabricSettings) -> Self {
        self.settings = Some(Arc::new(settings));
        self
    }

    /// Adds an object, or replaces the one of that kind and name.
    pub fn put(&mut self, object: Arc<Value>) {
        let (Some(kind), Some(name)) = (object["kind"].as_str(), object["metadata"]["name"].as_str()) else { return };
        self.kinds.entry(kind.to_owned()).or_default().insert(name.to_owned(), object.clone());
    }

    /// Takes an object out.
    pub fn remove(&mut self, kind: &str, name: &str) -> Option<Arc<Value>> {
        self.kinds.get_mut(kind)?.remove(name)
    }
}

impl Lookup for Objects {
    fn get(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        self.kinds.get(kind)?.get(name).cloned()
    }

    fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        self.kinds.get(kind).map(|k| k.values().cloned().collect()).unwrap_or_default()
    }

    fn settings(&self) -> &FabricSettings {
        match &self.settings {
            Some(settings) => settings,
            None => FabricSettings::standard(),
        }
    }
}

/// Objects that a watch keeps up to date while webhooks read them.
#[derive(Debug, Clone, Default)]
pub struct SharedObjects(Arc<RwLock<Objects>>);

impl SharedObjects {
    /// Starts with these objects.
    pub fn new(objects: Objects) -> Self {
        Self(Arc::new(RwLock::new(objects)))
    }

    /// Adds or replaces an object.
    pub fn put(&self, object: Value) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).put(Arc::new(object));
    }

    /// Takes an object out.
    pub fn remove(&self, kind: &str, name: &str) {
        self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner).remove(kind, name);
    }

    /// Replaces everything.
    pub fn replace(&self, objects: Objects) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = objects;
    }

    /// The objects as they are now.
    pub fn snapshot(&self) -> Objects {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
