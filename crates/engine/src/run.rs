//! One running operation: its phases, its outcomes and its clockwork. A verb works through a [`Run`]; everything it
//! says is in the store within a quarter of a second, so that whatever ends it, the page shows how far it came.

use crate::events::Event;
use crate::{Error, Shared};
use jiff::Timestamp;
use model::operation::{ObjectOutcome, OutcomeKind, Phase, PhaseProgress, PhaseState, Verb};
use model::sync_options::SyncOptions;
use model::{Code, ObjectKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Operation;

/// The phases of a verb, in order. What a dry run asks about is never there to be read again or to be followed.
pub(crate) fn phases_of(verb: Verb, options: &SyncOptions) -> Vec<Phase> {
    use Phase::{Apply, Compare, Connect, FetchSource, Observe, Preflight, Prune, Rollout, Verify};
    match verb {
        Verb::TestConnection => vec![Connect],
        Verb::SyncFromGit => vec![FetchSource, Connect, Observe, Compare],
        Verb::SyncFromFabric => vec![Connect, FetchSource, Observe, Compare],
        Verb::SyncToKubernetes => {
            let mut phases = vec![Connect, FetchSource, Observe, Compare, Preflight];
            if options.prune {
                phases.push(Prune);
            }
            phases.push(Apply);
            if !options.dry_run {
                phases.extend([Verify, Rollout]);
            }
            phases
        }
    }
}

/// The phases of a verb before anything happened.
pub(crate) fn waiting_phases(verb: Verb, options: &SyncOptions) -> Vec<PhaseProgress> {
    phases_of(verb, options)
        .into_iter()
        .map(|phase| PhaseProgress {
            phase,
            state: PhaseState::Waiting,
            done: 0,
            total: 0,
            started_at: None,
            ended_at: None,
            detail: String::new(),
        })
        .collect()
}

#[derive(Default)]
struct Progress {
    phases: Vec<PhaseProgress>,
    phases_dirty: bool,
    outcomes: BTreeMap<ObjectKey, ObjectOutcome>,
    dirty: BTreeSet<ObjectKey>,
}

impl Progress {
    /// What the store does not hold yet.
    fn unstored(&self) -> (Option<Vec<PhaseProgress>>, Vec<ObjectOutcome>) {
        let outcomes = self.dirty.iter().filter_map(|key| self.outcomes.get(key).cloned()).collect();
        (self.phases_dirty.then(|| self.phases.clone()), outcomes)
    }

    /// These were stored. What was said since is not: it stays to be written.
    fn stored_outcomes(&mut self, outcomes: &[ObjectOutcome]) {
        for outcome in outcomes.iter().filter(|outcome| self.outcomes.get(&outcome.key) == Some(outcome)) {
            self.dirty.remove(&outcome.key);
        }
    }

    /// The same for phases.
    fn stored_phases(&mut self, phases: &[PhaseProgress]) {
        self.phases_dirty &= self.phases != phases;
    }
}

/// A running operation.
pub(crate) struct Run {
    pub shared: Arc<Shared>,
    pub operation: Operation,
    options: SyncOptions,
    progress: Mutex<Progress>,
}

/// What a verb says at its end.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// One true sentence about what was done.
    pub message: String,
    /// The code of what went wrong for a part of it; the operation is then partial (or failed when nothing was done).
    pub code: Option<Code>,
    /// The object that the code is about.
    pub object: Option<String>,
    /// Numbers and reports for the page and for scripts.
    pub result: serde_json::Value,
    /// Whether nothing at all was done although something went wrong.
    pub failed: bool,
}

impl Run {
    pub fn new(shared: Arc<Shared>, operation: Operation) -> Self {
        let options: SyncOptions = serde_json::from_value(operation.options.clone()).unwrap_or_default();
        let phases = waiting_phases(operation.verb, &options);
        let progress = Mutex::new(Progress { phases, phases_dirty: true, ..Progress::default() });
        Self { shared, operation, options, progress }
    }

    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// What the request said besides its verb.
    pub fn options(&self) -> &SyncOptions {
        &self.options
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit(&self, phase: Phase, change: impl FnOnce(&mut PhaseProgress)) {
        let mut progress = self.lock();
        if let Some(p) = progress.phases.iter_mut().find(|p| p.phase == phase) {
            change(p);
            progress.phases_dirty = true;
        }
    }

    /// A phase begins.
    pub fn begin(&self, phase: Phase, detail: impl Into<String>) {
        let now = self.now();
        self.edit(phase, |p| {
            p.state = PhaseState::Running;
            p.started_at.get_or_insert(now);
            p.ended_at = None;
            p.detail = detail.into();
        });
    }

    /// A phase makes progress.
    pub fn advance(&self, phase: Phase, done: u64, total: u64) {
        self.edit(phase, |p| (p.done, p.total) = (done, total));
    }

    /// A phase says what it is doing.
    pub fn detail(&self, phase: Phase, detail: impl Into<String>) {
        self.edit(phase, |p| p.detail = detail.into());
    }

    /// A phase ends well.
    pub fn end(&self, phase: Phase, detail: impl Into<String>) {
        self.close(phase, PhaseState::Done, detail);
    }

    /// A phase ends in some state.
    pub fn close(&self, phase: Phase, state: PhaseState, detail: impl Into<String>) {
        let now = self.now();
        self.edit(phase, |p| {
            p.state = state;
            p.started_at.get_or_insert(now);
            p.ended_at = Some(now);
            p.detail = detail.into();
        });
    }

    /// The operation ends: what runs has failed, what waits will not run.
    pub fn close_open_phases(&self, why: &str) {
        let now = self.now();
        let mut progress = self.lock();
        for p in &mut progress.phases {
            match p.state {
                PhaseState::Running => {
                    p.state = PhaseState::Failed;
                    p.ended_at = Some(now);
                    why.clone_into(&mut p.detail);
                }
                PhaseState::Waiting => p.state = PhaseState::Skipped,
                _ => {}
            }
        }
        progress.phases_dirty = true;
    }

    /// What became of an object; a later word about the same object replaces the earlier one.
    pub fn outcome(&self, outcome: ObjectOutcome) {
        let mut progress = self.lock();
        progress.dirty.insert(outcome.key.clone());
        progress.outcomes.insert(outcome.key.clone(), outcome);
    }

    /// Changes an outcome that was said before.
    pub fn amend(&self, key: &ObjectKey, change: impl FnOnce(&mut ObjectOutcome)) {
        let mut progress = self.lock();
        if let Some(outcome) = progress.outcomes.get_mut(key) {
            change(outcome);
            progress.dirty.insert(key.clone());
        }
    }

    /// The phases as they stand.
    pub fn phases(&self) -> Vec<PhaseProgress> {
        self.lock().phases.clone()
    }

    /// All outcomes so far.
    pub fn outcomes(&self) -> Vec<ObjectOutcome> {
        self.lock().outcomes.values().cloned().collect()
    }

    /// Every object that was to be written and is not settled gets its last word: why it was left.
    pub fn leave_rest(&self, why: &str, code: Code) {
        let now = self.now();
        let mut progress = self.lock();
        let Progress { outcomes, dirty, .. } = &mut *progress;
        for outcome in outcomes.values_mut() {
            if outcome.outcome == OutcomeKind::NotAttempted && outcome.code.is_none() {
                outcome.code = Some(code);
                why.clone_into(&mut outcome.message);
                outcome.at = now;
                dirty.insert(outcome.key.clone());
            }
        }
    }

    /// Writes what is new to the store and tells open pages. `false`: the lease is lost, somebody else has taken over.
    ///
    /// It may fail, or be dropped halfway when the run ends meanwhile: what is not stored by then is written the next
    /// time.
    pub async fn flush(&self) -> Result<bool, Error> {
        let (phases, outcomes) = self.lock().unstored();
        if phases.is_none() && outcomes.is_empty() {
            return Ok(true);
        }
        let id = self.operation.id;
        if !outcomes.is_empty() {
            self.shared.store.operations().put_outcomes(id, &outcomes).await?;
            self.lock().stored_outcomes(&outcomes);
        }
        let mut kept = true;
        if let Some(phases) = phases {
            kept = self.shared.store.operations().save_progress(id, &self.shared.lease.owner, &phases).await?;
            self.lock().stored_phases(&phases);
        }
        self.shared.events.send(self.operation.fabric_id, Event::Operation { id });
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::operation::OutcomeDetail;

    fn outcome(name: &str, kind: OutcomeKind) -> ObjectOutcome {
        ObjectOutcome {
            key: ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name),
            outcome: kind,
            verified: false,
            code: None,
            message: String::new(),
            overwrote: Vec::new(),
            attempts: 0,
            at: Timestamp::UNIX_EPOCH,
            detail: OutcomeDetail::default(),
        }
    }

    #[test]
    fn what_was_not_stored_is_written_the_next_time() {
        let mut progress = Progress {
            phases: waiting_phases(Verb::TestConnection, &SyncOptions::default()),
            phases_dirty: true,
            ..Progress::default()
        };
        let say = |progress: &mut Progress, outcome: &ObjectOutcome| {
            progress.dirty.insert(outcome.key.clone());
            progress.outcomes.insert(outcome.key.clone(), outcome.clone());
        };
        let first = [outcome("vpc-1", OutcomeKind::NotAttempted), outcome("vpc-2", OutcomeKind::Unchanged)];
        first.iter().for_each(|outcome| say(&mut progress, outcome));
        let (phases, outcomes) = progress.unstored();
        // A write that is dropped or fails says nothing.
        assert_eq!(progress.unstored(), (phases.clone(), outcomes));
        // While it was under way, one of them got another word.
        let later = [outcome("vpc-1", OutcomeKind::Created)];
        say(&mut progress, &later[0]);
        progress.stored_outcomes(&first);
        assert_eq!(progress.unstored().1, later);
        progress.stored_outcomes(&later);
        let phases = phases.expect("they were never stored");
        progress.phases[0].state = PhaseState::Done;
        progress.stored_phases(&phases);
        let newer = progress.phases.clone();
        assert_eq!(progress.unstored(), (Some(newer.clone()), Vec::new()));
        progress.stored_phases(&newer);
        assert_eq!(progress.unstored(), (None, Vec::new()));
    }
}
