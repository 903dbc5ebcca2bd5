//! What a request for a sync may say besides its verb: what it is about, whether it only asks, what may be deleted.
//!
//! Pages, scripts and the schedule fill these in; the engine keeps them with the operation.

use crate::ObjectKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One field of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FieldOfObject {
    /// Which object.
    pub object: ObjectKey,
    /// The path of the field, as a difference names it.
    pub path: String,
}

/// What a sync is about and how far it may go. The default is everything, for real, without deleting.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncOptions {
    /// The server is asked what it would say to each write; nothing is changed.
    pub dry_run: bool,
    /// Only these objects; with `kinds` empty too, all.
    pub objects: BTreeSet<ObjectKey>,
    /// Only objects of these kinds, as `VPC.vpc.githedgehog.com`.
    pub kinds: BTreeSet<String>,
    /// These objects are left as they are.
    pub leave_objects: BTreeSet<ObjectKey>,
    /// These fields keep the value that they have in the cluster.
    pub leave_fields: BTreeSet<FieldOfObject>,
    /// Objects that Git no longer names are deleted. Takes the fabric's own permission as well.
    pub prune: bool,
    /// The fabric's name, typed by whoever confirms a deletion beyond the fabric's share.
    pub prune_confirmation: Option<String>,
    /// Link addresses may be taken away from live objects.
    pub allow_address_removal: bool,
    /// *Sync from Fabric* commits these objects of the cluster to the source.
    pub adopt: BTreeSet<ObjectKey>,
}

impl SyncOptions {
    /// Whether the request is about an object at all.
    pub fn selects(&self, key: &ObjectKey) -> bool {
        let all = self.objects.is_empty() && self.kinds.is_empty();
        all || self.objects.contains(key) || self.kinds.contains(&kind_name(key))
    }

    /// Whether the request is about everything.
    pub fn selects_all(&self) -> bool {
        self.objects.is_empty() && self.kinds.is_empty()
    }
}

/// `VPC.vpc.githedgehog.com`: a kind as the address of its list names it.
pub fn kind_name(key: &ObjectKey) -> String {
    format!("{}.{}", key.kind, key.group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_said_is_everything_and_what_is_named_is_only_that() {
        let vpc = ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "web");
        let switch = ObjectKey::new("wiring.githedgehog.com", "Switch", "default", "leaf-01");
        let all = SyncOptions::default();
        assert!(all.selects_all() && all.selects(&vpc) && all.selects(&switch));
        let kind = SyncOptions { kinds: ["VPC.vpc.githedgehog.com".to_owned()].into(), ..SyncOptions::default() };
        assert!(kind.selects(&vpc) && !kind.selects(&switch) && !kind.selects_all());
        let one = SyncOptions { objects: [switch.clone()].into(), ..kind };
        assert!(one.selects(&vpc) && one.selects(&switch));
    }

    #[test]
    fn an_older_row_says_less_and_is_read() {
        let old: SyncOptions = serde_json::from_str(r#"{"allow_address_removal": true}"#).unwrap();
        assert_eq!(old, SyncOptions { allow_address_removal: true, ..SyncOptions::default() });
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<SyncOptions>(&text).unwrap(), old);
    }
}
