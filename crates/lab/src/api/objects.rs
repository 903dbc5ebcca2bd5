//! Requests for objects: from the verb to the store and back.

use super::{
    App,
    error::ApiError,
    list, patch,
    request::{self, Form, Query, Target},
    selector::Selector,
    table, watch,
    write::{Preconditions, Writes, Written},
};
use crate::journal::Entry;
use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Everything of a request but its connection.
pub(super) struct Call<'a> {
    pub verb: &'static str,
    pub target: Target,
    pub query: Query,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    /// The name that the client gave itself.
    pub client: &'a str,
}

pub(super) fn answer(app: &App, call: &Call) -> Result<Response<Body>, ApiError> {
    let Call { target, query, headers, .. } = call;
    if !target.resource.verbs.contains(&call.verb) {
        return Err(ApiError::method_not_allowed());
    }
    let writes = Writes { store: &app.store, faults: &app.faults };
    let form = request::form(headers)?;
    match call.verb {
        "list" => list::list(&app.store, target, query, form),
        "watch" => watch::watch(&app.store, target, query, form),
        "get" => {
            let object = app.store.lock().get(&target.resource, target.namespace(), target.name());
            let object = object.ok_or_else(|| ApiError::not_found(&target.resource, target.name()))?;
            Ok(shaped(target, &object, form, StatusCode::OK))
        }
        "create" => {
            let options = request::write_options(&Method::POST, target, query, headers)?;
            let object = decode(call)?;
            let namespace = namespace_of(target, &object);
            let done = writes.create(&target.resource, &namespace, object, &options)?;
            note(app, call, &done, true);
            written(target, form, done)
        }
        "update" => {
            let options = request::write_options(&Method::PUT, target, query, headers)?;
            let new = decode(call)?;
            let mut replace = |_: &Value| Ok(new.clone());
            let done = writes.update(&target.resource, target.namespace(), target.name(), &mut replace, &options)?;
            note(app, call, &done, new["metadata"]["resourceVersion"].is_string());
            written(target, form, done)
        }
        "patch" => answer_patch(app, call, writes, form),
        "delete" => delete(app, call, writes),
        _ => delete_collection(call, app, writes),
    }
}

/// Keeps a write in the journal, if it changed something.
fn note(app: &App, call: &Call, done: &Written, is_conditional: bool) {
    let Some(journal) = app.journal.as_ref().filter(|_| done.stored) else { return };
    let Some(event) = app.store.lock().event(&done.object) else { return };
    journal.add(Entry {
        at: Instant::now(),
        client: call.client.to_owned(),
        verb: call.verb,
        kind: call.target.resource.kind.clone(),
        name: text_of(&event.after, "name"),
        is_conditional,
        before: event.before,
        after: event.after,
    });
}

fn text_of(object: &Value, key: &str) -> String {
    object["metadata"][key].as_str().unwrap_or_default().to_owned()
}

/// A namespaced object that is created at the address of all namespaces is refused by the API server; so here.
fn namespace_of(target: &Target, object: &Value) -> String {
    match &target.namespace {
        Some(namespace) => namespace.clone(),
        None => object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned(),
    }
}

/// A body as JSON; YAML is taken too.
fn decode(call: &Call) -> Result<Value, ApiError> {
    let kind = call.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("application/json");
    parse(kind, call.body)
}

fn parse(content_type: &str, body: &[u8]) -> Result<Value, ApiError> {
    let wrong = |why: String| ApiError::bad_request(format!("error decoding the body: {why}"));
    match content_type.split(';').next().unwrap_or_default().trim() {
        "application/yaml" | "application/apply-patch+yaml" => {
            let text = std::str::from_utf8(body).map_err(|e| wrong(e.to_string()))?;
            serde_saphyr::from_str(text).map_err(|e| wrong(e.to_string()))
        }
        "application/json" | "application/json-patch+json" | "application/merge-patch+json" | "" => {
            serde_json::from_slice(body).map_err(|e| wrong(e.to_string()))
        }
        other => Err(ApiError::unsupported_media_type(format!(
            "the body of the request was in an unknown format ({other}) - accepted media types include: \
             application/json, application/yaml"
        ))),
    }
}

fn answer_patch(app: &App, call: &Call, writes: Writes, form: Form) -> Result<Response<Body>, ApiError> {
    let Call { target, query, headers, .. } = call;
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let kind = patch::kind(content_type)?;
    let options = request::write_options(&Method::PATCH, target, query, headers)?;
    let body = parse(content_type, call.body)?;
    let (namespace, name) = (target.namespace(), target.name());
    if kind == patch::Kind::Apply {
        if query.get("fieldManager").is_empty() {
            let message = "Required value: is required for apply patch";
            return Err(ApiError::invalid_option("PatchOptions", "fieldManager", "FieldValueRequired", message));
        }
        if target.status {
            return Err(ApiError::unsupported_media_type(
                "apply patches of the status subresource are not served here",
            ));
        }
        let force = query.flag("force");
        let done = writes.apply(&target.resource, namespace, name, body, force, &options)?;
        note(app, call, &done, false);
        return written(target, form, done);
    }
    let mut change = |object: &Value| patch::apply(kind, object, &body);
    let done = writes.update(&target.resource, namespace, name, &mut change, &options)?;
    note(app, call, &done, body["metadata"]["resourceVersion"].is_string());
    written(target, form, done)
}

/// Preconditions and dry run of a deletion, from its body and its query.
fn delete_options(call: &Call) -> Result<(Preconditions, bool), ApiError> {
    let mut preconditions = Preconditions::default();
    let mut dry_run = match call.query.get("dryRun") {
        "" => false,
        "All" => true,
        other => return Err(ApiError::invalid_dry_run("DeleteOptions", other)),
    };
    if !call.body.is_empty() {
        let options = decode(call)?;
        if let Some(policy) = options.get("propagationPolicy").and_then(Value::as_str)
            && !["Background", "Foreground", "Orphan"].contains(&policy)
        {
            return Err(ApiError::bad_request(format!("propagationPolicy '{policy}' is not supported")));
        }
        dry_run |= options["dryRun"].as_array().is_some_and(|d| d.iter().any(|d| d == "All"));
        let text = |key: &str| options["preconditions"].get(key).and_then(Value::as_str).map(str::to_owned);
        preconditions = Preconditions { uid: text("uid"), version: text("resourceVersion") };
    }
    Ok((preconditions, dry_run))
}

fn delete(app: &App, call: &Call, writes: Writes) -> Result<Response<Body>, ApiError> {
    let target = &call.target;
    let (preconditions, dry_run) = delete_options(call)?;
    let done = writes.delete(&target.resource, target.namespace(), target.name(), &preconditions, dry_run)?;
    note(app, call, &done, preconditions.uid.is_some() && preconditions.version.is_some());
    if done.object["metadata"].get("deletionTimestamp").is_some() {
        return written(target, Form::Object, done);
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": target.name(), "group": target.resource.group, "kind": target.resource.plural,
            "uid": done.object["metadata"]["uid"]},
    });
    Ok(with_warnings(Json(status).into_response(), &done.warnings))
}

fn delete_collection(call: &Call, app: &App, writes: Writes) -> Result<Response<Body>, ApiError> {
    let (target, query) = (&call.target, &call.query);
    let selector = Selector::parse(query.get("labelSelector"), query.get("fieldSelector"))?;
    let (_, dry_run) = delete_options(call)?;
    let mut items = app.store.lock().list(&target.resource, target.namespace.as_deref());
    items.retain(|o| selector.matches(o));
    for item in &items {
        let text = |key: &str| item["metadata"][key].as_str().unwrap_or_default();
        match writes.delete(&target.resource, text("namespace"), text("name"), &Preconditions::default(), dry_run) {
            Ok(_) => {}
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let list = json!({"kind": target.resource.list_kind, "apiVersion": target.resource.api_version(),
        "metadata": {"resourceVersion": app.store.lock().version().to_string(), "continue": ""},
        "items": items.iter().map(|i| (**i).clone()).collect::<Vec<_>>()});
    Ok(Json(list).into_response())
}

fn written(target: &Target, form: Form, written: Written) -> Result<Response<Body>, ApiError> {
    let code = if written.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(with_warnings(shaped(target, &written.object, form, code), &written.warnings))
}

fn shaped(target: &Target, object: &Value, form: Form, code: StatusCode) -> Response<Body> {
    match form {
        Form::Object => (code, Json(object)).into_response(),
        Form::Metadata => (code, Json(table::partial(object))).into_response(),
        Form::Table => {
            let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
            (code, Json(table::table(&target.resource, &[object], metadata, true))).into_response()
        }
    }
}

fn with_warnings(mut response: Response<Body>, warnings: &[String]) -> Response<Body> {
    for warning in warnings {
        let text = format!("299 - \"{}\"", warning.replace('\\', "\\\\").replace('"', "\\\""));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::WARNING, value);
        }
    }
    response
}
