//! `hedgerow verify --self-test`: that verify can fail. What is planted must be found as what it is; a self-test that
//! expects something else must say so, or it would prove nothing.

use crate::running::{program, stderr, stdout};
use serde_json::Value;
use std::path::PathBuf;
use verify::cause::Cause;
use verify::selftest::faults::{self, Fault};
use verify::selftest::{Ingredients, Planted};
use verify::site::DriverKind;

#[test]
fn self_test_catches_every_planted_fault() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("evidence");
    let output = program(
        home.path(),
        &["verify", "--self-test", "--driver", "http", "--output", folder.to_str().expect("a path of letters")],
    )
    .env("TMPDIR", home.path())
    .output()
    .unwrap();
    let said = format!("{}\n{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{said}");
    let result: Value = serde_json::from_slice(&std::fs::read(folder.join("selftest.json")).unwrap()).unwrap();
    let faults = result["faults"].as_array().unwrap();
    let caught: Vec<&Value> = faults.iter().filter(|fault| fault["caught"] == true).collect();
    assert!(caught.len() >= 90, "{said}");
    for fault in &caught {
        let expected = fault["expected"].as_array().unwrap();
        assert!(expected.contains(&fault["found"]), "{fault}");
        assert!(fault["altered"].is_null() || fault["altered"].as_u64() > Some(0), "{fault}");
    }
    assert_eq!(result["missed"], 0, "{said}");
    assert_eq!(result["clean"]["raised"].as_array().map(Vec::len), Some(0), "{said}");
    let journeys = result["clean"]["journeys"].as_array().unwrap();
    assert_eq!(journeys.len(), verify::journeys::ALL.len(), "each journey was made over the clean product");
    assert!(journeys.iter().filter(|one| one["verdict"] == "pass").count() >= 18, "{said}");
    // Everything that it started has ended, and everything that it wrote is gone.
    let left: Vec<PathBuf> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [folder]);
}

#[test]
fn a_fault_that_is_unknown_is_a_misuse() {
    let home = tempfile::tempdir().unwrap();
    let output = program(home.path(), &["verify", "--self-test", "--fault", "nobody_knows_it"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("button_missing"), "it names those that there are: {}", stderr(&output));
}

/// The named fault, with another cause expected than it has.
fn misjudged(name: &str, cause: Cause) -> Fault {
    let mut fault = faults::all().into_iter().find(|fault| fault.name == name).expect("it is known");
    fault.causes = vec![cause];
    fault
}

#[tokio::test(flavor = "multi_thread")]
async fn a_self_test_that_expects_something_else_fails() {
    let files = lab::demo::west().files.iter();
    let ingredients = Ingredients {
        program: env!("CARGO_BIN_EXE_hedgerow").into(),
        files: files.map(|file| (file.path.to_owned(), file.text.to_owned())).collect(),
        profile: verify::profile::load("hedgerow").unwrap(),
        driver: DriverKind::Http,
        browser: None,
    };
    let wrong = [misjudged("button_missing", Cause::ControlDead), misjudged("login_forged", Cause::BadPassword)];
    let quiet = |_: &Planted| {};
    let result = verify::selftest::run(&ingredients, &wrong, false, &quiet).await.unwrap();
    assert_eq!((result.exit_code, result.missed, result.caught), (1, 2, 0), "{}", result.to_text());
    let found: Vec<Option<Cause>> = result.faults.iter().map(|fault| fault.found).collect();
    assert_eq!(found, [Some(Cause::ControlMissing), Some(Cause::Csrf)]);
    assert!(result.clean.raised.is_empty(), "{:?}", result.clean.raised);
}
