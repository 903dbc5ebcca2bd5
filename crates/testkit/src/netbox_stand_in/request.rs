//! A request, read once: what the handlers of the stand-in look at; and the answers that several of them give.

use std::collections::HashMap;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::StandInUser;
use super::site::Site;

const MOST_BYTES: usize = 1 << 20;

pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    query: HashMap<String, String>,
    headers: HeaderMap,
    form: HashMap<String, String>,
    cookies: HashMap<String, String>,
    /// Who is logged in.
    pub(super) user: Option<&'a StandInUser>,
}

impl<'a> Asked<'a> {
    pub(super) async fn read(site: &'a Site, request: Request) -> Self {
        let (parts, body) = request.into_parts();
        // A body that breaks off is none.
        let body: Bytes = axum::body::to_bytes(body, MOST_BYTES).await.unwrap_or_default();
        let pairs = |text: &[u8]| url::form_urlencoded::parse(text).into_owned().collect();
        let text = |name: header::HeaderName| {
            parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let is_form = text(header::CONTENT_TYPE).starts_with("application/x-www-form-urlencoded");
        let cookies: HashMap<String, String> = text(header::COOKIE)
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Self {
            user: cookies.get("sessionid").and_then(|session| site.logged_in(session)),
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
            form: if is_form { pairs(&body) } else { HashMap::new() },
            headers: parts.headers,
            cookies,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

pub(super) fn html(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

pub(super) fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

pub(super) fn redirect(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, to);
    response
}

/// The page for an address that leads nowhere.
pub(super) fn not_found() -> Response {
    let body = "<!DOCTYPE html>\n<html lang=\"en\">\n<head><title>Page Not Found</title></head>\n\
                <body><h1>Page Not Found</h1><p>The requested page does not exist.</p></body>\n</html>\n";
    html(StatusCode::NOT_FOUND, body.to_owned())
}

pub(super) fn method_not_allowed(allowed: &'static str) -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, allowed)]).into_response()
}

/// A text as it may stand in HTML.
pub(super) fn escape(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    escaped.replace('"', "&quot;").replace('\'', "&#x27;")
}
