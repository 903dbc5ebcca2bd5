//! The layouts, entry by entry.

use super::*;
use model::Gvk;
use model::manifest::Manifest;
use serde_json::json;

fn entries(paths: &[&str]) -> Vec<Entry> {
    let id = "a".repeat(40);
    paths.iter().map(|p| Entry { kind: Kind::File, id: id.clone(), path: p.as_bytes().to_vec() }).collect()
}

fn chosen(selection: &Selection) -> Vec<&str> {
    selection.files.iter().map(|f| f.path.as_str()).collect()
}

fn rules(selection: &Selection) -> Vec<(&str, &str)> {
    let file = |f: &Finding| f.location.as_ref().map(|l| l.file.clone()).unwrap_or_default();
    selection
        .findings
        .iter()
        .map(|f| (f.rule.as_str(), Box::leak(String::from(&*file(f)).into_boxed_str()) as &str))
        .collect()
}

#[test]
fn plain_trees_give_every_yaml_file_at_any_depth() {
    let tree = entries(&["a.yaml", "b/c/d.yml", "b/README.md", "E.YAML", ".yaml", "unmanaged/x.yaml", "raw/y.yaml"]);
    let selection = select("fabric", tree);
    let expected =
        ["fabric/a.yaml", "fabric/b/c/d.yml", "fabric/E.YAML", "fabric/unmanaged/x.yaml", "fabric/raw/y.yaml"];
    assert_eq!(chosen(&selection), expected);
    assert!(selection.findings.is_empty(), "{:?}", selection.findings);
}

#[test]
fn hidden_folders_are_named_once() {
    let selection =
        select("", entries(&[".github/workflows/a.yml", ".github/workflows/b.yml", "x/.y/z.yaml", "k.yaml"]));
    assert_eq!(chosen(&selection), ["k.yaml"]);
    assert_eq!(rules(&selection), [("hidden", ".github"), ("hidden", "x/.y")]);
    assert!(selection.findings[0].message.starts_with("2 files"));
}

#[test]
fn hnp_layout_reads_managed_before_raw_and_leaves_unmanaged_alone() {
    let tree =
        [".hnp/archive-log.yaml", "managed/vpcs/a.yaml", "raw/b.yaml", "raw/c.yaml.archived", "unmanaged/d.yaml"];
    let mut tree = entries(&tree);
    tree.sort_by(|a, b| b.path.cmp(&a.path));
    let selection = select("gitops", tree);
    assert!(selection.hnp);
    assert_eq!(chosen(&selection), ["gitops/managed/vpcs/a.yaml", "gitops/raw/b.yaml"]);
    assert_eq!(rules(&selection), [("hidden", "gitops/.hnp"), ("unmanaged", "gitops/unmanaged")]);
}

#[test]
fn links_submodules_and_foreign_encodings_are_named() {
    let id = "a".repeat(40);
    let of = |kind, path: &[u8]| Entry { kind, id: id.clone(), path: path.to_vec() };
    let tree = vec![
        of(Kind::Link, b"l.yaml"),
        of(Kind::Link, b"dir"),
        of(Kind::LinkToFile, b"m.yaml"),
        of(Kind::LinkToFile, b"README"),
        of(Kind::Link, b".github/workflows"),
        of(Kind::LinkToFile, b".ci/l.yaml"),
        of(Kind::Link, b"\xfe"),
        of(Kind::Submodule, b"sub"),
        of(Kind::Submodule, b".tools/sub"),
        of(Kind::File, b"one.JSON"),
        of(Kind::File, b"two.json"),
        of(Kind::File, b".vscode/settings.json"),
        of(Kind::File, b"\xff\xfe.yaml"),
        of(Kind::File, b"\xff.txt"),
    ];
    let selection = select("", tree);
    assert!(selection.files.is_empty());
    let rules: Vec<_> = selection.findings.iter().map(|f| (f.rule.as_str(), f.severity)).collect();
    let expected = [
        ("symlink", Severity::Error),
        ("symlink", Severity::Error),
        ("symlink", Severity::Error),
        ("file_name", Severity::Error),
        ("submodule", Severity::Error),
        ("file_name", Severity::Error),
        ("json", Severity::Info),
    ];
    assert_eq!(rules, expected);
    let json = selection.findings.last().map(|f| f.with_place()).unwrap_or_default();
    assert!(json.contains("one.JSON") && json.contains("This and 1 more that end in .json are not read"), "{json}");
}

fn manifest(file: &str, object: Value) -> (String, Parsed) {
    let key = ObjectKey::of(&object).unwrap();
    let location = Location { file: file.into(), line: 1, column: 1, document: 1 };
    let gvk = Gvk::new("vpc.githedgehog.com", "v1beta1", "VPC");
    let manifest = std::sync::Arc::new(Manifest {
        version: gvk.version.into(),
        key,
        object: model::Body::from(&object),
        location,
    });
    (file.into(), Parsed { manifests: vec![manifest], findings: Vec::new() })
}

fn vpc(vlan: u16, annotations: Value) -> Value {
    json!({
        "apiVersion": "vpc.githedgehog.com/v1beta1", "kind": "VPC",
        "metadata": {"name": "a", "namespace": "default", "annotations": annotations},
        "spec": {"subnets": {"one": {"vlan": vlan}}},
    })
}

#[test]
fn equal_copies_go_and_different_ones_stay() {
    let mut ingested = vpc(1001, json!({"hnp.githedgehog.com/ingested-at": "then"}));
    let mut bare = vpc(1001, json!({}));
    bare["metadata"].as_object_mut().unwrap().shift_remove("annotations");
    let mut files = vec![
        manifest("managed/vpcs/a.yaml", ingested.clone()),
        manifest("managed/vpcs/a-1.yaml", {
            ingested["metadata"]["annotations"]["hnp.githedgehog.com/ingested-at"] = json!("later");
            ingested
        }),
        manifest("raw/a.yaml", bare),
        manifest("raw/other.yaml", vpc(1002, json!({}))),
        manifest("raw/noted.yaml", vpc(1001, json!({"mine": "yes"}))),
    ];
    let findings = drop_copies(&mut files);
    let left: Vec<usize> = files.iter().map(|(_, p)| p.manifests.len()).collect();
    assert_eq!(left, [1, 0, 0, 1, 1]);
    assert_eq!(findings.len(), 2);
    assert!(findings.iter().all(|f| f.severity == Severity::Info && f.message.contains("managed/vpcs/a.yaml")));
}
