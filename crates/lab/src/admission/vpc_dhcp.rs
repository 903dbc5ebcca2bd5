//! The rules for DHCP in a VPC subnet.

use super::{Verdict, fields, net};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr};

/// Checks the DHCP settings of a subnet; the messages do not name it.
pub(super) fn check(subnet: &Value, block: Ipv4Net, host_bgp: bool) -> Verdict {
    let enabled = fields::flag(subnet, "/dhcp/enable");
    let relay = fields::text(subnet, "/dhcp/relay");
    if enabled && host_bgp {
        return Err("dhcp server cannot be enabled in a hostBGP subnet".to_owned());
    }
    if enabled && !relay.is_empty() {
        return Err("dhcp relay and dhcp server cannot be enabled at the same time".to_owned());
    }
    if !relay.is_empty() && (net::cidr(relay).is_none() || !relay.contains('/')) {
        return Err(format!("dhcp relay '{relay}' is not a CIDR"));
    }
    if relay.is_empty() && !fields::text(subnet, "/dhcp/relayVPC").is_empty() {
        return Err("dhcp relayVPC needs a relay".to_owned());
    }
    let gateway = net::ip(fields::text(subnet, "/gateway"));
    if enabled {
        range(subnet, block, gateway)?;
        options(subnet, block)?;
    }
    hosts(subnet, block, gateway, enabled)
}

fn range(subnet: &Value, block: Ipv4Net, gateway: Option<Ipv4Addr>) -> Verdict {
    let end_of = |word: &str| {
        let text = fields::text(subnet, &format!("/dhcp/range/{word}"));
        let ip = net::ip(text).ok_or(format!("dhcp range {word} '{text}' is not an address"))?;
        if !block.contains(&ip) {
            return Err(format!("dhcp range {word} {ip} is not in the subnet"));
        }
        if ip == block.network() {
            return Err(format!("dhcp range {word} {ip} is the address of the network"));
        }
        if Some(ip) == gateway {
            return Err(format!("dhcp range {word} {ip} is the gateway"));
        }
        Ok(ip)
    };
    let (start, end) = (end_of("start")?, end_of("end")?);
    if start >= end {
        return Err(format!("dhcp range start {start} does not come before dhcp range end {end}"));
    }
    Ok(())
}

fn options(subnet: &Value, block: Ipv4Net) -> Verdict {
    let Some(options) = subnet.pointer("/dhcp/options").filter(|o| o.is_object()) else { return Ok(()) };
    for (list, what) in [("/dnsServers", "DNS server"), ("/timeServers", "time server")] {
        for server in fields::texts(options, list) {
            net::ip(server).ok_or(format!("{what} '{server}' is not an address"))?;
        }
    }
    let mtu = fields::number(options, "/interfaceMTU");
    if !(96..=9036).contains(&mtu) {
        return Err(format!("interface MTU {mtu} must be 96 to 9036"));
    }
    if fields::number(options, "/leaseTimeSeconds") < 1 {
        return Err("lease time must be at least a second".to_owned());
    }
    for route in fields::items(options, "/advertisedRoutes") {
        let (destination, gateway) = (fields::text(route, "/destination"), fields::text(route, "/gateway"));
        net::cidr(destination).ok_or(format!("advertised route destination '{destination}' is not a CIDR"))?;
        let via = net::ip(gateway).ok_or(format!("advertised route gateway '{gateway}' is not an address"))?;
        if !block.contains(&via) {
            return Err(format!("advertised route gateway {via} is not in the subnet"));
        }
    }
    Ok(())
}

fn hosts(subnet: &Value, block: Ipv4Net, gateway: Option<Ipv4Addr>, enabled: bool) -> Verdict {
    let hosts = fields::entries(subnet, "/dhcp/static");
    if !hosts.is_empty() && !enabled {
        return Err("static IPs need the dhcp server to be enabled".to_owned());
    }
    let mut seen = BTreeSet::new();
    for (mac, host) in hosts {
        let text = fields::text(host, "/ip");
        net::mac(mac).ok_or(format!("invalid MAC {mac} for static IP {text}"))?;
        let ip = net::ip(text).ok_or(format!("static IP '{text}' for MAC {mac} is not an address"))?;
        if !block.contains(&ip) {
            return Err(format!("static IP {ip} for MAC {mac} is not in the subnet"));
        }
        let special = [
            (Some(block.network()), "the address of the network"),
            (Some(block.broadcast()), "the broadcast address"),
            (gateway, "the gateway"),
        ];
        if let Some((_, what)) = special.iter().find(|(special, _)| *special == Some(ip)) {
            return Err(format!("static IP {ip} for MAC {mac} is {what}"));
        }
        if !seen.insert(ip) {
            return Err(format!("static IP {ip} is given to more than one MAC"));
        }
    }
    Ok(())
}
