//! Objects that a person took over from a cluster into Git (*Sync from Fabric*, adopt). A sync may delete such an object
//! when Git names it no more, as it may what it wrote itself; so the uid says which object it was.

use crate::row::Columns;
use crate::sql::{Sql, args};
use crate::statements::adopted as st;
use crate::{Result, Store, commit};
use jiff::Timestamp;
use model::ObjectKey;

/// An object that was adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// Which object.
    pub key: ObjectKey,
    /// The uid that it had in the cluster; another object of that name was not adopted.
    pub uid: String,
    /// Who adopted it, by name.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

/// Rows of one statement.
const CHUNK: usize = 200;

/// The functions on adopted objects; from [`Store::adopted`]. All of them are of one fabric, and the caller has asked
/// for that fabric under a scope.
#[derive(Debug, Clone, Copy)]
pub struct AdoptedObjects<'a>(&'a Store);

impl<'a> AdoptedObjects<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Records objects as adopted; one that was adopted before has the new uid and actor.
    pub async fn put(&self, fabric_id: i64, objects: &[Adopted]) -> Result<()> {
        let mut tx = self.0.writer(st::PUT).await?;
        for chunk in objects.chunks(CHUNK) {
            let mut sql = Sql::bulk(&tx, st::PUT, st::INSERT);
            sql.rows(chunk, |o| Ok(args![fabric_id, o.key.to_string(), &o.uid, &o.actor, o.at]))?;
            sql.push(st::UPSERT).once();
            sql.run(&mut tx).await?;
        }
        commit(tx, st::PUT).await
    }

    /// Every adopted object of a fabric, by identity.
    pub async fn list(&self, fabric_id: i64) -> Result<Vec<Adopted>> {
        let mut conn = self.0.reader(st::ALL_OF_FABRIC.doing).await?;
        let rows = st::ALL_OF_FABRIC.all(&mut conn, args![fabric_id]).await?;
        let adopted = |row: &sqlx::any::AnyRow| {
            Ok(Adopted {
                key: row.word("object_key")?,
                uid: row.text("uid")?,
                actor: row.text("actor")?,
                at: row.time("at")?,
            })
        };
        rows.iter().map(adopted).collect()
    }

    /// Forgets objects, because they are gone from the cluster.
    pub async fn forget(&self, fabric_id: i64, keys: &[ObjectKey]) -> Result<()> {
        let mut tx = self.0.writer(st::PUT).await?;
        for chunk in keys.chunks(CHUNK) {
            let mut sql = Sql::with_args(st::PUT, st::DELETE, args![fabric_id]);
            sql.bind_list(chunk.iter().map(ObjectKey::to_string)).once();
            sql.run(&mut tx).await?;
        }
        commit(tx, st::PUT).await
    }
}
