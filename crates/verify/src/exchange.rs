//! A request and its answer, as they are written down: redacted at this place, before anything is kept, so that no
//! secret is ever in the memory of what becomes evidence.

use crate::obstacle::{Obstacle, Taken};
use crate::redact::Redactor;
use jiff::Timestamp;
use reqwest::header::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How much of a body is kept, in bytes.
pub const KEPT_BODY: usize = 32 * 1024;

/// One request with its answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Exchange {
    /// When it was sent.
    pub started: Timestamp,
    /// How long it took until the whole answer was there, or until it was given up, in milliseconds.
    pub ms: u64,
    /// HTTP method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// What it was for: `document`, `script`, `fetch`, `stylesheet` and so on.
    pub kind: String,
    /// Headers of the request, redacted.
    pub request_headers: Vec<(String, String)>,
    /// Body of the request, redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// Headers of the answer, redacted.
    pub response_headers: Vec<(String, String)>,
    /// Body of the answer, redacted, at most its first 32 KiB; of scripts and style sheets the first 512 bytes; in a
    /// written folder the first 4 KiB in steps that show no failure. What is left out is counted at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    /// How long the answer's body was, in bytes.
    pub response_bytes: u64,
    /// The browser took the answer out of its own cache, and sent nothing. The body of a script is told where it came first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_cache: bool,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// A style sheet, script or picture that was answered as before: headers and body stand there, not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_in: Option<Place>,
    /// The body of the answer was the same as there, and stands there, not here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_as_in: Option<Place>,
}

/// Where an exchange stands in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The step's number.
    pub step: usize,
    /// Which of its exchanges, from 0.
    pub request: usize,
}

impl Exchange {
    /// Whether it changes something by HTTP's rules.
    pub fn is_write(&self) -> bool {
        !["GET", "HEAD", "OPTIONS"].contains(&self.method.as_str())
    }

    /// Whether a page asked for it in order to be shown: a style sheet, a script, a picture.
    pub fn is_asset(&self) -> bool {
        ["stylesheet", "script", "image", "font", "media"].contains(&self.kind.as_str())
    }

    /// The path of its address, with the query.
    pub fn path(&self) -> String {
        let parsed = url::Url::parse(&self.url);
        parsed.map_or_else(
            |_| self.url.clone(),
            |url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        )
    }
}

/// Headers as pairs of text.
pub fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// How many requests a run may send, and how many it has sent. Clones count together.
#[derive(Debug, Clone)]
pub struct Budget {
    sent: Arc<AtomicU64>,
    most: u64,
}

impl Budget {
    /// So many requests may be sent.
    pub fn new(most: u64) -> Self {
        Self { sent: Arc::default(), most }
    }

    /// How many were sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Counts one more, which must still be allowed.
    pub fn spend(&self) -> Taken<()> {
        let one_more = |sent| (sent < self.most).then_some(sent + 1);
        if self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok() {
            return Ok(());
        }
        Err(Obstacle::Budget(format!("the run has sent {} requests, and may send no more", self.most)))
    }

    /// Takes one back that was counted and then not sent.
    fn unspend(&self) {
        let one_less = |sent: u64| sent.checked_sub(1);
        // Only what was counted before is taken back.
        let _ = self.sent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }
}

/// Where exchanges are written down. Clones write into the same.
#[derive(Debug, Clone)]
pub struct Log {
    kept: Arc<Mutex<Vec<Exchange>>>,
    redactor: Redactor,
    budget: Budget,
}

impl Log {
    /// An empty one, which redacts by these rules and counts into this budget.
    pub fn new(redactor: Redactor, budget: Budget) -> Self {
        Self { kept: Arc::default(), redactor, budget }
    }

    /// Counts a request, which must still be allowed.
    pub fn spend(&self) -> Taken<()> {
        self.budget.spend()
    }

    /// Takes back one that was counted, and then came out of a cache.
    pub fn unspend(&self) {
        self.budget.unspend();
    }

    /// Writes one down. It is redacted here.
    pub fn add(&self, mut exchange: Exchange) {
        self.redactor.exchange(&mut exchange);
        self.lock().push(exchange);
    }

    /// Takes out what was written down since the last call.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut self.lock())
    }

    /// What hides secrets.
    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
