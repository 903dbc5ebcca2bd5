//! Logging in and out.

use crate::attempts::{self, Asker};
use crate::extract::{Fields, Login};
use crate::frame::Bare;
use crate::guard;
use crate::icon::Icon;
use crate::layers::classify::{Asked, wants_json};
use crate::layers::{client, cookies};
use crate::pages::openid;
use crate::parts::{Notice, Tone};
use crate::problem::Problem;
use crate::routes::{Needs, Route, resolve, safe_next};
use crate::seldom::Seldom;
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view;
use askama::Template;
use auth::{LoggedIn, LoginError, PreSession, SessionError, SessionToken};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::Code;
use secrecy::SecretString;
use serde_json::json;
use std::time::Duration;
use store::Method as LoggedInBy;

/// The routes of logging in and out.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("login", pattern::login, Needs::Public, show),
        Route::post("login", pattern::login, Needs::Public, log_in),
        Route::recorded("logout", pattern::logout, Needs::LoggedIn, log_out),
    ]
}

/// Where a login leads: a page of this site, never an action.
fn leads_to(next: &str) -> String {
    safe_next(next).map_or_else(url::home, str::to_owned)
}

async fn show(State(state): State<AppState>, headers: HeaderMap, request: Request) -> Result<Response, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let next = ::url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "next")
        .map(|(_, value)| value.into_owned());
    let next = leads_to(next.as_deref().unwrap_or_default());
    if guard::named::is_named(&state, &headers, client::through_proxy(&state.settings, request.extensions())) {
        return Ok(Redirect::to(&next).into_response());
    }
    let cookie = cookies::session(&state.settings, &headers);
    let mut notices = Vec::new();
    let authenticated = state.sessions.authenticate(cookie, false).await;
    if wants_json(&headers) && !matches!(authenticated, Err(SessionError::Store(_))) {
        return as_data(
            &state,
            &headers,
            authenticated.ok().filter(|who| who.session.method != LoggedInBy::Header).map(|who| who.user.username),
        );
    }
    match authenticated {
        // Leading on would lead back here: such a session is good with the proxy's header only.
        Ok(who) if who.session.method == LoggedInBy::Header => {
            notices.push(Notice::new(Tone::Off, guard::named::NO_LONGER, "", guard::named::BY_THE_PROXY));
        }
        Ok(_) => return Ok(Redirect::to(&next).into_response()),
        Err(SessionError::Denied(denied)) if denied.reason.is_some() => {
            let mut notice = Notice::new(
                Tone::Off,
                guard::why_denied(&denied),
                "",
                "Log in again; you come back to the page where you were.",
            );
            notice.code = Some(denied.code.as_str().to_owned());
            notices.push(notice);
        }
        Err(SessionError::Denied(_)) => {}
        Err(SessionError::Store(error)) => return Err(error.into()),
    }
    form(&state, &headers, StatusCode::OK, &next, "", notices)
}

/// What a page's own login form needs: the token for it, or that somebody is logged in already.
fn as_data(state: &AppState, headers: &HeaderMap, user: Option<String>) -> Result<Response, Problem> {
    let random = |error| Problem::internal("make a login form", &error);
    let known = cookies::login(&state.settings, headers).and_then(PreSession::parse);
    let browser = match &known {
        Some(known) => known.clone(),
        None => PreSession::generate().map_err(random)?,
    };
    let token = state.csrf.anonymous_token(&browser).map_err(random)?;
    let mut response = view::json(StatusCode::OK, &json!({ "csrf_token": token, "user": user }));
    if let (None, Some(cookie)) = (known, cookies::set_login(&state.settings, browser.reveal())) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Who guesses passwords is refused many times a second; a line a minute tells an operator as much.
static THROTTLED: Seldom = Seldom::new(Duration::from_secs(60));

/// The login form, bound to the browser by a cookie of its own.
fn form(
    state: &AppState,
    headers: &HeaderMap,
    status: StatusCode,
    next: &str,
    username: &str,
    notices: Vec<Notice>,
) -> Result<Response, Problem> {
    let random = |error| Problem::internal("make a login form", &error);
    // A second tab must not take the first one's form its cookie away.
    let known = cookies::login(&state.settings, headers).and_then(PreSession::parse);
    let browser = match &known {
        Some(known) => known.clone(),
        None => PreSession::generate().map_err(random)?,
    };
    let page = Page {
        frame: Bare {
            title: "Log in".to_owned(),
            page: "login",
            theme: cookies::theme(&state.settings, headers),
            now: state.now(),
        },
        csrf: state.csrf.anonymous_token(&browser).map_err(random)?,
        next: next.to_owned(),
        is_kept: resolve(&Method::GET, next).is_some_and(|route| route.path == pattern::kept),
        openid: state
            .settings
            .openid
            .as_ref()
            .map(|openid| (openid.name.clone(), url::with_query(&url::openid_login(), &[("next", next)]))),
        leads_to: if next == url::home() { String::new() } else { next.to_owned() },
        username: username.to_owned(),
        notices,
    };
    let mut response = view::page("login", &page)?;
    *response.status_mut() = status;
    if let (None, Some(cookie)) = (known, cookies::set_login(&state.settings, browser.reveal())) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

async fn log_in(State(state): State<AppState>, fields: Fields, request: Request) -> Result<Response, Problem> {
    let asker = Asker::of(&state, &request);
    let (parts, _) = request.into_parts();
    let headers = parts.headers;
    let next = leads_to(fields.get("next").unwrap_or_default());
    let username = fields.text("username").to_owned();
    let asked = Asked::of(&headers);
    let tried = try_login(&state, &headers, &fields, &asker).await;
    attempts::login(&state, &asker, &username, tried.as_ref().err()).await;
    match tried {
        Ok(logged_in) => {
            let cookie = cookies::set_session(&state.settings, logged_in.token.reveal());
            let cookie = cookie.map(|cookie| [(header::SET_COOKIE, cookie)]);
            if asked == Asked::Script && wants_json(&headers) {
                let body = json!({ "success": true, "user": logged_in.user.username, "redirect": next });
                return Ok((cookie, view::json(StatusCode::OK, &body)).into_response());
            }
            Ok((cookie, Redirect::to(&next)).into_response())
        }
        Err(problem) if asked == Asked::Script => Err(problem),
        Err(problem) => {
            let mut notice = Notice::failure(problem.code, problem.message.clone());
            notice.todo = problem.what_to_do().to_owned();
            let shown: String = username.chars().take(150).collect();
            let mut response = form(&state, &headers, problem.http_status(), &next, &shown, vec![notice])?;
            if let Some(seconds) = problem.retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            Ok(response)
        }
    }
}

/// The login itself, or why not.
async fn try_login(state: &AppState, headers: &HeaderMap, fields: &Fields, asker: &Asker) -> Result<LoggedIn, Problem> {
    let browser = cookies::login(&state.settings, headers).and_then(PreSession::parse);
    let token = headers.get("x-csrftoken").and_then(|value| value.to_str().ok());
    let token = token.or_else(|| fields.get("csrfmiddlewaretoken"));
    if let Err(error) = state.csrf.verify_anonymous(browser.as_ref(), token) {
        tracing::info!(%error, "login form refused");
        return Err(match browser {
            // The session's cookie has the very same attributes: it would not come back either.
            None => Problem::new(Code::CsrfFailed, no_cookie(state))
                .todo("Allow cookies for this address, or open Hedgerow over https, then log in again."),
            Some(_) => {
                Problem::new(Code::CsrfFailed, "This login form was too old.").todo("Here is a new one: log in again.")
            }
        });
    }
    let address = &asker.address;
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let previous = cookies::session(&state.settings, headers).and_then(SessionToken::parse);
    let password = SecretString::from(fields.get("password").unwrap_or_default());
    let tried = state.sessions.login(fields.text("username"), password, address, agent, previous.as_ref()).await;
    metrics::login_tried(match &tried {
        Ok(_) => "ok",
        Err(LoginError::Invalid) => "refused",
        Err(LoginError::Throttled { .. }) => "throttled",
        Err(_) => "failed",
    });
    tried.map_err(|error| match error {
        LoginError::Invalid => Problem::new(Code::AuthenticationRequired, "The user name or the password is wrong.")
            .todo("Check both and try again."),
        LoginError::Throttled { retry_after } => {
            if let Some(unsaid) = THROTTLED.say() {
                // Not the name: people type their password into that field.
                tracing::warn!(address, unsaid, "logins are throttled: too many failed for a user or an address");
            }
            let seconds = retry_after.as_secs().max(1);
            let message =
                format!("Too many logins failed for this user or from this address. The next is taken in {seconds} s.");
            let mut problem = Problem::new(Code::Throttled, message);
            problem.retry_after = Some(seconds);
            problem
        }
        LoginError::Store(error) => error.into(),
        error => Problem::internal("log somebody in", &error),
    })
}

fn no_cookie(state: &AppState) -> &'static str {
    match state.settings.secure() {
        true => {
            "Your browser did not send back the cookie of this form, so a login would not last. Cookies are blocked, or this \
             page was opened over http although Hedgerow is set up for https."
        }
        false => {
            "Your browser did not send back the cookie of this form, so a login would not last. Cookies are blocked."
        }
    }
}

async fn log_out(
    State(state): State<AppState>,
    login: Login,
    asked: Asked,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let session = login.session()?;
    let id_token = openid::id_token(&state, session).await;
    state.sessions.logout(session).await?;
    let cookie = cookies::clear_session(&state.settings).map(|cookie| [(header::SET_COOKIE, cookie)]);
    let (there, still) = match openid::logout(&state, session, id_token, (&parts.headers, &parts.extensions)).await {
        openid::LoggedOut::OnlyHere(there) => (there.into(), None),
        openid::LoggedOut::NotThere(provider) => (url::login(), Some(Still::Provider(provider))),
        // Leading on would log in again without a word.
        openid::LoggedOut::Here if session.method == LoggedInBy::Header => (url::login(), Some(Still::Proxy)),
        openid::LoggedOut::Here => (url::login(), None),
    };
    if let Some(still) = still.filter(|_| asked == Asked::Navigation) {
        let theme = cookies::theme(&state.settings, &parts.headers);
        let frame = Bare { title: "Logged out here".into(), page: "logged_out", theme, now: state.now() };
        return Ok((cookie, view::page("logged_out", &LoggedOut { frame, still })?).into_response());
    }
    Ok(match asked {
        Asked::Script => {
            (cookie, view::json(StatusCode::OK, &json!({ "success": true, "redirect": there }))).into_response()
        }
        Asked::Navigation => (cookie, Redirect::to(&there)).into_response(),
    })
}

/// Where somebody who logged out here is logged in still.
pub enum Still {
    /// A proxy names the user with every request.
    Proxy,
    /// The provider of this name did not answer.
    Provider(String),
}

/// What is shown after a logout that ends less than one may think.
#[derive(Template)]
#[template(path = "logged_out.html")]
pub struct LoggedOut {
    pub frame: Bare,
    pub still: Still,
}

/// What the login page shows.
#[derive(Template)]
#[template(path = "login.html")]
pub struct Page {
    pub frame: Bare,
    pub csrf: String,
    pub next: String,
    pub leads_to: String,
    /// Whether that is a form which was sent after its session had ended.
    pub is_kept: bool,
    /// The provider to log in by, and the way there.
    pub openid: Option<(String, String)>,
    pub username: String,
    pub notices: Vec<Notice>,
}
