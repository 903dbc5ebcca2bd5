//! How asking a cluster ends when it does not end well. Each class calls for something else from the user, and each
//! sentence names the address and what was asked.

use super::{KubeconfigError, Reading};
use jiff::Timestamp;
use serde_json::json;
use std::error::Error;
use std::time::Duration;

/// Why the cluster did not answer what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OracleError {
    /// The kubeconfig cannot be used.
    #[error(transparent)]
    Kubeconfig(#[from] KubeconfigError),
    /// No connection.
    #[error("{address} was not reached, asked to {asked}: {why}. Check that this machine has a way to the cluster.")]
    Unreachable {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// The connection's fault.
        why: String,
    },
    /// There is a server, and it is not the one that the kubeconfig trusts, or it does not take the client certificate.
    #[error(
        "{address} was not trusted, asked to {asked}: {why}. Check the kubeconfig's server and certificate authority."
    )]
    Tls {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// What the handshake failed on.
        why: String,
    },
    /// 401.
    #[error("{address} does not accept the kubeconfig's credentials (401), asked to {asked}. Renew them.")]
    Unauthorized {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
    },
    /// 403 by lack of rights; a webhook's refusal, which is 403 as well, is [`OracleError::Refused`].
    #[error(
        "{address} does not allow the kubeconfig's user to {asked} (403): {message}. Grant it, or use another context."
    )]
    Forbidden {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// The server's words.
        message: String,
    },
    /// 404.
    #[error("{address} has nothing of that name, asked to {asked} (404): {message}.")]
    NotFound {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// The server's words.
        message: String,
    },
    /// Connected or not, it did not answer in time.
    #[error("{address} did not answer within {within:?}, asked to {asked}. Check that the cluster is well.")]
    Timeout {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// How long was waited.
        within: Duration,
    },
    /// Any other status, and what a webhook refuses.
    #[error("{address} refused to {asked} ({status}): {message}.")]
    Refused {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// The HTTP status.
        status: u16,
        /// The server's words.
        message: String,
    },
    /// An answer that is none of the Kubernetes API.
    #[error("{address} gave an answer that cannot be read, asked to {asked}: {why}.")]
    Unreadable {
        /// The server.
        address: String,
        /// What was asked.
        asked: String,
        /// What is wrong with it.
        why: String,
    },
}

impl OracleError {
    /// The class in a word, for evidence.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Kubeconfig(_) => "kubeconfig",
            Self::Unreachable { .. } => "unreachable",
            Self::Tls { .. } => "tls",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound { .. } => "not_found",
            Self::Timeout { .. } => "timeout",
            Self::Refused { .. } => "refused",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// The failure as a reading: that nothing was read is evidence as well.
    pub fn reading(&self, at: Timestamp) -> Reading {
        let (address, asked) = match self {
            Self::Kubeconfig(_) => ("", "read the kubeconfig"),
            Self::Unreachable { address, asked, .. }
            | Self::Tls { address, asked, .. }
            | Self::Unauthorized { address, asked }
            | Self::Forbidden { address, asked, .. }
            | Self::NotFound { address, asked, .. }
            | Self::Timeout { address, asked, .. }
            | Self::Refused { address, asked, .. }
            | Self::Unreadable { address, asked, .. } => (address.as_str(), asked.as_str()),
        };
        let found = json!({"error": self.class(), "says": self.to_string()});
        Reading { at, from: format!("cluster {address}").trim_end().to_owned(), asked: asked.to_owned(), found }
    }

    /// What came of a request that brought no answer.
    pub(super) fn of_transport(address: &str, asked: &str, within: Duration, error: &reqwest::Error) -> Self {
        let (address, asked) = (address.to_owned(), asked.to_owned());
        if let Some(why) = tls_fault(error) {
            return Self::Tls { address, asked, why };
        }
        if error.is_timeout() {
            return Self::Timeout { address, asked, within };
        }
        let why = innermost(error);
        if error.is_decode() {
            Self::Unreadable { address, asked, why }
        } else {
            Self::Unreachable { address, asked, why }
        }
    }

    /// What a status other than success means.
    pub(super) fn of_status(address: &str, asked: &str, status: u16, message: String) -> Self {
        let (address, asked) = (address.to_owned(), asked.to_owned());
        let message = message.trim_end_matches('.').to_owned();
        match status {
            401 => Self::Unauthorized { address, asked },
            403 if !is_admission(&message) => Self::Forbidden { address, asked, message },
            404 => Self::NotFound { address, asked, message },
            _ => Self::Refused { address, asked, status, message },
        }
    }
}

/// Webhooks and admission policies answer 403 as well, to somebody who has every right.
fn is_admission(message: &str) -> bool {
    message.starts_with("admission webhook")
        || ["denied the request", "denied request", "exceeded quota"].iter().any(|words| message.contains(words))
}

/// The words of rustls, if it is what the connection failed on.
fn tls_fault(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(fault) = error.downcast_ref::<rustls::Error>() {
        return Some(in_words(fault));
    }
    // An I/O error hides what it was made of from `source`, and may be made of another.
    let inside = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inside.and_then(|inside| tls_fault(inside)).or_else(|| error.source().and_then(tls_fault))
}

fn in_words(fault: &rustls::Error) -> String {
    use rustls::{CertificateError, Error};
    match fault {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate was issued by an authority that the kubeconfig does not trust".to_owned()
        }
        Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        other => other.to_string(),
    }
}

/// The fault at the bottom; what stands above it repeats the address.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhooks_refusal_is_no_lack_of_rights() {
        let of = |message: &str| OracleError::of_status("https://c", "get VPC a", 403, message.to_owned()).class();
        assert_eq!(of("admission webhook \"vvpc.kb.io\" denied the request: failed to validate vpc"), "refused");
        assert_eq!(of("ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no"), "refused");
        assert_eq!(of("vpcs.vpc.githedgehog.com is forbidden: User \"u\" cannot list resource \"vpcs\""), "forbidden");
        assert_eq!(of("an HTML page of a proxy"), "forbidden");
    }

    #[test]
    fn each_class_names_the_address_and_the_question() {
        for (status, class) in [(401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (500, "refused")] {
            let error = OracleError::of_status("https://c:6443", "list vpcs", status, "words".to_owned());
            assert_eq!(error.class(), class);
            let sentence = error.to_string();
            assert!(sentence.contains("https://c:6443") && sentence.contains("list vpcs"), "{sentence}");
            let reading = error.reading(Timestamp::UNIX_EPOCH);
            assert_eq!((reading.from.as_str(), reading.asked.as_str()), ("cluster https://c:6443", "list vpcs"));
            assert_eq!(reading.found["error"], class);
        }
    }
}
