//! What `hedgerow verify` says on standard error while it walks: a line for each journey, and one for all those that came
//! to the same for the same reason, as when the run's time or requests are over.

use crate::client::complain;
use std::io::IsTerminal as _;
use verify::results::JourneyResult;
use verify::run::Progress;
use verify::verdict::Verdict;

/// Says what is going on.
#[derive(Default)]
pub(super) struct Told {
    /// Only what did not pass.
    quiet: bool,
    /// What was said of journeys that were not judged, and which came to the same later.
    same: Vec<Same>,
}

struct Same {
    verdict: Verdict,
    sentence: String,
    later: Vec<String>,
}

impl Told {
    /// Says only what did not pass: for whoever runs again and again.
    pub(super) fn quietly() -> Self {
        Self { quiet: true, ..Self::default() }
    }

    /// Whether the same was said before; then the journey is named at the end.
    fn was_said(&mut self, result: &JourneyResult, name: &str) -> bool {
        if !matches!(result.verdict, Verdict::Skipped | Verdict::Inconclusive) {
            return false;
        }
        let known = self.same.iter_mut().find(|one| one.verdict == result.verdict && one.sentence == result.sentence);
        match known {
            Some(one) => one.later.push(name.to_owned()),
            None => {
                let (verdict, sentence) = (result.verdict, result.sentence.clone());
                self.same.push(Same { verdict, sentence, later: Vec::new() });
                return false;
            }
        }
        true
    }

    /// The journeys that were not named yet, a line for each reason.
    fn rest(&self) -> Vec<String> {
        let several = self.same.iter().filter(|one| !one.later.is_empty());
        several
            .map(|one| {
                let more = format!("{} more: {}", one.later.len(), one.later.join(", "));
                format!("{:<12} {more}  {}\n", one.verdict.word(), one.sentence)
            })
            .collect()
    }

    /// Says the rest.
    pub(super) fn end(&self) {
        self.rest().iter().for_each(|line| complain(line));
    }
}

impl Progress for Told {
    fn begins(&mut self, journey: &str, driver: &str) {
        if std::io::stderr().is_terminal() && !self.quiet {
            complain(&format!("\r{journey} ({driver}) ..."));
        }
    }

    fn ended(&mut self, result: &JourneyResult) {
        if self.quiet && matches!(result.verdict, Verdict::Pass | Verdict::Skipped) {
            return;
        }
        let clear = if std::io::stderr().is_terminal() { "\r\x1b[K" } else { "" };
        let name = format!("{} ({})", result.name, result.driver);
        if self.was_said(result, &name) {
            complain(clear);
            return;
        }
        let seconds = f64::from(u32::try_from(result.ms).unwrap_or(u32::MAX)) / 1000.0;
        complain(&format!("{clear}{:<12} {name:<36} {seconds:>6.1} s  {}\n", result.verdict.word(), result.sentence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(name: &str, verdict: Verdict, sentence: &str) -> JourneyResult {
        JourneyResult {
            name: name.into(),
            proves: String::new(),
            driver: "http".into(),
            verdict,
            verified: None,
            sentence: sentence.into(),
            finding: None,
            checks: Vec::new(),
            measured: Vec::new(),
            started: jiff::Timestamp::UNIX_EPOCH,
            ms: 0,
            first_step: 0,
            steps: 0,
        }
    }

    #[test]
    fn one_line_for_all_that_were_not_made_for_one_reason() {
        let (over, all_held) = ("The run's 3 s were over before it was.", "Everything was seen to hold.");
        let mut told = Told::default();
        for (name, verdict, sentence) in [
            ("login", Verdict::Pass, all_held),
            ("crawl", Verdict::Inconclusive, over),
            ("drift", Verdict::Inconclusive, over),
            ("csrf", Verdict::Inconclusive, "Another reason."),
            ("status", Verdict::Pass, all_held),
            ("cancel", Verdict::Inconclusive, over),
        ] {
            let said = told.was_said(&result(name, verdict, sentence), name);
            assert_eq!(said, ["drift", "cancel"].contains(&name), "{name}");
        }
        assert_eq!(told.rest(), [format!("inconclusive 2 more: drift, cancel  {over}\n")]);
    }
}
