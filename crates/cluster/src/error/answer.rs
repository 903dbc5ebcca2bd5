//! Refusals: from an HTTP answer that is no success to an [`Error`].
//!
//! The hard cases are told apart by what kube-apiserver writes: RBAC says `User "x" cannot ...`, a webhook's denial
//! starts with `admission webhook "x" denied the request` whatever its status, a dead webhook is a 500 with `failed
//! calling webhook`. What is not a `Status` at all comes from a proxy, a login page or a wrong address.

use super::{Conflict, Error, ErrorKind};
use http::header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use std::time::Duration;

/// Messages of webhooks can be arbitrarily long; nobody reads more than this.
const LONGEST_MESSAGE: usize = 4000;
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    kind: String,
    message: String,
    reason: String,
    details: Details,
    status: String,
    code: u16,
}

impl Status {
    /// kube-apiserver's own word about its time limit is a Status that does not call itself one.
    fn is_one(&self, answered: StatusCode) -> bool {
        let nameless = self.kind.is_empty() && self.status == "Failure" && self.code == answered.as_u16();
        self.kind == "Status" || nameless
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Details {
    causes: Vec<Cause>,
    retry_after_seconds: u64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cause {
    field: String,
    message: String,
    reason: String,
}

/// Turns an answer that is no success into an error.
pub(crate) fn refusal(operation: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let parsed: Option<Status> = serde_json::from_slice(body).ok().filter(|s: &Status| s.is_one(status));
    let header_wait = wait_of(headers);
    let error = match &parsed {
        Some(said) => from_status(operation, status, said),
        None => from_stranger(operation, status, headers, body),
    };
    error.with(|e| {
        e.status = Some(status.as_u16());
        let seconds = header_wait.or(parsed.map(|s| s.details.retry_after_seconds).filter(|s| *s > 0));
        e.retry_after = seconds.map(|s| Duration::from_secs(s).min(LONGEST_WAIT));
    })
}

/// What `Retry-After` asks for, in seconds: a number, or a date, which is counted from the date of the answer, so that it
/// does not matter whose clock is wrong.
fn wait_of(headers: &HeaderMap) -> Option<u64> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let said = text(RETRY_AFTER)?;
    if let Ok(seconds) = said.parse() {
        return Some(seconds);
    }
    let moment = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp());
    let answered = text(DATE).and_then(moment).unwrap_or_else(jiff::Timestamp::now);
    u64::try_from(moment(said)?.duration_since(answered).as_secs().max(0)).ok()
}

fn from_status(operation: &str, status: StatusCode, said: &Status) -> Error {
    let message = clip(if said.message.is_empty() { said.reason.as_str() } else { said.message.as_str() });
    let denied_by =
        quoted_after(&said.message, "admission webhook ").filter(|_| said.message.contains("denied the request"));
    let called = quoted_after(&said.message, "failed calling webhook ");
    let conversion = said.message.contains("conversion webhook for ") && status.is_server_error();
    let kind = if denied_by.is_some() {
        ErrorKind::Rejected
    } else if called.is_some() || conversion {
        ErrorKind::WebhookDown
    } else {
        by_status(status, said)
    };
    Error::new(kind, operation, sentence(kind, message)).with(|e| {
        e.webhook = denied_by.or(called);
        e.causes = causes(said);
    })
}

/// The server's words, with what they leave out where they are one bare word.
fn sentence(kind: ErrorKind, message: String) -> String {
    match kind {
        ErrorKind::Unauthorized => format!(
            "The API server does not accept the credentials ({message}): they have expired, were revoked, or are of \
             another cluster."
        ),
        ErrorKind::Forbidden => match message.strip_prefix("forbidden: ") {
            Some(who) => format!("The API server forbids it: {who}"),
            None => message,
        },
        _ => message,
    }
}

fn by_status(status: StatusCode, said: &Status) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        // RBAC and other authorizers share one sentence. What is left is admission: quota, a namespace that is going
        // away, a ValidatingAdmissionPolicy.
        403 if said.message.contains("User \"") && said.message.contains(" cannot ") => ErrorKind::Forbidden,
        403 => ErrorKind::Rejected,
        404 => ErrorKind::NotFound,
        409 if said.reason == "AlreadyExists" => ErrorKind::Conflict(Conflict::AlreadyExists),
        // PUT and DELETE word it differently.
        409 if said.message.contains("UID in precondition") || said.message.contains("UID in the precondition") => {
            ErrorKind::Conflict(Conflict::Recreated)
        }
        409 => ErrorKind::Conflict(Conflict::Changed),
        410 => ErrorKind::Gone,
        429 => ErrorKind::TooMany,
        504 => ErrorKind::Timeout,
        406 | 415 => ErrorKind::Protocol,
        400..=499 => ErrorKind::Rejected,
        _ if said.reason == "Timeout" || said.reason == "ServerTimeout" => ErrorKind::Timeout,
        _ => ErrorKind::Server,
    }
}

/// Fields that were refused: the server's own list, or what strict decoding enumerates in its message.
fn causes(said: &Status) -> Vec<(String, String)> {
    if !said.details.causes.is_empty() {
        let text = |c: &Cause| if c.message.is_empty() { c.reason.clone() } else { c.message.clone() };
        return said.details.causes.iter().map(|c| (c.field.clone(), text(c))).collect();
    }
    let Some((_, list)) = said.message.split_once("strict decoding error: ") else { return Vec::new() };
    list.split(", ")
        .filter_map(|item| {
            let (what, rest) = item.split_once(" \"")?;
            let field = rest.strip_suffix('"').unwrap_or(rest);
            Some((field.to_owned(), what.to_owned()))
        })
        .collect()
}

/// The name in quotes that follows `lead`.
fn quoted_after(text: &str, lead: &str) -> Option<String> {
    let (_, rest) = text.split_once(lead)?;
    let name = rest.strip_prefix('"')?.split('"').next()?;
    Some(name.to_owned())
}

/// An answer that is no `Status`: who could it be from?
fn from_stranger(operation: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    let what = describe(headers, body);
    let (kind, message) = match status.as_u16() {
        300..=399 => {
            let to = headers.get(LOCATION).and_then(|v| v.to_str().ok()).map(host_of).unwrap_or_default();
            let to = if to.is_empty() { String::new() } else { format!(" to {to}") };
            (
                ErrorKind::Protocol,
                format!("The server redirects ({status}){to}. A Kubernetes API does not; check the address."),
            )
        }
        401 => (
            ErrorKind::Unauthorized,
            format!("The server, or a proxy before it, refused the credentials ({status}, {what})."),
        ),
        404 if what == "plain text" => (
            ErrorKind::NotFound,
            "The server does not serve this kind, or the address has a wrong path (404).".to_owned(),
        ),
        429 => (ErrorKind::TooMany, "The server is overloaded (429).".to_owned()),
        504 => {
            (ErrorKind::Timeout, format!("A gateway before the API server got no answer from it ({status}, {what})."))
        }
        500..=599 => (ErrorKind::Server, format!("The server, or a proxy before it, failed ({status}, {what}).")),
        _ => (
            ErrorKind::Protocol,
            format!("The answer is not from a Kubernetes API ({status}, {what}); check the address."),
        ),
    };
    Error::new(kind, operation, message)
}

/// The error for a success that is no JSON; `None` when it looks like JSON.
pub(crate) fn expect_json(operation: &str, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Error> {
    let first = body.iter().find(|b| !b.is_ascii_whitespace());
    if matches!(first, Some(b'{' | b'[')) {
        return None;
    }
    let what = describe(headers, body);
    let message = format!("Something answered, but not a Kubernetes API ({status}, {what}); check the address.");
    Some(Error::new(ErrorKind::Protocol, operation, message).with(|e| e.status = Some(status.as_u16())))
}

/// What an unexpected body is, in two or three words; of a page only its title, never its text.
fn describe(headers: &HeaderMap, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(8192)]);
    let declared = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    if declared.starts_with("text/html") || text.trim_start().to_ascii_lowercase().starts_with("<!doctype html") {
        let lower = text.to_ascii_lowercase();
        let title = lower.find("<title>").and_then(|start| {
            let rest = text.get(start + 7..)?;
            let title: String = rest.split('<').next()?.split_whitespace().collect::<Vec<_>>().join(" ");
            Some(title.chars().take(80).collect::<String>())
        });
        return match title.filter(|t| !t.is_empty()) {
            Some(title) => format!("an HTML page titled \"{title}\""),
            None => "an HTML page".to_owned(),
        };
    }
    if body.is_empty() {
        return "an empty answer".to_owned();
    }
    if text.contains("Client sent an HTTP request to an HTTPS server") {
        return "the server expects https".to_owned();
    }
    if declared.starts_with("text/plain") { "plain text".to_owned() } else { "no JSON".to_owned() }
}

fn host_of(location: &str) -> String {
    url::Url::parse(location).ok().and_then(|u| u.host_str().map(str::to_owned)).unwrap_or_default()
}

fn clip(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{} [shortened]", &text[..end]),
        None => text.to_owned(),
    }
}
