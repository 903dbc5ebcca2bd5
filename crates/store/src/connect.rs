//! Opening connections: the address, SQLite's pragmas, the two pools.

use crate::{Engine, Error, Outage, Result};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const OPEN: &str = "open the database";

/// How long a caller waits for a server's connection, which includes its restart, before it is told that there is
/// none. A page that waits longer is worse than one that says so.
pub(crate) const PATIENCE_SERVER: Duration = Duration::from_secs(5);

/// How long a caller waits for the one connection that writes to the file: other writes come before, none of which
/// takes longer than a second or two. While another program holds the file, each of them waits `busy_timeout`.
pub(crate) const PATIENCE_FILE: Duration = Duration::from_secs(15);

/// Connections that read, on either engine.
pub(crate) const READERS: u32 = 8;

/// The file of an SQLite database as it was opened: removed or replaced, it is still there for whoever holds it open,
/// and for nobody else.
#[derive(Debug)]
pub(crate) struct OpenFile {
    path: PathBuf,
    is: (u64, u64),
}

impl OpenFile {
    fn of(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), is: identity(path)? })
    }

    /// Fails when the path leads to another file by now, or to none. The error names no path.
    pub(crate) fn require(&self) -> std::io::Result<()> {
        self.require_no_other()?;
        identity(&self.path).map(|_| ()).map_err(|_| gone("the database's file was removed while it was open"))
    }

    /// Fails when the path leads to another file by now: a connection that is opened there would read what is not ours.
    /// What was only removed can still be read by whoever holds it open.
    pub(crate) fn require_no_other(&self) -> std::io::Result<()> {
        let is_other = identity(&self.path).is_ok_and(|now| now != self.is);
        if is_other { Err(gone("the database's file was replaced by another one while it was open")) } else { Ok(()) }
    }
}

fn gone(why: &str) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::NotFound, why)
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path)?;
    Ok((file.dev(), file.ino()))
}

pub(crate) async fn connect(url: &str) -> Result<(Engine, AnyPool, AnyPool, Option<Arc<OpenFile>>)> {
    sqlx::any::install_default_drivers();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        let pool = pool(READERS + 4, options(url)?, SERVER, None).await?;
        return Ok((Engine::Postgres, pool.clone(), pool, None));
    }
    let path = sqlite_path(url)?;
    prepare_file(&path)?;
    let file = Arc::new(OpenFile::of(&path).map_err(|e| Error::of(OPEN, sqlx::Error::Io(e)))?);
    let options = options(&sqlite_url(&path)?)?;
    // The writer comes first: it turns the file into a WAL database, which readers could not do.
    let write = pool(1, options.clone(), WRITER, Some(file.clone())).await?;
    let read = pool(READERS, options, READER, Some(file.clone())).await?;
    Ok((Engine::Sqlite, read, write, Some(file)))
}

/// `synchronous=FULL` for everything: what was acknowledged survives a power cut, also a password change or a revoked
/// session, not only operations. Measured: 4 ms a transaction on a cloud disk, 0.01 ms with NORMAL. There are a few a
/// second, bulk writes are one, and readers do not wait for them. The caches are small, because there are nine of them and
/// the system keeps the file in memory besides: with 16 and 4 MB they took as much as ten thousand watched objects.
const WRITER: &[&str] = &[
    "PRAGMA busy_timeout = 5000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -2000",
    "PRAGMA temp_store = MEMORY",
];

const READER: &[&str] = &[
    "PRAGMA busy_timeout = 5000",
    "PRAGMA foreign_keys = ON",
    "PRAGMA cache_size = -250",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA query_only = ON",
];

/// What `busy_timeout` is to a file: a statement that waits for what somebody else has locked gives up, instead of holding
/// its connection until everybody waits for one. Of ours only a comparison holds locks for seconds, and none that a page
/// or a press waits for; a person who changes the schema by hand does, or a backup.
const SERVER: &[&str] = &[WAIT_A_WHILE];
pub(crate) const WAIT_A_WHILE: &str = "SET lock_timeout = '3s'";
/// For what nobody waits for: two processes that store a large comparison of one fabric come one after the other.
pub(crate) const BEGIN_WITH_PATIENCE: &str = "BEGIN; SET LOCAL lock_timeout = '15s'";
/// For migrations: several processes that start at once wait for the one that does it.
pub(crate) const WAIT_FOR_EVER: &str = "SET lock_timeout = 0";

async fn pool(
    size: u32,
    options: AnyConnectOptions,
    settings: &'static [&'static str],
    file: Option<Arc<OpenFile>>,
) -> Result<AnyPool> {
    let local = file.is_some();
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(if local { PATIENCE_FILE } else { PATIENCE_SERVER })
        // A file needs no ping; a server may have gone away.
        .test_before_acquire(!local)
        .idle_timeout((!local).then_some(Duration::from_secs(300)))
        .max_lifetime((!local).then_some(Duration::from_secs(1800)))
        .after_connect(move |conn: &mut AnyConnection, _| {
            let file = file.clone();
            Box::pin(async move {
                // Kept, a connection to another file would tell of it for ever, also when ours is back.
                if let Some(file) = file {
                    file.require().map_err(sqlx::Error::Io)?;
                }
                for setting in settings {
                    sqlx::raw_sql(*setting).execute(&mut *conn).await?;
                }
                Ok(())
            })
        })
        .after_release(move |conn: &mut AnyConnection, _| {
            Box::pin(async move {
                // A commit or a rollback that fails, as on a full disk, leaves the driver believing in a transaction
                // that SQLite has given up: every later one on this connection would fail, also when there is room
                // again. The ping comes after a rollback that is still on its way.
                if local {
                    conn.ping().await?;
                }
                Ok(!conn.is_in_transaction())
            })
        })
        .connect_with(options)
        .await
        .map_err(|e| Error::of(OPEN, e))
}

fn options(url: &str) -> Result<AnyConnectOptions> {
    let options: AnyConnectOptions = url.parse().map_err(|_| Error::BadUrl("it is not a URL".into()))?;
    // That a statement ran is not worth a line; one that took a second is, and stays a warning.
    Ok(match "trace".parse() {
        Ok(level) => options.log_statements(level),
        Err(_) => options,
    })
}

/// The file that an address means. A database in memory is refused: each connection would see its own.
fn sqlite_path(url: &str) -> Result<PathBuf> {
    let path = match url.strip_prefix("sqlite:") {
        Some(rest) => rest.strip_prefix("//").unwrap_or(rest),
        None if url.contains("://") => {
            return Err(Error::BadUrl("it must be a path, sqlite://PATH or postgres://USER@HOST/DATABASE".into()));
        }
        None => url,
    };
    if path.is_empty() || path.contains(":memory:") {
        return Err(Error::BadUrl("SQLite needs a file".into()));
    }
    std::path::absolute(path).map_err(|e| Error::BadUrl(format!("{path}: {e}")))
}

/// The database holds sealed secrets and password hashes: only its owner may read it. SQLite gives the files beside it
/// (the write-ahead log) the same mode.
pub(crate) fn prepare_file(path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::Unavailable { doing: OPEN, why: Outage::Away, source: sqlx::Error::Io(e) };
    let mut options = std::fs::OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed)?;
    Ok(())
}

/// The path as a URL that the driver reads back to the same path.
fn sqlite_url(path: &Path) -> Result<String> {
    let path = path.to_str().ok_or_else(|| Error::BadUrl("the path is not UTF-8".into()))?;
    let mut url = String::from("sqlite://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url.push_str("?mode=rw");
    Ok(url)
}

#[cfg(test)]
mod tests {
    use crate::Store;
    use sqlx::Row;

    /// The pragmas are in force on the connections that the store works with: a misspelt one is no error to SQLite.
    #[tokio::test]
    async fn the_writer_is_durable_and_the_readers_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("test.db").to_str().unwrap()).await.unwrap();
        for (pool, pragma, value) in [
            (&store.write, "PRAGMA synchronous", "2"),
            (&store.write, "PRAGMA journal_mode", "wal"),
            (&store.write, "PRAGMA foreign_keys", "1"),
            (&store.write, "PRAGMA query_only", "0"),
            (&store.read, "PRAGMA journal_mode", "wal"),
            (&store.read, "PRAGMA query_only", "1"),
            (&store.read, "PRAGMA busy_timeout", "5000"),
        ] {
            let row = sqlx::query(pragma).fetch_one(pool).await.unwrap();
            let got = row.try_get::<i64, _>(0).map(|n| n.to_string()).or_else(|_| row.try_get::<String, _>(0));
            assert_eq!(got.unwrap(), value, "{pragma}");
        }
        let written = sqlx::query("INSERT INTO meta (key, value) VALUES ('a', 'b')").execute(&store.read).await;
        assert!(written.is_err(), "a reader wrote");
    }
}
