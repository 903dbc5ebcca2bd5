//! The files of a folder, as other programs read them.

use super::{folder_of, sample, text, written};
use quick_junit::{NonSuccessKind, Report, TestCaseStatus};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use verify::evidence::{self, EvidenceError};
use verify::redact::HIDDEN;
use verify::results::{Finding, Run};
use verify::verdict::RunVerdict;

#[test]
fn a_folder_holds_everything_and_is_closed_to_others() {
    let folder = written(&sample::run());
    let mode = |name: &str| std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    for name in [
        "results.json",
        "junit.xml",
        "har.json",
        "console.log",
        "readings.json",
        "report.html",
        "manifest.json",
        "steps/0009.png",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!((mode("."), mode("steps")), (0o700, 0o700));
    // What a driver forgot to hide is hidden, and bodies are kept once (`bounded`); nothing else changes on the way.
    let without_bodies = |mut run: Run| {
        for exchange in run.steps.iter_mut().flat_map(|step| &mut step.exchanges) {
            (exchange.response_body, exchange.body_as_in) = (None, None);
        }
        run
    };
    let again = without_bodies(serde_json::from_str(&text(folder.path(), "results.json")).unwrap());
    let expected = serde_json::to_string(&without_bodies(sample::run())).unwrap().replace(sample::FORGOTTEN, HIDDEN);
    assert_eq!(serde_json::to_string(&again).unwrap(), expected.replace("theme=dark", "theme=[redacted]"));
    for name in ["results.json", "junit.xml", "har.json", "console.log", "readings.json", "report.html"] {
        assert!(!text(folder.path(), name).contains(sample::FORGOTTEN), "{name} holds a cookie");
    }
    super::keep("failed", &sample::run());
}

#[test]
fn a_folder_is_written_once_and_only_where_one_is() {
    let folder = written(&sample::run());
    let again = evidence::write(&sample::run(), folder.path(), None);
    assert!(matches!(again, Err(EvidenceError::Sealed(_))), "{again:?}");
    let nowhere = evidence::write(&sample::run(), &folder.path().join("none"), None);
    assert!(matches!(nowhere, Err(EvidenceError::NoFolder(_))), "{nowhere:?}");
    let linked = folder_of(&sample::run());
    std::os::unix::fs::symlink("/etc/passwd", linked.path().join("steps/9999.png")).unwrap();
    let refused = evidence::write(&sample::run(), linked.path(), None);
    assert!(matches!(refused, Err(EvidenceError::Odd { .. })), "{refused:?}");
    assert!(!linked.path().join("manifest.json").exists(), "what was not finished has no manifest");
}

#[test]
fn what_a_killed_writer_left_is_taken_away() {
    let folder = folder_of(&sample::run());
    std::fs::write(folder.path().join(".writing-abc"), "half").unwrap();
    evidence::write(&sample::run(), folder.path(), None).unwrap();
    assert!(!folder.path().join(".writing-abc").exists());
}

fn junit(run: &Run) -> Report {
    Report::deserialize_from_str(&text(written(run).path(), "junit.xml")).unwrap()
}

#[test]
fn junit_tells_failures_from_what_was_not_judged() {
    let report = junit(&sample::run());
    assert_eq!((report.tests, report.failures, report.errors, report.skipped), (8, 2, 1, 1));
    let names: Vec<&str> = report.test_suites.iter().map(|suite| suite.name.as_str()).collect();
    assert_eq!(names, ["run", "http", "chromium"]);
    let sync = report.test_suites[1].test_cases.iter().find(|case| case.name.as_str() == "sync").unwrap();
    let TestCaseStatus::NonSuccess { kind, ty, description, .. } = &sync.status else { panic!("{sync:?}") };
    assert_eq!((*kind, ty.as_ref().unwrap().as_str()), (NonSuccessKind::Failure, "csrf_failed"));
    let told = description.as_ref().unwrap().as_str();
    assert!(
        told.contains("failure point: 4 of 9") && told.contains("step: 4") && told.contains("what to do:"),
        "{told}"
    );
    let ended = report.test_suites[1].test_cases.iter().find(|case| case.name.as_str() == "session-end").unwrap();
    let TestCaseStatus::NonSuccess { kind, ty, .. } = &ended.status else { panic!("{ended:?}") };
    assert_eq!((*kind, ty.as_ref().unwrap().as_str()), (NonSuccessKind::Error, "inconclusive"));
}

#[test]
fn no_run_that_proved_nothing_is_green_in_junit() {
    for verdict in
        [RunVerdict::Invalid, RunVerdict::Mismatch, RunVerdict::Interrupted, RunVerdict::Inconclusive, RunVerdict::Fail]
    {
        let mut run = sample::run();
        run.verdict = verdict;
        run.journeys.clear();
        run.finding = Some(Finding::new(verify::cause::Cause::Transport, "An answer.", "None came."));
        let report = junit(&run);
        assert_eq!((report.errors, report.failures), (1, 0), "{verdict:?}");
    }
    let mut good = sample::run();
    good.verdict = RunVerdict::Pass;
    good.journeys.retain(|journey| journey.verdict == verify::verdict::Verdict::Pass);
    let report = junit(&good);
    assert_eq!((report.errors, report.failures, report.tests), (0, 0, 4));
}

fn has(value: &Value, place: &str, names: &[&str]) {
    for name in names {
        assert!(value.get(name).is_some(), "{place} lacks {name}: {value:#}");
    }
}

#[test]
fn the_har_has_what_the_format_asks_for() {
    let folder = written(&sample::run());
    let har: Value = serde_json::from_str(&text(folder.path(), "har.json")).unwrap();
    let log = &har["log"];
    has(log, "log", &["version", "creator", "pages", "entries"]);
    assert_eq!(log["version"], "1.2");
    has(&log["creator"], "creator", &["name", "version"]);
    let pages = log["pages"].as_array().unwrap();
    assert_eq!(pages.len(), sample::run().steps.len());
    let entries = log["entries"].as_array().unwrap();
    let exchanges = sample::run().steps.iter().map(|step| step.exchanges.len()).sum::<usize>();
    assert_eq!(entries.len(), exchanges);
    let mut before = jiff::Timestamp::MIN;
    for page in pages {
        has(page, "page", &["startedDateTime", "id", "title", "pageTimings"]);
    }
    for entry in entries {
        has(entry, "entry", &["startedDateTime", "time", "request", "response", "cache", "timings"]);
        assert!(pages.iter().any(|page| page["id"] == entry["pageref"]));
        let started: jiff::Timestamp = entry["startedDateTime"].as_str().unwrap().parse().unwrap();
        assert!(started >= before, "by time");
        before = started;
        let request = &entry["request"];
        has(
            request,
            "request",
            &["method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"],
        );
        has(
            &entry["response"],
            "response",
            &[
                "status",
                "statusText",
                "httpVersion",
                "cookies",
                "headers",
                "content",
                "redirectURL",
                "headersSize",
                "bodySize",
            ],
        );
        has(&entry["response"]["content"], "content", &["size", "mimeType"]);
        let timings = &entry["timings"];
        for name in ["send", "wait", "receive"] {
            assert!(timings[name].as_i64().unwrap() >= 0, "{name} is not optional");
        }
        let sum = ["send", "wait", "receive"].iter().map(|name| timings[name].as_i64().unwrap()).sum::<i64>();
        assert_eq!(entry["time"].as_i64().unwrap(), sum);
        if request["method"] == "POST" {
            has(&request["postData"], "postData", &["mimeType", "params"]);
            assert!(request["postData"].get("text").is_none(), "either params or text");
        }
    }
    assert_eq!(entries[1]["request"]["queryString"][0], serde_json::json!({ "name": "next", "value": "/fabrics/" }));
    let cookie = &entries[1]["response"]["cookies"][0];
    assert_eq!((cookie["httpOnly"].as_bool(), cookie["expires"].as_str()), (Some(true), Some("2026-03-04T14:05:09Z")));
    let lost = entries.iter().find(|entry| entry["response"]["status"] == 0).unwrap();
    assert_eq!(lost["_error"], "the connection was reset");
}

#[test]
fn the_console_steers_no_terminal() {
    let folder = written(&sample::run());
    let console = text(folder.path(), "console.log");
    assert!(
        console.contains("step 9 SEVERE") && console.contains("\\u{1b}[31m") && !console.contains('\u{1b}'),
        "{console}"
    );
}

#[test]
fn the_schema_is_stable_and_the_results_are_of_it() {
    let schema = evidence::schema_file();
    assert_eq!(schema, evidence::schema_file());
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let required = schema["required"].as_array().unwrap();
    let results = serde_json::to_value(sample::run()).unwrap();
    for name in required {
        assert!(results.get(name.as_str().unwrap()).is_some(), "{name}");
    }
}
