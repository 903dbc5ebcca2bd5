//! The labels that the mutating webhooks keep: every label under the fabric's prefix is dropped and rebuilt.

use super::fields;
use serde_json::{Map, Value};

/// Prefix of the labels that belong to the fabric. It also ends longer ones, such as `switch.` of it.
pub(crate) const FABRIC: &str = "fabric.githedgehog.com/";
/// Prefix of the labels that name the VPCs of a GatewayPeering.
const GATEWAY_VPC: &str = "vpc.gateway.githedgehog.com/";

/// Drops the fabric's labels of an object and sets those that follow from its spec.
pub(super) fn rebuild(kind: &str, object: &mut Value) {
    let wanted = wanted(kind, object);
    let Some(metadata) = object.as_object_mut().and_then(|o| fields::object_mut(o, "metadata")) else { return };
    let Some(labels) = fields::object_mut(metadata, "labels") else { return };
    labels.retain(|key, _| !key.contains(FABRIC));
    for (key, value) in wanted {
        labels.insert(key, Value::String(value));
    }
    if labels.is_empty() {
        metadata.shift_remove("labels");
    }
}

fn wanted(kind: &str, object: &Value) -> Vec<(String, String)> {
    let fabric = |word: &str, value: &str| (format!("{FABRIC}{word}"), value.to_owned());
    let listed = |list: &str, word: &str| (format!("{list}.{FABRIC}{word}"), "true".to_owned());
    let spec = |pointer: &str| fields::text(object, pointer);
    match kind {
        "VPC" => vec![fabric("ipv4ns", spec("/spec/ipv4Namespace")), fabric("vlanns", spec("/spec/vlanNamespace"))],
        "VPCAttachment" => {
            let (vpc, subnet) = spec("/spec/subnet").split_once('/').unwrap_or((spec("/spec/subnet"), ""));
            let mut labels =
                vec![fabric("vpc", vpc), fabric("subnet", subnet), fabric("connection", spec("/spec/connection"))];
            if fields::flag(object, "/spec/nativeVLAN") {
                labels.push(fabric("nativevlan", "true"));
            }
            labels
        }
        "VPCPeering" => {
            let mut vpcs: Vec<&str> = fields::items(object, "/spec/permit")
                .iter()
                .filter_map(Value::as_object)
                .flat_map(Map::keys)
                .map(String::as_str)
                .collect();
            vpcs.sort_unstable();
            vpcs.dedup();
            let mut labels: Vec<_> = vpcs.iter().map(|vpc| listed("vpc", vpc)).collect();
            if let [a, b] = vpcs[..] {
                labels.extend([fabric("vpc1", a), fabric("vpc2", b)]);
            }
            labels
        }
        "External" => vec![fabric("ipv4ns", spec("/spec/ipv4Namespace"))],
        "ExternalAttachment" => {
            vec![fabric("connection", spec("/spec/connection")), fabric("external", spec("/spec/external"))]
        }
        "ExternalPeering" => {
            vec![fabric("vpc", spec("/spec/permit/vpc/name")), fabric("external", spec("/spec/permit/external/name"))]
        }
        "Switch" => {
            let mut labels = vec![fabric("profile", spec("/spec/profile"))];
            labels.extend(fields::texts(object, "/spec/groups").iter().map(|g| listed("switchgroup", g)));
            labels.extend(fields::texts(object, "/spec/vlanNamespaces").iter().map(|n| listed("vlanns", n)));
            labels
        }
        "Connection" => {
            let connection = super::connection::Parsed::of(object);
            let mut labels = vec![fabric("connection-type", connection.variant.map_or("<invalid>", |v| v.label()))];
            labels.extend(connection.switches().into_iter().map(|s| listed("switch", s)));
            labels.extend(connection.servers().into_iter().map(|s| listed("server", s)));
            let within = spec("/spec/staticExternal/withinVPC");
            if !within.is_empty() {
                labels.push(fabric("vpc", within));
            }
            labels
        }
        "GatewayPeering" => {
            let sides = fields::entries(object, "/spec/peering");
            if sides.len() != 2 {
                return Vec::new();
            }
            sides.iter().map(|(vpc, _)| (format!("{GATEWAY_VPC}{vpc}"), "true".to_owned())).collect()
        }
        _ => Vec::new(),
    }
}
