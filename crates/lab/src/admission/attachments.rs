//! The rules for VPCAttachments and VPCPeerings.

use super::{Lookup, Verdict, connection::Parsed, connection::Variant, fields, labels, net, ports};
use serde_json::Value;

/// Annotation with the addresses of a point-to-point link; the one of the fabric's that users write.
const P2P_LINK: &str = "fabric.githedgehog.com/p2p-link";

pub(super) fn check_attachment(attachment: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(attachment)?;
    let subnet = fields::text(attachment, "/spec/subnet");
    let (vpc_name, subnet_name) = match subnet.split_once('/') {
        Some((vpc, subnet)) if !vpc.is_empty() && !subnet.is_empty() && !subnet.contains('/') => (vpc, subnet),
        _ => return Err(format!("subnet '{subnet}' must be written as vpc/subnet")),
    };
    let connection_name = fields::text(attachment, "/spec/connection");
    if connection_name.is_empty() {
        return Err("connection is required".to_owned());
    }
    if let Some(link) = attachment["metadata"]["annotations"].get(P2P_LINK).and_then(Value::as_str)
        && net::cidr(link).is_none_or(|l| l.prefix_len() != 31)
    {
        return Err(format!("annotation {P2P_LINK} '{link}' is not an IPv4 /31"));
    }
    let vpc = lookup.get("VPC", vpc_name).ok_or(format!("vpc {vpc_name} not found"))?;
    let Some((_, config)) = fields::entries(&vpc, "/spec/subnets").into_iter().find(|(n, _)| *n == subnet_name) else {
        return Err(format!("subnet {subnet_name} not found in vpc {vpc_name}"));
    };
    let connection =
        lookup.get("Connection", connection_name).ok_or(format!("connection {connection_name} not found"))?;
    let parsed = Parsed::of(&connection);
    let l3 = !fields::text(&vpc, "/spec/mode").is_empty();
    match parsed.variant {
        Some(Variant::Unbundled) => {}
        Some(Variant::Bundled | Variant::Eslag) if fields::flag(config, "/hostBGP") => {
            return Err(format!("hostBGP subnet {subnet} can be attached only to Unbundled connections"));
        }
        Some(Variant::Bundled) => {}
        Some(Variant::Eslag) if l3 => {
            return Err(format!("vpc {vpc_name} in L3 mode cannot be attached to ESLAG connections"));
        }
        Some(Variant::Eslag) => {}
        _ => return Err("vpc can be attached only to Unbundled, Bundled or ESLAG connections".to_owned()),
    }
    check_switches(&vpc, &parsed, l3, lookup)?;
    let native = fields::flag(attachment, "/spec/nativeVLAN");
    for other in lookup.labelled("VPCAttachment", &format!("{}connection", labels::FABRIC), connection_name) {
        if fields::name(&other) == fields::name(attachment) {
            continue;
        }
        if native && fields::flag(&other, "/spec/nativeVLAN") {
            return Err(format!("connection {connection_name} already attached with native VLAN"));
        }
        if fields::text(&other, "/spec/subnet") == subnet {
            return Err(format!("connection {connection_name} already attached to {subnet}"));
        }
    }
    Ok(())
}

fn check_switches(vpc: &Value, connection: &Parsed, l3: bool, lookup: &dyn Lookup) -> Verdict {
    let namespace = fields::text(vpc, "/spec/vlanNamespace");
    for name in connection.switches() {
        let switch = lookup.get("Switch", name).ok_or(format!("switch {name} not found"))?;
        if !fields::texts(&switch, "/spec/vlanNamespaces").contains(&namespace) {
            return Err(format!("switch {name} does not carry VLANNamespace {namespace}"));
        }
        let profile = ports::profile_of(&switch, lookup)?;
        let can = |feature: &str| fields::flag(&profile, &format!("/spec/features/{feature}"));
        if !can("l3vni") || (!l3 && !can("l2vni")) {
            let mode = if l3 { "l3vni" } else { "l2vni" };
            return Err(format!("switch {name} does not support VPC mode {mode}"));
        }
    }
    Ok(())
}

pub(super) fn check_peering(peering: &Value, lookup: &dyn Lookup) -> Verdict {
    net::common(peering)?;
    if !fields::text(peering, "/spec/remote").is_empty() {
        return Err("remote field is deprecated and no longer supported".to_owned());
    }
    let permits = fields::items(peering, "/spec/permit");
    if permits.is_empty() {
        return Err("at least one permit is required".to_owned());
    }
    let pair: Vec<&str> = fields::entries(&permits[0], "").iter().map(|(vpc, _)| *vpc).collect();
    for permit in permits {
        let sides = fields::entries(permit, "");
        if sides.len() != 2 {
            return Err(format!("a permit must name exactly 2 VPCs, not {}", sides.len()));
        }
        if sides.iter().map(|(vpc, _)| *vpc).ne(pair.iter().copied()) {
            return Err("all permits must name the same 2 VPCs".to_owned());
        }
    }
    let vpcs: Vec<_> = pair
        .iter()
        .map(|name| lookup.get("VPC", name).ok_or(format!("vpc {name} not found")))
        .collect::<Result<_, _>>()?;
    for (field, what) in [("/spec/ipv4Namespace", "IPv4Namespace"), ("/spec/vlanNamespace", "VLANNamespace")] {
        if fields::text(&vpcs[0], field) != fields::text(&vpcs[1], field) {
            return Err(format!("vpcs {} and {} are not in the same {what}", pair[0], pair[1]));
        }
    }
    for permit in permits {
        for ((name, side), vpc) in fields::entries(permit, "").into_iter().zip(&vpcs) {
            for subnet in fields::texts(side, "/subnets") {
                if !vpc["spec"]["subnets"].as_object().is_some_and(|s| s.contains_key(subnet)) {
                    return Err(format!("subnet {subnet} not found in vpc {name}"));
                }
            }
        }
    }
    Ok(())
}
