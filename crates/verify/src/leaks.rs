//! What secrets that answers showed make of a run, and what could not be looked for.

use crate::cause::Cause;
use crate::redact::{Leak, Redactor};
use crate::results::{Check, CheckKind, Finding};
use crate::verdict::RunVerdict;
use jiff::Timestamp;

/// What no journey may meet, whatever it is about.
pub(crate) const NONE: &str = "no answer shows a secret";

/// A secret that was shown and stands in no journey's verdict makes the run fail, whatever else it came to: a journey
/// that was skipped, or could not be told, does not excuse it. `told` is how many stand in a verdict.
pub(crate) fn judge(
    (verdict, sentence, finding): (RunVerdict, String, Option<Finding>),
    shown: &[Leak],
    told: usize,
) -> (RunVerdict, String, Option<Finding>) {
    let Some(leak) = shown.get(told) else { return (verdict, sentence, finding) };
    let found = Finding::new(Cause::SecretShown, NONE, leak.to_string());
    let sentence = format!("{}: {leak}. Besides: {sentence}", Cause::SecretShown.title());
    (RunVerdict::Fail, sentence, Some(found))
}

/// The secrets that are ordinary words, each as a precondition that could not be told.
pub(crate) fn not_looked_for(redactor: &Redactor, at: Timestamp) -> Vec<Check> {
    let notes = redactor.notes().into_iter();
    let (kind, held, step) = (CheckKind::Precondition, None, None);
    notes.map(|(expected, observed)| Check { kind, expected, observed, held, at, step }).collect()
}
