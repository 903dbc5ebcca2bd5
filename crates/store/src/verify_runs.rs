//! Runs of the console's own monitor, which walks its own front door as a user does: what each found, how many in a row
//! were not good, and who may begin the next. What the words mean is the crate `verify`'s; here they are kept.

use crate::row::{Columns, to_json};
use crate::scope::Scope;
use crate::sql::{Sql, args};
use crate::statements::verify_runs as st;
use crate::{Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use serde_json::Value;
use sqlx::any::AnyRow;
use std::collections::HashMap;

/// A run that is to be recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVerifyRun {
    /// Its name, random.
    pub run_id: String,
    /// The fabric that it was about.
    pub fabric_id: Option<i64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// The word of its verdict.
    pub verdict: String,
    /// Whether nobody needs to look: it ends a row of those that were not good.
    pub is_good: bool,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The code of the cause.
    pub cause: Option<String>,
    /// Which of the nine failure points it is.
    pub failure_point: Option<u8>,
    /// What to do.
    pub what_to_do: Option<String>,
    /// Its journeys, as the monitor keeps them.
    pub journeys: Value,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyRun {
    /// Id; later runs have larger ones.
    pub id: i64,
    /// Its name.
    pub run_id: String,
    /// The fabric that it was about.
    pub fabric_id: Option<i64>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it was over.
    pub ended_at: Timestamp,
    /// The word of its verdict.
    pub verdict: String,
    /// The verdict in a sentence.
    pub sentence: String,
    /// The code of the cause.
    pub cause: Option<String>,
    /// Which of the nine failure points it is.
    pub failure_point: Option<u8>,
    /// What to do.
    pub what_to_do: Option<String>,
    /// Its journeys, as the monitor keeps them.
    pub journeys: Value,
    /// The runs in a row, up to this one, that were not good.
    pub row: InARow,
}

/// Runs in a row that were not good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InARow {
    /// How many.
    pub count: u32,
    /// When the first of them began.
    pub since: Option<Timestamp>,
}

/// What a record says of the row: how it was before, and how it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The run's id.
    pub id: i64,
    /// Before it.
    pub before: InARow,
    /// With it.
    pub after: InARow,
}

fn in_a_row(row: &AnyRow) -> Result<InARow> {
    Ok(InARow { count: row.unsigned("in_a_row")?, since: row.time_or_null("since")? })
}

fn run(row: &AnyRow) -> Result<VerifyRun> {
    Ok(VerifyRun {
        id: row.int("id")?,
        run_id: row.text("run_id")?,
        fabric_id: row.int_or_null("fabric_id")?,
        started_at: row.time("started_at")?,
        ended_at: row.time("ended_at")?,
        verdict: row.text("verdict")?,
        sentence: row.text("sentence")?,
        cause: row.text_or_null("cause")?,
        failure_point: row.unsigned_or_null("failure_point")?,
        what_to_do: row.text_or_null("what_to_do")?,
        journeys: row.json("journeys")?,
        row: in_a_row(row)?,
    })
}

/// The functions on the monitor's runs; from [`Store::verify_runs`].
#[derive(Debug, Clone, Copy)]
pub struct VerifyRuns<'a>(&'a Store);

impl<'a> VerifyRuns<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Begins a run about a fabric, unless another process or an earlier one began one after `unless_after`: whether it
    /// may go on.
    pub async fn claim(&self, fabric_id: Option<i64>, now: Timestamp, unless_after: Timestamp) -> Result<bool> {
        let mut tx = self.0.writer(st::CLAIM.doing).await?;
        let rows = st::CLAIM.run(&mut tx, args![fabric_id.unwrap_or(0), now, unless_after]).await?;
        commit(tx, st::CLAIM.doing).await?;
        Ok(rows > 0)
    }

    /// Records a run, and keeps the newest `keep` of its fabric.
    pub async fn record(&self, new: &NewVerifyRun, keep: u32) -> Result<Recorded> {
        let fabric = new.fabric_id.unwrap_or(0);
        let mut tx = self.0.writer(st::RECORD.doing).await?;
        let newest = st::NEWEST.optional(&mut tx, args![fabric]).await?;
        let before = newest.as_ref().map(in_a_row).transpose()?.unwrap_or_default();
        let after = if new.is_good {
            InARow::default()
        } else {
            InARow { count: before.count.saturating_add(1), since: before.since.or(Some(new.started_at)) }
        };
        let args = args![
            &new.run_id,
            new.fabric_id,
            new.started_at,
            new.ended_at,
            &new.verdict,
            &new.sentence,
            &new.cause,
            new.failure_point.map(u32::from),
            &new.what_to_do,
            to_json("journeys", &new.journeys)?,
            after.count,
            after.since
        ];
        let id = st::RECORD.one(&mut tx, "run", args).await?.int("id")?;
        st::PRUNE.run(&mut tx, args![fabric, keep.max(1)]).await?;
        commit(tx, st::RECORD.doing).await?;
        Ok(Recorded { id, before, after })
    }

    /// The newest runs of each fabric in the scope, at most so many of each, newest first. Those without a fabric are only
    /// seen by who sees everything.
    pub async fn newest(&self, scope: &Scope, of_each: u32) -> Result<Vec<VerifyRun>> {
        if scope.is_none() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(st::LIST, st::SELECT);
        sql.condition(st::AMONG_NEWEST, of_each);
        scope.restrict_by_fabric(&mut sql, st::FABRIC_IN_SCOPE);
        sql.push(st::NEWEST_FIRST);
        let mut conn = self.0.reader(st::LIST).await?;
        sql.all(&mut conn).await?.iter().map(run).collect()
    }

    /// The runs about one fabric, newest first, a page of them. The caller has asked for the fabric under a scope.
    pub async fn of_fabric(&self, fabric_id: i64, page: Page) -> Result<Listed<VerifyRun>> {
        let mut count = Sql::new(st::LIST, st::COUNT);
        count.condition(st::OF_FABRIC, fabric_id);
        let mut select = Sql::new(st::LIST, st::SELECT);
        select.condition(st::OF_FABRIC, fabric_id);
        select.push(st::NEWEST_FIRST).page(page);
        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(run).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// When the newest run of each fabric that passed was over.
    pub async fn successes(&self) -> Result<HashMap<i64, Timestamp>> {
        let mut conn = self.0.reader(st::SUCCESSES.doing).await?;
        let rows = st::SUCCESSES.all(&mut conn, args![]).await?;
        rows.iter().map(|row| Ok((row.int("fabric_id")?, row.time("ended_at")?))).collect()
    }
}
