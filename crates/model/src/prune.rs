//! What a sync may delete: objects that Git names no more, if Hedgerow itself wrote them or a person took them over, in
//! an order in which nothing is deleted that a deletion yet to come still needs.
//!
//! Pure: the engine brings what is live and what is desired, both of a run and of the stored comparison, so that the list
//! that a page shows is the one that a run works through.

use crate::kind::{GATEWAY, VPC, WIRING};
use crate::object::ObjectKey;
use crate::operation::words;
use crate::references::{Reference, groups_of_gateway, references};
use crate::sync_options::SyncOptions;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The field manager under which Hedgerow writes.
pub const FIELD_MANAGER: &str = "hedgerow";

/// Annotations that keep an object, with the value that says so. The first is Hedgerow's own; whoever comes from Argo CD
/// or Flux has the others already.
pub const OPT_OUTS: &[(&str, &str)] = &[
    ("hedgerow.io/prune", "disabled"),
    ("argocd.argoproj.io/sync-options", "Prune=false"),
    ("kustomize.toolkit.fluxcd.io/prune", "disabled"),
];

words! {
    /// Why an object may be deleted at all.
    Owner {
        /// Hedgerow wrote it: managedFields say so.
        Applied = "applied",
        /// A person took it over into Git.
        Adopted = "adopted",
    }
}

words! {
    /// Why an object that only the cluster has stays.
    KeptBecause {
        /// Hedgerow did not write it, and nobody adopted it.
        NotOurs = "not_ours",
        /// An annotation keeps it.
        OptedOut = "opted_out",
        /// The request is not about it.
        NotSelected = "not_selected",
        /// The request leaves it out.
        LeftOut = "left_out",
        /// The source names it, in a document that is wrong.
        NamedWithError = "named_with_error",
    }
}

/// An object that only the cluster has.
#[derive(Debug, Clone, Copy)]
pub struct Extra<'a> {
    /// Which object.
    pub key: &'a ObjectKey,
    /// As it is in the cluster.
    pub live: &'a Value,
    /// Why it may be deleted, if it may.
    pub owner: Option<Owner>,
    /// Whether the source names it in a document that could not be used.
    pub has_error: bool,
}

/// An object that would be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deletion {
    /// Which object.
    pub key: ObjectKey,
    /// Why it may be.
    pub owner: Owner,
    /// Which step it belongs to; steps run one after the other, from 0.
    pub step: usize,
    /// What stays and uses it, as `Kind name`, though Hedgehog itself would not mind: a reason not to begin.
    pub used_by: Vec<String>,
    /// What stays and uses it, as `Kind name`, so that Hedgehog will refuse to delete it.
    pub guarded_by: Vec<String>,
}

/// An object that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Which object.
    pub key: ObjectKey,
    /// Why.
    pub because: KeptBecause,
    /// The same in one sentence.
    pub message: String,
}

/// What would be deleted, what is kept, and whether somebody has to confirm it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// What would be deleted, in the order in which it would be.
    pub deletions: Vec<Deletion>,
    /// What stays although Git does not name it, by identity.
    pub kept: Vec<Kept>,
    /// How many objects the fabric manages in the cluster: those that the source names, and those that only the cluster
    /// has, of kinds that the fabric manages.
    pub managed: u64,
    /// Why the fabric's name has to be typed before anything is deleted; `None` when it has not.
    pub confirm: Option<String>,
}

/// What a plan is made from.
#[derive(Debug)]
pub struct Input<'a> {
    /// What only the cluster has, of kinds that the fabric manages.
    pub extras: Vec<Extra<'a>>,
    /// Every other object as it will be: as Git wants it, or live where Git says nothing of it.
    pub others: Vec<(&'a ObjectKey, &'a Value)>,
    /// How many of the objects that the source names are in the cluster.
    pub desired_and_live: u64,
    /// How many objects the source names.
    pub desired: u64,
    /// How many of a hundred managed objects may go without a confirmation.
    pub limit_percent: u8,
    /// What the run is about.
    pub options: &'a SyncOptions,
}

/// Plans deletions.
pub fn plan(input: &Input<'_>) -> PrunePlan {
    let (mut going, mut kept) = (Vec::new(), Vec::new());
    for extra in &input.extras {
        match stays(extra, input.options) {
            Some((because, message)) => kept.push(Kept { key: extra.key.clone(), because, message }),
            None => going.push(extra),
        }
    }
    kept.sort_by(|a, b| a.key.cmp(&b.key));
    let gone: HashSet<&ObjectKey> = going.iter().map(|extra| extra.key).collect();
    let staying = input.extras.iter().filter(|extra| !gone.contains(extra.key)).map(|extra| (extra.key, extra.live));
    let staying: Vec<(&ObjectKey, &Value)> = input.others.iter().copied().chain(staying).collect();
    let (users, guards) = users(&going, &staying);
    let steps = steps(&going.iter().map(|extra| (extra.key, extra.live)).collect::<Vec<_>>());
    let mut deletions: Vec<Deletion> = going
        .iter()
        .filter_map(|extra| {
            Some(Deletion {
                key: extra.key.clone(),
                owner: extra.owner?,
                step: steps.get(extra.key).copied().unwrap_or(0),
                used_by: users.get(extra.key).cloned().unwrap_or_default(),
                guarded_by: guards.get(extra.key).cloned().unwrap_or_default(),
            })
        })
        .collect();
    deletions.sort_by(|a, b| (a.step, &a.key).cmp(&(b.step, &b.key)));
    let managed = input.desired_and_live + input.extras.len() as u64;
    let confirm = confirm(&deletions, managed, input);
    PrunePlan { deletions, kept, managed, confirm }
}

/// Whether Hedgerow wrote the object: one of its field managers is Hedgerow's. A write of its status is none.
pub fn was_applied(live: &Value) -> bool {
    let managers = live.pointer("/metadata/managedFields").and_then(Value::as_array);
    managers.into_iter().flatten().any(|entry| {
        let of_status = entry.get("subresource").and_then(Value::as_str).is_some_and(|s| !s.is_empty());
        entry.get("manager").and_then(Value::as_str) == Some(FIELD_MANAGER) && !of_status
    })
}

/// The annotation that keeps an object from being deleted, as it stands there.
pub fn opt_out(live: &Value) -> Option<String> {
    let annotations = live.pointer("/metadata/annotations")?.as_object()?;
    OPT_OUTS.iter().find_map(|(name, wanted)| {
        let value = annotations.get(*name)?.as_str()?;
        // Argo CD's takes several options, with commas between.
        let says_so = value.split(',').any(|part| part.trim().eq_ignore_ascii_case(wanted));
        says_so.then(|| format!("{name}: {value}"))
    })
}

fn stays(extra: &Extra<'_>, options: &SyncOptions) -> Option<(KeptBecause, String)> {
    if options.leave_objects.contains(extra.key) {
        return Some((KeptBecause::LeftOut, "It was left out of this run.".to_owned()));
    }
    if !options.selects(extra.key) {
        return Some((KeptBecause::NotSelected, "It is not among what was selected.".to_owned()));
    }
    if extra.has_error {
        let message = "The source names it in a document that is wrong; it stays until that is right.";
        return Some((KeptBecause::NamedWithError, message.to_owned()));
    }
    if extra.owner.is_none() {
        let message = "It was not written by Hedgerow, and nobody adopted it; it is never deleted by a sync.";
        return Some((KeptBecause::NotOurs, message.to_owned()));
    }
    opt_out(extra.live).map(|note| (KeptBecause::OptedOut, format!("Its annotation keeps it ({note}).")))
}

/// Users of objects, each as `Kind name`.
type Users = HashMap<ObjectKey, Vec<String>>;

/// What stays and names something that goes. First where Hedgehog does not look: the deletion would be accepted, and what
/// stays would be broken by it. Then where it does.
fn users(going: &[&Extra<'_>], staying: &[(&ObjectKey, &Value)]) -> (Users, Users) {
    let (mut open, mut guarded) = (Users::new(), Users::new());
    let by_name: HashMap<(&str, &str, &str), &ObjectKey> =
        going.iter().map(|e| ((e.key.group.as_str(), e.key.kind.as_str(), e.key.name.as_str()), e.key)).collect();
    if by_name.is_empty() {
        return (open, guarded);
    }
    let add_to = |users: &mut Users, key: &ObjectKey, user: &ObjectKey| {
        let title = format!("{} {}", user.kind, user.name);
        let users = users.entry(key.clone()).or_default();
        if !users.contains(&title) {
            users.push(title);
        }
    };
    for (user, object) in staying {
        for Reference { group, kind, name, is_guarded } in references(user, object) {
            if let Some(key) = by_name.get(&(group, kind, name.as_str())) {
                add_to(if is_guarded { &mut guarded } else { &mut open }, key, user);
            }
        }
    }
    let mut add = |key: &ObjectKey, user: &ObjectKey| add_to(&mut open, key, user);
    let of = |kind: &'static str| staying.iter().filter(move |(key, _)| key.group == GATEWAY && key.kind == kind);
    for extra in going.iter().filter(|e| (e.key.group.as_str(), e.key.kind.as_str()) == (GATEWAY, "Gateway")) {
        // A group without any gateway runs no peering.
        for group in groups_of_gateway(&extra.live["spec"]) {
            if of("Gateway").any(|(_, other)| groups_of_gateway(&other["spec"]).any(|g| g == group)) {
                continue;
            }
            let peerings = of("GatewayPeering").filter(|(_, peering)| {
                let named = peering.pointer("/spec/gatewayGroup").and_then(Value::as_str);
                named.unwrap_or("default") == group
            });
            peerings.for_each(|(user, _)| add(extra.key, user));
        }
    }
    for extra in going.iter().filter(|e| (e.key.group.as_str(), e.key.kind.as_str()) == (WIRING, "Connection")) {
        // A gateway names the switch's address of its connection as a neighbour.
        let links = extra.live.pointer("/spec/gateway/links").and_then(Value::as_array);
        let ips = links.into_iter().flatten().filter_map(|link| link.pointer("/switch/ip")?.as_str());
        let ips: HashSet<&str> = ips.map(|ip| ip.split_once('/').map_or(ip, |(ip, _)| ip)).collect();
        let has = |gateway: &Value| {
            let neighbors = gateway.pointer("/spec/neighbors").and_then(Value::as_array);
            neighbors.into_iter().flatten().any(|n| n["ip"].as_str().is_some_and(|ip| ips.contains(ip)))
        };
        of("Gateway").filter(|(_, gateway)| has(gateway)).for_each(|(user, _)| add(extra.key, user));
    }
    (open, guarded)
}

/// Places in the order of deletion, by kind; kinds that nobody has heard of go first, as they come last when applied.
fn place(key: &ObjectKey) -> usize {
    match (key.group.as_str(), key.kind.as_str()) {
        (GATEWAY, "GatewayPeering" | "Peering") | (VPC, "ExternalPeering" | "VPCPeering") => 1,
        (VPC, "VPCAttachment") => 2,
        (VPC, "VPC") => 3,
        (VPC, "ExternalAttachment") => 4,
        (VPC, "External") => 5,
        (WIRING, "Connection") => 6,
        (GATEWAY, "Gateway") => 7,
        (GATEWAY, "GatewayGroup") => 8,
        (WIRING, "Server" | "ServerProfile") => 9,
        (WIRING, "Switch") => 10,
        (WIRING, "SwitchGroup") => 11,
        (VPC, "IPv4Namespace") | (WIRING, "VLANNamespace") => 12,
        _ => 0,
    }
}

/// The step of each object, from 0 and without gaps: by the order of kinds, and never before one that refers to it.
fn steps(going: &[(&ObjectKey, &Value)]) -> HashMap<ObjectKey, usize> {
    // Room for a chain of references between two kinds.
    const ROOM: usize = 1_000;
    let mut level: HashMap<&ObjectKey, usize> = going.iter().map(|(key, _)| (*key, place(key) * ROOM)).collect();
    let by_name: HashMap<(&str, &str, &str), &ObjectKey> =
        going.iter().map(|(k, _)| ((k.group.as_str(), k.kind.as_str(), k.name.as_str()), *k)).collect();
    let needs: Vec<(&ObjectKey, &ObjectKey)> = going
        .iter()
        .flat_map(|(key, object)| references(key, object).into_iter().map(move |r| (*key, r)))
        .filter_map(|(user, r)| Some((user, *by_name.get(&(r.group, r.kind, r.name.as_str()))?)))
        .collect();
    // As many rounds as the longest chain settle it; a circle never settles and is cut off.
    for _ in 0..going.len().min(ROOM / 2) {
        let mut is_settled = true;
        for (user, used) in &needs {
            let after = level.get(user).copied().unwrap_or(0) + 1;
            if let Some(own) = level.get_mut(used).filter(|own| **own < after) {
                *own = after;
                is_settled = false;
            }
        }
        if is_settled {
            break;
        }
    }
    let mut levels: Vec<usize> = level.values().copied().collect();
    levels.sort_unstable();
    levels.dedup();
    let number: BTreeMap<usize, usize> = levels.into_iter().enumerate().map(|(n, level)| (level, n)).collect();
    level.into_iter().map(|(key, level)| (key.clone(), number[&level])).collect()
}

/// Why the fabric's name has to be typed, if it has.
fn confirm(deletions: &[Deletion], managed: u64, input: &Input<'_>) -> Option<String> {
    let n = deletions.len() as u64;
    if n == 0 {
        return None;
    }
    let names: Vec<String> = deletions.iter().map(|d| format!("{} {}", d.key.kind, d.key.name)).collect();
    let named = crate::naming::few(&names);
    if input.desired == 0 {
        return Some(format!(
            "The source holds no objects at all, and {n} would be deleted ({named}). Is it the right branch and folder?"
        ));
    }
    if n >= managed {
        return Some(format!("All {managed} objects of the fabric would be deleted ({named})."));
    }
    let limit = u64::from(input.limit_percent);
    (n * 100 > limit * managed).then(|| {
        format!(
            "{n} of the {managed} objects that the fabric manages would be deleted ({named}), more than its limit of \
             {limit} percent."
        )
    })
}

#[cfg(test)]
mod tests;
