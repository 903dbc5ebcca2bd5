//! A person without a browser: sends what Chromium would send for a click, and takes every address, method and hidden
//! field from the page that the server gave.
//!
//! Redirects are not followed by themselves: each answer is seen. Cookies are kept by hand, by a browser's rules. Every
//! exchange can be written down as it happens (see [`Log`]).
//!
//! | file | holds |
//! |---|---|
//! | `send` | one request and its answer, bounded |
//! | `cookies` | which cookie goes where |
//! | `cache` | what is kept of the answers, as a browser does |
//! | `proxy` | the environment's proxies |

mod cache;
mod cookies;
mod proxy;
mod send;

use crate::exchange::Log;
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Form, Page};
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderValue};
use std::time::Duration;
use url::Url;

use cache::Cache;
pub(crate) use cache::kept_for;
pub use cookies::Cookie;
use cookies::Jar;
pub use proxy::BrowserProxy;
pub(crate) use proxy::Proxies;
pub(crate) use send::client;
use send::insert;

const CHROMIUM: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
/// How long an answer is waited for at most: longer than any page that a person would wait for.
const PATIENCE: Duration = Duration::from_secs(60);

/// One user at one site, with a cookie jar. A clone is another tab that was opened just now.
#[derive(Clone)]
pub struct HttpUser {
    http: reqwest::Client,
    base: Url,
    jar: Jar,
    cache: Option<Cache>,
    log: Option<Log>,
    agent: String,
    patience: Duration,
}

impl HttpUser {
    /// A user who has never been at this site, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Taken<Self> {
        Self::build(base, None)
    }

    /// The same, who trusts the certificates of this PEM and those that they issued, and no other.
    pub fn trusting(base: &str, ca_certificate: &str) -> Taken<Self> {
        Self::build(base, Some(ca_certificate))
    }

    fn build(base: &str, ca: Option<&str>) -> Taken<Self> {
        let base = Url::parse(base).map_err(|_| Obstacle::input(format!("{base} is no address")))?;
        let http = client(ca, Proxies::of_environment())?.build();
        let http = http.map_err(|error| Obstacle::input(format!("HTTP cannot be set up: {error}")))?;
        Ok(Self {
            http,
            base,
            jar: Jar::default(),
            cache: None,
            log: None,
            agent: CHROMIUM.to_owned(),
            patience: PATIENCE,
        })
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

    /// Keeps what answers let a browser keep, from now on; what was kept before is gone.
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.keep_anew();
        self
    }

    /// Forgets what was kept.
    pub(crate) fn keep_anew(&mut self) {
        self.cache = Some(Cache::default());
    }

    /// Waits only so long for an answer, where that is shorter.
    pub fn waiting(mut self, patience: Duration) -> Self {
        self.patience = patience.min(PATIENCE);
        self
    }

    /// The address of the site.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// From now on the site is at this address.
    pub fn settle(&mut self, base: &Url) {
        self.base = base.clone();
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
        if self.own_cookies().is_empty() {
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

    /// The cookies that this site gets.
    pub fn own_cookies(&self) -> Vec<Cookie> {
        self.jar.of(&self.base)
    }

    /// All cookies, also those that other sites have set.
    pub fn cookies(&self) -> &[Cookie] {
        self.jar.all()
    }

    /// Puts a cookie back that was taken out before, attributes and all.
    pub fn restore(&mut self, cookie: Cookie) {
        self.jar.put(cookie);
    }

    /// Puts a cookie into the jar, or takes it out with `None`.
    pub fn set_cookie(&mut self, name: &str, value: Option<&str>) {
        self.jar.set(&self.base, name, value);
    }
}
