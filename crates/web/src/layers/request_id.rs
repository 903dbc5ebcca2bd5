//! One id for each request: in the answer, in every log line and in the rows that it writes.

use crate::layers::client;
use crate::routes;
use crate::state::AppState;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::convert::Infallible;
use std::time::Instant;
use tracing::Instrument;

static NAME: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The one that a trusted proxy gave, if it is short and plain, otherwise a new one.
    fn of(trusted: bool, headers: &HeaderMap) -> Self {
        let given = headers.get(&NAME).and_then(|value| value.to_str().ok()).filter(|_| trusted);
        let plain =
            |id: &&str| (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Self(given.filter(plain).map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned))
    }
}

/// The name of the route, as the metrics know it; addresses themselves are without number.
fn route_of(method: &Method, path: &str) -> &'static str {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    routes::resolve(method, path).map_or("none", |route| route.name)
}

/// The method, of which a client can make up as many as it likes.
fn word_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        _ => "other",
    }
}

/// Gives the request its id, logs it with its answer, and puts the id into the answer.
pub async fn follow(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    let trusted = client::through_proxy(&state.settings, request.extensions());
    let id = RequestId::of(trusted, request.headers());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", request_id = id.0, %method, path);
    async move {
        let began = Instant::now();
        let mut response = next.run(request).await;
        let (status, took) = (response.status().as_u16(), began.elapsed());
        let ms = took.as_millis() as u64;
        metrics::request_answered(route_of(&method, &path), word_of(&method), status, took);
        if path.starts_with("/static/") || path == "/healthz" || path == "/readyz" || path == "/metrics" {
            tracing::debug!(status, ms, "answered");
        } else {
            tracing::info!(status, ms, "answered");
        }
        if let Ok(value) = HeaderValue::try_from(&id.0) {
            response.headers_mut().insert(NAME.clone(), value);
        }
        response
    }
    .instrument(span)
    .await
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| Self::of(false, &parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_proxys_plain_id_is_taken_over() {
        let with = |id: &'static str| [(NAME.clone(), HeaderValue::from_static(id))].into_iter().collect::<HeaderMap>();
        assert_eq!(RequestId::of(true, &with("0191f3c4-2f0e")).0, "0191f3c4-2f0e");
        assert_ne!(RequestId::of(false, &with("0191f3c4-2f0e")).0, "0191f3c4-2f0e");
        assert_ne!(RequestId::of(true, &with("<script>alert</script>")).0, "<script>alert</script>");
        assert_eq!(RequestId::of(true, &HeaderMap::new()).0.len(), 36);
    }
}
