//! One request and its answer: the headers that a browser sends, the answer as far as it is read, both written down.

use super::HttpUser;
use super::cache::Known;
use super::proxy::Proxies;
use crate::exchange::{Exchange, pairs};
use crate::obstacle::{Obstacle, Taken};
use crate::page::Page;
use crate::trust;
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, Instant};
use url::Url;

const ACCEPT_PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
/// More than the longest page; what a target offers for download may be longer, and is not read to its end.
const MOST_BYTES: usize = 16 << 20;

/// A client that follows no redirects, trusts these certificates or those of the system, and goes through these proxies.
pub(crate) fn client(ca: Option<&str>, proxies: Proxies) -> Taken<reqwest::ClientBuilder> {
    let config = trust::client_config(ca).map_err(|why| Obstacle::input(format!("the CA: {why}")))?;
    let http = reqwest::Client::builder().tls_backend_preconfigured(config);
    let http = http.redirect(reqwest::redirect::Policy::none()).no_proxy();
    Ok(if proxies.is_empty() { http } else { http.proxy(reqwest::Proxy::custom(move |url| proxies.of(url))) })
}

impl HttpUser {
    /// What a browser sends for a navigation: from the address bar without `from`, else from that page.
    pub(super) async fn navigate(
        &mut self,
        method: Method,
        url: Url,
        body: Option<String>,
        from: Option<&Page>,
    ) -> Taken<Page> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPT_PAGE));
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en-GB,en;q=0.9"));
        insert(&mut headers, &[("upgrade-insecure-requests", "1"), ("sec-fetch-user", "?1")])?;
        insert(&mut headers, &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")])?;
        let same_origin = from.is_some_and(|page| page.url.origin() == url.origin());
        let site = if from.is_none() {
            "none"
        } else if same_origin {
            "same-origin"
        } else {
            "cross-site"
        };
        insert(&mut headers, &[("sec-fetch-site", site)])?;
        // A page that forbids the referrer gets an opaque origin, too: forms of such pages are "from nowhere".
        let silent = from.is_some_and(|page| page.header("referrer-policy").as_deref() == Some("no-referrer"));
        if let Some(page) = from.filter(|_| !silent) {
            let mut referrer = page.url.clone();
            referrer.set_fragment(None);
            let referrer =
                if same_origin { referrer.into() } else { format!("{}/", referrer.origin().ascii_serialization()) };
            insert(&mut headers, &[("referer", &referrer)])?;
        }
        if method == Method::POST {
            let origin = from.filter(|_| !silent).map(|page| page.url.origin().ascii_serialization());
            insert(&mut headers, &[("origin", origin.as_deref().unwrap_or("null"))])?;
            insert(&mut headers, &[("content-type", "application/x-www-form-urlencoded")])?;
        }
        self.exchange(method, url, headers, body).await
    }

    pub(super) async fn exchange(
        &mut self,
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        body: Option<String>,
    ) -> Taken<Page> {
        let agent = self.agent.clone();
        insert(&mut headers, &[("user-agent", &agent)])?;
        if let Some(cookies) = self.jar.header(&url) {
            insert(&mut headers, &[("cookie", &cookies)])?;
        }
        let asked_with = if self.cache.is_some() { headers.clone() } else { HeaderMap::new() };
        let known = match &self.cache {
            Some(cache) if method == Method::GET => cache.look(&url, &headers),
            _ => Known::Nothing,
        };
        let is_conditional = matches!(known, Known::Ask(_));
        if let Known::Ask(conditional) = &known {
            headers.clone_from(conditional);
        }
        // It stands in sentences: without what its query may hold.
        let asked = self.hidden(&format!("{method} {url}"));
        let started = Timestamp::now();
        let clock = Instant::now();
        let mut written = Exchange {
            started,
            method: method.to_string(),
            url: url.to_string(),
            kind: kind_of(&headers).to_owned(),
            request_headers: pairs(&headers),
            request_body: body.clone(),
            ..Exchange::default()
        };
        if let Known::Answer(page) = known {
            (written.status, written.from_cache) = (page.status, true);
            written.response_headers = pairs(&page.headers);
            written.response_bytes = page.body.len() as u64;
            written.response_body = Some(page.body.clone());
            self.write(written);
            return Ok(*page);
        }
        if let Some(log) = &self.log {
            log.spend()?;
        }
        let patience = self.patience;
        let mut request = self.http.request(method.clone(), url.clone()).headers(headers).timeout(patience);
        if let Some(body) = body {
            request = request.body(body);
        }
        let answered = async {
            let mut response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let (mut body, mut is_whole) = (Vec::new(), true);
            while let Some(piece) = response.chunk().await? {
                if body.len() + piece.len() > MOST_BYTES {
                    is_whole = false;
                    break;
                }
                body.extend_from_slice(&piece);
            }
            Ok::<_, reqwest::Error>((status, headers, body, is_whole))
        }
        .await;
        written.ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, headers, body, is_whole) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                let (why, timed_out) = (root_of(&error, patience), error.is_timeout());
                written.error = Some(why.clone());
                self.write(written);
                return Err(Obstacle::NoAnswer { asked, why, timed_out });
            }
        };
        let text = String::from_utf8_lossy(&body).into_owned();
        written.status = status;
        written.response_headers = pairs(&headers);
        written.response_bytes = body.len() as u64;
        written.response_body = Some(text.clone());
        self.write(written);
        if !is_whole {
            let most = MOST_BYTES >> 20;
            // The target may be right to send it: that is nothing to condemn it for.
            return Err(Obstacle::Budget(format!(
                "{asked}: the answer is larger than {most} MiB, and is not read further"
            )));
        }
        for cookie in headers.get_all(header::SET_COOKIE) {
            let refused = |why: String| Obstacle::Cookie { asked: asked.clone(), why };
            let taken = cookie.to_str().map_err(|_| "it is no text".to_owned());
            let taken = taken.and_then(|cookie| self.jar.take(&url, cookie));
            // What another site's cookies are like is no defect of this one.
            if url.host() == self.base.host() {
                taken.map_err(refused)?;
            }
        }
        let page = Page { status, url, headers, body: text };
        let same = self.cache.as_mut().and_then(|cache| cache.take(&method, &asked_with, is_conditional, &page));
        Ok(same.unwrap_or(page))
    }

    /// A text of which a sentence may be made.
    fn hidden(&self, text: &str) -> String {
        self.log.as_ref().map_or_else(|| text.to_owned(), |log| log.redactor().text(text))
    }

    fn write(&self, exchange: Exchange) {
        if let Some(log) = &self.log {
            log.add(exchange);
        }
    }
}

/// What a request is for, in the words of a browser's network log.
fn kind_of(headers: &HeaderMap) -> &'static str {
    match headers.get("sec-fetch-dest").map(HeaderValue::as_bytes) {
        Some(b"document") => "document",
        Some(b"style") => "stylesheet",
        Some(b"script") => "script",
        Some(b"image") => "image",
        _ => "fetch",
    }
}

/// The deepest reason of an error: "connection refused" rather than "error sending request".
fn root_of(error: &reqwest::Error, patience: Duration) -> String {
    if error.is_timeout() {
        return format!("nothing came within {} s", patience.as_secs());
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let why = deepest.to_string();
    if why.contains("invalid peer certificate") { format!("{why}; --ca FILE says what to trust") } else { why }
}

/// Sets headers, replacing those of the same name.
pub(super) fn insert(headers: &mut HeaderMap, pairs: &[(&str, &str)]) -> Taken<()> {
    for (name, value) in pairs {
        let no_text = || Obstacle::input(format!("the value of the header {name} is no text"));
        let value = HeaderValue::from_str(value).map_err(|_| no_text())?;
        let header: HeaderName = name.parse().map_err(|_| Obstacle::input(format!("{name} is no header")))?;
        headers.insert(header, value);
    }
    Ok(())
}
