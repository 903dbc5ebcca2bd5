//! What the controller makes for gateways and for the DHCP server.

use super::{catalog::Numbers, plan::World};
use crate::admission::Lookup;
use serde_json::{Map, Value, json};

pub(super) fn plan(lookup: &dyn Lookup, world: &World, numbers: &mut Numbers) -> Vec<Value> {
    let mut objects = Vec::new();
    let mut vpcs = Map::new();
    for (name, vpc) in &world.vpcs {
        let vni = numbers.vni(name);
        let subnets: Map<String, Value> = vpc["spec"]["subnets"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(subnet, config)| (subnet.clone(), json!({"cidr": config["subnet"]})))
            .collect();
        add(&mut objects, &mut vpcs, name, vpc, vni, Value::Object(subnets), numbers);
        objects.extend(dhcp_subnets(name, vpc));
    }
    for (name, external) in &world.externals {
        let vni = numbers.vni(&format!("ext@{name}"));
        let all = json!({"external": {"cidr": "0.0.0.0/0"}});
        add(&mut objects, &mut vpcs, &format!("ext.{name}"), external, vni, all, numbers);
    }
    let gateways = lookup.list("Gateway");
    let groups_of = |gateway: &Value| -> Vec<(String, i64)> {
        let groups = gateway["spec"]["groups"].as_array().into_iter().flatten();
        groups
            .filter_map(|g| Some((g["name"].as_str()?.to_owned(), g["priority"].as_i64().unwrap_or_default())))
            .collect()
    };
    for gateway in &gateways {
        let own = groups_of(gateway);
        let groups: Map<String, Value> = own
            .iter()
            .map(|(group, _)| {
                let members: Vec<Value> = gateways
                    .iter()
                    .filter_map(|member| {
                        let (_, priority) = groups_of(member).into_iter().find(|(g, _)| g == group)?;
                        Some(json!({"name": member["metadata"]["name"], "priority": priority,
                            "vtepIP": member["spec"]["vtepIP"]}))
                    })
                    .collect();
                (group.clone(), json!({"members": members}))
            })
            .collect();
        let peerings: Map<String, Value> = lookup
            .list("GatewayPeering")
            .iter()
            .filter(|p| own.iter().any(|(group, _)| p["spec"]["gatewayGroup"] == group.as_str()))
            .filter_map(|p| Some((p["metadata"]["name"].as_str()?.to_owned(), p["spec"].clone())))
            .collect();
        let communities: Map<String, Value> =
            (0..lookup.settings().gateway_communities).map(|i| (i.to_string(), json!(format!("50001:{i}")))).collect();
        let mut spec = json!({"communities": communities, "config": {"fabricBFD": true}, "gateway": gateway["spec"],
            "groups": groups, "vpcs": vpcs});
        if !peerings.is_empty() {
            spec["peerings"] = Value::Object(peerings);
        }
        objects.push(json!({"apiVersion": "gwint.githedgehog.com/v1alpha1", "kind": "GatewayAgent",
            "metadata": {"name": gateway["metadata"]["name"], "namespace": "default"}, "spec": spec}));
    }
    objects
}

fn add(
    objects: &mut Vec<Value>,
    vpcs: &mut Map<String, Value>,
    name: &str,
    owner: &Value,
    vni: i64,
    subnets: Value,
    numbers: &mut Numbers,
) {
    let id = numbers.internal_id(name);
    vpcs.insert(name.to_owned(), json!({"internalID": id, "subnets": subnets, "vni": vni}));
    let reference = json!({"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true});
    objects.push(json!({
        "apiVersion": "gateway.githedgehog.com/v1alpha1", "kind": "VPCInfo",
        "metadata": {"name": name, "namespace": "default", "ownerReferences": [reference]},
        "spec": {"vni": vni, "subnets": subnets}, "status": {"internalID": id},
    }));
}

/// One for each subnet that the DHCP server serves.
fn dhcp_subnets(vpc: &str, object: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    for (subnet, config) in object["spec"]["subnets"].as_object().into_iter().flatten() {
        let dhcp = &config["dhcp"];
        if dhcp["enable"] != true {
            continue;
        }
        let options = &dhcp["options"];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let list = |v: &Value| if v.is_array() { v.clone() } else { json!([]) };
        let mut spec = json!({
            "subnet": format!("{vpc}/{subnet}"),
            "cidrBlock": network(&text(&config["subnet"])),
            "gateway": text(&config["gateway"]),
            "startIP": text(&dhcp["range"]["start"]),
            "endIP": text(&dhcp["range"]["end"]),
            "leaseTimeSeconds": options["leaseTimeSeconds"].as_i64().unwrap_or(3600),
            "vrf": format!("VrfV{vpc}"),
            "circuitID": format!("Vlan{}", config["vlan"].as_i64().unwrap_or_default()),
            "pxeURL": text(&options["pxeURL"]),
            "defaultURL": "",
            "dnsServers": list(&options["dnsServers"]),
            "timeServers": list(&options["timeServers"]),
            "interfaceMTU": options["interfaceMTU"].as_i64().unwrap_or(9036),
        });
        if object["spec"]["mode"] == "l3vni" {
            spec["l3Mode"] = json!(true);
        }
        if let Some(hosts) = dhcp.get("static") {
            spec["static"] = hosts.clone();
        }
        all.push(json!({
            "apiVersion": "dhcp.githedgehog.com/v1beta1", "kind": "DHCPSubnet",
            "metadata": {"name": format!("{vpc}--{subnet}"), "namespace": "default", "labels": {
                "fabric.githedgehog.com/vpc": vpc, "fabric.githedgehog.com/subnet": subnet}},
            "spec": spec,
        }));
    }
    all
}

/// The network of a CIDR that may have host bits.
fn network(cidr: &str) -> String {
    cidr.parse::<ipnet::Ipv4Net>().map_or_else(|_| cidr.to_owned(), |net| net.trunc().to_string())
}
