//! What a self-test hands over: sealed, signed and checked as a run is.

use super::{sample, text, written};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::path::Path;
use verify::evidence::check::{Derived, Signature};
use verify::evidence::sign::SigningKey;
use verify::evidence::{self, Problem, check};
use verify::selftest::SelfTest;

fn result() -> SelfTest {
    serde_json::from_value(json!({
        "schema": 2, "id": "0a1b2c3d4e5f", "version": "0", "driver": "http", "exit_code": 0, "sentence": "All is well.",
        "caught": 0, "missed": 0, "not_tried": 0, "ms": 1, "faults": [],
        "clean": {"journeys": [], "requests": 1, "raised": [], "gaps": []},
    }))
    .unwrap()
}

/// A folder with a run's own folder in it, as over the clean product.
fn folder() -> tempfile::TempDir {
    let (folder, run) = (tempfile::tempdir().unwrap(), written(&sample::run()));
    let clean = folder.path().join("clean");
    std::fs::create_dir(&clean).unwrap();
    std::fs::rename(run.keep(), clean.join("login_logout")).unwrap();
    folder
}

fn problems(folder: &Path) -> Vec<Problem> {
    check(folder, None).unwrap().problems
}

#[test]
fn a_self_test_is_sealed_with_the_runs_in_it() {
    let folder = folder();
    evidence::write_self_test(&result(), folder.path(), None).unwrap();
    let checked = check(folder.path(), None).unwrap();
    assert!(checked.is_sound(), "{}", checked.to_text());
    assert_eq!((checked.run.as_deref(), &checked.derived), (Some("0a1b2c3d4e5f"), &Derived::Compared));
    assert!(check(&folder.path().join("clean/login_logout"), None).unwrap().is_sound(), "a run's folder as any other");
    assert!(evidence::write_self_test(&result(), folder.path(), None).is_err(), "it is written once");

    let report = folder.path().join("clean/login_logout/report.html");
    std::fs::write(&report, std::fs::read_to_string(&report).unwrap() + " ").unwrap();
    let found = problems(folder.path());
    let is_it =
        |one: &Problem| matches!(one, Problem::Altered { path, .. } if path == "clean/login_logout/report.html");
    assert!(found.len() == 1 && found.iter().all(is_it), "{found:?}");
}

#[test]
fn its_signature_is_over_its_manifest() {
    let (folder, keys) = (folder(), tempfile::tempdir().unwrap());
    let pem = keys.path().join("key.pem");
    let made =
        std::process::Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&pem).status();
    assert!(made.unwrap().success(), "these tests need openssl");
    let key = SigningKey::read(&pem).unwrap();
    evidence::write_self_test(&result(), folder.path(), Some(&key)).unwrap();
    let checked = check(folder.path(), Some(&key.public_key())).unwrap();
    assert!(checked.is_sound() && checked.signature == Signature::Valid, "{}", checked.to_text());
}

#[test]
fn a_table_that_was_forged_with_its_sum_does_not_follow() {
    let folder = folder();
    evidence::write_self_test(&result(), folder.path(), None).unwrap();
    let (table, manifest) = (folder.path().join("selftest.txt"), folder.path().join("manifest.json"));
    let sum = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let old = text(folder.path(), "selftest.txt");
    let new = old.replace("All is well.", "All is bad..");
    assert_ne!(old, new);
    std::fs::write(&table, &new).unwrap();
    let forged = text(folder.path(), "manifest.json").replace(&sum(old.as_bytes()), &sum(new.as_bytes()));
    std::fs::write(&manifest, forged.replace("0a1b2c3d4e5f", "another")).unwrap();
    let found = problems(folder.path());
    assert!(found.contains(&Problem::NotDerived("selftest.txt".into())), "{found:?}");
    assert!(found.iter().any(|one| matches!(one, Problem::OtherRun { .. })), "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
}
