//! One journey under way: what it looked at, what it measured, and the moves that many journeys share: logging in with
//! the proof of it, opening the fabric, pressing its buttons.

use crate::answer::{Answer, Tone};
use crate::cause::Cause;
use crate::exchange::Exchange;
use crate::http::Cookie;
use crate::obstacle::Obstacle;
use crate::page::Page;
use crate::profile::{Action, Profile};
use crate::recorder::{Recorder, millis};
use crate::results::{Check, CheckKind, Finding, Measured};
use crate::site::{Account, DriverKind, FabricRef, Site};
use crate::stop::{Stop, Walked};
use crate::visitor::Visitor;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How soon the page's script says something after a press.
const A_MOMENT: Duration = Duration::from_secs(2);

/// One journey under way.
pub struct Scene<'a> {
    /// The run's surroundings.
    pub site: &'a Site,
    /// Who walks.
    pub kind: DriverKind,
    /// What was looked at.
    pub checks: Vec<Check>,
    /// What was measured.
    pub measured: Vec<Measured>,
    /// Whether an oracle confirmed it, where one is needed.
    pub verified: Option<bool>,
    /// The step that the next check is about.
    step: Option<usize>,
    /// The first step of this journey.
    first: usize,
}

impl<'a> Scene<'a> {
    /// A journey that begins.
    pub fn new(site: &'a Site, kind: DriverKind) -> Self {
        Self {
            site,
            kind,
            checks: Vec::new(),
            measured: Vec::new(),
            verified: None,
            step: None,
            first: site.recorder.count(),
        }
    }

    /// The profile.
    pub fn profile(&self) -> Arc<Profile> {
        self.site.profile.clone()
    }

    /// The record.
    pub fn recorder(&self) -> &Recorder {
        &self.site.recorder
    }

    /// What follows is shown by the last step of this visitor.
    pub fn shown_by(&mut self, visitor: &Visitor) {
        self.step = Some(visitor.last_step());
    }

    fn note(&mut self, kind: CheckKind, held: Option<bool>, expected: &str, observed: &str) {
        let observed = self.site.redactor.text(observed);
        let (expected, at) = (expected.to_owned(), Timestamp::now());
        self.checks.push(Check { kind, expected, observed, held, at, step: self.step });
    }

    fn finding(&self, cause: Cause, expected: &str, observed: &str) -> Box<Finding> {
        let mut finding = Finding::new(cause, expected, self.site.redactor.text(observed));
        finding.step = self.step;
        Box::new(finding)
    }

    /// What the journey proves: it must hold, or the journey has failed of this cause.
    pub fn assert(&mut self, holds: bool, cause: Cause, expected: &str, observed: impl AsRef<str>) -> Walked<()> {
        if !holds {
            return Err(self.failed(cause, expected, observed));
        }
        self.note(CheckKind::Assertion, Some(true), expected, observed.as_ref());
        Ok(())
    }

    /// The same for one of very many things of a sort: only what does not hold is written down.
    pub fn found(&mut self, holds: bool, cause: Cause, expected: &str, observed: &str) -> Walked<()> {
        if holds { Ok(()) } else { Err(self.failed(cause, expected, observed)) }
    }

    /// What must hold before anything can be judged.
    pub fn require(&mut self, holds: bool, cause: Cause, expected: &str, observed: impl AsRef<str>) -> Walked<()> {
        if !holds {
            return Err(self.invalid(cause, expected, observed));
        }
        self.note(CheckKind::Precondition, Some(true), expected, observed.as_ref());
        Ok(())
    }

    /// What the journey proves does not hold.
    pub fn failed(&mut self, cause: Cause, expected: &str, observed: impl AsRef<str>) -> Stop {
        self.note(CheckKind::Assertion, Some(false), expected, observed.as_ref());
        Stop::Fail(self.finding(cause, expected, observed.as_ref()))
    }

    /// A precondition does not hold.
    pub fn invalid(&mut self, cause: Cause, expected: &str, observed: impl AsRef<str>) -> Stop {
        self.note(CheckKind::Precondition, Some(false), expected, observed.as_ref());
        Stop::Invalid(self.finding(cause, expected, observed.as_ref()))
    }

    /// What shows that the probe can tell: if it does not hold, nothing is proved.
    pub fn control(&mut self, holds: bool, expected: &str, observed: impl AsRef<str>) -> Walked<()> {
        let observed = observed.as_ref();
        self.note(CheckKind::Control, Some(holds), expected, observed);
        if holds {
            return Ok(());
        }
        Err(Stop::Inconclusive(format!(
            "The control did not hold, so that nothing is proved: {expected}; seen: {observed}"
        )))
    }

    /// What could not be told.
    pub fn untold(&mut self, expected: &str, why: &str) {
        self.note(CheckKind::Assertion, None, expected, why);
    }

    /// Notes a time.
    pub fn measure(&mut self, what: &str, time: Duration) {
        self.measured.push(Measured { what: what.to_owned(), ms: millis(time) });
    }

    /// What needs leave to change something.
    pub fn needs_leave(&self, what: &str) -> Walked<()> {
        if self.site.plan.allow_sync {
            return Ok(());
        }
        Err(Stop::Skipped(format!("It {what}, and the run is read-only; --allow-sync allows it.")))
    }

    /// What only a browser that runs scripts can do.
    pub fn needs_scripts(&self) -> Walked<()> {
        if self.kind.runs_scripts() {
            return Ok(());
        }
        Err(Stop::Skipped("It is about the page's script; the driver http runs none.".to_owned()))
    }

    /// Somebody who has never been there.
    pub async fn stranger(&self) -> Walked<Visitor> {
        self.visitor("nobody", true).await
    }

    /// The same, in a browser whose pages run no scripts.
    pub async fn without_scripts(&self) -> Walked<Visitor> {
        self.visitor("nobody, without script", false).await
    }

    async fn visitor(&self, who: &str, scripts: bool) -> Walked<Visitor> {
        let window = self.site.window(self.kind, scripts).await?;
        Ok(Visitor::new(who, window, self.site.windows.clone(), self.recorder().clone(), self.profile()))
    }

    /// The user of the run, logged in.
    pub async fn user(&mut self) -> Walked<Visitor> {
        let account = self.site.plan.account.clone();
        self.logged_in(&account).await
    }

    /// The second user, or the first in another window; and which of the two it is.
    pub async fn second(&mut self) -> Walked<(Visitor, String)> {
        let account = self.site.plan.second.clone();
        let (account, who) = match account {
            Some(account) => (account.clone(), account.username.clone()),
            None => (self.site.plan.account.clone(), "the same user in another window".to_owned()),
        };
        Ok((self.other(&account).await?, who))
    }

    /// Somebody beside the user of the run, logged in. That it does not work is no word on the target: the account may be
    /// given wrongly.
    pub async fn other(&mut self, account: &Account) -> Walked<Visitor> {
        self.logged_in(account).await.map_err(|stop| match stop {
            Stop::Invalid(finding) => Stop::Inconclusive(format!(
                "{} cannot be logged in. {}: {}",
                account.username,
                finding.cause.title(),
                finding.observed
            )),
            other => other,
        })
    }

    /// Somebody, logged in. Logged in means: the session's cookie is there, and the server names the user.
    pub async fn logged_in(&mut self, account: &Account) -> Walked<Visitor> {
        let window = self.site.window(self.kind, true).await?;
        let windows = self.site.windows.clone();
        let mut visitor = Visitor::new(&account.username, window, windows, self.recorder().clone(), self.profile());
        self.log_in(&mut visitor, account).await?;
        Ok(visitor)
    }

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
        let known = profile.recognise.titles.iter().any(|title| title.is_match(&page.title()))
            || profile.recognise.elements.iter().any(|element| page.has(element));
        if !known {
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

    /// What the last press sent, as far as it was seen.
    fn sent(&self, visitor: &Visitor) -> Option<Exchange> {
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

    /// The fabric of the run.
    pub fn fabric(&self) -> Walked<FabricRef> {
        self.site.fabric.clone().ok_or_else(|| {
            Stop::Inconclusive(
                "The target shows this user no fabric; --fabric names one, and the user must be allowed to see it."
                    .to_owned(),
            )
        })
    }

    /// Opens the fabric's page, which must be it.
    pub async fn open_fabric(&mut self, visitor: &mut Visitor) -> Walked<Page> {
        let fabric = self.fabric()?;
        let page = visitor.open(&fabric.address).await?;
        self.shown_by(visitor);
        let profile = self.profile();
        if self.is_login(&page) {
            let here = page.status == 200 && page.url.path() == path_of(&fabric.address);
            let cause = if here { Cause::LoginPageWith200 } else { Cause::NoSession };
            let expected = format!("the page of {} for a user who is logged in", fabric.name);
            return Err(self.failed(cause, &expected, format!("the login page, status {}", page.status)));
        }
        let name = profile.fabric.name.read(&page).unwrap_or_default();
        let holds = page.status == 200 && name.contains(&fabric.name);
        let expected = format!("the page of {} answers 200 and names it", fabric.name);
        let cause = if page.status >= 500 { Cause::ServerError } else { Cause::BrokenPage };
        self.assert(holds, cause, &expected, format!("status {}, “{name}”", page.status))?;
        Ok(page)
    }

    /// The word of the fabric's state on its page, and its code.
    pub fn status_on(&self, page: &Page) -> Option<(String, Option<String>)> {
        let word = self.site.profile.fabric.status.read(page)?;
        let code = self.site.profile.status.code(&word).map(str::to_owned);
        Some((word, code))
    }

    /// Something that can be pressed, by the profile's name for it.
    pub fn action(&self, name: &str) -> Walked<Action> {
        let action = self.site.profile.actions.get(name).cloned();
        let action = action
            .ok_or_else(|| Stop::Skipped(format!("The profile {} knows no action {name}.", self.site.profile.name)))?;
        if action.changes {
            self.needs_leave(&format!("presses {name}, which changes what the target stores"))?;
        }
        Ok(action)
    }

    /// Presses a button of the fabric's page that is open, and follows what comes of it to its end.
    pub async fn press_and_follow(&mut self, visitor: &mut Visitor, action: &Action) -> Walked<(Answer, Page)> {
        let control = visitor.find(&action.button).await;
        self.shown_by(visitor);
        let expected = format!(
            "the page has a button “{}” that can be pressed",
            action.button.names.first().map_or("", String::as_str)
        );
        match &control {
            Ok(found) if found.disabled => {
                let why = visitor.look().await?.why_not(found);
                let Some(why) = why else {
                    return Err(self.failed(Cause::ControlMissing, &expected, "it is there, and disabled"));
                };
                return Err(Stop::Inconclusive(format!("“{}” cannot be pressed by this user now: {why}", found.name)));
            }
            Err(obstacle) => return Err(self.failed(Cause::ControlMissing, &expected, obstacle.to_string())),
            Ok(found) => self.assert(true, Cause::ControlMissing, &expected, format!("“{}”", found.name))?,
        }
        let began = std::time::Instant::now();
        let before = self.recorder().count();
        let pressed = visitor.press(&action.button).await;
        self.shown_by(visitor);
        let pressed = match pressed {
            Ok(page) => page,
            Err(obstacle) => return Err(self.press_failed(obstacle)),
        };
        self.look_at_answer(visitor, &pressed)?;
        let pressed = self.wait_for_a_word(visitor, pressed).await?;
        let (answer, page) = visitor.follow(pressed, self.site.plan.patience).await?;
        self.shown_by(visitor);
        if visitor.runs_scripts() && answer.tone != Tone::Good {
            self.look_at_call(before, &answer)?;
        }
        self.measure(
            &format!("from the press of “{}” to its end", action.button.names.first().map_or("", String::as_str)),
            began.elapsed(),
        );
        self.look_at_script(visitor)?;
        self.look_beside(&answer, before)?;
        self.look_at_silence(&answer, before)?;
        Ok((answer, page))
    }

    /// A page that a script moves says something soon, or its script has failed: then nothing is to be waited for.
    async fn wait_for_a_word(&mut self, visitor: &mut Visitor, pressed: Page) -> Walked<Page> {
        let profile = self.profile();
        let says = |page: &Page| (Answer::read(page, &profile).tone != Tone::Silent).then_some(());
        if !visitor.runs_scripts() || says(&pressed).is_some() {
            return Ok(pressed);
        }
        let (_, page) = visitor.until("the page says something", A_MOMENT, says).await?;
        self.shown_by(visitor);
        self.look_at_script(visitor)?;
        Ok(page)
    }

    /// A press that did not even lead to an answer.
    fn press_failed(&mut self, obstacle: Obstacle) -> Stop {
        let expected = "a press sends its request, and an answer comes";
        let cause = match &obstacle {
            Obstacle::NoAnswer { timed_out: true, .. } => Cause::Unanswered,
            Obstacle::NoAnswer { .. } => Cause::Transport,
            Obstacle::Missing(_) | Obstacle::Unusable(_) => Cause::ControlDead,
            _ => return obstacle.into(),
        };
        self.failed(cause, expected, obstacle.to_string())
    }

    /// What the answer to a press is: a class of its own for each way in which it can be no answer.
    fn look_at_answer(&mut self, visitor: &Visitor, page: &Page) -> Walked<()> {
        // Where a script pressed, the page is the one from before; what the script was answered is looked at when it is over.
        if visitor.runs_scripts() && self.sent(visitor).is_none_or(|sent| sent.kind != "document") {
            return Ok(());
        }
        // A navigation is redirected to the login; a script that follows a redirect gets a page where it expects data.
        let redirected =
            self.sent(visitor).is_some_and(|sent| sent.kind == "document" && (300..400).contains(&sent.status));
        self.look_at_refusal(page, redirected)
    }

    /// The same of what a page's script was answered: the page around it is the one that was there before, and says in words
    /// what the script's answer says by its status. The last counts, after what the script tried again by itself.
    fn look_at_call(&mut self, before: usize, answer: &Answer) -> Walked<()> {
        let steps = self.recorder().steps_from(before);
        // What the page sends by itself for its session is no press.
        let session = self.site.profile.session.as_ref().map(|places| places.address.clone());
        let calls: Vec<&Exchange> = steps
            .iter()
            .flat_map(|step| &step.exchanges)
            .filter(|one| one.is_write() && one.kind != "document" && session.as_ref() != Some(&one.path()))
            .collect();
        let Some(first) = calls.first() else {
            let led = steps.iter().flat_map(|step| &step.exchanges).any(|one| one.kind == "document");
            if led || answer.tone != Tone::Silent {
                return Ok(());
            }
            return Err(self.failed(Cause::ControlDead, "a press sends its request", "the press sent nothing"));
        };
        let last = calls.iter().rev().find(|one| one.url == first.url).unwrap_or(first);
        let Ok(url) = Url::parse(&last.url) else { return Ok(()) };
        if last.status == 0 && answer.is_final() {
            let expected = "a press sends its request, and an answer comes";
            let why = last.error.as_deref().unwrap_or("no answer");
            return Err(self.failed(Cause::Transport, expected, format!("{} {}: {why}", last.method, last.path())));
        }
        let mut headers = reqwest::header::HeaderMap::new();
        for (name, value) in &last.response_headers {
            let name = reqwest::header::HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, reqwest::header::HeaderValue::from_str(value)) {
                headers.append(name, value);
            }
        }
        let body = last.response_body.clone().unwrap_or_default();
        self.look_at_refusal(&Page { status: last.status, url, headers, body }, false)
    }

    fn look_at_refusal(&mut self, page: &Page, redirected: bool) -> Walked<()> {
        let profile = self.profile();
        let answer = Answer::read(page, &profile);
        let code = answer.code.as_deref().unwrap_or_default();
        let is = |class: &str| {
            profile.refusals.codes.get(class).is_some_and(|codes| codes.iter().any(|one| one == code))
                || page.status == 403
                    && profile
                        .refusals
                        .words
                        .get(class)
                        .is_some_and(|all| all.iter().any(|one| page.visible_text().contains(one)))
        };
        let expected = "the press is taken: an operation begins, or the page says why not";
        let observed = says(page);
        let over = if session_is_over(page, code, &profile) { Cause::SessionExpired } else { Cause::NoSession };
        let cause = if self.is_login(page) {
            if page.status == 200 && !redirected { Cause::LoginPageWith200 } else { over }
        } else {
            match page.status {
                401 => over,
                403 if is("csrf") => Cause::Csrf,
                403 => Cause::Permission,
                404 => Cause::WrongAddress,
                405 => Cause::MethodRefused,
                500 => Cause::ServerError,
                _ => return Ok(()),
            }
        };
        Err(self.failed(cause, expected, observed))
    }

    /// That no script of a page has failed since the journey began.
    pub fn look_at_script(&mut self, visitor: &Visitor) -> Walked<()> {
        let lines: Vec<String> = self
            .recorder()
            .steps_from(self.first)
            .iter()
            .flat_map(|step| step.console.clone())
            .filter(|line| line.level == "SEVERE" && !line.text.contains("Failed to load resource"))
            .map(|line| line.text)
            .collect();
        if visitor.runs_scripts() {
            let observed = lines.first().cloned().unwrap_or_else(|| "no error in the console".to_owned());
            // What the browser refused to use is no error of what it did use.
            let words = ["Refused to ", "Content Security Policy"];
            let refused = lines.first().is_some_and(|line| words.iter().any(|words| line.contains(words)));
            let cause = if refused { Cause::AssetBroken } else { Cause::ScriptError };
            self.assert(lines.is_empty(), cause, "the page's script runs without errors", observed)?;
        }
        Ok(())
    }
}

/// Whether a refusal says that there was a session, and that it has ended.
pub(crate) fn session_is_over(page: &Page, code: &str, profile: &Profile) -> bool {
    if let Some(codes) = profile.session.as_ref().map(|places| &places.codes)
        && [&codes.idle, &codes.absolute, &codes.revoked].into_iter().any(|one| one == code)
    {
        return true;
    }
    let text = page.text("main").unwrap_or_else(|| page.visible_text()).to_lowercase();
    page.is_html() && text.contains("session") && ["ended", "expired"].iter().any(|word| text.contains(word))
}

/// What a page says, in short: status, address, first words.
pub fn says(page: &Page) -> String {
    let text =
        if page.is_html() { page.text("main").unwrap_or_else(|| page.visible_text()) } else { page.body.clone() };
    let text: String = text.chars().take(240).collect();
    format!("status {} at {}: {}", page.status, page.url.path(), text)
}

/// The path of an address of the profile.
pub fn path_of(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or(address)
}

/// The path and query of a URL.
pub fn path_and_query(url: &Url) -> String {
    url[url::Position::BeforePath..url::Position::AfterQuery].to_owned()
}
