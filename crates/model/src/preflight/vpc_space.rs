//! All VPCs together: prefixes that overlap and VLANs that are used twice.

use super::read::{entries, namespace_of, net, number, text};
use super::world::{Found, Object, World};
use crate::kind::VPC;
use crate::path::Path;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, HashMap};

struct Claim<'w, 'a> {
    net: Ipv4Net,
    vpc: &'w Object<'a>,
    path: Path,
    subnet: &'w str,
}

pub(super) fn check(world: &World<'_>, out: &mut Found) {
    let mut prefixes: BTreeMap<&str, Vec<Claim<'_, '_>>> = BTreeMap::new();
    let mut vlans: HashMap<(&str, i64), (&Object<'_>, &str)> = HashMap::new();
    for vpc in world.all((VPC, "VPC")) {
        let claims = prefixes.entry(namespace_of(&vpc.value, "/spec/ipv4Namespace")).or_default();
        for (subnet, value) in entries(&vpc.value, "/spec/subnets") {
            let path = Path::root().join("spec").join("subnets").join(subnet.as_str());
            if let Some(net) = text(value, "/subnet").and_then(net) {
                claims.push(Claim { net: net.trunc(), vpc, path: path.child("subnet"), subnet });
            }
            for (prefix, _) in entries(value, "/hostBGPExtraPrefixes") {
                if let Some(net) = net(prefix) {
                    let path = path.child("hostBGPExtraPrefixes").join(prefix.as_str());
                    claims.push(Claim { net: net.trunc(), vpc, path, subnet });
                }
            }
            let Some(vlan) = number(value, "/vlan") else { continue };
            let namespace = namespace_of(&vpc.value, "/spec/vlanNamespace");
            if let Some((other, other_subnet)) = vlans.insert((namespace, vlan), (vpc, subnet)) {
                let say = |mine: &Object<'_>, my: &str, other: &Object<'_>, others: &str, out: &mut Found| {
                    let path = Path::root().join("spec").join("subnets").join(my).join("vlan");
                    let message = format!(
                        "{}, subnet {my}: VLAN {vlan} is already used by VPC {}, subnet {others}.",
                        mine.title(),
                        other.name
                    );
                    out.error(mine, path, "vlan_used_twice", message);
                };
                say(vpc, subnet, other, other_subnet, out);
                if other.name != vpc.name {
                    say(other, other_subnet, vpc, subnet, out);
                }
            }
        }
    }
    for claims in prefixes.into_values() {
        overlaps(claims, out);
    }
}

/// Prefixes are nested or apart, so that one sweep in their order finds every overlap.
fn overlaps(mut claims: Vec<Claim<'_, '_>>, out: &mut Found) {
    claims.sort_by_key(|claim| (claim.net.network(), claim.net.prefix_len()));
    let mut around: Vec<&Claim<'_, '_>> = Vec::new();
    for claim in &claims {
        while around.last().is_some_and(|outer| !outer.net.contains(&claim.net)) {
            around.pop();
        }
        if let Some(outer) = around.last() {
            for (mine, other) in [(claim, *outer), (*outer, claim)] {
                let message = format!(
                    "{}, subnet {}: {} overlaps {} of VPC {}, subnet {}.",
                    mine.vpc.title(),
                    mine.subnet,
                    mine.net,
                    other.net,
                    other.vpc.name,
                    other.subnet
                );
                out.error(mine.vpc, &mine.path, "overlap", message);
            }
        }
        around.push(claim);
    }
}
