//! The rules for Connections: one variant, real ports, nothing used twice.

use super::{Lookup, Verdict, Warning, fields, labels, net, ports};
use ports::PortMap;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// What a Connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Unbundled,
    Bundled,
    Eslag,
    Mclag,
    MclagDomain,
    Fabric,
    Mesh,
    Gateway,
    VpcLoopback,
    External,
    StaticExternal,
}

/// The variants in the order in which they are looked for: the first one that is set counts, further ones are ignored.
const VARIANTS: &[(Variant, &str, &str)] = &[
    (Variant::Unbundled, "unbundled", "unbundled"),
    (Variant::Bundled, "bundled", "bundled"),
    (Variant::Eslag, "eslag", "eslag"),
    (Variant::Fabric, "fabric", "fabric"),
    (Variant::Mesh, "mesh", "mesh"),
    (Variant::Gateway, "gateway", "gateway"),
    (Variant::VpcLoopback, "vpcLoopback", "vpc-loopback"),
    (Variant::External, "external", "external"),
    (Variant::StaticExternal, "staticExternal", "static-external"),
];

impl Variant {
    /// Value of the connection-type label. The variants that are no longer supported get one that the API server
    /// refuses as a label.
    pub(super) fn label(self) -> &'static str {
        VARIANTS.iter().find(|(v, _, _)| *v == self).map_or("<invalid>", |(_, _, label)| label)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Device {
    Switch,
    Server,
    Gateway,
}

/// One end of a link.
#[derive(Debug, Clone)]
struct End<'a> {
    device: Device,
    port: &'a str,
    ip: &'a str,
}

impl<'a> End<'a> {
    /// Device and port; `None` when it is not of that form.
    fn split(&self) -> Option<(&'a str, &'a str)> {
        self.port.split_once('/').filter(|(device, port)| !device.is_empty() && !port.is_empty())
    }
}

/// A Connection, read.
#[derive(Debug, Clone)]
pub(super) struct Parsed<'a> {
    pub(super) variant: Option<Variant>,
    links: Vec<Vec<End<'a>>>,
}

impl<'a> Parsed<'a> {
    pub(super) fn of(object: &'a Value) -> Self {
        let spec = &object["spec"];
        let old = [(Variant::Mclag, "mclag", ""), (Variant::MclagDomain, "mclagDomain", "")];
        let found = VARIANTS.iter().chain(&old).find(|(_, key, _)| spec.get(key).is_some_and(Value::is_object));
        let Some((variant, key, _)) = found else { return Self { variant: None, links: Vec::new() } };
        let config = &spec[*key];
        let links = match config.get("link") {
            Some(link) => std::slice::from_ref(link),
            None => fields::items(config, "/links"),
        };
        let links = links
            .iter()
            .map(|link| {
                let mut ends: Vec<End> = fields::entries(link, "")
                    .into_iter()
                    .map(|(side, end)| End {
                        device: match side {
                            "server" => Device::Server,
                            "gateway" => Device::Gateway,
                            _ => Device::Switch,
                        },
                        port: fields::text(end, "/port"),
                        ip: fields::text(end, "/ip"),
                    })
                    .collect();
                ends.retain(|e| !e.port.is_empty() || !e.ip.is_empty());
                ends
            })
            .collect();
        Self { variant: Some(*variant), links }
    }

    fn ends(&self) -> impl Iterator<Item = &End<'a>> {
        self.links.iter().flatten()
    }

    fn devices(&self, device: Device) -> Vec<&'a str> {
        let all: BTreeSet<&str> =
            self.ends().filter(|e| e.device == device).filter_map(|e| e.split().map(|(name, _)| name)).collect();
        all.into_iter().collect()
    }

    /// Names of the switches, sorted.
    pub(super) fn switches(&self) -> Vec<&'a str> {
        self.devices(Device::Switch)
    }

    /// Names of the servers, sorted.
    pub(super) fn servers(&self) -> Vec<&'a str> {
        self.devices(Device::Server)
    }

    /// Ports on one switch.
    fn ports_on(&self, switch: &str) -> Vec<&'a str> {
        let on = |e: &End<'a>| e.split().filter(|(name, _)| e.device == Device::Switch && *name == switch);
        self.ends().filter_map(|e| on(e).map(|(_, port)| port)).collect()
    }
}

/// Which devices a Connection connects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionEnds {
    /// Names of its switches.
    pub switches: BTreeSet<String>,
    /// Names of its servers.
    pub servers: BTreeSet<String>,
}

impl ConnectionEnds {
    /// The devices of a Connection object.
    pub fn of(connection: &Value) -> Self {
        let parsed = Parsed::of(connection);
        let all = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Self { switches: all(parsed.switches()), servers: all(parsed.servers()) }
    }
}

/// What may not change while the Connection exists.
pub(super) fn immutable(old: Option<&Value>, new: &Value) -> Verdict {
    let Some(old) = old else { return Ok(()) };
    if Parsed::of(old).variant != Parsed::of(new).variant {
        return Err("connection type is immutable".to_owned());
    }
    let within = "/spec/staticExternal/withinVPC";
    if fields::text(old, within) != fields::text(new, within) {
        return Err("withinVPC of a static external connection is immutable".to_owned());
    }
    Ok(())
}

pub(super) fn check(connection: &Value, lookup: &dyn Lookup, warnings: &mut Vec<Warning>) -> Verdict {
    net::common(connection)?;
    let parsed = Parsed::of(connection);
    let Some(variant) = parsed.variant else { return Err("no connection type is set".to_owned()) };
    if matches!(variant, Variant::Mclag | Variant::MclagDomain) {
        warnings.push("MCLAG is deprecated and no longer supported".to_owned());
        return Ok(());
    }
    check_shape(&parsed, variant)?;
    check_mtu(connection, variant, lookup)?;
    if variant == Variant::StaticExternal {
        check_static_external(connection, lookup)?;
    }
    for server in parsed.servers() {
        lookup.get("Server", server).ok_or(format!("server {server} not found"))?;
    }
    let mut switches = Vec::new();
    for name in parsed.switches() {
        switches.push(lookup.get("Switch", name).ok_or(format!("switch {name} not found"))?);
    }
    if variant == Variant::Eslag {
        check_redundancy(&switches)?;
    }
    check_ports(connection, &parsed, &switches, lookup)?;
    check_link_addresses(connection, &parsed, variant, lookup)
}

/// How many switches and servers the variant connects, and that every port is written properly and once.
fn check_shape(parsed: &Parsed, variant: Variant) -> Verdict {
    if parsed.links.is_empty() || parsed.links.iter().any(Vec::is_empty) {
        return Err("a link without ports".to_owned());
    }
    let mut seen = BTreeSet::new();
    for end in parsed.ends() {
        if end.split().is_none() {
            return Err(format!("port '{}' must be written as device/port", end.port));
        }
        if !seen.insert(end.port) {
            return Err(format!("port {} is used twice in this connection", end.port));
        }
    }
    let (switches, servers) = (parsed.switches().len(), parsed.servers().len());
    let (switches_wanted, servers_wanted) = match variant {
        Variant::Unbundled | Variant::Bundled => (1..=1, 1),
        Variant::Eslag => (1..=4, 1),
        Variant::Fabric | Variant::Mesh => (2..=2, 0),
        _ => (1..=1, 0),
    };
    if !switches_wanted.contains(&switches) || servers != servers_wanted {
        return Err(format!(
            "a {} connection needs {} to {} switches and {servers_wanted} servers, not {switches} and {servers}",
            variant.label(),
            switches_wanted.start(),
            switches_wanted.end()
        ));
    }
    Ok(())
}

fn check_mtu(connection: &Value, variant: Variant, lookup: &dyn Lookup) -> Verdict {
    let field = match variant {
        Variant::Unbundled => "/spec/unbundled/mtu",
        Variant::Bundled => "/spec/bundled/mtu",
        _ => return Ok(()),
    };
    let settings = lookup.settings();
    let max = i64::from(settings.fabric_mtu.saturating_sub(settings.server_facing_mtu_offset));
    let mtu = fields::number(connection, field);
    if mtu > max { Err(format!("mtu {mtu} is too large, must be <= {max}")) } else { Ok(()) }
}

fn check_static_external(connection: &Value, lookup: &dyn Lookup) -> Verdict {
    let switch = &connection["spec"]["staticExternal"]["link"]["switch"];
    let text = |p: &str| fields::text(switch, p);
    let block = net::cidr(text("/ip")).ok_or(format!("ip '{}' is not a CIDR", text("/ip")))?;
    let next_hop = net::ip(text("/nextHop")).ok_or(format!("next hop '{}' is not an address", text("/nextHop")))?;
    if !block.contains(&next_hop) {
        return Err(format!("next hop {next_hop} is not in {}", block.trunc()));
    }
    let mut subnets = Vec::new();
    for subnet in fields::texts(switch, "/subnets") {
        let parsed = net::cidr(subnet).filter(|s| s.trunc() == *s);
        subnets.push(parsed.ok_or(format!("subnet '{subnet}' is not a network address"))?);
    }
    if subnets.iter().any(|s| s.prefix_len() == 0) {
        if subnets.len() > 1 {
            return Err("subnet 0.0.0.0/0 must stand alone".to_owned());
        }
    } else {
        if let Some((a, b)) = net::first_overlap(&subnets) {
            return Err(format!("subnets overlap: {a} and {b}"));
        }
        for subnet in &subnets {
            if let Some(reserved) = lookup.settings().reserved(*subnet) {
                return Err(format!("subnet {subnet} overlaps with reserved subnet {reserved}"));
            }
        }
    }
    let vpc = fields::text(connection, "/spec/staticExternal/withinVPC");
    if !vpc.is_empty() && lookup.get("VPC", vpc).is_none() {
        return Err(format!("vpc {vpc} not found"));
    }
    Ok(())
}

/// All switches that have a redundancy group must have the same one, of type eslag, and one of them must.
fn check_redundancy(switches: &[Arc<Value>]) -> Verdict {
    let mut groups = BTreeSet::new();
    for switch in switches {
        let group = fields::text(switch, "/spec/redundancy/group");
        if group.is_empty() {
            continue;
        }
        if fields::text(switch, "/spec/redundancy/type") != "eslag" {
            return Err(format!("switch {} is not in a redundancy group of type eslag", fields::name(switch)));
        }
        groups.insert(group);
    }
    if groups.len() == 1 {
        Ok(())
    } else {
        Err("all switches of an eslag connection must be in one redundancy group".to_owned())
    }
}

fn check_ports(connection: &Value, parsed: &Parsed, switches: &[Arc<Value>], lookup: &dyn Lookup) -> Verdict {
    for switch in switches {
        let name = fields::name(switch);
        let profile = ports::profile_of(switch, lookup)?;
        let map = PortMap::new(switch, &profile);
        let mut wanted = BTreeMap::new();
        for port in parsed.ports_on(name) {
            if !map.allows(port) {
                return Err(format!("port {name}/{port} is not allowed for switch {name}"));
            }
            wanted.insert(map.normal(port), port);
        }
        for other in lookup.labelled("Connection", &format!("switch.{}{name}", labels::FABRIC), "true") {
            if fields::name(&other) == fields::name(connection) {
                continue;
            }
            for port in Parsed::of(&other).ports_on(name) {
                if let Some(port) = wanted.get(&map.normal(port)) {
                    let other = fields::name(&other);
                    return Err(format!("port {name}/{port} is already used by other connection {other}"));
                }
            }
        }
    }
    Ok(())
}

/// Addresses of links inside the fabric. A link with none, or with one only, passes.
fn check_link_addresses(connection: &Value, parsed: &Parsed, variant: Variant, lookup: &dyn Lookup) -> Verdict {
    if !matches!(variant, Variant::Fabric | Variant::Mesh | Variant::Gateway) {
        return Ok(());
    }
    let mut own = BTreeSet::new();
    for link in &parsed.links {
        let [a, b] = &link[..] else { continue };
        if a.ip.is_empty() || b.ip.is_empty() {
            continue;
        }
        let parse = |text: &str| net::cidr(text).ok_or(format!("link ip '{text}' is not a CIDR"));
        let (left, right) = (parse(a.ip)?, parse(b.ip)?);
        if left.prefix_len() != 31 || right.prefix_len() != 31 {
            return Err(format!("link ips {} and {} must be in a /31", a.ip, b.ip));
        }
        if left.trunc() != right.trunc() || left.addr() == right.addr() {
            return Err(format!("link ips {} and {} are not the two addresses of one /31", a.ip, b.ip));
        }
        if !net::within(left, lookup.settings().fabric_subnet) {
            return Err(format!("link ip {} is not in the fabric subnet {}", a.ip, lookup.settings().fabric_subnet));
        }
        if !own.insert(left.trunc()) {
            return Err(format!("link subnet {} is used twice in this connection", left.trunc()));
        }
    }
    if own.is_empty() {
        return Ok(());
    }
    for other in lookup.list("Connection") {
        if fields::name(&other) == fields::name(connection) {
            continue;
        }
        for end in Parsed::of(&other).ends() {
            if net::cidr(end.ip).is_some_and(|ip| own.contains(&ip.trunc())) {
                return Err(format!("link ip {} is already used by connection {}", end.ip, fields::name(&other)));
            }
        }
    }
    Ok(())
}
