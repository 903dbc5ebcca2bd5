//! The one window of a browser: what it shows, what it has asked for, and whether it has come to rest.

use super::bidi::Bidi;
use super::capabilities::PAGE_LOAD;
use super::network::{Network, WITHOUT_BODY};
use super::traffic::{Document, Flying, Headers, Traffic};
use super::wire::{Refusal, Wire};
use crate::obstacle::{Obstacle, Taken};
use crate::page::Page;
use crate::results::ConsoleLine;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use url::Url;

/// How long a page may stay quiet until it counts as come to rest.
const QUIET: Duration = Duration::from_millis(250);
/// How long a page is waited for that does not react, or does not come to rest.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);
/// How often it is looked at.
pub(super) const BETWEEN: Duration = Duration::from_millis(40);

/// How often an address is opened again, where each time a page that loads itself again came between.
const CROSSINGS: usize = 3;

/// Who tells what the browser does.
pub(super) enum Watch {
    Chromium(Network),
    Firefox(Bidi),
}

/// A window.
pub(super) struct Window {
    pub wire: Wire,
    pub watch: Watch,
    pub traffic: Traffic,
    pub base: Url,
}

/// What a press is measured against.
pub(super) struct Before {
    state: Option<Value>,
    mark: u64,
    windows: usize,
}

impl Window {
    /// Reads what the browser did since the last call.
    pub(super) async fn drain(&mut self) -> Taken<()> {
        match &mut self.watch {
            Watch::Chromium(network) => Ok(network.drain(&self.wire, &mut self.traffic).await?),
            Watch::Firefox(bidi) => bidi.drain(&mut self.traffic).await,
        }
    }

    /// An address, as it stands in a page or as it is typed.
    pub(super) fn join(&self, address: &str) -> Taken<Url> {
        self.base.join(address).map_err(|_| Obstacle::input(format!("{address} is no address")))
    }

    /// Opens an address as by typing it.
    pub(super) async fn open(&mut self, address: &str) -> Taken<Page> {
        self.traffic.allowed()?;
        let url = self.join(address)?;
        self.traffic.take_aside();
        let mut crossed = 0;
        loop {
            let went = match &mut self.watch {
                Watch::Firefox(bidi) => bidi.open(url.as_str()).await,
                Watch::Chromium(_) => match self.wire.post("/url", &json!({"url": url.as_str()})).await {
                    // An answer all the same: Chromium puts a page of its own where an error comes without a body.
                    Err(refusal) if !refusal.message.contains(WITHOUT_BODY) => {
                        Err(refusal.of_step(&format!("GET {url}")))
                    }
                    _ => Ok(()),
                },
            };
            self.drain().await?;
            if let Some(aside) = self.traffic.take_aside() {
                return instead(Some(&aside), "no page");
            }
            match went {
                // The page that is left went somewhere by itself in the same moment: one of the two was given up.
                Err(obstacle) if is_crossed(&obstacle) && crossed < CROSSINGS => crossed += 1,
                went => break went?,
            }
        }
        self.page().await
    }

    /// The page as it is now.
    pub(super) async fn page(&mut self) -> Taken<Page> {
        let told = self.steady(include_str!("scripts/page.js"), json!([])).await?;
        self.drain().await?;
        let text = |name: &str| told[name].as_str().unwrap_or_default();
        let document = self.traffic.document();
        if ["chrome-error:", "about:neterror", "about:certerror"].iter().any(|error| text("uri").starts_with(error)) {
            return instead(document, text("uri"));
        }
        let url =
            Url::parse(text("url")).map_err(|_| Obstacle::Unreadable(format!("{} is no address", text("url"))))?;
        let from_network = document.filter(|document| document.error.is_none() && url.scheme().starts_with("http"));
        let mut headers = from_network.map(|document| header_map(&document.headers)).unwrap_or_default();
        if let (false, Ok(media)) = (headers.contains_key(CONTENT_TYPE), HeaderValue::from_str(text("type"))) {
            headers.insert(CONTENT_TYPE, media);
        }
        let timed = told["status"].as_u64().and_then(|status| u16::try_from(status).ok()).filter(|status| *status > 0);
        let status = timed.or(from_network.map(|document| document.status)).unwrap_or_default();
        Ok(Page { status, url, headers, body: text("body").to_owned() })
    }

    /// Runs a script of ours; again, if the page was just leaving.
    pub(super) async fn steady(&self, script: &str, arguments: Value) -> Result<Value, Refusal> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.wire.run(script, arguments.clone()).await {
                Err(refusal) if refusal.is_passing() && Instant::now() < until => tokio::time::sleep(BETWEEN).await,
                done => return done,
            }
        }
    }

    /// What shows whether a page has reacted; nothing while it is leaving.
    async fn state(&self) -> Taken<Option<Value>> {
        match self.wire.run(include_str!("scripts/state.js"), json!([])).await {
            Ok(state) => Ok(Some(state)),
            Err(refusal) if refusal.is_passing() => Ok(None),
            Err(refusal) => Err(refusal.of_step("the page after the press")),
        }
    }

    async fn windows(&self) -> Taken<Vec<Value>> {
        Ok(self.wire.get("/window/handles").await?.as_array().cloned().unwrap_or_default())
    }

    /// How things stand before a press.
    pub(super) async fn before(&mut self) -> Taken<Before> {
        self.traffic.allowed()?;
        self.drain().await?;
        let state = self.state().await?;
        Ok(Before { state, mark: self.traffic.mark(), windows: self.windows().await?.len() })
    }

    /// Waits until the page has reacted and come to rest; for one that does neither, a while. What a press has begun to
    /// load is waited for until it is there.
    pub(super) async fn settle(&mut self, before: Before) -> Taken<Page> {
        let begun = Instant::now();
        let (mut last, mut reacted, mut quiet_since) = (before.state, false, Instant::now());
        loop {
            let now = self.state().await?;
            self.drain().await?;
            let flying = self.traffic.flying(before.mark);
            if now != last {
                (reacted, quiet_since, last) = (true, Instant::now(), now);
            }
            let is_still = last.as_ref().is_some_and(|state| state["ready"] == true && state["busy"] == false);
            if !is_still || flying > Flying::Nothing {
                quiet_since = Instant::now();
            }
            let patience = if flying == Flying::Page { Duration::from_millis(PAGE_LOAD) } else { PATIENCE };
            if !reacted && self.follow_window(before.windows).await? {
                break;
            }
            if reacted && quiet_since.elapsed() >= QUIET || begun.elapsed() >= patience {
                break;
            }
            tokio::time::sleep(BETWEEN).await;
        }
        self.page().await
    }

    /// Goes where a press has opened another window, if it has.
    async fn follow_window(&mut self, before: usize) -> Taken<bool> {
        let windows = self.windows().await?;
        let Some(newest) = windows.last().and_then(Value::as_str).filter(|_| windows.len() > before) else {
            return Ok(false);
        };
        self.wire.post("/window", &json!({"handle": newest})).await?;
        self.traffic.forget_document();
        match &mut self.watch {
            Watch::Chromium(network) => network.look_at(newest),
            Watch::Firefox(bidi) => bidi.look_at(newest),
        }
        let until = Instant::now() + PATIENCE;
        let is_there = "return document.readyState === 'complete' && location.protocol !== 'about:'";
        while Instant::now() < until && self.steady(is_there, json!([])).await? != true {
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(true)
    }

    /// The lines of the console since the last call.
    pub(super) async fn console(&mut self) -> Taken<Vec<ConsoleLine>> {
        let lines = match &mut self.watch {
            Watch::Firefox(bidi) => bidi.console(),
            Watch::Chromium(_) => {
                let entries = self.wire.post("/se/log", &json!({"type": "browser"})).await?;
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let entries = entries.as_array().cloned().unwrap_or_default();
                entries
                    .iter()
                    .map(|one| ConsoleLine { level: text(&one["level"]), text: text(&one["message"]) })
                    .collect()
            }
        };
        let redactor = self.traffic.log().redactor();
        Ok(lines.into_iter().map(|line| ConsoleLine { text: redactor.text(&line.text), ..line }).collect())
    }

    /// Whether the window shows a page of the target.
    pub(super) async fn is_at_target(&self) -> Taken<bool> {
        let url = self.wire.get("/url").await?;
        let url = url.as_str().and_then(|url| Url::parse(url).ok());
        Ok(url.is_some_and(|url| url.origin() == self.base.origin()))
    }
}

/// Whether Firefox gave up what was opened, because the page before it was just going somewhere by itself.
fn is_crossed(obstacle: &Obstacle) -> bool {
    matches!(obstacle, Obstacle::NoAnswer { why, .. } if why == "NS_BINDING_ABORTED")
}

/// What there is where the browser shows an error of its own: an answer without a body, or none.
fn instead(document: Option<&Document>, uri: &str) -> Taken<Page> {
    let no_answer = |asked: String, why: &str| Obstacle::NoAnswer { asked, why: why.to_owned(), timed_out: false };
    let Some(document) = document else { return Err(no_answer("the page".to_owned(), uri)) };
    let asked = format!("GET {}", document.url);
    let url = Url::parse(&document.url).ok().filter(|_| document.status > 0 && document.error.is_none());
    let url = url.ok_or_else(|| no_answer(asked, document.error.as_deref().unwrap_or(uri)))?;
    Ok(Page {
        status: document.status,
        url,
        headers: header_map(&document.headers),
        body: document.body.clone().unwrap_or_default(),
    })
}

/// Headers as a page has them.
pub(super) fn header_map(pairs: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in pairs {
        let name = HeaderName::try_from(name.to_ascii_lowercase());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    }
    map
}
