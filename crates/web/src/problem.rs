//! What went wrong, once for pages and scripts: a handler answers with a [`Problem`], and the layer
//! `layers::answers` writes it as an HTML page or as problem+json (RFC 9457), by who asked.

use crate::url;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use model::Code;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What went wrong. Small to pass around: its details are elsewhere.
#[derive(Debug, Clone)]
pub struct Problem(Box<Details>);

/// The details of a problem.
#[derive(Debug, Clone)]
pub struct Details {
    /// The stable code.
    pub code: Code,
    /// The status, when it is another than the code's.
    pub status: Option<StatusCode>,
    /// What happened and why, one or two sentences.
    pub message: String,
    /// What to do, when there is something better to say than the code does.
    pub todo: Option<String>,
    /// What is wrong with which field of the form.
    pub fields: BTreeMap<String, String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
    /// More for scripts, e.g. the operation.
    pub more: BTreeMap<&'static str, Value>,
    /// The form to send again, when only its token was stale or the password is asked for.
    pub again: Option<Again>,
    /// The page that a login leads to, when it is another than the request's own; with the code that asks for the
    /// password, the way to prove elsewhere who one is.
    pub next: Option<String>,
}

/// A form that was refused for its token or for want of the password alone, by a user who is logged in, from a page of
/// this site.
#[derive(Debug, Clone)]
pub struct Again {
    /// The form's fields.
    pub fields: Vec<(String, String)>,
    /// A new token.
    pub csrf: String,
}

impl std::ops::Deref for Problem {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

impl std::ops::DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Details {
        &mut self.0
    }
}

impl Problem {
    /// A problem of its code and its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Details {
            code,
            status: None,
            message: message.into(),
            todo: None,
            fields: BTreeMap::new(),
            retry_after: None,
            more: BTreeMap::new(),
            again: None,
            next: None,
        }))
    }

    /// With another status than the code's.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// With what to do.
    pub fn todo(mut self, todo: impl Into<String>) -> Self {
        self.todo = Some(todo.into());
        self
    }

    /// With more for scripts.
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more.insert(name, value);
        self
    }

    /// There is no such thing, or it may not be seen.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}, or you may not see it."))
    }

    /// A field of the form is wrong.
    pub fn field(name: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let mut problem = Self::new(Code::InvalidInput, message.clone()).status(StatusCode::UNPROCESSABLE_ENTITY);
        problem.fields.insert(name.to_owned(), message);
        problem
    }

    /// A defect: logged here, named by the request id there.
    pub fn internal(doing: &str, error: &dyn std::fmt::Display) -> Self {
        tracing::error!(doing, error = %error, "a request failed");
        Self::new(Code::Internal, "Hedgerow made a mistake and stopped before doing more.")
    }

    /// The status of the answer.
    pub fn http_status(&self) -> StatusCode {
        let of_code = StatusCode::from_u16(self.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        self.status.unwrap_or(of_code)
    }

    /// What to do, one sentence.
    pub fn what_to_do(&self) -> &str {
        self.todo.as_deref().unwrap_or(self.code.what_to_do())
    }

    /// A short heading.
    pub fn title(&self) -> &'static str {
        match (self.code, self.http_status().as_u16()) {
            (Code::CsrfFailed, _) if self.again.is_some() => "Press once more",
            (Code::CsrfFailed, _) => "The form was refused",
            (Code::PasswordRequired | Code::OpenidRefused, _) if self.next.is_some() => "Log in there once more",
            (Code::PasswordRequired, _) => "Your password, once more",
            (Code::SessionIdleExpired | Code::SessionAbsoluteExpired | Code::SessionRevoked, _) => "Session ended",
            (Code::OpenidRefused | Code::OpenidUnavailable | Code::AccountRefused, _) => "You are not logged in",
            (_, 400) => "The request makes no sense",
            (_, 401) => "Not logged in",
            (_, 403) => "Not permitted",
            (_, 404) => "There is no such page",
            (_, 405) => "Not here",
            (_, 413) => "Too large",
            (_, 422) => "It cannot be done like this",
            (_, 429) => "Too many attempts",
            (_, 500) => "A mistake of Hedgerow",
            (_, 502) => "No connection",
            (_, 503) => "Not available",
            (_, 504) => "No answer in time",
            _ => "It did not work",
        }
    }

    /// The problem for scripts.
    pub fn to_json(&self, request_id: &str, path: &str, login: Option<String>) -> Value {
        let status = self.http_status().as_u16();
        // The predecessor's clients look for one word on every 401.
        let error = if status == 401 { Code::AuthenticationRequired } else { self.code };
        let mut body = json!({
            "type": url::docs_code(self.code),
            "title": self.title(),
            "status": status,
            "detail": self.message,
            "instance": path,
            "code": self.code,
            "failure_point": self.code.failure_point(),
            "retryable": self.code.retryable(),
            "what_to_do": self.what_to_do(),
            "request_id": request_id,
            "success": false,
            "error": error,
            "message": self.message,
            "redirect": login,
        });
        if !self.fields.is_empty() {
            body["fields"] = json!(self.fields);
        }
        for (name, value) in &self.more {
            body[*name] = value.clone();
        }
        body
    }
}

/// The problem travels in the answer's extensions to the layer that writes it.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.http_status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotFound(what) => Self::not_found(what),
            error if error.code() == Code::Internal => Self::internal("read or write the database", &error),
            error if error.code() == Code::StoreUnavailable => {
                tracing::debug!(error = %error, "the database did not answer");
                let said = match error {
                    store::Error::Unavailable { why: store::Outage::Full, .. } => {
                        "The database did not answer: there is no storage space left."
                    }
                    store::Error::Unavailable { why: store::Outage::Disk, .. } => {
                        "The database did not answer: its disk failed, is full, or may not be written to."
                    }
                    _ => "The database did not answer.",
                };
                Self::new(Code::StoreUnavailable, said)
            }
            error => Self::new(error.code(), capitalised(&error.to_string())),
        }
    }
}

impl From<auth::AccessError> for Problem {
    fn from(error: auth::AccessError) -> Self {
        match error {
            auth::AccessError::Store(error) => error.into(),
            error => Self::new(error.code(), capitalised(&error.to_string())),
        }
    }
}

impl From<auth::Denied> for Problem {
    fn from(denied: auth::Denied) -> Self {
        Self::new(denied.code(), capitalised(&denied.to_string()))
    }
}

impl From<engine::Error> for Problem {
    fn from(error: engine::Error) -> Self {
        if error.code == Code::Internal {
            return Self::internal("ask the engine", &error);
        }
        Self::new(error.code, error.message)
    }
}

impl From<askama::Error> for Problem {
    fn from(error: askama::Error) -> Self {
        Self::internal("write a page", &error)
    }
}

/// A sentence of an error's text: a capital letter at its beginning and a full stop at its end.
pub fn capitalised(text: &str) -> String {
    // A host or an address is written as it is.
    let is_name = text.split_whitespace().next().is_some_and(|word| {
        let mut inner = word.chars();
        inner.next_back();
        inner.as_str().contains(['.', ':', '/'])
    });
    let mut chars = text.chars();
    let first = chars.next();
    let mut sentence: String = match (first, is_name) {
        (Some(first), false) => first.to_uppercase().collect(),
        (first, _) => first.into_iter().collect(),
    };
    sentence.push_str(chars.as_str());
    if !sentence.is_empty() && !sentence.ends_with(['.', '?', ':']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_the_whole_problem() {
        let problem = Problem::new(Code::SessionIdleExpired, "Your session ended.");
        let json = problem.to_json("r-1", "/fabrics/7/sync/", Some("/login/?next=%2Ffabrics%2F7%2F".into()));
        assert_eq!(json["status"], 401);
        assert_eq!(json["code"], "session_idle_expired");
        assert_eq!(json["type"], "/docs/codes/session_idle_expired/");
        assert_eq!(json["error"], "authentication_required");
        assert_eq!(json["failure_point"], 3);
        assert_eq!(json["retryable"], false);
        assert_eq!(json["success"], false);
        assert_eq!(json["request_id"], "r-1");
        assert_eq!(json["message"], "Your session ended.");
        assert_eq!(json["redirect"], "/login/?next=%2Ffabrics%2F7%2F");
        assert!(json["what_to_do"].as_str().is_some_and(|todo| !todo.is_empty()));
    }

    #[test]
    fn every_code_has_a_heading_and_an_error_status() {
        for code in Code::ALL {
            let problem = Problem::new(*code, "x");
            assert!(!problem.title().is_empty());
            let status = problem.http_status().as_u16();
            assert!(status >= 400 || matches!(code, Code::AlreadyRunning), "{code}: {status}");
        }
    }

    #[test]
    fn errors_become_sentences() {
        assert_eq!(capitalised("the permission x is missing"), "The permission x is missing.");
        assert_eq!(capitalised("Done."), "Done.");
        assert_eq!(capitalised("git.example.com: does not answer"), "git.example.com: does not answer.");
        assert_eq!(capitalised("10.0.0.1:6443 refused it"), "10.0.0.1:6443 refused it.");
        assert_eq!(capitalised("vpc: is missing"), "Vpc: is missing.");
        assert_eq!(capitalised("é… x"), "É… x.");
        assert_eq!(capitalised(""), "");
    }
}
