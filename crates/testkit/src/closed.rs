//! What a program must leave alone: a folder that is closed for writing and can be looked at before and after, and a
//! user of nobody's, to whom the whole machine is read-only.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result};

use crate::machine::{is_root, random};
use crate::process::Folder;

/// A number that no user of this machine has, to run a program as. Only root can do that: for others it is `None`, and
/// what keeps a program out is the modes of files alone.
pub fn nobodys_number() -> Option<u32> {
    is_root().then(|| 1_000_000 + u32::try_from(random() % 1_000_000).unwrap_or_default())
}

/// A folder with files in it in which nothing can be made, changed or renamed. Dropped, it is gone.
pub struct ClosedFolder {
    folder: Folder,
}

/// An entry of a folder as it stands: its path, mode, time of change, and the bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    mode: u32,
    owner: u32,
    changed: Option<SystemTime>,
    bytes: Vec<u8>,
}

impl ClosedFolder {
    /// Writes these files, by path and text, and closes the folder.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Result<Self> {
        let closed = Self { folder: Folder::new(name)? };
        for (path, text) in files {
            let path = closed.folder.join(path);
            fs::create_dir_all(path.parent().context("a file without folder")?)?;
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        }
        closed.set_modes(0o555, 0o444)?;
        Ok(closed)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Everything in it, itself included.
    pub fn entries(&self) -> Result<Vec<Entry>> {
        let mut paths = Vec::new();
        walk(self.path(), &mut paths)?;
        paths.sort();
        let entry = |path: PathBuf| {
            let about = fs::symlink_metadata(&path)?;
            let bytes = if about.is_file() { fs::read(&path)? } else { Vec::new() };
            let (mode, owner, changed) = (about.mode(), about.uid(), about.modified().ok());
            Ok(Entry { path, mode, owner, changed, bytes })
        };
        paths.into_iter().map(entry).collect()
    }

    fn set_modes(&self, folders: u32, files: u32) -> Result<()> {
        let mut paths = Vec::new();
        walk(self.path(), &mut paths)?;
        for path in paths {
            let mode = if path.is_dir() { folders } else { files };
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }
}

impl Drop for ClosedFolder {
    fn drop(&mut self) {
        // A folder that is closed cannot be emptied either.
        let _ = self.set_modes(0o700, 0o600);
    }
}

/// A folder and everything below it.
fn walk(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    found.push(path.to_path_buf());
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("read {}", path.display()))? {
            walk(&entry?.path(), found)?;
        }
    }
    Ok(())
}

/// What is below these folders and belongs to the user of this number, but for what is below `own`. What cannot be
/// looked at, because it is another's or gone meanwhile, is passed over.
pub fn belongings(user: u32, folders: &[&str], own: &Path) -> Vec<PathBuf> {
    fn look(user: u32, path: &Path, device: Option<u64>, own: &Path, found: &mut Vec<PathBuf>) {
        let Ok(about) = fs::symlink_metadata(path) else { return };
        // What is mounted there is another place.
        if path.starts_with(own) || device.is_some_and(|device| device != about.dev()) {
            return;
        }
        if about.uid() == user {
            found.push(path.to_path_buf());
        }
        if about.is_dir() {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.for_each(|entry| look(user, &entry.path(), Some(about.dev()), own, found));
        }
    }
    let mut found = Vec::new();
    folders.iter().for_each(|folder| look(user, Path::new(folder), None, own, &mut found));
    found
}

/// Makes a data folder that the user can write to, and a copy of the program that the user can read, wherever the
/// workspace is. Gives the copy.
pub(crate) fn prepare(folder: &Folder, program: &Path, data: &Path, user: u32) -> Result<PathBuf> {
    let copy = folder.join("hedgerow");
    fs::copy(program, &copy).context("copy the program")?;
    fs::set_permissions(&copy, Permissions::from_mode(0o755))?;
    fs::set_permissions(folder.path(), Permissions::from_mode(0o711))?;
    fs::create_dir_all(data).context("make the data folder")?;
    fs::set_permissions(data, Permissions::from_mode(0o700))?;
    chown(data, Some(user), Some(user)).context("give the data folder to the user")?;
    Ok(copy)
}

/// The program as that user, with no right of another's.
pub(crate) fn as_user(user: u32, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    let user = user.to_string();
    command.args(["--reuid", &user, "--regid", &user, "--clear-groups", "--no-new-privs", "--"]).arg(program);
    command
}
