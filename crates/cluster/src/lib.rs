//! One Kubernetes API: connect, discover, list, watch, get, create, replace, delete, access review, connection test.
//!
//! The only room that knows kube and HTTP to a cluster. It reports what happened in the words of [`model::Code`]; it
//! decides nothing: what to write, in which order and what a refusal means for a sync is the engine's business.
//!
//! ```no_run
//! # async fn doc(kubeconfig: secrecy::SecretString) -> Result<(), Box<dyn std::error::Error>> {
//! use cluster::{Access, Cluster, Credentials, Limits};
//!
//! let access = Access::new(&Credentials::Kubeconfig(kubeconfig), true)?;
//! let cluster = Cluster::connect(&access, Limits::default())?;
//! let kinds = cluster.discover().await?;
//! if let Some(vpc) = kinds.find("vpc.githedgehog.com", "VPC") {
//!     let listed = cluster.list(vpc, "default", &|_, _| ()).await?;
//!     assert!(listed.objects.iter().all(|o| o["kind"] == "VPC"));
//! }
//! # Ok(())
//! # }
//! ```

pub mod access;
mod account;
mod address;
mod allow;
mod call;
mod column;
mod connection;
mod discover;
mod error;
mod gate;
mod identity;
mod kinds;
mod list;
mod object;
mod received;
mod review;
mod transport;
mod watch;

pub use access::{Access, ConfigError, Credentials, check_client_certificate};
pub use account::service_account_manifest;
pub use connection::{FoundKind, Missing, Outcome, TestReport, no_namespace};
pub use discover::Forms;
pub use error::{Conflict, Error, ErrorKind, Failure, TlsReason};
pub use identity::{Identity, ServerVersion};
pub use kinds::{Column, KindInfo, Kinds, Problem, ProblemKind};
pub use list::{Listed, ListedAsReceived, SoFar};
pub use object::Written;
pub use received::Received;
pub use review::{Review, Verb};
pub use watch::{Watch, WatchEvent, WatchLimits};

use gate::Gate;
use jiff::Timestamp;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait for a cluster, and how much to ask of it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for name resolution, TCP and TLS together.
    pub connect: Duration,
    /// Time for one call, from sending it to the last byte of its answer, pauses for 429 included.
    pub request: Duration,
    /// Calls that may be under way at once. Creates at 16 at once take four fifths of the time that they take at 8; more
    /// gains nothing, because the server's disk is what they wait for then.
    pub concurrency: usize,
    /// Objects in one page of a list.
    pub page: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30), concurrency: 16, page: 500 }
    }
}

/// A client of one Kubernetes API. Cloning is cheap; clones share connections, limits and pauses.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    client: kube::Client,
    server: String,
    verifies_tls: bool,
    credentials_expire: Option<Timestamp>,
    limits: Limits,
    gate: Gate,
}

impl Cluster {
    /// Builds the client. Nothing is sent yet; the connection is opened by the first call.
    ///
    /// Must be called inside a tokio runtime, because the client keeps a task of its own there.
    pub fn connect(access: &Access, limits: Limits) -> Result<Cluster, Error> {
        let client = transport::client(access, limits).map_err(|message| {
            Error::new(ErrorKind::Config, format!("prepare the connection to {}", access.server()), message)
        })?;
        let gate = Gate::new(limits.concurrency);
        let inner = Inner {
            client,
            server: access.server().to_owned(),
            verifies_tls: access.verifies_tls(),
            credentials_expire: access.credentials_expire(),
            limits,
            gate,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The address of the API server.
    pub fn server(&self) -> &str {
        &self.inner.server
    }

    /// The limits this client keeps to.
    pub fn limits(&self) -> Limits {
        self.inner.limits
    }

    /// How long the server still wants to be left alone (429): every call waits that long. `None` when it does not.
    pub fn pause_left(&self) -> Option<std::time::Duration> {
        self.inner.gate.left()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("server", &self.inner.server).field("limits", &self.inner.limits).finish()
    }
}
