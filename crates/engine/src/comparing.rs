//! Desired × live → the stored comparison. The one place where verdicts are made; status, counts, pages and plans all
//! read what is computed here.
//!
//! What was judged before is remembered per fabric (resource version and manifest), so that a comparison that finds
//! nothing new judges nothing again and writes one row.

mod confirm;
mod judge;
mod memory;
mod rollout;
mod tally;
#[cfg(test)]
mod tests;
mod verdicts;

pub(crate) use confirm::{Asking, confirm};
pub(crate) use judge::was_applied;
pub(crate) use memory::Memories;
pub(crate) use rollout::state_of;
pub(crate) use tally::Tally;
pub(crate) use verdicts::{Depth, Settled};

use crate::aging::is_still_to_come;
use crate::blocking::compute;
use crate::findings::Findings;
use crate::observing::{Live, Observation, Problem};
use crate::run::Run;
use crate::{Error, Event, Shared};
use model::compare::{Deletion, FieldDiff, ObjectState};
use model::manifest::{Manifest, Severity};
use model::operation::Trigger;
use model::{Body, Code, ObjectKey};
use serde_json::Value;
use source::Desired;
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;
use store::comparisons::CommitInfo;
use store::{Comparison, ComparisonResult, NewComparison, ObjectDelta};

/// How many findings a comparison keeps; their number is exact.
const FINDINGS_KEPT: usize = 500;

/// An object that is not as desired, with all that is needed to make it so.
#[derive(Clone)]
pub(crate) struct Differing {
    pub manifest: Arc<Manifest>,
    pub live: Option<Arc<Live>>,
    pub base: Option<Body>,
    pub state: ObjectState,
    pub diffs: Vec<FieldDiff>,
    /// The comparison at which the live form was first seen; `None` when it is this one.
    pub changed_in: Option<i64>,
    /// What this run leaves as it is in the cluster; nothing, unless the request says so.
    pub left: Vec<model::path::Path>,
}

impl Differing {
    /// The manifest's object, parsed.
    pub fn desired(&self) -> Value {
        self.manifest.object.value()
    }

    /// The live object, parsed.
    pub fn live(&self) -> Option<Arc<Value>> {
        self.live.as_ref().map(|live| live.value())
    }

    /// What is known of it when it is being deleted: then nothing is written to it.
    pub fn deletion(&self) -> Option<Deletion> {
        let is_told = self.diffs.iter().any(|diff| diff.path == Deletion::FIELD);
        self.live.as_ref().filter(|_| is_told).and_then(|live| Deletion::of(&live.value()))
    }

    /// The form that was last verified live, parsed.
    pub fn base(&self) -> Option<Value> {
        self.base.as_ref().map(Body::value)
    }
}

/// Why an object is left alone.
#[derive(Clone)]
pub(crate) struct Blocked {
    pub code: Code,
    pub message: String,
}

/// What a comparison found.
pub(crate) struct Compared {
    pub comparison: Comparison,
    /// Objects that exist in the source and differ from the cluster (or are not there), in identity order.
    pub differing: Vec<Differing>,
    /// Objects that are equal, and those that stand only in the cluster.
    pub settled: Arc<Settled>,
    /// Objects that are not written: the manifest is wrong, or the kind could not be read.
    pub blocked: Vec<(ObjectKey, Blocked)>,
    pub findings: Arc<Findings>,
    pub problems: Vec<Problem>,
    /// What was compared, for following the rollout.
    pub observation: Arc<Observation>,
}

impl Compared {
    /// The differences alone, for whoever keeps them for a while: the whole would keep every live object as it was.
    pub fn differences(self) -> Self {
        let of = |d: &Differing| Some((Arc::new(d.manifest.key.clone()), d.live.clone()?));
        let observation = Observation {
            live: self.differing.iter().filter_map(of).collect(),
            agents: None,
            began_at: self.observation.began_at,
            observed_at: self.observation.observed_at,
            kinds: self.observation.kinds.clone(),
            read: self.observation.read.clone(),
            problems: Vec::new(),
            versions: std::collections::HashMap::new(),
        };
        Self { observation: Arc::new(observation), ..self }
    }

    /// Errors in the source that are about no object that could be named.
    pub fn source_errors(&self) -> usize {
        self.findings.all.iter().filter(|f| f.severity == Severity::Error).count()
    }

    /// Why nothing is known of an object: its kind could not be read. `None` when it was.
    pub fn unread(&self, key: &ObjectKey) -> Option<(Code, String)> {
        if self.observation.has_read(&key.group, &key.kind) {
            return None;
        }
        let of_kind = self.problems.iter().find(|p| p.group == key.group && p.kind == key.kind);
        // What hides kinds is about the cluster as a whole.
        let problem = of_kind.or_else(|| self.problems.iter().find(|p| p.kind.is_empty()));
        let silent = || (Code::KubernetesUnavailable, format!("The kind {} was not read.", key.kind));
        Some(problem.map_or_else(silent, |p| (p.code, p.message.clone())))
    }

    /// What was found, in one sentence.
    pub fn sentence(&self) -> String {
        // Of what was not read nobody knows whether it differs.
        let unread = self.blocked.iter().filter(|(key, _)| self.unread(key).is_some()).count();
        let differ = self.differing.len() + self.blocked.len() - unread;
        let all = differ + self.settled.equal.len();
        let extra = match self.settled.extra.len() {
            0 => String::new(),
            1 => " 1 more stands only in the cluster.".to_owned(),
            n => format!(" {n} more stand only in the cluster."),
        };
        let unread = match unread {
            0 => String::new(),
            1 => " 1 could not be read.".to_owned(),
            n => format!(" {n} could not be read."),
        };
        match (all, differ) {
            (0, _) if unread.is_empty() => format!("The source holds no objects.{extra}"),
            (0, _) => format!("None of the source's objects was compared.{unread}{extra}"),
            (1, 0) => format!("The one object that was compared is equal.{unread}{extra}"),
            (n, 0) if unread.is_empty() => format!("All {n} objects are equal.{extra}"),
            (n, 0) => format!("All {n} objects that were compared are equal.{unread}{extra}"),
            (n, d) => format!("{d} of {n} objects differ.{unread}{extra}"),
        }
    }
}

/// What goes into a comparison.
#[derive(Clone)]
pub(crate) struct Input<'a> {
    pub fabric: &'a store::Fabric,
    pub operation_id: Option<i64>,
    pub trigger: Trigger,
    pub desired: &'a Arc<Desired>,
    pub observation: &'a Arc<Observation>,
    /// Problems besides those of the observation, for example a source that could not be fetched just now.
    pub problems: Vec<Problem>,
}

/// Compares and stores. Comparisons of one fabric are made one after the other, without a word over the network
/// between; one whose evidence is older than what is stored already serves its caller, but does not replace it.
pub(crate) async fn compare(shared: &Arc<Shared>, input: Input<'_>) -> Result<Compared, Error> {
    let found = compare_to(shared, input, Depth::Everything, Storing::Always).await?;
    found.compared.ok_or_else(|| Error::new(Code::Internal, "A comparison was not stored."))
}

/// Compares, and stores only what the newest comparison does not say already.
pub(crate) async fn compare_news(shared: &Arc<Shared>, input: Input<'_>, depth: Depth) -> Result<News, Error> {
    compare_to(shared, input, depth, Storing::News).await
}

/// What a comparison has found that was not known.
pub(crate) struct News {
    /// What was found; `None` when all of it is known.
    pub compared: Option<Compared>,
    /// The stored comparison that says what was found.
    pub says_it: Option<i64>,
    /// Whether the rules and the agents still have to be asked about the whole.
    pub owes_the_whole: bool,
    /// Whether nothing was compared, because somebody else has compared with another reading of the source meanwhile.
    pub is_outdated: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Storing {
    Always,
    News,
}

async fn compare_to(shared: &Arc<Shared>, input: Input<'_>, depth: Depth, storing: Storing) -> Result<News, Error> {
    let (fabric_id, observation) = (input.fabric.id, input.observation);
    let memory_of_fabric = shared.memories.of(fabric_id);
    let mut slot = memory_of_fabric.lock().await;
    if storing == Storing::News && !shared.watching.stands(fabric_id, input.desired) {
        return Ok(News { compared: None, says_it: None, owes_the_whole: true, is_outdated: true });
    }
    // Until the comparison is stored the slot is empty. Whatever ends this before, an error or a cancel, leaves a memory
    // that is read anew, never one that says what the store does not.
    let mut memory = std::mem::take(&mut *slot);
    let began = Instant::now();
    memory.load(shared, input.fabric).await?;
    // What was read while the clock was ahead keeps nothing from being stored.
    let now = shared.now();
    let newest = memory.newest.filter(|newest| !is_still_to_come(*newest, now));
    let stale = newest.is_some_and(|newest| newest > observation.observed_at);
    let of_source = memory.checked.findings(shared, input.fabric, input.desired, &observation.kinds).await?;
    let (desired, live) = (input.desired.clone(), observation.clone());
    let prepared = compute("Comparing", move || verdicts::prepare(memory, desired, live, of_source, depth)).await?;
    let (findings, owes_the_whole) = (prepared.findings.clone(), prepared.owes_the_whole);
    let prepared_at = Instant::now();
    let bases = shared.store.objects().bases(fabric_id, &prepared.bases_needed).await?.into_iter().collect();
    let verdicts = compute("Comparing", move || verdicts::judge_all(prepared, bases)).await?;
    let judged_at = Instant::now();
    let verdicts::Verdicts { mut memory, mut delta, found, settled } = verdicts;

    let mut problems = observation.problems.clone();
    problems.extend(input.problems.iter().cloned());
    problems.extend(missing_kinds(&input));
    let new = record(shared, &input, &settled.tally, &findings, &problems);
    let digest = digest(&new);
    let says_the_same = memory.last.is_some_and(|(_, last)| last == digest);
    if storing == Storing::News && (stale || delta.upserts.is_empty() && delta.deletes.is_empty() && says_the_same) {
        let says_it = memory.last.map(|(id, _)| id).filter(|_| !stale);
        if !stale {
            *slot = memory;
        }
        return Ok(News { compared: None, says_it, owes_the_whole, is_outdated: false });
    }
    delta.agents = observation.agents.as_ref().map(|agents| rollout::rows(agents, observation.observed_at));
    if stale {
        // A newer reading is stored already. This one's verdicts serve its caller; the rows stay the newer ones.
        delta = ObjectDelta::default();
    }
    let id = shared.store.comparisons().save(&new, &delta).await?;
    tracing::debug!(
        fabric = fabric_id,
        rows = delta.upserts.len() + delta.deletes.len(),
        stale,
        whole = !owes_the_whole,
        prepared_ms = (prepared_at - began).as_millis() as u64,
        judged_ms = (judged_at - prepared_at).as_millis() as u64,
        stored_ms = judged_at.elapsed().as_millis() as u64,
        "compared"
    );
    let comparison = Comparison { id, comparison: new, confirmed_until: None };
    if !stale {
        memory.stored(id, observation.observed_at, digest);
        *slot = memory;
    }
    if storing == Storing::Always {
        shared.watching.compared(fabric_id, input.desired, &input.problems);
    }
    shared.events.send(fabric_id, Event::Compared { comparison_id: id });
    let verdicts::Found { differing, blocked } = found;
    let observation = observation.clone();
    let compared = Compared { comparison, differing, settled, blocked, findings, problems, observation };
    Ok(News { compared: Some(compared), says_it: (!stale).then_some(id), owes_the_whole, is_outdated: false })
}

/// The agents as the store keeps them.
pub(crate) use rollout::rows as agent_rows;

/// A digest of what a comparison's row says, but for its times and what it was part of.
fn digest(new: &NewComparison) -> u64 {
    let mut hasher = DefaultHasher::new();
    let texts = [&new.problems, &new.counts, &new.kinds].map(Value::to_string);
    let findings =
        new.findings.iter().map(|f| (f.severity as u8, &f.rule, &f.path, &f.message, &f.object, &f.location));
    let commit = new.commit.as_ref().map(|commit| &commit.id);
    (texts, commit, new.result.as_str(), new.code.map(Code::as_str), &new.message, new.findings_total)
        .hash(&mut hasher);
    findings.for_each(|finding| finding.hash(&mut hasher));
    hasher.finish()
}

/// The row of a comparison.
fn record(
    shared: &Shared,
    input: &Input<'_>,
    tally: &Tally,
    findings: &Findings,
    problems: &[Problem],
) -> NewComparison {
    let (observation, commit, now) = (input.observation, &input.desired.commit, shared.now());
    let (result, code, message) = match problems.first() {
        None => (ComparisonResult::Ok, None, String::new()),
        Some(first) => (ComparisonResult::Partial, Some(first.code), first.message.clone()),
    };
    NewComparison {
        fabric_id: input.fabric.id,
        operation_id: input.operation_id,
        trigger: input.trigger,
        commit: Some(CommitInfo {
            id: commit.id.clone(),
            time: Some(commit.time),
            subject: commit.subject.clone(),
            author: commit.author.clone(),
        }),
        observed_at: observation.observed_at,
        finished_at: now,
        result,
        code,
        message,
        problems: to_json(&problems),
        counts: to_json(tally),
        findings: findings.all.iter().take(FINDINGS_KEPT).cloned().collect(),
        findings_total: findings.all.len() as u64,
        release: None,
        duration_ms: millis(observation.began_at, now),
        kinds: crate::read_kinds::of(observation),
    }
}

fn millis(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

fn to_json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// Stores that a comparison failed, and why.
pub(crate) async fn failed(
    shared: &Shared,
    fabric_id: i64,
    operation_id: Option<i64>,
    trigger: Trigger,
    observed_at: jiff::Timestamp,
    error: &Error,
) -> Result<(), Error> {
    let new = NewComparison {
        fabric_id,
        operation_id,
        trigger,
        commit: None,
        observed_at,
        finished_at: shared.now(),
        result: ComparisonResult::Failed,
        code: Some(error.code),
        message: error.message.clone(),
        problems: Value::Array(Vec::new()),
        counts: Value::Null,
        findings: Vec::new(),
        findings_total: 0,
        release: None,
        duration_ms: millis(observed_at, shared.now()),
        kinds: Value::Array(Vec::new()),
    };
    shared.store.comparisons().save(&new, &ObjectDelta::default()).await?;
    shared.watching.failed(fabric_id);
    shared.events.send(fabric_id, Event::Changed);
    Ok(())
}

/// The same within a running operation.
pub(crate) async fn failed_run(run: &Run, error: &Error) -> Result<(), Error> {
    let operation = &run.operation;
    failed(&run.shared, operation.fabric_id, Some(operation.id), operation.trigger, run.now(), error).await
}

fn no_such_kind(kind: &str, group: &str) -> String {
    format!(
        "The cluster does not serve the kind {kind} of {group}: its Hedgehog release does not have it, or is not installed."
    )
}

/// Whether a stored problem hides objects of the cluster: not one of the source, and not a kind that there is none of.
pub(crate) fn hides_objects(problem: &Problem) -> bool {
    !problem.is_of_source() && problem.message != no_such_kind(&problem.kind, &problem.group)
}

/// Kinds that the source holds and the cluster does not serve, each named once.
fn missing_kinds(input: &Input<'_>) -> Vec<Problem> {
    let kinds = &input.observation.kinds;
    let wanted: BTreeSet<(&str, &str)> =
        input.desired.manifests.iter().map(|m| (m.key.group.as_str(), m.key.kind.as_str())).collect();
    wanted
        .into_iter()
        .filter(|(group, kind)| kinds.find(group, kind).is_none())
        .map(|(group, kind)| Problem {
            group: group.to_owned(),
            kind: kind.to_owned(),
            code: Code::KubernetesRejected,
            message: no_such_kind(kind, group),
        })
        .collect()
}
