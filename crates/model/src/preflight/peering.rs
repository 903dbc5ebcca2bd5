//! Peerings between VPCs, and between a VPC and an External.

use super::read::{entries, list, namespace_of, net, text, texts};
use super::world::{Found, Object, World};
use crate::kind::{GATEWAY, VPC};
use crate::naming::few;
use crate::path::Path;
use std::collections::{BTreeSet, HashMap};

pub(super) fn check_vpc(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    if text(value, "/spec/remote").is_some() {
        out.error(object, "spec.remote", "not_allowed", format!("{title}: remote is no longer supported. Remove it."));
    }
    let permits = list(value, "/spec/permit");
    if permits.is_empty() {
        out.error(object, "spec.permit", "missing_field", format!("{title} permits nothing."));
    }
    let mut members: Option<BTreeSet<&String>> = None;
    for (n, permit) in permits.iter().enumerate() {
        let path = Path::root().join("spec").join("permit").join(n);
        let names: BTreeSet<&String> = entries(permit, "").map(|(name, _)| name).collect();
        let same = members.as_ref().is_none_or(|members| *members == names);
        if names.len() != 2 || !same {
            let message = format!("{title}: each permit names the same two VPCs.");
            out.error(object, &path, "not_allowed", message);
        }
        for (name, side) in entries(permit, "") {
            let path = path.child(name.as_str());
            let vpc = if members.is_none() {
                world.follow(object, &path, (VPC, "VPC"), name, out)
            } else {
                world.get((VPC, "VPC"), name)
            };
            subnets(object, vpc, &path.child("subnets"), texts(side, "/subnets"), out);
        }
        members.get_or_insert(names);
    }
    let vpcs: Vec<_> = members.iter().flatten().filter_map(|name| world.get((VPC, "VPC"), name)).collect();
    if let [a, b] = vpcs[..] {
        for (field, words) in [("ipv4Namespace", "IPv4Namespace"), ("vlanNamespace", "VLANNamespace")] {
            let of = |vpc: &Object<'_>| namespace_of(&vpc.value, &format!("/spec/{field}")).to_owned();
            if of(a) != of(b) {
                let message =
                    format!("{title}: VPC {} is in {words} {}, and VPC {} in {}.", a.name, of(a), b.name, of(b));
                out.error(object, "spec.permit", "not_allowed", message);
            }
        }
    }
}

fn subnets<'v>(
    object: &Object<'_>,
    vpc: Option<&Object<'_>>,
    path: &Path,
    names: impl Iterator<Item = (usize, &'v str)>,
    out: &mut Found,
) {
    let Some(vpc) = vpc else { return };
    for (n, subnet) in names {
        if vpc.value.pointer("/spec/subnets").and_then(|all| all.get(subnet)).is_none() {
            let message = format!("{}: VPC {} has no subnet {subnet}.", object.title(), vpc.name);
            out.error(object, path.child(n), "missing_reference", message);
        }
    }
}

pub(super) fn check_external(object: &Object<'_>, world: &World<'_>, out: &mut Found) {
    let (value, title) = (&object.value, object.title());
    let mut side = |end: &str, kind| {
        let path = format!("spec.permit.{end}.name");
        match text(value, &format!("/spec/permit/{end}/name")) {
            Some(name) => world.follow(object, path, kind, name, out),
            None => {
                out.error(object, path, "missing_field", format!("{title} names no {end}."));
                None
            }
        }
    };
    let vpc = side("vpc", (VPC, "VPC"));
    let external = side("external", (VPC, "External"));
    let path = Path::root().join("spec").join("permit");
    let at = path.child("vpc").join("subnets");
    subnets(object, vpc, &at, texts(value, "/spec/permit/vpc/subnets"), out);
    if let (Some(vpc), Some(external)) = (vpc, external) {
        let of = |o: &Object<'_>| namespace_of(&o.value, "/spec/ipv4Namespace").to_owned();
        if of(vpc) != of(external) {
            let message = format!(
                "{title}: VPC {} is in IPv4Namespace {}, and External {} in {}.",
                vpc.name,
                of(vpc),
                external.name,
                of(external)
            );
            out.error(object, "spec.permit", "not_allowed", message);
        }
    }
    for (n, entry) in list(value, "/spec/permit/external/prefixes").iter().enumerate() {
        let at = path.child("external").join("prefixes").join(n).join("prefix");
        match text(entry, "/prefix") {
            None => out.error(object, at, "missing_field", format!("{title}: a prefix is empty.")),
            Some(prefix) if net(prefix).is_none() => {
                let message =
                    format!("{title}: '{prefix}' is no IPv4 prefix. The server does not look; nothing will match it.");
                out.warning(object, at, "not_a_prefix", message);
            }
            Some(_) => {}
        }
    }
}

/// The two members of a peering of any sort, externals as `ext.<name>`.
fn pair(object: &Object<'_>) -> Option<BTreeSet<String>> {
    let value = &object.value;
    let pair: BTreeSet<String> = match object.kind {
        "VPCPeering" => entries(list(value, "/spec/permit").first()?, "").map(|(name, _)| name.clone()).collect(),
        "ExternalPeering" => [
            text(value, "/spec/permit/vpc/name")?.to_owned(),
            format!("ext.{}", text(value, "/spec/permit/external/name")?),
        ]
        .into(),
        _ => entries(value, "/spec/peering").map(|(name, _)| name.clone()).collect(),
    };
    (pair.len() == 2).then_some(pair)
}

/// Two peerings for one pair: accepted by older releases, and refused by newer ones.
pub(super) fn check_together(world: &World<'_>, out: &mut Found) {
    let mut pairs: HashMap<BTreeSet<String>, Vec<&Object<'_>>> = HashMap::new();
    for kind in [(VPC, "VPCPeering"), (VPC, "ExternalPeering"), (GATEWAY, "GatewayPeering")] {
        for object in world.all(kind) {
            if let Some(pair) = pair(object) {
                pairs.entry(pair).or_default().push(object);
            }
        }
    }
    for (pair, peerings) in pairs.into_iter().filter(|(_, peerings)| peerings.len() > 1) {
        let members: Vec<&str> = pair.iter().map(String::as_str).collect();
        for object in &peerings {
            let others: Vec<String> =
                peerings.iter().filter(|o| (o.kind, o.name) != (object.kind, object.name)).map(|o| o.title()).collect();
            let message = format!(
                "{}: {} are peered by {} already; newer releases refuse a second peering.",
                object.title(),
                members.join(" and "),
                few(&others)
            );
            let path = if object.kind == "GatewayPeering" { "spec.peering" } else { "spec.permit" };
            out.warning(object, path, "peered_twice", message);
        }
    }
}
