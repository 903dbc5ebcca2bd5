//! Switches: profile, groups, redundancy, ports, and what must be unique among them.

use super::connection;
use super::namespace::disjoint;
use super::profile;
use super::read::{entries, flag, net, number, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{GATEWAY, WIRING};
use crate::naming::{few, verb};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    match text(value, "/spec/profile") {
        None => out.error(object, "spec.profile", "missing_field", format!("{title} names no profile.")),
        Some(name) if profile::are_known(world) => {
            world.follow(object, "spec.profile", (WIRING, "SwitchProfile"), name, out);
        }
        Some(_) => {}
    }
    for (n, group) in texts(value, "/spec/groups") {
        world.follow(object, format!("spec.groups[{n}]"), (WIRING, "SwitchGroup"), group, out);
    }
    redundancy(object, world, out);
    let vlans: Vec<&str> = texts(value, "/spec/vlanNamespaces").map(|(_, name)| name).collect();
    for (n, name) in vlans.iter().enumerate() {
        world.follow(object, format!("spec.vlanNamespaces[{n}]"), (WIRING, "VLANNamespace"), name, out);
    }
    if let Some((a, b)) = disjoint(world, &vlans) {
        let message = format!("{title}: the ranges of VLANNamespace {a} and {b} overlap, so no switch carries both.");
        out.error(object, "spec.vlanNamespaces", "overlap", message);
    }
    addresses(object, out);
    ports(object, world, out);
    if let Some(live) = object.live.filter(|_| object.manifest.is_some()) {
        breakouts(object, live, world, out);
    }
}

/// Breakouts that change: refused under RoCE, and known to fail on the switch while something uses the port.
fn breakouts(object: &Object<'_>, live: &Value, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let of = |value: &Value| -> BTreeMap<String, String> {
        let text = |breakout: &Value| breakout.as_str().unwrap_or_default().to_owned();
        entries(value, "/spec/portBreakouts").map(|(port, breakout)| (port.clone(), text(breakout))).collect()
    };
    let (before, after) = (of(live), of(value));
    if before == after {
        return;
    }
    if flag(live, "/spec/roce") || flag(value, "/spec/roce") {
        let message = format!("{title}: breakouts cannot change while RoCE is on. Switch RoCE off first.");
        out.error(object, "spec.portBreakouts", "immutable", message);
    }
    let ports: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for port in ports.into_iter().filter(|port| before.get(*port) != after.get(*port)) {
        let whole = format!("{}/{port}", object.name);
        let is_used =
            |used: &str| used.strip_prefix(&whole).is_some_and(|lane| lane.is_empty() || lane.starts_with('/'));
        let uses = |c: &&Object<'_>| c.live.is_some_and(|live| connection::switch_ports_of(live).any(is_used));
        let users: Vec<String> = world.all((WIRING, "Connection")).filter(uses).map(Object::title).collect();
        if !users.is_empty() {
            let message = format!(
                "{title}: the breakout of {port} changes while {} {} it. This is known to fail on the switch; take the \
                 connection away first.",
                few(&users),
                verb(&users, "uses", "use")
            );
            let path = crate::path::Path::root().join("spec").join("portBreakouts").join(port.as_str());
            out.warning(object, path, "disruptive_edit", message);
        }
    }
}

fn redundancy(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let (group, kind) = (text(value, "/spec/redundancy/group"), text(value, "/spec/redundancy/type"));
    match (group, kind) {
        (Some(_), None) | (None, Some(_)) => {
            let message = format!("{title}: redundancy needs both a group and a type.");
            out.error(object, "spec.redundancy", "missing_field", message);
        }
        (Some(group), Some(kind)) => {
            world.follow(object, "spec.redundancy.group", (WIRING, "SwitchGroup"), group, out);
            if kind == "mclag" {
                let message = format!("{title}: MCLAG is no longer supported by Hedgehog; use eslag.");
                out.warning(object, "spec.redundancy.type", "deprecated", message);
            } else if profile::of(object, world).is_some_and(|profile| !profile.has("eslag")) {
                let message = format!("{title}: its profile does not support ESLAG.");
                out.error(object, "spec.redundancy.type", "not_supported", message);
            }
        }
        (None, None) => {}
    }
}

fn addresses(object: &Object<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    for (key, host_only) in [("ip", false), ("protocolIP", true), ("vtepIP", true)] {
        let Some(written) = text(value, &format!("/spec/{key}")) else { continue };
        if net(written).is_none_or(|net| host_only && net.prefix_len() != 32) {
            let form = if host_only { "172.30.8.1/32" } else { "172.30.0.8/21" };
            let message = format!("{title}: {key} '{written}' is not of the form {form}.");
            out.error(object, format!("spec.{key}"), "not_a_prefix", message);
        }
    }
    if text(value, "/spec/role") == Some("spine") && text(value, "/spec/vtepIP").is_some() {
        out.error(object, "spec.vtepIP", "not_allowed", format!("{title}: a spine has no VTEP address. Remove it."));
    }
}

fn ports(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let Some(profile) = profile::of(object, world) else { return };
    let value = &object.value;
    let mut say = |field: &str, key: &str, chosen: &str, reason: String| {
        let path = crate::path::Path::root().join("spec").join(field).join(key);
        let message = format!("{}: {chosen} is not possible: {reason}.", object.title());
        out.error(object, path, "not_supported", message);
    };
    let chosen = |field: &str| -> Vec<(String, String)> {
        let all = entries(value, &format!("/spec/{field}"));
        all.filter_map(|(key, v)| Some((key.clone(), v.as_str()?.to_owned()))).collect()
    };
    for (port, breakout) in chosen("portBreakouts") {
        if let Some(reason) = profile.refuses_breakout(&port, &breakout) {
            say("portBreakouts", &port, &breakout, reason);
        }
    }
    for (port, speed) in chosen("portSpeeds") {
        if let Some(reason) = profile.refuses_speed(&port, &speed) {
            say("portSpeeds", &port, &speed, reason);
        }
    }
    for (group, speed) in chosen("portGroupSpeeds") {
        if let Some(reason) = profile.refuses_group_speed(&group, &speed) {
            say("portGroupSpeeds", &group, &speed, reason);
        }
    }
    for (flag_path, feature, words) in
        [("/spec/roce", "roce", "RoCE"), ("/spec/ecmp/roceQPN", "ecmpRoCEQPN", "ECMP by RoCE queue pairs")]
    {
        if flag(value, flag_path) && !profile.has(feature) {
            let path = flag_path.trim_start_matches('/').replace('/', ".");
            let message = format!("{}: its profile does not support {words}.", object.title());
            out.error(object, path, "not_supported", message);
        }
    }
}

/// What only one switch may have.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let switches = || world.all((WIRING, "Switch"));
    let all = || switches().chain(world.all((GATEWAY, "Gateway")));
    let leaf = |o: &Object<'_>| text(&o.value, "/spec/role").is_some_and(|role| role != "spine");
    unique(switches().filter(|o| leaf(o)), "spec.asn", true, out, |o| number(&o.value, "/spec/asn"));
    let host = |key: &'static str| move |o: &Object<'_>| text(&o.value, key).and_then(net).map(|net| net.addr());
    unique(switches(), "spec.ip", true, out, host("/spec/ip"));
    unique(all(), "spec.protocolIP", true, out, host("/spec/protocolIP"));
    unique(all(), "spec.vtepIP", true, out, host("/spec/vtepIP"));
    // The server does not look at these; two switches with one identity fight over one place in the fabric.
    unique(switches(), "spec.boot.mac", false, out, |o| text(&o.value, "/spec/boot/mac").map(str::to_lowercase));
    unique(switches(), "spec.boot.serial", false, out, |o| text(&o.value, "/spec/boot/serial").map(str::to_owned));
}

fn unique<'w, 'a: 'w, T: Eq + Hash + ToString>(
    objects: impl Iterator<Item = &'w Object<'a>>,
    path: &str,
    is_error: bool,
    out: &mut Found,
    value: impl Fn(&Object<'_>) -> Option<T>,
) {
    let mut holders: HashMap<T, Vec<&Object<'_>>> = HashMap::new();
    for object in objects {
        if let Some(value) = value(object) {
            holders.entry(value).or_default().push(object);
        }
    }
    let mut shared: Vec<_> = holders.into_iter().filter(|(_, holders)| holders.len() > 1).collect();
    shared.sort_by_key(|(value, _)| value.to_string());
    for (value, holders) in shared {
        for object in &holders {
            let others: Vec<String> =
                holders.iter().filter(|o| o.name != object.name || o.kind != object.kind).map(|o| o.title()).collect();
            let message = format!("{}: {path} {} is also that of {}.", object.title(), value.to_string(), few(&others));
            if is_error {
                out.error(object, path, "used_twice", message);
            } else {
                out.warning(object, path, "used_twice", message);
            }
        }
    }
}
