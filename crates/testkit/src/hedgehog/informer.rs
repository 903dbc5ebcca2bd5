//! What the webhooks know of other objects: a watch a kind, begun anew whenever it ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::{StreamExt, pin_mut};
use lab::admission::{SharedObjects, WEBHOOK_KINDS};
use tokio::task::JoinSet;

use crate::control_plane::{Change, KubeClient};
use crate::eventually;
use crate::machine::servers;

/// Kinds without webhooks that the rules ask for all the same.
const ALSO: &[(&str, &str)] = &[("wiring.githedgehog.com", "SwitchGroup"), ("wiring.githedgehog.com", "ServerProfile")];

/// The watches; they end when this is dropped.
pub(super) struct Informer {
    _watches: JoinSet<()>,
}

impl Informer {
    /// Starts watching every kind that the rules know and the server has; returns when all that is there was read.
    pub(super) async fn start(client: KubeClient, objects: SharedObjects) -> Result<Self> {
        let with_webhooks = WEBHOOK_KINDS.iter().map(|(group, _, kind, _)| (*group, *kind));
        let mut watched = Vec::new();
        for (group, kind) in with_webhooks.chain(ALSO.iter().copied()) {
            // An older release lacks some.
            if client.has(&format!("{kind}.{group}")).await? {
                watched.push((kind, format!("{kind}.{group}")));
            }
        }
        let (client, synced) = (Arc::new(client), Arc::new(AtomicUsize::new(0)));
        let wanted = watched.len();
        let mut watches = JoinSet::new();
        for (kind, name) in watched {
            let task = follow(client.clone(), kind, name, objects.clone(), synced.clone());
            watches.spawn_on(task, servers().handle());
        }
        eventually(Duration::from_secs(30), "the webhooks know what is there", || async {
            let now = synced.load(Ordering::Acquire);
            ensure!(now >= wanted, "{now} of {wanted} kinds were read");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
        Ok(Self { _watches: watches })
    }
}

async fn follow(
    client: Arc<KubeClient>,
    kind: &'static str,
    name: String,
    objects: SharedObjects,
    synced: Arc<AtomicUsize>,
) {
    let mut known = BTreeSet::new();
    let mut first = true;
    loop {
        if let Err(error) = follow_once(&client, kind, &name, &objects, &mut known, || {
            if std::mem::take(&mut first) {
                synced.fetch_add(1, Ordering::AcqRel);
            }
        })
        .await
        {
            tracing::debug!("watch {name}: {error:#}");
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn follow_once(
    client: &KubeClient,
    kind: &str,
    name: &str,
    objects: &SharedObjects,
    known: &mut BTreeSet<String>,
    mut on_synced: impl FnMut(),
) -> Result<()> {
    let changes = client.watch(name).await?;
    pin_mut!(changes);
    // What was known from an earlier watch, and is not told again, went in between.
    let mut stale = known.clone();
    while let Some(change) = changes.next().await {
        match change? {
            Change::Put(object) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                stale.remove(&name);
                known.insert(name);
                objects.put(object);
            }
            Change::Gone(object) => {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                known.remove(name);
                objects.remove(kind, name);
            }
            Change::Synced => {
                for name in std::mem::take(&mut stale) {
                    known.remove(&name);
                    objects.remove(kind, &name);
                }
                on_synced();
            }
        }
    }
    Ok(())
}
