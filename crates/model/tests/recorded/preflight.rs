//! The pre-flight rules against what the controller accepted and refused.

use crate::samples;
use crate::schemas::schemas;
use crate::shared::{lines, pairs, title};
use model::ObjectKey;
use model::manifest::{Finding, Limits, Manifest, Severity, parse_file};
use model::preflight::{check, is_discarded};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

fn manifest(object: &Value) -> Arc<Manifest> {
    let parsed = parse_file("a.yaml", object.to_string().as_bytes(), "default", &Limits::default());
    parsed.manifests.into_iter().next().unwrap_or_else(|| panic!("{object}: {:?}", parsed.findings))
}

/// The lab as it was stored, with the built-in profiles.
fn live() -> Option<Vec<(ObjectKey, Value)>> {
    let stored = pairs()?.into_iter().map(|(_, stored)| stored);
    let all = stored.chain(lines("switchprofiles.jsonl")?);
    Some(all.map(|object| (ObjectKey::of(&object).unwrap(), object)).collect())
}

fn run(desired: &[Arc<Manifest>], live: &[(ObjectKey, Value)]) -> Vec<Finding> {
    let live: Vec<_> = live.iter().map(|(key, value)| (key, value)).collect();
    check(&desired.iter().map(AsRef::as_ref).collect::<Vec<_>>(), &live, &[])
}

fn errors(findings: &[Finding]) -> Vec<String> {
    let errors = findings.iter().filter(|f| f.severity == Severity::Error);
    errors.map(|f| format!("{} {}: {}", f.rule, f.path.as_deref().unwrap_or_default(), f.message)).collect()
}

#[test]
fn what_was_accepted_has_no_error() {
    let Some(live) = live() else { return };
    let desired: Vec<Arc<Manifest>> = pairs().unwrap().iter().map(|(applied, _)| manifest(applied)).collect();
    let profiles: Vec<_> = live.iter().filter(|(key, _)| key.kind == "SwitchProfile").cloned().collect();
    for live in [&live[..], &profiles, &[]] {
        let findings = run(&desired, live);
        assert_eq!(errors(&findings), [""; 0]);
        let discarded: Vec<_> = findings.iter().filter(|f| is_discarded(f)).filter_map(|f| f.path.as_deref()).collect();
        assert_eq!(discarded, ["metadata.labels[\"fabric.githedgehog.com/mine\"]", "spec.subnets.nodhcp.dhcp.range"]);
    }
}

/// Refusals whose reason lies in the fabric's own settings; here they are warnings.
const BY_SETTINGS: [&str; 1] = ["range-reserved"];
/// Kinds that never get as far as the pre-flight rules.
const LEFT_ALONE: [&str; 1] = ["custom-profile"];
/// Accepted, and then not as it was meant: the ranges are wiped, the link does not work.
const ACCEPTED_BUT_BROKEN: [&str; 2] = ["range-inverted", "fabric-no-ip"];
/// Accepted, and doubtful.
const DOUBTFUL: [(&str, &str); 6] = [
    ("non-canonical-cidr", "not_canonical"),
    ("duplicate-pair", "peered_twice"),
    ("hostbgp-or-mode-mix", ""),
    ("neighbor-outside", "not_inside"),
    ("bad-prefix", "not_a_prefix"),
    ("mclag", "deprecated"),
];

#[test]
fn verdicts_are_foreseen() {
    let Some(live) = live() else { return };
    let schemas = schemas("crds").unwrap();
    let base: Vec<Arc<Manifest>> = pairs().unwrap().iter().map(|(applied, _)| manifest(applied)).collect();
    let mut foreseen = 0;
    for verdict in lines("verdicts.jsonl").unwrap() {
        let (case, object) = (verdict["case"].as_str().unwrap(), &verdict["object"]);
        if LEFT_ALONE.contains(&case) {
            continue;
        }
        let mine = manifest(object);
        let mut desired = base.clone();
        desired.retain(|m| m.key != mine.key);
        desired.push(mine.clone());
        let mut findings = run(&desired, &live);
        findings.retain(|f| f.object.as_ref() == Some(&mine.key));
        findings.extend(schemas[&mine.key.kind].check(&mine));
        let errors = errors(&findings);
        let accepted = verdict["verdict"] == "accepted";
        if BY_SETTINGS.contains(&case) {
            assert!(errors.is_empty() && !findings.is_empty(), "{case}: {findings:?}");
        } else if accepted && !ACCEPTED_BUT_BROKEN.contains(&case) {
            assert!(errors.is_empty(), "{case} {} was accepted: {errors:#?}", title(object));
        } else {
            assert!(!errors.is_empty(), "{case} {} was refused: {}", title(object), verdict["says"]);
            foreseen += 1;
        }
        if let Some((_, rule)) = DOUBTFUL.iter().find(|(name, rule)| *name == case && !rule.is_empty()) {
            let found = findings.iter().any(|f| f.rule == *rule && f.severity == Severity::Warning);
            assert!(found, "{case}: {findings:?}");
        }
    }
    assert!(foreseen > 35, "{foreseen} refusals were foreseen");
}

#[test]
fn wiring_that_was_not_hydrated_is_said_and_blocked() {
    let Some(files) = samples::read("githedgehog+lab-ci") else { return };
    let desired: Vec<Arc<Manifest>> = files.into_iter().flat_map(|(_, parsed)| parsed.manifests).collect();
    let findings = run(&desired, &[]);
    let mut by_kind: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings.iter().filter(|f| f.rule == "unhydrated") {
        assert_eq!(finding.severity, Severity::Error);
        assert!(finding.location.as_ref().unwrap().line > 1);
        *by_kind.entry(&finding.object.as_ref().unwrap().kind).or_default() += 1;
    }
    assert_eq!(by_kind, BTreeMap::from([("Connection", 10), ("Gateway", 2), ("Switch", 6)]));
    // The same wiring over the installed lab takes its addresses from there.
    let live = live().unwrap();
    let over: Vec<_> = run(&desired, &live).into_iter().filter(|f| f.rule == "unhydrated").collect();
    assert_eq!(over, []);
}

#[test]
fn removing_a_subnet_in_use_is_said() {
    let Some(live) = live() else { return };
    let mut vpc = pairs().unwrap().into_iter().find(|(a, _)| a["metadata"]["name"] == "vpc-1").unwrap().0;
    vpc["spec"]["subnets"].as_object_mut().unwrap().shift_remove("ranged");
    vpc["spec"]["permit"] = serde_json::json!([]);
    vpc["spec"]["subnets"]["default"]["vlan"] = serde_json::json!(1077);
    let findings = run(&[manifest(&vpc)], &live);
    let said: Vec<_> = findings.iter().map(|f| (f.rule.as_str(), f.path.as_deref().unwrap())).collect();
    assert!(said.contains(&("subnet_in_use", "spec.subnets")), "{findings:#?}");
    assert!(said.contains(&("disruptive_edit", "spec.subnets.default.vlan")), "{findings:#?}");
    let in_use = findings.iter().find(|f| f.rule == "subnet_in_use").unwrap();
    assert!(in_use.message.contains("ExternalPeering vpc-1--default"), "{}", in_use.message);
}
