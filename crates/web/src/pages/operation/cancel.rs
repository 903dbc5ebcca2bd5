//! Cancel: ends an operation, or says how and when it had ended before. A script is told by a code, a person on the
//! operation's page.

use super::as_json;
use crate::extract::OfOperation;
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::parts::{Badge, Notice, Tone};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::{self, View};
use crate::when::absolute;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use model::Code;
use model::operation::OperationState;
use serde_json::{Value, json};
use store::Operation;
use store::operations::CancelRequest;

/// What the page's address says after a press that came too late.
const CANCEL: &str = "cancel";
const LATE: &str = "late";

pub(super) async fn cancel(
    State(state): State<AppState>,
    view: View,
    of: OfOperation,
    asked: Asked,
) -> Result<Response, Problem> {
    let OfOperation(operation, fabric) = of;
    let came_to = state.engine.cancel(operation.id, &view.login.user.username).await?;
    let operation = state.store.operations().get(operation.id).await?;
    let is_late = came_to == CancelRequest::AlreadyFinal && ended_by_itself(&operation);
    if asked == Asked::Navigation {
        let path = url::operation(operation.id);
        let to = if is_late { url::with_query(&path, &[(CANCEL, LATE)]) } else { path };
        return Ok(Redirect::to(&to).into_response());
    }
    let told = as_json(&view, &fabric.name, &operation);
    if is_late {
        return Err(Problem::new(Code::AlreadyEnded, ended_before(&operation)).with("operation", told));
    }
    // Whoever asks again for what was cancelled has what they asked for.
    let (status, success) = match operation.state {
        OperationState::Cancelled => (StatusCode::OK, Value::Bool(true)),
        _ => (StatusCode::ACCEPTED, Value::Null),
    };
    Ok(view::json(status, &json!({ "success": success, "operation": told })))
}

/// Whether it has an end that nobody asked for.
fn ended_by_itself(operation: &Operation) -> bool {
    operation.state.is_final() && operation.state != OperationState::Cancelled
}

/// How and when an operation ended that somebody wanted to cancel afterwards.
fn ended_before(operation: &Operation) -> String {
    let word = Badge::from(operation.state).word.to_lowercase();
    let at = operation.ended_at.map(|at| format!(" at {}", absolute(at))).unwrap_or_default();
    format!("Operation {} had ended before it could be cancelled: {word}{at}. Nothing was cancelled.", operation.id)
}

/// What the operation's page says to whoever pressed too late.
pub(super) fn came_late(view: &View, operation: &Operation) -> Option<Notice> {
    if view.query().get(CANCEL) != Some(LATE) || !ended_by_itself(operation) {
        return None;
    }
    let notice = Notice::failure(Code::AlreadyEnded, ended_before(operation));
    Some(Notice { tone: Tone::Off, icon: Icon::Info, ..notice })
}
