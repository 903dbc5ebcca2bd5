//! A notice: what happened, why, what to do; with its code and request id when it is about a failure.

use super::{Tone, markup};
use crate::icon::Icon;
use askama::Template;
use model::Code;

/// A notice on a page.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/notice.html")]
pub struct Notice {
    /// Its colour.
    pub tone: Tone,
    /// Its shape.
    pub icon: Icon,
    /// What happened.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to do.
    pub todo: String,
    /// The stable code.
    pub code: Option<String>,
    /// The request id.
    pub request_id: Option<String>,
    /// The page that shows more: its words and its address.
    pub link: Option<(String, String)>,
}

markup!(Notice);

impl Notice {
    /// A notice in a tone.
    pub fn new(tone: Tone, what: impl Into<String>, why: impl Into<String>, todo: impl Into<String>) -> Self {
        let icon = match tone {
            Tone::Good => Icon::Tick,
            Tone::Waiting => Icon::Warning,
            Tone::Changed => Icon::Pencil,
            Tone::Busy => Icon::Ring,
            Tone::Bad => Icon::Bang,
            Tone::Stale => Icon::Question,
            Tone::Off => Icon::Info,
        };
        Self {
            tone,
            icon,
            what: what.into(),
            why: why.into(),
            todo: todo.into(),
            code: None,
            request_id: None,
            link: None,
        }
    }

    /// A notice about a failure, with its code and what to do about it.
    /// Its first sentence says what happened, the others why.
    pub fn failure(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        let (what, why) = first_sentence(&message);
        let mut notice = Self::new(Tone::Bad, what, why, code.what_to_do());
        notice.code = Some(code.as_str().to_owned());
        notice
    }
}

/// Cuts a text after its first sentence: where a full stop is followed by a space and a capital letter or a digit.
fn first_sentence(text: &str) -> (&str, &str) {
    let ends = |(at, _): &(usize, &str)| {
        text[at + 2..].starts_with(|c: char| c.is_uppercase() || c.is_ascii_digit()) && !text[..*at].ends_with(' ')
    };
    match text.match_indices(". ").find(ends) {
        Some((at, _)) => (&text[..=at], &text[at + 2..]),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_sentence_is_what_happened() {
        for (text, what, why) in [
            (
                "Not connected: 10.0.0.1 refused it. Is it the right port?",
                "Not connected: 10.0.0.1 refused it.",
                "Is it the right port?",
            ),
            ("5 of 7 are live. 2 are not.", "5 of 7 are live.", "2 are not."),
            ("see e.g. the log", "see e.g. the log", ""),
            ("One.", "One.", ""),
            ("", "", ""),
        ] {
            assert_eq!(first_sentence(text), (what, why));
        }
    }
}
