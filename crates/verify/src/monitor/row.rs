//! Runs in a row that were not good, and when somebody must be told: once when there are too many, and once when it is
//! over. What was told follows from the counts alone, so that it survives a restart wherever the counts do.

use super::judged::{Judged, Mark};
use jiff::Timestamp;

/// How many runs in a row, up to the newest, were not good, and since when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Row {
    /// How many.
    pub count: u32,
    /// When the first of them began.
    pub since: Option<Timestamp>,
}

impl Row {
    /// The row after one more run.
    #[must_use]
    pub fn after(self, verdict: Mark, started: Timestamp) -> Self {
        if verdict.is_good() {
            return Self::default();
        }
        Self { count: self.count.saturating_add(1), since: self.since.or(Some(started)) }
    }

    /// The same of what is kept of a run.
    #[must_use]
    pub fn after_run(self, run: &Judged) -> Self {
        self.after(run.verdict, run.started)
    }
}

/// What somebody must be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// So many runs in a row were not good.
    Failing,
    /// It was told that they were not, and the newest is.
    Recovered,
}

/// What must be told after a run, where `alert_after` runs in a row are too many.
pub fn due(before: Row, after: Row, alert_after: u32) -> Option<Event> {
    let limit = alert_after.max(1);
    match after.count {
        0 if before.count >= limit => Some(Event::Recovered),
        count if count == limit && before.count < limit => Some(Event::Failing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::at;
    use super::*;
    use Mark::{Fail, Inconclusive, Invalid, Pass, Unverified};

    /// What is told after each of these runs.
    fn told(limit: u32, runs: &[Mark]) -> Vec<Option<Event>> {
        let mut row = Row::default();
        let all = runs.iter().zip(0..).map(|(mark, second)| {
            let after = row.after(*mark, at(second));
            let event = due(row, after, limit);
            row = after;
            event
        });
        all.collect()
    }

    #[test]
    fn it_is_told_once_that_it_fails_and_once_that_it_is_over() {
        let (failing, over) = (Some(Event::Failing), Some(Event::Recovered));
        assert_eq!(
            told(2, &[Pass, Fail, Invalid, Fail, Fail, Pass, Pass]),
            [None, None, failing, None, None, over, None]
        );
        assert_eq!(
            told(3, &[Fail, Fail, Pass, Fail, Inconclusive, Fail, Unverified]),
            [None, None, None, None, None, failing, over]
        );
        assert_eq!(told(1, &[Fail, Pass, Fail]), [failing, over, failing]);
        assert_eq!(told(0, &[Fail, Fail]), [failing, None], "nought is one");
    }

    #[test]
    fn since_when_is_the_beginning_of_the_first() {
        let row = Row::default().after(Fail, at(10)).after(Invalid, at(20));
        assert_eq!((row.count, row.since), (2, Some(at(10))));
        assert_eq!(row.after(Unverified, at(30)), Row::default());
    }
}
