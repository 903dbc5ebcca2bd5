//! What a browser sends, whoever tells of it: counted against the budget as it begins, written down, redacted, as it
//! ends. Knows what is still under way, and what the answer of the page in the window was.

use crate::exchange::{Exchange, Log};
use crate::obstacle::{Obstacle, Taken};
use jiff::Timestamp;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// After how long what is still under way is written down as not answered.
const SLOW: Duration = Duration::from_secs(10);
/// Bodies beyond this are not fetched from the browser.
pub(super) const BODY: u64 = 4 * 1024 * 1024;
/// Scripts beyond this are not kept: they are what everybody gets.
pub(super) const SCRIPT: u64 = 64 * 1024;

/// Headers as pairs of text.
pub(super) type Headers = Vec<(String, String)>;

/// The answer that the page in the window came with.
#[derive(Debug, Clone, Default)]
pub(super) struct Document {
    pub url: String,
    pub status: u16,
    pub headers: Headers,
    /// Why there was none.
    pub error: Option<String>,
    /// Its body, where the window does not show it.
    pub body: Option<String>,
}

/// Whether the window shows what is answered so: no page comes of a download, nor of no content.
pub(super) fn is_shown(exchange: &Exchange) -> bool {
    let is_download = exchange.response_headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-disposition") && value.trim_start().starts_with("attachment")
    });
    !is_download && ![204, 205].contains(&exchange.status)
}

/// What is under way since a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Flying {
    Nothing,
    Request,
    Page,
}

struct Flight {
    number: u64,
    is_page: bool,
    /// Whether it has an end: a stream of events has none.
    ends: bool,
    since: Instant,
    written: Option<Exchange>,
    /// Why it should not have been sent. What comes out of the browser's cache is not.
    over: Option<Obstacle>,
}

/// The traffic of one window.
pub(super) struct Traffic {
    log: Log,
    flights: HashMap<String, Flight>,
    count: u64,
    over: Option<Obstacle>,
    document: Option<Document>,
    /// The last answer to the window that it does not show.
    aside: Option<Document>,
    /// The attributes of cookies as the server wrote them, by name.
    cookies: HashMap<String, Vec<String>>,
}

impl Traffic {
    pub(super) fn new(log: Log) -> Self {
        let (flights, cookies) = (HashMap::new(), HashMap::new());
        Self { log, flights, count: 0, over: None, document: None, aside: None, cookies }
    }

    /// Whether more may be sent.
    pub(super) fn allowed(&self) -> Taken<()> {
        self.over.clone().map_or(Ok(()), Err)
    }

    /// A request began. The exchange is what is written if no answer ever comes.
    pub(super) fn begin(&mut self, key: &str, exchange: Exchange, is_page: bool, ends: bool) {
        // A redirect comes under the name of the request that it answers.
        let before = self.flights.get(key).and_then(|flight| flight.over.clone());
        let over = before.or(self.log.spend().err());
        self.count += 1;
        let ends = ends && !is_stream(&exchange.request_headers, "accept");
        let flight = Flight { number: self.count, is_page, ends, since: Instant::now(), written: Some(exchange), over };
        self.flights.insert(key.to_owned(), flight);
    }

    /// It ended; whether it still is to be written down. What came out of the browser's cache was not sent, and does not
    /// count.
    pub(super) fn end(&mut self, key: &str, from_cache: bool) -> bool {
        let Some(flight) = self.flights.remove(key) else { return false };
        match flight.over {
            None if from_cache => self.log.unspend(),
            Some(over) if !from_cache => self.over = Some(over),
            _ => {}
        }
        flight.written.is_some()
    }

    /// Writes an exchange down. That of a page is remembered as the window's.
    pub(super) fn write(&mut self, exchange: Exchange, is_page: bool) {
        for (name, value) in &exchange.response_headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let mut parts = value.split(';').map(|part| part.trim().to_owned());
                let cookie = parts.next().unwrap_or_default();
                let cookie = cookie.split('=').next().unwrap_or_default().to_owned();
                self.cookies.insert(cookie, parts.collect());
            }
        }
        let is_aborted = exchange.error.as_ref().is_some_and(|error| error.contains("ABORTED"));
        if is_page && !is_aborted {
            let shown = is_shown(&exchange);
            let document = Document {
                url: exchange.url.clone(),
                status: exchange.status,
                headers: exchange.response_headers.clone(),
                error: exchange.error.clone(),
                body: exchange.response_body.clone().filter(|_| !shown),
            };
            *(if shown { &mut self.document } else { &mut self.aside }) = Some(document);
        }
        self.log.add(exchange);
    }

    /// A moment, to ask later what began since.
    pub(super) fn mark(&self) -> u64 {
        self.count
    }

    /// What began since the moment and is still under way.
    pub(super) fn flying(&self, since: u64) -> Flying {
        let flying = self.flights.values().filter(|flight| flight.number > since && flight.ends);
        flying
            .map(|flight| if flight.is_page { Flying::Page } else { Flying::Request })
            .max()
            .unwrap_or(Flying::Nothing)
    }

    /// Takes out what was written down; what is under way for long, or without an end, is written first.
    pub(super) fn take(&mut self) -> Vec<Exchange> {
        let mut late = Vec::new();
        for flight in self.flights.values_mut() {
            if flight.since.elapsed() > SLOW || !flight.ends {
                self.over = self.over.take().or(flight.over.take());
                late.extend(flight.written.take().map(|exchange| (exchange, flight.since.elapsed(), flight.ends)));
            }
        }
        for (mut exchange, elapsed, ends) in late {
            exchange.ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
            if ends {
                exchange.error = Some(format!("no answer within {} s", elapsed.as_secs()));
            }
            self.log.add(exchange);
        }
        let mut taken = self.log.take();
        taken.sort_by_key(|exchange| exchange.started);
        taken
    }

    /// Changes what is written of a request that has no end: its answer has begun.
    pub(super) fn update(&mut self, key: &str, exchange: Exchange) {
        if let Some(flight) = self.flights.get_mut(key).filter(|flight| flight.written.is_some()) {
            flight.ends &= !is_stream(&exchange.response_headers, "content-type");
            flight.written = Some(exchange);
        }
    }

    pub(super) fn document(&self) -> Option<&Document> {
        self.document.as_ref()
    }

    /// An attribute of a cookie as the server wrote it: `None` when it was never seen being set.
    pub(super) fn cookie_attribute(&self, name: &str, attribute: &str) -> Option<Option<String>> {
        let attributes = self.cookies.get(name)?;
        Some(attributes.iter().find_map(|one| {
            let (found, value) = one.split_once('=').unwrap_or((one, ""));
            found.eq_ignore_ascii_case(attribute).then(|| value.to_owned())
        }))
    }

    /// Takes out the last answer that the window does not show.
    pub(super) fn take_aside(&mut self) -> Option<Document> {
        self.aside.take()
    }

    /// The window is another now.
    pub(super) fn forget_document(&mut self) {
        self.document = None;
    }

    pub(super) fn log(&self) -> &Log {
        &self.log
    }
}

/// Whether a header says that it is a stream of events, which has no end.
fn is_stream(headers: &Headers, name: &str) -> bool {
    headers.iter().any(|(found, value)| found.eq_ignore_ascii_case(name) && value.contains("text/event-stream"))
}

/// A moment that a browser wrote as seconds or milliseconds since 1970.
pub(super) fn moment(milliseconds: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "a time of this century has room")]
    Timestamp::from_microsecond((milliseconds * 1000.0) as i64).unwrap_or_else(|_| Timestamp::now())
}

/// The time between two moments in milliseconds, whole.
pub(super) fn between(from: f64, until: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is neither negative nor long")]
    let whole = (until - from).max(0.0) as u64;
    whole
}

/// Whether it goes over the network.
pub(super) fn is_http(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}
