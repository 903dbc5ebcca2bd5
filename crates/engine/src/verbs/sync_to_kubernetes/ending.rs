//! What a sync came to: one true sentence, its code, and the numbers that pages and scripts read.

use super::Known;
use crate::Error;
use crate::findings::errors_in_words;
use crate::run::{Finished, Run};
use model::Code;
use model::operation::{ObjectOutcome, OutcomeKind};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many warnings and unread kinds an operation keeps; their number is exact.
const KEPT: usize = 200;

/// The outcomes of a run, counted.
struct Counted {
    outcomes: Vec<ObjectOutcome>,
    by_kind: BTreeMap<&'static str, usize>,
    /// Objects of the source that the run is about.
    wanted: usize,
    /// Of these, those that are proved to be live as desired.
    live: usize,
    /// Of these, those that are not done.
    bad: usize,
    /// Of those, the ones whose write was accepted and which could not be read back.
    unproved: usize,
    /// Of those, the ones that could not be read, and were not written.
    unread: usize,
    /// Of those, the ones that may have been written: no clear answer came, and they could not be read back.
    unknown: usize,
    /// Objects that were to be deleted.
    going: usize,
    /// Of these, those whose deletion was accepted, and of which nothing could be read then.
    gone_unread: usize,
    /// Of these, those that may have been deleted: the same.
    gone_unknown: usize,
    /// Writes and deletions that the server accepted, and that were not proved.
    accepted: usize,
}

impl Counted {
    fn of(run: &Run, known: &Known) -> Self {
        let outcomes = run.outcomes();
        let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
        for o in &outcomes {
            *by_kind.entry(o.outcome.as_str()).or_default() += 1;
        }
        let going = known.going();
        let is_aside = |o: &&ObjectOutcome| matches!(o.outcome, OutcomeKind::Extra | OutcomeKind::LeftOut);
        let wanted: Vec<&ObjectOutcome> = outcomes.iter().filter(|o| !is_aside(o) && !going.contains(&o.key)).collect();
        let (live, bad) = (wanted.iter().filter(|o| o.verified).count(), wanted.iter().filter(|o| is_bad(o)).count());
        let is_unread = |o: &ObjectOutcome| match o.outcome {
            OutcomeKind::NotVerified => o.code != Some(Code::NotVerified),
            OutcomeKind::NotAttempted => known.compared.unread(&o.key).is_some(),
            _ => false,
        };
        let unproved = wanted.iter().filter(|o| is_accepted(o) && is_unread(o)).count();
        let unread = wanted.iter().filter(|o| !is_accepted(o) && is_unread(o)).count();
        let gone_unread = outcomes.iter().filter(|o| going.contains(&o.key) && is_accepted(o) && is_unread(o)).count();
        let is_unknown = |o: &ObjectOutcome| o.outcome == OutcomeKind::Unknown;
        let unknown = wanted.iter().filter(|o| is_unknown(o)).count();
        let gone_unknown = outcomes.iter().filter(|o| going.contains(&o.key) && is_unknown(o)).count();
        let accepted = outcomes.iter().filter(|o| is_accepted(o)).count();
        let (wanted, going) = (wanted.len(), going.len());
        Self {
            by_kind,
            wanted,
            live,
            bad,
            unproved,
            unread,
            unknown,
            going,
            gone_unread,
            gone_unknown,
            accepted,
            outcomes,
        }
    }

    fn n(&self, kind: OutcomeKind) -> usize {
        self.by_kind.get(kind.as_str()).copied().unwrap_or(0)
    }

    fn written(&self) -> usize {
        self.n(OutcomeKind::Created) + self.n(OutcomeKind::Updated)
    }

    /// How many are live, and of the others what is known of them: something else than Git wants, or nothing.
    fn where_they_stand(&self, what: &str) -> String {
        let count = |n: usize, one: &str, many: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        };
        let others = [
            count(self.bad.saturating_sub(self.unproved + self.unread + self.unknown), "is not", "are not"),
            count(self.unproved, "was written and could not be read back", "were written and could not be read back"),
            count(
                self.unknown,
                "may or may not have been written and could not be read back",
                "may or may not have been written and could not be read back",
            ),
            count(self.unread, "could not be read", "could not be read"),
        ];
        let others: Vec<String> = others.into_iter().flatten().collect();
        format!("{} of {} {what} are live as desired; {}.", self.live, self.wanted, others.join(", "))
    }

    fn first_bad(&self) -> Option<&ObjectOutcome> {
        let bad = || self.outcomes.iter().filter(|o| is_bad(o));
        // What has a reason of its own before what only waits for another.
        let waits = |o: &&ObjectOutcome| o.outcome == OutcomeKind::WaitingForReference;
        let named = |o: &&ObjectOutcome| o.code.is_some_and(|c| c != Code::Partial);
        bad().filter(named).find(|o| !waits(o)).or_else(|| bad().find(|o| o.code.is_some()))
    }
}

/// Whether something is left to do about the object. What a dry run could not have judged has no code, and is no trouble.
fn is_bad(outcome: &ObjectOutcome) -> bool {
    let unjudged = outcome.outcome == OutcomeKind::WaitingForReference && outcome.code.is_none();
    !outcome.outcome.is_good() && !unjudged
}

/// Whether the server accepted the write or the deletion, and what is there now is something else, or not known.
fn is_accepted(outcome: &ObjectOutcome) -> bool {
    outcome.outcome == OutcomeKind::NotVerified && outcome.attempts > 0
}

/// A sync that wrote, or had nothing to write.
pub(super) fn of_sync(
    run: &Run,
    known: &Known,
    comparison: Option<i64>,
    stopped: Option<(Code, String)>,
    rollout: String,
) -> Finished {
    let c = Counted::of(run, known);
    let (wrote, pruned) = (c.written(), c.n(OutcomeKind::Pruned));
    let what = if known.part.is_all { "objects" } else { "selected objects" };
    let mut done = Vec::new();
    match wrote {
        0 => {}
        1 => done.push("1 object written".to_owned()),
        n => done.push(format!("{n} objects written")),
    }
    if pruned > 0 {
        done.push(format!("{pruned} deleted"));
    }
    let done = done.join(", ");
    let all = if known.part.is_all { format!("all {}", c.live) } else { format!("all {} {what}", c.live) };
    let mut message = match (done.is_empty(), c.bad) {
        (true, 0) if c.wanted == 0 && known.part.is_all => "Nothing to do: the source holds no objects.".to_owned(),
        (true, 0) if c.wanted == 0 => "Nothing to do: no object of the source is part of this run.".to_owned(),
        (true, 0) if c.going > 0 => format!("All {} {what} are live as desired.", c.live),
        (true, 0) => format!("Nothing to do: all {} {what} are live as desired.", c.live),
        (false, 0) if c.wanted == 0 => format!("{done}."),
        (false, 0) => format!("{done}; {all} are live as desired."),
        _ => c.where_they_stand(what),
    };
    if c.going > pruned || (c.bad > 0 && pruned > 0) {
        let others = [
            (c.gone_unread, "could not be read back"),
            (c.gone_unknown, "may or may not have been deleted and could not be read back"),
        ];
        let others = others.iter().filter(|(n, _)| *n > 0).map(|(n, words)| format!(", and {n} more {words}"));
        message = format!("{message} {pruned} of {} deletions were done{}.", c.going, others.collect::<String>());
    }
    message.push_str(&aside(known, &c));
    if !rollout.is_empty() {
        message = format!("{message} {rollout}");
    }
    // A run whose writes were accepted has done something, also when nothing could be read back.
    end(known, &c, message, comparison, stopped, wrote + pruned + c.accepted)
}

/// A dry run: nothing was changed, and this is what the server says.
pub(super) fn of_dry_run(run: &Run, known: &Known, stopped: Option<(Code, String)>) -> Finished {
    let c = Counted::of(run, known);
    let mut message = format!(
        "Dry run, nothing was changed: {} would be created, {} updated, {} deleted; {} are equal.",
        c.n(OutcomeKind::Created),
        c.n(OutcomeKind::Updated),
        c.n(OutcomeKind::Pruned),
        c.n(OutcomeKind::Unchanged)
    );
    let unjudged = c.outcomes.iter().filter(|o| o.outcome == OutcomeKind::WaitingForReference && !is_bad(o)).count();
    if unjudged > 0 {
        message = format!("{message} {unjudged} cannot be judged by the server before others are written.");
    }
    let bad = c.outcomes.iter().filter(|o| is_bad(o)).count();
    if bad > 0 {
        message = format!(
            "{message} {bad} would not be done. The server judges each write by the cluster as it is now, not as the \
             writes before it would leave it."
        );
    }
    if let Some(confirm) = &known.pruning.plan.confirm {
        message = format!("{message} The fabric's name has to be typed for the deletions: {confirm}");
    }
    message.push_str(&aside(known, &c));
    let would = c.written() + c.n(OutcomeKind::Pruned) + unjudged;
    end(known, &c, message, Some(known.compared.comparison.id), stopped, would)
}

/// A sync that the check before writing ended.
pub(super) fn stopped(known: &Known, stop: Error) -> Finished {
    let result = result(known, None, Some(known.compared.comparison.id));
    Finished { message: stop.message, code: Some(stop.code), object: stop.object, result, failed: true }
}

/// What the run was not about, and what it left.
fn aside(known: &Known, c: &Counted) -> String {
    let mut words = String::new();
    let left = c.n(OutcomeKind::LeftOut);
    let others = known.part.beside.len().saturating_sub(known.part.left.iter().filter(|(_, f)| f.is_empty()).count());
    match (known.part.is_all, others) {
        (true, _) | (_, 0) => {}
        (_, 1) => words.push_str(" 1 other was not part of this run."),
        (_, n) => words.push_str(&format!(" {n} others were not part of this run.")),
    }
    match left {
        0 => {}
        1 => words.push_str(" 1 was left as it is, as asked."),
        n => words.push_str(&format!(" {n} were left as they are, as asked.")),
    }
    let fields = c.outcomes.iter().filter(|o| o.outcome != OutcomeKind::LeftOut && !o.detail.left_fields.is_empty());
    match fields.count() {
        0 => {}
        1 => words.push_str(" Fields of 1 object were left as they are in the cluster."),
        n => words.push_str(&format!(" Fields of {n} objects were left as they are in the cluster.")),
    }
    words
}

/// Code, object and numbers, by what stands in the way first.
fn end(
    known: &Known,
    c: &Counted,
    mut message: String,
    comparison: Option<i64>,
    stopped: Option<(Code, String)>,
    done: usize,
) -> Finished {
    let bad = c.outcomes.iter().any(is_bad);
    // What stopped the run has kept nothing from being done when everything was read back as desired.
    let (code, object) = if let Some((code, why)) = stopped.filter(|_| bad) {
        message = format!("{message} Stopped: {why}");
        (Some(code), None)
    } else if let Some(problem) = known.part.problems.first() {
        message = format!("{message} Not read: {}", problem.message);
        (Some(problem.code), Some(problem.kind.clone()))
    } else if let Some(first) = c.first_bad() {
        let name = format!("{} {}", first.key.kind, first.key.name);
        // Most messages name the object themselves.
        message = match first.message.starts_with(&name) {
            true => format!("{message} First: {}", first.message),
            false => format!("{message} First: {name}: {}", first.message),
        };
        (first.code, Some(first.key.to_string()))
    } else if !bad && known.part.is_all && known.compared.source_errors() > 0 {
        message = format!("{message} {}", errors_in_words(&known.compared.findings.all));
        (Some(Code::SourceInvalid), None)
    } else {
        (None, None)
    };
    let failed = code.is_some() && done == 0 && (c.live == 0 || bad);
    Finished { message, code, object, result: result(known, Some(c), comparison), failed }
}

/// What pages and scripts read besides the outcomes; bounded, whatever the size of the fabric.
fn result(known: &Known, c: Option<&Counted>, comparison: Option<i64>) -> Value {
    let problems: Vec<_> = known.part.problems.iter().take(KEPT).collect();
    let warnings: Vec<_> = known.warnings.iter().take(KEPT).collect();
    json!({
        "comparison": comparison,
        "outcomes": c.map(|c| &c.by_kind),
        "live": c.map(|c| c.live),
        "wanted": c.map(|c| c.wanted),
        "extra": known.compared.settled.extra.len(),
        "others": known.part.beside.len(),
        "warnings": warnings,
        "warnings_total": known.warnings.len(),
        "problems": problems,
        "prune": { "deletions": known.pruning.plan.deletions.len(), "kept": known.pruning.plan.kept.len(),
            "managed": known.pruning.plan.managed, "confirm": known.pruning.plan.confirm },
    })
}
