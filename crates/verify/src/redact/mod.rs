//! What hides secrets, and notices where one is shown. A run's secrets (password, tokens) are told to it at the start,
//! cookies and CSRF tokens are learnt as they come by; from then on they stand in no record as they are. Where one of the
//! first sort stands in an answer's body or headers, or a session or a private key in its body, that is a leak: a defect of
//! the target.
//!
//! A password that is too short, or that reads as a word or a number (`reads_as_a_word`) and is shown before anybody has
//! logged in, is an ordinary word: hiding it would alter the record, and calling it a leak would condemn every page. That is
//! said instead ([`Redactor::notes`]). Any other password that strangers are shown is a leak.
//!
//! | file | holds |
//! |---|---|
//! | `forms` | how one secret may be written |
//! | `fields` | what is secret by the name of its field |
//! | `learnt` | what was learnt on the way, looked for all at once |
//! | `readings` | what a text says to whoever decodes it |

mod fields;
mod forms;
mod learnt;
mod readings;
#[cfg(test)]
mod tests;

use crate::exchange::{Exchange, KEPT_BODY};
use crate::page::Page;
use crate::profile::{Pattern, Place, Profile};
use forms::Forms;
use regex::Regex;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What stands where a secret stood.
pub const HIDDEN: &str = "[redacted]";

/// How much of a script or a style sheet is kept, in bytes: what it is, not what is in it.
const KEPT_ASSET: usize = 512;

/// Secrets shorter than this would hide ordinary words.
pub const SHORTEST: usize = 6;

/// Words that are longer are no ordinary ones.
const LONGEST_WORD: usize = 12;

/// Headers whose value is a secret.
const SECRET_HEADERS: [&str; 6] =
    ["authorization", "proxy-authorization", "x-csrftoken", "x-csrf-token", "x-api-key", "idempotency-key"];

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

impl std::fmt::Display for Leak {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in the answer to {}", self.what, self.place)
    }
}

/// A secret, in every form in which it may be written.
struct Secret {
    what: String,
    forms: Forms,
    /// The same in small letters: the names of headers lose their capitals on the way.
    in_names: Forms,
    /// Whether somebody types it, who may have chosen an ordinary word.
    is_typed: bool,
    /// Whether it reads as one.
    is_word: bool,
    /// Whether it is one that strangers are shown.
    is_common: bool,
}

impl Secret {
    fn stands_in(&self, shown: &Shown) -> bool {
        shown.body.iter().chain(&shown.values).any(|text| self.forms.stand_in(text))
            || shown.names.iter().any(|text| self.in_names.stand_in(text))
    }
}

/// What an exchange shows, each text as it is and as it is decoded.
struct Shown {
    /// The body.
    body: Vec<String>,
    /// Values of headers.
    values: Vec<String>,
    /// Names of headers, in small letters.
    names: Vec<String>,
}

impl Shown {
    fn by(exchange: &Exchange) -> Self {
        let headers = &exchange.response_headers;
        let values: Vec<&str> = headers.iter().map(|(_, value)| value.as_str()).collect();
        let body = read(exchange.response_body.as_deref().unwrap_or_default());
        Self { body, values: read(&values.join("\n")), names: names(headers) }
    }
}

fn names(headers: &[(String, String)]) -> Vec<String> {
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    read(&names.join("\n").to_ascii_lowercase())
}

/// A text as it is, and as it is decoded.
fn read(text: &str) -> Vec<String> {
    let decoded = readings::of(text).into_iter().map(|reading| reading.text);
    std::iter::once(text.to_owned()).chain(decoded).collect()
}

/// Whether a secret may be an ordinary word, name or number, as `password`, `Hedgerow`, `NetBox`, `12345678`: at most twelve
/// characters, which are digits only, or letters only that are all capital, or of which each capital begins at least three.
/// What mixes letters with anything else, or large ones with small ones as nobody writes them, stands on no page by chance.
fn reads_as_a_word(secret: &str) -> bool {
    let all = |sort: fn(char) -> bool| secret.chars().all(sort);
    let mut parts: Vec<usize> = Vec::new();
    for one in secret.chars() {
        match parts.last_mut() {
            Some(part) if !one.is_uppercase() => *part += 1,
            _ => parts.push(1),
        }
    }
    let is_cased = all(|one| !one.is_lowercase()) || parts.iter().all(|part| *part >= 3);
    let is_letters = all(char::is_alphabetic) && is_cased;
    secret.chars().count() <= LONGEST_WORD && (is_letters || all(|one| one.is_ascii_digit()))
}

#[derive(Default)]
struct Known {
    /// What was told.
    told: Vec<Secret>,
    /// What was told and is too short to be looked for.
    short: Vec<String>,
    /// What the target's profile names.
    named: Arc<Named>,
    /// What was learnt: cookies and CSRF tokens.
    learnt: learnt::Learnt,
    /// Values of session cookies, which no body may hold.
    sessions: Vec<SecretString>,
    /// Whether anything was sent that may have been a login.
    entered: bool,
    leaks: Vec<Leak>,
}

impl Known {
    /// Where in a text stands what was told or learnt.
    fn found_in(&self, text: &str) -> Vec<Range<usize>> {
        let told = self.told.iter().filter(|one| !one.is_common);
        told.flat_map(|one| one.forms.found_in(text)).chain(self.learnt.found_in(text)).collect()
    }
}

/// What is secret by the profile of the target.
#[derive(Default)]
struct Named {
    /// The header, in small letters, and the field that hold a token against forgery.
    header: String,
    field: String,
    /// Where a page holds it, unless its field's name says what it is.
    page: Option<Place>,
    /// The names of cookies that are the session.
    cookies: Vec<Pattern>,
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
        self.know(what, secret, false);
    }

    /// The same of a password that somebody chose and types.
    pub fn tell_password(&self, what: &str, password: &SecretString) {
        self.know(what, password, true);
    }

    /// Tells it what is secret at a target of this profile, whatever it is called there.
    pub fn tell_profile(&self, profile: &Profile) {
        let csrf = &profile.csrf;
        let named = Named {
            header: csrf.header.to_lowercase(),
            field: csrf.field.clone(),
            // What is hidden by the field's own name is not looked for on each page.
            page: Some(csrf.page.clone())
                .filter(|place| !fields::is_telling(&place.element, place.attribute.as_deref())),
            cookies: profile.login.session_cookies.clone(),
        };
        self.lock().named = Arc::new(named);
    }

    fn know(&self, what: &str, secret: &SecretString, is_typed: bool) {
        let (what, secret) = (what.to_owned(), secret.expose_secret());
        if secret.len() < SHORTEST {
            if !secret.is_empty() {
                self.lock().short.push(what);
            }
            return;
        }
        let (forms, in_names) = (Forms::of(secret), Forms::small(secret));
        let is_word = is_typed && reads_as_a_word(secret);
        self.lock().told.push(Secret { what, forms, in_names, is_typed, is_word, is_common: false });
    }

    /// What was shown so far.
    pub fn leaks(&self) -> Vec<Leak> {
        self.lock().leaks.clone()
    }

    /// What it cannot look for, and why: what was expected of it, and a sentence.
    pub fn notes(&self) -> Vec<(String, String)> {
        let known = self.lock();
        let short = known.short.iter().map(|what| {
            let why = format!(
                "{what} has fewer than {SHORTEST} characters, and cannot be told from ordinary text: it is hidden only \
                 in fields that are named after a secret. Choose a longer one."
            );
            (what, why)
        });
        let common = known.told.iter().filter(|one| one.is_common).map(|one| {
            let what = &one.what;
            let why = format!(
                "pages that are shown before any login hold {what}, so that it cannot be told from an ordinary word: it \
                 is hidden only in fields that are named after a secret. Choose another."
            );
            (what, why)
        });
        short.chain(common).map(|(what, why)| (format!("no answer shows {what}"), why)).collect()
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let mut text = fields::in_addresses(text);
        let known = self.lock();
        let mut found = known.found_in(&text);
        for reading in readings::of(&text) {
            found.extend(known.found_in(&reading.text).iter().map(|one| reading.origin(one)));
        }
        drop(known);
        if !found.is_empty() {
            text = without(&text, found);
        }
        for (_, shape) in SHAPES.iter() {
            if let Cow::Owned(hidden) = shape.replace_all(&text, HIDDEN) {
                text = hidden;
            }
        }
        text
    }

    /// A page or another body without secrets: also what its own fields say is one.
    pub fn body(&self, body: &str) -> String {
        self.text(&fields::in_body(body))
    }

    /// The name of a header without secrets, which may stand in it in other letters.
    fn name(&self, name: &str) -> String {
        let small = name.to_ascii_lowercase();
        let known = self.lock();
        let found_in = |text: &str| -> Vec<Range<usize>> {
            known.told.iter().filter(|one| !one.is_common).flat_map(|one| one.in_names.found_in(text)).collect()
        };
        let mut found = found_in(&small);
        for reading in readings::of(&small) {
            found.extend(found_in(&reading.text).iter().map(|one| reading.origin(one)));
        }
        drop(known);
        self.text(&without(name, found))
    }

    /// Hides what an exchange holds, learns from it, and notes what its answer shows.
    pub fn exchange(&self, exchange: &mut Exchange) {
        self.learn(exchange);
        let shown = Shown::by(exchange);
        self.enter(exchange, &shown);
        self.look(exchange, &shown);
        let media = |wanted: &str| {
            let of =
                |(name, value): &(String, String)| name.eq_ignore_ascii_case("content-type") && value.contains(wanted);
            exchange.response_headers.iter().any(of)
        };
        let most = if media("css") || media("javascript") { KEPT_ASSET } else { KEPT_BODY };
        let named = self.lock().named.clone();
        for (name, value) in exchange.request_headers.iter_mut().chain(&mut exchange.response_headers) {
            *value = match name.to_ascii_lowercase().as_str() {
                "cookie" => self.text(&fields::hide_cookies(value, "; ")),
                "set-cookie" => self.text(&fields::hide_set_cookie(value)),
                name if SECRET_HEADERS.contains(&name) || name == named.header => HIDDEN.to_owned(),
                _ => self.text(value),
            };
            *name = self.name(name);
        }
        exchange.url = self.text(&exchange.url);
        exchange.error = exchange.error.as_deref().map(|error| self.text(error));
        exchange.request_body = exchange.request_body.as_deref().map(|body| self.text(&fields::in_form(body)));
        exchange.response_body = exchange.response_body.as_deref().map(|body| bounded(&self.body(body), most));
    }

    /// Cookies and CSRF tokens, as they come by.
    fn learn(&self, exchange: &Exchange) {
        let named = self.lock().named.clone();
        let mut found = Vec::new();
        let mut sessions = Vec::new();
        let sent = exchange.request_headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(&named.header));
        found.extend(sent.map(|(_, value)| value.clone()));
        let typed = exchange.request_body.as_deref().unwrap_or_default();
        let typed = url::form_urlencoded::parse(typed.as_bytes()).filter(|(name, _)| *name == named.field);
        found.extend(typed.map(|(_, value)| value.into_owned()));
        for (name, value) in &exchange.response_headers {
            if !name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let (pair, attributes) = value.split_once(';').unwrap_or((value, ""));
            let (cookie, value) = pair.split_once('=').unwrap_or_default();
            if fields::is_secret_cookie(cookie, value, attributes) {
                found.push(value.to_owned());
            }
            let is_session = cookie.to_ascii_lowercase().contains("session")
                || named.cookies.iter().any(|name| name.is_match(cookie));
            if is_session && value.len() >= 16 {
                sessions.push(SecretString::from(value));
            }
        }
        let body = exchange.response_body.as_deref().unwrap_or_default();
        found.extend(fields::csrf_tokens(body, &named.field));
        if let (Some(place), Ok(url)) = (&named.page, url::Url::parse(&exchange.url)) {
            let page = Page { status: exchange.status, url, headers: HeaderMap::new(), body: body.to_owned() };
            found.extend(place.read(&page));
        }
        let mut known = self.lock();
        for session in sessions {
            if !known.sessions.iter().any(|one| one.expose_secret() == session.expose_secret()) {
                known.sessions.push(session);
            }
        }
        for value in found {
            known.learnt.learn(&value);
        }
    }

    /// Before anything was sent that may have been a login, no page can show a password because it was typed: a word that
    /// stands there is an ordinary one.
    fn enter(&self, exchange: &Exchange, shown: &Shown) {
        let mut known = self.lock();
        let sent = |text: &str| known.told.iter().any(|one| one.is_typed && one.forms.stand_in(text));
        known.entered = known.entered || exchange.is_write() || sent(&exchange.url);
        if known.entered {
            return;
        }
        let asked = Shown { body: Vec::new(), values: Vec::new(), names: names(&exchange.request_headers) };
        for one in known.told.iter_mut().filter(|one| one.is_word) {
            one.is_common = one.is_common || one.stands_in(shown) || one.stands_in(&asked);
        }
    }

    /// Whether the answer shows what it must not.
    fn look(&self, exchange: &Exchange, shown: &Shown) {
        let place = self.text(&format!("{} {}", exchange.method, exchange.path()));
        let mut known = self.lock();
        let told = known.told.iter().filter(|one| !one.is_common && one.stands_in(shown));
        let mut leaks: Vec<String> = told.map(|one| one.what.clone()).collect();
        let body = exchange.response_body.as_deref().unwrap_or_default();
        // A session's own place is a header.
        if known.sessions.iter().any(|one| shown.body.iter().any(|text| text.contains(one.expose_secret()))) {
            leaks.push("the value of a session's cookie".to_owned());
        }
        let shapes = SHAPES.iter().filter(|(_, shape)| shape.is_match(body));
        leaks.extend(shapes.map(|(what, _)| (*what).to_owned()));
        for what in leaks {
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

/// A text with these parts of it hidden.
fn without(text: &str, mut parts: Vec<Range<usize>>) -> String {
    parts.sort_unstable_by_key(|part| (part.start, part.end));
    let (mut kept, mut done) = (String::with_capacity(text.len()), 0);
    for part in parts {
        // One that begins in the last one is hidden with it.
        if part.start >= done {
            kept.push_str(text.get(done..part.start).unwrap_or_default());
            kept.push_str(HIDDEN);
        }
        done = done.max(part.end);
    }
    kept.push_str(text.get(done..).unwrap_or_default());
    kept
}

/// The beginning of a long body.
fn bounded(body: &str, most: usize) -> String {
    if body.len() <= most {
        return body.to_owned();
    }
    let end = (0..=most).rev().find(|end| body.is_char_boundary(*end)).unwrap_or(0);
    format!("{}\n[{} more bytes are not kept]", &body[..end], body.len() - end)
}
