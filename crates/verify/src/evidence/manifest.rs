//! The manifest of a run's folder: every file with its length and its SHA-256. The signature is over its bytes.

use super::{EvidenceError, MANIFEST, SIGNATURE, folder, report};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The number of the manifest's format.
pub const SCHEMA: u32 = 1;

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The number of the format, [`SCHEMA`].
    pub schema: u32,
    /// The run, or the self-test, that it belongs to.
    pub run: String,
    /// When the folder was sealed.
    pub created: Timestamp,
    /// The program that wrote the folder, with the sum of its forms: only the same one derives the same bytes again.
    pub made_by: String,
    /// Every file below the folder, except this one and its signature, in the order of their places.
    pub files: Vec<Sum>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sum {
    /// Its place below the folder, with `/` between.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    /// Of the folder as it is now.
    ///
    /// # Errors
    /// When a file cannot be read, or is none.
    pub fn of(run: &str, folder: &Path, now: Timestamp) -> Result<Self, EvidenceError> {
        let mut files = Vec::new();
        for entry in folder::entries(folder)? {
            if let Some(what) = entry.odd {
                return Err(EvidenceError::Odd { path: entry.path, what });
            }
            if entry.path != MANIFEST && entry.path != SIGNATURE {
                let (bytes, sha256) = folder::sum(&folder.join(&entry.path))?;
                files.push(Sum { path: entry.path, bytes, sha256 });
            }
        }
        Ok(Self { schema: SCHEMA, run: run.to_owned(), created: now, made_by: maker(), files })
    }
}

/// This program, as it stands in a manifest.
pub fn maker() -> String {
    format!("hedgerow verify {} (forms {})", env!("CARGO_PKG_VERSION"), report::forms())
}
