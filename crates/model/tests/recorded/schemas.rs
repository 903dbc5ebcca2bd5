//! The kinds' own schemas, of three releases, against the recorded objects and the samples.

use crate::samples;
use crate::shared::{folder, lines, pairs, title};
use model::schema::Schema;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;

/// The schemas of one release by kind.
pub fn schemas(release: &str) -> Option<BTreeMap<String, Schema>> {
    let folder = folder()?.join(release);
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "yaml") {
            continue;
        }
        let crd: Value = serde_saphyr::from_str(fs::read_to_string(&path).unwrap().trim_start_matches("---")).unwrap();
        let version = &crd["spec"]["versions"][0];
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        found.insert(kind, Schema::new(&version["schema"]["openAPIV3Schema"]));
    }
    assert!(found.len() > 12, "{} holds {} schemas", folder.display(), found.len());
    Some(found)
}

#[test]
fn every_pair_passes_its_schema() {
    let Some(schemas) = schemas("crds") else { return };
    for (applied, stored) in pairs().unwrap() {
        let schema = &schemas[applied["kind"].as_str().unwrap()];
        assert_eq!(schema.check_object(&applied), [], "{}", title(&applied));
        assert_eq!(schema.check_object(&stored), [], "{}", title(&stored));
    }
}

#[test]
fn every_misspelt_field_of_every_pair_is_found() {
    let Some(schemas) = schemas("crds") else { return };
    let mut tried = 0;
    for (applied, _) in pairs().unwrap() {
        let schema = &schemas[applied["kind"].as_str().unwrap()];
        let keys: Vec<String> = applied["spec"].as_object().into_iter().flatten().map(|(k, _)| k.clone()).collect();
        for key in keys {
            let mut wrong = applied.clone();
            let value = wrong["spec"].as_object_mut().unwrap().shift_remove(&key).unwrap();
            wrong["spec"][format!("{key}x")] = value;
            let findings = schema.check_object(&wrong);
            let wanted = format!("spec.{key}x");
            let found = findings.iter().find(|f| f.path.as_deref() == Some(&wanted)).unwrap();
            assert_eq!(found.rule, "unknown_field", "{}", title(&applied));
            assert!(found.message.contains(&format!("Did you mean {key}?")), "{}", found.message);
            tried += 1;
        }
    }
    assert!(tried > 100, "{tried} were tried");
}

#[test]
fn what_the_schema_refused_is_refused_and_nothing_that_was_accepted() {
    let Some(schemas) = schemas("crds") else { return };
    let mut refused = Vec::new();
    for verdict in lines("verdicts.jsonl").unwrap() {
        let findings = schemas[verdict["object"]["kind"].as_str().unwrap()].check_object(&verdict["object"]);
        if verdict["verdict"] == "accepted" {
            assert_eq!(findings, [], "{}", verdict["case"]);
        } else if !findings.is_empty() {
            refused.push(verdict["case"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(refused, ["wrong-type", "unknown-role"]);
}

#[test]
fn the_samples_pass_the_schemas_of_their_release() {
    let Some(schemas) = schemas("crds") else { return };
    for sample in ["githedgehog+lab-ci", "githedgehog+demo-gitops"] {
        for (file, parsed) in samples::read(sample).unwrap() {
            for manifest in &parsed.manifests {
                assert_eq!(schemas[&manifest.key.kind].check(manifest), [], "{file} {}", manifest.key);
            }
        }
    }
}

#[test]
fn older_releases_refuse_what_they_do_not_know() {
    for (release, kind, spec, path) in [
        ("crds-by-release/v0.96", "External", r#"{"static": {"prefixes": ["0.0.0.0/0"]}}"#, "spec.static"),
        ("crds-by-release/v0.120", "GatewayPeering", r#"{"acl": {"default": "deny"}}"#, "spec.acl"),
    ] {
        let Some(schemas) = schemas(release) else { return };
        let object = serde_json::json!({"kind": kind, "metadata": {"name": "a"}, "spec": serde_json::from_str::<Value>(spec).unwrap()});
        let paths: Vec<_> = schemas[kind].check_object(&object).into_iter().filter_map(|f| f.path).collect();
        assert_eq!(paths, [path], "{release}");
    }
}
