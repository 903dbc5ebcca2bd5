//! Watches: what happens to the objects of one kind from a list on, for as long as somebody asks.
//!
//! A watch is a stream that outlives connections: it resumes from the last version that it saw, lists again when the
//! server has forgotten that version (410, as status or as event), ends a connection that has gone silent, and comes
//! back after a pause that grows with each failure. It occupies no slot of the gate and has no limit of a call, but it
//! keeps to the gate's pauses. Whoever reads it decides what a failure means; it never hides one.

use crate::call::Call;
use crate::error::{refusal, transport_fault};
use crate::gate::jitter;
use crate::kinds::KindInfo;
use crate::list::ListedAsReceived;
use crate::received::{Received, receive};
use crate::{Cluster, Error, ErrorKind, address};
use bytes::{Buf, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::Instant;

/// The largest event that is read: an object cannot be larger than what etcd takes, and agents are not the largest.
const LARGEST_EVENT: usize = 16 * 1024 * 1024;
/// A stream that ends sooner than this is no stream: it counts as a failure, so that the next one waits, also when it
/// told something before.
const SHORTEST: Duration = Duration::from_secs(1);
/// So many answers in a row that refuse a version, and everything is listed again: a server that was restored from a
/// backup says of versions that it never reached neither 410 nor anything else that would help.
const MOST_REFUSALS: u32 = 4;

/// How long things may take in a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WatchLimits {
    /// After about this time (up to twice as long) the server ends a stream, and the next one begins where it stood.
    pub lasts: Duration,
    /// Without a word for this long a stream counts as dead. Servers send a bookmark once a minute.
    pub silence: Duration,
    /// The pause after the first failure; it doubles with each.
    pub first_pause: Duration,
    /// The longest pause, but for one that the server asks for.
    pub longest_pause: Duration,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self {
            lasts: Duration::from_secs(240),
            silence: Duration::from_secs(150),
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(10),
        }
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// What is known begins anew: this is everything there is.
    Listed(ListedAsReceived),
    /// The stream is open, for the first time or again. What happened meanwhile comes next.
    Opened,
    /// An object is new or has changed.
    Applied(Received),
    /// An object is gone; its version is the one of its end.
    Deleted(Received),
    /// Everything up to this version has been told.
    Bookmark {
        /// The version.
        resource_version: String,
    },
}

/// Where a watch stands.
enum State {
    /// Nothing is known: everything has to be listed.
    Unlisted,
    /// Known up to the version; no stream is open.
    Known,
    /// A stream is open.
    Open(Box<Lines>),
}

/// A watch on the objects of one kind in one namespace.
pub struct Watch {
    cluster: Cluster,
    kind: KindInfo,
    namespace: String,
    limits: WatchLimits,
    state: State,
    /// The last version that was seen.
    version: String,
    /// Failures in a row.
    failures: u32,
    /// Answers in a row that may be about the version.
    refusals: u32,
    /// How long the server, or the kind of failure, asks to wait.
    asked: Option<Duration>,
}

#[derive(Deserialize)]
struct Line {
    r#type: String,
    object: Box<RawValue>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    code: u16,
    reason: String,
}

#[derive(Deserialize)]
struct Marked {
    metadata: MarkedMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MarkedMeta {
    resource_version: String,
}

impl Cluster {
    /// Watches a kind in a namespace (`""`: in all), from the version of a list on; without one it lists first.
    pub fn watch(&self, kind: &KindInfo, namespace: &str, from: Option<String>, limits: WatchLimits) -> Watch {
        let state = if from.is_some() { State::Known } else { State::Unlisted };
        // The schema is large, and nothing here needs it.
        let kind = KindInfo::bare(&kind.gvk.group, &kind.gvk.version, &kind.gvk.kind, &kind.plural, kind.namespaced);
        Watch {
            cluster: self.clone(),
            kind,
            namespace: namespace.to_owned(),
            limits,
            state,
            version: from.unwrap_or_default(),
            failures: 0,
            refusals: 0,
            asked: None,
        }
    }
}

impl Watch {
    /// What happens next.
    ///
    /// # Errors
    /// Why it does not go on. Asked again it tries again, after a pause; it has lost nothing.
    pub async fn next(&mut self) -> Result<WatchEvent, Error> {
        loop {
            match &mut self.state {
                State::Unlisted => {
                    self.pause().await;
                    let listed = self.cluster.list_as_received(&self.kind, &self.namespace, &|_, _| {}).await;
                    let listed = listed.map_err(|e| self.failed(e))?;
                    self.version.clone_from(&listed.resource_version);
                    self.state = State::Known;
                    return Ok(WatchEvent::Listed(listed));
                }
                State::Known => {
                    self.pause().await;
                    match self.open().await {
                        Ok(lines) => {
                            self.state = State::Open(Box::new(lines));
                            return Ok(WatchEvent::Opened);
                        }
                        Err(e) if e.kind == ErrorKind::Gone => self.forgotten(&e),
                        Err(e) => return Err(self.failed(e)),
                    }
                }
                State::Open(lines) => {
                    let told = tokio::time::timeout(self.limits.silence, lines.next()).await;
                    // What failed before is over, however this one ends.
                    let is_steady = lines.opened.elapsed() >= SHORTEST;
                    if is_steady {
                        self.failures = 0;
                    }
                    match told {
                        Err(_) => {
                            let message =
                                format!("No event and no bookmark for {} s.", self.limits.silence.as_secs_f32());
                            let error = Error::new(ErrorKind::ConnectionCut, &lines.operation, message);
                            metrics::watch_restarted("silent");
                            return Err(self.failed(error));
                        }
                        // The server ends a stream when its time is over; what ends it sooner is something else.
                        Ok(Ok(None)) => {
                            if lines.opened.elapsed() < self.limits.lasts {
                                metrics::watch_restarted("disconnected");
                            }
                            self.failures += u32::from(!is_steady);
                            self.state = State::Known;
                        }
                        Ok(Ok(Some(line))) => match self.read(&line) {
                            Ok(event) => return Ok(event),
                            Err(e) if e.kind == ErrorKind::Gone => self.forgotten(&e),
                            Err(e) => return Err(self.lost(e)),
                        },
                        Ok(Err(e)) => return Err(self.lost(e)),
                    }
                }
            }
        }
    }

    /// The server has forgotten the version: what happened since is not to be had any more.
    fn forgotten(&mut self, error: &Error) {
        tracing::debug!(operation = %error.operation, version = %self.version, "the watch's position expired, listing again");
        metrics::watch_restarted("expired");
        self.failures += 1;
        self.state = State::Unlisted;
    }

    /// An open stream ended before its time. Tries to open one are counted as the calls that they are, not here: a
    /// cluster that is away loses each watch once.
    fn lost(&mut self, error: Error) -> Error {
        metrics::watch_restarted(match error.kind {
            ErrorKind::Protocol | ErrorKind::TooLarge => "unreadable",
            _ if error.status.is_some() => "refused",
            _ => "disconnected",
        });
        self.failed(error)
    }

    fn failed(&mut self, error: Error) -> Error {
        self.failures += 1;
        self.asked = match error.kind {
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::NotFound => Some(self.limits.longest_pause),
            _ => error.retry_after,
        };
        let may_be_the_version =
            error.status.is_some() && matches!(error.kind, ErrorKind::Timeout | ErrorKind::Rejected);
        self.refusals = if may_be_the_version { self.refusals + 1 } else { 0 };
        let given_up = self.version.is_empty() || self.refusals >= MOST_REFUSALS;
        self.state = if given_up { State::Unlisted } else { State::Known };
        error
    }

    async fn pause(&mut self) {
        let asked = self.asked.take();
        if self.failures == 0 {
            return;
        }
        let doubled = self.limits.first_pause.saturating_mul(1 << (self.failures - 1).min(16));
        let pause = asked.unwrap_or_default().max(doubled.min(self.limits.longest_pause));
        tokio::time::sleep(pause / 2 + jitter(pause / 2)).await;
    }

    // Not `&self`: a body cannot be shared between threads.
    async fn open(&mut self) -> Result<Lines, Error> {
        let operation = format!("watch {}", address::spoken_collection(&self.kind, &self.namespace));
        let lasts = self.limits.lasts + jitter(self.limits.lasts);
        let target = format!(
            "{}?watch=true&allowWatchBookmarks=true&resourceVersion={}&timeoutSeconds={}",
            address::collection(&self.kind, &self.namespace),
            address::escape(&self.version),
            lasts.as_secs().max(1)
        );
        let body = self.cluster.open(&Call::get(&operation, target)).await?;
        let server = self.cluster.server().to_owned();
        Ok(Lines { operation, server, body, read: BytesMut::new(), searched: 0, opened: Instant::now() })
    }

    fn read(&mut self, line: &[u8]) -> Result<WatchEvent, Error> {
        let operation = || format!("watch {}", address::spoken_collection(&self.kind, &self.namespace));
        let strange = |what: &str| Error::new(ErrorKind::Protocol, operation(), format!("The stream holds {what}."));
        let line: Line = serde_json::from_slice(line).map_err(|_| strange("what is no event of a watch"))?;
        let event = match line.r#type.as_str() {
            "ADDED" | "MODIFIED" | "DELETED" => {
                let object = receive(&self.kind, line.object).ok_or_else(|| strange("an object without a name"))?;
                self.version.clone_from(&object.resource_version);
                if line.r#type == "DELETED" { WatchEvent::Deleted(object) } else { WatchEvent::Applied(object) }
            }
            "BOOKMARK" => {
                let marked: Marked =
                    serde_json::from_str(line.object.get()).map_err(|_| strange("a bookmark without a version"))?;
                let resource_version = marked.metadata.resource_version;
                self.version.clone_from(&resource_version);
                WatchEvent::Bookmark { resource_version }
            }
            "ERROR" => {
                let said: Status = serde_json::from_str(line.object.get()).unwrap_or_default();
                let code = match said.reason.as_str() {
                    "Expired" | "Gone" => 410,
                    _ => said.code,
                };
                let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                return Err(refusal(&operation(), status, &HeaderMap::new(), line.object.get().as_bytes()));
            }
            _ => return Err(strange("an event of an unknown type")),
        };
        self.refusals = 0;
        Ok(event)
    }
}

/// The lines of an open stream.
struct Lines {
    operation: String,
    server: String,
    body: Body,
    read: BytesMut,
    /// So many bytes of it hold no end of a line.
    searched: usize,
    opened: Instant,
}

impl Lines {
    /// The next line; `None` when the stream ended as it should.
    async fn next(&mut self) -> Result<Option<BytesMut>, Error> {
        loop {
            if let Some(end) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(self.searched + end);
                self.read.advance(1);
                self.searched = 0;
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.read.len();
            if self.searched > LARGEST_EVENT {
                let message = format!("An event is larger than {} MiB.", LARGEST_EVENT / 1024 / 1024);
                return Err(Error::new(ErrorKind::TooLarge, &self.operation, message));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            let frame = frame.map_err(|e| transport_fault(&self.operation, &self.server, &e))?;
            if let Ok(data) = frame.into_data() {
                self.read.extend_from_slice(&data);
            }
        }
    }
}
