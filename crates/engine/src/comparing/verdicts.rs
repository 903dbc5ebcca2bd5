//! The verdicts on all objects of a fabric: pure, in two steps, because between them the store is asked for what was
//! last verified live of those objects that need it.
//!
//! What did not change since it was judged is passed over: neither judged again nor written again.

use super::judge::{Case, Judged, judge, place};
use super::memory::{Memory, Remembered};
use super::tally::Tally;
use super::{Blocked, Differing, no_such_kind};
use crate::blocking::each;
use crate::findings::Findings;
use crate::observing::Observation;
use model::compare::ObjectState;
use model::manifest::{Finding, Manifest, Severity};
use model::part::Part;
use model::rollout::{Holding, holdings};
use model::{Body, Code, ObjectKey};
use source::Desired;
use std::cell::OnceCell;
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
    attention: Option<Vec<Arc<ObjectKey>>>,
    of_source: Arc<Vec<Finding>>,
    /// Whether the findings are those that the remembered objects were judged by.
    same_findings: bool,
    /// Which agents hold what; `None` when that is as remembered, or not to be known because no agent could be read.
    holdings: Option<BTreeMap<ObjectKey, Vec<Holding>>>,
    /// Whether nothing changed that the remembered verdicts depend on.
    nothing_changed: bool,
    /// Whether the rules and the agents were not asked about the whole, although something changed.
    pub owes_the_whole: bool,
}

/// What is wanted of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Everything: each difference is told, also those that are known.
    Everything,
    /// What is new, when rules and agents have been asked about the whole.
    News,
    /// What is new, by what rules and agents said of the whole a moment ago: every object that changed is judged, by the
    /// findings of then, and counts as held by nobody.
    Changes,
}

/// Finds out what is wrong, who holds what, and which bases are needed.
pub(super) fn prepare(
    memory: Memory,
    desired: Arc<Desired>,
    observation: Arc<Observation>,
    of_source: Arc<Vec<Finding>>,
    depth: Depth,
) -> Prepared {
    let unchanged = memory.unchanged(&desired, &observation, &of_source);
    let same_findings = unchanged.findings.is_some();
    // Of agents that could not be read, what was known stays.
    let holdings_stand = unchanged.holdings || observation.agents.is_none();
    let nothing_changed = same_findings && holdings_stand && unchanged.versions;
    let put_off = (depth == Depth::Changes && !(same_findings && holdings_stand))
        .then(|| memory.findings_for_changes(&desired, &observation, &of_source))
        .flatten();
    let owes_the_whole = put_off.is_some();
    // Parsed at most once, for the rules and for the agents.
    let parsed = OnceCell::new();
    let live = || parsed.get_or_init(|| observation.live.parts(Part::Stated)).as_slice();
    let findings = put_off.or(unchanged.findings).unwrap_or_else(|| {
        let findings = match unchanged.rules {
            Some(before) => Findings::new(&of_source, before.of_rules()),
            None => Findings::new(&of_source, &crate::preflight::rules(&desired, &observation, live())),
        };
        Arc::new(findings)
    });
    let agents = observation.agents.as_ref().filter(|_| !unchanged.holdings && !owes_the_whole);
    let holdings = agents.map(|agents| holdings(live().iter().map(|(k, v)| (*k, v)), agents));
    drop(parsed);
    let mut prepared = Prepared {
        memory,
        desired,
        observation,
        findings,
        bases_needed: Vec::new(),
        attention: None,
        of_source,
        same_findings: same_findings || owes_the_whole,
        holdings,
        nothing_changed,
        owes_the_whole,
    };
    prepared.attention = prepared.attention_for(depth);
    prepared.bases_needed = prepared.bases_needed();
    prepared
}

impl Prepared {
    /// The objects to look at; `None` for all of them.
    fn attention_for(&self, depth: Depth) -> Option<Vec<Arc<ObjectKey>>> {
        let memory = &self.memory;
        let mut attention: Vec<Arc<ObjectKey>> = match depth {
            Depth::Everything if self.nothing_changed => return Some(memory.attention()),
            Depth::Everything => return None,
            _ if self.nothing_changed => return Some(memory.unheard().collect()),
            _ if self.owes_the_whole => memory.changed(&self.observation),
            _ => self.unsettled(),
        };
        attention.extend(memory.unheard());
        attention.sort_unstable();
        attention.dedup();
        Some(attention)
    }

    /// The objects whose remembered verdict does not stand.
    fn unsettled(&self) -> Vec<Arc<ObjectKey>> {
        let (memory, observation) = (&self.memory, &self.observation);
        let manifests = by_key(&self.desired);
        let mut kinds = Kinds::new(&self.desired, observation);
        let desired = self.desired.manifests.iter().map(|m| &m.key);
        let keys = desired.chain(observation.live.keys().map(|key| &**key)).chain(self.findings.objects());
        let keys: HashSet<&ObjectKey> = keys.chain(memory.objects.keys().map(|key| &**key)).collect();
        let mut unsettled = Vec::new();
        for key in keys {
            let case = self.case(key, kinds.of(key), &manifests, None);
            if !case.known.is_some_and(|known| stands(known, &case, self.same_findings)) {
                let shared = memory.key(key).or_else(|| observation.live.key(key));
                unsettled.push(shared.cloned().unwrap_or_else(|| Arc::new(key.clone())));
            }
        }
        unsettled
    }

    fn case<'a>(
        &'a self,
        key: &'a ObjectKey,
        kind: KindFacts,
        manifests: &HashMap<&ObjectKey, &'a Arc<Manifest>>,
        base: Option<Body>,
    ) -> Case<'a> {
        let mut case = Case {
            key,
            manifest: manifests.get(key).copied(),
            live: self.observation.live.get(key),
            base,
            findings: self.findings.about(key),
            holdings: self.holdings.as_ref().map(|h| h.get(key).map_or(&[][..], Vec::as_slice)),
            known: self.memory.objects.get(key).map(|known| &**known),
            confirmation: self.memory.confirmations.get(key),
            managed: kind.managed,
            readable: kind.readable,
        };
        // What Hedgerow once delivered is the fabric's, also when the source has nothing of its kind any more.
        case.managed |= case.is_applied_extra();
        case
    }

    fn bases_needed(&self) -> Vec<ObjectKey> {
        let (memory, observation) = (&self.memory, &self.observation);
        if self.attention.as_ref().is_some_and(Vec::is_empty) {
            return Vec::new();
        }
        let manifests = by_key(&self.desired);
        let needed = |key: &ObjectKey, known: &Remembered| {
            known.needs_base(manifests.get(key).map(|m| &***m), observation.live.get(key))
                // Of a kind that was not read nothing is judged.
                && observation.has_read(&key.group, &key.kind)
        };
        let all = memory.objects.iter().map(|(key, known)| (&**key, known));
        match &self.attention {
            Some(keys) => {
                let known = keys.iter().filter_map(|key| Some((&**key, memory.objects.get(key)?)));
                known.filter(|(key, known)| needed(key, known)).map(|(key, _)| key.clone()).collect()
            }
            None => all.filter(|(key, known)| needed(key, known)).map(|(key, _)| key.clone()).collect(),
        }
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
pub(super) fn judge_all(mut prepared: Prepared, mut bases: HashMap<ObjectKey, Body>) -> Verdicts {
    if prepared.nothing_changed
        && prepared.attention.as_ref().is_some_and(Vec::is_empty)
        && let Some(settled) = prepared.memory.settled()
    {
        let (delta, found) = (ObjectDelta::default(), Found::default());
        return Verdicts { memory: prepared.memory, delta, found, settled };
    }
    let (desired, observation, findings) =
        (prepared.desired.clone(), prepared.observation.clone(), prepared.findings.clone());
    let manifests = by_key(&desired);
    let mut kinds = Kinds::new(&desired, &observation);
    let mut keys: Vec<&ObjectKey> = Vec::new();
    let (mut kept, mut gone) = (Vec::new(), Vec::new());
    let attention = prepared.attention.take();
    if let Some(attention) = &attention {
        keys.extend(attention.iter().map(|key| &**key));
    } else {
        keys.extend(desired.manifests.iter().map(|m| &m.key));
        keys.extend(observation.live.keys().map(|key| &**key).filter(|key| !manifests.contains_key(*key)));
        let both = |key: &ObjectKey| manifests.contains_key(key) || observation.live.contains_key(key);
        keys.extend(findings.objects().filter(|key| !both(key)));
        let seen = |key: &ObjectKey| both(key) || !findings.about(key).is_empty();
        (kept, gone) = no_longer_seen(&prepared.memory, &observation, seen);
    }
    keys.extend(kept.iter().map(|key| &**key));

    let (mut delta, mut found) = (ObjectDelta::default(), Found::default());
    let cases: Vec<Case<'_>> =
        keys.iter().map(|key| prepared.case(key, kinds.of(key), &manifests, bases.remove(key))).collect();
    // Only verdicts without differences are passed over: of the others the differences are wanted.
    let stood = |case: &Case<'_>| {
        case.known.is_some_and(|known| known.is_settled() && stands(known, case, prepared.same_findings))
    };
    let verdicts = each(&cases, |case| (!stood(case)).then(|| judge(case)));
    let mut judged = Vec::new();
    for ((key, case), verdict) in keys.into_iter().zip(&cases).zip(verdicts) {
        match verdict {
            None => {}
            Some(None) => judged.push((key, None)),
            Some(Some(verdict)) => {
                found.sort_in(case, &verdict, &observation);
                delta.upserts.extend(verdict.row);
                judged.push((key, Some(verdict.remembered)));
            }
        }
    }
    drop(cases);
    for (key, remembered) in judged {
        match remembered {
            Some(remembered) => prepared.memory.judged(key, &observation, remembered),
            None if prepared.memory.remove(key) => delta.deletes.push(key.clone()),
            None => {}
        }
    }
    for key in gone {
        prepared.memory.remove(&key);
        delta.deletes.push((*key).clone());
    }
    found.in_order();
    let Prepared { mut memory, of_source, owes_the_whole, nothing_changed, .. } = prepared;
    let is_as_before = nothing_changed && delta.upserts.is_empty() && delta.deletes.is_empty();
    let settled = memory.settled().filter(|_| is_as_before);
    let settled = settled.unwrap_or_else(|| Arc::new(Settled::of(&memory, &findings)));
    memory.judged_by(desired.clone(), &observation, of_source, findings, settled.clone(), owes_the_whole);
    Verdicts { memory, delta, found, settled }
}

fn by_key(desired: &Desired) -> HashMap<&ObjectKey, &Arc<Manifest>> {
    desired.manifests.iter().map(|m| (&m.key, m)).collect()
}

/// What is remembered and stands nowhere any more. Of a kind that could not be read now it stays, as unknown (the
/// first list); a kind that is gone takes its objects with it (the second).
fn no_longer_seen(
    memory: &Memory,
    observation: &Observation,
    is_seen: impl Fn(&ObjectKey) -> bool,
) -> (Vec<Arc<ObjectKey>>, Vec<Arc<ObjectKey>>) {
    let unread = |k: &Arc<ObjectKey>| {
        let kinds = &observation.kinds;
        !observation.has_read(&k.group, &k.kind)
            && (kinds.find(&k.group, &k.kind).is_some() || kinds.may_be_incomplete())
    };
    memory.objects.keys().filter(|key| !is_seen(key)).cloned().partition(unread)
}

/// Whether the remembered verdict is the one that judging would give.
fn stands(known: &Remembered, case: &Case<'_>, same_findings: bool) -> bool {
    let spoken = case.confirmation.filter(|c| c.is_of(case.manifest(), case.live)).and_then(|c| c.equal);
    case.readable
        && known.is_same(case.manifest(), case.live)
        && known.managed == case.managed
        && known.place == case.manifest().map(place)
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
    pub equal: Vec<Arc<ObjectKey>>,
    /// Objects that stand only in the cluster, of kinds that the fabric manages, in identity order.
    pub extra: Vec<ObjectKey>,
    pub tally: Tally,
}

impl Settled {
    fn of(memory: &Memory, findings: &Findings) -> Self {
        let in_state = |state: ObjectState| memory.objects.iter().filter(move |(_, known)| known.state == state);
        let mut extra: Vec<ObjectKey> =
            in_state(ObjectState::Extra).filter(|(_, known)| known.managed).map(|(key, _)| (**key).clone()).collect();
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
