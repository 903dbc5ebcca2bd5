//! What a self-test came to: for people a table, for programs JSON, for both an exit code.

use super::faults::{Fault, Kind};
use crate::cause::{Cause, Layer};
use crate::results::Run;
use crate::site::DriverKind;
use crate::verdict::{RunVerdict, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::time::Duration;

/// What became of one fault.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Planted {
    /// Its name, as `--fault` takes it.
    pub name: String,
    /// What is wrong with the console then.
    pub sentence: String,
    /// Who plants it: `proxy`, `lab`, or both.
    pub planted_by: String,
    /// The journeys that meet it.
    pub journeys: Vec<String>,
    /// The verdict that it must lead to.
    pub verdict: Kind,
    /// The cause that must be named; where several stand here, one of them.
    pub expected: Vec<Cause>,
    /// The layers of these.
    pub layers: Vec<Layer>,
    /// The layer at which the two paths must be seen to part.
    pub parts_at: Option<Layer>,
    /// The layer at which they were.
    pub parted_at: Option<Layer>,
    /// The cause that was named first.
    pub found: Option<Cause>,
    /// What was seen.
    pub observed: String,
    /// Whether it was found as what it is; nothing where it was not tried.
    pub caught: Option<bool>,
    /// Why it counts as missed, or as not tried.
    pub missed_because: Option<String>,
    /// How often the proxy altered something.
    pub altered: Option<u64>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// Whether it is a gap that it was not tried.
    pub gap: bool,
}

impl Planted {
    /// A fault of which nothing is known yet.
    pub(super) fn of(fault: &Fault) -> Self {
        Self {
            name: fault.name.to_owned(),
            sentence: fault.sentence.to_owned(),
            planted_by: fault.planted_by().to_owned(),
            journeys: fault.journeys.iter().map(|name| (*name).to_owned()).collect(),
            verdict: fault.kind,
            expected: fault.causes.clone(),
            layers: fault.causes.iter().map(|cause| cause.layer()).collect(),
            parts_at: fault.parts_at,
            parted_at: None,
            found: None,
            observed: String::new(),
            caught: None,
            missed_because: None,
            altered: None,
            ms: 0,
            gap: false,
        }
    }

    /// A fault that was not tried; whether that is a gap in the proof.
    pub(super) fn not_tried(fault: &Fault, why: &str, gap: bool) -> Self {
        Self { missed_because: Some(why.to_owned()), gap, ..Self::of(fault) }
    }

    /// A line about it.
    pub fn line(&self) -> String {
        let word = match self.caught {
            Some(true) => "caught",
            Some(false) => "MISSED",
            None => "not tried",
        };
        let codes: Vec<&str> = self.expected.iter().map(|cause| cause.code()).collect();
        let layer = self.layers.first().map_or("", |layer| layer.word());
        let mut line = format!(
            "{word:<10} {:<32} {:<26} {layer:<17} {:>5.1} s  {}",
            self.name,
            codes.join(" or "),
            seconds(self.ms),
            self.sentence
        );
        if let Some(why) = &self.missed_because {
            let _ = write!(line, "\n{:<10} {why}", "");
        }
        line
    }
}

fn seconds(ms: u64) -> f64 {
    f64::from(u32::try_from(ms).unwrap_or(u32::MAX)) / 1000.0
}

/// What one journey over the clean product came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Journey {
    /// Its name.
    pub name: String,
    /// What it came to.
    pub verdict: Verdict,
    /// In a sentence.
    pub sentence: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// The clean product, without any fault.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Clean {
    /// The journeys over it.
    pub journeys: Vec<Journey>,
    /// What was raised although nothing was planted.
    pub raised: Vec<String>,
    /// What could have been walked, and came to nothing: nobody knows whether it raises anything.
    pub gaps: Vec<String>,
    /// How many requests were sent.
    pub requests: u64,
}

impl Clean {
    /// Of the runs over it.
    pub(super) fn of(runs: &[Run]) -> Self {
        let (mut raised, mut gaps) = (Vec::new(), Vec::new());
        for run in runs {
            if matches!(run.verdict, RunVerdict::Invalid | RunVerdict::Mismatch | RunVerdict::Interrupted) {
                raised.push(format!("the run is {}: {}", run.verdict.word(), run.sentence));
            }
            let failed = run.journeys.iter().filter(|journey| journey.verdict == Verdict::Fail);
            raised.extend(failed.map(|journey| format!("{}: {}", journey.name, journey.sentence)));
            let open = run.journeys.iter().filter(|journey| is_gap(&journey.driver, &journey.name, journey.verdict));
            gaps.extend(open.map(|one| format!("{} was {}: {}", one.name, one.verdict.word(), one.sentence)));
        }
        let journeys = runs.iter().flat_map(|run| &run.journeys);
        let journeys = journeys.map(|one| Journey {
            name: one.name.clone(),
            verdict: one.verdict,
            sentence: one.sentence.clone(),
            ms: one.ms,
        });
        Self { journeys: journeys.collect(), raised, gaps, requests: runs.iter().map(|run| run.requests).sum() }
    }

    /// How many journeys came to this.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.journeys.iter().filter(|journey| journey.verdict == verdict).count()
    }
}

/// Whether a journey that came to this leaves a gap in the proof. Who runs no scripts need not walk what is about them.
fn is_gap(driver: &str, journey: &str, verdict: Verdict) -> bool {
    let cannot = driver == DriverKind::Http.name() && super::NEED_SCRIPTS.contains(&journey);
    matches!(verdict, Verdict::Skipped | Verdict::Inconclusive) && !cannot
}

/// What a self-test came to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SelfTest {
    /// Version of this document.
    pub schema: u32,
    /// A random name of it.
    pub id: String,
    /// The version of verify and console.
    pub version: String,
    /// Who walked.
    pub driver: String,
    /// 0: every fault was caught, and nothing was raised on the clean product; 1: not so; 3: faults were not
    /// tried, or journeys over the clean product came to nothing.
    pub exit_code: u8,
    /// In a sentence.
    pub sentence: String,
    /// The clean product.
    pub clean: Clean,
    /// The faults, in their order.
    pub faults: Vec<Planted>,
    /// How many were caught.
    pub caught: usize,
    /// How many were missed.
    pub missed: usize,
    /// How many were not tried.
    pub not_tried: usize,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl SelfTest {
    pub(super) fn new(clean: Clean, faults: Vec<Planted>, driver: DriverKind, took: Duration) -> Self {
        let count = |wanted: Option<bool>| faults.iter().filter(|fault| fault.caught == wanted).count();
        let (caught, missed, not_tried) = (count(Some(true)), count(Some(false)), count(None));
        let gap = faults.iter().any(|fault| fault.gap) || !clean.gaps.is_empty();
        let exit_code = if missed > 0 || !clean.raised.is_empty() {
            1
        } else if gap || caught == 0 || clean.journeys.is_empty() {
            3
        } else {
            0
        };
        let sentence = format!(
            "{caught} of {} faults were caught with the right cause, {missed} were missed, {not_tried} were not tried; on the \
             clean product {} journeys passed, {} were inconclusive, {} were skipped, and {} were raised.",
            faults.len(),
            clean.count(Verdict::Pass),
            clean.count(Verdict::Inconclusive),
            clean.count(Verdict::Skipped),
            clean.raised.len()
        );
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (version, driver) = (env!("CARGO_PKG_VERSION").to_owned(), driver.name().to_owned());
        let id = uuid::Uuid::new_v4().simple().to_string()[..12].to_owned();
        Self { schema: 2, id, version, driver, exit_code, sentence, clean, faults, caught, missed, not_tried, ms }
    }

    /// The table for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for fault in &self.faults {
            let _ = writeln!(text, "{}", fault.line());
        }
        text.push_str("\nthe clean product\n");
        for journey in &self.clean.journeys {
            let word = journey.verdict.word();
            let passed = journey.verdict == Verdict::Pass;
            let sentence = if passed { "" } else { journey.sentence.as_str() };
            let line = format!("{word:<12} {:<30} {:>5.1} s  {sentence}", journey.name, seconds(journey.ms));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for raised in &self.clean.raised {
            let _ = writeln!(text, "RAISED       {raised}");
        }
        for gap in &self.clean.gaps {
            let _ = writeln!(text, "GAP          {gap}");
        }
        let _ = writeln!(text, "\n{} It took {:.0} s.", self.sentence, seconds(self.ms));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selftest::faults;

    fn result(change: impl Fn(&mut Vec<Planted>, &mut Clean)) -> SelfTest {
        let all = faults::all();
        let mut planted: Vec<Planted> =
            all.iter().map(|fault| Planted { caught: Some(true), ..Planted::of(fault) }).collect();
        let (name, verdict) = ("login_logout".to_owned(), Verdict::Pass);
        let journeys = vec![Journey { name, verdict, sentence: String::new(), ms: 1 }];
        let mut clean = Clean { journeys, raised: Vec::new(), gaps: Vec::new(), requests: 1 };
        change(&mut planted, &mut clean);
        SelfTest::new(clean, planted, DriverKind::Http, Duration::from_secs(1))
    }

    #[test]
    fn what_was_not_walked_is_a_gap_where_it_could_have_been() {
        let http = |name: &str, verdict| is_gap("http", name, verdict);
        assert!(http("long_sync_expiry", Verdict::Skipped) && http("crawl", Verdict::Inconclusive));
        assert!(!http("expiry_warning", Verdict::Skipped), "it runs no scripts");
        assert!(is_gap("chromium", "expiry_warning", Verdict::Skipped));
        assert!(!http("crawl", Verdict::Pass) && !http("crawl", Verdict::Fail), "a failure is raised");
    }

    #[test]
    fn the_exit_code_is_0_only_if_everything_was_caught_and_nothing_raised() {
        assert_eq!(result(|_, _| {}).exit_code, 0);
        assert_eq!(result(|planted, _| planted[3].caught = Some(false)).exit_code, 1);
        assert_eq!(result(|_, clean| clean.raised.push("crawl: it failed".into())).exit_code, 1);
        assert_eq!(result(|planted, _| planted[3].caught = None).exit_code, 0, "not asked for");
        let gap = |planted: &mut Vec<Planted>, _: &mut Clean| (planted[3].caught, planted[3].gap) = (None, true);
        assert_eq!(result(gap).exit_code, 3);
        assert_eq!(
            result(|_, clean| clean.journeys.clear()).exit_code,
            3,
            "nothing shows that the clean product is clean"
        );
        assert_eq!(result(|_, clean| clean.gaps.push("cancel was skipped".into())).exit_code, 3);
        assert_eq!(result(|planted, _| planted.clear()).exit_code, 3, "nothing was planted");
    }
}
