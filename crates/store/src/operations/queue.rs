//! The queue: asking for an operation, claiming it under a lease, heartbeats, the end. Every change compares what it
//! changes (state and owner), so that a process that was taken for dead and comes back changes nothing.
//!
//! That only one operation at a time writes to a fabric is held by a unique index, not by this code.

use super::rows::operation;
use super::{Disposition, Enqueued, NewOperation, Operation, Operations};
use crate::row::{Columns, to_json};
use crate::sql::args;
use crate::statements::fabrics::LOCK;
use crate::statements::operations as st;
use crate::{Error, Result, Unique, commit};
use jiff::{SignedDuration, Timestamp};
use model::Code;
use model::operation::{OperationState, PhaseProgress, PhaseState};
use serde_json::Value;
use std::time::Duration;

/// Who runs an operation, and for how long it is believed to live without a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The process, by a name that no other process has.
    pub owner: String,
    /// How long.
    pub duration: Duration,
}

impl Lease {
    fn until(&self, now: Timestamp) -> Timestamp {
        later(now, self.duration)
    }
}

/// How often a claim looks again after another process was faster.
const CLAIM_TRIES: u32 = 20;

fn later(now: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| now.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// How an operation ended.
#[derive(Debug, Clone)]
pub struct Finish {
    /// A final state.
    pub state: OperationState,
    /// Why it did not succeed.
    pub code: Option<Code>,
    /// One sentence; empty when there is nothing to say.
    pub message: String,
    /// The object that the message is about.
    pub error_object: Option<String>,
    /// What came of it.
    pub result: Value,
    /// The phases as they ended.
    pub phases: Vec<PhaseProgress>,
}

/// What a request to end an operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelRequest {
    /// It waited and will not run.
    Ended,
    /// It runs and was told.
    Requested,
    /// It had been told before.
    RequestedBefore,
    /// It had ended before.
    AlreadyFinal,
}

impl Operations<'_> {
    /// Asks for an operation. The same key gives the operation that it got before; a request for what already waits or
    /// runs gets that one, when it writes; everything else is queued.
    ///
    /// A run that only reads is not shared in this way: one that began before the request may have read before it, and
    /// a background comparison is no sync.
    pub async fn enqueue(&self, new: NewOperation, now: Timestamp) -> Result<Enqueued> {
        let mut tx = self.0.writer(st::INSERT.doing).await?;
        let fabric = LOCK.one(&mut tx, "fabric", args![new.fabric_id]).await?;

        let key = new.idempotency_key.as_deref().filter(|k| !k.is_empty());
        if let Some(key) = key
            && let Some(row) = st::BY_KEY.optional(&mut tx, args![new.fabric_id, key]).await?
        {
            return Ok(Enqueued { operation: operation(&row)?, disposition: Disposition::SameKey });
        }
        let writes = new.writes && new.verb.writes();
        let same = match writes {
            true => {
                let args = args![new.fabric_id, new.verb.as_str(), &new.fingerprint];
                st::SAME_REQUEST.optional(&mut tx, args).await?
            }
            false => None,
        };
        let (operation, disposition) = match same {
            Some(row) => (operation(&row)?, Disposition::AlreadyRunning),
            None => {
                let limit = match new.time_limit {
                    Some(limit) => limit,
                    None => Duration::from_secs(fabric.unsigned("deadline_seconds")?),
                };
                let args = args![
                    new.fabric_id,
                    new.verb.as_str(),
                    writes,
                    &new.actor,
                    new.actor_user_id,
                    new.trigger.as_str(),
                    &new.request_id,
                    &new.fingerprint,
                    to_json("options", &new.options)?,
                    new.shown_comparison_id,
                    &new.commit,
                    to_json("phases", &new.phases)?,
                    now,
                    i64::try_from(limit.as_micros()).unwrap_or(i64::MAX / 4).clamp(1, i64::MAX / 4)
                ];
                let id = st::INSERT.one(&mut tx, "operation", args).await?.int("id")?;
                (operation(&st::GET.one(&mut tx, "operation", args![id]).await?)?, Disposition::New)
            }
        };
        if let Some(key) = key {
            st::KEEP_KEY.run(&mut tx, args![operation.fabric_id, key, operation.id, now]).await?;
        }
        commit(tx, st::INSERT.doing).await?;
        Ok(Enqueued { operation, disposition })
    }

    /// Claims the oldest operation that may run now, of one fabric or of any: queued becomes running, under the lease.
    /// `None` when there is nothing to do.
    pub async fn claim(&self, fabric_id: Option<i64>, lease: &Lease, now: Timestamp) -> Result<Option<Operation>> {
        for _ in 0..CLAIM_TRIES {
            let mut tx = self.0.writer(st::CLAIM.doing).await?;
            let args = args![fabric_id.unwrap_or(0), now, &lease.owner, lease.until(now)];
            let claimed = match st::CLAIM.optional(&mut tx, args).await {
                // Another process began to write to the same fabric in the same moment. Look again: something else may
                // be left.
                Err(Error::Conflict(Unique::OneWriter)) => continue,
                claimed => claimed?,
            };
            let Some(row) = claimed else { return Ok(None) };
            let claimed = operation(&st::GET.one(&mut tx, "operation", args![row.int("id")?]).await?)?;
            commit(tx, st::CLAIM.doing).await?;
            return Ok(Some(claimed));
        }
        // Others claim as fast as this one looks. The next round comes anyway.
        Ok(None)
    }

    /// Says that the process lives. `false`: the lease was lost, and whatever the process still does is nobody's.
    pub async fn heartbeat(&self, id: i64, lease: &Lease, now: Timestamp) -> Result<bool> {
        self.change(st::HEARTBEAT, args![id, &lease.owner, now, lease.until(now)]).await
    }

    /// Stores the phases. `false`: the lease was lost.
    pub async fn save_progress(&self, id: i64, owner: &str, phases: &[PhaseProgress]) -> Result<bool> {
        self.change(st::SAVE_PROGRESS, args![id, owner, to_json("phases", phases)?]).await
    }

    /// Stores which commit is delivered, once it is resolved. `false`: the lease was lost.
    pub async fn set_commit(&self, id: i64, owner: &str, commit_id: &str) -> Result<bool> {
        self.change(st::SET_COMMIT, args![id, owner, commit_id]).await
    }

    /// Ends an operation. `false`: the lease was lost, and the operation has another end.
    pub async fn finish(&self, id: i64, owner: &str, end: &Finish, now: Timestamp) -> Result<bool> {
        if !end.state.is_final() {
            return Err(Error::Invalid("operations_end_is_final".to_owned()));
        }
        let args = args![
            id,
            owner,
            end.state.as_str(),
            end.code.map(Code::as_str),
            &end.message,
            &end.error_object,
            to_json("result", &end.result)?,
            to_json("phases", &end.phases)?,
            now
        ];
        self.change(st::FINISH, args).await
    }

    /// Asks an operation to end: one that waits ends at once, one that runs is told.
    pub async fn request_cancel(&self, id: i64, by: &str, now: Timestamp) -> Result<CancelRequest> {
        let mut tx = self.0.writer(st::CANCEL_RUNNING.doing).await?;
        let message = format!("Cancelled by {by} before it began.");
        let came_to = if st::CANCEL_QUEUED.run(&mut tx, args![id, now, by, message]).await? > 0 {
            CancelRequest::Ended
        } else if st::CANCEL_RUNNING.run(&mut tx, args![id, now, by]).await? > 0 {
            CancelRequest::Requested
        } else if operation(&st::GET.one(&mut tx, "operation", args![id]).await?)?.state.is_final() {
            CancelRequest::AlreadyFinal
        } else {
            CancelRequest::RequestedBefore
        };
        commit(tx, st::CANCEL_RUNNING.doing).await?;
        Ok(came_to)
    }

    /// Marks the operations whose lease has expired as interrupted, with a sentence and with phases that no longer
    /// claim to run. Gives them as they are now.
    pub async fn interrupt_expired(&self, now: Timestamp) -> Result<Vec<Operation>> {
        let mut conn = self.0.reader(st::EXPIRED.doing).await?;
        if st::EXPIRED.all(&mut conn, args![now]).await?.is_empty() {
            return Ok(Vec::new());
        }
        drop(conn);
        let mut tx = self.0.writer(st::INTERRUPT.doing).await?;
        let mut interrupted = Vec::new();
        for row in st::EXPIRED.all(&mut tx, args![now]).await? {
            let mut died = operation(&row)?;
            end_phases(&mut died.phases, now);
            let message = format!(
                "The process that ran this stopped answering{}. What it wrote before stays; start it again, it begins \
                 by looking at the cluster.",
                died.phases
                    .iter()
                    .find(|p| p.state == PhaseState::Failed)
                    .map(|p| format!(" during \"{}\"", p.phase.title()))
                    .unwrap_or_default()
            );
            let args = args![died.id, now, message, to_json("phases", &died.phases)?];
            if st::INTERRUPT.run(&mut tx, args).await? > 0 {
                interrupted.push(operation(&st::GET.one(&mut tx, "operation", args![died.id]).await?)?);
            }
        }
        commit(tx, st::INTERRUPT.doing).await?;
        Ok(interrupted)
    }

    /// Deletes a fabric's scheduled operations that ended before `before`, but for those that its status is derived
    /// from. What people asked for stays.
    pub async fn prune(&self, fabric_id: i64, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(st::PRUNE.doing).await?;
        let rows = st::PRUNE.run(&mut tx, args![fabric_id, before]).await?;
        st::PURGE_KEYS.run(&mut tx, args![before]).await?;
        commit(tx, st::PRUNE.doing).await?;
        Ok(rows)
    }

    async fn change(&self, statement: &'static crate::sql::Statement, args: Vec<crate::sql::Arg>) -> Result<bool> {
        let mut tx = self.0.writer(statement.doing).await?;
        let rows = statement.run(&mut tx, args).await?;
        commit(tx, statement.doing).await?;
        Ok(rows > 0)
    }
}

/// A phase that ran has failed, one that waited will not run.
fn end_phases(phases: &mut [PhaseProgress], now: Timestamp) {
    for phase in phases {
        match phase.state {
            PhaseState::Running => {
                phase.state = PhaseState::Failed;
                phase.ended_at = Some(now);
            }
            PhaseState::Waiting => phase.state = PhaseState::Skipped,
            PhaseState::Done | PhaseState::Partial | PhaseState::Failed | PhaseState::Skipped => {}
        }
    }
}
