//! Backups: one file, a tar archive that holds a manifest, the database as it was at one moment, and the Git
//! repositories of its fabrics. `hedgerow backup` writes one while the server runs, `hedgerow restore` makes a data
//! folder of one.
//!
//! The manifest comes first and names every file with its size and SHA-256, and a hash of the manifest itself follows
//! it, so that a file that was cut or damaged anywhere is refused before anything is put in place. The key that opens the
//! stored credentials is not in it unless asked for: whoever has both can read them.

mod moved;
mod read;
mod write;

pub(crate) use moved::settle_moved;
pub(crate) use read::{list, restore};
pub(crate) use write::write;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// The form of the archive; another one is refused.
const FORMAT: u32 = 1;
/// Names in the archive.
const MANIFEST: &str = "manifest.json";
const SEAL: &str = "manifest.sha256";
const DATABASE: &str = "hedgerow.db";
const SOURCES: &str = "sources";
/// The largest manifest that is read: a hundred thousand files.
const LARGEST_MANIFEST: u64 = 32 << 20;

/// What is in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The form of the archive.
    pub(crate) format: u32,
    /// The release that wrote it.
    pub(crate) version: String,
    /// The version of the database's schema.
    pub(crate) schema: i64,
    /// When it was made.
    pub(crate) created_at: jiff::Timestamp,
    /// Whether the key that opens the stored credentials is in it.
    pub(crate) with_key: bool,
    /// The fabrics.
    pub(crate) fabrics: Vec<FabricEntry>,
    /// Every file that follows, in this order.
    pub(crate) files: Vec<FileEntry>,
}

/// A fabric in a backup.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FabricEntry {
    /// Its number.
    pub(crate) id: i64,
    /// Its name.
    pub(crate) name: String,
    /// Whether its repository is in the backup; one that was never used has none.
    pub(crate) repository: bool,
}

/// A file in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Its place below the data folder, with slashes.
    pub(crate) path: String,
    /// Bytes.
    pub(crate) size: u64,
    /// SHA-256 in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Bytes in hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Copies everything and gives size and hash of what passed.
fn copy_hashed(mut from: impl Read, mut to: impl Write) -> io::Result<(u64, String)> {
    let (mut hash, mut size, mut buffer) = (Sha256::new(), 0_u64, vec![0; 1 << 16]);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
        size += read as u64;
    }
}
