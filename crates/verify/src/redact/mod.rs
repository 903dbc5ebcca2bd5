//! What hides secrets, and notices where one is shown. A run's secrets (password, tokens) are told to it at the start,
//! cookies and CSRF tokens are learnt as they come by; from then on they stand in no record as they are. Where one of the
//! first sort, a session or a private key stands in an answer's body, that is a leak: a defect of the target.
//!
//! A password that is too short, or that pages show before anybody has logged in, is an ordinary word: hiding it would
//! alter the record, and calling it a leak would condemn every page. That is said instead ([`Redactor::notes`]).
//!
//! | file | holds |
//! |---|---|
//! | `forms` | how one secret may be written |
//! | `fields` | what is secret by the name of its field |
//! | `learnt` | what was learnt on the way, looked for all at once |

mod fields;
mod forms;
mod learnt;

use crate::exchange::{Exchange, KEPT_BODY};
use crate::page::Page;
use crate::profile::{Pattern, Place, Profile};
use regex::Regex;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

/// What stands where a secret stood.
pub const HIDDEN: &str = "[redacted]";

/// How much of a script or a style sheet is kept, in bytes: what it is, not what is in it.
const KEPT_ASSET: usize = 512;

/// Secrets shorter than this would hide ordinary words.
pub const SHORTEST: usize = 6;

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
    forms: Vec<SecretString>,
    /// Whether somebody types it, who may have chosen an ordinary word.
    is_typed: bool,
    /// Whether it is such a word.
    is_common: bool,
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
        let forms = forms::of(secret, true);
        self.lock().told.push(Secret { what, forms, is_typed, is_common: false });
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
        for secret in known.told.iter().filter(|one| !one.is_common).flat_map(|one| &one.forms) {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), HIDDEN);
            }
        }
        text = known.learnt.hide(text);
        drop(known);
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

    /// Hides what an exchange holds, learns from it, and notes what its answer shows.
    pub fn exchange(&self, exchange: &mut Exchange) {
        self.learn(exchange);
        self.enter(exchange);
        self.look(exchange);
        let named = self.lock().named.clone();
        for (name, value) in exchange.request_headers.iter_mut().chain(&mut exchange.response_headers) {
            *value = match name.to_ascii_lowercase().as_str() {
                "cookie" => fields::hide_cookies(value, "; "),
                "set-cookie" => fields::hide_set_cookie(value),
                name if SECRET_HEADERS.contains(&name) || name == named.header => HIDDEN.to_owned(),
                _ => self.text(value),
            };
        }
        exchange.url = self.text(&exchange.url);
        exchange.error = exchange.error.as_deref().map(|error| self.text(error));
        exchange.request_body = exchange.request_body.as_deref().map(|body| self.text(&fields::in_form(body)));
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
        known.sessions.extend(sessions);
        for value in found {
            known.learnt.learn(&value);
        }
    }

    /// Before anything was sent that may have been a login, no page can show a password because it was typed: what
    /// stands there is an ordinary word.
    fn enter(&self, exchange: &Exchange) {
        let mut known = self.lock();
        let sent = |text: &str| known.told.iter().any(|one| one.is_typed && forms::stand_in(&one.forms, text));
        known.entered = known.entered || exchange.is_write() || sent(&exchange.url);
        if known.entered {
            return;
        }
        let body = exchange.response_body.as_deref().unwrap_or_default();
        for one in known.told.iter_mut().filter(|one| one.is_typed) {
            one.is_common = one.is_common || forms::stand_in(&one.forms, body);
        }
    }

    /// Whether the answer's body shows what it must not.
    fn look(&self, exchange: &Exchange) {
        let Some(body) = exchange.response_body.as_deref() else { return };
        let place = self.text(&format!("{} {}", exchange.method, exchange.path()));
        let mut known = self.lock();
        let told = known.told.iter().filter(|one| !one.is_common && forms::stand_in(&one.forms, body));
        let mut shown: Vec<String> = told.map(|one| one.what.clone()).collect();
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
    fn what_a_profile_calls_by_another_name_is_a_secret_all_the_same() {
        let mut profile = crate::profile::built_in("hedgerow").unwrap();
        (profile.csrf.field, profile.csrf.header) = ("stamp".into(), "X-Stamp".into());
        profile.csrf.page = serde_json::from_str(r#"{"element": "p.stamp"}"#).unwrap();
        profile.login.session_cookies = vec![serde_json::from_str(r#""^loom$""#).unwrap()];
        let redactor = Redactor::default();
        redactor.tell_profile(&profile);
        let mut one = exchange(r#"<p class=stamp>pppppppp</p><input type=hidden name=stamp value="iiiiiiii">"#);
        one.request_headers.push(("X-Stamp".into(), "hhhhhhhh".into()));
        one.request_body = Some("stamp=ffffffff&name=ada".into());
        one.response_headers.push(("set-cookie".into(), "loom=c0c0c0c0c0c0c0c0c0; Path=/".into()));
        redactor.exchange(&mut one);
        let all = format!("{one:?}");
        for secret in ["pppppppp", "iiiiiiii", "hhhhhhhh", "ffffffff", "c0c0c0c0"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        redactor.exchange(&mut exchange("your session is c0c0c0c0c0c0c0c0c0"));
        assert_eq!(redactor.leaks().len(), 1);
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
    fn no_form_of_a_secret_stands_in_a_record_or_passes_as_none() {
        for (password, echoed) in [
            ("R&D<x>y", "You typed R&amp;D&lt;x&gt;y."),
            ("a\"b\"cd", r#"{"echo": "a\"b\"cd"}"#),
            ("open sesame", "/?q=open+sesame"),
            ("open sesame", "/?q=open%20sesame"),
            ("open sesame", "authorization: Basic YWRhOm9wZW4gc2VzYW1l"),
        ] {
            let redactor = Redactor::default();
            redactor.tell_password("the password", &password.into());
            let mut one = exchange(echoed);
            redactor.exchange(&mut one);
            assert_eq!(redactor.leaks().len(), 1, "{echoed} is a leak");
            let body = one.response_body.unwrap();
            assert!(body.contains(HIDDEN) && body != echoed, "{echoed} stands in the record: {body}");
        }
    }

    #[test]
    fn addresses_and_what_names_them_hold_no_secret() {
        let redactor = Redactor::default();
        let mut one = exchange("no token=here");
        one.url = "https://h.example/login/?username=ada&password=p%26w".into();
        one.request_headers.push(("Referer".into(), "https://h.example/?token=rrrrrr".into()));
        one.response_headers.push(("location".into(), "/next?session_token=llllll&page=2".into()));
        redactor.exchange(&mut one);
        let all = format!("{one:?}");
        for secret in ["p%26w", "rrrrrr", "llllll"] {
            assert!(!all.contains(secret), "{secret} in {all}");
        }
        assert!(all.contains("page=2") && all.contains("username=ada"), "{all}");
    }

    #[test]
    fn a_password_that_is_an_ordinary_word_is_said_to_be_one() {
        let redactor = Redactor::default();
        redactor.tell_password("the password of ada", &"hedgehog".into());
        redactor.tell_password("the password of bob", &"bob".into());
        redactor.tell_password("the password of eve", &"open sesame".into());
        let mut before = exchange("Welcome to hedgehog");
        (before.method, before.request_body) = ("GET".into(), None);
        redactor.exchange(&mut before);
        redactor.exchange(&mut exchange("hedgehog fabrics, and your password is open sesame"));
        assert_eq!(before.response_body.as_deref(), Some("Welcome to hedgehog"), "the record was altered");
        let leaks: Vec<String> = redactor.leaks().into_iter().map(|leak| leak.what).collect();
        assert_eq!(leaks, ["the password of eve"]);
        let notes = redactor.notes();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(
            notes[0].1.contains("bob has fewer than 6")
                && notes[1].1.contains("before any login hold the password of ada")
        );
    }

    #[test]
    fn a_persons_taste_stays_in_the_record() {
        let redactor = Redactor::default();
        let mut one = exchange("");
        one.response_headers.push(("set-cookie".into(), "theme=system; Path=/".into()));
        redactor.exchange(&mut one);
        assert_eq!(redactor.text("run by system:schedule"), "run by system:schedule");
        assert_eq!(redactor.text("it is 0123456789abcdef01"), "it is [redacted]");
    }

    #[test]
    fn long_bodies_end() {
        let cut = bounded(&"ü".repeat(KEPT_BODY), KEPT_BODY);
        assert!(cut.len() < KEPT_BODY + 60 && cut.contains("more bytes"));
    }
}
