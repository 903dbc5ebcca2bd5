//! What goes, what stays, in which order, and when somebody has to confirm it; with objects of our own.

use super::*;
use serde_json::json;

fn object(kind: &str, name: &str, spec: Value) -> (ObjectKey, Value) {
    let known = crate::kind::KNOWN.iter().find(|k| k.kind == kind).unwrap();
    (ObjectKey::new(known.group, kind, "default", name), json!({"metadata": {"name": name}, "spec": spec}))
}

fn ours(objects: &[(ObjectKey, Value)]) -> Vec<Extra<'_>> {
    objects.iter().map(|(key, live)| Extra { key, live, owner: Some(Owner::Applied), has_error: false }).collect()
}

fn input<'a>(extras: Vec<Extra<'a>>, others: &'a [(ObjectKey, Value)], options: &'a SyncOptions) -> Input<'a> {
    let others: Vec<_> = others.iter().map(|(key, value)| (key, value)).collect();
    let desired = others.len() as u64;
    Input { extras, desired_and_live: desired, desired, others, limit_percent: 100, options }
}

fn in_steps(plan: &PrunePlan) -> Vec<Vec<&str>> {
    let mut steps: Vec<Vec<&str>> = Vec::new();
    for deletion in &plan.deletions {
        steps.resize(steps.len().max(deletion.step + 1), Vec::new());
        steps[deletion.step].push(&deletion.key.name);
    }
    steps
}

#[test]
fn nothing_is_deleted_before_what_refers_to_it() {
    let objects = [
        object("VLANNamespace", "default", json!({})),
        object("Switch", "sw", json!({"groups": ["g"]})),
        object("SwitchGroup", "g", json!({})),
        object("Connection", "within", json!({"staticExternal": {"withinVPC": "inner"}})),
        object("VPC", "inner", json!({})),
        object("VPC", "dhcp", json!({})),
        object("VPC", "user", json!({"subnets": {"a": {"dhcp": {"relayVPC": "dhcp"}}}})),
        object("VPCAttachment", "at", json!({"subnet": "user/a", "connection": "c"})),
        object("Connection", "c", json!({"unbundled": {"link": {"switch": {"port": "sw/E1/1"}}}})),
        object("GatewayPeering", "gp", json!({"peering": {"user": {}, "ext.e": {}}})),
        object("External", "e", json!({})),
        object("ExternalAttachment", "ea", json!({"external": "e", "connection": "c"})),
        object("Gateway", "gw", json!({})),
        object("GatewayGroup", "default", json!({})),
    ];
    let options = SyncOptions::default();
    let plan = plan(&input(ours(&objects), &[], &options));
    let order: Vec<&str> = plan.deletions.iter().map(|d| d.key.name.as_str()).collect();
    let at = |name: &str| order.iter().position(|n| *n == name).unwrap();
    for (first, then) in [
        ("gp", "user"),
        ("at", "user"),
        ("user", "dhcp"),
        ("at", "c"),
        ("ea", "e"),
        ("ea", "c"),
        ("gp", "e"),
        ("within", "inner"),
        ("c", "sw"),
        ("sw", "g"),
        ("gp", "gw"),
    ] {
        assert!(at(first) < at(then), "{first} before {then}: {:?}", in_steps(&plan));
    }
    assert_eq!(in_steps(&plan)[0], ["gp"], "{:?}", in_steps(&plan));
    assert!(plan.deletions.iter().all(|d| d.used_by.is_empty()), "{:?}", plan.deletions);
}

#[test]
fn a_circle_does_not_hang() {
    let relay = |to: &str| json!({"subnets": {"a": {"dhcp": {"relayVPC": to}}}});
    let objects = [object("VPC", "a", relay("b")), object("VPC", "b", relay("a"))];
    let options = SyncOptions::default();
    assert_eq!(plan(&input(ours(&objects), &[], &options)).deletions.len(), 2);
}

#[test]
fn what_hedgerow_did_not_write_or_is_told_to_keep_stays() {
    let objects = ["foreign", "noted", "argo", "flux", "left", "wrong", "other", "ours"].map(|name| {
        let kind = if name == "other" { "Server" } else { "VPC" };
        let (key, mut live) = object(kind, name, json!({}));
        live["metadata"]["annotations"] = match name {
            "noted" => json!({"hedgerow.io/prune": "disabled"}),
            "argo" => json!({"argocd.argoproj.io/sync-options": "Validate=false, Prune=false"}),
            "flux" => json!({"kustomize.toolkit.fluxcd.io/prune": "Disabled"}),
            _ => json!({"hedgerow.io/prune": "enabled", "argocd.argoproj.io/sync-options": "Prune=true"}),
        };
        (key, live)
    });
    let mut extras = ours(&objects);
    extras[0].owner = None;
    extras[5].has_error = true;
    let options = SyncOptions {
        kinds: ["VPC.vpc.githedgehog.com".to_owned()].into(),
        leave_objects: [objects[4].0.clone()].into(),
        ..SyncOptions::default()
    };
    let plan = plan(&input(extras, &[], &options));
    let kept: BTreeMap<&str, KeptBecause> = plan.kept.iter().map(|k| (k.key.name.as_str(), k.because)).collect();
    let expected = BTreeMap::from([
        ("foreign", KeptBecause::NotOurs),
        ("noted", KeptBecause::OptedOut),
        ("argo", KeptBecause::OptedOut),
        ("flux", KeptBecause::OptedOut),
        ("left", KeptBecause::LeftOut),
        ("wrong", KeptBecause::NamedWithError),
        ("other", KeptBecause::NotSelected),
    ]);
    assert_eq!(kept, expected);
    assert_eq!(in_steps(&plan), [["ours"]]);
    assert!(plan.kept.iter().any(|k| k.message.contains("hedgerow.io/prune: disabled")), "{:?}", plan.kept);
}

#[test]
fn what_hedgehog_does_not_protect_is_named_with_who_uses_it() {
    let going = [
        object("SwitchGroup", "g", json!({})),
        object("VPC", "v", json!({})),
        object("VPC", "relayed", json!({})),
        object("External", "e", json!({})),
        object("GatewayGroup", "gr", json!({})),
        object("Gateway", "last", json!({"groups": [{"name": "only"}]})),
        object("Gateway", "one-of-two", json!({"groups": [{"name": "pair"}]})),
        object(
            "Connection",
            "to-gw",
            json!({"gateway": {"links": [{"switch": {"port": "l/E1/1", "ip": "172.30.128.2/31"}}]}}),
        ),
        object(
            "Connection",
            "free",
            json!({"gateway": {"links": [{"switch": {"port": "l/E1/2", "ip": "172.30.128.8/31"}}]}}),
        ),
    ];
    let staying = [
        object("Switch", "sw", json!({"groups": ["g"]})),
        object("VPC", "user", json!({"subnets": {"a": {"dhcp": {"relayVPC": "relayed"}}}})),
        object("GatewayPeering", "p", json!({"gatewayGroup": "gr", "peering": {"v": {}, "ext.e": {}}})),
        object("GatewayPeering", "q", json!({"gatewayGroup": "only", "peering": {"user": {}, "x": {}}})),
        object("GatewayPeering", "r", json!({"gatewayGroup": "pair", "peering": {"user": {}, "x": {}}})),
        object("Gateway", "gw", json!({"groups": [{"name": "pair"}], "neighbors": [{"ip": "172.30.128.2"}]})),
        // A webhook minds these, in its own words.
        object("VPCAttachment", "at", json!({"subnet": "v/a"})),
    ];
    let options = SyncOptions::default();
    let plan = plan(&input(ours(&going), &staying, &options));
    let used: BTreeMap<&str, String> =
        plan.deletions.iter().map(|d| (d.key.name.as_str(), d.used_by.join(", "))).collect();
    let expected = [
        ("g", "Switch sw"),
        ("v", "GatewayPeering p"),
        ("relayed", "VPC user"),
        ("e", "GatewayPeering p"),
        ("gr", "GatewayPeering p"),
        ("last", "GatewayPeering q"),
        ("one-of-two", ""),
        ("to-gw", "Gateway gw"),
        ("free", ""),
    ];
    assert_eq!(used, expected.map(|(name, users)| (name, users.to_owned())).into());
    let guarded = plan.deletions.iter().filter(|d| !d.guarded_by.is_empty());
    let guarded: Vec<_> = guarded.map(|d| (d.key.name.as_str(), d.guarded_by.join(", "))).collect();
    assert_eq!(guarded, [("v", "VPCAttachment at".to_owned())]);
}

#[test]
fn a_name_has_to_be_typed_for_much_or_for_all() {
    let going: Vec<_> = (0..3).map(|n| object("VPC", &format!("v{n}"), json!({}))).collect();
    let staying: Vec<_> = (0..7).map(|n| object("Server", &format!("s{n}"), json!({}))).collect();
    let options = SyncOptions::default();
    let of = |staying: &[(ObjectKey, Value)], limit_percent| {
        plan(&Input { limit_percent, ..input(ours(&going), staying, &options) })
    };
    let within = of(&staying, 30);
    assert_eq!((within.confirm, within.managed), (None, 10));
    let beyond = of(&staying, 29).confirm.unwrap();
    assert!(
        beyond.contains("3 of the 10") && beyond.contains("VPC v0, VPC v1, VPC v2") && beyond.contains("29 percent")
    );
    let all = Input { desired: 4, desired_and_live: 0, ..input(ours(&going), &[], &options) };
    assert!(plan(&all).confirm.unwrap().starts_with("All 3 objects"));
    assert!(of(&[], 100).confirm.unwrap().contains("no objects at all"));
    let nothing = plan(&Input { limit_percent: 0, ..input(Vec::new(), &staying, &options) });
    assert_eq!(nothing.confirm, None);
}

#[test]
fn only_a_write_by_hedgerow_makes_an_object_its_own() {
    let by = |entry: Value| was_applied(&json!({"metadata": {"managedFields": [{"manager": "kubectl"}, entry]}}));
    assert!(by(json!({"manager": "hedgerow", "operation": "Update"})));
    assert!(!by(json!({"manager": "hedgerow-2"})));
    assert!(!by(json!({"manager": "hedgerow", "subresource": "status"})));
    assert!(!was_applied(&json!({})));
}
