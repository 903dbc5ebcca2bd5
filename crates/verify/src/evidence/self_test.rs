//! What a self-test hands over: its result as data and as a table, beside the folders of its runs, sealed by one manifest.
//! The folders of the runs have manifests of their own, which are files like any other here.

use super::manifest::Manifest;
use super::sign::SigningKey;
use super::{EvidenceError, MANIFEST, SIGNATURE, folder, pretty};
use crate::selftest::SelfTest;
use jiff::Timestamp;
use std::path::Path;

/// The self-test as data.
pub const SELF_TEST: &str = "selftest.json";
/// The same as a table for people.
pub(super) const TABLE: &str = "selftest.txt";

/// Writes a self-test's result into its folder, where its runs are already, and seals it.
///
/// # Errors
/// When the folder is missing, was sealed before, holds a link, or a file cannot be written.
pub fn write_self_test(
    result: &SelfTest,
    folder: &Path,
    signing_key: Option<&SigningKey>,
) -> Result<(), EvidenceError> {
    folder::is_folder(folder)?;
    if folder::is_taken(folder, MANIFEST) || folder::is_taken(folder, SIGNATURE) {
        return Err(EvidenceError::Sealed(folder.to_owned()));
    }
    folder::close_to_others(folder)?;
    let bytes = pretty(result)?;
    folder::put(folder, SELF_TEST, &bytes)?;
    // As with a run: what is derived is derived from the file.
    folder::put(folder, TABLE, read(&bytes)?.to_text().as_bytes())?;
    let manifest = pretty(&Manifest::of(&result.id, folder, Timestamp::now())?)?;
    if let Some(key) = signing_key {
        folder::put(folder, SIGNATURE, key.sign(&manifest).as_bytes())?;
    }
    folder::put(folder, MANIFEST, &manifest)
}

/// Reads a result back.
pub(super) fn read(bytes: &[u8]) -> Result<SelfTest, serde_json::Error> {
    serde_json::from_slice(bytes)
}
