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
    due: HashMap<i64, Due>,
    busy: HashSet<i64>,
}

/// When a fabric is compared next.
struct Due {
    /// Once an interval.
    regular: Instant,
    /// Besides, each time once.
    extra: Vec<Instant>,
}

impl Schedule {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares a fabric at once.
    pub fn now(&self, fabric_id: i64) {
        self.also(fabric_id, &[0], Instant::now());
    }

    /// Compares a fabric a few times in the coming minute: the switches are taking something over.
    pub fn soon(&self, fabric_id: i64) {
        self.also(fabric_id, &AFTER_SYNC, Instant::now());
    }

    fn also(&self, fabric_id: i64, seconds: &[u64], now: Instant) {
        let mut state = self.lock();
        let due = state.due.entry(fabric_id).or_insert_with(|| Due { regular: now, extra: Vec::new() });
        // The last press says how long to follow; those before are within its time.
        due.extra = seconds.iter().map(|s| now + Duration::from_secs(*s)).collect();
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        self.lock().due.remove(&fabric_id);
    }

    /// Whether a fabric is due; the first look at a fabric is due within a few seconds, spread by its id. Who gets
    /// `true` calls [`Self::done`] when the comparison has ended.
    fn begin(&self, fabric_id: i64, interval: Duration, now: Instant) -> bool {
        let mut state = self.lock();
        if state.busy.contains(&fabric_id) {
            return false;
        }
        let spread = Duration::from_millis(u64::try_from(fabric_id.rem_euclid(20)).unwrap_or(0) * 100);
        let due = state.due.entry(fabric_id).or_insert_with(|| Due { regular: now + spread, extra: Vec::new() });
        if due.regular > now && due.extra.iter().all(|at| *at > now) {
            return false;
        }
        due.extra.retain(|at| *at > now);
        // A tenth of jitter by id keeps many fabrics from marching in step.
        let jitter = interval.mul_f64(0.1 * f64::from(u8::try_from(fabric_id.rem_euclid(10)).unwrap_or(0)) / 10.0);
        due.regular = now + interval - jitter;
        state.busy.insert(fabric_id);
        true
    }

    fn done(&self, fabric_id: i64) {
        self.lock().busy.remove(&fabric_id);
    }
}

/// A comparison under way. However it ends, also in a panic, the fabric's next one can begin.
struct Turn {
    shared: Arc<Shared>,
    fabric_id: i64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.schedule.done(self.fabric_id);
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
            // That the database is away is said where it is noticed, once.
            Err(e) if e.code == model::Code::StoreUnavailable => {}
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
    Ok(fabrics
        .into_iter()
        .filter(|f| f.is_configured() && shared.schedule.begin(f.id, interval, Instant::now()))
        .collect())
}

async fn compare(shared: &Arc<Shared>, fabric: Fabric) {
    let _turn = Turn { shared: shared.clone(), fabric_id: fabric.id };
    let limit = shared.settings.compare_interval.max(Duration::from_secs(30));
    let work = tokio::time::timeout(limit, verbs::background(shared, &fabric));
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        done = work => match done {
            // What came of it is stored, counted and noted there.
            Ok(_) => {}
            Err(_) => {
                let message = format!("The comparison did not end within {} s.", limit.as_secs());
                let error = Error::new(model::Code::KubernetesTimeout, message);
                shared.notes.compared(&fabric, Err(&error));
                let (at, trigger) = (shared.now(), model::operation::Trigger::Schedule);
                if let Err(e) = crate::comparing::failed(shared, fabric.id, None, trigger, at, &error).await {
                    tracing::warn!(fabric = fabric.id, error = %e, "a failed comparison could not be stored");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// How often a fabric is compared within a time, when each comparison takes no time.
    fn times(schedule: &Schedule, from: Instant, seconds: u64) -> usize {
        let began = |second: &u64| {
            let due = schedule.begin(7, MINUTE, from + Duration::from_secs(*second));
            schedule.done(7);
            due
        };
        (0..seconds).filter(began).count()
    }

    #[test]
    fn once_an_interval_and_closer_only_for_a_while_after_each_sync() {
        let (schedule, start) = (Schedule::default(), Instant::now());
        let quiet = times(&schedule, start, 600);
        assert!((10..=11).contains(&quiet), "{quiet} comparisons in ten minutes");
        let mut from = start + 10 * MINUTE;
        for sync in 0..20 {
            schedule.also(7, &AFTER_SYNC, from);
            let after = times(&schedule, from, 120);
            assert!((5..=8).contains(&after), "{after} in the two minutes after sync {sync}");
            from += 2 * MINUTE;
        }
        let quiet = times(&schedule, from, 600);
        assert!((10..=11).contains(&quiet), "{quiet} comparisons in ten minutes, long after the last sync");
    }

    #[test]
    fn one_at_a_time() {
        let (schedule, now) = (Schedule::default(), Instant::now());
        schedule.also(7, &[0], now);
        assert!(schedule.begin(7, MINUTE, now));
        schedule.also(7, &[0], now);
        assert!(!schedule.begin(7, MINUTE, now), "one is under way");
        schedule.done(7);
        assert!(schedule.begin(7, MINUTE, now), "what was asked for meanwhile comes after it");
    }
}
