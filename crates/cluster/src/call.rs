//! One call: through the gate, onto the wire, back under a time and a size limit.
//!
//! Two things are retried here, within the call's own limit and visibly: a 429, after the pause it asks for, because
//! the server did not begin; and a read whose connection broke. Everything else is the caller's decision.

use crate::error::{expect_json, refusal, transport_fault};
use crate::gate::jitter;
use crate::{Cluster, Error, ErrorKind};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::time::Instant;

/// The largest answer that is read into memory: a page of 500 agents stays below it.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// Above this, JSON is decoded on a blocking thread, so that other fabrics' calls are not held up.
pub(crate) const DECODE_INLINE: usize = 512 * 1024;
/// The largest refusal that is read of an answer that was to last.
const LARGEST_REFUSAL: usize = 64 * 1024;
/// How often a 429 is waited out, and how often a cut read is repeated.
const MOST_PAUSES: u32 = 6;
const MOST_CUTS: u32 = 2;

pub(crate) const JSON: &str = "application/json";

/// What to send.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) accept: &'static str,
    pub(crate) body: Option<Bytes>,
    /// Whether the call may change something: then a lost answer leaves the outcome unknown, and it is not repeated.
    pub(crate) writes: bool,
}

impl Call {
    pub(crate) fn get(operation: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            operation: operation.into(),
            method: Method::GET,
            target: target.into(),
            accept: JSON,
            body: None,
            writes: false,
        }
    }

    /// A call with a JSON body. Reviews are POSTs that change nothing, so `writes` is said, not guessed.
    pub(crate) fn send(
        operation: impl Into<String>,
        method: Method,
        target: impl Into<String>,
        body: &serde_json::Value,
        writes: bool,
    ) -> Self {
        let body = Some(Bytes::from(body.to_string()));
        Self { operation: operation.into(), method, target: target.into(), accept: JSON, body, writes }
    }

    /// What is done, in the words of RBAC, for the metrics.
    fn verb(&self) -> &'static str {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let dry = !self.writes;
        match self.method {
            Method::POST if path.starts_with("/apis/auth") => "review",
            Method::POST if dry => "create_dry_run",
            Method::POST => "create",
            Method::PUT if dry => "update_dry_run",
            Method::PUT => "update",
            Method::DELETE if dry => "delete_dry_run",
            Method::DELETE => "delete",
            _ if query.contains("watch=") => "watch",
            _ if query.contains("limit=") => "list",
            _ => "get",
        }
    }

    pub(crate) fn accepting(mut self, accept: &'static str) -> Self {
        self.accept = accept;
        self
    }
}

/// A success.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// From sending to the last byte, without waiting for a slot or a pause.
    pub(crate) took: Duration,
}

impl Answer {
    /// Decodes the body.
    pub(crate) async fn decode<T: DeserializeOwned + Send + 'static>(self, operation: &str) -> Result<T, Error> {
        if let Some(error) = expect_json(operation, self.status, &self.headers, &self.body) {
            return Err(error);
        }
        let body = self.body;
        let decoded = if body.len() > DECODE_INLINE {
            tokio::task::spawn_blocking(move || serde_json::from_slice(&body))
                .await
                .map_err(|e| Error::new(ErrorKind::Protocol, operation, format!("Decoding the answer failed: {e}.")))?
        } else {
            serde_json::from_slice(&body)
        };
        // serde_json's text may quote a value; line and column say enough.
        decoded.map_err(|e: serde_json::Error| {
            let message = format!(
                "The answer is not the JSON that a Kubernetes API sends (line {}, column {}).",
                e.line(),
                e.column()
            );
            Error::new(ErrorKind::Protocol, operation, message).with(|f| f.status = Some(self.status.as_u16()))
        })
    }
}

/// The call as HTTP.
fn request(call: &Call) -> Result<Request<Body>, Error> {
    let mut request = Request::builder()
        .method(call.method.clone())
        .uri(&call.target)
        .header(ACCEPT, call.accept)
        .header(USER_AGENT, concat!("hedgerow/", env!("CARGO_PKG_VERSION")));
    if call.body.is_some() {
        request = request.header(CONTENT_TYPE, JSON);
    }
    let body = call.body.clone().map_or_else(Body::empty, Body::from);
    request.body(body).map_err(|e| {
        let message = format!("The address of the object is no valid address: {e}.");
        Error::new(ErrorKind::Rejected, &call.operation, message)
    })
}

/// A pause of the gate that is longer than the call may take.
fn asked_to_wait(call: &Call, rest: Duration) -> Error {
    let message = format!("The server asked to wait {} s more (429).", rest.as_secs().max(1));
    Error::new(ErrorKind::TooMany, &call.operation, message).with(|e| {
        e.status = Some(429);
        e.retry_after = Some(rest);
    })
}

/// Counts a call that was sent, or was to be, for the metrics. Gives the status of its answer, 0 when there was none.
fn count(call: &Call, result: Result<StatusCode, &Error>, start: Instant) -> u16 {
    let status = result.map_or_else(|error| error.status.unwrap_or(0), |status| status.as_u16());
    let code = match result {
        Err(error) if status == 0 => error.kind.code().as_str().to_owned(),
        _ => status.to_string(),
    };
    metrics::kubernetes_called(call.verb(), code, start.elapsed());
    status
}

/// How far a call got; for the message when its time is up.
#[derive(Clone, Copy)]
enum Stage {
    NotSent,
    Sent,
    Reading(usize),
}

impl Cluster {
    /// Makes one call. Answers that are no success are errors.
    pub(crate) async fn call(&self, call: &Call) -> Result<Answer, Error> {
        let inner = &*self.inner;
        let _slot = inner.gate.enter().await;
        let deadline = Instant::now() + inner.limits.request;
        let (mut pauses, mut cuts) = (0, 0);
        loop {
            if let Err(rest) = inner.gate.wait(deadline).await {
                return Err(asked_to_wait(call, rest));
            }
            let error = match self.exchange(call, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.kind {
                ErrorKind::TooMany if pauses < MOST_PAUSES => {
                    pauses += 1;
                    let asked = error.retry_after.unwrap_or(Duration::from_millis(250) * 2u32.pow(pauses));
                    let pause = asked + jitter(Duration::from_millis(250).max(asked / 4));
                    tracing::warn!(operation = %call.operation, server = %inner.server, pause_ms = pause.as_millis() as u64, attempt = pauses, "the API server asked for a pause");
                    inner.gate.pause(pause);
                }
                ErrorKind::ConnectionCut if !call.writes && cuts < MOST_CUTS => {
                    cuts += 1;
                    let pause = Duration::from_millis(50) + jitter(Duration::from_millis(100) * cuts);
                    if Instant::now() + pause >= deadline {
                        return Err(error);
                    }
                    tracing::warn!(operation = %call.operation, server = %inner.server, attempt = cuts, "the connection broke, reading again");
                    tokio::time::sleep(pause).await;
                }
                _ => return Err(error),
            }
        }
    }

    /// Calls and decodes.
    pub(crate) async fn fetch<T: DeserializeOwned + Send + 'static>(&self, call: &Call) -> Result<T, Error> {
        self.call(call).await?.decode(&call.operation).await
    }

    async fn exchange(&self, call: &Call, deadline: Instant) -> Result<Answer, Error> {
        let mut stage = Stage::NotSent;
        let start = Instant::now();
        let result = tokio::time::timeout_at(deadline, self.exchange_unlimited(call, &mut stage, start)).await;
        let result = result.unwrap_or_else(|_| Err(self.timed_out(call, stage)));
        let status = count(call, result.as_ref().map(|answer| answer.status), start);
        tracing::debug!(operation = %call.operation, server = %self.inner.server, status, took_ms = start.elapsed().as_millis() as u64, "call");
        result
    }

    async fn exchange_unlimited(&self, call: &Call, stage: &mut Stage, start: Instant) -> Result<Answer, Error> {
        let server = &self.inner.server;
        let request = request(call)?;
        *stage = Stage::Sent;
        let lost = |error: Error| {
            let unknown = call.writes && matches!(error.kind, ErrorKind::ConnectionCut | ErrorKind::Timeout);
            error.with(|e| e.outcome_unknown = unknown)
        };
        let response =
            self.inner.client.send(request).await.map_err(|e| lost(transport_fault(&call.operation, server, &e)))?;
        let (parts, mut body) = response.into_parts();
        let mut read = BytesMut::new();
        *stage = Stage::Reading(0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| lost(transport_fault(&call.operation, server, &e)))?;
            if let Ok(data) = frame.into_data() {
                if read.len() + data.len() > LARGEST_ANSWER {
                    let message = format!("The answer is larger than {} MiB.", LARGEST_ANSWER / 1024 / 1024);
                    return Err(Error::new(ErrorKind::TooLarge, &call.operation, message)
                        .with(|e| e.status = Some(parts.status.as_u16())));
                }
                read.extend_from_slice(&data);
                *stage = Stage::Reading(read.len());
            }
        }
        let body = read.freeze();
        if !parts.status.is_success() {
            let error = refusal(&call.operation, parts.status, &parts.headers, &body);
            let unknown = call.writes && error.kind == ErrorKind::Timeout;
            return Err(error.with(|e| e.outcome_unknown = unknown));
        }
        let (status, version) = (parts.status, parts.version);
        Ok(Answer { status, version, headers: parts.headers, body, took: start.elapsed() })
    }

    /// Opens an answer that lasts: its body is the caller's, without a limit. It takes no slot of the gate, because slots
    /// are for what ends, but it keeps to the pauses; the answer has to begin within the limit of a call. What is counted
    /// is the opening: its status, and the time to it.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, Error> {
        let inner = &*self.inner;
        let deadline = Instant::now() + inner.limits.request;
        if let Err(rest) = inner.gate.wait(deadline).await {
            return Err(asked_to_wait(call, rest));
        }
        let start = Instant::now();
        let opening = async {
            let response = inner
                .client
                .send(request(call)?)
                .await
                .map_err(|e| transport_fault(&call.operation, &inner.server, &e))?;
            let (parts, body) = response.into_parts();
            if parts.status.is_success() {
                return Ok((parts.status, body));
            }
            let said = http_body_util::Limited::new(body, LARGEST_REFUSAL).collect().await;
            let said = said.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            Err(refusal(&call.operation, parts.status, &parts.headers, &said))
        };
        let opened = tokio::time::timeout_at(deadline, opening).await;
        let opened = opened.unwrap_or_else(|_| Err(self.timed_out(call, Stage::Sent)));
        count(call, opened.as_ref().map(|(status, _)| *status), start);
        if let Err(e) = &opened
            && e.kind == ErrorKind::TooMany
        {
            inner.gate.pause(e.retry_after.unwrap_or(Duration::from_secs(1)));
        }
        opened.map(|(_, body)| body)
    }

    fn timed_out(&self, call: &Call, stage: Stage) -> Error {
        let server = &self.inner.server;
        let limit = self.inner.limits.request.as_secs_f32();
        let (message, sent) = match stage {
            Stage::NotSent => (format!("{server} took no request within {limit} s."), false),
            Stage::Sent => (format!("{server} did not answer within {limit} s."), true),
            Stage::Reading(bytes) => {
                (format!("The answer of {server} stopped after {bytes} bytes; gave up after {limit} s."), true)
            }
        };
        Error::new(ErrorKind::Timeout, &call.operation, message).with(|e| e.outcome_unknown = call.writes && sent)
    }
}
