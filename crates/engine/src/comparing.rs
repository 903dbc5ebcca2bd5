//! Desired × live → the stored comparison. The one place where verdicts are made; status, counts, pages and plans all
//! read what is computed here.
//!
//! What was judged before is remembered per fabric (resource version and manifest), so that a comparison that finds
//! nothing new judges nothing again and writes one row.

mod confirm;
mod judge;
mod memory;
mod rollout;

pub(crate) use confirm::confirm;
pub(crate) use memory::Memories;
pub(crate) use rollout::{Groups, state_of};

use crate::observing::{Observation, Problem};
use crate::run::Run;
use crate::{Error, Event, Shared};
use judge::{Case, judge};
use memory::Memory;
use model::compare::{FieldDiff, ObjectState};
use model::manifest::{Finding, Manifest, Severity};
use model::operation::Trigger;
use model::status::Counts;
use model::{Code, ObjectKey};
use serde_json::Value;
use source::Desired;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use store::comparisons::CommitInfo;
use store::{Comparison, ComparisonResult, NewComparison, ObjectDelta};

/// How many findings a comparison keeps; their number is exact.
const FINDINGS_KEPT: usize = 500;

/// An object that is not as desired, with all that is needed to make it so.
#[derive(Clone)]
pub(crate) struct Differing {
    pub manifest: Manifest,
    pub live: Option<Arc<Value>>,
    pub base: Option<Value>,
    pub state: ObjectState,
    pub diffs: Vec<FieldDiff>,
    /// The comparison at which the live form was first seen; `None` when it is this one.
    pub changed_in: Option<i64>,
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
    /// Objects that are equal.
    pub equal: Vec<ObjectKey>,
    /// Objects that stand only in the cluster, of kinds that the fabric manages.
    pub extra: Vec<ObjectKey>,
    /// Objects that are not written: the manifest is wrong, or the kind could not be read.
    pub blocked: Vec<(ObjectKey, Blocked)>,
    pub findings: Vec<Finding>,
    /// Those of them that the rules before a write made.
    pub rule_findings: Vec<Finding>,
    pub problems: Vec<Problem>,
    /// The live objects that were compared, for following the rollout.
    pub live: HashMap<ObjectKey, Arc<Value>>,
}

impl Compared {
    /// Errors in the source that are about no object that could be named.
    pub fn source_errors(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error).count()
    }

    /// What was found, in one sentence.
    pub fn sentence(&self) -> String {
        let differ = self.differing.len() + self.blocked.len();
        let all = differ + self.equal.len();
        let extra = match self.extra.len() {
            0 => String::new(),
            1 => " 1 more stands only in the cluster.".to_owned(),
            n => format!(" {n} more stand only in the cluster."),
        };
        match (all, differ) {
            (0, _) => format!("The source holds no objects.{extra}"),
            (n, 0) => format!("All {n} objects are equal.{extra}"),
            (n, d) => format!("{d} of {n} objects differ.{extra}"),
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
    pub observation: &'a Observation,
    /// Problems besides those of the observation, for example a source that could not be fetched just now.
    pub problems: Vec<Problem>,
}

/// Compares and stores. Comparisons of one fabric are made one after the other, without a word over the network
/// between; one whose evidence is older than what is stored already serves its caller, but does not replace it.
pub(crate) async fn compare(shared: &Arc<Shared>, input: Input<'_>) -> Result<Compared, Error> {
    let memory = shared.memories.of(input.fabric.id);
    let mut memory = memory.lock().await;
    let done = compare_locked(shared, &mut memory, &input).await;
    if done.is_err() {
        // What is remembered may not be what is stored: the next comparison reads it anew.
        *memory = Memory::default();
    }
    done
}

async fn compare_locked(shared: &Arc<Shared>, memory: &mut Memory, input: &Input<'_>) -> Result<Compared, Error> {
    let (fabric_id, observation) = (input.fabric.id, input.observation);
    memory.load(shared, input.fabric).await?;
    let stale = memory.newest.is_some_and(|newest| newest > observation.observed_at);
    let (findings, rule_findings) = memory.findings(shared, input).await?;
    let by_object = by_object(&findings);
    let manifests: HashMap<&ObjectKey, &Manifest> = input.desired.manifests.iter().map(|m| (&m.key, m)).collect();
    let managed: BTreeSet<(&str, &str)> = manifests.keys().map(|k| (k.group.as_str(), k.kind.as_str())).collect();
    let holdings = observation.agents.as_ref().map(|agents| {
        model::rollout::holdings(observation.live.iter().map(|(key, live)| (key, live.as_ref())), agents)
    });

    let mut keys: BTreeSet<&ObjectKey> = manifests.keys().copied().collect();
    keys.extend(observation.live.keys());
    keys.extend(by_object.keys().copied());
    // What is remembered of a kind that could not be read now stays, as unknown; a kind that is gone takes its objects.
    let unread = |k: &&ObjectKey| {
        let kinds = &observation.kinds;
        !observation.has_read(&k.group, &k.kind)
            && (kinds.find(&k.group, &k.kind).is_some() || kinds.may_be_incomplete())
    };
    keys.extend(memory.objects.keys().filter(unread));
    let gone: Vec<ObjectKey> = memory.objects.keys().filter(|k| !keys.contains(k)).cloned().collect();
    let keys: Vec<ObjectKey> = keys.into_iter().cloned().collect();

    let wanted: Vec<ObjectKey> = keys
        .iter()
        .filter(|key| memory.needs_base(key, manifests.get(key).copied(), observation.live.get(*key)))
        .cloned()
        .collect();
    let mut bases = bases(shared, fabric_id, &wanted).await?;

    let mut delta = ObjectDelta::default();
    let mut counts = Tally::default();
    let mut out = Found::default();
    for key in &keys {
        let case = Case {
            key,
            manifest: manifests.get(key).copied(),
            live: observation.live.get(key),
            base: bases.remove(key),
            findings: by_object.get(key).map_or(&[], Vec::as_slice),
            holdings: holdings.as_ref().map(|h| h.get(key).map_or(&[][..], Vec::as_slice)),
            known: memory.objects.get(key),
            confirmation: memory.confirmations.get(key),
            managed: managed.contains(&(key.group.as_str(), key.kind.as_str())),
            readable: observation.has_read(&key.group, &key.kind),
        };
        let Some(judged) = judge(&case) else {
            if memory.objects.remove(key).is_some() {
                delta.deletes.push(key.clone());
            }
            continue;
        };
        counts.add(&case, &judged.remembered);
        out.sort_in(&case, &judged, observation);
        if let Some(row) = judged.row {
            delta.upserts.push(row);
        }
        memory.objects.insert(key.clone(), judged.remembered);
    }
    for key in gone {
        memory.objects.remove(&key);
        delta.deletes.push(key);
    }
    delta.agents = observation.agents.as_ref().map(|agents| rollout::rows(agents, observation.observed_at));
    let mut problems = observation.problems.clone();
    problems.extend(input.problems.iter().cloned());
    problems.extend(missing_kinds(input));
    let (result, code, message) = match problems.first() {
        None => (ComparisonResult::Ok, None, String::new()),
        Some(first) => (ComparisonResult::Partial, Some(first.code), first.message.clone()),
    };
    let now = shared.now();
    let broken = findings.iter().filter(|f| f.severity == Severity::Error && f.object.is_none()).count();
    counts.totals.broken_documents = broken as u64;
    let commit = &input.desired.commit;
    let new = NewComparison {
        fabric_id,
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
        counts: to_json(&counts),
        findings: findings.iter().take(FINDINGS_KEPT).cloned().collect(),
        findings_total: findings.len() as u64,
        release: None,
        duration_ms: millis(observation.observed_at, now),
        kinds: to_json(&observation.read.iter().map(|(g, k)| format!("{k}.{g}")).collect::<Vec<_>>()),
    };
    if stale {
        // A newer reading is stored already. This one's verdicts serve its caller; the rows stay the newer ones.
        *memory = Memory::default();
        delta = ObjectDelta::default();
    }
    let id = shared.store.comparisons().save(&new, &delta).await?;
    let comparison = Comparison { id, comparison: new };
    if !stale {
        memory.stored(id, observation.observed_at);
    }
    shared.events.send(fabric_id, Event::Compared { comparison_id: id });
    let Found { differing, equal, extra, blocked } = out;
    let live = observation.live.clone();
    Ok(Compared { comparison, differing, equal, extra, blocked, findings, rule_findings, problems, live })
}

/// The forms that were last verified live, of these objects.
async fn bases(shared: &Shared, fabric_id: i64, wanted: &[ObjectKey]) -> Result<HashMap<ObjectKey, Value>, Error> {
    /// Above this, one statement that reads all is cheaper than one each.
    const FEW: usize = 64;
    if wanted.len() > FEW {
        return Ok(shared.store.objects().bases(fabric_id).await?.into_iter().collect());
    }
    let mut found = HashMap::new();
    for key in wanted {
        if let Some(base) = shared.store.objects().get(fabric_id, key).await?.base {
            found.insert(key.clone(), base);
        }
    }
    Ok(found)
}

fn millis(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

fn to_json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// What a comparison found, as its row keeps it: in all, by kind, and how far the switches are.
#[derive(Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Tally {
    pub totals: Counts,
    pub by_kind: BTreeMap<String, BTreeMap<ObjectState, u64>>,
    pub rollout: Groups,
}

impl Tally {
    fn add(&mut self, case: &Case<'_>, judged: &memory::Remembered) {
        let key = case.key;
        let by_kind = self.by_kind.entry(format!("{}.{}", key.kind, key.group)).or_default();
        *by_kind.entry(judged.state).or_default() += 1;
        self.totals.add(judged.state, case.managed);
        if judged.state == ObjectState::Equal && case.findings.iter().any(model::preflight::is_discarded) {
            self.totals.discarded += 1;
        }
        if case.manifest.is_some() {
            self.rollout.add(&judged.holdings);
        }
    }
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
    shared.events.send(fabric_id, Event::Changed);
    Ok(())
}

/// The same within a running operation.
pub(crate) async fn failed_run(run: &Run, error: &Error) -> Result<(), Error> {
    let operation = &run.operation;
    failed(&run.shared, operation.fabric_id, Some(operation.id), operation.trigger, run.now(), error).await
}

#[derive(Default)]
struct Found {
    differing: Vec<Differing>,
    equal: Vec<ObjectKey>,
    extra: Vec<ObjectKey>,
    blocked: Vec<(ObjectKey, Blocked)>,
}

impl Found {
    fn sort_in(&mut self, case: &Case<'_>, judged: &judge::Judged, observation: &Observation) {
        let key = case.key.clone();
        let error = case.findings.iter().find(|f| f.severity == Severity::Error);
        match judged.remembered.state {
            ObjectState::Equal => self.equal.push(key),
            ObjectState::Extra if case.managed => self.extra.push(key),
            ObjectState::Extra => {}
            _ if error.is_some() => {
                let message = error.map(Finding::with_place).unwrap_or_default();
                self.blocked.push((key, Blocked { code: Code::SourceInvalid, message }));
            }
            ObjectState::Unknown if case.manifest.is_none() => {}
            ObjectState::Unknown => {
                let problem = observation.problems.iter().find(|p| p.group == key.group && p.kind == key.kind);
                let blocked = match problem {
                    Some(p) => Blocked { code: p.code, message: format!("The kind could not be read: {}", p.message) },
                    None => Blocked { code: Code::KubernetesRejected, message: no_such_kind(&key.kind, &key.group) },
                };
                self.blocked.push((key, blocked));
            }
            state => self.differing.extend(case.manifest.map(|manifest| Differing {
                manifest: manifest.clone(),
                live: case.live.cloned(),
                base: judged.base.clone(),
                state,
                diffs: judged.diffs.clone(),
                changed_in: judged.remembered.changed_in,
            })),
        }
    }
}

fn no_such_kind(kind: &str, group: &str) -> String {
    format!(
        "The cluster does not serve the kind {kind} of {group}: its Hedgehog release does not have it, or is not installed."
    )
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

fn by_object(findings: &[Finding]) -> HashMap<&ObjectKey, Vec<Finding>> {
    let mut by_object: HashMap<&ObjectKey, Vec<Finding>> = HashMap::new();
    for finding in findings.iter().filter(|f| f.severity != Severity::Info) {
        if let Some(key) = &finding.object {
            by_object.entry(key).or_default().push(finding.clone());
        }
    }
    by_object
}
