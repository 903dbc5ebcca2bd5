//! Agents as Hedgerow reads them: a summary that may be stored and shown, and the specs that they hold.

use crate::kind::{GATEWAY, VPC, WIRING};
use crate::object::ObjectKey;
use crate::operation::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

words! {
    /// What an agent runs on.
    AgentKind {
        /// A switch.
        Agent = "Agent",
        /// A gateway.
        GatewayAgent = "GatewayAgent",
    }
}

impl AgentKind {
    /// The agent that a switch or gateway is to have, under its own name; `None` of any other object.
    pub fn of(key: &ObjectKey) -> Option<Self> {
        match (key.group.as_str(), key.kind.as_str()) {
            (WIRING, "Switch") => Some(Self::Agent),
            (GATEWAY, "Gateway") => Some(Self::GatewayAgent),
            _ => None,
        }
    }
}

/// What of an Agent may be stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSummary {
    /// Switch or gateway.
    pub kind: AgentKind,
    /// Its name, which is the switch's or gateway's.
    pub name: String,
    /// The generation of its spec.
    pub generation: i64,
    /// The last generation that was applied; on a gateway the lower of the agent's and the routing daemon's.
    pub last_applied_gen: Option<i64>,
    /// The last generation that was tried. Gateways do not say.
    pub last_attempt_gen: Option<i64>,
    /// When it last applied one.
    pub last_applied_at: Option<Timestamp>,
    /// When it last tried one.
    pub last_attempt_at: Option<Timestamp>,
    /// Since when something is not applied, from its condition `Applied`.
    pub unapplied_since: Option<Timestamp>,
    /// Its last heartbeat.
    pub last_heartbeat: Option<Timestamp>,
    /// The version of the agent.
    pub version: Option<String>,
    /// The version that the fabric asks for; see [`expect_versions`] for where it does not say.
    #[serde(default)]
    pub wanted_version: Option<String>,
    /// Whether what it is to run takes effect with a reboot only.
    #[serde(default)]
    pub reboot_required: bool,
    /// Whether it was told to reboot and its boot is still the one that was to end.
    #[serde(default)]
    pub rebooting: bool,
    /// The switch's role.
    pub role: Option<String>,
}

impl AgentSummary {
    /// Whether it runs another version of the agent than the fabric asks for, as far as both are known.
    pub fn has_skew(&self) -> bool {
        matches!((&self.version, &self.wanted_version), (Some(has), Some(wanted)) if has != wanted)
    }

    /// Whether it holds something else than what it is given: what it last applied, also when it is offline or stuck. One
    /// that never applied anything holds nothing.
    pub fn holds_an_older_form(&self) -> bool {
        self.last_applied_gen.is_some_and(|applied| applied != self.generation)
    }
}

/// Fills in what is not said: an agent whose spec asks for no version is to run the one that more than half of its kind
/// run.
pub fn expect_versions(agents: &mut [AgentSummary]) {
    for kind in AgentKind::ALL {
        let versions: Vec<String> =
            agents.iter().filter(|agent| agent.kind == *kind).filter_map(|agent| agent.version.clone()).collect();
        let of = |version: &String| versions.iter().filter(|other| *other == version).count();
        let Some(most) = versions.iter().find(|version| of(version) * 2 > versions.len()) else { continue };
        for agent in agents.iter_mut().filter(|agent| agent.kind == *kind && agent.wanted_version.is_none()) {
            agent.wanted_version = Some(most.clone());
        }
    }
}

/// An Agent with the specs that it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// What may be stored and shown.
    pub summary: AgentSummary,
    /// Its namespace, which is that of the objects it holds.
    pub(super) namespace: String,
    /// Its identity in the cluster; empty when it does not say.
    uid: String,
    /// The specs by kind and name, for [`super::holdings`]; they are not for storing. Shared by the copies of a view, and
    /// by the views of an Agent whose spec has not changed: they are the largest thing that is kept of a fabric.
    pub(super) held: Arc<Map<String, Value>>,
}

/// Which Agent, in which state of its spec: while this is equal, it holds the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldVersion {
    kind: AgentKind,
    namespace: String,
    name: String,
    uid: String,
    generation: i64,
}

/// Under which key of an Agent's spec the objects of a kind are held, by name.
pub(super) const HELD_BY_SWITCHES: &[(&str, &str, &str)] = &[
    ("vpcs", VPC, "VPC"),
    ("vpcAttachments", VPC, "VPCAttachment"),
    ("vpcPeers", VPC, "VPCPeering"),
    ("externals", VPC, "External"),
    ("externalAttachments", VPC, "ExternalAttachment"),
    ("externalPeerings", VPC, "ExternalPeering"),
    ("ipv4Namespaces", VPC, "IPv4Namespace"),
    ("vlanNamespaces", WIRING, "VLANNamespace"),
    ("connections", WIRING, "Connection"),
    ("switches", WIRING, "Switch"),
];

/// The same for a GatewayAgent. Its `gateway`, `groups` and `vpcs` have forms of their own.
pub(super) const HELD_BY_GATEWAYS: &[(&str, &str, &str)] = &[("peerings", GATEWAY, "GatewayPeering")];

impl AgentView {
    /// Reads an Agent or GatewayAgent, whole or filtered by [`super::filter_allowed`]. `None` for any other kind, and
    /// for one without a name.
    pub fn from_value(object: &Value) -> Option<Self> {
        let kind: AgentKind = object.get("kind")?.as_str()?.parse().ok()?;
        let metadata = object.get("metadata")?;
        let at = |path: &str| object.pointer(path);
        let number = |path: &str| at(path).and_then(Value::as_i64);
        let time = |path: &str| at(path).and_then(Value::as_str).and_then(|t| t.parse::<Timestamp>().ok());
        let text = |path: &str| at(path).and_then(Value::as_str).map(str::to_owned);
        let applied = number("/status/lastAppliedGen");
        let summary = AgentSummary {
            kind,
            name: metadata.get("name")?.as_str()?.to_owned(),
            generation: metadata.get("generation").and_then(Value::as_i64).unwrap_or(0),
            last_applied_gen: match kind {
                AgentKind::Agent => applied,
                AgentKind::GatewayAgent => match (applied, number("/status/state/frr/lastAppliedGen")) {
                    (Some(agent), Some(routing)) => Some(agent.min(routing)),
                    _ => None,
                },
            },
            last_attempt_gen: number("/status/lastAttemptGen"),
            last_applied_at: time("/status/lastAppliedTime"),
            last_attempt_at: time("/status/lastAttemptTime"),
            unapplied_since: at("/status/conditions").and_then(Value::as_array).and_then(|conditions| {
                let applied = conditions.iter().find(|c| c.get("type").and_then(Value::as_str) == Some("Applied"))?;
                let open = applied.get("status").and_then(Value::as_str) != Some("True");
                open.then(|| applied.get("lastTransitionTime")?.as_str()?.parse().ok()).flatten()
            }),
            last_heartbeat: time("/status/lastHeartbeat"),
            version: text("/status/version").or_else(|| text("/status/agentVersion")),
            wanted_version: text("/spec/version/default")
                .or_else(|| text("/spec/agentVersion"))
                .filter(|v| !v.is_empty()),
            reboot_required: at("/status/rebootRequired").and_then(Value::as_bool).unwrap_or(false),
            rebooting: text("/status/bootID").filter(|boot| !boot.is_empty()).is_some_and(|boot| {
                ["/spec/reboot", "/spec/powerReset"].iter().any(|asked| text(asked).as_ref() == Some(&boot))
            }),
            role: text("/spec/role"),
        };
        let keys: &[&str] = match kind {
            AgentKind::Agent => &["switch"],
            AgentKind::GatewayAgent => &["gateway", "groups", "vpcs"],
        };
        let maps = match kind {
            AgentKind::Agent => HELD_BY_SWITCHES,
            AgentKind::GatewayAgent => HELD_BY_GATEWAYS,
        };
        let wanted = keys.iter().copied().chain(maps.iter().map(|(key, ..)| *key));
        let held = wanted.filter_map(|key| Some((key.to_owned(), object.get("spec")?.get(key)?.clone()))).collect();
        let namespace = metadata.get("namespace").and_then(Value::as_str).unwrap_or("default").to_owned();
        let uid = metadata.get("uid").and_then(Value::as_str).unwrap_or_default().to_owned();
        Some(Self { summary, namespace, uid, held: Arc::new(held) })
    }

    /// What the specs that it holds cannot change without; heartbeats leave it as it is. `None` when the Agent does not
    /// say enough for that.
    pub fn held_version(&self) -> Option<HeldVersion> {
        let generation = self.summary.generation;
        (generation > 0 && !self.uid.is_empty()).then(|| HeldVersion {
            kind: self.summary.kind,
            namespace: self.namespace.clone(),
            name: self.summary.name.clone(),
            uid: self.uid.clone(),
            generation,
        })
    }

    /// This view with the specs of an earlier one, when both are of one spec: then nothing is kept twice.
    #[must_use]
    pub fn sharing(mut self, earlier: &Self) -> Self {
        if self.held_version().is_some_and(|version| earlier.held_version() == Some(version)) {
            self.held = earlier.held.clone();
        }
        self
    }

    /// Whether both views keep one and the same copy of their specs.
    pub fn shares_specs_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.held, &other.held)
    }

    /// The specs of one kind by name, under their key in the Agent's spec.
    pub(super) fn map(&self, key: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.held.get(key).and_then(Value::as_object).into_iter().flatten()
    }
}
