//! The rules for VLANNamespaces and IPv4Namespaces, which must keep room for the VPCs in them.

use super::{Lookup, Verdict, defaults::vlan_range, fields, labels, net};
use ipnet::Ipv4Net;
use serde_json::Value;

/// Most subnets of an IPv4Namespace; the schema allows more, the webhook does not.
const MAX_SUBNETS: usize = 10;

/// Whether a VLAN lies in one of the namespace's ranges.
pub(super) fn has_vlan(namespace: &Value, vlan: i64) -> bool {
    fields::items(namespace, "/spec/ranges")
        .iter()
        .filter_map(vlan_range)
        .any(|(from, to)| (i64::from(from)..=i64::from(to)).contains(&vlan))
}

fn vlans_overlap(ranges: &[(u16, u16)]) -> Verdict {
    for (i, a) in ranges.iter().enumerate() {
        if let Some(b) = ranges[i + 1..].iter().find(|b| a.0 <= b.1 && b.0 <= a.1) {
            return Err(format!("VLAN ranges overlap: {}-{} and {}-{}", a.0, a.1, b.0, b.1));
        }
    }
    Ok(())
}

pub(super) fn check_vlan(namespace: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(namespace)?;
    let ranges: Vec<(u16, u16)> = fields::items(namespace, "/spec/ranges").iter().filter_map(vlan_range).collect();
    vlans_overlap(&ranges)?;
    for range in ranges {
        for reserved in &lookup.settings().reserved_vlans {
            vlans_overlap(&[range, *reserved])
                .map_err(|e| format!("ranges overlap with Fabric reserved VLANs: {e}"))?;
        }
    }
    Ok(())
}

/// Asked on updates only. Like the real one, it looks for VPCs by the *IPv4* namespace of this name, and finds that
/// VLAN 0 of a hostBGP subnet fits nowhere.
pub(super) fn still_fits_vlan(old: Option<&Value>, namespace: &Value, lookup: &dyn Lookup) -> Verdict {
    if old.is_none() {
        return Ok(());
    }
    for vpc in lookup.labelled("VPC", &format!("{}ipv4ns", labels::FABRIC), fields::name(namespace)) {
        for (subnet, config) in fields::entries(&vpc, "/spec/subnets") {
            let vlan = fields::number(config, "/vlan");
            if !has_vlan(namespace, vlan) {
                let vpc = fields::name(&vpc);
                return Err(format!(
                    "existing vpc {vpc} subnet {subnet} (vlan {vlan}) doesn't fit updated VLAN namespace"
                ));
            }
        }
    }
    Ok(())
}

pub(super) fn check_ipv4(namespace: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(namespace)?;
    net::short_name(namespace)?;
    let texts = fields::texts(namespace, "/spec/subnets");
    if texts.is_empty() {
        return Err("at least one subnet is required".to_owned());
    }
    if texts.len() > MAX_SUBNETS {
        return Err(format!("too many subnets: {} of at most {MAX_SUBNETS}", texts.len()));
    }
    let blocks: Vec<Ipv4Net> = texts
        .iter()
        .map(|text| net::cidr(text).ok_or(format!("subnet '{text}' is not a CIDR")))
        .collect::<Result<_, _>>()?;
    if let Some((a, b)) = net::first_overlap(&blocks) {
        return Err(format!("subnets overlap: subnets {a} and {b} overlap"));
    }
    for block in blocks {
        if let Some(reserved) = lookup.settings().reserved(block) {
            return Err(format!("subnet {block} overlaps with reserved subnet {reserved}"));
        }
    }
    Ok(())
}

/// Asked on updates only.
pub(super) fn still_fits_ipv4(old: Option<&Value>, namespace: &Value, lookup: &dyn Lookup) -> Verdict {
    if old.is_none() {
        return Ok(());
    }
    let space: Vec<Ipv4Net> = fields::texts(namespace, "/spec/subnets").into_iter().filter_map(net::cidr).collect();
    for vpc in lookup.labelled("VPC", &format!("{}ipv4ns", labels::FABRIC), fields::name(namespace)) {
        for (subnet, config) in fields::entries(&vpc, "/spec/subnets") {
            let block = fields::text(config, "/subnet");
            if net::cidr(block).is_some_and(|b| !space.iter().any(|outer| net::within(b, *outer))) {
                let vpc = fields::name(&vpc);
                return Err(format!("existing vpc {vpc} subnet {subnet} ({block}) doesn't fit updated IPv4 namespace"));
            }
        }
    }
    Ok(())
}
