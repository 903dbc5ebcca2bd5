//! The record of tries: every POST of a verb, and of what else people will ask about, gets a row, also one that was
//! turned away before its handler ran.

use crate::extract::{self, Login};
use crate::layers::request_id::RequestId;
use crate::layers::{client, cookies};
use crate::problem::Problem;
use crate::routes::{Kind, Needs, RouteInfo};
use crate::state::AppState;
use auth::{Granted, SessionToken};
use axum::extract::Request;
use http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use model::Code;
use std::sync::Mutex;
use store::{Fabric, NewAttempt, Scope};

/// Tries without a session that are recorded each minute. A flood of them is in the log, not in the database.
const NAMELESS_A_MINUTE: u32 = 60;

/// What is known of a try, as the guard finds it out.
#[derive(Debug)]
pub struct Told {
    attempt: NewAttempt,
}

impl Told {
    /// What the request itself says.
    pub fn of(state: &AppState, route: &RouteInfo, request: &Request) -> Self {
        let path = request.uri().path();
        let of_fabric = matches!(route.needs, Needs::Fabric(_));
        let fabric_id = path.split('/').find_map(|part| part.parse().ok()).filter(|_| of_fabric);
        let verb = if let Kind::Verb(verb) = route.kind { Some(verb) } else { None };
        Self {
            attempt: NewAttempt {
                at: state.now(),
                fabric_id,
                fabric_name: String::new(),
                verb,
                actor: "anonymous".to_owned(),
                user_id: None,
                address: client::address(&state.settings, request.extensions(), request.headers()),
                method: request.method().to_string(),
                path: path.chars().take(300).collect(),
                http_status: 0,
                code: None,
                message: String::new(),
                request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
                operation_id: None,
            },
        }
    }

    /// Who it is.
    pub fn is(&mut self, login: &Login) {
        self.attempt.actor = login.user.username.clone();
        self.attempt.user_id = Some(login.user.id);
    }

    /// Whose session it was that has ended, if there was one.
    pub async fn was(&mut self, state: &AppState, headers: &HeaderMap) {
        let token = cookies::session(&state.settings, headers).and_then(SessionToken::parse);
        let Some(token) = token else { return };
        if let Ok(Some(session)) = state.store.sessions().find_by_hash(&token.hash()).await
            && let Ok(user) = state.store.users().get(session.user_id).await
        {
            self.attempt.actor = user.username;
            self.attempt.user_id = Some(user.id);
        }
    }

    /// On which fabric.
    pub fn on(&mut self, fabric: &Granted<Fabric>) {
        self.attempt.fabric_id = Some(fabric.id);
        self.attempt.fabric_name = fabric.name.clone();
    }
}

/// Records a try with its answer. A record that cannot be written is logged; the answer stands.
pub async fn record(
    state: &AppState,
    told: Told,
    status: StatusCode,
    problem: Option<&Problem>,
    outcome: extract::Told,
) {
    let mut attempt = told.attempt;
    if attempt.user_id.is_none() && !admit_nameless(attempt.at) {
        tracing::warn!(path = attempt.path, address = attempt.address, "a try without a session was not recorded");
        return;
    }
    attempt.http_status = status.as_u16();
    attempt.code = problem.map(|problem| problem.code);
    attempt.message = problem.map_or(outcome.message, |problem| problem.message.clone());
    attempt.operation_id = outcome.operation_id;
    if attempt.fabric_name.is_empty()
        && let Some(id) = attempt.fabric_id
        && let Ok(fabric) = state.store.fabrics().get(&Scope::System, id).await
    {
        attempt.fabric_name = fabric.name;
    }
    // A database that does not answer would not answer this either, and whoever tried has waited long enough.
    if attempt.code == Some(Code::StoreUnavailable) {
        let state = state.clone();
        tokio::spawn(async move { write(&state, &attempt).await });
        return;
    }
    write(state, &attempt).await;
}

/// Records that a page's script failed.
pub async fn client_error(state: &AppState, mut attempt: NewAttempt, message: String) {
    if !admit_nameless(attempt.at) {
        tracing::warn!(message, "an error of a page's script was not recorded");
        return;
    }
    attempt.code = Some(Code::ClientScriptError);
    attempt.http_status = Code::ClientScriptError.http_status();
    attempt.message = message;
    write(state, &attempt).await;
}

async fn write(state: &AppState, attempt: &NewAttempt) {
    if let Err(error) = state.store.attempts().record(attempt).await {
        tracing::error!(%error, "a try was not recorded");
    }
}

fn admit_nameless(now: Timestamp) -> bool {
    static WINDOW: Mutex<(i64, u32)> = Mutex::new((0, 0));
    let minute = now.as_second() / 60;
    let mut window = WINDOW.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if window.0 != minute {
        *window = (minute, 0);
    }
    window.1 += 1;
    window.1 <= NAMELESS_A_MINUTE
}
