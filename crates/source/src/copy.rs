//! A copy of a fabric's repository for a backup, while others use it. Who writes holds the lock, so under the lock the
//! files are of one moment: no half-written pack, no reference without its objects.

use crate::error::Error;
use crate::lock::Lock;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// What is copied of a repository's folder; the rest is made anew.
const PARTS: [&str; 2] = ["repository.git", "known_hosts"];

/// Copies the repository in `dir` into the new folder `to`. `false` when there is none yet.
///
/// # Errors
/// When a fetch or a commit did not end within `patience`, or the disk fails.
pub async fn copy_repository(dir: &Path, to: &Path, patience: Duration) -> Result<bool, Error> {
    if !dir.join(PARTS[0]).join("HEAD").is_file() {
        return Ok(false);
    }
    let lock = Lock::acquire(&dir.join("lock"), Instant::now() + patience).await?;
    let (from, to) = (dir.to_owned(), to.to_owned());
    let copying = tokio::task::spawn_blocking(move || {
        let _lock = lock;
        fs::create_dir_all(&to)?;
        PARTS.iter().map(|part| (from.join(part), to.join(part))).try_for_each(|(from, to)| copy(&from, &to))
    });
    let copied = copying.await.unwrap_or_else(|e| Err(io::Error::other(e)));
    copied.map_err(|e| Error::disk("Copying the repository", &e))?;
    Ok(true)
}

/// Copies a file, or a folder with everything in it. What is neither is left: git makes no links in a bare repository.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let kind = match fs::symlink_metadata(from) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?.file_type(),
    };
    if kind.is_file() {
        return fs::copy(from, to).map(drop);
    }
    if kind.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
