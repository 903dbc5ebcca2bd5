//! The rules, each broken once in a small fabric of our own that breaks none.

use super::*;
use crate::manifest::{Limits, Severity, parse_file};
use serde_json::json;
use std::sync::Arc;

/// Two spines' worth of nothing: one leaf pair, two servers, two VPCs, an external and a gateway, all sound.
const FABRIC: &str = r#"
{apiVersion: wiring.githedgehog.com/v1beta1, kind: VLANNamespace, metadata: {name: default}, spec: {ranges: [{from: 100, to: 199}]}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: IPv4Namespace, metadata: {name: default}, spec: {subnets: [10.0.0.0/16]}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: SwitchGroup, metadata: {name: pair}, spec: {}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Switch, metadata: {name: leaf-1}, spec: {role: server-leaf, profile: box, asn: 65101, ip: 172.30.0.8/21, protocolIP: 172.30.8.1/32, vtepIP: 172.30.12.1/32, boot: {mac: "02:00:00:00:00:01"}, redundancy: {group: pair, type: eslag}, portBreakouts: {E1/2: 4x25G}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Switch, metadata: {name: leaf-2}, spec: {role: server-leaf, profile: box, asn: 65102, ip: 172.30.0.9/21, protocolIP: 172.30.8.2/32, vtepIP: 172.30.12.2/32, redundancy: {group: pair, type: eslag}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Switch, metadata: {name: spine-1}, spec: {role: spine, profile: box, asn: 65100, ip: 172.30.0.6/21, protocolIP: 172.30.8.0/32}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Server, metadata: {name: server-1}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Connection, metadata: {name: fabric-1}, spec: {fabric: {links: [{spine: {port: spine-1/E1/1, ip: 172.30.128.0/31}, leaf: {port: leaf-1/E1/1, ip: 172.30.128.1/31}}]}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Connection, metadata: {name: eslag-1}, spec: {eslag: {links: [{server: {port: server-1/a}, switch: {port: leaf-1/E1/2/1}}, {server: {port: server-1/b}, switch: {port: leaf-2/E1/2}}]}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Connection, metadata: {name: single-1}, spec: {unbundled: {link: {server: {port: server-1/c}, switch: {port: leaf-1/E1/2/2}}}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Connection, metadata: {name: outside-1}, spec: {external: {link: {switch: {port: leaf-1/E1/3}}}}}
---
{apiVersion: wiring.githedgehog.com/v1beta1, kind: Connection, metadata: {name: way-out}, spec: {gateway: {links: [{switch: {port: spine-1/E1/3, ip: 172.30.128.2/31}, gateway: {port: gw-1/eth0, ip: 172.30.128.3/31}}]}}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPC, metadata: {name: red}, spec: {subnets: {default: {subnet: 10.0.1.0/24, vlan: 101, dhcp: {enable: true, range: {start: 10.0.1.10, end: 10.0.1.99}}}, more: {subnet: 10.0.2.0/24, vlan: 102}}, permit: [[default, more]]}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPC, metadata: {name: blue}, spec: {subnets: {default: {subnet: 10.0.3.0/24, vlan: 103}}}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPCAttachment, metadata: {name: red-1}, spec: {subnet: red, connection: eslag-1}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: VPCPeering, metadata: {name: red--blue}, spec: {permit: [{red: {subnets: [default]}, blue: {}}]}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: External, metadata: {name: edge}, spec: {inboundCommunity: "65101:1", outboundCommunity: "1:65101"}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: ExternalAttachment, metadata: {name: edge-1}, spec: {external: edge, connection: outside-1, switch: {ip: 100.1.1.1/24, vlan: 10}, neighbor: {asn: 64000, ip: 100.1.1.2}}}
---
{apiVersion: vpc.githedgehog.com/v1beta1, kind: ExternalPeering, metadata: {name: red--edge}, spec: {permit: {vpc: {name: red, subnets: [default]}, external: {name: edge, prefixes: [{prefix: 0.0.0.0/0}]}}}}
---
{apiVersion: gateway.githedgehog.com/v1alpha1, kind: Gateway, metadata: {name: gw-1}, spec: {asn: 65534, protocolIP: 172.30.8.9/32, vtepIP: 172.30.12.9/32, vtepMAC: "02:00:00:00:01:01", interfaces: {eth0: {ips: [172.30.128.3/31]}}, neighbors: [{ip: 172.30.128.2, asn: 65100}]}}
---
{apiVersion: gateway.githedgehog.com/v1alpha1, kind: GatewayPeering, metadata: {name: blue--edge}, spec: {peering: {blue: {expose: [{ips: [{cidr: 10.0.3.0/24}], as: [{cidr: 10.9.0.0/31}], nat: {masquerade: {}}}]}, ext.edge: {expose: [{default: true}]}}}}
"#;

/// A switch with four ports: two plain, one that breaks out, one for management.
fn profile() -> (ObjectKey, Value) {
    let key = ObjectKey::new(WIRING, "SwitchProfile", "default", "box");
    let port = json!({"profile": "wide"});
    let object = json!({"spec": {
        "features": {"eslag": true, "l2vni": true, "l3vni": true},
        "ports": {"E1/1": port, "E1/2": port, "E1/3": port, "M1": {"management": true}},
        "portProfiles": {"wide": {"breakout": {"default": "1x100G", "supported":
            {"1x100G": {"offsets": ["0"]}, "4x25G": {"offsets": ["0", "1", "2", "3"]}}}}},
    }});
    (key, object)
}

/// The fabric with the object of that name changed by a merge patch; a new name adds an object.
fn with(name: &str, patch: &Value) -> Vec<Arc<Manifest>> {
    let mut manifests = parse_file("fabric.yaml", FABRIC.as_bytes(), "default", &Limits::default()).manifests;
    assert_eq!(manifests.len(), 21);
    if let Some(manifest) = manifests.iter_mut().find(|m| m.key.name == name) {
        Arc::make_mut(manifest).object.edit(|object| merge(object, patch));
    } else {
        let mut object = patch.clone();
        merge(&mut object, &json!({"metadata": {"name": name}}));
        manifests
            .extend(parse_file("more.yaml", object.to_string().as_bytes(), "default", &Limits::default()).manifests);
    }
    manifests
}

fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    into.shift_remove(key);
                } else {
                    merge(into.entry(key.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

fn run(desired: &[Arc<Manifest>], live: &[(ObjectKey, Value)]) -> Vec<Finding> {
    let live: Vec<_> = live.iter().map(|(key, value)| (key, value)).collect();
    check(&desired.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &live, &[])
}

/// Findings about one object, as `E rule path` or `W rule path`.
fn said(name: &str, patch: &Value) -> Vec<String> {
    let findings = run(&with(name, patch), &[profile()]);
    let mine = findings.iter().filter(|f| f.object.as_ref().is_some_and(|key| key.name == name));
    mine.map(|f| {
        let severity = if f.severity == Severity::Error { "E" } else { "W" };
        format!("{severity} {} {}", f.rule, f.path.as_deref().unwrap_or_default())
    })
    .collect()
}

#[test]
fn a_sound_fabric_has_no_findings() {
    assert_eq!(run(&with("red", &json!({})), &[profile()]), []);
    assert_eq!(run(&with("red", &json!({})), &[]), []);
}

#[track_caller]
fn each(cases: Vec<(&str, Value, &[&str])>) {
    for (name, patch, wanted) in cases {
        let (mut said, mut wanted) = (said(name, &patch), wanted.to_vec());
        said.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(said, wanted, "{name} with {patch}");
    }
}

#[test]
fn vpcs() {
    let subnet = |patch: Value| json!({"spec": {"subnets": {"default": patch}}});
    let at = "spec.subnets.default";
    let e = |rule: &str, field: &str| format!("E {rule} {at}.{field}");
    let w = |rule: &str, field: &str| format!("W {rule} {at}.{field}");
    for (patch, wanted) in [
        (json!({"subnet": "10.0.1.5/24"}), vec![w("not_canonical", "subnet")]),
        (json!({"subnet": "nonsense"}), vec![e("not_a_prefix", "subnet")]),
        (json!({"subnet": "10.0.1.0/31"}), vec![e("out_of_range", "subnet")]),
        (json!({"subnet": "11.0.1.0/24", "dhcp": null}), vec![e("not_inside", "subnet")]),
        (
            json!({"subnet": "10.0.2.0/25", "dhcp": null}),
            vec![e("overlap", "subnet"), "E overlap spec.subnets.more.subnet".into()],
        ),
        (json!({"subnet": "10.0.3.128/25", "dhcp": null}), vec![e("overlap", "subnet")]),
        (json!({"gateway": "10.0.9.1"}), vec![e("not_inside", "gateway")]),
        (json!({"vlan": null}), vec![e("missing_field", "vlan")]),
        (json!({"vlan": 200}), vec![e("not_inside", "vlan")]),
        (json!({"vlan": 103}), vec![e("vlan_used_twice", "vlan")]),
        (json!({"hostBGP": true}), vec![e("not_allowed", "dhcp.enable")]),
        (json!({"hostBGPMinPrefixLen": 25}), vec![e("not_allowed", "hostBGPMinPrefixLen")]),
        (json!({"dhcp": {"relay": "10.9.9.9/32"}}), vec![e("not_allowed", "dhcp.relay")]),
        (
            json!({"dhcp": {"enable": false, "range": null, "relayVPC": "blue"}}),
            vec![e("missing_field", "dhcp.relayVPC")],
        ),
        (
            json!({"dhcp": {"enable": false, "range": null, "relay": "10.9.9.9/32", "relayVPC": "nope"}}),
            vec![e("missing_reference", "dhcp.relayVPC")],
        ),
        (json!({"dhcp": {"enable": false}}), vec![w("discarded_dhcp", "dhcp.range")]),
        (json!({"dhcp": {"range": {"start": "10.0.9.1"}}}), vec![e("not_inside", "dhcp.range.start")]),
        (json!({"dhcp": {"range": {"start": "10.0.1.1"}}}), vec![e("not_allowed", "dhcp.range.start")]),
        (json!({"dhcp": {"range": {"start": "10.0.1.200"}}}), vec![e("not_allowed", "dhcp.range.start")]),
        (json!({"dhcp": {"range": {"end": "10.0.1.255"}}}), vec![w("range_end_is_broadcast", "dhcp.range.end")]),
        (json!({"gateway": "10.0.1.50"}), vec![w("range_contains_gateway", "dhcp.range")]),
        (
            json!({"dhcp": {"options": {"dnsServers": ["1.1.1.1", "dns"]}}}),
            vec![e("not_an_address", "dhcp.options.dnsServers[1]")],
        ),
        (json!({"dhcp": {"options": {"interfaceMTU": 95}}}), vec![e("out_of_range", "dhcp.options.interfaceMTU")]),
        (
            json!({"dhcp": {"options": {"advertisedRoutes": [{"destination": "x", "gateway": "10.0.1.2"}]}}}),
            vec![e("not_a_prefix", "dhcp.options.advertisedRoutes[0].destination")],
        ),
        (json!({"dhcp": {"static": {"zz": {"ip": "10.0.1.5"}}}}), vec![e("not_a_mac", "dhcp.static.zz")]),
        (
            json!({"dhcp": {"static": {"02-00-00-00-00-01": {"ip": "10.0.1.1"}}}}),
            vec![e("not_allowed", "dhcp.static.02-00-00-00-00-01.ip")],
        ),
    ] {
        assert_eq!(said("red", &subnet(patch.clone())), wanted, "{patch}");
    }
    each(vec![
        ("red", json!({"spec": {"mode": "l3flat"}}), &["E not_allowed spec.mode"]),
        ("red", json!({"spec": {"vlanNamespace": "nope"}}), &["E missing_reference spec.vlanNamespace"]),
        ("red", json!({"spec": {"permit": [["default"]]}}), &["E not_allowed spec.permit[0]"]),
        ("red", json!({"spec": {"permit": [["default", "x"]]}}), &["E missing_reference spec.permit[0][1]"]),
        (
            "red",
            json!({"spec": {"staticRoutes": [{"prefix": "10.8.0.1/24", "nextHops": ["hop"]}]}}),
            &["E not_a_prefix spec.staticRoutes[0].prefix", "W not_an_address spec.staticRoutes[0].nextHops[0]"],
        ),
        (
            "red",
            json!({"metadata": {"labels": {"fabric.githedgehog.com/mine": "x", "fabric.githedgehog.com/ipv4ns": "y"}}}),
            &["W discarded_label metadata.labels[\"fabric.githedgehog.com/mine\"]"],
        ),
        (
            "toolongname1",
            json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "External"}),
            &["E name_too_long metadata.name"],
        ),
        (
            "Upper",
            json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server"}),
            &["E invalid_name metadata.name"],
        ),
        (
            "default",
            json!({"spec": {"ranges": [{"from": 100, "to": 150}, {"from": 199, "to": 150}]}}),
            &["E discarded_vlan_range spec.ranges[1]"],
        ),
        (
            "default",
            json!({"spec": {"ranges": [{"from": 100, "to": 199}, {"from": 150}]}}),
            &["E overlap spec.ranges[1]"],
        ),
        ("default", json!({"spec": {"ranges": [{"from": 100, "to": 3000}]}}), &["W reserved_range spec.ranges[0]"]),
    ]);
}

#[test]
fn wiring() {
    each(vec![
        ("leaf-1", json!({"spec": {"profile": "nope"}}), &["E missing_reference spec.profile"]),
        ("leaf-1", json!({"spec": {"asn": null, "ip": null}}), &["E unhydrated spec.asn"]),
        ("leaf-1", json!({"spec": {"asn": 65102}}), &["E used_twice spec.asn"]),
        ("leaf-1", json!({"spec": {"vtepIP": "172.30.12.9/32"}}), &["E used_twice spec.vtepIP"]),
        ("leaf-2", json!({"spec": {"boot": {"mac": "02:00:00:00:00:01"}}}), &["W used_twice spec.boot.mac"]),
        ("leaf-1", json!({"spec": {"protocolIP": "172.30.8.1/31"}}), &["E not_a_prefix spec.protocolIP"]),
        ("spine-1", json!({"spec": {"vtepIP": "172.30.12.7/32"}}), &["E not_allowed spec.vtepIP"]),
        ("leaf-1", json!({"spec": {"groups": ["nope"]}}), &["E missing_reference spec.groups[0]"]),
        ("leaf-1", json!({"spec": {"redundancy": {"type": null}}}), &["E missing_field spec.redundancy"]),
        ("leaf-1", json!({"spec": {"vlanNamespaces": ["nope"]}}), &["E missing_reference spec.vlanNamespaces[0]"]),
        (
            "leaf-1",
            json!({"spec": {"portBreakouts": {"E1/1": "9x9G"}}}),
            &["E not_supported spec.portBreakouts[\"E1/1\"]"],
        ),
        ("leaf-1", json!({"spec": {"portSpeeds": {"E1/3": "25G"}}}), &["E not_supported spec.portSpeeds[\"E1/3\"]"]),
        ("leaf-1", json!({"spec": {"roce": true}}), &["E not_supported spec.roce"]),
        ("single-1", json!({"spec": {"unbundled": null}}), &["E missing_field spec"]),
        ("single-1", json!({"spec": {"external": {"link": {}}}}), &["W two_variants spec.external"]),
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"switch": {"port": "leaf-1"}}}}}),
            &["E not_allowed spec.unbundled.link.switch.port", "E wrong_count spec.unbundled"],
        ),
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"switch": {"port": "nope/E1/1"}}}}}),
            &["E missing_reference spec.unbundled.link.switch.port"],
        ),
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"server": {"port": "nope/a"}}}}}),
            &["E missing_reference spec.unbundled.link.server.port"],
        ),
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"switch": {"port": "leaf-1/E1/2/9"}}}}}),
            &["E not_supported spec.unbundled.link.switch.port"],
        ),
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"switch": {"port": "leaf-1/M1"}}}}}),
            &["E not_supported spec.unbundled.link.switch.port"],
        ),
        // The first lane of a port that is broken out is the port itself.
        (
            "single-1",
            json!({"spec": {"unbundled": {"link": {"switch": {"port": "leaf-1/E1/2"}}}}}),
            &["E port_in_use spec.unbundled.link.switch.port"],
        ),
        ("single-1", json!({"spec": {"unbundled": {"mtu": 9100}}}), &["W out_of_range spec.unbundled.mtu"]),
        (
            "fabric-1",
            json!({"spec": {"fabric": {"links": [{"spine": {"port": "spine-1/E1/1"}, "leaf": {"port": "leaf-1/E1/1"}}]}}}),
            &["E unhydrated spec.fabric.links[0]"],
        ),
        (
            "fabric-1",
            json!({"spec": {"fabric": {"links": [{"spine": {"port": "spine-1/E1/1"}, "leaf": {"port": "leaf-1/E1/1", "ip": "172.30.128.1/31"}}]}}}),
            &["W one_sided_address spec.fabric.links[0].leaf.ip"],
        ),
        (
            "fabric-1",
            json!({"spec": {"fabric": {"links": [{"spine": {"port": "spine-1/E1/1", "ip": "172.30.128.8/31"}, "leaf": {"port": "leaf-1/E1/1", "ip": "172.30.128.1/31"}}]}}}),
            &["E not_a_link spec.fabric.links[0]"],
        ),
        (
            "way-out",
            json!({"spec": {"gateway": {"links": [{"switch": {"port": "spine-1/E1/3", "ip": "172.30.128.0/31"}, "gateway": {"port": "gw-1/eth0", "ip": "172.30.128.1/31"}}]}}}),
            &[
                "E duplicate_address spec.gateway.links[0].gateway.ip",
                "E duplicate_address spec.gateway.links[0].switch.ip",
            ],
        ),
        (
            "way-out",
            json!({"spec": {"gateway": {"links": [{"switch": {"port": "spine-1/E1/3", "ip": "172.30.128.2/31"}, "gateway": {"port": "gw-9/eth0", "ip": "172.30.128.3/31"}}]}}}),
            &["W missing_gateway spec.gateway.links[0].gateway.port"],
        ),
        ("leaf-2", json!({"spec": {"redundancy": {"group": "other"}}}), &["E missing_reference spec.redundancy.group"]),
        (
            "static-1",
            json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Connection", "spec": {"staticExternal": {"withinVPC": "nope",
            "link": {"switch": {"port": "leaf-2/E1/3", "ip": "172.31.0.1/24", "nextHop": "172.32.0.1", "subnets": ["10.5.0.0/16", "10.5.1.0/24"]}}}}}),
            &[
                "E not_inside spec.staticExternal.link.switch.nextHop",
                "E overlap spec.staticExternal.link.switch.subnets",
                "E missing_reference spec.staticExternal.withinVPC",
            ],
        ),
    ]);
    let findings = run(&with("leaf-2", &json!({"spec": {"redundancy": null}})), &[profile()]);
    assert_eq!(findings.iter().map(|f| f.rule.as_str()).collect::<Vec<_>>(), ["no_redundancy_group"]);
}

#[test]
fn attachments_and_peerings() {
    let attachment =
        |spec: Value| json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCAttachment", "spec": spec});
    let peering =
        |spec: Value| json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCPeering", "spec": spec});
    each(vec![
        (
            "new",
            attachment(json!({"subnet": "red/nope", "connection": "single-1"})),
            &["E missing_reference spec.subnet"],
        ),
        ("new", attachment(json!({"subnet": "a/b/c", "connection": "single-1"})), &["E not_allowed spec.subnet"]),
        (
            "new",
            attachment(json!({"subnet": "red/more", "connection": "nope"})),
            &["E missing_reference spec.connection"],
        ),
        ("new", attachment(json!({"subnet": "red/more"})), &["E missing_field spec.connection"]),
        (
            "new",
            attachment(json!({"subnet": "red/more", "connection": "fabric-1"})),
            &["E not_allowed spec.connection"],
        ),
        (
            "new",
            attachment(json!({"subnet": "red/default", "connection": "eslag-1"})),
            &["E attached_twice spec.connection"],
        ),
        ("red--blue", json!({"spec": {"remote": "x"}}), &["E not_allowed spec.remote"]),
        ("red--blue", json!({"spec": {"permit": [{"red": {}}]}}), &["E not_allowed spec.permit[0]"]),
        (
            "red--blue",
            json!({"spec": {"permit": [{"red": {"subnets": ["x"]}, "blue": {}}]}}),
            &["E missing_reference spec.permit[0].red.subnets[0]"],
        ),
        (
            "red--blue",
            json!({"spec": {"permit": [{"red": {}, "nope": {}}]}}),
            &["E missing_reference spec.permit[0].nope"],
        ),
        ("again", peering(json!({"permit": [{"red": {}, "blue": {}}]})), &["W peered_twice spec.permit"]),
        ("edge", json!({"spec": {"inboundCommunity": "70000:1"}}), &["E not_allowed spec.inboundCommunity"]),
        ("edge-1", json!({"spec": {"neighbor": {"ip": "100.2.1.2"}}}), &["W not_inside spec.neighbor.ip"]),
        (
            "edge-1",
            json!({"spec": {"neighbor": null}}),
            &["E missing_field spec.neighbor.asn", "E not_an_address spec.neighbor.ip"],
        ),
        (
            "edge-1",
            json!({"spec": {"static": {"remoteIP": "100.1.1.2", "proxy": true}}}),
            &["E not_allowed spec.external", "E not_allowed spec.switch", "E not_allowed spec.neighbor"],
        ),
        ("edge-1", json!({"spec": {"connection": "single-1"}}), &["E not_allowed spec.connection"]),
        (
            "edge-1",
            json!({"spec": {"inboundACL": {"statements": [{"seq": 10, "action": "permit", "protocol": "icmp", "srcPrefix": "any", "dstPrefix": "x"}, {"seq": 10, "action": "no", "protocol": "tcp", "srcPrefix": "any", "dstPrefix": "any"}]}}}),
            &[
                "E not_allowed spec.inboundACL.statements[0].dstPrefix",
                "E not_allowed spec.inboundACL.statements[1].seq",
                "E not_allowed spec.inboundACL.statements[1].action",
            ],
        ),
        (
            "edge-2",
            json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "ExternalAttachment", "spec": {"external": "edge", "connection": "outside-1", "switch": {"ip": "100.3.1.1/24", "vlan": 10}, "neighbor": {"asn": 1, "ip": "100.3.1.2"}}}),
            &["E vlan_used_twice spec.switch.vlan"],
        ),
        (
            "red--edge",
            json!({"spec": {"permit": {"external": {"prefixes": [{"prefix": "nonsense"}]}}}}),
            &["W not_a_prefix spec.permit.external.prefixes[0].prefix"],
        ),
        (
            "red--edge",
            json!({"spec": {"permit": {"vpc": {"name": "nope"}}}}),
            &["E missing_reference spec.permit.vpc.name"],
        ),
    ]);
    // Two native VLANs on one connection: both are told.
    let mut both = with("red-1", &json!({"spec": {"nativeVLAN": true}}));
    both.extend(
        with("new", &attachment(json!({"subnet": "red/more", "connection": "eslag-1", "nativeVLAN": true}))).pop(),
    );
    let rules: Vec<_> = run(&both, &[]).into_iter().map(|f| f.rule).collect();
    assert_eq!(rules, ["native_vlan_twice", "native_vlan_twice"]);
}

#[test]
fn gateways() {
    let expose = |expose: Value| json!({"spec": {"peering": {"blue": {"expose": [expose]}}}});
    let at = "spec.peering.blue.expose[0]";
    for (patch, wanted) in [
        (json!({"ips": [{"cidr": "10.0.9.0/24"}]}), vec![format!("E not_inside {at}.ips[0].cidr")]),
        (json!({"ips": [{"cidr": "10.0.3.0/24", "not": "10.0.3.0/25"}]}), vec![format!("E not_allowed {at}.ips[0]")]),
        (json!({"ips": [{"vpcSubnet": "nope"}]}), vec![format!("E missing_reference {at}.ips[0].vpcSubnet")]),
        (json!({"ips": []}), vec![format!("E missing_field {at}.ips")]),
        (json!({"ips": [{"cidr": "10.0.3.0/24"}], "nat": {"static": {}}}), vec![format!("E not_allowed {at}")]),
        (json!({"ips": [{"cidr": "10.0.3.0/24"}], "default": true}), vec![format!("E not_allowed {at}")]),
        (
            json!({"ips": [{"cidr": "10.0.3.0/24"}], "as": [{"cidr": "10.9.0.0/31"}], "nat": {"masquerade": {"idleTimeout": "soon"}}}),
            vec![format!("E not_allowed {at}.nat.masquerade.idleTimeout")],
        ),
        (
            json!({"ips": [{"cidr": "10.0.3.0/24"}], "as": [{"cidr": "10.9.0.0/31"}], "nat": {"portForward": {"ports": [{"port": "80-70", "as": "80"}]}}}),
            vec![format!("E not_allowed {at}.nat.portForward.ports[0].port")],
        ),
    ] {
        assert_eq!(said("blue--edge", &expose(patch.clone())), wanted, "{patch}");
    }
    each(vec![
        ("gw-1", json!({"spec": {"vtepMAC": "03:00:00:00:00:01"}}), &["E not_a_mac spec.vtepMAC"]),
        ("gw-1", json!({"spec": {"workers": 65}}), &["E out_of_range spec.workers"]),
        ("gw-1", json!({"spec": {"logs": {"default": "loud"}}}), &["W not_allowed spec.logs.default"]),
        ("gw-1", json!({"spec": {"neighbors": null}}), &["E unhydrated spec.neighbors"]),
        (
            "gw-1",
            json!({"spec": {"interfaces": {"eth0": null, "0eth": {"ips": ["172.30.128.3/31"]}}}}),
            &["E invalid_name spec.interfaces.0eth"],
        ),
        (
            "gw-1",
            json!({"spec": {"groups": [{"name": "nope"}, {"name": "default"}]}}),
            &["E missing_reference spec.groups[0].name"],
        ),
        (
            "blue--edge",
            json!({"spec": {"gatewayGroup": "nope"}}),
            &["E missing_gateway spec.gatewayGroup", "E missing_reference spec.gatewayGroup"],
        ),
        ("blue--edge", json!({"spec": {"peering": {"ext.edge": null}}}), &["E wrong_count spec.peering"]),
        (
            "blue--edge",
            json!({"spec": {"acl": {"rules": [{"action": "allow", "from": "green"}]}}}),
            &["E missing_reference spec.acl.rules[0].from"],
        ),
        (
            "red--edge2",
            json!({"apiVersion": "gateway.githedgehog.com/v1alpha1", "kind": "GatewayPeering", "spec": {"peering": {
            "red": {"expose": [{"ips": [{"vpcSubnet": "default"}]}]}, "ext.edge": {"expose": [{"default": true}]}}}}),
            &["W known_defect spec.peering.red", "W peered_twice spec.peering"],
        ),
    ]);
}

#[test]
fn what_is_live_as_git_wants_it_is_not_blocked_by_a_newcomer() {
    let live: Vec<(ObjectKey, Value)> =
        with("red", &json!({})).into_iter().map(|m| (m.key.clone(), m.object.value())).collect();
    let findings = run(
        &with(
            "green",
            &json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "spec": {"subnets": {"a": {"subnet": "10.0.9.0/24", "vlan": 101}}}}),
        ),
        &live,
    );
    let said: Vec<_> = findings.iter().map(|f| (f.severity, f.object.as_ref().unwrap().name.as_str())).collect();
    assert_eq!(said, [(Severity::Warning, "red"), (Severity::Error, "green")]);
}

#[test]
fn a_subnet_that_changes_or_goes_names_everyone_who_uses_it() {
    let mut live: Vec<(ObjectKey, Value)> =
        with("red", &json!({})).into_iter().map(|m| (m.key.clone(), m.object.value())).collect();
    let expose = json!({"expose": [{"ips": [{"vpcSubnet": "default"}, {"vpcSubnet": "default"}]}]});
    live.push((
        ObjectKey::new(GATEWAY, "GatewayPeering", "default", "red--gw"),
        json!({"spec": {"peering": {"red": expose, "blue": {}}}}),
    ));
    let users = "VPCAttachment red-1, VPCPeering red--blue, ExternalPeering red--edge, GatewayPeering red--gw";
    let warned = |patch: Value| -> Vec<(String, String)> {
        let findings = run(&with("red", &json!({"spec": {"subnets": patch}})), &live);
        let of_users = |f: &Finding| ["disruptive_edit", "subnet_in_use"].contains(&f.rule.as_str());
        findings.into_iter().filter(of_users).map(|f| (f.rule, f.message)).collect()
    };
    for (patch, rule) in
        [(json!({"default": {"vlan": 111}}), "disruptive_edit"), (json!({"default": null}), "subnet_in_use")]
    {
        let said = warned(patch);
        assert_eq!(said.iter().map(|(rule, _)| rule.as_str()).collect::<Vec<_>>(), [rule]);
        assert!(said[0].1.contains(users), "{}", said[0].1);
    }
    assert_eq!(warned(json!({"more": {"vlan": 112}})), [], "nobody uses it");
    assert_eq!(warned(json!({"default": {"dhcp": {"enable": false}}})), [], "what is used did not change");
}

#[test]
fn host_bgp_that_goes_away_under_an_attachment_is_said() {
    let mut live: Vec<(ObjectKey, Value)> =
        with("red", &json!({})).into_iter().map(|m| (m.key.clone(), m.object.value())).collect();
    let red = live.iter_mut().find(|(key, _)| key.name == "red").unwrap();
    red.1["spec"]["subnets"]["default"]["hostBGP"] = true.into();
    let said = |patch: &Value| -> Vec<String> {
        let found = run(&with("red", patch), &live);
        found.into_iter().filter(|f| f.rule == "disruptive_edit").map(|f| f.message).collect()
    };
    let gone = said(&json!({}));
    assert!(gone.len() == 1 && gone[0].contains("hostBGP changes while VPCAttachment red-1"), "{gone:?}");
    assert_eq!(said(&json!({"spec": {"subnets": {"default": {"hostBGP": true}}}})), [""; 0], "it stays");
}

#[test]
fn a_breakout_that_changes_under_a_connection_is_said() {
    let live: Vec<(ObjectKey, Value)> =
        with("red", &json!({})).into_iter().map(|m| (m.key.clone(), m.object.value())).collect();
    let said = |patch: &Value| -> Vec<(String, String)> {
        let found = run(&with("leaf-1", &json!({"spec": {"portBreakouts": patch}})), &live);
        found.into_iter().filter(|f| f.rule == "disruptive_edit").map(|f| (f.path.unwrap(), f.message)).collect()
    };
    let found = said(&json!({"E1/2": "1x100G"}));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].1.contains("Connection eslag-1, Connection single-1"), "{}", found[0].1);
    assert_eq!(found[0].0, "spec.portBreakouts[\"E1/2\"]");
    assert_eq!(said(&json!({"E1/3": "1x100G"})).len(), 1, "the external's");
    assert_eq!(said(&json!({})), [], "nothing changes");
}

#[test]
fn what_is_beside_a_run_is_said_and_is_no_mistake() {
    let manifests = with("red", &json!({}));
    let (part, beside): (Vec<&Manifest>, Vec<&Manifest>) =
        manifests.iter().map(AsRef::as_ref).partition(|m: &&Manifest| m.key.name == "red-1");
    let beside: Vec<&ObjectKey> = beside.iter().map(|m| &m.key).collect();
    let said: Vec<_> =
        check_part(&part, &[], &[], &beside, &[]).into_iter().map(|f| (f.severity, f.rule, f.path)).collect();
    let of = |path: &str| (Severity::Warning, "not_selected".to_owned(), Some(path.to_owned()));
    assert_eq!(said, [of("spec.connection"), of("spec.subnet")]);
    assert!(check_part(&part, &[], &[], &[], &[]).iter().all(|f| f.rule == "missing_reference"));
}

#[test]
fn references_to_kinds_that_were_not_read_are_not_judged() {
    let manifests = with(
        "new",
        &json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPCAttachment",
        "spec": {"subnet": "red/more", "connection": "elsewhere"}}),
    );
    let refs: Vec<&Manifest> = manifests.iter().map(AsRef::as_ref).collect();
    assert_eq!(check(&refs, &[], &[]).len(), 1);
    assert_eq!(check(&refs, &[], &[(WIRING, "Connection")]), []);
}

#[test]
fn objects_of_any_shape_do_not_panic() {
    let shapes = [
        json!(null),
        json!([]),
        json!("x"),
        json!({"subnets": [1], "links": {}}),
        json!({"fabric": {"links": [{"a": 1}, 2]},
        "subnets": {"a": {"subnet": 1, "dhcp": []}}, "permit": {"a": 1}, "ranges": ["x"], "peering": {"a": [], "b": null},
        "redundancy": [], "interfaces": [], "unbundled": {"link": []}}),
    ];
    for kind in crate::kind::KNOWN {
        for spec in &shapes {
            let object = json!({"apiVersion": format!("{}/v1beta1", kind.group), "kind": kind.kind, "metadata": {"name": "a"}, "spec": spec});
            let parsed = parse_file("a.yaml", object.to_string().as_bytes(), "default", &Limits::default());
            let live: Vec<_> = parsed.manifests.iter().map(|m| (m.key.clone(), json!({"spec": shapes[4]}))).collect();
            run(&parsed.manifests, &live);
        }
    }
}
