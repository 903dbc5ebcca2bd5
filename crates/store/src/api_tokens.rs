//! API tokens: a public key that finds the row, the hash of a secret, and what limits them (an end, addresses, reading
//! only). Revoked and expired rows stay for a while, so that an old token can be told what ended it. Whether a token is
//! let in is decided in the room `auth`.

use crate::row::{Columns, to_json};
use crate::sessions::TokenHash;
use crate::sql::args;
use crate::statements::api_tokens::*;
use crate::{Result, Store, commit};
use jiff::Timestamp;
use sqlx::any::AnyRow;

/// An API token, without its secret, which only its owner has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Id.
    pub id: i64,
    /// Whose it is.
    pub user_id: i64,
    /// Its public part, unique: what lists, logs and attempts show.
    pub key: String,
    /// Hash of its secret part.
    pub secret_hash: TokenHash,
    /// What it is for, in its owner's words.
    pub description: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; never without.
    pub expires_at: Option<Timestamp>,
    /// When it was last let in, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// From where that was.
    pub last_used_address: Option<String>,
    /// The networks that it is let in from, as CIDR; from anywhere when there is none.
    pub allowed_addresses: Vec<String>,
    /// Whether it only reads.
    pub read_only: bool,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Who revoked it.
    pub revoked_by: Option<String>,
}

impl ApiToken {
    /// Whether it was neither revoked nor has come to its end.
    pub fn lasts_at(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// What a new token is made of.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// Whose it is.
    pub user_id: i64,
    /// Its public part.
    pub key: String,
    /// Hash of its secret part.
    pub secret_hash: TokenHash,
    /// What it is for.
    pub description: String,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// The networks that it is let in from.
    pub allowed_addresses: Vec<String>,
    /// Whether it only reads.
    pub read_only: bool,
}

fn token(row: &AnyRow) -> Result<ApiToken> {
    Ok(ApiToken {
        id: row.int("id")?,
        user_id: row.int("user_id")?,
        key: row.text("key")?,
        secret_hash: row.word("secret_hash")?,
        description: row.text("description")?,
        created_at: row.time("created_at")?,
        expires_at: row.time_or_null("expires_at")?,
        last_used_at: row.time_or_null("last_used_at")?,
        last_used_address: row.text_or_null("last_used_address")?,
        allowed_addresses: row.json("allowed_addresses")?,
        read_only: row.bool("read_only")?,
        revoked_at: row.time_or_null("revoked_at")?,
        revoked_by: row.text_or_null("revoked_by")?,
    })
}

/// The functions on API tokens; from [`Store::api_tokens`].
#[derive(Debug, Clone, Copy)]
pub struct ApiTokens<'a>(&'a Store);

impl<'a> ApiTokens<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Creates a token.
    pub async fn create(&self, new: NewApiToken, now: Timestamp) -> Result<ApiToken> {
        let mut tx = self.0.writer(CREATE.doing).await?;
        let args = args![
            new.user_id,
            new.key,
            new.secret_hash.to_string(),
            new.description,
            now,
            new.expires_at,
            to_json("allowed_addresses", &new.allowed_addresses)?,
            new.read_only
        ];
        let id = CREATE.one(&mut tx, "API token", args).await?.int("id")?;
        let row = GET.one(&mut tx, "API token", args![id]).await?;
        commit(tx, CREATE.doing).await?;
        token(&row)
    }

    /// A token by id, also one that has ended.
    pub async fn get(&self, id: i64) -> Result<ApiToken> {
        let mut conn = self.0.reader(GET.doing).await?;
        token(&GET.one(&mut conn, "API token", args![id]).await?)
    }

    /// A token by its key, also one that has ended: what ended it must be tellable.
    pub async fn find_by_key(&self, key: &str) -> Result<Option<ApiToken>> {
        let mut conn = self.0.reader(BY_KEY.doing).await?;
        BY_KEY.optional(&mut conn, args![key]).await?.as_ref().map(token).transpose()
    }

    /// A user's tokens, newest first, also those that have ended.
    pub async fn of_user(&self, user_id: i64) -> Result<Vec<ApiToken>> {
        let mut conn = self.0.reader(OF_USER.doing).await?;
        OF_USER.all(&mut conn, args![user_id]).await?.iter().map(token).collect()
    }

    /// Notes a use. The caller decides how often this is worth a write.
    pub async fn used(&self, id: i64, at: Timestamp, address: &str) -> Result<()> {
        let mut tx = self.0.writer(USED.doing).await?;
        USED.run(&mut tx, args![id, at, address]).await?;
        commit(tx, USED.doing).await
    }

    /// Revokes a token. `false` when it had been revoked before; who did so first stays.
    pub async fn revoke(&self, id: i64, by: &str, now: Timestamp) -> Result<bool> {
        let mut tx = self.0.writer(REVOKE.doing).await?;
        let rows = REVOKE.run(&mut tx, args![id, now, by]).await?;
        commit(tx, REVOKE.doing).await?;
        Ok(rows > 0)
    }

    /// Deletes the rows of tokens that ended before `before`; gives how many.
    pub async fn purge(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(PURGE.doing).await?;
        let rows = PURGE.run(&mut tx, args![before]).await?;
        commit(tx, PURGE.doing).await?;
        Ok(rows)
    }
}
