//! The driver without a browser: everything that a browser sends, and no script. What only a script sends is sent where
//! the profile says how to read it out of the page's own script.

use super::{Ask, Driver, Forgery, Seen};
use crate::exchange::Log;
use crate::http::{Cookie, HttpUser};
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Form, Found, Page};
use crate::profile::{Profile, ScriptCall};
use async_trait::async_trait;
use regex::Regex;
use std::sync::{Arc, LazyLock};
use url::Url;

/// How often `fetch` follows a redirect.
const REDIRECTS: usize = 10;

static ARGUMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\$\{[^}]*\}").expect("sound"));

/// A person without a browser.
pub struct HttpDriver {
    user: HttpUser,
    log: Log,
    profile: Arc<Profile>,
    page: Option<Page>,
    /// What was typed into the fields of the page, by the path of the field.
    typed: Vec<(Found, String)>,
}

impl HttpDriver {
    /// A person who has never been there.
    pub fn new(user: HttpUser, log: Log, profile: Arc<Profile>) -> Self {
        let user = user.with_log(log.clone()).keeping();
        Self { user, log, profile, page: None, typed: Vec::new() }
    }

    fn current(&self) -> Taken<Page> {
        self.page.clone().ok_or_else(|| Obstacle::input("no page is open"))
    }

    fn arrived(&mut self, page: Page) -> Page {
        self.typed.clear();
        self.page = Some(page.clone());
        page
    }

    /// The form of a control, with what was typed into it.
    fn form(&self, page: &Page, control: &Found) -> Taken<Form> {
        let mut form = page.form_of(control)?;
        for (field, value) in &self.typed {
            let name = field.field.as_deref().unwrap_or_default();
            let in_form = page.form_of(control)?.value(name).is_some();
            if in_form {
                form.set(name, value)?;
            }
        }
        Ok(form)
    }

    /// What the page's script would send for a press, if the profile knows how to read it.
    fn call(&self, page: &Page, control: &Found) -> Option<Taken<Ask>> {
        let onclick = control.onclick.as_deref()?;
        let (call, argument) = self.profile.calls.iter().find_map(|call| {
            let found = call.onclick.captures(onclick)?;
            Some((call, found.get(1).map(|one| one.as_str().to_owned()).unwrap_or_default()))
        })?;
        Some(read_call(page, call, &argument))
    }
}

fn read_call(page: &Page, call: &ScriptCall, argument: &str) -> Taken<Ask> {
    let address = call.address.captures(&page.body).and_then(|found| found.get(1));
    let address = address.ok_or_else(|| Obstacle::missing(format!("no script of {} sends this press", page.url)))?;
    let address = ARGUMENT.replace_all(address.as_str(), argument).into_owned();
    let method = call.method.as_ref().and_then(|method| method.captures(&page.body)).and_then(|found| found.get(1));
    let method = method.map_or("POST", |method| method.as_str()).to_ascii_uppercase();
    let mut ask = Ask { method, address, headers: Vec::new(), body: Some(call.body.clone()) };
    if let Some(token) = call.token.read(page) {
        ask = ask.with(&call.token_header, &token);
    }
    for (name, value) in &call.headers {
        ask = ask.with(name, value);
    }
    Ok(ask)
}

#[async_trait]
impl Driver for HttpDriver {
    fn name(&self) -> &'static str {
        "http"
    }

    fn runs_scripts(&self) -> bool {
        false
    }

    fn settle(&mut self, base: &Url) {
        self.user.settle(base);
    }

    async fn open(&mut self, address: &str) -> Taken<Page> {
        let page = self.user.visit(address).await?;
        Ok(self.arrived(page))
    }

    async fn look(&mut self) -> Taken<Page> {
        self.current()
    }

    async fn fill(&mut self, field: &Found, value: &str) -> Taken<()> {
        if field.disabled {
            return Err(Obstacle::unusable(format!("the field “{}” is disabled", field.name)));
        }
        self.typed.push((field.clone(), value.to_owned()));
        Ok(())
    }

    async fn press(&mut self, control: &Found) -> Taken<Page> {
        let page = self.current()?;
        if control.disabled {
            return Err(Obstacle::unusable(format!("“{}” is disabled", control.name)));
        }
        if let Some(ask) = self.call(&page, control) {
            return self.ask(&ask?).await;
        }
        if let Some(href) = control.href.as_deref() {
            let answer = self.user.follow_link(&page, href).await?;
            let page = self.user.arrive(answer).await?;
            return Ok(self.arrived(page));
        }
        let form = self.form(&page, control)?;
        let answer = self.user.send(&page, &form).await?;
        let page = self.user.arrive(answer).await?;
        Ok(self.arrived(page))
    }

    async fn press_twice(&mut self, control: &Found) -> Taken<Page> {
        let page = self.current()?;
        if control.disabled {
            return Err(Obstacle::unusable(format!("“{}” is disabled", control.name)));
        }
        if let Some(ask) = self.call(&page, control) {
            let ask = ask?;
            let mut other = self.user.clone();
            let (first, second) = tokio::join!(fetch(&mut self.user, &ask), fetch(&mut other, &ask));
            second?;
            return first;
        }
        let form = self.form(&page, control)?;
        let mut other = self.user.clone();
        let (first, second) = tokio::join!(self.user.send(&page, &form), other.send(&page, &form));
        other.arrive(second?).await?;
        let page = self.user.arrive(first?).await?;
        Ok(self.arrived(page))
    }

    async fn ask(&mut self, ask: &Ask) -> Taken<Page> {
        fetch(&mut self.user, ask).await
    }

    async fn forge(&mut self, forgery: &Forgery) -> Taken<Page> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&forgery.fields).finish();
        let headers = [
            ("origin", "https://elsewhere.example"),
            ("referer", "https://elsewhere.example/"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("accept", "text/html"),
        ];
        // The cookies go along, as they do in a browser that knows no SameSite: the server has to refuse it by itself.
        // Where it leads shows whether it was taken.
        let answer = self.user.script("POST", &forgery.address, &headers, Some(&body)).await?;
        self.user.arrive(answer).await
    }

    async fn cookies(&mut self) -> Taken<Vec<Cookie>> {
        Ok(self.user.own_cookies())
    }

    async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()> {
        for cookie in cookies {
            self.user.restore(cookie.clone());
        }
        Ok(())
    }

    async fn forget(&mut self) -> Taken<()> {
        let names: Vec<String> = self.user.cookies().iter().map(|cookie| cookie.name.clone()).collect();
        for name in names {
            self.user.set_cookie(&name, None);
        }
        Ok(())
    }

    async fn seen(&mut self, _picture: bool) -> Taken<Seen> {
        Ok(Seen { exchanges: self.log.take(), ..Seen::default() })
    }

    async fn renew(&mut self) -> Taken<()> {
        self.forget().await?;
        self.user.keep_anew();
        self.typed.clear();
        self.page = None;
        self.log.take();
        Ok(())
    }
}

/// Asks as `fetch` does, redirects followed.
async fn fetch(user: &mut HttpUser, ask: &Ask) -> Taken<Page> {
    let headers: Vec<(&str, &str)> = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut page = user.script(&ask.method, &ask.address, &headers, ask.body.as_deref()).await?;
    for _ in 0..REDIRECTS {
        let Some(target) = page.location() else { return Ok(page) };
        let url = page.url.join(&target).map_err(|_| Obstacle::Unreadable(format!("{target} is no address")))?;
        page = user.script("GET", url.as_str(), &[], None).await?;
    }
    Err(Obstacle::Unreadable(format!("ten redirects, and no end: {}", page.url)))
}
