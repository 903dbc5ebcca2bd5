//! The sessions that a run began, so that none is left open when it is over: whatever ended it, each is logged out as a
//! person logs out, by the button of a page. A session that its journey has ended itself is none any more.

use crate::http::{Cookie, HttpUser};
use crate::obstacle::Obstacle;
use crate::profile::Profile;
use crate::recorder::Recorder;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long one logout may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session that was begun.
#[derive(Clone)]
struct Begun {
    username: String,
    cookies: Vec<Cookie>,
    /// It was tried to end it, in vain: only the end of the run tries again.
    is_tried: bool,
}

/// The sessions that were begun.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<Vec<Begun>>);

impl Sessions {
    /// Remembers one, by the cookies of its window.
    pub(crate) fn begun(&self, username: &str, cookies: Vec<Cookie>) {
        let begun = Begun { username: username.to_owned(), cookies, is_tried: false };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(begun);
    }

    /// Ends those that are still open, and writes down how that went. `window` is a new window of nobody. A target that
    /// does not answer is asked once: what it does not answer now it does not answer for the next session either. Dropped in
    /// the middle, it forgets none; what could not be ended is tried again, and told, by the `last` call.
    pub(crate) async fn end(
        &self,
        profile: &Profile,
        recorder: &Recorder,
        last: bool,
        window: impl Fn() -> Option<HttpUser>,
    ) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut silent = None;
        let mut seen = BTreeSet::new();
        for begun in all.into_iter().filter(|begun| last || !begun.is_tried) {
            let cookie = begun.cookies.iter().find(|one| is_session(profile, one));
            if cookie.is_none_or(|cookie| !seen.insert(cookie.value.clone())) {
                self.forget(&begun);
                continue;
            }
            let ended = match (&silent, window()) {
                (Some(why), _) => Err(String::clone(why)),
                (None, None) => Err("no window could be opened".to_owned()),
                (None, Some(user)) => {
                    let ended = tokio::time::timeout(PATIENCE, log_out(profile, user, begun.cookies.clone())).await;
                    let ended = ended
                        .unwrap_or_else(|_| Err(Unended::Silent(format!("no answer in {} s", PATIENCE.as_secs()))));
                    ended.map_err(|unended| match unended {
                        Unended::Silent(why) => {
                            silent = Some(why.clone());
                            why
                        }
                        Unended::Refused(why) => why,
                    })
                }
            };
            let what = format!("a session of {}", begun.username);
            if ended.is_ok() || last {
                self.forget(&begun);
            } else {
                self.tried(&begun);
            }
            match ended {
                Ok(true) => recorder.cleaned(&what, Ok(())),
                Err(why) if last => recorder.cleaned(&what, Err(format!("it ends by itself at its limits: {why}"))),
                Ok(false) | Err(_) => {}
            }
        }
    }

    fn tried(&self, begun: &Begun) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter_mut().filter(|one| one.cookies == begun.cookies).for_each(|one| one.is_tried = true);
    }

    fn forget(&self, begun: &Begun) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = all.iter().position(|one| one.cookies == begun.cookies) {
            all.remove(at);
        }
    }
}

fn is_session(profile: &Profile, cookie: &Cookie) -> bool {
    profile.login.session_cookies.iter().any(|name| name.is_match(&cookie.name))
}

/// Why a session goes on.
enum Unended {
    /// The target does not answer.
    Silent(String),
    /// It answers, and not as it should.
    Refused(String),
}

/// Logs out; `false` when there was no session any more.
async fn log_out(profile: &Profile, mut user: HttpUser, cookies: Vec<Cookie>) -> Result<bool, Unended> {
    for cookie in cookies {
        user.restore(cookie);
    }
    let said = |obstacle: Obstacle| match obstacle {
        Obstacle::NoAnswer { .. } => Unended::Silent(obstacle.to_string()),
        other => Unended::Refused(other.to_string()),
    };
    let page = user.visit(&profile.fabrics.address).await.map_err(said)?;
    let Ok(button) = page.find(&profile.login.logout) else {
        // Without a session there is the login in its place; anything else says nothing of the session.
        if page.find(&profile.login.password).is_ok() {
            return Ok(false);
        }
        return Err(Unended::Refused(format!("a page without a logout answered {}", page.status)));
    };
    let answer = match button.href.as_deref() {
        Some(href) => user.follow_link(&page, href).await,
        None => user.send(&page, &page.form_of(&button).map_err(said)?).await,
    };
    let answer = answer.map_err(said)?;
    if answer.status >= 400 {
        return Err(Unended::Refused(format!("the logout answered {}", answer.status)));
    }
    Ok(true)
}
