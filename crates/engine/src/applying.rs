//! Making the cluster equal to the desired state, object by object, by compare-and-swap.
//!
//! Objects of one rank are written at once, ranks one after the other; what is deleted goes in the order of deletion,
//! after the updates that free it and before everything else. A write happens only on the very form that was compared;
//! when somebody else was faster the object is looked at again, a few times, and then said to be changed meanwhile. What
//! is transient is tried again with a growing pause; what is not ends with the server's own words. A dry run asks the
//! server about each of these writes and changes nothing.
//!
//! `applying/write.rs` brings one object to its end, `applying/delete.rs` one deletion; `applying/hand.rs` says which of them
//! are in hand.

mod delete;
mod hand;
mod words;
mod write;

pub(crate) use delete::{Going, left_behind};
pub(crate) use words::{describe, describe_written};

use crate::comparing::Differing;
use crate::retrying::{Fault, Next};
use crate::run::Run;
use crate::too_soon::TooSoon;
use cluster::{Cluster, ErrorKind, Kinds};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use hand::Hand;
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase};
use model::plan::{Plan, Rank};
use model::{Code, ObjectKey};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often an object that somebody else changed is looked at again before that is said.
const ROUNDS: u32 = 4;
/// How often a transient failure is tried again.
const RETRIES: u32 = 5;

/// Rules of one run.
#[derive(Default)]
pub(crate) struct Rules {
    /// The server is only asked; nothing is changed.
    pub dry_run: bool,
    /// The comparison that the user's page showed; what changed in the cluster after it is not overwritten.
    pub shown_comparison: Option<i64>,
    /// Whether link addresses may be taken away from live objects.
    pub allow_address_removal: bool,
    /// What the source names and this run is not about.
    pub beside: Vec<ObjectKey>,
    /// Objects that must not be created yet, because an earlier one of that name is not gone from every switch.
    pub too_soon: HashMap<ObjectKey, TooSoon>,
}

/// Everything that one run does to the cluster.
pub(crate) struct Work<'a> {
    /// Objects that differ.
    pub differing: &'a [Differing],
    /// Their writes, in order.
    pub plan: &'a Plan,
    /// What is deleted, by step.
    pub deletions: &'a [Vec<Going>],
    /// Updates that take away a reference to something that is deleted, by what is deleted.
    pub frees: HashMap<ObjectKey, Vec<ObjectKey>>,
    /// What has to be written before anything is deleted: those updates, and what they need.
    pub first: HashSet<ObjectKey>,
    /// Rules.
    pub rules: &'a Rules,
}

/// What the writing and deleting came to.
pub(crate) struct Applied {
    /// What was written and accepted.
    pub written: HashSet<ObjectKey>,
    /// What was deleted and is gone.
    pub pruned: HashSet<ObjectKey>,
    /// Why it stopped before its end, if it did.
    pub stopped: Option<(Code, String)>,
}

struct Writer<'a> {
    run: &'a Run,
    cluster: &'a Cluster,
    kinds: &'a Kinds,
    rules: &'a Rules,
    /// What this run creates: a reference to one of these that is "not found" only needs time.
    plan: &'a Plan,
    frees: &'a HashMap<ObjectKey, Vec<ObjectKey>>,
    going: Vec<&'a Going>,
    written: Mutex<HashSet<ObjectKey>>,
    pruned: Mutex<HashSet<ObjectKey>>,
    /// What this run will not write any more; nobody waits for these.
    given_up: Mutex<HashSet<ObjectKey>>,
    stopped: Mutex<Option<(Code, String)>>,
    stop: AtomicBool,
    hand: Hand,
    done: AtomicU64,
    total: u64,
}

/// Does the work. Every object's outcome is said to the run as soon as it is known.
pub(crate) async fn apply(run: &Run, cluster: &Cluster, kinds: &Kinds, work: &Work<'_>) -> Applied {
    let by_key: HashMap<&ObjectKey, &Differing> = work.differing.iter().map(|d| (&d.manifest.key, d)).collect();
    let writer = Writer {
        run,
        cluster,
        kinds,
        rules: work.rules,
        plan: work.plan,
        frees: &work.frees,
        going: work.deletions.iter().flatten().collect(),
        written: Mutex::default(),
        pruned: Mutex::default(),
        given_up: Mutex::default(),
        stopped: Mutex::default(),
        stop: AtomicBool::new(false),
        hand: Hand::default(),
        done: AtomicU64::new(0),
        total: work.plan.len() as u64,
    };
    run.advance(Phase::Apply, 0, writer.total);
    if !work.deletions.is_empty() {
        writer.write_steps(&work.plan.steps, &by_key, |key| work.first.contains(key)).await;
        writer.delete_steps(work.deletions).await;
    }
    writer.write_steps(&work.plan.steps, &by_key, |key| !work.first.contains(key)).await;
    let inner = |set: Mutex<HashSet<ObjectKey>>| set.into_inner().unwrap_or_else(PoisonError::into_inner);
    Applied {
        written: inner(writer.written),
        pruned: inner(writer.pruned),
        stopped: writer.stopped.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

impl Writer<'_> {
    fn outcome(&self, key: &ObjectKey, outcome: OutcomeKind, attempts: u32) -> ObjectOutcome {
        ObjectOutcome {
            key: key.clone(),
            outcome,
            verified: false,
            code: None,
            message: String::new(),
            overwrote: Vec::new(),
            attempts,
            at: self.run.now(),
            detail: OutcomeDetail::default(),
        }
    }

    fn refusal(&self, key: &ObjectKey, kind: OutcomeKind, code: Code, message: String, attempts: u32) -> ObjectOutcome {
        ObjectOutcome { code: Some(code), message, ..self.outcome(key, kind, attempts) }
    }

    /// Whether a write may leave now; otherwise the object's outcome. A dry run changes nothing, so nobody minds it.
    fn may_send(&self, key: &ObjectKey, attempts: u32) -> Result<(), Box<ObjectOutcome>> {
        let refuse = |e: crate::Error| self.refusal(key, OutcomeKind::NotAttempted, e.code, e.message, attempts);
        if !self.rules.dry_run {
            self.run.may_write(key).map_err(|e| Box::new(refuse(e)))?;
        }
        self.run.tries(key);
        Ok(())
    }

    /// Waits for the next try of what failed in a way that passes, by itself or because this run makes it pass (`ours`).
    /// `false`: there is none.
    async fn next_try(
        &self,
        phase: Phase,
        key: &ObjectKey,
        error: &cluster::Error,
        ours: bool,
        retries: &mut u32,
    ) -> bool {
        if !(error.passes() || ours) || *retries >= RETRIES {
            return false;
        }
        *retries += 1;
        let what = format!("{} {}", key.kind, key.name);
        let (attempt, of) = (*retries + 1, RETRIES + 1);
        let next = Next { what: &what, why: error, code: error.code(), asked: error.retry_after, attempt, of };
        next.wait(self.run, phase).await
    }

    /// Notes what came back from a call that writes. Where no answer came it may have been carried out, whatever later
    /// tries come to (`lost`); a dry run changes nothing.
    fn hear<T>(&self, key: &ObjectKey, answer: &Result<T, cluster::Error>, lost: &mut bool) {
        *lost |= !self.rules.dry_run && answer.as_ref().is_err_and(may_be_done);
        if let Err(e) = answer {
            self.run.failed_try(key, e.to_string());
        }
        if answer.is_ok() || !*lost {
            self.run.answered(key);
        }
    }

    async fn write_steps(
        &self,
        steps: &[Rank],
        by_key: &HashMap<&ObjectKey, &Differing>,
        is_wanted: impl Fn(&ObjectKey) -> bool,
    ) {
        for step in steps {
            let wanted: Vec<&ObjectKey> = step.writes.iter().map(|w| &w.key).filter(|key| is_wanted(key)).collect();
            if wanted.is_empty() || self.is_stopped() {
                continue;
            }
            let writes = wanted.into_iter().filter_map(|key| by_key.get(key)).map(|d| self.write(d).boxed());
            self.at_once(writes.collect()).await;
        }
    }

    async fn delete_steps(&self, steps: &[Vec<Going>]) {
        let total = steps.iter().map(Vec::len).sum::<usize>() as u64;
        let mut done = 0;
        self.run.begin(Phase::Prune, if self.rules.dry_run { "Asking about deletions" } else { "Deleting" });
        self.run.advance(Phase::Prune, 0, total);
        for step in steps {
            if self.is_stopped() {
                break;
            }
            self.at_once(step.iter().map(|going| self.delete(going).boxed()).collect()).await;
            done += step.len() as u64;
            self.run.advance(Phase::Prune, done, total);
        }
    }

    async fn at_once(&self, work: Vec<BoxFuture<'_, ()>>) {
        stream::iter(work).buffer_unordered(self.cluster.limits().concurrency.max(1)).collect::<Vec<()>>().await;
    }

    async fn write(&self, d: &Differing) {
        if self.is_stopped() {
            return;
        }
        self.take_up(Phase::Apply, &d.manifest.key);
        let outcome = self.settle(d).await;
        self.put_down(Phase::Apply, &d.manifest.key);
        let settled = if outcome.outcome.is_good() { &self.written } else { &self.given_up };
        lock(settled).insert(d.manifest.key.clone());
        self.say(outcome);
        self.run.advance(Phase::Apply, self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total);
    }

    async fn delete(&self, going: &Going) {
        if self.is_stopped() {
            return;
        }
        self.take_up(Phase::Prune, &going.key);
        let outcome = self.prune(going).await;
        self.put_down(Phase::Prune, &going.key);
        if outcome.outcome == OutcomeKind::Pruned {
            lock(&self.pruned).insert(going.key.clone());
        }
        self.say(outcome);
    }

    /// What no object of this run can get past ends the run; going on would only repeat it object by object.
    fn say(&self, outcome: ObjectOutcome) {
        if let Some(
            code @ (Code::KubernetesUnauthorized
            | Code::ConnectionFailed
            | Code::KubernetesUnavailable
            | Code::KubernetesTimeout
            | Code::KubernetesWebhookDown
            | Code::StoreUnavailable),
        ) = outcome.code
        {
            self.stop.store(true, Ordering::Relaxed);
            lock(&self.stopped).get_or_insert((code, outcome.message.clone()));
        }
        self.amend(outcome);
    }

    /// Gives an object this outcome; what was known of it before the write stays known.
    fn amend(&self, outcome: ObjectOutcome) {
        let key = outcome.key.clone();
        self.run.amend(&key, |before| {
            let OutcomeDetail { switches, deletion, .. } = std::mem::take(&mut before.detail);
            *before = outcome;
            (before.detail.switches, before.detail.deletion) = (switches, deletion);
        });
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether this run has written an object, or deleted it.
    fn is_done(&self, key: &ObjectKey) -> bool {
        lock(&self.pruned).contains(key) || lock(&self.written).contains(key)
    }

    fn given_up(&self) -> MutexGuard<'_, HashSet<ObjectKey>> {
        lock(&self.given_up)
    }
}

/// Whether a call that failed may have been carried out: its answer was lost, or whoever answered may not know.
fn may_be_done(error: &cluster::Error) -> bool {
    error.outcome_unknown || error.kind == ErrorKind::Server
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
