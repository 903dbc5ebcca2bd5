//! What Hedgehog's webhooks make of an object before they store it, kind by kind: the defaults and what is silently
//! dropped. [`super::shape`] says the rest.

use super::node::{Fields, Item, List, Node};
use super::shape::{self, Shape};
use crate::kind::{GATEWAY, VPC, WIRING};
use ipnet::Ipv4Net;
use serde_json::Value;
use std::borrow::Cow;
use std::net::Ipv4Addr;

/// How the spec of one kind is normalised.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindRules {
    /// The shape of its spec.
    pub spec: &'static Shape,
    /// What the webhook fills in and drops.
    pub default: fn(&mut Fields<'_>),
}

const fn rules(spec: &'static Shape, default: fn(&mut Fields<'_>)) -> KindRules {
    KindRules { spec, default }
}

/// The rules of a kind; unknown kinds are compared nearly as written.
pub(crate) fn rules_of(group: &str, kind: &str) -> KindRules {
    const NONE: fn(&mut Fields<'_>) = |_| {};
    match (group, kind) {
        (VPC, "VPC") => rules(&shape::VPC, vpc),
        (VPC, "VPCAttachment") => rules(&shape::VPC_ATTACHMENT, NONE),
        (VPC, "VPCPeering") => rules(&shape::VPC_PEERING, NONE),
        (VPC, "External") => rules(&shape::EXTERNAL, external),
        (VPC, "ExternalAttachment") => rules(&shape::EXTERNAL_ATTACHMENT, NONE),
        (VPC, "ExternalPeering") => rules(&shape::EXTERNAL_PEERING, NONE),
        (VPC, "IPv4Namespace") => rules(&shape::IPV4_NAMESPACE, NONE),
        (WIRING, "VLANNamespace") => rules(&shape::VLAN_NAMESPACE, vlan_namespace),
        (WIRING, "Switch") => rules(&shape::SWITCH, switch),
        (WIRING, "Connection") => rules(&shape::CONNECTION, NONE),
        (GATEWAY, "Gateway") => rules(&shape::GATEWAY, gateway),
        (GATEWAY, "GatewayPeering" | "Peering") => rules(&shape::GATEWAY_PEERING, gateway_peering),
        (WIRING, "Server" | "ServerProfile" | "SwitchGroup" | "SwitchProfile") | (GATEWAY, "GatewayGroup") => {
            rules(&shape::ORDINARY, NONE)
        }
        _ => rules(&shape::UNKNOWN, NONE),
    }
}

fn text(value: impl ToString) -> Value {
    Value::String(value.to_string())
}

fn vpc(spec: &mut Fields<'_>) {
    spec.fill("ipv4Namespace", || text("default"));
    spec.fill("vlanNamespace", || text("default"));
    if let Some(subnets) = spec.map_mut("subnets") {
        subnets.maps_mut().for_each(vpc_subnet);
    }
}

/// The network of a subnet that the webhook looks at: IPv4, not longer than /30.
pub(crate) fn usable_network(cidr: &str) -> Option<Ipv4Net> {
    cidr.parse::<Ipv4Net>().ok().map(|net| net.trunc()).filter(|net| net.prefix_len() <= 30)
}

/// The `n`th address of a network.
pub(crate) fn nth_address(net: Ipv4Net, n: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()).wrapping_add(n))
}

fn vpc_subnet(subnet: &mut Fields<'_>) {
    let Some(net) = subnet.text("subnet").and_then(usable_network) else { return };
    if !subnet.is_true("hostBGP") {
        subnet.fill("gateway", || text(nth_address(net, 1)));
    }
    if let Some(dhcp) = subnet.map_mut("dhcp") {
        if dhcp.is_true("enable") {
            if let Some(range) = dhcp.map_or_new("range") {
                range.fill("start", || text(nth_address(net, 2)));
                range.fill("end", || text(net.broadcast()));
            }
            dhcp_options(dhcp);
        } else {
            dhcp.remove("range");
            dhcp.remove("options");
        }
        subnet.remove_if_empty("dhcp");
    }
}

fn dhcp_options(dhcp: &mut Fields<'_>) {
    let Some(field) = dhcp.field("options") else { return };
    // The webhook drops options of which nothing was ever written. An empty list was written, a null was not.
    let written = |value: &Value| value.is_array() || !super::scalar::is_zero(value);
    if !field.source.is_some_and(|(_, v)| v.as_object().is_some_and(|o| o.values().any(written))) {
        dhcp.remove("options");
        return;
    }
    if let Some(options) = dhcp.map_mut("options") {
        options.fill("interfaceMTU", || Value::from(9036));
        options.fill("leaseTimeSeconds", || Value::from(3600));
    }
}

fn external(spec: &mut Fields<'_>) {
    spec.fill("ipv4Namespace", || text("default"));
}

fn vlan_namespace(spec: &mut Fields<'_>) {
    if let Some(ranges) = spec.list_mut("ranges") {
        for Item { node, .. } in &mut ranges.items {
            if let Node::Map(range) = node
                && let Some(Node::Scalar(from)) = range.get("from")
            {
                let from = from.as_ref().clone();
                range.fill("to", || from);
            }
        }
        ranges.sort();
    }
}

fn switch(spec: &mut Fields<'_>) {
    spec.fill_node("vlanNamespaces", || List::defaulted(Node::Scalar(Cow::Owned(text("default")))));
    let group = match spec.get("redundancy") {
        Some(Node::Map(redundancy)) => redundancy.text("group").map(str::to_owned),
        _ => None,
    };
    if let Some(group) = group {
        match spec.list_mut("groups") {
            Some(groups) => groups.add_default(Value::String(group)),
            None => spec.fill_node("groups", || List::defaulted(Node::Scalar(Cow::Owned(Value::String(group))))),
        }
    }
    // The only defaults that the CRD itself carries.
    if let Some(flap) = spec.map_mut("linkFlapErrDisable") {
        flap.fill("flapThreshold", || Value::from(3));
        flap.fill("samplingInterval", || Value::from(30));
        flap.fill("recoveryInterval", || Value::from(300));
    }
}

fn gateway(spec: &mut Fields<'_>) {
    spec.fill("workers", || Value::from(4));
    spec.fill_node("groups", || {
        let mut member = Fields::default();
        member.fill("name", || text("default"));
        List::defaulted(Node::Map(member))
    });
    if let Some(logs) = spec.map_or_new("logs") {
        logs.fill("default", || text("info"));
        if let Some(tags) = logs.map_or_new("tags")
            && tags.0.is_empty()
        {
            tags.fill("all", || text("info"));
        }
        // Some releases store the limit that the dataplane applies anyway, others leave it out.
        if let Some(limit) = logs.map_or_new("rateLimit") {
            limit.fill("burst", || Value::from(50));
            limit.fill("replenishPerSecond", || Value::from(5));
        }
    }
}

fn gateway_peering(spec: &mut Fields<'_>) {
    spec.fill("gatewayGroup", || text("default"));
    if let Some(acl) = spec.map_mut("acl") {
        acl.fill("default", || text("deny-unless-exposed"));
        each_map(acl.list_mut("rules"), |rule| rule.fill("scope", || text("flow")));
    }
    if let Some(peering) = spec.map_mut("peering") {
        for side in peering.maps_mut() {
            each_map(side.list_mut("expose"), |expose| {
                let Some(nat) = expose.map_mut("nat") else { return };
                for kind in ["masquerade", "portForward"] {
                    if let Some(timed) = nat.map_mut(kind) {
                        timed.fill("idleTimeout", || text("2m0s"));
                    }
                }
            });
        }
    }
}

fn each_map<'a>(list: Option<&mut List<'a>>, mut act: impl FnMut(&mut Fields<'a>)) {
    for item in list.into_iter().flat_map(|list| &mut list.items) {
        if let Node::Map(fields) = &mut item.node {
            act(fields);
        }
    }
}
