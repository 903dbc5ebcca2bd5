//! Why a command could not do what it was asked: what happened, and what to do. The codes are the console's own, and a few
//! of this side.

use serde_json::{Value, json};
use std::fmt;

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The code.
    pub(crate) code: String,
    /// What happened and why.
    pub(crate) message: String,
    /// What to do.
    pub(crate) todo: String,
    /// The request's id at the console.
    pub(crate) request_id: Option<String>,
}

impl Failure {
    /// A failure of this side.
    pub(crate) fn new(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message, todo: String::new(), request_id: None }
    }

    /// With what to do.
    pub(crate) fn todo(mut self, todo: &str) -> Self {
        self.todo = todo.to_owned();
        self
    }

    /// Whoever answered is no console, or one that this release does not understand.
    pub(crate) fn not_a_console(message: String) -> Self {
        Self::new("not_a_console", message)
            .todo("Check --server: it is the address of the console itself, and no proxy before it may want a login of its own.")
    }

    /// What a console refused, as its problem+json says it.
    pub(crate) fn of_problem(problem: &Value) -> Self {
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        let message = if text("detail").is_empty() { text("message") } else { text("detail") };
        let request_id = Some(text("request_id")).filter(|id| !id.is_empty());
        Self { code: text("code"), message, todo: text("what_to_do"), request_id }
    }

    /// For `--json`.
    pub(crate) fn to_json(&self) -> Value {
        json!({ "code": self.code, "message": self.message, "what_to_do": self.todo, "request_id": self.request_id })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)?;
        if !self.todo.is_empty() {
            write!(f, "\n  {}", self.todo)?;
        }
        match &self.request_id {
            Some(id) => write!(f, "\n  request {id}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
