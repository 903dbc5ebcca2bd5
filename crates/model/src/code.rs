//! The stable codes of everything that can go wrong, with the HTTP status, the failure point of
//! `docs/concepts/failure-points.md` and what the user should do next. Every page, answer, log line and database row
//! uses these words.

mod explained;

pub use explained::Explained;

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! codes {
    ($( $(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $point:expr, $retryable:literal, $next:literal; )*) => {
        /// A stable error code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code { $( $(#[$doc])* $variant, )* }

        impl Code {
            /// Every code, for reference pages and tests.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];
            /// The code as it is written everywhere.
            pub const fn as_str(self) -> &'static str { match self { $(Code::$variant => $text,)* } }
            /// The HTTP status of an answer that carries this code.
            pub const fn http_status(self) -> u16 { match self { $(Code::$variant => $status,)* } }
            /// Which of the nine failure points this is, if it is one.
            pub const fn failure_point(self) -> Option<u8> { match self { $(Code::$variant => $point,)* } }
            /// Whether the same request may succeed without anybody changing anything.
            pub const fn retryable(self) -> bool { match self { $(Code::$variant => $retryable,)* } }
            /// What the user should do next, one sentence.
            pub const fn what_to_do(self) -> &'static str { match self { $(Code::$variant => $next,)* } }
        }

        impl std::str::FromStr for Code {
            type Err = UnknownCode;
            fn from_str(s: &str) -> Result<Self, UnknownCode> {
                match s { $($text => Ok(Code::$variant),)* _ => Err(UnknownCode(s.to_owned())) }
            }
        }
    };
}

codes! {
    /// The page's script failed.
    ClientScriptError = "client_script_error", 400, Some(1), true, "Reload the page; every action also works without script.";
    /// The request or its answer was lost.
    TransportFailed = "transport_failed", 503, Some(2), true, "Check the network and press the button again; the same request never runs twice.";
    /// The session ended because nobody used it.
    SessionIdleExpired = "session_idle_expired", 401, Some(3), false, "Log in again; you come back to this page.";
    /// The session reached its absolute limit.
    SessionAbsoluteExpired = "session_absolute_expired", 401, Some(3), false, "Log in again; you come back to this page.";
    /// The session was ended by somebody.
    SessionRevoked = "session_revoked", 401, Some(3), false, "Log in again; you come back to this page.";
    /// The CSRF token is missing, stale or foreign.
    CsrfFailed = "csrf_failed", 403, Some(4), false, "Reload the page and press the button again.";
    /// Nobody is logged in.
    AuthenticationRequired = "authentication_required", 401, Some(5), false, "Log in; you come back to this page.";
    /// The API token is none, or nobody knows it.
    TokenInvalid = "token_invalid", 403, Some(5), false, "Check that the whole token was sent, or make a new one on your page API tokens.";
    /// The API token has come to its end.
    TokenExpired = "token_expired", 403, Some(5), false, "Make a new token on your page API tokens.";
    /// The API token was revoked, or its user was switched off.
    TokenRevoked = "token_revoked", 403, Some(5), false, "Ask who revoked it, or make a new token on your page API tokens.";
    /// The API token came from an address that it may not be used from.
    TokenAddressRefused = "token_address_refused", 403, Some(5), false, "Use it from an address that it is for, or make a token for this one.";
    /// The API token only reads.
    TokenReadOnly = "token_read_only", 403, Some(6), false, "Use a token that may write.";
    /// API tokens are not taken there.
    TokenNotPermittedHere = "token_not_permitted_here", 403, Some(6), false, "Log in with a browser to do this.";
    /// The permission is missing.
    PermissionDenied = "permission_denied", 403, Some(6), false, "Ask an administrator for the permission that is named.";
    /// The password has to be entered again, because it was entered long ago.
    PasswordRequired = "password_required", 403, None, false, "Enter your own password once more and send the form again; nothing of it is lost.";
    /// The provider of the login does not answer, or not as it should.
    OpenidUnavailable = "openid_unavailable", 503, None, true, "Try again when the provider answers, or log in with a password.";
    /// The provider of the login, or what it sent, lets nobody in.
    OpenidRefused = "openid_refused", 403, None, false, "Begin the login again from the login page.";
    /// Somebody was named from outside, and no account here may be used for that.
    AccountRefused = "account_refused", 403, None, false, "Ask an administrator for an account here.";
    /// The fabric's cluster does not answer as it should.
    ConnectionFailed = "connection_failed", 502, Some(7), true, "Test the connection; check the endpoint and the network between.";
    /// The same operation runs already.
    AlreadyRunning = "already_running", 202, Some(8), true, "Follow the running operation.";
    /// The process that ran the operation died.
    Interrupted = "interrupted", 503, Some(8), true, "Start it again; it begins by looking at the cluster.";
    /// The cluster refused the credentials.
    KubernetesUnauthorized = "kubernetes_unauthorized", 502, Some(9), false, "Enter a new token in Settings, then test the connection.";
    /// The cluster's RBAC forbids it.
    KubernetesForbidden = "kubernetes_forbidden", 502, Some(9), false, "Grant the verb that is named to the fabric's ServiceAccount.";
    /// The cluster broke off or answered with a server error.
    KubernetesUnavailable = "kubernetes_unavailable", 503, Some(9), true, "Wait until the API server answers, then sync again.";
    /// The cluster did not answer in time.
    KubernetesTimeout = "kubernetes_timeout", 504, Some(9), true, "Check the API server's load, then sync again.";
    /// The object was changed by somebody else meanwhile.
    KubernetesConflict = "kubernetes_conflict", 422, Some(9), true, "Look at the differences again, then sync.";
    /// The API server or a webhook refused the object.
    KubernetesRejected = "kubernetes_rejected", 422, Some(9), false, "Correct the object in its file, then sync again.";
    /// A webhook of the cluster could not be called.
    KubernetesWebhookDown = "kubernetes_webhook_down", 503, Some(9), true, "Check that Hedgehog's fabric controller runs, then sync again.";
    /// The operation had ended before somebody asked it to end.
    AlreadyEnded = "already_ended", 422, None, false, "Look at how it ended; there is nothing left to cancel.";
    /// The kubeconfig or the cluster's settings cannot be used.
    ClusterConfigInvalid = "cluster_config_invalid", 422, Some(7), false, "Correct the cluster's settings.";
    /// Another cluster answers than the one that the fabric remembers.
    ClusterChanged = "cluster_changed", 422, Some(7), false, "If the fabric really moved, confirm the new cluster in Settings by typing the fabric's name.";
    /// The fabric has no cluster.
    NotConfigured = "not_configured", 422, Some(7), false, "Enter the cluster in Settings.";
    /// Sync is switched off for the fabric.
    SyncDisabled = "sync_disabled", 422, None, false, "Switch sync on in Settings.";
    /// The source could not be reached.
    SourceUnreachable = "source_unreachable", 502, None, true, "Check the repository's address and the network between.";
    /// The source refused the credentials.
    SourceUnauthorized = "source_unauthorized", 502, None, false, "Enter new credentials for the repository in Settings.";
    /// The repository does not exist, or is hidden from these credentials.
    SourceNotFound = "source_not_found", 502, None, false, "Check the repository's address and what the credentials may see.";
    /// The branch or the path does not exist.
    SourceRefNotFound = "source_ref_not_found", 422, None, false, "Check branch and path in Settings.";
    /// The source is not allowed, or its address makes no sense.
    SourceConfigInvalid = "source_config_invalid", 422, None, false, "Correct the source in Settings.";
    /// Git did not answer in time.
    SourceTimeout = "source_timeout", 504, None, true, "Check the Git server, then fetch again.";
    /// The source is larger than the limits allow.
    SourceTooLarge = "source_too_large", 422, None, false, "Set the path to the folder that holds the manifests, or raise the limit.";
    /// The remote does not take the push.
    SourcePushRefused = "source_push_refused", 422, None, false, "Let the account of the source push, or merge the branch if one is named; then try again.";
    /// Others committed to the branch at the same time, more often than it was tried again.
    SourceMoved = "source_moved", 422, None, true, "Try again; somebody else commits to the branch at the same time.";
    /// The object is not one that people keep in Git.
    NotAdoptable = "not_adoptable", 422, None, false, "Leave it out of the choice; the reason stands beside it.";
    /// Manifests in the source have errors.
    SourceInvalid = "source_invalid", 422, None, false, "Correct the files that are named.";
    /// The pre-flight rules found errors; nothing was written.
    PreflightFailed = "preflight_failed", 422, None, false, "Correct the objects that are named; nothing was written.";
    /// The run asks for deletions, and the fabric's policy does not allow them.
    PruneNotAllowed = "prune_not_allowed", 422, None, false, "Allow deletions in the fabric's settings, or sync without them.";
    /// More would be deleted than the fabric lets go without somebody typing its name.
    PruneUnconfirmed = "prune_unconfirmed", 422, None, false, "Look at the list of what would be deleted; to go on, type the fabric's name.";
    /// A deletion of that name has not reached every switch yet.
    DeletionPending = "deletion_pending", 422, None, true, "Wait until the deletion is through, in the cluster and on the switches, then sync again.";
    /// The write would take addresses away from a live link, and nobody has confirmed that.
    AddressRemoval = "address_removal", 422, None, false, "Put the addresses into the file, or confirm on the operation's page that they go.";
    /// Something changed after the comparison that the page showed.
    ChangedSinceComparison = "changed_since_comparison", 422, None, true, "Look at the new differences, then sync again.";
    /// Some objects or kinds failed, others did not.
    Partial = "partial", 422, None, true, "Look at the objects that failed; the others are done.";
    /// Written, but the re-read found something else.
    NotVerified = "not_verified", 422, None, true, "Look at the differences: somebody else writes the same objects, or the server changes what is sent (a mutating webhook).";
    /// The operation's deadline passed.
    DeadlineExceeded = "deadline_exceeded", 504, None, true, "Check which phase took the time, then sync again or raise the deadline.";
    /// A person cancelled the operation.
    Cancelled = "cancelled", 422, None, true, "Start it again when you want it.";
    /// The input was wrong.
    InvalidInput = "invalid_input", 400, None, false, "Correct the field that is named.";
    /// There is no such thing, or it may not be seen.
    NotFound = "not_found", 404, None, false, "Check the address.";
    /// The method does not fit the address.
    MethodNotAllowed = "method_not_allowed", 405, None, false, "Use the page's own button.";
    /// Too many attempts.
    Throttled = "throttled", 429, None, true, "Wait for the time that is named.";
    /// The store did not answer.
    StoreUnavailable = "store_unavailable", 503, None, true, "Check the database and the disk, then try again.";
    /// A defect in Hedgerow.
    Internal = "internal_error", 500, None, true, "Report it with the request id.";
}

/// A text that is no code.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not an error code")]
pub struct UnknownCode(pub String);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
