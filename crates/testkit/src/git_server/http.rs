//! The HTTP side: each request runs `git http-backend`, Git's own server program, as a web server with CGI would.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;

use super::{GitMode, PushHeld, Shared, set_environment};
use crate::machine::servers;

const MOST_BYTES: usize = 256 << 20;

pub(super) struct Listener {
    pub(super) port: u16,
    task: JoinHandle<()>,
}

impl Listener {
    pub(super) async fn start(shared: Arc<Shared>) -> Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("bind a port")?;
        let port = listener.local_addr().context("read the port")?.port();
        let router = axum::Router::new().fallback(serve).layer(DefaultBodyLimit::disable()).with_state(shared);
        let task = servers().spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!("the Git server ended: {error}");
            }
        });
        Ok(Self { port, task })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let gate = shared.switches().gate.clone();
    if let Some(gate) = gate {
        gate.pass(format!("{} {}", request.method(), request.uri())).await;
    }
    let mode = shared.switches().mode;
    match mode {
        GitMode::Serve => {}
        GitMode::NeverAnswer => std::future::pending().await,
        GitMode::Fail(status) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return (status, "the test's Git server fails as it was told to").into_response();
        }
    }
    let user = match authenticate(&shared, &request) {
        Ok(user) => user,
        Err(()) => {
            let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")];
            return (StatusCode::UNAUTHORIZED, ask, "a user is needed").into_response();
        }
    };
    if pushes(&request) {
        if user.as_ref().is_some_and(|user| shared.switches().readers.contains(user)) {
            return (StatusCode::FORBIDDEN, "this user may read, and not push").into_response();
        }
        let race = if request.method() == Method::GET { shared.next_race(request.uri().path()) } else { None };
        if let Some((repo, script)) = race
            && let Err(error) = shared.import(&repo, &script).await
        {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response();
        }
    }
    let held = shared.switches().push_gate.clone();
    let held = held.filter(|_| request.method() == Method::POST && pushes(&request));
    let what = format!("{} {}", request.method(), request.uri());
    if let Some((PushHeld::Unseen, gate)) = &held {
        gate.pass(what.clone()).await;
    }
    let response = backend(&shared, request, user.as_deref()).await.unwrap_or_else(|error| {
        tracing::error!("git http-backend: {error:#}");
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response()
    });
    if let Some((PushHeld::Unanswered, gate)) = &held {
        gate.pass(what).await;
    }
    response
}

/// Whether a request is a part of a push.
fn pushes(request: &Request) -> bool {
    request.uri().path().ends_with("/git-receive-pack")
        || request.uri().query().is_some_and(|query| query.contains("service=git-receive-pack"))
}

/// Who asks, if that is allowed. Wrong credentials are refused even where none are needed, as the big hosts do.
fn authenticate(shared: &Shared, request: &Request) -> Result<Option<String>, ()> {
    let switches = shared.switches();
    let needed = switches.read_needs_login || (pushes(request) && !switches.users.is_empty());
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| {
        let encoded = value.to_str().ok()?.strip_prefix("Basic ")?;
        let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).ok()?;
        let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    });
    match given {
        Some((user, password)) if switches.users.get(&user) == Some(&password) => Ok(Some(user)),
        None if !needed => Ok(None),
        _ => Err(()),
    }
}

async fn backend(shared: &Shared, request: Request, user: Option<&str>) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, MOST_BYTES).await.context("read the request")?;
    let text = |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut command = Command::new(&shared.git);
    set_environment(&mut command, &shared.folder);
    command.arg("http-backend");
    command.env("GIT_PROJECT_ROOT", shared.folder.join("repositories")).env("GIT_HTTP_EXPORT_ALL", "1");
    command.env("REQUEST_METHOD", parts.method.as_str()).env("PATH_INFO", parts.uri.path());
    command.env("QUERY_STRING", parts.uri.query().unwrap_or_default());
    command.env("CONTENT_TYPE", text(header::CONTENT_TYPE)).env("CONTENT_LENGTH", body.len().to_string());
    command.env("HTTP_CONTENT_ENCODING", text(header::CONTENT_ENCODING));
    command.env("GIT_PROTOCOL", text(HeaderName::from_static("git-protocol")));
    command.env("REMOTE_ADDR", "127.0.0.1");
    if let Some(user) = user {
        command.env("REMOTE_USER", user);
    }
    let mut command = tokio::process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().context("start it")?;
    // Both directions at once: it may write before it has read everything.
    let pipe = child.stdin.take();
    let feed = async move {
        if let Some(mut pipe) = pipe {
            // It may close its input early, when the request is refused.
            let _ = pipe.write_all(&body).await;
        }
    };
    let ((), done) = tokio::join!(feed, child.wait_with_output());
    let done = done.context("wait for it")?;
    if !done.stderr.is_empty() {
        tracing::debug!("git http-backend: {}", String::from_utf8_lossy(&done.stderr).trim());
    }
    response(done.stdout.into())
}

/// A CGI answer: header lines, of which `Status` is the HTTP status, an empty line, the body.
fn response(answer: Bytes) -> Result<Response> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("an answer without headers")?;
    let head = std::str::from_utf8(&answer[..end]).context("headers that are no text")?;
    let mut response = Response::new(Body::from(answer.slice(end + 4..)));
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').with_context(|| format!("a header without colon: {line}"))?;
        let value = value.trim();
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            *response.status_mut() = code.parse().with_context(|| format!("{value} is no HTTP status"))?;
        } else {
            response.headers_mut().append(HeaderName::try_from(name)?, HeaderValue::from_str(value)?);
        }
    }
    Ok(response)
}
