//! `junit.xml`, for what collects tests: a suite a driver, a test case a journey. A failure is what was seen not to hold;
//! an error is what could not be judged. A run that proved nothing is never green here: where no case says so, one is added.

use super::EvidenceError;
use super::words::{count, duration, ms_between};
use crate::results::{Check, Finding, JourneyResult, Run};
use crate::verdict::{RunVerdict, Verdict};
use jiff::Timestamp;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::fmt::Write as _;

/// The file.
pub fn file(run: &Run) -> Result<String, EvidenceError> {
    let mut report = Report::new("hedgerow verify");
    report.timestamp = chrono_of(run.started);
    report.set_time(duration(ms_between(run.started, run.ended)));
    report.add_test_suite(whole_run(run));
    let mut drivers: Vec<&str> = Vec::new();
    for journey in &run.journeys {
        if !drivers.contains(&journey.driver.as_str()) {
            drivers.push(&journey.driver);
        }
    }
    for driver in drivers {
        let journeys: Vec<&JourneyResult> = run.journeys.iter().filter(|journey| journey.driver == driver).collect();
        let mut suite = TestSuite::new(driver);
        suite.timestamp = journeys.first().and_then(|first| chrono_of(first.started));
        suite.set_time(duration(journeys.iter().map(|journey| journey.ms).fold(0, u64::saturating_add)));
        suite.add_test_cases(journeys.into_iter().map(|journey| case(run, journey)));
        report.add_test_suite(suite);
    }
    Ok(report.to_string()?)
}

/// The type of quick-junit is another crate's; it can be read from text without naming that crate.
fn chrono_of<T: std::str::FromStr>(at: Timestamp) -> Option<T> {
    at.to_string().parse().ok()
}

/// The preconditions, and the run as a whole where no journey tells what it came to.
fn whole_run(run: &Run) -> TestSuite {
    let mut suite = TestSuite::new("run");
    for (name, value) in [
        ("run", run.id.as_str()),
        ("verdict", run.verdict.word()),
        ("target", &run.target.url),
        ("profile", &run.target.profile),
        ("product", &run.target.product),
        ("user", &run.target.username),
        ("oracles", &run.conditions.oracles.join(", ")),
    ] {
        suite.add_property((name, value));
    }
    suite.add_properties(
        run.versions.iter().map(|version| (format!("version of {}", version.of), version.version.clone())),
    );
    let mut status = TestCaseStatus::success();
    if matches!(run.verdict, RunVerdict::Invalid | RunVerdict::Mismatch) {
        let kind = if run.verdict == RunVerdict::Invalid { "invalid" } else { "mismatch" };
        status = TestCaseStatus::non_success(NonSuccessKind::Error);
        let told = run.finding.as_ref().map(finding_text).unwrap_or_default();
        status.set_type(kind).set_message(run.sentence.as_str()).set_description(told);
    }
    let mut preconditions = TestCase::new("preconditions", status);
    preconditions.set_classname("verify.run").set_assertions(run.preconditions.len());
    preconditions.timestamp = chrono_of(run.started);
    preconditions.set_system_out(checks_text(&run.preconditions));
    suite.add_test_case(preconditions);
    let told = |verdict| run.journeys.iter().any(|journey| journey.verdict == verdict);
    let is_told = match run.verdict {
        RunVerdict::Pass | RunVerdict::Invalid | RunVerdict::Mismatch => true,
        RunVerdict::Fail => told(Verdict::Fail),
        RunVerdict::Inconclusive => told(Verdict::Inconclusive),
        RunVerdict::Interrupted => false,
    };
    if !is_told {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type(run.verdict.word()).set_message(run.sentence.as_str());
        let mut case = TestCase::new("the run came to its end", status);
        case.set_classname("verify.run");
        suite.add_test_case(case);
    }
    suite
}

fn case(run: &Run, journey: &JourneyResult) -> TestCase {
    let mut status = match journey.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped => TestCaseStatus::skipped(),
    };
    status.set_message(journey.sentence.as_str());
    if journey.verdict == Verdict::Inconclusive {
        status.set_type("inconclusive");
    }
    if let Some(finding) = &journey.finding {
        if journey.verdict == Verdict::Fail {
            status.set_type(finding.cause.code());
        }
        status.set_description(finding_text(finding));
    }
    let mut case = TestCase::new(journey.name.as_str(), status);
    case.set_classname(format!("verify.{}.{}", run.target.profile, journey.driver));
    case.set_time(duration(journey.ms)).set_assertions(journey.checks.len());
    case.timestamp = chrono_of(journey.started);
    case.add_property(("proves", journey.proves.as_str()));
    if let Some(verified) = journey.verified {
        case.add_property(("verified", if verified { "true" } else { "false" }));
    }
    if let Some(finding) = &journey.finding {
        case.add_property(("layer", finding.layer.word()));
        case.add_properties(finding.failure_point.map(|point| ("failure_point".to_owned(), point.to_string())));
    }
    case.add_properties(journey.measured.iter().map(|one| (format!("ms of {}", one.what), one.ms.to_string())));
    if let Some(last) = journey.steps.checked_sub(1) {
        case.add_property((
            "steps".to_owned(),
            format!("{} to {}", journey.first_step, journey.first_step.saturating_add(last)),
        ));
    }
    if !journey.checks.is_empty() {
        case.set_system_out(checks_text(&journey.checks));
    }
    case
}

fn finding_text(finding: &Finding) -> String {
    let mut text = format!(
        "{} ({})\nexpected: {}\nobserved: {}\nwhat to do: {}\nlayer: {}",
        finding.cause.title(),
        finding.cause.code(),
        finding.expected,
        finding.observed,
        finding.what_to_do,
        finding.layer.word(),
    );
    // Writing into a String cannot fail.
    if let Some(point) = finding.failure_point {
        let _ = write!(text, "\nfailure point: {point} of 9");
    }
    if let Some(step) = finding.step {
        let _ = write!(text, "\nstep: {step}");
    }
    text
}

fn checks_text(checks: &[Check]) -> String {
    let mut text = format!("{}\n", count(checks.len(), "check", "checks"));
    for check in checks {
        let word = match check.held {
            Some(true) => "held",
            Some(false) => "did not hold",
            None => "could not be told",
        };
        let _ = writeln!(text, "[{word}] {}: {}", check.expected, check.observed);
    }
    text
}
