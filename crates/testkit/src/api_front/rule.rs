//! What a door does, to which requests, and when.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::json;
use tokio::sync::watch;

use crate::gate::Gate;

/// Which requests are touched, and how.
#[derive(Debug, Clone)]
pub struct Rule {
    method: String,
    part: String,
    not: Option<String>,
    spare: usize,
    left: Option<usize>,
    deed: Deed,
}

#[derive(Debug, Clone)]
pub(super) enum Deed {
    Answer(StatusCode, HeaderMap, String),
    Delay(Duration),
    Until(watch::Receiver<bool>),
    Hang,
    Hold(Gate),
    BreakOff(usize),
}

impl Rule {
    /// Touches requests of a method (`*` for any) whose path and query contain `part`. Without more said, it answers
    /// 500.
    pub fn on(method: &str, part: &str) -> Self {
        let (method, part) = (method.to_owned(), part.to_owned());
        Self { method, part, not: None, spare: 0, left: None, deed: Deed::Hang }.answer(
            500,
            "InternalError",
            "ordered by the test",
        )
    }

    /// Leaves alone what contains this.
    #[must_use]
    pub fn without(mut self, part: &str) -> Self {
        self.not = Some(part.to_owned());
        self
    }

    /// Lets this many fitting requests pass before it acts.
    #[must_use]
    pub fn after(mut self, count: usize) -> Self {
        self.spare = count;
        self
    }

    /// Acts this many times only.
    #[must_use]
    pub fn times(mut self, count: usize) -> Self {
        self.left = Some(count);
        self
    }

    /// Answers with a Kubernetes Status of this code, reason and message.
    #[must_use]
    pub fn answer(mut self, status: u16, reason: &str, message: &str) -> Self {
        let body = status_object(status, reason, message);
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.deed = Deed::Answer(status, headers, body);
        self
    }

    /// Answers 401, as for a token that was revoked.
    #[must_use]
    pub fn unauthorized(self) -> Self {
        self.answer(401, "Unauthorized", "Unauthorized")
    }

    /// Answers 429 and asks to come back after so many seconds.
    #[must_use]
    pub fn throttle(self, seconds: u32) -> Self {
        let mut rule = self.answer(429, "TooManyRequests", "too many requests, please try again later");
        if let Deed::Answer(_, headers, _) = &mut rule.deed {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        rule
    }

    /// Answers 410, as for a continue token that is too old.
    #[must_use]
    pub fn expired(self) -> Self {
        self.answer(410, "Expired", "The provided continue parameter is too old to display a consistent list result")
    }

    /// Answers with any text under any status: a page of some proxy's, or half a document.
    #[must_use]
    pub fn text(mut self, status: u16, content_type: &'static str, body: &str) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.deed = Deed::Answer(status, headers, body.to_owned());
        self
    }

    /// Holds the request back until this says true, then passes it on.
    #[must_use]
    pub fn until(mut self, open: watch::Receiver<bool>) -> Self {
        self.deed = Deed::Until(open);
        self
    }

    /// Waits, then passes on.
    #[must_use]
    pub fn delay(mut self, time: Duration) -> Self {
        self.deed = Deed::Delay(time);
        self
    }

    /// Never answers.
    #[must_use]
    pub fn hang(mut self) -> Self {
        self.deed = Deed::Hang;
        self
    }

    /// Holds every request that fits until the gate opens. Then the other rules have their turn, also those that were
    /// added meanwhile.
    #[must_use]
    pub fn hold(mut self, gate: &Gate) -> Self {
        self.deed = Deed::Hold(gate.clone());
        self
    }

    /// Carries the request out, and breaks the answer off after so many bytes of its body: the server did it, and the
    /// client does not know.
    #[must_use]
    pub fn break_off(mut self, bytes: usize) -> Self {
        self.deed = Deed::BreakOff(bytes);
        self
    }

    /// What to do with a request, if this rule's turn has come.
    pub(super) fn act(&mut self, method: &str, path: &str) -> Option<Deed> {
        let fits = (self.method == "*" || self.method.eq_ignore_ascii_case(method))
            && path.contains(&self.part)
            && !self.not.as_ref().is_some_and(|not| path.contains(not));
        let is_over = matches!(&self.deed, Deed::Hold(gate) if gate.is_open());
        if !fits || is_over || self.left == Some(0) {
            return None;
        }
        if self.spare > 0 {
            self.spare -= 1;
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(self.deed.clone())
    }
}

/// A Status, as every Kubernetes error is one.
pub(super) fn status_object(code: u16, reason: &str, message: &str) -> String {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
    .to_string()
}
