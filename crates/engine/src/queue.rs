//! Claiming operations and carrying them to their end: lease, heartbeat, deadline, cancel.

use crate::events::Event;
use crate::run::{Finished, Run};
use crate::{Error, Shared, verbs};
use model::Code;
use model::operation::{OperationState, OutcomeKind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use store::Operation;
use tokio_util::sync::CancellationToken;

/// How often progress is written and a cancel from another process is noticed.
const TICK: Duration = Duration::from_millis(250);
/// How often the queue is looked at without being woken.
const LOOK: Duration = Duration::from_secs(2);

/// Takes queued operations and runs each in a task of its own, until the engine stops.
pub(crate) async fn serve(shared: Arc<Shared>) {
    loop {
        if let Err(e) = take_all(&shared).await {
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
    for operation in shared.store.operations().interrupt_expired(shared.now()).await? {
        tracing::warn!(operation = operation.id, "its lease expired: the process that ran it died");
        shared.events.send(operation.fabric_id, Event::Operation { id: operation.id });
        shared.schedule.now(operation.fabric_id);
    }
    while !shared.stopping.is_cancelled() {
        let now = shared.now();
        let Some(operation) = shared.store.operations().claim(None, &shared.lease, now).await? else { break };
        let cancel = CancellationToken::new();
        shared.running.lock().unwrap_or_else(PoisonError::into_inner).insert(operation.id, cancel.clone());
        let shared = shared.clone();
        shared.clone().tasks.spawn(async move {
            let (id, fabric_id, writes) = (operation.id, operation.fabric_id, operation.writes);
            carry(Run::new(shared.clone(), operation), cancel).await;
            shared.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            shared.wake.notify_one();
            if writes {
                shared.schedule.soon(fabric_id);
            }
        });
    }
    Ok(())
}

/// How a run was ended.
enum End {
    Verb(Result<Finished, Error>),
    Cancelled,
    DeadlinePassed,
    LeaseLost,
    Stopping,
}

async fn carry(run: Run, cancel: CancellationToken) {
    let id = run.operation.id;
    let deadline = remaining(&run.operation, run.now());
    let end = tokio::select! {
        result = verbs::run(&run) => End::Verb(result),
        () = cancel.cancelled() => End::Cancelled,
        () = tokio::time::sleep(deadline) => End::DeadlinePassed,
        () = run.shared.stopping.cancelled() => End::Stopping,
        () = keep_alive(&run, &cancel) => End::LeaseLost,
    };
    if matches!(end, End::LeaseLost) {
        tracing::warn!(operation = id, "its lease was lost; another process has taken over");
        return;
    }
    let last_word = conclude(&run, end);
    // A database that is gone for a while must not lose the end of an operation: it is tried until the lease is over.
    for pause in [0_u64, 200, 500, 1000, 2000, 4000] {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        match finish(&run, &last_word).await {
            Ok(_) => return,
            Err(e) => tracing::warn!(operation = id, error = %e, "the end of the operation could not be stored yet"),
        }
    }
    tracing::error!(operation = id, "the end of the operation could not be stored; its lease will expire");
}

async fn finish(run: &Run, last: &LastWord) -> Result<(), Error> {
    run.flush().await?;
    let shared = &run.shared;
    let end = store::operations::Finish {
        state: last.state,
        code: last.finished.code,
        message: last.finished.message.clone(),
        error_object: last.finished.object.clone(),
        result: last.finished.result.clone(),
        phases: run.phases(),
    };
    shared.store.operations().finish(run.operation.id, &shared.lease.owner, &end, run.now()).await?;
    shared.events.send(run.operation.fabric_id, Event::Operation { id: run.operation.id });
    tracing::info!(operation = run.operation.id, fabric = run.operation.fabric_id, verb = %run.operation.verb,
        state = %last.state, code = last.finished.code.map(Code::as_str), "operation ended");
    Ok(())
}

struct LastWord {
    state: OperationState,
    finished: Finished,
}

fn conclude(run: &Run, end: End) -> LastWord {
    let word = |state, code: Code, message: String| LastWord {
        state,
        finished: Finished { message, code: Some(code), ..Finished::default() },
    };
    let done = || {
        let outcomes = run.outcomes();
        let wrote =
            outcomes.iter().filter(|o| matches!(o.outcome, OutcomeKind::Created | OutcomeKind::Updated)).count();
        let left = outcomes.iter().filter(|o| o.outcome == OutcomeKind::NotAttempted).count();
        match (wrote, left) {
            (0, _) => "Nothing had been written.".to_owned(),
            (w, l) => format!("Until then {w} objects had been written, {l} had not."),
        }
    };
    let last = match end {
        End::Verb(Ok(finished)) => {
            let state = match finished.code {
                None => OperationState::Succeeded,
                Some(_) if finished.failed => OperationState::Failed,
                Some(_) => OperationState::Partial,
            };
            LastWord { state, finished }
        }
        End::Verb(Err(e)) => LastWord {
            state: OperationState::Failed,
            finished: Finished { message: e.message, code: Some(e.code), object: e.object, ..Finished::default() },
        },
        End::Cancelled => {
            let by = run.shared.cancelled_by(run.operation.id);
            word(OperationState::Cancelled, Code::Cancelled, format!("Cancelled by {by}. {}", done()))
        }
        End::DeadlinePassed => word(
            OperationState::TimedOut,
            Code::DeadlineExceeded,
            format!("The deadline of the operation passed. {}", done()),
        ),
        End::Stopping => word(
            OperationState::Interrupted,
            Code::Interrupted,
            format!("Hedgerow was stopped while it ran. {}", done()),
        ),
        End::LeaseLost => word(OperationState::Interrupted, Code::Interrupted, String::new()),
    };
    if let Some(code) = last.finished.code {
        run.leave_rest("Not tried, because the operation ended before.", code);
    }
    run.close_open_phases(&last.finished.message);
    last
}

/// Writes progress and renews the lease; returns when the lease is lost. Notices a cancel that came by another process.
async fn keep_alive(run: &Run, cancel: &CancellationToken) {
    let shared = &run.shared;
    let id = run.operation.id;
    let mut beat = tokio::time::Instant::now();
    loop {
        tokio::time::sleep(TICK).await;
        // The lease runs by the clock, whatever a busy database makes of the ticks between.
        if beat.elapsed() < shared.settings.lease / 4 {
            match run.flush().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(e) => tracing::warn!(operation = id, error = %e, "progress could not be stored"),
            }
            continue;
        }
        beat = tokio::time::Instant::now();
        match shared.store.operations().heartbeat(id, &shared.lease, shared.now()).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(e) => tracing::warn!(operation = id, error = %e, "the lease could not be renewed"),
        }
        if let Ok(Some(by)) = shared.store.operations().get(id).await.map(|o| o.cancel_requested_by) {
            shared.note_cancel(id, &by);
            cancel.cancel();
        }
    }
}

fn remaining(operation: &Operation, now: jiff::Timestamp) -> Duration {
    operation
        .deadline_at
        .and_then(|at| Duration::try_from(at.duration_since(now)).ok())
        .unwrap_or(if operation.deadline_at.is_some() { Duration::ZERO } else { operation.time_limit })
}
