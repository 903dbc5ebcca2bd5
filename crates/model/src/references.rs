//! What an object refers to, read out of its spec: which other objects must be there before it, and which must not be
//! deleted while it stays. Orders what is deleted, and says what a part of a sync leaves out.

use crate::kind::{GATEWAY, VPC, WIRING};
use crate::object::ObjectKey;
use serde_json::Value;
use std::collections::BTreeSet;

/// One object that another one names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Group of the object that is named.
    pub group: &'static str,
    /// Its kind.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Whether Hedgehog's own webhook refuses to delete it while it is named.
    pub is_guarded: bool,
}

impl Reference {
    /// Whether an object is the one that is named.
    pub fn is_to(&self, key: &ObjectKey) -> bool {
        self.group == key.group && self.kind == key.kind && self.name == key.name
    }
}

/// What an object refers to, each once. SwitchProfiles are not among them: the controller makes those by itself.
pub fn references(key: &ObjectKey, object: &Value) -> BTreeSet<Reference> {
    let mut found = Named(BTreeSet::new());
    let spec = object.get("spec").unwrap_or(&Value::Null);
    match (key.group.as_str(), key.kind.as_str()) {
        (WIRING, "Switch") => {
            texts(spec, "/groups").for_each(|name| found.open(WIRING, "SwitchGroup", name));
            text(spec, "/redundancy/group").into_iter().for_each(|name| found.open(WIRING, "SwitchGroup", name));
            let named: Vec<&str> = texts(spec, "/vlanNamespaces").collect();
            let named = if named.is_empty() { vec!["default"] } else { named };
            named.into_iter().for_each(|name| found.guarded(WIRING, "VLANNamespace", name));
        }
        (WIRING, "Connection") => connection(spec, &mut found),
        (VPC, "VPC") => {
            found.guarded(VPC, "IPv4Namespace", text(spec, "/ipv4Namespace").unwrap_or("default"));
            found.guarded(WIRING, "VLANNamespace", text(spec, "/vlanNamespace").unwrap_or("default"));
            for (_, subnet) in entries(spec, "/subnets") {
                let relay = text(subnet, "/dhcp/relayVPC").filter(|name| *name != key.name);
                relay.into_iter().for_each(|name| found.open(VPC, "VPC", name));
            }
        }
        (VPC, "VPCAttachment") => {
            let vpc = text(spec, "/subnet").map(|subnet| subnet.split_once('/').map_or(subnet, |(vpc, _)| vpc));
            vpc.into_iter().for_each(|name| found.guarded(VPC, "VPC", name));
            text(spec, "/connection").into_iter().for_each(|name| found.guarded(WIRING, "Connection", name));
        }
        (VPC, "VPCPeering") => {
            for permit in list(spec, "/permit") {
                entries(permit, "").for_each(|(name, _)| found.guarded(VPC, "VPC", name));
            }
        }
        (VPC, "External") => {
            found.guarded(VPC, "IPv4Namespace", text(spec, "/ipv4Namespace").unwrap_or("default"));
        }
        (VPC, "ExternalAttachment") => {
            text(spec, "/external").into_iter().for_each(|name| found.guarded(VPC, "External", name));
            text(spec, "/connection").into_iter().for_each(|name| found.guarded(WIRING, "Connection", name));
        }
        (VPC, "ExternalPeering") => {
            text(spec, "/permit/vpc/name").into_iter().for_each(|name| found.guarded(VPC, "VPC", name));
            text(spec, "/permit/external/name").into_iter().for_each(|name| found.guarded(VPC, "External", name));
        }
        (GATEWAY, "Gateway") => groups_of_gateway(spec).for_each(|name| found.open(GATEWAY, "GatewayGroup", name)),
        (GATEWAY, "GatewayPeering" | "Peering") => {
            if key.kind == "GatewayPeering" {
                found.open(GATEWAY, "GatewayGroup", text(spec, "/gatewayGroup").unwrap_or("default"));
            }
            for (side, _) in entries(spec, "/peering") {
                match side.strip_prefix("ext.") {
                    Some(external) => found.open(VPC, "External", external),
                    None => found.open(VPC, "VPC", side),
                }
            }
        }
        _ => {}
    }
    found.0
}

/// The gateway groups of a Gateway's spec; `default` when it names none.
pub(crate) fn groups_of_gateway(spec: &Value) -> impl Iterator<Item = &str> {
    let named = list(spec, "/groups");
    let default = named.is_empty().then_some("default");
    named.iter().filter_map(|group| text(group, "/name")).chain(default)
}

/// The ends of a Connection's links: a port is `device/port`, and the key of an end says what the device is.
fn connection(spec: &Value, found: &mut Named) {
    for (variant, of_variant) in spec.as_object().into_iter().flatten() {
        let links = list(of_variant, "/links").iter().chain(of_variant.get("link"));
        let links = links.chain(list(of_variant, "/peerLinks")).chain(list(of_variant, "/sessionLinks"));
        for (end, value) in links.flat_map(|link| entries(link, "")) {
            let Some((device, _)) = text(value, "/port").and_then(|port| port.split_once('/')) else { continue };
            match end.as_str() {
                "server" => found.guarded(WIRING, "Server", device),
                "gateway" => found.open(GATEWAY, "Gateway", device),
                _ => found.guarded(WIRING, "Switch", device),
            }
        }
        if variant == "staticExternal" {
            text(of_variant, "/withinVPC").into_iter().for_each(|name| found.guarded(VPC, "VPC", name));
        }
    }
}

struct Named(BTreeSet<Reference>);

impl Named {
    fn guarded(&mut self, group: &'static str, kind: &'static str, name: &str) {
        self.add(group, kind, name, true);
    }

    fn open(&mut self, group: &'static str, kind: &'static str, name: &str) {
        self.add(group, kind, name, false);
    }

    fn add(&mut self, group: &'static str, kind: &'static str, name: &str, is_guarded: bool) {
        if !name.is_empty() {
            self.0.insert(Reference { group, kind, name: name.to_owned(), is_guarded });
        }
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> Option<&'v str> {
    value.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn texts<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = &'v str> {
    list(value, pointer).iter().filter_map(Value::as_str)
}

fn entries<'v>(value: &'v Value, pointer: &str) -> impl Iterator<Item = (&'v String, &'v Value)> {
    value.pointer(pointer).and_then(Value::as_object).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(kind: &str, spec: &Value) -> Vec<String> {
        let known = crate::kind::KNOWN.iter().find(|k| k.kind == kind).unwrap();
        let key = ObjectKey::new(known.group, kind, "default", "me");
        let found = references(&key, &json!({"spec": spec}));
        found.into_iter().map(|r| format!("{}{} {}", if r.is_guarded { "" } else { "?" }, r.kind, r.name)).collect()
    }

    #[test]
    fn every_kind_says_what_it_names() {
        let cases = [
            (
                "Switch",
                json!({"groups": ["g1"], "redundancy": {"group": "g2"}}),
                vec!["?SwitchGroup g1", "?SwitchGroup g2", "VLANNamespace default"],
            ),
            (
                "Connection",
                json!({"eslag": {"links": [{"server": {"port": "s/e1"}, "switch": {"port": "l1/E1/1"}},
                    {"server": {"port": "s/e2"}, "switch": {"port": "l2/E1/1"}}]}}),
                vec!["Server s", "Switch l1", "Switch l2"],
            ),
            (
                "Connection",
                json!({"gateway": {"links": [{"switch": {"port": "l1/E1/9"}, "gateway": {"port": "gw/enp2s1"}}]}}),
                vec!["?Gateway gw", "Switch l1"],
            ),
            (
                "Connection",
                json!({"staticExternal": {"withinVPC": "v", "link": {"switch": {"port": "l1/E1/9"}}}}),
                vec!["VPC v", "Switch l1"],
            ),
            (
                "VPC",
                json!({"subnets": {"a": {"dhcp": {"relayVPC": "dhcp"}}, "b": {"dhcp": {"relayVPC": "me"}}}}),
                vec!["IPv4Namespace default", "?VPC dhcp", "VLANNamespace default"],
            ),
            ("VPCAttachment", json!({"subnet": "v/a", "connection": "c"}), vec!["VPC v", "Connection c"]),
            ("VPCPeering", json!({"permit": [{"a": {}, "b": null}]}), vec!["VPC a", "VPC b"]),
            ("External", json!({"ipv4Namespace": "n"}), vec!["IPv4Namespace n"]),
            ("ExternalAttachment", json!({"external": "e", "connection": "c"}), vec!["External e", "Connection c"]),
            (
                "ExternalPeering",
                json!({"permit": {"vpc": {"name": "v"}, "external": {"name": "e"}}}),
                vec!["External e", "VPC v"],
            ),
            ("Gateway", json!({"groups": [{"name": "gr"}]}), vec!["?GatewayGroup gr"]),
            ("Gateway", json!({}), vec!["?GatewayGroup default"]),
            (
                "GatewayPeering",
                json!({"peering": {"v": {}, "ext.e": {}}}),
                vec!["?GatewayGroup default", "?External e", "?VPC v"],
            ),
            ("SwitchGroup", json!({}), vec![]),
        ];
        for (kind, spec, names) in cases {
            assert_eq!(of(kind, &spec), names, "{kind} {spec}");
        }
    }
}
