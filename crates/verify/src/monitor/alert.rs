//! What a webhook is sent: enough to know what is wrong, since when and where to look, and no secret. Its schema is
//! published in `docs/reference/verify-alert.schema.json`.

use super::judged::{Judged, Mark};
use super::row::{Event, Row};
use crate::redact::Redactor;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The number of this format.
const SCHEMA: u32 = 1;

/// The body of a webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// The number of the format, 1.
    pub schema: u32,
    /// `failing`: so many runs in a row were not good. `recovered`: that was told, and the newest run is good.
    pub event: String,
    /// The whole in one line, for a receiver that shows only a text.
    pub text: String,
    /// The target's address.
    pub target: String,
    /// The fabric that was used.
    pub fabric: Option<String>,
    /// The verdict of the newest run.
    pub verdict: Mark,
    /// The same in a sentence.
    pub sentence: String,
    /// The code of the cause.
    pub cause: Option<String>,
    /// Which of the nine failure points a user would meet, 1 to 9.
    pub failure_point: Option<u8>,
    /// What to do.
    pub what_to_do: Option<String>,
    /// The newest run's name.
    pub run: String,
    /// When it was over.
    pub at: Timestamp,
    /// When the first run of the row began: since then it is, or was, not good.
    pub since: Option<Timestamp>,
    /// How many runs in a row are, or were, not good.
    pub in_a_row: u32,
    /// The journeys of the newest run that failed or could not be told.
    pub journeys: Vec<AlertJourney>,
    /// Where its evidence is: the folder, or the page.
    pub evidence: Option<String>,
}

/// A journey that failed or could not be told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AlertJourney {
    /// Its name.
    pub name: String,
    /// Who walked.
    pub driver: String,
    /// The verdict.
    pub verdict: Mark,
    /// The same in a sentence.
    pub sentence: String,
}

impl Alert {
    /// What is told of an event. `row` is the one that is too long, or that is over now.
    pub fn of(event: Event, run: &Judged, row: Row, evidence: Option<&str>) -> Self {
        let name =
            run.fabric.as_ref().map_or_else(|| run.target.clone(), |fabric| format!("{fabric} at {}", run.target));
        let runs = if row.count == 1 { "1 run".to_owned() } else { format!("{} runs in a row", row.count) };
        let since = row.since.map(|at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default();
        let (event, text) = match event {
            Event::Failing => (
                "failing",
                format!("{name}: the user's path is not as it should be for {runs}, since {since}. {}", run.sentence),
            ),
            Event::Recovered => (
                "recovered",
                format!(
                    "{name}: the user's path is as it should be again, after {runs} since {since}. {}",
                    run.sentence
                ),
            ),
        };
        let journeys = run.failing().map(|one| AlertJourney {
            name: one.name.clone(),
            driver: one.driver.clone(),
            verdict: one.verdict,
            sentence: one.sentence.clone(),
        });
        Self {
            schema: SCHEMA,
            event: event.to_owned(),
            text,
            target: run.target.clone(),
            fabric: run.fabric.clone(),
            verdict: run.verdict,
            sentence: run.sentence.clone(),
            cause: run.cause.clone(),
            failure_point: run.failure_point,
            what_to_do: run.what_to_do.clone(),
            run: run.run.clone(),
            at: run.ended,
            since: row.since,
            in_a_row: row.count,
            journeys: journeys.collect(),
            evidence: evidence.map(str::to_owned),
        }
    }

    /// The same without anything that this redactor knows to be a secret: sentences quote what targets answer.
    #[must_use]
    pub fn hidden(mut self, redactor: &Redactor) -> Self {
        let hide = |text: &mut String| *text = redactor.text(text);
        hide(&mut self.text);
        hide(&mut self.sentence);
        self.what_to_do.iter_mut().for_each(hide);
        self.journeys.iter_mut().for_each(|one| hide(&mut one.sentence));
        self
    }

    /// The published schema.
    pub fn schema_file() -> String {
        format!("{:#}\n", schemars::schema_for!(Self).to_value())
    }
}

#[cfg(test)]
mod tests {
    use super::super::judged::tests::{at, judged};
    use super::*;

    #[test]
    fn it_says_what_since_when_and_how_often() {
        let row = Row { count: 2, since: Some(at(0)) };
        let alert = Alert::of(Event::Failing, &judged(Mark::Fail, 10), row, Some("/runs/x"));
        let body = serde_json::to_value(&alert).unwrap();
        assert_eq!(body["event"], "failing");
        assert_eq!((&body["verdict"], &body["in_a_row"]), (&"fail".into(), &2.into()));
        assert_eq!(body["since"], "2026-01-01T00:00:00Z");
        assert_eq!(body["evidence"], "/runs/x");
        let text = body["text"].as_str().unwrap();
        assert!(text.contains("2 runs in a row, since 2026-01-01 00:00:00 UTC"), "{text}");
        let over = Alert::of(Event::Recovered, &judged(Mark::Pass, 10), row, None);
        assert!(over.text.contains("again, after 2 runs in a row"), "{}", over.text);
    }

    #[test]
    fn what_a_target_answered_is_sent_without_secrets() {
        let redactor = Redactor::default();
        redactor.tell("the password", &"open sesame".into());
        let mut run = judged(Mark::Fail, 10);
        run.sentence = "The page said open sesame.".into();
        let alert = Alert::of(Event::Failing, &run, Row { count: 1, since: Some(at(0)) }, None).hidden(&redactor);
        let body = serde_json::to_string(&alert).unwrap();
        assert!(!body.contains("sesame") && body.contains("[redacted]"), "{body}");
    }
}
