//! The independent oracle: reads what really happened from somewhere else than the console. The cluster by a REST client
//! of its own, the commit in a fresh clone that the user's `git` makes, the switches in what their agents report.
//!
//! Nothing here is shared with what is under test: neither `kube` nor the rooms `cluster`, `source` and `model`. An oracle
//! that asks in the same words as the console makes the same mistakes, and proves nothing.
//!
//! | file | holds |
//! |---|---|
//! | `kubeconfig` | which server, which trust, which credentials |
//! | `tls` | the TLS side of a kubeconfig |
//! | `cluster` | asking the API server: kinds, lists, objects, rights, dry runs |
//! | `error` | how asking ends when it does not end well |
//! | `snapshot` | a namespace at one moment, and what is different at another |
//! | `desired` | the manifests at a branch's newest commit |
//! | `holds` | whether a live object holds what is desired |
//! | `agents` | what runs on the switches |
//! | `database` | the facts that the target has stored |
//!
//! It reads, and writes only in [`ClusterOracle::merge_patch`], whose caller has the user's word for it.

pub mod agents;
mod cluster;
mod database;
mod desired;
mod error;
pub mod holds;
mod kubeconfig;
mod snapshot;
mod tls;

pub use cluster::{Allowed, ClusterOracle, FIELD_MANAGER, Kind, Version};
pub use database::{DatabaseError, DatabaseOracle};
pub use desired::{Desired, DesiredObject, GitError, GitOracle};
pub use error::OracleError;
pub use kubeconfig::{Kubeconfig, KubeconfigError};
pub use snapshot::{Changed, Differences, Key, Seen, Snapshot};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What the oracle read, as it goes into the evidence: never a secret, and never an Agent as it is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Reading {
    /// When the answer was there.
    pub at: Timestamp,
    /// Who answered: `cluster https://10.0.0.1:6443`, `git https://git.example.net/fabric.git`.
    pub from: String,
    /// What was asked, in words.
    pub asked: String,
    /// A summary of the answer.
    pub found: Value,
}

impl Reading {
    /// A reading of this moment.
    pub(crate) fn now(from: impl Into<String>, asked: impl Into<String>, found: Value) -> Self {
        Self { at: Timestamp::now(), from: from.into(), asked: asked.into(), found }
    }
}

/// An answer, and the reading that proves it.
#[derive(Debug, Clone)]
pub struct Read<T> {
    /// What was asked for.
    pub value: T,
    /// What goes into the evidence.
    pub reading: Reading,
}
