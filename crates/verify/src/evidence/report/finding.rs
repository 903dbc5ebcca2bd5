//! What was found wrong, as the report shows it: the same finding of several drivers once, with the journeys it is of.

use super::{journey_id, points};
use crate::results::{Finding, Run};
use askama::Template;

/// One finding.
#[derive(Template)]
#[template(path = "report/finding.html")]
pub struct FindingView<'a> {
    finding: &'a Finding,
    point: Option<(u8, &'static str)>,
    /// The journeys that met it: anchor and name.
    journeys: Vec<(String, String)>,
}

impl askama::filters::HtmlSafe for FindingView<'_> {}

impl<'a> FindingView<'a> {
    /// A finding, and the journeys that met it.
    pub fn new(finding: &'a Finding, journeys: Vec<(String, String)>) -> Self {
        let point = finding.failure_point.and_then(|point| Some((point, points::title(point)?)));
        Self { finding, point, journeys }
    }
}

/// What is on top of the report: why the run proves nothing, or what its failed journeys met.
pub fn all(run: &Run) -> Vec<FindingView<'_>> {
    let mut found: Vec<FindingView<'_>> = run.finding.iter().map(|one| FindingView::new(one, Vec::new())).collect();
    for (index, journey) in run.journeys.iter().enumerate() {
        let Some(finding) = &journey.finding else { continue };
        let place = (journey_id(index), format!("{} ({})", journey.name, journey.driver));
        let same =
            |one: &&mut FindingView<'_>| one.finding.cause == finding.cause && one.finding.observed == finding.observed;
        match found.iter_mut().find(same) {
            Some(known) => known.journeys.push(place),
            None => found.push(FindingView::new(finding, vec![place])),
        }
    }
    found
}
