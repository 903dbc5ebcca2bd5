//! Connections: one variant, its ports and switches, the addresses of its links, and who else uses a port.

use super::profile;
use super::read::{address, entries, first_overlap, is_there, list, net, number, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{GATEWAY, VPC, WIRING};
use crate::path::Path;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

/// The variants, in the order in which the server looks for one and ignores the rest.
const VARIANTS: [&str; 11] = [
    "unbundled",
    "bundled",
    "eslag",
    "fabric",
    "mesh",
    "gateway",
    "vpcLoopback",
    "external",
    "staticExternal",
    "mclag",
    "mclagDomain",
];
const MOST_MTU: i64 = 9036;

/// One end of a link.
#[derive(Clone, Copy)]
struct End<'v> {
    variant: &'static str,
    /// The field that holds its link, and the link's place where that is a list.
    link: (&'static str, Option<usize>),
    /// `server`, `switch`, `spine`, ...
    role: &'v str,
    value: &'v Value,
    /// `device/port`.
    port: &'v str,
}

impl<'v> End<'v> {
    fn device(&self) -> Option<&'v str> {
        self.port.split_once('/').filter(|(d, p)| !d.is_empty() && !p.is_empty()).map(|(d, _)| d)
    }

    /// The path of a field of it; made only when there is something to say, for a fabric has thousands of ends.
    fn path(&self, field: &str) -> Path {
        let (key, place) = self.link;
        let mut path = Path::root().join("spec").join(self.variant).join(key);
        if let Some(n) = place {
            path.push(n);
        }
        path.join(self.role).join(field)
    }
}

/// The path of an end's port, as soon as somebody wants to read it.
struct PortPath<'e>(&'e End<'e>);

impl fmt::Display for PortPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.path("port").fmt(f)
    }
}

/// The variant of a connection.
pub(super) fn variant_of(connection: &Value) -> Option<&'static str> {
    variants_of(connection).next()
}

/// All variants that a connection names.
fn variants_of(connection: &Value) -> impl Iterator<Item = &'static str> {
    let spec = connection.get("spec");
    VARIANTS.into_iter().filter(move |variant| spec.and_then(|s| s.get(variant)).is_some_and(|body| !body.is_null()))
}

/// The switches that a connection names, by its ports.
pub(super) fn switches_of(connection: &Value) -> BTreeSet<&str> {
    ends_of(connection).filter(|end| is_switch(end.role)).filter_map(|end| end.device()).collect()
}

/// The ports of switches that a connection uses, as `device/port`.
pub(super) fn switch_ports_of(connection: &Value) -> impl Iterator<Item = &str> {
    ends_of(connection).filter(|end| is_switch(end.role)).map(|end| end.port)
}

fn is_switch(role: &str) -> bool {
    !matches!(role, "server" | "gateway")
}

fn ends_of(connection: &Value) -> impl Iterator<Item = End<'_>> {
    let variant = variant_of(connection).unwrap_or_default();
    let body = connection.get("spec").and_then(|spec| spec.get(variant)).unwrap_or(&Value::Null);
    let single = body.get("link").map(|link| (("link", None), link));
    let lists = ["links", "peerLinks", "sessionLinks"].into_iter().flat_map(move |key| {
        let links = body.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        links.iter().enumerate().map(move |(n, link)| ((key, Some(n)), link))
    });
    single.into_iter().chain(lists).flat_map(move |(place, link)| {
        link.as_object().into_iter().flatten().map(move |(role, value)| End {
            variant,
            link: place,
            role,
            value,
            port: value.get("port").and_then(Value::as_str).unwrap_or_default(),
        })
    })
}

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let Some(variant) = variant_of(value) else {
        let message = format!("{title} is of no type. Give it one of {}.", VARIANTS[..9].join(", "));
        return out.error(object, "spec", "missing_field", message);
    };
    let variants: Vec<&str> = variants_of(value).collect();
    if variants.len() > 1 {
        let message =
            format!("{title} is {} at once; the server takes {variant} and ignores the rest.", variants.join(" and "));
        out.warning(object, format!("spec.{}", variants[1]), "two_variants", message);
    }
    if let Some(before) = object.live.and_then(variant_of).filter(|before| *before != variant) {
        let message = format!(
            "{title} is {before} in the cluster and cannot become {variant}. Delete it first, or use another name."
        );
        out.error(object, format!("spec.{variant}"), "immutable", message);
    }
    if matches!(variant, "mclag" | "mclagDomain") {
        let message = format!("{title}: {variant} is no longer supported by Hedgehog; use eslag.");
        return out.warning(object, format!("spec.{variant}"), "deprecated", message);
    }
    if variant == "vpcLoopback" {
        let message = format!("{title}: loopbacks are no longer used; nothing on the switches changes with it.");
        out.warning(object, "spec.vpcLoopback", "deprecated", message);
    }
    if let Some(mtu) = number(value, &format!("/spec/{variant}/mtu")).filter(|mtu| *mtu > MOST_MTU) {
        let message = format!(
            "{title}: an MTU of {mtu} is more than {MOST_MTU}, which the fabric leaves to servers unless installed otherwise."
        );
        out.warning(object, format!("spec.{variant}.mtu"), "out_of_range", message);
    }
    let ends: Vec<End<'_>> = ends_of(value).collect();
    ports(object, &ends, world, out);
    counts(object, variant, &ends, out);
    match variant {
        "eslag" => redundancy(object, world, out),
        "fabric" | "mesh" | "gateway" => addresses(object, variant, out),
        "staticExternal" => static_external(object, world, out),
        _ => {}
    }
}

fn ports(object: &Object<'_>, ends: &[End<'_>], world: &World<'_>, out: &mut Found) {
    let title = object.title();
    let mut seen: HashSet<&str> = HashSet::new();
    for end in ends {
        let path = PortPath(end);
        let Some(device) = end.device() else {
            let message = format!("{title}: the port '{}' is not of the form device/port.", end.port);
            out.error(object, path, "not_allowed", message);
            continue;
        };
        if !seen.insert(end.port) {
            let message = format!("{title} uses port {} twice.", end.port);
            out.error(object, &path, "port_used_twice", message);
        }
        match end.role {
            "server" => {
                world.follow(object, &path, (WIRING, "Server"), device, out);
            }
            "gateway" => {
                if world.get((GATEWAY, "Gateway"), device).is_none() {
                    let message = format!(
                        "{title}: there is no Gateway {device}. The server does not look; the link will lead nowhere."
                    );
                    out.warning(object, &path, "missing_gateway", message);
                }
            }
            _ => {
                let Some(switch) = world.follow(object, &path, (WIRING, "Switch"), device, out) else { continue };
                let port = end.port.split_once('/').map_or("", |(_, port)| port);
                let refused = profile::of(switch, world).and_then(|profile| profile.refuses_port(&switch.value, port));
                if let Some(reason) = refused {
                    let message = format!("{title}: {} cannot be used: {reason}.", end.port);
                    out.error(object, &path, "not_supported", message);
                }
            }
        }
    }
}

fn counts(object: &Object<'_>, variant: &str, ends: &[End<'_>], out: &mut Found) {
    let devices = |wanted: fn(&str) -> bool| -> usize {
        let named: BTreeSet<&str> = ends.iter().filter(|e| wanted(e.role)).filter_map(End::device).collect();
        named.len()
    };
    let (switches, servers) = (devices(is_switch), devices(|role| role == "server"));
    let (right, words) = match variant {
        "unbundled" | "bundled" => (switches == 1 && servers == 1, "one switch and one server"),
        "eslag" => ((1..=4).contains(&switches) && servers == 1, "one to four switches and one server"),
        "fabric" | "mesh" => (switches == 2, "two switches"),
        "gateway" | "external" | "staticExternal" | "vpcLoopback" => (switches == 1, "one switch"),
        _ => (true, ""),
    };
    if !right {
        let message =
            format!("{} joins {switches} switches and {servers} servers; {variant} joins {words}.", object.title());
        out.error(object, format!("spec.{variant}"), "wrong_count", message);
    }
}

fn redundancy(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let switches: Vec<&Object<'_>> =
        switches_of(&object.value).into_iter().filter_map(|name| world.get((WIRING, "Switch"), name)).collect();
    let group = |switch: &Object<'_>| {
        (text(&switch.value, "/spec/redundancy/type") == Some("eslag"))
            .then(|| text(&switch.value, "/spec/redundancy/group").map(str::to_owned))
            .flatten()
    };
    let groups: BTreeSet<String> = switches.iter().filter_map(|s| group(s)).collect();
    if groups.len() > 1 || (groups.is_empty() && !switches.is_empty()) {
        let message = format!("{}: its switches are not in one redundancy group of type eslag.", object.title());
        out.error(object, "spec.eslag.links", "not_allowed", message);
    } else if let Some(outsider) = switches.iter().find(|s| group(s).is_none()) {
        let message = format!(
            "{}: switch {} is in no redundancy group. The server overlooks it; the LAG will not come up there.",
            object.title(),
            outsider.name
        );
        out.warning(object, "spec.eslag.links", "no_redundancy_group", message);
    }
}

fn addresses(object: &Object<'_>, variant: &str, out: &mut Found) {
    let title = object.title();
    for (n, link) in list(&object.value, &format!("/spec/{variant}/links")).iter().enumerate() {
        let path = Path::root().join("spec").join(variant).join("links").join(n);
        let given: Vec<(&String, &str)> =
            entries(link, "").filter_map(|(end, v)| Some((end, text(v, "/ip")?))).collect();
        match given[..] {
            [(end, ip)] if entries(link, "").count() > 1 => {
                let message = format!(
                    "{title}: only {end} has an address ({ip}); the server overlooks this, and the link gets none."
                );
                out.warning(object, path.child(end.as_str()).join("ip"), "one_sided_address", message);
            }
            [(_, a), (_, b)] => {
                let nets = (net(a), net(b));
                let fits = matches!(nets, (Some(x), Some(y))
                    if x.prefix_len() == 31 && y.prefix_len() == 31 && x.trunc() == y.trunc() && x.addr() != y.addr());
                if !fits {
                    let message = format!("{title}: {a} and {b} are not the two addresses of one /31 network.");
                    out.error(object, path, "not_a_link", message);
                }
            }
            _ => {}
        }
    }
}

fn static_external(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let at = |field: &str| format!("spec.staticExternal.link.switch.{field}");
    let base = "/spec/staticExternal/link/switch";
    let own = text(value, &format!("{base}/ip")).unwrap_or_default();
    let hop = text(value, &format!("{base}/nextHop")).unwrap_or_default();
    match net(own) {
        None => {
            out.error(object, at("ip"), "not_a_prefix", format!("{title}: '{own}' is no address with a prefix length."))
        }
        Some(net) if address(hop).is_none_or(|hop| !net.contains(&hop)) => {
            out.error(
                object,
                at("nextHop"),
                "not_inside",
                format!("{title}: the next hop '{hop}' is not in {}.", net.trunc()),
            );
        }
        Some(_) => {}
    }
    let mut nets: Vec<Ipv4Net> = Vec::new();
    for (n, subnet) in texts(value, &format!("{base}/subnets")) {
        match net(subnet).filter(|net| net.trunc() == *net) {
            Some(net) => nets.push(net),
            None => {
                let message = format!("{title}: '{subnet}' is no canonical IPv4 prefix.");
                out.error(object, format!("{}[{n}]", at("subnets")), "not_a_prefix", message);
            }
        }
    }
    if let Some((a, b)) = first_overlap(&nets) {
        out.error(object, at("subnets"), "overlap", format!("{title}: {a} and {b} overlap."));
    }
    let within = text(value, "/spec/staticExternal/withinVPC");
    if let Some(vpc) = within {
        world.follow(object, "spec.staticExternal.withinVPC", (VPC, "VPC"), vpc, out);
    }
    if let Some(live) = object.live.filter(|live| is_there(live, "/spec/staticExternal"))
        && text(live, "/spec/staticExternal/withinVPC") != within
    {
        let message = format!("{title}: withinVPC cannot be changed. Delete the connection first.");
        out.error(object, "spec.staticExternal.withinVPC", "immutable", message);
    }
}

/// Ports and addresses that two connections claim.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let mut ports: HashMap<&str, (&Object<'_>, End<'_>)> = HashMap::new();
    let mut addresses: HashMap<std::net::Ipv4Addr, (&Object<'_>, End<'_>)> = HashMap::new();
    let clash = |mine: (&Object<'_>, Path), other: &Object<'_>, what: &str, rule: &str, out: &mut Found| {
        let message = format!("{}: {what} is already used by {}.", mine.0.title(), other.title());
        out.error(mine.0, mine.1, rule, message);
    };
    for object in world.all((WIRING, "Connection")) {
        for end in ends_of(&object.value) {
            // A broken-out port's first lane and the port itself are one.
            let whole = match end.port.matches('/').count() {
                3.. => end.port.strip_suffix("/1").unwrap_or(end.port),
                _ => end.port,
            };
            if is_switch(end.role) && end.device().is_some() {
                if let Some((other, at)) = ports.get(whole).filter(|(other, _)| other.name != object.name) {
                    clash((object, end.path("port")), other, end.port, "port_in_use", out);
                    clash((*other, at.path("port")), object, end.port, "port_in_use", out);
                } else {
                    ports.insert(whole, (object, end));
                }
            }
            let is_link = matches!(end.variant, "fabric" | "mesh" | "gateway");
            if let Some(net) = text(end.value, "/ip").and_then(net).filter(|_| is_link) {
                let what = net.addr().to_string();
                if let Some((other, at)) = addresses.get(&net.addr()) {
                    clash((object, end.path("ip")), other, &what, "duplicate_address", out);
                    if other.name != object.name {
                        clash((*other, at.path("ip")), object, &what, "duplicate_address", out);
                    }
                } else {
                    addresses.insert(net.addr(), (object, end));
                }
            }
        }
    }
}
