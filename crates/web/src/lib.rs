//! The web console: pages for people, the same addresses for scripts, and the layers around both.
//!
//! [`router`] is everything that a server has to serve; it is built from the one table of routes ([`routes`]), each
//! of which declares what it needs, and a guard enforces that before a handler runs. Handlers read the store under
//! the user's scope, ask the engine, fill a view struct and render it; what went wrong is a problem,
//! written as a page or as problem+json by who asked. Pages are complete without script; the modules in `static/`
//! make them live.

mod assets;
mod attempts;
mod bearer;
mod ending;
mod extract;
mod frame;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod gallery;
mod guard;
mod icon;
mod layers;
mod outside;
mod pages;
mod parts;
mod probes;
mod problem;
mod routes;
mod seldom;
mod state;
mod url;
mod view;
mod when;

pub use outside::{HeaderLogin, Openid};
pub use parts::verdict::word as verdict_word;
pub use routes::{Kind, Needs, RouteInfo, Sensitive, routes};
pub use state::{AppState, WebSettings};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Redirect, Response};
use http::{Method, StatusCode};
use model::Code;
use problem::Problem;

/// Everything that the console serves. The server that runs it hands each request its peer's address
/// (`into_make_service_with_connect_info::<SocketAddr>()`).
pub fn router(state: AppState) -> Router {
    let router = routes::router(&state).fallback(elsewhere).method_not_allowed_fallback(not_this_method);
    layers::around(router, &state).with_state(state)
}

/// An address that no route has; one that only lacks its last slash leads there.
async fn elsewhere(request: Request) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query());
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let with_slash = format!("{path}/");
    if reading && !path.ends_with('/') && routes::resolve(&Method::GET, &with_slash).is_some() {
        let query = query.map(|query| format!("?{query}")).unwrap_or_default();
        return Redirect::permanent(&format!("{with_slash}{query}")).into_response();
    }
    Problem::new(Code::NotFound, "Nothing has this address.").into_response()
}

async fn not_this_method(request: Request) -> Response {
    Problem::new(Code::MethodNotAllowed, format!("This address does not take {}.", request.method()))
        .status(StatusCode::METHOD_NOT_ALLOWED)
        .into_response()
}
