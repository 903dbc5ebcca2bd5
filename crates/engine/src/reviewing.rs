//! What a sync would come to, before anybody asks for it: what would stop it before its first write, what it would delete,
//! and which switches it concerns. Read from the stored comparison, with the rules and the plan that the run itself goes
//! by; nothing is asked of the cluster, and nothing is written. For the page that shows a sync before it is pressed.

use crate::blocking::compute;
use crate::preflight::{Leaving, Standing, judge, rules_of_part, stops_the_run};
use crate::pruning::{PrunePlan, adopted_uids, breaks, of_rows, standing};
use crate::too_soon::{TooSoon, concerns, too_soon};
use crate::{Engine, Error, Overview};
use model::compare::{
    Deletion, ObjectState, compare_object, desired_for_write, left_part, removed_link_addresses, with_left_parts,
};
use model::manifest::{Finding, Location, Manifest, Severity};
use model::path::Path;
use model::rollout::{Holding, holdings};
use model::sync_options::SyncOptions;
use model::{Body, Code, Gvk, ObjectKey};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use store::{Fabric, ObjectBodies};

/// What a run with the given options would come to, by the newest comparison.
#[derive(Debug, Clone)]
pub struct Review {
    /// How many objects it would do what with.
    pub counts: ReviewCounts,
    /// Why it would end before its first write, if so. That the fabric's name has to be typed stands in the plan.
    pub stop: Option<Error>,
    /// The same for a run that deletes besides, where these options do not say so and the policy would allow it.
    pub stop_of_prune: Option<Error>,
    /// What stands against it or is doubtful: what would stop it first, then errors, then warnings.
    pub remarks: Vec<Remark>,
    /// What it would delete, if it deletes.
    pub prune: PrunePlan,
    /// The switches and gateways of each object that it would write or delete, by name, as it is and as it would be.
    pub affected: BTreeMap<ObjectKey, Vec<String>>,
    /// Whether a write would take addresses away from live links.
    pub loses_addresses: bool,
}

/// How many objects a run would do what with. Deletions stand in the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReviewCounts {
    /// They are not in the cluster and would be.
    pub created: u64,
    /// They would be replaced.
    pub updated: u64,
    /// Of those, the ones in which somebody else changed something.
    pub overwritten: u64,
    /// They would wait for a deletion: their own in the cluster, or that of an earlier one of their name on the switches.
    pub waiting: u64,
    /// Something stands against writing them.
    pub blocked: u64,
    /// They are as Git has them.
    pub equal: u64,
}

/// Something that is wrong or doubtful about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// What was found.
    pub finding: Finding,
    /// Whether it ends the run before its first write.
    pub stops: bool,
}

impl Engine {
    /// What a run with these options would come to. `overview` is how the fabric stands.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn review(&self, fabric: &Fabric, overview: &Overview, options: &SyncOptions) -> Result<Review, Error> {
        let store = &self.shared.store;
        let adopted = adopted_uids(store.adopted().list(fabric.id).await?);
        let mut bases = HashMap::new();
        for field in &options.leave_fields {
            match store.objects().get(fabric.id, &field.object).await {
                Ok(detail) => drop(bases.insert(field.object.clone(), detail.base)),
                Err(store::Error::NotFound(_)) => {}
                Err(e) => return Err(e.into()),
            }
        }
        let rows = store.objects().all_bodies(fabric.id).await?;
        let stored = Stored {
            too_soon: self.not_yet(fabric, overview, &rows).await?,
            rows,
            bases,
            of_no_object: overview.findings.iter().filter(|f| f.object.is_none()).cloned().collect(),
            kinds: overview.comparison.as_ref().map(|comparison| comparison.kinds.clone()).unwrap_or_default(),
        };
        let plan = of_rows(fabric, overview, &stored.rows, &adopted, options);
        let options = options.clone();
        compute("Checking what a sync would come to", move || stored.review(plan, &options)).await
    }
}

impl Engine {
    /// The objects that a run would not create yet, and why.
    async fn not_yet(
        &self,
        fabric: &Fabric,
        overview: &Overview,
        rows: &[ObjectBodies],
    ) -> Result<HashMap<ObjectKey, TooSoon>, Error> {
        let is_new = |row: &&ObjectBodies| row.desired.is_some() && row.live.is_none() && concerns(&row.key);
        let new: HashMap<&ObjectKey, &ObjectBodies> = rows.iter().filter(is_new).map(|row| (&row.key, row)).collect();
        if new.is_empty() {
            return Ok(HashMap::new());
        }
        let store = &self.shared.store;
        let deleted = store.operations().deleted(fabric.id).await?;
        let mut found = HashMap::new();
        for (key, holdings) in store.objects().holdings(fabric.id).await? {
            let Some(row) = new.get(&key) else { continue };
            let holdings: Vec<Holding> = serde_json::from_value(holdings).unwrap_or_default();
            let was_deleted = row.state == ObjectState::Missing || deleted.contains(&key);
            let agents = overview.switches.iter().filter_map(|switch| switch.agent.as_ref());
            if let Some(why) = too_soon(&holdings, was_deleted, agents) {
                found.insert(key, why);
            }
        }
        Ok(found)
    }
}

/// The newest comparison, as the store has it.
struct Stored {
    /// Objects that must not be created yet.
    too_soon: HashMap<ObjectKey, TooSoon>,
    rows: Vec<ObjectBodies>,
    /// What was last verified live of those objects of which fields are to be left.
    bases: HashMap<ObjectKey, Option<Value>>,
    /// Findings on the source that are about no object.
    of_no_object: Vec<Finding>,
    /// The kinds that were read.
    kinds: Value,
}

impl Stored {
    fn review(&self, prune: PrunePlan, options: &SyncOptions) -> Review {
        let source: Vec<Arc<Manifest>> = self.rows.iter().filter_map(manifest).map(Arc::new).collect();
        let mut standings: HashMap<&ObjectKey, Standing> =
            self.rows.iter().map(|row| (&row.key, standing(row, options))).collect();
        let mut left = HashMap::new();
        for (wanted, row) in self.with_left_fields(options) {
            let base = self.bases.get(&row.key).and_then(Option::as_ref);
            if compare_object(Some(&wanted), row.live.as_ref(), base).0 == ObjectState::Equal {
                standings.insert(&row.key, Standing::Beside);
            }
            left.insert(&row.key, wanted);
        }
        let as_left = |manifest: &Arc<Manifest>| {
            let object = Body::from(left.get(&manifest.key)?);
            Some(Manifest { object, ..Manifest::clone(manifest) })
        };
        let changed: Vec<Manifest> = source.iter().filter_map(as_left).collect();
        let standing = |key: &ObjectKey| standings.get(key).copied().unwrap_or(Standing::Beside);
        let going: HashSet<ObjectKey> = match (&prune.hindrance, prune.is_allowed) {
            (None, true) => prune.plan.deletions.iter().map(|deletion| deletion.key.clone()).collect(),
            _ => HashSet::new(),
        };
        let is_part = !options.selects_all() || !options.leave_objects.is_empty() || !options.leave_fields.is_empty();
        let deletes = options.prune && !going.is_empty();
        let rules = Rules { stored: self, source: &source, changed: &changed, options };
        let findings = if is_part || deletes { rules.findings(deletes.then_some(&going)) } else { self.findings() };
        let stop = judge(&findings, standing).stop.or_else(|| breaks(&prune.plan).filter(|_| deletes));
        let stop_of_prune = (!deletes && !going.is_empty())
            .then(|| judge(&rules.findings(Some(&going)), standing).stop.or_else(|| breaks(&prune.plan)))
            .flatten();
        let mut remarks: Vec<Remark> = findings
            .into_iter()
            .filter(|finding| finding.severity > Severity::Info)
            .filter(|finding| finding.object.as_ref().is_none_or(|key| standing(key) != Standing::Beside))
            .map(|finding| {
                let stops = finding.object.as_ref().is_some_and(|key| stops_the_run(&finding, standing(key)));
                Remark { finding, stops }
            })
            .collect();
        remarks.extend(self.waiting(standing));
        remarks.sort_by_key(|remark| Reverse((remark.stops, remark.finding.severity)));
        // One that several fields of an object give is said once.
        let mut said = HashSet::new();
        remarks.retain(|Remark { finding, .. }| {
            finding.object.is_none() || said.insert((finding.object.clone(), finding.message.clone()))
        });
        let written: HashMap<&ObjectKey, &Value> = self
            .rows
            .iter()
            .filter(|row| standing(&row.key) == Standing::Written)
            .filter_map(|row| Some((&row.key, left.get(&row.key).or(row.desired.as_ref())?)))
            .collect();
        Review {
            counts: self.counts(standing),
            stop,
            stop_of_prune,
            remarks,
            affected: self.affected(&written, &going),
            loses_addresses: self.rows.iter().any(|row| loses_addresses(row, &written)),
            prune,
        }
    }

    /// Each object of which fields are left as they are in the cluster, as the run would want it.
    fn with_left_fields(&self, options: &SyncOptions) -> Vec<(Value, &ObjectBodies)> {
        let mut parts: BTreeMap<&ObjectKey, Vec<Path>> = BTreeMap::new();
        for field in &options.leave_fields {
            // What is no path the run itself refuses.
            parts.entry(&field.object).or_default().extend(field.path.parse().ok().map(|path: Path| left_part(&path)));
        }
        let wanted = |(key, parts): (&ObjectKey, Vec<Path>)| {
            let row = self.rows.iter().find(|row| row.key == *key)?;
            Some((with_left_parts(row.desired.as_ref()?, row.live.as_ref()?, &parts), row))
        };
        parts.into_iter().filter_map(wanted).collect()
    }

    fn counts(&self, standing: impl Fn(&ObjectKey) -> Standing) -> ReviewCounts {
        let mut counts = ReviewCounts::default();
        for row in &self.rows {
            match (standing(&row.key), &row.live) {
                (Standing::Written, None) if self.too_soon.contains_key(&row.key) => counts.waiting += 1,
                (Standing::Written, None) => counts.created += 1,
                (Standing::Written, Some(live)) if Deletion::of(live).is_some() => counts.waiting += 1,
                (Standing::Written, Some(_)) => {
                    counts.updated += 1;
                    counts.overwritten += u64::from(matches!(row.state, ObjectState::Modified | ObjectState::Conflict));
                }
                (Standing::Blocked, _) => counts.blocked += 1,
                (Standing::Equal, _) => counts.equal += 1,
                (Standing::Beside, _) => {}
            }
        }
        counts
    }

    /// What is said of the objects that a run would not create yet.
    fn waiting(&self, standing: impl Fn(&ObjectKey) -> Standing) -> Vec<Remark> {
        let waits = |row: &&ObjectBodies| standing(&row.key) == Standing::Written;
        let remark = |row: &ObjectBodies| {
            let why = self.too_soon.get(&row.key)?;
            let finding = Finding::warning(Code::DeletionPending.as_str(), why.message.clone());
            let (object, location) = (Some(row.key.clone()), row.location.clone());
            Some(Remark { finding: Finding { object, location, ..finding }, stops: false })
        };
        self.rows.iter().filter(waits).filter_map(remark).collect()
    }

    /// All findings of the comparison that are about an object, and what of those about none is kept.
    fn findings(&self) -> Vec<Finding> {
        let of_objects = self.rows.iter().flat_map(|row| &row.findings);
        self.of_no_object.iter().chain(of_objects).cloned().collect()
    }

    /// What the cluster holds, as far as it could be read.
    fn live(&self) -> Vec<(&ObjectKey, &Value)> {
        let is_known = |row: &&ObjectBodies| self.has_read(&row.key.group, &row.key.kind);
        self.rows.iter().filter(is_known).filter_map(|row| Some((&row.key, row.live.as_ref()?))).collect()
    }

    fn has_read(&self, group: &str, kind: &str) -> bool {
        crate::read_kinds::has_read(&self.kinds, group, kind)
    }

    fn affected(
        &self,
        written: &HashMap<&ObjectKey, &Value>,
        going: &HashSet<ObjectKey>,
    ) -> BTreeMap<ObjectKey, Vec<String>> {
        let live = self.live();
        let before = holdings(live.iter().copied(), &[]);
        let stays = live.iter().copied().filter(|(key, _)| !written.contains_key(key));
        let after = holdings(stays.chain(written.iter().map(|(key, object)| (*key, *object))), &[]);
        let keys = written.keys().copied().chain(going);
        keys.map(|key| (key.clone(), agent_names(before.get(key), after.get(key)))).collect()
    }
}

/// The rules that nobody else checks, asked about what a run would leave.
struct Rules<'a> {
    stored: &'a Stored,
    source: &'a [Arc<Manifest>],
    changed: &'a [Manifest],
    options: &'a SyncOptions,
}

impl Rules<'_> {
    /// The findings on a run that is not about everything or deletes what is `gone`: those of the source and of the
    /// schemas, and those of the rules on what it would leave. The comparison keeps both together; what the rules do
    /// not say of the whole is of the former.
    fn findings(&self, gone: Option<&HashSet<ObjectKey>>) -> Vec<Finding> {
        let of_whole = self.rules(&Leaving::default());
        let options = self.options;
        let is_in = |key: &ObjectKey| options.selects(key) && !options.leave_objects.contains(key);
        let of_run = self.rules(&Leaving {
            changed: self.changed.to_vec(),
            beside: self.source.iter().map(|m| m.key.clone()).filter(|key| !is_in(key)).collect(),
            gone: gone.cloned().unwrap_or_default(),
        });
        let (whole, run): (HashSet<_>, HashSet<_>) =
            (of_whole.iter().map(say).collect(), of_run.iter().map(say).collect());
        let stored = self.stored.findings();
        let known: HashSet<_> = stored.iter().map(say).collect();
        let new: Vec<Finding> = of_run.iter().filter(|finding| !known.contains(&say(finding))).cloned().collect();
        let stands = |finding: &&Finding| !whole.contains(&say(finding)) || run.contains(&say(finding));
        stored.iter().filter(stands).cloned().chain(new).collect()
    }

    fn rules(&self, leaving: &Leaving) -> Vec<Finding> {
        let stored = self.stored;
        let has_read = |group: &str, kind: &str| stored.has_read(group, kind);
        rules_of_part(self.source, &stored.of_no_object, &stored.live(), has_read, leaving)
    }
}

/// What a finding says, wherever it was found.
fn say(finding: &Finding) -> (&str, Option<&ObjectKey>, Option<&str>, &str) {
    (&finding.rule, finding.object.as_ref(), finding.path.as_deref(), &finding.message)
}

/// The manifest of an object that the source names.
fn manifest(row: &ObjectBodies) -> Option<Manifest> {
    let object = row.desired.as_ref()?;
    let word = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    Some(Manifest {
        version: Gvk::parse(word("apiVersion"), word("kind")).version.into(),
        key: row.key.clone(),
        object: Body::from(object),
        location: row.location.clone().unwrap_or(Location { file: "".into(), line: 1, column: 1, document: 1 }),
    })
}

fn loses_addresses(row: &ObjectBodies, written: &HashMap<&ObjectKey, &Value>) -> bool {
    match (written.get(&row.key), &row.live) {
        // What was last verified decides on metadata alone.
        (Some(wanted), Some(live)) => {
            !removed_link_addresses(&desired_for_write(wanted, Some(live), None), live).is_empty()
        }
        _ => false,
    }
}

/// The switches and gateways that a write or a deletion concerns, by name: those that hold the object as it is, and those
/// that are to hold it as it would be.
pub(crate) fn agent_names(before: Option<&Vec<Holding>>, after: Option<&Vec<Holding>>) -> Vec<String> {
    let both = before.into_iter().chain(after).flatten();
    let mut names: Vec<String> = both.map(|holding| holding.agent.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
