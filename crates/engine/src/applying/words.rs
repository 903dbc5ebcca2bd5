//! Fields in words: what was where, and whose it was.

use model::compare::{FieldDiff, ObjectState, Side};
use serde_json::Value;

/// How many fields an outcome keeps.
const FIELDS_KEPT: usize = 50;

/// One field in one line: what stands where, and who put it there.
pub(crate) fn describe(diff: &FieldDiff) -> String {
    format!("{}: {} in the cluster, {} in Git{}", diff.path, show(&diff.live), show(&diff.desired), by(diff))
}

/// One field that somebody changed, of a comparison of the earlier form (as desired) with the later one (as live).
pub(super) fn describe_change(diff: &FieldDiff) -> String {
    format!("{}: {} became {}{}", diff.path, show(&diff.desired), show(&diff.live), by(diff))
}

/// Several fields in one line.
pub(super) fn in_one_line(diffs: &[FieldDiff], one: impl Fn(&FieldDiff) -> String) -> String {
    const NAMED: usize = 5;
    let mut words: Vec<String> = diffs.iter().take(NAMED).map(one).collect();
    if diffs.len() > NAMED {
        words.push(format!("and {} more", diffs.len() - NAMED));
    }
    words.join("; ")
}

/// As many fields as an outcome keeps.
pub(super) fn kept(diffs: &[FieldDiff]) -> Vec<FieldDiff> {
    diffs.iter().take(FIELDS_KEPT).cloned().collect()
}

/// What a write overwrites of others: only what was changed in the cluster.
pub(super) fn overwritten(state: ObjectState, diffs: &[FieldDiff]) -> Vec<String> {
    if matches!(state, ObjectState::Modified | ObjectState::Conflict) {
        diffs.iter().filter(|d| d.side != Side::Desired).map(describe).collect()
    } else {
        Vec::new()
    }
}

fn show(value: &Option<Value>) -> String {
    value.as_ref().map_or_else(|| "absent".to_owned(), short)
}

fn by(diff: &FieldDiff) -> String {
    diff.manager.as_ref().map(|m| format!(", by {m}")).unwrap_or_default()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 { text.chars().take(77).chain("...".chars()).collect() } else { text }
}
