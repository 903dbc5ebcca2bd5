//! Folders that are not what was sealed.

use super::{sample, text, written};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;
use verify::evidence::check::{Derived, Signature};
use verify::evidence::{Problem, check};
use verify::verdict::RunVerdict;

fn problems(folder: &Path) -> Vec<Problem> {
    check(folder, None).unwrap().problems
}

/// Writes a file and its sum, as one who knows how the folder is made.
fn forge(folder: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(folder.join(name), bytes).unwrap();
    edit(folder, |manifest| {
        let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        for file in manifest["files"].as_array_mut().unwrap() {
            if file["path"] == name {
                file["sha256"] = json!(sum);
                file["bytes"] = json!(bytes.len());
            }
        }
    });
}

fn edit(folder: &Path, change: impl FnOnce(&mut Value)) {
    let mut manifest: Value = serde_json::from_str(&text(folder, "manifest.json")).unwrap();
    change(&mut manifest);
    std::fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
}

#[test]
fn what_was_written_is_sound() {
    let folder = written(&sample::run());
    let checked = check(folder.path(), None).unwrap();
    assert!(checked.is_sound(), "{}", checked.to_text());
    assert_eq!((checked.files, checked.signature, &checked.derived), (12, Signature::Absent, &Derived::Compared));
    assert_eq!((checked.run.as_deref(), checked.verdict), (Some(sample::run().id.as_str()), Some(RunVerdict::Fail)));
    assert!(checked.to_text().starts_with("Nothing was altered: 12 files"), "{}", checked.to_text());
}

#[test]
fn a_byte_a_file_more_and_a_file_less() {
    let folder = written(&sample::run());
    let mut picture = std::fs::read(folder.path().join("steps/0009.png")).unwrap();
    *picture.last_mut().unwrap() ^= 1;
    std::fs::write(folder.path().join("steps/0009.png"), picture).unwrap();
    std::fs::write(folder.path().join("steps/extra.txt"), "x").unwrap();
    std::fs::remove_file(folder.path().join("readings.json")).unwrap();
    let found = problems(folder.path());
    assert!(
        found
            .iter()
            .any(|one| matches!(one, Problem::Altered { path, was, is, .. } if path == "steps/0009.png" && was != is)),
        "{found:?}"
    );
    assert!(found.contains(&Problem::Added("steps/extra.txt".into())), "{found:?}");
    assert!(found.contains(&Problem::Missing("readings.json".into())), "{found:?}");
    // The report holds the picture, so it does not follow from the folder any more either.
    assert!(found.contains(&Problem::NotDerived("report.html".into())), "{found:?}");
    assert_eq!(found.len(), 4);
}

#[test]
fn a_report_that_was_forged_with_its_sum_does_not_follow() {
    let folder = written(&sample::run());
    forge(folder.path(), "report.html", text(folder.path(), "report.html").replace("Failed", "Passed").as_bytes());
    assert_eq!(problems(folder.path()), [Problem::NotDerived("report.html".into())]);
    let folder = written(&sample::run());
    forge(folder.path(), "junit.xml", text(folder.path(), "junit.xml").replace("failure", "skipped").as_bytes());
    assert_eq!(problems(folder.path()), [Problem::NotDerived("junit.xml".into())]);
    let folder = written(&sample::run());
    forge(
        folder.path(),
        "results.json",
        text(folder.path(), "results.json").replace("\"fail\"", "\"pass\"").as_bytes(),
    );
    let found = problems(folder.path());
    assert!(
        found.contains(&Problem::NotDerived("report.html".into()))
            && found.contains(&Problem::NotDerived("junit.xml".into())),
        "{found:?}"
    );
}

#[test]
fn no_number_of_a_foreign_folder_ends_the_check() {
    let mut run = sample::run();
    run.conditions.max_seconds = u64::MAX;
    run.clocks[0].ahead_ms = i64::MIN;
    run.steps[3].ms = u64::MAX;
    run.steps[4].started = jiff::Timestamp::MAX;
    run.steps[5].started = jiff::Timestamp::MIN;
    run.steps[6].number = usize::MAX;
    for journey in &mut run.journeys {
        (journey.ms, journey.first_step, journey.steps) = (u64::MAX, usize::MAX, usize::MAX);
    }
    run.journeys[1].finding.as_mut().unwrap().failure_point = Some(200);
    let checked = check(written(&run).path(), None).unwrap();
    assert!(checked.is_sound(), "{}", checked.to_text());
}

#[test]
fn another_programs_report_is_compared_by_its_sum_only() {
    let folder = written(&sample::run());
    edit(folder.path(), |manifest| manifest["made_by"] = json!("hedgerow verify 9.9.9 (forms abc)"));
    let checked = check(folder.path(), None).unwrap();
    assert!(checked.is_sound());
    assert!(matches!(checked.derived, Derived::OtherProgram(_)) && checked.to_text().contains("9.9.9"));
}

#[test]
fn nothing_outside_is_read() {
    let folder = written(&sample::run());
    for place in ["../secret", "/etc/hostname", "steps/../../x", "results.json"] {
        edit(folder.path(), |manifest| {
            let sum = json!({ "path": place, "bytes": 1, "sha256": "00" });
            manifest["files"].as_array_mut().unwrap().push(sum);
        });
        assert!(problems(folder.path()).contains(&Problem::Place(place.into())), "{place}");
    }
    let folder = written(&sample::run());
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("0009.png");
    std::fs::rename(folder.path().join("steps/0009.png"), &outside).unwrap();
    std::os::unix::fs::symlink(&outside, folder.path().join("steps/0009.png")).unwrap();
    let found = problems(folder.path());
    let is_link = |one: &Problem| matches!(one, Problem::Odd { path, what } if path == "steps/0009.png" && what == "a symbolic link");
    assert!(found.iter().any(is_link), "the same bytes, and still not followed: {found:?}");
    // A folder that is a link has the same bytes as well.
    let folder = written(&sample::run());
    std::fs::rename(folder.path().join("steps"), elsewhere.path().join("steps")).unwrap();
    std::os::unix::fs::symlink(elsewhere.path().join("steps"), folder.path().join("steps")).unwrap();
    let found = problems(folder.path());
    assert!(found.iter().any(|one| matches!(one, Problem::Odd { path, .. } if path == "steps")), "{found:?}");
    assert!(found.contains(&Problem::Missing("steps/0009.png".into())), "{found:?}");
}

#[test]
fn what_cannot_be_read_is_a_problem_and_no_failure() {
    let folder = written(&sample::run());
    forge(folder.path(), "results.json", b"{\"schema\": 99}");
    assert_eq!(problems(folder.path()), [Problem::Results("it is of schema 99, this program knows 1".into())]);
    forge(folder.path(), "results.json", b"{\"schema\": 1}");
    assert!(matches!(problems(folder.path()).as_slice(), [Problem::Results(_)]));
    let folder = written(&sample::run());
    edit(folder.path(), |manifest| manifest["run"] = json!("another"));
    assert!(matches!(problems(folder.path()).as_slice(), [Problem::OtherRun { .. }]));
    edit(folder.path(), |manifest| manifest["schema"] = json!(2));
    assert!(matches!(problems(folder.path()).as_slice(), [Problem::Manifest(_)]));
    std::fs::remove_file(folder.path().join("manifest.json")).unwrap();
    assert!(matches!(problems(folder.path()).as_slice(), [Problem::Manifest(_)]));
    assert!(check(&folder.path().join("none"), None).is_err());
}
