//! What can go wrong in the store. Every error says which statement or step it was; none carries a bound value, so
//! that no secret reaches a log.

use crate::{Engine, health};
use model::Code;

/// The store's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What must be unique and was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unique {
    /// Another fabric has this name.
    #[error("another fabric has this name")]
    FabricName,
    /// Another fabric manages this namespace of this cluster.
    #[error("another fabric already manages this namespace of this cluster")]
    ClusterNamespace,
    /// Another user has this name, upper and lower case being the same.
    #[error("another user has this name")]
    Username,
    /// The provider's person has a user already.
    #[error("another user is connected with this person of the provider")]
    External,
    /// Another group has this name.
    #[error("another group has this name")]
    GroupName,
    /// Another permission has this name.
    #[error("another permission has this name")]
    PermissionName,
    /// An operation that writes to this fabric is running.
    #[error("an operation that writes to this fabric is running")]
    OneWriter,
    /// Something else; the log names it.
    #[error("a row with the same key exists")]
    Other,
}

/// Why a database cannot be used for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outage {
    /// It cannot be reached, or it shuts down.
    Away,
    /// There is no storage space left for it.
    Full,
    /// Its disk fails, may not be written, or has no room for what it needs beside its file.
    Disk,
    /// Its file is damaged, or is no database.
    Damaged,
}

impl Outage {
    fn sentence(self, doing: &str) -> String {
        match self {
            Outage::Away => format!("the database could not be reached to {doing}"),
            Outage::Full => format!("the database has no storage space left to {doing}"),
            Outage::Disk => {
                format!("the database could not {doing}: its disk failed, is full, or may not be written to")
            }
            Outage::Damaged => format!("the database could not {doing}: its file is damaged"),
        }
    }
}

/// Everything that can go wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such row, or it is outside of what the caller may see.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The row would repeat what must be unique.
    #[error("{0}")]
    Conflict(Unique),
    /// The row was changed since the caller read it.
    #[error("the {0} was changed by somebody else since it was opened; load it again")]
    Stale(&'static str),
    /// The row as it would be after the change is outside of what the caller's permission covers.
    #[error("the permission does not cover the {0} as it would be after this change")]
    OutOfScope(&'static str),
    /// Nobody would be left who may do everything.
    #[error("this is the last active administrator; make another user one first")]
    LastAdministrator,
    /// Only a superuser may do this.
    #[error("only an administrator may {0}")]
    SuperusersOnly(&'static str),
    /// A permission would be handed out that its giver lacks.
    #[error(
        "this would give others {permission}{}, which you do not have yourself",
        if *.within { " beyond the limits that you have it within" } else { "" }
    )]
    BeyondReach {
        /// The permission.
        permission: String,
        /// Whether the giver has it within limits.
        within: bool,
    },
    /// The values contradict each other; the name is that of the check in the schema.
    #[error("{}", crate::fabrics::invalid_sentence(.0))]
    Invalid(String),
    /// A row that is referred to does not exist (any more).
    #[error("cannot {0}: something it refers to does not exist any more")]
    Dangling(&'static str),
    /// Somebody else holds the database for too long.
    #[error("the database was busy for too long while it should {doing}")]
    Busy {
        /// Which statement or step.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// The database cannot be reached, or the disk is full or broken.
    #[error("{}", .why.sentence(.doing))]
    Unavailable {
        /// Which statement or step.
        doing: &'static str,
        /// Which of these.
        why: Outage,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
    /// A stored value makes no sense.
    #[error("the stored {what} makes no sense: {detail}")]
    Corrupt {
        /// Which column.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// The database's address cannot be used.
    #[error("the database address cannot be used: {0}")]
    BadUrl(String),
    /// The database was written by a newer release.
    #[error(
        "the database has schema version {found}, this release knows versions up to {known}; start the release that \
         wrote it, or restore a backup"
    )]
    Newer {
        /// The schema's version.
        found: i64,
        /// The newest version that this release knows.
        known: i64,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of the {engine} database could not be brought up to date")]
    Migration {
        /// Which engine.
        engine: Engine,
        /// What the driver said.
        #[source]
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// The database refused a statement: a defect in Hedgerow.
    #[error("the database refused to {doing}{}", code_of(.source))]
    Query {
        /// Which statement.
        doing: &'static str,
        /// What the driver said.
        #[source]
        source: sqlx::Error,
    },
}

impl Error {
    /// The stable code that pages, answers and logs use.
    pub fn code(&self) -> Code {
        match self {
            Error::NotFound(_) => Code::NotFound,
            Error::Conflict(Unique::OneWriter) => Code::AlreadyRunning,
            Error::Conflict(_) | Error::Stale(_) | Error::Invalid(_) | Error::Dangling(_) => Code::InvalidInput,
            Error::LastAdministrator => Code::InvalidInput,
            Error::OutOfScope(_) | Error::SuperusersOnly(_) | Error::BeyondReach { .. } => Code::PermissionDenied,
            Error::Busy { .. } | Error::Unavailable { .. } => Code::StoreUnavailable,
            _ => Code::Internal,
        }
    }

    /// Sorts a driver's error into what the caller can act on.
    pub(crate) fn of(doing: &'static str, error: sqlx::Error) -> Self {
        let sorted = Self::sort(doing, error);
        health::failed(&sorted);
        sorted
    }

    fn sort(doing: &'static str, error: sqlx::Error) -> Self {
        use sqlx::error::ErrorKind;
        match &error {
            sqlx::Error::Database(db) => match db.kind() {
                ErrorKind::UniqueViolation => Error::Conflict(which_unique(db.constraint(), db.message())),
                ErrorKind::ForeignKeyViolation => Error::Dangling(doing),
                ErrorKind::CheckViolation | ErrorKind::NotNullViolation => {
                    Error::Invalid(which_check(db.constraint(), db.message()))
                }
                _ => match db.code().as_deref().map(transient) {
                    Some(Transient::Busy) => Error::Busy { doing, source: error },
                    Some(Transient::Unavailable(why)) => Error::Unavailable { doing, why, source: error },
                    _ => Error::Query { doing, source: error },
                },
            },
            sqlx::Error::PoolTimedOut => Error::Busy { doing, source: error },
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Error::Unavailable { doing, why: Outage::Away, source: error }
            }
            sqlx::Error::Configuration(why) => Error::BadUrl(why.to_string()),
            _ => Error::Query { doing, source: error },
        }
    }
}

enum Transient {
    Busy,
    Unavailable(Outage),
    No,
}

/// The database's own code, for the log; its words may repeat a value.
fn code_of(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|db| db.code());
    code.map_or_else(String::new, |code| format!(" (its code {code})"))
}

/// PostgreSQL's codes are five characters; SQLite's are shorter numbers, whose low byte is the primary code.
fn transient(code: &str) -> Transient {
    if code.len() == 5 {
        return match code {
            "40001" | "40P01" | "55P03" | "57014" => Transient::Busy,
            "53100" => Transient::Unavailable(Outage::Full),
            "58030" => Transient::Unavailable(Outage::Disk),
            _ if ["08", "53", "57", "58"].contains(&&code[..2]) => Transient::Unavailable(Outage::Away),
            _ => Transient::No,
        };
    }
    match code.parse::<i32>().map(|c| c & 0xff) {
        Ok(5 | 6) => Transient::Busy,                            // BUSY, LOCKED
        Ok(8 | 10 | 14) => Transient::Unavailable(Outage::Disk), // READONLY, IOERR, CANTOPEN
        Ok(11 | 26) => Transient::Unavailable(Outage::Damaged),  // CORRUPT, NOTADB
        Ok(13) => Transient::Unavailable(Outage::Full),          // FULL
        _ => Transient::No,
    }
}

/// PostgreSQL names the index; SQLite lists the columns after the colon, or names the index when it is on an expression.
fn which_unique(constraint: Option<&str>, message: &str) -> Unique {
    match constraint.unwrap_or_else(|| after_colon(message)) {
        "fabrics_name" | "fabrics.name" => Unique::FabricName,
        "fabrics_cluster_namespace" | "fabrics.cluster_uid, fabrics.namespace" => Unique::ClusterNamespace,
        "users_username" | "index 'users_username'" => Unique::Username,
        "users_external" | "users.external_issuer, users.external_subject" => Unique::External,
        "user_groups_name" | "user_groups.name" => Unique::GroupName,
        "object_permissions_name" | "object_permissions.name" => Unique::PermissionName,
        "operations_one_writer" | "operations.fabric_id" => Unique::OneWriter,
        _ => Unique::Other,
    }
}

/// PostgreSQL names the check; SQLite writes it after the colon.
fn which_check(constraint: Option<&str>, message: &str) -> String {
    match constraint {
        Some(name) => name.to_owned(),
        None => after_colon(message).to_owned(),
    }
}

fn after_colon(message: &str) -> &str {
    message.rsplit(": ").next().unwrap_or(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_that_may_not_grow_has_no_storage_space_left() {
        let one = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1);
        let pool = one.connect("sqlite::memory:").await.unwrap();
        for sql in ["PRAGMA max_page_count = 4", "CREATE TABLE t (x)"] {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        let refused = sqlx::query("INSERT INTO t VALUES (zeroblob(100000))").execute(&pool).await.unwrap_err();
        let error = Error::sort("store a comparison", refused);
        assert_eq!(error.code(), Code::StoreUnavailable);
        assert_eq!(error.to_string(), "the database has no storage space left to store a comparison");
    }

    #[test]
    fn outages_are_told_apart_by_the_code_of_either_engine() {
        let why = |code| match transient(code) {
            Transient::Unavailable(why) => Some(why),
            _ => None,
        };
        for (code, expected) in [
            ("53100", Some(Outage::Full)),
            ("58030", Some(Outage::Disk)),
            ("53300", Some(Outage::Away)),
            ("57P01", Some(Outage::Away)),
            ("42601", None),
            ("13", Some(Outage::Full)),
            ("778", Some(Outage::Disk)),
            ("4874", Some(Outage::Disk)),
            ("11", Some(Outage::Damaged)),
            ("5", None),
        ] {
            assert_eq!(why(code), expected, "{code}");
        }
    }
}
