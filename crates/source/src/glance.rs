//! What a repository's files say by themselves: which commit its branch is at, and whether it holds a commit. For pages:
//! they are made while every fabric is at work, and must not wait for a program to start, nor for a repository that
//! nobody has opened since the start.

use crate::config::{Config, ConfigError};
use crate::history::is_id;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Where the branches of remotes are kept.
pub(crate) const REMOTES: &str = "refs/hedgerow/source/";
/// How a pack's index begins: its magic number, and the one version that git has written since 2007.
const PACK_INDEX: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];
/// How often files are looked for anew that git replaced meanwhile by others.
const LOOKS: usize = 3;

/// A branch of a repository, seen without git.
#[derive(Debug, Clone)]
pub struct Glance {
    repository: PathBuf,
    reference: String,
}

impl Glance {
    /// The branch of the repository in `dir`, which may not have been made yet. What the settings hold of credentials is
    /// not needed.
    ///
    /// # Errors
    /// When the address of the remote is none.
    pub fn of(dir: &Path, config: &Config) -> Result<Self, ConfigError> {
        let reference = match config.address()? {
            Some(address) => format!("{REMOTES}{}", fingerprint(&address.url, &config.branch)),
            None => format!("refs/heads/{}", config.branch),
        };
        Ok(Self { repository: dir.join("repository.git"), reference })
    }

    /// The reference that holds the branch's commit.
    pub(crate) fn reference(&self) -> &str {
        &self.reference
    }

    /// The id of the commit that the branch had when it was last fetched or committed to. `None` before the first fetch.
    pub fn head(&self) -> Option<String> {
        let id = |text: &str| Some(text.trim_end().to_owned()).filter(|id| is_id(id));
        if let Ok(text) = fs::read_to_string(self.repository.join(&self.reference)) {
            return id(&text);
        }
        // Our git never packs references (`gc.packRefs`); somebody else may have.
        let packed = fs::read_to_string(self.repository.join("packed-refs")).ok()?;
        let lines = packed.lines().filter_map(|line| line.split_once(' '));
        lines.filter(|(_, name)| *name == self.reference).find_map(|(text, _)| id(text))
    }

    /// Whether the repository holds an object, on whichever branch. What cannot be read counts as not there.
    pub fn holds(&self, id: &str) -> bool {
        let Some(name) = bytes_of(id) else { return false };
        let objects = self.repository.join("objects");
        for _ in 0..LOOKS {
            if objects.join(&id[..2]).join(&id[2..]).exists() {
                return true;
            }
            if let Some(found) = in_packs(&objects.join("pack"), &name) {
                return found;
            }
        }
        false
    }
}

/// The bytes of an object's id.
fn bytes_of(id: &str) -> Option<Vec<u8>> {
    let pairs = is_id(id).then(|| id.as_bytes().chunks_exact(2))?;
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whether one of the packs in a folder holds an object. `None` when git put several packs together while this looked.
fn in_packs(folder: &Path, name: &[u8]) -> Option<bool> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for path in entries.filter(|path| path.extension().is_some_and(|extension| extension == "idx")) {
        match File::open(path).and_then(|index| in_index(&index, name)) {
            Ok(true) => return Some(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
            // One that cannot be read holds nothing; the others may.
            Ok(false) | Err(_) => {}
        }
    }
    Some(false)
}

/// Whether a pack's index lists an object: after the eight bytes of its head it tells for each first byte how many names
/// begin with that or a smaller one, and then holds the names in order.
fn in_index(index: &File, name: &[u8]) -> io::Result<bool> {
    let number = |at: u64| -> io::Result<u64> {
        let mut bytes = [0; 4];
        index.read_exact_at(&mut bytes, at)?;
        Ok(u32::from_be_bytes(bytes).into())
    };
    let mut head = [0; 8];
    index.read_exact_at(&mut head, 0)?;
    if head != PACK_INDEX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a pack's index of another version"));
    }
    let first = u64::from(name[0]);
    let (mut low, mut high) = (if first == 0 { 0 } else { number(4 + 4 * first)? }, number(8 + 4 * first)?);
    let mut found = vec![0; name.len()];
    while low < high {
        let middle = low + (high - low) / 2;
        index.read_exact_at(&mut found, 8 + 256 * 4 + middle * name.len() as u64)?;
        match found.as_slice().cmp(name) {
            std::cmp::Ordering::Equal => return Ok(true),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(false)
}

/// A short name for an address and a branch.
fn fingerprint(url: &str, branch: &str) -> String {
    let digest = Sha256::digest(format!("{url}\n{branch}"));
    digest.iter().take(12).fold(String::new(), |mut hex, byte| {
        use std::fmt::Write;
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
