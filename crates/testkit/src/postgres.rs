//! A real PostgreSQL server of the tests' own.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::OnceCell;

use crate::eventually;
use crate::machine::{free_port, is_root, program, secret};
use crate::process::{Folder, Process, run};

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

/// A running server, reached over TCP on 127.0.0.1 with a password. Dropped, it is gone with all its data.
pub struct Postgres {
    port: u16,
    password: String,
    programs: PathBuf,
    databases: AtomicU32,
    command: Command,
    server: Process,
    // The shared one is never dropped; the folder then goes with the test process.
    folder: Folder,
}

impl Postgres {
    /// Starts a server of the caller's own.
    pub async fn start() -> Result<Self> {
        let postgres = program("postgres", &debian_folders())?;
        // What is on the PATH may be a link; the other programs are beside the real one.
        let postgres = postgres.canonicalize().context("find the folder of postgres")?;
        let programs = postgres.parent().context("a program without folder")?.to_path_buf();
        let mut folder = Folder::new("postgres")?;
        let password = secret();
        let data = folder.join("data");
        let password_file = folder.write("password", &password)?;
        let server_user = ServerUser::find()?;
        for path in [folder.path(), &password_file] {
            server_user.own(path)?;
        }
        let mut initdb = server_user.command(&programs.join("initdb"));
        initdb.arg("-D").arg(&data).arg(format!("--pwfile={}", password_file.display()));
        initdb.args(["--username=hedgerow", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        initdb.current_dir(folder.path());
        run("initdb", &mut initdb).await?;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let port = free_port()?;
            let mut command = server_user.command(&programs.join("postgres"));
            command.arg("-D").arg(&data).arg("-k").arg(folder.path()).args(["-p", &port.to_string()]);
            for setting in [
                "listen_addresses=127.0.0.1",
                "fsync=off",
                "synchronous_commit=off",
                "full_page_writes=off",
                "max_connections=200",
                "shared_buffers=32MB",
            ] {
                command.args(["-c", setting]);
            }
            command.current_dir(folder.path());
            // INT is PostgreSQL's fast shutdown: sessions are cut, nothing is left in shared memory.
            let server = Process::start("postgres", &command, folder.path(), "INT")?;
            let (password, programs, databases) = (password.clone(), programs.clone(), AtomicU32::new(0));
            let mut started = Self { port, password, programs, databases, command, server, folder };
            match started.ready().await {
                Ok(()) => return Ok(started),
                Err(error) if attempt < 4 && format!("{error:#}").contains("Address already in use") => {
                    started.server.kill();
                    folder = started.folder;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Stops the server: sessions are cut, and nobody can connect any more.
    pub async fn stop(&mut self) -> Result<()> {
        self.server.stop().await.map(drop)
    }

    /// Starts it again after [`Self::stop`]: same port, same data.
    pub async fn resume(&mut self) -> Result<()> {
        self.server = Process::start("postgres", &self.command, self.folder.path(), "INT")?;
        self.ready().await
    }

    /// The server that the tests of one process share; each takes databases of its own from it.
    pub async fn shared() -> Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// Creates an empty database and returns its URL.
    pub async fn database(&self) -> Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}")).await?;
        Ok(self.url(&name))
    }

    /// Dumps a database with `pg_dump`, restores that into a new one, and returns its URL.
    pub async fn restored(&self, url: &str) -> Result<String> {
        let dump = self.folder.join(format!("dump-{}.sql", self.databases.load(Ordering::Relaxed)));
        let mut pg_dump = Command::new(self.programs.join("pg_dump"));
        pg_dump.arg("--dbname").arg(url).arg("--file").arg(&dump);
        run("pg_dump", &mut pg_dump).await?;
        let new = self.database().await?;
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", &new]).arg("--file").arg(&dump);
        run("restore a dump", &mut psql).await?;
        Ok(new)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://hedgerow:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Host and port, as a proxy in front of it needs them.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs SQL with psql, as an eye that is not the code under test, and returns the rows: columns are separated by
    /// `|`. `database` is a name or a URL.
    pub async fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let url = if database.contains("://") { database.to_owned() } else { self.url(database) };
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        psql.args(["--dbname", &url, "--command", sql]);
        Ok(run(&format!("SQL {sql}"), &mut psql).await?.trim_end().to_owned())
    }

    /// Ends every session, as a restart of the server would, but for the one that does it.
    pub async fn cut_sessions(&self) -> Result<()> {
        let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                      WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
        self.sql("postgres", others).await.map(drop)
    }

    /// Takes a table for itself, as a change of the schema by hand does: nobody else can even read it.
    pub async fn hold(&self, database: &str, table: &str) -> Result<HeldTable> {
        let url = if database.contains("://") { database.to_owned() } else { self.url(database) };
        let folder = Folder::new("held-table")?;
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", &url, "--command", "BEGIN", "--command"]);
        psql.arg(format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"));
        // Its session is idle meanwhile, so that it ends as soon as psql does.
        psql.args(["--command", "\\! echo held && sleep 3600"]);
        let mut process = Process::start("psql", &psql, folder.path(), "TERM")?;
        eventually(Duration::from_secs(30), "the table is held", || {
            let (log, runs) = (process.log(), process.still_runs());
            async move {
                runs?;
                ensure!(log.contains("held"), "it says {log:?}");
                Ok(())
            }
        })
        .await?;
        Ok(HeldTable { _process: process, _folder: folder })
    }

    async fn ready(&mut self) -> Result<()> {
        let isready = self.programs.join("pg_isready");
        let port = self.port.to_string();
        let mut dead = None;
        let ready = eventually(Duration::from_secs(60), "PostgreSQL is ready", || {
            dead = self.server.still_runs().err();
            let mut command = Command::new(&isready);
            command.args(["--quiet", "--host=127.0.0.1", "--port", &port]);
            let ended = dead.is_some();
            async move { if ended { Ok(()) } else { run("pg_isready", &mut command).await.map(drop) } }
        });
        let ready = ready.await;
        dead.map_or(Ok(()), Err)?;
        ready.with_context(|| self.server.last_words())
    }
}

/// A table that somebody has taken for himself. Dropped, it is free again.
pub struct HeldTable {
    _process: Process,
    _folder: Folder,
}

/// Debian keeps the server's programs off the PATH, one folder a version; the newest comes first.
fn debian_folders() -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// PostgreSQL refuses to run as root: then another user does it.
struct ServerUser {
    other: Option<(u32, u32)>,
}

impl ServerUser {
    fn find() -> Result<Self> {
        if !is_root() {
            return Ok(Self { other: None });
        }
        let users = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
        let ids = |wanted: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
            let mut fields = line.split(':').skip(2);
            Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
        };
        let other = ids("postgres").or_else(|| ids("nobody"));
        ensure!(other.is_some(), "PostgreSQL does not run as root, and there is no user `postgres` or `nobody`");
        Ok(Self { other })
    }

    fn own(&self, path: &std::path::Path) -> Result<()> {
        if let Some((user, group)) = self.other {
            chown(path, Some(user), Some(group)).with_context(|| format!("give {} to the server", path.display()))?;
            // Its log files are opened by us, root, before; all else is the server's.
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    fn command(&self, program: &std::path::Path) -> Command {
        let Some((user, group)) = self.other else { return Command::new(program) };
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]);
        command.arg("--").arg(program);
        command
    }
}
