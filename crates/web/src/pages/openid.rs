//! Logging in by an OpenID Connect provider: the way there, the way back, and proving once more who one is. What has to
//! be remembered meanwhile is in a sealed cookie of the browser that began, and counts once.

use crate::attempts::{self, Asker};
use crate::extract::Login;
use crate::guard;
use crate::layers::{client, cookies, origin};
use crate::outside::Openid;
use crate::problem::{Problem, capitalised};
use crate::routes::{Kind, Needs, Route, safe_next};
use crate::state::AppState;
use crate::url::{self, pattern};
use ::url::Url;
use auth::{LoggedIn, Named, NamedError, Origin, Place, SessionToken};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Extensions, HeaderMap, Uri, header};
use jiff::SignedDuration;
use model::Code;
use openid::{Error, Identity, Pending, Why};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;
use store::sessions::TokenHash;
use store::{External, Method, Sealed, Session};

/// The routes of the way there and back.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("openid_login", pattern::openid_login, Needs::Public, Kind::Way, log_in),
        Route::get("openid_callback", pattern::openid_callback, Needs::Public, Kind::Way, come_back),
        Route::get("openid_again", pattern::openid_again, Needs::LoggedIn, Kind::Way, again),
    ]
}

/// How long somebody may be away at the provider.
const AWAY: SignedDuration = SignedDuration::from_mins(10);

/// How far the provider's clock and ours may be apart.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Characters of a page to come back to; a cookie holds four thousand of all.
const LONGEST_NEXT: usize = 1_000;

/// The place of the seal of what is remembered: no table's.
const PLACE: Place = Place { table: "cookies", column: "openid", row: 0 };

/// The place of the seal of a session's ID token.
fn id_token_place(session_id: i64) -> Place {
    Place { table: store::sessions::TABLE, column: "id_token", row: session_id }
}

/// What is remembered while a browser is away.
#[derive(Serialize, Deserialize)]
struct Away {
    pending: Pending,
    /// The page that it leads to.
    next: String,
    /// When it began, in seconds.
    since: i64,
    /// The session whose user proves once more who it is.
    session: Option<i64>,
}

/// The provider, where there is one; else there is no such address.
fn set(state: &AppState) -> Result<Arc<Openid>, Problem> {
    state.settings.openid.clone().ok_or_else(|| Problem::new(Code::NotFound, "Nothing has this address."))
}

fn query(uri: &Uri) -> BTreeMap<String, String> {
    ::url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect()
}

fn next_of(uri: &Uri) -> String {
    let next = query(uri).remove("next").filter(|next| next.len() <= LONGEST_NEXT);
    next.as_deref().and_then(safe_next).map_or_else(url::home, str::to_owned)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::new(error.code(), error.to_string());
        match error.what_to_do() {
            Some(todo) => problem.todo(todo),
            None => problem,
        }
    }
}

/// A refusal of ours.
fn refused(message: &str) -> Problem {
    Problem::new(Code::OpenidRefused, message)
}

async fn log_in(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let openid = set(&state)?;
    let (parts, _) = request.into_parts();
    lead(&state, &openid, (&parts.headers, &parts.extensions), next_of(&parts.uri), None).await
}

async fn again(State(state): State<AppState>, login: Login, request: Request) -> Result<Response, Problem> {
    let openid = set(&state)?;
    if !proves_there(&openid, &login) {
        return Err(Problem::new(Code::InvalidInput, "This account is not one that logs in by the provider.")
            .todo("Enter your password where it is asked for."));
    }
    let (parts, _) = request.into_parts();
    let session = Some(login.session()?.id);
    lead(&state, &openid, (&parts.headers, &parts.extensions), next_of(&parts.uri), session).await
}

/// Whether it is the provider where this user proves who it is.
pub fn proves_there(openid: &Openid, login: &Login) -> bool {
    login.user.external.as_ref().is_some_and(|external| external.issuer == openid.provider.issuer())
}

/// Our own address, as the provider and the browser know it.
fn here(state: &AppState, headers: &HeaderMap, extensions: &Extensions, path: &str) -> Result<Url, Problem> {
    let through_proxy = client::through_proxy(&state.settings, extensions);
    let own = origin::own(&state.settings, headers, through_proxy).and_then(|own| Url::parse(&own).ok());
    own.and_then(|own| own.join(path).ok()).ok_or_else(|| {
        Problem::new(Code::InvalidInput, "The request does not say under which address Hedgerow is reached.")
            .todo("Set public_url to the address that users open.")
    })
}

/// Leads a browser to the provider.
async fn lead(
    state: &AppState,
    openid: &Openid,
    (headers, extensions): (&HeaderMap, &Extensions),
    next: String,
    session: Option<i64>,
) -> Result<Response, Problem> {
    let callback = here(state, headers, extensions, &url::openid_callback())?;
    let why = if session.is_some() { Why::ProveAgain } else { Why::LogIn };
    let begun = openid.provider.begin(&callback, why).await?;
    let away = Away { pending: begun.pending, next, since: state.now().as_second(), session };
    let internal = |error: &dyn std::fmt::Display| Problem::internal("remember a login", error);
    let text = serde_json::to_string(&away).map_err(|error| internal(&error))?;
    let sealed = state.sealer.seal(PLACE, &SecretString::from(text)).map_err(|error| internal(&error))?;
    let cookie = cookies::set_openid(&state.settings, &URL_SAFE_NO_PAD.encode(sealed.0));
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    Ok((cookie, Redirect::to(begun.url.as_str())).into_response())
}

/// What this browser began, if it did and not long ago.
fn remembered(state: &AppState, headers: &HeaderMap) -> Option<Away> {
    let sealed = URL_SAFE_NO_PAD.decode(cookies::openid(&state.settings, headers)?).ok()?;
    let text = state.sealer.open(PLACE, &Sealed(sealed)).ok()?;
    let away: Away = serde_json::from_str(text.expose_secret()).ok()?;
    let age = state.now().as_second() - away.since;
    (0..=AWAY.as_secs()).contains(&age).then_some(away)
}

async fn come_back(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let openid = set(&state)?;
    let asker = Asker::of(&state, &request);
    let (parts, _) = request.into_parts();
    let headers = parts.headers;
    let brought = query(&parts.uri);
    let mut who = String::new();
    let came = receive(&state, &openid, &headers, &brought, &asker, &mut who).await;
    metrics::login_tried(match &came {
        Ok(_) => "ok",
        Err(problem) if problem.http_status().is_client_error() => "refused",
        Err(_) => "failed",
    });
    attempts::login(&state, &asker, &who, came.as_ref().err()).await;
    // Whoever comes with another state than the remembered one does not end the login that is under way.
    let forget = came.is_ok() || remembered_is(&state, &headers, &brought);
    let mut response = match came {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    };
    if forget && let Some(cookie) = cookies::clear_openid(&state.settings) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

fn remembered_is(state: &AppState, headers: &HeaderMap, brought: &BTreeMap<String, String>) -> bool {
    remembered(state, headers).is_some_and(|away| is_state(&away, brought))
}

/// Compared by hashes, so that the time says nothing.
fn is_state(away: &Away, brought: &BTreeMap<String, String>) -> bool {
    let state = brought.get("state").map(String::as_str).unwrap_or_default();
    Sha256::digest(state) == Sha256::digest(&away.pending.state)
}

/// Takes what a browser brings from the provider; `who` becomes the name of who it is, as soon as it is known.
async fn receive(
    state: &AppState,
    openid: &Openid,
    headers: &HeaderMap,
    brought: &BTreeMap<String, String>,
    asker: &Asker,
    who: &mut String,
) -> Result<Response, Problem> {
    let away = remembered(state, headers).ok_or_else(|| {
        refused(
            "This login was not begun in this browser, was brought to its end before, or took longer than ten minutes.",
        )
    })?;
    if !is_state(&away, brought) {
        return Err(refused("This is the end of another login than the one that this browser began last."));
    }
    let now = state.now();
    let hash = TokenHash(Sha256::digest(&away.pending.state).into());
    let long_ago = now.checked_sub(AWAY * 2).unwrap_or(jiff::Timestamp::MIN);
    if !state.store.sessions().use_state(&hash, now, long_ago).await? {
        return Err(refused("This login was brought to its end before; each counts once."));
    }
    if brought.get("iss").is_some_and(|issuer| issuer != openid.provider.issuer()) {
        return Err(refused("The answer comes from another provider than the one that was asked."));
    }
    if let Some(error) = brought.get("error") {
        return Err(Error::of_answer(error).into());
    }
    let code = brought.get("code").ok_or_else(|| refused("The provider sent no code for this login."))?;
    let identity = openid.provider.finish(&away.pending, SecretString::from(code.as_str()), now).await?;
    match away.session {
        None => log_in_as(state, openid, headers, identity, &away, asker, who).await,
        Some(session) => prove(state, headers, &identity, &away, session, who).await.map_err(|mut problem| {
            // The session goes on, and so does what it was for: there is a way to try once more.
            if problem.code == Code::OpenidRefused {
                problem.next = Some(once_more(&away.next));
            }
            problem
        }),
    }
}

/// The way to prove once more who one is, and on to a page.
pub fn once_more(next: &str) -> String {
    url::with_query(&url::openid_again(), &[("next", next)])
}

async fn log_in_as(
    state: &AppState,
    openid: &Openid,
    headers: &HeaderMap,
    identity: Identity,
    away: &Away,
    asker: &Asker,
    who: &mut String,
) -> Result<Response, Problem> {
    let external = External { issuer: identity.issuer, subject: identity.subject };
    let known = state.store.users().by_external(&external).await?;
    *who = known.map(|user| user.username).unwrap_or_default();
    if identity.groups.is_none() && !openid.mapping.groups.is_empty() {
        // Nobody keeps what a group gave because the provider stopped to speak of groups.
        tracing::warn!("the OpenID provider says nothing of groups; every mapped membership ends");
    }
    let named = Named {
        username: identity.username,
        groups: Some(identity.groups.unwrap_or_default()),
        external: Some(external.clone()),
    };
    let previous = cookies::session(&state.settings, headers).and_then(SessionToken::parse);
    let from = Origin {
        method: Method::Openid,
        address: &asker.address,
        user_agent: headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default(),
        previous: previous.as_ref(),
    };
    let logged_in = state.sessions.login_named(&named, &openid.mapping, from).await;
    let logged_in = logged_in.map_err(|error| not_named(error, Some(&external)))?;
    who.clone_from(&logged_in.user.username);
    keep_id_token(state, &logged_in, &identity.id_token).await;
    let cookie = cookies::set_session(&state.settings, logged_in.token.reveal());
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    Ok((cookie, Redirect::to(&away.next)).into_response())
}

/// Somebody who is logged in has proved at the provider who it is: the session goes on with a new token.
async fn prove(
    state: &AppState,
    headers: &HeaderMap,
    identity: &Identity,
    away: &Away,
    session: i64,
    who: &mut String,
) -> Result<Response, Problem> {
    let login = guard::session(state, headers, false).await?;
    who.clone_from(&login.user.username);
    let current = login.session()?;
    if current.id != session {
        return Err(refused("Somebody else logged in in this browser meanwhile. Nothing was done."));
    }
    let is_same = login
        .user
        .external
        .as_ref()
        .is_some_and(|external| external.issuer == identity.issuer && external.subject == identity.subject);
    if !is_same {
        return Err(refused("Somebody else than you logged in at the provider. Nothing was done.").todo(format!(
            "You are logged in here as {} still. Log in there as the same person.",
            login.user.username
        )));
    }
    let asked_at = jiff::Timestamp::from_second(away.since).unwrap_or(jiff::Timestamp::MAX);
    if identity.authenticated_at.is_none_or(|at| at < asked_at.checked_sub(SKEW).unwrap_or(asked_at)) {
        return Err(refused(
            "The provider did not ask you to log in again, although that was needed. Nothing was done.",
        ));
    }
    let token = state.sessions.rotate(current, true).await;
    let token = token.map_err(|error| Problem::internal("give a session a new token", &error))?;
    let cookie = token.and_then(|token| cookies::set_session(&state.settings, token.reveal()));
    let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
    Ok((cookie, Redirect::to(&away.next)).into_response())
}

/// Keeps what the logout shows to the provider. Without it the provider asks once more, which is no reason to refuse.
async fn keep_id_token(state: &AppState, logged_in: &LoggedIn, id_token: &SecretString) {
    let session = logged_in.session.id;
    match state.sealer.seal(id_token_place(session), id_token) {
        Ok(sealed) => {
            if let Err(error) = state.store.sessions().keep_id_token(session, &sealed).await {
                tracing::warn!(%error, session, "the ID token of a login could not be kept for its logout");
            }
        }
        Err(error) => tracing::warn!(%error, session, "the ID token of a login could not be sealed"),
    }
}

/// The ID token that was kept of a session; to be read before the session ends, when it goes.
pub async fn id_token(state: &AppState, session: &Session) -> Option<SecretString> {
    let sealed = state.store.sessions().id_token(session.id).await.ok().flatten()?;
    state.sealer.open(id_token_place(session.id), &sealed).ok()
}

/// How far a logout has come.
pub enum LoggedOut {
    /// There is nothing more to end.
    Here,
    /// The provider ends its own session at this address.
    OnlyHere(Url),
    /// The provider of this name does not answer.
    NotThere(String),
}

/// Where the logout of a session that began at the provider leads to, when the provider takes part in it.
pub async fn logout(
    state: &AppState,
    session: &Session,
    id_token: Option<SecretString>,
    (headers, extensions): (&HeaderMap, &Extensions),
) -> LoggedOut {
    let openid = state.settings.openid.as_ref().filter(|_| session.method == Method::Openid);
    let (Some(openid), Ok(back)) = (openid, here(state, headers, extensions, &url::login())) else {
        return LoggedOut::Here;
    };
    match openid.provider.logout(id_token.as_ref(), &back).await {
        Ok(there) => there.map_or(LoggedOut::Here, LoggedOut::OnlyHere),
        Err(error) => {
            tracing::warn!(%error, "somebody logged out here, and could not be led to the provider's logout");
            LoggedOut::NotThere(openid.name.clone())
        }
    }
}

/// Why somebody who was named is not logged in, in words.
pub fn not_named(error: NamedError, external: Option<&External>) -> Problem {
    match error {
        NamedError::Store(error) => error.into(),
        NamedError::Login(error) => Problem::internal("begin a session", &error),
        error => {
            let todo = match (&error, external) {
                (NamedError::NameTaken(name), Some(external)) => format!(
                    "An administrator connects the two with: hedgerow user link {name} --openid-subject {}",
                    external.subject
                ),
                (NamedError::Inactive(_), _) => "Ask an administrator to switch it on again.".to_owned(),
                (NamedError::BadName, external) => {
                    let whose = if external.is_some() { "provider" } else { "proxy" };
                    format!("A name has 1 to 150 letters, digits, or . _ - + @. Ask an administrator of the {whose}.")
                }
                _ => Code::AccountRefused.what_to_do().to_owned(),
            };
            let message = capitalised(&format!("{error}."));
            Problem::new(Code::AccountRefused, message.replace("..", ".")).todo(todo)
        }
    }
}
