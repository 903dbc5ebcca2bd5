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
            Self::NoAnswer { asked, why, .. } => write!(f, "{asked}: no answer: {why}{}", hint(asked, why)),
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

/// What is most likely meant where both sides speak, and not the same. The network's own words for it help nobody.
fn hint(asked: &str, why: &str) -> &'static str {
    let is_any = |words: &[&str]| words.iter().any(|word| why.contains(word));
    if asked.contains(" https://") && is_any(&["InvalidContentType", "ERR_SSL_PROTOCOL_ERROR", "SSL_ERROR_RX_RECORD"]) {
        return ". It does not speak TLS there; if it is meant to answer in plain HTTP, give its address with http://";
    }
    if asked.contains(" http://") && is_any(&["invalid HTTP version", "invalid HTTP status"]) {
        return ". It does not speak plain HTTP there; if it is meant to answer with TLS, give its address with https://";
    }
    ""
}

impl std::error::Error for Obstacle {}

/// The outcome of a step.
pub type Taken<T> = Result<T, Obstacle>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_scheme_is_named() {
        let no_answer = |asked: &str, why: &str| {
            Obstacle::NoAnswer { asked: asked.into(), why: why.into(), timed_out: false }.to_string()
        };
        let tls = "received corrupt message of type InvalidContentType";
        assert!(no_answer("GET https://h.example/login/", tls).ends_with("give its address with http://"));
        assert!(no_answer("GET http://h.example/", "invalid HTTP version parsed").ends_with("with https://"));
        let plain = "GET https://h.example/: no answer: connection refused";
        assert_eq!(no_answer("GET https://h.example/", "connection refused"), plain);
    }
}
