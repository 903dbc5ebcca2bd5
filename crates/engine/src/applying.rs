//! Making the cluster equal to the desired state, object by object, by compare-and-swap.
//!
//! Objects of one rank are written at once, ranks one after the other. A write happens only on the very form that was
//! compared; when somebody else was faster the object is looked at again, a few times, and then said to be changed
//! meanwhile. What is transient is tried again with a growing pause; what is not ends with the server's own words.

use crate::comparing::Differing;
use crate::retrying::Next;
use crate::run::Run;
use cluster::{Cluster, Kinds};
use futures::future::{BoxFuture, FutureExt};
use futures::stream::{self, StreamExt};
use model::compare::{FieldDiff, ObjectState, compare_object, desired_for_write, removed_link_addresses};
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase};
use model::plan::{MissingReference, Plan, reference_not_found};
use model::{Code, ObjectKey};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How often an object that somebody else changed is looked at again before that is said.
const ROUNDS: u32 = 4;
/// How often a transient failure is tried again.
const RETRIES: u32 = 5;

/// Rules of one run.
pub(crate) struct Rules {
    /// The comparison that the user's page showed; what changed in the cluster after it is not overwritten.
    pub shown_comparison: Option<i64>,
    /// Whether link addresses may be taken away from live objects.
    pub allow_address_removal: bool,
}

/// What the writing of all ranks came to.
pub(crate) struct Applied {
    /// What was written and accepted.
    pub written: HashSet<ObjectKey>,
    /// Why writing stopped before its end, if it did.
    pub stopped: Option<(Code, String)>,
}

struct Writer<'a> {
    run: &'a Run,
    cluster: &'a Cluster,
    kinds: &'a Kinds,
    rules: &'a Rules,
    /// What this run creates: a reference to one of these that is "not found" only needs time.
    plan: &'a Plan,
    written: Mutex<HashSet<ObjectKey>>,
    /// What this run will not write any more; nobody waits for these.
    given_up: Mutex<HashSet<ObjectKey>>,
    stopped: Mutex<Option<(Code, String)>>,
    stop: AtomicBool,
    done: AtomicU64,
    total: u64,
}

/// Writes the given objects, rank by rank. Every object's outcome is said to the run as soon as it is known.
pub(crate) async fn apply(
    run: &Run,
    cluster: &Cluster,
    kinds: &Kinds,
    plan: &Plan,
    differing: &[Differing],
    rules: &Rules,
) -> Applied {
    let total = plan.len() as u64;
    let by_key: HashMap<&ObjectKey, &Differing> = differing.iter().map(|d| (&d.manifest.key, d)).collect();
    let writer = Writer {
        run,
        cluster,
        kinds,
        rules,
        plan,
        written: Mutex::new(HashSet::new()),
        given_up: Mutex::new(HashSet::new()),
        stopped: Mutex::new(None),
        stop: AtomicBool::new(false),
        done: AtomicU64::new(0),
        total,
    };
    run.advance(Phase::Apply, 0, total);
    for step in &plan.steps {
        if writer.stop.load(Ordering::Relaxed) {
            break;
        }
        let kinds: BTreeSet<&str> = step.writes.iter().map(|w| w.key.kind.as_str()).collect();
        run.detail(Phase::Apply, format!("Writing {}", kinds.into_iter().collect::<Vec<_>>().join(", ")));
        let writes: Vec<BoxFuture<'_, ()>> =
            step.writes.iter().filter_map(|w| by_key.get(&w.key)).map(|d| writer.write(d).boxed()).collect();
        stream::iter(writes).buffer_unordered(cluster.limits().concurrency.max(1)).collect::<Vec<()>>().await;
    }
    Applied {
        written: writer.written.into_inner().unwrap_or_else(PoisonError::into_inner),
        stopped: writer.stopped.into_inner().unwrap_or_else(PoisonError::into_inner),
    }
}

/// What one look at an object says is to be done.
enum Step {
    Create(Value),
    Replace(Value),
    Settled(ObjectOutcome),
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

    async fn write(&self, d: &Differing) {
        if self.stop.load(Ordering::Relaxed) {
            return;
        }
        let outcome = self.settle(d).await;
        let settled = if outcome.outcome.is_good() { &self.written } else { &self.given_up };
        settled.lock().unwrap_or_else(PoisonError::into_inner).insert(d.manifest.key.clone());
        // What no object of this run can get past ends the run; going on would only repeat it object by object.
        if let Some(
            code @ (Code::KubernetesUnauthorized
            | Code::ConnectionFailed
            | Code::KubernetesUnavailable
            | Code::KubernetesTimeout
            | Code::KubernetesWebhookDown),
        ) = outcome.code
        {
            self.halt(code, &outcome.message);
        }
        self.run.outcome(outcome);
        self.run.advance(Phase::Apply, self.done.fetch_add(1, Ordering::Relaxed) + 1, self.total);
    }

    fn halt(&self, code: Code, message: &str) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((code, message.to_owned()));
    }

    /// Brings one object to its end.
    async fn settle(&self, d: &Differing) -> ObjectOutcome {
        let key = &d.manifest.key;
        let Some(kind) = self.kinds.find(&key.group, &key.kind) else {
            let message = format!("The cluster does not serve the kind {}.", d.manifest.gvk);
            return self.refusal(key, OutcomeKind::NotAttempted, Code::KubernetesRejected, message, 0);
        };
        // Where the live form is the one that Hedgerow itself verified last, there is nothing of others to overwrite.
        let of_others = matches!(d.state, ObjectState::Modified | ObjectState::Conflict) || d.base.is_none();
        if let Some(shown) = self.rules.shown_comparison
            && d.live.is_some()
            && of_others
            && d.changed_in.is_none_or(|at| at > shown)
        {
            let message = format!(
                "It changed in the cluster after the comparison that the page showed ({}); it was not overwritten. \
                 Look at the differences and sync again.",
                d.diffs.iter().map(describe).collect::<Vec<_>>().join("; ")
            );
            return self.refusal(key, OutcomeKind::ChangedMeanwhile, Code::ChangedSinceComparison, message, 0);
        }
        let mut live = d.live.clone();
        let mut overwrote: Vec<String> = overwritten(d.state, &d.diffs);
        let (mut rounds, mut retries, mut attempts) = (0, 0, 0);
        loop {
            let step = self.decide(d, live.as_deref(), attempts);
            attempts += 1;
            if let Err(e) = self.run.may_write(key) {
                self.halt(e.code, &e.message);
                return self.refusal(key, OutcomeKind::NotAttempted, e.code, e.message, attempts - 1);
            }
            let (written, kind_of_outcome) = match &step {
                Step::Settled(outcome) => return ObjectOutcome { overwrote, ..outcome.clone() },
                Step::Create(object) => (self.cluster.create(kind, object, false).await, OutcomeKind::Created),
                Step::Replace(object) => (self.cluster.replace(kind, object, false).await, OutcomeKind::Updated),
            };
            self.run.answered(key);
            let error = match written {
                Ok(written) => {
                    let message = written.warnings.join("; ");
                    return ObjectOutcome { message, overwrote, ..self.outcome(key, kind_of_outcome, attempts) };
                }
                Err(e) => e,
            };
            let code = error.code();
            if code == Code::KubernetesConflict {
                match self.look_again(kind, d, live.as_deref()).await {
                    Ok(Again::Go(now)) if rounds < ROUNDS => {
                        rounds += 1;
                        live = now;
                        continue;
                    }
                    Ok(Again::Settled) => {
                        let message = "It was made so by somebody else, or by an earlier try.".to_owned();
                        let outcome = if retries > 0 { kind_of_outcome } else { OutcomeKind::Unchanged };
                        return ObjectOutcome { message, overwrote, ..self.outcome(key, outcome, attempts) };
                    }
                    Ok(Again::Go(_)) => {
                        let message = format!("It was changed {rounds} times while it was being written: {error}");
                        return self.refusal(key, OutcomeKind::ChangedMeanwhile, code, message, attempts);
                    }
                    Ok(Again::Changed(how)) => {
                        overwrote.clear();
                        let message = format!("It was changed between comparison and write ({how}); not overwritten.");
                        return self.refusal(key, OutcomeKind::ChangedMeanwhile, code, message, attempts);
                    }
                    Err(e) => return self.failed(key, &e, attempts),
                }
            }
            let waiting_for = reference_not_found(&error.message).filter(|missing| self.may_come(missing));
            let transient = code.retryable() && code != Code::KubernetesConflict;
            if retries < RETRIES && (transient || waiting_for.is_some()) {
                retries += 1;
                let what = format!("{} {}", key.kind, key.name);
                let (attempt, of) = (retries + 1, RETRIES + 1);
                let next = Next { what: &what, why: &error, code, asked: error.retry_after, attempt, of };
                if next.wait(self.run, Phase::Apply).await {
                    continue;
                }
            }
            return self.failed(key, &error, attempts);
        }
    }

    /// Whether this run may still provide what a webhook did not find: it is being written, or was, and the webhook's
    /// own view lags behind.
    fn may_come(&self, missing: &MissingReference) -> bool {
        let given_up = self.given_up.lock().unwrap_or_else(PoisonError::into_inner);
        self.plan.providers(missing).any(|key| !given_up.contains(key))
    }

    fn failed(&self, key: &ObjectKey, error: &cluster::Error, attempts: u32) -> ObjectOutcome {
        let kind = match error.code() {
            Code::KubernetesRejected => OutcomeKind::Refused,
            _ => OutcomeKind::Failed,
        };
        self.refusal(key, kind, error.code(), error.to_string(), attempts)
    }

    fn decide(&self, d: &Differing, live: Option<&Value>, attempts: u32) -> Step {
        let key = &d.manifest.key;
        let object = desired_for_write(&d.manifest.object, live, d.base.as_ref());
        let Some(live) = live else { return Step::Create(object) };
        let lost = removed_link_addresses(&object, live);
        if !lost.is_empty() && !self.rules.allow_address_removal {
            let paths = lost.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("The write would take away addresses that the live object has ({paths}).");
            return Step::Settled(self.refusal(
                key,
                OutcomeKind::NotAttempted,
                Code::AddressRemoval,
                message,
                attempts,
            ));
        }
        Step::Replace(object)
    }

    /// After a conflict: what is there now, and does it still leave us free to write?
    async fn look_again(
        &self,
        kind: &cluster::KindInfo,
        d: &Differing,
        compared: Option<&Value>,
    ) -> Result<Again, cluster::Error> {
        let key = &d.manifest.key;
        let now = self.cluster.get(kind, &key.namespace, &key.name).await?;
        let Some(now) = now else { return Ok(Again::Go(None)) };
        let (state, diffs) = compare_object(Some(&d.manifest.object), Some(&now), d.base.as_ref());
        if state == ObjectState::Equal {
            return Ok(Again::Settled);
        }
        // Only status or metadata moved: what was compared still stands, so the write is taken up again.
        let (same, changes) = match compared {
            Some(compared) => compare_object(Some(compared), Some(&now), None),
            None => (ObjectState::Conflict, diffs),
        };
        if same == ObjectState::Equal {
            return Ok(Again::Go(Some(Arc::new(now))));
        }
        Ok(Again::Changed(changes.iter().map(describe).collect::<Vec<_>>().join("; ")))
    }
}

enum Again {
    /// Try again on this form.
    Go(Option<Arc<Value>>),
    /// It is as desired already.
    Settled,
    /// Somebody else changed it; how.
    Changed(String),
}

/// One field in one line: what was where, and who put it there.
pub(crate) fn describe(diff: &FieldDiff) -> String {
    let show = |v: &Option<Value>| v.as_ref().map_or_else(|| "absent".to_owned(), short);
    let by = diff.manager.as_ref().map(|m| format!(", by {m}")).unwrap_or_default();
    format!("{}: {} in the cluster, {} in Git{by}", diff.path, show(&diff.live), show(&diff.desired))
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text }
}

/// What a write overwrites of others: only what was changed in the cluster.
fn overwritten(state: ObjectState, diffs: &[FieldDiff]) -> Vec<String> {
    if matches!(state, ObjectState::Modified | ObjectState::Conflict) {
        diffs.iter().filter(|d| d.side != model::compare::Side::Desired).map(describe).collect()
    } else {
        Vec::new()
    }
}
