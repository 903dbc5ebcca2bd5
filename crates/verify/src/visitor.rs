//! A person at one window: every act is one step of the record, with what was sent, what came back and what the page says.

use crate::answer::{Answer, message};
use crate::drivers::{Ask, Driver, Forgery, Seen};
use crate::http::Cookie;
use crate::obstacle::{Obstacle, Taken};
use crate::page::{Found, Locator, Page};
use crate::profile::Profile;
use crate::recorder::{Recorder, millis};
use crate::results::{Path, Step};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a page is looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// A person at one window.
pub struct Visitor {
    who: String,
    driver: Box<dyn Driver>,
    recorder: Recorder,
    profile: Arc<Profile>,
    last_step: usize,
}

impl Visitor {
    /// Somebody, at a window.
    pub fn new(who: &str, driver: Box<dyn Driver>, recorder: Recorder, profile: Arc<Profile>) -> Self {
        let who = format!("{who}, {}", driver.name());
        Self { who, driver, recorder, profile, last_step: 0 }
    }

    /// The number of the last step.
    pub fn last_step(&self) -> usize {
        self.last_step
    }

    /// Whether the window runs scripts.
    pub fn runs_scripts(&self) -> bool {
        self.driver.runs_scripts()
    }

    /// The name of the driver.
    pub fn driver(&self) -> &'static str {
        self.driver.name()
    }

    /// Opens an address.
    pub async fn open(&mut self, address: &str) -> Taken<Page> {
        let began = Began::now();
        let page = self.driver.open(address).await;
        self.record(&format!("open {address}"), began, page, true).await
    }

    /// The page as it stands; no step.
    pub async fn look(&mut self) -> Taken<Page> {
        self.driver.look().await
    }

    /// The page as it stands now, for the record.
    pub async fn show(&mut self, why: &str) -> Taken<Page> {
        let began = Began::now();
        let page = self.driver.look().await;
        self.record(why, began, page, true).await
    }

    /// Finds a control on the page as it stands.
    pub async fn find(&mut self, locator: &Locator) -> Taken<Found> {
        self.driver.look().await?.find(locator)
    }

    /// Types a value into a field. What is typed is not in the record.
    pub async fn fill(&mut self, field: &Locator, value: &str) -> Taken<()> {
        let found = self.find(field).await?;
        self.driver.fill(&found, value).await
    }

    /// Presses a control of the page as it stands.
    pub async fn press(&mut self, control: &Locator) -> Taken<Page> {
        let began = Began::now();
        let what = format!("press {}", words(control));
        let pressed = match self.find(control).await {
            Ok(found) => self.driver.press(&found).await,
            Err(obstacle) => Err(obstacle),
        };
        self.record(&what, began, pressed, true).await
    }

    /// Presses a control that was found on the page as it stands.
    pub async fn press_found(&mut self, control: &Found) -> Taken<Page> {
        let began = Began::now();
        let pressed = self.driver.press(control).await;
        self.record(&format!("press “{}”", control.name), began, pressed, true).await
    }

    /// Presses a control twice in a row.
    pub async fn press_twice(&mut self, control: &Locator) -> Taken<Page> {
        let began = Began::now();
        let pressed = match self.find(control).await {
            Ok(found) => self.driver.press_twice(&found).await,
            Err(obstacle) => Err(obstacle),
        };
        self.record(&format!("press {} twice", words(control)), began, pressed, true).await
    }

    /// Asks as a script of the page does.
    pub async fn ask(&mut self, ask: &Ask) -> Taken<Page> {
        let began = Began::now();
        let answer = self.driver.ask(ask).await;
        self.record(&format!("ask as a script: {} {}", ask.method, ask.address), began, answer, false).await
    }

    /// Sends a form from a page of another site.
    pub async fn forge(&mut self, forgery: &Forgery) -> Taken<Page> {
        let began = Began::now();
        let answer = self.driver.forge(forgery).await;
        self.record(&format!("send a form of another site to {}", forgery.address), began, answer, true).await
    }

    /// The cookies of the target.
    pub async fn cookies(&mut self) -> Taken<Vec<Cookie>> {
        self.driver.cookies().await
    }

    /// Puts cookies back that were there before.
    pub async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()> {
        self.driver.restore(cookies).await
    }

    /// Forgets the cookies.
    pub async fn forget(&mut self) -> Taken<()> {
        self.driver.forget().await
    }

    /// Looks at the page until something holds, at most so long. `None` when it never did; the page is the last seen.
    /// Where no script moves the page, it is asked for again.
    pub async fn until<T>(
        &mut self,
        what: &str,
        longest: Duration,
        mut holds: impl FnMut(&Page) -> Option<T>,
    ) -> Taken<(Option<T>, Page)> {
        let began = Began::now();
        let end = Instant::now() + longest;
        let mut page = self.driver.look().await?;
        loop {
            let found = holds(&page);
            if found.is_some() || Instant::now() >= end {
                let page = self.record(&format!("wait until {what}"), began, Ok(page), true).await?;
                return Ok((found, page));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            page = if self.driver.runs_scripts() {
                self.driver.look().await?
            } else {
                let address = page.url.to_string();
                self.driver.open(&address).await?
            };
        }
    }

    /// Follows what a press began until the page says how it ended, at most so long. The answer is the last that was
    /// read; it is not final when the time was up.
    pub async fn follow(&mut self, pressed: Page, longest: Duration) -> Taken<(Answer, Page)> {
        let profile = self.profile.clone();
        let first = Answer::read(&pressed, &profile);
        if first.is_final() || first.tone == crate::answer::Tone::Silent && !self.driver.runs_scripts() {
            return Ok((first, pressed));
        }
        // A script's answer names the operation; its page is where it goes on.
        if !self.driver.runs_scripts()
            && let Some(operation) = first.operation.as_deref()
            && !pressed.is_html()
        {
            self.driver.open(operation).await?;
        }
        let said = |page: &Page| {
            let answer = Answer::read(page, &profile);
            answer.is_final().then_some(answer)
        };
        let (ended, page) = self.until("the page says how it ended", longest, said).await?;
        let answer = ended.unwrap_or_else(|| Answer::read(&page, &profile));
        Ok((answer, page))
    }

    /// What was seen and not yet written down; at the end of a journey.
    pub async fn close(&mut self) {
        self.driver.close().await;
    }

    async fn record(&mut self, what: &str, began: Began, page: Taken<Page>, picture: bool) -> Taken<Page> {
        let took = began.clock.elapsed();
        // Where even the browser does not say what it saw, the step says that.
        let seen = self.driver.seen(picture && self.recorder.keeps_pictures()).await;
        let (seen, lost) = match seen {
            Ok(seen) => (seen, None),
            Err(obstacle) => (Seen::default(), Some(obstacle)),
        };
        let obstacle = page.as_ref().err().or(lost.as_ref()).map(Obstacle::to_string);
        let step = Step {
            number: 0,
            journey: String::new(),
            path: Path::User,
            who: self.who.clone(),
            what: what.to_owned(),
            started: began.at,
            ms: millis(took),
            url: page.as_ref().map_or_else(|_| String::new(), |page| page.url.to_string()),
            status: page.as_ref().map_or(0, |page| page.status),
            title: page.as_ref().map_or_else(|_| String::new(), Page::title),
            message: page.as_ref().map_or_else(|_| String::new(), |page| message(page, &self.profile)),
            obstacle,
            exchanges: seen.exchanges,
            console: seen.console,
            screenshot: None,
            accessible_tree: None,
        };
        self.last_step = self.recorder.step(step, seen.screenshot.as_deref(), seen.tree.as_ref());
        page
    }
}

/// The beginning of a step.
struct Began {
    at: Timestamp,
    clock: Instant,
}

impl Began {
    fn now() -> Self {
        Self { at: Timestamp::now(), clock: Instant::now() }
    }
}

fn words(locator: &Locator) -> String {
    let name = locator.names.first().or(locator.hints.first());
    name.map_or_else(|| "it".to_owned(), |name| format!("“{name}”"))
}
