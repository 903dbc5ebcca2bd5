//! The fabric controller's other task, played: what it writes into the Agent of each switch and the GatewayAgent of each
//! gateway. A pure function of the objects; which object concerns which switch was read off a recording of the real one.

use std::collections::BTreeSet;

use lab::admission::{Lookup, Objects};
use serde_json::{Map, Value, json};

/// What stands where the real Agents carry password hashes. Nothing may ever show it.
pub const AGENT_SECRET: &str = "$5$testkit$agents-carry-password-hashes";

/// The version that the played parts say they are.
pub(super) const VERSION: &str = "v0.126.0-testkit";

/// An Agent or GatewayAgent, without status.
pub(super) fn agents(objects: &Objects) -> Vec<Value> {
    let switches = objects.list("Switch").into_iter().map(|switch| agent(objects, &switch));
    let gateways = objects.list("Gateway").into_iter().map(|gateway| gateway_agent(objects, &gateway));
    switches.chain(gateways).collect()
}

fn agent(objects: &Objects, switch: &Value) -> Value {
    let own = name(switch);
    let embed = |kind: &str, wanted: &dyn Fn(&Value) -> bool| -> Map<String, Value> {
        let all = objects.list(kind);
        all.iter().filter(|object| wanted(object)).map(|object| (name(object), object["spec"].clone())).collect()
    };
    // A loopback is made up by the leaf itself.
    let here =
        |connection: &Value| devices(&connection["spec"]).contains(&own) && connection["spec"]["vpcLoopback"].is_null();
    let connections = embed("Connection", &here);
    let neighbours: BTreeSet<String> = connections
        .values()
        .filter(|spec| spec["fabric"].is_object() || spec["mesh"].is_object())
        .flat_map(devices)
        .chain([own.clone()])
        .chain(redundancy_peers(objects, switch))
        .collect();
    let attachments = embed("VPCAttachment", &|one| on(&connections, one));
    let attached: BTreeSet<String> = attachments.values().map(|spec| before_slash(&spec["subnet"])).collect();
    let vpc_peerings = embed("VPCPeering", &|one| sides(one).iter().any(|vpc| attached.contains(vpc)));
    let external_attachments = embed("ExternalAttachment", &|one| on(&connections, one));
    let externals: BTreeSet<String> = external_attachments.values().map(|spec| text(&spec["external"])).collect();
    let external_peerings =
        embed("ExternalPeering", &|one| externals.contains(&text(&one["spec"]["permit"]["external"]["name"])));
    let peers = objects.list("VPCPeering");
    let mut vpcs = attached.clone();
    vpcs.extend(peers.iter().filter(|one| vpc_peerings.contains_key(&name(one))).flat_map(|one| sides(one)));
    vpcs.extend(external_peerings.values().map(|spec| text(&spec["permit"]["vpc"]["name"])));
    let vlan_namespaces = &switch["spec"]["vlanNamespaces"];
    json!({
        "apiVersion": "agent.githedgehog.com/v1beta1", "kind": "Agent",
        "metadata": {"name": own, "namespace": "default"},
        "spec": {
            "role": switch["spec"]["role"], "description": switch["spec"]["description"],
            "version": {"default": VERSION},
            "users": [{"name": "admin", "role": "admin", "password": AGENT_SECRET}],
            "switch": switch["spec"],
            "switches": embed("Switch", &|one| neighbours.contains(&name(one))),
            "connections": connections,
            "vpcs": embed("VPC", &|one| vpcs.contains(&name(one))),
            "vpcAttachments": attachments,
            "vpcPeers": vpc_peerings,
            "externals": embed("External", &|_| true),
            "externalAttachments": external_attachments,
            "externalPeerings": external_peerings,
            "ipv4Namespaces": embed("IPv4Namespace", &|_| true),
            "vlanNamespaces": embed("VLANNamespace", &|one| list(vlan_namespaces).contains(&name(one))),
        },
    })
}

fn gateway_agent(objects: &Objects, gateway: &Value) -> Value {
    let own = name(gateway);
    let groups_of =
        |gateway: &Value| -> Vec<Value> { gateway["spec"]["groups"].as_array().cloned().unwrap_or_default() };
    let mut groups = Map::new();
    for group in groups_of(gateway) {
        let group = text(&group["name"]);
        let mut members = Vec::new();
        for other in objects.list("Gateway") {
            let membership = groups_of(&other).into_iter().find(|one| text(&one["name"]) == group);
            if let Some(membership) = membership {
                let priority = membership["priority"].as_u64().unwrap_or_default();
                members.push(json!({"name": name(&other), "priority": priority, "vtepIP": other["spec"]["vtepIP"]}));
            }
        }
        groups.insert(group, json!({"members": members}));
    }
    let peerings = objects.list("GatewayPeering");
    let peerings: Map<String, Value> = peerings
        .iter()
        .filter(|one| groups.contains_key(&text(&one["spec"]["gatewayGroup"])))
        .map(|one| (name(one), one["spec"].clone()))
        .collect();
    json!({
        "apiVersion": "gwint.githedgehog.com/v1alpha1", "kind": "GatewayAgent",
        "metadata": {"name": own, "namespace": "default"},
        "spec": {
            "agentVersion": VERSION, "gateway": gateway["spec"], "groups": groups, "peerings": peerings,
            "vpcs": outlines(objects),
        },
    })
}

/// What every gateway is told of every VPC and external: the prefixes. The numbers that the real controller gives out
/// beside them mean nothing outside of the gateway.
fn outlines(objects: &Objects) -> Map<String, Value> {
    let prefixes = |vpc: &Value| -> Map<String, Value> {
        let subnets = vpc["spec"]["subnets"].as_object().into_iter().flatten();
        subnets.map(|(name, subnet)| (name.clone(), json!({"cidr": subnet["subnet"]}))).collect()
    };
    let vpcs = objects.list("VPC");
    let vpcs = vpcs.iter().map(|vpc| (name(vpc), json!({"subnets": prefixes(vpc)})));
    let externals = objects.list("External");
    let everything = json!({"subnets": {"external": {"cidr": "0.0.0.0/0"}}});
    let externals = externals.iter().map(|external| (format!("ext.{}", name(external)), everything.clone()));
    vpcs.chain(externals).collect()
}

fn name(object: &Value) -> String {
    text(&object["metadata"]["name"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn before_slash(value: &Value) -> String {
    value.as_str().unwrap_or_default().split('/').next().unwrap_or_default().to_owned()
}

/// The two VPCs of a peering.
fn sides(peering: &Value) -> Vec<String> {
    let permits = peering["spec"]["permit"].as_array().into_iter().flatten();
    permits.filter_map(Value::as_object).flat_map(|permit| permit.keys().cloned()).collect()
}

/// Whether an attachment's connection is one of these.
fn on(connections: &Map<String, Value>, attachment: &Value) -> bool {
    connections.contains_key(&text(&attachment["spec"]["connection"]))
}

/// The switches and servers that a connection's ports are of: `port: leaf-01/E1/1`, at any depth.
fn devices(spec: &Value) -> BTreeSet<String> {
    match spec {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| if key == "port" { [before_slash(value)].into() } else { devices(value) })
            .collect(),
        Value::Array(items) => items.iter().flat_map(devices).collect(),
        _ => BTreeSet::new(),
    }
}

/// The other switches of a switch's redundancy group.
fn redundancy_peers(objects: &Objects, switch: &Value) -> Vec<String> {
    let group = text(&switch["spec"]["redundancy"]["group"]);
    let all = objects.list("Switch");
    let same = |one: &Value| !group.is_empty() && text(&one["spec"]["redundancy"]["group"]) == group;
    all.iter().filter(|one| same(one)).map(|one| name(one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Absent, false and empty are the same to the real controller.
    fn without_empty(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let full = fields.iter().map(|(key, value)| (key.clone(), without_empty(value)));
                Value::Object(full.filter(|(_, value)| !is_empty(value)).collect())
            }
            Value::Array(items) => items.iter().map(without_empty).collect(),
            other => other.clone(),
        }
    }

    fn is_empty(value: &Value) -> bool {
        value.is_null() || *value == json!(false) || *value == json!({}) || *value == json!([]) || *value == json!("")
    }

    fn without_numbers(vpcs: &Value) -> Value {
        let vpcs = vpcs.as_object().unwrap().iter();
        vpcs.map(|(name, vpc)| (name.clone(), json!({"subnets": vpc["subnets"]}))).collect::<Map<_, _>>().into()
    }

    #[test]
    fn embeds_what_the_real_controller_embeds() {
        let Some(shared) = crate::shared_folder() else {
            println!("skipped: ../shared is not here");
            return;
        };
        let read = |file: &str| -> Vec<Value> {
            let text = std::fs::read_to_string(shared.join("hedgehog/recorded").join(file)).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let objects = Objects::new(read("pairs.jsonl").into_iter().map(|mut pair| pair["stored"].take()));
        let ours = agents(&objects);
        let mut compared = 0;
        for recorded in read("agents.jsonl") {
            let ours = ours.iter().find(|one| one["kind"] == recorded["kind"] && name(one) == name(&recorded)).unwrap();
            let Value::Object(spec) = &ours["spec"] else { panic!("a spec that is no object") };
            for (part, content) in
                spec.iter().filter(|(part, _)| !["version", "users", "agentVersion"].contains(&part.as_str()))
            {
                let mut theirs = without_empty(&recorded["spec"][part]);
                if recorded["kind"] == "GatewayAgent" && part == "vpcs" {
                    theirs = without_numbers(&theirs);
                }
                let ours = without_empty(content);
                assert!(ours == theirs || is_empty(&ours) && is_empty(&theirs), "{}: {part}: {ours}", name(&recorded));
                compared += 1;
            }
        }
        assert_eq!(compared, 6 * 13 + 2 * 4);
    }
}
