//! The objects that are measured with: 5 % VPC, 10 % Server, 50 % Connection, 35 % VPCAttachment, each some
//! [`BYTES`] of JSON, sound and consistent among themselves.
//!
//! The switches and namespaces that they refer to are not among them: they stand in the cluster beforehand, as wiring
//! does that was installed by other means.

use serde_json::{Value, json};

/// What one object takes as compact JSON, as it is written.
pub const BYTES: usize = 650;

/// Two ports a connection, and four lanes on each of 32 ports of a switch.
const CONNECTIONS_A_SWITCH: usize = 64;
/// The range of VLANs ends there; each VPC takes two.
const MOST_VPCS: usize = 1_000;

/// `count` objects in the mix, in an order in which they can be created.
///
/// # Errors
/// When so many cannot be made consistently.
pub fn objects(count: usize) -> anyhow::Result<Vec<Value>> {
    let (vpcs, servers, connections) = (count / 20, count / 10, count / 2);
    let attachments = count - vpcs - servers - connections;
    anyhow::ensure!(count >= 20 && vpcs <= MOST_VPCS, "from 20 to {} objects can be made", MOST_VPCS * 20);
    let mut objects = Vec::with_capacity(count);
    objects.extend((0..vpcs).map(vpc));
    objects.extend((0..servers).map(server));
    objects.extend((0..connections).map(|n| connection(n, servers)));
    objects.extend((0..attachments).map(|n| attachment(n, vpcs, servers)));
    objects.iter_mut().for_each(fill);
    Ok(objects)
}

/// What `objects(count)` refers to.
pub fn surroundings(count: usize) -> Vec<Value> {
    let mut objects = vec![
        object("vpc", "IPv4Namespace", "default", json!({"subnets": ["10.0.0.0/8"]})),
        object("wiring", "VLANNamespace", "default", json!({"ranges": [{"from": 1000, "to": 2999}]})),
    ];
    let switches = (count / 2).div_ceil(CONNECTIONS_A_SWITCH);
    objects.extend((0..switches).map(|n| {
        let spec = json!({
            "asn": 65_101 + n, "boot": {"serial": format!("SN{n:06}")}, "description": format!("leaf {n}"),
            "groups": [], "ip": format!("172.30.{}.{}/21", n / 250, 8 + n % 240), "profile": "celestica-ds3000",
            "protocolIP": format!("172.30.{}.{}/32", 8 + n / 250, n % 250), "role": "server-leaf",
            "vlanNamespaces": ["default"], "vtepIP": format!("172.30.{}.{}/32", 12 + n / 250, n % 250),
        });
        object("wiring", "Switch", &switch(n), spec)
    }));
    objects
}

/// The file of a source repository that holds an object: one file each, a folder a kind.
pub fn file(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
    format!("{kind}s/{}.yaml", object["metadata"]["name"].as_str().unwrap_or_default())
}

fn object(group: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": format!("{group}.githedgehog.com/v1beta1"), "kind": kind,
        "metadata": {"name": name, "namespace": "default"}, "spec": spec,
    })
}

fn switch(n: usize) -> String {
    format!("leaf-{n:03}")
}

fn vpc_name(n: usize) -> String {
    format!("vpc-{n:04}")
}

fn connection_name(n: usize, servers: usize) -> String {
    format!("server-{:04}--bundled-{}--{}", n % servers, n / servers, switch(n / CONNECTIONS_A_SWITCH))
}

fn vpc(n: usize) -> Value {
    let subnet = |k: usize| {
        let net = format!("10.{}.{}", n / 128, n % 128 * 2 + k);
        json!({
            "dhcp": {"enable": true, "range": {"start": format!("{net}.10"), "end": format!("{net}.200")}},
            "gateway": format!("{net}.1"), "subnet": format!("{net}.0/24"), "vlan": 1000 + 2 * n + k,
        })
    };
    let spec = json!({
        "ipv4Namespace": "default", "subnets": {"default": subnet(0), "storage": subnet(1)}, "vlanNamespace": "default",
    });
    object("vpc", "VPC", &vpc_name(n), spec)
}

fn server(n: usize) -> Value {
    object("wiring", "Server", &format!("server-{n:04}"), json!({"description": format!("Compute node {n}")}))
}

fn connection(n: usize, servers: usize) -> Value {
    let link = |k: usize| {
        let (server_port, lane) = (n / servers * 2 + k, n % CONNECTIONS_A_SWITCH * 2 + k);
        json!({
            "server": {"port": format!("server-{:04}/enp{}s{}", n % servers, 2 + server_port / 2, 1 + server_port % 2)},
            "switch": {"port": format!("{}/E1/{}/{}", switch(n / CONNECTIONS_A_SWITCH), 1 + lane / 4, 1 + lane % 4)},
        })
    };
    let spec = json!({"bundled": {"links": [link(0), link(1)], "mtu": 9036}});
    object("wiring", "Connection", &connection_name(n, servers), spec)
}

fn attachment(n: usize, vpcs: usize, servers: usize) -> Value {
    let vpc = vpc_name(n % vpcs);
    let connection = connection_name(n, servers);
    let spec = json!({"connection": connection, "subnet": format!("{vpc}/default")});
    object("vpc", "VPCAttachment", &format!("{vpc}--{connection}"), spec)
}

/// Annotations as an inventory writes them, until the object has its size.
fn fill(object: &mut Value) {
    let number = object["metadata"]["name"].as_str().map_or(0, str::len);
    object["metadata"]["annotations"] = json!({
        "inventory.example.com/owner": "platform-networking",
        "inventory.example.com/rack": format!("row-{}-rack-{}", number % 7, number % 23),
        "inventory.example.com/note": "",
    });
    const WORDS: [&str; 8] = ["cabled", "checked", "by", "the", "night", "shift", "see", "ticket"];
    let missing = BYTES.saturating_sub(object.to_string().len());
    let note: String = WORDS.iter().cycle().flat_map(|word| word.chars().chain([' '])).take(missing).collect();
    object["metadata"]["annotations"]["inventory.example.com/note"] = note.trim_end().into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_mix_is_as_promised_and_consistent() {
        let all = objects(10_000).unwrap();
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        for object in &all {
            *kinds.entry(object["kind"].as_str().unwrap()).or_default() += 1;
        }
        assert_eq!(
            kinds,
            BTreeMap::from([("Connection", 5_000), ("Server", 1_000), ("VPC", 500), ("VPCAttachment", 3_500)])
        );
        let sizes: Vec<usize> = all.iter().map(|o| o.to_string().len()).collect();
        assert!(sizes.iter().all(|size| (BYTES - 1..=BYTES + 10).contains(size)), "{:?}", sizes.iter().max());
        let files: BTreeSet<String> = all.iter().map(file).collect();
        assert_eq!(files.len(), 10_000);

        let around = surroundings(10_000);
        let name = |o: &Value| o["metadata"]["name"].as_str().unwrap().to_owned();
        let switches: BTreeSet<String> = around.iter().filter(|o| o["kind"] == "Switch").map(name).collect();
        let connections: BTreeSet<String> = all.iter().filter(|o| o["kind"] == "Connection").map(name).collect();
        let mut ports = BTreeSet::new();
        for link in all.iter().filter_map(|o| o.pointer("/spec/bundled/links")?.as_array()).flatten() {
            for end in ["server", "switch"] {
                assert!(ports.insert(link[end]["port"].as_str().unwrap()), "{link}");
            }
            assert!(switches.contains(link["switch"]["port"].as_str().unwrap().split_once('/').unwrap().0));
        }
        for attachment in all.iter().filter(|o| o["kind"] == "VPCAttachment") {
            assert!(connections.contains(attachment["spec"]["connection"].as_str().unwrap()));
        }
    }
}
