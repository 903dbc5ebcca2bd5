//! The world as it would be after a sync, and what is found in it.

use crate::compare::{desired_for_write, is_equal};
use crate::manifest::{Finding, Holds, Location, Manifest};
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
    /// What was found wrong with documents of the source that could not be read.
    broken: Vec<&'a Finding>,
}

impl<'a> World<'a> {
    pub fn new(
        desired: &[&'a Manifest],
        live: &[(&'a ObjectKey, &'a Value)],
        unread: &[(&'a str, &'a str)],
        beside: &[&'a ObjectKey],
        broken: &[&'a Finding],
    ) -> Self {
        let beside = beside.iter().map(|k| (k.group.as_str(), k.kind.as_str(), k.name.as_str())).collect();
        let (unread, broken) = (unread.to_vec(), broken.to_vec());
        let mut world = Self { groups: HashMap::new(), unread, beside, broken };
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

    /// The object that another one refers to. One that is neither in the cluster nor in what could be read of the source
    /// is an error.
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
            let message =
                format!("{} refers to {} {name}, which {}", from.title(), kind.1, self.whereabouts(kind, name));
            out.error(from, path, "missing_reference", message);
        }
        found
    }

    /// Where an object is that this world has not, as far as the source can be read, and what to do.
    fn whereabouts(&self, (group, kind): Kind, name: &str) -> String {
        if let Some((other, location)) = self.in_other_group((group, kind), name) {
            return format!(
                "the source names as one of {other}, at {location}. Correct its apiVersion there: {kind} belongs to {group}."
            );
        }
        let holds = |f: &&'a Finding, wanted| f.holds(kind, name) == Some(wanted);
        let place = |f: &Finding| match &f.location {
            // Of what is no file there are no documents.
            Some(location) if matches!(f.rule.as_str(), "symlink" | "submodule" | "file_name") => {
                location.file.to_string()
            }
            Some(location) => format!("document {} of {}, line {}", location.document, location.file, location.line),
            None => "a document".to_owned(),
        };
        if let Some(broken) = self.broken.iter().copied().find(|f| holds(f, Holds::Likely)) {
            return format!(
                "the source seems to have in a document that could not be read: {}. Correct that document. {}",
                place(broken),
                broken.message
            );
        }
        if let Some(broken) = self.broken.iter().copied().find(|f| holds(f, Holds::Perhaps)) {
            return format!(
                "is not in the cluster, nor in what could be read of the source. What could not be read may hold it: {}. \
                 Put that right, add {kind} {name}, or correct the name.",
                place(broken)
            );
        }
        "is neither in the source nor in the cluster. Add it or correct the name.".to_owned()
    }

    /// The group under which the source names an object of that kind and name instead, and where.
    fn in_other_group(&self, (group, kind): Kind, name: &str) -> Option<(&'a str, &'a Location)> {
        let others = self.groups.iter().filter(|(other, _)| **other != group);
        let named = others.filter_map(|(other, kinds)| Some((*other, &kinds.get(kind)?.get(name)?.manifest?.location)));
        named.min_by_key(|(other, _)| *other)
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

#[cfg(test)]
mod tests {
    use super::super::check_part;
    use crate::manifest::{Finding, Limits, Manifest, parse_file};

    /// Refers to the VPC `vpc-1` and the connection `c-1`.
    const ATTACHMENT: &str = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPCAttachment\nmetadata: {name: a}\nspec: \
                              {subnet: vpc-1/default, connection: c-1}\n";
    const VPC: &str = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: vpc-1\nspec:\n  subnets: \
                       {default: {subnet: 10.0.1.0/24, vlan: 1001}}\n";

    /// What is said of the attachment's reference to its VPC when this stands in the source as well.
    fn said(more: &str) -> String {
        let text = format!("{ATTACHMENT}---\n{more}");
        let parsed = parse_file("a.yaml", text.as_bytes(), "default", &Limits::default());
        let desired: Vec<&Manifest> = parsed.manifests.iter().map(AsRef::as_ref).collect();
        let broken: Vec<&Finding> = parsed.findings.iter().filter(|f| f.is_of_broken_document()).collect();
        let found = check_part(&desired, &[], &[], &[], &broken);
        let found = found.into_iter().find(|f| f.path.as_deref() == Some("spec.subnet"));
        found.filter(|f| f.rule == "missing_reference").map(|f| f.message).unwrap_or_default()
    }

    #[test]
    fn a_reference_to_what_a_broken_document_holds_says_so_and_where() {
        assert_eq!(said(VPC), "", "it is there");
        let nowhere = "VPCAttachment a refers to VPC vpc-1, which is neither in the source nor in the cluster. Add it or \
                       correct the name.";
        assert_eq!(said(""), nowhere);
        // What is broken is another one.
        assert_eq!(said(&VPC.replace("vpc-1", "vpc-2").replace("{default", "[default")), nowhere);
        for (more, line, why) in [
            (VPC.replace("{default", "[default"), 11, "This is not YAML: "),
            (VPC.replace("  subnets", "\tsubnets"), 11, "The line is indented with a tab"),
            (VPC.replace("subnets", "subnets: {}\n  subnets"), 12, "spec.subnets stands twice"),
            (VPC.replace("apiVersion", "apiversion"), 6, "The document has no apiVersion"),
            (VPC.replace("vpc.githedgehog.com", "vpc.hedgehog.com"), 6, "VPC vpc-1 names the group"),
        ] {
            let told = said(&more);
            let place = format!(
                "VPCAttachment a refers to VPC vpc-1, which the source seems to have in a document that could not be read: \
                 document 2 of a.yaml, line {line}. Correct that document. {why}"
            );
            assert!(told.starts_with(&place), "{place}: {told}");
        }
        let grouped = said(&VPC.replace("vpc.githedgehog.com", "wiring.githedgehog.com"));
        let place = "the source names as one of wiring.githedgehog.com, at a.yaml:6:1. Correct its apiVersion there";
        assert!(grouped.contains(place), "{grouped}");
        // Of this one nobody can tell what it is.
        let perhaps = said(": : :\n");
        let place =
            "What could not be read may hold it: document 2 of a.yaml, line 6. Put that right, add VPC vpc-1, or";
        assert!(perhaps.contains(place), "{perhaps}");
    }
}
