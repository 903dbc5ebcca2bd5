//! The rules for VPCs.

use super::{Lookup, Verdict, fields, labels, net, vpc_dhcp};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeSet;

/// Most subnets of one VPC.
const MAX_SUBNETS: usize = 20;

/// Checks a VPC that is already defaulted.
pub(super) fn check(vpc: &Value, lookup: &dyn Lookup) -> Verdict {
    let name = fields::name(vpc);
    net::common(vpc)?;
    net::short_name(vpc)?;
    if name.starts_with("ext.") {
        return Err(format!("vpc name cannot start with 'ext.': {name}"));
    }
    let subnets = fields::entries(vpc, "/spec/subnets");
    if subnets.is_empty() {
        return Err("at least one subnet is required".to_owned());
    }
    if subnets.len() > MAX_SUBNETS {
        return Err(format!("too many subnets: {} of at most {MAX_SUBNETS}", subnets.len()));
    }
    match fields::text(vpc, "/spec/mode") {
        "" | "l3vni" => {}
        "l3flat" => return Err("mode l3flat is not supported".to_owned()),
        other => return Err(format!("invalid mode {other}, must be one of [ l3vni l3flat]")),
    }
    let blocks = check_subnets(&subnets)?;
    check_permit(vpc, &subnets)?;
    check_static_routes(vpc)?;
    if let Some((a, b)) = net::first_overlap(&blocks) {
        return Err(format!("subnets overlap: {a} and {b}"));
    }
    for block in &blocks {
        if let Some(reserved) = lookup.settings().reserved(*block) {
            return Err(format!("subnet {block} overlaps with reserved subnet {reserved}"));
        }
    }
    check_addresses(vpc, &subnets, lookup)?;
    check_vlans(vpc, &subnets, lookup)?;
    for (subnet, config) in &subnets {
        let relay_vpc = fields::text(config, "/dhcp/relayVPC");
        if !relay_vpc.is_empty() && lookup.get("VPC", relay_vpc).is_none() {
            return Err(format!("subnet {subnet}: relay VPC {relay_vpc} not found"));
        }
    }
    Ok(())
}

fn check_subnets(subnets: &[(&str, &Value)]) -> Result<Vec<Ipv4Net>, String> {
    let mut vlans = BTreeSet::new();
    let mut blocks = Vec::new();
    for (name, subnet) in subnets {
        let within = |reason: String| format!("subnet {name}: {reason}");
        let text = fields::text(subnet, "/subnet");
        let block = net::cidr(text).ok_or_else(|| within(format!("'{text}' is not a CIDR")))?;
        if block.prefix_len() > 30 {
            return Err(within(format!("prefix length {} is too large, must be <= 30", block.prefix_len())));
        }
        let host_bgp = fields::flag(subnet, "/hostBGP");
        let vlan = fields::number(subnet, "/vlan");
        if vlan == 0 && !host_bgp {
            return Err(within("vlan is required".to_owned()));
        }
        if vlan != 0 && !vlans.insert(vlan) {
            return Err("duplicate subnet VLANs".to_owned());
        }
        if !host_bgp {
            let text = fields::text(subnet, "/gateway");
            let gateway = net::ip(text).ok_or_else(|| within(format!("gateway '{text}' is not an address")))?;
            if !block.contains(&gateway) {
                return Err(within(format!("gateway {gateway} is not in the subnet")));
            }
        }
        vpc_dhcp::check(subnet, block, host_bgp).map_err(within)?;
        blocks.push(block);
    }
    Ok(blocks)
}

fn check_permit(vpc: &Value, subnets: &[(&str, &Value)]) -> Verdict {
    for (i, policy) in fields::items(vpc, "/spec/permit").iter().enumerate() {
        let named = fields::texts(policy, "");
        if named.len() < 2 {
            return Err(format!("permit policy #{i}: at least two subnets are required"));
        }
        let mut seen = BTreeSet::new();
        for subnet in named {
            if !subnets.iter().any(|(name, _)| *name == subnet) {
                return Err(format!("permit policy #{i}: subnet {subnet} not found"));
            }
            if !seen.insert(subnet) {
                return Err(format!("permit policy #{i}: subnet {subnet} stands there twice"));
            }
        }
    }
    Ok(())
}

fn check_static_routes(vpc: &Value) -> Verdict {
    for route in fields::items(vpc, "/spec/staticRoutes") {
        let prefix = fields::text(route, "/prefix");
        match net::cidr(prefix) {
            Some(block) if block.trunc() == block => {}
            _ => return Err(format!("static route prefix '{prefix}' is not a network address")),
        }
        if fields::items(route, "/nextHops").is_empty() {
            return Err(format!("static route {prefix}: at least one next hop is required"));
        }
    }
    Ok(())
}

fn check_addresses(vpc: &Value, subnets: &[(&str, &Value)], lookup: &dyn Lookup) -> Verdict {
    let namespace = fields::text(vpc, "/spec/ipv4Namespace");
    let space = lookup.get("IPv4Namespace", namespace).ok_or(format!("IPv4Namespace {namespace} not found"))?;
    let space: Vec<Ipv4Net> = fields::texts(&space, "/spec/subnets").into_iter().filter_map(net::cidr).collect();
    let others: Vec<_> = lookup
        .labelled("VPC", &format!("{}ipv4ns", labels::FABRIC), namespace)
        .into_iter()
        .filter(|other| fields::name(other) != fields::name(vpc))
        .collect();
    for (name, subnet) in subnets {
        let text = fields::text(subnet, "/subnet");
        let Some(block) = net::cidr(text) else { continue };
        if !space.iter().any(|outer| net::within(block, *outer)) {
            return Err(format!("vpc subnet {name} ({text}) doesn't belong to the IPv4Namespace {namespace}"));
        }
        for other in &others {
            for (_, taken) in fields::entries(other, "/spec/subnets") {
                let taken = fields::text(taken, "/subnet");
                if net::cidr(taken).is_some_and(|t| net::overlap(t, block)) {
                    return Err(format!("subnet {text} overlaps with subnet {taken} of VPC {}", fields::name(other)));
                }
            }
        }
    }
    Ok(())
}

fn check_vlans(vpc: &Value, subnets: &[(&str, &Value)], lookup: &dyn Lookup) -> Verdict {
    let namespace = fields::text(vpc, "/spec/vlanNamespace");
    let ranges = lookup.get("VLANNamespace", namespace).ok_or(format!("VLANNamespace {namespace} not found"))?;
    let taken: BTreeSet<i64> = lookup
        .labelled("VPC", &format!("{}vlanns", labels::FABRIC), namespace)
        .iter()
        .filter(|other| fields::name(other) != fields::name(vpc))
        .flat_map(|other| {
            let subnets = fields::entries(other, "/spec/subnets");
            subnets.iter().map(|(_, s)| fields::number(s, "/vlan")).collect::<Vec<_>>()
        })
        .filter(|vlan| *vlan != 0)
        .collect();
    for (name, subnet) in subnets {
        let vlan = fields::number(subnet, "/vlan");
        if vlan == 0 {
            continue;
        }
        if !super::namespaces::has_vlan(&ranges, vlan) {
            let block = fields::text(subnet, "/subnet");
            return Err(format!(
                "vpc subnet {name} ({block}) vlan {vlan} doesn't belong to the VLANNamespace {namespace}"
            ));
        }
        if taken.contains(&vlan) {
            return Err(format!("vlan {vlan} is already used by other VPC"));
        }
    }
    Ok(())
}
