//! Forms that were sent after their session had ended, until their user has logged in again. What they hold comes sealed
//! and without credentials from the room `web`; nobody but the user that typed it gets it back.

use crate::fabrics::Sealed;
use crate::row::Columns;
use crate::sessions::TokenHash;
use crate::sql::args;
use crate::statements::kept_forms::*;
use crate::{Result, Store, commit};
use jiff::Timestamp;

/// The table, for the place of what is sealed.
pub const TABLE: &str = "kept_forms";

/// Forms that are kept of one user.
const EACH: u32 = 5;

/// A form that was sent too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptForm {
    /// Who had sent it.
    pub user_id: i64,
    /// When.
    pub created_at: Timestamp,
    /// Where it was sent to.
    pub path: String,
    /// Its fields, sealed.
    pub fields: Sealed,
}

/// The functions on kept forms; from [`Store::kept_forms`].
#[derive(Debug, Clone, Copy)]
pub struct KeptForms<'a>(&'a Store);

impl<'a> KeptForms<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Keeps a form under the hash of the token that leads back to it. Those from before `purge_before` are deleted, and
    /// of this user all but the newest few.
    pub async fn keep(&self, token: &TokenHash, form: &KeptForm, purge_before: Timestamp) -> Result<()> {
        let mut tx = self.0.writer(CREATE.doing).await?;
        let fields = Some(form.fields.0.clone());
        CREATE.run(&mut tx, args![token.to_string(), form.user_id, form.created_at, &form.path, fields]).await?;
        PURGE.run(&mut tx, args![purge_before, form.user_id, EACH]).await?;
        commit(tx, CREATE.doing).await
    }

    /// The form of this token, for the user that sent it after `since`, and for nobody else.
    pub async fn get(&self, token: &TokenHash, user_id: i64, since: Timestamp) -> Result<Option<KeptForm>> {
        let mut conn = self.0.reader(GET.doing).await?;
        let Some(row) = GET.optional(&mut conn, args![token.to_string(), user_id, since]).await? else {
            return Ok(None);
        };
        Ok(Some(KeptForm {
            user_id: row.int("user_id")?,
            created_at: row.time("created_at")?,
            path: row.text("path")?,
            fields: Sealed(row.blob_or_null("fields")?.unwrap_or_default()),
        }))
    }

    /// Forgets every form: what they are sealed with is about to go.
    pub async fn clear(&self) -> Result<u64> {
        let mut tx = self.0.writer(CLEAR.doing).await?;
        let rows = CLEAR.run(&mut tx, args![]).await?;
        commit(tx, CLEAR.doing).await?;
        Ok(rows)
    }

    /// Forgets a form of this user, because it was sent or given up.
    pub async fn forget(&self, token: &TokenHash, user_id: i64) -> Result<()> {
        let mut tx = self.0.writer(DELETE.doing).await?;
        DELETE.run(&mut tx, args![token.to_string(), user_id]).await?;
        commit(tx, DELETE.doing).await
    }
}
