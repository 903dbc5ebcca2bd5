//! A state as colour, icon and word: one table from every word of the model to the three.

use super::markup;
use crate::icon::Icon;
use askama::Template;
use model::compare::ObjectState;
use model::manifest::Severity;
use model::operation::{OperationState, OutcomeKind, PhaseState};
use std::fmt;

/// The colour of a state; the name of its class in the sheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tone {
    /// Green: verified.
    Good,
    /// Amber: to be delivered.
    Waiting,
    /// Violet: changed in the cluster.
    Changed,
    /// Blue: under way.
    Busy,
    /// Red: failed.
    Bad,
    /// Grey, hatched: unknown or stale.
    Stale,
    /// Grey: never, not configured, off.
    Off,
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Tone::Good => "good",
            Tone::Waiting => "waiting",
            Tone::Changed => "changed",
            Tone::Busy => "busy",
            Tone::Bad => "bad",
            Tone::Stale => "stale",
            Tone::Off => "off",
        })
    }
}

impl askama::filters::HtmlSafe for Tone {}

/// A state as colour, icon and word, on a ground of its colour.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(source = r#"<span class="badge tone-{{ tone }}">{{ icon }}<span>{{ word }}</span></span>"#, ext = "html")]
pub struct Badge {
    /// Its colour.
    pub tone: Tone,
    /// Its shape.
    pub icon: Icon,
    /// Its word.
    pub word: String,
}

/// The same without a ground, for tables.
#[derive(Debug, Template)]
#[template(source = r#"<span class="mark tone-{{ tone }}">{{ icon }}<span>{{ word }}</span></span>"#, ext = "html")]
pub struct Mark<'a> {
    tone: Tone,
    icon: Icon,
    word: &'a str,
}

markup!(Badge, Mark<'_>);

impl Badge {
    /// A badge of its three.
    pub fn new(tone: Tone, icon: Icon, word: impl Into<String>) -> Self {
        Self { tone, icon, word: word.into() }
    }

    /// Without a ground, for tables.
    pub fn as_mark(&self) -> Mark<'_> {
        Mark { tone: self.tone, icon: self.icon, word: &self.word }
    }
}

impl From<ObjectState> for Badge {
    fn from(state: ObjectState) -> Self {
        match state {
            ObjectState::Equal => Self::new(Tone::Good, Icon::Tick, "In sync"),
            ObjectState::Undelivered => Self::new(Tone::Waiting, Icon::Arrow, "Not delivered"),
            ObjectState::Modified => Self::new(Tone::Changed, Icon::Pencil, "Changed in cluster"),
            ObjectState::Missing => Self::new(Tone::Changed, Icon::Gone, "Missing in cluster"),
            ObjectState::Conflict => Self::new(Tone::Bad, Icon::Clash, "Changed on both sides"),
            ObjectState::Extra => Self::new(Tone::Off, Icon::Extra, "Only in cluster"),
            ObjectState::Unknown => Self::new(Tone::Stale, Icon::Question, "Unknown"),
        }
    }
}

impl From<OperationState> for Badge {
    fn from(state: OperationState) -> Self {
        match state {
            OperationState::Queued => Self::new(Tone::Off, Icon::Clock, "Queued"),
            OperationState::Running => Self::new(Tone::Busy, Icon::Ring, "Running"),
            OperationState::Succeeded => Self::new(Tone::Good, Icon::Tick, "Succeeded"),
            OperationState::Partial => Self::new(Tone::Bad, Icon::Half, "Partly done"),
            OperationState::Failed => Self::new(Tone::Bad, Icon::Bang, "Failed"),
            OperationState::Cancelled => Self::new(Tone::Off, Icon::Stopped, "Cancelled"),
            OperationState::TimedOut => Self::new(Tone::Bad, Icon::Clock, "Timed out"),
            OperationState::Interrupted => Self::new(Tone::Bad, Icon::Stopped, "Interrupted"),
        }
    }
}

impl From<PhaseState> for Badge {
    fn from(state: PhaseState) -> Self {
        match state {
            PhaseState::Waiting => Self::new(Tone::Off, Icon::Hollow, "waiting"),
            PhaseState::Running => Self::new(Tone::Busy, Icon::Ring, "running"),
            PhaseState::Done => Self::new(Tone::Good, Icon::Tick, "done"),
            PhaseState::Partial => Self::new(Tone::Bad, Icon::Half, "partly done"),
            PhaseState::Failed => Self::new(Tone::Bad, Icon::Bang, "failed"),
            PhaseState::Skipped => Self::new(Tone::Off, Icon::Stopped, "skipped"),
        }
    }
}

impl From<OutcomeKind> for Badge {
    fn from(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Created => Self::new(Tone::Good, Icon::Tick, "Created"),
            OutcomeKind::Updated => Self::new(Tone::Good, Icon::Tick, "Updated"),
            OutcomeKind::Unchanged => Self::new(Tone::Good, Icon::Tick, "Unchanged"),
            OutcomeKind::Refused => Self::new(Tone::Bad, Icon::Bang, "Refused"),
            OutcomeKind::ChangedMeanwhile => {
                Self::new(Tone::Changed, Icon::Clash, "Changed meanwhile, not overwritten")
            }
            OutcomeKind::NotVerified => Self::new(Tone::Bad, Icon::Question, "Not verified"),
            OutcomeKind::Failed => Self::new(Tone::Bad, Icon::Bang, "Failed"),
            OutcomeKind::Unknown => Self::new(Tone::Stale, Icon::Question, "Not known"),
            OutcomeKind::NotAttempted => Self::new(Tone::Off, Icon::Hollow, "Not attempted"),
            OutcomeKind::Pruned => Self::new(Tone::Good, Icon::Tick, "Deleted"),
            OutcomeKind::Adopted => Self::new(Tone::Good, Icon::Tick, "Adopted"),
            OutcomeKind::WaitingForReference => Self::new(Tone::Bad, Icon::Clock, "Waiting for a reference"),
            OutcomeKind::LeftOut => Self::new(Tone::Off, Icon::Hollow, "Left out on request"),
            OutcomeKind::Extra => Self::new(Tone::Off, Icon::Extra, "Only in cluster, left alone"),
        }
    }
}

impl From<Severity> for Badge {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::new(Tone::Bad, Icon::Bang, "Error"),
            Severity::Warning => Self::new(Tone::Waiting, Icon::Warning, "Warning"),
            Severity::Info => Self::new(Tone::Off, Icon::Info, "Note"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_good_states_is_green() {
        for state in ObjectState::ALL {
            assert_eq!(Badge::from(*state).tone == Tone::Good, *state == ObjectState::Equal, "{state}");
        }
        for state in OperationState::ALL {
            assert_eq!(Badge::from(*state).tone == Tone::Good, *state == OperationState::Succeeded, "{state}");
        }
        for kind in OutcomeKind::ALL {
            let good = kind.is_good() && !matches!(kind, OutcomeKind::Extra | OutcomeKind::LeftOut);
            assert_eq!(Badge::from(*kind).tone == Tone::Good, good, "{kind}");
        }
    }

    #[test]
    fn states_can_be_told_apart_without_colour() {
        let shapes: std::collections::HashSet<Icon> = ObjectState::ALL.iter().map(|s| Badge::from(*s).icon).collect();
        assert_eq!(shapes.len(), ObjectState::ALL.len());
    }

    #[test]
    fn words_are_escaped() {
        let badge = Badge::new(Tone::Bad, Icon::Bang, "<b>");
        assert!(!badge.to_string().contains("<b>"));
        assert!(!badge.as_mark().to_string().contains("<b>"));
    }
}
