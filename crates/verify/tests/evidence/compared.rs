//! Two runs beside each other.

use super::sample;
use verify::cause::Cause;
use verify::evidence::compare;
use verify::results::Run;
use verify::verdict::{RunVerdict, Verdict};

/// The sample after the proxy was mended, with a slower login and another cause in the browser.
fn later() -> Run {
    let mut run = sample::run();
    run.id = "later".into();
    run.versions[1].version = "Hedgerow 0.2.0".into();
    run.versions.retain(|version| version.of != "git");
    for journey in &mut run.journeys {
        match (journey.name.as_str(), journey.driver.as_str()) {
            ("login", "http") => {
                journey.measured[0].ms = 2_900;
                journey.ms = 3_100;
            }
            ("sync", "http") => {
                journey.verdict = Verdict::Pass;
                journey.finding = None;
                journey.ms += 50;
            }
            ("sync", "chromium") => {
                journey.finding.as_mut().unwrap().cause = Cause::ScriptError;
                journey.verified = Some(false);
            }
            ("status", _) => {
                journey.verdict = Verdict::Fail;
                journey.sentence = "The list says In sync, the fabric says Out of sync\u{1b}[2J.".into();
            }
            _ => {}
        }
    }
    run.journeys.retain(|journey| journey.name != "cancel");
    run
}

#[test]
fn what_is_the_same_is_not_said() {
    let same = compare(&sample::run(), &sample::run());
    assert!(same.is_same() && same.to_text().contains("came to the same"), "{}", same.to_text());
}

#[test]
fn what_differs_is_said() {
    let comparison = compare(&sample::run(), &later());
    let verdicts: Vec<_> = comparison.verdicts.iter().map(|one| (one.of.as_str(), one.before, one.after)).collect();
    assert_eq!(
        verdicts,
        [
            ("sync (http)", Some(Verdict::Fail), Some(Verdict::Pass)),
            ("status (http)", Some(Verdict::Pass), Some(Verdict::Fail)),
            ("cancel (http)", Some(Verdict::Skipped), None),
        ]
    );
    assert_eq!((comparison.new_failures[0].of.as_str(), comparison.new_failures[0].cause), ("status (http)", None));
    assert_eq!(
        (comparison.gone_failures[0].of.as_str(), comparison.gone_failures[0].cause),
        ("sync (http)", Some(Cause::Csrf))
    );
    assert_eq!((comparison.causes[0].before, comparison.causes[0].after), (Cause::Csrf, Cause::ScriptError));
    let times: Vec<&str> = comparison.times.iter().map(|one| one.of.as_str()).collect();
    assert_eq!(times, ["login (http)", "login (http), from the form to the first page"]);
    assert_eq!(comparison.versions.len(), 2);
    assert_eq!(comparison.verified.len(), 1);
    let text = comparison.to_text();
    for line in [
        "login (http): 910 ms → 3.1 s",
        "git: 4f2a9c1 on main → not named",
        "csrf_failed → script_error",
        "verified by an oracle → not verified",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains('\u{1b}'));
    let data = serde_json::to_value(&comparison).unwrap();
    assert_eq!(data["gone_failures"][0]["cause"], "csrf_failed");
}

#[test]
fn runs_that_were_not_made_alike_are_told() {
    let mut other = sample::run();
    other.target.url = "https://other.example".into();
    other.conditions.oracles.clear();
    other.verdict = RunVerdict::Pass;
    let comparison = compare(&sample::run(), &other);
    let of: Vec<&str> = comparison.conditions.iter().map(|one| one.of.as_str()).collect();
    assert_eq!(of, ["target", "oracles"]);
    assert!(comparison.to_text().contains("oracles: cluster, git → none"));
}
