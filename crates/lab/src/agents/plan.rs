//! What the fabric controller makes of the objects of its users: for each switch an Agent that embeds, by name, the
//! spec of every object that concerns the switch.

use super::{AGENT_VERSION, catalog::Numbers, gateways};
use crate::admission::{ConnectionEnds, Lookup};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The objects that the controller wants to be there.
#[derive(Debug, Clone, Default)]
pub struct Planned {
    /// Objects without uid, version and the like: Agents, GatewayAgents, VPCInfos, DHCPSubnets, Catalogs. A `status`
    /// stands in those whose status the controller writes itself.
    pub objects: Vec<Value>,
    /// Kinds of which everything that is not planned is removed. Agents are not among them: they stay behind.
    pub exclusive: &'static [&'static str],
}

type Specs = BTreeMap<String, Arc<Value>>;

fn named(objects: Vec<Arc<Value>>) -> Specs {
    objects.into_iter().filter_map(|o| Some((o["metadata"]["name"].as_str()?.to_owned(), o.clone()))).collect()
}

/// All that the plan is made of, read once.
pub(super) struct World {
    pub switches: Specs,
    pub connections: Specs,
    pub ends: BTreeMap<String, ConnectionEnds>,
    pub vpcs: Specs,
    pub externals: Specs,
    attachments: Specs,
    peerings: Specs,
    external_attachments: Specs,
    external_peerings: Specs,
    ipv4_namespaces: Specs,
    vlan_namespaces: Specs,
    profiles: Specs,
}

impl World {
    fn read(lookup: &dyn Lookup) -> Self {
        let of = |kind: &str| named(lookup.list(kind));
        let connections = of("Connection");
        Self {
            ends: connections.iter().map(|(name, c)| (name.clone(), ConnectionEnds::of(c))).collect(),
            switches: of("Switch"),
            vpcs: of("VPC"),
            externals: of("External"),
            attachments: of("VPCAttachment"),
            peerings: of("VPCPeering"),
            external_attachments: of("ExternalAttachment"),
            external_peerings: of("ExternalPeering"),
            ipv4_namespaces: of("IPv4Namespace"),
            vlan_namespaces: of("VLANNamespace"),
            profiles: of("SwitchProfile"),
            connections,
        }
    }

    fn on(&self, switch: &str, connection: &str) -> bool {
        self.ends.get(connection).is_some_and(|ends| ends.switches.contains(switch))
    }
}

/// What the controller wants, given what users wrote and which numbers it gave out already.
pub fn plan(lookup: &dyn Lookup) -> Planned {
    let world = World::read(lookup);
    let mut numbers = Numbers::read(lookup);
    for vpc in world.vpcs.keys() {
        numbers.vni(vpc);
    }
    for external in world.externals.keys() {
        numbers.vni(&format!("ext@{external}"));
    }
    let mut objects: Vec<Value> =
        world.switches.iter().map(|(name, switch)| agent(name, switch, &world, &mut numbers, lookup)).collect();
    objects.extend(gateways::plan(lookup, &world, &mut numbers));
    objects.extend(numbers.catalogs());
    Planned { objects, exclusive: &["GatewayAgent", "VPCInfo", "DHCPSubnet"] }
}

fn specs<'a>(objects: impl IntoIterator<Item = (&'a String, &'a Arc<Value>)>) -> Value {
    objects.into_iter().map(|(name, o)| (name.clone(), embedded(&o["spec"]))).collect::<Map<_, _>>().into()
}

/// A spec as it stands in an Agent. It went through Go once more, which leaves out a `false` that says nothing.
fn embedded(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let subnets = spec.get_mut("subnets").and_then(Value::as_object_mut);
    for subnet in subnets.into_iter().flat_map(Map::values_mut) {
        if let Some(dhcp) = subnet.get_mut("dhcp").and_then(Value::as_object_mut)
            && dhcp.get("enable") == Some(&Value::Bool(false))
        {
            dhcp.shift_remove("enable");
        }
    }
    spec
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn agent(name: &str, switch: &Value, world: &World, numbers: &mut Numbers, lookup: &dyn Lookup) -> Value {
    // Loopbacks are not used since 25.04, and in no Agent.
    let here = |(n, c): &(&String, &Arc<Value>)| world.on(name, n) && !c["spec"]["vpcLoopback"].is_object();
    let connections: Specs = world.connections.iter().filter(here).map(|(n, c)| (n.clone(), c.clone())).collect();
    let of_connection = |objects: &Specs| -> Specs {
        let here = |o: &Value| connections.contains_key(text(o, "/spec/connection"));
        objects.iter().filter(|(_, o)| here(o)).map(|(n, o)| (n.clone(), o.clone())).collect()
    };
    let attachments = of_connection(&world.attachments);
    let external_attachments = of_connection(&world.external_attachments);
    let subnets: BTreeSet<&str> = attachments.values().map(|a| text(a, "/spec/subnet")).collect();
    let attached: BTreeSet<&str> = subnets.iter().filter_map(|s| s.split('/').next()).collect();
    let externals_here: BTreeSet<&str> = external_attachments.values().map(|a| text(a, "/spec/external")).collect();

    // A VPC is here when it is attached, peered with one that is, or peered with an External that is attached here.
    let mut vpcs: BTreeSet<&str> = attached.clone();
    let peerings: Vec<_> = world
        .peerings
        .iter()
        .filter_map(|(n, p)| {
            let pair: BTreeSet<&str> = p["spec"]["permit"]
                .as_array()?
                .iter()
                .filter_map(Value::as_object)
                .flat_map(|permit| permit.keys().map(String::as_str))
                .collect();
            if pair.is_disjoint(&attached) {
                return None;
            }
            vpcs.extend(pair);
            Some((n, p))
        })
        .collect();
    let external_peerings: Vec<_> = world
        .external_peerings
        .iter()
        .filter(|(_, p)| externals_here.contains(text(p, "/spec/permit/external/name")))
        .collect();
    vpcs.extend(external_peerings.iter().map(|(_, p)| text(p, "/spec/permit/vpc/name")));

    let peers = redundancy_peers(name, switch, world);
    let mut neighbours: BTreeSet<&str> = BTreeSet::from([name]);
    neighbours.extend(connections.keys().flat_map(|c| world.ends[c].switches.iter().map(String::as_str)));
    neighbours.extend(peers.iter().copied());
    let namespaces: Vec<&str> =
        switch["spec"]["vlanNamespaces"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();

    let mut spec = json!({
        "role": switch["spec"]["role"],
        "alloy": {},
        "catalog": catalog(&vpcs, &subnets, &externals_here, &connections, world, numbers),
        "config": config(lookup),
        "connections": specs(&connections),
        "externals": specs(&world.externals),
        "ipv4Namespaces": specs(&world.ipv4_namespaces),
        "switch": embedded(&switch["spec"]),
        "switches": specs(world.switches.iter().filter(|(n, _)| neighbours.contains(n.as_str()))),
        "users": [{"name": "admin", "password": "$5$lab$0000000000000000000000000000000000000000000", "role": "admin"}],
        "version": {"default": AGENT_VERSION, "repo": "127.0.0.1:31000/githedgehog/fabric/agent",
            "username": "lab", "password": "not-a-real-password"},
        "vlanNamespaces": specs(world.vlan_namespaces.iter().filter(|(n, _)| namespaces.contains(&n.as_str()))),
    });
    let mut set = |key: &str, value: Value| {
        if !(value.is_null()
            || value.as_object().is_some_and(Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty))
        {
            spec[key] = value;
        }
    };
    let yes =
        |names: &BTreeSet<&str>| names.iter().map(|n| ((*n).to_owned(), json!(true))).collect::<Map<_, _>>().into();
    set("description", switch["spec"].get("description").cloned().unwrap_or_default());
    set("attachedVPCs", yes(&attached));
    set("configuredVPCSubnets", yes(&subnets));
    set("redundancyGroupPeers", json!(peers));
    set("switchProfile", world.profiles.get(text(switch, "/spec/profile")).map_or(Value::Null, |p| p["spec"].clone()));
    set("vpcs", specs(world.vpcs.iter().filter(|(n, _)| vpcs.contains(n.as_str()))));
    set("vpcAttachments", specs(&attachments));
    set("vpcPeers", specs(peerings));
    set("externalAttachments", specs(&external_attachments));
    set("externalPeerings", specs(external_peerings));

    let mut metadata = json!({"name": name, "namespace": "default"});
    for key in ["labels", "annotations"] {
        if let Some(map) = switch["metadata"].get(key) {
            metadata[key] = map.clone();
        }
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        for key in [
            "kubectl.kubernetes.io/last-applied-configuration",
            "serial.hhfab.githedgehog.com",
            "type.hhfab.githedgehog.com",
        ] {
            annotations.shift_remove(key);
        }
    }
    json!({"apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent", "metadata": metadata, "spec": spec})
}

fn redundancy_peers<'a>(name: &str, switch: &Value, world: &'a World) -> Vec<&'a str> {
    let group = text(switch, "/spec/redundancy/group");
    let same = |(n, o): &(&'a String, &'a Arc<Value>)| n.as_str() != name && text(o, "/spec/redundancy/group") == group;
    world.switches.iter().filter(|_| !group.is_empty()).filter(same).map(|(n, _)| n.as_str()).collect()
}

fn catalog(
    vpcs: &BTreeSet<&str>,
    subnets: &BTreeSet<&str>,
    externals: &BTreeSet<&str>,
    connections: &Specs,
    world: &World,
    numbers: &mut Numbers,
) -> Value {
    let mut parts: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut put = |part: &'static str, key: String, value: Value| _ = parts.entry(part).or_default().insert(key, value);
    for vpc in vpcs.iter().filter(|v| world.vpcs.contains_key(**v)) {
        put("vpcVNIs", (*vpc).to_owned(), json!(numbers.vni(vpc)));
        put("irbVLANs", (*vpc).to_owned(), json!(numbers.irb_vlan(vpc)));
        let own = world.vpcs[*vpc]["spec"]["subnets"].as_object().into_iter().flat_map(Map::keys);
        let vnis: Map<String, Value> =
            own.map(|subnet| (subnet.clone(), json!(numbers.subnet_vni(vpc, subnet)))).collect();
        put("vpcSubnetVNIs", (*vpc).to_owned(), Value::Object(vnis));
    }
    for subnet in subnets {
        let (vpc, name) = subnet.split_once('/').unwrap_or((subnet, ""));
        if let Some(block) = world.vpcs.get(vpc).and_then(|v| v["spec"]["subnets"][name]["subnet"].as_str()) {
            put("subnetIDs", block.to_owned(), json!(numbers.subnet_vni(vpc, name)));
        }
    }
    for external in externals {
        let key = format!("ext@{external}");
        put("vpcVNIs", key.clone(), json!(numbers.vni(&key)));
        put("irbVLANs", key.clone(), json!(numbers.irb_vlan(&key)));
    }
    let mut channel = 0;
    for (name, connection) in connections {
        let (bundled, eslag) = (connection["spec"]["bundled"].is_object(), connection["spec"]["eslag"].is_object());
        if eslag {
            put("connectionIDs", name.clone(), json!(numbers.connection(name)));
        }
        if bundled || eslag {
            channel += 1;
            put("portChannelIDs", name.clone(), json!(channel));
        }
    }
    json!(parts)
}

fn config(lookup: &dyn Lookup) -> Value {
    let settings = lookup.settings();
    json!({
        "controlVIP": format!("{}/32", settings.control_vip),
        "fabricMTU": settings.fabric_mtu,
        "fabricSubnet": settings.fabric_subnet.to_string(),
        "gatewayASN": settings.gateway_asn,
        "gatewayBFD": true,
        "protocolSubnet": settings.protocol_subnet.to_string(),
        "serverFacingMTUOffset": settings.server_facing_mtu_offset,
        "spineASN": settings.spine_asn,
        "spineLeaf": {},
        "vtepSubnet": settings.vtep_subnet.to_string(),
    })
}
