//! What one user did, or what happened to one fabric, one thing after the other: logins and ends of sessions, pages that
//! led to the login, presses and what became of each. It answers what nobody could say of the predecessor: whether a
//! button that "did nothing" had led to the login page, or had run and failed.

use crate::extract::Login;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::changes;
use crate::pages::operations::{attempt, names, seen, took};
use crate::parts::changes::ChangedObjects;
use crate::parts::{Badge, SessionRow, Tone};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View, bad};
use askama::Template;
use axum::extract::State;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use model::operation::OperationState;
use std::collections::{HashMap, HashSet};
use store::activity::{ActivityFilter, Entry, Show};
use store::{Attempt, Operation, Page as Rows, User};

/// The route of the page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("timeline", pattern::timeline, Needs::Listing, show)]
}

/// How far back it reaches when nothing says since when.
const SPAN: SignedDuration = SignedDuration::from_hours(48);

/// Entries of each kind that are shown, the newest ones; more are found with a narrower time.
const MOST: u32 = 400;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Event {
    at: Timestamp,
    /// The time of day, UTC.
    pub clock: String,
    /// How it ended.
    pub state: Badge,
    /// What was asked, or what happened.
    pub title: String,
    /// Its page.
    pub href: Option<String>,
    /// Who.
    pub actor: String,
    /// On which fabric, with its page.
    pub fabric: Option<(String, Option<String>)>,
    /// What there is to say.
    pub text: String,
    /// The code of the failure.
    pub code: Option<String>,
    /// Which of the nine failure points it is.
    pub point: Option<u8>,
    /// What it changed.
    pub changed: ChangedObjects,
}

impl Event {
    fn new(at: Timestamp, state: Badge, title: impl Into<String>) -> Self {
        Self {
            at,
            clock: at.strftime("%H:%M:%S").to_string(),
            state,
            title: title.into(),
            href: None,
            actor: String::new(),
            fabric: None,
            text: String::new(),
            code: None,
            point: None,
            changed: ChangedObjects::default(),
        }
    }
}

/// The events of one day.
#[derive(Debug, Clone)]
pub struct Day {
    /// The day.
    pub date: String,
    /// What happened on it, the first thing first.
    pub events: Vec<Event>,
}

fn of_attempt(tried: &Attempt) -> Event {
    let mut event = Event::new(tried.at, attempt::badge(tried), attempt::title(tried));
    event.href = tried.operation_id.map(url::operation);
    event.actor = tried.actor.clone();
    event.fabric = attempt::fabric(tried);
    event.text = attempt::summary(tried);
    event.code = tried.code.map(|code| code.as_str().to_owned());
    event.point = tried.code.and_then(|code| code.failure_point());
    event
}

/// An operation's beginning, unless somebody's press stands there for it, and its end.
fn of_operation(view: &View, operation: &Operation, name: Option<&String>, is_pressed: bool) -> Vec<Event> {
    let title = operation.verb.title();
    let event = |at: Timestamp, state: Badge, title: String, text: String| {
        let mut event = Event::new(at, state, title);
        event.href = Some(url::operation(operation.id));
        event.actor = operation.actor.clone();
        event.fabric = name.map(|name| (name.clone(), Some(url::fabric(operation.fabric_id))));
        event.text = text;
        event
    };
    let mut events = Vec::new();
    if !is_pressed {
        let began = Badge::new(Tone::Off, Icon::Arrow, "Began");
        let text = format!("Operation {}, started by itself.", operation.id);
        events.push(event(operation.queued_at, began, title.to_owned(), text));
    }
    if let Some(ended) = operation.ended_at {
        let text = format!("Operation {}, after {}. {}", operation.id, took(operation, view.now), operation.message);
        let mut end = event(ended, operation.state.into(), format!("{title} ended"), text.trim().to_owned());
        let failed = operation.code.filter(|_| operation.state != OperationState::Succeeded);
        end.code = failed.map(|code| code.as_str().to_owned());
        end.point = failed.and_then(|code| code.failure_point());
        events.push(end);
    }
    events
}

/// The ends of a user's sessions; their beginnings are logins.
async fn of_sessions(state: &AppState, view: &View, user: &User) -> Result<Vec<Event>, Problem> {
    let sessions = state.store.sessions().list_of_user(user.id).await?;
    let ended = sessions.iter().filter_map(|session| {
        let row = SessionRow::of(view, session, false);
        if row.is_open {
            return None;
        }
        let at = session.ended_at.unwrap_or(session.idle_expires_at.min(session.absolute_expires_at));
        let over = Badge::new(Tone::Off, Icon::Hollow, "Session over");
        let mut event = Event::new(at, over, format!("A session of {} ended", user.username));
        event.text = format!("{}, from {}: {}.", row.browser, row.address, row.reason);
        Some(event)
    });
    Ok(ended.collect())
}

async fn show(State(state): State<AppState>, view: View, login: Login) -> Result<Response, Problem> {
    let query = view.query();
    let user = query.get("user").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let scope = login.access.fabrics();
    let fabric = match query.get("fabric") {
        None => None,
        Some(text) => {
            let id: i64 = text.parse().map_err(|_| bad("fabric", text))?;
            let found = state.store.fabrics().get(&scope, id).await;
            Some(found.map_err(|error| match error {
                store::Error::NotFound(_) => {
                    bad("fabric", text).todo("There is no such fabric, or you may not see it.")
                }
                error => error.into(),
            })?)
        }
    };
    if user.is_none() && fabric.is_none() {
        return ask(&view);
    }
    let before = crate::pages::operations::filter::time(&query, "before")?;
    let since = crate::pages::operations::filter::time(&query, "since")?;
    let end = before.unwrap_or(view.now);
    let since = since.unwrap_or_else(|| end.checked_sub(SPAN).unwrap_or(Timestamp::MIN));
    let filter = |show| ActivityFilter {
        show,
        fabric_id: fabric.as_ref().map(|fabric| fabric.id),
        actor: user.clone(),
        since: Some(since),
        before,
        ..ActivityFilter::default()
    };
    let may_see = seen(&login, &scope);
    let attempts = state.store.activity().list(&may_see, &filter(Show::Attempts), Rows::first(MOST)).await?;
    let operations = state.store.activity().list(&may_see, &filter(Show::Operations), Rows::first(MOST)).await?;
    let fabrics: HashMap<i64, String> = names(&state, &view, &operations.rows).await?;
    let mut changed = changes::of_entries(&view, &attempts.rows).await?;
    let mut events = Vec::new();
    let mut pressed = HashSet::new();
    // The list has the newest first; what happened in one moment stays in its order.
    for entry in attempts.rows.iter().rev() {
        if let Entry::Attempt(tried) = entry {
            pressed.extend(tried.operation_id);
            let objects = changed.remove(&tried.request_id).unwrap_or_default();
            events.push(Event { changed: ChangedObjects { objects }, ..of_attempt(tried) });
        }
    }
    for entry in operations.rows.iter().rev() {
        if let Entry::Operation(operation) = entry {
            let is_pressed = pressed.contains(&operation.id);
            events.extend(of_operation(&view, operation, fabrics.get(&operation.fabric_id), is_pressed));
        }
    }
    let whose = match &user {
        Some(name) if may_see.people || *name == login.user.username => state.store.users().by_name(name).await?,
        _ => None,
    };
    if let (Some(whose), None) = (&whose, &fabric) {
        let ends = of_sessions(&state, &view, whose).await?;
        events.extend(ends.into_iter().filter(|event| event.at >= since && event.at < end));
    }
    events.sort_by_key(|event| event.at);
    let left_out = attempts.total.saturating_sub(u64::from(MOST)) + operations.total.saturating_sub(u64::from(MOST));
    let name = match (&user, &fabric) {
        (Some(user), Some(fabric)) => format!("{user} on {}", fabric.name),
        (Some(user), None) => user.clone(),
        (None, Some(fabric)) => fabric.name.clone(),
        (None, None) => String::new(),
    };
    let way = vec![("Activity".to_owned(), url::activity())];
    let page = Page {
        frame: view.frame("timeline", format!("Timeline · {name}"), Nav::Activity)?.crumbs(way, "Timeline"),
        name,
        user: user.unwrap_or_default(),
        fabric: fabric.map(|fabric| fabric.id.to_string()).unwrap_or_default(),
        since: since.strftime("%Y-%m-%dT%H:%M").to_string(),
        before: before.map(|at| at.strftime("%Y-%m-%dT%H:%M").to_string()).unwrap_or_default(),
        left_out,
        days: days(events),
    };
    view::page("timeline", &page)
}

/// Of whom or of what it shall be, is not said yet.
fn ask(view: &View) -> Result<Response, Problem> {
    let way = vec![("Activity".to_owned(), url::activity())];
    let page = Page {
        frame: view.frame("timeline", "Timeline", Nav::Activity)?.crumbs(way, "Timeline"),
        name: String::new(),
        user: String::new(),
        fabric: String::new(),
        since: String::new(),
        before: String::new(),
        left_out: 0,
        days: Vec::new(),
    };
    view::page("timeline", &page)
}

fn days(events: Vec<Event>) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for event in events {
        let date = event.at.strftime("%A, %-d %B %Y").to_string();
        match days.last_mut().filter(|day| day.date == date) {
            Some(day) => day.events.push(event),
            None => days.push(Day { date, events: vec![event] }),
        }
    }
    days
}

/// What the page shows.
#[derive(Template)]
#[template(path = "timeline.html")]
pub struct Page {
    pub frame: Frame,
    /// Of whom or of what it is.
    pub name: String,
    pub user: String,
    pub fabric: String,
    pub since: String,
    pub before: String,
    /// How many older rows are not shown.
    pub left_out: u64,
    pub days: Vec<Day>,
}

#[cfg(test)]
impl Page {
    /// A page of sample events.
    pub fn sample(frame: Frame, name: &str, events: Vec<(Timestamp, Badge, &str, &str, Option<&str>)>) -> Self {
        let events = events.into_iter().map(|(at, state, title, text, code)| Event {
            actor: "alice".into(),
            text: text.into(),
            code: code.map(str::to_owned),
            point: code.and_then(|code| code.parse::<model::Code>().ok()?.failure_point()),
            ..Event::new(at, state, title)
        });
        Self {
            frame,
            name: name.to_owned(),
            user: name.to_owned(),
            fabric: String::new(),
            since: "2026-02-01T14:02".into(),
            before: String::new(),
            left_out: 0,
            days: days(events.collect()),
        }
    }
}
