//! Attempts: every try of a user to start an operation, also those that were turned away (expired session, CSRF,
//! permission). They outlive the fabric, with its name.

use crate::row::Columns;
use crate::scope::Scope;
use crate::sql::{Sql, args};
use crate::statements::attempts as st;
use crate::{Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use model::Code;
use model::operation::Verb;
use sqlx::any::AnyRow;

/// An attempt that is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAttempt {
    /// When.
    pub at: Timestamp,
    /// On which fabric.
    pub fabric_id: Option<i64>,
    /// Its name then; empty when it is not known.
    pub fabric_name: String,
    /// What was asked, when it is a verb.
    pub verb: Option<Verb>,
    /// What was asked: the name of the route.
    pub action: String,
    /// On what, in words, when it is no fabric; empty when there is no more to say.
    pub subject: String,
    /// Who asked, by name; `anonymous` when it is not known.
    pub actor: String,
    /// Who asked.
    pub user_id: Option<i64>,
    /// The key of the API token that it was asked with.
    pub token_key: Option<String>,
    /// From which address.
    pub address: String,
    /// Method of the request.
    pub method: String,
    /// Path of the request, without its query.
    pub path: String,
    /// Status of the answer.
    pub http_status: u16,
    /// Whether a person was led to the login page in place of an answer of this status.
    pub redirected: bool,
    /// Why it was turned away.
    pub code: Option<Code>,
    /// What the user was told.
    pub message: String,
    /// Id of the request, as in the log and in the answer.
    pub request_id: String,
    /// The operation that it got.
    pub operation_id: Option<i64>,
}

/// A recorded attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Id; later attempts have larger ones.
    pub id: i64,
    /// What was recorded.
    pub attempt: NewAttempt,
}

impl std::ops::Deref for Attempt {
    type Target = NewAttempt;

    fn deref(&self) -> &NewAttempt {
        &self.attempt
    }
}

/// Which attempts.
#[derive(Debug, Clone, Copy, Default)]
pub struct AttemptFilter {
    /// On this fabric.
    pub fabric_id: Option<i64>,
    /// Only those that were turned away.
    pub refused_only: bool,
}

pub(crate) fn attempt(row: &AnyRow) -> Result<Attempt> {
    Ok(Attempt {
        id: row.int("id")?,
        attempt: NewAttempt {
            at: row.time("at")?,
            fabric_id: row.int_or_null("fabric_id")?,
            fabric_name: row.text("fabric_name")?,
            verb: row.word_or_null("verb")?,
            action: row.text("action")?,
            subject: row.text("subject")?,
            actor: row.text("actor")?,
            user_id: row.int_or_null("user_id")?,
            token_key: row.text_or_null("token_key")?,
            address: row.text("address")?,
            method: row.text("method")?,
            path: row.text("path")?,
            http_status: row.unsigned("http_status")?,
            redirected: row.bool("redirected")?,
            code: row.word_or_null("code")?,
            message: row.text("message")?,
            request_id: row.text("request_id")?,
            operation_id: row.int_or_null("operation_id")?,
        },
    })
}

/// The functions on attempts; from [`Store::attempts`].
#[derive(Debug, Clone, Copy)]
pub struct Attempts<'a>(&'a Store);

impl<'a> Attempts<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Records an attempt and gives its id. A fabric, user or operation that does not exist is left out: the request
    /// may have named anything.
    pub async fn record(&self, new: &NewAttempt) -> Result<i64> {
        let mut tx = self.0.writer(st::RECORD.doing).await?;
        let args = args![
            new.at,
            new.fabric_id,
            &new.fabric_name,
            new.verb.map(Verb::as_str),
            &new.actor,
            new.user_id,
            &new.address,
            &new.method,
            &new.path,
            u32::from(new.http_status),
            new.code.map(Code::as_str),
            &new.message,
            &new.request_id,
            new.operation_id,
            &new.action,
            &new.subject,
            new.redirected,
            &new.token_key
        ];
        let id = st::RECORD.one(&mut tx, "attempt", args).await?.int("id")?;
        commit(tx, st::RECORD.doing).await?;
        Ok(id)
    }

    /// The attempts on the fabrics in the scope, newest first, a page of them. Those on no fabric are only seen by who
    /// sees everything.
    pub async fn list(&self, scope: &Scope, filter: &AttemptFilter, page: Page) -> Result<Listed<Attempt>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let conditions = |sql: &mut Sql| {
            if let Some(fabric_id) = filter.fabric_id {
                sql.condition(st::OF_FABRIC, fabric_id);
            }
            if filter.refused_only {
                sql.and().push(st::WAS_REFUSED);
            }
            scope.restrict_by_fabric(sql, st::FABRIC_IN_SCOPE);
        };
        let mut count = Sql::new(st::LIST, st::COUNT);
        conditions(&mut count);
        let mut select = Sql::new(st::LIST, st::SELECT);
        conditions(&mut select);
        select.push(st::NEWEST_FIRST).page(page);
        let mut conn = self.0.reader(st::LIST).await?;
        let total = count.count(&mut conn).await?;
        let rows = select.all(&mut conn).await?.iter().map(attempt).collect::<Result<_>>()?;
        Ok(Listed { rows, total: total.unsigned_abs() })
    }

    /// Deletes attempts from before `before`; gives how many.
    pub async fn purge(&self, before: Timestamp) -> Result<u64> {
        let mut tx = self.0.writer(st::PURGE.doing).await?;
        let rows = st::PURGE.run(&mut tx, args![before]).await?;
        commit(tx, st::PURGE.doing).await?;
        Ok(rows)
    }
}
