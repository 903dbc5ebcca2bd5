//! What became of each object in an operation: written in bulk while it runs, read by page.

use super::Operations;
use super::rows::outcome;
use crate::row::{Columns, to_json};
use crate::sql::{Sql, args};
use crate::statements::operations as st;
use crate::{Listed, Page, Result, commit};
use model::operation::{ObjectOutcome, OutcomeKind};
use model::{Code, ObjectKey};

/// How many objects had one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeCount {
    /// The outcome.
    pub outcome: OutcomeKind,
    /// Objects with it.
    pub objects: u64,
    /// Those of them that were read back and were equal.
    pub verified: u64,
}

/// Rows of one statement: ten values each, far below the limits of both engines.
const CHUNK: usize = 500;

impl Operations<'_> {
    /// Stores outcomes; an object that has one already gets the new one. One transaction. `false`: the lease was lost,
    /// and nothing was stored.
    pub async fn put_outcomes(&self, operation_id: i64, owner: &str, outcomes: &[ObjectOutcome]) -> Result<bool> {
        if outcomes.is_empty() {
            return Ok(true);
        }
        let mut tx = self.0.writer(st::PUT_OUTCOMES).await?;
        if st::OWNED.optional(&mut tx, args![operation_id, owner]).await?.is_none() {
            return Ok(false);
        }
        for chunk in outcomes.chunks(CHUNK) {
            let mut sql = Sql::bulk(&tx, st::PUT_OUTCOMES, st::OUTCOME_INSERT);
            sql.rows(chunk, |o| {
                Ok(args![
                    operation_id,
                    o.key.to_string(),
                    o.outcome.as_str(),
                    o.verified,
                    o.code.map(Code::as_str),
                    &o.message,
                    to_json("overwrote", &o.overwrote)?,
                    o.attempts,
                    o.at,
                    to_json("detail", &o.detail)?
                ])
            })?;
            sql.push(st::OUTCOME_UPSERT).once();
            sql.run(&mut tx).await?;
        }
        commit(tx, st::PUT_OUTCOMES).await?;
        Ok(true)
    }

    /// The outcomes of an operation, failures first, a page of them; with no `outcomes` all, otherwise only these.
    pub async fn outcomes(
        &self,
        operation_id: i64,
        outcomes: &[OutcomeKind],
        page: Page,
    ) -> Result<Listed<ObjectOutcome>> {
        let conditions = |sql: &mut Sql| {
            sql.condition(st::OUTCOME_OF, operation_id);
            if !outcomes.is_empty() {
                sql.and().push(st::OUTCOME_IN).bind_list(outcomes.iter().map(|o| o.as_str()));
            }
        };
        let mut count = Sql::new(st::OUTCOME_LIST, st::OUTCOME_COUNT);
        conditions(&mut count);
        let mut select = Sql::new(st::OUTCOME_LIST, st::OUTCOME_SELECT);
        conditions(&mut select);
        select.push(st::OUTCOME_ORDER).page(page);
        let mut conn = self.0.reader(st::OUTCOME_LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(outcome).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// How many objects an operation could not write because they were refused, and that are not equal now either; and the
    /// first of them with the words of its refusal. `None` when there is none.
    pub async fn still_refused(&self, fabric_id: i64, operation_id: i64) -> Result<Option<(u64, ObjectKey, String)>> {
        let mut conn = self.0.reader(st::STILL_REFUSED.doing).await?;
        let row = st::STILL_REFUSED.optional(&mut conn, args![fabric_id, operation_id]).await?;
        row.map(|row| Ok((row.unsigned("n")?, row.word("object_key")?, row.text("message")?))).transpose()
    }

    /// How many objects had which outcome.
    pub async fn outcome_counts(&self, operation_id: i64) -> Result<Vec<OutcomeCount>> {
        let mut conn = self.0.reader(st::OUTCOME_COUNTS.doing).await?;
        let rows = st::OUTCOME_COUNTS.all(&mut conn, args![operation_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(OutcomeCount {
                    outcome: row.word("outcome")?,
                    objects: row.unsigned("n")?,
                    verified: row.unsigned("verified")?,
                })
            })
            .collect()
    }
}
