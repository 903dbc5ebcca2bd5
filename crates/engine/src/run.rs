//! One running operation: its phases, its outcomes and its clockwork. A verb works through a [`Run`]; everything it
//! says is in the store within a quarter of a second, so that whatever ends it, the page shows how far it came.

use crate::events::Event;
use crate::{Error, Shared};
use jiff::Timestamp;
use model::operation::{ObjectOutcome, OutcomeKind, Phase, PhaseProgress, PhaseState, Verb};
use model::{Code, ObjectKey};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::Operation;

/// The phases of a verb, in order.
pub(crate) fn phases_of(verb: Verb) -> &'static [Phase] {
    use Phase::{Apply, Compare, Connect, FetchSource, Observe, Preflight, Rollout, Verify};
    match verb {
        Verb::TestConnection => &[Connect],
        Verb::SyncFromGit => &[FetchSource, Connect, Observe, Compare],
        Verb::SyncFromFabric => &[Connect, FetchSource, Observe, Compare],
        Verb::SyncToKubernetes => &[Connect, FetchSource, Observe, Compare, Preflight, Apply, Verify, Rollout],
    }
}

/// The phases of a verb before anything happened.
pub(crate) fn waiting_phases(verb: Verb) -> Vec<PhaseProgress> {
    phases_of(verb)
        .iter()
        .map(|&phase| PhaseProgress {
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
    dirty: Vec<ObjectKey>,
}

/// A running operation.
pub(crate) struct Run {
    pub shared: Arc<Shared>,
    pub operation: Operation,
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
        let progress = Progress { phases: waiting_phases(operation.verb), phases_dirty: true, ..Progress::default() };
        Self { shared, operation, progress: Mutex::new(progress) }
    }

    pub fn now(&self) -> Timestamp {
        self.shared.now()
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
        progress.dirty.push(outcome.key.clone());
        progress.outcomes.insert(outcome.key.clone(), outcome);
    }

    /// Changes an outcome that was said before.
    pub fn amend(&self, key: &ObjectKey, change: impl FnOnce(&mut ObjectOutcome)) {
        let mut progress = self.lock();
        if let Some(outcome) = progress.outcomes.get_mut(key) {
            change(outcome);
            progress.dirty.push(key.clone());
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
                dirty.push(outcome.key.clone());
            }
        }
    }

    /// Writes what is new to the store and tells open pages. `false`: the lease is lost, somebody else has taken over.
    /// What could not be written is kept for the next time.
    pub async fn flush(&self) -> Result<bool, Error> {
        let (phases, outcomes) = {
            let mut progress = self.lock();
            let mut dirty = std::mem::take(&mut progress.dirty);
            dirty.sort();
            dirty.dedup();
            let outcomes: Vec<_> = dirty.iter().filter_map(|k| progress.outcomes.get(k).cloned()).collect();
            let phases = std::mem::take(&mut progress.phases_dirty).then(|| progress.phases.clone());
            (phases, outcomes)
        };
        if phases.is_none() && outcomes.is_empty() {
            return Ok(true);
        }
        let kept = self.store(phases.as_deref(), &outcomes).await.inspect_err(|_| {
            let mut progress = self.lock();
            progress.dirty.extend(outcomes.iter().map(|o| o.key.clone()));
            progress.phases_dirty |= phases.is_some();
        })?;
        self.shared.events.send(self.operation.fabric_id, Event::Operation { id: self.operation.id });
        Ok(kept)
    }

    async fn store(&self, phases: Option<&[PhaseProgress]>, outcomes: &[ObjectOutcome]) -> Result<bool, Error> {
        let (operations, id) = (self.shared.store.operations(), self.operation.id);
        if !outcomes.is_empty() {
            operations.put_outcomes(id, outcomes).await?;
        }
        match phases {
            Some(phases) => Ok(operations.save_progress(id, &self.shared.lease.owner, phases).await?),
            None => Ok(true),
        }
    }
}
