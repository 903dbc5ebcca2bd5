//! Comparisons: what one computation found, in numbers and findings. The objects that it judged are in
//! [`crate::objects`], written in the same transaction, so that a page never shows the one without the other.

use crate::agents::{self, AgentRow};
use crate::objects::{self, ObjectRow};
use crate::row::{Columns, to_json};
use crate::sql::args;
use crate::statements::comparisons::*;
use crate::{Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use model::manifest::Finding;
use model::operation::Trigger;
use model::{Code, ObjectKey};
use serde_json::Value;
use sqlx::any::AnyRow;
use std::str::FromStr;

/// How a comparison ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComparisonResult {
    /// Everything was read and judged.
    Ok,
    /// Some kinds or files could not be read; the others were judged.
    Partial,
    /// Nothing was judged.
    Failed,
}

impl ComparisonResult {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for ComparisonResult {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "ok" => Ok(Self::Ok),
            "partial" => Ok(Self::Partial),
            "failed" => Ok(Self::Failed),
            other => Err(format!("'{other}' is not a result")),
        }
    }
}

/// The commit whose manifests were compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitInfo {
    /// Its id.
    pub id: String,
    /// When it was made.
    pub time: Option<Timestamp>,
    /// The first line of its message.
    pub subject: String,
    /// Who made it.
    pub author: String,
}

/// A comparison that is to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewComparison {
    /// Of which fabric.
    pub fabric_id: i64,
    /// The operation that it was part of.
    pub operation_id: Option<i64>,
    /// What started it.
    pub trigger: Trigger,
    /// The commit; `None` when the source could not be read.
    pub commit: Option<CommitInfo>,
    /// When reading the cluster began: the evidence is as old as this.
    pub observed_at: Timestamp,
    /// When it was done.
    pub finished_at: Timestamp,
    /// How it ended.
    pub result: ComparisonResult,
    /// Why it was not complete.
    pub code: Option<Code>,
    /// One sentence; empty when there is nothing to say.
    pub message: String,
    /// Kinds and files that could not be read, with the reason.
    pub problems: Value,
    /// Objects by kind and state.
    pub counts: Value,
    /// Findings on the desired state, not more than a page can show.
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub findings_total: u64,
    /// Hedgehog's release in the cluster, as far as it can be told.
    pub release: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// The kinds that were compared, as the engine understands them.
    pub kinds: Value,
}

/// A stored comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Id; later comparisons have larger ones.
    pub id: i64,
    /// What was stored.
    pub comparison: NewComparison,
    /// Up to when what it found is known to hold: watches have shown that nothing changed. `None` when nobody looked.
    pub confirmed_until: Option<Timestamp>,
}

impl Comparison {
    /// How new the evidence is: when the cluster was read, or up to when it is known not to have changed since.
    pub fn evidence_at(&self) -> Timestamp {
        self.confirmed_until.map_or(self.observed_at, |until| until.max(self.observed_at))
    }
}

impl std::ops::Deref for Comparison {
    type Target = NewComparison;

    fn deref(&self) -> &NewComparison {
        &self.comparison
    }
}

/// What a comparison changes in the table of objects. Rows that are as before are not in it.
#[derive(Debug, Clone, Default)]
pub struct ObjectDelta {
    /// Objects that are new or judged otherwise than before.
    pub upserts: Vec<ObjectRow>,
    /// Objects that are neither desired nor live any more.
    pub deletes: Vec<ObjectKey>,
    /// All agents as they are now; `None` when they were not read, and what is known of them stays.
    pub agents: Option<Vec<AgentRow>>,
}

fn comparison(row: &AnyRow) -> Result<Comparison> {
    let commit = match row.text_or_null("commit_id")? {
        Some(id) => Some(CommitInfo {
            id,
            time: row.time_or_null("commit_time")?,
            subject: row.text_or_null("commit_subject")?.unwrap_or_default(),
            author: row.text_or_null("commit_author")?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Comparison {
        id: row.int("id")?,
        comparison: NewComparison {
            fabric_id: row.int("fabric_id")?,
            operation_id: row.int_or_null("operation_id")?,
            trigger: row.word("trigger_kind")?,
            commit,
            observed_at: row.time("observed_at")?,
            finished_at: row.time("finished_at")?,
            result: row.word("result")?,
            code: row.word_or_null("code")?,
            message: row.text("message")?,
            problems: row.json("problems")?,
            counts: row.json("counts")?,
            findings: row.json("findings")?,
            findings_total: row.unsigned("findings_total")?,
            release: row.text_or_null("cluster_release")?,
            duration_ms: row.unsigned("duration_ms")?,
            kinds: row.json("kinds")?,
        },
        confirmed_until: row.time_or_null("confirmed_until")?,
    })
}

/// The functions on comparisons; from [`Store::comparisons`].
#[derive(Debug, Clone, Copy)]
pub struct Comparisons<'a>(&'a Store);

impl<'a> Comparisons<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Stores a comparison with what it changes in the table of objects, in one transaction, and gives its id.
    pub async fn save(&self, new: &NewComparison, delta: &ObjectDelta) -> Result<i64> {
        let args = args![
            new.fabric_id,
            new.operation_id,
            new.trigger.as_str(),
            new.commit.as_ref().map(|c| c.id.as_str()),
            new.commit.as_ref().and_then(|c| c.time),
            new.commit.as_ref().map(|c| c.subject.as_str()),
            new.commit.as_ref().map(|c| c.author.as_str()),
            new.observed_at,
            new.finished_at,
            new.result.as_str(),
            new.code.map(Code::as_str),
            &new.message,
            to_json("problems", &new.problems)?,
            to_json("counts", &new.counts)?,
            to_json("findings", &new.findings)?,
            new.findings_total,
            &new.release,
            new.duration_ms,
            to_json("kinds", &new.kinds)?
        ];
        let mut tx = self.0.writer(INSERT.doing).await?;
        let id = INSERT.one(&mut tx, "comparison", args).await?.int("id")?;
        objects::delete(&mut tx, new.fabric_id, &delta.deletes).await?;
        objects::put(&mut tx, new.fabric_id, id, &delta.upserts).await?;
        if let Some(agents) = &delta.agents {
            agents::replace(&mut tx, new.fabric_id, agents).await?;
        }
        commit(tx, INSERT.doing).await?;
        Ok(id)
    }

    /// Notes that what the newest comparison found is known to hold up to a moment. `false` when another one is the
    /// newest by now, when it was not whole, when the settings changed after it, or when more is noted already.
    pub async fn still_holds(&self, fabric_id: i64, id: i64, until: Timestamp) -> Result<bool> {
        let mut tx = self.0.writer(STILL_HOLDS.doing).await?;
        let rows = STILL_HOLDS.run(&mut tx, args![fabric_id, id, until]).await?;
        commit(tx, STILL_HOLDS.doing).await?;
        Ok(rows > 0)
    }

    /// A comparison by id.
    pub async fn get(&self, id: i64) -> Result<Comparison> {
        let mut conn = self.0.reader(GET.doing).await?;
        comparison(&GET.one(&mut conn, "comparison", args![id]).await?)
    }

    /// The last comparison, however it ended.
    pub async fn latest(&self, fabric_id: i64) -> Result<Option<Comparison>> {
        let mut conn = self.0.reader(LATEST.doing).await?;
        LATEST.optional(&mut conn, args![fabric_id]).await?.as_ref().map(comparison).transpose()
    }

    /// The last complete comparison.
    pub async fn latest_ok(&self, fabric_id: i64) -> Result<Option<Comparison>> {
        self.latest_of(fabric_id, ComparisonResult::Ok).await
    }

    /// The last comparison that ended in this way.
    pub async fn latest_of(&self, fabric_id: i64, result: ComparisonResult) -> Result<Option<Comparison>> {
        let mut conn = self.0.reader(LATEST_OF.doing).await?;
        let row = LATEST_OF.optional(&mut conn, args![fabric_id, result.as_str()]).await?;
        row.as_ref().map(comparison).transpose()
    }

    /// The comparisons of a fabric, newest first, a page of them.
    pub async fn list(&self, fabric_id: i64, page: Page) -> Result<Listed<Comparison>> {
        let mut conn = self.0.reader(LIST.doing).await?;
        let total = COUNT.one(&mut conn, "count", args![fabric_id]).await?.unsigned("n")?;
        let rows = LIST.all(&mut conn, args![fabric_id, page.limit, page.offset]).await?;
        Ok(Listed { rows: rows.iter().map(comparison).collect::<Result<_>>()?, total })
    }

    /// Deletes old comparisons; gives how many. The newest `keep` stay, the last of each result, and those that an
    /// operation that somebody asked for refers to.
    pub async fn prune(&self, fabric_id: i64, keep: u32) -> Result<u64> {
        let mut tx = self.0.writer(PRUNE.doing).await?;
        let rows = PRUNE.run(&mut tx, args![fabric_id, keep]).await?;
        commit(tx, PRUNE.doing).await?;
        Ok(rows)
    }
}
