//! One's own password: the old one is asked for in any case, the new one is checked, and every other session ends.

use crate::extract::{Fields, Login, Told};
use crate::frame::{Frame, Nav};
use crate::guard::password;
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::layers::client;
use crate::parts::field::{Field, FieldKind};
use crate::parts::{Notice, Tone};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use askama::Template;
use auth::PASSWORD_LENGTH;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{StatusCode, header};
use model::Code;
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeMap;

/// The routes of one's own password.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("account_password", pattern::account_password, Needs::LoggedIn, show),
        Route::recorded("account_password", pattern::account_password, Needs::LoggedIn, change),
    ]
}

async fn show(view: View) -> Result<Response, Problem> {
    form(&view, None, view.query().get("changed").is_some())
}

fn form(view: &View, refused: Option<&Problem>, is_changed: bool) -> Result<Response, Problem> {
    let none = BTreeMap::new();
    let errors = refused.map_or(&none, |problem| &problem.fields);
    let secret = |kind: FieldKind, name: &'static str, label: &'static str| {
        let mut field = Field::new(kind, name, label, "").required();
        field.error = errors.get(name).cloned();
        field
    };
    let has_password = view.login.user.has_password();
    let page = Page {
        frame: view.frame("account_password", "Your password", Nav::Account)?.crumbs(Vec::new(), "Your password"),
        notice: match (refused, is_changed) {
            (Some(problem), _) if problem.fields.is_empty() => {
                Some(Notice::new(Tone::Bad, problem.message.clone(), "", problem.what_to_do()))
            }
            (None, true) => Some(Notice::new(
                Tone::Good,
                "Your password was changed.",
                "",
                "Every other session of yours has ended.",
            )),
            (None, false) if !has_password => Some(Notice::new(
                Tone::Off,
                "Your account has no password.",
                "You log in by somebody else, who asks for yours there.",
                "An administrator can set one: `hedgerow user set-password`.",
            )),
            _ => None,
        },
        has_password,
        current: secret(FieldKind::Password, password::FIELD, "Your password until now"),
        new: secret(FieldKind::Secret, "new_password", "New password").help(format!(
            "At least {} characters; several words are good. There are no rules about digits or signs, but what is \
             guessed first is refused.",
            PASSWORD_LENGTH.start()
        )),
        again: secret(FieldKind::Secret, "new_password_again", "The new one again"),
    };
    let mut response = view::page("account_password", &page)?;
    if let Some(problem) = refused {
        *response.status_mut() = problem.http_status();
    }
    Ok(response)
}

async fn change(
    State(state): State<AppState>,
    view: View,
    login: Login,
    fields: Fields,
    request: Request,
) -> Result<Response, Problem> {
    let asked = view.asked();
    let address = client::address(&state.settings, request.extensions(), request.headers());
    match set(&state, &login, &fields, &address).await {
        Ok(cookie) => {
            let message = "The password was changed; every other session of the user ended.".to_owned();
            let page = url::with_query(&url::account_password(), &[("changed", "1")]);
            let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
            let mut response = match asked {
                Asked::Script => {
                    (cookie, view::json(StatusCode::OK, &json!({ "success": true, "redirect": page }))).into_response()
                }
                Asked::Navigation => (cookie, Redirect::to(&page)).into_response(),
            };
            response.extensions_mut().insert(Told { operation_id: None, message });
            Ok(response)
        }
        Err(problem) if asked == Asked::Navigation && !problem.code.retryable() => form(&view, Some(&problem), false),
        Err(problem) => Err(problem),
    }
}

async fn set(
    state: &AppState,
    login: &Login,
    fields: &Fields,
    address: &str,
) -> Result<Option<http::HeaderValue>, Problem> {
    let given = |name: &str| fields.get(name).unwrap_or_default();
    if given(password::FIELD).is_empty() {
        return Err(Problem::field(password::FIELD, "Enter the password that you log in with now."));
    }
    if let Err(error) = auth::check_password(&login.user.username, given("new_password")) {
        return Err(Problem::field("new_password", capitalised(&error.to_string())));
    }
    if given("new_password") != given("new_password_again") {
        return Err(Problem::field("new_password_again", "The two new passwords differ. Nothing was changed."));
    }
    let again = password::again(state, login, given(password::FIELD), address).await;
    let cookie = again.map_err(|problem| match problem.code {
        Code::PasswordRequired => Problem::field(password::FIELD, "That is not your password. Nothing was changed."),
        _ => problem,
    })?;
    let new = SecretString::from(given("new_password"));
    let done = state.sessions.set_password(login.user.id, new, Some(login.session()?.id), &login.user.username).await;
    match done {
        Ok(()) => Ok(cookie),
        Err(auth::LoginError::Password(error)) => Err(Problem::field("new_password", capitalised(&error.to_string()))),
        Err(auth::LoginError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::internal("change a password", &error)),
    }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "account_password.html")]
pub struct Page {
    pub frame: Frame,
    pub notice: Option<Notice>,
    /// Whether there is one that could be changed.
    pub has_password: bool,
    pub current: Field,
    pub new: Field,
    pub again: Field,
}
