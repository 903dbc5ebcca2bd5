//! The list of changes: one block an object, with the fields that a write would change, whose values it overwrites, and
//! the switches that it concerns.

use super::chosen::Chosen;
use super::page::{Change, Field};
use crate::icon::Icon;
use crate::pages::object::shown;
use crate::parts::{Badge, Choice, Tone};
use crate::url;
use crate::view::View;
use model::compare::{Deletion, FieldDiff, ObjectState, Side};
use model::manifest::Severity;
use model::sync_options::kind_name;
use std::collections::BTreeMap;
use store::ObjectDetail;
use store::objects::KindCount;

/// So many fields stand open; more unfold.
const OPEN: usize = 8;
/// Switches that are named.
const NAMED: usize = 6;

/// One object of the list.
pub fn change(view: &View, fabric_id: i64, detail: &ObjectDetail, switches: &[String], chosen: &Chosen) -> Change {
    let brief = &detail.brief;
    let key = brief.key.to_string();
    let (action, is_written) = action(detail);
    let is_left = chosen.options.leave_objects.contains(&brief.key);
    let left =
        |path: &str| chosen.options.leave_fields.iter().any(|field| field.object == brief.key && field.path == path);
    let mut fields: Vec<Field> = Vec::new();
    if is_written && detail.live.is_some() {
        fields = detail.diffs.iter().map(|diff| field(view, &key, brief.state, diff, left(&diff.path))).collect();
    }
    let deletion = deletion(detail).map(|deletion| deletion.sentence());
    let overwrites = fields.iter().filter(|field| field.is_overwritten).count();
    let folded = if fields.len() > OPEN { fields.split_off(OPEN) } else { Vec::new() };
    let error = detail.findings.iter().find(|finding| finding.severity == Severity::Error);
    Change {
        id: format!("c{}", crate::pages::review::page::slug(&key)),
        href: url::object(fabric_id, &brief.key),
        name: brief.key.name.clone(),
        kind: brief.key.kind.clone(),
        key,
        action,
        why: match (error, brief.state) {
            (Some(error), _) => error.message.clone(),
            (None, _) if deletion.is_some() => deletion.unwrap_or_default(),
            (None, ObjectState::Equal) => "It is as Git has it; nothing is written.".to_owned(),
            (None, ObjectState::Extra) => {
                "Git does not name it; it is left alone unless deletions are chosen.".to_owned()
            }
            (None, ObjectState::Missing) => "It was live once and is gone from the cluster.".to_owned(),
            (None, ObjectState::Undelivered) if detail.live.is_none() => "It is not in the cluster yet.".to_owned(),
            (None, _) => match overwrites {
                0 => String::new(),
                1 => "1 value that somebody else set is overwritten.".to_owned(),
                n => format!("{n} values that somebody else set are overwritten."),
            },
        },
        fields,
        folded,
        switches: named(switches),
        is_selection: chosen.is_selection(),
        is_written,
        is_left,
    }
}

/// What is known of an object that Git names and that is being deleted in the cluster.
fn deletion(detail: &ObjectDetail) -> Option<Deletion> {
    detail.live.as_ref().filter(|_| detail.desired.is_some()).and_then(Deletion::of)
}

/// What a run would do with it, and whether that is a write.
fn action(detail: &ObjectDetail) -> (Badge, bool) {
    let brief = &detail.brief;
    match brief.state {
        _ if brief.has_errors => (Badge::new(Tone::Bad, Icon::Bang, "Has errors, stays"), false),
        ObjectState::Unknown => (Badge::new(Tone::Stale, Icon::Question, "Not known, stays"), false),
        _ if deletion(detail).is_some() => (Badge::new(Tone::Changed, Icon::Gone, "Being deleted, waits"), false),
        ObjectState::Equal => (Badge::new(Tone::Good, Icon::Tick, "Equal already"), false),
        ObjectState::Extra => (Badge::new(Tone::Off, Icon::Extra, "Only in cluster"), false),
        ObjectState::Missing => (Badge::new(Tone::Changed, Icon::Gone, "Create again"), true),
        ObjectState::Undelivered if detail.live.is_none() => (Badge::new(Tone::Waiting, Icon::Arrow, "Create"), true),
        ObjectState::Undelivered => (Badge::new(Tone::Waiting, Icon::Arrow, "Update"), true),
        ObjectState::Modified => (Badge::new(Tone::Changed, Icon::Pencil, "Overwrite"), true),
        ObjectState::Conflict => (Badge::new(Tone::Bad, Icon::Clash, "Overwrite, changed on both sides"), true),
    }
}

fn field(view: &View, key: &str, state: ObjectState, diff: &FieldDiff, is_left: bool) -> Field {
    let is_overwritten = matches!(state, ObjectState::Modified | ObjectState::Conflict) && diff.side != Side::Desired;
    Field {
        value: format!("{key}#{}", diff.path),
        path: diff.path.clone(),
        live: diff.live.as_ref().map(shown),
        desired: diff.desired.as_ref().map(shown),
        by: diff.manager.as_ref().map(|manager| format!("by {manager}")).unwrap_or_default(),
        when: diff.changed_at.map(|at| view.when(at)),
        is_overwritten,
        is_left,
    }
}

/// The first of these switches by name, and how many more there are.
pub fn named(switches: &[String]) -> String {
    let first = switches.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    match switches.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

/// The kinds in which something differs, with how much, and those that were chosen.
pub fn kinds(counts: &[KindCount], chosen: &Chosen) -> Vec<Choice> {
    let mut kinds: BTreeMap<(u8, String), u64> = BTreeMap::new();
    for count in counts.iter().filter(|count| !matches!(count.state, ObjectState::Equal | ObjectState::Extra)) {
        let key = model::ObjectKey::new(&count.group, &count.kind, "", "");
        *kinds.entry((count.rank, kind_name(&key))).or_default() += count.objects;
    }
    for kind in &chosen.options.kinds {
        if !kinds.keys().any(|(_, name)| name == kind) {
            kinds.insert((u8::MAX, kind.clone()), 0);
        }
    }
    let choice = |((_, kind), objects): ((u8, String), u64)| Choice {
        label: format!("{} ({objects})", kind.split('.').next().unwrap_or(&kind)),
        selected: chosen.options.kinds.contains(&kind),
        value: kind,
    };
    kinds.into_iter().map(choice).collect()
}
