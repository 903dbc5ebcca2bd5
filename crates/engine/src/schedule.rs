//! The background comparison: every fabric with a cluster is compared once an interval, each in a task of its own, so
//! that a cluster which accepts and never answers holds up nobody else.

use crate::{Error, Shared, verbs};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::{Fabric, Page, Scope};
use tokio::time::Instant;

/// How often the list of fabrics is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After a sync the switches are followed more closely for a while.
const AFTER_SYNC: [u64; 5] = [3, 8, 15, 30, 45];

#[derive(Default)]
pub(crate) struct Schedule {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    due: HashMap<i64, Vec<Instant>>,
    busy: HashSet<i64>,
}

impl Schedule {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares a fabric at once.
    pub fn now(&self, fabric_id: i64) {
        self.lock().due.entry(fabric_id).or_default().push(Instant::now());
    }

    /// Compares a fabric a few times in the coming minute: the switches are taking something over.
    pub fn soon(&self, fabric_id: i64) {
        let now = Instant::now();
        let times = AFTER_SYNC.iter().map(|s| now + Duration::from_secs(*s));
        self.lock().due.entry(fabric_id).or_default().extend(times);
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        self.lock().due.remove(&fabric_id);
    }

    /// Whether a fabric is due; the first look at a fabric is due within a few seconds, spread by its id.
    fn is_due(&self, fabric_id: i64, interval: Duration) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        if state.busy.contains(&fabric_id) {
            return false;
        }
        let spread = Duration::from_millis(u64::try_from(fabric_id.rem_euclid(20)).unwrap_or(0) * 100);
        let times = state.due.entry(fabric_id).or_insert_with(|| vec![now + spread]);
        if !times.iter().any(|t| *t <= now) {
            return false;
        }
        times.retain(|t| *t > now);
        // A tenth of jitter by id keeps many fabrics from marching in step.
        let jitter = interval.mul_f64(0.1 * f64::from(u8::try_from(fabric_id.rem_euclid(10)).unwrap_or(0)) / 10.0);
        times.push(now + interval - jitter);
        state.busy.insert(fabric_id);
        true
    }
}

/// Looks for fabrics that are due until the engine stops.
pub(crate) async fn serve(shared: Arc<Shared>) {
    loop {
        match due(&shared).await {
            Ok(fabrics) => {
                for fabric in fabrics {
                    let shared = shared.clone();
                    shared.clone().tasks.spawn(async move { compare(&shared, fabric).await });
                }
            }
            Err(e) => tracing::warn!(error = %e, "the list of fabrics could not be read; trying again"),
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn due(shared: &Arc<Shared>) -> Result<Vec<Fabric>, Error> {
    let fabrics = shared.store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await?.rows;
    let interval = shared.settings.compare_interval;
    Ok(fabrics.into_iter().filter(|f| f.is_configured() && shared.schedule.is_due(f.id, interval)).collect())
}

async fn compare(shared: &Arc<Shared>, fabric: Fabric) {
    let limit = shared.settings.compare_interval.max(Duration::from_secs(30));
    let work = tokio::time::timeout(limit, verbs::background(shared, &fabric));
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        done = work => match done {
            Ok(Ok(())) => {}
            Ok(Err(e)) => tracing::info!(fabric = fabric.id, code = %e.code, error = %e, "background comparison failed"),
            Err(_) => {
                let message = format!("The comparison did not end within {} s.", limit.as_secs());
                let error = Error::new(model::Code::KubernetesTimeout, message);
                let (at, trigger) = (shared.now(), model::operation::Trigger::Schedule);
                if let Err(e) = crate::comparing::failed(shared, fabric.id, None, trigger, at, &error).await {
                    tracing::warn!(fabric = fabric.id, error = %e, "a failed comparison could not be stored");
                }
            }
        }
    }
    shared.schedule.lock().busy.remove(&fabric.id);
}
