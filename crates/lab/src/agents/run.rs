//! The loops: the controller follows what users write, the agents follow what the controller writes.

use super::{AgentTimings, Reporter, plan};
use crate::{
    api::{
        ApiError,
        store::Store,
        write::{FieldValidation, Preconditions, WriteOptions, Writes},
    },
    faults::Faults,
};
use jiff::Timestamp;
use serde_json::Value;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep, timeout},
};

/// The controller reacts to several changes at once.
const SETTLE: Duration = Duration::from_millis(30);
/// How often a loop looks when nothing changes: faults come and go without a change in the store.
const LOOK: Duration = Duration::from_millis(200);
/// Kinds that the controller writes itself, and so does not react to.
const OWN_KINDS: &[&str] = &["Agent", "GatewayAgent", "VPCInfo", "DHCPSubnet", "Catalog"];

/// The running loops. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Simulation {
    tasks: Vec<JoinHandle<()>>,
}

impl Simulation {
    pub fn start(store: &Arc<Store>, faults: &Arc<Faults>, timings: AgentTimings) -> Self {
        let controller = Controller { store: store.clone(), faults: faults.clone() };
        let agents = Agents { store: store.clone(), faults: faults.clone(), timings, known: HashMap::new() };
        Self { tasks: vec![tokio::spawn(controller.run()), tokio::spawn(agents.run())] }
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The simulated parts write past the faults of the API.
fn write<T>(
    store: &Store,
    manager: &str,
    subresource: Option<&'static str>,
    with: impl FnOnce(Writes, &WriteOptions) -> Result<T, ApiError>,
) -> Option<T> {
    let faults = Faults::default();
    let options = WriteOptions {
        manager: manager.to_owned(),
        // Definitions of other releases do not know all of what is written here.
        field_validation: FieldValidation::Ignore,
        subresource,
        ..WriteOptions::default()
    };
    match with(Writes { store, faults: &faults }, &options) {
        Ok(done) => Some(done),
        Err(error) => {
            // Somebody else was faster; the next round sees what is there then.
            tracing::debug!("the simulated {manager}: {error}");
            None
        }
    }
}

#[derive(Clone)]
struct Controller {
    store: Arc<Store>,
    faults: Arc<Faults>,
}

impl Controller {
    async fn run(self) {
        let mut changed = self.store.subscribe();
        let mut seen = 0;
        loop {
            if !self.faults.controller_down() {
                let (dirty, version) = {
                    let locked = self.store.lock();
                    let of_users = |id: usize| {
                        self.store.registry.all().get(id).is_some_and(|r| !OWN_KINDS.contains(&r.kind.as_str()))
                    };
                    (locked.changed_since(seen, of_users), locked.version())
                };
                if dirty {
                    // With thousands of objects this takes a while, which must not hold up requests, nor be all that
                    // happens.
                    let (controller, started) = (self.clone(), Instant::now());
                    if let Err(error) = spawn_blocking(move || controller.reconcile()).await {
                        tracing::error!("the simulated controller failed: {error}");
                    }
                    sleep(started.elapsed()).await;
                }
                seen = version;
            }
            if let Ok(Err(_)) = timeout(LOOK, changed.changed()).await {
                return;
            }
            sleep(SETTLE).await;
        }
    }

    fn reconcile(&self) {
        let planned = plan(&*self.store);
        let mut wanted = BTreeSet::new();
        for object in &planned.objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            wanted.insert((object["kind"].as_str().unwrap_or_default(), name));
            self.put(object, name);
        }
        for kind in planned.exclusive {
            for object in self.store.list_kind(kind) {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                if !wanted.contains(&(*kind, name)) {
                    self.remove(kind, name);
                }
            }
        }
    }

    fn put(&self, object: &Value, name: &str) {
        let Some(resource) = self.store.registry.of_object(object) else { return };
        let status = object.get("status");
        let current = self.store.lock().get(resource, "default", name);
        match current {
            None => {
                let mut new = object.clone();
                if let Some(fields) = new.as_object_mut() {
                    fields.shift_remove("status");
                }
                write(&self.store, "manager", None, |w, o| w.create(resource, "default", new, o));
            }
            Some(current) => {
                let mut spec = object["spec"].clone();
                // Asked for by people on the Agent itself; the controller leaves it there.
                for key in ["reboot", "powerReset", "reinstall"] {
                    if let Some(asked) = current["spec"].get(key) {
                        spec[key] = asked.clone();
                    }
                }
                let metadata =
                    |key: &str| (object["metadata"].get(key).cloned(), current["metadata"].get(key).cloned());
                let parts = ["labels", "annotations", "ownerReferences"].map(|key| (key, metadata(key)));
                let same = spec == current["spec"] && parts.iter().all(|(_, (new, old))| new.is_none() || new == old);
                if !same {
                    let mut change = |old: &Value| {
                        let mut new = old.clone();
                        new["spec"] = spec.clone();
                        for (key, (value, _)) in &parts {
                            if let Some(value) = value {
                                new["metadata"][key] = value.clone();
                            }
                        }
                        Ok(new)
                    };
                    write(&self.store, "manager", None, |w, o| w.update(resource, "default", name, &mut change, o));
                }
            }
        }
        if let Some(status) = status {
            let mut change = |old: &Value| {
                let mut new = old.clone();
                new["status"] = status.clone();
                Ok(new)
            };
            write(&self.store, "manager", Some("status"), |w, o| w.update(resource, "default", name, &mut change, o));
        }
    }

    fn remove(&self, kind: &str, name: &str) {
        let Some(resource) = self.store.registry.by_kind(kind) else { return };
        write(&self.store, "manager", None, |w, _| {
            w.delete(resource, "default", name, &Preconditions::default(), false)
        });
    }
}

/// What one agent is at.
struct Known {
    reporter: Reporter,
    reported: Instant,
    /// The generation that it tries, and when it will be done.
    trying: Option<(i64, Instant)>,
}

struct Agents {
    store: Arc<Store>,
    faults: Arc<Faults>,
    timings: AgentTimings,
    known: HashMap<(&'static str, String), Known>,
}

impl Agents {
    async fn run(mut self) {
        let mut changed = self.store.subscribe();
        loop {
            for kind in ["Agent", "GatewayAgent"] {
                let objects = self.store.list_kind(kind);
                self.known.retain(|(k, name), _| {
                    *k != kind || objects.iter().any(|o| o["metadata"]["name"] == name.as_str())
                });
                for object in objects {
                    self.step(kind, &object);
                }
            }
            let look = LOOK.min(self.timings.heartbeat).min(self.timings.apply_after).max(Duration::from_millis(10));
            if let Ok(Err(_)) = timeout(look, changed.changed()).await {
                return;
            }
            changed.borrow_and_update();
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn step(&mut self, kind: &'static str, object: &Value) {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        if self.faults.agent_offline(name) {
            return;
        }
        let (now, time) = (Instant::now(), Timestamp::now());
        let key = (kind, name.to_owned());
        let fresh = !self.known.contains_key(&key);
        let known = self.known.entry(key).or_insert_with(|| Known {
            reporter: Reporter::start(time),
            reported: now,
            trying: None,
        });
        let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
        let applied = object["status"]["lastAppliedGen"].as_i64().unwrap_or_default();
        let rebooted = known.reporter.obey(object, time);
        let status = if applied != generation && known.trying.is_none_or(|(g, _)| g != generation) {
            known.trying = Some((generation, now + self.timings.apply_after));
            Some(known.reporter.attempt(object, time))
        } else if applied != generation
            && known.trying.is_some_and(|(_, due)| now >= due)
            && !self.faults.agent_stuck(name)
        {
            known.trying = None;
            Some(known.reporter.applied(object, time))
        } else if fresh || rebooted || now - known.reported >= self.timings.heartbeat {
            Some(known.reporter.heartbeat(object, time))
        } else {
            None
        };
        let Some(status) = status else { return };
        known.reported = now;
        let Some(resource) = self.store.registry.by_kind(kind) else { return };
        let mut change = |old: &Value| {
            let mut new = old.clone();
            new["status"] = status.clone();
            Ok(new)
        };
        write(&self.store, "agent", Some("status"), |w, o| w.update(resource, "default", name, &mut change, o));
    }
}
