//! The Kubernetes API itself: from an HTTP request to an answer. No state but the store and the faults.

mod discovery;
mod error;
mod list;
mod managed;
mod meta;
mod objects;
mod openapi;
mod openapi_v2;
mod patch;
mod protobuf;
pub(crate) mod registry;
mod request;
mod reviews;
mod selector;
pub(crate) mod store;
mod table;
mod watch;
pub(crate) mod write;

pub use error::ApiError;

use crate::{
    faults::{Fault, FaultPlan, Faults},
    journal::Journal,
    serve::Connection,
};
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, Response, StatusCode, header},
    response::IntoResponse,
};
use objects::Call;
use request::{Query, Target};
use serde_json::{Value, json};
use std::sync::{Arc, OnceLock};
use store::Store;

/// The version of Kubernetes that the lab says it is.
pub(crate) const VERSION: &str = "v1.35.0";
/// The one user.
pub(crate) const USER: &str = "lab-admin";
/// Largest body that is read.
const BODY_LIMIT: usize = 16 << 20;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct App {
    pub store: Arc<Store>,
    pub faults: Arc<Faults>,
    pub journal: Option<Arc<Journal>>,
    pub token: Arc<str>,
    pub address: Arc<str>,
    /// Worked out once: it takes all documents.
    pub openapi_index: Arc<OnceLock<Value>>,
}

/// The whole API as one service.
pub(crate) fn router(app: App) -> Router {
    Router::new().fallback(handle).with_state(app)
}

/// What a request asks for.
enum Ask {
    Plain(&'static str),
    Value(Value),
    /// A body of another type than JSON.
    Bytes(&'static str, Vec<u8>),
    /// Discovery in the aggregated form, of a version.
    Aggregated(Value, &'static str),
    Faults,
    Cut,
    Review(&'static str),
    Object(Target),
}

async fn handle(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<Connection>().cloned();
    let path = parts.uri.path().trim_end_matches('/').to_owned();
    match respond(&app, &parts.method, &path, parts.uri.query(), &parts.headers, body, connection.as_ref()).await {
        Ok(response) => response,
        Err(error) => {
            tracing::debug!(method = %parts.method, path, code = error.code, reason = error.reason, "refused");
            error.into_response()
        }
    }
}

async fn respond(
    app: &App,
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    body: Body,
    connection: Option<&Connection>,
) -> Result<Response<Body>, ApiError> {
    if matches!(path, "/healthz" | "/livez" | "/readyz") {
        return Ok("ok".into_response());
    }
    let Some(client) = authorized(headers, &app.token) else { return Err(ApiError::unauthorized()) };
    let ask = route(app, method, path, headers)?;
    if matches!(ask, Ask::Faults | Ask::Cut) {
        return faults(app, method, &ask, read(body).await?);
    }
    let query = Query::parse(query);
    let (verb, kind, name) = match &ask {
        Ask::Object(target) => (target.verb(method, &query)?, target.resource.kind.clone(), target.name().to_owned()),
        Ask::Review(kind) => ("create", (*kind).to_owned(), String::new()),
        _ => ("get", String::new(), String::new()),
    };
    let cut_answer = strike(app, verb, &kind, &name, &ask, connection).await?;
    let body = read(body).await?;
    let answer = match ask {
        Ask::Plain(text) => text.into_response(),
        Ask::Value(value) => Json(value).into_response(),
        Ask::Bytes(media, bytes) => ([(header::CONTENT_TYPE, media)], bytes).into_response(),
        Ask::Aggregated(value, version) => {
            let form = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
            ([(header::CONTENT_TYPE, form)], value.to_string()).into_response()
        }
        Ask::Review(kind) if method == Method::POST => {
            let review = match protobuf::review(&body) {
                Some(review) => review,
                None => serde_json::from_slice(&body)
                    .map_err(|e| ApiError::bad_request(format!("error decoding the body: {e}")))?,
            };
            (StatusCode::CREATED, Json(reviews::answer(app, kind, review)?)).into_response()
        }
        Ask::Object(target) => {
            let created = objects::answer(app, &Call { verb, target, query, headers, body: &body, client });
            if cut_answer {
                cut(connection).await;
            }
            created?
        }
        Ask::Faults | Ask::Cut | Ask::Review(_) => return Err(ApiError::method_not_allowed()),
    };
    Ok(answer)
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, BODY_LIMIT).await.map_err(|_| ApiError {
        code: 413,
        reason: "RequestEntityTooLarge",
        ..ApiError::bad_request("the body is too large")
    })
}

/// Who may pass, by the name that stands behind the token after a `~`: all are the one user, and the journal can tell them
/// apart. Compares all of the token, so that the time taken does not tell where it differs.
fn authorized<'h>(headers: &'h HeaderMap, token: &str) -> Option<&'h str> {
    let given = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let given = given.strip_prefix("Bearer ").unwrap_or_default().trim();
    let (given, client) = given.split_once('~').unwrap_or((given, ""));
    let is_it = given.len() == token.len() && given.bytes().zip(token.bytes()).fold(0, |d, (a, b)| d | (a ^ b)) == 0;
    is_it.then_some(client)
}

/// Applies the faults. Returns whether the answer is to be cut off.
async fn strike(
    app: &App,
    verb: &str,
    kind: &str,
    name: &str,
    ask: &Ask,
    connection: Option<&Connection>,
) -> Result<bool, ApiError> {
    let (latency, fault) = app.faults.decide(verb, kind, name);
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(fault) = fault else { return Ok(false) };
    match fault.fault {
        Fault::CutAnswer => return Ok(true),
        Fault::Cut => cut(connection).await,
        Fault::Hang => std::future::pending().await,
        Fault::Unauthorized => return Err(ApiError::unauthorized()),
        Fault::Forbidden => {
            return match ask {
                Ask::Object(t) => Err(ApiError::forbidden(USER, verb, &t.resource, t.namespace.as_deref(), t.name())),
                _ => Ok(false),
            };
        }
        Fault::Expired => {
            return Err(ApiError::expired("The resourceVersion for the provided watch or list is too old."));
        }
        Fault::Throttle => return Err(ApiError::too_many_requests(fault.retry_after.unwrap_or(1))),
        Fault::Unavailable => {
            return Err(ApiError::unavailable("the server is currently unable to handle the request"));
        }
    }
    Ok(false)
}

/// Cuts the connection that the request came on; never returns then.
async fn cut(connection: Option<&Connection>) {
    if let Some(connection) = connection {
        connection.cut();
        std::future::pending::<()>().await;
    }
}

fn route(app: &App, method: &Method, path: &str, headers: &HeaderMap) -> Result<Ask, ApiError> {
    let registry = &app.store.registry;
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let found = match &parts[..] {
        ["lab", "faults"] => Some(Ask::Faults),
        ["lab", "cut"] => Some(Ask::Cut),
        ["version"] => Some(Ask::Value(version())),
        [""] | [] => Some(Ask::Value(json!({"paths": ["/api", "/api/v1", "/apis", "/openapi/v3", "/version"]}))),
        ["metrics"] => Some(Ask::Plain("")),
        [list @ ("api" | "apis")] => Some(match discovery::aggregated_version(accept) {
            Some(version) => Ask::Aggregated(discovery::aggregated(registry, *list == "api", version), version),
            None if *list == "api" => Ask::Value(discovery::core_versions(&app.address)),
            None => Ask::Value(discovery::group_list(registry)),
        }),
        ["openapi", "v2"] if accept.contains(openapi_v2::ASKED) => {
            Some(Ask::Bytes(openapi_v2::ANSWERED, openapi_v2::protobuf(registry)))
        }
        ["openapi", "v2"] => Some(Ask::Value(openapi_v2::json())),
        ["openapi", "v3"] => Some(Ask::Value(app.openapi_index.get_or_init(|| openapi::index(registry)).clone())),
        ["openapi", "v3", "api", version] => openapi::document(registry, "", version).map(Ask::Value),
        ["openapi", "v3", "apis", group, version] => openapi::document(registry, group, version).map(Ask::Value),
        ["api", version] => discovery::resource_list(registry, "", version).map(Ask::Value),
        ["apis", group] => discovery::group(registry, group).map(Ask::Value),
        ["apis", group, version] => discovery::resource_list(registry, group, version).map(Ask::Value),
        ["apis", group, "v1", plural] if discovery::REVIEWS.iter().any(|(g, _, p)| g == group && p == plural) => {
            let review = discovery::REVIEWS.iter().find(|(g, _, p)| g == group && p == plural);
            review.map(|(_, kind, _)| Ask::Review(kind))
        }
        ["api", version, rest @ ..] => Some(Ask::Object(request::target(registry, "", version, rest)?)),
        ["apis", group, version, rest @ ..] => Some(Ask::Object(request::target(registry, group, version, rest)?)),
        _ => None,
    };
    match found {
        None => Err(ApiError::no_such_path()),
        Some(Ask::Value(_) | Ask::Bytes(..) | Ask::Aggregated(..) | Ask::Plain(_))
            if method != Method::GET && method != Method::HEAD =>
        {
            Err(ApiError::method_not_allowed())
        }
        Some(ask) => Ok(ask),
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "35", "gitVersion": format!("{VERSION}+lab"), "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "none", "compiler": "rustc",
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    })
}

/// `GET` and `PUT /lab/faults`, `POST /lab/cut`.
fn faults(app: &App, method: &Method, ask: &Ask, body: Bytes) -> Result<Response<Body>, ApiError> {
    match (ask, method) {
        (Ask::Cut, &Method::POST) => app.faults.cut_connections(),
        (Ask::Faults, &Method::PUT) => {
            let plan: FaultPlan = serde_json::from_slice(&body)
                .map_err(|e| ApiError::bad_request(format!("these are no faults: {e}")))?;
            app.faults.set(plan);
        }
        (Ask::Faults, &Method::DELETE) => app.faults.clear(),
        (Ask::Faults, &Method::GET) => {}
        _ => return Err(ApiError::method_not_allowed()),
    }
    Ok(Json(app.faults.plan()).into_response())
}
