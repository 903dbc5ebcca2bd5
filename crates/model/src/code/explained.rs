//! What there is to say about each code beyond one sentence: the page that the console serves for it and the page of
//! `docs/reference/codes` are written from here. A code without an explanation does not compile.

mod of_clusters;
mod of_logins;
mod of_operations;
mod of_requests;
mod of_sources;
mod of_tokens;

use super::Code;

/// What there is to say about a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explained {
    /// The failure in a few words: a heading.
    pub title: &'static str,
    /// What happened.
    pub happened: &'static str,
    /// Why it happens, the usual reason first.
    pub causes: &'static [&'static str],
    /// What the user sees, and what was done or left until then.
    pub seen: &'static str,
    /// What to do, in this order.
    pub steps: &'static [&'static str],
}

impl Code {
    /// What there is to say about it.
    pub const fn explained(self) -> Explained {
        match self {
            Code::ClientScriptError => of_requests::CLIENT_SCRIPT_ERROR,
            Code::TransportFailed => of_requests::TRANSPORT_FAILED,
            Code::SessionIdleExpired => of_requests::SESSION_IDLE_EXPIRED,
            Code::SessionAbsoluteExpired => of_requests::SESSION_ABSOLUTE_EXPIRED,
            Code::SessionRevoked => of_requests::SESSION_REVOKED,
            Code::CsrfFailed => of_requests::CSRF_FAILED,
            Code::AuthenticationRequired => of_requests::AUTHENTICATION_REQUIRED,
            Code::TokenInvalid => of_tokens::INVALID,
            Code::TokenExpired => of_tokens::EXPIRED,
            Code::TokenRevoked => of_tokens::REVOKED,
            Code::TokenAddressRefused => of_tokens::ADDRESS_REFUSED,
            Code::TokenReadOnly => of_tokens::READ_ONLY,
            Code::TokenNotPermittedHere => of_tokens::NOT_PERMITTED_HERE,
            Code::PermissionDenied => of_requests::PERMISSION_DENIED,
            Code::PasswordRequired => of_requests::PASSWORD_REQUIRED,
            Code::OpenidUnavailable => of_logins::OPENID_UNAVAILABLE,
            Code::OpenidRefused => of_logins::OPENID_REFUSED,
            Code::AccountRefused => of_logins::ACCOUNT_REFUSED,
            Code::InvalidInput => of_requests::INVALID_INPUT,
            Code::NotFound => of_requests::NOT_FOUND,
            Code::MethodNotAllowed => of_requests::METHOD_NOT_ALLOWED,
            Code::Throttled => of_requests::THROTTLED,
            Code::StoreUnavailable => of_requests::STORE_UNAVAILABLE,
            Code::Internal => of_requests::INTERNAL,
            Code::ConnectionFailed => of_clusters::CONNECTION_FAILED,
            Code::KubernetesUnauthorized => of_clusters::UNAUTHORIZED,
            Code::KubernetesForbidden => of_clusters::FORBIDDEN,
            Code::KubernetesUnavailable => of_clusters::UNAVAILABLE,
            Code::KubernetesTimeout => of_clusters::TIMEOUT,
            Code::KubernetesConflict => of_clusters::CONFLICT,
            Code::KubernetesRejected => of_clusters::REJECTED,
            Code::KubernetesWebhookDown => of_clusters::WEBHOOK_DOWN,
            Code::ClusterConfigInvalid => of_clusters::CONFIG_INVALID,
            Code::ClusterChanged => of_clusters::CHANGED,
            Code::NotConfigured => of_clusters::NOT_CONFIGURED,
            Code::SourceUnreachable => of_sources::UNREACHABLE,
            Code::SourceUnauthorized => of_sources::UNAUTHORIZED,
            Code::SourceNotFound => of_sources::NOT_FOUND,
            Code::SourceRefNotFound => of_sources::REF_NOT_FOUND,
            Code::SourceConfigInvalid => of_sources::CONFIG_INVALID,
            Code::SourceTimeout => of_sources::TIMEOUT,
            Code::SourceTooLarge => of_sources::TOO_LARGE,
            Code::SourceInvalid => of_sources::INVALID,
            Code::SourcePushRefused => of_sources::PUSH_REFUSED,
            Code::SourceMoved => of_sources::MOVED,
            Code::NotAdoptable => of_sources::NOT_ADOPTABLE,
            Code::AlreadyRunning => of_operations::ALREADY_RUNNING,
            Code::AlreadyEnded => of_operations::ALREADY_ENDED,
            Code::Interrupted => of_operations::INTERRUPTED,
            Code::SyncDisabled => of_operations::SYNC_DISABLED,
            Code::PreflightFailed => of_operations::PREFLIGHT_FAILED,
            Code::PruneNotAllowed => of_operations::PRUNE_NOT_ALLOWED,
            Code::PruneUnconfirmed => of_operations::PRUNE_UNCONFIRMED,
            Code::DeletionPending => of_operations::DELETION_PENDING,
            Code::AddressRemoval => of_operations::ADDRESS_REMOVAL,
            Code::ChangedSinceComparison => of_operations::CHANGED_SINCE_COMPARISON,
            Code::Partial => of_operations::PARTIAL,
            Code::NotVerified => of_operations::NOT_VERIFIED,
            Code::DeadlineExceeded => of_operations::DEADLINE_EXCEEDED,
            Code::Cancelled => of_operations::CANCELLED,
        }
    }

    /// Where the failure happens on the way from the click to the cluster, in words, if it is one of the nine points.
    pub const fn failure_point_in_words(self) -> Option<&'static str> {
        match self.failure_point() {
            Some(1) => Some("the page's script"),
            Some(2) => Some("the network between browser and console"),
            Some(3) => Some("the session"),
            Some(4) => Some("the proof that a form is one of this site"),
            Some(5) => Some("the login"),
            Some(6) => Some("the permission"),
            Some(7) => Some("the connection of the fabric"),
            Some(8) => Some("another operation"),
            Some(9) => Some("Kubernetes"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_in_sentences() {
        for code in Code::ALL {
            let explained = code.explained();
            assert!(!explained.title.is_empty() && !explained.title.ends_with('.'), "{code}: {}", explained.title);
            assert!(!explained.causes.is_empty() && !explained.steps.is_empty(), "{code}");
            let sentences = [&explained.happened, &explained.seen].into_iter();
            for text in sentences.chain(explained.causes).chain(explained.steps) {
                assert!(text.ends_with('.') && !text.contains('!'), "{code}: {text}");
            }
        }
        let mut titles: Vec<&str> = Code::ALL.iter().map(|code| code.explained().title).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), Code::ALL.len(), "each has a heading of its own");
    }

    #[test]
    fn every_failure_point_has_words() {
        for code in Code::ALL {
            assert_eq!(code.failure_point().is_some(), code.failure_point_in_words().is_some(), "{code}");
        }
    }
}
