//! One Git repository per fabric: fetch it, read the manifests at a commit without a work tree, and commit to it: to
//! Hedgerow's own at once, to a remote by a push.
//!
//! This is the only room that starts a program in production, and the program is always `git` (which starts `ssh`
//! where the address asks for it). The engine uses [`Repository`]; pages use [`Config::validate`],
//! [`Repository::blob`] and, through the engine, [`Glance`]. What a manifest means is `model::manifest`'s business, when
//! to fetch is the engine's.
//!
//! | file | holds |
//! |---|---|
//! | `config` | what an operator configures, and what is refused |
//! | `address` | which addresses are allowed, and which transport each one needs |
//! | `access` | credentials, handed to git by environment only |
//! | `git` | the program behind a typed call: environment, settings, bounds |
//! | `process` | a process group with a deadline |
//! | `error` | git's words to stable codes |
//! | `lock` | one writer per repository, across processes; what a killed writer left behind |
//! | `glance` | what a repository's files say without git, for pages |
//! | `repository` | open, head, log, blob |
//! | `copy` | a copy for a backup |
//! | `fetch` | fetch and check |
//! | `tree` | listing a commit's tree, reading blobs |
//! | `read` | manifests at a commit, and their cache |
//! | `layout` | which files count, and the tree of Hedgerow's predecessor |
//! | `commit` | writing a commit, and moving the local repository's branch to it |
//! | `push` | publishing a commit: to the local branch, or to the remote's |
//!
//! Everything is written below the one folder that [`Repository::open`] is given.

mod access;
mod address;
mod commit;
mod config;
mod copy;
mod error;
mod fetch;
mod git;
mod glance;
mod history;
mod layout;
mod lock;
mod process;
mod push;
mod read;
mod repository;
mod scratch;
mod tree;

pub use commit::{Author, Change};
pub use config::{Config, ConfigError, Credentials, Remote};
pub use copy::copy_repository;
pub use error::Error;
pub use git::require_git;
pub use glance::Glance;
pub use history::Commit;
pub use push::{Proposal, Published};
pub use read::Desired;
pub use repository::Repository;
