//! Always on: for every fabric with a cluster its watches, and the index that they keep. What changes in a cluster is
//! compared within a moment, by the same code that compares lists.
//!
//! The lists come first: watching begins where a comparison's lists ended, and every later list is folded into the index.
//! `index.rs` is what is known, `watcher.rs` the one task a fabric that writes it.

mod index;
mod watcher;

use crate::Shared;
use crate::observing::{Observation, Problem};
use cluster::Kinds;
use index::Index;
use jiff::Timestamp;
use source::Desired;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Fabric;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// While every watch stands, the lists are the proof against missed events only: so many intervals apart.
const LISTS_EACH: u32 = 5;

/// What is watched of all fabrics.
#[derive(Default)]
pub(crate) struct Watching {
    fabrics: Mutex<HashMap<i64, Arc<Watched>>>,
}

/// What is watched of one fabric, under one version of its settings.
struct Watched {
    version: i64,
    stop: CancellationToken,
    /// Something was listed or compared: the watcher looks what that means.
    news: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` until the first lists.
    index: Option<Index>,
    /// How often the index began anew.
    beginnings: u64,
    /// When lists were last read whole.
    listed_at: Option<Instant>,
    /// What the last comparison was made of besides the cluster; `None` while that failed.
    standing: Option<Standing>,
    /// Whether a comparison was stored that the watcher did not make.
    compared: bool,
    /// Since when a run of this process writes to the fabric.
    written_since: Option<Instant>,
}

/// What a comparison is made of besides the cluster.
#[derive(Clone)]
struct Standing {
    desired: Arc<Desired>,
    /// What could not be read of the source. It stays a problem until somebody has read the source again.
    problems: Vec<Problem>,
}

/// While this lives a run of this process writes to the fabric: what its watches see is mostly that, and the run itself
/// reads everything again at its end.
pub(crate) struct Writing(Option<Arc<Watched>>);

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(watched) = &self.0 {
            watched.lock().written_since = None;
            watched.news.notify_one();
        }
    }
}

impl Watched {
    /// Since when a run of this process writes to the fabric.
    fn written_since(&self) -> Option<Instant> {
        self.lock().written_since
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Arc<Watched>>> {
        self.fabrics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, fabric_id: i64) -> Option<Arc<Watched>> {
        self.lock().get(&fabric_id).cloned()
    }

    /// Starts, restarts and ends watchers, so that every one of these fabrics has one of its present settings.
    pub fn reconcile(&self, shared: &Arc<Shared>, fabrics: &[Fabric]) {
        if !shared.settings.watch {
            return;
        }
        let wanted: HashMap<i64, &Fabric> = fabrics.iter().filter(|f| f.is_configured()).map(|f| (f.id, f)).collect();
        let mut watched = self.lock();
        watched.retain(|id, watched| {
            let stays = wanted.get(id).is_some_and(|fabric| fabric.version == watched.version);
            if !stays {
                watched.stop.cancel();
            }
            stays
        });
        for (id, fabric) in wanted {
            watched.entry(id).or_insert_with(|| {
                let begun = Arc::new(Watched {
                    version: fabric.version,
                    stop: CancellationToken::new(),
                    news: Notify::new(),
                    state: Mutex::default(),
                });
                let watch = watcher::run(shared.clone(), fabric.clone(), begun.clone());
                shared.tasks.spawn(store::in_background(watch));
                begun
            });
        }
    }

    /// Ends the watches of a fabric: it is gone, or its settings or its cluster are others now.
    pub fn forget(&self, fabric_id: i64) {
        if let Some(watched) = self.lock().remove(&fabric_id) {
            watched.stop.cancel();
        }
    }

    /// Whether what is known of a fabric bears times that are still to come.
    pub fn has_future_proof(&self, fabric_id: i64, now: Timestamp) -> bool {
        self.of(fabric_id)
            .is_some_and(|watched| watched.lock().index.as_ref().is_some_and(|index| index.has_future_proof(now)))
    }

    /// Takes in what lists have read.
    pub fn fold(&self, shared: &Shared, fabric: &Fabric, read: &Observation) {
        let Some(watched) = self.of(fabric.id).filter(|watched| watched.version == fabric.version) else { return };
        let mut state = watched.lock();
        let went_back = state.index.as_ref().is_some_and(|index| index.is_ahead_of(read));
        match &mut state.index {
            Some(index) if index.is_of(read) && !went_back => index.fold(read),
            _ => {
                state.index = Some(Index::new(read));
                state.beginnings += 1;
            }
        }
        state.listed_at = Some(Instant::now());
        drop(state);
        if went_back {
            tracing::warn!(
                fabric = fabric.id,
                "the cluster's versions went back, as after a restore from a backup; everything is read anew"
            );
            // What was judged by its version may have another form under the same version now; so may a CRD.
            shared.memories.forget(fabric.id);
            shared.connections.forget_kinds(fabric.id);
        }
        watched.news.notify_one();
    }

    /// A run begins to write to the fabric; there is never a second one.
    pub fn writing(&self, fabric_id: i64) -> Writing {
        let watched = self.of(fabric_id);
        if let Some(watched) = &watched {
            watched.lock().written_since = Some(Instant::now());
        }
        Writing(watched)
    }

    /// What lists would read now, known by the watches; `None` when only lists can tell.
    pub fn current(&self, shared: &Shared, fabric: &Fabric, kinds: &Arc<Kinds>) -> Option<Observation> {
        let watched = self.of(fabric.id).filter(|watched| watched.version == fabric.version)?;
        let state = watched.lock();
        let index = state.index.as_ref().filter(|index| index.is_whole() && Arc::ptr_eq(index.kinds(), kinds))?;
        let age = Duration::try_from(shared.now().duration_since(index.proof())).ok()?;
        let is_fresh = age < shared.settings.freshness / 2;
        let is_due = state.listed_at?.elapsed() >= shared.settings.compare_interval * LISTS_EACH;
        (is_fresh && !is_due).then(|| index.observation(shared.now()))
    }

    /// A comparison was stored, of this source.
    pub fn compared(&self, fabric_id: i64, desired: &Arc<Desired>, problems: &[Problem]) {
        if let Some(watched) = self.of(fabric_id) {
            let mut state = watched.lock();
            state.standing = Some(Standing { desired: desired.clone(), problems: problems.to_vec() });
            state.compared = true;
            drop(state);
            watched.news.notify_one();
        }
    }

    /// Whether the newest comparison was with this reading of the source.
    pub fn stands(&self, fabric_id: i64, desired: &Arc<Desired>) -> bool {
        let watched = self.of(fabric_id);
        watched
            .is_some_and(|w| w.lock().standing.as_ref().is_some_and(|standing| Arc::ptr_eq(&standing.desired, desired)))
    }

    /// A comparison failed. Until one succeeds, what the watches see does not end that.
    pub fn failed(&self, fabric_id: i64) {
        if let Some(watched) = self.of(fabric_id) {
            watched.lock().standing = None;
        }
    }
}
