//! Short-lived folders inside the repository's own folder: for an SSH key while git runs, for the throw-away
//! repository of a check. Removed when dropped; what a killed process left is removed at the next open.

use std::collections::HashSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

static LIVE: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A private folder that is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// A new folder, readable by this user only, below `root`.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = root.join(name);
        // Registered first: an open of the same repository in this process must never take it for a left-over.
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        let scratch = Self { path };
        // A process of the same id, long gone, may have left a folder of this name.
        match fs::remove_dir_all(&scratch.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&scratch.path)?;
        Ok(scratch)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a temporary folder of a source could not be removed");
        }
        LIVE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

/// Removes what earlier processes left below `root`; what living ones use stays.
pub(crate) fn sweep(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let path = entry?.path();
        if !in_use(&path) {
            match fs::remove_dir_all(&path) {
                Err(e) if e.kind() == io::ErrorKind::NotADirectory => fs::remove_file(&path)?,
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

fn in_use(path: &Path) -> bool {
    let owner = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.split('-').next()?.parse::<i32>().ok());
    let Some(owner) = owner else { return false };
    if u32::try_from(owner).is_ok_and(|pid| pid == std::process::id()) {
        return LIVE.lock().unwrap_or_else(PoisonError::into_inner).contains(path);
    }
    rustix::process::Pid::from_raw(owner).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
