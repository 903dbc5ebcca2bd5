//! Lists: selected, page by page from one snapshot, in the form that was asked for.

use super::{
    error::ApiError,
    request::{Form, Query, Target},
    selector::Selector,
    store::{Snapshot, Store},
    table,
};
use axum::{
    body::Body,
    http::{Response, header},
};
use base64::Engine;
use serde_json::{Value, json};
use std::sync::Arc;

const EXPIRED: &str = "The provided continue parameter is too old to display a consistent list result. You can start a \
    new list without the continue parameter.";

pub(super) fn list(store: &Store, target: &Target, query: &Query, form: Form) -> Result<Response<Body>, ApiError> {
    let limit = query.number("limit")?.and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    query.number("resourceVersion")?;
    let (snapshot, offset, kept) = match query.get("continue") {
        "" => {
            let selector = Selector::parse(query.get("labelSelector"), query.get("fieldSelector"))?;
            let locked = store.lock();
            let mut items = locked.list(&target.resource, target.namespace.as_deref());
            items.retain(|o| selector.matches(o));
            (Snapshot { version: locked.version(), items: Arc::new(items) }, 0, None)
        }
        token => {
            let (id, offset) = decode(token)?;
            let snapshot = store.lock().kept_list(id).ok_or_else(|| ApiError::expired(EXPIRED))?;
            (snapshot, offset, Some(id))
        }
    };
    let total = snapshot.items.len();
    let start = offset.min(total);
    let end = limit.map_or(total, |limit| total.min(start.saturating_add(limit)));
    let mut metadata = json!({"resourceVersion": snapshot.version.to_string(), "continue": ""});
    if end < total {
        let id = kept.unwrap_or_else(|| store.lock().keep_list(snapshot.clone()));
        metadata["continue"] = json!(encode(id, end));
        if query.get("labelSelector").is_empty() && query.get("fieldSelector").is_empty() {
            metadata["remainingItemCount"] = json!(total - end);
        }
    }
    Ok(answer(target, &snapshot.items[start..end], metadata, form))
}

fn encode(id: u64, offset: usize) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{id}:{offset}"))
}

fn decode(token: &str) -> Result<(u64, usize), ApiError> {
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|b| String::from_utf8(b).ok());
    text.as_deref()
        .and_then(|t| t.split_once(':'))
        .and_then(|(id, offset)| Some((id.parse().ok()?, offset.parse().ok()?)))
        .ok_or_else(|| ApiError::bad_request("continue key is not valid"))
}

fn answer(target: &Target, items: &[Arc<Value>], metadata: Value, form: Form) -> Response<Body> {
    let resource = &target.resource;
    let body = match form {
        Form::Table => {
            let objects: Vec<&Value> = items.iter().map(|o| &**o).collect();
            table::table(resource, &objects, metadata, true).to_string().into_bytes()
        }
        Form::Metadata => {
            let mut metadata = metadata;
            if let Some(metadata) = metadata.as_object_mut().filter(|m| m.get("continue") == Some(&json!(""))) {
                metadata.shift_remove("continue");
            }
            let objects: Vec<Value> = items.iter().map(|o| table::partial(o)).collect();
            json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "items": objects})
                .to_string()
                .into_bytes()
        }
        // Written piece by piece: the objects are shared and need not be copied into one big value.
        Form::Object => {
            let head = json!({"kind": resource.list_kind, "apiVersion": resource.api_version(), "metadata": metadata});
            let mut body = head.to_string();
            body.truncate(body.len() - 1);
            body.push_str(",\"items\":[");
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    body.push(',');
                }
                body.push_str(&item.to_string());
            }
            body.push_str("]}\n");
            body.into_bytes()
        }
    };
    json_bytes(body)
}

pub(super) fn json_bytes(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}
