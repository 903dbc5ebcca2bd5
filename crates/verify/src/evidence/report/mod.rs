//! `report.html`: one file for people, the verdict first. Everything is inside it (style, pictures, drawings), it has no
//! script and fetches nothing; a step opens by itself, as the browser's own `<details>`. The same run gives the same bytes.
//!
//! The rooms beside this one make views of the results; the words and their order are in `templates/report`.

mod arms;
mod cleanup;
mod finding;
mod mark;
mod picture;
mod points;
mod steps;
mod summary;
mod timeline;

use super::EvidenceError;
use super::folder::hex;
use super::words::{clock_time, length, moment, size};
use crate::results::{Check, JourneyResult, Run};
use crate::verdict::{RunVerdict, Verdict};
use arms::Parting;
use askama::Template;
use cleanup::Cleanup;
use finding::FindingView;
use mark::Mark;
use picture::{Picture, Pictures};
use sha2::{Digest, Sha256};
use std::path::Path;
use steps::StepView;
use summary::Summary;
use timeline::Timeline;

pub use points::FAILURE_POINTS;

/// The console's own colours, type and tones: a report looks like what it is about.
const TOKENS: &str = include_str!("../../../../web/static/tokens.css");

/// What the report is made of, beside this crate's code.
const FORMS: [&str; 11] = [
    TOKENS,
    include_str!("../../../templates/report/report.html"),
    include_str!("../../../templates/report/style.css"),
    include_str!("../../../templates/report/print.css"),
    include_str!("../../../templates/report/checks.html"),
    include_str!("../../../templates/report/finding.html"),
    include_str!("../../../templates/report/journey.html"),
    include_str!("../../../templates/report/parting.html"),
    include_str!("../../../templates/report/step.html"),
    include_str!("../../../templates/report/summary.html"),
    include_str!("../../../templates/report/timeline.html"),
];

#[derive(Template)]
#[template(path = "report/report.html")]
struct Report<'a> {
    run: &'a Run,
    summary: Summary,
    findings: Vec<FindingView<'a>>,
    journeys: Vec<JourneyView<'a>>,
    timeline: Timeline,
    parting: Option<Parting<'a>>,
    preconditions: Vec<CheckView<'a>>,
    before: Vec<StepView<'a>>,
    /// Steps of no journey that was made, as those of the direct path.
    beside: Vec<StepView<'a>>,
    readings: Vec<ReadingView<'a>>,
    cleanup: Vec<Cleanup<'a>>,
}

struct JourneyView<'a> {
    journey: &'a JourneyResult,
    id: String,
    mark: Mark,
    verified: Option<Mark>,
    took: String,
    finding: Option<FindingView<'a>>,
    checks: Vec<CheckView<'a>>,
    measured: Vec<(&'a str, String)>,
    steps: Vec<StepView<'a>>,
}

struct CheckView<'a> {
    check: &'a Check,
    kind: &'static str,
    mark: Mark,
    at: String,
}

struct ReadingView<'a> {
    at: String,
    journey: &'a str,
    from: &'a str,
    asked: &'a str,
    found: &'a str,
    data: Option<String>,
}

/// The report of a run, with the pictures from its folder.
///
/// # Errors
/// When the template fails, which only a lack of memory makes it do.
pub fn render(run: &Run, folder: &Path) -> Result<String, EvidenceError> {
    let mut pictures = Pictures::of(run, folder);
    let mut steps: Vec<Option<StepView<'_>>> =
        run.steps.iter().map(|step| Some(StepView::new(run, step, &mut pictures))).collect();
    let mut journeys: Vec<JourneyView<'_>> = Vec::new();
    for (index, journey) in run.journeys.iter().enumerate() {
        let its = journey.first_step..journey.first_step.saturating_add(journey.steps);
        let its_steps =
            steps.iter_mut().filter(|slot| slot.as_ref().is_some_and(|view| its.contains(&view.step.number)));
        let its_steps = its_steps.filter_map(Option::take).collect();
        journeys.push(JourneyView::new(index, journey, its_steps));
    }
    let (before, beside) = steps.into_iter().flatten().partition(|view| view.step.journey.is_empty());
    let report = Report {
        run,
        summary: Summary::new(run),
        findings: finding::all(run),
        journeys,
        timeline: Timeline::new(run),
        parting: run.discrepancy.as_ref().map(Parting::new),
        preconditions: run.preconditions.iter().map(CheckView::new).collect(),
        before,
        beside,
        readings: run.readings.iter().map(ReadingView::new).collect(),
        cleanup: cleanup::all(run),
    };
    Ok(report.render()?)
}

/// The sum of the forms: reports of other forms have other bytes.
pub fn forms() -> String {
    let mut digest = Sha256::new();
    for form in FORMS {
        digest.update(form.as_bytes());
    }
    hex(&digest.finalize()[..6])
}

/// The anchor of a journey's section.
fn journey_id(index: usize) -> String {
    format!("journey-{}", index + 1)
}

impl<'a> JourneyView<'a> {
    fn new(index: usize, journey: &'a JourneyResult, steps: Vec<StepView<'a>>) -> Self {
        Self {
            journey,
            id: journey_id(index),
            mark: Mark::of_journey(journey.verdict),
            verified: Mark::of_verified(journey.verified, journey.verdict),
            took: length(journey.ms),
            finding: journey.finding.as_ref().map(|one| FindingView::new(one, Vec::new())),
            checks: journey.checks.iter().map(CheckView::new).collect(),
            measured: journey.measured.iter().map(|one| (one.what.as_str(), length(one.ms))).collect(),
            steps,
        }
    }

    /// Whether nobody has to look: on paper its line in the table is enough.
    fn is_calm(&self) -> bool {
        matches!(self.journey.verdict, Verdict::Pass | Verdict::Skipped)
    }
}

impl<'a> CheckView<'a> {
    fn new(check: &'a Check) -> Self {
        use crate::results::CheckKind;
        let kind = match check.kind {
            CheckKind::Precondition => "precondition",
            CheckKind::Assertion => "assertion",
            CheckKind::Control => "control",
        };
        Self { check, kind, mark: Mark::of_check(check.held), at: clock_time(check.at) }
    }
}

impl<'a> ReadingView<'a> {
    /// More of the data than this stands in `readings.json` only.
    const LONGEST: usize = 4096;

    fn new(reading: &'a crate::results::OracleReading) -> Self {
        let data = (!reading.data.is_null()).then(|| {
            let text = format!("{:#}", reading.data);
            let (kept, left) = super::words::beginning(&text, Self::LONGEST);
            match left {
                0 => kept.to_owned(),
                _ => format!("{kept}\n… {} more in readings.json", size(left as u64)),
            }
        });
        Self {
            at: clock_time(reading.at),
            journey: &reading.journey,
            from: &reading.from,
            asked: &reading.asked,
            found: &reading.found,
            data,
        }
    }
}

impl Report<'_> {
    fn began(&self) -> String {
        moment(self.run.started)
    }

    /// Paper is light, whatever the screen is.
    fn tokens(&self) -> String {
        TOKENS.replace("@media (prefers-color-scheme", "@media screen and (prefers-color-scheme")
    }

    /// Whether something was to be confirmed, and nobody could.
    fn lacks_oracle(&self) -> bool {
        self.run.conditions.oracles.is_empty()
    }

    /// How many journeys no oracle confirmed, though they needed it.
    fn unverified(&self) -> usize {
        self.run.journeys.iter().filter(|journey| journey.verified == Some(false)).count()
    }

    /// What is not kept whole, in sentences.
    fn bounded(&self) -> Vec<String> {
        super::once::told(self.run)
    }

    /// How many pictures are beside the report only.
    fn pictures_beside(&self) -> usize {
        let steps = self.journeys.iter().flat_map(|one| &one.steps).chain(&self.before).chain(&self.beside);
        steps.filter(|view| matches!(view.picture, Some(Picture::Beside(..)))).count()
    }

    /// The commands of a third party that has nothing of ours.
    fn commands(&self) -> [&'static str; 3] {
        [
            r#"jq -r '.files[] | .sha256 + "  " + .path' manifest.json | sha256sum --check --strict"#,
            "base64 -d manifest.sig > manifest.sig.raw",
            "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in manifest.json -sigfile manifest.sig.raw",
        ]
    }
}
