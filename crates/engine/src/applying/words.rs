//! Fields in words: what was where, and whose it was.

use model::compare::{FieldDiff, ObjectState, Side};
use model::prune::FIELD_MANAGER;
use serde_json::Value;

/// How many fields an outcome keeps.
const FIELDS_KEPT: usize = 50;

/// One field in one line: what stands where, and who put it there.
pub(crate) fn describe(diff: &FieldDiff) -> String {
    format!("{}: {} in the cluster, {} in Git{}", diff.path, show(&diff.live), show(&diff.desired), by(diff))
}

/// One field of an object that this run has just written: where it is Hedgerow's own and something else than was sent, the
/// server changed it on its way.
pub(crate) fn describe_written(diff: &FieldDiff) -> String {
    if diff.manager.as_deref() != Some(FIELD_MANAGER) {
        return describe(diff);
    }
    let what = describe(&FieldDiff { manager: None, ..diff.clone() });
    format!("{what}: the server changed what was sent (a mutating webhook, or a default)")
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

/// What a write overwrites of others: what was changed in the cluster, and, of an object that was never verified
/// (`is_new`), what somebody else has set.
pub(super) fn overwritten(state: ObjectState, is_new: bool, diffs: &[FieldDiff]) -> Vec<String> {
    let is_changed = matches!(state, ObjectState::Modified | ObjectState::Conflict);
    let is_theirs = |d: &FieldDiff| {
        is_new && d.live.is_some() && d.manager.as_deref().is_some_and(|manager| manager != FIELD_MANAGER)
    };
    diffs.iter().filter(|d| (is_changed && d.side != Side::Desired) || is_theirs(d)).map(describe).collect()
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
