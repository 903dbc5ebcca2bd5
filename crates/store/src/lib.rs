//! The database: SQLite embedded by default, PostgreSQL for several replicas. One schema, one set of statements, one
//! test suite for both.
//!
//! [`Store`] opens the database and brings its schema up to date. Each noun has a module and a handle with its
//! functions: `store.fabrics().get(&scope, id)`. All SQL texts are in `statements`; what a caller may see is a
//! [`Scope`] that is compiled into the query, so that rows outside of it never leave the database.
//!
//! Habits that hold for every function:
//!
//! - Time comes in as a parameter. Columns keep microseconds, so finer times come back cut.
//! - A function that writes is one transaction, and nothing else waits inside of it: no network, no callbacks.
//! - Errors are [`Error`]; its `code()` is what a page shows. None carries a stored or bound value.
//!
//! SQLite has one writing connection, whose transactions begin as `BEGIN IMMEDIATE` and are committed with
//! `synchronous=FULL`, and a pool of connections that can only read (WAL: they never wait for the writer). On either
//! engine, what runs [`in_background`] comes after what pages ask.

pub mod activity;
pub mod adopted;
pub mod agents;
pub mod api_tokens;
pub mod attempts;
mod author;
pub mod automatic;
pub mod backup;
pub mod changes;
pub mod comparisons;
mod connect;
mod error;
pub mod fabrics;
pub mod groups;
mod health;
pub mod kept_forms;
mod lanes;
pub mod meta;
mod migrations;
pub mod nouns;
pub mod objects;
pub mod operations;
mod page;
pub mod permissions;
mod recorder;
mod row;
pub mod scope;
pub mod sessions;
mod sql;
mod statements;
pub mod users;
pub mod verify_runs;

pub use adopted::Adopted;
pub use agents::AgentRow;
pub use api_tokens::{ApiToken, NewApiToken};
pub use attempts::{Attempt, NewAttempt};
pub use author::{Allowance, Author, Reach};
pub use changes::{Change, ChangeAction};
pub use comparisons::{Comparison, ComparisonResult, NewComparison, ObjectDelta};
pub use error::{Error, Outage, Result, Unique};
pub use fabrics::{
    Cluster, CredentialKind, EndpointLogin, Fabric, FabricSecrets, FabricSpec, NewFabric, Sealed, Source,
};
pub use groups::{Group, GroupSpec};
pub use kept_forms::KeptForm;
pub use lanes::in_background;
pub use nouns::{Link, Named, Noun};
pub use objects::{BaseChange, ObjectBodies, ObjectDetail, ObjectRow};
pub use operations::{Disposition, Enqueued, NewOperation, Operation};
pub use page::{Direction, Listed, Page};
pub use permissions::ObjectPermission;
pub use scope::{Constraint, Lookup, Scope};
pub use sessions::{EndReason, Method, NewSession, Session};
pub use users::{External, NewUser, User, UserSpec};
pub use verify_runs::{NewVerifyRun, VerifyRun};

use lanes::Held;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyPool, Transaction};
use std::sync::Arc;

/// Which database this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// Embedded, one file.
    Sqlite,
    /// A server, for several replicas.
    Postgres,
}

impl std::fmt::Display for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
        })
    }
}

/// An open database. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct Store {
    engine: Engine,
    read: AnyPool,
    write: AnyPool,
    /// SQLite's file as it was opened.
    file: Option<Arc<connect::OpenFile>>,
    lanes: Arc<lanes::Lanes>,
}

macro_rules! nouns {
    ($($(#[$doc:meta])* $name:ident => $type:ty;)*) => {
        $($(#[$doc])* pub fn $name(&self) -> $type { <$type>::new(self) })*
    };
}

impl Store {
    /// Opens the database and brings its schema up to date. `url` is a path or `sqlite://path` for SQLite (the file
    /// is created), or `postgres://user:password@host/database`.
    pub async fn open(url: &str) -> Result<Store> {
        let store = Self::open_unmigrated(url).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database and leaves its schema as it is: for the command that shows or runs migrations.
    pub async fn open_unmigrated(url: &str) -> Result<Store> {
        let (engine, read, write, file) = connect::connect(url).await?;
        Ok(Store { engine, read, write, file, lanes: Arc::new(lanes::Lanes::of(engine)) })
    }

    /// Brings the schema up to date, under a lock: of several processes that start at once, one does it.
    /// Gives the versions that were applied by this call.
    pub async fn migrate(&self) -> Result<Vec<i64>> {
        migrations::run(self, None).await
    }

    /// Brings the schema up to the version of an older release: for the test that goes on from there.
    #[doc(hidden)]
    pub async fn migrate_to(&self, version: i64) -> Result<Vec<i64>> {
        migrations::run(self, Some(version)).await
    }

    /// The schema's version now and the newest that this release knows.
    pub async fn schema_version(&self) -> Result<(i64, i64)> {
        migrations::versions(self).await
    }

    /// Which database this is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Ends all connections, after the statements that are under way. SQLite then folds its write-ahead log into the
    /// database file.
    pub async fn close(self) {
        self.write.close().await;
        self.read.close().await;
    }

    nouns! {
        /// Users.
        users => users::Users<'_>;
        /// Groups and who belongs to them.
        groups => groups::Groups<'_>;
        /// Object permissions and whom they are given to.
        permissions => permissions::Permissions<'_>;
        /// Sessions.
        sessions => sessions::Sessions<'_>;
        /// Forms that were sent after their session had ended.
        kept_forms => kept_forms::KeptForms<'_>;
        /// API tokens.
        api_tokens => api_tokens::ApiTokens<'_>;
        /// Fabrics and their sealed secrets.
        fabrics => fabrics::Fabrics<'_>;
        /// Operations, their queue and the outcome of each object.
        operations => operations::Operations<'_>;
        /// Comparisons.
        comparisons => comparisons::Comparisons<'_>;
        /// Objects as the newest comparison found them.
        objects => objects::Objects<'_>;
        /// What is remembered of automatic syncs.
        automatic => automatic::AutomaticSyncs<'_>;
        /// What the agents report.
        agents => agents::Agents<'_>;
        /// Objects that a person took over from the cluster into Git.
        adopted => adopted::AdoptedObjects<'_>;
        /// Tries to start an operation, also those that were turned away.
        attempts => attempts::Attempts<'_>;
        /// Operations and attempts in one list.
        activity => activity::Activity<'_>;
        /// Who changed what.
        changes => changes::Changes<'_>;
        /// Rows of any noun by their names.
        nouns => nouns::Nouns<'_>;
        /// Runs of the console's own monitor.
        verify_runs => verify_runs::VerifyRuns<'_>;
        /// Facts about this installation.
        meta => meta::Meta<'_>;
    }

    /// A connection to read with.
    pub(crate) async fn reader(&self, doing: &'static str) -> Result<Held<PoolConnection<Any>>> {
        if let Some(file) = &self.file {
            file.require_no_other().map_err(|e| Error::of(doing, sqlx::Error::Io(e)))?;
        }
        let turn = self.lanes.to_read().await.map_err(|e| Error::of(doing, e))?;
        let conn = self.read.acquire().await.map_err(|e| Error::of(doing, e))?;
        Ok(Held::new(conn, turn))
    }

    /// A transaction to write in; dropped without [`commit`], it never happened.
    pub(crate) async fn writer(&self, doing: &'static str) -> Result<Held<Transaction<'static, Any>>> {
        // What is written into a file that was removed is gone with the process, and nobody would be told.
        if let Some(file) = &self.file {
            file.require().map_err(|e| Error::of(doing, sqlx::Error::Io(e)))?;
        }
        // IMMEDIATE: a transaction that begins by reading and then writes would otherwise fail as busy half-way.
        let turn = self.lanes.to_write().await.map_err(|e| Error::of(doing, e))?;
        let begin = match (self.engine, &turn) {
            (Engine::Sqlite, _) => "BEGIN IMMEDIATE",
            (Engine::Postgres, None) => "BEGIN",
            (Engine::Postgres, Some(_)) => connect::BEGIN_WITH_PATIENCE,
        };
        let tx = self.write.begin_with(begin).await.map_err(|e| Error::of(doing, e))?;
        Ok(Held::new(tx, turn))
    }
}

/// Makes a transaction happen.
pub(crate) async fn commit(tx: Held<Transaction<'static, Any>>, doing: &'static str) -> Result<()> {
    let (tx, _turn) = tx.into_parts();
    tx.commit().await.inspect(|()| health::answered()).map_err(|e| Error::of(doing, e))
}
