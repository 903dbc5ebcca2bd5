//! The benchmark with few objects, once, so that it cannot rot. What it measures is not looked at: nothing here is timed.

use serde_json::Value;
use std::process::Command;

#[test]
fn every_promise_is_measured_and_printed_with_its_budget() {
    let folder = tempfile::tempdir().expect("a temp folder");
    let report = folder.path().join("report.json");
    let done = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["--rounds", "1", "--compare", "60", "--apply", "20", "--diff-each", "10", "--json"])
        .arg(&report)
        .output()
        .expect("the benchmark can be started");
    let (text, said) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{}\n{text}\n{said}", done.status);

    let report: Value = serde_json::from_slice(&std::fs::read(&report).expect("the report")).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    let promises: Vec<(&str, &str)> =
        rows.iter().map(|row| (row["what"].as_str().unwrap_or(""), row["beside"].as_str().unwrap_or(""))).collect();
    let mut expected = vec![
        ("sync of 20 new, with re-read", "bare create loop"),
        ("sync of 20 new, whole", "kubectl apply --server-side, new"),
        ("20 bare creates", "kubectl apply --server-side, new"),
        ("sync of 20 unchanged, whole", "kubectl apply --server-side, unchanged"),
        ("compare 60, from commit to stored", "bare LISTs, decoded"),
        ("compare 60, from commit to stored", "kubectl diff --server-side"),
        ("first parse of 60 manifests", ""),
    ];
    if testkit::FluxApply::find().expect("the recipe can be read").is_some() {
        let beside_flux = [
            ("20 bare creates", "Flux's library, new"),
            ("sync of 20 new, whole", "Flux's library, new"),
            ("sync of 20 unchanged, whole", "Flux's library, unchanged"),
        ];
        expected.splice(4..4, beside_flux);
    }
    assert_eq!(promises.len(), expected.len(), "{promises:?}");
    for ((what, beside), (expected, against)) in promises.iter().zip(&expected) {
        assert_eq!(what, expected);
        assert!(beside.starts_with(against), "{beside}");
    }
    for row in rows {
        let measured = |side: &str| row[side].as_array().is_some_and(|ms| ms.iter().all(|ms| ms.as_f64() > Some(0.0)));
        assert!(measured("ours") && measured("theirs"), "{row}");
        let line = text.lines().find(|line| {
            line.starts_with(row["what"].as_str().unwrap_or("?"))
                && line.contains(row["beside"].as_str().unwrap_or("?"))
        });
        let line = line.unwrap_or_else(|| panic!("no line for {row} in\n{text}"));
        let verdicts = [" met", " MISSED", "the most there is"];
        assert!(verdicts.iter().any(|verdict| line.contains(verdict)), "{line}");
    }
    assert!(text.contains("MiB of memory") && text.contains("objects of"), "machine and sizes are not told:\n{text}");
}
