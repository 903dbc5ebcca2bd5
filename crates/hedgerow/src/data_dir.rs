//! The data folder: made with mode 0700, and used by one server at a time. The lock is the kernel's, on a file that
//! stays, so that a process which dies leaves no lock behind; the file's text is the holder's process id, for the
//! message only.

use anyhow::{Context as _, bail};
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Name of the lock file in the data folder.
const LOCK_FILE: &str = "hedgerow.lock";

/// Holds the data folder until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

/// Makes the folder if it is not there, and gives its absolute path.
pub(crate) fn open(path: &Path) -> anyhow::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).with_context(|| format!("cannot make the data folder {}", path.display()))?;
    let path = path.canonicalize().with_context(|| format!("cannot find the data folder {}", path.display()))?;
    let mode = path.metadata().with_context(|| format!("cannot look at {}", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(
            folder = %path.display(),
            mode = format!("{:o}", mode & 0o777),
            "others on this machine may look into the data folder; chmod 700 closes it"
        );
    }
    Ok(path)
}

/// Takes the folder for this process, or says who has it.
pub(crate) fn lock(folder: &Path) -> anyhow::Result<Lock> {
    let path = folder.join(LOCK_FILE);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path);
    let mut file = open.with_context(|| format!("cannot open the lock file {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder may be about to write its id; the message does without it then.
            let _ = file.read_to_string(&mut holder);
            let holder =
                holder.trim().parse::<u32>().map_or("another process".to_owned(), |id| format!("process {id}"));
            bail!(
                "the data folder {} is in use by {holder}; stop that server, or name another folder with --data",
                folder.display()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .with_context(|| format!("cannot write the lock file {}", path.display()))?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let folder = open(&parent.path().join("a/b")).unwrap();
        assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        let text = lock(folder.path()).unwrap_err().to_string();
        assert!(text.contains(&format!("in use by process {}", std::process::id())), "{text}");
        drop(first);
        lock(folder.path()).unwrap();
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("{:#}", open(&file.path().join("data")).unwrap_err());
        assert!(text.contains("cannot make the data folder"), "{text}");
    }
}
