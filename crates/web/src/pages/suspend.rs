//! Stopping a fabric's automatic syncs with a reason, and letting them go on. People may sync all the while.

use crate::extract::{Fields, OfFabric, Told};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::parts::head::FabricPage;
use crate::parts::{Head, Notice, Tabs, Tone, derive};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use model::Code;
use model::policy::Suspension;
use serde_json::json;
use store::Fabric;

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    let needs = Needs::Fabric(Action::Sync);
    vec![
        Route::page("fabric_suspend", pattern::fabric_suspend, needs, show),
        Route::recorded("fabric_suspend", pattern::fabric_suspend, needs, suspend),
        Route::recorded("fabric_resume", pattern::fabric_resume, needs, resume),
    ]
}

/// Characters of a reason: what fits on a page in one piece.
const LONGEST_REASON: usize = 300;

async fn show(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    page(&state, &view, &fabric, "", None).await
}

async fn page(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    reason: &str,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let overview = state.engine.overview(fabric).await?;
    let (head, tabs) = derive::head(view, fabric, &overview, FabricPage::Overview).await?;
    let title = "Suspend automatic syncs";
    let frame = view.fabric_frame("fabric_suspend", title, fabric, None, title)?;
    let page = Page {
        frame,
        head,
        tabs,
        standing: overview.automatic.standing.sentence,
        is_suspended: fabric.suspension.is_some(),
        reason: reason.to_owned(),
        error: refused.map(|problem| Notice::new(Tone::Bad, problem.message.clone(), "", problem.what_to_do())),
    };
    let mut response = view::page("fabric_suspend", &page)?;
    if let Some(problem) = refused {
        *response.status_mut() = problem.http_status();
    }
    Ok(response)
}

/// A reason that can be shown: some words in one line.
fn reason(text: &str) -> Result<String, Problem> {
    let reason = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let wrong = |message: &str| {
        Problem::new(Code::InvalidInput, message)
            .status(StatusCode::UNPROCESSABLE_ENTITY)
            .todo("Say in a few words why, so that the next person knows when to resume.")
    };
    match reason.chars().count() {
        0 => Err(wrong("Nothing was suspended: the reason is missing.")),
        1..=LONGEST_REASON if !reason.chars().any(char::is_control) => Ok(reason),
        _ => Err(wrong(&format!(
            "Nothing was suspended: a reason has at most {LONGEST_REASON} characters, all of them printable."
        ))),
    }
}

async fn suspend(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = fields.text("reason");
    match reason(typed) {
        Ok(reason) => {
            let message = format!("Automatic syncs were suspended: {reason}");
            let suspension = Suspension { at: view.now, by: view.login.user.username.clone(), reason };
            change(&state, &view, &fabric, Some(&suspension), message).await
        }
        Err(problem) if view.asked() == Asked::Navigation => page(&state, &view, &fabric, typed, Some(&problem)).await,
        Err(problem) => Err(problem),
    }
}

async fn resume(State(state): State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    change(&state, &view, &fabric, None, "Automatic syncs were resumed.".to_owned()).await
}

async fn change(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    suspension: Option<&Suspension>,
    message: String,
) -> Result<Response, Problem> {
    let scope = view.login.access.require(Action::Sync)?;
    state.engine.suspend(&scope, fabric.id, suspension, &view.author()).await?;
    let page = url::fabric(fabric.id);
    let mut response = match view.asked() {
        Asked::Script => {
            let body = json!({ "success": true, "redirect": page, "suspension": suspension, "message": message });
            view::json(StatusCode::OK, &body)
        }
        Asked::Navigation => Redirect::to(&page).into_response(),
    };
    response.extensions_mut().insert(Told { operation_id: None, message });
    Ok(response)
}

/// What the page shows.
#[derive(Template)]
#[template(path = "suspend.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub standing: String,
    pub is_suspended: bool,
    pub reason: String,
    pub error: Option<Notice>,
}
