//! The rules for Switches and SwitchProfiles.

use super::{Lookup, Verdict, Warning, fields, net, ports};
use ports::PortMap;
use serde_json::Value;
use std::collections::BTreeMap;

/// Only the built-in profiles may exist, and only as they are.
pub(super) fn check_profile(old: Option<&Value>, new: &Value) -> Verdict {
    let Some(built_in) = crate::profiles::find(fields::name(new)) else {
        return Err("only default switch profiles are allowed".to_owned());
    };
    if built_in["spec"] == new["spec"] {
        return Ok(());
    }
    Err(match old {
        Some(_) => "default switch profiles are immutable",
        None => "only default switch profiles are allowed",
    }
    .to_owned())
}

pub(super) fn check(old: Option<&Value>, switch: &Value, lookup: &dyn Lookup, warnings: &mut Vec<Warning>) -> Verdict {
    net::common(switch)?;
    if fields::text(switch, "/spec/profile").is_empty() {
        return Err("profile is required".to_owned());
    }
    let profile = ports::profile_of(switch, lookup)?;
    let feature = |name: &str| fields::flag(&profile, &format!("/spec/features/{name}"));
    check_groups(switch, lookup, &feature, warnings)?;
    check_vlan_namespaces(switch, lookup)?;
    if fields::flag(switch, "/spec/roce") && !feature("roce") {
        return Err("RoCE is not supported by the switch profile".to_owned());
    }
    if fields::flag(switch, "/spec/ecmp/roceQPN") && !feature("ecmpRoCEQPN") {
        return Err("ECMP RoCE QPN hashing is not supported by the switch profile".to_owned());
    }
    check_port_settings(switch, &profile)?;
    check_limits(switch, &profile)?;
    if let Some(old) = old {
        let roce = fields::flag(old, "/spec/roce") || fields::flag(switch, "/spec/roce");
        let (before, after) = (&old["spec"]["portBreakouts"], &switch["spec"]["portBreakouts"]);
        let empty = |v: &Value| v.as_object().is_none_or(serde_json::Map::is_empty);
        if roce && before != after && !(empty(before) && empty(after)) {
            return Err("port breakouts cannot change while RoCE is on".to_owned());
        }
    }
    check_addresses(switch, lookup).map_err(|e| format!("failed hydration validation: {e}"))
}

fn check_groups(
    switch: &Value,
    lookup: &dyn Lookup,
    feature: &dyn Fn(&str) -> bool,
    warnings: &mut Vec<Warning>,
) -> Verdict {
    for group in fields::texts(switch, "/spec/groups") {
        if group.is_empty() {
            return Err("a switch group is empty".to_owned());
        }
        lookup.get("SwitchGroup", group).ok_or(format!("switch group {group} not found"))?;
    }
    let group = fields::text(switch, "/spec/redundancy/group");
    let kind = fields::text(switch, "/spec/redundancy/type");
    if group.is_empty() != kind.is_empty() {
        return Err("redundancy group and type must be set together".to_owned());
    }
    match kind {
        "mclag" => warnings.push("MCLAG is deprecated and no longer supported".to_owned()),
        "eslag" if !feature("eslag") => return Err("ESLAG is not supported by the switch profile".to_owned()),
        _ => {}
    }
    Ok(())
}

fn check_vlan_namespaces(switch: &Value, lookup: &dyn Lookup) -> Verdict {
    let names = fields::texts(switch, "/spec/vlanNamespaces");
    if names.is_empty() {
        return Err("at least one VLANNamespace is required".to_owned());
    }
    let mut taken: Vec<(u16, u16, &str)> = Vec::new();
    for name in names {
        let namespace = lookup.get("VLANNamespace", name).ok_or(format!("VLANNamespace {name} not found"))?;
        for (from, to) in fields::items(&namespace, "/spec/ranges").iter().filter_map(super::defaults::vlan_range) {
            if let Some((_, _, other)) = taken.iter().find(|(f, t, _)| from <= *t && *f <= to) {
                return Err(format!("VLANNamespaces {other} and {name} overlap"));
            }
            taken.push((from, to, name));
        }
    }
    Ok(())
}

fn check_port_settings(switch: &Value, profile: &Value) -> Verdict {
    let map = PortMap::new(switch, profile);
    let supports = |list: &Value, speed: &str| fields::texts(list, "").contains(&speed);
    for (group, speed) in fields::entries(switch, "/spec/portGroupSpeeds") {
        let speed = speed.as_str().unwrap_or_default();
        let port_profile = fields::text(&profile["spec"]["portGroups"], &format!("/{group}/profile"));
        if port_profile.is_empty() {
            return Err(format!("port group {group} not found in the switch profile"));
        }
        if !supports(&profile["spec"]["portProfiles"][port_profile]["speed"]["supported"], speed) {
            return Err(format!("port group {group} does not support specified speed {speed}"));
        }
    }
    for (port, speed) in fields::entries(switch, "/spec/portSpeeds") {
        let speed = speed.as_str().unwrap_or_default();
        let can = map.port_profile(port).ok_or(format!("port {port} not found in the switch profile"))?;
        if map.group(port).is_some() || !supports(&can["speed"]["supported"], speed) {
            return Err(format!("port {port} does not support specified speed {speed}"));
        }
    }
    for (port, mode) in fields::entries(switch, "/spec/portBreakouts") {
        let mode = mode.as_str().unwrap_or_default();
        let can = map.port_profile(port).ok_or(format!("port {port} not found in the switch profile"))?;
        if can.get("breakout").and_then(|b| b["supported"].get(mode)).is_none() {
            return Err(format!("port {port} does not support specified breakout {mode}"));
        }
    }
    for (port, _) in fields::entries(switch, "/spec/portAutoNegs") {
        let base = if map.has(port) { port } else { port.rsplit_once('/').map_or(port, |(base, _)| base) };
        let can = map.port_profile(base).ok_or(format!("port {port} not found in the switch profile"))?;
        if !fields::flag(can, "/autoNegAllowed") {
            return Err(format!("port {port} does not support auto-negotiation"));
        }
    }
    for (port, _) in fields::entries(switch, "/spec/portFECs") {
        if !map.allows(port) {
            return Err(format!("port {port} not found in the switch profile"));
        }
        if map.has(port) && map.lanes(port) > 1 {
            return Err(format!("port {port} is broken out, FEC is set on its parts, such as {port}/1"));
        }
    }
    Ok(())
}

/// The number of ports that the switching chip can serve, in total and by pipeline.
fn check_limits(switch: &Value, profile: &Value) -> Verdict {
    let map = PortMap::new(switch, profile);
    let mut total = 0;
    let mut by_pipeline: BTreeMap<&str, usize> = BTreeMap::new();
    for name in map.names() {
        let lanes = map.lanes(name);
        total += lanes;
        let pipeline = profile["spec"]["ports"][name].get("pipeline").and_then(Value::as_str);
        if let Some(pipeline) = pipeline {
            *by_pipeline.entry(pipeline).or_default() += lanes;
        }
    }
    let max = |v: &Value| v.get("maxPorts").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    if let Some(max) = max(&profile["spec"]).filter(|max| total > *max) {
        return Err(format!("too many ports: {total} of at most {max}"));
    }
    for (pipeline, used) in by_pipeline {
        if let Some(max) = max(&profile["spec"]["pipelines"][pipeline]).filter(|max| used > *max) {
            return Err(format!("too many ports in pipeline {pipeline}: {used} of at most {max}"));
        }
    }
    Ok(())
}

/// Numbers and addresses, which the installer gives to wiring before it reaches the cluster.
fn check_addresses(switch: &Value, lookup: &dyn Lookup) -> Verdict {
    let settings = lookup.settings();
    let name = fields::name(switch);
    let text = |p: &str| fields::text(switch, p);
    let spine = text("/spec/role") == "spine";
    let others: Vec<_> = lookup.list("Switch").into_iter().filter(|o| fields::name(o) != name).collect();

    let asn = fields::number(switch, "/spec/asn");
    if spine {
        if asn != i64::from(settings.spine_asn) {
            return Err(format!("spine {name} ASN {asn} must be {}", settings.spine_asn));
        }
    } else {
        let (first, last) = settings.leaf_asns;
        if !(i64::from(first)..=i64::from(last)).contains(&asn) {
            return Err(format!("leaf {name} ASN {asn} must be {first} to {last}"));
        }
        let taken = |o: &Value| fields::text(o, "/spec/role") != "spine" && fields::number(o, "/spec/asn") == asn;
        if others.iter().any(|o| taken(o)) {
            return Err(format!("leaf {name} ASN {asn} is already in use"));
        }
    }

    let ip = net::cidr(text("/spec/ip")).ok_or(format!("switch {name} IP '{}' is not a CIDR", text("/spec/ip")))?;
    if !settings.management_subnet.contains(&ip.addr()) {
        return Err(format!("switch {name} IP {ip} is not in the management subnet {}", settings.management_subnet));
    }
    if ip.addr() >= settings.management_dhcp_start {
        return Err(format!("switch {name} IP {ip} must be before {}", settings.management_dhcp_start));
    }
    let same_ip = |o: &Value| net::cidr(fields::text(o, "/spec/ip")).is_some_and(|o| o.addr() == ip.addr());
    if ip.addr() == settings.control_vip || others.iter().any(|o| same_ip(o)) {
        return Err(format!("switch {name} IP {ip} is already in use"));
    }

    let gateways = lookup.list("Gateway");
    let unique = |field: &str, value: &str| {
        !others.iter().chain(&gateways).any(|o| !value.is_empty() && fields::text(&o["spec"], field) == value)
    };
    let protocol = text("/spec/protocolIP");
    let host = net::host(protocol).ok_or(format!("switch {name} protocol IP '{protocol}' is not a /32"))?;
    if !settings.protocol_subnet.contains(&host) {
        return Err(format!("switch {name} protocol IP {host} is not in {}", settings.protocol_subnet));
    }
    if !unique("/protocolIP", protocol) {
        return Err(format!("switch {name} protocol IP {host} is already in use"));
    }
    let vtep = text("/spec/vtepIP");
    if spine {
        return if vtep.is_empty() { Ok(()) } else { Err(format!("spine {name} must not have a VTEP IP")) };
    }
    let host = net::host(vtep).ok_or(format!("leaf {name} VTEP IP '{vtep}' is not a /32"))?;
    if !settings.vtep_subnet.contains(&host) {
        return Err(format!("leaf {name} VTEP IP {host} is not in {}", settings.vtep_subnet));
    }
    if !unique("/vtepIP", vtep) {
        return Err(format!("leaf {name} VTEP IP {host} is already in use"));
    }
    Ok(())
}
