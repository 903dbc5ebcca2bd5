//! How reading a repository ends when it does not end well.

use crate::oracle::Reading;
use jiff::Timestamp;
use serde_json::json;
use std::time::Duration;

/// Why a repository was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// There is no git.
    #[error("{program} was not found on this machine, to clone {address}. Install git, or put it into PATH.")]
    Missing {
        /// What was to be started.
        program: String,
        /// The repository.
        address: String,
    },
    /// An address, branch or folder that is not used.
    #[error("{address} cannot be cloned: {why}.")]
    Address {
        /// The repository.
        address: String,
        /// What is wrong.
        why: String,
    },
    /// No or wrong credentials, or no right to read.
    #[error(
        "{address} refused to be cloned: {said}. Check the user and the token, or the SSH key and the known hosts."
    )]
    Refused {
        /// The repository.
        address: String,
        /// Git's words.
        said: String,
    },
    /// No repository there, or none that these credentials may know of.
    #[error("{address} is no repository that was found: {said}. Check the address.")]
    NotFound {
        /// The repository.
        address: String,
        /// Git's words.
        said: String,
    },
    /// No such branch.
    #[error("{address} has no branch {branch}. Check the branch.")]
    BranchMissing {
        /// The repository.
        address: String,
        /// The branch.
        branch: String,
    },
    /// No such folder at the newest commit.
    #[error("{address} has no folder {folder} on branch {branch} at {commit}. Check the folder.")]
    FolderMissing {
        /// The repository.
        address: String,
        /// The branch.
        branch: String,
        /// The folder.
        folder: String,
        /// The commit.
        commit: String,
    },
    /// The server was not reached.
    #[error("{address} was not reached: {said}. Check that this machine has a way to it.")]
    Unreachable {
        /// The repository.
        address: String,
        /// Git's words.
        said: String,
    },
    /// The server did not answer in time.
    #[error("{address} was not cloned within {within:?}. Check that the Git server is well.")]
    NoAnswer {
        /// The repository.
        address: String,
        /// How long was waited.
        within: Duration,
    },
    /// A document that is no manifest.
    #[error("{address} holds a broken document in {file}:{line}: {why}.")]
    Broken {
        /// The repository.
        address: String,
        /// The file, from the repository's root.
        file: String,
        /// The line.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// Anything else.
    #[error("{address} was not read: {said}.")]
    Failed {
        /// The repository.
        address: String,
        /// Git's words.
        said: String,
    },
}

impl GitError {
    /// The class in a word, for evidence.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "git_missing",
            Self::Address { .. } => "address",
            Self::Refused { .. } => "refused",
            Self::NotFound { .. } => "not_found",
            Self::BranchMissing { .. } => "branch_missing",
            Self::FolderMissing { .. } => "folder_missing",
            Self::Unreachable { .. } => "unreachable",
            Self::NoAnswer { .. } => "timeout",
            Self::Broken { .. } => "broken",
            Self::Failed { .. } => "failed",
        }
    }

    /// The failure as a reading.
    pub fn reading(&self, at: Timestamp) -> Reading {
        let (Self::Missing { address, .. }
        | Self::Address { address, .. }
        | Self::Refused { address, .. }
        | Self::NotFound { address, .. }
        | Self::BranchMissing { address, .. }
        | Self::FolderMissing { address, .. }
        | Self::Unreachable { address, .. }
        | Self::NoAnswer { address, .. }
        | Self::Broken { address, .. }
        | Self::Failed { address, .. }) = self;
        let found = json!({"error": self.class(), "says": self.to_string()});
        Reading { at, from: format!("git {address}"), asked: "clone a branch and read its manifests".to_owned(), found }
    }

    /// What git's words mean. They are English, because git is started so.
    pub(super) fn of_words(address: &str, branch: &str, stderr: &str) -> Self {
        let (address, said) = (address.to_owned(), last_words(stderr));
        let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
        if has(&["Remote branch"]) && has(&["not found in upstream"]) {
            return Self::BranchMissing { address, branch: branch.to_owned() };
        }
        if has(REFUSED) {
            return Self::Refused { address, said };
        }
        if has(UNREACHABLE) {
            return Self::Unreachable { address, said };
        }
        if has(NOT_FOUND) {
            return Self::NotFound { address, said };
        }
        Self::Failed { address, said }
    }
}

const REFUSED: &[&str] = &[
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "terminal prompts disabled",
    "returned error: 401",
    "returned error: 403",
    "Permission denied",
    "Host key verification failed",
    "Access denied",
    "HTTP Basic: ",
    "dubious ownership",
];

const UNREACHABLE: &[&str] = &[
    "Could not resolve",
    "Failed to connect",
    "Couldn't connect",
    "Connection refused",
    "Connection timed out",
    "Connection reset",
    "No route to host",
    "Network is unreachable",
    "Empty reply from server",
    "Operation timed out",
    "SSL certificate problem",
    "server certificate verification failed",
];

const NOT_FOUND: &[&str] =
    &["not found", "Not Found", "does not exist", "does not appear to be a git repository", "returned error: 404"];

/// What git says beside what happened.
const NOISE: &[&str] = &[
    "Cloning into",
    "warning:",
    "hint:",
    "Warning: Permanently added",
    "Please make sure you have the correct access rights",
    "and the repository exists",
    "@@@",
];

/// The last lines that say what happened: ssh's come before git's.
fn last_words(stderr: &str) -> String {
    let told = |line: &&str| !line.is_empty() && !NOISE.iter().any(|noise| line.starts_with(noise));
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(told).collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    let last: Vec<&str> = last.iter().map(|line| line.trim_end_matches('.')).collect();
    let said: String = last.join("; ").chars().take(400).collect();
    if said.is_empty() { "git said nothing".to_owned() } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_words_have_a_meaning() {
        let of = |stderr: &str| GitError::of_words("https://g/a.git", "main", stderr).class();
        assert_eq!(of("fatal: Authentication failed for 'https://g/a.git/'"), "refused");
        assert_eq!(of("fatal: could not read Username for 'https://g': terminal prompts disabled"), "refused");
        assert_eq!(
            of("git@g: Permission denied (publickey).\nfatal: Could not read from remote repository."),
            "refused"
        );
        assert_eq!(of("fatal: unable to access 'https://g/': Could not resolve host: g"), "unreachable");
        assert_eq!(of("fatal: unable to access 'https://g/': Failed to connect to g port 443"), "unreachable");
        assert_eq!(of("fatal: repository 'https://g/a.git/' not found"), "not_found");
        assert_eq!(of("warning: x\nfatal: Remote branch main not found in upstream origin"), "branch_missing");
        assert_eq!(of("fatal: out of memory"), "failed");
        assert_eq!(last_words("Cloning into 'x'...\nfatal: odd.\n"), "fatal: odd");
    }
}
