//! Why a login by a provider did not come about. No token, code or secret is ever in here.

use model::Code;

/// Why not. The text is a sentence for the person who tries to log in; what an administrator needs beyond it is logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The provider does not answer, or not as a provider does.
    #[error("{0}")]
    Unavailable(String),
    /// The settings and the provider do not fit; waiting changes nothing.
    #[error("{0}")]
    Misconfigured(String),
    /// The provider, or what it sent, does not let anybody in.
    #[error("{0}")]
    Refused(String),
}

impl Error {
    pub(crate) fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }

    pub(crate) fn misconfigured(why: impl Into<String>) -> Self {
        Self::Misconfigured(why.into())
    }

    pub(crate) fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }

    /// The stable code.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unavailable(_) | Self::Misconfigured(_) => Code::OpenidUnavailable,
            Self::Refused(_) => Code::OpenidRefused,
        }
    }

    /// What to do about it, where it is something else than for any other of its code.
    pub const fn what_to_do(&self) -> Option<&'static str> {
        match self {
            Self::Misconfigured(_) => {
                Some("An administrator corrects the settings openid.*, or what is registered at the provider.")
            }
            Self::Unavailable(_) | Self::Refused(_) => None,
        }
    }

    /// What a provider says in place of a code, in our words. `word` comes from the address, so only what is known is
    /// repeated.
    pub fn of_answer(word: &str) -> Self {
        match word {
            "access_denied" => Self::refused("The login was cancelled, or the provider does not let you in here."),
            "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
                Self::refused("The provider did not ask you to log in, although that was needed.")
            }
            "server_error" | "temporarily_unavailable" => {
                Self::unavailable("The provider says that it cannot log anybody in at the moment.")
            }
            "unauthorized_client"
            | "invalid_client"
            | "invalid_request"
            | "invalid_scope"
            | "unsupported_response_type"
            | "invalid_redirect_uri" => Self::misconfigured(format!(
                "The provider does not accept Hedgerow's request ({word}). What is registered there and the settings \
                 openid.* do not fit."
            )),
            _ => Self::refused("The provider answered with an error that has no meaning here."),
        }
    }
}
