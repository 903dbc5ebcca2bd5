//! Streams of hints: something changed, read again. They carry no data, so that a page shows only what it read itself,
//! under its own permissions. A stream ends with its session or its API token, at once when this process ended it, and
//! hints of no fabric that its user may not see any more. Looking at it does not make the session last.

use crate::bearer;
use crate::extract::{Login, OfFabric, OfOperation};
use crate::guard;
use crate::layers::request_id::RequestId;
use crate::problem::Problem;
use crate::routes::{Kind, Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use auth::Action;
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use futures::stream::{self, BoxStream, FusedStream, Stream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_stream::wrappers::BroadcastStream;

/// The routes of the streams.
pub fn routes() -> Vec<Route> {
    let view = Needs::Fabric(Action::View);
    vec![
        Route::get("fabric_events", pattern::fabric_events, view, Kind::Stream, of_fabric),
        Route::get(
            "operation_events",
            pattern::operation_events,
            Needs::Operation(Action::View),
            Kind::Stream,
            of_operation,
        ),
        Route::get("events", pattern::events, Needs::Listing, Kind::Stream, of_all),
    ]
}

/// How often the stream says that it lives, and looks whether its session does.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Hints within this time are one.
const TOGETHER: Duration = Duration::from_millis(100);
/// How long a stream lasts; its page then opens a new one, with the fabrics that are there by then.
const LONGEST: Duration = Duration::from_secs(20 * 60);
/// Fabrics that one stream listens to: as many as a page of the list shows, and some.
const FABRICS: u32 = 200;

async fn of_fabric(
    State(state): State<AppState>,
    OfFabric(fabric): OfFabric,
    login: Login,
    headers: HeaderMap,
    id: RequestId,
) -> Response {
    listen(state, Topic::One(fabric.id), vec![fabric.id], &login, headers, id)
}

async fn of_operation(
    State(state): State<AppState>,
    OfOperation(operation, _): OfOperation,
    login: Login,
    headers: HeaderMap,
    id: RequestId,
) -> Response {
    listen(state, Topic::One(operation.fabric_id), vec![operation.fabric_id], &login, headers, id)
}

async fn of_all(
    State(state): State<AppState>,
    login: Login,
    headers: HeaderMap,
    id: RequestId,
) -> Result<Response, Problem> {
    let fabrics = Topic::All.fabrics(&state, &login).await?;
    Ok(listen(state, Topic::All, fabrics, &login, headers, id))
}

/// What a stream was opened for.
#[derive(Clone, Copy)]
enum Topic {
    /// One fabric.
    One(i64),
    /// The list of fabrics.
    All,
}

impl Topic {
    /// The fabrics of it that somebody may see now.
    async fn fabrics(self, state: &AppState, login: &Login) -> Result<Vec<i64>, Problem> {
        match self {
            Topic::One(id) => Ok(if login.access.may(id, Action::View).await? { vec![id] } else { Vec::new() }),
            Topic::All => {
                let filter = store::fabrics::FabricFilter::default();
                let page = store::Page::first(FABRICS);
                let listed = state.store.fabrics().list(&login.access.fabrics(), &filter, page).await?;
                Ok(listed.rows.iter().map(|fabric| fabric.id).collect())
            }
        }
    }
}

struct Listening {
    state: AppState,
    headers: HeaderMap,
    topic: Topic,
    /// Those that it listens to.
    fabrics: Vec<i64>,
    /// The API token that it was opened with; otherwise it is of a session.
    token_id: Option<i64>,
    request_id: String,
    hints: stream::Fuse<BoxStream<'static, ()>>,
    rights: watch::Receiver<u64>,
    beat: Instant,
    end: Instant,
    said_hello: bool,
    ended: bool,
}

fn listen(
    state: AppState,
    topic: Topic,
    fabrics: Vec<i64>,
    login: &Login,
    headers: HeaderMap,
    RequestId(request_id): RequestId,
) -> Response {
    let now = Instant::now();
    let listening = Listening {
        hints: hints(&state, &fabrics),
        rights: state.rights.subscribe(),
        state,
        headers,
        topic,
        fabrics,
        token_id: login.token().map(|token| token.id),
        request_id,
        beat: now + HEARTBEAT,
        end: now + LONGEST,
        said_hello: false,
        ended: false,
    };
    let mut response = Sse::new(stream(listening)).into_response();
    // Proxies that collect an answer before they pass it on would keep every hint to themselves.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The hints of these fabrics. A listener that was too slow missed some; the next one is enough.
fn hints(state: &AppState, fabrics: &[i64]) -> stream::Fuse<BoxStream<'static, ()>> {
    let hints = fabrics.iter().map(|id| BroadcastStream::new(state.engine.subscribe(*id)).map(|_| ()));
    stream::select_all(hints.collect::<Vec<_>>()).boxed().fuse()
}

fn stream(listening: Listening) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(listening, |mut listening| async move {
        let event = listening.next().await?;
        Some((Ok(event), listening))
    })
}

impl Listening {
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        if !self.said_hello {
            self.said_hello = true;
            return Some(Event::default().event("hello").data("{}"));
        }
        let closing = self.state.closing.clone();
        let quiet = self.hints.is_terminated();
        tokio::select! {
            () = closing.cancelled() => None,
            () = sleep_until(self.end) => None,
            () = sleep_until(self.beat) => Some(self.look().await),
            Ok(()) = self.rights.changed() => Some(self.look().await),
            // A console without fabrics has nobody who could hint; that is no hint.
            Some(()) = self.hints.next(), if !quiet => {
                let until = Instant::now() + TOGETHER;
                while !self.hints.is_terminated()
                    && tokio::time::timeout_at(until, self.hints.next()).await.is_ok() {}
                Some(Event::default().event("changed").data("{}"))
            }
        }
    }

    /// Says that the stream lives, or why its session or its token does not, and listens to what its user may see now.
    async fn look(&mut self) -> Event {
        self.beat = Instant::now() + HEARTBEAT;
        let state = &self.state;
        let fabrics = async {
            let login = match self.token_id {
                Some(id) => bearer::still(state, id).await?,
                None => guard::session(state, &self.headers, false).await?,
            };
            self.topic.fabrics(state, &login).await
        };
        match fabrics.await {
            Ok(fabrics) if fabrics != self.fabrics => {
                self.hints = hints(state, &fabrics);
                self.fabrics = fabrics;
                Event::default().event("changed").data("{}")
            }
            Err(problem) if matches!(problem.http_status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
                self.ended = true;
                let login = self.token_id.is_none().then(url::login);
                let body = problem.to_json(&self.request_id, "", login);
                Event::default().event("session_ended").data(body.to_string())
            }
            // The database's trouble is not the session's end.
            Ok(_) | Err(_) => Event::default().comment("alive"),
        }
    }
}
