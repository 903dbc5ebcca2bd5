//! Why an operation, or a question to the engine, failed: a code and one sentence.

use model::Code;

/// The one error of the engine. Its message is shown to users; it names the operation and never holds a secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened and why, one or two sentences.
    pub message: String,
    /// The object it is about, if it is about one.
    pub object: Option<String>,
}

impl Error {
    /// An error with its code and its sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), object: None }
    }
}

impl From<store::Error> for Error {
    fn from(e: store::Error) -> Self {
        Self::new(e.code(), as_sentence(&e.to_string()))
    }
}

/// The store's words begin small and have no full stop, because they also stand within others.
fn as_sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    let stop = if words.ends_with('.') { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

impl From<cluster::Error> for Error {
    fn from(e: cluster::Error) -> Self {
        Self::new(e.code(), e.to_string())
    }
}

impl From<source::Error> for Error {
    fn from(e: source::Error) -> Self {
        Self::new(e.code, e.to_string())
    }
}
