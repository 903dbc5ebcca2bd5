//! The guard before every handler: it enforces what the route declares, in this order: origin, session or API token,
//! CSRF token, permission. What it found out, and nothing else, is what handlers get through the extractors of
//! [`crate::extract`]; each try of what is recorded gets its row, also one that it turns away.

pub mod named;
pub mod password;

use crate::attempts;
use crate::bearer;
use crate::extract::{Credential, Fields, Login, Told};
use crate::layers::classify::{Asked, is_activity};
use crate::layers::{client, cookies, origin};
use crate::pages::kept;
use crate::problem::{Again, Problem};
use crate::routes::{Kind, Needs, RouteInfo};
use crate::state::AppState;
use crate::when;
use auth::{Access, Actor, Authenticated, SessionDenied, SessionError};
use axum::RequestExt;
use axum::body::{Body, Bytes};
use axum::extract::{RawPathParams, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use model::Code;
use std::sync::Arc;
use std::time::Duration;
use store::{Session, User};

/// Bytes of a form; a kubeconfig with certificates has some twenty thousand.
const LARGEST_BODY: usize = 1 << 20;
/// Fields of a form: more than any of ours has within that size. A million empty ones would take fifty times the memory
/// that they came in.
const MOST_FIELDS: usize = 1 << 15;
/// How long a form may take to arrive: its largest size over a line of 300 kbit/s.
const LONGEST_BODY: Duration = Duration::from_secs(30);

/// What the guard of one route knows.
#[derive(Clone)]
pub struct Guard {
    state: AppState,
    route: Arc<RouteInfo>,
}

impl Guard {
    /// The guard of a route.
    pub fn new(state: AppState, route: RouteInfo) -> Self {
        Self { state, route: Arc::new(route) }
    }
}

/// Lets a request through to its handler, or answers in its place.
pub async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let recorded = guard.route.kind.is_recorded();
    let mut told = attempts::Told::of(&guard.state, &guard.route, &request);
    let mut fresh = None;
    let mut response = match admit(&guard, request, &mut told, &mut fresh).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    if let Some(cookie) = fresh {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    if guard.route.kind.may_change_rights() && response.status().as_u16() < 400 {
        guard.state.rights.send_modify(|count| *count = count.wrapping_add(1));
    }
    if recorded || told.is_sent_away() {
        let outcome = response.extensions().get::<Told>().cloned().unwrap_or_default();
        let problem = response.extensions().get::<Arc<Problem>>().cloned();
        attempts::record(&guard.state, told, response.status(), problem.as_deref(), outcome).await;
    }
    response
}

async fn admit(
    guard: &Guard,
    mut request: Request,
    told: &mut attempts::Told,
    fresh: &mut Option<HeaderValue>,
) -> Result<Request, Problem> {
    let Guard { state, route } = guard;
    if request.uri().path().contains("%00") {
        return Err(Problem::new(Code::NotFound, "Nothing has this address."));
    }
    if request.uri().query().is_some_and(|query| query.contains("%00")) {
        return Err(no_text());
    }
    let unsafe_method = changes(request.method());
    let through_proxy = client::through_proxy(&state.settings, request.extensions());
    let from = origin::of(&state.settings, request.headers(), through_proxy);
    if unsafe_method {
        if from == origin::From::Elsewhere {
            return Err(Problem::new(Code::CsrfFailed, "The request came from another site and was refused.")
                .todo("Open Hedgerow itself and press the button there."));
        }
        let headers = request.headers().clone();
        request = match read_form(request).await {
            Ok(request) => request,
            Err(problem) => {
                told.was(state, &headers, route.kind).await;
                return Err(problem);
            }
        };
    }
    let is_open = match route.needs {
        Needs::Public => true,
        Needs::Metrics => state.settings.is_metrics_token(request.headers()),
        _ => false,
    };
    if is_open {
        return Ok(request);
    }
    let activity = is_activity(request.method(), request.headers()) && route.kind != Kind::Stream;
    let asker = state.settings.header_login.is_some().then(|| attempts::Asker::of(state, &request));
    let login = match bearer::sent(request.headers()) {
        // By it and by nothing else: a good cookie beside a bad token lets nobody in.
        Some(sent) => {
            let address = client::address(&state.settings, request.extensions(), request.headers());
            match bearer::login(state, &sent, &address, unsafe_method).await {
                Ok(login) => login,
                Err(refused) => {
                    if let Some(token) = refused.token {
                        told.was_with(state, &token).await;
                    }
                    return Err(refused.problem);
                }
            }
        }
        None => match by_cookie(state, request.headers(), asker.as_ref(), (through_proxy, activity), fresh).await {
            Ok(login) => login,
            Err(mut problem) => {
                if problem.http_status() == StatusCode::UNAUTHORIZED {
                    let user = told.was(state, request.headers(), route.kind).await;
                    // What a person sent without a script is not lost with the session.
                    if let Some(user_id) = user
                        && Asked::of(request.headers()) == Asked::Navigation
                        && let Some(fields) = request.extensions().get::<Fields>()
                        && route.is_worth_keeping()
                    {
                        problem.next =
                            kept::keep(state, user_id, request.uri().path(), fields, kept::Why::SessionOver).await;
                    }
                }
                return Err(problem);
            }
        },
    };
    told.is(&login);
    let parts = (request.headers(), request.extensions(), request.uri().path());
    match &login.credential {
        Credential::Token(_) if !route.takes_tokens() || password::is_for_people(route.sensitive, parts.1) => {
            return Err(bearer::not_here());
        }
        // No browser sends it by itself, so it needs no proof that one of our pages did.
        Credential::Token(_) => {}
        Credential::Session(session) => {
            if unsafe_method {
                check_token(state, session, &request, from)?;
                if let Some(cookie) = password::take(state, route.sensitive, &login, parts, from).await? {
                    *fresh = Some(cookie);
                }
            }
            if activity && session.rotation_due && fresh.is_none() {
                *fresh = renew(state, session).await;
            }
        }
    }
    permit(state, route.needs, &login, &mut request, told).await?;
    request.extensions_mut().insert(login);
    request.extensions_mut().insert(from);
    Ok(request)
}

/// Who is logged in with the session of a cookie, or is named by a trusted proxy; `fresh` is the cookie of a session that
/// begins with this request.
async fn by_cookie(
    state: &AppState,
    headers: &HeaderMap,
    asker: Option<&attempts::Asker>,
    (through_proxy, activity): (bool, bool),
    fresh: &mut Option<HeaderValue>,
) -> Result<Login, Problem> {
    let Some((set, asker)) = state.settings.header_login.as_ref().zip(asker) else {
        return session(state, headers, activity).await.and_then(named::unnamed);
    };
    let (login, cookie) = named::session(state, set, headers, (asker, through_proxy), activity).await?;
    *fresh = cookie;
    Ok(login)
}

/// A new token for a session whose user may do something else than before. The old one is taken until that is through.
async fn renew(state: &AppState, session: &Session) -> Option<HeaderValue> {
    match state.sessions.rotate(session, false).await {
        Ok(token) => token.and_then(|token| cookies::set_session(&state.settings, token.reveal())),
        Err(error) => {
            tracing::warn!(%error, session = session.id, "a session got no new token");
            None
        }
    }
}

/// Whether a request may change something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD)
}

/// Why nobody is logged in, with the limit that was reached.
pub fn why_denied(denied: &SessionDenied) -> String {
    let span = |limit| when::span(jiff::SignedDuration::try_from(limit).unwrap_or(jiff::SignedDuration::MAX));
    match (denied.code, denied.limit) {
        (Code::SessionIdleExpired, Some(limit)) => {
            format!("Your session ended because it was not used for some time; the limit is {}.", span(limit))
        }
        (Code::SessionAbsoluteExpired, Some(limit)) => {
            format!("Your session ended because none lasts longer than {}.", span(limit))
        }
        _ => denied.sentence(),
    }
}

/// Who is logged in with the session of a cookie, or why nobody is.
pub async fn session(state: &AppState, headers: &HeaderMap, activity: bool) -> Result<Login, Problem> {
    let cookie = cookies::session(&state.settings, headers);
    let Authenticated { session, user } = match state.sessions.authenticate(cookie, activity).await {
        Ok(authenticated) => authenticated,
        Err(SessionError::Denied(denied)) => return Err(Problem::new(denied.code, why_denied(&denied))),
        Err(SessionError::Store(error)) => return Err(error.into()),
    };
    login_of(state, session, user).await
}

/// A session and its user, with what the user may do.
async fn login_of(state: &AppState, session: Session, user: User) -> Result<Login, Problem> {
    let actor = Actor::of_user(&state.store, &user).await?;
    let access = Access::new(state.store.clone(), actor);
    Ok(Login { credential: Credential::Session(session), user, access })
}

/// Reads a form's fields, once; a handler gets them by [`Fields`].
async fn read_form(request: Request) -> Result<Request, Problem> {
    let (mut parts, body) = request.into_parts();
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let arrived = tokio::time::timeout(LONGEST_BODY, axum::body::to_bytes(body, LARGEST_BODY)).await;
    let arrived = arrived.map_err(|_| {
        Problem::new(Code::InvalidInput, "The form did not arrive within half a minute. Nothing was done.")
            .status(StatusCode::REQUEST_TIMEOUT)
            .todo("Try again over a faster connection.")
    })?;
    let bytes = arrived.map_err(|_| {
        Problem::new(Code::InvalidInput, "The form is larger than one mebibyte, or broke off.")
            .status(StatusCode::PAYLOAD_TOO_LARGE)
            .todo("Send less, or try again.")
    })?;
    let separator = if media == "application/json" { b',' } else { b'&' };
    if bytes.iter().filter(|byte| **byte == separator).count() >= MOST_FIELDS {
        let message = format!("The form has more than {MOST_FIELDS} fields. Nothing was done.");
        return Err(Problem::new(Code::InvalidInput, message).status(StatusCode::PAYLOAD_TOO_LARGE).todo("Send less."));
    }
    let fields = match media.as_str() {
        "application/x-www-form-urlencoded" => Fields::of_form(&bytes),
        "application/json" if !bytes.is_empty() => Fields::of_json(&bytes)?,
        _ if bytes.is_empty() => Fields::default(),
        _ => {
            return Err(Problem::new(Code::InvalidInput, "Forms are taken as x-www-form-urlencoded or as JSON.")
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
    };
    if fields.all().iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(no_text());
    }
    parts.extensions.insert(fields.sound()?);
    Ok(Request::from_parts(parts, Body::from(Bytes::new())))
}

/// The character that no name, no sentence and no manifest has, and that PostgreSQL takes for a mistake of ours.
fn no_text() -> Problem {
    Problem::new(Code::InvalidInput, "The request holds the character NUL, which is no text.").todo("Send it without.")
}

/// The token must be of this user, in the header or in the form.
fn check_token(state: &AppState, session: &Session, request: &Request, from: origin::From) -> Result<(), Problem> {
    let header = request.headers().get("x-csrftoken").and_then(|value| value.to_str().ok());
    let fields = request.extensions().get::<Fields>();
    let token = header.or_else(|| fields.and_then(|fields| fields.get("csrfmiddlewaretoken")));
    let Err(refused) = state.csrf.verify(session, token, state.now()) else { return Ok(()) };
    let mut problem = Problem::new(
        Code::CsrfFailed,
        match refused {
            auth::CsrfError::Missing => {
                "The request carried no token of this site, so it was refused. Nothing was done."
            }
            auth::CsrfError::Foreign => {
                "The request's token is not one of your pages, so it was refused. Nothing was done."
            }
            auth::CsrfError::Stale => "This page came from an earlier login, so its token had ended. Nothing was done.",
        },
    );
    if refused == auth::CsrfError::Foreign {
        problem = problem.todo("Open the page anew: somebody else may be logged in in this browser by now.");
    }
    // A form of our own page that is only too old: it comes back with what it held, to be sent with one press.
    if refused == auth::CsrfError::Stale
        && from == origin::From::Here
        && Asked::of(request.headers()) == Asked::Navigation
        && let (Some(fields), Ok(csrf)) = (fields, state.csrf.token(session))
    {
        problem = problem.todo("The form is here again with a new token and with what it held.");
        problem.again = Some(Again { fields: fields.all().to_vec(), csrf });
    }
    Err(problem)
}

/// The permission that the route declares; what it is for goes to the handler.
async fn permit(
    state: &AppState,
    needs: Needs,
    login: &Login,
    request: &mut Request,
    told: &mut attempts::Told,
) -> Result<(), Problem> {
    match needs {
        Needs::Public | Needs::LoggedIn | Needs::Listing => {}
        Needs::Metrics if login.user.is_superuser => {}
        Needs::Metrics => {
            let message =
                "The metrics tell of every fabric, so they are for superusers and for the token of the metrics.";
            return Err(Problem::new(Code::PermissionDenied, message)
                .todo("Ask an administrator, or send the setting metrics.token as Authorization: Bearer."));
        }
        Needs::Fabrics(action) => {
            login.access.require(action)?;
        }
        Needs::Fabric(action) => {
            let id = path_id(request).await.ok_or_else(|| Problem::not_found("fabric"))?;
            let fabric = login.access.fabric(id, action).await?;
            told.on(&fabric);
            request.extensions_mut().insert(fabric);
        }
        Needs::Operation(action) => {
            let missing = || Problem::not_found("operation");
            let id = path_id(request).await.ok_or_else(missing)?;
            let operation = state.store.operations().get(id).await?;
            let fabric = match login.access.fabric(operation.fabric_id, action).await {
                // Whoever may not see the fabric does not learn that there is an operation.
                Err(auth::AccessError::NotFound(_)) => return Err(missing()),
                other => other?,
            };
            told.on(&fabric);
            request.extensions_mut().insert(fabric);
            request.extensions_mut().insert(operation);
        }
        Needs::Type(action, object_type) => {
            login.access.require_on(action, object_type)?;
        }
        Needs::User(action) => {
            let id = path_id(request).await.ok_or_else(|| Problem::not_found("user"))?;
            let user = login.access.user(id, action).await?;
            told.about(&user.username);
            request.extensions_mut().insert(user);
        }
        Needs::Group(action) => {
            let id = path_id(request).await.ok_or_else(|| Problem::not_found("group"))?;
            let group = login.access.group(id, action).await?;
            told.about(&group.name);
            request.extensions_mut().insert(group);
        }
        Needs::Permission(action) => {
            let id = path_id(request).await.ok_or_else(|| Problem::not_found("permission"))?;
            let permission = login.access.permission(id, action).await?;
            told.about(&permission.name);
            request.extensions_mut().insert(permission);
        }
    }
    Ok(())
}

async fn path_id(request: &mut Request) -> Option<i64> {
    let params = request.extract_parts::<RawPathParams>().await.ok()?;
    let (_, id) = params.iter().find(|(name, _)| *name == "id")?;
    // Only the form that we write ourselves: no sign, no leading zeros.
    id.parse().ok().filter(|number: &i64| *number > 0 && number.to_string() == id)
}
