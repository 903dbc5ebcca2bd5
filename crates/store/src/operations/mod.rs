//! Operations: recorded runs of a verb on a fabric. The queue is in `queue`, who runs what and who died in `leases`, the
//! outcome of each object in `outcomes`, what a status is derived from in `summary`.

mod leases;
mod outcomes;
mod queue;
mod rows;
mod summary;

use crate::row::Columns;
use crate::scope::Scope;
use crate::sql::{Sql, args};
use crate::statements::operations as st;
use crate::{Listed, Page, Result, Store};
use jiff::Timestamp;
pub use leases::{HeldLease, Lease};
pub(crate) use leases::{changes_something, end_phases};
use model::operation::{OperationState, OutcomeDetail, OutcomeKind, PhaseProgress, Trigger, Verb};
use model::{Code, ObjectKey};
pub use outcomes::OutcomeCount;
pub use queue::{CancelRequest, Finish, Waiting};
pub(crate) use rows::operation;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Duration;
pub use summary::OperationSummary;

/// One run of a verb.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Id; later operations have larger ones.
    pub id: i64,
    /// On which fabric.
    pub fabric_id: i64,
    /// What was asked.
    pub verb: Verb,
    /// Whether it writes to the cluster: one such operation per fabric at a time. A dry run does not.
    pub writes: bool,
    /// Where it stands.
    pub state: OperationState,
    /// Who asked, by name; a system actor's when nobody did.
    pub actor: String,
    /// Who asked, unless deleted since.
    pub actor_user_id: Option<i64>,
    /// How it was asked.
    pub trigger: Trigger,
    /// Id of the request that asked.
    pub request_id: String,
    /// Two requests with the same fingerprint ask for the same thing.
    pub fingerprint: String,
    /// Selection, mode and confirmations, as the engine understands them.
    pub options: Value,
    /// The comparison that the page showed when the button was pressed.
    pub shown_comparison_id: Option<i64>,
    /// The commit that is delivered.
    pub commit: Option<String>,
    /// The phases with their progress.
    pub phases: Vec<PhaseProgress>,
    /// Why it did not succeed.
    pub code: Option<Code>,
    /// One sentence; empty when there is nothing to say.
    pub message: String,
    /// The object that the message is about.
    pub error_object: Option<String>,
    /// What came of it, as the engine understands it.
    pub result: Value,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it may take, from its beginning.
    pub time_limit: Duration,
    /// When it is ended at the latest; known once it runs.
    pub deadline_at: Option<Timestamp>,
    /// The process that runs it.
    pub lease_owner: Option<String>,
    /// When that process last said that it lives.
    pub heartbeat_at: Option<Timestamp>,
    /// When somebody asked it to end.
    pub cancel_requested_at: Option<Timestamp>,
    /// Who did.
    pub cancel_requested_by: Option<String>,
}

/// What an operation that is asked for is made of.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// On which fabric.
    pub fabric_id: i64,
    /// What is asked.
    pub verb: Verb,
    /// Whether it will write to the cluster; never, unless its verb does.
    pub writes: bool,
    /// Who asks, by name.
    pub actor: String,
    /// Who asks.
    pub actor_user_id: Option<i64>,
    /// How it is asked.
    pub trigger: Trigger,
    /// Id of the request that asks.
    pub request_id: String,
    /// The client's `Idempotency-Key`: the same key gives the same operation, whatever became of it.
    pub idempotency_key: Option<String>,
    /// Two requests with the same fingerprint ask for the same thing.
    pub fingerprint: String,
    /// Selection, mode and confirmations.
    pub options: Value,
    /// The comparison that the page showed.
    pub shown_comparison_id: Option<i64>,
    /// The commit to deliver, when it is known already.
    pub commit: Option<String>,
    /// The phases that it will go through.
    pub phases: Vec<PhaseProgress>,
    /// How long it may take, from its beginning; the fabric's own limit when absent.
    pub time_limit: Option<Duration>,
}

/// What asking for an operation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// A new operation was queued.
    New,
    /// The same was queued or running already; this is that one.
    AlreadyRunning,
    /// The same key was used before; this is the operation that it got.
    SameKey,
}

/// An operation that was asked for.
#[derive(Debug, Clone)]
pub struct Enqueued {
    /// The operation.
    pub operation: Operation,
    /// Whether it is a new one.
    pub disposition: Disposition,
}

/// Which operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct OperationFilter {
    /// Of this fabric.
    pub fabric_id: Option<i64>,
    /// Of this verb.
    pub verb: Option<Verb>,
    /// In this state.
    pub state: Option<OperationState>,
}

/// The functions on operations; from [`Store::operations`].
#[derive(Debug, Clone, Copy)]
pub struct Operations<'a>(&'a Store);

impl<'a> Operations<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// An operation by id. Its fabric says who may see it.
    pub async fn get(&self, id: i64) -> Result<Operation> {
        let mut conn = self.0.reader(st::GET.doing).await?;
        operation(&st::GET.one(&mut conn, "operation", args![id]).await?)
    }

    /// The operations of the fabrics in the scope, newest first, a page of them.
    pub async fn list(&self, scope: &Scope, filter: &OperationFilter, page: Page) -> Result<Listed<Operation>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let mut count = Sql::new(st::LIST, st::COUNT);
        restrict(&mut count, scope, filter);
        let mut select = Sql::new(st::LIST, st::SELECT);
        restrict(&mut select, scope, filter);
        select.push(st::NEWEST_FIRST).page(page);
        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(operation).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// All operations that wait or run, of all fabrics, oldest first.
    pub async fn open(&self) -> Result<Vec<Operation>> {
        let mut sql = Sql::new(st::LIST, st::SELECT);
        sql.and().push(st::IS_OPEN).push(st::OLDEST_FIRST);
        let mut conn = self.0.reader(st::LIST).await?;
        sql.all(&mut conn).await?.iter().map(operation).collect()
    }

    /// The operations of a fabric that run now, oldest first. At most one of them writes.
    pub async fn running(&self, fabric_id: i64) -> Result<Vec<Operation>> {
        let mut conn = self.0.reader(st::RUNNING.doing).await?;
        st::RUNNING.all(&mut conn, args![fabric_id]).await?.iter().map(operation).collect()
    }

    /// Whether an operation waits that would write to a fabric.
    pub async fn is_writer_queued(&self, fabric_id: i64) -> Result<bool> {
        let mut conn = self.0.reader(st::QUEUED_WRITER.doing).await?;
        Ok(st::QUEUED_WRITER.optional(&mut conn, args![fabric_id]).await?.is_some())
    }

    /// The last operation of a verb that was asked for, whatever became of it. A dry run counts for nothing here.
    pub async fn last(&self, fabric_id: i64, verb: Verb) -> Result<Option<Operation>> {
        self.newest(st::LAST_OF_VERB, fabric_id, verb).await
    }

    /// The last operation of a verb that succeeded.
    pub async fn last_success(&self, fabric_id: i64, verb: Verb) -> Result<Option<Operation>> {
        self.newest(st::LAST_SUCCESS, fabric_id, verb).await
    }

    /// The last operation of a fabric that was asked for in this way, whatever became of it.
    pub async fn last_of(&self, fabric_id: i64, trigger: Trigger) -> Result<Option<Operation>> {
        let mut conn = self.0.reader(st::LAST_OF_TRIGGER.doing).await?;
        let row = st::LAST_OF_TRIGGER.optional(&mut conn, args![fabric_id, trigger.as_str()]).await?;
        row.as_ref().map(operation).transpose()
    }

    /// In how many of a fabric's ten newest syncs an object was overwritten with what Git says, and verified.
    pub async fn put_right(&self, fabric_id: i64, key: &ObjectKey) -> Result<u64> {
        let mut conn = self.0.reader(st::PUT_RIGHT.doing).await?;
        st::PUT_RIGHT.one(&mut conn, "count", args![fabric_id, key.to_string()]).await?.unsigned("n")
    }

    /// What a fabric's ten newest syncs have deleted, or may have: also where no clear answer came, where it was not seen
    /// to be gone, and where somebody else was faster. What is not there any more of these was deleted.
    pub async fn deleted(&self, fabric_id: i64) -> Result<HashSet<ObjectKey>> {
        let mut conn = self.0.reader(st::DELETED.doing).await?;
        let mut deleted = HashSet::new();
        for row in st::DELETED.all(&mut conn, args![fabric_id]).await? {
            let (outcome, detail): (OutcomeKind, OutcomeDetail) = (row.word("outcome")?, row.json("detail")?);
            if outcome == OutcomeKind::Pruned || detail.deletion {
                deleted.insert(row.word("object_key")?);
            }
        }
        Ok(deleted)
    }

    async fn newest(
        &self,
        statement: &'static crate::sql::Statement,
        fabric_id: i64,
        verb: Verb,
    ) -> Result<Option<Operation>> {
        let mut conn = self.0.reader(statement.doing).await?;
        statement
            .optional(&mut conn, args![fabric_id, verb.as_str(), verb.writes()])
            .await?
            .as_ref()
            .map(operation)
            .transpose()
    }
}

fn restrict(sql: &mut Sql, scope: &Scope, filter: &OperationFilter) {
    if let Some(fabric_id) = filter.fabric_id {
        sql.condition(st::OF_FABRIC, fabric_id);
    }
    if let Some(verb) = filter.verb {
        sql.condition(st::OF_VERB, verb.as_str());
    }
    if let Some(state) = filter.state {
        sql.condition(st::IN_STATE, state.as_str());
    }
    scope.restrict_by_fabric(sql, st::FABRIC_IN_SCOPE);
}
