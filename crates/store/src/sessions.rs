//! Sessions: the hash of a token, two limits, and how it ended. Ended rows stay for a while, so that an old cookie can
//! be told which limit ended it. What the limits mean is decided in the room `auth`.

use crate::fabrics::Sealed;
use crate::row::Columns;
use crate::sql::args;
use crate::statements::sessions::*;
use crate::{Result, Store, commit};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use std::fmt;
use std::str::FromStr;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// Nobody used it.
    Idle,
    /// It was as old as a session may be.
    Absolute,
    /// The user logged out.
    LoggedOut,
    /// The user or an administrator ended it from elsewhere.
    Revoked,
    /// The password was changed.
    PasswordChanged,
}

impl EndReason {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::LoggedOut => "logged_out",
            Self::Revoked => "revoked",
            Self::PasswordChanged => "password_changed",
        }
    }
}

impl FromStr for EndReason {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "idle" => Self::Idle,
            "absolute" => Self::Absolute,
            "logged_out" => Self::LoggedOut,
            "revoked" => Self::Revoked,
            "password_changed" => Self::PasswordChanged,
            other => return Err(format!("'{other}' is not a reason")),
        })
    }
}

/// How the user of a session proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// By the password.
    #[default]
    Password,
    /// By an OpenID Connect provider.
    Openid,
    /// A trusted proxy says who it is, with every request.
    Header,
}

impl Method {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Openid => "openid",
            Self::Header => "header",
        }
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Ok(match s {
            "password" => Self::Password,
            "openid" => Self::Openid,
            "header" => Self::Header,
            other => return Err(format!("'{other}' is no way to log in")),
        })
    }
}

/// The SHA-256 of a session's token; the token itself is only in the browser.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl FromStr for TokenHash {
    type Err = &'static str;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = "it is not 64 hexadecimal digits";
        let mut out = [0; 32];
        if s.len() != 64 || !s.is_ascii() {
            return Err(bad);
        }
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&s[2 * i..2 * i + 2], 16).map_err(|_| bad)?;
        }
        Ok(Self(out))
    }
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Id.
    pub id: i64,
    /// Hash of its token.
    pub token_hash: TokenHash,
    /// Whose it is.
    pub user_id: i64,
    /// When the user logged in.
    pub created_at: Timestamp,
    /// When the user was last seen to do something.
    pub last_active_at: Timestamp,
    /// When it ends if nothing more is done.
    pub idle_expires_at: Timestamp,
    /// When it ends at the latest.
    pub absolute_expires_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Who ended it, when somebody did.
    pub ended_by: Option<String>,
    /// The browser.
    pub user_agent: String,
    /// The address that it logged in from.
    pub address: String,
    /// When the user last proved who it is: at the login, or with the password again.
    pub authenticated_at: Timestamp,
    /// Seconds without use after which it ends, when its user's groups say so.
    pub idle_limit: Option<u32>,
    /// Whether the next request gets a new token: what the user may do has changed.
    pub rotation_due: bool,
    /// How its user proved who it is.
    pub method: Method,
}

/// What a new session is made of.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Hash of its token.
    pub token_hash: TokenHash,
    /// Whose it is.
    pub user_id: i64,
    /// When it ends if nothing is done.
    pub idle_expires_at: Timestamp,
    /// When it ends at the latest.
    pub absolute_expires_at: Timestamp,
    /// The browser.
    pub user_agent: String,
    /// The address that it logs in from.
    pub address: String,
    /// Seconds without use after which it ends, when its user's groups say so.
    pub idle_limit: Option<u32>,
    /// How its user proved who it is.
    pub method: Method,
}

fn session(row: &AnyRow) -> Result<Session> {
    Ok(Session {
        id: row.int("id")?,
        token_hash: row.word("token_hash")?,
        user_id: row.int("user_id")?,
        created_at: row.time("created_at")?,
        last_active_at: row.time("last_active_at")?,
        idle_expires_at: row.time("idle_expires_at")?,
        absolute_expires_at: row.time("absolute_expires_at")?,
        ended_at: row.time_or_null("ended_at")?,
        end_reason: row.word_or_null("end_reason")?,
        ended_by: row.text_or_null("ended_by")?,
        user_agent: row.text("user_agent")?,
        address: row.text("address")?,
        authenticated_at: row.time("authenticated_at")?,
        idle_limit: row.int_or_null("idle_limit")?.and_then(|seconds| u32::try_from(seconds).ok()),
        rotation_due: row.bool("rotation_due")?,
        method: row.word("method")?,
    })
}

/// The table, for the place of what is sealed.
pub const TABLE: &str = "sessions";

/// The functions on sessions; from [`Store::sessions`].
#[derive(Debug, Clone, Copy)]
pub struct Sessions<'a>(&'a Store);

impl<'a> Sessions<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Creates a session.
    pub async fn create(&self, new: NewSession, now: Timestamp) -> Result<Session> {
        let mut tx = self.0.writer(CREATE.doing).await?;
        let args = args![
            new.token_hash.to_string(),
            new.user_id,
            now,
            new.idle_expires_at.min(new.absolute_expires_at),
            new.absolute_expires_at,
            new.user_agent,
            new.address,
            new.idle_limit,
            new.method.as_str()
        ];
        let id = CREATE.one(&mut tx, "session", args).await?.int("id")?;
        let row = GET.one(&mut tx, "session", args![id]).await?;
        commit(tx, CREATE.doing).await?;
        session(&row)
    }

    /// Keeps the sealed ID token of a session, which its logout shows to the provider.
    pub async fn keep_id_token(&self, id: i64, sealed: &Sealed) -> Result<()> {
        let mut tx = self.0.writer(KEEP_ID_TOKEN.doing).await?;
        KEEP_ID_TOKEN.run(&mut tx, args![id, Some(sealed.0.clone())]).await?;
        commit(tx, KEEP_ID_TOKEN.doing).await
    }

    /// The sealed ID token of a session.
    pub async fn id_token(&self, id: i64) -> Result<Option<Sealed>> {
        let mut conn = self.0.reader(ID_TOKEN.doing).await?;
        let row = ID_TOKEN.optional(&mut conn, args![id]).await?;
        Ok(row.map(|row| row.blob_or_null("id_token")).transpose()?.flatten().map(Sealed))
    }

    /// Notes that a login came back from its provider; `false` when it did before. What came back before `purge_before`
    /// is forgotten: it is too old to come back.
    pub async fn use_state(&self, hash: &TokenHash, now: Timestamp, purge_before: Timestamp) -> Result<bool> {
        let mut tx = self.0.writer(USE_STATE.doing).await?;
        PURGE_STATES.run(&mut tx, args![purge_before]).await?;
        let rows = USE_STATE.run(&mut tx, args![hash.to_string(), now]).await?;
        commit(tx, USE_STATE.doing).await?;
        Ok(rows > 0)
    }

    /// A session by id, also an ended one.
    pub async fn get(&self, id: i64) -> Result<Session> {
        let mut conn = self.0.reader(GET.doing).await?;
        session(&GET.one(&mut conn, "session", args![id]).await?)
    }

    /// A session by the hash of its token, also an ended one: the reason must be tellable. The hash before the last
    /// rotation is good for requests that were under way then: when the rotation was not before `rotated_after`.
    pub async fn find_by_hash(&self, hash: &TokenHash, rotated_after: Timestamp) -> Result<Option<Session>> {
        let mut conn = self.0.reader(BY_HASH.doing).await?;
        let args = args![hash.to_string(), rotated_after];
        BY_HASH.optional(&mut conn, args).await?.as_ref().map(session).transpose()
    }

    /// Gives a session a new token in place of `old`; `authenticated` when its user has just proved who it is. `false`
    /// when it has ended, or another request was faster.
    pub async fn rotate(
        &self,
        id: i64,
        (old, new): (&TokenHash, &TokenHash),
        at: Timestamp,
        authenticated: bool,
    ) -> Result<bool> {
        let mut tx = self.0.writer(ROTATE.doing).await?;
        let rows = ROTATE.run(&mut tx, args![id, old.to_string(), new.to_string(), at, authenticated]).await?;
        commit(tx, ROTATE.doing).await?;
        Ok(rows > 0)
    }

    /// What a user may do has changed: each of its sessions gets a new token with its next request.
    pub async fn rotate_soon(&self, user_id: i64) -> Result<()> {
        let mut tx = self.0.writer(ROTATE_SOON.doing).await?;
        ROTATE_SOON.run(&mut tx, args![user_id]).await?;
        commit(tx, ROTATE_SOON.doing).await
    }

    /// Notes activity and extends the idle limit, never beyond the absolute one. `false` when the session has ended,
    /// expired or was touched later than `now`. The caller decides how often this is worth a write.
    pub async fn touch(&self, id: i64, now: Timestamp, idle_expires_at: Timestamp) -> Result<bool> {
        let mut tx = self.0.writer(TOUCH.doing).await?;
        let rows = TOUCH.run(&mut tx, args![id, now, idle_expires_at]).await?;
        commit(tx, TOUCH.doing).await?;
        Ok(rows > 0)
    }

    /// Ends a session. `false` when it had ended before; the first reason stays.
    pub async fn end(&self, id: i64, at: Timestamp, reason: EndReason, by: Option<&str>) -> Result<bool> {
        let mut tx = self.0.writer(END.doing).await?;
        let rows = END.run(&mut tx, args![id, at, reason.as_str(), by]).await?;
        commit(tx, END.doing).await?;
        Ok(rows > 0)
    }

    /// Ends all sessions of a user but the one that is excepted; gives how many.
    pub async fn end_all_of_user(
        &self,
        user_id: i64,
        except: Option<i64>,
        at: Timestamp,
        reason: EndReason,
        by: Option<&str>,
    ) -> Result<u64> {
        let mut tx = self.0.writer(END_ALL_OF_USER.doing).await?;
        let args = args![user_id, at, reason.as_str(), by, except.unwrap_or(-1)];
        let rows = END_ALL_OF_USER.run(&mut tx, args).await?;
        commit(tx, END_ALL_OF_USER.doing).await?;
        Ok(rows)
    }

    /// A user's sessions, newest first, also ended ones.
    pub async fn list_of_user(&self, user_id: i64) -> Result<Vec<Session>> {
        let mut conn = self.0.reader(OF_USER.doing).await?;
        OF_USER.all(&mut conn, args![user_id]).await?.iter().map(session).collect()
    }

    /// Deletes the rows that ended or expired before `before`; gives how many. Thirty days back is the habit.
    pub async fn purge(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(PURGE.doing).await?;
        let rows = PURGE.run(&mut tx, args![before]).await?;
        commit(tx, PURGE.doing).await?;
        Ok(rows)
    }
}
