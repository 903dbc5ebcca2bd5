//! What a run is about: the comparison, narrowed to what the request selects, without what it leaves out. Whatever the
//! request names and nobody knows is refused here, before anything is written.

use crate::Error;
use crate::comparing::{Blocked, Compared, Differing};
use crate::observing::Problem;
use cluster::Kinds;
use model::compare::{ObjectState, compare_object, left_part};
use model::path::Path;
use model::sync_options::{SyncOptions, kind_name};
use model::{Code, ObjectKey};
use source::Desired;
use std::collections::{BTreeSet, HashMap, HashSet};

/// What a run works on.
pub(crate) struct Part {
    /// Whether the request is about everything.
    pub is_all: bool,
    /// Objects to be written, in identity order.
    pub differing: Vec<Differing>,
    /// Objects that are equal.
    pub equal: Vec<ObjectKey>,
    /// Objects that cannot be written.
    pub blocked: Vec<(ObjectKey, Blocked)>,
    /// Objects of the source that the request leaves out; with the fields, where only those differ.
    pub left: Vec<(ObjectKey, Vec<String>)>,
    /// Objects of the source that the request is not about.
    pub beside: Vec<ObjectKey>,
    /// Kinds that could not be read, as far as they are the run's concern.
    pub problems: Vec<Problem>,
}

/// Narrows a comparison to what the request is about.
///
/// # Errors
/// When the request names an object, a kind or a field that is not known.
pub(crate) fn narrow(
    compared: &Compared,
    desired: &Desired,
    kinds: &Kinds,
    options: &SyncOptions,
) -> Result<Part, Error> {
    let source: HashMap<&ObjectKey, _> = desired.manifests.iter().map(|m| (&m.key, &**m)).collect();
    let known = Known { compared, source: source.keys().copied().collect(), kinds };
    known.check(options)?;
    let left_parts = left_parts(compared, &source, options)?;

    let is_in = |key: &ObjectKey| options.selects(key) && !options.leave_objects.contains(key);
    let mut left: Vec<(ObjectKey, Vec<String>)> = Vec::new();
    let mut differing = Vec::new();
    for d in compared.differing.iter().filter(|d| is_in(&d.manifest.key)) {
        let mut d = d.clone();
        if let Some(parts) = left_parts.get(&d.manifest.key) {
            d.left.clone_from(parts);
            let live = d.live();
            let wanted = d.wanted(live.as_deref());
            let (state, diffs) = compare_object(Some(&wanted), live.as_deref(), d.base().as_ref());
            if state == ObjectState::Equal {
                left.push((d.manifest.key.clone(), d.left_names()));
                continue;
            }
            (d.state, d.diffs) = (state, diffs);
        }
        differing.push(d);
    }
    let named = |key: &&ObjectKey| options.selects(key) && options.leave_objects.contains(*key);
    let out = source.keys().copied().chain(compared.blocked.iter().map(|(key, _)| key)).filter(named);
    let out: BTreeSet<&ObjectKey> = out.collect();
    left.extend(out.into_iter().map(|key| (key.clone(), Vec::new())));
    let mut beside: Vec<ObjectKey> = source.keys().filter(|key| !is_in(key)).map(|key| (*key).clone()).collect();
    beside.sort_unstable();
    let concerns = |p: &&Problem| {
        p.kind.is_empty() || options.selects(&ObjectKey::new(&p.group, &p.kind, "", "")) || names_one_of(options, p)
    };
    Ok(Part {
        is_all: options.selects_all(),
        differing,
        equal: compared.settled.equal.iter().filter(|key| is_in(key)).map(|key| (**key).clone()).collect(),
        blocked: compared.blocked.iter().filter(|(key, _)| is_in(key)).cloned().collect(),
        left,
        beside,
        problems: compared.problems.iter().filter(concerns).cloned().collect(),
    })
}

fn names_one_of(options: &SyncOptions, problem: &Problem) -> bool {
    options.objects.iter().any(|key| key.group == problem.group && key.kind == problem.kind)
}

/// What may be named.
struct Known<'a> {
    compared: &'a Compared,
    source: HashSet<&'a ObjectKey>,
    kinds: &'a Kinds,
}

impl Known<'_> {
    fn check(&self, options: &SyncOptions) -> Result<(), Error> {
        for (field, objects) in [("object", &options.objects), ("leave_object", &options.leave_objects)] {
            if let Some(key) = objects.iter().find(|key| !self.has(key)) {
                let message = format!(
                    "{field}: {key} is neither in the source nor in the cluster. Nothing was written; name it as \
                     Kind.group/namespace/name, as its page does."
                );
                return Err(Error { object: Some(key.to_string()), ..Error::new(Code::InvalidInput, message) });
            }
        }
        for wanted in &options.kinds {
            let served = self.kinds.kinds.iter().any(|k| format!("{}.{}", k.gvk.kind, k.gvk.group) == *wanted);
            if !served && !self.source.iter().any(|key| kind_name(key) == *wanted) {
                let message = format!(
                    "kind: neither the source nor the cluster has a kind {wanted}. Nothing was written; name it as \
                     Kind.group, for example VPC.vpc.githedgehog.com."
                );
                return Err(Error::new(Code::InvalidInput, message));
            }
        }
        Ok(())
    }

    fn has(&self, key: &ObjectKey) -> bool {
        self.source.contains(key)
            || self.compared.observation.live.contains_key(key)
            || self.compared.blocked.iter().any(|(blocked, _)| blocked == key)
    }
}

/// The parts of objects that are left as they are in the cluster.
fn left_parts(
    compared: &Compared,
    source: &HashMap<&ObjectKey, &model::manifest::Manifest>,
    options: &SyncOptions,
) -> Result<HashMap<ObjectKey, Vec<Path>>, Error> {
    let mut parts: HashMap<ObjectKey, Vec<Path>> = HashMap::new();
    for field in &options.leave_fields {
        let (key, text) = (&field.object, &field.path);
        let refuse = |why: String| {
            let message = format!("leave_field: {key}#{text}: {why} Nothing was written.");
            Error { object: Some(key.to_string()), ..Error::new(Code::InvalidInput, message) }
        };
        let Some(manifest) = source.get(key) else {
            return Err(refuse("the source does not name this object.".to_owned()));
        };
        let Some(live) = compared.observation.live.get(key).map(|live| live.value()) else {
            return Err(refuse("the object is not in the cluster, so no field of it can be left as it is.".to_owned()));
        };
        let path: Path = text.parse().map_err(|e: model::path::BadPath| refuse(format!("{e}.")))?;
        let written = path.to_string();
        let of_git = ["spec", "metadata.labels", "metadata.annotations", "metadata.finalizers"];
        let is_within = |root: &&str| root.parse::<Path>().is_ok_and(|root| path.starts_with(&root));
        if !of_git.iter().any(is_within) {
            return Err(refuse("only fields of spec, labels, annotations and finalizers can be left.".to_owned()));
        }
        let part = left_part(&path);
        let is_known = part.get(&manifest.object.value()).is_some()
            || part.get(&live).is_some()
            || compared.differing.iter().any(|d| d.manifest.key == *key && d.diffs.iter().any(|f| f.path == written));
        if !is_known {
            return Err(refuse("the object has no such field, neither in the source nor in the cluster.".to_owned()));
        }
        let of_object = parts.entry(key.clone()).or_default();
        if !of_object.contains(&part) {
            of_object.push(part);
        }
    }
    Ok(parts)
}

impl Differing {
    /// What this run wants the object to be: as Git says, with the parts that are left to the cluster.
    pub fn wanted(&self, live: Option<&serde_json::Value>) -> serde_json::Value {
        match live {
            Some(live) if !self.left.is_empty() => model::compare::with_left_parts(&self.desired(), live, &self.left),
            _ => self.desired(),
        }
    }

    /// The parts that are left to the cluster, as paths.
    pub fn left_names(&self) -> Vec<String> {
        self.left.iter().map(ToString::to_string).collect()
    }
}
