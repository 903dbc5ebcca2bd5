//! Gateways: addresses, interfaces, neighbours and groups.

use super::read::{address, entries, list, net, number, text};
use super::world::{Found, Object, World};
use crate::kind::GATEWAY;
use crate::normalise::scalar::canonical_mac;
use crate::path::Path;
use std::collections::BTreeSet;

const MOST_MEMBERS: usize = 10;
const MOST_WORKERS: i64 = 64;
const LEVELS: [&str; 6] = ["off", "error", "warning", "info", "debug", "trace"];

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    for key in ["protocolIP", "vtepIP"] {
        if let Some(written) = text(value, &format!("/spec/{key}"))
            && net(written).is_none_or(|net| net.prefix_len() != 32)
        {
            let message = format!("{title}: {key} '{written}' is not of the form 172.30.8.6/32.");
            out.error(object, format!("spec.{key}"), "not_a_prefix", message);
        }
    }
    if let Some(mac) = text(value, "/spec/vtepMAC") {
        let first = canonical_mac(mac).and_then(|mac| u8::from_str_radix(&mac[..2], 16).ok());
        let zero = canonical_mac(mac).is_some_and(|mac| mac.bytes().all(|b| b == b'0' || b == b':'));
        if first.is_none_or(|first| first & 1 == 1) || zero {
            let message = format!("{title}: vtepMAC '{mac}' is no unicast MAC address.");
            out.error(object, "spec.vtepMAC", "not_a_mac", message);
        }
        let twin = world.all((GATEWAY, "Gateway")).find(|other| {
            other.name != object.name
                && text(&other.value, "/spec/vtepMAC").and_then(canonical_mac) == canonical_mac(mac)
        });
        if let Some(twin) = twin.filter(|_| first.is_some()) {
            let message = format!("{title}: vtepMAC {mac} is also that of {}.", twin.title());
            out.error(object, "spec.vtepMAC", "used_twice", message);
        }
    }
    if number(value, "/spec/workers").is_some_and(|workers| !(1..=MOST_WORKERS).contains(&workers)) {
        let message = format!("{title}: workers must be between 1 and {MOST_WORKERS}.");
        out.error(object, "spec.workers", "out_of_range", message);
    }
    if let Some(level) = text(value, "/spec/logs/default").filter(|level| !LEVELS.contains(level)) {
        let message =
            format!("{title}: '{level}' is no log level; the server does not look. Use one of {}.", LEVELS.join(", "));
        out.warning(object, "spec.logs.default", "not_allowed", message);
    }
    interfaces(object, out);
    neighbors(object, out);
    groups(object, world, out);
}

fn interfaces(object: &Object<'_>, out: &mut Found) {
    let title = object.title();
    let interfaces: Vec<_> = entries(&object.value, "/spec/interfaces").collect();
    if interfaces.is_empty() {
        out.error(object, "spec.interfaces", "missing_field", format!("{title} has no interfaces."));
    }
    for (name, interface) in interfaces {
        let path = Path::root().join("spec").join("interfaces").join(name.as_str());
        let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        let (first, last) = (name.bytes().next().unwrap_or(b' '), name.bytes().last().unwrap_or(b' '));
        let fits = (2..=10).contains(&name.len()) && name.bytes().all(inner);
        if !fits || !first.is_ascii_alphabetic() || !last.is_ascii_alphanumeric() {
            let message = format!("{title}: '{name}' is no interface name of 2 to 10 characters.");
            out.error(object, &path, "invalid_name", message);
        }
        for (n, ip) in super::read::texts(interface, "/ips") {
            if net(ip).is_none() {
                let message = format!("{title}: '{ip}' is no address with a prefix length.");
                out.error(object, path.child("ips").join(n), "not_a_prefix", message);
            }
        }
        if text(interface, "/pci").is_some() && text(interface, "/kernel").is_some() {
            let message = format!("{title}, interface {name}: pci and kernel exclude each other.");
            out.error(object, path.child("pci"), "not_allowed", message);
        }
    }
}

fn neighbors(object: &Object<'_>, out: &mut Found) {
    for (n, neighbor) in list(&object.value, "/spec/neighbors").iter().enumerate() {
        let path = Path::root().join("spec").join("neighbors").join(n);
        let ip = text(neighbor, "/ip").unwrap_or_default();
        if address(ip).is_none_or(|ip| ip.is_multicast() || ip.is_unspecified() || ip.is_broadcast()) {
            let message = format!("{}: the neighbour '{ip}' is no unicast IPv4 address.", object.title());
            out.error(object, path.child("ip"), "not_an_address", message);
        }
        if number(neighbor, "/asn").is_none() {
            let message = format!("{}: the neighbour {ip} has no AS number.", object.title());
            out.error(object, path.child("asn"), "missing_field", message);
        }
    }
}

/// The groups that a gateway is a member of; `default` when it names none.
pub(super) fn groups_of<'v>(object: &'v Object<'_>) -> Vec<&'v str> {
    let named: Vec<&str> = list(&object.value, "/spec/groups").iter().filter_map(|g| text(g, "/name")).collect();
    if named.is_empty() { vec!["default"] } else { named }
}

fn groups(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let title = object.title();
    let mut seen = BTreeSet::new();
    for (n, group) in list(&object.value, "/spec/groups").iter().enumerate() {
        let path = Path::root().join("spec").join("groups").join(n).join("name");
        let Some(name) = text(group, "/name") else { continue };
        if !seen.insert(name) {
            out.error(object, &path, "used_twice", format!("{title} names group {name} twice."));
        }
        // The controller makes the group `default` by itself.
        if name != "default" {
            world.follow(object, &path, (GATEWAY, "GatewayGroup"), name, out);
        }
        let members = world.all((GATEWAY, "Gateway")).filter(|gateway| groups_of(gateway).contains(&name)).count();
        if members >= MOST_MEMBERS {
            let message =
                format!("{title}: group {name} would have {members} members; it may have {}.", MOST_MEMBERS - 1);
            out.error(object, &path, "out_of_range", message);
        }
    }
}
