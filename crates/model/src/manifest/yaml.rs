//! One YAML document to JSON, with the limits that keep accidents and bombs small, and errors in our own words.

use super::place::Place;
use super::split::{Document, to_u32};
use super::{Finding, Limits, Location, Severity};
use serde_json::Value;
use serde_saphyr::localizer::Localizer;
use serde_saphyr::{DefaultMessageFormatter, Error, Options};
use std::borrow::Cow;
use std::sync::Arc;

/// How Kubernetes' own tools read YAML: `yes` and `on` are booleans, `0755` is octal, a key stands once.
fn options(limits: &Limits) -> Options {
    // A document is bounded by its file's size; a node takes a byte at least.
    let most = limits.file_bytes.max(1024);
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: limits.depth,
            max_nodes: most,
            max_events: most.saturating_mul(2),
            max_documents: 2,
            max_aliases: 1_000,
            max_anchors: 1_000,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 100_000,
            max_replay_stack_depth: 16,
        },
        legacy_octal_numbers: true,
        with_snippet: false,
    }
}

/// Reads one document.
pub(super) fn read(file: &Arc<str>, document: &Document<'_>, limits: &Limits) -> Result<Value, Box<Finding>> {
    serde_saphyr::from_str_with_options(document.text, options(limits))
        .map_err(|e| Box::new(finding(file, document, limits, &e)))
}

fn finding(file: &Arc<str>, document: &Document<'_>, limits: &Limits, error: &Error) -> Finding {
    let start = document.content().unwrap_or((document.first_line, 1));
    let at = error.location().filter(|l| l.line() > 0).map_or(start, |l| {
        let line = u32::try_from(l.line()).unwrap_or(u32::MAX).saturating_add(document.first_line - 1);
        (line, u32::try_from(l.column()).unwrap_or(u32::MAX).max(1))
    });
    let mut finding = Finding {
        severity: Severity::Error,
        rule: "yaml_syntax".to_owned(),
        object: None,
        path: None,
        location: Some(Location { file: file.clone(), line: at.0, column: at.1, document: document.number }),
        message: String::new(),
        glimpses: Vec::new(),
    };
    match innermost(error) {
        Error::DuplicateMappingKey { key, .. } => {
            finding.rule = "duplicate_key".to_owned();
            let twice = Place::read(document.text).and_then(|place| place.duplicate_key());
            finding.message = match (twice, key) {
                (Some(twice), _) => {
                    let line = |position: (u32, u32)| position.0 + document.first_line - 1;
                    if let Some(location) = &mut finding.location {
                        (location.line, location.column) = (line(twice.again), twice.again.1);
                    }
                    let place = |position: (u32, u32)| format!("{file}:{}:{}", line(position), position.1);
                    let message = format!(
                        "{} stands twice in one mapping: in {} and in {}. Keep one of them.",
                        twice.path,
                        place(twice.first),
                        place(twice.again)
                    );
                    finding.path = Some(twice.path.to_string());
                    message
                }
                (None, Some(key)) => format!("The key '{key}' stands twice in one mapping. Keep one of them."),
                (None, None) => "A key stands twice in one mapping. Keep one of them.".to_owned(),
            };
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            finding.rule = "too_complex".to_owned();
            let words = in_plain_words(error);
            finding.message = format!(
                "The document is too complex to be read ({words}). At most {} levels of nesting and few aliases are read.",
                limits.depth
            );
        }
        Error::NonFiniteFloat { value, .. } => {
            finding.rule = "not_a_json_value".to_owned();
            finding.message =
                format!("'{value}' is no number that Kubernetes knows. Put it in quotes if it is a text.");
        }
        _ => {
            let words = in_plain_words(error);
            // The parser may stop at the end of the line above the tab.
            let from = (at.0 - document.first_line) as usize;
            let tab = document
                .text
                .lines()
                .enumerate()
                .skip(from)
                .take(2)
                .find(|(_, line)| line[..line.len() - line.trim_start().len()].contains('\t'));
            finding.message = match (tab, &mut finding.location) {
                (Some((n, _)), Some(location)) => {
                    (location.line, location.column) = (to_u32(n) + document.first_line, 1);
                    format!("The line is indented with a tab; YAML allows spaces only ({words}).")
                }
                _ => format!("This is not YAML: {words}."),
            };
        }
    }
    finding
}

/// The error itself, without the wrappers that say where an alias was used.
fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => innermost(error),
        other => other,
    }
}

struct NoPlaces;

impl Localizer for NoPlaces {
    fn attach_location<'a>(&self, base: Cow<'a, str>, _: serde_saphyr::Location) -> Cow<'a, str> {
        base
    }
}

/// The parser's words without its line numbers, which count from the document's start.
fn in_plain_words(error: &Error) -> String {
    let text = innermost(error).render_with_formatter(&DefaultMessageFormatter.with_localizer(&NoPlaces));
    text.trim().trim_end_matches('.').to_owned()
}
