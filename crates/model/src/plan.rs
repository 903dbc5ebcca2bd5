//! The plan of a sync: what to create and what to replace, in which order.
//!
//! Objects of one rank do not need each other and are written at once; a rank begins when the one before it is done.
//! Within a rank what exists is replaced before anything is created, so that a VLAN, a port or a prefix that one object
//! gives up is free for the next.

mod refusal;

pub use refusal::{MissingReference, reference_not_found};

use crate::compare::{ObjectState, Verdict};
use crate::kind;
use crate::manifest::Severity;
use crate::object::{Gvk, ObjectKey};
use crate::operation::words;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

words! {
    /// What is done to one object.
    Action {
        /// It is not in the cluster: POST.
        Create = "create",
        /// It is, and differs: PUT under the resourceVersion that was compared.
        Update = "update",
    }
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Which object.
    pub key: ObjectKey,
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Create or update.
    pub action: Action,
    /// The verdict that asks for it.
    pub because: ObjectState,
}

/// Writes that may run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// The rank of the kinds in it, see [`kind::rank`]; several steps may share one.
    pub rank: u8,
    /// The writes, by identity.
    pub writes: Vec<Write>,
}

/// An object that would have to be written and is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Which object.
    pub key: ObjectKey,
    /// Why, one sentence.
    pub reason: String,
}

/// What a sync will do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The steps, in order.
    pub steps: Vec<Rank>,
    /// What differs and is not written, because an error was found in it.
    pub skipped: Vec<Skipped>,
    /// Objects that are equal already.
    pub unchanged: Vec<ObjectKey>,
}

impl Plan {
    /// The number of writes.
    pub fn len(&self) -> usize {
        self.steps.iter().map(|step| step.writes.len()).sum()
    }

    /// Whether nothing is to be written.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Every write, in order.
    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        self.steps.iter().flat_map(|step| &step.writes)
    }

    /// What this plan writes that may be the object which a refusal says is missing: as long as one of these can still
    /// come, trying again may help.
    pub fn providers<'p>(&'p self, missing: &'p MissingReference) -> impl Iterator<Item = &'p ObjectKey> {
        self.writes().map(|write| &write.key).filter(|key| missing.is_provided_by(key))
    }
}

/// Plans the writes that make the cluster equal to what is desired. Extra objects are left alone.
///
/// `desired` gives the desired object of a key; it is asked for VPCs only, whose DHCP relays order them.
pub fn plan<'v>(verdicts: &[Verdict], desired: impl Fn(&ObjectKey) -> Option<&'v Value>) -> Plan {
    let mut plan = Plan::default();
    let mut writes = Vec::new();
    for verdict in verdicts {
        let action = match verdict.state {
            ObjectState::Equal => {
                plan.unchanged.push(verdict.key.clone());
                continue;
            }
            ObjectState::Extra => continue,
            ObjectState::Unknown => None,
            ObjectState::Missing => Some(Action::Create),
            // Fields are compared where both sides exist; without any, the object is not there.
            ObjectState::Undelivered if verdict.diffs.is_empty() => Some(Action::Create),
            ObjectState::Undelivered | ObjectState::Modified | ObjectState::Conflict => Some(Action::Update),
        };
        let error = verdict.findings.iter().find(|finding| finding.severity == Severity::Error);
        match (action, error) {
            (Some(action), None) => writes.push(Write {
                key: verdict.key.clone(),
                gvk: verdict.gvk.clone(),
                action,
                because: verdict.state,
            }),
            (_, Some(error)) => plan.skipped.push(Skipped { key: verdict.key.clone(), reason: error.message.clone() }),
            (None, None) => {
                let reason = "It could not be compared, so it is left alone.".to_owned();
                plan.skipped.push(Skipped { key: verdict.key.clone(), reason });
            }
        }
    }
    let levels = relay_levels(&writes, desired);
    let mut steps: BTreeMap<(u8, usize, bool), Vec<Write>> = BTreeMap::new();
    for write in writes {
        let rank = kind::rank(&write.key.group, &write.key.kind);
        let level = levels.get(&write.key).copied().unwrap_or(0);
        steps.entry((rank, level, write.action == Action::Create)).or_default().push(write);
    }
    plan.steps = steps
        .into_iter()
        .map(|((rank, ..), mut writes)| {
            writes.sort_by(|a, b| a.key.cmp(&b.key));
            Rank { rank, writes }
        })
        .collect();
    plan
}

/// How many VPCs must be there before each VPC, because it relays its DHCP requests to them.
fn relay_levels<'v>(writes: &[Write], desired: impl Fn(&ObjectKey) -> Option<&'v Value>) -> HashMap<ObjectKey, usize> {
    let vpcs: Vec<&ObjectKey> =
        writes.iter().map(|w| &w.key).filter(|k| k.group == kind::VPC && k.kind == "VPC").collect();
    let by_name: HashMap<&str, &ObjectKey> = vpcs.iter().map(|key| (key.name.as_str(), *key)).collect();
    let needs: HashMap<&ObjectKey, Vec<&ObjectKey>> = vpcs
        .iter()
        .map(|key| {
            let subnets = desired(key).and_then(|vpc| vpc.pointer("/spec/subnets")?.as_object());
            let relays = subnets.into_iter().flatten().filter_map(|(_, s)| s.pointer("/dhcp/relayVPC")?.as_str());
            (*key, relays.filter_map(|name| by_name.get(name).copied()).filter(|other| other != key).collect())
        })
        .collect();
    let mut levels: HashMap<ObjectKey, usize> = HashMap::new();
    // As many rounds as there are VPCs settle every chain; a circle never settles and is cut off there.
    for _ in 0..vpcs.len() {
        let mut settled = true;
        for key in &vpcs {
            let level = needs[key].iter().map(|need| levels.get(*need).copied().unwrap_or(0) + 1).max().unwrap_or(0);
            let level = level.min(vpcs.len());
            if levels.get(*key).copied().unwrap_or(0) != level {
                levels.insert((*key).clone(), level);
                settled = false;
            }
        }
        if settled {
            break;
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{FieldDiff, Side};
    use crate::manifest::Finding;
    use serde_json::json;

    fn verdict(kind: &str, name: &str, state: ObjectState, differs: bool) -> Verdict {
        let known = kind::KNOWN.iter().find(|k| k.kind == kind).unwrap();
        let diff = FieldDiff {
            path: "spec.x".into(),
            desired: None,
            live: None,
            side: Side::Desired,
            manager: None,
            changed_at: None,
        };
        Verdict {
            key: ObjectKey::new(known.group, kind, "default", name),
            gvk: Gvk::new(known.group, "v1beta1", kind),
            state,
            diffs: if differs { vec![diff] } else { Vec::new() },
            findings: Vec::new(),
        }
    }

    fn steps(plan: &Plan) -> Vec<Vec<String>> {
        plan.steps.iter().map(|s| s.writes.iter().map(|w| format!("{} {}", w.action, w.key.name)).collect()).collect()
    }

    #[test]
    fn what_is_needed_comes_first() {
        let verdicts = [
            verdict("GatewayPeering", "gp", ObjectState::Undelivered, false),
            verdict("VPCAttachment", "at", ObjectState::Undelivered, false),
            verdict("Connection", "c1", ObjectState::Undelivered, false),
            verdict("Connection", "c2", ObjectState::Modified, true),
            verdict("VPC", "relayed", ObjectState::Undelivered, false),
            verdict("VPC", "far", ObjectState::Undelivered, false),
            verdict("VPC", "dhcp", ObjectState::Missing, false),
            verdict("Switch", "sw", ObjectState::Conflict, true),
            verdict("SwitchGroup", "g", ObjectState::Undelivered, false),
            verdict("Server", "s", ObjectState::Equal, false),
            verdict("Server", "extra", ObjectState::Extra, false),
        ];
        let relay = |to: &str| json!({"spec": {"subnets": {"a": {"dhcp": {"relayVPC": to}}}}});
        let objects = HashMap::from([("relayed", relay("dhcp")), ("far", relay("relayed")), ("dhcp", relay("dhcp"))]);
        let plan = plan(&verdicts, |key| objects.get(key.name.as_str()));
        assert_eq!(
            steps(&plan),
            [
                vec!["create g"],
                vec!["update sw"],
                vec!["create dhcp"],
                vec!["create relayed"],
                vec!["create far"],
                vec!["update c2"],
                vec!["create c1"],
                vec!["create at"],
                vec!["create gp"],
            ]
        );
        assert_eq!((plan.len(), plan.unchanged.len(), plan.skipped.len()), (9, 1, 0));
        let missing = reference_not_found("failed to validate vpc attachment: vpc dhcp not found").unwrap();
        assert_eq!(plan.providers(&missing).map(|key| key.name.as_str()).collect::<Vec<_>>(), ["dhcp"]);
        assert_eq!(plan.providers(&reference_not_found("connection nope not found").unwrap()).count(), 0);
    }

    #[test]
    fn relays_in_a_circle_do_not_hang() {
        let verdicts = [
            verdict("VPC", "a", ObjectState::Undelivered, false),
            verdict("VPC", "b", ObjectState::Undelivered, false),
        ];
        let relay = |to: &str| json!({"spec": {"subnets": {"a": {"dhcp": {"relayVPC": to}}}}});
        let objects = HashMap::from([("a", relay("b")), ("b", relay("a"))]);
        assert_eq!(plan(&verdicts, |key| objects.get(key.name.as_str())).len(), 2);
    }

    #[test]
    fn what_is_wrong_is_not_written() {
        let mut wrong = verdict("VPC", "wrong", ObjectState::Undelivered, false);
        wrong.findings.push(Finding::error("missing_reference", "It names a VPC that is not there."));
        let mut doubtful = verdict("VPC", "doubtful", ObjectState::Undelivered, false);
        doubtful.findings.push(Finding::warning("not_canonical", "Its subnet has host bits."));
        let verdicts = [wrong, doubtful, verdict("VPC", "unread", ObjectState::Unknown, false)];
        let none = |_: &ObjectKey| None;
        let everything = plan(&verdicts, none);
        assert_eq!(steps(&everything), [["create doubtful"]]);
        let skipped: Vec<_> = everything.skipped.iter().map(|s| s.key.name.as_str()).collect();
        assert_eq!(skipped, ["wrong", "unread"]);
        assert_eq!(everything.skipped[0].reason, "It names a VPC that is not there.");
        assert!(plan(&verdicts[2..], none).is_empty());
    }
}
