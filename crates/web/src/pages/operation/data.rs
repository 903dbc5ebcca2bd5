//! An operation for scripts, and one that did not succeed as a refusal.

use super::chosen_total;
use crate::parts::Badge;
use crate::parts::list::PAGE_SIZE;
use crate::problem::Problem;
use crate::url;
use crate::view::View;
use crate::when::{machine, relative};
use http::StatusCode;
use model::Code;
use model::operation::{ObjectOutcome, OperationState, OutcomeKind, PhaseProgress};
use serde_json::{Value, json};
use store::Operation;
use store::operations::OutcomeCount;

/// The code that says why an operation did not succeed.
pub fn code(operation: &Operation) -> Option<Code> {
    operation.code.or(match operation.state {
        OperationState::Partial => Some(Code::Partial),
        OperationState::Failed => Some(Code::Internal),
        OperationState::Cancelled => Some(Code::Cancelled),
        OperationState::TimedOut => Some(Code::DeadlineExceeded),
        OperationState::Interrupted => Some(Code::Interrupted),
        OperationState::Queued | OperationState::Running | OperationState::Succeeded => None,
    })
}

/// An operation that ended without success, as a refusal.
pub fn failure(operation: &Operation) -> Problem {
    let code = code(operation).unwrap_or(Code::Internal);
    let message = match operation.message.is_empty() {
        true => format!("{}: {}.", operation.verb.title(), Badge::from(operation.state).word.to_lowercase()),
        false => operation.message.clone(),
    };
    // A cancelled or partial run is no answer of another server's; whatever its code, it is not done.
    let problem = Problem::new(code, message);
    if problem.http_status().as_u16() < 400 { problem.status(StatusCode::UNPROCESSABLE_ENTITY) } else { problem }
}

/// An operation for scripts: everything but its objects, which are read by page.
pub fn as_json(view: &View, fabric: &str, operation: &Operation) -> Value {
    let code = code(operation);
    let time = |at: Option<jiff::Timestamp>| at.map(machine);
    let phase = |phase: &PhaseProgress| {
        json!({ "phase": phase.phase, "title": phase.phase.title(), "state": phase.state, "done": phase.done, "total": phase.total,
                "detail": phase.detail, "retries": phase.retries, "retry": phase.retry, "switches": phase.switches, "started_at": time(phase.started_at), "ended_at": time(phase.ended_at) })
    };
    let began = operation.started_at.unwrap_or(operation.queued_at);
    json!({
        "id": operation.id,
        "url": url::operation(operation.id),
        "fabric": { "id": operation.fabric_id, "name": fabric, "url": url::fabric(operation.fabric_id) },
        "verb": operation.verb,
        "title": operation.verb.title(),
        "state": operation.state,
        "state_title": Badge::from(operation.state).word,
        "final": operation.state.is_final(),
        "success": match operation.state {
            OperationState::Succeeded => json!(true),
            state if state.is_final() => json!(false),
            _ => Value::Null,
        },
        "code": code,
        "message": operation.message,
        "what_to_do": code.map(Code::what_to_do),
        "docs": code.map(url::docs_code),
        "object": operation.error_object,
        "writes": operation.writes,
        "dry_run": operation.verb.writes() && !operation.writes,
        "options": operation.options,
        "result": operation.result,
        "actor": operation.actor,
        "trigger": operation.trigger,
        "request_id": operation.request_id,
        "commit": operation.commit,
        "comparison": operation.shown_comparison_id,
        "queued_at": machine(operation.queued_at),
        "started_at": time(operation.started_at),
        "started_words": relative(began, view.now).trim_end_matches(" ago"),
        "ended_at": time(operation.ended_at),
        "deadline_at": time(operation.deadline_at),
        "cancel_requested_by": operation.cancel_requested_by,
        "phases": operation.phases.iter().map(phase).collect::<Vec<_>>(),
    })
}

/// One page of outcomes for scripts.
pub fn outcomes_json(
    counts: &[OutcomeCount],
    wanted: Option<OutcomeKind>,
    number: u64,
    listed: &[ObjectOutcome],
) -> Value {
    let mut by_outcome = serde_json::Map::new();
    for count in counts {
        by_outcome.insert(count.outcome.to_string(), json!({ "objects": count.objects, "verified": count.verified }));
    }
    let total = chosen_total(counts, wanted);
    let next = (number * PAGE_SIZE < total).then_some(number + 1);
    let results: Vec<Value> = listed.iter().map(with_docs).collect();
    json!({ "counts": by_outcome, "count": total, "page": number, "next_page": next, "results": results })
}

/// An outcome, with the page that says what its code means.
fn with_docs(outcome: &ObjectOutcome) -> Value {
    let mut value = json!(outcome);
    if let Some(code) = outcome.code {
        value["docs"] = json!(url::docs_code(code));
    }
    value
}
