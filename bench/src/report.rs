//! What is printed: one line a promise, with both sides' times, their ratio and whether it keeps its budget.

use serde::Serialize;
use std::fmt::Write;
use std::time::Duration;

/// Times of one thing over the rounds, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Times(Vec<f64>);

impl Times {
    /// One more round.
    pub fn push(&mut self, took: Duration) {
        self.0.push(took.as_secs_f64() * 1000.0);
    }

    /// Each time so many times as long: for what was done with a part of the objects.
    #[must_use]
    pub fn scaled(&self, by: f64) -> Self {
        Self(self.0.iter().map(|ms| ms * by).collect())
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        median(&self.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn show(&self) -> String {
        let (min, max) = self.0.iter().fold((f64::MAX, 0.0_f64), |(min, max), ms| (min.min(*ms), max.max(*ms)));
        format!("{} / {} / {}", show(min), show(self.median()), show(max))
    }
}

fn median(of: &[f64]) -> f64 {
    let mut sorted = of.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 1 => sorted[half],
        (_, half) => f64::midpoint(sorted[half - 1], sorted[half]),
    }
}

fn show(ms: f64) -> String {
    if ms < 1000.0 { format!("{ms:.0} ms") } else { format!("{:.2} s", ms / 1000.0) }
}

/// What a ratio, or a time, has to be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Our time is at most so many times theirs.
    AtMost(f64),
    /// We are at least so many times faster.
    TimesFaster(f64),
    /// Our time is at most so many milliseconds.
    Within(f64),
    /// Nothing has to hold: what the bare requests themselves reach, which nothing that sends them can exceed.
    Bound,
}

/// One promise.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// What we do.
    pub what: String,
    /// How long we take.
    pub ours: Times,
    /// What we are compared with; empty when with a fixed time.
    pub beside: String,
    /// How long that takes, in the same rounds.
    pub theirs: Times,
    /// What has to hold.
    pub budget: Budget,
}

impl Row {
    /// The median over the rounds of the ratio within a round, so that a machine whose speed drifts does not spoil it.
    pub fn ratio(&self, budget: Budget) -> f64 {
        let pairs = self.ours.0.iter().zip(&self.theirs.0);
        match budget {
            Budget::AtMost(_) => median(&pairs.map(|(ours, theirs)| ours / theirs).collect::<Vec<_>>()),
            Budget::TimesFaster(_) | Budget::Bound => {
                median(&pairs.map(|(ours, theirs)| theirs / ours).collect::<Vec<_>>())
            }
            Budget::Within(_) => self.ours.median(),
        }
    }

    /// Whether a budget holds.
    pub fn keeps(&self, budget: Budget) -> bool {
        let ratio = self.ratio(budget);
        match budget {
            Budget::AtMost(most) | Budget::Within(most) => ratio <= most,
            Budget::TimesFaster(least) => ratio >= least,
            Budget::Bound => true,
        }
    }

    fn cells(&self) -> [String; 6] {
        let ratio = |budget| match budget {
            Budget::AtMost(_) => format!("{:.2} x theirs", self.ratio(budget)),
            Budget::TimesFaster(_) | Budget::Bound => format!("{:.1} x faster", self.ratio(budget)),
            Budget::Within(_) => show(self.ratio(budget)),
        };
        let promise = |budget| {
            let met = if self.keeps(budget) { "met" } else { "MISSED" };
            match budget {
                Budget::AtMost(most) => format!("<= {most} {met}"),
                Budget::TimesFaster(least) => format!(">= {least} {met}"),
                Budget::Within(most) => format!("<= {} {met}", show(most)),
                Budget::Bound => "the most there is".to_owned(),
            }
        };
        [
            self.what.clone(),
            self.ours.show(),
            self.beside.clone(),
            if self.theirs.is_empty() { String::new() } else { self.theirs.show() },
            ratio(self.budget),
            promise(self.budget),
        ]
    }
}

/// Where an operation's time goes.
#[derive(Debug, Serialize)]
pub struct Breakdown {
    /// Which operation.
    pub what: String,
    /// From the request to its end.
    pub whole: Times,
    /// Each phase.
    pub phases: Vec<(String, Times)>,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine, the server and the objects.
    pub setting: Vec<String>,
    /// The promises.
    pub rows: Vec<Row>,
    /// Where the time goes.
    pub breakdowns: Vec<Breakdown>,
    /// What watching takes, when that was measured.
    pub watched: Option<crate::watch::Watched>,
}

impl Report {
    /// The report as text.
    pub fn text(&self) -> String {
        let mut text = self.setting.join("\n") + "\n\n";
        if !self.rows.is_empty() {
            self.table(&mut text);
        }
        if let Some(watched) = &self.watched {
            text.push_str(&watched.text());
        }
        text
    }

    fn table(&self, text: &mut String) {
        let heading = ["ours", "min / median / max", "beside", "min / median / max", "ratio", "budget"];
        let mut table = vec![heading.map(str::to_owned)];
        table.extend(self.rows.iter().map(Row::cells));
        let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..heading.len()).map(width).collect();
        for row in &table {
            let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text.push_str(line.join("  ").trim_end());
            text.push('\n');
        }
        text.push_str("\nWhere the time goes (medians):\n");
        for breakdown in &self.breakdowns {
            // Writing to a String cannot fail.
            let _ = write!(text, "  {}: whole {}", breakdown.what, show(breakdown.whole.median()));
            for (phase, times) in &breakdown.phases {
                let _ = write!(text, ", {phase} {}", show(times.median()));
            }
            text.push('\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(ms: &[f64]) -> Times {
        Times(ms.to_vec())
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let row = Row {
            what: "compare".into(),
            ours: times(&[100.0, 300.0, 130.0]),
            beside: "bare".into(),
            theirs: times(&[100.0, 200.0, 100.0]),
            budget: Budget::AtMost(1.3),
        };
        assert!((row.ratio(row.budget) - 1.3).abs() < 1e-9, "of 1.0, 1.5 and 1.3");
        assert!(row.keeps(row.budget) && !row.keeps(Budget::AtMost(1.2)));
        assert!(row.keeps(Budget::TimesFaster(0.7)) && !row.keeps(Budget::TimesFaster(1.0)));
        assert!(row.keeps(Budget::Within(130.0)) && !row.keeps(Budget::Within(129.0)));
        assert_eq!(row.cells()[5..], ["<= 1.3 met"]);
        assert_eq!(Row { budget: Budget::AtMost(1.2), ..row.clone() }.cells()[5..], ["<= 1.2 MISSED"]);
        assert!(!Row { theirs: Times::default(), ..row }.keeps(Budget::AtMost(9.0)), "nothing measured keeps nothing");
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert!((times(&[4.0, 1.0, 2.0, 8.0]).median() - 3.0).abs() < 1e-9);
        assert_eq!(times(&[20.0, 1500.0, 40.0]).show(), "20 ms / 40 ms / 1.50 s");
    }
}
