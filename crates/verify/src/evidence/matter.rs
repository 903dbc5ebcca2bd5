//! Which steps matter: those that show what was found, and those of journeys that failed or could not be told. Of these
//! everything is kept and shown; of the others the beginning is enough, or a folder grows beyond what anybody keeps.

use crate::results::{Run, Step};
use crate::verdict::Verdict;
use std::collections::BTreeSet;

/// The numbers of the steps that matter.
#[derive(Debug, Default)]
pub struct Matters(BTreeSet<usize>);

impl Matters {
    /// Of a run.
    pub fn of(run: &Run) -> Self {
        let findings = run.journeys.iter().filter_map(|journey| journey.finding.as_ref()).chain(&run.finding);
        let checks = run.journeys.iter().flat_map(|journey| &journey.checks).chain(&run.preconditions);
        let unheld = checks.filter(|check| check.held == Some(false)).filter_map(|check| check.step);
        let shown = findings.filter_map(|finding| finding.step).chain(unheld);
        let undone = run.steps.iter().filter(|step| step.obstacle.is_some()).map(|step| step.number);
        let open = run
            .journeys
            .iter()
            .filter(|one| matches!(one.verdict, Verdict::Fail | Verdict::Inconclusive))
            .flat_map(|one| one.first_step..one.first_step.saturating_add(one.steps));
        // Without a journey the preconditions are all that there is.
        let before = run.steps.iter().filter(|step| run.journeys.is_empty() && step.journey.is_empty());
        Self(shown.chain(undone).chain(open).chain(before.map(|step| step.number)).collect())
    }

    /// Whether this step matters.
    pub fn has(&self, step: &Step) -> bool {
        self.0.contains(&step.number)
    }
}
