//! The rules for Externals, their attachments and their peerings.

use super::{Lookup, Verdict, connection::Parsed, connection::Variant, fields, labels, net};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn check_external(external: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(external)?;
    net::short_name(external)?;
    let communities = ["inboundCommunity", "outboundCommunity"];
    if fields::present(external, "/spec/static") {
        if communities.iter().any(|c| !fields::text(&external["spec"], &format!("/{c}")).is_empty()) {
            return Err("communities cannot be set for a static external".to_owned());
        }
        let prefixes = fields::texts(external, "/spec/static/prefixes");
        if prefixes.is_empty() {
            return Err("at least one static prefix is required".to_owned());
        }
        let blocks: Vec<Ipv4Net> = prefixes
            .iter()
            .map(|p| net::cidr(p).ok_or(format!("static prefix '{p}' is not a CIDR")))
            .collect::<Result<_, _>>()?;
        if let Some((a, b)) = net::first_overlap(&blocks) {
            return Err(format!("static prefixes overlap: {a} and {b}"));
        }
    }
    for community in communities {
        let text = fields::text(&external["spec"], &format!("/{community}"));
        if !text.is_empty() && !is_community(text) {
            return Err(format!("{community} '{text}' must be two numbers of 0 to 65535, joined by a colon"));
        }
    }
    let namespace = fields::text(external, "/spec/ipv4Namespace");
    lookup.get("IPv4Namespace", namespace).map(drop).ok_or(format!("IPv4Namespace {namespace} not found"))
}

fn is_community(text: &str) -> bool {
    text.split_once(':').is_some_and(|(a, b)| a.parse::<u16>().is_ok() && b.parse::<u16>().is_ok())
}

pub(super) fn check_attachment(attachment: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(attachment)?;
    let external_name = fields::text(attachment, "/spec/external");
    let connection_name = fields::text(attachment, "/spec/connection");
    if external_name.is_empty() || connection_name.is_empty() {
        return Err("external and connection are required".to_owned());
    }
    let is_static = fields::present(attachment, "/spec/static");
    if is_static {
        check_static(attachment)?
    } else {
        check_bgp(attachment)?
    }
    check_acl(attachment)?;
    let external = lookup.get("External", external_name).ok_or(format!("external {external_name} not found"))?;
    if fields::present(&external, "/spec/static") != is_static {
        return Err(format!("external {external_name} and its attachment must both be static or both use BGP"));
    }
    let connection =
        lookup.get("Connection", connection_name).ok_or(format!("connection {connection_name} not found"))?;
    if Parsed::of(&connection).variant != Some(Variant::External) {
        return Err(format!("connection {connection_name} is not of type external"));
    }
    let vlan = vlan_of(attachment);
    for other in lookup.labelled("ExternalAttachment", &format!("{}connection", labels::FABRIC), connection_name) {
        if fields::name(&other) != fields::name(attachment) && vlan_of(&other) == vlan {
            return Err(format!("connection {connection_name} already has an external attachment with VLAN {vlan}"));
        }
    }
    Ok(())
}

/// No VLAN counts as VLAN 0.
fn vlan_of(attachment: &Value) -> i64 {
    let part = if fields::present(attachment, "/spec/static") { "/spec/static/vlan" } else { "/spec/switch/vlan" };
    fields::number(attachment, part)
}

fn check_static(attachment: &Value) -> Verdict {
    let text = |p: &str| fields::text(attachment, p);
    let set = |p: &str| fields::number(attachment, p) != 0 || !text(p).is_empty();
    if ["/spec/switch/vlan", "/spec/switch/ip", "/spec/neighbor/asn", "/spec/neighbor/ip"].into_iter().any(set) {
        return Err("switch and neighbor must be empty for a static attachment".to_owned());
    }
    net::ip(text("/spec/static/remoteIP"))
        .ok_or(format!("remoteIP '{}' is not an address", text("/spec/static/remoteIP")))?;
    let (ip, proxy) = (text("/spec/static/ip"), fields::flag(attachment, "/spec/static/proxy"));
    if ip.is_empty() != proxy {
        return Err("exactly one of static ip and proxy must be set".to_owned());
    }
    if !ip.is_empty() && net::cidr(ip).is_none() {
        return Err(format!("static ip '{ip}' is not a CIDR"));
    }
    Ok(())
}

fn check_bgp(attachment: &Value) -> Verdict {
    let ip = fields::text(attachment, "/spec/switch/ip");
    net::cidr(ip).ok_or(format!("switch ip '{ip}' is not a CIDR"))?;
    if fields::number(attachment, "/spec/neighbor/asn") == 0 {
        return Err("neighbor asn is required".to_owned());
    }
    let ip = fields::text(attachment, "/spec/neighbor/ip");
    net::ip(ip).map(drop).ok_or(format!("neighbor ip '{ip}' is not an address"))
}

fn check_acl(attachment: &Value) -> Verdict {
    let mut seen = BTreeSet::new();
    for statement in fields::items(attachment, "/spec/inboundACL/statements") {
        let seq = fields::number(statement, "/seq");
        let at = |reason: String| format!("inbound ACL statement {seq}: {reason}");
        if seq < 10 || !seen.insert(seq) {
            return Err(at("the sequence number must be 10 or more, and unique".to_owned()));
        }
        let action = fields::text(statement, "/action");
        if !["permit", "deny", "discard", "transit"].contains(&action) {
            return Err(at(format!("unknown action '{action}'")));
        }
        let protocol = fields::text(statement, "/protocol");
        if !["ip", "tcp", "udp", "icmp"].contains(&protocol) {
            return Err(at(format!("unknown protocol '{protocol}'")));
        }
        for field in ["/srcPrefix", "/dstPrefix"] {
            let prefix = fields::text(statement, field);
            if prefix != "any" && net::cidr(prefix).is_none() {
                return Err(at(format!("'{prefix}' is neither a CIDR nor any")));
            }
        }
        let (begin, end) = (fields::number(statement, "/portRangeBegin"), fields::number(statement, "/portRangeEnd"));
        if (begin, end) != (0, 0) && (!["tcp", "udp"].contains(&protocol) || begin < 1 || end < begin || end > 65535) {
            return Err(at(format!("port range {begin} to {end} is not possible for {protocol}")));
        }
        if protocol != "icmp" && (fields::present(statement, "/icmpType") || fields::present(statement, "/icmpCode")) {
            return Err(at("ICMP type and code are for icmp only".to_owned()));
        }
        check_tcp_filters(statement, protocol).map_err(at)?;
    }
    Ok(())
}

fn check_tcp_filters(statement: &Value, protocol: &str) -> Verdict {
    let set: Vec<&str> = fields::entries(statement, "/tcpFilters")
        .into_iter()
        .filter(|(_, on)| on.as_bool() == Some(true))
        .map(|(flag, _)| flag)
        .collect();
    if set.is_empty() {
        return Ok(());
    }
    if protocol != "tcp" {
        return Err("TCP filters are for tcp only".to_owned());
    }
    if set.contains(&"established") && set.len() > 1 {
        return Err("established stands alone".to_owned());
    }
    for flag in ["Ack", "Fin", "Psh", "Rst", "Syn", "Urg"] {
        if set.contains(&format!("not{flag}").as_str()) && set.contains(&flag.to_lowercase().as_str()) {
            return Err(format!("{flag} is both asked for and excluded"));
        }
    }
    Ok(())
}

pub(super) fn check_peering(peering: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(peering)?;
    let vpc_name = fields::text(peering, "/spec/permit/vpc/name");
    let external_name = fields::text(peering, "/spec/permit/external/name");
    if vpc_name.is_empty() || external_name.is_empty() {
        return Err("names of the vpc and of the external are required".to_owned());
    }
    for prefix in fields::items(peering, "/spec/permit/external/prefixes") {
        if fields::text(prefix, "/prefix").is_empty() {
            return Err("an external prefix is empty".to_owned());
        }
    }
    let vpc = lookup.get("VPC", vpc_name).ok_or(format!("vpc {vpc_name} not found"))?;
    let external = lookup.get("External", external_name).ok_or(format!("external {external_name} not found"))?;
    if fields::text(&vpc, "/spec/ipv4Namespace") != fields::text(&external, "/spec/ipv4Namespace") {
        return Err(format!("vpc {vpc_name} and external {external_name} are not in the same IPv4Namespace"));
    }
    for subnet in fields::texts(peering, "/spec/permit/vpc/subnets") {
        if !vpc["spec"]["subnets"].as_object().is_some_and(|s| s.contains_key(subnet)) {
            return Err(format!("subnet {subnet} not found in vpc {vpc_name}"));
        }
    }
    Ok(())
}
