//! What a folder weighs: the same is kept once, what nobody will look at is cut, and both are said.

use super::parts::{at, get, seen};
use super::{sample, text, written};
use serde_json::Value;
use verify::exchange::{Exchange, Place};
use verify::results::{Cleaned, Path, Run};
use verify::verdict::Verdict;

/// A script as each page asks for it: another moment, another request id, the same answer.
fn script(ms: i64) -> Exchange {
    let mut script = get(ms, "/static/b551f2fd5303ac3c/live.js", 200, "// the one door to the server");
    script.kind = "script".into();
    script.response_headers = vec![
        ("content-type".into(), "text/javascript".into()),
        ("date".into(), format!("{ms}")),
        ("x-request-id".into(), format!("{ms}")),
    ];
    script
}

fn results(folder: &std::path::Path) -> Run {
    serde_json::from_str(&text(folder, "results.json")).unwrap()
}

#[test]
fn what_is_answered_as_before_is_kept_once() {
    let mut run = sample::run();
    for step in &mut run.steps {
        step.screenshot = None;
        step.exchanges.extend((0..40).map(|number| script(1_000 * step.number as i64 + number)));
    }
    let (requests, first) =
        (run.steps.iter().flat_map(|step| &step.exchanges).count(), run.steps[0].exchanges.len() - 40);
    let folder = written(&run);
    let kept = results(folder.path());
    let all: Vec<&Exchange> = kept.steps.iter().flat_map(|step| &step.exchanges).collect();
    assert_eq!(all.len(), requests, "each request is there");
    let repeated: Vec<_> = all.iter().filter_map(|one| one.as_in).collect();
    assert_eq!(repeated.len(), 40 * run.steps.len() - 1);
    assert!(repeated.iter().all(|there| *there == Place { step: 0, request: first }), "and names the first");
    assert_eq!(kept.steps[0].exchanges[first].response_body.as_deref(), Some("// the one door to the server"));
    let har: Value = serde_json::from_str(&text(folder.path(), "har.json")).unwrap();
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), requests, "for the network tools as well");
    let html = text(folder.path(), "report.html");
    assert!(html.contains("And 40 for style sheets, scripts and pictures, answered as before."));
    assert!(html.contains("Style sheets, scripts and pictures that were answered as before: 519."), "it is said");
    for (name, most) in [("results.json", 300_000), ("har.json", 420_000), ("report.html", 120_000)] {
        let long = text(folder.path(), name).len();
        assert!(long < most, "{name}: {long} bytes");
    }
}

#[test]
fn a_body_stands_once_and_whole_only_where_it_matters() {
    let run = sample::run();
    let body = |run: &Run, step: usize, request: usize| run.steps[step].exchanges[request].response_body.clone();
    let page = body(&run, 3, 0).unwrap();
    let folder = written(&run);
    let kept = results(folder.path());
    // The page of the failed journey is kept as it came; the same page elsewhere names it.
    assert_eq!(body(&kept, 3, 0), Some(page.clone()));
    for (step, request) in [(2, 1), (5, 0), (6, 0), (10, 0), (11, 0)] {
        assert_eq!(body(&kept, step, request), None, "step {step}");
        assert_eq!(kept.steps[step].exchanges[request].body_as_in, Some(Place { step: 3, request: 0 }), "step {step}");
    }
    assert!(text(folder.path(), "report.html").contains("The body is the same as in <a href=\"#step-3\">step 3</a>"));

    let mut passed = run;
    passed.journeys.iter_mut().for_each(|one| {
        one.verdict = Verdict::Pass;
        one.finding = None;
        one.checks.clear();
    });
    let folder = written(&passed);
    let long = body(&results(folder.path()), 2, 1).unwrap();
    let left = page.len() - 4 * 1024;
    assert!(long.ends_with(&format!("\n[{left} more bytes are not kept]")) && long.len() < 4_200, "{}", long.len());
    assert!(text(folder.path(), "report.html").contains("in steps that show no failure the first 4 KiB"), "it is said");
}

#[test]
fn pictures_that_show_nothing_new_stay_files() {
    let mut run = sample::run();
    for journey in &mut run.journeys {
        journey.verdict = Verdict::Pass;
        journey.finding = None;
        journey.checks.clear();
    }
    // The journey of the browser has the steps 9 and 10: its last picture is enough.
    let step = run.steps.remove(9);
    run.steps.insert(9, seen(step));
    let html = text(written(&run).path(), "report.html");
    assert_eq!(html.matches("<img ").count(), 2, "the last one of each journey");
    assert!(html.contains("The picture is the file <code>steps/0009.png</code>"));
    assert!(html.contains("1 picture is not in this report, only beside it"), "it is said");
}

#[test]
fn an_arm_without_an_effect_is_not_compared_by_it() {
    let mut run = sample::run();
    let found = run.discrepancy.as_mut().unwrap();
    for arm in &mut found.arms {
        arm.claimed = Some(true);
        // The direct one is a dry run, which has none.
        arm.effect = (arm.path == Path::User).then_some(true);
    }
    found.parts_at = None;
    assert!(!text(written(&run).path(), "report.html").contains("They differ"));
    let found = run.discrepancy.as_mut().unwrap();
    found.arms.iter_mut().filter(|arm| arm.path == Path::Direct).for_each(|arm| arm.effect = Some(false));
    assert!(text(written(&run).path(), "report.html").contains("They differ"), "where both have one they are");
}

#[test]
fn what_was_put_right_several_times_is_told_once() {
    let mut run = sample::run();
    let session = |ms: i64| Cleaned { what: "a session of ada".into(), restored: true, why: None, at: Some(at(ms)) };
    run.cleanup.extend((0..15).map(|number| session(20_000 + number * 100)));
    let html = text(written(&run).path(), "report.html");
    assert_eq!(html.matches("sessions of ada").count(), 1);
    assert!(html.contains("15 sessions of ada") && html.contains("14:05:29.120 to 14:05:30.520"));
    let (left, right) = (html.find("Left behind"), html.find("15 sessions"));
    assert!(left < right, "what was left behind comes first");
}

#[test]
fn what_passed_is_a_line_on_paper() {
    let html = text(written(&sample::run()).path(), "report.html");
    let calm = html.matches("class=\"panel journey calm\"").count();
    assert_eq!(calm, 4, "three that passed, one that was not made");
    assert!(html.contains(".step:not(.marked, [open]) { display: none; }"), "a step is printed when it was opened");
    assert!(html.contains("<details class=\"fold\">"), "and so are the readings");
}
