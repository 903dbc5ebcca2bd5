//! One's own sessions: where they are, since when, which is this one; and their ends, one by one or all at once.

use crate::extract::{Fields, Login, Told};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::layers::cookies;
use crate::parts::SessionRow;
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use askama::Template;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use model::Code;
use serde_json::json;

/// The routes of one's own sessions.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("account_sessions", pattern::account_sessions, Needs::LoggedIn, show),
        Route::recorded("account_sessions_end", pattern::account_sessions_end, Needs::LoggedIn, end_all),
        Route::recorded("account_session_end", pattern::account_session_end, Needs::LoggedIn, end),
    ]
}

/// Ended sessions that are shown.
const ENDED: usize = 20;

async fn show(State(state): State<AppState>, view: View, login: Login) -> Result<Response, Problem> {
    let sessions = state.store.sessions().list_of_user(login.user.id).await?;
    let this = login.session()?.id;
    let row = |session: &store::Session| SessionRow::of(&view, session, session.id == this);
    let (open, ended): (Vec<_>, Vec<_>) = sessions.iter().map(row).partition(|row| row.is_open);
    let page = Page {
        frame: view.frame("account_sessions", "Your sessions", Nav::Account)?.crumbs(Vec::new(), "Your sessions"),
        others: open.len().saturating_sub(1),
        open,
        ended: ended.into_iter().take(ENDED).collect(),
    };
    view::page("account_sessions", &page)
}

async fn end(
    State(state): State<AppState>,
    login: Login,
    params: RawPathParams,
    asked: Asked,
) -> Result<Response, Problem> {
    let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok());
    let own = match id {
        Some(id) => state.store.sessions().get(id).await.ok().filter(|session| session.user_id == login.user.id),
        None => None,
    };
    let session = own.ok_or_else(|| Problem::not_found("session"))?;
    if session.id == login.session()?.id {
        state.sessions.logout(&session).await?;
        return Ok(out(&state, asked, "This session was ended.".to_owned()));
    }
    let message = match state.sessions.revoke(session.id, &login.user.username).await? {
        true => format!("A session at {} was ended.", session.address),
        false => "That session had ended already.".to_owned(),
    };
    Ok(done(asked, message))
}

/// Ends all others, or all with this one, as the form says.
async fn end_all(
    State(state): State<AppState>,
    login: Login,
    fields: Fields,
    asked: Asked,
) -> Result<Response, Problem> {
    let by = &login.user.username;
    let count = |ended: u64| {
        if ended == 1 { "1 session was ended.".to_owned() } else { format!("{ended} sessions were ended.") }
    };
    match fields.text("which") {
        "others" => {
            let ended = state.sessions.revoke_all(login.user.id, Some(login.session()?.id), by).await?;
            Ok(done(asked, count(ended)))
        }
        "all" => {
            let ended = state.sessions.revoke_all(login.user.id, Some(login.session()?.id), by).await?;
            state.sessions.logout(login.session()?).await?;
            Ok(out(&state, asked, count(ended + 1)))
        }
        other => {
            let shown: String = other.chars().take(60).collect();
            Err(Problem::new(
                Code::InvalidInput,
                format!("Which sessions shall end? “{shown}” is neither “others” nor “all”."),
            ))
        }
    }
}

fn done(asked: Asked, message: String) -> Response {
    let mut response = match asked {
        Asked::Script => view::json(StatusCode::OK, &json!({ "success": true, "message": message })),
        Asked::Navigation => Redirect::to(&url::account_sessions()).into_response(),
    };
    response.extensions_mut().insert(Told { operation_id: None, message });
    response
}

/// The same, where this session is among those that ended.
fn out(state: &AppState, asked: Asked, message: String) -> Response {
    let cookie = cookies::clear_session(&state.settings).map(|cookie| [(header::SET_COOKIE, cookie)]);
    let mut response = match asked {
        Asked::Script => {
            (cookie, view::json(StatusCode::OK, &json!({ "success": true, "message": message }))).into_response()
        }
        Asked::Navigation => (cookie, Redirect::to(&url::login())).into_response(),
    };
    response.extensions_mut().insert(Told { operation_id: None, message });
    response
}

/// What the page shows.
#[derive(Template)]
#[template(path = "account_sessions.html")]
pub struct Page {
    pub frame: Frame,
    pub open: Vec<SessionRow>,
    /// How many are open beside this one.
    pub others: usize,
    pub ended: Vec<SessionRow>,
}
