//! One writer per repository, across processes: a lock of the operating system on a file beside the repository. It
//! ends with the process that holds it, so nothing of it can be stale. A `git` that writes holds it too (as its
//! standard input), so that the child of a Hedgerow that was killed still counts.
//!
//! Such an orphan is not waited for: it may hang for half a minute, until it notices that its server is silent. A second
//! file is locked by Hedgerow alone; whoever has that one and not the first knows that no Hedgerow lives which the holder
//! belongs to, and ends it.
//!
//! Who holds it may remove what a killed git left: git's own lock files are plain files, and would block for ever.

use crate::error::Error;
use crate::process::Stdin;
use model::Code;
use rustix::process::{Pid, Signal, getpgid, getpgrp, kill_process, kill_process_group};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const POLL: Duration = Duration::from_millis(20);

/// The right to write to one repository.
#[derive(Debug)]
pub(crate) struct Lock {
    /// Shared with every git that writes.
    file: File,
    /// Hedgerow's own; given back after the other one, because fields are dropped in this order.
    _owner: File,
}

impl Lock {
    /// Waits for the lock, at most until the deadline. A git that a killed Hedgerow left behind is ended for it.
    pub(crate) async fn acquire(path: &Path, deadline: Instant) -> Result<Self, Error> {
        let disk = |e: &io::Error| Error::disk("Locking the repository", e);
        let open = |path: &Path| File::options().create(true).write(true).truncate(false).open(path);
        let owner = open(&path.with_extension("owner")).map_err(|e| disk(&e))?;
        let file = open(path).map_err(|e| disk(&e))?;
        let mut is_owner = false;
        loop {
            if !is_owner {
                is_owner = locked(&owner).map_err(|e| disk(&e))?;
            }
            if is_owner {
                if locked(&file).map_err(|e| disk(&e))? {
                    return Ok(Self { file, _owner: owner });
                }
                end_orphans(&file);
            }
            if Instant::now() >= deadline {
                let text = "Another run is using this repository and did not end in time.";
                return Err(Error::new(Code::SourceTimeout, text));
            }
            sleep(POLL).await;
        }
    }

    /// A standard input that keeps the lock as long as the child lives.
    pub(crate) fn held(&self) -> Result<Stdin, Error> {
        self.file.try_clone().map(Stdin::Held).map_err(|e| Error::disk("Locking the repository", &e))
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

/// Whether the file is locked now; `false` when somebody else has it.
fn locked(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Kills the processes whose standard input is this file, each with its group: a git and its helpers, which nobody waits
/// for any more. Where the system does not show processes in `/proc`, or hides those of another container, nothing
/// happens, and the orphan ends by itself.
fn end_orphans(file: &File) {
    let Ok(wanted) = file.metadata() else { return };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let id = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(id) = id else { continue };
        let holds = fs::metadata(process.path().join("fd/0"))
            .is_ok_and(|held| (held.dev(), held.ino()) == (wanted.dev(), wanted.ino()));
        if !holds {
            continue;
        }
        // An error means that it is gone already.
        let ended = match getpgid(Some(id)) {
            Ok(group) if group != getpgrp() => kill_process_group(group, Signal::KILL),
            _ => kill_process(id, Signal::KILL),
        };
        if ended.is_ok() {
            tracing::warn!(process = id.as_raw_nonzero(), "ended a git that a killed Hedgerow had left behind");
        }
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
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    fn soon(millis: u64) -> Instant {
        Instant::now() + Duration::from_millis(millis)
    }

    /// A child that holds the lock as a git does, in a group of its own with a helper.
    fn child_with(lock: &Lock) -> std::process::Child {
        let Stdin::Held(file) = lock.held().unwrap() else { panic!("a held file was promised") };
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 600 </dev/null & wait"]).stdin(Stdio::from(file)).process_group(0);
        command.spawn().unwrap()
    }

    #[tokio::test]
    async fn a_child_keeps_the_lock_while_its_parent_lives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let lock = Lock::acquire(&path, soon(0)).await.unwrap();
        let mut child = child_with(&lock);
        let error = Lock::acquire(&path, soon(100)).await.unwrap_err();
        assert_eq!(error.code, Code::SourceTimeout);
        assert!(child.try_wait().unwrap().is_none(), "nobody has ended it");
        // The parent is gone, and the child is nobody's: it is ended with its helper, not waited for.
        drop(lock);
        Lock::acquire(&path, soon(5_000)).await.unwrap();
        child.wait().unwrap();
        let group = Pid::from_child(&child);
        let started = Instant::now();
        while rustix::process::test_kill_process_group(group).is_ok() {
            assert!(started.elapsed() < Duration::from_secs(30), "the helper is still there");
            sleep(POLL).await;
        }
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
