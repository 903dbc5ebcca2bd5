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
    pub fn failure(code: Code, message: impl Into<String>) -> Self {
        let mut notice = Self::new(Tone::Bad, message, "", code.what_to_do());
        notice.code = Some(code.as_str().to_owned());
        notice
    }
}
