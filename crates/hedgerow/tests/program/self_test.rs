//! `hedgerow verify --self-test`: that verify can fail. What is planted must be found as what it is; a self-test that
//! expects something else must say so, or it would prove nothing.

use crate::running::{program, stderr, stdout};
use std::collections::BTreeSet;
use std::path::PathBuf;
use verify::cause::{Cause, Layer};
use verify::selftest::faults::{self, Fault};
use verify::selftest::{Ingredients, Planted, SelfTest};
use verify::site::DriverKind;
use verify::verdict::Verdict;

#[test]
fn rule_6_the_self_test_plants_every_fault_and_catches_it() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("evidence");
    let output = program(
        home.path(),
        &["verify", "--self-test", "--driver", "http", "--output", folder.to_str().expect("a path of letters")],
    )
    .env("TMPDIR", home.path())
    .output()
    .unwrap();
    let file = folder.join("selftest.json");
    let Ok(text) = std::fs::read(&file) else {
        panic!("it came to no result: {}\n{}", stderr(&output), stdout(&output));
    };
    let result: SelfTest = serde_json::from_slice(&text).unwrap();
    // What is wrong stands first: logs are cut at their end.
    let wrong = wrong(&result);
    assert!(wrong.is_empty(), "{}\n\n{}", wrong.join("\n"), result.sentence);
    assert_eq!(output.status.code(), Some(0), "{}\n{}", result.sentence, stderr(&output));
    assert!(result.caught >= 100, "{}", result.sentence);
    for fault in result.faults.iter().filter(|fault| fault.caught == Some(true)) {
        assert!(fault.found.is_some_and(|found| fault.expected.contains(&found)), "{}", fault.line());
        assert!(fault.altered.is_none_or(|altered| altered > 0), "{}", fault.line());
        assert!(fault.parts_at.is_none() || fault.parts_at == fault.parted_at, "{}", fault.line());
    }
    let parted: BTreeSet<Layer> = result.faults.iter().filter_map(|fault| fault.parted_at).collect();
    assert_eq!(parted, Layer::ALL.into_iter().collect(), "each layer was seen to be the first at which paths part");
    let walked = &result.clean.journeys;
    assert_eq!(walked.len(), verify::journeys::ALL.len(), "each journey was made over the clean product");
    let open: Vec<&str> =
        walked.iter().filter(|one| one.verdict != Verdict::Pass).map(|one| one.name.as_str()).collect();
    assert_eq!(open, ["expiry_warning", "relogin_in_place"], "all others passed; these need scripts");
    // The evidence is whole, with a run's own over the clean product; an altered byte of any of it is found.
    let check = || program(home.path(), &["verify", "--check", folder.to_str().expect("a path of letters")]).output();
    let checked = check().unwrap();
    assert!(checked.status.success(), "{}{}", stdout(&checked), stderr(&checked));
    let report = folder.join("clean/login_logout/report.html");
    std::fs::write(&report, std::fs::read_to_string(&report).unwrap() + " ").unwrap();
    let checked = check().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{}", stdout(&checked));
    assert!(stdout(&checked).contains("clean/login_logout/report.html"), "{}", stdout(&checked));
    // Everything that it started has ended, and everything that it wrote is gone.
    let left: Vec<PathBuf> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [folder]);
}

/// What must not be in a result, one thing a line.
fn wrong(result: &SelfTest) -> Vec<String> {
    let missed = result.faults.iter().filter(|fault| fault.caught == Some(false) || fault.gap);
    let missed = missed.map(|fault| fault.line());
    let raised = result.clean.raised.iter().map(|raised| format!("RAISED on the clean product: {raised}"));
    let gaps = result.clean.gaps.iter().map(|gap| format!("GAP on the clean product: {gap}"));
    missed.chain(raised).chain(gaps).collect()
}

#[test]
fn what_is_wrong_is_said_first() {
    let mut result: SelfTest = serde_json::from_value(serde_json::json!({
        "schema": 2, "id": "0", "version": "0", "driver": "http", "exit_code": 1, "sentence": "", "caught": 1, "missed": 1,
        "not_tried": 0, "ms": 1, "faults": [],
        "clean": {"journeys": [], "requests": 1, "raised": ["crawl: it failed"], "gaps": ["cancel was skipped"]},
    }))
    .unwrap();
    let fault = |name: &str, caught: bool| -> Planted {
        serde_json::from_value(serde_json::json!({
            "name": name, "sentence": "It is so.", "planted_by": "proxy", "journeys": [], "verdict": "fail", "expected": [],
            "layers": [], "parts_at": null, "parted_at": null, "found": null, "observed": "", "caught": caught,
            "missed_because": null, "altered": null, "ms": 1, "gap": false,
        }))
        .unwrap()
    };
    result.faults = vec![fault("was_caught", true), fault("was_missed", false)];
    let said = wrong(&result);
    assert!(said.len() == 3 && said[0].contains("was_missed"), "{said:?}");
    assert!(said[1].contains("crawl") && said[2].contains("cancel"), "{said:?}");
}

#[test]
fn a_self_test_without_evidence_has_nothing_to_sign() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key.pem");
    let made =
        std::process::Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&key).output();
    assert!(made.unwrap().status.success());
    let key = key.to_str().expect("a path of letters");
    let words = ["verify", "--self-test", "--driver", "http", "--fault", "login_forged", "--sign"];
    let output = program(home.path(), &[&words[..], &[key]].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("--output"), "{}", stderr(&output));
    let nowhere = program(home.path(), &[&words[..], &["no-key.pem"]].concat()).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(2), "{}", stderr(&nowhere));
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
        folder: None,
    };
    let wrong = [misjudged("button_missing", Cause::ControlDead), misjudged("login_forged", Cause::BadPassword)];
    let quiet = |_: &Planted| {};
    let result = verify::selftest::run(&ingredients, &wrong, false, &quiet).await.unwrap();
    assert_eq!((result.exit_code, result.missed, result.caught), (1, 2, 0), "{}", result.to_text());
    let found: Vec<Option<Cause>> = result.faults.iter().map(|fault| fault.found).collect();
    assert_eq!(found, [Some(Cause::ControlMissing), Some(Cause::Csrf)]);
    assert!(result.clean.raised.is_empty(), "{:?}", result.clean.raised);
}
