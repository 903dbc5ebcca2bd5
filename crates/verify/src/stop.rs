//! Why a journey ends before its end. A journey returns one of these, and the run makes a verdict of it.

use crate::cause::Cause;
use crate::obstacle::Obstacle;
use crate::results::Finding;

/// Why a journey ends early.
#[derive(Debug, Clone)]
pub enum Stop {
    /// What it asserts does not hold.
    Fail(Box<Finding>),
    /// A precondition does not hold: nothing can be judged, in this journey or in any other.
    Invalid(Box<Finding>),
    /// It cannot be told; why, in a sentence.
    Inconclusive(String),
    /// It does not apply, or is not allowed; why, in a sentence.
    Skipped(String),
    /// The target is not what the profile describes; what is missing, in a sentence.
    Mismatch(String),
}

impl Stop {
    /// A failure of a cause.
    pub fn fail(cause: Cause, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self::Fail(Box::new(Finding::new(cause, expected, observed)))
    }

    /// A precondition that does not hold.
    pub fn invalid(cause: Cause, expected: impl Into<String>, observed: impl Into<String>) -> Self {
        Self::Invalid(Box::new(Finding::new(cause, expected, observed)))
    }
}

/// An obstacle that nobody has said anything else about: the step was one that a person takes, and could not be taken.
impl From<Obstacle> for Stop {
    fn from(obstacle: Obstacle) -> Self {
        let observed = obstacle.to_string();
        let expected = |what: &str| what.to_owned();
        match obstacle {
            Obstacle::NoAnswer { timed_out: true, .. } => {
                Self::fail(Cause::Unanswered, expected("an answer, in the time that a person would wait"), observed)
            }
            Obstacle::NoAnswer { .. } => Self::fail(Cause::Transport, expected("an answer from the target"), observed),
            Obstacle::Cookie { .. } => {
                Self::fail(Cause::CookieUnsafe, expected("a cookie that browsers take"), observed)
            }
            Obstacle::Missing(_) => {
                Self::fail(Cause::ControlMissing, expected("what a person would use, on the page"), observed)
            }
            Obstacle::Unusable(_) => {
                Self::fail(Cause::ControlDead, expected("something that a person can use"), observed)
            }
            Obstacle::Unreadable(_) => {
                Self::fail(Cause::BrokenPage, expected("an answer that is what it says"), observed)
            }
            Obstacle::Browser(text) => Self::Inconclusive(format!("The browser, not the target, failed: {text}")),
            Obstacle::Budget(text) | Obstacle::Input(text) => Self::Inconclusive(text),
        }
    }
}

/// How a journey, or a part of one, ends.
pub type Walked<T> = Result<T, Stop>;
