//! Everything that was done and tried, in one list: operations, and the attempts that did not become one. Filter, order
//! and page are one composed query; who asks sees rows of the fabrics in the scope.

use crate::attempts::{Attempt, attempt};
use crate::operations::{Operation, operation};
use crate::row::Columns;
use crate::scope::Scope;
use crate::sql::Sql;
use crate::statements::{attempts as at, operations as op};
use crate::{Listed, Page, Result, Store};
use jiff::Timestamp;
use model::Code;
use model::operation::{OperationState, Verb};
use std::collections::HashMap;

/// Which of the two the list is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// Operations, and the attempts that no operation came of.
    #[default]
    Everything,
    /// Operations alone.
    Operations,
    /// Every attempt, also those that became an operation.
    Attempts,
    /// Attempts that were turned away.
    Refused,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct ActivityFilter {
    /// Operations, attempts, or both.
    pub show: Show,
    /// On this fabric.
    pub fabric_id: Option<i64>,
    /// By whoever bears exactly this name.
    pub actor: Option<String>,
    /// Of this verb.
    pub verb: Option<Verb>,
    /// Operations in one of these states; attempts have none, so that with any of these there are no attempts.
    pub states: Vec<OperationState>,
    /// With this code.
    pub code: Option<Code>,
    /// Asked for at this time or later.
    pub since: Option<Timestamp>,
    /// Asked for before this time.
    pub before: Option<Timestamp>,
}

impl ActivityFilter {
    fn has_operations(&self) -> bool {
        matches!(self.show, Show::Everything | Show::Operations)
    }

    fn has_attempts(&self) -> bool {
        self.show != Show::Operations && self.states.is_empty()
    }
}

/// What somebody who looks at the list may see.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What was done on these fabrics.
    pub fabrics: &'a Scope,
    /// What people did on no fabric: logins, and changes of users.
    pub people: bool,
    /// What this user did on no fabric.
    pub own: Option<i64>,
}

impl<'a> Seen<'a> {
    /// Everything that there is.
    pub const fn all() -> Seen<'static> {
        Seen { fabrics: &Scope::System, people: true, own: None }
    }

    /// Adds what may be seen as a condition on attempts.
    fn restrict(&self, sql: &mut Sql) {
        let every_fabric = matches!(self.fabrics, Scope::System | Scope::All);
        if every_fabric && self.people {
            return;
        }
        sql.and().push("(");
        if every_fabric {
            sql.push(at::ON_A_FABRIC);
        } else {
            sql.push(at::FABRIC_IN_SCOPE);
            sql.nested(|sql| self.fabrics.restrict(sql));
            sql.push(")");
        }
        match (self.people, self.own) {
            (true, _) => sql.push(at::OR_ON_NO_FABRIC),
            (false, Some(user)) => sql.expand(at::OR_OWN, user),
            (false, None) => sql,
        };
        sql.push(")");
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// An operation.
    Operation(Box<Operation>),
    /// An attempt.
    Attempt(Box<Attempt>),
}

/// The function on the list; from [`Store::activity`].
#[derive(Debug, Clone, Copy)]
pub struct Activity<'a>(&'a Store);

impl<'a> Activity<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// What was done as far as it may be seen, newest first, a page of it, and how many rows there are in all.
    pub async fn list(&self, seen: &Seen<'_>, filter: &ActivityFilter, page: Page) -> Result<Listed<Entry>> {
        if !filter.has_operations() && !filter.has_attempts() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let mut conn = self.0.reader(LIST).await?;
        let mut total = 0;
        for count in counts(seen, filter) {
            total += count.count(&mut conn).await?.unsigned_abs();
        }
        let mut order: Vec<(i64, i64)> = Vec::new();
        for row in which(seen, filter, page).all(&mut conn).await? {
            order.push((row.int("what")?, row.int("id")?));
        }
        let ids = |what: i64| order.iter().filter(move |(each, _)| *each == what).map(|(_, id)| *id);
        let mut entries: HashMap<(i64, i64), Entry> = HashMap::new();
        if ids(0).next().is_some() {
            let mut select = Sql::new(LIST, op::SELECT);
            select.and().push(op::HAS_ID).bind_list(ids(0)).once();
            for row in select.all(&mut conn).await? {
                let operation = operation(&row)?;
                entries.insert((0, operation.id), Entry::Operation(Box::new(operation)));
            }
        }
        if ids(1).next().is_some() {
            let mut select = Sql::new(LIST, at::SELECT);
            select.and().push(at::HAS_ID).bind_list(ids(1)).once();
            for row in select.all(&mut conn).await? {
                let attempt = attempt(&row)?;
                entries.insert((1, attempt.id), Entry::Attempt(Box::new(attempt)));
            }
        }
        // A row that was purged between the two readings is left out.
        Ok(Listed { rows: order.iter().filter_map(|id| entries.remove(id)).collect(), total })
    }
}

const LIST: &str = "list the activity";

/// What counts the rows of all pages, each half by itself.
fn counts(seen: &Seen<'_>, filter: &ActivityFilter) -> Vec<Sql> {
    let mut counts = Vec::new();
    if filter.has_operations() {
        let mut count = Sql::new(LIST, op::COUNT);
        of_operations(&mut count, seen, filter);
        counts.push(count);
    }
    if filter.has_attempts() {
        let mut count = Sql::new(LIST, at::COUNT);
        of_attempts(&mut count, seen, filter);
        counts.push(count);
    }
    counts
}

/// Which rows stand on a page.
fn which(seen: &Seen<'_>, filter: &ActivityFilter, page: Page) -> Sql {
    let operations = |sql: &mut Sql| {
        sql.push(op::LOG_SELECT).nested(|sql| of_operations(sql, seen, filter)).push(op::LOG_NEWEST);
    };
    let attempts = |sql: &mut Sql| {
        sql.push(at::LOG_SELECT).nested(|sql| of_attempts(sql, seen, filter)).push(at::LOG_NEWEST);
    };
    let mut sql = Sql::new(LIST, "");
    match (filter.has_operations(), filter.has_attempts()) {
        (true, true) => {
            let rows = page.offset.saturating_add(u64::from(page.limit));
            operations(sql.push(op::LOG_BOTH));
            attempts(sql.up_to(rows).push(op::LOG_AND));
            sql.up_to(rows).push(op::LOG_END);
        }
        (true, false) => operations(&mut sql),
        (false, _) => attempts(&mut sql),
    }
    sql.page(page);
    sql
}

fn of_operations(sql: &mut Sql, seen: &Seen<'_>, filter: &ActivityFilter) {
    if let Some(id) = filter.fabric_id {
        sql.condition(op::OF_FABRIC, id);
    }
    if let Some(actor) = &filter.actor {
        sql.condition(op::BY_ACTOR, actor);
    }
    if let Some(verb) = filter.verb {
        sql.condition(op::OF_VERB, verb.as_str());
    }
    if !filter.states.is_empty() {
        sql.and().push(op::IN_STATES).bind_list(filter.states.iter().map(|state| state.as_str()));
    }
    if let Some(code) = filter.code {
        sql.condition(op::WITH_CODE, code.as_str());
    }
    if let Some(since) = filter.since {
        sql.condition(op::SINCE, since);
    }
    if let Some(before) = filter.before {
        sql.condition(op::BEFORE, before);
    }
    seen.fabrics.restrict_by_fabric(sql, op::FABRIC_IN_SCOPE);
}

fn of_attempts(sql: &mut Sql, seen: &Seen<'_>, filter: &ActivityFilter) {
    if let Some(id) = filter.fabric_id {
        sql.condition(at::OF_FABRIC, id);
    }
    match filter.show {
        Show::Attempts => {}
        Show::Refused => {
            sql.and().push(at::WAS_REFUSED);
        }
        Show::Everything | Show::Operations => {
            sql.and().push(if filter.code.is_some() { at::IS_ALONE_TOO } else { at::IS_ALONE });
        }
    }
    if let Some(actor) = &filter.actor {
        sql.condition(at::BY_ACTOR, actor);
    }
    if let Some(verb) = filter.verb {
        sql.condition(at::OF_VERB, verb.as_str());
    }
    if let Some(code) = filter.code {
        sql.condition(at::WITH_CODE, code.as_str());
    }
    if let Some(since) = filter.since {
        sql.condition(at::SINCE, since);
    }
    if let Some(before) = filter.before {
        sql.condition(at::BEFORE, before);
    }
    seen.restrict(sql);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Engine;
    use sqlx::Row;

    /// How the engine goes about a query, with PostgreSQL's own doubts about small tables taken away: the steps, and how
    /// many of them put a whole half in order.
    async fn plan(store: &Store, query: Sql) -> (String, usize) {
        let mut conn = store.read.acquire().await.unwrap();
        let joined = |steps: &[String]| steps.join("\n");
        if store.engine() == Engine::Postgres {
            for off in ["SET enable_seqscan = off", "SET enable_sort = off", "SET enable_bitmapscan = off"] {
                sqlx::query(off).execute(&mut *conn).await.unwrap();
            }
            let rows = query.explained("EXPLAIN ", &mut conn).await.unwrap();
            let steps: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
            let sorts = steps.iter().filter(|step| step.contains("Sort  (")).count();
            return (joined(&steps), sorts);
        }
        let rows = query.explained("EXPLAIN QUERY PLAN ", &mut conn).await.unwrap();
        let steps: Vec<(i64, i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1), row.get(3))).collect();
        // A half is a routine of its own; what is sorted outside of it are the few rows that it brings.
        let is_half = |id: i64| steps.iter().any(|(each, _, what)| *each == id && what.starts_with("CO-ROUTINE"));
        let whole = !steps.iter().any(|(_, _, what)| what.starts_with("CO-ROUTINE"));
        let sorts =
            steps.iter().filter(|(_, parent, what)| what.contains("TEMP B-TREE") && (whole || is_half(*parent)));
        (joined(&steps.iter().map(|(_, _, what)| what.clone()).collect::<Vec<_>>()), sorts.count())
    }

    async fn every_filter_finds_its_page_in_an_index(store: Store) {
        let by = |fabric_id, actor: Option<&str>, code| ActivityFilter {
            fabric_id,
            actor: actor.map(str::to_owned),
            code,
            ..ActivityFilter::default()
        };
        let indices = [
            (by(None, None, None), "operations_at", ["attempts_alone_at", "attempts_refused_at"]),
            (
                by(Some(1), None, None),
                "operations_fabric_at",
                ["attempts_alone_fabric_at", "attempts_refused_fabric_at"],
            ),
            (
                by(None, Some("anna"), None),
                "operations_actor_at",
                ["attempts_alone_actor_at", "attempts_refused_actor_at"],
            ),
            (by(None, None, Some(Code::Partial)), "operations_code_at", ["attempts_code_at"; 2]),
        ];
        for (filter, of_operations, [alone, refused]) in indices {
            for (show, has_operations, has_attempts) in
                [(Show::Everything, true, true), (Show::Operations, true, false), (Show::Refused, false, true)]
            {
                let filter = ActivityFilter { show, ..filter.clone() };
                let of_attempts = if show == Show::Refused { refused } else { alone };
                let (plan, sorts) = plan(&store, which(&Seen::all(), &filter, Page::first(50))).await;
                assert_eq!(plan.contains(of_operations), has_operations, "{show:?} {filter:?}: {plan}");
                assert_eq!(plan.contains(of_attempts), has_attempts, "{show:?} {filter:?}: {plan}");
                assert_eq!(sorts, 0, "{show:?} {filter:?}: the whole list is sorted for one page: {plan}");
            }
        }
        // Refusals are few, and are counted without a look at any attempt's row.
        let name = crate::scope::Term::parse("name", &serde_json::json!("lab")).unwrap();
        let labs = Scope::Where(vec![crate::Constraint { terms: vec![name] }]);
        for (fabrics, filter, index) in [
            (&Scope::All, by(None, None, None), "attempts_refused_"),
            (&Scope::All, by(Some(1), None, None), "attempts_refused_fabric_at"),
            (&Scope::All, by(None, Some("anna"), None), "attempts_refused_actor_at"),
            (&labs, by(None, None, None), "attempts_refused_fabric_at"),
        ] {
            let filter = ActivityFilter { show: Show::Refused, ..filter };
            let seen = Seen { fabrics, people: matches!(fabrics, Scope::All), own: None };
            let [count] = <[Sql; 1]>::try_from(counts(&seen, &filter)).unwrap();
            let (plan, _) = plan(&store, count).await;
            assert!(plan.contains(index), "{fabrics:?} {filter:?}: {plan}");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn sqlite_finds_a_page_in_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("test.db").to_str().unwrap()).await.unwrap();
        every_filter_finds_its_page_in_an_index(store).await;
    }

    #[tokio::test]
    async fn postgres_finds_a_page_in_an_index() {
        let url = testkit::Postgres::shared().await.unwrap().database().await.unwrap();
        every_filter_finds_its_page_in_an_index(Store::open(&url).await.unwrap()).await;
    }
}
