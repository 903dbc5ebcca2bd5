//! The end of a session as its page knows it: the two limits, and the warning before the nearer one. Every page carries
//! the warning, hidden until it is due; a page that is made inside the window shows it without script, and `ending.js`
//! shows it on a page that stays open.

use crate::when;
use jiff::{SignedDuration, Timestamp};
use store::Session;

/// When a session ends, seen from the moment of the page.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// When it ends if nobody uses it.
    idle: Timestamp,
    /// When it ends in any case.
    absolute: Timestamp,
    /// How long it lasts without use.
    unused: SignedDuration,
    /// The longest that it lasts.
    longest: SignedDuration,
    /// How long before its end the page says so.
    warning: SignedDuration,
    /// The moment of the page.
    now: Timestamp,
}

impl Ending {
    /// The end of this session under these limits.
    pub fn of(session: &Session, limits: auth::Limits, now: Timestamp) -> Self {
        Self::new((session.idle_expires_at, session.absolute_expires_at), limits, now)
    }

    /// The end at these moments, idle and absolute.
    pub fn new((idle, absolute): (Timestamp, Timestamp), limits: auth::Limits, now: Timestamp) -> Self {
        let signed = |length| SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
        Self {
            idle,
            absolute,
            unused: signed(limits.idle),
            longest: signed(limits.absolute),
            warning: signed(limits.warning()),
            now,
        }
    }

    /// When it ends as things stand.
    fn at(&self) -> Timestamp {
        self.idle.min(self.absolute)
    }

    /// Whether use no longer moves the end.
    pub fn is_final(&self) -> bool {
        self.absolute <= self.idle
    }

    /// Whether it is time to say so.
    pub fn is_near(&self) -> bool {
        self.at().duration_since(self.now) <= self.warning
    }

    /// How long it is until then.
    pub fn left(&self) -> String {
        when::relative(self.at(), self.now)
    }

    /// The end for people.
    pub fn clock(&self) -> String {
        self.at().strftime("%H:%M UTC").to_string()
    }

    /// The end for scripts.
    pub fn machine(&self) -> String {
        when::machine(self.at())
    }

    /// The idle limit for scripts.
    pub fn idle_machine(&self) -> String {
        when::machine(self.idle)
    }

    /// The absolute limit for scripts.
    pub fn absolute_machine(&self) -> String {
        when::machine(self.absolute)
    }

    /// The seconds without use after which it ends, for scripts.
    pub fn idle_seconds(&self) -> i64 {
        self.unused.as_secs()
    }

    /// The seconds of the warning for scripts.
    pub fn warning_seconds(&self) -> i64 {
        self.warning.as_secs()
    }

    /// The longest that the session lasts, for people.
    pub fn longest(&self) -> String {
        when::span(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_nearer_limit_is_the_one_that_is_warned_of() {
        let now: Timestamp = "2026-02-03T14:02:00Z".parse().unwrap();
        let minutes = |minutes: i64| now + SignedDuration::from_mins(minutes);
        let limits = auth::Limits::default();
        for (idle, absolute, near, last) in [
            (60, 720, false, false),
            (6, 720, false, false),
            (5, 720, true, false),
            (5, 5, true, true),
            (30, 4, true, true),
            (-1, 720, true, false),
        ] {
            let ending = Ending::new((minutes(idle), minutes(absolute)), limits, now);
            assert_eq!((ending.is_near(), ending.is_final()), (near, last), "idle in {idle}, absolute in {absolute}");
        }
        let short = auth::Limits { idle: Duration::from_secs(120), ..limits };
        let fresh = Ending::new((minutes(2), minutes(720)), short, now);
        assert!(!fresh.is_near(), "a page does not begin with the warning");
        assert_eq!(fresh.warning_seconds(), 60);
        assert_eq!(fresh.clock(), "14:04 UTC");
    }
}
