//! What is remembered of a fabric's objects between two comparisons: the mirror of its rows in the store.

use super::confirm::Confirmation;
use super::judge::{WITH_BASE, resource_version};
use crate::findings::Checked;
use crate::{Error, Shared};
use model::ObjectKey;
use model::compare::ObjectState;
use model::manifest::{Finding, Manifest};
use model::rollout::Holding;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

/// One object as it was last judged.
#[derive(Clone)]
pub(super) struct Remembered {
    pub desired: Option<Arc<Value>>,
    pub place: Option<(String, u32)>,
    pub live_rv: Option<String>,
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
    pub fn is_same(&self, manifest: Option<&Manifest>, live: Option<&Arc<Value>>) -> bool {
        let same_desired = match (&self.desired, manifest) {
            (None, None) => true,
            (Some(then), Some(now)) => Arc::ptr_eq(then, &now.object),
            _ => false,
        };
        self.judged_here && same_desired && self.live_rv.as_deref() == resource_version(live)
    }

    /// Whether the stored row already says all of this.
    pub fn says_the_same(&self, new: &Remembered) -> bool {
        let same_desired = match (&self.desired, &new.desired) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
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

/// A fabric's memory.
#[derive(Default)]
pub(super) struct Memory {
    loaded: bool,
    pub objects: HashMap<ObjectKey, Remembered>,
    /// What the source is found to be wrong with.
    pub checked: Checked,
    /// What the server said of objects, each for one pair of desired and live.
    pub confirmations: HashMap<ObjectKey, Confirmation>,
    /// When the reading began that is stored.
    pub newest: Option<jiff::Timestamp>,
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
                state: brief.state,
                managed: false,
                has_base: brief.digest == WITH_BASE,
                findings: Vec::new(),
                holdings: Vec::new(),
                changed_in: Some(brief.changed_in),
                confirmed: brief.confirmed,
                judged_here: false,
            };
            self.objects.insert(brief.key, remembered);
        }
        self.newest = shared.store.comparisons().latest_ok(fabric.id).await?.map(|c| c.observed_at);
        self.loaded = true;
        Ok(())
    }

    /// What is wrong with the source: what reading it and the schemas say, and what the rules
    /// say that nobody else checks; the latter once more by themselves.
    pub async fn findings(
        &mut self,
        shared: &Shared,
        input: &super::Input<'_>,
    ) -> Result<(Vec<Finding>, Vec<Finding>), Error> {
        let of_source = self.checked.findings(shared, input.fabric, input.desired, &input.observation.kinds).await?;
        let of_rules = crate::preflight::rules(input.desired, input.observation);
        let mut findings = of_source.as_ref().clone();
        findings.extend(of_rules.iter().cloned());
        Ok((findings, of_rules))
    }

    /// Whether an object's base is needed to judge it.
    pub fn needs_base(&self, key: &ObjectKey, manifest: Option<&Manifest>, live: Option<&Arc<Value>>) -> bool {
        self.objects.get(key).is_some_and(|known| {
            known.has_base
                && !(known.is_same(manifest, live) && matches!(known.state, ObjectState::Equal | ObjectState::Extra))
        })
    }

    /// The comparison was stored under this id.
    pub fn stored(&mut self, id: i64, observed_at: jiff::Timestamp) {
        self.newest = Some(observed_at);
        for object in self.objects.values_mut() {
            object.changed_in.get_or_insert(id);
        }
    }
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
