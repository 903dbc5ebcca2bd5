//! Logging in, with the proof of it: the cookie is there, and the server names the user; and what it is when that fails.

use super::{Scene, path_of, says};
use crate::cause::Cause;
use crate::exchange::Exchange;
use crate::http::Cookie;
use crate::obstacle::Obstacle;
use crate::page::{Locator, Page};
use crate::site::Account;
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use url::Url;

impl Scene<'_> {
    /// Logs a visitor in at the login page, and proves it.
    pub async fn log_in(&mut self, visitor: &mut Visitor, account: &Account) -> Walked<Page> {
        let profile = self.profile();
        let page = self.open_login(visitor, &profile.login.address).await?;
        drop(page);
        self.type_login(visitor, account).await
    }

    /// Opens a login page, which must be the profile's.
    pub async fn open_login(&mut self, visitor: &mut Visitor, address: &str) -> Walked<Page> {
        let opened = visitor.open(address).await;
        self.shown_by(visitor);
        let page = match opened {
            Ok(page) => page,
            Err(obstacle) => return Err(self.not_reached(obstacle, "the target answers with its login page")),
        };
        if page.status >= 500 {
            return Err(self.invalid(Cause::ServerError, "the target answers with its login page", says(&page)));
        }
        let profile = self.profile();
        if !profile.recognise.is_on(&page) {
            // What stands before a target, and lets nobody through, says nothing of what is behind it.
            if [401, 403, 407].contains(&page.status) {
                return Err(self.invalid(Cause::Permission, "the target answers with its login page", says(&page)));
            }
            return Err(Stop::Mismatch(format!(
                "{} is not {}: the login page shows none of what the profile {} knows it by. It answers {}.",
                self.site.plan.target,
                profile.product,
                profile.name,
                says(&page)
            )));
        }
        for field in [&profile.login.username, &profile.login.password, &profile.login.button] {
            if page.find(field).is_err() {
                return Err(Stop::Mismatch(format!(
                    "The login page of {} has no {field}, as the profile {} says.",
                    self.site.plan.target, profile.name
                )));
            }
        }
        let before = self.site.target().clone();
        if let Some(base) = self.site.settle(&page.url) {
            visitor.settle(base);
        }
        let base = self.site.target();
        if before != *base {
            let observed = format!("{} leads to {base}", self.site.plan.target);
            let expected = "the target is asked with TLS at the same host, if its login page is there";
            self.require(true, Cause::ForeignRedirect, expected, observed)?;
        }
        Ok(page)
    }

    /// Types name and password into the login page that is open, presses the button, and proves what came of it.
    pub async fn type_login(&mut self, visitor: &mut Visitor, account: &Account) -> Walked<Page> {
        let profile = self.profile();
        self.sends_home(visitor, &profile.login.button).await?;
        visitor.fill(&profile.login.username, &account.username).await?;
        visitor.fill(&profile.login.password, account.password()).await?;
        let pressed = visitor.press(&profile.login.button).await;
        self.shown_by(visitor);
        let expected =
            format!("{} is logged in: the session's cookie is there, and the server names the user", account.username);
        let cookie = self.note_session(visitor, &account.username).await;
        let page = match pressed {
            Ok(page) => page,
            Err(obstacle) => {
                self.stays_here(visitor)?;
                return Err(self.not_reached(obstacle, &expected));
            }
        };
        let cookie = cookie?;
        let named = self.names(&page, &account.username);
        if cookie.is_none() || !named {
            self.stays_here(visitor)?;
            let has_cookies = !visitor.cookies().await?.is_empty();
            let sent = self.sent(visitor);
            let (cause, observed) = self.why_not_logged_in(&page, cookie.is_some(), has_cookies, sent.as_ref());
            return Err(self.invalid(cause, &expected, observed));
        }
        let observed = format!(
            "{} names the user; the cookie {} is there",
            page.url.path(),
            cookie.map(|one| one.name).unwrap_or_default()
        );
        self.require(true, Cause::NoSession, &expected, observed)?;
        Ok(page)
    }

    /// That what is typed into the page that is open goes to this site, by no worse way than it was given: name and password
    /// are typed nowhere else.
    pub async fn sends_home(&mut self, visitor: &mut Visitor, button: &Locator) -> Walked<()> {
        let page = visitor.look().await?;
        let form = page.find(button).and_then(|found| page.form_of(&found)).ok();
        let to = form.and_then(|form| page.url.join(&form.action).ok());
        let ours = self.site.target().origin();
        let away = [Some(page.url.clone()), to].into_iter().flatten().find(|url| url.origin() != ours);
        let Some(away) = away else { return Ok(()) };
        let expected = format!("name and password are asked for by {}, and sent there", self.site.target());
        let observed = format!("they would go to {}; nothing was typed", away.origin().ascii_serialization());
        Err(self.failed(Cause::ForeignRedirect, &expected, observed))
    }

    /// What the last press sent, as far as it was seen.
    pub(super) fn sent(&self, visitor: &Visitor) -> Option<Exchange> {
        let steps = self.recorder().steps_from(visitor.last_step());
        steps.into_iter().next()?.exchanges.into_iter().find(Exchange::is_write)
    }

    /// That the last press of a visitor led to no other site.
    fn stays_here(&mut self, visitor: &Visitor) -> Walked<()> {
        let ours = self.site.target().origin();
        let steps = self.recorder().steps_from(visitor.last_step());
        let mut documents = steps.iter().flat_map(|step| &step.exchanges).filter(|one| one.kind == "document");
        // Where a browser goes, or is sent to and refuses to go, because the page's own policy forbids it.
        let led = |one: &Exchange| {
            let sent = one.response_headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
            let sent = sent.filter(|_| (300..400).contains(&one.status));
            let sent = sent.and_then(|(_, to)| Url::parse(&one.url).ok()?.join(to).ok());
            [Url::parse(&one.url).ok(), sent].into_iter().flatten().find(|url| url.origin() != ours)
        };
        let away = documents.find_map(led).map(String::from);
        // Where the policy of the login page stopped it, only the console says so: the answer is not shown to anybody.
        let stopped = || {
            let mut lines = steps.iter().flat_map(|step| &step.console);
            lines.find(|line| line.text.contains("form-action")).map(|line| line.text.clone())
        };
        let Some(away) = away.or_else(stopped) else { return Ok(()) };
        Err(self.failed(Cause::ForeignRedirect, "after the login one is on a page of this site", away))
    }

    /// A precondition that did not even get an answer.
    fn not_reached(&mut self, obstacle: Obstacle, expected: &str) -> Stop {
        match obstacle {
            Obstacle::NoAnswer { .. } => self.invalid(Cause::Transport, expected, obstacle.to_string()),
            Obstacle::Cookie { .. } => self.invalid(Cause::NoSession, expected, obstacle.to_string()),
            Obstacle::Unreadable(_) => self.invalid(Cause::BrokenPage, expected, obstacle.to_string()),
            other => other.into(),
        }
    }

    /// The class of a login that did not work.
    fn why_not_logged_in(
        &self,
        page: &Page,
        has_cookie: bool,
        has_cookies: bool,
        sent: Option<&Exchange>,
    ) -> (Cause, String) {
        let taken = sent.is_some_and(|sent| (300..400).contains(&sent.status));
        let profile = &self.site.profile;
        let text = page.visible_text();
        let at_login = page.find(&profile.login.password).is_ok();
        let said = says(page);
        if profile.login.refused.iter().any(|words| text.contains(words.as_str())) {
            return (Cause::BadPassword, said);
        }
        match page.status {
            // Without any cookie there is nothing that a token could belong to.
            403 if !has_cookies => (Cause::NoSession, format!("the target set no cookie: {said}")),
            403 => (Cause::Csrf, said),
            429 => (Cause::Throttled, said),
            500.. => (Cause::ServerError, said),
            200 if at_login && !taken => {
                (Cause::LoginPageWith200, format!("the login page again, with status 200 and no reason: {said}"))
            }
            _ if !has_cookie => (Cause::NoSession, format!("no cookie of a session: {said}")),
            _ => (Cause::NoSession, format!("no page that names the user: {said}")),
        }
    }

    /// Whether a page names the user.
    pub fn names(&self, page: &Page, username: &str) -> bool {
        match &self.site.profile.login.names_user {
            Some(place) => place.read(page).is_some_and(|named| named == username),
            None => crate::naming::names(&page.visible_text(), username),
        }
    }

    /// Notes the session that a login may have begun, whatever else came of it, so that it is ended.
    pub(crate) async fn note_session(&self, visitor: &mut Visitor, username: &str) -> Walked<Option<Cookie>> {
        let cookie = self.session_cookie(visitor).await?;
        if cookie.is_some() {
            self.site.sessions.begun(username, visitor.cookies().await?);
        }
        Ok(cookie)
    }

    /// The session's cookie.
    pub async fn session_cookie(&self, visitor: &mut Visitor) -> Walked<Option<Cookie>> {
        let cookies = visitor.cookies().await?;
        let names = &self.site.profile.login.session_cookies;
        Ok(cookies.into_iter().find(|cookie| names.iter().any(|name| name.is_match(&cookie.name))))
    }

    /// Whether a page is the login page.
    pub fn is_login(&self, page: &Page) -> bool {
        let login = &self.site.profile.login;
        if page.url.path() == path_of(&login.address) {
            return true;
        }
        // Other pages have fields for names and passwords, too; their buttons say something else.
        let by_words = |found: crate::page::Found| found.by_hint.is_none();
        page.is_html()
            && page.find(&login.password).is_ok()
            && page.find(&login.username).is_ok()
            && page.find(&login.button).is_ok_and(by_words)
    }
}
