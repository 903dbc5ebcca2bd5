//! Facts about this installation, by key: its id, the value that proves that the key for secrets is the right one.

use crate::row::Columns;
use crate::sql::args;
use crate::statements::meta::*;
use crate::{Engine, Error, Result, Store, commit};

/// Key of the installation's id.
pub const INSTALLATION_ID: &str = "installation_id";

/// The functions on facts; from [`Store::meta`].
#[derive(Debug, Clone, Copy)]
pub struct Meta<'a>(&'a Store);

impl<'a> Meta<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The value of a key.
    pub async fn get(&self, key: &str) -> Result<Option<String>> {
        let mut conn = self.0.reader(GET.doing).await?;
        GET.optional(&mut conn, args![key]).await?.map(|row| row.text("value")).transpose()
    }

    /// Stores a value.
    pub async fn set(&self, key: &str, value: &str) -> Result<()> {
        let mut tx = self.0.writer(SET.doing).await?;
        SET.run(&mut tx, args![key, value]).await?;
        commit(tx, SET.doing).await
    }

    /// Stores a value unless there is one, and gives the one that is stored now: of several processes that start at
    /// once, all get the same.
    pub async fn get_or_set(&self, key: &str, value: &str) -> Result<String> {
        if let Some(found) = self.get(key).await? {
            return Ok(found);
        }
        let mut tx = self.0.writer(SET_ONCE.doing).await?;
        SET_ONCE.run(&mut tx, args![key, value]).await?;
        let row = GET.one(&mut tx, "fact", args![key]).await?;
        commit(tx, SET_ONCE.doing).await?;
        row.text("value")
    }

    /// This installation's id, made at its first start.
    pub async fn installation_id(&self) -> Result<String> {
        self.get_or_set(INSTALLATION_ID, &uuid::Uuid::new_v4().to_string()).await
    }

    /// Whether the database answers and takes writes: for the health check. Nothing is written.
    pub async fn ping(&self) -> Result<()> {
        let mut conn = self.0.reader(PING.doing).await?;
        PING.one(&mut conn, "answer", vec![]).await?;
        drop(conn);
        // Begun, a transaction has what it needs in order to write; of a disk that is full it does not know.
        let tx = self.0.writer(PING.doing).await?;
        match self.0.engine() {
            Engine::Sqlite => tx.into_parts().0.rollback().await.map_err(|e| Error::of(PING.doing, e)),
            Engine::Postgres => commit(tx, PING.doing).await,
        }
    }
}
