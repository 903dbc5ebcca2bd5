//! One subnet of a VPC: prefix, gateway, VLAN, DHCP, BGP to hosts.

use super::read::{
    address, entries, flag, in_ranges, is_there, list, namespace_of, net, number, text, texts, vlan_ranges,
};
use super::world::{Found, Object, World};
use crate::kind::{VPC, WIRING};
use crate::normalise::scalar::canonical_mac;
use crate::path::Path;
use ipnet::Ipv4Net;
use serde_json::Value;
use std::collections::BTreeMap;

struct Subnet<'s, 'o> {
    object: &'s Object<'o>,
    title: String,
    path: Path,
    value: &'s Value,
    /// The network, once it is known to be one.
    net: Ipv4Net,
}

impl Subnet<'_, '_> {
    fn error(&self, out: &mut Found, field: &str, rule: &str, message: &str) {
        out.error(self.object, self.at(field), rule, format!("{}: {message}", self.title));
    }

    fn warning(&self, out: &mut Found, field: &str, rule: &str, message: &str) {
        out.warning(self.object, self.at(field), rule, format!("{}: {message}", self.title));
    }

    fn at(&self, field: &str) -> Path {
        field.split('/').filter(|part| !part.is_empty()).fold(self.path.clone(), |path, part| path.join(part))
    }
}

pub(super) fn check(object: &Object<'_>, name: &str, value: &Value, world: &World<'_>, out: &mut Found) {
    let title = format!("{}, subnet {name}", object.title());
    let path = Path::root().join("spec").join("subnets").join(name);
    let written = text(value, "/subnet").unwrap_or_default();
    let Some(net) = net(written) else {
        let message = format!("{title}: '{written}' is no IPv4 prefix such as 10.0.1.0/24.");
        return out.error(object, path.child("subnet"), "not_a_prefix", message);
    };
    let subnet = Subnet { object, title, path, value, net: net.trunc() };
    if net.prefix_len() > 30 {
        let message = format!("{net} is too small; the prefix length is at most 30.");
        return subnet.error(out, "subnet", "out_of_range", &message);
    }
    if net.trunc() != net {
        let message = format!("{net} has host bits; the network is {}.", net.trunc());
        subnet.warning(out, "subnet", "not_canonical", &message);
    }
    let host_bgp = flag(value, "/hostBGP");
    if let Some(gateway) = text(value, "/gateway").filter(|_| !host_bgp)
        && address(gateway).is_none_or(|gateway| !subnet.net.contains(&gateway))
    {
        subnet.error(out, "gateway", "not_inside", &format!("the gateway {gateway} is not in {}.", subnet.net));
    }
    vlan(&subnet, host_bgp, world, out);
    host_bgp_fields(&subnet, host_bgp, out);
    dhcp(&subnet, host_bgp, world, out);
}

fn vlan(subnet: &Subnet<'_, '_>, host_bgp: bool, world: &World<'_>, out: &mut Found) {
    let namespace = namespace_of(&subnet.object.value, "/spec/vlanNamespace");
    match number(subnet.value, "/vlan") {
        None if host_bgp => {}
        None => subnet.error(out, "vlan", "missing_field", "a VLAN is required."),
        Some(vlan) => {
            let ranges = world.get((WIRING, "VLANNamespace"), namespace).map(|ns| vlan_ranges(&ns.value));
            if ranges.is_some_and(|ranges| !in_ranges(vlan, &ranges)) {
                let message = format!("VLAN {vlan} is not in VLANNamespace {namespace}.");
                subnet.error(out, "vlan", "not_inside", &message);
            }
        }
    }
    let prefixes = namespace_of(&subnet.object.value, "/spec/ipv4Namespace");
    if let Some(ns) = world.get((VPC, "IPv4Namespace"), prefixes) {
        let mut nets = texts(&ns.value, "/spec/subnets").filter_map(|(_, text)| net(text));
        if !nets.any(|n| n.contains(&subnet.net)) {
            let message = format!("{} is in no prefix of IPv4Namespace {prefixes}.", subnet.net);
            subnet.error(out, "subnet", "not_inside", &message);
        }
    }
}

fn host_bgp_fields(subnet: &Subnet<'_, '_>, host_bgp: bool, out: &mut Found) {
    let fields = ["hostBGPMinPrefixLen", "hostBGPMaxPrefixLen", "hostBGPExtraPrefixes"];
    if !host_bgp {
        for field in fields {
            if subnet.value.get(field).is_some_and(|v| !crate::normalise::scalar::is_zero(v)) {
                subnet.error(out, field, "not_allowed", &format!("{field} is for subnets with hostBGP only."));
            }
        }
        return;
    }
    let own = i64::from(subnet.net.prefix_len());
    let most = number(subnet.value, "/hostBGPMaxPrefixLen").unwrap_or(32);
    let least = number(subnet.value, "/hostBGPMinPrefixLen").unwrap_or(most);
    if most > 32 || least > most || least < own {
        let message = format!("prefix lengths from {least} to {most} are not between {own} and 32.");
        subnet.error(out, "hostBGPMinPrefixLen", "out_of_range", &message);
    }
    for (prefix, _) in entries(subnet.value, "/hostBGPExtraPrefixes") {
        if net(prefix).is_none_or(|p| p.trunc() != p) {
            let path = subnet.path.child("hostBGPExtraPrefixes").join(prefix.as_str());
            let message = format!("{}: '{prefix}' is no canonical IPv4 prefix.", subnet.title);
            out.error(subnet.object, path, "not_a_prefix", message);
        }
    }
}

fn dhcp(subnet: &Subnet<'_, '_>, host_bgp: bool, world: &World<'_>, out: &mut Found) {
    let value = subnet.value;
    let enabled = flag(value, "/dhcp/enable");
    if enabled && host_bgp {
        subnet.error(out, "dhcp/enable", "not_allowed", "DHCP and hostBGP exclude each other.");
    }
    if let Some(relay) = text(value, "/dhcp/relay") {
        if enabled {
            subnet.error(out, "dhcp/relay", "not_allowed", "a DHCP relay and a DHCP server exclude each other.");
        }
        if net(relay).is_none() {
            let message = format!("the relay '{relay}' is not of the form 10.0.0.5/32.");
            subnet.error(out, "dhcp/relay", "not_a_prefix", &message);
        }
    }
    if let Some(vpc) = text(value, "/dhcp/relayVPC") {
        if text(value, "/dhcp/relay").is_none() {
            subnet.error(out, "dhcp/relayVPC", "missing_field", "relayVPC needs a relay.");
        }
        world.follow(subnet.object, subnet.at("dhcp/relayVPC"), (VPC, "VPC"), vpc, out);
    }
    statics(subnet, enabled, out);
    if enabled {
        range(subnet, out);
        options(subnet, out);
    }
}

fn gateway_of(subnet: &Subnet<'_, '_>) -> std::net::Ipv4Addr {
    let written = text(subnet.value, "/gateway").and_then(address);
    written.unwrap_or_else(|| std::net::Ipv4Addr::from(u32::from(subnet.net.network()).wrapping_add(1)))
}

fn range(subnet: &Subnet<'_, '_>, out: &mut Found) {
    let gateway = gateway_of(subnet);
    let mut ends = [None, None];
    for (n, end) in ["start", "end"].into_iter().enumerate() {
        let Some(written) = text(subnet.value, &format!("/dhcp/range/{end}")) else { continue };
        let at = format!("dhcp/range/{end}");
        match address(written).filter(|a| subnet.net.contains(a)) {
            None => {
                let message = format!("the DHCP range's {end} {written} is no address of {}.", subnet.net);
                subnet.error(out, &at, "not_inside", &message);
            }
            Some(address) if address == subnet.net.network() || address == gateway => {
                let what = if address == gateway { "the gateway" } else { "the network's own address" };
                let message = format!("the DHCP range's {end} {written} is {what}.");
                subnet.error(out, &at, "not_allowed", &message);
            }
            Some(address) => {
                if end == "end" && address == subnet.net.broadcast() {
                    let message = format!("the DHCP range ends with the broadcast address {written}.");
                    subnet.warning(out, &at, "range_end_is_broadcast", &message);
                }
                ends[n] = Some(address);
            }
        }
    }
    if let [Some(start), Some(end)] = ends {
        if start >= end {
            let message = format!("the DHCP range begins at {start} and ends at {end}.");
            subnet.error(out, "dhcp/range/start", "not_allowed", &message);
        } else if (start..=end).contains(&gateway) {
            let message = format!("the DHCP range contains the gateway {gateway}, which would be given to a host.");
            subnet.warning(out, "dhcp/range", "range_contains_gateway", &message);
        }
    }
}

fn options(subnet: &Subnet<'_, '_>, out: &mut Found) {
    let value = subnet.value;
    for field in ["dnsServers", "timeServers"] {
        for (n, server) in texts(value, &format!("/dhcp/options/{field}")) {
            if server.parse::<std::net::IpAddr>().is_err() {
                let path = subnet.at(&format!("dhcp/options/{field}")).join(n);
                let message = format!("{}: '{server}' is no address.", subnet.title);
                out.error(subnet.object, path, "not_an_address", message);
            }
        }
    }
    if let Some(mtu) = number(value, "/dhcp/options/interfaceMTU").filter(|mtu| !(96..=9036).contains(mtu)) {
        let message = format!("an MTU of {mtu} is not between 96 and 9036.");
        subnet.error(out, "dhcp/options/interfaceMTU", "out_of_range", &message);
    }
    if number(value, "/dhcp/options/leaseTimeSeconds").is_some_and(|lease| lease < 1) {
        subnet.error(out, "dhcp/options/leaseTimeSeconds", "out_of_range", "a lease lasts a second at least.");
    }
    for (n, route) in list(value, "/dhcp/options/advertisedRoutes").iter().enumerate() {
        let path = subnet.at("dhcp/options/advertisedRoutes").join(n);
        let (to, via) = (text(route, "/destination").unwrap_or_default(), text(route, "/gateway").unwrap_or_default());
        if net(to).is_none() {
            let message = format!("{}: '{to}' is no IPv4 prefix.", subnet.title);
            out.error(subnet.object, path.child("destination"), "not_a_prefix", message);
        }
        if address(via).is_none_or(|via| !subnet.net.contains(&via)) {
            let message = format!("{}: the route's gateway '{via}' is not in {}.", subnet.title, subnet.net);
            out.error(subnet.object, path.child("gateway"), "not_inside", message);
        }
    }
}

fn statics(subnet: &Subnet<'_, '_>, enabled: bool, out: &mut Found) {
    let mut taken: BTreeMap<std::net::Ipv4Addr, &str> = BTreeMap::new();
    if !enabled && is_there(subnet.value, "/dhcp/static") && entries(subnet.value, "/dhcp/static").next().is_some() {
        subnet.error(out, "dhcp/static", "not_allowed", "static addresses need DHCP.");
    }
    for (mac, entry) in entries(subnet.value, "/dhcp/static") {
        let path = subnet.at("dhcp/static").join(mac.as_str());
        let mut error = |path: Path, rule: &str, message: String| {
            out.error(subnet.object, path, rule, format!("{}: {message}", subnet.title));
        };
        if canonical_mac(mac).is_none() {
            error(path.clone(), "not_a_mac", format!("'{mac}' is no MAC address."));
        }
        let written = text(entry, "/ip").unwrap_or_default();
        let Some(ip) = address(written).filter(|ip| subnet.net.contains(ip)) else {
            let message = format!("the static address '{written}' is no address of {}.", subnet.net);
            error(path.child("ip"), "not_inside", message);
            continue;
        };
        if ip == subnet.net.network() || ip == subnet.net.broadcast() || ip == gateway_of(subnet) {
            let message = format!("the static address {ip} is the network's, the broadcast or the gateway's.");
            error(path.child("ip"), "not_allowed", message);
        }
        if let Some(other) = taken.insert(ip, mac) {
            error(path.child("ip"), "duplicate_address", format!("{ip} is given to {other} and to {mac}."));
        }
    }
}
