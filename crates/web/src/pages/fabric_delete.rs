//! The two pages that confirm by a typed name: deleting a fabric, and accepting another cluster behind it.

use crate::extract::{Fields, OfFabric};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::pages::fabric::manager;
use crate::parts::derive;
use crate::parts::head::FabricPage;
use crate::parts::{Fact, Head, Notice, Tabs, Tone};
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
use serde_json::json;
use store::{Error, Fabric, Source, Unique};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    let (delete, change) = (Needs::Fabric(Action::Delete), Needs::Fabric(Action::Change));
    vec![
        Route::page("fabric_delete", pattern::fabric_delete, delete, show_delete),
        Route::recorded("fabric_delete", pattern::fabric_delete, delete, delete_it),
        Route::page("fabric_confirm_cluster", pattern::fabric_confirm_cluster, change, show_confirm),
        Route::recorded("fabric_confirm_cluster", pattern::fabric_confirm_cluster, change, confirm),
    ]
}

/// Whether the fabric's name was typed; a problem at the field otherwise.
fn typed_name(fabric: &Fabric, typed: &str) -> Result<(), Problem> {
    if typed == fabric.name {
        return Ok(());
    }
    Err(Problem::field("confirm", format!("What was typed is “{typed}”, not “{}”. Nothing was done.", fabric.name))
        .todo("Type the fabric's name exactly."))
}

/// The frame, the head and the tabs of both pages.
async fn around(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    page: &'static str,
    title: &str,
) -> Result<(Frame, Head, Tabs), Problem> {
    let overview = state.engine.overview(fabric).await?;
    let (head, tabs) = derive::head(view, fabric, &overview, FabricPage::Settings).await?;
    let frame = view.fabric_frame(page, title, fabric, Some(("Settings", url::fabric_edit(fabric.id))), title)?;
    Ok((frame, head, tabs))
}

async fn show_delete(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    delete_page(&state, &view, &fabric, "", None).await
}

async fn delete_page(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    typed: &str,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let (frame, head, tabs) = around(state, view, fabric, "fabric_delete", "Delete").await?;
    let dependents = state.store.fabrics().dependents(fabric.id).await?;
    let repository = match &fabric.source {
        Source::Local => "Hedgerow's own, with its whole history: the desired state is in no other place",
        Source::Remote { .. } => "only Hedgerow's copy; the remote stays as it is",
    };
    let page = DeletePage {
        frame,
        head,
        tabs,
        dependents: vec![
            Fact::new("Operations", format!("{}, with the outcome of every object", dependents.operations)),
            Fact::new("Comparisons", dependents.comparisons.to_string()),
            Fact::new("Objects", format!("what is known of {}; none is touched in the cluster", dependents.objects)),
            Fact::new("Attempts", format!("{} stay in the activity, under this name", dependents.attempts)),
            Fact::new("Credentials", "of the cluster and of the source, as they are stored here"),
            Fact::new("Repository", repository),
        ],
        typed: typed.to_owned(),
        error: refused.map(notice),
    };
    answer("fabric_delete", &page, refused)
}

fn notice(problem: &Problem) -> Notice {
    Notice::new(Tone::Bad, problem.message.clone(), "", problem.what_to_do())
}

fn answer(name: &'static str, page: &impl Template, refused: Option<&Problem>) -> Result<Response, Problem> {
    let mut response = view::page(name, page)?;
    if let Some(problem) = refused {
        *response.status_mut() = problem.http_status();
    }
    Ok(response)
}

async fn delete_it(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = fields.text("confirm");
    let result = match typed_name(&fabric, typed) {
        Err(problem) => Err(problem),
        Ok(()) => {
            let scope = view.login.access.require(Action::Delete)?;
            state.store.fabrics().by(&view.author()).delete(&scope, fabric.id).await.map_err(|error| match error {
                Error::Conflict(Unique::OneWriter) => {
                    let message = "An operation writes to this fabric's cluster. Nothing was deleted.";
                    Problem::new(model::Code::AlreadyRunning, message)
                        .status(StatusCode::UNPROCESSABLE_ENTITY)
                        .todo("Cancel the operation or wait for it, then delete the fabric.")
                }
                error => error.into(),
            })
        }
    };
    match result {
        Ok(()) => {
            tracing::info!(
                fabric = fabric.id,
                name = fabric.name,
                by = view.login.user.username,
                "a fabric was deleted"
            );
            state.engine.fabric_deleted(fabric.id).await;
            Ok(done(&view, url::fabrics()))
        }
        Err(problem) if view.asked() == Asked::Navigation => {
            delete_page(&state, &view, &fabric, typed, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

fn done(view: &View, page: String) -> Response {
    match view.asked() {
        Asked::Script => view::json(StatusCode::OK, &json!({ "success": true, "redirect": page })),
        Asked::Navigation => Redirect::to(&page).into_response(),
    }
}

async fn show_confirm(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    confirm_page(&state, &view, &fabric, "", None).await
}

async fn confirm_page(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    typed: &str,
    refused: Option<&Problem>,
) -> Result<Response, Problem> {
    let (frame, head, tabs) = around(state, view, fabric, "fabric_confirm_cluster", "Confirm the cluster").await?;
    let page = ConfirmPage {
        frame,
        head,
        tabs,
        changed: fabric.has_other_cluster(),
        remembered: fabric.cluster_uid.clone(),
        answering: fabric.cluster_seen_uid.clone().unwrap_or_default(),
        typed: typed.to_owned(),
        error: refused.map(notice),
    };
    answer("fabric_confirm_cluster", &page, refused)
}

async fn confirm(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    let typed = fields.text("confirm");
    let result = match typed_name(&fabric, typed) {
        Err(problem) => Err(problem),
        Ok(()) => {
            let scope = view.login.access.require(Action::Change)?;
            match state.engine.confirm_cluster(&scope, fabric.id, &view.author()).await {
                Ok(()) => Ok(()),
                Err(error) => Err(with_manager(&state, &view, &fabric, error.into()).await?),
            }
        }
    };
    match result {
        Ok(()) => Ok(done(&view, url::fabric(fabric.id))),
        Err(problem) if view.asked() == Asked::Navigation => {
            confirm_page(&state, &view, &fabric, typed, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// Why a cluster could not be confirmed, with the fabric that manages the namespace there. The sentence is kept among the
/// attempts, where others read it, so the name stands in what to do, which this reader alone is told.
async fn with_manager(state: &AppState, view: &View, fabric: &Fabric, problem: Problem) -> Result<Problem, Problem> {
    let other = manager::of(state, view, fabric.cluster_seen_uid.as_deref(), &fabric.namespace).await?;
    Ok(match other.filter(|(id, _)| *id != fabric.id) {
        Some((_, name)) => problem.todo(format!("Fabric {name} manages it. Correct the settings of one of the two.")),
        None => problem,
    })
}

/// What the page shows before a fabric is deleted.
#[derive(Template)]
#[template(path = "fabric_delete.html")]
pub struct DeletePage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub dependents: Vec<Fact>,
    pub typed: String,
    pub error: Option<Notice>,
}

/// What the page shows when another cluster answers.
#[derive(Template)]
#[template(path = "confirm_cluster.html")]
pub struct ConfirmPage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub changed: bool,
    pub remembered: Option<String>,
    pub answering: String,
    pub typed: String,
    pub error: Option<Notice>,
}
