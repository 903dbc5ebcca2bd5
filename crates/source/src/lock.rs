//! One writer per repository, across processes: a lock of the operating system on a file beside the repository. It
//! ends with the process that holds it, so nothing of it can be stale. A `git` that writes holds it too (as its
//! standard input), so that the child of a Hedgerow that was killed still counts. Such an orphan ends by itself, within
//! half a minute when its server is silent (`http.lowSpeedTime`, ssh's `ServerAliveInterval`).
//!
//! Who holds it may remove what a killed git left: git's own lock files are plain files, and would block for ever.

use crate::error::Error;
use crate::process::Stdin;
use model::Code;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(20);

/// The right to write to one repository.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// Waits for the lock, at most until the deadline.
    pub(crate) async fn acquire(path: &Path, deadline: Instant) -> Result<Self, Error> {
        let disk = |e: &io::Error| Error::disk("Locking the repository", e);
        let file = File::options().create(true).write(true).truncate(false).open(path).map_err(|e| disk(&e))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(e)) => return Err(disk(&e)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let text = "Another run is using this repository and did not end in time.";
                    return Err(Error::new(Code::SourceTimeout, text));
                }
                Err(TryLockError::WouldBlock) => sleep(POLL).await,
            }
        }
    }

    /// A standard input that keeps the lock as long as the child lives.
    pub(crate) fn held(&self) -> Result<Stdin, Error> {
        self.0.try_clone().map(Stdin::Held).map_err(|e| Error::disk("Locking the repository", &e))
    }

    /// Removes what a killed git left behind in a bare repository: lock files and half-written packs.
    pub(crate) fn tidy(&self, repository: &Path) -> io::Result<()> {
        let lock = |name: &str| name.ends_with(".lock");
        remove(repository, &|name| lock(name) || name.starts_with("fast_import_crash_"))?;
        remove(&repository.join("objects"), &|name| lock(name) || name.starts_with("tmp_"))?;
        remove(&repository.join("objects/pack"), &|name| {
            lock(name) || name.starts_with("tmp_") || name.starts_with(".tmp-")
        })?;
        remove(&repository.join("objects/info"), &lock)?;
        locks_below(&repository.join("refs"))?;
        locks_below(&repository.join("logs"))
    }
}

fn remove(folder: &Path, stale: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(stale) {
            tracing::warn!(file = %entry.file_name().to_string_lossy(), "removing what a killed git left behind");
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Ok(())
}

fn locks_below(folder: &Path) -> io::Result<()> {
    remove(folder, &|name| name.ends_with(".lock"))?;
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            locks_below(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn soon(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    #[tokio::test]
    async fn a_child_keeps_the_lock_after_its_parent_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::acquire(&path, soon(0)).await.unwrap();
        let Stdin::Held(file) = lock.held().unwrap() else { panic!("a held file was promised") };
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().unwrap();
        drop(lock);
        let error = Lock::acquire(&path, soon(100)).await.unwrap_err();
        assert_eq!(error.code, Code::SourceTimeout);
        child.kill().unwrap();
        child.wait().unwrap();
        Lock::acquire(&path, soon(5_000)).await.unwrap();
    }

    #[tokio::test]
    async fn whoever_waits_gets_the_lock_when_it_is_free() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let first = Lock::acquire(&path, soon(0)).await.unwrap();
        let waiting = tokio::spawn({
            let path = path.clone();
            async move { Lock::acquire(&path, soon(10_000)).await.map(drop) }
        });
        drop(first);
        waiting.await.unwrap().unwrap();
    }
}
