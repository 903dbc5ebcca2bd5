//! Which switches and gateways an object concerns, and which of them hold it.
//!
//! Whom an object concerns follows what Hedgehog's controller does: a Connection its switches, an attachment the
//! switches of its connection, a VPC the switches where it is attached or reached by a peering there, externals and
//! IPv4 namespaces every switch. An Agent that holds an object's name is concerned by it in any case, so that a
//! release with other rules is not misread.

use super::agent::{AgentKind, AgentView, HELD_BY_GATEWAYS, HELD_BY_SWITCHES};
use crate::kind::{GATEWAY, VPC, WIRING};
use crate::normalise::{link_ports, same_spec};
use crate::object::ObjectKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One Agent that an object concerns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Holding {
    /// The Agent's name.
    pub agent: String,
    /// Switch or gateway.
    pub kind: AgentKind,
    /// Whether it should hold the object: false for one that is gone from the cluster.
    pub wanted: bool,
    /// Whether its spec holds the object as it is live; for one that is gone, whether it still holds the name.
    pub holds: bool,
}

impl Holding {
    /// Whether the Agent's spec is as it should be with regard to this object.
    pub fn is_settled(&self) -> bool {
        self.wanted == self.holds
    }
}

/// Which Agents each live object concerns, and whether they hold it; also objects that are gone from the cluster while
/// an Agent still holds their name. Objects that nothing runs (Server, SwitchGroup, a VPC that is attached nowhere)
/// have no entry.
pub fn holdings<'a>(
    live: impl IntoIterator<Item = (&'a ObjectKey, &'a Value)>,
    agents: &[AgentView],
) -> BTreeMap<ObjectKey, Vec<Holding>> {
    let live: HashMap<&ObjectKey, &Value> = live.into_iter().collect();
    let wiring = Wiring::read(&live, agents);
    let mut found: BTreeMap<ObjectKey, BTreeMap<(AgentKind, String), Holding>> = BTreeMap::new();
    for (key, object) in &live {
        for (kind, agent) in wiring.concerned(key, object) {
            let holding = Holding { agent: agent.clone(), kind, wanted: true, holds: false };
            found.entry((*key).clone()).or_default().insert((kind, agent), holding);
        }
    }
    for agent in agents {
        for (group, kind, name, held) in held_by(agent) {
            let key = ObjectKey::new(group, kind, agent.namespace.clone(), name);
            let object = live.get(&key);
            let holds = object.is_none_or(|object| held.matches(group, kind, object));
            let id = (agent.summary.kind, agent.summary.name.clone());
            let holding = Holding { agent: id.1.clone(), kind: id.0, wanted: object.is_some(), holds };
            let entry = found.entry(key).or_default();
            // Every gateway has an outline of every VPC; a live one concerns only the gateways that peer it.
            if !matches!(held, Held::Outline(_)) || entry.contains_key(&id) || object.is_none() {
                entry.insert(id, holding);
            }
        }
    }
    found.retain(|_, agents| !agents.is_empty());
    found.into_iter().map(|(key, agents)| (key, agents.into_values().collect())).collect()
}

/// What an Agent holds of an object.
enum Held<'a> {
    /// Its spec.
    Spec(&'a Value),
    /// Only that it is there.
    Name,
    /// The names and prefixes of a VPC's subnets.
    Outline(&'a Value),
}

impl Held<'_> {
    fn matches(&self, group: &str, kind: &str, object: &Value) -> bool {
        match self {
            Held::Spec(spec) => same_spec(group, kind, spec, object.get("spec").unwrap_or(&Value::Null)),
            Held::Name => true,
            Held::Outline(outline) => {
                let subnets = |value: &Value, at: &str, prefix: &str| -> BTreeMap<String, String> {
                    let map = value.pointer(at).and_then(Value::as_object).into_iter().flatten();
                    map.filter_map(|(name, s)| Some((name.clone(), s.get(prefix)?.as_str()?.to_owned()))).collect()
                };
                kind != "VPC" || subnets(outline, "/subnets", "cidr") == subnets(object, "/spec/subnets", "subnet")
            }
        }
    }
}

fn held_by(agent: &AgentView) -> Vec<(&'static str, &'static str, &str, Held<'_>)> {
    let mut all = Vec::new();
    let maps = match agent.summary.kind {
        AgentKind::Agent => HELD_BY_SWITCHES,
        AgentKind::GatewayAgent => HELD_BY_GATEWAYS,
    };
    for &(key, group, kind) in maps {
        all.extend(agent.map(key).map(|(name, spec)| (group, kind, name.as_str(), Held::Spec(spec))));
    }
    match agent.summary.kind {
        AgentKind::Agent => {
            // The switch's own spec stands beside the list of its neighbours' and is the one that it applies.
            if let Some(spec) = agent.held.get("switch") {
                all.push((WIRING, "Switch", agent.summary.name.as_str(), Held::Spec(spec)));
            }
        }
        AgentKind::GatewayAgent => {
            if let Some(spec) = agent.held.get("gateway") {
                all.push((GATEWAY, "Gateway", agent.summary.name.as_str(), Held::Spec(spec)));
            }
            all.extend(agent.map("groups").map(|(name, _)| (GATEWAY, "GatewayGroup", name.as_str(), Held::Name)));
            all.extend(agent.map("vpcs").map(|(name, outline)| match name.strip_prefix("ext.") {
                Some(external) => (VPC, "External", external, Held::Outline(outline)),
                None => (VPC, "VPC", name.as_str(), Held::Outline(outline)),
            }));
        }
    }
    all
}

type Names = BTreeSet<String>;

/// What the wiring says about who is concerned by what.
#[derive(Default)]
struct Wiring {
    switches: Names,
    /// Switch → the switches that are told about it: group peers and link neighbours.
    neighbours: HashMap<String, Names>,
    /// Connection → its switches.
    connection: HashMap<String, Names>,
    /// VPC → switches where it is attached.
    attached: HashMap<String, Names>,
    /// VPC → switches that reach it by a peering or a DHCP relay.
    reached: HashMap<String, Names>,
    /// External → switches where it is attached.
    external: HashMap<String, Names>,
    /// VLAN namespace → switches that carry it.
    vlans: HashMap<String, Names>,
    /// Gateway group → its gateways.
    group: HashMap<String, Names>,
    /// VPC, or External as `ext.<name>` → gateways that peer it.
    peered: HashMap<String, Names>,
}

fn text<'v>(object: &'v Value, pointer: &str) -> Option<&'v str> {
    object.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn strings<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v str> {
    object.pointer(pointer).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn keys<'v>(object: &'v Value, pointer: &str) -> impl Iterator<Item = &'v String> {
    object.pointer(pointer).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key)
}

impl Wiring {
    fn read(live: &HashMap<&ObjectKey, &Value>, agents: &[AgentView]) -> Self {
        let of = |group: &'static str, kind: &'static str| {
            live.iter().filter(move |(key, _)| key.group == group && key.kind == kind).map(|(key, o)| (&key.name, *o))
        };
        let mut w = Self::default();
        let switch_agents = agents.iter().filter(|a| a.summary.kind == AgentKind::Agent);
        w.switches = switch_agents.map(|a| a.summary.name.clone()).collect();
        let mut redundancy: HashMap<&str, Names> = HashMap::new();
        for (name, switch) in of(WIRING, "Switch") {
            w.switches.insert(name.clone());
            if let Some(group) = text(switch, "/spec/redundancy/group") {
                redundancy.entry(group).or_default().insert(name.clone());
            }
            let mut named = strings(switch, "/spec/vlanNamespaces").peekable();
            if named.peek().is_none() {
                w.vlans.entry("default".to_owned()).or_default().insert(name.clone());
            }
            for vlans in named {
                w.vlans.entry(vlans.to_owned()).or_default().insert(name.clone());
            }
        }
        let mut links: HashMap<String, Names> = HashMap::new();
        for peers in redundancy.values() {
            for peer in peers {
                links.entry(peer.clone()).or_default().extend(peers.iter().cloned());
            }
        }
        for (name, connection) in of(WIRING, "Connection") {
            let devices = connection_switches(connection, &w.switches);
            if ["/spec/fabric", "/spec/mesh"].iter().any(|at| connection.pointer(at).is_some()) {
                for device in &devices {
                    links.entry(device.clone()).or_default().extend(devices.iter().cloned());
                }
            }
            w.connection.insert(name.clone(), devices);
        }
        w.neighbours = links;
        w.read_overlay(&of);
        w
    }

    fn read_overlay<'v, I: Iterator<Item = (&'v String, &'v Value)>>(
        &mut self,
        of: &impl Fn(&'static str, &'static str) -> I,
    ) {
        let none = Names::new();
        for (_, attachment) in of(VPC, "VPCAttachment") {
            if let (Some(subnet), Some(connection)) =
                (text(attachment, "/spec/subnet"), text(attachment, "/spec/connection"))
            {
                let vpc = subnet.split('/').next().unwrap_or_default().to_owned();
                let on = self.connection.get(connection).unwrap_or(&none);
                self.attached.entry(vpc).or_default().extend(on.iter().cloned());
            }
        }
        for (_, attachment) in of(VPC, "ExternalAttachment") {
            if let (Some(external), Some(connection)) =
                (text(attachment, "/spec/external"), text(attachment, "/spec/connection"))
            {
                let on = self.connection.get(connection).unwrap_or(&none);
                self.external.entry(external.to_owned()).or_default().extend(on.iter().cloned());
            }
        }
        let on = |map: &HashMap<String, Names>, name: &str| map.get(name).cloned().unwrap_or_default();
        for (_, peering) in of(VPC, "VPCPeering") {
            let vpcs = peering_members(peering);
            let switches: Names = vpcs.iter().flat_map(|vpc| on(&self.attached, vpc)).collect();
            for vpc in vpcs {
                self.reached.entry(vpc).or_default().extend(switches.iter().cloned());
            }
        }
        for (_, peering) in of(VPC, "ExternalPeering") {
            if let (Some(vpc), Some(external)) =
                (text(peering, "/spec/permit/vpc/name"), text(peering, "/spec/permit/external/name"))
            {
                let switches = on(&self.external, external);
                self.reached.entry(vpc.to_owned()).or_default().extend(switches);
            }
        }
        for (name, vpc) in of(VPC, "VPC") {
            let subnets = vpc.pointer("/spec/subnets").and_then(Value::as_object).into_iter().flatten();
            for relay in subnets.filter_map(|(_, subnet)| text(subnet, "/dhcp/relayVPC")) {
                let switches = on(&self.attached, name);
                self.reached.entry(relay.to_owned()).or_default().extend(switches);
            }
        }
        for (name, gateway) in of(GATEWAY, "Gateway") {
            let groups = gateway.pointer("/spec/groups").and_then(Value::as_array);
            let mut named: Vec<&str> =
                groups.into_iter().flatten().filter_map(|g| g.get("name").and_then(Value::as_str)).collect();
            if named.is_empty() {
                named.push("default");
            }
            for group in named {
                self.group.entry(group.to_owned()).or_default().insert(name.clone());
            }
        }
        for (_, peering) in of(GATEWAY, "GatewayPeering") {
            let gateways = on(&self.group, text(peering, "/spec/gatewayGroup").unwrap_or("default"));
            for member in keys(peering, "/spec/peering") {
                self.peered.entry(member.clone()).or_default().extend(gateways.iter().cloned());
            }
        }
    }

    /// The agents that an object concerns.
    fn concerned(&self, key: &ObjectKey, object: &Value) -> Vec<(AgentKind, String)> {
        let get = |map: &HashMap<String, Names>, name: &str| map.get(name).cloned().unwrap_or_default();
        let name = key.name.as_str();
        let named = |pointer: &str, map: &HashMap<String, Names>| get(map, text(object, pointer).unwrap_or_default());
        let none = Names::new;
        let (switches, gateways) = match (key.group.as_str(), key.kind.as_str()) {
            (WIRING, "Switch") => {
                let mut all = get(&self.neighbours, name);
                all.insert(name.to_owned());
                (all, none())
            }
            // Nothing has used loopbacks since 25.04; no Agent holds them.
            (WIRING, "Connection") if object.pointer("/spec/vpcLoopback").is_some() => (none(), none()),
            (WIRING, "Connection") => (get(&self.connection, name), none()),
            (WIRING, "VLANNamespace") => (get(&self.vlans, name), none()),
            (VPC, "IPv4Namespace") => (self.switches.clone(), none()),
            (VPC, "External") => (self.switches.clone(), get(&self.peered, &format!("ext.{name}"))),
            (VPC, "VPC") => {
                let mut all = get(&self.attached, name);
                all.extend(get(&self.reached, name));
                (all, get(&self.peered, name))
            }
            (VPC, "VPCAttachment" | "ExternalAttachment") => (named("/spec/connection", &self.connection), none()),
            (VPC, "VPCPeering") => {
                (peering_members(object).iter().flat_map(|vpc| get(&self.attached, vpc)).collect(), none())
            }
            (VPC, "ExternalPeering") => (named("/spec/permit/external/name", &self.external), none()),
            (GATEWAY, "Gateway") => (none(), Names::from([name.to_owned()])),
            (GATEWAY, "GatewayGroup") => (none(), get(&self.group, name)),
            (GATEWAY, "GatewayPeering") => {
                (none(), get(&self.group, text(object, "/spec/gatewayGroup").unwrap_or("default")))
            }
            _ => (none(), none()),
        };
        let switches = switches.into_iter().map(|name| (AgentKind::Agent, name));
        switches.chain(gateways.into_iter().map(|name| (AgentKind::GatewayAgent, name))).collect()
    }
}

fn peering_members(peering: &Value) -> Names {
    let permits = peering.pointer("/spec/permit").and_then(Value::as_array).into_iter().flatten();
    permits.filter_map(Value::as_object).flat_map(|permit| permit.keys().cloned()).collect()
}

/// The switches that a connection joins: the devices of its ports, as far as they are switches.
fn connection_switches(connection: &Value, switches: &Names) -> Names {
    let mut devices = Names::new();
    let variants = connection.get("spec").and_then(Value::as_object).into_iter().flatten();
    for (_, variant) in variants {
        let single = variant.get("link").into_iter();
        let lists = ["links", "peerLinks", "sessionLinks"].into_iter();
        let many = lists.filter_map(|key| variant.get(key)?.as_array()).flatten();
        for link in single.chain(many) {
            for (_, port) in link_ports(link) {
                let device = port.split('/').next().unwrap_or_default();
                if switches.contains(device) {
                    devices.insert(device.to_owned());
                }
            }
        }
    }
    devices
}
