//! Who walks the path: a client that does what a browser does without running scripts, or a real browser. A journey
//! speaks to either in the same words, and cannot tell what the product is called.

pub mod http;
pub mod webdriver;

use crate::exchange::Exchange;
use crate::http::Cookie;
use crate::obstacle::Taken;
use crate::page::{Found, Page};
use crate::results::ConsoleLine;
use async_trait::async_trait;
use serde_json::Value;
use url::Url;

/// A request as a page's own script would make it.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// HTTP method.
    pub method: String,
    /// The address, as it stands in the page.
    pub address: String,
    /// Headers beside those that a browser sends by itself.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
}

impl Ask {
    /// Reads data.
    pub fn get(address: &str) -> Self {
        Self { method: "GET".into(), address: address.into(), ..Self::default() }
    }

    /// Sends an empty JSON object.
    pub fn post(address: &str) -> Self {
        Self { method: "POST".into(), address: address.into(), body: Some("{}".into()), ..Self::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// A form that somebody else's page sends to the target.
#[derive(Debug, Clone)]
pub struct Forgery {
    /// The address that it is sent to.
    pub address: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// What a driver saw since it was last asked.
#[derive(Debug, Default)]
pub struct Seen {
    /// The requests, redacted.
    pub exchanges: Vec<Exchange>,
    /// The lines of the console.
    pub console: Vec<ConsoleLine>,
    /// A picture of the window, PNG.
    pub screenshot: Option<Vec<u8>>,
    /// The accessible tree.
    pub tree: Option<Value>,
}

/// One window of one person. Dropped, it is closed.
#[async_trait]
pub trait Driver: Send {
    /// `http`, `chromium`, `firefox`.
    fn name(&self) -> &'static str;

    /// Whether it runs the scripts of pages.
    fn runs_scripts(&self) -> bool;

    /// From now on the target is at this address: it led there by itself.
    fn settle(&mut self, base: &Url);

    /// Opens an address as by typing it, and follows redirects. The page is the last.
    async fn open(&mut self, address: &str) -> Taken<Page>;

    /// The page as it is now, without asking for it again.
    async fn look(&mut self) -> Taken<Page>;

    /// Puts a value into a field, as typing does.
    async fn fill(&mut self, field: &Found, value: &str) -> Taken<()>;

    /// Presses a control, as a click does. The page is the one after it: where a script answers in place, the same one.
    async fn press(&mut self, control: &Found) -> Taken<Page>;

    /// Presses it twice, the second time before anything can have come of the first.
    async fn press_twice(&mut self, control: &Found) -> Taken<Page>;

    /// Asks as a script of the page does. Redirects are followed as `fetch` follows them.
    async fn ask(&mut self, ask: &Ask) -> Taken<Page>;

    /// Sends a form from a page of another site.
    async fn forge(&mut self, forgery: &Forgery) -> Taken<Page>;

    /// The cookies that this window has for the target.
    async fn cookies(&mut self) -> Taken<Vec<Cookie>>;

    /// Puts cookies back that were there before: somebody who kept a copy of them.
    async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()>;

    /// Forgets the cookies, as a browser that was closed does.
    async fn forget(&mut self) -> Taken<()>;

    /// What was seen since the last call; with a picture of the window where that is asked for and there is a window.
    async fn seen(&mut self, picture: bool) -> Taken<Seen>;

    /// Makes the window a new person's, who has never been there: no cookies, nothing stored, no page.
    async fn renew(&mut self) -> Taken<()>;
}
