//! An SQLite file as another program sees it: held, so that nobody else can write to it, and read or changed by the
//! `sqlite3` program, an eye that is not the code under test.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::eventually;
use crate::machine::program;
use crate::process::{Folder, Process, run};

/// A database file that another program writes to. Dropped, it is free again.
pub struct HeldDatabase {
    _process: Process,
    _folder: Folder,
}

impl HeldDatabase {
    /// Takes the file as soon as nobody else writes to it, and keeps it.
    pub async fn hold(file: &Path) -> Result<Self> {
        let folder = Folder::new("held")?;
        let mut command = Command::new(program("sqlite3", &[])?);
        command.arg("-bail").arg(file).args(["PRAGMA busy_timeout = 20000", "BEGIN EXCLUSIVE"]);
        command.arg(".shell echo held && sleep 3600");
        let mut process = Process::start("sqlite3", &command, folder.path(), "TERM")?;
        eventually(Duration::from_secs(30), "the database is held", || {
            let (log, runs) = (process.log(), process.still_runs());
            async move {
                runs?;
                if log.contains("held") { Ok(()) } else { Err(anyhow!("it says {log:?}")) }
            }
        })
        .await?;
        Ok(Self { _process: process, _folder: folder })
    }
}

/// Runs SQL on a file and returns the rows: columns are separated by `|`.
pub async fn sqlite(file: &Path, sql: &str) -> Result<String> {
    let mut command = Command::new(program("sqlite3", &[])?);
    command.args(["-batch", "-bail", "-noheader", "-cmd", ".timeout 20000"]).arg(file).arg(sql);
    Ok(run(&format!("SQL {sql}"), &mut command).await?.trim_end().to_owned())
}
