//! What can go wrong between Hedgerow and an API server, told apart finely enough to act on.
//!
//! [`answer`] reads refusals (a Kubernetes `Status`, or what a proxy sends in its place), [`fault`] reads broken
//! connections. Both end in one [`Error`], which names the operation and carries a code of `model`.

mod answer;
mod fault;

pub(crate) use answer::{expect_json, refusal};
pub(crate) use fault::transport_fault;

use model::Code;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// Why a TLS connection could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TlsReason {
    /// No certificate authority that we trust issued the server's certificate.
    UnknownCa,
    /// The server shows a CA certificate as its own.
    CaAsServer,
    /// The server's certificate has expired.
    Expired,
    /// The server's certificate is not valid yet; often a wrong clock.
    NotYetValid,
    /// The server's certificate is for other names.
    WrongName,
    /// The server's certificate is damaged, revoked or for another purpose.
    BadCertificate,
    /// The server did not take our client certificate, or wants one.
    ClientCertificate,
    /// What answers does not speak TLS.
    NotTls,
    /// Both sides speak TLS, but no common version or method.
    Incompatible,
    /// Anything else.
    Other,
}

/// Which precondition did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Conflict {
    /// An object of that name exists already.
    AlreadyExists,
    /// The object was changed since it was read (resourceVersion).
    Changed,
    /// The object was deleted and made anew since it was read (uid).
    Recreated,
}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client could not be built on this machine.
    Config,
    /// The server's name has no address.
    Dns,
    /// No connection: refused, no route, or not within the connect limit.
    Unreachable,
    /// TLS failed.
    Tls(TlsReason),
    /// The connection stood, the answer did not come in time.
    Timeout,
    /// The connection broke before the answer was complete.
    ConnectionCut,
    /// 401: the credentials are not accepted.
    Unauthorized,
    /// 403 by the authorizer: the credentials may not do this.
    Forbidden,
    /// The object was refused: by a webhook, a policy, the schema, or before sending.
    Rejected,
    /// A webhook that must be asked could not be called.
    WebhookDown,
    /// 409.
    Conflict(Conflict),
    /// 404: no such object, namespace or kind.
    NotFound,
    /// 410: the list's position expired, also after starting again.
    Gone,
    /// 429, also after waiting as long as the limits permit.
    TooMany,
    /// 5xx of the API server or something before it.
    Server,
    /// Something answered, but not a Kubernetes API.
    Protocol,
    /// The answer exceeds the size limit.
    TooLarge,
}

impl ErrorKind {
    /// The stable code of this kind.
    pub const fn code(self) -> Code {
        match self {
            Self::Config => Code::ClusterConfigInvalid,
            Self::Dns | Self::Unreachable | Self::Tls(_) | Self::Protocol => Code::ConnectionFailed,
            Self::Timeout => Code::KubernetesTimeout,
            Self::Unauthorized => Code::KubernetesUnauthorized,
            Self::Forbidden => Code::KubernetesForbidden,
            Self::Rejected | Self::NotFound => Code::KubernetesRejected,
            Self::WebhookDown => Code::KubernetesWebhookDown,
            Self::Conflict(_) => Code::KubernetesConflict,
            Self::ConnectionCut | Self::Gone | Self::TooMany | Self::Server | Self::TooLarge => {
                Code::KubernetesUnavailable
            }
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Dns
                | Self::Unreachable
                | Self::Timeout
                | Self::ConnectionCut
                | Self::WebhookDown
                | Self::Gone
                | Self::TooMany
                | Self::Server
        )
    }
}

/// What is known of a failure; reached through [`Error`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The kind of failure.
    pub kind: ErrorKind,
    /// What was being done, e.g. `create VPC default/vpc-1`.
    pub operation: String,
    /// What happened: the server's words where it had any.
    pub message: String,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// The admission webhook that refused or could not be called.
    pub webhook: Option<String>,
    /// Fields that were refused, with the reason of each.
    pub causes: Vec<(String, String)>,
    /// Whether the call may have taken effect although it failed: it was a write, it was sent, and its answer was lost.
    pub outcome_unknown: bool,
}

/// A call that failed: its operation and the reason. Fields are those of [`Failure`].
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Failure>);

impl Error {
    pub(crate) fn new(kind: ErrorKind, operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            kind,
            operation: operation.into(),
            message: message.into(),
            status: None,
            retry_after: None,
            webhook: None,
            causes: Vec::new(),
            outcome_unknown: false,
        }))
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.kind.code()
    }

    /// Whether the same call may succeed later without anybody changing anything.
    pub fn is_transient(&self) -> bool {
        self.0.kind.is_transient()
    }

    /// Whether there was no answer at all: what is between here and the server failed, or the server is gone.
    pub fn is_unanswered(&self) -> bool {
        let of_the_way = matches!(
            self.0.kind,
            ErrorKind::Dns | ErrorKind::Unreachable | ErrorKind::Tls(_) | ErrorKind::Timeout | ErrorKind::ConnectionCut
        );
        of_the_way && self.0.status.is_none()
    }

    /// The same where every Kubernetes API has an answer: what has none there is another server, or another path of it.
    pub(crate) fn without_api(self) -> Self {
        if self.0.kind != ErrorKind::NotFound {
            return self;
        }
        self.with(|e| {
            e.kind = ErrorKind::Protocol;
            e.message = "No Kubernetes API answers at this address (404); check the address and its path.".to_owned();
        })
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Failure)) -> Self {
        change(&mut self.0);
        self
    }
}

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.operation, self.0.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
