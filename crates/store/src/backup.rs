//! A copy of the database while others write to it, and what has to be put right in one that comes back: time has
//! passed, and the world has gone on without it. Used by `hedgerow backup` and `hedgerow restore`.

use crate::operations::{changes_something, end_phases};
use crate::row::{Columns, to_json};
use crate::sql::{Sql, args};
use crate::statements::api_tokens::REVOKE_ALL;
use crate::statements::backup as st;
use crate::statements::operations::LEFT_BY_THE_DEAD;
use crate::{Engine, Error, Result, Store, commit};
use jiff::Timestamp;
use model::operation::OutcomeKind::{NotAttempted, Unknown};
use model::operation::PhaseProgress;
use sqlx::AnyConnection;
use std::path::Path;

/// Of objects of an operation that was under way when the backup was made.
const NOT_KNOWN: &str = "The backup was made before it was known what became of this object; it may have been written. The \
                         next run looks at it again.";

/// The same of an operation that writes nothing: a dry run.
const NOT_ASKED: &str =
    "The backup was made before the server said what it would do with this object. Nothing was written.";

/// The fact that says in which database this was noted.
const PLACE: &str = "database_place";

/// What was put right in a restored database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Operations that ran or waited when the backup was made, and are interrupted now.
    pub operations: u64,
    /// Sessions that were open then, and are ended now.
    pub sessions: u64,
    /// API tokens that were good then, and are revoked now.
    pub api_tokens: u64,
}

impl Store {
    /// Copies a SQLite database into a new file, as it is at one moment; nobody who reads or writes waits for it.
    ///
    /// # Errors
    /// On PostgreSQL, whose own tools do this; when the disk is full.
    pub async fn copy_into(&self, file: &Path) -> Result<()> {
        if self.engine != Engine::Sqlite {
            return Err(Error::BadUrl("only a SQLite database is copied as a file; use pg_dump".to_owned()));
        }
        let path = file.to_str().ok_or_else(|| Error::BadUrl("the path of the copy is not UTF-8".to_owned()))?;
        // The copy would be made for everybody to read; an empty file that is there keeps its mode.
        crate::connect::prepare_file(file)?;
        let mut conn = self.write.acquire().await.map_err(|e| Error::of(st::COPY, e))?;
        let mut sql = Sql::new(st::COPY, st::VACUUM_INTO);
        sql.bind(path).once();
        sql.run(&mut conn).await.map(drop)
    }

    /// Puts a restored database right: nobody runs or waits for what was under way when the backup was made, and no
    /// session and no API token of then is good any more, because one that was ended since would come to life again.
    pub async fn settle_restored(&self, now: Timestamp) -> Result<Settled> {
        let mut tx = self.writer(st::INTERRUPT.doing).await?;
        let settled = settle(&mut tx, now).await?;
        commit(tx, st::INTERRUPT.doing).await?;
        Ok(settled)
    }

    /// Which database this is, if it is not the one in which that was noted last: its own tools restored it. `None` when
    /// it is, when it was never noted (then it is now), and on SQLite, whose file [`Self::settle_restored`] is for.
    ///
    /// # Errors
    /// When the store does not answer, or its user may not ask for the server's identity.
    pub async fn moved_to(&self) -> Result<Option<String>> {
        let mut conn = self.reader(st::PLACE.doing).await?;
        let place = st::PLACE.one(&mut conn, "place", args![]).await?.text("place")?;
        drop(conn);
        if place.is_empty() {
            return Ok(None);
        }
        let noted = self.meta().get_or_set(PLACE, &place).await?;
        Ok((noted != place).then_some(place))
    }

    /// Puts right a database that its own tools restored, and notes that it is this one now. `None` when another process
    /// has done so.
    pub async fn settle_moved(&self, place: &str, now: Timestamp) -> Result<Option<Settled>> {
        let mut tx = self.writer(st::MOVED.doing).await?;
        if st::MOVED.run(&mut tx, args![PLACE, place]).await? == 0 {
            return Ok(None);
        }
        let settled = settle(&mut tx, now).await?;
        commit(tx, st::MOVED.doing).await?;
        Ok(Some(settled))
    }
}

async fn settle(tx: &mut AnyConnection, now: Timestamp) -> Result<Settled> {
    let mut operations = 0;
    for row in st::OPEN.all(tx, args![]).await? {
        let (id, mut phases) = (row.int("id")?, row.json::<Vec<PhaseProgress>>("phases")?);
        end_phases(&mut phases, now);
        let message = "It was under way when the backup was made from which this console was restored. How far it \
                           came is not known here.";
        operations += st::INTERRUPT.run(tx, args![id, now, message, to_json("phases", &phases)?]).await?;
        let writes = changes_something(row.bool("writes")?, &phases);
        let (of_objects, outcome) = if writes { (NOT_KNOWN, Unknown) } else { (NOT_ASKED, NotAttempted) };
        LEFT_BY_THE_DEAD.run(tx, args![id, of_objects, outcome.as_str()]).await?;
    }
    let sessions = st::END_SESSIONS.run(tx, args![now, "a restored backup"]).await?;
    let api_tokens = REVOKE_ALL.run(tx, args![now, "a restored backup"]).await?;
    Ok(Settled { operations, sessions, api_tokens })
}
