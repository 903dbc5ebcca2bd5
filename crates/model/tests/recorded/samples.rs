//! Hedgehog's own samples and the manifests of the plugin that Hedgerow replaces.

use crate::shared::folder;
use model::manifest::{Limits, Parsed, Severity, collect, parse_file};
use std::fs;
use std::path::{Path, PathBuf};

fn yaml_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            yaml_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "yaml") {
            found.push(path);
        }
    }
}

/// Every file of one sample, parsed, by its path below the sample's folder.
pub fn read(sample: &str) -> Option<Vec<(String, Parsed)>> {
    let root = folder()?.join("samples").join(sample);
    let mut files = Vec::new();
    yaml_files(&root, &mut files);
    assert!(!files.is_empty(), "{} holds no files", root.display());
    let parse = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        let parsed = parse_file(&name, &fs::read(path).unwrap(), "default", &Limits::default());
        (name, parsed)
    };
    Some(files.iter().map(parse).collect())
}

#[test]
fn the_lab_and_the_demo_are_read_without_a_finding() {
    for (sample, objects) in [("githedgehog+lab-ci", 56), ("githedgehog+demo-gitops", 17)] {
        let Some(files) = read(sample) else { return };
        let mut manifests = 0;
        for (file, parsed) in &files {
            assert_eq!(parsed.findings, [], "{file}");
            manifests += parsed.manifests.len();
        }
        assert_eq!(manifests, objects, "{sample}");
    }
}

#[test]
fn the_documentations_examples_are_read_or_named() {
    let Some(files) = read("githedgehog+docs") else { return };
    // Blocks that leave lines out, and sessions of a shell.
    let wanted = [
        "docs/user-guide/devices.md.block03.yaml",
        "docs/user-guide/gateway-failover.md.block02.yaml",
        "docs/vlab/demo.md.block01.yaml",
        "docs/vlab/demo.md.block02.yaml",
        "docs/vlab/demo.md.block03.yaml",
        "docs/vlab/virt-externals.md.block01.yaml",
        "docs/vlab/virt-externals.md.block02.yaml",
    ];
    let mut broken = Vec::new();
    for (file, parsed) in &files {
        assert!(!parsed.manifests.is_empty() || !parsed.findings.is_empty(), "{file} is skipped");
        for finding in &parsed.findings {
            let place = finding.location.as_ref().unwrap();
            assert!(place.line > 1 && !finding.message.is_empty(), "{file}: {finding:?}");
        }
        // Those that leave the name open are errors, with the line of the open name.
        let open = fs::read_to_string(folder().unwrap().join("samples/githedgehog+docs").join(file)).unwrap();
        let is_error = |f: &&model::manifest::Finding| f.severity == Severity::Error;
        // The guide still shows a gateway in a namespace that the webhook refuses.
        let (namespace, errors): (Vec<_>, Vec<_>) =
            parsed.findings.iter().filter(is_error).partition(|f| f.rule == "other_namespace");
        assert!(
            namespace.iter().all(|f| f.message.contains("Gateway gateway-1 is in namespace 'fab'")),
            "{namespace:?}"
        );
        let nameless = open.lines().filter(|l| l.starts_with("  name: #")).count();
        if errors.iter().any(|f| f.rule == "yaml_syntax") {
            broken.push(file);
        } else {
            assert_eq!(errors.len(), nameless, "{file}: {errors:?}");
        }
    }
    broken.sort_unstable();
    assert_eq!(broken, wanted, "{broken:?}");
}

#[test]
fn what_the_predecessor_wrote_is_named_file_by_file() {
    let Some(files) = read("negative") else { return };
    let (mut wrong_version, mut files_with_it) = (0, 0);
    for (file, parsed) in &files {
        for finding in parsed.findings.iter().filter(|f| f.rule == "unsupported_version") {
            let place = finding.location.as_ref().unwrap();
            // A line of origin, two of comments, the marker, and then the version.
            assert_eq!(
                (place.line, place.column, place.document, &*place.file),
                (5, 1, 1, file.as_str()),
                "{finding:?}"
            );
            assert!(finding.message.contains("v1alpha2") && finding.message.contains("wiring.githedgehog.com/v1beta1"));
            wrong_version += 1;
        }
        let text = fs::read_to_string(folder().unwrap().join("samples/negative").join(file)).unwrap();
        files_with_it += usize::from(text.contains("v1alpha2"));
        assert_eq!(parsed.manifests.len(), 1, "{file}");
    }
    assert_eq!((wrong_version, files_with_it), (21, 21));
    let all = collect(files);
    let twice: Vec<_> = all.findings.iter().filter(|f| f.rule == "duplicate_object").collect();
    assert_eq!(twice.len(), 2, "{twice:?}");
    assert!(twice.iter().all(|f| f.object.as_ref().unwrap().name == "test-vpc"));
    assert!(twice[0].message.contains("raw/test-vpc.yaml:2:1"), "{}", twice[0].message);
}
