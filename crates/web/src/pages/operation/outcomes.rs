//! The objects of an operation as rows: what became of each, why, and what is known besides; of a run that did not reach
//! its end also where each stands now.

use super::BAD;
use crate::icon::Icon;
use crate::pages::object::FieldRow;
use crate::parts::{Badge, Choice, Tone, derive::switch_badge};
use crate::url;
use crate::view::View;
use crate::when::When;
use model::ObjectKey;
use model::compare::{FieldDiff, ObjectState};
use model::operation::{ObjectOutcome, OperationState, OutcomeKind, Phase};
use model::rollout::{AgentKind, SwitchRollout, SwitchState};
use std::collections::HashMap;
use store::Operation;
use store::operations::OutcomeCount;

/// Whether an operation only asked what would happen.
pub fn is_dry(operation: &Operation) -> bool {
    operation.verb.writes() && !operation.writes
}

/// An outcome in the words of a page; of a dry run in words that promise nothing.
pub fn badge(kind: OutcomeKind, is_dry: bool) -> Badge {
    let badge = Badge::from(kind);
    let would = |word: &str| Badge::new(Tone::Waiting, Icon::Arrow, word);
    match (is_dry, kind) {
        (true, OutcomeKind::Created) => would("Would be created"),
        (true, OutcomeKind::Updated) => would("Would be updated"),
        (true, OutcomeKind::Pruned) => would("Would be deleted"),
        (true, OutcomeKind::Unchanged) => Badge { word: "Would stay as it is".to_owned(), ..badge },
        (true, OutcomeKind::Refused) => Badge { word: "Would be refused".to_owned(), ..badge },
        (true, OutcomeKind::NotAttempted) => Badge { word: "Would not be tried".to_owned(), ..badge },
        (true, OutcomeKind::WaitingForReference) => {
            Badge::new(Tone::Waiting, Icon::Clock, "Would wait for a reference")
        }
        _ => badge,
    }
}

/// The same while the operation runs: what is not done is in hand, or waits.
fn badge_in(operation: &Operation, kind: OutcomeKind) -> Badge {
    let badge = badge(kind, is_dry(operation));
    match kind {
        OutcomeKind::NotAttempted if !operation.state.is_final() => {
            Badge::new(Tone::Off, Icon::Clock, "Not done so far")
        }
        _ => badge,
    }
}

/// Whether the states of now say more than the outcomes: the run did not get to its own end.
pub fn shows_now(operation: &Operation) -> bool {
    !is_dry(operation)
        && matches!(
            operation.state,
            OperationState::Interrupted
                | OperationState::Failed
                | OperationState::Partial
                | OperationState::TimedOut
                | OperationState::Cancelled
        )
        && operation.verb.writes()
}

/// One row.
pub fn row(
    view: &View,
    operation: &Operation,
    outcome: &ObjectOutcome,
    now: Option<&HashMap<ObjectKey, ObjectState>>,
) -> OutcomeRow {
    let dry = is_dry(operation);
    let verified = match (outcome.verified, outcome.outcome) {
        (true, OutcomeKind::Pruned) => Badge::new(Tone::Good, Icon::Tick, "read back, gone"),
        (true, _) => Badge::new(Tone::Good, Icon::Tick, "read back, equal"),
        (false, OutcomeKind::Extra) => Badge::new(Tone::Off, Icon::Hollow, "left alone"),
        (false, _) => Badge::new(Tone::Off, Icon::Hollow, "not read back"),
    };
    let detail = &outcome.detail;
    let mut lines: Vec<String> = Vec::new();
    lines.extend(detail.webhook.as_ref().map(|webhook| format!("refused by the webhook {webhook}")));
    lines.extend(detail.waiting_for.as_ref().map(|what| format!("waits for {what}")));
    let verb = if dry { "would overwrite" } else { "overwrote" };
    lines.extend(outcome.overwrote.iter().map(|line| format!("{verb} {line}")));
    lines.extend(detail.left_fields.iter().map(|path| format!("left as it is in the cluster: {path}")));
    lines.extend(detail.warnings.iter().map(|warning| format!("warning: {warning}")));
    if outcome.attempts > 1 {
        lines.push(format!("{} tries", outcome.attempts));
    }
    if !detail.switches.is_empty() {
        lines.push(format!("concerns {}", detail.switches.join(", ")));
    }
    OutcomeRow {
        key: outcome.key.to_string(),
        href: url::object(operation.fabric_id, &outcome.key),
        name: outcome.key.name.clone(),
        kind: outcome.key.kind.clone(),
        outcome: match outcome.code {
            None => badge_in(operation, outcome.outcome),
            Some(_) => badge(outcome.outcome, dry),
        },
        message: outcome.message.clone(),
        code: outcome.code.map(|code| code.as_str().to_owned()),
        lines,
        fields: detail.fields.iter().map(|diff| field(view, diff)).collect(),
        now: now.map(|states| match states.get(&outcome.key) {
            Some(state) => Badge::from(*state),
            None => Badge::new(Tone::Off, Icon::Gone, "Nowhere any more"),
        }),
        verified,
    }
}

fn field(view: &View, diff: &FieldDiff) -> FieldRow {
    let by = diff.manager.as_ref().map(|manager| format!("by {manager}")).unwrap_or_default();
    FieldRow { by, ..FieldRow::of(view, diff) }
}

/// Links that choose one outcome; failures first, as in the list.
pub fn choices(path: &str, counts: &[OutcomeCount], wanted: Option<OutcomeKind>, operation: &Operation) -> Vec<Choice> {
    let total: u64 = counts.iter().map(|count| count.objects).sum();
    if counts.len() < 2 && wanted.is_none() {
        return Vec::new();
    }
    let mut choices =
        vec![Choice { value: path.to_owned(), label: format!("All {total}"), selected: wanted.is_none() }];
    let mut counts: Vec<&OutcomeCount> = counts.iter().collect();
    counts.sort_by_key(|count| BAD.iter().position(|bad| *bad == count.outcome).unwrap_or(BAD.len()));
    choices.extend(counts.into_iter().map(|count| Choice {
        value: url::with_query(path, &[("outcome", count.outcome.as_str())]),
        label: format!("{} {}", badge_in(operation, count.outcome).word, count.objects),
        selected: wanted == Some(count.outcome),
    }));
    choices
}

/// How many objects there are, and how many of them became what.
pub fn summary(counts: &[OutcomeCount], operation: &Operation) -> String {
    let sum = |is_meant: &dyn Fn(OutcomeKind) -> bool| -> u64 {
        counts.iter().filter(|count| is_meant(count.outcome)).map(|count| count.objects).sum()
    };
    let (total, failed) = (sum(&|_| true), sum(&|kind| BAD.contains(&kind)));
    let verified: u64 = counts.iter().map(|count| count.verified).sum();
    if is_dry(operation) {
        let waiting = sum(&|kind| kind == OutcomeKind::WaitingForReference);
        let parts = [(failed - waiting, "would not be done"), (waiting, "would wait for others")];
        let parts: Vec<String> =
            parts.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!("{n} {words}")).collect();
        return match (total, parts.is_empty()) {
            (0, _) => String::new(),
            (total, true) => format!("{total}, nothing was written"),
            (total, false) => format!("{total}: {}; nothing was written", parts.join(", ")),
        };
    }
    let of = |wanted: OutcomeKind| sum(&|kind| kind == wanted);
    let (unknown, unverified) = (of(OutcomeKind::Unknown), of(OutcomeKind::NotVerified));
    match (total, failed) {
        (0, _) => String::new(),
        (total, 0) if verified == total => format!("{total}, read back and as desired"),
        (total, 0) => format!("{total}, {verified} of them read back and as desired"),
        (total, open) if !operation.state.is_final() => {
            format!("{total}: {open} not done so far, {verified} read back and as desired")
        }
        // Of what was not read back nobody can say that it is not as desired.
        (total, failed) => {
            let parts = [
                (failed - unknown - unverified, "not as desired"),
                (unverified, "not verified"),
                (unknown, "not known"),
            ];
            let parts = parts.iter().filter(|(n, _)| *n > 0);
            let parts: Vec<String> = parts.map(|(n, words)| format!("{n} {words}")).collect();
            format!("{total}: {}, {verified} read back and as desired", parts.join(", "))
        }
    }
}

/// What stands in place of the list where it is empty.
pub fn outcomes_empty(operation: &Operation, total: u64) -> String {
    match operation.state {
        _ if total > 0 => "This list has fewer pages.",
        OperationState::Queued | OperationState::Running => "Outcomes stand here as objects are done.",
        _ if !operation.verb.writes() => "This verb writes nothing, so no object has an outcome.",
        _ => "The operation ended before it came to any object.",
    }
    .to_owned()
}

/// The switches that the run follows, worst first, as the phase kept them.
pub fn switches(view: &View, operation: &Operation) -> Vec<SwitchLine> {
    let phase = operation.phases.iter().find(|phase| phase.phase == Phase::Rollout);
    let line = |switch: &SwitchRollout| SwitchLine {
        name: switch.agent.clone(),
        is_gateway: switch.kind == AgentKind::GatewayAgent,
        state: switch_badge(switch.state),
        generations: match (switch.applied_gen, switch.generation) {
            (Some(applied), Some(generation)) => format!("{applied} / {generation}"),
            (None, Some(generation)) => format!("– / {generation}"),
            (_, None) => "–".to_owned(),
        },
        heartbeat: switch.heartbeat.map(|at| view.when(at)),
    };
    phase.map(|phase| phase.switches.iter().map(line).collect()).unwrap_or_default()
}

/// How many of them run it.
pub fn switches_words(operation: &Operation) -> String {
    let Some(phase) = operation.phases.iter().find(|phase| phase.phase == Phase::Rollout) else { return String::new() };
    let shown = phase.switches.len() as u64;
    let applied = phase.switches.iter().filter(|switch| switch.state == SwitchState::Applied).count() as u64;
    match phase.total {
        0 => String::new(),
        total if total > shown => format!("{} of {total} have applied it; the worst {shown} stand here", phase.done),
        total => format!("{} of {total} have applied it", phase.done.max(applied)),
    }
}

/// What became of one object.
pub struct OutcomeRow {
    pub key: String,
    pub href: String,
    pub name: String,
    pub kind: String,
    pub outcome: Badge,
    pub message: String,
    pub code: Option<String>,
    /// What else is known, one line each.
    pub lines: Vec<String>,
    /// The fields that it is about.
    pub fields: Vec<FieldRow>,
    /// Where it stands by the newest comparison, when that is shown.
    pub now: Option<Badge>,
    pub verified: Badge,
}

/// One switch or gateway.
pub struct SwitchLine {
    pub name: String,
    pub is_gateway: bool,
    pub state: Badge,
    pub generations: String,
    pub heartbeat: Option<When>,
}
