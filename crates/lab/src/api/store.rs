//! The objects, their versions, and what happened to them: one writer at a time, any number of watchers.

use super::{
    error::ApiError,
    registry::{Registry, Resource},
};
use crate::admission::{FabricSettings, Lookup};
use serde_json::Value;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// How many events are kept for watches that resume; older versions are answered with 410.
const LOG: usize = 20_000;
/// How many lists are kept for clients that read them page by page.
const LISTS: usize = 64;

/// What happened to an object.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub version: u64,
    pub resource: usize,
    /// The object before, unless it was created.
    pub before: Option<Arc<Value>>,
    /// The object after; for a deletion, the object as it was, with the version of the deletion.
    pub after: Arc<Value>,
    pub deleted: bool,
}

/// Namespace and name.
pub(crate) type Key = (String, String);

/// A list that is being read page by page.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub version: u64,
    pub items: Arc<Vec<Arc<Value>>>,
}

#[derive(Debug)]
pub(crate) struct State {
    version: u64,
    objects: Vec<BTreeMap<Key, Arc<Value>>>,
    log: VecDeque<Event>,
    /// Versions up to this one are no longer in the log.
    compacted: u64,
    lists: VecDeque<(u64, Snapshot)>,
    next_list: u64,
}

/// The store of one lab.
#[derive(Debug)]
pub(crate) struct Store {
    pub registry: Registry,
    pub settings: FabricSettings,
    state: Mutex<State>,
    changed: watch::Sender<u64>,
}

impl Store {
    pub fn new(registry: Registry, settings: FabricSettings) -> Self {
        let objects = vec![BTreeMap::new(); registry.all().len()];
        let state =
            State { version: 1, objects, log: VecDeque::new(), compacted: 1, lists: VecDeque::new(), next_list: 1 };
        Self { registry, settings, state: Mutex::new(state), changed: watch::channel(1).0 }
    }

    pub fn lock(&self) -> Locked<'_> {
        // A panic while the lock was held would be a defect in a write, which changes the state in one step at its end.
        Locked { store: self, state: self.state.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Wakes up whenever something was written.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Objects of one kind of Hedgehog's, by name.
    pub fn list_kind(&self, kind: &str) -> Vec<Arc<Value>> {
        self.registry.by_kind(kind).map(|r| self.lock().list(r, None)).unwrap_or_default()
    }

    pub fn get_kind(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        self.registry.by_kind(kind).and_then(|r| self.lock().get(r, "default", name))
    }
}

/// The store while its lock is held.
pub(crate) struct Locked<'a> {
    store: &'a Store,
    state: MutexGuard<'a, State>,
}

impl Locked<'_> {
    pub fn version(&self) -> u64 {
        self.state.version
    }

    pub fn get(&self, resource: &Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let namespace = if resource.namespaced { namespace } else { "" };
        self.state.objects[resource.id].get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Objects by namespace and name, of one namespace or of all.
    pub fn list(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Value>> {
        let objects = &self.state.objects[resource.id];
        match namespace.filter(|_| resource.namespaced) {
            Some(namespace) => objects
                .range((namespace.to_owned(), String::new())..)
                .take_while(|((ns, _), _)| ns == namespace)
                .map(|(_, o)| o.clone())
                .collect(),
            None => objects.values().cloned().collect(),
        }
    }

    /// Stores an object under the next version, which is written into it.
    pub fn put(&mut self, resource: &Resource, mut object: Value) -> Arc<Value> {
        let version = self.state.version + 1;
        object["metadata"]["resourceVersion"] = version.to_string().into();
        let after = Arc::new(object);
        let before = self.state.objects[resource.id].insert(key_of(resource, &after), after.clone());
        self.record(Event { version, resource: resource.id, before, after: after.clone(), deleted: false });
        after
    }

    pub fn remove(&mut self, resource: &Resource, object: &Value) -> Option<Arc<Value>> {
        let before = self.state.objects[resource.id].remove(&key_of(resource, object))?;
        let version = self.state.version + 1;
        let mut after = (*before).clone();
        after["metadata"]["resourceVersion"] = version.to_string().into();
        let after = Arc::new(after);
        self.record(Event {
            version,
            resource: resource.id,
            before: Some(before.clone()),
            after: after.clone(),
            deleted: true,
        });
        Some(after)
    }

    fn record(&mut self, event: Event) {
        self.state.version = event.version;
        self.state.log.push_back(event);
        if self.state.log.len() > LOG
            && let Some(old) = self.state.log.pop_front()
        {
            self.state.compacted = old.version;
        }
        self.store.changed.send_replace(self.state.version);
    }

    /// What happened to a resource after a version; 410 when that is no longer known.
    pub fn events_after(&self, resource: usize, version: u64) -> Result<Vec<Event>, ApiError> {
        if version < self.state.compacted {
            return Err(ApiError::expired(&format!("too old resource version: {version} ({})", self.state.compacted)));
        }
        let from = self.state.log.partition_point(|e| e.version <= version);
        Ok(self.state.log.range(from..).filter(|e| e.resource == resource).cloned().collect())
    }

    /// What made an object as it is, or ended it; nothing when that is no longer known.
    pub fn event(&self, object: &Value) -> Option<Event> {
        let version = object["metadata"]["resourceVersion"].as_str()?.parse().ok()?;
        let at = self.state.log.binary_search_by_key(&version, |e| e.version).ok()?;
        self.state.log.get(at).cloned()
    }

    /// Whether anything of these resources was written after a version.
    pub fn changed_since(&self, version: u64, of: impl Fn(usize) -> bool) -> bool {
        if version < self.state.compacted {
            return true;
        }
        let from = self.state.log.partition_point(|e| e.version <= version);
        self.state.log.range(from..).any(|e| of(e.resource))
    }

    /// Forgets all that happened, as a compaction does: watches from older versions get 410.
    pub fn compact(&mut self) {
        self.state.log.clear();
        self.state.lists.clear();
        self.state.compacted = self.state.version;
    }

    /// Keeps a list for the pages to come.
    pub fn keep_list(&mut self, snapshot: Snapshot) -> u64 {
        let id = self.state.next_list;
        self.state.next_list += 1;
        self.state.lists.push_back((id, snapshot));
        if self.state.lists.len() > LISTS {
            self.state.lists.pop_front();
        }
        id
    }

    pub fn kept_list(&self, id: u64) -> Option<Snapshot> {
        self.state.lists.iter().find(|(i, _)| *i == id).map(|(_, s)| s.clone())
    }
}

fn key_of(resource: &Resource, object: &Value) -> Key {
    let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
    (if resource.namespaced { text("namespace") } else { String::new() }, text("name"))
}

/// The rules look at the objects of namespace `default`, while the write that they judge holds the lock.
impl Lookup for Locked<'_> {
    fn get(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        let resource = self.store.registry.by_kind(kind)?;
        self.get(resource, "default", name)
    }

    fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        self.store.registry.by_kind(kind).map(|r| self.list(r, Some("default"))).unwrap_or_default()
    }

    fn settings(&self) -> &FabricSettings {
        &self.store.settings
    }
}

/// The same outside of a write, for one look.
impl Lookup for Store {
    fn get(&self, kind: &str, name: &str) -> Option<Arc<Value>> {
        self.get_kind(kind, name)
    }

    fn list(&self, kind: &str) -> Vec<Arc<Value>> {
        self.list_kind(kind)
    }

    fn settings(&self) -> &FabricSettings {
        &self.settings
    }
}
