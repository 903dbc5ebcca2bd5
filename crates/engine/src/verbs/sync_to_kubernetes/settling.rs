//! Writes and deletions of which no clear answer came: what is read again says what became of them. Where it cannot be
//! read, nobody knows, and that is said. Used by the proof of a sync.

use super::Known;
use super::proof::fields_of;
use crate::Error;
use crate::applying::Applied;
use crate::comparing::Compared;
use crate::run::Run;
use model::compare::Deletion;
use model::operation::{ObjectOutcome, OutcomeKind};
use model::{Code, ObjectKey};
use serde_json::Value;

/// The objects of a run whose end its writes did not tell.
pub(super) struct OpenEnds {
    writes: Vec<ObjectOutcome>,
    deletions: Vec<ObjectOutcome>,
}

/// What was read of one of them.
enum Seen {
    /// It is as it was to be.
    Done,
    /// It is not, and this is what was seen.
    Not { outcome: OutcomeKind, what: String },
}

impl OpenEnds {
    /// Those that the run's outcomes tell of when it has sent everything.
    pub fn of(run: &Run, known: &Known) -> Self {
        let going = known.going();
        let is_open = |o: &ObjectOutcome| o.outcome == OutcomeKind::Unknown;
        let (deletions, writes) =
            run.outcomes().into_iter().filter(is_open).partition(|o: &ObjectOutcome| going.contains(&o.key));
        Self { writes, deletions }
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty() && self.deletions.is_empty()
    }

    /// Nothing could be read again: nobody knows of any of them.
    pub fn unread(&self, run: &Run, why: &Error) {
        for o in &self.writes {
            not_known(run, o, "write", "written", &why.message);
        }
        for o in &self.deletions {
            not_known(run, o, "deletion", "deleted", &why.message);
        }
    }

    /// Gives each its end by what was read, and adds what was done to what was applied, so that it is proved and followed
    /// like everything else. How many were not done, or are not known.
    pub fn settle(
        &self,
        run: &Run,
        known: &Known,
        compared: &Compared,
        is_live: impl Fn(&ObjectKey) -> bool,
        applied: &mut Applied,
    ) -> usize {
        let mut left = 0;
        for o in &self.writes {
            if let Some((_, why)) = compared.unread(&o.key) {
                not_known(run, o, "write", "written", &why);
            } else if is_live(&o.key) {
                let was_there = known.part.differing.iter().any(|d| d.manifest.key == o.key && d.live.is_some());
                let kind = if was_there { OutcomeKind::Updated } else { OutcomeKind::Created };
                say(run, o, "write", kind, None, "it is as desired");
                applied.written.insert(o.key.clone());
                continue;
            } else {
                let what = match compared.observation.live.contains_key(&o.key) {
                    true => format!("it is not as desired: {}", fields_of(compared, &o.key)),
                    false => "it is not there".to_owned(),
                };
                say(run, o, "write", OutcomeKind::Failed, o.code, &what);
            }
            left += 1;
        }
        for o in &self.deletions {
            if let Some((_, why)) = compared.unread(&o.key) {
                not_known(run, o, "deletion", "deleted", &why);
                left += 1;
                continue;
            }
            match seen_of_deleted(known, compared, &o.key) {
                Seen::Done => {
                    say(run, o, "deletion", OutcomeKind::Pruned, None, "it is gone");
                    applied.pruned.insert(o.key.clone());
                }
                Seen::Not { outcome, what } => {
                    let code = if outcome == OutcomeKind::Failed { o.code } else { Some(Code::NotVerified) };
                    say(run, o, "deletion", outcome, code, &what);
                    left += 1;
                }
            }
        }
        left
    }
}

/// What was read of an object that was to be deleted. One that is being deleted goes by some deletion, ours or another's.
fn seen_of_deleted(known: &Known, compared: &Compared, key: &ObjectKey) -> Seen {
    let Some(live) = compared.observation.live.get(key).map(|live| live.value()) else { return Seen::Done };
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    let was = known.pruning.steps.iter().flatten().find(|going| going.key == *key);
    let not_verified = OutcomeKind::NotVerified;
    if was.is_some_and(|was| uid(&was.live) != uid(&live)) {
        let what = "it is gone, and somebody made another one of that name".to_owned();
        return Seen::Not { outcome: not_verified, what };
    }
    match Deletion::of(&live) {
        Some(going) => Seen::Not { outcome: not_verified, what: format!("it {}", going.predicate()) },
        None => Seen::Not { outcome: OutcomeKind::Failed, what: "it is still there".to_owned() },
    }
}

/// Gives an object the end that was read.
fn say(run: &Run, was: &ObjectOutcome, sent: &str, outcome: OutcomeKind, code: Option<Code>, read: &str) {
    let now = run.now();
    run.amend(&was.key, |o| {
        (o.outcome, o.code, o.at) = (outcome, code, now);
        o.message = format!("No clear answer to its {sent} came ({}). Read back, {read}.", in_brackets(&was.message));
    });
}

/// Nobody knows what became of an object.
fn not_known(run: &Run, was: &ObjectOutcome, sent: &str, done: &str, why: &str) {
    run.amend(&was.key, |o| {
        let (before, why) = (in_brackets(&was.message), in_brackets(why));
        o.message = format!(
            "No clear answer to its {sent} came ({before}), and it could not be read back ({why}). It may or may not have \
             been {done}; the next run looks at it again."
        );
    });
}

/// A sentence as a part of another one.
fn in_brackets(sentence: &str) -> &str {
    sentence.trim_end_matches('.')
}
