//! The log of changes: who made, changed or deleted which user, group, permission or fabric, with the fields that
//! differed before and after. Rows are written by `recorder`, in the transaction of the change itself; they
//! outlive what they are about. Whoever may see an object may see its changes; those of what is gone are for superusers.

use crate::nouns::Noun;
use crate::row::Columns;
use crate::scope::Scope;
use crate::sql::{Sql, args};
use crate::statements::changes as st;
use crate::{Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use serde_json::{Map, Value};
use sqlx::any::AnyRow;
use std::str::FromStr;

/// What became of the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// It was made.
    Created,
    /// It was changed.
    Changed,
    /// It was deleted.
    Deleted,
}

impl ChangeAction {
    /// The word in the database and on pages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
        }
    }
}

impl FromStr for ChangeAction {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let all = [Self::Created, Self::Changed, Self::Deleted];
        all.into_iter().find(|a| a.as_str() == s).ok_or_else(|| format!("'{s}' is not what becomes of an object"))
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Id; later changes have larger ones.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who, by name.
    pub actor: String,
    /// Who, unless deleted since.
    pub user_id: Option<i64>,
    /// The request; empty when there was none.
    pub request_id: String,
    /// What kind of object.
    pub noun: Noun,
    /// Its id.
    pub object_id: i64,
    /// Its name then.
    pub object_name: String,
    /// What became of it.
    pub action: ChangeAction,
    /// The fields that differ, as they were; empty for one that was made.
    pub before: Map<String, Value>,
    /// The same fields, as they are since; empty for one that was deleted.
    pub after: Map<String, Value>,
}

fn change(row: &AnyRow) -> Result<Change> {
    Ok(Change {
        id: row.int("id")?,
        at: row.time("at")?,
        actor: row.text("actor")?,
        user_id: row.int_or_null("user_id")?,
        request_id: row.text("request_id")?,
        noun: row.word("object_type")?,
        object_id: row.int("object_id")?,
        object_name: row.text("object_name")?,
        action: row.word("action")?,
        before: row.json_or_null("before")?.unwrap_or_default(),
        after: row.json_or_null("after")?.unwrap_or_default(),
    })
}

/// Whose changes a reader may see: those of the objects in these scopes.
#[derive(Debug, Clone)]
pub struct Readable {
    /// Fabrics.
    pub fabrics: Scope,
    /// Users.
    pub users: Scope,
    /// Groups.
    pub groups: Scope,
    /// Permissions.
    pub permissions: Scope,
    /// Whether the changes of what was deleted are there, too.
    pub deleted: bool,
}

impl Readable {
    /// Everything, also of what was deleted.
    pub fn everything() -> Self {
        Self { fabrics: Scope::All, users: Scope::All, groups: Scope::All, permissions: Scope::All, deleted: true }
    }

    fn restrict(&self, sql: &mut Sql) {
        if self.deleted {
            return;
        }
        let parts = [
            (st::FABRIC_IN, &self.fabrics),
            (st::USER_IN, &self.users),
            (st::GROUP_IN, &self.groups),
            (st::PERMISSION_IN, &self.permissions),
        ];
        sql.and().push("(1 = 0");
        for (fragment, scope) in parts.into_iter().filter(|(_, scope)| !scope.is_none()) {
            sql.push(" OR ").push(fragment);
            sql.nested(|sql| scope.restrict(sql));
            sql.push("))");
        }
        sql.push(")");
    }
}

/// Which changes.
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    /// Of objects of this noun.
    pub noun: Option<Noun>,
    /// Of the object of this id; with a noun.
    pub object_id: Option<i64>,
    /// By this actor.
    pub actor: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub before: Option<Timestamp>,
}

/// The functions on changes; from [`Store::changes`].
#[derive(Debug, Clone, Copy)]
pub struct Changes<'a>(&'a Store);

impl<'a> Changes<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// The changes that may be read, newest first, a page of them.
    pub async fn list(&self, readable: &Readable, filter: &ChangeFilter, page: Page) -> Result<Listed<Change>> {
        let conditions = |sql: &mut Sql| {
            readable.restrict(sql);
            if let Some(noun) = filter.noun {
                sql.condition(st::OF_TYPE, noun.as_str());
            }
            if let Some(id) = filter.object_id {
                sql.condition(st::OF_OBJECT, id);
            }
            if let Some(actor) = &filter.actor {
                sql.condition(st::BY_ACTOR, actor);
            }
            if let Some(since) = filter.since {
                sql.condition(st::SINCE, since);
            }
            if let Some(before) = filter.before {
                sql.condition(st::BEFORE, before);
            }
        };
        let (mut count, mut select) = (Sql::new(st::LIST, st::COUNT), Sql::new(st::LIST, st::SELECT));
        conditions(&mut count);
        conditions(&mut select);
        select.push(st::NEWEST_FIRST).page(page);
        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?.unsigned_abs();
        let rows = select.all(&mut conn).await?.iter().map(change).collect::<Result<_>>()?;
        Ok(Listed { rows, total })
    }

    /// The changes that these requests made, as far as they may be read, the first one first.
    pub async fn of_requests(&self, readable: &Readable, ids: &[&str]) -> Result<Vec<Change>> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut select = Sql::new(st::LIST, st::SELECT);
        readable.restrict(&mut select);
        select.and().push(st::OF_REQUESTS).bind_list(ids.iter().copied()).push(st::OLDEST_FIRST).once();
        let mut conn = self.0.reader(st::LIST).await?;
        select.all(&mut conn).await?.iter().map(change).collect()
    }

    /// Deletes what is older; gives how many.
    pub async fn purge(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(st::PURGE.doing).await?;
        let rows = st::PURGE.run(&mut tx, args![before]).await?;
        commit(tx, st::PURGE.doing).await?;
        Ok(rows)
    }
}
