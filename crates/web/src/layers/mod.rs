//! What every request passes, one concern a file. From the outside in: a request id, security headers, compression,
//! what a page does by itself, the writing of problems, limits, and the one host; what a route needs is enforced by [`crate::guard`], behind the router.

pub mod answers;
pub mod by_itself;
pub mod classify;
pub mod client;
pub mod cookies;
pub mod headers;
pub mod host;
pub mod limits;
pub mod origin;
pub mod request_id;
pub mod unread;

use crate::state::AppState;
use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::compression::CompressionLayer;

/// Puts all layers around the routes.
pub fn around(router: Router<AppState>, state: &AppState) -> Router<AppState> {
    router
        .layer(from_fn(host::one))
        .layer(from_fn(limits::limit))
        .layer(from_fn_with_state(state.clone(), answers::write))
        .layer(from_fn(by_itself::tell))
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(state.clone(), headers::secure))
        .layer(from_fn_with_state(state.clone(), request_id::follow))
        .layer(from_fn(unread::tell))
}
