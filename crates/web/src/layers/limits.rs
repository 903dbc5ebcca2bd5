//! Limits on one request: how long it may take and what happens when its handler breaks. Sizes are limited where
//! bodies are read, in [`crate::guard`].

use crate::problem::Problem;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::StatusCode;
use model::Code;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// How long an answer may take to begin. Longer than any `?wait=` and than any call to a cluster.
const LONGEST: Duration = Duration::from_secs(60);

/// Ends what takes too long, and turns a panic into an answer with a request id.
pub async fn limit(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    match tokio::time::timeout(LONGEST, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => {
            let words = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
            let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            Problem::internal("answer a request; its handler panicked", &words).into_response()
        }
        Err(_) => {
            tracing::error!(path, "a request took too long");
            Problem::new(Code::Internal, "The answer took longer than a minute and was given up.")
                .status(StatusCode::GATEWAY_TIMEOUT)
                .into_response()
        }
    }
}
