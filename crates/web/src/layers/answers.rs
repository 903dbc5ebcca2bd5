//! The one place where problems are written: as a page for a navigation, as problem+json for a script. A refusal for
//! want of a session leads a navigation to the login page; a script gets its 401.

use crate::frame::Bare;
use crate::layers::classify::Asked;
use crate::layers::cookies;
use crate::layers::request_id::RequestId;
use crate::pages::error;
use crate::problem::Problem;
use crate::routes;
use crate::state::AppState;
use crate::url;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use model::Code;
use std::sync::Arc;

/// What is known of the request when its answer is written.
struct Asking {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    request_id: String,
}

impl Asking {
    /// The page to come back to after a login: the page itself, or the object of an action.
    fn next(&self) -> String {
        let here = self.uri.path_and_query().map_or("/", |all| all.as_str());
        let page = (self.method == Method::GET).then_some(here).and_then(routes::safe_next);
        page.map_or_else(|| routes::object_of(self.uri.path()), str::to_owned)
    }

    /// The page that a script's user looks at, when it says so, otherwise as above.
    fn next_for_script(&self) -> String {
        let referer = self.headers.get(header::REFERER).and_then(|value| value.to_str().ok());
        let path = referer.and_then(|referer| ::url::Url::parse(referer).ok()).map(|url| {
            let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
            format!("{}{query}", url.path())
        });
        path.as_deref().and_then(routes::safe_next).map_or_else(|| self.next(), str::to_owned)
    }
}

/// Writes the problems of everything behind it.
pub async fn write(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let asking = Asking {
        method: request.method().clone(),
        uri: request.uri().clone(),
        headers: request.headers().clone(),
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
    };
    let mut response = next.run(request).await;
    let problem = match response.extensions_mut().remove::<Arc<Problem>>() {
        Some(problem) => problem,
        None => match unwritten(&response) {
            Some(problem) => Arc::new(problem),
            None => return response,
        },
    };
    let mut written = match Asked::of(&asking.headers) {
        Asked::Navigation => page(&state, &asking, &problem),
        Asked::Script => json(&asking, &problem),
    };
    // Cookies and the like that the refusal itself set.
    for (name, value) in response.headers() {
        if *name == header::SET_COOKIE || *name == header::ALLOW {
            written.headers_mut().append(name.clone(), value.clone());
        }
    }
    if let Some(seconds) = problem.retry_after {
        written.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    written.headers_mut().append(header::VARY, HeaderValue::from_static("Accept, Sec-Fetch-Mode"));
    // For the layers outside of this one, and for tests.
    written.extensions_mut().insert(problem);
    written
}

/// A refusal that no handler of ours has written: the router's, an extractor's.
fn unwritten(response: &Response) -> Option<Problem> {
    let status = response.status();
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|media| {
        let media = media.as_bytes();
        media.starts_with(b"text/html") || media.starts_with(b"application/")
    });
    if !(status.is_client_error() || status.is_server_error()) || ours {
        return None;
    }
    let (code, message) = match status {
        StatusCode::NOT_FOUND => (Code::NotFound, "Nothing has this address."),
        StatusCode::METHOD_NOT_ALLOWED => (Code::MethodNotAllowed, "This address does not take such a request."),
        StatusCode::PAYLOAD_TOO_LARGE => (Code::InvalidInput, "The request is larger than what is accepted here."),
        _ if status.is_client_error() => (Code::InvalidInput, "The request could not be understood."),
        _ => (Code::Internal, "Hedgerow made a mistake and stopped before doing more."),
    };
    Some(Problem::new(code, message).status(status))
}

fn page(state: &AppState, asking: &Asking, problem: &Problem) -> Response {
    let status = problem.http_status();
    if status == StatusCode::UNAUTHORIZED {
        let next = problem.next.clone().unwrap_or_else(|| asking.next());
        return Redirect::to(&url::login_next(&next)).into_response();
    }
    let back = routes::object_of(&format!("{}x", asking.uri.path()));
    let mut links = vec![("Fabrics".to_owned(), url::fabrics())];
    if back != url::home() && back != asking.uri.path() {
        // Whoever only proves who it is has no login to go back to.
        match back == url::login() {
            true if problem.next.is_some() => {}
            true => links.insert(0, ("Back to the login".to_owned(), back)),
            false => links.insert(0, ("Back".to_owned(), back)),
        }
    }
    if let Some(there) = problem.next.as_ref().filter(|_| status != StatusCode::UNAUTHORIZED) {
        links.insert(0, ("Log in there once more".to_owned(), there.clone()));
    }
    let again = problem.again.as_ref().map(|again| error::Again::of(asking.uri.path(), again, problem.code));
    let page = error::Page {
        frame: Bare {
            title: problem.title().to_owned(),
            page: "error",
            theme: cookies::theme(&state.settings, &asking.headers),
            now: state.now(),
        },
        title: problem.title().to_owned(),
        message: problem.message.clone(),
        todo: problem.what_to_do().to_owned(),
        status: status.as_u16(),
        code: problem.code.as_str().to_owned(),
        request_id: asking.request_id.clone(),
        links,
        again,
    };
    match askama::Template::render(&page) {
        Ok(html) => (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
        Err(error) => {
            tracing::error!(%error, "the page of an error could not be written");
            (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], problem.message.clone()).into_response()
        }
    }
}

fn json(asking: &Asking, problem: &Problem) -> Response {
    let status = problem.http_status();
    let login = (status == StatusCode::UNAUTHORIZED).then(|| url::login_next(&asking.next_for_script()));
    let body = problem.to_json(&asking.request_id, asking.uri.path(), login);
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}
