//! The rules for GatewayPeerings. What the gateway's own validator adds to them is not played.

use super::{Lookup, Verdict, fields, net};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeMap;

pub(super) fn check(peering: &Value, lookup: &dyn Lookup) -> Verdict {
    if !lookup.settings().enable_gateway {
        return Err("gateway support is not enabled".to_owned());
    }
    net::common(peering)?;
    let group = fields::text(peering, "/spec/gatewayGroup");
    if group.is_empty() {
        return Err(format!("gateway group must be specified {}", fields::name(peering)));
    }
    let sides = fields::entries(peering, "/spec/peering");
    if sides.len() != 2 {
        return Err(format!("peering must name exactly 2 VPCs, not {}", sides.len()));
    }
    check_exposes(&sides)?;
    check_acl(peering, &sides)?;
    lookup.get("GatewayGroup", group).ok_or(format!("gateway group {group} not found"))?;
    for (name, side) in &sides {
        check_side(name, side, lookup)?;
    }
    check_acl_subnets(peering, &sides, lookup)?;
    check_overlap(peering, &sides, lookup)
}

fn check_exposes(sides: &[(&str, &Value)]) -> Verdict {
    let mut nat_of: BTreeMap<&str, (bool, bool)> = BTreeMap::new();
    for (vpc, side) in sides {
        for expose in fields::items(side, "/expose") {
            let nat = check_expose(expose).map_err(|e| format!("{e} in peering expose of VPC {vpc}"))?;
            let so_far = nat_of.entry(vpc).or_default();
            *so_far = (so_far.0 || nat.0, so_far.1 || nat.1);
        }
    }
    let stateful = nat_of.values().filter(|(stateful, _)| *stateful).count();
    if stateful > 1 {
        return Err("stateful NAT is possible on one side of a peering only".to_owned());
    }
    if stateful == 1 && nat_of.values().any(|(stateful, fixed)| !*stateful && *fixed) {
        return Err("static NAT on one side and stateful NAT on the other cannot be combined".to_owned());
    }
    Ok(())
}

/// Whether the expose has stateful NAT, and whether it has static NAT.
fn check_expose(expose: &Value) -> Result<(bool, bool), String> {
    let (ips, targets) = (fields::items(expose, "/ips"), fields::items(expose, "/as"));
    let has_nat = fields::present(expose, "/nat");
    if fields::flag(expose, "/default") {
        if !ips.is_empty() || !targets.is_empty() || has_nat {
            return Err("default must stand alone".to_owned());
        }
        return Ok((false, false));
    }
    if ips.is_empty() {
        return Err("at least one IP block must be given".to_owned());
    }
    for (list, keys) in [(ips, &["cidr", "not", "vpcSubnet"][..]), (targets, &["cidr", "not"])] {
        for ip in list {
            let set: Vec<&&str> = keys.iter().filter(|k| !fields::text(&ip[**k], "").is_empty()).collect();
            if set.len() != 1 {
                return Err(format!("exactly one of {} must be set", keys.join(", ")));
            }
            let text = fields::text(&ip[*set[0]], "");
            if *set[0] != "vpcSubnet" && net::cidr(text).is_none() {
                return Err(format!("'{text}' is not a CIDR"));
            }
        }
    }
    if targets.is_empty() == has_nat {
        return Err("expose.As and expose.NAT must both be set or both be empty".to_owned());
    }
    if !has_nat {
        return Ok((false, false));
    }
    let nat = &expose["nat"];
    let kinds: Vec<&str> = ["static", "masquerade", "portForward"]
        .into_iter()
        .filter(|kind| fields::present(nat, &format!("/{kind}")))
        .collect();
    let [kind] = kinds[..] else { return Err("exactly one kind of NAT must be set".to_owned()) };
    if kind == "portForward" {
        let ports = fields::items(nat, "/portForward/ports");
        if ports.is_empty() {
            return Err("at least one port to forward must be given".to_owned());
        }
        for port in ports {
            for text in [fields::text(port, "/port"), fields::text(port, "/as")] {
                if !is_port_range(text) {
                    return Err(format!("'{text}' is neither a port nor a range of ports"));
                }
            }
        }
    }
    Ok((kind != "static", kind == "static"))
}

fn is_port_range(text: &str) -> bool {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => 1 <= first && first <= last,
        _ => false,
    }
}

fn check_acl(peering: &Value, sides: &[(&str, &Value)]) -> Verdict {
    for (i, rule) in fields::items(peering, "/spec/acl/rules").iter().enumerate() {
        let at = |reason: String| format!("acl rule #{i}: {reason}");
        let name = fields::text(rule, "/name");
        if !name.is_empty() && (name.len() > 64 || !net::is_dns_name(name)) {
            return Err(at(format!("name '{name}' is not valid")));
        }
        let ends = [fields::text(rule, "/from"), fields::text(rule, "/to")];
        if ends.iter().all(|e| e.is_empty()) {
            return Err(at("at least one of from and to must be set".to_owned()));
        }
        for end in ends.into_iter().filter(|e| !e.is_empty()) {
            if !sides.iter().any(|(vpc, _)| *vpc == end) {
                return Err(at(format!("{end} is not part of the peering")));
            }
        }
        let proto = fields::text(rule, "/match/proto");
        if !["", "tcp", "udp"].contains(&proto) && proto.parse::<u8>().is_err() {
            return Err(at(format!("unknown protocol '{proto}'")));
        }
        for side in ["src", "dst"] {
            for entry in fields::items(rule, &format!("/match/{side}")) {
                let (cidr, subnet) = (fields::text(entry, "/cidr"), fields::text(entry, "/vpcSubnet"));
                if !cidr.is_empty() && !subnet.is_empty() {
                    return Err(at("only one of cidr and vpcSubnet may be set".to_owned()));
                }
                if !cidr.is_empty() && net::cidr(cidr).is_none() {
                    return Err(at(format!("'{cidr}' is not a CIDR")));
                }
                if let Some(bad) = fields::texts(entry, "/ports").into_iter().find(|p| !is_port_range(p)) {
                    return Err(at(format!("'{bad}' is neither a port nor a range of ports")));
                }
            }
        }
    }
    Ok(())
}

fn subnet_of(vpc: &Value, subnet: &str) -> Option<Ipv4Net> {
    net::cidr(fields::text(&vpc["spec"]["subnets"][subnet], "/subnet"))
}

/// One side exists, and shows only what is its own.
fn check_side(name: &str, side: &Value, lookup: &dyn Lookup) -> Verdict {
    if let Some(external) = name.strip_prefix("ext.") {
        lookup.get("External", external).ok_or(format!("external {external} not found"))?;
        let subnets = fields::items(side, "/expose").iter().flat_map(|e| fields::items(e, "/ips"));
        if subnets.into_iter().any(|ip| !fields::text(ip, "/vpcSubnet").is_empty()) {
            return Err(format!("external {external} has no VPC subnets to expose"));
        }
        return Ok(());
    }
    let vpc = lookup.get("VPC", name).ok_or(format!("vpc {name} not found"))?;
    let own: Vec<Ipv4Net> = fields::entries(&vpc, "/spec/subnets")
        .iter()
        .filter_map(|(_, s)| net::cidr(fields::text(s, "/subnet")))
        .map(|block| block.trunc())
        .collect();
    for ip in fields::items(side, "/expose").iter().flat_map(|e| fields::items(e, "/ips")) {
        let subnet = fields::text(ip, "/vpcSubnet");
        if !subnet.is_empty() && subnet_of(&vpc, subnet).is_none() {
            return Err(format!("subnet {subnet} not found in VPC {name}"));
        }
        let cidr = fields::text(ip, "/cidr");
        if net::cidr(cidr).is_some_and(|c| !own.iter().any(|outer| net::within(c, *outer))) {
            return Err(format!("CIDR {cidr} is not part of VPC {name}"));
        }
    }
    Ok(())
}

/// A subnet in a rule belongs to the side that the rule is about.
fn check_acl_subnets(peering: &Value, sides: &[(&str, &Value)], lookup: &dyn Lookup) -> Verdict {
    for rule in fields::items(peering, "/spec/acl/rules") {
        for (list, end) in [("/match/src", "/from"), ("/match/dst", "/to")] {
            let vpc = fields::text(rule, end);
            for entry in fields::items(rule, list) {
                let subnet = fields::text(entry, "/vpcSubnet");
                let known = |vpc: &str| lookup.get("VPC", vpc).is_some_and(|v| subnet_of(&v, subnet).is_some());
                let found = if vpc.is_empty() { sides.iter().any(|(v, _)| known(v)) } else { known(vpc) };
                if !subnet.is_empty() && !found {
                    return Err(format!("acl rule {}: subnet {subnet} not found", fields::text(rule, "/name")));
                }
            }
        }
    }
    Ok(())
}

/// What one side shows to the other: where it is translated to, else as it is.
fn shown(side: &Value) -> Vec<&str> {
    fields::items(side, "/expose")
        .iter()
        .flat_map(|expose| {
            let list = if fields::items(expose, "/as").is_empty() { "/ips" } else { "/as" };
            fields::items(expose, list).iter().map(|ip| fields::text(ip, "/cidr"))
        })
        .collect()
}

/// Nothing that is shown to a target may overlap with what another peering shows to it. Like the real one, this
/// stumbles over entries without a CIDR as soon as there is another peering to the same target.
fn check_overlap(peering: &Value, sides: &[(&str, &Value)], lookup: &dyn Lookup) -> Verdict {
    let parse = |text: &str| net::cidr(text).ok_or(format!("failed to parse exposed CIDR '{text}'"));
    for other in lookup.list("GatewayPeering") {
        if fields::name(&other) == fields::name(peering) {
            continue;
        }
        let others = fields::entries(&other, "/spec/peering");
        for (i, (source, side)) in sides.iter().enumerate() {
            let (target, _) = sides[1 - i];
            for (other_source, other_side) in &others {
                if *other_source == target || *other_source == *source || !others.iter().any(|(t, _)| *t == target) {
                    continue;
                }
                for own in shown(side) {
                    let own = parse(own)?;
                    for theirs in shown(other_side) {
                        let theirs = parse(theirs)?;
                        if net::overlap(own, theirs) {
                            let other = fields::name(&other);
                            return Err(format!(
                                "{own} exposed to {target} overlaps with {theirs}, exposed to it by peering {other}"
                            ));
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
