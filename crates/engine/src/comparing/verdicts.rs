//! The verdicts on all objects of a fabric: pure, in two steps, because between them the store is asked for what was
//! last verified live of those objects that need it.
//!
//! What did not change since it was judged is passed over: neither judged again nor written again.

use super::judge::{Case, Judged, judge};
use super::memory::{Memory, Remembered};
use super::tally::Tally;
use super::{Blocked, Differing, no_such_kind};
use crate::findings::Findings;
use crate::observing::Observation;
use model::compare::ObjectState;
use model::manifest::{Finding, Manifest, Severity};
use model::rollout::{Holding, holdings};
use model::{Code, ObjectKey};
use serde_json::Value;
use source::Desired;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use store::ObjectDelta;

/// Both sides, with what is to be known before the first object is judged.
pub(super) struct Prepared {
    pub memory: Memory,
    pub desired: Arc<Desired>,
    pub observation: Arc<Observation>,
    pub findings: Arc<Findings>,
    /// The objects whose base has to be read.
    pub bases_needed: Vec<ObjectKey>,
    /// The objects to look at; `None` for all of them.
    attention: Option<Vec<ObjectKey>>,
    of_source: Arc<Vec<Finding>>,
    /// Whether the findings are those that the remembered objects were judged by.
    same_findings: bool,
    /// Which agents hold what; `None` when that is as remembered, or not to be known because no agent could be read.
    holdings: Option<BTreeMap<ObjectKey, Vec<Holding>>>,
}

/// Finds out what is wrong, who holds what, and which bases are needed.
pub(super) fn prepare(
    memory: Memory,
    desired: Arc<Desired>,
    observation: Arc<Observation>,
    of_source: Arc<Vec<Finding>>,
) -> Prepared {
    let unchanged = memory.unchanged(&desired, &observation, &of_source);
    let same_findings = unchanged.findings.is_some();
    let findings = unchanged.findings.unwrap_or_else(|| {
        let findings = match unchanged.rules {
            Some(before) => Findings::new(&of_source, before.of_rules()),
            None => Findings::new(&of_source, &crate::preflight::rules(&desired, &observation)),
        };
        Arc::new(findings)
    });
    let agents = observation.agents.as_ref().filter(|_| !unchanged.holdings);
    let holdings = agents.map(|agents| holdings(observation.live.iter().map(|(k, v)| (k, v.as_ref())), agents));
    let attention = (same_findings && holdings.is_none()).then(|| memory.attention());
    let bases_needed = bases_needed(&memory, &desired, &observation, attention.as_deref());
    Prepared { memory, desired, observation, findings, bases_needed, attention, of_source, same_findings, holdings }
}

fn bases_needed(
    memory: &Memory,
    desired: &Desired,
    observation: &Observation,
    attention: Option<&[ObjectKey]>,
) -> Vec<ObjectKey> {
    if attention.is_some_and(<[_]>::is_empty) {
        return Vec::new();
    }
    let manifests = by_key(desired);
    let needed = |key: &ObjectKey, known: &Remembered| {
        known.needs_base(manifests.get(key).copied(), observation.live.get(key))
            // Of a kind that was not read nothing is judged.
            && observation.has_read(&key.group, &key.kind)
    };
    match attention {
        Some(keys) => keys.iter().filter(|k| memory.objects.get(k).is_some_and(|o| needed(k, o))).cloned().collect(),
        None => memory.objects.iter().filter(|(key, known)| needed(key, known)).map(|(key, _)| key.clone()).collect(),
    }
}

/// All verdicts, and what of them is new.
pub(super) struct Verdicts {
    pub memory: Memory,
    pub delta: ObjectDelta,
    pub found: Found,
    /// What is equal or only in the cluster, and the numbers: shared with the memory, because they seldom change.
    pub settled: Arc<Settled>,
}

/// Judges every object that is desired, live, or was known before.
pub(super) fn judge_all(prepared: Prepared, mut bases: HashMap<ObjectKey, Value>) -> Verdicts {
    let Prepared { mut memory, desired, observation, findings, attention, of_source, same_findings, holdings, .. } =
        prepared;
    if attention.as_ref().is_some_and(Vec::is_empty)
        && let Some(settled) = memory.settled()
    {
        return Verdicts { memory, delta: ObjectDelta::default(), found: Found::default(), settled };
    }
    let manifests = by_key(&desired);
    let mut kinds = Kinds::new(&desired, &observation);
    let mut keys: Vec<&ObjectKey> = Vec::new();
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    if let Some(attention) = &attention {
        keys.extend(attention);
    } else {
        keys.extend(desired.manifests.iter().map(|m| &m.key));
        keys.extend(observation.live.keys().filter(|key| !manifests.contains_key(*key)));
        let both = |key: &ObjectKey| manifests.contains_key(key) || observation.live.contains_key(key);
        keys.extend(findings.objects().filter(|key| !both(key)));
        (kept, gone) = no_longer_seen(&memory, &observation, |key| both(key) || !findings.about(key).is_empty());
    }
    keys.extend(&kept);

    let (mut delta, mut found) = (ObjectDelta::default(), Found::default());
    for key in keys {
        let kind = kinds.of(key);
        let mut case = Case {
            key,
            manifest: manifests.get(key).copied(),
            live: observation.live.get(key),
            base: bases.remove(key),
            findings: findings.about(key),
            holdings: holdings.as_ref().map(|h| h.get(key).map_or(&[][..], Vec::as_slice)),
            known: memory.objects.get(key),
            confirmation: memory.confirmations.get(key),
            managed: kind.managed,
            readable: kind.readable,
        };
        // What Hedgerow once delivered is the fabric's, also when the source has nothing of its kind any more.
        case.managed |= case.is_applied_extra();
        if case.known.is_some_and(|known| stands(known, &case, same_findings)) {
            continue;
        }
        let Some(judged) = judge(&case) else {
            if memory.objects.remove(key).is_some() {
                delta.deletes.push(key.clone());
            }
            continue;
        };
        found.sort_in(&case, &judged, &observation);
        delta.upserts.extend(judged.row);
        memory.objects.insert(key.clone(), judged.remembered);
    }
    for key in gone {
        memory.objects.remove(&key);
        memory.confirmations.remove(&key);
        delta.deletes.push(key);
    }
    found.in_order();
    let is_as_before = attention.is_some() && delta.upserts.is_empty() && delta.deletes.is_empty();
    let settled = memory.settled().filter(|_| is_as_before);
    let settled = settled.unwrap_or_else(|| Arc::new(Settled::of(&memory, &findings)));
    memory.judged_by(desired.clone(), &observation, of_source, findings.clone(), settled.clone());
    Verdicts { memory, delta, found, settled }
}

fn by_key(desired: &Desired) -> HashMap<&ObjectKey, &Manifest> {
    desired.manifests.iter().map(|m| (&m.key, m)).collect()
}

/// What is remembered and stands nowhere any more. Of a kind that could not be read now it stays, as unknown (the
/// first list); a kind that is gone takes its objects with it (the second).
fn no_longer_seen(
    memory: &Memory,
    observation: &Observation,
    is_seen: impl Fn(&ObjectKey) -> bool,
) -> (Vec<ObjectKey>, Vec<ObjectKey>) {
    let unread = |k: &ObjectKey| {
        let kinds = &observation.kinds;
        !observation.has_read(&k.group, &k.kind)
            && (kinds.find(&k.group, &k.kind).is_some() || kinds.may_be_incomplete())
    };
    memory.objects.keys().filter(|key| !is_seen(key)).cloned().partition(unread)
}

/// Whether the remembered verdict is the one that judging would give. Only verdicts without differences are passed
/// over: of the others the differences are wanted.
fn stands(known: &Remembered, case: &Case<'_>, same_findings: bool) -> bool {
    let place = case.manifest.map(|m| (m.location.file.as_str(), m.location.line));
    let spoken = case.confirmation.filter(|c| c.is_of(case.manifest, case.live)).and_then(|c| c.equal);
    matches!(known.state, ObjectState::Equal | ObjectState::Extra)
        && case.readable
        && known.is_same(case.manifest, case.live)
        && known.managed == case.managed
        && known.place.as_ref().map(|(file, line)| (file.as_str(), *line)) == place
        && (same_findings || known.findings == case.findings)
        && case.holdings.is_none_or(|holdings| known.holdings == holdings)
        && known.confirmed.is_some() == spoken.is_some()
        && spoken.is_none_or(|equal| equal == (known.state == ObjectState::Equal))
}

/// What is to be known of a kind.
#[derive(Clone, Copy)]
struct KindFacts {
    /// Whether the source holds objects of it.
    managed: bool,
    /// Whether it was read completely.
    readable: bool,
}

/// What is to be known of the kinds, found out once for each.
struct Kinds<'a> {
    observation: &'a Observation,
    desired: HashSet<(&'a str, &'a str)>,
    known: HashMap<(&'a str, &'a str), KindFacts>,
}

impl<'a> Kinds<'a> {
    fn new(desired: &'a Desired, observation: &'a Observation) -> Self {
        let desired = desired.manifests.iter().map(|m| (m.key.group.as_str(), m.key.kind.as_str())).collect();
        Self { observation, desired, known: HashMap::new() }
    }

    fn of(&mut self, key: &'a ObjectKey) -> KindFacts {
        let kind = (key.group.as_str(), key.kind.as_str());
        *self.known.entry(kind).or_insert_with(|| KindFacts {
            managed: self.desired.contains(&kind),
            readable: self.observation.has_read(kind.0, kind.1),
        })
    }
}

/// What is as it should be, or is left as it is; and all numbers.
pub(crate) struct Settled {
    /// Objects that are equal, in no order.
    pub equal: Vec<ObjectKey>,
    /// Objects that stand only in the cluster, of kinds that the fabric manages, in identity order.
    pub extra: Vec<ObjectKey>,
    pub tally: Tally,
}

impl Settled {
    fn of(memory: &Memory, findings: &Findings) -> Self {
        let in_state = |state: ObjectState| memory.objects.iter().filter(move |(_, known)| known.state == state);
        let mut extra: Vec<ObjectKey> =
            in_state(ObjectState::Extra).filter(|(_, known)| known.managed).map(|(key, _)| key.clone()).collect();
        extra.sort_unstable();
        let mut tally = Tally::of(&memory.objects);
        let broken = findings.all.iter().filter(|f| f.severity == Severity::Error && f.object.is_none()).count();
        tally.totals.broken_documents = broken as u64;
        Self { equal: in_state(ObjectState::Equal).map(|(key, _)| key.clone()).collect(), extra, tally }
    }
}

/// The objects that need something, in identity order.
#[derive(Default)]
pub(super) struct Found {
    pub differing: Vec<Differing>,
    pub blocked: Vec<(ObjectKey, Blocked)>,
}

impl Found {
    fn sort_in(&mut self, case: &Case<'_>, judged: &Judged, observation: &Observation) {
        let key = case.key.clone();
        let error = case.findings.iter().find(|f| f.severity == Severity::Error);
        match judged.remembered.state {
            ObjectState::Equal | ObjectState::Extra => {}
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
                left: Vec::new(),
            })),
        }
    }

    fn in_order(&mut self) {
        self.differing.sort_by(|a, b| a.manifest.key.cmp(&b.manifest.key));
        self.blocked.sort_by(|a, b| a.0.cmp(&b.0));
    }
}
