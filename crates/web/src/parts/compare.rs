//! Desired and live beside each other: two texts, line by line, with equal stretches folded.

use model::compare::FieldDiff;
use model::path::{Path, Segment};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

/// Lines of context that stay open around a difference.
const CONTEXT: usize = 3;
/// Shorter equal stretches are not worth a fold.
const FOLD_FROM: usize = 4;

/// One line of both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideRow {
    /// Whether both sides are equal here.
    pub equal: bool,
    /// The class of the left side: empty, `del`, or `none` where the left side has no such line.
    pub left_class: &'static str,
    /// The left side's line number; empty where it has none.
    pub left_no: String,
    /// The left side's sign.
    pub left_sign: &'static str,
    /// The left side's text.
    pub left: String,
    /// The class of the right side: empty, `add`, or `none`.
    pub right_class: &'static str,
    /// The right side's line number.
    pub right_no: String,
    /// The right side's sign.
    pub right_sign: &'static str,
    /// The right side's text.
    pub right: String,
}

/// A stretch of lines, folded or open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideBlock {
    /// Whether it starts folded: only equal lines do.
    pub folded: bool,
    /// The lines.
    pub rows: Vec<SideRow>,
}

/// Both texts beside each other.
pub fn sides(left: &str, right: &str) -> Vec<SideBlock> {
    let (left, right): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &left, &right);
    let mut blocks: Vec<SideBlock> = Vec::new();
    let last = ops.len().saturating_sub(1);
    for (index, op) in ops.iter().enumerate() {
        match *op {
            DiffOp::Equal { old_index, new_index, len } => {
                let row = |i: usize| SideRow {
                    equal: true,
                    left_class: "",
                    left_no: (old_index + i + 1).to_string(),
                    left_sign: "",
                    left: left[old_index + i].to_owned(),
                    right_class: "",
                    right_no: (new_index + i + 1).to_string(),
                    right_sign: "",
                    right: right[new_index + i].to_owned(),
                };
                let before = if index == 0 { 0 } else { CONTEXT.min(len) };
                let after = if index == last { 0 } else { CONTEXT.min(len - before) };
                let middle = len - before - after;
                // Two equal texts have nothing to stand around: they stay open.
                if middle < FOLD_FROM || ops.len() == 1 {
                    push(&mut blocks, false, (0..len).map(row));
                } else {
                    push(&mut blocks, false, (0..before).map(row));
                    push(&mut blocks, true, (before..before + middle).map(row));
                    push(&mut blocks, false, (before + middle..len).map(row));
                }
            }
            DiffOp::Delete { old_index, old_len, .. } => {
                push(&mut blocks, false, differing(&left, old_index, old_len, &right, 0, 0));
            }
            DiffOp::Insert { new_index, new_len, .. } => {
                push(&mut blocks, false, differing(&left, 0, 0, &right, new_index, new_len));
            }
            DiffOp::Replace { old_index, old_len, new_index, new_len } => {
                push(&mut blocks, false, differing(&left, old_index, old_len, &right, new_index, new_len));
            }
        }
    }
    blocks
}

/// Appends rows to the last block when it is as open as they are, otherwise as a block of their own.
fn push(blocks: &mut Vec<SideBlock>, folded: bool, rows: impl IntoIterator<Item = SideRow>) {
    let rows: Vec<SideRow> = rows.into_iter().collect();
    if rows.is_empty() {
        return;
    }
    match blocks.last_mut() {
        Some(block) if !block.folded && !folded => block.rows.extend(rows),
        _ => blocks.push(SideBlock { folded, rows }),
    }
}

fn differing<'a>(
    left: &'a [&'a str],
    left_at: usize,
    left_len: usize,
    right: &'a [&'a str],
    right_at: usize,
    right_len: usize,
) -> impl Iterator<Item = SideRow> + 'a {
    let side = |lines: &[&str], at: usize, len: usize, i: usize, class, sign| {
        if i < len {
            (class, (at + i + 1).to_string(), sign, lines[at + i].to_owned())
        } else {
            ("none", String::new(), "", String::new())
        }
    };
    (0..left_len.max(right_len)).map(move |i| {
        let (left_class, left_no, left_sign, left) = side(left, left_at, left_len, i, "del", "−");
        let (right_class, right_no, right_sign, right) = side(right, right_at, right_len, i, "add", "+");
        SideRow { equal: false, left_class, left_no, left_sign, left, right_class, right_no, right_sign, right }
    })
}

/// The live object with the differing fields as Git has them: what the two sides differ in is then what counts, and
/// what the server fills in by itself stands on both. `None` when a field's place cannot be found.
pub fn with_fields(live: &Value, diffs: &[FieldDiff]) -> Option<Value> {
    let mut object = live.clone();
    for diff in diffs {
        if let Some(value) = &diff.desired {
            set(&mut object, diff.path.parse::<Path>().ok()?.segments(), value.clone())?;
        }
    }
    // From the end, so that what is taken out of a list does not move what is still to be taken out.
    for diff in diffs.iter().rev().filter(|diff| diff.desired.is_none()) {
        diff.path.parse::<Path>().ok()?.remove(&mut object);
    }
    Some(object)
}

fn set(object: &mut Value, path: &[Segment], value: Value) -> Option<()> {
    let Some((first, rest)) = path.split_first() else {
        *object = value;
        return Some(());
    };
    if object.is_null() {
        *object = if matches!(first, Segment::Key(_)) { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
    }
    let next = match (first, object) {
        (Segment::Key(key), Value::Object(map)) => map.entry(key.clone()).or_insert(Value::Null),
        (Segment::Index(at), Value::Array(list)) => {
            if *at == list.len() {
                list.push(Value::Null);
            }
            list.get_mut(*at)?
        }
        _ => return None,
    };
    set(next, rest, value)
}

/// What turns the left text into the right one, as a unified patch; empty when they are equal.
pub fn patch(left: &str, right: &str, left_name: &str, right_name: &str) -> String {
    if left == right {
        return String::new();
    }
    TextDiff::from_lines(left, right).unified_diff().context_radius(CONTEXT).header(left_name, right_name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: std::ops::Range<u32>) -> String {
        lines.map(|n| format!("line {n}\n")).collect()
    }

    #[test]
    fn equal_stretches_fold_and_every_line_is_there_once() {
        let left = text(0..30);
        let right = left.replace("line 15\n", "line fifteen\n");
        let blocks = sides(&left, &right);
        assert_eq!(blocks.iter().map(|b| b.folded).collect::<Vec<_>>(), [true, false, true]);
        let rows: Vec<&SideRow> = blocks.iter().flat_map(|b| &b.rows).collect();
        assert_eq!(rows.len(), 30);
        assert_eq!(rows.iter().filter(|r| !r.equal).count(), 1);
        let changed = rows[15];
        assert_eq!((changed.left.as_str(), changed.right.as_str()), ("line 15", "line fifteen"));
        assert_eq!((changed.left_no.as_str(), changed.right_no.as_str()), ("16", "16"));
        assert_eq!(blocks[1].rows.len(), 2 * CONTEXT + 1);
    }

    #[test]
    fn a_missing_side_is_empty_not_equal() {
        let blocks = sides("", "a: 1\nb: 2\n");
        assert_eq!(blocks.len(), 1);
        assert!(blocks[0].rows.iter().all(|r| r.left_class == "none" && r.right_class == "add"));
        assert!(sides("", "").is_empty());
    }

    #[test]
    fn both_sides_differ_in_the_fields_that_count() {
        use serde_json::json;
        let diff = |path: &str, desired: Option<Value>| FieldDiff {
            path: path.into(),
            desired,
            live: None,
            side: model::compare::Side::Live,
            manager: None,
            changed_at: None,
        };
        let live = json!({"spec": {"vlan": 1002, "dhcp": {}, "permit": ["a", "b", "c"], "old": 1}});
        let diffs = [
            diff("spec.vlan", Some(json!(1001))),
            diff("spec.routes[0].prefix", Some(json!("10.0.0.0/8"))),
            diff("spec.permit[1]", None),
            diff("spec.permit[2]", None),
            diff("spec.old", None),
        ];
        let expected =
            json!({"spec": {"vlan": 1001, "dhcp": {}, "permit": ["a"], "routes": [{"prefix": "10.0.0.0/8"}]}});
        assert_eq!(with_fields(&live, &diffs), Some(expected));
        assert_eq!(with_fields(&live, &[diff("spec.vlan.deep", Some(json!(1)))]), None);
    }

    #[test]
    fn two_equal_texts_stay_open() {
        let text = text(0..40);
        let blocks = sides(&text, &text);
        assert_eq!(blocks.len(), 1);
        assert!(!blocks[0].folded);
        assert_eq!(patch(&text, &text, "a", "b"), "");
    }

    #[test]
    fn a_patch_can_be_applied_elsewhere() {
        let patch = patch("a: 1\n", "a: 2\n", "live", "git");
        assert!(patch.contains("--- live") && patch.contains("+++ git"), "{patch}");
        assert!(patch.contains("-a: 1") && patch.contains("+a: 2"), "{patch}");
    }
}
