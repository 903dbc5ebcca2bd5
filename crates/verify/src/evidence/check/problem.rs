//! What can be wrong with a run's folder, one sentence each.

use serde::Serialize;

/// Something that is not as it was sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Problem {
    /// A file is not the one that was sealed.
    #[error("{path} was altered: the manifest has {was} ({was_bytes} bytes), the file has {is} ({is_bytes} bytes).")]
    Altered {
        /// The file.
        path: String,
        /// The sum in the manifest.
        was: String,
        /// The length in the manifest.
        was_bytes: u64,
        /// The sum of the file.
        is: String,
        /// The length of the file.
        is_bytes: u64,
    },
    /// A file is gone.
    #[error("{0} is missing: the manifest names it.")]
    Missing(String),
    /// A file came afterwards.
    #[error("{0} was added: the manifest does not name it.")]
    Added(String),
    /// Something is no file.
    #[error("{path} is {what}; it was not followed.")]
    Odd {
        /// What.
        path: String,
        /// What it is.
        what: String,
    },
    /// The manifest names a place outside, or one twice.
    #[error("The manifest names {0:?}, which is no place inside the folder, or stands there twice.")]
    Place(String),
    /// There is no manifest that can be read.
    #[error("The manifest cannot be used: {0}.")]
    Manifest(String),
    /// There are no results that can be read.
    #[error("results.json cannot be used: {0}.")]
    Results(String),
    /// The results are of another run than the manifest.
    #[error("results.json is of the run {results}, the manifest of {manifest}.")]
    OtherRun {
        /// The run in the manifest.
        manifest: String,
        /// The run in the results.
        results: String,
    },
    /// A file does not follow from the results.
    #[error("{0} does not follow from results.json: derived again it has other bytes.")]
    NotDerived(String),
    /// A key was given, and nothing is signed.
    #[error("There is no signature, and a public key was given. Whoever altered the folder may have taken it away.")]
    Unsigned,
    /// The signature is not by this key, or not over this manifest.
    #[error("The signature is not by this key over this manifest.")]
    Signature,
}
