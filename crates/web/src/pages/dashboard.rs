//! The dashboard: every fabric the user may see, with its state, its stages and what differs.

use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::wants_json;
use crate::parts::derive::{evidence, sentence, stages, sync_badge};
use crate::parts::list::{PAGE_SIZE, page_of};
use crate::parts::{Badge, Chip, Chips, Pager, RailMarks};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::When;
use askama::Template;
use auth::{Action, ObjectType};
use axum::extract::State;
use axum::response::Response;
use engine::Overview;
use http::StatusCode;
use model::status::SyncState;
use serde_json::{Value, json};
use std::cmp::Reverse;
use store::fabrics::FabricFilter;
use store::{Fabric, Listed};

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("home", pattern::home, Needs::Listing, show),
        Route::page("fabrics", pattern::fabrics, Needs::Listing, show),
    ]
}

async fn show(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let search = query.get("q").map(str::to_owned);
    let number = query.page()?;
    let filter = FabricFilter { search: search.clone(), ..FabricFilter::default() };
    let page = page_of(number);
    let listed = state.store.fabrics().list(&view.login.access.fabrics(), &filter, page).await?;
    let overviews = state.engine.overviews(&listed.rows).await?;
    if wants_json(&view.headers) {
        return Ok(view::json(StatusCode::OK, &as_json(&listed, &overviews, number)));
    }
    let mut fabrics: Vec<_> = listed.rows.iter().zip(&overviews).collect();
    // What is not well comes first; over several pages that would be an order within each page only.
    if listed.total <= PAGE_SIZE {
        fabrics
            .sort_by_key(|(fabric, overview)| (Reverse(overview.status.state.severity()), fabric.name.to_lowercase()));
    }
    let row = |(fabric, overview): &(&store::Fabric, &Overview)| Row {
        href: url::fabric(fabric.id),
        name: fabric.name.clone(),
        description: fabric.description.clone(),
        state: sync_badge(overview),
        marks: RailMarks { stages: stages(overview, view.now) },
        sentence: sentence(overview),
        suspended: fabric.suspension.as_ref().map(|s| format!("Automatic syncs suspended by {}: {}", s.by, s.reason)),
        evidence: evidence(overview, false),
        verified: overview.status.evidence_at.map(|at| view.when(at)),
        last_sync: overview.last_success.map(|at| view.when(at)),
    };
    let rows: Vec<Row> = fabrics.iter().map(row).collect();
    let can_add = view.login.access.actor().may(Action::Add, ObjectType::Fabric);
    let mut frame = view.frame("fabrics", "Fabrics", Nav::Fabrics)?.crumbs(vec![], "Fabrics");
    frame.events = Some(url::events());
    frame.fresh_until = overviews.iter().filter_map(|overview| overview.status.fresh_until).min();
    frame.refresh_without_script = 30;
    let chips = search.iter().map(|value| Chip { name: "name", value: value.clone(), without: url::fabrics() });
    let page = Page {
        frame,
        summary: summary(&overviews, listed.total),
        can_add,
        chips: Chips { chips: chips.collect(), clear: url::fabrics() },
        empty: match (&search, listed.total, can_add) {
            (_, 1.., _) => "There is no such page of this list.".to_owned(),
            (Some(search), ..) => format!("No fabric that you may see has “{search}” in its name or description."),
            (None, _, true) => {
                "No fabric yet. Add one with its cluster's kubeconfig and the repository that holds its \
                                desired state."
                    .to_owned()
            }
            (None, _, false) => {
                "There is no fabric that you may see. An administrator grants hedgerow.view_fabric.".to_owned()
            }
        },
        rows,
        pager: Pager::new(
            url::fabrics(),
            search.map(|q| ("q".to_owned(), q)).into_iter().collect(),
            number,
            listed.total,
        ),
    };
    view::page("fabrics", &page)
}

/// The list for a script, in the order of the database: who each is, how it stands, and where to read more.
fn as_json(listed: &Listed<Fabric>, overviews: &[Overview], number: u64) -> Value {
    let row = |(fabric, overview): (&Fabric, &Overview)| {
        json!({
            "id": fabric.id,
            "name": fabric.name,
            "description": fabric.description,
            "url": url::fabric(fabric.id),
            "status": overview.status,
            "last_success": overview.last_success,
            "last_comparison": overview.last_comparison,
        })
    };
    let results: Vec<Value> = listed.rows.iter().zip(overviews).map(row).collect();
    let next = (number * PAGE_SIZE < listed.total).then_some(number + 1);
    json!({ "count": listed.total, "page": number, "next_page": next, "results": results })
}

/// How many fabrics are in which state, worst first.
fn summary(overviews: &[Overview], total: u64) -> String {
    let mut states: Vec<SyncState> = SyncState::ALL.to_vec();
    states.sort_by_key(|state| Reverse(state.severity()));
    let parts: Vec<String> = states
        .into_iter()
        .filter_map(|state| {
            let count = overviews.iter().filter(|overview| overview.status.state == state).count();
            let word = if state == SyncState::Error { "in error".to_owned() } else { state.title().to_lowercase() };
            (count > 0).then(|| format!("{count} {word}"))
        })
        .collect();
    match (total, overviews.len() as u64) {
        (0, _) => String::new(),
        (1, 1) => String::new(),
        // A page behind the last one.
        (1, 0) => "1 fabric".to_owned(),
        (total, 0) => format!("{total} fabrics"),
        (total, shown) if shown < total => format!("{total} fabrics; on this page {}", parts.join(", ")),
        (total, _) => format!("{total} fabrics: {}", parts.join(", ")),
    }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "dashboard.html")]
pub struct Page {
    pub frame: Frame,
    pub summary: String,
    pub can_add: bool,
    pub chips: Chips,
    pub rows: Vec<Row>,
    pub empty: String,
    pub pager: Pager,
}

/// One fabric.
pub struct Row {
    pub href: String,
    pub name: String,
    pub description: String,
    pub state: Badge,
    pub marks: RailMarks,
    pub sentence: String,
    pub suspended: Option<String>,
    pub evidence: Option<(String, String)>,
    pub verified: Option<When>,
    pub last_sync: Option<When>,
}
