//! A person without a browser: sends what Chromium would send for a click, and takes every address, method and hidden
//! field from the page that the server gave.
//!
//! Redirects are not followed by themselves: each answer is seen. Cookies are kept by hand, by a browser's rules. Every
//! exchange can be written down as it happens (see [`Log`]).

mod cookies;

use crate::exchange::{Exchange, Log, pairs};
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Form, Page};
use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use std::time::{Duration, Instant};
use url::Url;

pub use cookies::Cookie;
use cookies::Jar;

const CHROMIUM: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
/// How long an answer is waited for: longer than any page that a person would wait for.
const PATIENCE: Duration = Duration::from_secs(60);
const ACCEPT_PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// One user at one site, with a cookie jar. A clone is another tab that was opened just now.
#[derive(Clone)]
pub struct HttpUser {
    http: reqwest::Client,
    base: Url,
    jar: Jar,
    log: Option<Log>,
    agent: String,
}

impl HttpUser {
    /// A user who has never been at this site, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Taken<Self> {
        Self::build(base, Trust::System)
    }

    /// The same, who trusts this certificate authority and no other.
    pub fn trusting(base: &str, ca_certificate: &str) -> Taken<Self> {
        Self::build(base, Trust::Only(ca_certificate.to_owned()))
    }

    fn build(base: &str, trust: Trust) -> Taken<Self> {
        // Whoever has installed one before has installed the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let base = Url::parse(base).map_err(|_| Obstacle::input(format!("{base} is no address")))?;
        let mut http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).no_proxy();
        match trust {
            Trust::Only(pem) => {
                let authority = reqwest::Certificate::from_pem(pem.as_bytes());
                http = http.tls_certs_only([authority.map_err(|error| Obstacle::input(format!("the CA: {error}")))?]);
            }
            // Nobody needs the system's authorities for plain HTTP, and reading them takes a while.
            Trust::System if base.scheme() == "http" => http = http.tls_certs_only([]),
            Trust::System => {}
        }
        let http = http.build().map_err(|error| Obstacle::input(format!("HTTP cannot be set up: {error}")))?;
        Ok(Self { http, base, jar: Jar::default(), log: None, agent: CHROMIUM.to_owned() })
    }

    /// Writes every exchange down from now on.
    pub fn with_log(mut self, log: Log) -> Self {
        self.log = Some(log);
        self
    }

    /// Adds a word to what the client calls itself.
    pub fn called(mut self, name: &str) -> Self {
        self.agent = format!("{CHROMIUM} {name}");
        self
    }

    /// The address of the site.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Opens a page as by typing its address, or as by a link of this site: redirects are not followed.
    pub async fn get(&mut self, path: &str) -> Taken<Page> {
        let url = self.base.join(path).map_err(|_| Obstacle::input(format!("{path} is no address")))?;
        self.navigate(Method::GET, url, None, None).await
    }

    /// Opens a page and follows redirects, a few, as a browser does.
    pub async fn visit(&mut self, path: &str) -> Taken<Page> {
        let page = self.get(path).await?;
        self.arrive(page).await
    }

    /// Follows the redirects that an answer begins, and returns the page at their end.
    pub async fn arrive(&mut self, mut page: Page) -> Taken<Page> {
        for _ in 0..10 {
            if page.location().is_none() {
                return Ok(page);
            }
            page = self.follow(&page).await?;
        }
        Err(Obstacle::Unreadable(format!("ten redirects, and no end: {} {}", page.status, page.url)))
    }

    /// Follows the one redirect that an answer is.
    pub async fn follow(&mut self, page: &Page) -> Taken<Page> {
        let target = page
            .location()
            .ok_or_else(|| Obstacle::Unreadable(format!("{} of {} is no redirect", page.status, page.url)))?;
        let url = page.url.join(&target).map_err(|_| Obstacle::Unreadable(format!("{target} is no address")))?;
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Clicks a link.
    pub async fn click(&mut self, page: &Page, selector: &str) -> Taken<Page> {
        let target = page.attribute(selector, "href")?;
        let target = target.ok_or_else(|| Obstacle::unusable(format!("{selector} has no href")))?;
        self.follow_link(page, &target).await
    }

    /// Goes where a link of the page leads; redirects are not followed.
    pub async fn follow_link(&mut self, page: &Page, target: &str) -> Taken<Page> {
        let url = page.url.join(target).map_err(|_| Obstacle::Unreadable(format!("{target} is no address")))?;
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Fills a form of the page in and sends it. `selector` is of the form, or of the button in it that is pressed;
    /// see [`Form::set`] for the fields. The answer, most often a redirect, is returned as it is.
    pub async fn submit(&mut self, page: &Page, selector: &str, fields: &[(&str, &str)]) -> Taken<Page> {
        let mut form = page.form(selector)?;
        for (name, value) in fields {
            form.set(name, value)?;
        }
        self.send(page, &form).await
    }

    /// Sends a form.
    pub async fn send(&mut self, page: &Page, form: &Form) -> Taken<Page> {
        let mut url =
            page.url.join(&form.action).map_err(|_| Obstacle::Unreadable(format!("{} is no address", form.action)))?;
        let fields = form.fields();
        if form.method == Method::GET {
            url.query_pairs_mut().clear().extend_pairs(&fields);
            return self.navigate(Method::GET, url, None, Some(page)).await;
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        self.navigate(Method::POST, url, Some(body), Some(page)).await
    }

    /// Logs in by the form at `/login/` and proves it: a session cookie is there, and the page that follows names the
    /// user. Returns that page.
    pub async fn login(&mut self, username: &str, password: &str) -> Taken<Page> {
        let form = self.visit("/login/").await?;
        let fields = [("username", username), ("password", password)];
        let answer = self.submit(&form, "form:has([name=username])", &fields).await?;
        let said = answer.text("[role=alert]").unwrap_or_default();
        let refused = |why: String| Err(Obstacle::Unusable(why));
        if answer.location().is_none() {
            return refused(format!("the login was refused: {} {said}", answer.status));
        }
        let page = self.arrive(answer).await?;
        if self.jar.is_empty() {
            return refused("there is no cookie after the login".to_owned());
        }
        if page.status != 200 || page.url.path().starts_with("/login") {
            return refused(format!("after the login, {} answers {}", page.url, page.status));
        }
        if !page.visible_text().contains(username) {
            return refused(format!("the page {} does not name {username}", page.url));
        }
        Ok(page)
    }

    /// Asks as a script of this site's does: fetch metadata of a fetch, JSON accepted, cookies sent, and the headers
    /// given. A body is JSON unless a content type is among them.
    pub async fn script(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Taken<Page> {
        let method: Method = method.parse().map_err(|_| Obstacle::input(format!("{method} is no HTTP method")))?;
        let url = self.base.join(path).map_err(|_| Obstacle::input(format!("{path} is no address")))?;
        let mut all = HeaderMap::new();
        all.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        insert(
            &mut all,
            &[("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        )?;
        if method != Method::GET && method != Method::HEAD {
            insert(&mut all, &[("origin", &self.base.origin().ascii_serialization())])?;
        }
        insert(&mut all, &[("referer", self.base.as_str())])?;
        if body.is_some() {
            insert(&mut all, &[("content-type", "application/json")])?;
        }
        insert(&mut all, headers)?;
        self.exchange(method, url, all, body.map(str::to_owned)).await
    }

    /// Fetches what a page loads besides itself: a style sheet (`style`), a script (`script`), a picture (`image`).
    pub async fn asset(&mut self, page: &Page, address: &str, destination: &str) -> Taken<Page> {
        let url = page.url.join(address).map_err(|_| Obstacle::Unreadable(format!("{address} is no address")))?;
        let mut headers = HeaderMap::new();
        let accept = if destination == "style" { "text/css,*/*;q=0.1" } else { "*/*" };
        // Modules are fetched as of another site: with CORS.
        let mode = if destination == "script" { "cors" } else { "no-cors" };
        let site = if page.url.origin() == url.origin() { "same-origin" } else { "cross-site" };
        insert(&mut headers, &[("accept", accept), ("sec-fetch-dest", destination), ("sec-fetch-mode", mode)])?;
        insert(&mut headers, &[("sec-fetch-site", site), ("referer", page.url.as_str())])?;
        self.exchange(Method::GET, url, headers, None).await
    }

    /// The cookies of this site.
    pub fn cookies(&self) -> &[Cookie] {
        self.jar.all()
    }

    /// Puts a cookie back that was taken out before, attributes and all.
    pub fn restore(&mut self, cookie: Cookie) {
        self.jar.put(cookie);
    }

    /// Puts a cookie into the jar, or takes it out with `None`.
    pub fn set_cookie(&mut self, name: &str, value: Option<&str>) {
        self.jar.set(name, value);
    }

    /// What a browser sends for a navigation: from the address bar without `from`, else from that page.
    async fn navigate(&mut self, method: Method, url: Url, body: Option<String>, from: Option<&Page>) -> Taken<Page> {
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

    async fn exchange(
        &mut self,
        method: Method,
        url: Url,
        mut headers: HeaderMap,
        body: Option<String>,
    ) -> Taken<Page> {
        if let Some(log) = &self.log {
            log.spend()?;
        }
        let agent = self.agent.clone();
        insert(&mut headers, &[("user-agent", &agent)])?;
        if let Some(cookies) = self.jar.header(&url) {
            insert(&mut headers, &[("cookie", &cookies)])?;
        }
        let asked = format!("{method} {url}");
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
        let mut request = self.http.request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let answered = async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
        }
        .await;
        written.ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, headers, body) = match answered {
            Ok(answered) => answered,
            Err(error) => {
                let (why, timed_out) = (root_of(&error), error.is_timeout());
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
        for cookie in headers.get_all(header::SET_COOKIE) {
            let refused = |why: String| Obstacle::Cookie { asked: asked.clone(), why };
            let cookie = cookie.to_str().map_err(|_| refused("it is no text".to_owned()))?;
            self.jar.take(&url, cookie).map_err(refused)?;
        }
        Ok(Page { status, url, headers, body: text })
    }

    fn write(&self, exchange: Exchange) {
        if let Some(log) = &self.log {
            log.add(exchange);
        }
    }
}

/// Whose certificates count.
enum Trust {
    System,
    Only(String),
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
fn root_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("nothing came within {} s", PATIENCE.as_secs());
    }
    let mut deepest: &dyn std::error::Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// Sets headers, replacing those of the same name.
fn insert(headers: &mut HeaderMap, pairs: &[(&str, &str)]) -> Taken<()> {
    for (name, value) in pairs {
        let no_text = || Obstacle::input(format!("the value of the header {name} is no text"));
        let value = HeaderValue::from_str(value).map_err(|_| no_text())?;
        let header: HeaderName = name.parse().map_err(|_| Obstacle::input(format!("{name} is no header")))?;
        headers.insert(header, value);
    }
    Ok(())
}
