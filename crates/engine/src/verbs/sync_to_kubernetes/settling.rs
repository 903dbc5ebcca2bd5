//! Writes and deletions of which no clear answer came, and deletions that were accepted of objects that were not seen to
//! be gone: what is read again says what became of them. Where it cannot be read, nobody knows, and that is said. Used by
//! the proof of a sync.

use super::Known;
use super::proof::fields_of;
use crate::Error;
use crate::applying::{self, Applied};
use crate::comparing::Compared;
use crate::run::Run;
use model::compare::Deletion;
use model::operation::{ObjectOutcome, OutcomeKind};
use model::{Code, ObjectKey};
use serde_json::Value;

/// The objects of a run whose end its writes did not tell.
pub(super) struct OpenEnds(Vec<OpenEnd>);

struct OpenEnd {
    was: ObjectOutcome,
    sent: Sent,
}

/// What was sent, and what is known of that.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    /// A write without a clear answer.
    Write,
    /// A deletion without one.
    Deletion,
    /// A deletion that was accepted, of an object that was not seen to be gone.
    Accepted,
}

impl OpenEnds {
    /// Those that the run's outcomes tell of when it has sent everything.
    pub fn of(run: &Run, known: &Known) -> Self {
        let going = known.going();
        let open = |was: ObjectOutcome| {
            let sent = match (was.outcome, going.contains(&was.key)) {
                (OutcomeKind::Unknown, false) => Sent::Write,
                (OutcomeKind::Unknown, true) => Sent::Deletion,
                (OutcomeKind::NotVerified, true) => Sent::Accepted,
                _ => return None,
            };
            Some(OpenEnd { was, sent })
        };
        Self(run.outcomes().into_iter().filter_map(open).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing could be read again.
    pub fn unread(&self, run: &Run, why: &Error) {
        for end in &self.0 {
            end.not_read(run, why.code, &why.message);
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
        for end in &self.0 {
            let key = &end.was.key;
            if let Some((code, why)) = compared.unread(key) {
                end.not_read(run, code, &why);
                left += 1;
                continue;
            }
            let (outcome, read) = match end.sent {
                Sent::Write if is_live(key) => {
                    let was_there = known.part.differing.iter().any(|d| d.manifest.key == *key && d.live.is_some());
                    let kind = if was_there { OutcomeKind::Updated } else { OutcomeKind::Created };
                    (kind, "it is as desired".to_owned())
                }
                Sent::Write => (OutcomeKind::Failed, instead_of_written(compared, key)),
                Sent::Deletion | Sent::Accepted => seen_of_deleted(known, compared, key),
            };
            end.say(run, outcome, &read);
            match outcome {
                OutcomeKind::Pruned => applied.pruned.insert(key.clone()),
                OutcomeKind::Created | OutcomeKind::Updated => applied.written.insert(key.clone()),
                _ => {
                    left += 1;
                    continue;
                }
            };
        }
        left
    }
}

impl OpenEnd {
    /// What was known when everything had been sent.
    fn before(&self) -> String {
        let message = self.was.message.trim_end_matches('.');
        match self.sent {
            Sent::Write => format!("No clear answer to its write came ({message})"),
            Sent::Deletion => format!("No clear answer to its deletion came ({message})"),
            Sent::Accepted => message.to_owned(),
        }
    }

    /// It ends as it was read.
    fn say(&self, run: &Run, outcome: OutcomeKind, read: &str) {
        let code = match outcome {
            OutcomeKind::NotVerified => Some(Code::NotVerified),
            OutcomeKind::Failed => self.was.code,
            _ => None,
        };
        let after = if outcome == OutcomeKind::Pruned { applying::left_behind(&self.was.key) } else { "" };
        let now = run.now();
        run.amend(&self.was.key, |o| {
            (o.outcome, o.code, o.at) = (outcome, code, now);
            o.message = format!("{}. Read back, {read}. {after}", self.before()).trim_end().to_owned();
        });
    }

    /// It could not be read: nobody knows what became of it, but that a deletion was accepted stays known.
    fn not_read(&self, run: &Run, code: Code, why: &str) {
        let (before, why) = (self.before(), why.trim_end_matches('.'));
        let done = if self.sent == Sent::Write { "written" } else { "deleted" };
        run.amend(&self.was.key, |o| match self.sent {
            Sent::Accepted => {
                o.code = Some(code);
                o.message = format!("{before}. It could not be read back: {why}.");
            }
            Sent::Write | Sent::Deletion => {
                o.message = format!(
                    "{before}, and it could not be read back ({why}). It may or may not have been {done}; the next run \
                     looks at it again."
                );
            }
        });
    }
}

/// What stands in the place of what was to be written.
fn instead_of_written(compared: &Compared, key: &ObjectKey) -> String {
    match compared.observation.live.contains_key(key) {
        true => format!("it is not as desired: {}", fields_of(compared, key)),
        false => "it is not there".to_owned(),
    }
}

/// What was read of an object that was to be deleted. One that is being deleted goes by some deletion, ours or another's.
fn seen_of_deleted(known: &Known, compared: &Compared, key: &ObjectKey) -> (OutcomeKind, String) {
    let Some(live) = compared.observation.live.get(key).map(|live| live.value()) else {
        return (OutcomeKind::Pruned, "it is gone".to_owned());
    };
    let uid = |object: &Value| object.pointer("/metadata/uid").cloned();
    let was = known.pruning.steps.iter().flatten().find(|going| going.key == *key);
    if was.is_some_and(|was| uid(&was.live) != uid(&live)) {
        return (OutcomeKind::NotVerified, "it is gone, and somebody made another one of that name".to_owned());
    }
    match Deletion::of(&live) {
        Some(going) => (OutcomeKind::NotVerified, format!("it {}", going.predicate())),
        None => (OutcomeKind::Failed, "it is still there".to_owned()),
    }
}
