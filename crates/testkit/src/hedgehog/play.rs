//! Controller and agents at work: a loop that keeps the Agents' specs up with the objects, and their status as agents
//! write it. What each does can be changed while it runs.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use lab::admission::SharedObjects;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::controller::{VERSION, agents};
use crate::control_plane::KubeClient;
use crate::machine::{secret, servers};

/// How often controller and agents look.
const TICK: Duration = Duration::from_millis(100);
/// How often an agent says that it is alive; the real ones do it every 15 seconds.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long an agent that is offline or stuck has been so.
const LONG_AGO: SignedDuration = SignedDuration::from_mins(10);

/// What the agent of one switch or gateway does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AgentMode {
    /// Applies what it is given, and says so.
    #[default]
    Working,
    /// Is alive and tries, and never succeeds. What it did not apply it has tried for ten minutes, by its condition.
    Stuck,
    /// Was last heard of ten minutes ago.
    Offline,
}

/// What the loop is told.
#[derive(Default)]
pub(super) struct Orders {
    pub(super) controller_down: bool,
    pub(super) agents: HashMap<String, AgentMode>,
}

pub(super) type SharedOrders = Arc<Mutex<Orders>>;

pub(super) fn lock(orders: &SharedOrders) -> MutexGuard<'_, Orders> {
    orders.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running loop; it ends when this is dropped.
pub(super) struct Play {
    task: JoinHandle<()>,
}

impl Play {
    pub(super) fn start(client: KubeClient, objects: SharedObjects, orders: SharedOrders) -> Self {
        let task = servers().spawn(async move {
            let mut stage = Stage { client, objects, orders, written: HashMap::new(), seen: HashMap::new() };
            loop {
                // The API server may be away, or a definition be missing in this release: later, then.
                if let Err(error) = stage.tick().await {
                    tracing::debug!("play Hedgehog's controller and agents: {error:#}");
                }
                tokio::time::sleep(TICK).await;
            }
        });
        Self { task }
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What an agent last did.
struct Seen {
    attempted: i64,
    applied: i64,
    mode: Option<AgentMode>,
    heard: Instant,
    /// What its condition says, and since when.
    condition: (bool, Timestamp),
    ids: [String; 3],
}

struct Stage {
    client: KubeClient,
    objects: SharedObjects,
    orders: SharedOrders,
    /// By kind and name: the spec that was written, and the generation that it got.
    written: HashMap<(String, String), (Value, i64)>,
    seen: HashMap<(String, String), Seen>,
}

impl Stage {
    async fn tick(&mut self) -> Result<()> {
        if !lock(&self.orders).controller_down {
            let wanted = agents(&self.objects.snapshot());
            for agent in &wanted {
                self.write(agent).await?;
            }
            // A reset takes Agents away without asking; the objects they are of are gone then, too.
            let names: HashSet<_> = wanted.iter().map(key).collect();
            self.written.retain(|key, _| names.contains(key));
        }
        let now: Vec<_> = self.written.iter().map(|(key, (_, generation))| (key.clone(), *generation)).collect();
        for (key, generation) in now {
            self.act(key, generation).await?;
        }
        Ok(())
    }

    /// The controller's part: the spec, where it differs.
    async fn write(&mut self, agent: &Value) -> Result<()> {
        let key = key(agent);
        if self.written.get(&key).is_some_and(|(spec, _)| *spec == agent["spec"]) {
            return Ok(());
        }
        let stored = self.client.put(agent).await?;
        let generation = stored["metadata"]["generation"].as_i64().context("an Agent without generation")?;
        self.written.insert(key, (agent["spec"].clone(), generation));
        Ok(())
    }

    /// The agent's part: the status.
    async fn act(&mut self, key: (String, String), generation: i64) -> Result<()> {
        let mode = lock(&self.orders).agents.get(&key.1).copied().unwrap_or_default();
        let seen = self.seen.entry(key.clone()).or_insert_with(|| Seen {
            attempted: 0,
            applied: 0,
            mode: None,
            heard: Instant::now(),
            condition: (false, Timestamp::now()),
            ids: [secret(), secret(), secret()],
        });
        let changed = seen.mode.replace(mode) != Some(mode);
        let now = Timestamp::now();
        let heard = match mode {
            AgentMode::Offline if changed => now - LONG_AGO,
            AgentMode::Offline => return Ok(()),
            _ => now,
        };
        // First it tries, and at its next look it is done, as two writes: both can be seen from outside.
        let behind = seen.attempted != generation;
        let done = !behind && mode == AgentMode::Working && seen.applied != generation;
        if !behind && !done && !changed && seen.heard.elapsed() < HEARTBEAT {
            return Ok(());
        }
        if mode != AgentMode::Offline {
            seen.attempted = generation;
        }
        if done {
            seen.applied = generation;
        }
        seen.heard = Instant::now();
        let is_applied = seen.applied == seen.attempted;
        if seen.condition.0 != is_applied {
            seen.condition = (is_applied, now);
        }
        let since = if mode == AgentMode::Stuck && !is_applied { now - LONG_AGO } else { seen.condition.1 };
        let (attempted, applied, heard) = (seen.attempted, seen.applied, time(heard));
        let status = if key.0 == "GatewayAgent" {
            json!({
                "agentVersion": VERSION, "lastHeartbeat": heard,
                "lastAppliedGen": applied, "lastAppliedTime": heard,
                "state": {
                    "frr": {"lastAppliedGen": applied}, "dataplane": {"version": VERSION}, "lastCollectedTime": heard,
                },
            })
        } else {
            let (state, reason) = if is_applied { ("True", "ApplySucceeded") } else { ("False", "ApplyPending") };
            let [install, run, boot] = &seen.ids;
            json!({
                "version": VERSION, "installID": install, "runID": run, "bootID": boot, "lastHeartbeat": heard,
                "lastAttemptGen": attempted, "lastAttemptTime": heard,
                "lastAppliedGen": applied, "lastAppliedTime": heard,
                "conditions": [{
                    "type": "Applied", "status": state, "reason": reason, "lastTransitionTime": time(since),
                    "message": format!("Config applied, gen={applied}"),
                }],
            })
        };
        self.client.patch_status(&key.0, &key.1, &status).await.map(drop).inspect_err(|_| {
            // Gone, perhaps by a reset: the controller makes it anew, and its agent starts again.
            self.written.remove(&key);
            self.seen.remove(&key);
        })
    }
}

fn key(agent: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&agent["kind"]), text(&agent["metadata"]["name"]))
}

/// As Kubernetes writes times: to the second.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
