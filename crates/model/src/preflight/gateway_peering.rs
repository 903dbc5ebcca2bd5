//! Peerings through gateways: what each side exposes, how addresses are translated, and the access list.

use super::gateway::groups_of;
use super::read::{entries, flag, is_there, list, net, overlap, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{GATEWAY, VPC};
use crate::normalise::scalar::go_duration;
use crate::path::Path;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::HashMap;

const NATS: [&str; 3] = ["static", "masquerade", "portForward"];

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let group = text(value, "/spec/gatewayGroup").unwrap_or("default");
    if group != "default" {
        world.follow(object, "spec.gatewayGroup", (GATEWAY, "GatewayGroup"), group, out);
    }
    let has_gateway = world.all((GATEWAY, "Gateway")).any(|gateway| groups_of(gateway).contains(&group));
    if !has_gateway && !world.is_unread((GATEWAY, "Gateway")) {
        let message = format!("{title}: GatewayGroup {group} has no gateway.");
        out.error(object, "spec.gatewayGroup", "missing_gateway", message);
    }
    let sides: Vec<(&String, &Value)> = entries(value, "/spec/peering").collect();
    if sides.len() != 2 {
        let message = format!("{title} peers {} members; it needs two.", sides.len());
        out.error(object, "spec.peering", "wrong_count", message);
    }
    let mut stateful = Vec::new();
    let mut fixed = false;
    for (name, side) in &sides {
        let path = Path::root().join("spec").join("peering").join(name.as_str());
        let vpc = match name.strip_prefix("ext.") {
            Some(external) => {
                world.follow(object, &path, (VPC, "External"), external, out);
                None
            }
            None => world.follow(object, &path, (VPC, "VPC"), name, out),
        };
        for (n, expose) in list(side, "/expose").iter().enumerate() {
            check_expose(object, name, vpc, expose, &path.child("expose").join(n), out);
            if is_there(expose, "/nat/masquerade") || is_there(expose, "/nat/portForward") {
                stateful.push(name.as_str());
            }
            fixed |= is_there(expose, "/nat/static");
        }
    }
    stateful.dedup();
    if stateful.len() > 1 {
        let message = format!("{title}: masquerade and port forwarding are possible on one side only.");
        out.error(object, "spec.peering", "not_allowed", message);
    } else if fixed && stateful.iter().any(|name| sides.iter().any(|(other, side)| other != name && has_static(side))) {
        let message = format!(
            "{title}: static NAT on one side and masquerade or port forwarding on the other exclude each other."
        );
        out.error(object, "spec.peering", "not_allowed", message);
    }
    acl(object, &sides, out);
}

fn has_static(side: &Value) -> bool {
    list(side, "/expose").iter().any(|expose| is_there(expose, "/nat/static"))
}

fn check_expose(
    object: &Object<'_>,
    member: &str,
    vpc: Option<&Object<'_>>,
    expose: &Value,
    path: &Path,
    out: &mut Found,
) {
    let title = format!("{}, {member}", object.title());
    let mut error = |path: Path, rule: &str, message: String| out.error(object, path, rule, message);
    let (ips, translated) = (list(expose, "/ips"), list(expose, "/as"));
    let nats: Vec<&str> = NATS.into_iter().filter(|nat| is_there(expose, &format!("/nat/{nat}"))).collect();
    if flag(expose, "/default") {
        if !ips.is_empty() || !translated.is_empty() || !nats.is_empty() {
            error(path.clone(), "not_allowed", format!("{title}: default stands alone, without ips, as or nat."));
        }
        return;
    }
    if ips.is_empty() {
        error(path.child("ips"), "missing_field", format!("{title} exposes nothing: ips is empty."));
    }
    for (n, entry) in ips.iter().enumerate() {
        let path = path.child("ips").join(n);
        let given = ["cidr", "not", "vpcSubnet"].into_iter().filter(|key| text(entry, &format!("/{key}")).is_some());
        if given.count() != 1 {
            error(path.clone(), "not_allowed", format!("{title}: each entry has one of cidr, not and vpcSubnet."));
        }
        for key in ["cidr", "not"] {
            if let Some(written) = text(entry, &format!("/{key}"))
                && net(written).is_none()
            {
                error(path.child(key), "not_a_prefix", format!("{title}: '{written}' is no IPv4 prefix."));
            }
        }
        let subnets = || vpc.into_iter().flat_map(|vpc| entries(&vpc.value, "/spec/subnets"));
        if let Some(cidr) = text(entry, "/cidr").and_then(net)
            && let Some(vpc) = vpc
            && !subnets().any(|(_, s)| text(s, "/subnet").and_then(net).is_some_and(|s| s.trunc().contains(&cidr)))
        {
            error(path.child("cidr"), "not_inside", format!("{title}: {cidr} is in no subnet of VPC {}.", vpc.name));
        }
        if let Some(subnet) = text(entry, "/vpcSubnet") {
            if member.starts_with("ext.") {
                error(path.child("vpcSubnet"), "not_allowed", format!("{title}: an external has no VPC subnets."));
            } else if vpc.is_some() && !subnets().any(|(name, _)| name == subnet) {
                let message = format!("{title}: the VPC has no subnet {subnet}.");
                error(path.child("vpcSubnet"), "missing_reference", message);
            }
        }
    }
    if translated.is_empty() != nats.is_empty() {
        error(path.clone(), "not_allowed", format!("{title}: as and nat are given together or not at all."));
    }
    if nats.len() > 1 {
        error(path.child("nat"), "not_allowed", format!("{title}: {} exclude each other.", nats.join(" and ")));
    }
    for kind in ["masquerade", "portForward"] {
        if let Some(timeout) = text(expose, &format!("/nat/{kind}/idleTimeout")).filter(|t| go_duration(t).is_none()) {
            let path = path.child("nat").join(kind).join("idleTimeout");
            error(path, "not_allowed", format!("{title}: '{timeout}' is no duration such as 5m or 300s."));
        }
    }
    if nats.contains(&"portForward") {
        let ports = list(expose, "/nat/portForward/ports");
        if ports.is_empty() {
            let path = path.child("nat").join("portForward").join("ports");
            error(path, "missing_field", format!("{title}: port forwarding needs a port."));
        }
        for (n, rule) in ports.iter().enumerate() {
            for key in ["port", "as"] {
                let written = text(rule, &format!("/{key}")).unwrap_or_default();
                if !is_port_range(written) {
                    let path = path.child("nat").join("portForward").join("ports").join(n).join(key);
                    error(path, "not_allowed", format!("{title}: '{written}' is no port and no range of ports."));
                }
            }
        }
    }
}

fn is_port_range(text: &str) -> bool {
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    matches!((from.trim().parse::<u16>(), to.trim().parse::<u16>()), (Ok(from), Ok(to)) if from >= 1 && from <= to)
}

fn acl(object: &Object<'_>, sides: &[(&String, &Value)], out: &mut Found) {
    let title = object.title();
    for (n, rule) in list(&object.value, "/spec/acl/rules").iter().enumerate() {
        let path = Path::root().join("spec").join("acl").join("rules").join(n);
        let (from, to) = (text(rule, "/from"), text(rule, "/to"));
        if from.is_none() && to.is_none() {
            out.error(object, &path, "missing_field", format!("{title}: a rule names from or to."));
        }
        for (key, member) in [("from", from), ("to", to)] {
            if let Some(member) = member.filter(|member| !sides.iter().any(|(name, _)| name == member)) {
                let message = format!("{title}: {member} is no member of the peering.");
                out.error(object, path.child(key), "missing_reference", message);
            }
        }
        if text(rule, "/name").is_some_and(|name| name.len() > 64) {
            out.error(
                object,
                path.child("name"),
                "name_too_long",
                format!("{title}: a rule's name has at most 64 characters."),
            );
        }
        for end in ["src", "dst"] {
            for (m, entry) in list(rule, &format!("/match/{end}")).iter().enumerate() {
                let path = path.child("match").join(end).join(m);
                if text(entry, "/cidr").is_some() && text(entry, "/vpcSubnet").is_some() {
                    let message = format!("{title}: cidr and vpcSubnet exclude each other.");
                    out.error(object, &path, "not_allowed", message);
                }
                for (k, ports) in texts(entry, "/ports").filter(|(_, ports)| !is_port_range(ports)) {
                    let message = format!("{title}: '{ports}' is no port and no range of ports.");
                    out.error(object, path.child("ports").join(k), "not_allowed", message);
                }
            }
        }
    }
}

/// What one member is shown by one peering: the translated prefixes, else the plain ones.
struct Shown<'w, 'a> {
    peering: &'w Object<'a>,
    member: &'w str,
    nets: Vec<Ipv4Net>,
    /// Entries that have no prefix of their own; the server fails on them when a second peering shows something.
    without_prefix: bool,
}

/// What different peerings show to one member must not overlap.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let mut shown: HashMap<&str, Vec<Shown<'_, '_>>> = HashMap::new();
    for peering in world.all((GATEWAY, "GatewayPeering")) {
        let sides: Vec<_> = entries(&peering.value, "/spec/peering").collect();
        let [a, b] = sides[..] else { continue };
        for ((member, side), (target, _)) in [(a, b), (b, a)] {
            let mut entry = Shown { peering, member, nets: Vec::new(), without_prefix: false };
            for expose in list(side, "/expose") {
                let list = if list(expose, "/as").is_empty() { list(expose, "/ips") } else { list(expose, "/as") };
                entry.nets.extend(list.iter().filter_map(|ip| text(ip, "/cidr").and_then(net)));
                entry.without_prefix |= list.iter().any(|ip| text(ip, "/cidr").is_none());
            }
            shown.entry(target).or_default().push(entry);
        }
    }
    for (target, all) in shown {
        for (n, one) in all.iter().enumerate() {
            for other in all.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, other)| other) {
                let path = Path::root().join("spec").join("peering").join(one.member);
                let hit = one.nets.iter().find_map(|a| other.nets.iter().find(|b| overlap(*a, **b)).map(|b| (a, b)));
                if let Some((mine, theirs)) = hit {
                    let message = format!(
                        "{}: {mine} is shown to {target}, and overlaps {theirs}, which {} shows to it.",
                        one.peering.title(),
                        other.peering.title()
                    );
                    out.error(one.peering, &path, "overlap", message);
                }
                if one.without_prefix || other.without_prefix {
                    let message = format!(
                        "{}: {} shows something to {target} too, and an entry with vpcSubnet or not makes releases so far refuse the second peering. Use cidr.",
                        one.peering.title(),
                        other.peering.title()
                    );
                    out.warning(one.peering, &path, "known_defect", message);
                }
            }
        }
    }
}
