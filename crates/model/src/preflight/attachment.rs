//! VPC attachments: the subnet, the connection, and whether the switches can carry it.

use super::connection::{switches_of, variant_of};
use super::profile;
use super::read::{flag, namespace_of, net, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{VPC, WIRING};
use std::collections::HashMap;

const LINK_ANNOTATION: &str = "fabric.githedgehog.com/p2p-link";

/// The VPC and subnet that an attachment names.
fn target<'v>(object: &'v Object<'_>) -> Option<(&'v str, &'v str)> {
    let subnet = text(&object.value, "/spec/subnet")?;
    let (vpc, subnet) = subnet.split_once('/').unwrap_or((subnet, "default"));
    (!vpc.is_empty() && !subnet.is_empty() && !subnet.contains('/')).then_some((vpc, subnet))
}

pub(super) fn check(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let title = object.title();
    if let Some(link) = object.metadata.get("annotations").and_then(|a| a.get(LINK_ANNOTATION)) {
        let link = link.as_str().unwrap_or_default();
        if net(link).is_none_or(|net| net.prefix_len() != 31) {
            let path = format!("metadata.annotations[\"{LINK_ANNOTATION}\"]");
            out.error(object, path, "not_a_prefix", format!("{title}: '{link}' is no IPv4 /31 prefix."));
        }
    }
    let connection = match text(&object.value, "/spec/connection") {
        Some(name) => world.follow(object, "spec.connection", (WIRING, "Connection"), name, out),
        None => {
            out.error(object, "spec.connection", "missing_field", format!("{title} names no connection."));
            None
        }
    };
    let Some((vpc_name, subnet_name)) = target(object) else {
        let message = format!("{title}: the subnet must be written as vpc/subnet.");
        return out.error(object, "spec.subnet", "not_allowed", message);
    };
    let Some(vpc) = world.follow(object, "spec.subnet", (VPC, "VPC"), vpc_name, out) else { return };
    let Some(subnet) = vpc.value.pointer("/spec/subnets").and_then(|subnets| subnets.get(subnet_name)) else {
        let message = format!("{title}: VPC {vpc_name} has no subnet {subnet_name}.");
        return out.error(object, "spec.subnet", "missing_reference", message);
    };
    let Some(connection) = connection else { return };
    let Some(variant) = variant_of(&connection.value).filter(|v| ["unbundled", "bundled", "eslag"].contains(v)) else {
        let message = format!(
            "{title}: connection {} leads to no server; a VPC is attached to unbundled, bundled or eslag ones.",
            connection.name
        );
        return out.error(object, "spec.connection", "not_allowed", message);
    };
    let l3 = text(&vpc.value, "/spec/mode").is_some();
    if variant == "eslag" && l3 {
        let message = format!("{title}: VPC {vpc_name} is of mode l3vni, which ESLAG connections do not carry.");
        out.error(object, "spec.connection", "not_allowed", message);
    }
    if flag(subnet, "/hostBGP") && variant != "unbundled" {
        let message =
            format!("{title}: a hostBGP subnet is attached to unbundled connections only; this is {variant}.");
        out.error(object, "spec.connection", "not_allowed", message);
    }
    let vlans = namespace_of(&vpc.value, "/spec/vlanNamespace");
    for switch in switches_of(&connection.value).into_iter().filter_map(|name| world.get((WIRING, "Switch"), name)) {
        let mut carried = texts(&switch.value, "/spec/vlanNamespaces").map(|(_, name)| name).peekable();
        let carries = if carried.peek().is_none() { vlans == "default" } else { carried.any(|name| name == vlans) };
        if !carries {
            let message =
                format!("{title}: switch {} does not carry VLANNamespace {vlans} of VPC {vpc_name}.", switch.name);
            out.error(object, "spec.connection", "not_allowed", message);
        }
        if let Some(missing) = profile::of(switch, world).and_then(|profile| profile.lacks_mode(l3)) {
            let message =
                format!("{title}: switch {} does not support {missing}, which VPC {vpc_name} needs.", switch.name);
            out.error(object, "spec.connection", "not_supported", message);
        }
    }
}

/// Attachments that exclude each other.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let mut pairs: HashMap<(&str, (&str, &str)), &Object<'_>> = HashMap::new();
    let mut natives: HashMap<&str, &Object<'_>> = HashMap::new();
    for object in world.all((VPC, "VPCAttachment")) {
        let Some(connection) = text(&object.value, "/spec/connection") else { continue };
        if let Some(target) = target(object)
            && let Some(other) = pairs.insert((connection, target), object)
        {
            for (mine, other) in [(object, other), (other, object)] {
                let message = format!(
                    "{}: {} attaches the same subnet to connection {connection} already.",
                    mine.title(),
                    other.title()
                );
                out.error(mine, "spec.connection", "attached_twice", message);
            }
        }
        if flag(&object.value, "/spec/nativeVLAN")
            && let Some(other) = natives.insert(connection, object)
        {
            for (mine, other) in [(object, other), (other, object)] {
                let message = format!(
                    "{}: connection {connection} has a native VLAN already, by {}.",
                    mine.title(),
                    other.title()
                );
                out.error(mine, "spec.nativeVLAN", "native_vlan_twice", message);
            }
        }
    }
}
