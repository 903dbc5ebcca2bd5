//! The queue: asking for an operation, claiming it under a lease, its progress, its end. Every change compares what it
//! changes (state and owner), so that a process that was taken for dead and comes back changes nothing.
//!
//! That only one operation at a time writes to a fabric is held by a unique index, not by this code.

use super::rows::operation;
use super::{Disposition, Enqueued, Lease, NewOperation, Operation, Operations};
use crate::row::{Columns, to_json};
use crate::sql::args;
use crate::statements::fabrics::LOCK;
use crate::statements::operations as st;
use crate::{Error, Result, Unique, commit};
use jiff::Timestamp;
use model::Code;
use model::operation::{OperationState, PhaseProgress};
use serde_json::Value;
use std::time::Duration;

/// A fabric has operations that wait and may run now; this is the oldest of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The operation.
    pub id: i64,
    /// Its fabric.
    pub fabric_id: i64,
    /// Whether it writes to the cluster.
    pub writes: bool,
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

    /// What may run now: of each fabric the oldest operation that reads, and the oldest that writes unless another one
    /// writes already. Oldest first.
    pub async fn waiting(&self) -> Result<Vec<Waiting>> {
        let mut conn = self.0.reader(st::WAITING.doing).await?;
        let rows = st::WAITING.all(&mut conn, Vec::new()).await?;
        rows.iter()
            .map(|row| {
                Ok(Waiting { id: row.int("id")?, fabric_id: row.int("fabric_id")?, writes: row.bool("writes")? })
            })
            .collect()
    }

    /// Claims an operation that waits: queued becomes running, under the lease. `None` when it may not run any more,
    /// because it was cancelled, another process has it, or another one writes to its fabric.
    pub async fn claim(&self, id: i64, lease: &Lease, now: Timestamp) -> Result<Option<Operation>> {
        let mut tx = self.0.writer(st::CLAIM.doing).await?;
        let claimed =
            match st::CLAIM.optional(&mut tx, args![id, now, &lease.owner, lease.until(now), lease.micros()]).await {
                // Another process began to write to the same fabric in the same moment.
                Err(Error::Conflict(Unique::OneWriter)) => return Ok(None),
                claimed => claimed?,
            };
        if claimed.is_none() {
            return Ok(None);
        }
        let claimed = operation(&st::GET.one(&mut tx, "operation", args![id]).await?)?;
        commit(tx, st::CLAIM.doing).await?;
        Ok(Some(claimed))
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

    /// Deletes a fabric's scheduled operations that ended before `before`, but for those that its status is derived
    /// from. What people asked for stays.
    pub async fn prune(&self, fabric_id: i64, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(st::PRUNE.doing).await?;
        let rows = st::PRUNE.run(&mut tx, args![fabric_id, before]).await?;
        st::PURGE_KEYS.run(&mut tx, args![before]).await?;
        commit(tx, st::PRUNE.doing).await?;
        Ok(rows)
    }

    pub(super) async fn change(
        &self,
        statement: &'static crate::sql::Statement,
        args: Vec<crate::sql::Arg>,
    ) -> Result<bool> {
        let mut tx = self.0.writer(statement.doing).await?;
        let rows = statement.run(&mut tx, args).await?;
        commit(tx, statement.doing).await?;
        Ok(rows > 0)
    }
}
