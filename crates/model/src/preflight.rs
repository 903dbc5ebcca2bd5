//! Semantic rules, checked before anything is written, one file a kind or family.
//!
//! Two sorts of rules: what Hedgehog's webhooks refuse, said earlier and with the place in the file; and what they let
//! through although it breaks the fabric, is dropped, or does not mean what it seems to. Objects are looked at in the
//! world as it would be after the sync: what Git wants, laid over what is live, with the addresses that Git leaves to
//! the cluster.
//!
//! An error keeps its object from being written. What the real controller accepts and runs is at most a warning; rules
//! whose parameters the fabric may have changed (reserved ranges, MTU) are warnings too, for the server knows better.

mod attachment;
mod connection;
mod discarded;
mod external;
mod gateway;
mod gateway_peering;
mod hydration;
mod names;
mod namespace;
mod peering;
mod profile;
mod read;
mod switch;
mod users;
mod vpc;
mod vpc_space;
mod vpc_subnet;
mod world;

use crate::kind::{GATEWAY, VPC, WIRING};
use crate::manifest::{Finding, Manifest};
use crate::object::ObjectKey;
use serde_json::Value;
use std::cell::OnceCell;
use world::{Found, World};

/// Checks every desired object. Findings stand in the order of the manifests that they are about.
///
/// `live` holds the cluster's objects of every kind that was read, at least [`crate::part::Part::Stated`] of each; `unread` the kinds (group, kind) that could not be:
/// references to them are not judged.
pub fn check(desired: &[&Manifest], live: &[(&ObjectKey, &Value)], unread: &[(&str, &str)]) -> Vec<Finding> {
    check_part(desired, live, unread, &[], &[])
}

/// The same for a run that is not about everything: `desired` holds what it writes, `live` what it does not delete, and
/// `beside` what the source names besides. A reference to one of these is no mistake in the source; it is said.
///
/// `broken` are the findings on documents of the source that could not be read. A reference to what may stand in one of
/// them says so, and where.
pub fn check_part(
    desired: &[&Manifest],
    live: &[(&ObjectKey, &Value)],
    unread: &[(&str, &str)],
    beside: &[&ObjectKey],
    broken: &[&Finding],
) -> Vec<Finding> {
    let world = World::new(desired, live, unread, beside, broken);
    let mut out = Found::default();
    let users = OnceCell::new();
    for object in world.desired() {
        names::check(object, &mut out);
        discarded::check(object, &mut out);
        hydration::check(object, &mut out);
        match (object.group, object.kind) {
            (VPC, "VPC") => vpc::check(object, &world, &users, &mut out),
            (VPC, "VPCAttachment") => attachment::check(object, &world, &mut out),
            (VPC, "VPCPeering") => peering::check_vpc(object, &world, &mut out),
            (VPC, "External") => external::check(object, &world, &mut out),
            (VPC, "ExternalAttachment") => external::check_attachment(object, &world, &mut out),
            (VPC, "ExternalPeering") => peering::check_external(object, &world, &mut out),
            (VPC, "IPv4Namespace") => namespace::check_ipv4(object, &world, &mut out),
            (WIRING, "VLANNamespace") => namespace::check_vlan(object, &world, &mut out),
            (WIRING, "Switch") => switch::check(object, &world, &mut out),
            (WIRING, "Connection") => connection::check(object, &world, &mut out),
            (GATEWAY, "Gateway") => gateway::check(object, &world, &mut out),
            (GATEWAY, "GatewayPeering") => gateway_peering::check(object, &world, &mut out),
            _ => {}
        }
    }
    vpc_space::check(&world, &mut out);
    attachment::check_together(&world, &mut out);
    external::check_together(&world, &mut out);
    peering::check_together(&world, &mut out);
    switch::check_together(&world, &mut out);
    connection::check_together(&world, &mut out);
    gateway_peering::check_together(&world, &mut out);
    out.sorted(desired)
}

/// Whether a finding says that the server discards something that Git names: such an object is never plainly in sync.
pub fn is_discarded(finding: &Finding) -> bool {
    finding.rule.starts_with("discarded_")
}

#[cfg(test)]
mod tests;
