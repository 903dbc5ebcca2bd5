//! Who asks: a person who navigates, or a script. It decides the form of every refusal, so that a script never gets a
//! page and a person never gets JSON.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use std::convert::Infallible;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A browser that opens a page or sends a form.
    Navigation,
    /// A script, in a browser or not.
    Script,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

impl Asked {
    /// Classifies by headers. What a browser says of itself (fetch metadata) goes before what a library may have set.
    pub fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::AUTHORIZATION)
            || text(headers, "hx-request").is_some_and(|value| value == "true")
            || text(headers, "x-requested-with").is_some()
        {
            return Self::Script;
        }
        if let Some(mode) = text(headers, "sec-fetch-mode") {
            let document = text(headers, "sec-fetch-dest").is_none_or(|dest| matches!(dest, "document" | "iframe"));
            return if mode == "navigate" && document { Self::Navigation } else { Self::Script };
        }
        if accepts(headers, "text/html") { Self::Navigation } else { Self::Script }
    }
}

/// Whether a media type is named in `Accept`; `*/*` names nothing.
fn accepts(headers: &HeaderMap, media: &str) -> bool {
    text(headers, "accept").is_some_and(|accept| {
        accept
            .split(',')
            .any(|range| range.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(media)))
    })
}

/// Whether a page is wanted as JSON: only when JSON is named and HTML is not.
pub fn wants_json(headers: &HeaderMap) -> bool {
    let json = accepts(headers, "application/json") || accepts(headers, "application/problem+json");
    json && !accepts(headers, "text/html")
}

/// Whether the request is an act of a person, which keeps the session from ending by idleness. What pages do by
/// themselves says so; streams and polling are never activity.
pub fn is_activity(method: &Method, headers: &HeaderMap) -> bool {
    let by_itself = headers.contains_key("x-hedgerow-background") || accepts(headers, "text/event-stream");
    let prefetch = text(headers, "sec-purpose").is_some_and(|purpose| purpose.contains("prefetch"));
    !by_itself && !prefetch && *method != Method::HEAD
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

    type Pairs = &'static [(&'static str, &'static str)];

    #[test]
    fn who_asks() {
        use Asked::{Navigation, Script};
        let cases: &[(&str, Pairs, Asked)] = &[
            (
                "a browser opens a page",
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document"), HTML],
                Navigation,
            ),
            ("a page in a frame", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"), HTML], Navigation),
            (
                "fetch of the same site",
                &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("accept", "*/*")],
                Script,
            ),
            ("fetch that names HTML", &[("sec-fetch-mode", "same-origin"), ("sec-fetch-dest", "empty"), HTML], Script),
            ("an old browser", &[HTML], Navigation),
            ("curl", &[("accept", "*/*")], Script),
            ("nothing at all", &[], Script),
            ("a script that wants JSON", &[("accept", "application/json")], Script),
            ("htmx", &[("hx-request", "true"), HTML], Script),
            ("jQuery", &[("x-requested-with", "XMLHttpRequest"), HTML], Script),
            ("a token", &[("authorization", "Token abc"), HTML], Script),
            ("an event stream", &[("accept", "text/event-stream")], Script),
            ("an image", &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("accept", "image/*")], Script),
            ("an object that navigates", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "object"), HTML], Script),
        ];
        for (what, pairs, expected) in cases {
            assert_eq!(Asked::of(&headers(pairs)), *expected, "{what}");
        }
    }

    #[test]
    fn json_must_be_named() {
        assert!(wants_json(&headers(&[("accept", "application/json")])));
        assert!(wants_json(&headers(&[("accept", "application/json; q=1, application/problem+json")])));
        assert!(!wants_json(&headers(&[("accept", "*/*")])));
        assert!(!wants_json(&headers(&[HTML])));
        assert!(!wants_json(&headers(&[])));
    }

    #[test]
    fn polling_and_streams_are_no_activity() {
        assert!(is_activity(&Method::GET, &headers(&[HTML])));
        assert!(is_activity(&Method::POST, &headers(&[("accept", "application/json")])));
        assert!(!is_activity(&Method::GET, &headers(&[HTML, ("x-hedgerow-background", "1")])));
        assert!(!is_activity(&Method::GET, &headers(&[("accept", "text/event-stream")])));
        assert!(!is_activity(&Method::GET, &headers(&[HTML, ("sec-purpose", "prefetch;prerender")])));
        assert!(!is_activity(&Method::HEAD, &headers(&[HTML])));
    }
}
