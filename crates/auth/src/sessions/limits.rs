//! How long sessions last.

use crate::clock::between;
use std::time::Duration;
use store::Session;

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without activity.
    pub idle: Duration,
    /// With activity.
    pub absolute: Duration,
    /// How long before its end a session's page says so.
    pub warn_before: Duration,
    /// How long ago the password may have been entered before a change that needs it again.
    pub reauthenticate: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(3600),
            absolute: Duration::from_secs(12 * 3600),
            warn_before: WARN_BEFORE,
            reauthenticate: Duration::from_secs(15 * 60),
        }
    }
}

/// How long before its end a page warns, unless somebody says otherwise.
const WARN_BEFORE: Duration = Duration::from_secs(300);

impl Limits {
    /// The limits of one session: those of its user's groups where they say so.
    pub fn of(&self, session: &Session) -> Self {
        let idle = session.idle_limit.map_or(self.idle, |seconds| Duration::from_secs(seconds.into()));
        let absolute = between(session.created_at, session.absolute_expires_at);
        Self { idle, absolute, ..*self }
    }

    /// How long before the end a page warns: never more than half of the idle limit, or a page would begin with the
    /// warning.
    pub fn warning(&self) -> Duration {
        self.warn_before.min(self.idle / 2)
    }

    /// How often activity is written: once a minute, and often enough for short limits.
    pub(super) fn touch_every(&self) -> Duration {
        (self.idle / 20).min(Duration::from_secs(60))
    }
}
