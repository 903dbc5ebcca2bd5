//! What may be kept of kinds that carry password hashes and keys: an allow-list, everything else is dropped on arrival.

use crate::kinds::KindInfo;
use serde_json::{Map, Value};

/// Part of every kind's metadata; annotations are left out because `last-applied-configuration` repeats the spec.
const METADATA: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.generation",
    "metadata.creationTimestamp",
    "metadata.deletionTimestamp",
    "metadata.labels",
];

/// What a switch runs, and how it is; without `users`, `config`, `alloy`, registry and version credentials.
const AGENT: &[&str] = &[
    "spec.role",
    "spec.description",
    "spec.switch",
    "spec.switches",
    "spec.vpcs",
    "spec.vpcAttachments",
    "spec.vpcPeers",
    "spec.connections",
    "spec.externals",
    "spec.externalAttachments",
    "spec.externalPeerings",
    "spec.ipv4Namespaces",
    "spec.vlanNamespaces",
    "spec.attachedVPCs",
    "spec.configuredVPCSubnets",
    "spec.redundancyGroupPeers",
    "spec.version.default",
    "spec.version.override",
    "status.version",
    "status.installID",
    "status.runID",
    "status.bootID",
    "status.lastHeartbeat",
    "status.lastAttemptTime",
    "status.lastAttemptGen",
    "status.lastAppliedTime",
    "status.lastAppliedGen",
    "status.conditions",
    "status.rebootRequired",
    "status.state",
];

const GATEWAY_AGENT: &[&str] = &[
    "spec.gateway",
    "spec.groups",
    "spec.peerings",
    "spec.vpcs",
    "status.agentVersion",
    "status.lastHeartbeat",
    "status.lastAppliedTime",
    "status.lastAppliedGen",
    "status.state",
];

const FABRICATOR: &[&str] = &[
    "status.release",
    "status.versions",
    "status.conditions",
    "status.components",
    "status.lastAppliedTime",
    "status.lastAppliedGen",
    "status.lastAppliedController",
    "status.lastAttemptTime",
    "status.lastAttemptGen",
    "status.lastStatusCheck",
];

const CONTROL_NODE: &[&str] = &["status.conditions"];

/// Reduces an object of a kind that carries secrets to its allowed fields; others pass unchanged.
pub(crate) fn keep_allowed(kind: &KindInfo, object: Value) -> Value {
    if !kind.carries_secrets() {
        return object;
    }
    let fields = match kind.gvk.kind.as_str() {
        "Agent" => AGENT,
        "GatewayAgent" => GATEWAY_AGENT,
        "Fabricator" => FABRICATOR,
        "ControlNode" => CONTROL_NODE,
        _ => &[],
    };
    let mut kept = Map::new();
    for path in ["apiVersion", "kind"].iter().chain(METADATA).chain(fields) {
        copy(&object, path, &mut kept);
    }
    Value::Object(kept)
}

fn copy(from: &Value, path: &str, to: &mut Map<String, Value>) {
    match path.split_once('.') {
        None => {
            if let Some(value) = from.get(path) {
                to.insert(path.to_owned(), value.clone());
            }
        }
        Some((head, rest)) => {
            let Some(inner) = from.get(head).filter(|v| v.is_object()) else { return };
            let slot = to.entry(head).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = slot {
                copy(inner, rest, map);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_agent_loses_its_secrets_and_keeps_its_evidence() {
        let kind = KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true);
        let agent = json!({
            "apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent",
            "metadata": {"name": "leaf-1", "generation": 3, "annotations": {"x": "secret-1"}, "managedFields": ["secret-2"]},
            "spec": {"users": [{"password": "secret-3"}], "config": {"k": "secret-4"}, "vpcs": {"v": {"a": 1}},
                     "version": {"default": "v1", "caPass": "secret-5"}},
            "status": {"lastAppliedGen": 3, "unheardOf": "secret-6"},
        });
        let kept = keep_allowed(&kind, agent.clone());
        assert!(!kept.to_string().contains("secret"), "{kept}");
        assert_eq!(kept["spec"], json!({"vpcs": {"v": {"a": 1}}, "version": {"default": "v1"}}));
        assert_eq!(kept["status"]["lastAppliedGen"], 3);
        assert_eq!(kept["metadata"], json!({"name": "leaf-1", "generation": 3}));

        let vpc = KindInfo::bare("vpc.githedgehog.com", "v1beta1", "VPC", "vpcs", true);
        assert_eq!(keep_allowed(&vpc, agent.clone()), agent);
    }
}
