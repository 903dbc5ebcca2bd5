//! Namespaces of VLANs and of IPv4 prefixes, and whether what uses them still fits.

use super::read::{entries, in_ranges, namespace_of, net, number, overlap, texts, vlan_ranges};
use super::world::{Found, Object, World};
use crate::kind::{VPC, WIRING};
use crate::path::Path;

/// What the fabric keeps for itself unless it was installed with other ranges.
const RESERVED_VLANS: (i64, i64) = (3000, 3999);
const RESERVED_PREFIX: &str = "172.30.0.0/16";
const MOST_PREFIXES: usize = 10;

pub(super) fn check_vlan(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let ranges = vlan_ranges(&object.value);
    let path = |n: usize| Path::root().join("spec").join("ranges").join(n);
    for (n, (from, to)) in ranges.iter().enumerate() {
        if *from < 1 || from > to || *to > 4094 {
            // Accepted, and then every range of the namespace is dropped: not what anybody meant.
            let message = format!(
                "{}: {from}–{to} is no range of VLANs from 1 to 4094; the server would drop all ranges of the namespace.",
                object.title()
            );
            out.error(object, path(n), "discarded_vlan_range", message);
            continue;
        }
        if let Some(other) = ranges[..n].iter().find(|(f, t)| f <= to && from <= t) {
            let message = format!("{}: the ranges {}–{} and {from}–{to} overlap.", object.title(), other.0, other.1);
            out.error(object, path(n), "overlap", message);
        }
        if *from <= RESERVED_VLANS.1 && RESERVED_VLANS.0 <= *to {
            let message = format!(
                "{}: {from}–{to} overlaps the VLANs that the fabric keeps for itself ({}–{} unless installed otherwise); the server may refuse it.",
                object.title(),
                RESERVED_VLANS.0,
                RESERVED_VLANS.1
            );
            out.warning(object, path(n), "reserved_range", message);
        }
    }
    let Some(live) = object.live.map(vlan_ranges) else { return };
    for vpc in world.all((VPC, "VPC")) {
        if namespace_of(&vpc.value, "/spec/vlanNamespace") != object.name {
            continue;
        }
        for (subnet, value) in entries(&vpc.value, "/spec/subnets") {
            if let Some(vlan) = number(value, "/vlan").filter(|v| in_ranges(*v, &live) && !in_ranges(*v, &ranges)) {
                let message = format!(
                    "{}: VLAN {vlan} of VPC {}, subnet {subnet}, would no longer be in the namespace.",
                    object.title(),
                    vpc.name
                );
                out.error(object, "spec.ranges", "still_in_use", message);
            }
        }
    }
}

pub(super) fn check_ipv4(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let path = |n: usize| Path::root().join("spec").join("subnets").join(n);
    let mut nets = Vec::new();
    for (n, text) in texts(&object.value, "/spec/subnets") {
        let Some(prefix) = net(text) else {
            let message = format!("{}: '{text}' is no IPv4 prefix such as 10.0.0.0/16.", object.title());
            out.error(object, path(n), "not_a_prefix", message);
            continue;
        };
        if let Some(other) = nets.iter().find(|other| overlap(**other, prefix)) {
            let message = format!("{}: {other} and {prefix} overlap.", object.title());
            out.error(object, path(n), "overlap", message);
        }
        if net(RESERVED_PREFIX).is_some_and(|reserved| overlap(reserved, prefix)) {
            let message = format!(
                "{}: {prefix} overlaps {RESERVED_PREFIX}, which the fabric keeps for itself unless installed otherwise; the server may refuse it.",
                object.title()
            );
            out.warning(object, path(n), "reserved_range", message);
        }
        nets.push(prefix);
    }
    if nets.len() > MOST_PREFIXES {
        let message = format!("{} has {} prefixes; it may have {MOST_PREFIXES}.", object.title(), nets.len());
        out.error(object, "spec.subnets", "out_of_range", message);
    }
    let Some(live) = object.live else { return };
    let live: Vec<_> = texts(live, "/spec/subnets").filter_map(|(_, text)| net(text)).collect();
    for vpc in world.all((VPC, "VPC")) {
        if namespace_of(&vpc.value, "/spec/ipv4Namespace") != object.name {
            continue;
        }
        for (subnet, value) in entries(&vpc.value, "/spec/subnets") {
            let prefix = value.get("subnet").and_then(|s| s.as_str()).and_then(net);
            let inside = |nets: &[ipnet::Ipv4Net]| prefix.is_some_and(|p| nets.iter().any(|n| n.contains(&p)));
            if inside(&live) && !inside(&nets) {
                let message = format!(
                    "{}: subnet {subnet} of VPC {} would no longer be in the namespace.",
                    object.title(),
                    vpc.name
                );
                out.error(object, "spec.subnets", "still_in_use", message);
            }
        }
    }
}

/// The ranges of several VLAN namespaces on one switch must not overlap.
pub(super) fn disjoint(world: &World<'_>, names: &[&str]) -> Option<(String, String)> {
    let ranges: Vec<_> = names
        .iter()
        .filter_map(|name| Some((*name, vlan_ranges(&world.get((WIRING, "VLANNamespace"), name)?.value))))
        .collect();
    ranges.iter().enumerate().find_map(|(n, (name, mine))| {
        let hits = |(_, theirs): &&(&str, Vec<(i64, i64)>)| {
            mine.iter().any(|a| theirs.iter().any(|b| a.0 <= b.1 && b.0 <= a.1))
        };
        ranges[..n].iter().find(hits).map(|(other, _)| ((*other).to_owned(), (*name).to_owned()))
    })
}
