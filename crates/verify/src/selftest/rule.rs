//! What the proxy does to what passes: rules, each with what it is about and what it does. A rule counts how often it
//! really altered something, so that a fault that was never planted is not taken for one that was not noticed.

use super::inside::Inside;
use super::passing::{Answered, Asked};
use futures::future::BoxFuture;
use regex::Regex;
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What becomes of a request.
#[derive(Debug)]
pub enum Pass {
    /// It goes on, as it was.
    Untouched,
    /// It goes on, altered.
    On,
    /// It never reaches the console; this is the answer.
    Answer(Box<Answered>),
    /// No answer ever comes.
    Hang,
    /// The connection is cut.
    Cut,
}

type Before = Box<dyn for<'a> Fn(&'a mut Asked, &'a Inside) -> BoxFuture<'a, Pass> + Send + Sync>;
type After = Box<dyn Fn(&Asked, &mut Answered) -> bool + Send + Sync>;

/// One alteration.
pub struct Rule {
    methods: &'static str,
    path: Option<Regex>,
    who: Option<String>,
    script: Option<bool>,
    status: Option<u16>,
    only: Option<u64>,
    delay: Duration,
    before: Option<Before>,
    after: Option<After>,
    seen: AtomicU64,
    touched: AtomicU64,
}

impl Rule {
    /// About requests of this method (`*` for any) whose path and query match.
    pub fn on(methods: &'static str, path: &str) -> Self {
        // The rules are the program's own; a test builds all of them. One that is unsound matches nothing.
        let path = Regex::new(path).ok();
        let (seen, touched) = (AtomicU64::new(0), AtomicU64::new(0));
        Self {
            methods,
            path,
            who: None,
            script: None,
            status: None,
            only: None,
            delay: Duration::ZERO,
            before: None,
            after: None,
            seen,
            touched,
        }
    }

    /// Only requests of this user; the empty name is somebody without a session.
    #[must_use]
    pub fn by(mut self, who: &str) -> Self {
        self.who = Some(who.to_owned());
        self
    }

    /// Only what a script asks as data.
    #[must_use]
    pub fn script(mut self) -> Self {
        self.script = Some(true);
        self
    }

    /// Only pages: navigations, and a page that reads itself again.
    #[must_use]
    pub fn page(mut self) -> Self {
        self.script = Some(false);
        self
    }

    /// Only answers with this status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Only the so many-th of the requests that match, the first being 1.
    #[must_use]
    pub fn only(mut self, number: u64) -> Self {
        self.only = Some(number);
        self
    }

    /// The answer is held back so long.
    #[must_use]
    pub fn late(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Changes the request.
    #[must_use]
    pub fn change(self, change: impl Fn(&mut Asked) + Send + Sync + 'static) -> Self {
        self.before(move |asked, _| {
            change(asked);
            Box::pin(std::future::ready(Pass::On))
        })
    }

    /// Answers in the console's place.
    #[must_use]
    pub fn answer(self, answer: impl Fn(&Asked) -> Answered + Send + Sync + 'static) -> Self {
        self.before(move |asked, _| Box::pin(std::future::ready(Pass::Answer(Box::new(answer(asked))))))
    }

    /// Never answers.
    #[must_use]
    pub fn hang(self) -> Self {
        self.before(|_, _| Box::pin(std::future::ready(Pass::Hang)))
    }

    /// Cuts the connection.
    #[must_use]
    pub fn cut(self) -> Self {
        self.before(|_, _| Box::pin(std::future::ready(Pass::Cut)))
    }

    /// Does this before the console gets the request.
    #[must_use]
    pub fn before(
        mut self,
        deed: impl for<'a> Fn(&'a mut Asked, &'a Inside) -> BoxFuture<'a, Pass> + Send + Sync + 'static,
    ) -> Self {
        self.before = Some(Box::new(deed));
        self
    }

    /// Changes the answer; says whether it did.
    #[must_use]
    pub fn after(mut self, deed: impl Fn(&Asked, &mut Answered) -> bool + Send + Sync + 'static) -> Self {
        self.after = Some(Box::new(deed));
        self
    }

    /// Replaces what matches in the answer's text.
    #[must_use]
    pub fn text(mut self, pattern: &str, by: &str) -> Self {
        let (pattern, by) = (Regex::new(pattern).ok(), by.to_owned());
        let sound = pattern.is_some() && self.path.is_some();
        let path = self.path.take().filter(|_| sound);
        Self { path, ..self }.after(move |_, answer| {
            let (Some(pattern), text) = (&pattern, answer.text()) else { return false };
            let new = pattern.replace_all(&text, by.as_str());
            let changed = new != text;
            if changed {
                answer.body = new.into_owned().into();
            }
            changed
        })
    }

    /// Changes the answer where it is JSON.
    #[must_use]
    pub fn json(self, change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        self.after(move |_, answer| {
            let Ok(old) = serde_json::from_slice::<Value>(&answer.body) else { return false };
            let mut new = old.clone();
            change(&mut new);
            answer.body = new.to_string().into();
            new != old
        })
    }

    /// Puts a login page in the answer's place.
    #[must_use]
    pub fn login_page(self) -> Self {
        self.after(|_, answer| {
            *answer = Answered::page(200, LOGIN);
            true
        })
    }

    /// How often it altered something.
    pub fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// Whether its patterns can be read at all.
    #[cfg(test)]
    pub(super) fn is_sound(&self) -> bool {
        self.path.is_some()
    }

    /// Whether a request is its matter. Counts.
    pub(super) fn wants(&self, asked: &Asked) -> bool {
        let fits = (self.methods == "*" || self.methods == asked.method.as_str())
            && self.path.as_ref().is_some_and(|path| path.is_match(&asked.address))
            && self.who.as_ref().is_none_or(|who| who == asked.user.as_deref().unwrap_or_default())
            && self.script.is_none_or(|script| script == asked.is_script());
        fits && {
            let number = self.seen.fetch_add(1, Ordering::Relaxed) + 1;
            self.only.is_none_or(|only| only == number)
        }
    }

    /// Whether it must see the answer whole.
    pub(super) fn reads_answer(&self) -> bool {
        self.after.is_some()
    }

    /// Does its part to a request.
    pub(super) async fn act(&self, asked: &mut Asked, inside: &Inside) -> Pass {
        let Some(before) = &self.before else { return Pass::Untouched };
        let pass = before(asked, inside).await;
        if !matches!(pass, Pass::Untouched) {
            self.touched.fetch_add(1, Ordering::Relaxed);
        }
        pass
    }

    /// Does its part to an answer.
    pub(super) async fn react(&self, asked: &Asked, answer: &mut Answered) {
        if self.status.is_some_and(|status| status != answer.status.as_u16()) {
            return;
        }
        if !self.delay.is_zero() {
            self.touched.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.delay).await;
        }
        if self.after.as_ref().is_some_and(|after| after(asked, answer)) {
            self.touched.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A login page as the console's is, as far as anybody can tell it by.
const LOGIN: &str = r#"<!doctype html><html lang="en"><head><title>Log in · Hedgerow</title></head><body>
<a class="brand" href="/">Hedgerow</a><main><h1>Log in</h1><form method="post" action="/login/">
<label for="u">User name</label><input id="u" name="username" required>
<label for="p">Password</label><input id="p" name="password" type="password" required>
<button type="submit">Log in</button></form></main></body></html>"#;
