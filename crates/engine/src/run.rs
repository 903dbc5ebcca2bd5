//! One running operation: its phases, its outcomes, its lease and its deadline. A verb works through a [`Run`];
//! everything it says is in the store within a quarter of a second, so that whatever ends it, the page shows how far it
//! came. How it ends is in `ending`.

use crate::events::Event;
use crate::leases::Hold;
use crate::places::Place;
use crate::{Error, Shared};
use jiff::Timestamp;
use model::operation::{ObjectOutcome, OutcomeKind, Phase, PhaseProgress, PhaseState, Retry, Verb};
use model::rollout::SwitchRollout;
use model::sync_options::SyncOptions;
use model::{Code, ObjectKey};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Operation;
use tokio::time::Instant;

/// The phases of a verb, in order. What a dry run asks about is never there to be read again or to be followed.
pub(crate) fn phases_of(verb: Verb, options: &SyncOptions) -> Vec<Phase> {
    use Phase::{Adopt, Apply, Compare, Connect, FetchSource, Observe, Preflight, Prune, Rollout, Verify};
    match verb {
        Verb::TestConnection => vec![Connect],
        Verb::SyncFromGit => vec![FetchSource, Connect, Observe, Compare],
        Verb::SyncFromFabric if options.adopt.is_empty() => vec![Connect, FetchSource, Observe, Compare],
        Verb::SyncFromFabric => vec![Connect, FetchSource, Observe, Compare, Adopt, Verify],
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
    phases_of(verb, options).into_iter().map(PhaseProgress::waiting).collect()
}

/// A limit that is longer than this is none.
const ENDLESS: Duration = Duration::from_secs(365 * 24 * 3600);

#[derive(Default)]
struct Progress {
    phases: Vec<PhaseProgress>,
    phases_dirty: bool,
    outcomes: BTreeMap<ObjectKey, ObjectOutcome>,
    dirty: BTreeSet<ObjectKey>,
    /// Objects of which a write was sent and no answer has come yet, or none will: it was lost.
    sent: BTreeSet<ObjectKey>,
    /// How often each object was tried, and what came back from the last try; nothing while that is on its way.
    tried: BTreeMap<ObjectKey, (u32, Option<String>)>,
    /// How long each phase has taken that is over, and since when the others run.
    took: BTreeMap<Phase, Duration>,
    since: BTreeMap<Phase, Instant>,
}

/// What is tried again when the cluster asks for a pause: every call to it.
const PAUSED: &str = "every call to the cluster";
/// Two ends of a pause that are closer than this are the same pause, looked at twice.
const SAME_PAUSE: jiff::SignedDuration = jiff::SignedDuration::from_millis(300);

/// Of an object whose write was on its way when the operation ended.
const SENT: &str = "A write was sent, and the operation ended before its answer came: it may have taken effect. The next \
                    run looks at it again.";

/// Of an object that was to be tried again when the operation ended, and of which nobody knows whether an earlier try was
/// carried out.
fn unclear(answer: &str) -> String {
    format!(
        "It was sent, no clear answer came ({answer}), and the operation ended before the next try: it may have taken \
         effect. The next run looks at it again."
    )
}

/// The same of one that was not carried out, as the answer says.
fn not_taken(tries: u32, answer: &str) -> String {
    let times = if tries == 1 { "once".to_owned() } else { format!("{tries} times") };
    format!("Tried {times}, and it was not done ({answer}). The operation ended before the next try.")
}

impl Progress {
    /// A phase ends, or begins to wait.
    fn stop_clock(&mut self, phase: Phase) {
        if let Some(since) = self.since.remove(&phase) {
            *self.took.entry(phase).or_default() += since.elapsed();
        }
    }

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
    /// Its place among those that run here.
    pub place: Arc<Place>,
    /// Its lease, as far as this process can be certain of it.
    pub hold: Hold,
    /// When it is ended at the latest, by a clock that only goes forward.
    pub deadline: Instant,
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
    /// An operation that was claimed; `asked` is the moment before that.
    pub fn new(shared: Arc<Shared>, operation: Operation, place: Arc<Place>, asked: Instant) -> Self {
        let options: SyncOptions = serde_json::from_value(operation.options.clone()).unwrap_or_default();
        let phases = waiting_phases(operation.verb, &options);
        let progress = Mutex::new(Progress { phases, phases_dirty: true, ..Progress::default() });
        let hold = Hold::new(shared.lease.duration, asked, shared.now());
        let deadline = asked + operation.time_limit.min(ENDLESS);
        Self { shared, operation, options, place, hold, deadline, progress }
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

    /// Whether a write may leave now, and a note that it does. Whoever writes to a cluster or a repository asks right
    /// before: a run that cannot be certain of its lease must not write any more, because somebody else may.
    ///
    /// # Errors
    /// When the lease has not been renewed for too long.
    pub fn may_write(&self, key: &ObjectKey) -> Result<(), Error> {
        if !self.hold.stands() {
            let message = format!("{}, so nothing more is written.", self.hold.why_passed(self.now()));
            return Err(Error::new(Code::StoreUnavailable, message));
        }
        self.lock().sent.insert(key.clone());
        Ok(())
    }

    /// A try of this object leaves: a write, or the question of a dry run.
    pub fn tries(&self, key: &ObjectKey) {
        let mut progress = self.lock();
        let (tries, answer) = progress.tried.entry(key.clone()).or_default();
        (*tries, *answer) = (*tries + 1, None);
    }

    /// It failed with these words.
    pub fn failed_try(&self, key: &ObjectKey, why: String) {
        if let Some((_, answer)) = self.lock().tried.get_mut(key) {
            *answer = Some(why);
        }
    }

    /// How many writes were sent of which no answer came so far.
    pub fn unanswered(&self) -> usize {
        self.lock().sent.len()
    }

    /// The cluster asked all calls to wait for so long: said in the phase that runs, once a pause.
    pub fn pauses(&self, rest: Duration) {
        let at = self.now().checked_add(rest).unwrap_or_else(|_| self.now());
        let mut progress = self.lock();
        let Some(p) = progress.phases.iter_mut().rev().find(|p| p.state == PhaseState::Running) else { return };
        // What is said already is about the same pause, or about a try that has to wait for it.
        if p.retry.as_ref().is_some_and(|said| said.at > at || at.duration_since(said.at) < SAME_PAUSE) {
            return;
        }
        p.retries += 1;
        p.retry = Some(Retry {
            what: PAUSED.to_owned(),
            why: "The API server asked to be called less often (429)".to_owned(),
            code: Code::KubernetesUnavailable,
            attempt: p.retries + 1,
            of: p.retries + 1,
            at,
        });
        progress.phases_dirty = true;
    }

    /// The pause that the cluster asked for is over.
    pub fn goes_on(&self) {
        let mut progress = self.lock();
        for p in &mut progress.phases {
            if p.retry.as_ref().is_some_and(|retry| retry.what == PAUSED) {
                p.retry = None;
            }
        }
        progress.phases_dirty = true;
    }

    /// A write of this object was answered, whatever the answer was.
    pub fn answered(&self, key: &ObjectKey) {
        self.lock().sent.remove(key);
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
        self.place.moves();
        self.lock().since.entry(phase).or_insert_with(Instant::now);
        self.edit(phase, |p| {
            p.state = PhaseState::Running;
            p.started_at.get_or_insert(now);
            p.ended_at = None;
            p.detail = detail.into();
        });
    }

    /// A phase makes progress.
    pub fn advance(&self, phase: Phase, done: u64, total: u64) {
        self.place.moves();
        self.edit(phase, |p| (p.done, p.total) = (done, total));
    }

    /// Something in a phase failed and is tried again in a moment.
    pub fn retries(&self, phase: Phase, retry: Retry) {
        self.edit(phase, |p| {
            p.retries += 1;
            p.retry = Some(retry);
        });
    }

    /// The moment has come. Another one that waits has said so itself.
    pub fn tries_again(&self, phase: Phase, what: &str) {
        self.edit(phase, |p| p.retry = p.retry.take().filter(|retry| retry.what != what));
    }

    /// The rollout, switch by switch.
    pub fn switches(&self, switches: Vec<SwitchRollout>) {
        self.edit(Phase::Rollout, |p| p.switches = switches);
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
        self.place.moves();
        self.lock().stop_clock(phase);
        self.edit(phase, |p| {
            p.state = state;
            p.started_at.get_or_insert(now);
            p.ended_at = Some(now);
            p.detail = detail.into();
            p.retry = None;
        });
    }

    /// The phases that took time, each with how long; the one that runs now is the last.
    pub fn times(&self) -> Vec<(Phase, Duration)> {
        let progress = self.lock();
        let mut times: Vec<_> = progress.took.iter().map(|(phase, took)| (*phase, *took)).collect();
        times.extend(progress.since.iter().map(|(phase, since)| (*phase, since.elapsed())));
        times
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
                    p.retry = None;
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
        self.place.moves();
        let mut progress = self.lock();
        progress.sent.remove(&outcome.key);
        progress.dirty.insert(outcome.key.clone());
        progress.outcomes.insert(outcome.key.clone(), outcome);
    }

    /// Changes an outcome that was said before.
    pub fn amend(&self, key: &ObjectKey, change: impl FnOnce(&mut ObjectOutcome)) {
        self.place.moves();
        let mut progress = self.lock();
        progress.sent.remove(key);
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

    /// Every object that was to be written and is not settled gets its last word: why it was left, or that it was sent
    /// and nobody heard what came of it.
    pub fn leave_rest(&self, why: &str, code: Code) {
        let now = self.now();
        let mut progress = self.lock();
        let Progress { outcomes, dirty, sent, tried, .. } = &mut *progress;
        for outcome in outcomes.values_mut() {
            if outcome.outcome == OutcomeKind::NotAttempted && outcome.code.is_none() {
                outcome.code = Some(code);
                let (tries, answer) = tried.remove(&outcome.key).unwrap_or_default();
                outcome.attempts = tries;
                let answer = answer.map(|answer| answer.trim_end_matches('.').to_owned());
                let last = match (sent.contains(&outcome.key), answer) {
                    (true, None) => Some((OutcomeKind::Unknown, SENT.to_owned())),
                    (true, Some(answer)) => Some((OutcomeKind::Unknown, unclear(&answer))),
                    (false, Some(answer)) => Some((OutcomeKind::Failed, not_taken(tries, &answer))),
                    (false, None) => None,
                };
                match last {
                    Some((kind, message)) => (outcome.outcome, outcome.message) = (kind, message),
                    None => why.clone_into(&mut outcome.message),
                }
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
        let owner = &self.shared.lease.owner;
        if !outcomes.is_empty() {
            if !self.shared.store.operations().put_outcomes(id, owner, &outcomes).await? {
                return Ok(false);
            }
            self.lock().stored_outcomes(&outcomes);
        }
        let mut kept = true;
        if let Some(phases) = phases {
            kept = self.shared.store.operations().save_progress(id, owner, &phases).await?;
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
