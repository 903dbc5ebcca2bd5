//! Why a step could not be taken. An obstacle is a fact about one step, not yet a verdict: the journey that meets it says
//! what it means.

use std::fmt;

/// What stood in the way of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// The target gave no answer, or half of one.
    NoAnswer {
        /// What was asked, as `GET https://...`.
        asked: String,
        /// What the network said.
        why: String,
        /// Whether it was waited for until the limit.
        timed_out: bool,
    },
    /// The target set a cookie that a browser refuses.
    Cookie {
        /// What was asked.
        asked: String,
        /// Why a browser refuses it.
        why: String,
    },
    /// The page has no such thing.
    Missing(String),
    /// It is there, and a person cannot use it.
    Unusable(String),
    /// The answer is not what it says that it is.
    Unreadable(String),
    /// The browser or its driver failed, not the target.
    Browser(String),
    /// The run has used up what it was allowed: requests or time.
    Budget(String),
    /// What was asked for cannot be asked: no address, no method.
    Input(String),
}

impl Obstacle {
    pub(crate) fn missing(text: impl fmt::Display) -> Self {
        Self::Missing(text.to_string())
    }

    pub(crate) fn unusable(text: impl fmt::Display) -> Self {
        Self::Unusable(text.to_string())
    }

    pub(crate) fn input(text: impl fmt::Display) -> Self {
        Self::Input(text.to_string())
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer { asked, why, .. } => write!(f, "{asked}: no answer: {why}"),
            Self::Cookie { asked, why } => write!(f, "{asked}: a browser refuses the cookie: {why}"),
            Self::Missing(text)
            | Self::Unusable(text)
            | Self::Unreadable(text)
            | Self::Browser(text)
            | Self::Budget(text)
            | Self::Input(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Obstacle {}

/// The outcome of a step.
pub type Taken<T> = Result<T, Obstacle>;
