//! What is equal to what, rule by rule, with objects of our own.

use super::*;
use crate::compare::{ObjectState, compare_object};
use crate::kind::KNOWN;
use serde_json::json;

fn object(kind: &str, spec: &Value) -> Value {
    let group = KNOWN.iter().find(|k| k.kind == kind).unwrap().group;
    json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}

fn are_equal(kind: &str, a: &Value, b: &Value) -> bool {
    let (a, b) = (object(kind, a), object(kind, b));
    let forth = compare_object(Some(&a), Some(&b), None).0 == ObjectState::Equal;
    let back = compare_object(Some(&b), Some(&a), None).0 == ObjectState::Equal;
    assert_eq!(forth, back, "{a} and {b} are equal in one direction only");
    assert_eq!(forth, normalise(&a) == normalise(&b), "comparison and canonical form disagree on {a} and {b}");
    forth
}

fn subnet(fields: &Value) -> Value {
    let mut subnet = json!({"subnet": "10.0.1.0/24", "vlan": 1});
    subnet.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"subnets": {"a": subnet}})
}

#[test]
fn what_the_webhooks_write_is_equal_to_what_was_sent() {
    for (kind, sent, stored) in [
        ("VPC", json!({"subnets": {}}), json!({"ipv4Namespace": "default", "vlanNamespace": "default", "mode": ""})),
        ("VPC", subnet(&json!({})), subnet(&json!({"gateway": "10.0.1.1", "dhcp": {}}))),
        ("VPC", subnet(&json!({"hostBGP": true})), subnet(&json!({"hostBGP": true, "dhcp": {}}))),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true}})),
            subnet(
                &json!({"gateway": "10.0.1.1", "dhcp": {"enable": true, "range": {"start": "10.0.1.2", "end": "10.0.1.255"}}}),
            ),
        ),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true, "range": {"start": "10.0.1.9"}}})),
            subnet(&json!({"dhcp": {"enable": true, "range": {"start": "10.0.1.9", "end": "10.0.1.255"}}})),
        ),
        (
            "VPC",
            subnet(&json!({"dhcp": {"range": {"start": "10.0.1.9"}, "options": {"interfaceMTU": 1500}}})),
            subnet(&json!({})),
        ),
        ("VPC", subnet(&json!({"dhcp": {"enable": true, "options": {}}})), subnet(&json!({"dhcp": {"enable": true}}))),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true, "options": {"dnsServers": []}}})),
            subnet(
                &json!({"dhcp": {"enable": true, "options": {"dnsServers": [], "timeServers": [], "interfaceMTU": 9036, "leaseTimeSeconds": 3600}}}),
            ),
        ),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true, "options": {"dnsServers": ["2.2.2.2", "1.1.1.1"]}}})),
            subnet(
                &json!({"dhcp": {"enable": true, "options": {"dnsServers": ["1.1.1.1", "2.2.2.2"], "interfaceMTU": 9036, "leaseTimeSeconds": 3600}}}),
            ),
        ),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true, "static": {"AA-BB-CC-00-00-01": {"ip": "10.0.1.9"}}}})),
            subnet(&json!({"dhcp": {"enable": true, "static": {"aa:bb:cc:00:00:01": {"ip": "10.0.1.9"}}}})),
        ),
        ("VPCAttachment", json!({"subnet": "red"}), json!({"subnet": "red/default", "nativeVLAN": false})),
        ("VPCPeering", json!({"permit": [{"a": null, "b": {}}]}), json!({"permit": [{"a": {}, "b": {"subnets": []}}]})),
        ("External", json!({}), json!({"ipv4Namespace": "default"})),
        ("ExternalAttachment", json!({"external": "e"}), json!({"external": "e", "switch": {}, "neighbor": {}})),
        (
            "ExternalPeering",
            json!({"permit": {"vpc": {"subnets": ["b", "a"]}, "external": {"prefixes": [{"prefix": "2"}, {"prefix": "1"}]}}}),
            json!({"permit": {"vpc": {"subnets": ["a", "b"]}, "external": {"prefixes": [{"prefix": "1"}, {"prefix": "2"}]}}}),
        ),
        ("IPv4Namespace", json!({"subnets": ["b", "a"]}), json!({"subnets": ["a", "b"]})),
        (
            "VLANNamespace",
            json!({"ranges": [{"from": 9}, {"from": 1, "to": 3}]}),
            json!({"ranges": [{"from": 1, "to": 3}, {"from": 9, "to": 9}]}),
        ),
        (
            "Switch",
            json!({"portSpeeds": {"E1/1": "SPEED_25G"}, "groups": ["b", "a"], "redundancy": {"group": "c", "type": "eslag"}}),
            json!({"portSpeeds": {"E1/1": "25G"}, "groups": ["a", "b", "c"], "redundancy": {"group": "c", "type": "eslag"},
                "vlanNamespaces": ["default"], "ecmp": {}, "boot": {}}),
        ),
        (
            "Switch",
            json!({"linkFlapErrDisable": {}}),
            json!({"linkFlapErrDisable": {"flapThreshold": 3, "samplingInterval": 30, "recoveryInterval": 300}}),
        ),
        ("Switch", json!({"portLocators": {"E1/1": {}}}), json!({})),
        (
            "Connection",
            json!({"unbundled": {"mtu": 0, "link": {"switch": {"port": "a/b"}}}}),
            json!({"unbundled": {"link": {"server": {}, "switch": {"port": "a/b"}}}}),
        ),
        (
            "Gateway",
            json!({}),
            json!({"logs": {"default": "info", "tags": {"all": "info"}}, "workers": 4, "groups": [{"name": "default"}], "profiling": {}}),
        ),
        (
            "Gateway",
            json!({"groups": [{"name": "b"}, {"name": "a", "priority": 0}]}),
            json!({"groups": [{"name": "a"}, {"name": "b"}]}),
        ),
        (
            "GatewayPeering",
            json!({"peering": {"a": {"expose": [{"nat": {"masquerade": {"idleTimeout": "300s"}}}]}, "b": null}, "acl": {"rules": [{"action": "deny", "match": {}}]}}),
            json!({"gatewayGroup": "default", "peering": {"a": {"expose": [{"nat": {"masquerade": {"idleTimeout": "5m0s"}}}]}, "b": {}},
                "acl": {"default": "deny-unless-exposed", "rules": [{"action": "deny", "scope": "flow"}]}}),
        ),
        (
            "GatewayPeering",
            json!({"peering": {"a": {"expose": [{"nat": {"portForward": {}}}]}}}),
            json!({"peering": {"a": {"expose": [{"nat": {"portForward": {"idleTimeout": "2m0s"}}}]}}}),
        ),
        ("Server", json!(null), json!({})),
    ] {
        assert!(are_equal(kind, &sent, &stored), "{kind}: {sent} is not {stored}");
    }
}

#[test]
fn presence_and_zero_count_where_they_mean_something() {
    for (kind, one, other) in [
        ("VPC", json!({"subnets": {"a": {}}}), json!({"subnets": {}})),
        ("VPC", subnet(&json!({"isolated": false})), subnet(&json!({}))),
        ("VPC", subnet(&json!({"restricted": false})), subnet(&json!({}))),
        ("VPC", json!({"permit": [["a", "b"]]}), json!({"permit": [["b", "a"]]})),
        (
            "VPC",
            subnet(&json!({"dhcp": {"enable": true, "options": {"dnsServers": []}}})),
            subnet(&json!({"dhcp": {"enable": true}})),
        ),
        ("VPC", subnet(&json!({"hostBGPExtraPrefixes": {"10.1.0.0/24": {}}})), subnet(&json!({}))),
        ("VPC", subnet(&json!({"gateway": "10.0.1.2"})), subnet(&json!({}))),
        ("VPC", subnet(&json!({"hostBGP": true, "gateway": "10.0.1.1"})), subnet(&json!({"hostBGP": true}))),
        ("VPCPeering", json!({"permit": [{"a": {}, "b": {}}]}), json!({"permit": [{"a": {}}]})),
        ("External", json!({"static": {}}), json!({})),
        (
            "ExternalAttachment",
            json!({"inboundACL": {"statements": [{"icmpType": 0}]}}),
            json!({"inboundACL": {"statements": [{}]}}),
        ),
        ("Connection", json!({"unbundled": {}}), json!({})),
        ("Connection", json!({"unbundled": {}}), json!({"bundled": {}})),
        ("Switch", json!({"linkFlapErrDisable": {}}), json!({})),
        ("Switch", json!({"linkFlapErrDisable": {"recoveryInterval": 0}}), json!({"linkFlapErrDisable": {}})),
        ("Switch", json!({"portAutoNegs": {"E1/1": false}}), json!({})),
        ("Switch", json!({"portBreakouts": {"E1/1": "4x25G"}}), json!({"portBreakouts": {"E1/2": "4x25G"}})),
        ("Gateway", json!({"interfaces": {"eth0": {}}}), json!({})),
        ("GatewayPeering", json!({"acl": {}}), json!({})),
        (
            "GatewayPeering",
            json!({"peering": {"a": {"expose": [{"nat": {"static": {}}}]}}}),
            json!({"peering": {"a": {"expose": [{}]}}}),
        ),
        ("GatewayPeering", json!({"peering": {"a": {}}}), json!({"peering": {}})),
    ] {
        assert!(!are_equal(kind, &one, &other), "{kind}: {one} passes for {other}");
    }
}

#[test]
fn the_rules_of_a_kind_are_told_in_words() {
    let words = |group: &str, kind: &str| rules_in_words(&Gvk::new(group, "v1beta1", kind)).len();
    assert_eq!(words("wiring.githedgehog.com", "Server"), 4);
    assert_eq!(words("wiring.githedgehog.com", "Switch"), 6);
    assert_eq!(words("wiring.githedgehog.com", "Connection"), 5);
    assert_eq!(words("new.githedgehog.com", "Thing"), 3);
}
