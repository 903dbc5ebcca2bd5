//! What is remembered of automatic syncs over a restart: up to which slot of its interval a fabric is settled, and what
//! self-heal set out to put right. What follows from it is worked out by `model::policy`.

use crate::row::Columns;
use crate::sql::{Sql, args};
use crate::statements::automatic as st;
use crate::{Result, Store, commit};
use jiff::Timestamp;
use model::policy::Heal;
use sqlx::any::AnyRow;

/// The functions on automatic syncs; from [`Store::automatic`].
#[derive(Debug, Clone, Copy)]
pub struct AutomaticSyncs<'a>(&'a Store);

impl<'a> AutomaticSyncs<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The beginning of the last slot that is over.
    pub async fn settled(&self, fabric_id: i64) -> Result<Option<Timestamp>> {
        let mut conn = self.0.reader(st::SETTLED.doing).await?;
        let row = st::SETTLED.optional(&mut conn, args![fabric_id]).await?;
        row.map(|row| row.time("settled_at")).transpose()
    }

    /// A slot is over; an earlier one never comes after a later one, unless that is still to come: a clock was ahead when
    /// it was settled. Of a fabric that is gone nothing is kept.
    pub async fn settle(&self, fabric_id: i64, slot: Timestamp, now: Timestamp) -> Result<()> {
        let mut tx = self.0.writer(st::SETTLE.doing).await?;
        st::SETTLE.run(&mut tx, args![fabric_id, slot, now]).await?;
        commit(tx, st::SETTLE.doing).await
    }

    /// Notes what an operation of self-heal sets out to put right, and forgets what was noted before `forget_before`.
    pub async fn note_heals(
        &self,
        fabric_id: i64,
        operation_id: i64,
        heals: &[Heal],
        forget_before: Timestamp,
    ) -> Result<()> {
        let mut tx = self.0.writer(st::NOTE_HEALS).await?;
        st::FORGET_HEALS.run(&mut tx, args![fabric_id, forget_before]).await?;
        for chunk in heals.chunks(500) {
            let mut sql = Sql::bulk(&tx, st::NOTE_HEALS, st::HEAL_INSERT);
            sql.rows(chunk, |heal| {
                Ok(args![fabric_id, operation_id, heal.object.to_string(), &heal.field, &heal.manager, heal.at])
            })?;
            sql.once();
            sql.run(&mut tx).await?;
        }
        commit(tx, st::NOTE_HEALS).await
    }

    /// What self-heal set out to put right since then, oldest first.
    pub async fn heals(&self, fabric_id: i64, since: Timestamp) -> Result<Vec<Heal>> {
        let mut conn = self.0.reader(st::HEALS.doing).await?;
        st::HEALS.all(&mut conn, args![fabric_id, since]).await?.iter().map(heal).collect()
    }
}

fn heal(row: &AnyRow) -> Result<Heal> {
    Ok(Heal {
        object: row.word("object_key")?,
        field: row.text("field")?,
        manager: row.text("manager")?,
        at: row.time("at")?,
    })
}
