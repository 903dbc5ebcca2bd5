//! Lists of what was done: a fabric's operations, a fabric's activity, and the activity of all fabrics.

use crate::extract::OfFabric;
use crate::frame::{Find, Frame, Nav};
use crate::icon::Icon;
use crate::parts::derive;
use crate::parts::head::FabricPage;
use crate::parts::list::PAGE_SIZE;
use crate::parts::{Badge, Choice, Head, OperationRow, OperationsTable, Pager, Tabs, Tone};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View, bad};
use crate::when;
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use model::operation::OperationState;
use std::cmp::Reverse;
use std::collections::HashMap;
use store::attempts::AttemptFilter;
use store::operations::OperationFilter;
use store::{Attempt, Fabric, Operation};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("fabric_operations", pattern::fabric_operations, Needs::Fabric(Action::View), of_fabric),
        Route::page("fabric_activity", pattern::fabric_activity, Needs::Fabric(Action::View), activity_of_fabric),
        Route::page("activity", pattern::activity, Needs::Listing, activity),
    ]
}

/// What an activity page shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    /// Operations, and the attempts that did not become one.
    Everything,
    /// Operations alone.
    Operations,
    /// Every attempt, also those that became an operation.
    Attempts,
    /// Attempts that were turned away.
    Refused,
}

impl Show {
    const ALL: [(Show, &'static str, &'static str); 4] = [
        (Show::Everything, "", "Everything"),
        (Show::Operations, "operations", "Operations"),
        (Show::Attempts, "attempts", "Attempts"),
        (Show::Refused, "refused", "Turned away"),
    ];

    fn read(view: &View) -> Result<Self, Problem> {
        let query = view.query();
        let word = query.get("show").unwrap_or_default();
        let found = Self::ALL.iter().find(|(_, known, _)| *known == word);
        found.map(|(show, ..)| *show).ok_or_else(|| bad("show", word))
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(show, ..)| *show == self).map_or("", |(_, word, _)| word)
    }

    fn choices(self, path: &str) -> Vec<Choice> {
        let choice = |(show, word, label): (Show, &str, &str)| Choice {
            value: url::with_query(path, &[("show", word)]),
            label: label.to_owned(),
            selected: show == self,
        };
        Self::ALL.into_iter().map(choice).collect()
    }
}

/// Rows of one page of activity, and how many there are in all.
struct Log {
    rows: Vec<OperationRow>,
    total: u64,
}

/// The newest rows of two lists are read as far as the page reaches; far back, one of the lists alone is to be chosen.
const MERGED_PAGES: u64 = 20;

async fn log(state: &AppState, view: &View, show: Show, fabric_id: Option<i64>, number: u64) -> Result<Log, Problem> {
    let scope = view.login.access.fabrics();
    let operations = OperationFilter { fabric_id, ..OperationFilter::default() };
    let attempts = AttemptFilter { fabric_id, refused_only: show != Show::Attempts };
    let one = store::Page::new(PAGE_SIZE as u32, (number - 1) * PAGE_SIZE);
    let (page, skip) = match show {
        Show::Everything if number > MERGED_PAGES => {
            return Err(
                bad("page", &number.to_string()).todo("Choose operations or attempts alone to go further back.")
            );
        }
        Show::Everything => (store::Page::first((number * PAGE_SIZE) as u32), ((number - 1) * PAGE_SIZE) as usize),
        _ => (one, 0),
    };
    let mut dated: Vec<(Timestamp, Entry)> = Vec::new();
    let mut total = 0;
    if matches!(show, Show::Everything | Show::Operations) {
        let listed = state.store.operations().list(&scope, &operations, page).await?;
        total += listed.total;
        dated.extend(
            listed.rows.into_iter().map(|operation| (operation.queued_at, Entry::Operation(Box::new(operation)))),
        );
    }
    if show != Show::Operations {
        let listed = state.store.attempts().list(&scope, &attempts, page).await?;
        total += listed.total;
        dated.extend(listed.rows.into_iter().map(|attempt| (attempt.at, Entry::Attempt(Box::new(attempt)))));
    }
    dated.sort_by_key(|(at, _)| Reverse(*at));
    let entries: Vec<Entry> = dated.into_iter().skip(skip).take(PAGE_SIZE as usize).map(|(_, entry)| entry).collect();
    let names = names(state, view, &entries).await?;
    let rows = entries
        .iter()
        .map(|entry| match entry {
            Entry::Operation(operation) => row(view, operation, names.get(&operation.fabric_id).map(String::as_str)),
            Entry::Attempt(attempt) => attempt_row(view, attempt),
        })
        .collect();
    Ok(Log { rows, total })
}

enum Entry {
    Operation(Box<Operation>),
    Attempt(Box<Attempt>),
}

/// The names of the fabrics that the entries are of.
async fn names(state: &AppState, view: &View, entries: &[Entry]) -> Result<HashMap<i64, String>, Problem> {
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
        title: operation.verb.title().to_owned(),
        href: Some(url::operation(operation.id)),
        fabric: fabric.map(|name| (name.to_owned(), Some(url::fabric(operation.fabric_id)))),
        state: operation.state.into(),
        actor: operation.actor.clone(),
        when: view.when(operation.started_at.unwrap_or(operation.queued_at)),
        took: took(operation, view.now),
        summary: operation.message.clone(),
        code: operation
            .code
            .filter(|_| operation.state != OperationState::Succeeded)
            .map(|code| code.as_str().to_owned()),
    }
}

/// How long an operation took, or takes.
pub fn took(operation: &Operation, now: Timestamp) -> String {
    let Some(began) = operation.started_at else { return String::new() };
    when::length(operation.ended_at.unwrap_or(now).duration_since(began))
}

fn attempt_row(view: &View, attempt: &Attempt) -> OperationRow {
    let refused = attempt.http_status >= 400;
    let title = match (attempt.verb, attempt.code) {
        (Some(verb), _) => verb.title().to_owned(),
        (None, Some(model::Code::ClientScriptError)) => "Script of a page".to_owned(),
        (None, _) => match recorded(attempt) {
            Some("fabric_suspend") => "Suspend automatic syncs".to_owned(),
            Some("fabric_resume") => "Resume automatic syncs".to_owned(),
            _ => format!("{} {}", attempt.method, attempt.path),
        },
    };
    let named = (!attempt.fabric_name.is_empty()).then(|| attempt.fabric_name.clone());
    let fabric = match (attempt.fabric_id, named) {
        (Some(id), named) => Some((named.unwrap_or_else(|| format!("fabric {id}")), Some(url::fabric(id)))),
        // Attempts outlive their fabric, under its name.
        (None, named) => named.map(|name| (name, None)),
    };
    OperationRow {
        title,
        href: attempt.operation_id.map(url::operation),
        fabric,
        state: match refused {
            true => Badge::new(Tone::Bad, Icon::Stopped, "Turned away"),
            false => Badge::new(Tone::Off, Icon::Arrow, "Accepted"),
        },
        actor: attempt.actor.clone(),
        when: view.when(attempt.at),
        took: String::new(),
        summary: format!("{} Request {}, from {}.", attempt.message, attempt.request_id, attempt.address)
            .trim()
            .to_owned(),
        code: attempt.code.map(|code| code.as_str().to_owned()),
    }
}

/// The name of the route that was tried.
fn recorded(attempt: &Attempt) -> Option<&'static str> {
    let method = attempt.method.parse().ok()?;
    Some(crate::routes::resolve(&method, &attempt.path)?.name)
}

async fn of_fabric(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let number = view.query().page()?;
    let log = log(&state, &view, Show::Operations, Some(fabric.id), number).await?;
    let path = url::fabric_operations(fabric.id);
    let pager = Pager::new(path, vec![], number, log.total);
    fabric_page(&state, &view, &fabric, FabricPage::Operations, "Operations", vec![], log, pager).await
}

async fn activity_of_fabric(
    state: State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
) -> Result<Response, Problem> {
    let (show, number) = (Show::read(&view)?, view.query().page()?);
    let log = log(&state, &view, show, Some(fabric.id), number).await?;
    let path = url::fabric_activity(fabric.id);
    let pager = Pager::new(path.clone(), vec![("show".into(), show.word().into())], number, log.total);
    fabric_page(&state, &view, &fabric, FabricPage::Activity, "Activity", show.choices(&path), log, pager).await
}

#[expect(clippy::too_many_arguments, reason = "two pages that differ in these alone")]
async fn fabric_page(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    tab: FabricPage,
    title: &str,
    choices: Vec<Choice>,
    log: Log,
    pager: Pager,
) -> Result<Response, Problem> {
    let overview = state.engine.overview(fabric).await?;
    let (head, tabs) = derive::head(view, fabric, &overview, tab).await?;
    let name = if tab == FabricPage::Operations { "fabric_operations" } else { "fabric_activity" };
    let mut frame = view
        .frame(name, format!("{title} · {}", fabric.name), Nav::Fabrics)?
        .crumbs(vec![("Fabrics".into(), url::fabrics()), (fabric.name.clone(), url::fabric(fabric.id))], title);
    frame.find = Find::objects(fabric.id);
    frame.events = Some(url::fabric_events(fabric.id));
    let page = Page {
        frame,
        head: Some(head),
        tabs: Some(tabs),
        title: title.to_owned(),
        lead: String::new(),
        choices,
        table: OperationsTable { rows: log.rows, show_fabric: false },
        empty: "Nothing yet.".to_owned(),
        pager,
    };
    view::page(name, &page)
}

async fn activity(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let (show, number) = (Show::read(&view)?, view.query().page()?);
    let log = log(&state, &view, show, None, number).await?;
    let mut frame = view.frame("activity", "Activity", Nav::Activity)?.crumbs(vec![], "Activity");
    frame.events = Some(url::events());
    let page = Page {
        frame,
        head: None,
        tabs: None,
        title: "Activity".to_owned(),
        lead: "Every operation and every attempt, also those that were turned away".to_owned(),
        choices: show.choices(&url::activity()),
        table: OperationsTable { rows: log.rows, show_fabric: true },
        empty: "Nothing yet.".to_owned(),
        pager: Pager::new(url::activity(), vec![("show".into(), show.word().into())], number, log.total),
    };
    view::page("activity", &page)
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
    pub choices: Vec<Choice>,
    pub table: OperationsTable,
    pub empty: String,
    pub pager: Pager,
}
