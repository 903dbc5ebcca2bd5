//! The files of a run's folder: written whole or not at all, readable for their owner only, listed and summed without
//! following a link. Knows nothing of what they say.

use super::EvidenceError;
use sha2::{Digest, Sha256};
use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Something below a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Its place below the folder, with `/` between.
    pub path: String,
    /// What it is, when it is no file.
    pub odd: Option<&'static str>,
}

/// How the names of files begin that are not whole yet.
const UNFINISHED: &str = ".writing-";

/// Whether it can be written into at all.
pub fn is_folder(folder: &Path) -> Result<(), EvidenceError> {
    if folder.is_dir() { Ok(()) } else { Err(EvidenceError::NoFolder(folder.to_owned())) }
}

/// Whether a name is taken in a folder, be it by a link that leads nowhere.
pub fn is_taken(folder: &Path, name: &str) -> bool {
    fs::symlink_metadata(folder.join(name)).is_ok()
}

/// Writes a file whole: beside its place, onto the disk, then moved there.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), EvidenceError> {
    let path = folder.join(name);
    let write = || -> io::Result<()> {
        let mut beside = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        beside.write_all(bytes)?;
        beside.as_file().set_permissions(Permissions::from_mode(0o600))?;
        beside.as_file().sync_all()?;
        beside.persist(&path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| EvidenceError::Write { path: path.clone(), source })
}

/// Takes away what a writer left that was killed.
pub fn sweep(folder: &Path) -> Result<(), EvidenceError> {
    for entry in entries(folder)? {
        if entry.path.starts_with(UNFINISHED) && entry.odd.is_none() {
            let path = folder.join(&entry.path);
            fs::remove_file(&path).map_err(|source| EvidenceError::Write { path, source })?;
        }
    }
    Ok(())
}

/// Takes everything that is there already from the eyes of others. A link is refused: what it leads to is not ours.
pub fn close_to_others(folder: &Path) -> Result<(), EvidenceError> {
    let close = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(|source| EvidenceError::Write { path: path.to_owned(), source })
    };
    close(folder, 0o700)?;
    let (entries, folders) = walk(folder)?;
    for inner in folders {
        close(&inner, 0o700)?;
    }
    for entry in entries {
        match entry.odd {
            Some(what) => return Err(EvidenceError::Odd { path: entry.path, what }),
            None => close(&folder.join(&entry.path), 0o600)?,
        }
    }
    Ok(())
}

/// Everything below a folder that is not a folder, in the order of its place. Links are not followed.
pub fn entries(folder: &Path) -> Result<Vec<Entry>, EvidenceError> {
    Ok(walk(folder)?.0)
}

fn walk(folder: &Path) -> Result<(Vec<Entry>, Vec<PathBuf>), EvidenceError> {
    let (mut found, mut folders, mut open) = (Vec::new(), Vec::new(), vec![folder.to_owned()]);
    while let Some(inner) = open.pop() {
        let failed = |source| EvidenceError::Read { path: inner.clone(), source };
        for entry in fs::read_dir(&inner).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path.clone());
                open.push(path);
                continue;
            }
            let below = path.strip_prefix(folder).unwrap_or(&path);
            let odd = match below.to_str() {
                _ if kind.is_symlink() => Some("a symbolic link"),
                _ if !kind.is_file() => Some("no ordinary file"),
                None => Some("named by bytes that are no text"),
                Some(_) => None,
            };
            found.push(Entry { path: below.to_string_lossy().into_owned(), odd });
        }
    }
    found.sort();
    Ok((found, folders))
}

/// The length of a file, and its SHA-256 in hexadecimal digits.
pub fn sum(path: &Path) -> Result<(u64, String), EvidenceError> {
    let failed = |source| EvidenceError::Read { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(failed)?;
    let (mut digest, mut length, mut chunk) = (Sha256::new(), 0, vec![0; 1 << 16]);
    loop {
        match file.read(&mut chunk).map_err(failed)? {
            0 => return Ok((length, hex(&digest.finalize()))),
            read => {
                digest.update(&chunk[..read]);
                length += read as u64;
            }
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file's bytes, if it is an ordinary file in this folder, reached without a link, and not longer than that.
pub fn read_bounded(folder: &Path, name: &str, most: u64) -> Result<Vec<u8>, String> {
    if !is_inside(name) {
        return Err("its place is not inside the folder".to_owned());
    }
    let mut path = folder.to_owned();
    for part in name.split('/') {
        path.push(part);
        match fs::symlink_metadata(&path) {
            Ok(about) if about.is_symlink() => return Err("it is reached over a symbolic link".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    let about = fs::symlink_metadata(&path).map_err(|error| error.to_string())?;
    if !about.is_file() {
        return Err("it is no file".to_owned());
    }
    if about.len() > most {
        return Err(format!("it has {} bytes, more than {most}", about.len()));
    }
    fs::read(&path).map_err(|error| error.to_string())
}

/// Whether a place named in a file stays inside the folder.
pub fn is_inside(path: &str) -> bool {
    let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(is_plain) && !path.contains(['\\', '\0', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_stay_inside() {
        for good in ["results.json", "steps/0001.png", "a/b/c..d"] {
            assert!(is_inside(good), "{good}");
        }
        for bad in ["", "/etc/passwd", "../x", "steps/../../x", "steps//x", "./x", "c:\\x", "https://h.example/x", "a/"]
        {
            assert!(!is_inside(bad), "{bad}");
        }
    }
}
