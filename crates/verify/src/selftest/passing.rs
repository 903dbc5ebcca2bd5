//! What passes through the proxy: a request on its way, and the answer to it, open to be altered.

use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::Value;

/// What the console's own session cookie is called: behind plain HTTP, without a prefix.
const SESSION: &str = "hedgerow_session";

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Asked {
    /// HTTP method.
    pub method: Method,
    /// Path and query.
    pub address: String,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// Who asks, as far as the proxy saw the login.
    pub user: Option<String>,
}

/// An answer on its way.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Sets a header; a value that is no text is left out.
pub(super) fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

impl Asked {
    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        text(&self.headers, name)
    }

    /// Sets a header.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        put(&mut self.headers, name, value);
    }

    /// Whether a script asks, for data. A script that reads its own page again asks for a page, as a navigation does.
    pub fn is_script(&self) -> bool {
        !self.header("accept").contains("text/html")
    }

    /// The value of the session's cookie.
    pub fn session(&self) -> Option<String> {
        let mut cookies = self.header("cookie").split(';').map(str::trim);
        cookies.find_map(|cookie| Some(cookie.split_once('=').filter(|(name, _)| *name == SESSION)?.1.to_owned()))
    }

    /// Another session, or none.
    pub fn set_session(&mut self, session: Option<&str>) {
        let others = self.header("cookie").split(';').map(str::trim);
        let others = others.filter(|cookie| !cookie.is_empty() && !cookie.starts_with(&format!("{SESSION}=")));
        let own = session.map(|session| format!("{SESSION}={session}"));
        let all: Vec<String> = others.map(str::to_owned).chain(own).collect();
        if all.is_empty() {
            self.headers.remove(header::COOKIE);
        } else {
            self.set_header("cookie", &all.join("; "));
        }
    }

    fn is_form(&self) -> bool {
        self.header("content-type").starts_with("application/x-www-form-urlencoded")
    }

    /// A field of the form that it carries.
    pub fn field(&self, name: &str) -> Option<String> {
        self.is_form().then_some(())?;
        url::form_urlencoded::parse(&self.body).find_map(|(field, value)| (field == name).then(|| value.into_owned()))
    }

    /// Changes a field of the form that it carries.
    pub fn set_field(&mut self, name: &str, value: &str) {
        let others: Vec<(String, String)> = url::form_urlencoded::parse(&self.body)
            .filter(|(field, _)| field != name)
            .map(|(field, value)| (field.into_owned(), value.into_owned()))
            .collect();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        self.body = form.extend_pairs(others).append_pair(name, value).finish().into();
    }

    /// Sets the token of a form or of a script, whichever it is. A script may send a form, and its token beside it.
    pub fn set_token(&mut self, token: &str) {
        let by_header = self.headers.contains_key("x-csrftoken");
        if self.is_form() && !by_header {
            self.set_field("csrfmiddlewaretoken", token);
        } else {
            self.set_header("x-csrftoken", token);
        }
    }
}

impl Answered {
    /// A page of its own.
    pub fn page(status: u16, body: &str) -> Self {
        Self::of(status, "text/html; charset=utf-8", body.to_owned())
    }

    /// Data.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::of(status, "application/json", body.to_string())
    }

    /// A redirect, as after a form.
    pub fn redirect(to: &str) -> Self {
        let mut answer = Self::page(303, "");
        answer.set_header("location", to);
        answer
    }

    fn of(status: u16, media: &'static str, body: String) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { status, headers, body: body.into() }
    }

    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        text(&self.headers, name)
    }

    /// Sets a header.
    pub fn set_header(&mut self, name: &'static str, value: &str) {
        put(&mut self.headers, name, value);
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of the session's cookie that it sets, if it is not taking it away.
    pub fn new_session(&self) -> Option<String> {
        self.headers.get_all(header::SET_COOKIE).iter().find_map(|cookie| {
            let (name, value) = cookie.to_str().ok()?.split(';').next()?.split_once('=')?;
            (name == SESSION && !value.is_empty()).then(|| value.to_owned())
        })
    }

    /// Changes each cookie that it sets; `None` takes it out.
    pub fn cookies(&mut self, change: impl Fn(&str) -> Option<String>) {
        let all = self.headers.get_all(header::SET_COOKIE).iter();
        let all: Vec<String> = all.filter_map(|cookie| change(cookie.to_str().ok()?)).collect();
        self.headers.remove(header::SET_COOKIE);
        for cookie in all.iter().filter_map(|cookie| HeaderValue::from_str(cookie).ok()) {
            self.headers.append(header::SET_COOKIE, cookie);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(cookie: &str, body: &str) -> Asked {
        let mut headers = HeaderMap::new();
        put(&mut headers, "cookie", cookie);
        put(&mut headers, "content-type", "application/x-www-form-urlencoded");
        let body = Bytes::from(body.to_owned());
        Asked { method: Method::POST, address: "/".into(), headers, body, user: None }
    }

    #[test]
    fn sessions_are_exchanged_and_other_cookies_stay() {
        let mut asked = asked("theme=dark; hedgerow_session=one", "a=1");
        assert_eq!(asked.session().as_deref(), Some("one"));
        asked.set_session(Some("two"));
        assert_eq!(asked.header("cookie"), "theme=dark; hedgerow_session=two");
        asked.set_session(None);
        assert_eq!(asked.header("cookie"), "theme=dark");
    }

    #[test]
    fn fields_and_tokens_are_exchanged() {
        let mut form = asked("", "a=1&csrfmiddlewaretoken=old");
        form.set_token("new");
        assert_eq!(
            (form.field("a").as_deref(), form.field("csrfmiddlewaretoken").as_deref()),
            (Some("1"), Some("new"))
        );
        put(&mut form.headers, "x-csrftoken", "of the script");
        form.set_token("newest");
        assert_eq!(form.header("x-csrftoken"), "newest", "a script's header counts before its form");
        form.headers.remove("x-csrftoken");
        put(&mut form.headers, "content-type", "application/json");
        form.set_token("newer");
        assert_eq!(form.header("x-csrftoken"), "newer");
    }

    #[test]
    fn a_page_that_reads_itself_again_asks_for_a_page() {
        let mut asked = asked("", "");
        put(&mut asked.headers, "sec-fetch-mode", "cors");
        put(&mut asked.headers, "accept", "application/json, application/problem+json");
        assert!(asked.is_script());
        put(&mut asked.headers, "accept", "text/html");
        assert!(!asked.is_script(), "what stands in it must be altered there, too");
    }

    #[test]
    fn cookies_lose_what_protects_them() {
        let mut answer = Answered::redirect("/");
        answer.set_header("set-cookie", "hedgerow_session=abc; Path=/; HttpOnly");
        assert_eq!(answer.new_session().as_deref(), Some("abc"));
        answer.cookies(|cookie| Some(cookie.replace("; HttpOnly", "")));
        assert_eq!(answer.header("set-cookie"), "hedgerow_session=abc; Path=/");
        answer.cookies(|_| None);
        assert_eq!(answer.header("set-cookie"), "");
    }
}
