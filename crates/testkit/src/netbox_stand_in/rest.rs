//! The REST API, as far as fabrics are read: the status as it is stored, and the cluster's token in clear, to everybody
//! who may look.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::StandInFabric;
use super::request::{Asked, json as answer};
use super::site::Site;

pub(super) fn fabrics(site: &Site, asked: &Asked<'_>) -> Response {
    if let Some(response) = refusal(site, asked) {
        return response;
    }
    let results: Vec<Value> = site.fabrics().iter().map(|(id, fabric)| row(asked, *id, fabric)).collect();
    let body = json!({"count": results.len(), "next": null, "previous": null, "results": results});
    answer(StatusCode::OK, &body)
}

pub(super) fn fabric(site: &Site, asked: &Asked<'_>, id: u64) -> Response {
    if let Some(response) = refusal(site, asked) {
        return response;
    }
    match site.fabric(id) {
        Some(fabric) => answer(StatusCode::OK, &row(asked, id, &fabric)),
        None => refused(StatusCode::NOT_FOUND, "No HedgehogFabric matches the given query."),
    }
}

/// The answer to whoever may not look: a token that is none is refused, session or not.
fn refusal(site: &Site, asked: &Asked<'_>) -> Option<Response> {
    let token = asked.header("authorization").and_then(|value| value.strip_prefix("Token "));
    match token {
        Some(token) if site.owner(token).is_none() => return Some(refused(StatusCode::FORBIDDEN, "Invalid token")),
        None if asked.user.is_none() => {
            return Some(refused(StatusCode::FORBIDDEN, "Authentication credentials were not provided."));
        }
        _ => {}
    }
    let looks = [Method::GET, Method::HEAD].contains(&asked.method);
    let detail = format!("Method \"{}\" not allowed.", asked.method);
    (!looks).then(|| refused(StatusCode::METHOD_NOT_ALLOWED, &detail))
}

fn refused(status: StatusCode, detail: &str) -> Response {
    answer(status, &json!({ "detail": detail }))
}

fn row(asked: &Asked<'_>, id: u64, fabric: &StandInFabric) -> Value {
    let host = asked.header("host").unwrap_or_default();
    json!({
        "id": id,
        "url": format!("http://{host}/api/plugins/hedgehog/fabrics/{id}/"),
        "display": fabric.name,
        "name": fabric.name,
        "kubernetes_server": fabric.server.as_deref().unwrap_or_default(),
        "kubernetes_token": fabric.token,
        "kubernetes_ca_cert": fabric.ca.as_deref().unwrap_or_default(),
        "sync_status": fabric.status.raw(),
        "connection_status": fabric.connection_status,
        "sync_error": fabric.error.as_deref().unwrap_or_default(),
        "last_sync": fabric.last_sync.map(|time| time.to_string()),
    })
}
