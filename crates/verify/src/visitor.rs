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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// How often a page is looked at while something is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(150);

/// Windows that were used and can be used again: starting a browser takes longer than most journeys.
#[derive(Clone, Default)]
pub struct Windows(Arc<Mutex<Vec<Window>>>);

/// A window, and how it was made.
pub struct Window {
    /// Its driver.
    pub driver: Box<dyn Driver>,
    /// Whether its pages run scripts.
    pub scripts: bool,
}

impl Windows {
    /// Takes one out that was made in this way. Whoever takes it renews it.
    pub fn take(&self, driver: &str, scripts: bool) -> Option<Window> {
        let mut all = self.lock();
        let found = all.iter().position(|one| one.driver.name() == driver && one.scripts == scripts)?;
        Some(all.swap_remove(found))
    }

    /// Closes all of them.
    pub fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When a page of a browser without scripts is asked for again that has not come again by itself.
const RELOAD: Duration = Duration::from_secs(15);

/// A person at one window. Dropped, the window can be used again.
pub struct Visitor {
    who: String,
    window: Option<Window>,
    windows: Windows,
    recorder: Recorder,
    profile: Arc<Profile>,
    last_step: usize,
}

impl Visitor {
    /// Somebody, at a window.
    pub fn new(who: &str, window: Window, windows: Windows, recorder: Recorder, profile: Arc<Profile>) -> Self {
        let who = format!("{who}, {}", window.driver.name());
        Self { who, window: Some(window), windows, recorder, profile, last_step: 0 }
    }

    fn window(&mut self) -> &mut dyn Driver {
        let window = self.window.as_mut().expect("only drop takes the window out");
        &mut *window.driver
    }

    /// The number of the last step.
    pub fn last_step(&self) -> usize {
        self.last_step
    }

    /// Whether the window runs scripts.
    pub fn runs_scripts(&self) -> bool {
        self.window.as_ref().is_some_and(|window| window.driver.runs_scripts())
    }

    /// The name of the driver.
    pub fn driver(&self) -> &'static str {
        self.window.as_ref().map_or("", |window| window.driver.name())
    }

    /// Opens an address.
    pub async fn open(&mut self, address: &str) -> Taken<Page> {
        let began = Began::now();
        let page = self.window().open(address).await;
        self.record(&format!("open {address}"), began, page, true).await
    }

    /// Opens an address without a picture of it: one of many pages.
    pub async fn leaf(&mut self, address: &str) -> Taken<Page> {
        let began = Began::now();
        let page = self.window().open(address).await;
        self.record(&format!("open {address}"), began, page, false).await
    }

    /// From now on the target is at this address.
    pub fn settle(&mut self, base: &Url) {
        self.window().settle(base);
    }

    /// The page as it stands; no step.
    pub async fn look(&mut self) -> Taken<Page> {
        self.window().look().await
    }

    /// The page as it stands now, for the record.
    pub async fn show(&mut self, why: &str) -> Taken<Page> {
        let began = Began::now();
        let page = self.window().look().await;
        self.record(why, began, page, true).await
    }

    /// Finds a control on the page as it stands.
    pub async fn find(&mut self, locator: &Locator) -> Taken<Found> {
        self.window().look().await?.find(locator)
    }

    /// Types a value into a field. What is typed is not in the record.
    pub async fn fill(&mut self, field: &Locator, value: &str) -> Taken<()> {
        let found = self.find(field).await?;
        self.window().fill(&found, value).await
    }

    /// Presses a control of the page as it stands.
    pub async fn press(&mut self, control: &Locator) -> Taken<Page> {
        let began = Began::now();
        let what = format!("press {}", words(control));
        let pressed = match self.find(control).await {
            Ok(found) => self.window().press(&found).await,
            Err(obstacle) => Err(obstacle),
        };
        self.record(&what, began, pressed, true).await
    }

    /// Presses a control that was found on the page as it stands.
    pub async fn press_found(&mut self, control: &Found) -> Taken<Page> {
        let began = Began::now();
        let pressed = self.window().press(control).await;
        self.record(&format!("press “{}”", control.name), began, pressed, true).await
    }

    /// Presses a control twice in a row.
    pub async fn press_twice(&mut self, control: &Locator) -> Taken<Page> {
        let began = Began::now();
        let pressed = match self.find(control).await {
            Ok(found) => self.window().press_twice(&found).await,
            Err(obstacle) => Err(obstacle),
        };
        self.record(&format!("press {} twice", words(control)), began, pressed, true).await
    }

    /// Asks as a script of the page does.
    pub async fn ask(&mut self, ask: &Ask) -> Taken<Page> {
        let began = Began::now();
        let answer = self.window().ask(ask).await;
        self.record(&format!("ask as a script: {} {}", ask.method, ask.address), began, answer, false).await
    }

    /// Sends a form from a page of another site.
    pub async fn forge(&mut self, forgery: &Forgery) -> Taken<Page> {
        let began = Began::now();
        let answer = self.window().forge(forgery).await;
        self.record(&format!("send a form of another site to {}", forgery.address), began, answer, true).await
    }

    /// The cookies of the target.
    pub async fn cookies(&mut self) -> Taken<Vec<Cookie>> {
        self.window().cookies().await
    }

    /// Puts cookies back that were there before.
    pub async fn restore(&mut self, cookies: &[Cookie]) -> Taken<()> {
        self.window().restore(cookies).await
    }

    /// Forgets the cookies.
    pub async fn forget(&mut self) -> Taken<()> {
        self.window().forget().await
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
        let (end, mut asked) = (Instant::now() + longest, Instant::now());
        let mut page = self.window().look().await?;
        loop {
            let found = holds(&page);
            if found.is_some() || Instant::now() >= end {
                let page = self.record(&format!("wait until {what}"), began, Ok(page), true).await?;
                return Ok((found, page));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            // Where no script moves the page, it is asked for again: at once by who has no window. In a browser it may come
            // again by itself, and is left to, as long as it does.
            let rest = if self.driver() == "http" { LOOK_EVERY } else { RELOAD };
            let next = if !self.runs_scripts() && asked.elapsed() >= rest {
                asked = Instant::now();
                let address = page.url.to_string();
                self.window().open(&address).await
            } else {
                self.window().look().await
            };
            let next = match next {
                Ok(next) => next,
                // A target that is gone for a moment is asked again, as a person would.
                Err(Obstacle::NoAnswer { .. }) if Instant::now() < end => continue,
                Err(obstacle) => {
                    return self
                        .record(&format!("wait until {what}"), began, Err(obstacle), true)
                        .await
                        .map(|page| (None, page));
                }
            };
            if next.body != page.body {
                asked = Instant::now();
            }
            page = next;
        }
    }

    /// Follows what a press began until the page says how it ended, at most so long. The answer is the last that was
    /// read; it is not final when the time was up.
    pub async fn follow(&mut self, pressed: Page, longest: Duration) -> Taken<(Answer, Page)> {
        let profile = self.profile.clone();
        let first = Answer::read(&pressed, &profile);
        if first.is_final() || first.tone == crate::answer::Tone::Silent && !self.runs_scripts() {
            return Ok((first, pressed));
        }
        // A script's answer names the operation; its page is where it goes on.
        if !self.runs_scripts()
            && let Some(operation) = first.operation.as_deref()
            && !pressed.is_html()
        {
            self.open(operation).await?;
        }
        let said = |page: &Page| {
            let answer = Answer::read(page, &profile);
            answer.is_final().then_some(answer)
        };
        let (ended, page) = self.until("the page says how it ended", longest, said).await?;
        let answer = ended.unwrap_or_else(|| Answer::read(&page, &profile));
        Ok((answer, page))
    }

    /// The person goes; the window can be used again.
    pub async fn close(self) {}

    async fn record(&mut self, what: &str, began: Began, page: Taken<Page>, picture: bool) -> Taken<Page> {
        let took = began.clock.elapsed();
        // Where even the browser does not say what it saw, the step says that.
        let picture = picture && self.recorder.keeps_pictures();
        let seen = self.window().seen(picture).await;
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

impl Drop for Visitor {
    fn drop(&mut self) {
        self.windows.lock().extend(self.window.take());
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
