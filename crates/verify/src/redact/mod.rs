//! What hides secrets, and notices where one is shown. A run's secrets (password, tokens) are told to it at the start,
//! cookies and CSRF tokens are learnt as they come by; from then on they stand in no record as they are. Where one of the
//! first sort, a session or a private key stands in an answer's body, that is a leak: a defect of the target.

use crate::exchange::{Exchange, KEPT_BODY};
use regex::{Captures, Regex};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What stands where a secret stood.
pub const HIDDEN: &str = "[redacted]";

/// How much of a script or a style sheet is kept, in bytes: what it is, not what is in it.
const KEPT_ASSET: usize = 512;

/// Secrets shorter than this would hide ordinary words.
const SHORTEST: usize = 6;

/// Headers whose value is a secret.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-csrftoken", "x-csrf-token", "x-api-key", "idempotency-key"];

static SECRET_FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(csrf|passw|secret|token|kubeconfig|private|credential|ssh_key)").expect("sound")
});
static INPUT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<(?:input|meta)\b[^>]*>").expect("sound"));
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?is)\bname\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))"#).expect("sound"));
static VALUE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"(?is)\b(value|content)(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>]+))"#).expect("sound"));
static JSON_FIELD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)("[^"]*(?:token|password|secret|kubeconfig|private_key)[^"]*"\s*:\s*)"((?:[^"\\]|\\.)*)""#)
        .expect("sound")
});
static SHAPES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        ("a private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]{40,}"),
        ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        ("an API token", r"\bnbt_[A-Za-z0-9]{8,}\.[A-Za-z0-9]{20,}"),
        ("a password in an address", r"\b[a-z][a-z+]*://[^\s/:@<>]+:[^\s/@<>]{3,}@"),
    ]
    .map(|(what, shape)| (what, Regex::new(shape).expect("sound")))
    .into()
});

/// A secret that an answer showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Leak {
    /// What it is, as "the password of the login".
    pub what: String,
    /// Where it stood: method and address.
    pub place: String,
}

#[derive(Default)]
struct Known {
    /// What was told, by name.
    told: Vec<(String, SecretString)>,
    /// What was learnt: cookies and CSRF tokens.
    learnt: Vec<(String, SecretString)>,
    /// Values of session cookies, which no body may hold.
    sessions: Vec<SecretString>,
    leaks: Vec<Leak>,
}

/// Hides secrets. Clones know the same.
#[derive(Clone, Default)]
pub struct Redactor(Arc<Mutex<Known>>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// Tells it a secret that no answer may show, by what it is.
    pub fn tell(&self, what: &str, secret: &SecretString) {
        if secret.expose_secret().len() >= SHORTEST {
            self.lock().told.push((what.to_owned(), secret.clone()));
        }
    }

    /// What was shown so far.
    pub fn leaks(&self) -> Vec<Leak> {
        self.lock().leaks.clone()
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let known = self.lock();
        let mut text = text.to_owned();
        for (_, secret) in known.told.iter().chain(&known.learnt) {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), HIDDEN);
            }
        }
        drop(known);
        for (_, shape) in SHAPES.iter() {
            text = shape.replace_all(&text, HIDDEN).into_owned();
        }
        text
    }

    /// A page or another body without secrets: also what its own fields say is one.
    pub fn body(&self, body: &str) -> String {
        let body = INPUT.replace_all(body, |tag: &Captures<'_>| hide_field(&tag[0]));
        let body = JSON_FIELD.replace_all(&body, format!("$1\"{HIDDEN}\"").as_str());
        self.text(&body)
    }

    /// Hides what an exchange holds, learns from it, and notes what its answer shows.
    pub fn exchange(&self, exchange: &mut Exchange) {
        self.learn(exchange);
        self.look(exchange);
        for (name, value) in exchange.request_headers.iter_mut().chain(&mut exchange.response_headers) {
            *value = match name.to_ascii_lowercase().as_str() {
                "cookie" => hide_cookies(value, "; "),
                "set-cookie" => hide_set_cookie(value),
                name if SECRET_HEADERS.contains(&name) => HIDDEN.to_owned(),
                _ => self.text(value),
            };
        }
        exchange.url = self.text(&exchange.url);
        exchange.error = exchange.error.as_deref().map(|error| self.text(error));
        exchange.request_body = exchange.request_body.as_deref().map(|body| self.text(&hide_form(body)));
        let media = |wanted: &str| {
            let of =
                |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.contains(wanted);
            exchange.response_headers.iter().any(of)
        };
        let most = if media("css") || media("javascript") { KEPT_ASSET } else { KEPT_BODY };
        exchange.response_body = exchange.response_body.as_deref().map(|body| bounded(&self.body(body), most));
    }

    /// Cookies and CSRF tokens, as they come by.
    fn learn(&self, exchange: &Exchange) {
        let mut found = Vec::new();
        let mut sessions = Vec::new();
        for (name, value) in &exchange.response_headers {
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let (cookie, value) = value.split(';').next().unwrap_or_default().split_once('=').unwrap_or_default();
            found.push((format!("the cookie {cookie}"), value.to_owned()));
            let is_session = cookie.to_ascii_lowercase().contains("session");
            if is_session && value.len() >= 16 {
                sessions.push(SecretString::from(value));
            }
        }
        for tag in INPUT.find_iter(exchange.response_body.as_deref().unwrap_or_default()) {
            let tag = tag.as_str();
            if field_name(tag).is_some_and(|name| name.to_ascii_lowercase().contains("csrf")) {
                let value = VALUE.captures(tag).and_then(|found| group(&found, 3));
                found.extend(value.map(|value| ("a CSRF token".to_owned(), value)));
            }
        }
        let mut known = self.lock();
        known.sessions.extend(sessions);
        for (what, value) in found {
            let is_new = !known.learnt.iter().any(|(_, secret)| secret.expose_secret() == value);
            if value.len() >= SHORTEST && is_new {
                known.learnt.push((what, value.into()));
            }
        }
    }

    /// Whether the answer's body shows what it must not.
    fn look(&self, exchange: &Exchange) {
        let Some(body) = exchange.response_body.as_deref() else { return };
        let place = format!("{} {}", exchange.method, exchange.path());
        let mut known = self.lock();
        let told = known.told.iter().filter(|(_, secret)| body.contains(secret.expose_secret()));
        let mut shown: Vec<String> = told.map(|(what, _)| what.clone()).collect();
        if known.sessions.iter().any(|secret| body.contains(secret.expose_secret())) {
            shown.push("the value of a session's cookie".to_owned());
        }
        let shapes = SHAPES.iter().filter(|(_, shape)| shape.is_match(body));
        shown.extend(shapes.map(|(what, _)| (*what).to_owned()));
        for what in shown {
            let leak = Leak { what, place: place.clone() };
            if !known.leaks.contains(&leak) {
                known.leaks.push(leak);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn group(found: &Captures<'_>, first: usize) -> Option<String> {
    (first..first + 3).find_map(|number| found.get(number)).map(|found| found.as_str().to_owned())
}

fn field_name(tag: &str) -> Option<String> {
    NAME.captures(tag).and_then(|found| group(&found, 1))
}

fn hide_field(tag: &str) -> String {
    let is_secret = field_name(tag).is_some_and(|name| SECRET_FIELD.is_match(&name));
    if !is_secret {
        return tag.to_owned();
    }
    VALUE.replace_all(tag, format!("$1$2\"{HIDDEN}\"").as_str()).into_owned()
}

fn hide_cookies(value: &str, between: &str) -> String {
    let hide = |pair: &str| pair.split_once('=').map_or(HIDDEN.to_owned(), |(name, _)| format!("{name}={HIDDEN}"));
    value.split(between).map(hide).collect::<Vec<_>>().join(between)
}

/// Name and attributes stay: they are what a cookie is judged by.
fn hide_set_cookie(value: &str) -> String {
    match value.split_once(';') {
        Some((pair, attributes)) => format!("{};{attributes}", hide_cookies(pair, "; ")),
        None => hide_cookies(value, "; "),
    }
}

/// The fields of a form, or a JSON body, without the secret ones.
fn hide_form(body: &str) -> String {
    if body.trim_start().starts_with(['{', '[']) {
        return JSON_FIELD.replace_all(body, format!("$1\"{HIDDEN}\"").as_str()).into_owned();
    }
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if SECRET_FIELD.is_match(name) => format!("{name}={HIDDEN}"),
        _ => pair.to_owned(),
    };
    body.split('&').map(hide).collect::<Vec<_>>().join("&")
}

/// The beginning of a long body.
fn bounded(body: &str, most: usize) -> String {
    if body.len() <= most {
        return body.to_owned();
    }
    let end = (0..=most).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
    format!("{}\n[{} more bytes are not kept]", &body[..end], body.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(body: &str) -> Exchange {
        Exchange {
            method: "POST".into(),
            url: "https://h.example/login/?next=%2F".into(),
            request_headers: vec![
                ("Cookie".into(), "sid=abcdefgh; theme=dark".into()),
                ("X-CSRFToken".into(), "tok".into()),
            ],
            request_body: Some("csrfmiddlewaretoken=ttttttttt&username=ada&password=open+sesame".into()),
            response_headers: vec![("set-cookie".into(), "x_session=0123456789abcdef01; Path=/; HttpOnly".into())],
            response_body: Some(body.into()),
            ..Exchange::default()
        }
    }

    #[test]
    fn what_is_secret_stands_in_no_record() {
        let redactor = Redactor::default();
        redactor.tell("the password", &"open sesame".into());
        let page = r#"<meta name="csrf-token" content="mmmmmmmmmm"><input type="hidden" name="csrfmiddlewaretoken"
            value="ttttttttt"><input name="next" value="/home"> {"csrf_token": "jjjjjj", "state": "ok"} ttttttttt"#;
        let mut one = exchange(page);
        redactor.exchange(&mut one);
        let all = format!("{one:?}");
        for secret in ["abcdefgh", "tok\"", "ttttttttt", "open+sesame", "0123456789abcdef01", "mmmmmmmmmm", "jjjjjj"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        for kept in ["username=ada", "Path=/; HttpOnly", "sid=[redacted]", "value=\"/home\"", "\"state\": \"ok\""] {
            assert!(one.response_body.iter().any(|b| b.contains(kept)) || all.contains(kept), "{kept} in {all}");
        }
        assert!(redactor.leaks().is_empty(), "{:?}", redactor.leaks());
    }

    #[test]
    fn what_an_answer_shows_is_a_leak() {
        let redactor = Redactor::default();
        redactor.tell("the password", &"open sesame".into());
        redactor.exchange(&mut exchange("You said open sesame"));
        redactor.exchange(&mut exchange("your session is 0123456789abcdef01"));
        redactor.exchange(&mut exchange("git clone https://bob:hunter22@git.example/x"));
        let leaks: Vec<String> = redactor.leaks().into_iter().map(|leak| leak.what).collect();
        assert_eq!(leaks, ["the password", "the value of a session's cookie", "a password in an address"]);
    }

    #[test]
    fn long_bodies_end() {
        let cut = bounded(&"ü".repeat(KEPT_BODY), KEPT_BODY);
        assert!(cut.len() < KEPT_BODY + 60 && cut.contains("more bytes"));
    }
}
