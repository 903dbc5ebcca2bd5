//! The schema's history, one list an engine, and running it under a lock.
//!
//! A migration that was released is never edited: its checksum is stored, and a database whose history differs is
//! refused.

use crate::connect::{WAIT_A_WHILE, WAIT_FOR_EVER};
use crate::row::Columns;
use crate::statements::migrations::{APPLIED, EXISTS};
use crate::{Engine, Error, Result, Store, commit};
use sqlx::SqlSafeStr;
use sqlx::any::AnyRow;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use std::borrow::Cow;

const DOING: &str = "bring the schema up to date";

macro_rules! history {
    ($($version:literal $file:literal $description:literal;)*) => {
        /// Version, description, text for SQLite, text for PostgreSQL.
        const HISTORY: &[(i64, &str, &str, &str)] = &[$((
            $version,
            $description,
            include_str!(concat!("../migrations/sqlite/", $file)),
            include_str!(concat!("../migrations/postgres/", $file)),
        ),)*];
    };
}

history! {
    1 "0001_people.sql" "users, groups, permissions, sessions";
    2 "0002_fabrics.sql" "fabrics";
    3 "0003_operations.sql" "operations";
    4 "0004_comparisons.sql" "comparisons, objects, agents";
    5 "0005_attempts.sql" "attempts, meta";
    6 "0006_client_certificates.sql" "client certificates of fabrics";
    7 "0007_policies.sql" "policies of fabrics, details of outcomes, adopted objects";
    8 "0008_leases.sql" "leases of operations";
    9 "0009_schedule.sql" "slots of automatic syncs, what self-heal put right";
    10 "0010_watching.sql" "up to when a comparison is known to hold";
    11 "0011_activity.sql" "indices of the activity";
    12 "0012_refusals.sql" "indices of what was turned away";
    13 "0013_sessions.sql" "sessions: new tokens, limits of groups, forms that were kept; what attempts were about";
    14 "0014_api_tokens.sql" "API tokens";
    15 "0015_changes.sql" "changes of users, groups, permissions and fabrics";
    16 "0016_logins_from_outside.sql" "users of a provider, how sessions began";
    17 "0017_changes_of_requests.sql" "what a request changed is found by it";
    18 "0018_verify_runs.sql" "runs of the console's own monitor";
}

fn newest() -> i64 {
    HISTORY.iter().map(|(version, ..)| *version).max().unwrap_or(0)
}

fn migrator(engine: Engine) -> Migrator {
    Migrator::with_migrations(
        HISTORY
            .iter()
            .map(|(version, description, sqlite, postgres)| {
                let text: &'static str = if engine == Engine::Sqlite { sqlite } else { postgres };
                let kind = MigrationType::Simple;
                Migration::new(*version, Cow::Borrowed(*description), kind, text.into_sql_str(), false)
            })
            .collect(),
    )
}

/// Brings the schema up to `target`, or to the newest version.
pub(crate) async fn run(store: &Store, target: Option<i64>) -> Result<Vec<i64>> {
    let engine = store.engine;
    let failed = |e: MigrateError| match e {
        MigrateError::VersionMissing(found) if found > newest() => Error::Newer { found, known: newest() },
        MigrateError::Execute(e) => Error::of(DOING, e),
        e => Error::Migration { engine, source: Box::new(e) },
    };
    let before = applied(store).await?;
    match engine {
        // The migrator takes an advisory lock.
        Engine::Postgres => {
            let mut conn = store.write.acquire().await.map_err(|e| Error::of(DOING, e))?;
            let migrated = async {
                sqlx::raw_sql(WAIT_FOR_EVER).execute(&mut *conn).await?;
                migrator(engine).run_direct(target, &mut *conn, false).await?;
                sqlx::raw_sql(WAIT_A_WHILE).execute(&mut *conn).await?;
                Ok::<(), MigrateError>(())
            };
            if let Err(e) = migrated.await {
                // The advisory lock belongs to the connection; with it, it goes.
                conn.close_on_drop();
                return Err(failed(e));
            }
        }
        // The write lock of one outer transaction; each migration is a savepoint in it.
        Engine::Sqlite => {
            let mut tx = store.writer(DOING).await?;
            migrator(engine).run_direct(target, &mut *tx, false).await.map_err(failed)?;
            commit(tx, DOING).await?;
        }
    }
    Ok(applied(store).await?.into_iter().filter(|version| !before.contains(version)).collect())
}

pub(crate) async fn versions(store: &Store) -> Result<(i64, i64)> {
    Ok((applied(store).await?.into_iter().max().unwrap_or(0), newest()))
}

async fn applied(store: &Store) -> Result<Vec<i64>> {
    let mut conn = store.reader(DOING).await?;
    if EXISTS.optional(&mut conn, vec![]).await?.is_none() {
        return Ok(Vec::new());
    }
    APPLIED.all(&mut conn, vec![]).await?.iter().map(|row: &AnyRow| row.int("version")).collect()
}
