//! The rules for Gateways and GatewayGroups. Their webhooks put nothing in front of the reason.

use super::{Lookup, Verdict, fields, net};
use serde_json::Value;
use std::{collections::BTreeSet, net::Ipv4Addr};

fn enabled(lookup: &dyn Lookup) -> Verdict {
    if lookup.settings().enable_gateway { Ok(()) } else { Err("gateway support is not enabled".to_owned()) }
}

pub(super) fn check_group(group: &Value, lookup: &dyn Lookup) -> Verdict {
    enabled(lookup)?;
    net::common(group)
}

pub(super) fn check(gateway: &Value, lookup: &dyn Lookup) -> Verdict {
    enabled(lookup)?;
    net::common(gateway)?;
    let text = |p: &str| fields::text(gateway, p);
    let protocol = text("/spec/protocolIP");
    net::host(protocol).ok_or(format!("invalid ProtocolIP '{protocol}': not an IPv4 /32"))?;
    let vtep = text("/spec/vtepIP");
    let address = net::host(vtep).ok_or(format!("invalid VTEPIP '{vtep}': not an IPv4 /32"))?;
    if address.is_multicast() || address.is_loopback() || address.is_unspecified() {
        return Err(format!("invalid VTEPIP {vtep}: not a unicast address"));
    }
    let mac = net::mac(text("/spec/vtepMAC")).ok_or(format!("invalid VTEPMAC '{}'", text("/spec/vtepMAC")))?;
    let first = u8::from_str_radix(&mac[..2], 16).unwrap_or_default();
    if first & 1 == 1 || mac == "00:00:00:00:00:00" {
        return Err(format!("invalid VTEPMAC {mac}: not a unicast address"));
    }
    if fields::number(gateway, "/spec/asn") == 0 {
        return Err("ASN must be set".to_owned());
    }
    let workers = fields::number(gateway, "/spec/workers");
    if !(1..=64).contains(&workers) {
        return Err(format!("workers must be 1 to 64, not {workers}"));
    }
    check_interfaces(gateway)?;
    check_neighbors(gateway)?;
    check_groups(gateway, lookup)?;
    check_unique(gateway, &mac, lookup)
}

fn check_interfaces(gateway: &Value) -> Verdict {
    let interfaces = fields::entries(gateway, "/spec/interfaces");
    if interfaces.is_empty() {
        return Err("at least one interface is required".to_owned());
    }
    for (name, interface) in interfaces {
        if !is_interface_name(name) {
            return Err(format!("interface name '{name}' is not valid"));
        }
        let ips = fields::texts(interface, "/ips");
        if ips.is_empty() {
            return Err(format!("interface {name}: at least one IP is required"));
        }
        for ip in ips {
            net::cidr(ip).filter(|_| ip.contains('/')).ok_or(format!("interface {name}: '{ip}' is not a CIDR"))?;
        }
        let (pci, kernel) = (fields::text(interface, "/pci"), fields::text(interface, "/kernel"));
        if !pci.is_empty() && !kernel.is_empty() {
            return Err(format!("interface {name}: only one of pci and kernel may be set"));
        }
        if !pci.is_empty() && !is_pci(pci) {
            return Err(format!("interface {name}: '{pci}' is not a PCI address"));
        }
        if kernel == name {
            return Err(format!("interface {name}: the kernel name must differ from it"));
        }
    }
    Ok(())
}

/// Two to ten characters, the first one a letter, the last one a letter or a digit.
fn is_interface_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (2..=10).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner)
}

/// `0000:01:00.0`.
fn is_pci(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 12
        && bytes.iter().enumerate().all(|(i, b)| match i {
            4 | 7 => *b == b':',
            10 => *b == b'.',
            _ => b.is_ascii_hexdigit(),
        })
}

fn check_neighbors(gateway: &Value) -> Verdict {
    let neighbors = fields::items(gateway, "/spec/neighbors");
    if neighbors.is_empty() {
        return Err("at least one neighbor is required".to_owned());
    }
    for neighbor in neighbors {
        let text = fields::text(neighbor, "/ip");
        let unicast = |ip: &Ipv4Addr| !ip.is_multicast() && !ip.is_unspecified() && !ip.is_loopback();
        net::ip(text).filter(unicast).ok_or(format!("invalid neighbor IP '{text}'"))?;
        if fields::number(neighbor, "/asn") == 0 {
            return Err(format!("neighbor {text}: ASN must be set"));
        }
    }
    Ok(())
}

fn check_groups(gateway: &Value, lookup: &dyn Lookup) -> Verdict {
    let mut seen = BTreeSet::new();
    let others: Vec<_> =
        lookup.list("Gateway").into_iter().filter(|o| fields::name(o) != fields::name(gateway)).collect();
    for group in fields::items(gateway, "/spec/groups") {
        let name = fields::text(group, "/name");
        if !seen.insert(name) {
            return Err(format!("gateway group {name} stands there twice"));
        }
        lookup.get("GatewayGroup", name).ok_or(format!("gateway group {name} not found"))?;
        let member = |o: &Value| fields::items(o, "/spec/groups").iter().any(|g| fields::text(g, "/name") == name);
        if others.iter().filter(|o| member(o)).count() + 1 > lookup.settings().gateway_communities {
            return Err(format!("gateway group {name} has too many members"));
        }
    }
    if seen.is_empty() { Err("at least one gateway group is required".to_owned()) } else { Ok(()) }
}

fn check_unique(gateway: &Value, mac: &str, lookup: &dyn Lookup) -> Verdict {
    let others = lookup.list("Gateway").into_iter().filter(|o| fields::name(o) != fields::name(gateway));
    for other in others.chain(lookup.list("Switch")) {
        for (field, what) in [("/spec/protocolIP", "ProtocolIP"), ("/spec/vtepIP", "VTEPIP")] {
            let own = fields::text(gateway, field);
            if fields::text(&other, field) == own {
                return Err(format!("{what} {own} is already used by {}", fields::name(&other)));
            }
        }
        if net::mac(fields::text(&other, "/spec/vtepMAC")).as_deref() == Some(mac) {
            return Err(format!("VTEPMAC {mac} is already used by {}", fields::name(&other)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interfaces_and_cards() {
        for good in ["enp2s1np0", "e0", "enp2s1.np0"] {
            assert!(is_interface_name(good), "{good}");
        }
        for bad in ["", "e", "0e", "enp2s1np012", "enp2-", "en p"] {
            assert!(!is_interface_name(bad), "{bad}");
        }
        assert!(is_pci("0000:4d:00.1"));
        for bad in ["0000:4d:00.11", "0000-4d:00.1", "0000:4d:00:1", "4d:00.1"] {
            assert!(!is_pci(bad), "{bad}");
        }
    }
}
