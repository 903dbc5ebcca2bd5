//! The session as data: who is logged in, until when, with a fresh CSRF token. Asking does not make it last; saying
//! that somebody is at work does.

use crate::extract::{Fields, Login};
use crate::frame::Theme;
use crate::layers::classify::Asked;
use crate::layers::cookies;
use crate::problem::Problem;
use crate::routes::{Kind, Needs, Route, safe_next};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::machine;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use serde_json::json;

/// The routes of the session.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("session", pattern::session, Needs::LoggedIn, Kind::Data, show),
        Route::post("session", pattern::session, Needs::LoggedIn, extend),
        Route::post("theme", pattern::theme, Needs::LoggedIn, theme),
    ]
}

fn answer(view: &View, login: &Login) -> Result<Response, Problem> {
    let session = login.session().ok();
    let body = json!({
        "user": { "id": login.user.id, "username": login.user.username, "is_superuser": login.user.is_superuser },
        "now": machine(view.now),
        "idle_expires_at": session.map(|session| machine(session.idle_expires_at)),
        "absolute_expires_at": session.map(|session| machine(session.absolute_expires_at)),
        "csrf_token": session.map(|_| view.csrf()).transpose()?,
        "token": login.token().map(|token| json!({
            "key": token.key,
            "read_only": token.read_only,
            "expires_at": token.expires_at.map(machine),
        })),
    });
    Ok(view::json(StatusCode::OK, &body))
}

async fn show(view: View) -> Result<Response, Problem> {
    answer(&view, &view.login)
}

/// Somebody uses a page without asking the server for anything; the guard has noted it as activity.
async fn extend(view: View, asked: Asked, fields: Fields) -> Result<Response, Problem> {
    match asked {
        Asked::Script => answer(&view, &view.login),
        Asked::Navigation => Ok(back_to(&fields)),
    }
}

/// Leads back to the page that the form names.
fn back_to(fields: &Fields) -> Response {
    let home = url::home();
    Redirect::to(safe_next(fields.text("next")).unwrap_or(&home)).into_response()
}

async fn theme(State(state): State<AppState>, asked: Asked, fields: Fields) -> Response {
    let cookie = cookies::set_theme(&state.settings, Theme::parse(fields.text("theme")));
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    match asked {
        Asked::Script => {
            (cookie, view::json(StatusCode::OK, &json!({ "theme": fields.text("theme") }))).into_response()
        }
        Asked::Navigation => (cookie, back_to(&fields)).into_response(),
    }
}
