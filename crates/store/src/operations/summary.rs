//! What a fabric's status and its times are derived from: a handful of operations, read by a handful of index seeks,
//! however many there are.

use super::rows::operation;
use super::{Operation, Operations};
use crate::Result;
use crate::sql::args;
use crate::statements::operations as st;
use model::operation::{OperationState, Verb};

/// Of each verb the last operation, the last that ended and the last that succeeded, and everything that waits or runs.
/// A dry run is no operation of its verb here; it is seen only while it waits or runs.
#[derive(Debug, Clone, Default)]
pub struct OperationSummary {
    /// Newest first; each operation once.
    pub operations: Vec<Operation>,
}

impl OperationSummary {
    /// The last operation of a verb that was asked for.
    pub fn last(&self, verb: Verb) -> Option<&Operation> {
        self.operations.iter().find(|o| is_of(o, verb))
    }

    /// The last operation of a verb that has ended, however it did.
    pub fn last_ended(&self, verb: Verb) -> Option<&Operation> {
        self.operations.iter().find(|o| is_of(o, verb) && o.state.is_final())
    }

    /// The last operation of a verb that succeeded.
    pub fn last_success(&self, verb: Verb) -> Option<&Operation> {
        self.operations.iter().find(|o| is_of(o, verb) && o.state == OperationState::Succeeded)
    }

    /// The last operation of any verb.
    pub fn last_attempt(&self) -> Option<&Operation> {
        self.operations.first()
    }

    /// The operation that writes now, or would if its process lives.
    pub fn writer(&self) -> Option<&Operation> {
        self.operations.iter().find(|o| o.writes && o.state == OperationState::Running)
    }

    /// What waits, oldest first.
    pub fn queued(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().rev().filter(|o| o.state == OperationState::Queued)
    }
}

/// Whether an operation did what its verb says, and not only asked what would come of it.
fn is_of(operation: &Operation, verb: Verb) -> bool {
    operation.verb == verb && operation.writes == verb.writes()
}

impl Operations<'_> {
    /// What a fabric's status is derived from.
    pub async fn summary(&self, fabric_id: i64) -> Result<OperationSummary> {
        let mut conn = self.0.reader(st::SUMMARY.doing).await?;
        let rows = st::SUMMARY.all(&mut conn, args![fabric_id]).await?;
        Ok(OperationSummary { operations: rows.iter().map(operation).collect::<Result<_>>()? })
    }
}
