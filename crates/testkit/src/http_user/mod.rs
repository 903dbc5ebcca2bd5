//! A person without a browser: sends what Chromium would send for a click, and takes every address, method and hidden
//! field from the page that the server gave.
//!
//! Redirects are not followed by themselves: a test sees each answer. Cookies are kept by hand, by a browser's rules.

mod cookies;
mod form;
mod page;

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::Method;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

pub use cookies::Cookie;
pub use form::Form;
pub use page::Page;

use cookies::Jar;

const CHROMIUM: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
const ACCEPT_PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// One user at one site, with a cookie jar. A clone is another tab that was opened just now.
#[derive(Clone)]
pub struct HttpUser {
    http: reqwest::Client,
    base: Url,
    jar: Jar,
}

impl HttpUser {
    /// A user who has never been at this site, such as `http://127.0.0.1:8080`.
    pub fn new(base: &str) -> Result<Self> {
        Self::build(base, None)
    }

    /// The same, who trusts one more certificate authority.
    pub fn trusting(base: &str, ca_certificate: &str) -> Result<Self> {
        Self::build(base, Some(ca_certificate))
    }

    fn build(base: &str, ca_certificate: Option<&str>) -> Result<Self> {
        crate::tls::install_provider();
        let authorities = ca_certificate.map(|pem| reqwest::Certificate::from_pem(pem.as_bytes())).transpose()?;
        let http = reqwest::Client::builder()
            .tls_certs_only(authorities)
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(60))
            .user_agent(CHROMIUM)
            .no_proxy()
            .build()
            .context("make an HTTP client")?;
        let base = Url::parse(base).with_context(|| format!("{base} is no address"))?;
        Ok(Self { http, base, jar: Jar::default() })
    }

    /// Opens a page as by typing its address, or as by a link of this site: redirects are not followed.
    pub async fn get(&mut self, path: &str) -> Result<Page> {
        let url = self.base.join(path).with_context(|| format!("{path} is no address"))?;
        self.navigate(Method::GET, url, None, None).await
    }

    /// Opens a page and follows redirects, a few, as a browser does.
    pub async fn visit(&mut self, path: &str) -> Result<Page> {
        let page = self.get(path).await?;
        self.arrive(page).await
    }

    /// Follows the redirects that an answer begins, and returns the page at their end.
    pub async fn arrive(&mut self, mut page: Page) -> Result<Page> {
        for _ in 0..10 {
            if page.location().is_none() {
                return Ok(page);
            }
            page = self.follow(&page).await?;
        }
        bail!("ten redirects, and no end: {} {}", page.status, page.url)
    }

    /// Follows the one redirect that an answer is.
    pub async fn follow(&mut self, page: &Page) -> Result<Page> {
        let target = page.location().with_context(|| format!("{} of {} is no redirect", page.status, page.url))?;
        let url = page.url.join(&target).with_context(|| format!("{target} is no address"))?;
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Clicks a link.
    pub async fn click(&mut self, page: &Page, selector: &str) -> Result<Page> {
        let target = page.attribute(selector, "href")?.with_context(|| format!("{selector} has no href"))?;
        let url = page.url.join(&target).with_context(|| format!("{target} is no address"))?;
        self.navigate(Method::GET, url, None, Some(page)).await
    }

    /// Fills a form of the page in and sends it. `selector` is of the form, or of the button in it that is pressed;
    /// see [`Form::set`] for the fields. The answer, most often a redirect, is returned as it is.
    pub async fn submit(&mut self, page: &Page, selector: &str, fields: &[(&str, &str)]) -> Result<Page> {
        let mut form = page.form(selector)?;
        for (name, value) in fields {
            form.set(name, value)?;
        }
        self.send(page, &form).await
    }

    /// Sends a form.
    pub async fn send(&mut self, page: &Page, form: &Form) -> Result<Page> {
        let mut url = page.url.join(&form.action).with_context(|| format!("{} is no address", form.action))?;
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
    pub async fn login(&mut self, username: &str, password: &str) -> Result<Page> {
        let form = self.visit("/login/").await?;
        let fields = [("username", username), ("password", password)];
        let answer = self.submit(&form, "form:has([name=username])", &fields).await?;
        let said = answer.text("[role=alert]").unwrap_or_default();
        ensure!(answer.location().is_some(), "the login was refused: {} {said}", answer.status);
        let page = self.arrive(answer).await?;
        ensure!(!self.jar.is_empty(), "there is no cookie after the login");
        ensure!(page.status == 200, "after the login, {} answers {}", page.url, page.status);
        ensure!(!page.url.path().starts_with("/login"), "after the login, the login page is back");
        ensure!(page.visible_text().contains(username), "the page {} does not name {username}", page.url);
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
    ) -> Result<Page> {
        let method: Method = method.parse().with_context(|| format!("{method} is no HTTP method"))?;
        let url = self.base.join(path).with_context(|| format!("{path} is no address"))?;
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

    /// The cookies of this site.
    pub fn cookies(&self) -> &[Cookie] {
        self.jar.all()
    }

    /// Puts a cookie into the jar, or takes it out with `None`.
    pub fn set_cookie(&mut self, name: &str, value: Option<&str>) {
        self.jar.set(name, value);
    }

    /// What a browser sends for a navigation: from the address bar without `from`, else from that page.
    async fn navigate(&mut self, method: Method, url: Url, body: Option<String>, from: Option<&Page>) -> Result<Page> {
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
    ) -> Result<Page> {
        if let Some(cookies) = self.jar.header(&url) {
            insert(&mut headers, &[("cookie", &cookies)])?;
        }
        let what = format!("{method} {url}");
        let mut request = self.http.request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let response = request.send().await.with_context(|| what.clone())?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().with_context(|| format!("{what}: a cookie that is no text"))?;
            self.jar.take(&url, cookie).with_context(|| format!("{what}: a browser refuses the cookie"))?;
        }
        let body = response.bytes().await.with_context(|| what)?;
        Ok(Page { status, url, headers, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

/// Sets headers, replacing those of the same name.
fn insert(headers: &mut HeaderMap, pairs: &[(&str, &str)]) -> Result<()> {
    for (name, value) in pairs {
        let name: HeaderName = name.parse().with_context(|| format!("{name} is no header"))?;
        headers.insert(name, HeaderValue::from_str(value).context("a header's value")?);
    }
    Ok(())
}
