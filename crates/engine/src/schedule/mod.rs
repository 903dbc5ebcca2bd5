//! What happens by itself: every fabric with a cluster is compared once an interval ([`turns`] says whose turn it is), and
//! what its policy says follows from what that found ([`automatic`]).
//!
//! Each comparison is a task of its own. Whatever becomes of it, an error, a panic, a deleted fabric, a store that is
//! away, the next one comes.

pub(crate) mod automatic;
mod standing;
mod turns;
mod wall;

pub use standing::{Automation, LastRun, Standoff};

use crate::{Error, Shared, verbs};
use automatic::Wants;
use model::Code;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::fabrics::FabricFilter;
use store::{Fabric, Page, Scope};
use tokio::sync::Notify;
use tokio::time::Instant;
use turns::{Limits, Turns};
use wall::Wall;

/// How often the list of fabrics is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After a sync the switches are followed more closely for a while.
const AFTER_SYNC: [u64; 5] = [3, 8, 15, 30, 45];
/// Comparisons at once of fabrics whose cluster did not answer, for each place of those that do.
const DOUBTFUL: usize = 2;

/// What is known of the turns in this process. Nothing of it has to survive: what does is in the store.
#[derive(Default)]
pub(crate) struct Schedule {
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    turns: Turns,
    wants: Wants,
    wall: Wall,
    /// The slot of automatic syncs for which a comparison was asked last.
    slots: HashMap<i64, jiff::Timestamp>,
    /// The fabrics that there were at the last look.
    fabrics: HashSet<i64>,
}

impl Schedule {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares a fabric at once: its settings changed, or somebody saw that it drifted.
    pub fn now(&self, fabric_id: i64) {
        self.also(fabric_id, &[0]);
    }

    /// Compares a fabric a few times in the coming minute: the switches are taking something over.
    pub fn soon(&self, fabric_id: i64) {
        self.also(fabric_id, &AFTER_SYNC);
    }

    fn also(&self, fabric_id: i64, seconds: &[u64]) {
        let now = Instant::now();
        self.lock().turns.ask(fabric_id, seconds.iter().map(|s| now + Duration::from_secs(*s)), now);
        self.wake.notify_one();
    }

    /// Compares a fabric once more after a while.
    fn after(&self, fabric_id: i64, pause: Duration) {
        let now = Instant::now();
        self.lock().turns.once_more(fabric_id, now + pause, now);
    }

    /// Takes in which fabrics there are, and gives those that there were before and are no more.
    fn gone(&self, fabrics: &[Fabric]) -> Vec<i64> {
        let now: HashSet<i64> = fabrics.iter().map(|fabric| fabric.id).collect();
        let before = std::mem::replace(&mut self.lock().fabrics, now.clone());
        before.difference(&now).copied().collect()
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        let mut state = self.lock();
        state.turns.forget(fabric_id);
        state.wants.forget(fabric_id);
        state.slots.remove(&fabric_id);
    }
}

fn limits(shared: &Shared) -> Limits {
    let parallel = shared.settings.parallel_comparisons.max(1);
    Limits { interval: shared.settings.compare_interval, parallel, doubtful: parallel * DOUBTFUL }
}

/// A comparison under way. However it ends, also in a panic, the fabric's next one can begin.
struct Turn {
    shared: Arc<Shared>,
    fabric_id: i64,
    answered: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let limits = limits(&self.shared);
        self.shared.schedule.lock().turns.done(self.fabric_id, self.answered, &limits, Instant::now());
        self.shared.schedule.wake.notify_one();
    }
}

/// Looks for what is due until the engine stops. A defect in one look does not end the looking.
pub(crate) async fn serve(shared: Arc<Shared>) {
    while let Err(e) = tokio::spawn(store::in_background(looking(shared.clone()))).await {
        tracing::error!(error = %e, "the schedule broke off; it goes on");
        tokio::time::sleep(LOOK).await;
    }
}

async fn looking(shared: Arc<Shared>) {
    loop {
        match look(&shared).await {
            Ok(()) => {}
            // That the database is away is said where it is noticed, once.
            Err(e) if e.code == Code::StoreUnavailable => {}
            Err(e) => tracing::warn!(error = %e, "the fabrics that are due could not be found; trying again"),
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
            // A place is free, or somebody asked; those that come together are one look.
            () = shared.schedule.wake.notified() => tokio::time::sleep(LOOK / 20).await,
        }
    }
}

async fn look(shared: &Arc<Shared>) -> Result<(), Error> {
    let fabrics = shared.store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await?.rows;
    // Another process may have been asked to delete it.
    for gone in shared.schedule.gone(&fabrics) {
        shared.forget_fabric(gone).await;
    }
    let (now, at) = (shared.now(), Instant::now());
    let back = shared.schedule.lock().wall.back(now, at);
    if let Some(by) = back {
        tracing::warn!(seconds = by.as_secs(), "the system's clock was put back; every cluster is read anew");
    }
    // What watches have proved bears the times of before; beginning anew they list, and prove it again. A clock that went
    // ahead and back between two looks is known by what it left behind.
    let is_untimely = |fabric: &&Fabric| back.is_some() || shared.watching.has_future_proof(fabric.id, now);
    for fabric in fabrics.iter().filter(|fabric| fabric.is_configured()).filter(is_untimely) {
        shared.watching.forget(fabric.id);
        shared.schedule.now(fabric.id);
    }
    shared.watching.reconcile(shared, &fabrics);
    for id in begin(shared, &fabrics) {
        let shared = shared.clone();
        shared.clone().tasks.spawn(store::in_background(async move { compare(&shared, id).await }));
    }
    automatic::begin_what_waits(shared).await
}

/// The fabrics whose comparison begins now.
fn begin(shared: &Shared, fabrics: &[Fabric]) -> Vec<i64> {
    let (now, at) = (Instant::now(), shared.now());
    let configured = || fabrics.iter().filter(|fabric| fabric.is_configured());
    let ids: Vec<i64> = configured().map(|fabric| fabric.id).collect();
    let known: HashSet<i64> = fabrics.iter().map(|fabric| fabric.id).collect();
    let mut state = shared.schedule.lock();
    state.turns.keep(&known);
    state.wants.keep(&known);
    state.slots.retain(|id, _| known.contains(id));
    for fabric in configured() {
        // A slot of automatic syncs begins with a comparison: it says whether there is anything to do.
        if let Some(slot) = fabric.policy.slot(fabric.id, at)
            && state.slots.insert(fabric.id, slot).is_some_and(|before| before != slot)
        {
            state.turns.once_more(fabric.id, now, now);
        }
    }
    state.turns.take(&ids, &limits(shared), now)
}

async fn compare(shared: &Arc<Shared>, fabric_id: i64) {
    let mut turn = Turn { shared: shared.clone(), fabric_id, answered: false };
    // As it is now: the list was read before its turn came. Without it there is nothing to compare, nor to tell.
    let Ok(fabric) = shared.store.fabrics().get(&Scope::System, fabric_id).await else { return };
    // Git's own limit passes before this one, so that whoever waits for Git is told so.
    let limit = shared.settings.compare_interval.max(Duration::from_secs(30)) + shared.settings.fetch_timeout;
    tokio::select! {
        () = shared.stopping.cancelled() => {}
        done = tokio::time::timeout(limit, verbs::background(shared, &fabric)) => match done {
            Ok(Ok(compared)) => {
                turn.answered = true;
                shared.places.note(fabric_id, None);
                if let Err(e) = automatic::compared(shared, &fabric, &compared).await {
                    tracing::warn!(fabric = fabric_id, error = %e, "what the policy says could not be done; it is tried again");
                }
            }
            // What came of it is stored, counted and noted there.
            Ok(Err(e)) => {
                turn.answered = !is_silent(e.code);
                shared.places.note(fabric_id, Some(e.code));
            }
            Err(_) => {
                let message = format!("The comparison did not end within {} s.", limit.as_secs());
                let error = Error::new(Code::KubernetesTimeout, message);
                shared.places.note(fabric_id, Some(error.code));
                shared.notes.compared(&fabric, Err(&error));
                let (at, trigger) = (shared.now(), model::operation::Trigger::Schedule);
                if let Err(e) = crate::comparing::failed(shared, fabric_id, None, trigger, at, &error).await {
                    tracing::warn!(fabric = fabric_id, error = %e, "a failed comparison could not be stored");
                }
            }
        }
    }
}

/// Whether a failure means that nobody answered, or that the answer took the time of many.
pub(crate) fn is_silent(code: Code) -> bool {
    matches!(
        code,
        Code::ConnectionFailed
            | Code::KubernetesUnavailable
            | Code::KubernetesTimeout
            | Code::SourceUnreachable
            | Code::SourceTimeout
    )
}
