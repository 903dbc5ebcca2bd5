//! The sync request. It believes whatever it does not understand to be a success, stores nothing of what it read and
//! applies nothing, runs as often as it is pressed, and waits for ever for an API server that does not answer.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::cluster;
use super::request::{Asked, json as answer, method_not_allowed, not_found, redirect};
use super::site::Site;

pub(super) async fn sync(site: &Site, asked: &Asked<'_>, id: u64) -> Response {
    if let Some(response) = refusal(asked) {
        return response;
    }
    let Some(fabric) = site.fabric(id) else { return not_found() };
    // Nothing says that one is running already, and what is stored is not looked at.
    site.count_sync(id);
    let Some(server) = fabric.server.as_deref().filter(|server| !server.is_empty()) else {
        let body = json!({"success": false, "error": "Reconciliation failed to initialize"});
        return answer(StatusCode::OK, &body);
    };
    let read = cluster::read(server, &fabric.token, fabric.ca.is_some()).await;
    if read.errors.is_empty() {
        site.store_in_sync(id);
    }
    let imported = read.objects.len();
    let body = json!({
        "success": true,
        "message": format!("Fabric sync completed. Imported: {imported}, Applied: 0"),
        "results": {"imported": imported, "applied": 0, "errors": read.errors, "objects": read.objects},
    });
    answer(StatusCode::OK, &body)
}

/// The connection test does not look at certificates, so that it disagrees with the sync where an authority is given.
pub(super) async fn test_connection(site: &Site, asked: &Asked<'_>, id: u64) -> Response {
    if let Some(response) = refusal(asked) {
        return response;
    }
    let Some(fabric) = site.fabric(id) else { return not_found() };
    let said = match fabric.server.as_deref().filter(|server| !server.is_empty()) {
        None => Err("no Kubernetes server is configured".to_owned()),
        Some(server) => cluster::ping(server, &fabric.token).await,
    };
    let body = match said {
        Ok(()) => json!({"success": true, "message": "Connection test successful"}),
        Err(error) => json!({"success": false, "error": error}),
    };
    answer(StatusCode::OK, &body)
}

/// The answer to whoever may not do something to a fabric: to the login page, whoever asks, or refused as JSON.
fn refusal(asked: &Asked<'_>) -> Option<Response> {
    let Some(user) = asked.user else { return Some(redirect(&format!("/login/?next={}", asked.path))) };
    if asked.method != Method::POST {
        return Some(method_not_allowed("POST, OPTIONS"));
    }
    let body = json!({"success": false, "error": "Permission denied"});
    (!user.may_sync).then(|| answer(StatusCode::FORBIDDEN, &body))
}
