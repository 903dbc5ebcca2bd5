//! The record of tries: every POST of a verb, and of what else people will ask about, gets a row, also one that was
//! turned away before its handler ran.

use crate::extract::{self, Login};
use crate::layers::classify::Asked;
use crate::layers::request_id::RequestId;
use crate::layers::{client, cookies};
use crate::problem::Problem;
use crate::routes::{Kind, Needs, RouteInfo};
use crate::seldom::Seldom;
use crate::state::AppState;
use crate::url;
use auth::Granted;
use axum::extract::Request;
use http::{HeaderMap, Method, StatusCode};
use jiff::Timestamp;
use model::Code;
use std::sync::Mutex;
use std::time::Duration;
use store::{ApiToken, Fabric, NewAttempt, Scope};

/// Anybody may report errors of scripts, as often as they like; a line a minute says so.
static SCRIPTS: Seldom = Seldom::new(Duration::from_secs(60));

/// The logins of the console's own monitor come several times a run: one an hour says that there are.
static MONITOR: Seldom = Seldom::new(Duration::from_secs(3600));

/// Tries without a session that are recorded each minute. A flood of them is in the log, not in the database.
const NAMELESS_A_MINUTE: u32 = 60;

/// From where a request comes, and under which id.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The address.
    pub address: String,
    request_id: String,
}

impl Asker {
    /// What the request says.
    pub fn of(state: &AppState, request: &Request) -> Self {
        Self {
            address: client::address(&state.settings, request.extensions(), request.headers()),
            request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        }
    }
}

/// A try of nobody yet, on nothing.
fn bare(state: &AppState, action: &str, method: &Method, path: &str, asker: &Asker) -> NewAttempt {
    NewAttempt {
        at: state.now(),
        fabric_id: None,
        fabric_name: String::new(),
        verb: None,
        action: action.to_owned(),
        subject: String::new(),
        actor: "anonymous".to_owned(),
        user_id: None,
        token_key: None,
        address: asker.address.clone(),
        method: method.to_string(),
        path: path.chars().take(300).collect(),
        http_status: 0,
        redirected: false,
        code: None,
        message: String::new(),
        request_id: asker.request_id.clone(),
        operation_id: None,
    }
}

/// What is known of a try, as the guard finds it out.
#[derive(Debug)]
pub struct Told {
    attempt: NewAttempt,
    /// Whether the answer is no refusal to look at, but the way to the login.
    navigation: bool,
    sent_away: bool,
}

impl Told {
    /// What the request itself says.
    pub fn of(state: &AppState, route: &RouteInfo, request: &Request) -> Self {
        let mut attempt = bare(state, route.name, request.method(), request.uri().path(), &Asker::of(state, request));
        attempt.verb = if let Kind::Verb(verb) = route.kind { Some(verb) } else { None };
        let of_fabric = matches!(route.needs, Needs::Fabric(_));
        attempt.fabric_id = attempt.path.split('/').find_map(|part| part.parse().ok()).filter(|_| of_fabric);
        Self { attempt, navigation: Asked::of(request.headers()) == Asked::Navigation, sent_away: false }
    }

    /// Who it is.
    pub fn is(&mut self, login: &Login) {
        self.attempt.actor = login.user.username.clone();
        self.attempt.user_id = Some(login.user.id);
        self.attempt.token_key = login.token().map(|token| token.key.clone());
    }

    /// Whose API token it was that was refused.
    pub async fn was_with(&mut self, state: &AppState, token: &ApiToken) {
        self.attempt.token_key = Some(token.key.clone());
        if let Ok(user) = state.store.users().get(token.user_id).await {
            self.attempt.actor = user.username;
            self.attempt.user_id = Some(user.id);
        }
    }

    /// Whose session it was that has ended, if there was one; the user's id. A person whose page is answered with the way
    /// to the login is recorded, too: that is what "nothing happens" looks like from the other side.
    pub async fn was(&mut self, state: &AppState, headers: &HeaderMap, kind: Kind) -> Option<i64> {
        let cookie = cookies::session(&state.settings, headers);
        let user = state.sessions.whose(cookie).await.ok().flatten()?;
        self.attempt.actor = user.username;
        self.attempt.user_id = Some(user.id);
        self.sent_away = kind == Kind::Page && Asked::of(headers) == Asked::Navigation;
        Some(user.id)
    }

    /// Whether somebody whose session has ended was led to the login.
    pub fn is_sent_away(&self) -> bool {
        self.sent_away
    }

    /// On which fabric.
    pub fn on(&mut self, fabric: &Granted<Fabric>) {
        self.attempt.fabric_id = Some(fabric.id);
        self.attempt.fabric_name = fabric.name.clone();
    }

    /// On which other object.
    pub fn about(&mut self, name: &str) {
        self.attempt.subject = name.to_owned();
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
    // The logouts of the monitor come with each run, and so does its way to the login when it looks whether it is logged out.
    let is_monitor = state.settings.verify_username.as_deref() == Some(attempt.actor.as_str());
    let is_over = problem.is_some_and(|problem| problem.code == Code::SessionRevoked);
    if is_monitor && (is_over || attempt.action == "logout" && problem.is_none()) {
        return;
    }
    attempt.http_status = status.as_u16();
    attempt.redirected = told.navigation && status == StatusCode::UNAUTHORIZED;
    // A form that comes back with its errors is a refusal, too, though no problem was written.
    let came_back = status.is_client_error() && problem.is_none();
    attempt.code = problem.map(|problem| problem.code).or(came_back.then_some(Code::InvalidInput));
    attempt.message = match problem {
        Some(problem) if attempt.redirected => {
            format!("Redirected to the login page. {}", problem.message)
        }
        Some(problem) => problem.message.clone(),
        None if came_back && outcome.message.is_empty() => "The form came back with what is wrong with it.".to_owned(),
        None => outcome.message,
    };
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
pub async fn client_error(
    state: &AppState,
    asker: &Asker,
    headers: &HeaderMap,
    (page, place): (&str, &str),
    message: String,
) {
    let mut attempt = bare(state, "client_error", &Method::POST, page, asker);
    if !admit_nameless(attempt.at) {
        if let Some(unsaid) = SCRIPTS.say() {
            tracing::warn!(unsaid, "more errors of pages' scripts are reported than are recorded");
        }
        return;
    }
    tracing::warn!(message, place, page, "a page's script failed");
    let cookie = cookies::session(&state.settings, headers);
    if let Ok(Some(user)) = state.sessions.whose(cookie).await {
        attempt.actor = user.username;
        attempt.user_id = Some(user.id);
    }
    // Which fabric it was about, when the page was one of a fabric's.
    let mut words = page.split('/').skip_while(|word| *word != "fabrics");
    attempt.fabric_id = words.nth(1).and_then(|word| word.parse().ok());
    attempt.code = Some(Code::ClientScriptError);
    attempt.http_status = Code::ClientScriptError.http_status();
    attempt.message = message;
    write(state, &attempt).await;
}

/// Records a login with how it ended. Of a name that nobody has, nothing is kept: people type their password into that
/// field.
pub async fn login(state: &AppState, asker: &Asker, username: &str, problem: Option<&Problem>) {
    let mut attempt = bare(state, "login", &Method::POST, &url::login(), asker);
    if problem.is_some() && !admit_nameless(attempt.at) {
        tracing::warn!(address = asker.address, "a login that failed was not recorded");
        return;
    }
    // The monitor logs in several times a run. Its sessions are listed all the same, and what fails is recorded each time.
    let is_monitor = state.settings.verify_username.as_deref() == Some(username);
    let mut said = "Logged in.".to_owned();
    if is_monitor && problem.is_none() {
        let Some(unsaid) = MONITOR.say() else { return };
        said = match unsaid {
            0 => "Logged in, as the console's own monitor.".to_owned(),
            unsaid => format!("Logged in, as the console's own monitor; {unsaid} more logins since it was last noted."),
        };
    }
    if let Ok(Some(user)) = state.store.users().by_name(username).await {
        attempt.actor = user.username;
        attempt.user_id = Some(user.id);
    }
    attempt.code = problem.map(|problem| problem.code);
    attempt.http_status = problem.map_or(StatusCode::SEE_OTHER, Problem::http_status).as_u16();
    attempt.message = problem.map_or(said, |problem| problem.message.clone());
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
