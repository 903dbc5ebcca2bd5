//! Manifests of objects of our own, and the files that they get.

use super::*;
use crate::ObjectKey;
use crate::compare::{ObjectState, compare_object};
use crate::manifest::{Limits, parse_file};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

fn live(api_version: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": "default", "uid": "u",
        "resourceVersion": "7", "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}]},
        "spec": spec, "status": {"x": 1}})
}

/// Adopts an object, and holds what must hold for each.
fn adopted(live: &Value) -> Value {
    let manifest = manifest(live).unwrap();
    assert_eq!(compare_object(Some(&manifest), Some(live), None), (ObjectState::Equal, Vec::new()), "{manifest}");
    let text = text(&manifest);
    let parsed = parse_file("a.yaml", text.as_bytes(), "default", &Limits::default());
    assert_eq!(parsed.findings, [], "{text}");
    assert_eq!(parsed.manifests[0].object.value(), manifest, "{text}");
    assert_eq!(Some(&parsed.manifests[0].key), ObjectKey::of(live).as_ref(), "{text}");
    assert_eq!(super::manifest(&manifest).unwrap(), manifest, "adopting it again changes nothing");
    manifest
}

const VPC: &str = "vpc.githedgehog.com/v1beta1";
const WIRING: &str = "wiring.githedgehog.com/v1beta1";
const GATEWAY: &str = "gateway.githedgehog.com/v1alpha1";

#[test]
fn what_the_webhooks_wrote_is_gone_and_what_people_wrote_stays() {
    let mut vpc = live(
        VPC,
        "VPC",
        &json!({"ipv4Namespace": "default", "vlanNamespace": "default", "mode": "", "subnets": {
            "app": {"subnet": "10.0.1.0/24", "gateway": "10.0.1.1", "vlan": 1001, "dhcp": {
                "enable": true, "range": {"start": "10.0.1.2", "end": "10.0.1.255"},
                "options": {"dnsServers": [], "timeServers": [], "interfaceMTU": 9036, "leaseTimeSeconds": 3600}}},
            "db": {"subnet": "10.0.2.0/24", "gateway": "10.0.2.254", "vlan": 1002, "isolated": false, "hostBGP": false,
                "dhcp": {}},
            "empty": {},
        }}),
    );
    vpc["metadata"]["labels"] = json!({"fabric.githedgehog.com/ipv4ns": "default", "team": "db"});
    vpc["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}",
        "argocd.argoproj.io/tracking-id": "x", "note": "yes"});
    let expected = "apiVersion: vpc.githedgehog.com/v1beta1
kind: VPC
metadata:
  name: a
  namespace: default
  labels:
    team: db
  annotations:
    note: \"yes\"
spec:
  mode: \"\"
  subnets:
    app:
      dhcp:
        enable: true
        options:
          leaseTimeSeconds: 3600
      subnet: 10.0.1.0/24
      vlan: 1001
    db:
      gateway: \"10.0.2.254\"
      hostBGP: false
      isolated: false
      subnet: 10.0.2.0/24
      vlan: 1002
    empty: {}
";
    assert_eq!(text(&adopted(&vpc)), expected);
}

#[test]
fn presence_that_counts_stays() {
    let spec = |api, kind, spec: Value| adopted(&live(api, kind, &spec))["spec"].clone();
    let peering = json!({"permit": [{"vpc-1": {}, "vpc-2": {}}]});
    assert_eq!(spec(VPC, "VPCPeering", peering.clone()), peering);
    let external = json!({"ipv4Namespace": "default", "static": {}});
    assert_eq!(spec(VPC, "External", external), json!({"static": {}}));
    let attachment = json!({"external": "e", "connection": "c", "neighbor": {}, "switch": {},
        "static": {"ip": "10.0.0.1/31", "remoteIP": "10.0.0.0"}});
    assert_eq!(
        spec(VPC, "ExternalAttachment", attachment),
        json!({"connection": "c", "external": "e", "static": {"ip": "10.0.0.1/31", "remoteIP": "10.0.0.0"}})
    );
    let switch = json!({"role": "spine", "profile": "p", "asn": 65100, "ip": "10.1.1.1/32", "boot": {"mac": "m"},
        "ecmp": {}, "redundancy": {}, "vlanNamespaces": ["default"], "portAutoNegs": {"E1/1": false},
        "portLocators": {"E1/1": "2026-01-01T00:00:00Z"},
        "linkFlapErrDisable": {"flapThreshold": 3, "samplingInterval": 30, "recoveryInterval": 300}});
    assert_eq!(
        spec(WIRING, "Switch", switch),
        json!({"asn": 65100, "boot": {"mac": "m"}, "ip": "10.1.1.1/32", "linkFlapErrDisable": {},
            "portAutoNegs": {"E1/1": false}, "profile": "p", "role": "spine"})
    );
    let connection = json!({"unbundled": {"link": {"server": {"port": "s/e1"}, "switch": {"port": "l/E1/1"}}}});
    assert_eq!(spec(WIRING, "Connection", connection.clone()), connection);
    assert_eq!(spec(WIRING, "Server", json!({})), json!({}));
    let peering = json!({"gatewayGroup": "default", "acl": {"default": "deny-unless-exposed"}, "peering": {
        "a": {"expose": [{"ips": [{"cidr": "10.0.0.0/24"}], "nat": {"masquerade": {"idleTimeout": "2m0s"}, "static": {}}}]},
        "b": {}}});
    assert_eq!(
        spec(GATEWAY, "GatewayPeering", peering),
        json!({"acl": {}, "peering": {"a": {"expose": [{"ips": [{"cidr": "10.0.0.0/24"}], "nat": {"masquerade": {},
            "static": {}}}]}, "b": {}}})
    );
}

#[test]
fn what_the_newest_release_annotates_is_not_adopted() {
    let mut connection = live(WIRING, "Connection", &json!({"bundled": {"links": []}}));
    connection["metadata"]["annotations"] = json!({"fabric.githedgehog.com/switches": "l", "fabric.githedgehog.com/servers": "s", "type.hhfab.githedgehog.com": "x"});
    connection["metadata"]["labels"] = json!({"switch.fabric.githedgehog.com/l": "true"});
    let metadata = adopted(&connection)["metadata"].clone();
    assert_eq!(metadata["annotations"], json!({"type.hhfab.githedgehog.com": "x"}));
    assert_eq!(metadata.get("labels"), None);
    let mut attachment = live(VPC, "VPCAttachment", &json!({"subnet": "vpc-1/default", "connection": "c"}));
    attachment["metadata"]["annotations"] = json!({"fabric.githedgehog.com/p2p-link": "10.0.0.0/31"});
    assert_eq!(
        adopted(&attachment)["metadata"]["annotations"],
        json!({"fabric.githedgehog.com/p2p-link": "10.0.0.0/31"})
    );
}

#[test]
fn a_kind_that_nobody_has_heard_of_stays_as_it_is_stored() {
    let spec = json!({"flag": false, "struct": {}, "list": [], "number": 0});
    assert_eq!(adopted(&live("new.githedgehog.com/v1", "Novelty", &spec))["spec"], in_order(spec));
}

#[test]
fn what_is_not_peoples_is_refused_with_its_reason() {
    let words = |object: &Value| manifest(object).unwrap_err().to_string();
    for (api, kind, by) in [
        ("agent.githedgehog.com/v1beta1", "Agent", "the fabric's controller"),
        ("gwint.githedgehog.com/v1alpha1", "GatewayAgent", "the fabric's controller"),
        (WIRING, "SwitchProfile", "Hedgehog itself"),
        ("fabricator.githedgehog.com/v1beta1", "Fabricator", "the installer"),
        ("v1", "Secret", "others than Hedgehog"),
    ] {
        assert!(words(&live(api, kind, &json!({"password": "x"}))).contains(by), "{kind}");
    }
    let mut owned = live(VPC, "External", &json!({}));
    owned["metadata"]["ownerReferences"] = json!([{"kind": "VPCInterconnect", "name": "dc-2"}]);
    assert!(words(&owned).contains("VPCInterconnect dc-2"));
    let mut going = live(VPC, "VPC", &json!({}));
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(words(&going), "It is being deleted.");
    assert_eq!(manifest(&json!({"kind": "VPC"})), Err(NotAdoptable::NoIdentity));
}

fn source(files: &[(&str, &[(&str, &str)])]) -> Vec<Arc<crate::manifest::Manifest>> {
    let object = |(kind, name): &(&str, &str)| {
        let group = kind::KNOWN.iter().find(|k| k.kind == *kind).unwrap().group;
        let version = kind::served_version(group).unwrap();
        text(&json!({"apiVersion": format!("{group}/{version}"), "kind": kind, "metadata": {"name": name}, "spec": {}}))
    };
    let read = |(file, objects): &(&str, &[(&str, &str)])| {
        let documents: Vec<String> = objects.iter().map(object).collect();
        parse_file(file, documents.join("---\n").as_bytes(), "default", &Limits::default()).manifests
    };
    files.iter().flat_map(read).collect()
}

#[test]
fn the_file_follows_the_habit_of_the_source() {
    let manifests = source(&[
        ("net/vpcs/web.yml", &[("VPC", "web")]),
        ("net/vpcs/db.yml", &[("VPC", "db")]),
        ("net/all.yaml", &[("VPCAttachment", "one"), ("VPCAttachment", "two")]),
        ("net/a/server-1.yaml", &[("Server", "server-1")]),
        ("net/b/server-2.yaml", &[("Server", "server-2")]),
    ]);
    let mut files: Vec<String> = manifests.iter().map(|m| m.location.file.to_string()).collect();
    files.extend(["net/vpcs/old.yml".to_owned(), "net/vpcattachments/X.yaml".into(), "net/switches".into()]);
    let mut places = Places::new("net", &files, &manifests);
    let mut choose = |kind: &str, name: &str, plural: &str| {
        let group = kind::KNOWN.iter().find(|k| k.kind == kind).unwrap().group;
        let place = places.choose(&ObjectKey::new(group, kind, "default", name), plural);
        (place.path, place.instead_of)
    };
    assert_eq!(choose("VPC", "new", "vpcs"), ("net/vpcs/new.yml".into(), None));
    assert_eq!(choose("VPC", "old", "vpcs"), ("net/vpcs/old-vpc.yml".into(), Some("net/vpcs/old.yml".into())));
    assert_eq!(choose("VPC", "old", "vpcs").0, "net/vpcs/old-vpc-2.yml");
    assert_eq!(choose("VPCAttachment", "x", "vpcattachments").0, "net/vpcattachments/x-vpcattachment.yaml");
    assert_eq!(choose("Server", "server-3", "servers"), ("net/servers/server-3.yaml".into(), None));
    assert_eq!(choose("Switch", "leaf", "switches"), ("net/switches-2/leaf.yaml".into(), None));
    let mut managed = Places::new("", &["managed/vpcs/a.yaml".into()], &[]);
    let server = ObjectKey::new("wiring.githedgehog.com", "Server", "default", "../s");
    assert_eq!(managed.choose(&server, "servers").path, "managed/servers/x..-s.yaml");
}

proptest! {
    #[test]
    fn any_text_survives_the_file(words in prop::collection::vec("\\PC{0,12}|[0-9a-fx:._+-]{1,8}|yes|no|on|~|null|0755|1e3", 1..6),
        lines in "[ -~\n\t]{0,120}", number in any::<f64>().prop_filter("JSON has no others", |n| n.is_finite())) {
        let object = json!({"apiVersion": "new.githedgehog.com/v1", "kind": "Novelty", "metadata": {"name": "a", "namespace": "b"},
            "spec": {"words": words, "lines": lines, "number": number, "nested": {lines.clone(): [words.clone()]}}});
        let written = text(&object);
        let parsed = parse_file("a.yaml", written.as_bytes(), "b", &Limits::default());
        prop_assert_eq!(&parsed.manifests[0].object.value(), &object, "{}", written);
    }
}
