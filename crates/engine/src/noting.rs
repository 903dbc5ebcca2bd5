//! What an operator is told and what is counted, where a thing ends: operations and background comparisons. A
//! comparison fails once a minute for as long as its cluster is away; the log says when that begins, when its reason
//! changes, and when it is over.

use crate::Error;
use jiff::Timestamp;
use model::Code;
use model::operation::OperationState;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Comparison, ComparisonResult, Fabric, Operation};

/// Why the background comparison of each fabric last failed, and since when it does.
#[derive(Default)]
pub(crate) struct Notes {
    failing: Mutex<HashMap<i64, (Code, Instant)>>,
}

impl Notes {
    /// A background comparison ended.
    pub fn compared(&self, fabric: &Fabric, result: Result<&Comparison, &Error>) {
        let (outcome, failure) = match result {
            Err(error) => ("failed", Some((error.code, error.message.as_str()))),
            Ok(comparison) => match comparison.result {
                ComparisonResult::Ok => ("ok", None),
                ComparisonResult::Partial => {
                    ("partial", Some((comparison.code.unwrap_or(Code::Partial), comparison.message.as_str())))
                }
                ComparisonResult::Failed => ("failed", comparison.code.map(|code| (code, comparison.message.as_str()))),
            },
        };
        metrics::background_compared(outcome);
        let (id, name) = (fabric.id, fabric.name.as_str());
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((code, error)) = failure else {
            if let Some((_, since)) = failing.remove(&id) {
                let after_s = since.elapsed().as_secs();
                tracing::info!(fabric = id, name, after_s, "the background comparison works again");
            }
            return;
        };
        let known = failing.get(&id).copied();
        failing.insert(id, (code, known.map_or_else(Instant::now, |(_, since)| since)));
        if known.is_none_or(|(known, _)| known != code) {
            tracing::warn!(fabric = id, name, outcome, %code, error, "the background comparison fails");
        }
    }

    /// Forgets a fabric that was deleted.
    pub fn forget(&self, fabric_id: i64) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(&fabric_id);
    }
}

/// Counts an operation that ended, and gives how long it ran.
pub(crate) fn operation_ended(operation: &Operation, state: OperationState, now: Timestamp) -> Duration {
    let began = operation.started_at.unwrap_or(operation.queued_at);
    let ran = Duration::try_from(operation.ended_at.unwrap_or(now).duration_since(began)).unwrap_or_default();
    metrics::operation_ended(operation.verb.as_str(), state.as_str(), ran);
    ran
}
