//! The world as it would be after a sync, and what is found in it.

use crate::compare::{desired_for_write, is_equal};
use crate::manifest::{Finding, Manifest};
use crate::normalise::ignored;
use crate::object::ObjectKey;
use crate::part::Part;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A group and a kind.
pub(super) type Kind = (&'static str, &'static str);

/// One object as it would be.
#[derive(Debug)]
pub(super) struct Object<'a> {
    pub group: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    /// As it would be: as Git wants it, with what Git leaves to the cluster; or live, when Git does not name it.
    pub value: Cow<'a, Value>,
    /// Its labels and Hedgehog's annotations as Git has them; nothing when Git does not name it.
    pub metadata: Value,
    /// As it is in the cluster.
    pub live: Option<&'a Value>,
    /// Where Git names it.
    pub manifest: Option<&'a Manifest>,
}

impl Object<'_> {
    /// `Kind name`, for messages.
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Whether it is live as Git wants it, as far as rules look at it.
    fn is_settled(&self) -> bool {
        match (self.manifest, self.live) {
            (Some(manifest), Some(live)) => is_equal(&manifest.object.part(Part::Stated), live, None),
            _ => false,
        }
    }
}

/// Every object there would be.
pub(super) struct World<'a> {
    /// By group, kind and name.
    groups: HashMap<&'a str, HashMap<&'a str, BTreeMap<&'a str, Object<'a>>>>,
    unread: Vec<(&'a str, &'a str)>,
    /// What the source names besides, by group, kind and name.
    beside: HashSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> World<'a> {
    pub fn new(
        desired: &[&'a Manifest],
        live: &[(&'a ObjectKey, &'a Value)],
        unread: &[(&'a str, &'a str)],
        beside: &[&'a ObjectKey],
    ) -> Self {
        let beside = beside.iter().map(|k| (k.group.as_str(), k.kind.as_str(), k.name.as_str())).collect();
        let mut world = Self { groups: HashMap::new(), unread: unread.to_vec(), beside };
        for (key, value) in live {
            world.insert(Object {
                group: &key.group,
                kind: &key.kind,
                name: &key.name,
                value: Cow::Borrowed(value),
                metadata: Value::Null,
                live: Some(value),
                manifest: None,
            });
        }
        for manifest in desired {
            let key = &manifest.key;
            let live = world.get((&key.group, &key.kind), &key.name).and_then(|object| object.live);
            let mut wanted = manifest.object.part(Part::Stated);
            let metadata = wanted.get_mut("metadata").map(Value::take).unwrap_or_default();
            // Few have any.
            let says_more = ["labels", "annotations"].iter().any(|of| metadata.get(of).is_some());
            let metadata = if says_more { metadata } else { Value::Null };
            let value = match live {
                // Most are live as Git wants them; then they stand here once.
                Some(live) if live.get("spec") == wanted.get("spec") => Cow::Borrowed(live),
                Some(live) if !ignored(&wanted, live).is_empty() => {
                    Cow::Owned(desired_for_write(&wanted, Some(live), None))
                }
                _ => Cow::Owned(wanted),
            };
            world.insert(Object {
                group: &key.group,
                kind: &key.kind,
                name: &key.name,
                value,
                metadata,
                live,
                manifest: Some(manifest),
            });
        }
        world
    }

    fn insert(&mut self, object: Object<'a>) {
        self.groups.entry(object.group).or_default().entry(object.kind).or_default().insert(object.name, object);
    }

    fn of_kind(&self, kind: (&str, &str)) -> Option<&BTreeMap<&'a str, Object<'a>>> {
        self.groups.get(kind.0)?.get(kind.1)
    }

    /// An object by kind and name.
    pub fn get(&self, kind: (&str, &str), name: &str) -> Option<&Object<'a>> {
        self.of_kind(kind)?.get(name)
    }

    /// Every object of a kind, by name.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Object<'a>> {
        self.of_kind(kind).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether anything is known of a kind.
    pub fn has_any(&self, kind: Kind) -> bool {
        self.of_kind(kind).is_some_and(|objects| !objects.is_empty())
    }

    /// Every object that Git names.
    pub fn desired(&self) -> impl Iterator<Item = &Object<'a>> {
        self.groups
            .values()
            .flat_map(HashMap::values)
            .flat_map(BTreeMap::values)
            .filter(|object| object.manifest.is_some())
    }

    /// Whether nobody knows which objects of a kind the cluster has.
    pub fn is_unread(&self, kind: Kind) -> bool {
        self.unread.contains(&kind)
    }

    /// The object that another one refers to. One that is neither in Git nor in the cluster is an error.
    pub fn follow(
        &self,
        from: &Object<'_>,
        path: impl ToString,
        kind: Kind,
        name: &str,
        out: &mut Found,
    ) -> Option<&Object<'a>> {
        let found = self.get(kind, name);
        if found.is_none() && self.beside.contains(&(kind.0, kind.1, name)) {
            let message = format!(
                "{} needs {} {name}, which is in the source, but neither in the cluster nor part of this run. Select it \
                 too, or sync it first.",
                from.title(),
                kind.1
            );
            out.warning(from, path, "not_selected", message);
        } else if found.is_none() && !self.is_unread(kind) {
            let message = format!(
                "{} refers to {} {name}, which is neither in the source nor in the cluster. Add it or correct the name.",
                from.title(),
                kind.1
            );
            out.error(from, path, "missing_reference", message);
        }
        found
    }
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Found(Vec<Finding>);

impl Found {
    /// Says that something is wrong; nothing about objects that only the cluster has. Of an object that is live as Git
    /// wants it, it is a warning: the server took it once, and nothing is to be written. So of two objects that claim
    /// one port, the newcomer is at fault.
    pub fn error(&mut self, object: &Object<'_>, path: impl ToString, rule: &str, message: impl Into<String>) {
        let finding = if object.is_settled() { Finding::warning(rule, message) } else { Finding::error(rule, message) };
        self.push(object, path, finding);
    }

    /// Says that something is doubtful.
    pub fn warning(&mut self, object: &Object<'_>, path: impl ToString, rule: &str, message: impl Into<String>) {
        self.push(object, path, Finding::warning(rule, message));
    }

    fn push(&mut self, object: &Object<'_>, path: impl ToString, finding: Finding) {
        if let Some(manifest) = object.manifest {
            self.0.push(finding.of(manifest).at(path));
        }
    }

    /// The findings in the order of their manifests, errors first, then by path.
    pub fn sorted(mut self, desired: &[&Manifest]) -> Vec<Finding> {
        let order: HashMap<&ObjectKey, usize> = desired.iter().enumerate().map(|(n, m)| (&m.key, n)).collect();
        let place = |f: &Finding| f.object.as_ref().and_then(|key| order.get(key)).copied().unwrap_or(usize::MAX);
        self.0.sort_by(|a, b| {
            let worst = || b.severity.cmp(&a.severity);
            place(a).cmp(&place(b)).then_with(worst).then_with(|| (&a.path, &a.rule).cmp(&(&b.path, &b.rule)))
        });
        self.0
    }
}
