//! What is remembered of a fabric's objects between two comparisons: the mirror of its rows in the store.

use super::confirm::Confirmation;
use super::judge::{has_base, resource_version, stated};
use super::verdicts::Settled;
use crate::findings::{Checked, Findings};
use crate::observing::{Live, Observation};
use crate::{Error, Shared};
use model::compare::ObjectState;
use model::manifest::{Finding, Manifest};
use model::part::Part;
use model::rollout::{AgentView, HeldVersion, Holding};
use model::{Body, ObjectKey};
use source::Desired;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

/// One object as it was last judged.
#[derive(Clone)]
pub(super) struct Remembered {
    pub desired: Option<Body>,
    /// Where Git names it, as a digest: it is only asked whether it is another place now.
    pub place: Option<u64>,
    pub live_rv: Option<String>,
    /// A digest of what the live form states; `None` when that is not known.
    pub stated: Option<u64>,
    pub state: ObjectState,
    pub managed: bool,
    pub has_base: bool,
    pub findings: Vec<Finding>,
    pub holdings: Vec<Holding>,
    /// The comparison at which the live form was first seen; `None` until the present one has its id.
    pub changed_in: Option<i64>,
    /// Whether the server confirmed the normaliser's verdict.
    pub confirmed: Option<bool>,
    /// Whether it was judged by this process. What was only read from the store is judged anew.
    pub judged_here: bool,
}

impl Remembered {
    /// Whether both sides are the very ones that were judged.
    pub fn is_same(&self, manifest: Option<&Manifest>, live: Option<&Arc<Live>>) -> bool {
        let same_desired = match (&self.desired, manifest) {
            (None, None) => true,
            (Some(then), Some(now)) => then.is(&now.object),
            _ => false,
        };
        self.judged_here && same_desired && self.live_rv.as_deref() == resource_version(live)
    }

    /// Whether it is as it should be, or is left as it is.
    pub fn is_settled(&self) -> bool {
        matches!(self.state, ObjectState::Equal | ObjectState::Extra)
    }

    /// Whether its base is needed to judge it again.
    pub fn needs_base(&self, manifest: Option<&Manifest>, live: Option<&Arc<Live>>) -> bool {
        let stands = self.is_settled() && self.is_same(manifest, live);
        self.has_base && !stands
    }

    /// Whether the stored row already says all of this.
    pub fn says_the_same(&self, new: &Remembered) -> bool {
        let same_desired = match (&self.desired, &new.desired) {
            (None, None) => true,
            (Some(a), Some(b)) => a.is(b),
            _ => false,
        };
        self.judged_here
            && same_desired
            && self.place == new.place
            && self.live_rv == new.live_rv
            && self.state == new.state
            && self.confirmed == new.confirmed
            && self.managed == new.managed
            && self.findings == new.findings
            && self.holdings == new.holdings
    }
}

/// What a comparison was made from, and what of it can be used again.
pub(super) struct Seen {
    desired: Arc<Desired>,
    /// The kinds that were read.
    read: BTreeSet<(String, String)>,
    /// How many live objects there were; which ones, in which version, stands with the objects.
    live: usize,
    /// What the agents held; `None` when they could not be read, or do not say enough.
    agents: Option<Vec<HeldVersion>>,
    /// Whether objects were judged without asking the rules and the agents about the whole again. That is owed.
    owes_the_whole: bool,
    /// What the findings of the source and of the schemas were, from which `findings` were put together.
    of_source: Arc<Vec<Finding>>,
    findings: Arc<Findings>,
    settled: Arc<Settled>,
}

/// What of the last comparison still holds.
pub(super) struct Unchanged {
    /// Findings: those of the source and the schemas are the same, and so is all that the rules look at.
    pub findings: Option<Arc<Findings>>,
    /// Only what the rules look at is the same: the commit, the kinds that were read, and every live object.
    pub rules: Option<Arc<Findings>>,
    /// Besides that, the agents hold the same.
    pub holdings: bool,
    /// Whether every live object is the very form that was judged. Otherwise some have changed in what neither rules nor
    /// agents look at, such as their status.
    pub versions: bool,
}

/// How much of the cluster is as it was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sameness {
    /// The same objects in the same versions.
    Versions,
    /// The same objects, and each states the same.
    Stated,
    Nothing,
}

/// A fabric's memory.
#[derive(Default)]
pub(super) struct Memory {
    loaded: bool,
    pub objects: HashMap<Arc<ObjectKey>, Box<Remembered>>,
    /// What the source is found to be wrong with.
    pub checked: Checked,
    /// What the server said of objects, each for one pair of desired and live.
    pub confirmations: HashMap<Arc<ObjectKey>, Confirmation>,
    /// Of these, the ones that came after the objects were last judged.
    unheard: HashSet<ObjectKey>,
    /// The comparison that was stored last, with a digest of what its row says.
    pub last: Option<(i64, u64)>,
    /// When the reading began that is stored.
    pub newest: Option<jiff::Timestamp>,
    /// What the objects were last judged by.
    seen: Option<Seen>,
}

impl Memory {
    /// Reads what the store holds, once.
    pub async fn load(&mut self, shared: &Shared, fabric: &store::Fabric) -> Result<(), Error> {
        if self.loaded {
            return Ok(());
        }
        for brief in shared.store.objects().all_brief(fabric.id).await? {
            let remembered = Remembered {
                desired: None,
                place: None,
                live_rv: brief.live_rv,
                stated: None,
                state: brief.state,
                managed: false,
                has_base: has_base(&brief.digest),
                findings: Vec::new(),
                holdings: Vec::new(),
                changed_in: Some(brief.changed_in),
                confirmed: brief.confirmed,
                judged_here: false,
            };
            self.objects.insert(Arc::new(brief.key), Box::new(remembered));
        }
        self.newest = shared.store.comparisons().latest_ok(fabric.id).await?.map(|c| c.observed_at);
        self.loaded = true;
        Ok(())
    }

    /// What of the last comparison holds for this one too.
    pub fn unchanged(
        &self,
        desired: &Arc<Desired>,
        observation: &Observation,
        of_source: &Arc<Vec<Finding>>,
    ) -> Unchanged {
        let holds = |s: &&Seen| !s.owes_the_whole && Arc::ptr_eq(&s.desired, desired);
        let seen = self.seen.as_ref().filter(holds).map(|seen| (seen, self.sameness(seen, observation)));
        let Some((seen, sameness)) = seen.filter(|(_, sameness)| *sameness != Sameness::Nothing) else {
            return Unchanged { findings: None, rules: None, holdings: false, versions: false };
        };
        let agents = observation.agents.as_deref().and_then(held_versions);
        Unchanged {
            findings: Arc::ptr_eq(&seen.of_source, of_source).then(|| seen.findings.clone()),
            rules: Some(seen.findings.clone()),
            holdings: agents.is_some() && agents == seen.agents,
            versions: sameness == Sameness::Versions,
        }
    }

    /// The findings by which only what changed can be judged: those of the last comparison, when it was of the same
    /// source, schemas and kinds.
    pub fn findings_for_changes(
        &self,
        desired: &Arc<Desired>,
        observation: &Observation,
        of_source: &Arc<Vec<Finding>>,
    ) -> Option<Arc<Findings>> {
        let is_of = |s: &&Seen| {
            Arc::ptr_eq(&s.desired, desired) && Arc::ptr_eq(&s.of_source, of_source) && s.read == observation.read
        };
        self.seen.as_ref().filter(is_of).map(|seen| seen.findings.clone())
    }

    /// The objects that are in another version than they were judged in, that are new, or that are gone.
    pub fn changed(&self, observation: &Observation) -> Vec<Arc<ObjectKey>> {
        let is_new = |key: &ObjectKey, live: &Arc<Live>| {
            let version = resource_version(Some(live));
            version.is_none() || self.objects.get(key).is_none_or(|known| known.live_rv.as_deref() != version)
        };
        let new = observation.live.iter().filter(|(key, live)| is_new(key, live)).map(|(key, _)| key);
        let gone = self.objects.iter().filter(|(key, known)| {
            known.live_rv.is_some()
                && !observation.live.contains_key(key)
                && observation.has_read(&key.group, &key.kind)
        });
        new.chain(gone.map(|(key, _)| key)).cloned().collect()
    }

    /// Whether the cluster is as it was: the same kinds were read, and each holds the same objects.
    fn sameness(&self, seen: &Seen, observation: &Observation) -> Sameness {
        if seen.read != observation.read || seen.live != observation.live.len() {
            return Sameness::Nothing;
        }
        let mut sameness = Sameness::Versions;
        for (key, live) in observation.live.iter() {
            let Some(known) = self.objects.get(&**key) else { return Sameness::Nothing };
            let version = resource_version(Some(live));
            if version.is_some() && known.live_rv.as_deref() == version {
                continue;
            }
            if known.stated.is_none() || known.stated != Some(stated(&live.part(Part::Stated))) {
                return Sameness::Nothing;
            }
            sameness = Sameness::Stated;
        }
        sameness
    }

    /// The objects were judged by this.
    pub fn judged_by(
        &mut self,
        desired: Arc<Desired>,
        observation: &Observation,
        of_source: Arc<Vec<Finding>>,
        findings: Arc<Findings>,
        settled: Arc<Settled>,
        owes_the_whole: bool,
    ) {
        self.unheard.clear();
        self.seen = Some(Seen {
            desired,
            read: observation.read.clone(),
            live: observation.live.len(),
            agents: observation.agents.as_deref().and_then(held_versions),
            owes_the_whole,
            of_source,
            findings,
            settled,
        });
    }

    /// What was settled when the objects were last judged.
    pub fn settled(&self) -> Option<Arc<Settled>> {
        self.seen.as_ref().map(|seen| seen.settled.clone())
    }

    /// The objects to look at when nothing has changed that verdicts depend on: those that are not as they should be,
    /// because their differences are wanted, and those that the server has spoken of since.
    pub fn attention(&self) -> Vec<Arc<ObjectKey>> {
        let open = self.objects.iter().filter(|(key, known)| !known.is_settled() || self.is_unheard(key));
        open.map(|(key, _)| key.clone()).collect()
    }

    /// The objects that the server has spoken of since they were judged.
    pub fn unheard(&self) -> impl Iterator<Item = Arc<ObjectKey>> {
        self.unheard.iter().filter_map(|key| self.objects.get_key_value(key)).map(|(key, _)| key.clone())
    }

    /// The key of an object as it is shared here.
    pub fn key(&self, key: &ObjectKey) -> Option<&Arc<ObjectKey>> {
        self.objects.get_key_value(key).map(|(key, _)| key)
    }

    fn is_unheard(&self, key: &ObjectKey) -> bool {
        !self.unheard.is_empty() && self.unheard.contains(key)
    }

    /// The server has spoken of an object.
    pub fn hear(&mut self, key: ObjectKey, confirmation: Confirmation) {
        let shared = self.key(&key).cloned().unwrap_or_else(|| Arc::new(key.clone()));
        self.unheard.insert(key);
        self.confirmations.insert(shared, confirmation);
    }

    /// An object as it was judged now.
    pub fn judged(&mut self, key: &ObjectKey, observation: &Observation, judged: Remembered) {
        match self.objects.get_mut(key) {
            Some(known) => **known = judged,
            None => {
                let shared = observation.live.key(key).cloned().unwrap_or_else(|| Arc::new(key.clone()));
                self.objects.insert(shared, Box::new(judged));
            }
        }
    }

    /// Forgets an object, and whether it was known.
    pub fn remove(&mut self, key: &ObjectKey) -> bool {
        self.confirmations.remove(key);
        self.objects.remove(key).is_some()
    }

    /// The comparison was stored under this id; `digest` is of all that its row says.
    pub fn stored(&mut self, id: i64, observed_at: jiff::Timestamp, digest: u64) {
        self.newest = Some(observed_at);
        self.last = Some((id, digest));
        for object in self.objects.values_mut() {
            object.changed_in.get_or_insert(id);
        }
    }
}

fn held_versions(agents: &[AgentView]) -> Option<Vec<HeldVersion>> {
    agents.iter().map(AgentView::held_version).collect()
}

/// The memories of all fabrics.
#[derive(Default)]
pub(crate) struct Memories {
    of_fabrics: std::sync::Mutex<HashMap<i64, Arc<tokio::sync::Mutex<Memory>>>>,
}

impl Memories {
    pub(super) fn of(&self, fabric_id: i64) -> Arc<tokio::sync::Mutex<Memory>> {
        self.of_fabrics.lock().unwrap_or_else(PoisonError::into_inner).entry(fabric_id).or_default().clone()
    }

    /// Forgets a fabric.
    pub fn forget(&self, fabric_id: i64) {
        self.of_fabrics.lock().unwrap_or_else(PoisonError::into_inner).remove(&fabric_id);
    }
}
