//! Claiming operations and carrying each to its end: lease, heartbeat, deadline, cancel. Which of those that wait is next
//! is decided in `places`, what becomes of a dead process's operations in `leases`, how a run ends in `ending`.

use crate::ending::{self, End};
use crate::places::Place;
use crate::run::Run;
use crate::{Error, Shared, verbs};
use futures::FutureExt;
use model::Code;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use store::Operation;
use store::operations::Waiting;
use tokio::time::Instant;

/// How often progress is written.
const TICK: Duration = Duration::from_millis(250);
/// How often the queue is looked at without being woken.
const LOOK: Duration = Duration::from_secs(1);

/// Takes queued operations and runs each in a task of its own, until the engine stops.
pub(crate) async fn serve(shared: Arc<Shared>) {
    loop {
        // That the database is away is said where it is noticed, once.
        if let Err(e) = take_all(&shared).await
            && e.code != Code::StoreUnavailable
        {
            tracing::warn!(error = %e, "the queue of operations could not be read; trying again");
        }
        tokio::select! {
            () = shared.stopping.cancelled() => return,
            () = shared.wake.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn take_all(shared: &Arc<Shared>) -> Result<(), Error> {
    // What another process was faster with, or what may not run after all: not again in this round.
    let mut missed = HashSet::new();
    while !shared.stopping.is_cancelled() {
        let mut waiting = shared.store.operations().waiting().await?;
        waiting.retain(|waiting| !missed.contains(&waiting.id));
        let asked = Instant::now();
        let Some(next) = shared.places.next(&waiting, asked) else { break };
        match shared.store.operations().claim(next.id, &shared.lease, shared.now()).await? {
            Some(operation) => begin(shared, operation, next, asked),
            None => {
                missed.insert(next.id);
            }
        }
    }
    Ok(())
}

/// Runs a claimed operation in a task of its own.
fn begin(shared: &Arc<Shared>, operation: Operation, of: Waiting, asked: Instant) {
    let place = shared.places.take(of);
    let seat = Seat { shared: shared.clone(), of };
    let run = Run::new(shared.clone(), operation, place, asked);
    shared.tasks.spawn(async move {
        carry(&run).await;
        drop(seat);
    });
}

/// The place of an operation, left however it ends, also in a panic.
struct Seat {
    shared: Arc<Shared>,
    of: Waiting,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Self { shared, of } = self;
        shared.places.leave(of.id);
        shared.cancelled_by(of.id);
        shared.wake.notify_one();
        if of.writes {
            shared.schedule.soon(of.fabric_id);
        }
    }
}

async fn carry(run: &Run) {
    let place: &Place = &run.place;
    // The lease and the end are nobody's background: a run that cannot store them is given up.
    let work = AssertUnwindSafe(store::in_background(verbs::run(run))).catch_unwind();
    let end = tokio::select! {
        // In this order: a process that was stopped for a while must not send one more write before it notices.
        biased;
        () = run.hold.passed() => End::HoldPassed,
        result = work => End::Verb(result.unwrap_or_else(|_| {
            Err(Error::new(Code::Internal, "The run broke off by a defect in Hedgerow; the log says where."))
        })),
        () = place.cancel.cancelled() => End::Cancelled,
        () = tokio::time::sleep_until(run.deadline) => End::DeadlinePassed,
        () = run.shared.stopping.cancelled() => End::Stopping,
        () = keep_alive(run) => End::LeaseLost,
        () = store::in_background(report(run)) => End::LeaseLost,
    };
    if matches!(end, End::LeaseLost) {
        tracing::warn!(operation = run.operation.id, fabric = run.operation.fabric_id,
            request_id = %run.operation.request_id, "its lease was lost; another process has taken over");
        return;
    }
    let last = ending::conclude(run, end);
    ending::store(run, last).await;
}

/// Renews the lease; returns when it is lost. A heartbeat that fails is sent again soon: there are a few tries before the
/// hold passes.
async fn keep_alive(run: &Run) {
    let shared = &run.shared;
    let operations = shared.store.operations();
    let (often, soon) = (shared.lease.duration / 4, shared.lease.duration / 16);
    loop {
        let (asked, at) = (Instant::now(), shared.now());
        run.hold.beat(asked);
        let beat = operations.heartbeat(run.operation.id, &shared.lease, at);
        match tokio::time::timeout(shared.lease.duration / 3, beat).await {
            Ok(Ok(true)) => {
                run.hold.renew(asked, at);
                tokio::time::sleep(often).await;
                continue;
            }
            Ok(Ok(false)) => return,
            Ok(Err(e)) => tracing::warn!(operation = run.operation.id, error = %e, "the lease could not be renewed"),
            Err(_) => tracing::warn!(operation = run.operation.id, "the database did not answer a heartbeat in time"),
        }
        tokio::time::sleep(soon).await;
    }
}

/// Writes progress; returns when the lease is lost.
async fn report(run: &Run) {
    let (mut failures, mut is_paused) = (0_u32, false);
    loop {
        tokio::time::sleep(TICK).await;
        // The cluster's own client waits out a 429: here it is seen.
        let pause = run.shared.connections.pause_of(run.operation.fabric_id);
        match pause {
            Some(rest) => run.pauses(rest),
            None if is_paused => run.goes_on(),
            None => {}
        }
        is_paused = pause.is_some();
        match run.flush().await {
            Ok(true) => failures = 0,
            Ok(false) => return,
            Err(e) => {
                if failures == 0 {
                    tracing::warn!(operation = run.operation.id, error = %e, "progress could not be stored; trying again");
                }
                failures = failures.saturating_add(1);
            }
        }
    }
}
