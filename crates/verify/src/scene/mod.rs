//! One journey under way: what it looked at, what it measured, and the moves that many journeys share: logging in with
//! the proof of it, opening the fabric, pressing its buttons.

mod login;
mod press;

use crate::cause::Cause;
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

    /// How long pages and oracles must contradict each other until it is a lie: the target may be behind.
    pub fn lag(&self) -> Duration {
        Duration::from_secs(self.profile().fabric.lag)
    }

    /// Whether the actor of a record is who this run logs in as. Targets may write a name as it was created, and not as it was
    /// typed.
    pub fn is_user(&self, actor: &str) -> bool {
        actor.eq_ignore_ascii_case(&self.site.plan.account.username)
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

/// What a page says, in short: status, address, and its alert or else its first words. Beside an alert the labels of a form
/// say nothing.
pub fn says(page: &Page) -> String {
    let said = || page.text("main [role=alert]").filter(|text| !text.is_empty());
    let text = if page.is_html() {
        said().or_else(|| page.text("main")).unwrap_or_else(|| page.visible_text())
    } else {
        page.body.clone()
    };
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
