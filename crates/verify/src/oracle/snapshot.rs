//! A fabric's namespace at one moment, and what is different at another: proof that a sync did just what it said, and
//! that looking did nothing. Agents are left out: they report all the time, and carry password hashes.

use super::cluster::Kind;
use super::holds::{self, Difference};
use super::{ClusterOracle, OracleError, Read, Reading};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What an object is known by within a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Key {
    /// `vpc.githedgehog.com`
    pub group: String,
    /// `VPC`
    pub kind: String,
    /// `vpc-1`
    pub name: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// An object as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Seen {
    /// Which of all objects that ever had this name.
    pub uid: String,
    /// Which version of it; every write that changes anything raises it.
    pub resource_version: String,
    /// Which version of its spec.
    pub generation: Option<i64>,
    /// Its labels.
    pub labels: Map<String, Value>,
    /// Its annotations.
    pub annotations: Map<String, Value>,
    /// Its spec.
    pub spec: Value,
}

/// A namespace at one moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Snapshot {
    /// The namespace.
    pub namespace: String,
    /// What was there.
    pub objects: BTreeMap<Key, Seen>,
    /// Kinds that this user may not read, each with the server's words: of these nothing is known.
    pub unread: BTreeMap<String, String>,
}

/// An object that is not what it was.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Changed {
    /// Which.
    pub key: Key,
    /// Whether it was deleted and made anew in between.
    pub recreated: bool,
    /// Where the spec is not what it was: `desired` is before, `live` is after; or the reverse for what is new.
    pub spec: Vec<Difference>,
    /// Whether its labels differ.
    pub labels: bool,
    /// Whether its annotations differ.
    pub annotations: bool,
}

/// What is different between two snapshots of one namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Differences {
    /// Not there before.
    pub created: Vec<Key>,
    /// Another spec, other labels or annotations, or another object of that name.
    pub changed: Vec<Changed>,
    /// Not there any more.
    pub deleted: Vec<Key>,
    /// Written in between, and none of the above: status, ownership, or there and back again.
    pub touched: Vec<Key>,
    /// Not written at all.
    pub unchanged: Vec<Key>,
    /// Kinds of which one of the snapshots knows nothing.
    pub unread: Vec<String>,
}

impl Differences {
    /// Whether nothing of what was read has become different. What could not be read is in `unread`.
    pub fn is_empty(&self) -> bool {
        self.created.is_empty() && self.changed.is_empty() && self.deleted.is_empty()
    }
}

impl Snapshot {
    /// Reads every kind of Hedgehog's in a namespace. A kind that may not be read is noted; any other failure ends it.
    pub async fn take(cluster: &ClusterOracle, namespace: &str) -> Result<Read<Self>, OracleError> {
        let mut snapshot = Self { namespace: namespace.to_owned(), ..Self::default() };
        let mut counts = Map::new();
        for kind in cluster.kinds().await?.value {
            if !kind.namespaced || kind.is_withheld() || !kind.verbs.iter().any(|verb| verb == "list") {
                continue;
            }
            match cluster.list(&kind, Some(namespace)).await {
                Ok(list) => {
                    counts.insert(kind.full_name(), json!(list.value.len()));
                    snapshot.add(&kind, list.value);
                }
                Err(error @ OracleError::Forbidden { .. }) => {
                    snapshot.unread.insert(kind.full_name(), error.to_string());
                }
                // The definition went away between the two questions.
                Err(OracleError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let found = json!({"objects": snapshot.objects.len(), "by_kind": counts, "unread": &snapshot.unread});
        let reading =
            Reading::now(cluster.from(), format!("list all objects of Hedgehog's in namespace {namespace}"), found);
        Ok(Read { value: snapshot, reading })
    }

    fn add(&mut self, kind: &Kind, objects: Vec<Value>) {
        for mut object in objects {
            let text = |key: &str| object["metadata"][key].as_str().unwrap_or_default().to_owned();
            let map = |key: &str| object["metadata"][key].as_object().cloned().unwrap_or_default();
            let key = Key { group: kind.group.clone(), kind: kind.kind.clone(), name: text("name") };
            let seen = Seen {
                uid: text("uid"),
                resource_version: text("resourceVersion"),
                generation: object["metadata"]["generation"].as_i64(),
                labels: map("labels"),
                annotations: map("annotations"),
                spec: object["spec"].take(),
            };
            self.objects.insert(key, seen);
        }
    }

    /// The one object of a kind and name.
    pub fn get(&self, kind: &str, name: &str) -> Option<&Seen> {
        self.objects.iter().find(|(key, _)| key.kind == kind && key.name == name).map(|(_, seen)| seen)
    }

    /// What is different afterwards.
    pub fn differences(before: &Self, after: &Self) -> Differences {
        let mut found = Differences::default();
        let mut unread: Vec<&String> = before.unread.keys().chain(after.unread.keys()).collect();
        unread.sort();
        unread.dedup();
        found.unread = unread.into_iter().cloned().collect();
        for (key, was) in &before.objects {
            match after.objects.get(key) {
                None => found.deleted.push(key.clone()),
                Some(is) => match changed(key, was, is) {
                    Some(changed) => found.changed.push(changed),
                    None if was.resource_version == is.resource_version => found.unchanged.push(key.clone()),
                    None => found.touched.push(key.clone()),
                },
            }
        }
        found.created = after.objects.keys().filter(|key| !before.objects.contains_key(*key)).cloned().collect();
        found
    }
}

fn changed(key: &Key, was: &Seen, is: &Seen) -> Option<Changed> {
    let recreated = was.uid != is.uid;
    let (labels, annotations) = (was.labels != is.labels, was.annotations != is.annotations);
    if !recreated && !labels && !annotations && was.spec == is.spec {
        return None;
    }
    let mut spec = holds::differences(&was.spec, &is.spec);
    for new in holds::differences(&is.spec, &was.spec) {
        if !spec.iter().any(|known| known.path == new.path) {
            spec.push(Difference { path: new.path, desired: new.live.unwrap_or_default(), live: Some(new.desired) });
        }
    }
    Some(Changed { key: key.clone(), recreated, spec, labels, annotations })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind() -> Kind {
        let text = str::to_owned;
        let (group, version) = (text("vpc.githedgehog.com"), text("v1beta1"));
        Kind { group, version, plural: text("vpcs"), kind: text("VPC"), namespaced: true, verbs: Vec::new() }
    }

    fn snapshot(objects: &[(&str, &str, &str, Value)]) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let objects = objects.iter().map(|(name, uid, version, spec)| {
            json!({"metadata": {"name": name, "uid": uid, "resourceVersion": version, "generation": 1}, "spec": spec})
        });
        snapshot.add(&kind(), objects.collect());
        snapshot
    }

    #[test]
    fn each_object_is_in_one_class() {
        let before = snapshot(&[
            ("same", "1", "1", json!({"vlan": 1})),
            ("touched", "2", "2", json!({"vlan": 2})),
            ("changed", "3", "3", json!({"vlan": 3, "old": 1})),
            ("anew", "4", "4", json!({"vlan": 4})),
            ("gone", "5", "5", json!({})),
        ]);
        let mut after = snapshot(&[
            ("same", "1", "1", json!({"vlan": 1})),
            ("touched", "2", "12", json!({"vlan": 2})),
            ("changed", "3", "13", json!({"vlan": 30, "new": true})),
            ("anew", "40", "14", json!({"vlan": 4})),
            ("new", "6", "15", json!({})),
        ]);
        after.unread.insert("externals.vpc.githedgehog.com".to_owned(), "no".to_owned());
        let found = Snapshot::differences(&before, &after);
        let names = |keys: &[Key]| keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found.unchanged), ["same"]);
        assert_eq!(names(&found.touched), ["touched"]);
        assert_eq!((names(&found.created), names(&found.deleted)), (vec!["new".to_owned()], vec!["gone".to_owned()]));
        assert_eq!(found.unread, ["externals.vpc.githedgehog.com"]);
        assert!(!found.is_empty() && Snapshot::differences(&after, &after).is_empty());
        let [anew, changed] = found.changed.as_slice() else { panic!("{:?}", found.changed) };
        assert!(anew.recreated && anew.spec.is_empty() && anew.key.to_string() == "VPC anew");
        let paths: Vec<&str> = changed.spec.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["spec.vlan", "spec.old", "spec.new"]);
        assert_eq!(changed.spec[2].live, Some(json!(true)));
        assert!(!changed.recreated);
    }
}
