//! Lists of what was done: a fabric's operations, a fabric's activity, and the activity of all fabrics. `filter` reads
//! their filters.

pub mod attempt;
mod export;
pub mod filter;

use crate::extract::{Login, OfFabric};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::changes;
use crate::pages::operation::is_dry;
use crate::parts::changes::ChangedObjects;
use crate::parts::derive;
use crate::parts::head::FabricPage;
use crate::parts::list::page_of;
use crate::parts::{Chips, Choice, Head, OperationRow, OperationsTable, Pager, Tabs};
use crate::problem::Problem;
use crate::routes::{Kind, Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when;
use askama::Template;
use auth::{Action, ObjectType};
use axum::extract::State;
use axum::response::Response;
use filter::{FilterForm, Wanted};
use jiff::Timestamp;
use model::operation::{OperationState, Trigger};
use std::collections::HashMap;
use store::activity::{Entry, Seen, Show};
use store::{Fabric, Operation, Scope};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("fabric_operations", pattern::fabric_operations, Needs::Fabric(Action::View), of_fabric),
        Route::page("fabric_activity", pattern::fabric_activity, Needs::Fabric(Action::View), activity_of_fabric),
        Route::page("activity", pattern::activity, Needs::Listing, activity),
        Route::get("activity_export", pattern::activity_export, Needs::Listing, Kind::Data, export::export),
    ]
}

/// Rows of one page of activity, and how many there are in all.
struct Log {
    rows: Vec<OperationRow>,
    total: u64,
}

async fn log(state: &AppState, view: &View, wanted: &Wanted) -> Result<Log, Problem> {
    let page = page_of(wanted.page);
    let listed =
        state.store.activity().list(&seen(&view.login, &view.login.access.fabrics()), &wanted.filter, page).await?;
    let names = names(state, view, &listed.rows).await?;
    let mut changed = changes::of_entries(view, &listed.rows).await?;
    let rows = listed
        .rows
        .iter()
        .map(|entry| match entry {
            Entry::Operation(operation) => row(view, operation, names.get(&operation.fabric_id).map(String::as_str)),
            Entry::Attempt(attempt) => {
                let objects = changed.remove(&attempt.request_id).unwrap_or_default();
                OperationRow { changed: ChangedObjects { objects }, ..attempt::row(view, attempt) }
            }
        })
        .collect();
    Ok(Log { rows, total: listed.total })
}

/// What somebody may see of what was done: of fabrics what their permissions say, of people only their own unless they
/// may see every user.
pub fn seen<'a>(login: &Login, fabrics: &'a Scope) -> Seen<'a> {
    // Whoever sees only some users is not told what the others did.
    let people = login.access.scope(Action::View, ObjectType::User) == Scope::All;
    Seen { fabrics, people, own: Some(login.user.id) }
}

/// The names of the fabrics that the entries are of.
pub async fn names(state: &AppState, view: &View, entries: &[Entry]) -> Result<HashMap<i64, String>, Problem> {
    let mut names = HashMap::new();
    for entry in entries {
        if let Entry::Operation(operation) = entry
            && !names.contains_key(&operation.fabric_id)
        {
            let fabric = state.store.fabrics().get(&view.login.access.fabrics(), operation.fabric_id).await;
            names.insert(operation.fabric_id, fabric.map(|fabric| fabric.name).unwrap_or_default());
        }
    }
    Ok(names)
}

/// An operation as a row.
pub fn row(view: &View, operation: &Operation, fabric: Option<&str>) -> OperationRow {
    OperationRow {
        title: match is_dry(operation) {
            true => format!("{}, dry run", operation.verb.title()),
            false => operation.verb.title().to_owned(),
        },
        href: Some(url::operation(operation.id)),
        fabric: fabric.map(|name| (name.to_owned(), Some(url::fabric(operation.fabric_id)))),
        state: operation.state.into(),
        actor: operation.actor.clone(),
        is_automatic: !matches!(operation.trigger, Trigger::Button | Trigger::Script),
        when: view.when(operation.started_at.unwrap_or(operation.queued_at)),
        took: took(operation, view.now),
        summary: operation.message.clone(),
        code: operation
            .code
            .filter(|_| operation.state != OperationState::Succeeded)
            .map(|code| code.as_str().to_owned()),
        changed: ChangedObjects::default(),
    }
}

/// How long an operation took, or takes.
pub fn took(operation: &Operation, now: Timestamp) -> String {
    let Some(began) = operation.started_at else { return String::new() };
    when::length(operation.ended_at.unwrap_or(now).duration_since(began))
}

async fn of_fabric(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let path = url::fabric_operations(fabric.id);
    let wanted = Wanted::read(&state, &view, path, Some(fabric.id), Some(Show::Operations)).await?;
    fabric_page(&state, &view, &fabric, FabricPage::Operations, "Operations", wanted).await
}

async fn activity_of_fabric(
    state: State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
) -> Result<Response, Problem> {
    let wanted = Wanted::read(&state, &view, url::fabric_activity(fabric.id), Some(fabric.id), None).await?;
    fabric_page(&state, &view, &fabric, FabricPage::Activity, "Activity", wanted).await
}

async fn fabric_page(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    tab: FabricPage,
    title: &str,
    wanted: Wanted,
) -> Result<Response, Problem> {
    let log = log(state, view, &wanted).await?;
    let overview = state.engine.overview(fabric).await?;
    let (head, tabs) = derive::head(view, fabric, &overview, tab).await?;
    let name = if tab == FabricPage::Operations { "fabric_operations" } else { "fabric_activity" };
    let mut frame = view.fabric_frame(name, title, fabric, None, title)?;
    frame.events = Some(url::fabric_events(fabric.id));
    frame.fresh_until = overview.status.fresh_until;
    let page = page(state, view, frame, (Some(head), Some(tabs)), title, wanted, log).await?;
    view::page(name, &page)
}

async fn activity(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let wanted = Wanted::read(&state, &view, url::activity(), None, None).await?;
    let log = log(&state, &view, &wanted).await?;
    let mut frame = view.frame("activity", "Activity", Nav::Activity)?.crumbs(vec![], "Activity");
    frame.events = Some(url::events());
    let mut page = page(&state, &view, frame, (None, None), "Activity", wanted, log).await?;
    page.lead = "Every operation, every change and every attempt, also those that were turned away".to_owned();
    page.table.show_fabric = true;
    view::page("activity", &page)
}

async fn page(
    state: &AppState,
    view: &View,
    frame: Frame,
    (head, tabs): (Option<Head>, Option<Tabs>),
    title: &str,
    wanted: Wanted,
    log: Log,
) -> Result<Page, Problem> {
    Ok(Page {
        frame,
        head,
        tabs,
        title: title.to_owned(),
        lead: String::new(),
        form: wanted.form(state, view).await?,
        chips: wanted.chips(),
        choices: wanted.choices(),
        empty: match (log.total, wanted.is_filtered()) {
            (1.., _) => "This list has fewer pages.".to_owned(),
            (0, true) => "Nothing that was done fits these filters. Take one off above.".to_owned(),
            (0, false) => "Nothing yet.".to_owned(),
        },
        exports: wanted.exports(),
        timeline: wanted.timeline(),
        pager: Pager::new(wanted.path.clone(), wanted.pairs(), wanted.page, log.total),
        table: OperationsTable { rows: log.rows, show_fabric: false },
    })
}

/// What the pages show.
#[derive(Template)]
#[template(path = "operations.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Option<Head>,
    pub tabs: Option<Tabs>,
    pub title: String,
    pub lead: String,
    pub form: FilterForm,
    pub chips: Chips,
    pub choices: Vec<Choice>,
    pub table: OperationsTable,
    pub empty: String,
    /// The same list as a file: words and address.
    pub exports: Vec<(&'static str, String)>,
    /// What happened one after the other, when the list is of one fabric or of one user.
    pub timeline: Option<String>,
    pub pager: Pager,
}
