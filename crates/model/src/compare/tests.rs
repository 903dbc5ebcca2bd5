//! Verdicts, sides, writes; with objects of our own.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn vpc(spec: Value) -> Value {
    json!({"apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "metadata": {"name": "v1", "namespace": "default"}, "spec": spec})
}

fn subnet(vlan: u32) -> Value {
    vpc(json!({"subnets": {"default": {"subnet": "10.0.1.0/24", "vlan": vlan}}}))
}

/// What the server makes of [`subnet`].
fn stored(vlan: u32) -> Value {
    let mut object = vpc(json!({"ipv4Namespace": "default", "vlanNamespace": "default",
        "subnets": {"default": {"subnet": "10.0.1.0/24", "gateway": "10.0.1.1", "vlan": vlan, "dhcp": {}}}}));
    object["metadata"] = json!({"name": "v1", "namespace": "default", "uid": "u", "resourceVersion": "7",
        "generation": 2, "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"fabric.githedgehog.com/ipv4ns": "default"}});
    object["status"] = json!({"vni": 100});
    object
}

fn judge(desired: &Value, live: &Value, base: Option<&Value>) -> (ObjectState, Vec<(String, Side)>) {
    let (state, diffs) = compare_object(Some(desired), Some(live), base);
    (state, diffs.into_iter().map(|d| (d.path, d.side)).collect())
}

#[test]
fn states_follow_desired_live_and_base() {
    let (one, two) = (subnet(1), subnet(2));
    let state = |d: Option<&Value>, l: Option<&Value>, b: Option<&Value>| compare_object(d, l, b).0;
    let (live, other) = (stored(1), stored(2));
    assert_eq!(state(Some(&one), Some(&live), None), ObjectState::Equal);
    assert_eq!(state(Some(&one), Some(&live), Some(&two)), ObjectState::Equal);
    assert_eq!(state(Some(&one), Some(&other), None), ObjectState::Undelivered);
    assert_eq!(state(Some(&one), Some(&other), Some(&one)), ObjectState::Modified);
    assert_eq!(state(Some(&one), Some(&other), Some(&two)), ObjectState::Undelivered);
    assert_eq!(state(Some(&one), Some(&other), Some(&subnet(3))), ObjectState::Conflict);
    assert_eq!(state(Some(&one), None, None), ObjectState::Undelivered);
    assert_eq!(state(None, Some(&live), Some(&one)), ObjectState::Extra);
    assert_eq!(state(None, None, Some(&one)), ObjectState::Equal);
}

#[test]
fn what_is_being_deleted_is_never_equal() {
    let mut live = stored(1);
    live["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    let at = ("metadata.deletionTimestamp".to_owned(), Side::Live);
    assert_eq!(judge(&subnet(1), &live, Some(&subnet(1))), (ObjectState::Modified, vec![at.clone()]));
    assert_eq!(judge(&subnet(1), &live, None), (ObjectState::Modified, vec![at]));
    live["metadata"]["finalizers"] = json!(["example.test/hold", "b"]);
    let (state, diffs) = compare_object(Some(&subnet(2)), Some(&live), Some(&subnet(1)));
    assert_eq!(state, ObjectState::Conflict, "Git changed it, and somebody deletes it");
    let paths: Vec<&str> = diffs.iter().map(|diff| diff.path.as_str()).collect();
    assert_eq!(paths, ["metadata.deletionTimestamp", "metadata.finalizers", "spec.subnets.default.vlan"]);
    assert_eq!(diffs[0].changed_at, Some("2026-01-02T03:04:05Z".parse().unwrap()));
    assert_eq!(
        Deletion::of(&live).unwrap().sentence(),
        "It is being deleted since 2026-01-02T03:04:05Z, held by its finalizers (example.test/hold, b)."
    );
    // Only what is in the cluster alone stays what it is, and two forms of one that goes may be the same.
    assert_eq!(compare_object(None, Some(&live), None).0, ObjectState::Extra);
    assert_eq!(compare_object(Some(&live), Some(&live), None).0, ObjectState::Equal);
    assert_eq!(Deletion::of(&stored(1)), None);
}

#[test]
fn lesson_30_what_was_deleted_in_the_cluster_is_missing() {
    assert_eq!(compare_object(Some(&subnet(1)), None, Some(&subnet(1))), (ObjectState::Missing, vec![]));
    assert_eq!(compare_object(Some(&subnet(1)), None, Some(&subnet(2))).0, ObjectState::Missing);
}

#[test]
fn lesson_20_a_planted_drift_shows_its_exact_field_with_who_and_when() {
    let mut live = stored(2);
    live["metadata"]["managedFields"] = json!([{"manager": "kubectl-edit", "operation": "Update",
        "time": "2026-01-02T03:04:05Z", "fieldsV1": {"f:spec": {"f:subnets": {"f:default": {"f:vlan": {}}}}}}]);
    let (state, diffs) = compare_object(Some(&subnet(1)), Some(&live), Some(&subnet(1)));
    assert_eq!(state, ObjectState::Modified);
    assert_eq!(
        diffs,
        [FieldDiff {
            path: "spec.subnets.default.vlan".into(),
            desired: Some(json!(1)),
            live: Some(json!(2)),
            side: Side::Live,
            manager: Some("kubectl-edit".into()),
            changed_at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        }]
    );
}

#[test]
fn each_field_has_its_own_side() {
    let base = vpc(
        json!({"mode": "", "subnets": {"a": {"subnet": "10.0.1.0/24", "vlan": 1}, "b": {"subnet": "10.0.2.0/24", "vlan": 2}}}),
    );
    let mut desired = base.clone();
    desired["spec"]["subnets"]["a"]["vlan"] = json!(11);
    let mut live = base.clone();
    live["spec"]["subnets"]["b"]["vlan"] = json!(22);
    let side = |path: &str, side| (path.to_owned(), side);
    assert_eq!(
        judge(&desired, &live, Some(&base)),
        (
            ObjectState::Conflict,
            vec![side("spec.subnets.a.vlan", Side::Desired), side("spec.subnets.b.vlan", Side::Live)]
        )
    );
    live["spec"]["subnets"]["a"]["vlan"] = json!(12);
    assert_eq!(judge(&desired, &live, Some(&base)).1[0], side("spec.subnets.a.vlan", Side::Both));
    // Both made the same change: there is nothing to say about it.
    live["spec"]["subnets"]["a"]["vlan"] = json!(11);
    assert_eq!(
        judge(&desired, &live, Some(&base)),
        (ObjectState::Modified, vec![side("spec.subnets.b.vlan", Side::Live)])
    );
}

#[test]
fn paths_are_spelt_as_written_and_lists_are_compared_after_sorting() {
    let dhcp = |mac: &str, ip: &str, servers: Value| {
        vpc(json!({"subnets": {"a": {"subnet": "10.0.1.0/24", "vlan": 1, "dhcp": {"enable": true,
            "options": {"dnsServers": servers}, "static": {mac: {"ip": ip}}}}}}))
    };
    let desired = dhcp("AA-BB-CC-DD-EE-01", "10.0.1.5", json!(["9.9.9.9", "1.1.1.1"]));
    let live = dhcp("aa:bb:cc:dd:ee:01", "10.0.1.6", json!(["1.1.1.1", "8.8.8.8", "9.9.9.9"]));
    let (_, diffs) = compare_object(Some(&desired), Some(&live), None);
    let said: Vec<_> = diffs.iter().map(|d| (d.path.as_str(), d.desired.clone(), d.live.clone())).collect();
    assert_eq!(
        said,
        [
            ("spec.subnets.a.dhcp.options.dnsServers[1]", None, Some(json!("8.8.8.8"))),
            ("spec.subnets.a.dhcp.static.AA-BB-CC-DD-EE-01.ip", Some(json!("10.0.1.5")), Some(json!("10.0.1.6"))),
        ]
    );
    let ranges = |ranges: Value| json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "VLANNamespace", "metadata": {}, "spec": {"ranges": ranges}});
    let (_, diffs) = compare_object(
        Some(&ranges(json!([{"from": 200, "to": 300}, {"from": 100}]))),
        Some(&ranges(json!([{"from": 100, "to": 100}, {"from": 200, "to": 299}]))),
        None,
    );
    assert_eq!(diffs.len(), 1, "{diffs:?}");
    assert_eq!((diffs[0].path.as_str(), &diffs[0].desired), ("spec.ranges[0].to", &Some(json!(300))));
}

#[test]
fn whole_parts_that_one_side_lacks_are_told_by_their_leaves() {
    let mut live = stored(1);
    live["spec"]["subnets"]["extra"] = json!({"subnet": "10.0.9.0/24", "gateway": "10.0.9.1", "vlan": 9, "dhcp": {}});
    let paths = |desired: &Value, live: &Value| -> Vec<String> {
        compare_object(Some(desired), Some(live), None).1.into_iter().map(|d| d.path).collect()
    };
    let wanted = ["spec.subnets.extra.gateway", "spec.subnets.extra.subnet", "spec.subnets.extra.vlan"];
    assert_eq!(paths(&subnet(1), &live), wanted);
    // The gateway that the server would fill in is no field that Git wrote.
    let mut desired = subnet(1);
    desired["spec"]["subnets"]["extra"] = json!({"subnet": "10.0.9.0/24", "vlan": 9});
    assert_eq!(paths(&desired, &stored(1)), wanted[1..]);
}

#[test]
fn labels_that_git_does_not_name_belong_to_others() {
    let labelled = |labels: Value| {
        let mut object = subnet(1);
        object["metadata"]["labels"] = labels;
        object
    };
    let live = labelled(json!({"team": "a", "other": "x", "fabric.githedgehog.com/ipv4ns": "default"}));
    assert_eq!(judge(&labelled(json!({"team": "a"})), &live, None).0, ObjectState::Equal);
    assert_eq!(judge(&labelled(json!({})), &live, None).0, ObjectState::Equal);
    let path = |p: &str| vec![(p.to_owned(), Side::Desired)];
    assert_eq!(judge(&labelled(json!({"team": "b"})), &live, None).1, path("metadata.labels.team"));
    let desired = labelled(json!({"fabric.githedgehog.com/mine": "x"}));
    assert_eq!(judge(&desired, &live, None).0, ObjectState::Equal, "the server drops it; a finding says so");
    // Git named it once and names it no more.
    let base = labelled(json!({"team": "a"}));
    assert_eq!(
        judge(&labelled(json!({})), &live, Some(&base)),
        (ObjectState::Undelivered, path("metadata.labels.team"))
    );
    let written = desired_for_write(&labelled(json!({})), Some(&live), Some(&base));
    assert_eq!(written["metadata"]["labels"], json!({"other": "x"}));
    let written = desired_for_write(&labelled(json!({})), Some(&live), None);
    assert_eq!(written["metadata"]["labels"], json!({"team": "a", "other": "x"}));
}

#[test]
fn unknown_kinds_are_compared_nearly_as_written() {
    let thing =
        |spec: Value| json!({"apiVersion": "new.githedgehog.com/v1", "kind": "Thing", "metadata": {}, "spec": spec});
    let state = |a: Value, b: Value| compare_object(Some(&thing(a)), Some(&thing(b)), None).0;
    assert_eq!(state(json!({"a": {}, "b": []}), json!({})), ObjectState::Equal);
    assert_eq!(state(json!({"a": {"b": {"c": {}}}}), json!({})), ObjectState::Equal);
    assert_eq!(state(json!({"a": false}), json!({})), ObjectState::Undelivered);
    assert_eq!(state(json!({"a": 0}), json!({})), ObjectState::Undelivered);
    assert_eq!(state(json!({"a": ["y", "x"]}), json!({"a": ["x", "y"]})), ObjectState::Undelivered);
    assert_eq!(state(json!({"a": 1}), json!({"a": 1.0})), ObjectState::Equal);
}

#[test]
fn a_write_carries_the_live_version_and_nothing_of_the_servers() {
    let mut desired = subnet(1);
    desired["metadata"]["uid"] = json!("of another cluster");
    desired["metadata"]["managedFields"] = json!([]);
    desired["status"] = json!({"vni": 1});
    let mut live = stored(2);
    live["metadata"]["finalizers"] = json!(["theirs"]);
    live["metadata"]["annotations"] = json!({"kubectl.kubernetes.io/last-applied-configuration": "{}"});
    let written = desired_for_write(&desired, Some(&live), None);
    assert_eq!(
        written["metadata"],
        json!({"name": "v1", "namespace": "default", "uid": "u", "resourceVersion": "7", "finalizers": ["theirs"],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}})
    );
    assert!(written.get("status").is_none());
    assert_eq!(written["spec"], desired["spec"], "defaults are left to the server, which then fills in fresh ones");
    let created = desired_for_write(&desired, None, None);
    assert_eq!(created["metadata"], json!({"name": "v1", "namespace": "default"}));
}

fn link(spine: &str, leaf: &str, ips: Option<(&str, &str)>) -> Value {
    match ips {
        Some((a, b)) => json!({"spine": {"port": spine, "ip": a}, "leaf": {"port": leaf, "ip": b}}),
        None => json!({"spine": {"port": spine}, "leaf": {"port": leaf}}),
    }
}

fn fabric(links: Vec<Value>) -> Value {
    json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Connection", "metadata": {"name": "c"},
        "spec": {"fabric": {"links": links}}})
}

#[test]
fn lesson_43_addresses_follow_their_ports_and_a_lost_one_is_told() {
    let live = fabric(vec![
        link("s/E1/1", "l/E1/1", Some(("10.0.0.0/31", "10.0.0.1/31"))),
        link("s/E1/2", "l/E1/2", Some(("10.0.0.2/31", "10.0.0.3/31"))),
    ]);
    let removed = |git: &Value| -> Vec<String> {
        let written = desired_for_write(git, Some(&live), None);
        removed_link_addresses(&written, &live).iter().map(ToString::to_string).collect()
    };
    let plain = fabric(vec![link("s/E1/1", "l/E1/1", None), link("s/E1/2", "l/E1/2", None)]);
    assert_eq!(compare_object(Some(&plain), Some(&live), None).0, ObjectState::Equal);
    assert_eq!(removed(&plain), [""; 0]);
    // The other order: a difference, and each address goes with its ports.
    let turned = fabric(vec![link("s/E1/2", "l/E1/2", None), link("s/E1/1", "l/E1/1", None)]);
    let written = desired_for_write(&turned, Some(&live), None);
    assert_eq!(written["spec"]["fabric"]["links"][0]["leaf"]["ip"], "10.0.0.3/31");
    assert_eq!(removed(&turned), [""; 0]);
    // Another port: its address is not the old one's.
    let moved = fabric(vec![link("s/E1/1", "l/E1/1", None), link("s/E1/2", "l/E1/9", None)]);
    assert_eq!(removed(&moved), ["spec.fabric.links[1].spine.ip", "spec.fabric.links[1].leaf.ip"]);
    assert_eq!(removed(&fabric(vec![link("s/E1/1", "l/E1/1", None)])).len(), 2);
    // An address that Git replaces is not taken away.
    let other =
        fabric(vec![link("s/E1/1", "l/E1/1", Some(("10.9.0.0/31", "10.9.0.1/31"))), link("s/E1/2", "l/E1/2", None)]);
    assert_eq!(removed(&other), [""; 0]);
    let ignored = crate::normalise::ignored(&plain, &live);
    assert_eq!(ignored.len(), 4);
    assert_eq!(ignored[0].path.to_string(), "spec.fabric.links[0].spine.ip");
}

#[test]
fn port_locators_and_gateway_addresses_are_carried_over() {
    let switch = |spec: Value| json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Switch", "metadata": {"name": "s"}, "spec": spec});
    let live = switch(json!({"role": "spine", "asn": 65100, "ip": "172.30.0.6/21", "vlanNamespaces": ["default"],
        "portLocators": {"E1/1": {"expiry": "2026-01-01T00:00:00Z"}}, "ecmp": {}, "redundancy": {}}));
    let git = switch(json!({"role": "spine", "description": "new", "portLocators": {"*": {}}}));
    let written = desired_for_write(&git, Some(&live), None);
    assert_eq!(
        written["spec"],
        json!({"role": "spine", "description": "new", "asn": 65100, "ip": "172.30.0.6/21",
            "portLocators": {"E1/1": {"expiry": "2026-01-01T00:00:00Z"}}})
    );
    let diffs = compare_object(Some(&git), Some(&live), None).1;
    assert_eq!(diffs.into_iter().map(|d| d.path).collect::<Vec<_>>(), ["spec.description"]);
    let gateway = |spec: Value| json!({"apiVersion": "gateway.githedgehog.com/v1alpha1", "kind": "Gateway", "metadata": {"name": "g"}, "spec": spec});
    let live = gateway(
        json!({"asn": 1, "neighbors": [{"ip": "10.0.0.1"}], "interfaces": {"eth0": {"ips": ["10.0.0.2/31"], "mtu": 9100}}, "workers": 4}),
    );
    let git = gateway(json!({"interfaces": {"eth0": {}}}));
    assert_eq!(compare_object(Some(&git), Some(&live), None).0, ObjectState::Equal);
    let written = desired_for_write(&git, Some(&live), None);
    assert_eq!(written["spec"]["interfaces"]["eth0"], json!({"ips": ["10.0.0.2/31"], "mtu": 9100}));
    assert_eq!(written["spec"]["neighbors"], json!([{"ip": "10.0.0.1"}]));
}

fn json_value() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "subnets",
        "default",
        "dhcp",
        "enable",
        "options",
        "links",
        "ip",
        "port",
        "groups",
        "redundancy",
        "group",
        "ranges",
        "from",
        "acl",
        "static",
        "a",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..3).prop_map(Value::from),
        prop::sample::select(vec!["", "x", "10.0.0.0/24", "5m", "aa:bb:cc:dd:ee:ff"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    })
}

fn object() -> impl Strategy<Value = Value> {
    let kinds: Vec<_> =
        crate::kind::KNOWN.iter().map(|k| (k.group, k.kind)).chain([("new.githedgehog.com", "New")]).collect();
    (prop::sample::select(kinds), json_value()).prop_map(|((group, kind), spec)| {
        json!({"apiVersion": format!("{group}/v1beta1"), "kind": kind, "metadata": {"name": "a"}, "spec": spec})
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_object_equals_itself_and_its_canonical_form_is_final(object in object()) {
        prop_assert_eq!(compare_object(Some(&object), Some(&object), None).0, ObjectState::Equal);
        let canonical = normalise::normalise(&object);
        let mut again = canonical.clone();
        again["apiVersion"] = object["apiVersion"].clone();
        prop_assert_eq!(normalise::normalise(&again), canonical);
    }

    #[test]
    fn a_difference_has_fields_and_a_write_ends_it(git in object(), live in json_value()) {
        let mut other = git.clone();
        other["spec"] = live;
        let (state, diffs) = compare_object(Some(&git), Some(&other), None);
        prop_assert_eq!(state == ObjectState::Equal, diffs.is_empty());
        for diff in &diffs {
            prop_assert!(diff.desired.is_some() || diff.live.is_some());
            let path: crate::path::Path = diff.path.parse().unwrap();
            let side = if diff.desired.is_some() { &git } else { &other };
            // What is written in one place is found there again; defaults stand nowhere.
            if let Some(found) = path.get(side) {
                prop_assert_eq!(Some(found), diff.desired.as_ref().or(diff.live.as_ref()));
            }
        }
        let written = desired_for_write(&git, Some(&other), None);
        let (state, diffs) = compare_object(Some(&git), Some(&written), None);
        prop_assert_eq!(state, ObjectState::Equal, "{:?}", diffs);
        removed_link_addresses(&written, &other);
    }
}
