//! Logging in, being logged in, and the end of it with its reason.
//!
//! A session has two limits: *idle*, which activity moves, and *absolute*, which nothing moves. Polling is not
//! activity. The end is recorded with its reason when it is first noticed, so that whoever comes later with the old
//! cookie can be told which limit it was.

use crate::clock::{Clock, between, plus};
use crate::passwords::{PasswordError, Passwords};
use crate::throttle::{Throttle, ThrottleLimits};
use crate::tokens::SessionToken;
use jiff::Timestamp;
use model::Code;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use store::{EndReason, NewSession, Session, Store, User};

/// How long sessions last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Without activity.
    pub idle: Duration,
    /// With activity.
    pub absolute: Duration,
    /// How long before its end a session's page says so.
    pub warn_before: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { idle: Duration::from_secs(3600), absolute: Duration::from_secs(12 * 3600), warn_before: WARN_BEFORE }
    }
}

/// How long before its end a page warns, unless somebody says otherwise.
const WARN_BEFORE: Duration = Duration::from_secs(300);

impl Limits {
    /// How long before the end a page warns: never more than half of the idle limit, or a page would begin with the
    /// warning.
    pub fn warning(&self) -> Duration {
        self.warn_before.min(self.idle / 2)
    }

    /// How often activity is written: once a minute, and often enough for short limits.
    fn touch_every(&self) -> Duration {
        (self.idle / 20).min(Duration::from_secs(60))
    }
}

/// How long a page waits for its activity to be written.
const TOUCH: Duration = Duration::from_secs(2);

/// How long the row of an ended session is kept.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A user who is logged in.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: User,
}

/// A login that succeeded.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The session.
    pub session: Session,
    /// The user.
    pub user: User,
    /// For the cookie, and for nothing else.
    pub token: SessionToken,
}

/// Why nobody is logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionDenied {
    /// `authentication_required`, or which way the session ended.
    pub code: Code,
    /// Why it ended; `None` when there was none.
    pub reason: Option<EndReason>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl SessionDenied {
    const NOBODY: Self = Self { code: Code::AuthenticationRequired, reason: None, ended_at: None };

    fn ended(reason: EndReason, at: Timestamp) -> Self {
        let code = match reason {
            EndReason::Idle => Code::SessionIdleExpired,
            EndReason::Absolute => Code::SessionAbsoluteExpired,
            EndReason::LoggedOut | EndReason::Revoked | EndReason::PasswordChanged => Code::SessionRevoked,
        };
        Self { code, reason: Some(reason), ended_at: Some(at) }
    }

    /// One sentence for the page.
    pub fn sentence(&self) -> &'static str {
        match self.reason {
            None => "You are not logged in.",
            Some(EndReason::Idle) => "Your session ended because it was not used for some time.",
            Some(EndReason::Absolute) => "Your session reached the longest time that a session may last.",
            Some(EndReason::LoggedOut) => "You logged out, in this window or in another one.",
            Some(EndReason::Revoked) => "Your session was ended by you elsewhere or by an administrator.",
            Some(EndReason::PasswordChanged) => "Your session ended because your password was changed.",
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

/// Why a login failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Wrong name, wrong password or a user that is switched off: from outside all the same.
    #[error("the user name or the password is wrong")]
    Invalid,
    /// Too many failures.
    #[error("too many failed logins; try again in {} seconds", retry_after.as_secs().max(1))]
    Throttled {
        /// When the next try is let in.
        retry_after: Duration,
    },
    /// The password could not be compared.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// The system gave no random bytes.
    #[error("the system gave no random bytes")]
    Random(#[from] getrandom::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Sessions and how they begin and end.
#[derive(Debug, Clone)]
pub struct Sessions {
    store: Store,
    passwords: Passwords,
    throttle: Arc<Throttle>,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

impl Sessions {
    /// With these limits.
    pub fn new(store: Store, clock: Arc<dyn Clock>, limits: Limits, throttle: ThrottleLimits) -> Self {
        let throttle = Arc::new(Throttle::new(throttle));
        Self { store, passwords: Passwords::default(), throttle, clock, limits }
    }

    /// The limits, for the page that counts down.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Hashing, for who creates users.
    pub fn passwords(&self) -> &Passwords {
        &self.passwords
    }

    /// Logs a user in with a new session. The session that the browser had before, if any, ends: a token never
    /// outlives a login.
    pub async fn login(
        &self,
        username: &str,
        password: SecretString,
        address: &str,
        user_agent: &str,
        previous: Option<&SessionToken>,
    ) -> Result<LoggedIn, LoginError> {
        let admitted = match self.throttle.admit(username, address, self.clock.now()) {
            Ok(admitted) => admitted,
            Err(retry_after) => return Err(LoginError::Throttled { retry_after }),
        };
        let found = match self.compare(username, password.clone()).await {
            Ok(found) => found,
            Err(e) => {
                self.throttle.undone(admitted);
                return Err(e);
            }
        };
        let Some(user) = found else {
            tracing::info!(username, address, "login refused");
            return Err(LoginError::Invalid);
        };
        self.throttle.succeeded(admitted);

        let now = self.clock.now();
        if Passwords::is_outdated(&user.password_hash) {
            let hash = self.passwords.hash(password).await;
            match hash {
                Ok(hash) => self.store.users().set_password(user.id, &hash).await?,
                // An old password may be shorter than new ones have to be. It is no reason to refuse the login.
                Err(e) => tracing::warn!(user.id, "password not hashed anew: {e}"),
            }
        }
        if let Some(previous) = previous
            && let Some(old) = self.store.sessions().find_by_hash(&previous.hash()).await?
        {
            self.store.sessions().end(old.id, now, EndReason::LoggedOut, Some(&user.username)).await?;
        }
        let absolute = plus(now, self.limits.absolute);
        let (session, token) = self.begin(user.id, now, absolute, address, user_agent).await?;
        self.store.users().set_last_login(user.id, now).await?;
        tracing::info!(user.id, session.id, address, "logged in");
        Ok(LoggedIn { session, user, token })
    }

    /// The user whose name and password these are, if it may log in. Takes as long when there is none.
    async fn compare(&self, username: &str, password: SecretString) -> Result<Option<User>, LoginError> {
        let user = self.store.users().by_name(username).await?;
        let stored = user.as_ref().map(|u| u.password_hash.clone());
        let fits = self.passwords.verify(password, stored).await?;
        Ok(user.filter(|u| fits && u.is_active))
    }

    async fn begin(
        &self,
        user_id: i64,
        now: Timestamp,
        absolute_expires_at: Timestamp,
        address: &str,
        user_agent: &str,
    ) -> Result<(Session, SessionToken), LoginError> {
        let token = SessionToken::generate()?;
        let new = NewSession {
            token_hash: token.hash(),
            user_id,
            idle_expires_at: plus(now, self.limits.idle),
            absolute_expires_at,
            // Browsers send up to some hundred bytes; anybody else sends what it likes.
            user_agent: user_agent.chars().take(300).collect(),
            address: address.chars().take(100).collect(),
        };
        Ok((self.store.sessions().create(new, now).await?, token))
    }

    /// Turns a cookie's value into a user. `activity` is whether a person did something: it moves the idle limit, which
    /// is written once a minute at most. Polling and event streams pass `false`.
    pub async fn authenticate(&self, cookie: Option<&str>, activity: bool) -> Result<Authenticated, SessionError> {
        let nobody = || SessionError::Denied(SessionDenied::NOBODY);
        let token = cookie.and_then(SessionToken::parse).ok_or_else(nobody)?;
        let mut session = self.store.sessions().find_by_hash(&token.hash()).await?.ok_or_else(nobody)?;
        let now = self.clock.now();
        self.still_lasts(&session, now).await?;
        let user = self.store.users().get(session.user_id).await?;
        if !user.is_active {
            self.store.sessions().end(session.id, now, EndReason::Revoked, None).await?;
            return Err(SessionError::Denied(SessionDenied::ended(EndReason::Revoked, now)));
        }
        if activity && between(session.last_active_at, now) >= self.limits.touch_every() {
            let idle_expires_at = plus(now, self.limits.idle).min(session.absolute_expires_at);
            let sessions = self.store.sessions();
            let touch = tokio::time::timeout(TOUCH, sessions.touch(session.id, now, idle_expires_at));
            match touch.await {
                Ok(Ok(true)) => {
                    session.last_active_at = now;
                    session.idle_expires_at = idle_expires_at;
                }
                Ok(Ok(false)) => {
                    // Another request was faster, or it ended just now: what is stored counts.
                    session = self.store.sessions().get(session.id).await?;
                    self.still_lasts(&session, now).await?;
                }
                // A page that could be shown is not kept back because its hour cannot be written down: the session
                // lasts as long as it did.
                Ok(Err(error)) if error.code() == Code::StoreUnavailable => {
                    tracing::warn!(session = session.id, %error, "activity could not be stored");
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => tracing::warn!(session = session.id, "activity could not be stored in time"),
            }
        }
        Ok(Authenticated { session, user })
    }

    /// Refuses a session that has ended, and records the end of one whose limit has passed.
    async fn still_lasts(&self, session: &Session, now: Timestamp) -> Result<(), SessionError> {
        if let (Some(at), Some(reason)) = (session.ended_at, session.end_reason) {
            return Err(SessionError::Denied(SessionDenied::ended(reason, at)));
        }
        // An idle limit that was cut to the absolute one is the absolute one.
        let (at, reason) = if session.idle_expires_at < session.absolute_expires_at {
            (session.idle_expires_at, EndReason::Idle)
        } else {
            (session.absolute_expires_at, EndReason::Absolute)
        };
        if now < at {
            return Ok(());
        }
        self.store.sessions().end(session.id, at, reason, None).await?;
        Err(SessionError::Denied(SessionDenied::ended(reason, at)))
    }

    /// Ends the session of a logout.
    pub async fn logout(&self, session: &Session) -> Result<(), store::Error> {
        self.store.sessions().end(session.id, self.clock.now(), EndReason::LoggedOut, None).await.map(|_| ())
    }

    /// Ends a session from elsewhere. Who may do that is for the caller to ask: the user itself, or an administrator.
    pub async fn revoke(&self, session_id: i64, by: &str) -> Result<bool, store::Error> {
        self.store.sessions().end(session_id, self.clock.now(), EndReason::Revoked, Some(by)).await
    }

    /// Ends all sessions of a user but the one that is excepted; gives how many.
    pub async fn revoke_all(&self, user_id: i64, except: Option<i64>, by: &str) -> Result<u64, store::Error> {
        let now = self.clock.now();
        self.store.sessions().end_all_of_user(user_id, except, now, EndReason::Revoked, Some(by)).await
    }

    /// Sets a user's password and ends all its sessions, but for the one that is excepted.
    pub async fn set_password(
        &self,
        user_id: i64,
        password: SecretString,
        except: Option<i64>,
        by: &str,
    ) -> Result<(), LoginError> {
        let hash = self.passwords.hash(password).await?;
        self.store.users().set_password(user_id, &hash).await?;
        let now = self.clock.now();
        self.store.sessions().end_all_of_user(user_id, except, now, EndReason::PasswordChanged, Some(by)).await?;
        Ok(())
    }

    /// A new token for the same session, after a change of what its user may do. The absolute limit stays.
    pub async fn rotate(&self, session: &Session) -> Result<(Session, SessionToken), LoginError> {
        let now = self.clock.now();
        let absolute = session.absolute_expires_at;
        let begun = self.begin(session.user_id, now, absolute, &session.address, &session.user_agent).await?;
        self.store.sessions().end(session.id, now, EndReason::LoggedOut, None).await?;
        Ok(begun)
    }

    /// Deletes the rows of sessions that ended long ago; gives how many. For the daily round.
    pub async fn purge(&self) -> Result<u64, store::Error> {
        let now = self.clock.now();
        let before = jiff::SignedDuration::try_from(KEPT).ok().and_then(|kept| now.checked_sub(kept).ok());
        match before {
            Some(before) => self.store.sessions().purge(before).await,
            None => Ok(0),
        }
    }
}
