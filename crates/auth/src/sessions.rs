//! Logging in, being logged in, and the end of it with its reason.
//!
//! A session has two limits: *idle*, which activity moves, and *absolute*, which nothing moves. Polling is not
//! activity. The end is recorded with its reason when it is first noticed, so that whoever comes later with the old
//! cookie can be told which limit it was.

mod denied;
mod limits;

pub use denied::{By, SessionDenied, SessionError};
pub use limits::Limits;

use crate::clock::{Clock, between, minus, plus};
use crate::external::Origin;
use crate::passwords::{PasswordError, Passwords};
use crate::throttle::{Throttle, ThrottleLimits};
use crate::tokens::SessionToken;
use jiff::Timestamp;
use model::Code;
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use store::{Author, EndReason, Method, NewSession, Scope, Session, Store, User};

/// How long a page waits for its activity to be written.
const TOUCH: Duration = Duration::from_secs(2);

/// How long the token before a rotation is taken: for what another tab had sent before it knew.
const UNDER_WAY: Duration = Duration::from_secs(10);

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
            tracing::info!(address, "login refused");
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
            && let Some(old) = self.find(previous).await?
        {
            self.store.sessions().end(old.id, now, EndReason::LoggedOut, Some(&user.username)).await?;
        }
        let (session, token) = self.begin(user.id, now, (address, user_agent), Method::Password).await?;
        self.store.users().set_last_login(user.id, now).await?;
        tracing::info!(user.id, session.id, address, "logged in");
        Ok(LoggedIn { session, user, token })
    }

    /// The user whose name and password these are, if it may log in. Takes as long when there is none.
    async fn compare(&self, username: &str, password: SecretString) -> Result<Option<User>, LoginError> {
        let user = self.store.users().by_name(username).await?;
        // Whoever has no password is compared as nobody: the time does not tell the two apart.
        let stored = user.as_ref().filter(|u| u.has_password()).map(|u| u.password_hash.clone());
        let fits = self.passwords.verify(password, stored).await?;
        // Of a name that nobody has nothing is noted: people type their password into that field.
        if let Some(user) = user.as_ref().filter(|user| !fits || !user.is_active) {
            tracing::info!(user.id, user.username, user.is_active, "a password did not let this user in");
        }
        Ok(user.filter(|u| fits && u.is_active))
    }

    async fn begin(
        &self,
        user_id: i64,
        now: Timestamp,
        (address, user_agent): (&str, &str),
        method: Method,
    ) -> Result<(Session, SessionToken), LoginError> {
        let token = SessionToken::generate()?;
        let (idle, absolute) = self.store.groups().session_limits_of_user(user_id).await?;
        let seconds = |limit: Option<u32>, or: Duration| limit.map_or(or, |limit| Duration::from_secs(limit.into()));
        let new = NewSession {
            token_hash: token.hash(),
            user_id,
            idle_expires_at: plus(now, seconds(idle, self.limits.idle)),
            absolute_expires_at: plus(now, seconds(absolute, self.limits.absolute)),
            idle_limit: idle,
            method,
            // Browsers send up to some hundred bytes; anybody else sends what it likes.
            user_agent: user_agent.chars().take(300).collect(),
            address: address.chars().take(100).collect(),
        };
        Ok((self.store.sessions().create(new, now).await?, token))
    }

    /// A session for a user that was named from outside.
    pub(crate) async fn begin_session(
        &self,
        user: User,
        now: Timestamp,
        from: Origin<'_>,
    ) -> Result<LoggedIn, LoginError> {
        let (session, token) = self.begin(user.id, now, (from.address, from.user_agent), from.method).await?;
        Ok(LoggedIn { session, user, token })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Turns a cookie's value into a user. `activity` is whether a person did something: it moves the idle limit, which
    /// is written once a minute at most. Polling and event streams pass `false`.
    pub async fn authenticate(&self, cookie: Option<&str>, activity: bool) -> Result<Authenticated, SessionError> {
        let nobody = || SessionError::Denied(SessionDenied::NOBODY);
        let token = cookie.and_then(SessionToken::parse).ok_or_else(nobody)?;
        let unknown = || SessionError::Denied(SessionDenied::UNKNOWN);
        let mut session = self.find(&token).await?.ok_or_else(unknown)?;
        let now = self.clock.now();
        self.still_lasts(&session, now).await?;
        let user = match self.store.users().get(session.user_id).await {
            Err(store::Error::NotFound(_)) => return Err(unknown()),
            other => other?,
        };
        let limits = self.limits.of(&session);
        if !user.is_active {
            self.store.sessions().end(session.id, now, EndReason::Revoked, None).await?;
            let denied = SessionDenied::ended(&session, limits, EndReason::Revoked, now, None);
            return Err(SessionError::Denied(denied));
        }
        if activity && between(session.last_active_at, now) >= limits.touch_every() {
            let idle_expires_at = plus(now, limits.idle).min(session.absolute_expires_at);
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
        let limits = self.limits.of(session);
        if let (Some(at), Some(reason)) = (session.ended_at, session.end_reason) {
            let by = match session.ended_by.clone() {
                Some(by) => Some(self.who(by, session.user_id).await),
                None => None,
            };
            let denied = SessionDenied::ended(session, limits, reason, at, by);
            return Err(SessionError::Denied(denied));
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
        Err(SessionError::Denied(SessionDenied::ended(session, limits, reason, at, None)))
    }

    /// Whether the name is the session's own user's.
    async fn who(&self, name: String, user_id: i64) -> By {
        match self.store.users().get(user_id).await {
            Ok(user) if user.username == name => By::You,
            _ => By::Somebody(name),
        }
    }

    /// The session of a token, also an ended one, and also by the token before its last rotation for a moment.
    pub(crate) async fn find(&self, token: &SessionToken) -> Result<Option<Session>, store::Error> {
        let under_way = minus(self.clock.now(), UNDER_WAY);
        self.store.sessions().find_by_hash(&token.hash(), under_way).await
    }

    /// The user whose session this cookie's is or was: for the record of a try that was turned away.
    pub async fn whose(&self, cookie: Option<&str>) -> Result<Option<User>, store::Error> {
        let Some(token) = cookie.and_then(SessionToken::parse) else { return Ok(None) };
        let Some(session) = self.find(&token).await? else { return Ok(None) };
        self.store.users().get(session.user_id).await.map(Some)
    }

    /// Whether the password was entered so long ago that a sensitive change asks for it again.
    pub fn needs_password(&self, session: &Session) -> bool {
        between(session.authenticated_at, self.clock.now()) >= self.limits.reauthenticate
    }

    /// Takes the password again for a session that goes on, and gives it a new token.
    pub async fn reauthenticate(
        &self,
        now_in: &Authenticated,
        password: SecretString,
        address: &str,
    ) -> Result<Option<SessionToken>, LoginError> {
        let username = &now_in.user.username;
        let admitted = match self.throttle.admit(username, address, self.clock.now()) {
            Ok(admitted) => admitted,
            Err(retry_after) => return Err(LoginError::Throttled { retry_after }),
        };
        let found = match self.compare(username, password).await {
            Ok(found) => found,
            Err(e) => {
                self.throttle.undone(admitted);
                return Err(e);
            }
        };
        if found.is_none() {
            tracing::info!(username, address, "the password was asked for again, and was wrong");
            return Err(LoginError::Invalid);
        }
        self.throttle.succeeded(admitted);
        self.rotate(&now_in.session, true).await
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
        let author = Author::named(by, self.clock.now());
        self.set_password_by(&author, &Scope::System, user_id, password, except).await
    }

    /// The same by an author whose permission covers `scope`.
    pub async fn set_password_by(
        &self,
        author: &Author,
        scope: &Scope,
        user_id: i64,
        password: SecretString,
        except: Option<i64>,
    ) -> Result<(), LoginError> {
        let hash = self.passwords.hash(password).await?;
        self.store.users().by(author).set_password_in(scope, user_id, &hash).await?;
        let (now, by) = (self.clock.now(), Some(author.actor.as_str()));
        self.store.sessions().end_all_of_user(user_id, except, now, EndReason::PasswordChanged, by).await?;
        Ok(())
    }

    /// A new token for the same session, whose limits stay: what its user may do has changed, or who it is was proved
    /// again. `None` when another request was faster; its answer carries the token.
    pub async fn rotate(&self, session: &Session, authenticated: bool) -> Result<Option<SessionToken>, LoginError> {
        let token = SessionToken::generate()?;
        let hashes = (&session.token_hash, &token.hash());
        let rotated = self.store.sessions().rotate(session.id, hashes, self.clock.now(), authenticated).await?;
        Ok(rotated.then_some(token))
    }

    /// Deletes the rows of sessions that ended long ago; gives how many. For the daily round.
    pub async fn purge(&self) -> Result<u64, store::Error> {
        self.store.sessions().purge(minus(self.clock.now(), KEPT)).await
    }
}
