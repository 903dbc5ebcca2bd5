//! What a run hands over: its folder. `write` fills it and seals it with a manifest, `check` proves that nothing was
//! altered since, `compare` tells two runs apart. The command calls these; nothing here talks to a target.
//!
//! Everything beside `results.json` is derived from it and from the pictures in the folder, by the same bytes each time:
//! `check` derives it again and compares.

pub mod check;
pub mod compare;
mod console;
mod folder;
mod har;
mod hide;
mod junit;
pub mod manifest;
mod matter;
mod once;
mod pem;
pub mod report;
mod self_test;
pub mod sign;
mod words;

use crate::results::{Run, SCHEMA, schema};
use jiff::Timestamp;
use manifest::Manifest;
use sign::{KeyError, SigningKey};
use std::path::{Path, PathBuf};

pub use check::{Checked, Problem, check};
pub use compare::{Comparison, compare};
pub use self_test::{SELF_TEST, write_self_test};

/// The run as data.
pub const RESULTS: &str = "results.json";
/// The sums of everything else.
pub const MANIFEST: &str = "manifest.json";
/// The signature of the manifest.
pub const SIGNATURE: &str = "manifest.sig";
/// The report for people.
pub const REPORT: &str = "report.html";

/// Why a folder could not be written or checked.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It is not there, or is no folder.
    #[error("There is no folder {0}. Name the folder of a run.")]
    NoFolder(PathBuf),
    /// It was written before.
    #[error("{0} was sealed before, it holds a manifest: a run's folder is written once. Name another folder.")]
    Sealed(PathBuf),
    /// Something in it could not be read.
    #[error("Cannot read {path}: {source}.")]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it could not be written.
    #[error("Cannot write {path}: {source}.")]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is neither a file nor a folder.
    #[error("{path} in the run's folder is {what}. A run's folder holds files and folders only; take it away.")]
    Odd {
        /// Its place in the folder.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// The results are of another format.
    #[error(
        "The results are of schema {0}, this program writes and reads schema {SCHEMA}. Use the program that wrote them."
    )]
    Schema(u32),
    /// The results could not be put into JSON, or read back from it.
    #[error("Cannot put the results into JSON: {0}.")]
    Json(#[from] serde_json::Error),
    /// The JUnit file could not be made.
    #[error("Cannot make junit.xml: {0}.")]
    Junit(#[from] quick_junit::SerializeError),
    /// The report could not be made.
    #[error("Cannot make the report: {0}.")]
    Report(#[from] askama::Error),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Writes a run's evidence into its folder, where its screenshots are already, and seals it. Each file is written beside
/// its place and moved there; the manifest comes last, so that a folder without one is known to be unfinished.
///
/// # Errors
/// When the folder is missing, was sealed before, holds a link, or a file cannot be written.
pub fn write(run: &Run, folder: &Path, signing_key: Option<&SigningKey>) -> Result<(), EvidenceError> {
    if run.schema != SCHEMA {
        return Err(EvidenceError::Schema(run.schema));
    }
    folder::is_folder(folder)?;
    if folder::is_taken(folder, MANIFEST) || folder::is_taken(folder, SIGNATURE) {
        return Err(EvidenceError::Sealed(folder.to_owned()));
    }
    folder::sweep(folder)?;
    folder::close_to_others(folder)?;
    let mut run = run.clone();
    hide::secrets_of_headers(&mut run);
    once::bound(&mut run);
    let results = pretty(&run)?;
    // What is derived is derived from the file, not from memory: `check` has only the file.
    let run: Run = serde_json::from_slice(&results)?;
    folder::put(folder, RESULTS, &results)?;
    for (name, bytes) in derived(&run, folder)? {
        folder::put(folder, name, &bytes)?;
    }
    let manifest = pretty(&Manifest::of(&run.id, folder, Timestamp::now())?)?;
    if let Some(key) = signing_key {
        folder::put(folder, SIGNATURE, key.sign(&manifest).as_bytes())?;
    }
    folder::put(folder, MANIFEST, &manifest)
}

/// The published schema of `results.json`, as it stands in `docs/reference/verify-results.schema.json`.
pub fn schema_file() -> String {
    format!("{:#}\n", schema())
}

/// Every file that follows from the results, by its name in the folder.
fn derived(run: &Run, folder: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, EvidenceError> {
    Ok(vec![
        ("junit.xml", junit::file(run)?.into_bytes()),
        ("har.json", compact(&har::file(run))?),
        ("console.log", console::file(run).into_bytes()),
        ("readings.json", pretty(&run.readings)?),
        (REPORT, report::render(run, folder)?.into_bytes()),
    ])
}

/// For programs alone: a third of what it would be indented.
fn compact(value: &impl serde::Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn pretty(value: &impl serde::Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
