//! `docs/reference/faults.md`: what a user sees in each cell, or why it cannot occur. The table gives what is allowed,
//! the run of all cells the sentence that was seen.

use super::table::{Cell, Expect, Names, cell};
use super::words::{Fault, Moment};
use anyhow::{Context, Result};
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// What was seen in a cell: state, code, and the sentence without what differs from run to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// State and code.
    pub end: String,
    /// The sentence.
    pub sentence: String,
}

/// Examples by cell.
pub type Examples = BTreeMap<(Fault, Moment), Example>;

const HEAD: &str = "# Faults

<!-- Written by `HEDGEROW_MATRIX=all cargo test -p journeys --test kube_matrix`; change the table in tests/matrix, not this page. -->

What a user sees when something breaks in the middle of *Sync to Kubernetes*. Each row was played on a real API server: a
request of the run was held at that moment, the fault was made, and the request let go. In every row the operation ends
within its time limit, the last success stays what it was unless the run succeeded, the fabric is never shown as in sync
while it is not, nothing is touched that the run did not plan, and after the fault the same button ends in sync.

The run has three objects to write: a changed server, a new VPC, an attachment of that VPC. *Ends as* lists every end that
is true; which of them it is may depend on what else was under way. *For example* is what the operation's page said, with
names, numbers and addresses replaced. What each code asks for stands in [Codes](codes.md).
";

impl Example {
    /// What was seen, made comparable.
    pub fn new(state: &str, code: Option<&str>, message: &str) -> Self {
        Self { end: end((state, code)), sentence: masked(message) }
    }
}

/// The committed page.
pub fn file() -> PathBuf {
    testkit::workspace().join("docs/reference/faults.md")
}

/// The page with these examples.
pub fn text(examples: &Examples) -> String {
    let mut page = HEAD.to_owned();
    for fault in Fault::ALL {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {}\n\n{}\n\n", fault.title(), fault.sentence());
        let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
        page.push_str("| moment | ends as | for example |\n|---|---|---|\n");
        for moment in Moment::ALL {
            match cell(*fault, *moment) {
                Cell::Occurs(expect) => {
                    let example = examples.get(&(*fault, *moment));
                    let example = example.map(|one| format!("{}: {}", one.end, one.sentence)).unwrap_or_default();
                    let _ = writeln!(page, "| {} | {} | {example} |", moment.title(), allowed(&expect));
                }
                Cell::Cannot(reason) => match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, moments)) => moments.push(moment.title()),
                    None => reasons.push((reason, vec![moment.title()])),
                },
            }
        }
        for (reason, moments) in reasons {
            let _ = write!(page, "\nCannot occur at *{}*: {reason}\n", moments.join("*, *"));
        }
    }
    page.push_str("\n## The moments\n\n| moment | what it is |\n|---|---|\n");
    for moment in Moment::ALL {
        let _ = writeln!(page, "| {} | {} |", moment.title(), moment.sentence());
    }
    page
}

/// The examples that a page holds.
pub fn examples(page: &str) -> Examples {
    let mut found = Examples::new();
    let mut fault = None;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            fault = Fault::ALL.iter().find(|one| one.title() == title).copied();
        }
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (Some(fault), [moment, _, example]) = (fault, &cells[..]) else { continue };
        let moment = Moment::ALL.iter().find(|one| one.title() == *moment);
        if let (Some(moment), Some((end, sentence))) = (moment, example.split_once(": ")) {
            found.insert((fault, *moment), Example { end: end.to_owned(), sentence: sentence.to_owned() });
        }
    }
    found
}

/// The page as it is committed; empty before there was one.
pub fn committed() -> Result<String> {
    match std::fs::read_to_string(file()) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).context("read docs/reference/faults.md"),
    }
}

/// Whether an example's end is among those that the table allows.
pub fn is_allowed(example: &Example, fault: Fault, moment: Moment) -> bool {
    match cell(fault, moment) {
        Cell::Occurs(expect) => expect.ends.iter().any(|one| end(*one) == example.end),
        Cell::Cannot(_) => false,
    }
}

fn end((state, code): (&str, Option<&str>)) -> String {
    match code {
        Some(code) => format!("{state} `{code}`"),
        None => state.to_owned(),
    }
}

fn allowed(expect: &Expect) -> String {
    let mut states: Vec<(&str, Vec<&str>)> = Vec::new();
    for (state, code) in &expect.ends {
        match states.iter_mut().find(|(known, _)| known == state) {
            Some((_, codes)) => codes.extend(code),
            None => states.push((state, code.iter().copied().collect())),
        }
    }
    let one = |(state, codes): (&str, Vec<&str>)| match &codes[..] {
        [] => state.to_owned(),
        codes => format!("{state} `{}`", codes.join("`, `")),
    };
    let ends = states.into_iter().map(one).collect::<Vec<_>>().join("; ");
    match expect.names {
        Names::Nothing => ends,
        Names::Object => format!("{ends}; the object is named"),
        Names::Kind => format!("{ends}; the kind is named"),
    }
}

/// A sentence without what differs from run to run.
pub fn masked(message: &str) -> String {
    let replace = [
        (r"https?://127\.0\.0\.1:\d+|127\.0\.0\.1(:\d+)?", "SERVER"),
        (r"vpc-new-\d+", "vpc-new"),
        (r"\b[0-9a-f]{7,40}\b", "COMMIT"),
        (r"\b(spine|leaf|gw|server)-\d+", "$1-N"),
        // What HTTP said stays.
        (r"(HTTP [45]\d\d|\([45]\d\d\b)|\b\d+(\.\d+)?\b", "$1"),
        // Which of several comes first is chance.
        (r"\blist [A-Z]\w+ in\b", "list KIND in"),
        (r"First: [A-Z]\w+ [^ ]+:", "First: OBJECT:"),
        (r"\bN is not\b", "N are not"),
        (r"\bN was written\b", "N were written"),
        (r"\|", "/"),
        (r"\s+", " "),
    ];
    let mut text = message.trim().to_owned();
    for (pattern, with) in replace {
        let pattern = Regex::new(pattern).expect("a pattern that is written above");
        text = pattern
            .replace_all(&text, |found: &Captures<'_>| {
                let mut word = String::new();
                found.expand(with, &mut word);
                if word.is_empty() { "N".to_owned() } else { word }
            })
            .into_owned();
    }
    text
}

#[test]
fn what_differs_from_run_to_run_is_masked() {
    let said = "2 of 27 objects are live; 1 is not, 1 was written. First: VPC vpc-new-12: list Server in default: https://127.0.0.1:4711 \
                did not answer within 4.5 s (HTTP 401, deadbeef1 | server-01)";
    let masked = masked(said);
    assert_eq!(
        masked,
        "N of N objects are live; N are not, N were written. First: OBJECT: list KIND in default: SERVER did not answer within N s \
         (HTTP 401, COMMIT / server-N)"
    );
    let example = Example::new("partial", Some("kubernetes_timeout"), said);
    let kept: Examples = [((Fault::BlackHole, Moment::Apply), example)].into();
    assert_eq!(examples(&text(&kept)), kept, "a page is read as it was written");
}
