//! The phases of an operation as lines, what is tried again in one, and how much time the operation has left.

use crate::icon::Icon;
use crate::pages::operations::took;
use crate::parts::{Badge, Tone};
use crate::when::{Span, When, length};
use jiff::Timestamp;
use model::operation::{OperationState, PhaseProgress, PhaseState, Retry};
use store::Operation;

/// A phase as a line.
pub fn phase_line(phase: &PhaseProgress, now: Timestamp) -> PhaseLine {
    let look = Badge::from(phase.state);
    let took = phase.started_at.zip(phase.ended_at).map(|(began, ended)| length(ended.duration_since(began)));
    let runs = phase.started_at.filter(|_| phase.state == PhaseState::Running);
    PhaseLine {
        phase: phase.phase.to_string(),
        state: phase.state.to_string(),
        tone: look.tone,
        icon: look.icon,
        title: phase.phase.title().to_owned(),
        word: look.word,
        done: phase.done,
        total: phase.total,
        count: if phase.total > 0 { format!("{} of {}", phase.done, phase.total) } else { String::new() },
        detail: phase.detail.clone(),
        retry: phase.retry.as_ref().map(|retry| retry_line(retry, now)),
        retries: match (phase.retries, &phase.retry) {
            (0, _) | (_, Some(_)) => String::new(),
            (1, None) => "1 retry".to_owned(),
            (n, None) => format!("{n} retries"),
        },
        runs: runs.map(|began| Span::Since(When::new(began, now))),
        took: took.unwrap_or_default(),
    }
}

/// What failed in a way that passes, and when it is tried again.
fn retry_line(retry: &Retry, now: Timestamp) -> RetryLine {
    let Retry { what, why, code, attempt, of, at } = retry;
    let why = why.trim_end_matches('.');
    RetryLine {
        pause: (*at > now).then(|| Span::Until(When::new(*at, now))),
        words: format!("(try {attempt} of {of}): {what}. The last try failed: {why} ({code})."),
    }
}

/// How much time it has left; `None` when none is running out.
pub fn left(operation: &Operation, now: Timestamp) -> Option<Span> {
    let at = operation.deadline_at.filter(|at| operation.state == OperationState::Running && *at > now)?;
    Some(Span::Until(When::new(at, now)))
}

/// The same in words, of an operation of which no time is running out.
pub fn time_words(operation: &Operation, now: Timestamp) -> String {
    match (operation.state, operation.deadline_at) {
        (OperationState::Running, Some(_)) => "its time is up".to_owned(),
        (OperationState::Queued, _) => {
            format!("has {} once it begins", length(operation.time_limit.try_into().unwrap_or_default()))
        }
        _ => {
            let took = took(operation, now);
            if took.is_empty() { String::new() } else { format!("took {took}") }
        }
    }
}

/// One phase.
pub struct PhaseLine {
    pub phase: String,
    pub state: String,
    pub tone: Tone,
    pub icon: Icon,
    pub title: String,
    pub word: String,
    pub done: u64,
    pub total: u64,
    pub count: String,
    pub detail: String,
    /// What is about to be tried again.
    pub retry: Option<RetryLine>,
    /// How often something was, when that is over.
    pub retries: String,
    /// How long it has run, while it does.
    pub runs: Option<Span>,
    pub took: String,
}

/// What failed in a way that passes.
pub struct RetryLine {
    /// How long until it is tried again; `None` when it is being tried.
    pub pause: Option<Span>,
    /// Which try it is, of what, and why.
    pub words: String,
}
