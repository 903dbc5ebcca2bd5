//! Errors as `Status` objects, in the words and with the codes of kube-apiserver: clients tell them apart by these.

use super::registry::Resource;
use crate::kinds::schema::Cause;
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A refused request.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// HTTP status.
    pub code: u16,
    /// Reason in one word, e.g. `NotFound`.
    pub reason: &'static str,
    /// What happened.
    pub message: String,
    /// Which object, and what about it.
    pub details: Option<Box<Value>>,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u32>,
}

impl ApiError {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, retry_after: None }
    }

    fn about(mut self, resource: &Resource, name: &str) -> Self {
        let mut details = json!({"name": name, "group": resource.group, "kind": resource.plural});
        if resource.group.is_empty()
            && let Some(details) = details.as_object_mut()
        {
            details.shift_remove("group");
        }
        self.details = Some(Box::new(details));
        self
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422: an option of the request is wrong.
    pub fn invalid_option(options: &str, field: &str, reason: &str, message: &str) -> Self {
        let whole = format!("{options}.meta.k8s.io \"\" is invalid: {field}: {message}");
        let mut error = Self::new(422, "Invalid", whole);
        error.details = Some(Box::new(json!({"group": "meta.k8s.io", "kind": options,
            "causes": [{"reason": reason, "message": message, "field": field}]})));
        error
    }

    /// 422: a dry run that is not All.
    pub fn invalid_dry_run(options: &str, value: &str) -> Self {
        let message = format!("Unsupported value: [\"{value}\"]: supported values: \"All\"");
        Self::invalid_option(options, "dryRun", "FieldValueNotSupported", &message)
    }

    /// 500 without a reason, as kube-apiserver has it for a few mistakes of the client.
    pub fn plain(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 401: no token, or one that nobody knows.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403 as RBAC says it.
    pub fn forbidden(user: &str, verb: &str, resource: &Resource, namespace: Option<&str>, name: &str) -> Self {
        let scope = match namespace {
            Some(namespace) => format!("in the namespace \"{namespace}\""),
            None => "at the cluster scope".to_owned(),
        };
        let of = if name.is_empty() { String::new() } else { format!(" \"{name}\"") };
        let message = format!(
            "{}{of} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
            resource.qualified(),
            resource.plural,
            resource.group
        );
        Self::new(403, "Forbidden", message).about(resource, name)
    }

    /// 403 as a validating webhook says it.
    pub fn refused(refusal: &crate::admission::Refusal) -> Self {
        Self::new(403, "Forbidden", refusal.to_string())
    }

    /// 404 for an object.
    pub fn not_found(resource: &Resource, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).about(resource, name)
    }

    /// 404 for a path.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    }

    /// 406: asked for in a form that is not spoken here.
    pub fn not_acceptable(wanted: &str) -> Self {
        Self::new(406, "NotAcceptable", format!("only application/json is served here, not {wanted}"))
    }

    /// 409 for a name that is taken.
    pub fn already_exists(resource: &Resource, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .about(resource, name)
    }

    /// 409 for a change of something that changed meanwhile.
    pub fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified()),
        )
        .about(resource, name)
    }

    /// 409 with a cause for each field that another manager owns.
    pub fn apply_conflict(conflicts: &[(String, String)]) -> Self {
        let words: Vec<String> =
            conflicts.iter().map(|(manager, field)| format!("conflict with \"{manager}\": {field}")).collect();
        let plural = if conflicts.len() == 1 { "" } else { "s" };
        let message = format!("Apply failed with {} conflict{plural}: {}", conflicts.len(), words.join("; "));
        let causes: Vec<Value> = conflicts
            .iter()
            .map(|(manager, field)| {
                json!({"reason": "FieldManagerConflict", "message": format!("conflict with \"{manager}\""), "field": field})
            })
            .collect();
        Self { details: Some(Box::new(json!({"causes": causes}))), ..Self::new(409, "Conflict", message) }
    }

    /// 410: the version asked for is too old.
    pub fn expired(message: &str) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(415, "UnsupportedMediaType", message)
    }

    /// 422 with its causes.
    pub fn invalid(resource: &Resource, name: &str, causes: &[Cause]) -> Self {
        let words: Vec<String> = causes.iter().map(|c| format!("{}: {}", c.field, c.message)).collect();
        let list = if words.len() == 1 { words[0].clone() } else { format!("[{}]", words.join(", ")) };
        let kind = if resource.group.is_empty() {
            resource.kind.clone()
        } else {
            format!("{}.{}", resource.kind, resource.group)
        };
        let mut error = Self::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {list}"));
        let causes: Vec<Value> =
            causes.iter().map(|c| json!({"reason": c.reason, "message": c.message, "field": c.field})).collect();
        error.details =
            Some(Box::new(json!({"name": name, "group": resource.group, "kind": resource.kind, "causes": causes})));
        error
    }

    /// 422 for a replacement that does not say which version it replaces. It names the resource, not the kind.
    pub fn version_required(resource: &Resource, name: &str) -> Self {
        let message = "Invalid value: 0: must be specified for an update";
        let field = "metadata.resourceVersion";
        let whole = format!("{} \"{name}\" is invalid: {field}: {message}", resource.qualified());
        let causes = json!([{"reason": "FieldValueInvalid", "message": message, "field": field}]);
        let mut error = Self::new(422, "Invalid", whole).about(resource, name);
        if let Some(details) = &mut error.details {
            details["causes"] = causes;
        }
        error
    }

    /// 422 for a patch whose outcome has fields that nobody knows.
    pub fn invalid_patch(patched: &Value, why: &str) -> Self {
        let message = format!("Invalid value: {}: {why}", Value::String(patched.to_string()));
        let mut error = Self::new(422, "Invalid", format!(" \"\" is invalid: patch: {message}"));
        error.details =
            Some(Box::new(json!({"causes": [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]})));
        error
    }

    /// 429.
    pub fn too_many_requests(seconds: u32) -> Self {
        let mut error = Self::new(429, "TooManyRequests", "Too many requests, please try again later.");
        error.retry_after = Some(seconds);
        error.details = Some(Box::new(json!({"retryAfterSeconds": seconds})));
        error
    }

    /// 500 for a webhook that does not answer.
    pub fn webhook_down(webhook: &str) -> Self {
        let why = format!(
            "failed calling webhook \"{webhook}\": failed to call webhook: Post \
             \"https://fabric-webhook-service.fab.svc:443/?timeout=10s\": dial tcp: connect: connection refused"
        );
        let mut error = Self::new(500, "InternalError", format!("Internal error occurred: {why}"));
        error.details = Some(Box::new(json!({"causes": [{"message": why}]})));
        error
    }

    /// 503.
    pub fn unavailable(message: &str) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        status["code"] = json!(self.code);
        status
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.code == 404 && self.details.is_none() {
            return (code, "404 page not found\n").into_response();
        }
        let mut response = (code, Json(self.status())).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
