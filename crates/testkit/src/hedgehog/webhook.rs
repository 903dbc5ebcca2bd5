//! The webhooks' own server: the lab's rules, and before them what a test wants refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};

/// By name of the object: the words of its refusal.
pub(super) type Rejections = Arc<Mutex<HashMap<String, String>>>;

pub(super) fn lock(rejections: &Rejections) -> MutexGuard<'_, HashMap<String, String>> {
    rejections.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn router(rules: Router, rejections: Rejections) -> Router {
    rules.layer(from_fn_with_state(rejections, refuse_first))
}

async fn refuse_first(State(rejections): State<Rejections>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/validate" {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = axum::body::to_bytes(body, 16 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let review: Value = serde_json::from_slice(&body).unwrap_or_default();
    let asked = &review["request"];
    let words = asked["name"].as_str().and_then(|name| lock(&rejections).get(name).cloned());
    match words {
        None => next.run(Request::from_parts(parts, body.into())).await,
        Some(words) => Json(json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": {
                "uid": asked["uid"], "allowed": false,
                "status": {"code": 403, "reason": "Forbidden", "message": words},
            },
        }))
        .into_response(),
    }
}
