//! VPCs: mode, namespaces, permit lists, static routes, and edits that hurt what is attached.

use super::read::{entries, flag, namespace_of, net, text, texts};
use super::users::SubnetUsers;
use super::vpc_subnet;
use super::world::{Found, Object, World};
use crate::kind::{VPC, WIRING};
use crate::naming::{few, verb};
use crate::path::Path;
use serde_json::Value;
use std::cell::OnceCell;
use std::collections::BTreeSet;

const MOST_SUBNETS: usize = 20;

pub(super) fn check<'w>(object: &Object<'_>, world: &'w World<'_>, users: &OnceCell<SubnetUsers<'w>>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    if let Some(mode) = text(value, "/spec/mode").filter(|mode| *mode != "l3vni") {
        let message = format!("{title}: the mode is '{mode}'; it is empty (L2VNI) or l3vni.");
        out.error(object, "spec.mode", "not_allowed", message);
    }
    let vlans = namespace_of(value, "/spec/vlanNamespace");
    let prefixes = namespace_of(value, "/spec/ipv4Namespace");
    world.follow(object, "spec.vlanNamespace", (WIRING, "VLANNamespace"), vlans, out);
    world.follow(object, "spec.ipv4Namespace", (VPC, "IPv4Namespace"), prefixes, out);
    let subnets: Vec<(&String, &Value)> = entries(value, "/spec/subnets").collect();
    if subnets.is_empty() || subnets.len() > MOST_SUBNETS {
        let message = format!("{title} has {} subnets; it needs 1 to {MOST_SUBNETS}.", subnets.len());
        out.error(object, "spec.subnets", "out_of_range", message);
    }
    for (name, subnet) in &subnets {
        vpc_subnet::check(object, name, subnet, world, out);
    }
    permits(object, &subnets, out);
    routes(object, out);
    if let Some(live) = object.live.filter(|_| object.manifest.is_some()) {
        edits(object, live, &|| users.get_or_init(|| SubnetUsers::of(world)), out);
    }
}

fn permits(object: &Object<'_>, subnets: &[(&String, &Value)], out: &mut Found) {
    for (n, permit) in super::read::list(&object.value, "/spec/permit").iter().enumerate() {
        let path = Path::root().join("spec").join("permit").join(n);
        let names: Vec<(usize, &str)> = texts(permit, "").collect();
        let distinct: BTreeSet<&str> = names.iter().map(|(_, name)| *name).collect();
        if distinct.len() < 2 || distinct.len() != names.len() {
            let message = format!("{}: a permit list names at least two different subnets.", object.title());
            out.error(object, &path, "not_allowed", message);
        }
        for (m, name) in names {
            if !subnets.iter().any(|(subnet, _)| *subnet == name) {
                let message = format!("{}: permit names subnet {name}, which the VPC does not have.", object.title());
                out.error(object, path.child(m), "missing_reference", message);
            }
        }
    }
}

fn routes(object: &Object<'_>, out: &mut Found) {
    for (n, route) in super::read::list(&object.value, "/spec/staticRoutes").iter().enumerate() {
        let path = Path::root().join("spec").join("staticRoutes").join(n);
        let prefix = text(route, "/prefix").unwrap_or_default();
        if net(prefix).is_none_or(|p| p.trunc() != p) {
            let message = format!("{}: '{prefix}' is no canonical IPv4 prefix.", object.title());
            out.error(object, path.child("prefix"), "not_a_prefix", message);
        }
        let hops: Vec<_> = texts(route, "/nextHops").collect();
        if hops.is_empty() {
            let message = format!("{}: the route to {prefix} has no next hop.", object.title());
            out.error(object, path.child("nextHops"), "missing_field", message);
        }
        for (m, hop) in hops {
            if hop.parse::<std::net::IpAddr>().is_err() {
                let message = format!(
                    "{}: the next hop '{hop}' is no address. The server does not look; the switch will not route there.",
                    object.title()
                );
                out.warning(object, path.child("nextHops").join(m), "not_an_address", message);
            }
        }
    }
}

/// Edits that the server accepts and that hurt: a subnet taken away or changed while something uses it.
fn edits<'u, 'w: 'u>(object: &Object<'_>, live: &Value, users: &dyn Fn() -> &'u SubnetUsers<'w>, out: &mut Found) {
    for (name, before) in entries(live, "/spec/subnets") {
        let path = Path::root().join("spec").join("subnets").join(name.as_str());
        let after = object.value.pointer("/spec/subnets").and_then(|subnets| subnets.get(name.as_str()));
        let Some(after) = after else {
            let users = users().of_subnet(object.name, name);
            if !users.is_empty() {
                let message = format!(
                    "{}: subnet {name} goes away while {} {} it. The server does not refuse this; detach first.",
                    object.title(),
                    few(users),
                    verb(users, "uses", "use")
                );
                out.warning(object, "spec.subnets", "subnet_in_use", message);
            }
            continue;
        };
        let mut changed: Vec<&str> = ["subnet", "gateway", "vlan"]
            .into_iter()
            .filter(|key| {
                let (old, new) = (before.get(*key), after.get(*key));
                // A gateway that is not written is a default, and follows its subnet.
                old != new && !(*key == "gateway" && new.is_none())
            })
            .collect();
        if flag(before, "/hostBGP") && !flag(after, "/hostBGP") {
            changed.push("hostBGP");
        }
        if changed.is_empty() {
            continue;
        }
        let users = users().of_subnet(object.name, name);
        if !users.is_empty() {
            let message = format!(
                "{}, subnet {name}: {} changes while {} {} it. This is known to break the switches' agents; detach, edit, and attach again.",
                object.title(),
                changed.join(" and "),
                few(users),
                verb(users, "uses", "use")
            );
            out.warning(object, path.child(changed[0]), "disruptive_edit", message);
        }
    }
}
