//! The proxy between driver and console: what passes, passes as it is, unless a rule wants it otherwise. Streams stay
//! streams; a body is held only where a rule has to read it.
//!
//! The host that the driver asked for is passed on, so that the console sees one site: its own check of `Origin` against
//! `Host` judges what the driver sent, not the proxy.

use super::inside::Inside;
use super::passing::{Answered, Asked};
use super::rule::{Pass, Rule};
use bytes::Bytes;
use futures::TryStreamExt as _;
use http::header::{self, HeaderName};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;
use tokio::task::{AbortHandle, JoinSet};
use url::Url;

/// How many logins are remembered, by their cookies.
const MOST_KNOWN: usize = 10_000;

/// What concerns one connection only.
const HOP: [HeaderName; 5] =
    [header::CONNECTION, header::TRANSFER_ENCODING, header::TE, header::UPGRADE, header::CONTENT_LENGTH];

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A running proxy. Dropped, it is gone with all its connections.
pub struct Proxy {
    url: Url,
    shared: Arc<Shared>,
    serving: AbortHandle,
}

struct Shared {
    console: String,
    http: reqwest::Client,
    inside: Inside,
    rules: Mutex<Arc<Vec<Rule>>>,
    /// Who logged in, by the cookie that it came to.
    known: Mutex<HashMap<String, String>>,
}

impl Proxy {
    /// Starts one on a free port, before the console at this address.
    pub async fn start(console: &str, inside: Inside) -> io::Result<Self> {
        // Whoever has installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().tls_certs_only([]);
        let http = http.build().map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = Url::parse(&format!("http://{}/", listener.local_addr()?)).map_err(io::Error::other)?;
        let console = console.trim_end_matches('/').to_owned();
        let (rules, known) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { console, http, inside, rules, known });
        let serving = tokio::spawn(serve(listener, shared.clone())).abort_handle();
        Ok(Self { url, shared, serving })
    }

    /// Its address.
    pub fn url(&self) -> Url {
        self.url.clone()
    }

    /// Replaces all rules, and gives those that ended, with what they counted.
    pub fn set(&self, rules: Vec<Rule>) -> Arc<Vec<Rule>> {
        let mut kept = self.shared.rules.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *kept, Arc::new(rules))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, it ends what still goes on.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { continue };
                let shared = shared.clone();
                connections.spawn(async move {
                    let service = hyper::service::service_fn(move |request| pass(shared.clone(), request));
                    // A connection that breaks is the client's matter, and one that is cut is a rule's.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Passes one request on, and its answer back. An error cuts the connection.
async fn pass(shared: Arc<Shared>, request: Request<Incoming>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let address = parts.uri.path_and_query().map_or("/", |address| address.as_str()).to_owned();
    let mut asked = Asked { method: parts.method, address, headers: parts.headers, body, user: None };
    asked.user = asked.session().and_then(|session| shared.known().get(&session).cloned());
    let login = asked.field("username").filter(|_| asked.address.starts_with("/login/"));

    let rules = shared.rules.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let mine: Vec<&Rule> = rules.iter().filter(|rule| rule.wants(&asked)).collect();
    for rule in &mine {
        match rule.act(&mut asked, &shared.inside).await {
            Pass::Untouched | Pass::On => {}
            Pass::Answer(answer) => return Ok(whole(*answer)),
            Pass::Hang => std::future::pending().await,
            Pass::Cut => return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by a rule")),
        }
    }
    let answer = match shared.send(&asked).await {
        Ok(answer) => answer,
        Err(error) => return Ok(whole(Answered::page(502, &format!("the console did not answer: {error}")))),
    };
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    strip(&mut headers);
    if login.is_none() && !mine.iter().any(|rule| rule.reads_answer()) {
        for rule in &mine {
            rule.react(&asked, &mut Answered { status, headers: HeaderMap::new(), body: Bytes::new() }).await;
        }
        let stream = answer.bytes_stream().map_ok(Frame::data).map_err(io::Error::other);
        return Ok(response(status, headers, StreamBody::new(stream).boxed_unsync()));
    }
    let body = answer.bytes().await.map_err(io::Error::other)?;
    let mut answered = Answered { status, headers, body };
    if let (Some(who), Some(session)) = (login, answered.new_session()) {
        let mut known = shared.known();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(session, who);
    }
    for rule in &mine {
        rule.react(&asked, &mut answered).await;
    }
    Ok(whole(answered))
}

impl Shared {
    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, asked: &Asked) -> reqwest::Result<reqwest::Response> {
        let mut headers = asked.headers.clone();
        strip(&mut headers);
        // What is packed could not be read by a rule.
        headers.remove(header::ACCEPT_ENCODING);
        let url = format!("{}{}", self.console, asked.address);
        self.http.request(asked.method.clone(), url).headers(headers).body(asked.body.clone()).send().await
    }
}

fn strip(headers: &mut HeaderMap) {
    for name in HOP {
        headers.remove(name);
    }
}

fn whole(answer: Answered) -> Response<Body> {
    let body = Full::new(answer.body).map_err(|never| match never {}).boxed_unsync();
    response(answer.status, answer.headers, body)
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

#[cfg(test)]
mod tests;
