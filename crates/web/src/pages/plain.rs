//! What is no page: static files, probes, metrics, reports of failing scripts, and the way back from an action's address.

use crate::assets;
use crate::attempts::{self, Asker};
use crate::extract::Fields;
use crate::probes::Check;
use crate::problem::Problem;
use crate::routes::{Kind, Needs, Route, object_of};
use crate::state::AppState;
use crate::url::pattern;
use crate::view;
use axum::extract::{RawPathParams, Request, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, Uri, header};
use serde_json::json;

/// The routes of these.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("static_file", pattern::static_file, Needs::Public, Kind::Plain, static_file),
        Route::get("healthz", pattern::healthz, Needs::Public, Kind::Plain, healthz),
        Route::get("readyz", pattern::readyz, Needs::Public, Kind::Plain, readyz),
        Route::get("metrics", pattern::metrics, Needs::Metrics, Kind::Plain, prometheus),
        Route::post("client_error", pattern::client_error, Needs::Public, client_error),
    ]
}

/// A GET on an action's address, as a login or a bookmark may bring it about: leads to the object.
pub async fn back(uri: Uri) -> Redirect {
    Redirect::to(&object_of(uri.path()))
}

async fn static_file(params: RawPathParams) -> Result<Response, Problem> {
    let part = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value).unwrap_or_default();
    let (bytes, media) = assets::get(part("file")).ok_or_else(|| Problem::not_found("file"))?;
    // A page of an older release asks for an older version: it gets today's file, but must not keep it under that name.
    let keep = if part("version") == assets::version() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    Ok((headers, bytes.into_owned()).into_response())
}

async fn healthz() -> Response {
    view::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// Ready is who has everything that is needed and is not about to stop; who is not says what is missing.
async fn readyz(State(state): State<AppState>) -> Response {
    if state.closing.is_cancelled() {
        return view::json(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping", "missing": [] }));
    }
    let checks = state.probes.look(&state).await;
    let missing: Vec<&str> = checks.iter().filter(|check| check.missing.is_some()).map(|check| check.name).collect();
    let (status, word) = match missing.is_empty() {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    let checks: Vec<_> = checks.iter().map(Check::to_json).collect();
    view::json(status, &json!({ "status": word, "missing": missing, "checks": checks }))
}

async fn prometheus(State(state): State<AppState>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(metrics::MEDIA_TYPE))], state.engine.metrics().await)
        .into_response()
}

async fn client_error(State(state): State<AppState>, fields: Fields, request: Request) -> Response {
    let asker = Asker::of(&state, &request);
    let text = |name: &str, longest: usize| {
        let shown: String = fields.text(name).chars().filter(|c| !c.is_control()).take(longest).collect();
        shown
    };
    let (message, place, page) = (text("message", 300), text("place", 600), text("page", 200));
    let headers = request.headers().clone();
    drop(request);
    attempts::client_error(&state, &asker, &headers, (&page, &place), message).await;
    view::json(StatusCode::ACCEPTED, &json!({ "received": true }))
}
