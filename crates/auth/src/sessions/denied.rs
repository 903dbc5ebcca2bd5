//! Why a cookie is nobody's: the code, the reason, the limit, and who ended it.

use super::Limits;
use jiff::Timestamp;
use model::Code;
use std::time::Duration;
use store::{EndReason, Session};

/// Who ended a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Its own user, from elsewhere.
    You,
    /// Somebody else, by name.
    Somebody(String),
}

/// Why nobody is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionDenied {
    /// `authentication_required`, or which way the session ended.
    pub code: Code,
    /// Why it ended; `None` when there was none.
    pub reason: Option<EndReason>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who ended it, when somebody did.
    pub by: Option<By>,
    /// The limit that was reached, when one was.
    pub limit: Option<Duration>,
    /// Whose session it was.
    pub user_id: Option<i64>,
    /// Whether a session was claimed that nobody knows.
    pub is_unknown: bool,
}

impl SessionDenied {
    pub(super) const NOBODY: Self = Self {
        code: Code::AuthenticationRequired,
        reason: None,
        ended_at: None,
        by: None,
        limit: None,
        user_id: None,
        is_unknown: false,
    };

    /// A cookie came that is of no session that is known, or of none any more.
    pub(super) const UNKNOWN: Self = Self { is_unknown: true, ..Self::NOBODY };

    pub(super) fn ended(session: &Session, limits: Limits, reason: EndReason, at: Timestamp, by: Option<By>) -> Self {
        let (code, limit) = match reason {
            EndReason::Idle => (Code::SessionIdleExpired, Some(limits.idle)),
            EndReason::Absolute => (Code::SessionAbsoluteExpired, Some(limits.absolute)),
            EndReason::LoggedOut | EndReason::Revoked | EndReason::PasswordChanged => (Code::SessionRevoked, None),
        };
        Self {
            code,
            reason: Some(reason),
            ended_at: Some(at),
            by,
            limit,
            user_id: Some(session.user_id),
            is_unknown: false,
        }
    }

    /// One sentence, without the length of the limit: that is for whoever words spans of time.
    pub fn sentence(&self) -> String {
        match (self.reason, &self.by) {
            (None, _) if self.is_unknown => "You are not logged in: the session of this browser is not known here, as \
                                            when its user was deleted or when it ended long ago."
                .to_owned(),
            (None, _) => "You are not logged in.".to_owned(),
            (Some(EndReason::Idle), _) => "Your session ended because it was not used for some time.".to_owned(),
            (Some(EndReason::Absolute), _) => {
                "Your session reached the longest time that a session may last.".to_owned()
            }
            (Some(EndReason::LoggedOut), _) => "You logged out, in this window or in another one.".to_owned(),
            (Some(EndReason::Revoked), Some(By::You)) => "You ended this session from another one.".to_owned(),
            (Some(EndReason::Revoked), Some(By::Somebody(by))) => format!("Your session was ended by {by}."),
            (Some(EndReason::Revoked), None) => "Your session was ended because your user was switched off.".to_owned(),
            (Some(EndReason::PasswordChanged), Some(By::Somebody(by))) => {
                format!("Your session ended because your password was changed by {by}.")
            }
            (Some(EndReason::PasswordChanged), _) => "Your session ended because your password was changed.".to_owned(),
        }
    }
}

/// Why a cookie was not turned into a user.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Nobody is logged in.
    #[error("{}", .0.sentence())]
    Denied(SessionDenied),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}
