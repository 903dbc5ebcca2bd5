//! Somebody's own API tokens: which there are and what each was used for last, making one, and revoking one. The token
//! itself is on the answer of the form that made it, and nowhere else.

mod draft;

use crate::extract::{Fields, Login, Told};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::{Asked, wants_json};
use crate::parts::field::Field;
use crate::parts::{Badge, Tone};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::{When, machine};
use askama::Template;
use auth::{MadeToken, MakeTokenError, TOKENS_OF_A_USER};
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Redirect, Response};
use draft::{Draft, Form};
use http::StatusCode;
use model::Code;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use store::ApiToken;

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("tokens", pattern::tokens, Needs::LoggedIn, show),
        // Whoever sits down at an open browser must not leave with a key to it.
        Route::recorded("tokens", pattern::tokens, Needs::LoggedIn, add).sensitive(),
        Route::recorded("token_revoke", pattern::token_revoke, Needs::LoggedIn, revoke),
    ]
}

async fn show(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    if wants_json(&view.headers) {
        let tokens = state.store.api_tokens().of_user(view.login.user.id).await?;
        let all: Vec<Value> = tokens.iter().map(|token| as_json(token, &view)).collect();
        return Ok(view::json(StatusCode::OK, &json!({ "count": all.len(), "results": all })));
    }
    page(&state, &view, Draft::default(), None, StatusCode::OK).await
}

/// A token for scripts, without what is secret.
fn as_json(token: &ApiToken, view: &View) -> Value {
    json!({
        "id": token.id,
        "key": token.key,
        "description": token.description,
        "created_at": machine(token.created_at),
        "expires_at": token.expires_at.map(machine),
        "last_used_at": token.last_used_at.map(machine),
        "last_used_address": token.last_used_address,
        "allowed_addresses": token.allowed_addresses,
        "read_only": token.read_only,
        "revoked_at": token.revoked_at.map(machine),
        "revoked_by": token.revoked_by,
        "lasts": token.lasts_at(view.now),
    })
}

async fn page(
    state: &AppState,
    view: &View,
    draft: Draft,
    made: Option<&MadeToken>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let tokens = state.store.api_tokens().of_user(view.login.user.id).await?;
    let (lasting, ended): (Vec<_>, Vec<_>) = tokens.iter().partition(|token| token.lasts_at(view.now));
    let page = Page {
        frame: view.frame("tokens", "API tokens", Nav::Account)?.crumbs(vec![], "API tokens"),
        made: made.map(|made| Made {
            text: made.text.expose_secret().to_owned(),
            description: made.token.description.clone(),
        }),
        password: view.password_field("You entered it some time ago, and a new token needs it again."),
        errors: draft.errors(),
        form: draft.form(),
        key: uuid::Uuid::new_v4().to_string(),
        tokens: lasting.into_iter().map(|token| Row::of(token, view)).collect(),
        ended: ended.into_iter().map(|token| Row::of(token, view)).collect(),
    };
    let mut response = view::page("tokens", &page)?;
    *response.status_mut() = status;
    Ok(response)
}

async fn add(State(state): State<AppState>, view: View, login: Login, fields: Fields) -> Result<Response, Problem> {
    // Asked for here, too, beside the table: a token makes no token.
    login.session()?;
    let mut draft = Draft::read(&fields)?;
    let Some(wishes) = draft.wishes(view.now) else { return refused(&state, &view, draft).await };
    let form = Some(fields.text("idempotency_key")).filter(|form| !form.is_empty());
    let made = match state.tokens.make(view.login.user.id, wishes, form).await {
        Ok(made) => made,
        Err(MakeTokenError::Before(token)) => {
            let message = format!("This form has made the token {} before, and no second one.", token.key);
            return Err(Problem::new(Code::InvalidInput, message).status(StatusCode::CONFLICT).todo(
                "Its secret was shown then, and is kept nowhere: if you do not have it, revoke that token and make \
                 another one.",
            ));
        }
        Err(MakeTokenError::TooMany) => {
            let message = format!("You have {TOKENS_OF_A_USER} API tokens, and there are no more for one user.");
            return Err(Problem::new(Code::InvalidInput, message)
                .status(StatusCode::UNPROCESSABLE_ENTITY)
                .todo("Revoke one that is no longer needed, then make the new one."));
        }
        Err(MakeTokenError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(Problem::internal("make an API token", &error)),
    };
    let message = format!("The API token {} was made.", made.token.key);
    let mut response = match view.asked() {
        Asked::Script => {
            let mut body = as_json(&made.token, &view);
            body["success"] = true.into();
            body["message"] = message.as_str().into();
            body["token"] = made.text.expose_secret().into();
            view::json(StatusCode::CREATED, &body)
        }
        Asked::Navigation => page(&state, &view, Draft::default(), Some(&made), StatusCode::CREATED).await?,
    };
    response.extensions_mut().insert(Told { operation_id: None, message });
    Ok(response)
}

async fn refused(state: &AppState, view: &View, draft: Draft) -> Result<Response, Problem> {
    if view.asked() == Asked::Script {
        return Err(draft.problem());
    }
    page(state, view, draft, None, StatusCode::UNPROCESSABLE_ENTITY).await
}

async fn revoke(
    State(state): State<AppState>,
    view: View,
    login: Login,
    params: RawPathParams,
) -> Result<Response, Problem> {
    login.session()?;
    let missing = || Problem::not_found("API token");
    let id = params.iter().find(|(name, _)| *name == "id").and_then(|(_, id)| id.parse().ok()).ok_or_else(missing)?;
    let token = state.store.api_tokens().get(id).await?;
    // Somebody else's is none: whether it exists is not told.
    if token.user_id != view.login.user.id {
        return Err(missing());
    }
    let now = state.store.api_tokens().revoke(id, &view.login.user.username, view.now).await?;
    let message = match now {
        true => format!("The API token {} was revoked.", token.key),
        false => format!("The API token {} had been revoked before.", token.key),
    };
    tracing::info!(token.user_id, token.key, "an API token was revoked");
    let mut response = match view.asked() {
        Asked::Script => {
            let body = json!({ "success": true, "message": message, "redirect": url::tokens() });
            view::json(StatusCode::OK, &body)
        }
        Asked::Navigation => Redirect::to(&url::tokens()).into_response(),
    };
    response.extensions_mut().insert(Told { operation_id: None, message });
    Ok(response)
}

/// What the page shows.
#[derive(Template)]
#[template(path = "tokens.html")]
pub struct Page {
    pub frame: Frame,
    /// The token that was made just now.
    pub made: Option<Made>,
    pub form: Form,
    /// What makes the form one request, however often it is sent.
    pub key: String,
    /// The field for the password, when it was entered long ago.
    pub password: Option<Field>,
    /// What is wrong with the form: field and sentence.
    pub errors: Vec<(&'static str, String)>,
    /// Those that are good.
    pub tokens: Vec<Row>,
    /// Those that have ended.
    pub ended: Vec<Row>,
}

/// A token that was made just now, for the one time that it is shown.
pub struct Made {
    pub text: String,
    pub description: String,
}

/// The form as it is at first, for the gallery.
#[cfg(test)]
pub fn sample_form() -> Form {
    Draft::default().form()
}

/// One token.
pub struct Row {
    pub id: i64,
    pub key: String,
    pub description: String,
    pub created: When,
    pub expires: Option<When>,
    pub last_used: Option<(When, String)>,
    pub read_only: bool,
    pub addresses: String,
    /// How it ended, when it has.
    pub end: Option<(Badge, String)>,
}

impl Row {
    /// The row of a token.
    pub fn of(token: &ApiToken, view: &View) -> Self {
        let when = |at| view.when(at);
        let revoked = token.revoked_by.as_ref().map(|by| {
            let words = if *by == view.login.user.username { "by you".to_owned() } else { format!("by {by}") };
            (Badge::new(Tone::Bad, Icon::Stopped, "Revoked"), words)
        });
        let expired = || (Badge::new(Tone::Off, Icon::Hollow, "Expired"), String::new());
        Self {
            id: token.id,
            key: token.key.clone(),
            description: token.description.clone(),
            created: when(token.created_at),
            expires: token.expires_at.map(when),
            last_used: token.last_used_at.map(|at| (when(at), token.last_used_address.clone().unwrap_or_default())),
            read_only: token.read_only,
            addresses: token.allowed_addresses.join(", "),
            end: revoked.or_else(|| (!token.lasts_at(view.now)).then(expired)),
        }
    }
}
