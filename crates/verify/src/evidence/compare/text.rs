//! A comparison for people: a heading a matter, a line a change, and nothing about what is the same.

use super::{Changed, Comparison, Failure, RunName, length, moment, plain};
use crate::verdict::Verdict;

impl Comparison {
    /// Whether nothing differs that a comparison looks at.
    pub fn is_same(&self) -> bool {
        self.before.verdict == self.after.verdict
            && self.conditions.is_empty()
            && self.verdicts.is_empty()
            && self.verified.is_empty()
            && self.new_failures.is_empty()
            && self.gone_failures.is_empty()
            && self.causes.is_empty()
            && self.times.is_empty()
            && self.versions.is_empty()
    }

    /// The comparison in text.
    pub fn to_text(&self) -> String {
        let mut text = format!("before  {}\nafter   {}\n", run(&self.before), run(&self.after));
        if self.is_same() {
            text.push_str("\nThe two runs came to the same.\n");
            return plain(&text);
        }
        let verified = |is: &Option<bool>| match is {
            Some(true) => "verified by an oracle",
            Some(false) => "not verified",
            None => "nothing to verify",
        };
        section(
            &mut text,
            "The runs were not made alike",
            changes(&self.conditions, |value| or(value, "none").to_owned()),
        );
        section(&mut text, "New failures", self.new_failures.iter().map(failure).collect());
        section(&mut text, "Failures that are gone", self.gone_failures.iter().map(failure).collect());
        section(&mut text, "Failures with another cause", changes(&self.causes, |cause| cause.code().to_owned()));
        section(&mut text, "Verdicts", changes(&self.verdicts, |is| is.map_or("not made", Verdict::word).to_owned()));
        section(&mut text, "What the oracle confirmed", changes(&self.verified, |is| verified(is).to_owned()));
        section(&mut text, "Times", changes(&self.times, |ms| length(*ms)));
        section(
            &mut text,
            "Versions",
            changes(&self.versions, |is| is.clone().unwrap_or_else(|| "not named".to_owned())),
        );
        plain(&text)
    }
}

fn run(run: &RunName) -> String {
    format!("{}  {}  {}: {}", moment(run.started), run.id, run.verdict.word(), run.sentence)
}

fn failure(failure: &Failure) -> String {
    let cause = failure.cause.map_or(String::new(), |cause| format!(" [{}]", cause.code()));
    format!("{}{cause}: {}", failure.of, failure.observed)
}

fn changes<T>(changed: &[Changed<T>], words: impl Fn(&T) -> String) -> Vec<String> {
    changed.iter().map(|one| format!("{}: {} → {}", one.of, words(&one.before), words(&one.after))).collect()
}

fn section(text: &mut String, title: &str, lines: Vec<String>) {
    if !lines.is_empty() {
        text.push_str(&format!("\n{title}\n"));
        text.extend(lines.iter().map(|line| format!("  {line}\n")));
    }
}

fn or<'a>(text: &'a str, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text }
}
