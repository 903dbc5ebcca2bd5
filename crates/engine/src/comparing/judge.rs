//! The verdict on one object, and the row that the store keeps of it.

use super::confirm::Confirmation;
use super::memory::Remembered;
use crate::observing::Live;
use model::compare::{FieldDiff, ObjectState, compare_object};
use model::manifest::{Finding, Manifest, Severity};
use model::part::is_hedgehogs;
use model::rollout::Holding;
use model::{Body, Gvk, ObjectKey, kind};
use serde_json::Value;
use std::cell::OnceCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use store::{BaseChange, ObjectRow};

/// The digest of a row has words. This one: it has a base; after a restart that says which bases there are to read.
const WITH_BASE: &str = "base";
/// Hedgerow wrote the object, which only the cluster has: it may be pruned. The stored live form does not tell, for it has
/// no managedFields.
const APPLIED: &str = "applied";

/// Whether a row's digest says that it has a base.
pub(super) fn has_base(digest: &str) -> bool {
    digest.split(' ').any(|word| word == WITH_BASE)
}

/// Whether a row's digest says that Hedgerow wrote the object, which only the cluster has.
pub(crate) fn was_applied(digest: &str) -> bool {
    digest.split(' ').any(|word| word == APPLIED)
}

/// All that a verdict depends on.
pub(super) struct Case<'a> {
    pub key: &'a ObjectKey,
    pub manifest: Option<&'a Arc<Manifest>>,
    pub live: Option<&'a Arc<Live>>,
    /// The form that was last verified live, when it is needed and is not the live one itself.
    pub base: Option<Body>,
    pub findings: &'a [Finding],
    /// Which agents hold it; `None` when the agents could not be read.
    pub holdings: Option<&'a [Holding]>,
    pub known: Option<&'a Remembered>,
    /// What the server itself said of this very pair.
    pub confirmation: Option<&'a Confirmation>,
    pub managed: bool,
    pub readable: bool,
}

impl<'a> Case<'a> {
    /// The manifest.
    pub fn manifest(&self) -> Option<&'a Manifest> {
        self.manifest.map(|manifest| &**manifest)
    }

    /// Whether only the cluster has it, and Hedgerow put it there.
    pub fn is_applied_extra(&self) -> bool {
        self.manifest.is_none() && self.live.is_some_and(|live| live.was_applied())
    }
}

/// A verdict.
pub(super) struct Judged {
    pub remembered: Remembered,
    pub base: Option<Body>,
    pub diffs: Vec<FieldDiff>,
    /// The new row; `None` when the stored one says the same already.
    pub row: Option<ObjectRow>,
}

pub(super) fn resource_version(live: Option<&Arc<Live>>) -> Option<&str> {
    live?.version()
}

/// Judges one object; `None` when it exists nowhere any more.
pub(super) fn judge(case: &Case<'_>) -> Option<Judged> {
    let broken = case.manifest.is_none() && case.findings.iter().any(|f| f.severity == Severity::Error);
    if case.manifest.is_none() && case.live.is_none() && !broken && case.readable {
        return None;
    }
    let desired = case.manifest.map(|m| &m.object);
    let unjudged = !case.readable || broken;
    let (mut state, mut diffs) = (ObjectState::Unknown, Vec::new());
    let same =
        case.known.filter(|k| k.is_same(case.manifest(), case.live) && !unjudged && k.state != ObjectState::Unknown);
    let mut base = case.base.clone();
    let parsed = OnceCell::new();
    let live = || case.live.map(|live| parsed.get_or_init(|| live.value()));
    let stood = same.filter(|k| matches!(k.state, ObjectState::Equal | ObjectState::Extra));
    if let Some(known) = stood {
        state = known.state;
    } else if !unjudged {
        (state, diffs) = compare_object(
            desired.map(Body::value).as_ref(),
            live().map(AsRef::as_ref),
            base.as_ref().map(Body::value).as_ref(),
        );
    }
    // The server knows its release's defaults and webhooks; where it has spoken of this very pair, its word counts.
    let mut confirmed = None;
    if let Some(spoken) = case.confirmation.filter(|c| c.is_of(case.manifest(), case.live)) {
        // A verdict that stands may be the server's own word already; then the normaliser has said the contrary.
        let overruled = stood.is_some_and(|k| k.confirmed == Some(false));
        let normaliser_says = (state == ObjectState::Equal) != overruled;
        confirmed = spoken.equal.map(|equal| equal == normaliser_says);
        match spoken.equal {
            Some(true) if state != ObjectState::Equal => (state, diffs) = (ObjectState::Equal, Vec::new()),
            Some(false) if state == ObjectState::Equal => {
                (state, diffs) = (ObjectState::Undelivered, spoken.diffs.clone());
            }
            _ => {}
        }
    }
    let verified = state == ObjectState::Equal;
    // What is wrong in Git is never plainly in sync, also where the cluster happens to hold the same.
    if verified && case.findings.iter().any(|f| f.severity == Severity::Error) {
        state = ObjectState::Unknown;
    }
    let live_rv = if case.readable {
        resource_version(case.live).map(str::to_owned)
    } else {
        case.known.and_then(|k| k.live_rv.clone())
    };
    let moved = case.known.is_none_or(|k| k.live_rv != live_rv);
    let stated = match case.known.filter(|known| known.stated.is_some() && !moved) {
        Some(known) => known.stated,
        None => live().map(|live| stated(live)),
    };
    let remembered = Remembered {
        desired: desired.cloned(),
        place: case.manifest().map(place),
        stated,
        state,
        managed: case.managed,
        has_base: verified || case.known.is_some_and(|k| k.has_base),
        findings: case.findings.to_vec(),
        holdings: match case.holdings {
            Some(holdings) => holdings.to_vec(),
            None => kept(case.known, moved && case.known.is_none_or(|k| k.stated.is_none() || k.stated != stated)),
        },
        changed_in: if moved { None } else { case.known.and_then(|k| k.changed_in) },
        live_rv,
        confirmed,
        judged_here: true,
    };
    if case.known.is_some_and(|k| k.says_the_same(&remembered)) {
        return Some(Judged { remembered, base, diffs, row: None });
    }
    let shown = live().map(|live| Body::from(&without_noise(live)));
    // The base is what Git said when it was last verified live: only that tells which label Git has dropped since.
    let base_change = match (desired, verified) {
        (Some(desired), true) => {
            base = None;
            BaseChange::Set(desired.clone())
        }
        _ => BaseChange::Keep,
    };
    let row = ObjectRow {
        key: case.key.clone(),
        version: version(case, live()),
        rank: kind::rank(&case.key.group, &case.key.kind),
        state,
        managed: case.managed,
        confirmed,
        desired: desired.cloned(),
        live: shown,
        base: base_change,
        diffs: diffs.clone(),
        findings: case.findings.to_vec(),
        location: case.manifest.map(|m| m.location.clone()),
        live_rv: remembered.live_rv.clone(),
        live_uid: live().and_then(|l| Some(l.get("metadata")?.get("uid")?.as_str()?.to_owned())),
        live_changed: moved,
        holdings: serde_json::to_value(&remembered.holdings).unwrap_or_default(),
        digest: digest(remembered.has_base, case.is_applied_extra()),
    };
    Some(Judged { remembered, base, diffs, row: Some(row) })
}

fn digest(has_base: bool, is_applied_extra: bool) -> String {
    match (has_base, is_applied_extra) {
        (true, true) => format!("{WITH_BASE} {APPLIED}"),
        (true, false) => WITH_BASE.to_owned(),
        (false, true) => APPLIED.to_owned(),
        (false, false) => String::new(),
    }
}

/// A digest of where a manifest stands.
pub(super) fn place(manifest: &Manifest) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&manifest.location.file, manifest.location.line).hash(&mut hasher);
    hasher.finish()
}

/// A digest of what of a live object rules and agents look at.
pub(super) fn stated(live: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    let looked_at = [live.get("spec"), live.pointer("/metadata/labels")];
    looked_at.map(|part| part.map(Value::to_string)).hash(&mut hasher);
    let annotations = live.pointer("/metadata/annotations").and_then(Value::as_object);
    for (name, value) in annotations.into_iter().flatten().filter(|(name, _)| is_hedgehogs(name)) {
        (name, value.to_string()).hash(&mut hasher);
    }
    hasher.finish()
}

/// The holdings as they were last found. Of an object that states something else since then nobody knows who holds it.
fn kept(known: Option<&Remembered>, is_another: bool) -> Vec<Holding> {
    let mut holdings = known.map(|k| k.holdings.clone()).unwrap_or_default();
    if is_another {
        holdings.iter_mut().for_each(|holding| holding.holds = !holding.wanted);
    }
    holdings
}

fn version(case: &Case<'_>, live: Option<&Arc<Value>>) -> String {
    let gvk = case.manifest.map(|m| m.gvk()).or_else(|| {
        let live = live?;
        Some(Gvk::parse(live.get("apiVersion")?.as_str()?, live.get("kind")?.as_str()?))
    });
    gvk.map(|g| g.version).unwrap_or_default()
}

/// The live object as pages show it and as the base keeps it: without managedFields, which are larger than the rest.
fn without_noise(live: &Value) -> Value {
    let mut live = live.clone();
    if let Some(meta) = live.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("managedFields");
    }
    live
}
