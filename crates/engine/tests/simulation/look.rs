//! What must hold whenever anybody looks: in the rows, at the door of the cluster, and in what a page says.

use super::clock::{TAGS, tag_of};
use super::objects;
use super::world::{FRESHNESS, Fabric, LEASE, World};
use engine::{Disposition, Overview};
use model::operation::{OperationState, PhaseState, Verb};
use model::status::SyncState;
use std::ops::Range;
use std::sync::mpsc::TryRecvError;
use std::time::Duration;
use store::operations::OperationFilter;
use store::{ComparisonResult, Operation, Page, Scope};

/// Something that must hold and does not.
#[derive(Debug)]
pub struct Violation {
    /// What must hold.
    pub invariant: &'static str,
    /// What was seen instead.
    pub what: String,
}

/// What comes of a look.
pub type Look = Result<(), Violation>;

pub const ONE_WRITER: &str = "at most one operation writes to a fabric";
pub const NO_THEFT: &str = "nobody's operation is taken over before it was silent for its lease";
pub const IN_TIME: &str = "who could not renew its lease for its whole length writes no more";
pub const ENDS: &str = "every operation ends, once, and says how";
pub const NO_FALSE_GREEN: &str = "green only on evidence newer than the last change";
pub const TRUE_SUCCESS: &str = "last success moves only with what succeeded, and no older error stands beside it";
pub const NOTHING_UNSEEN: &str = "nothing of others is overwritten unseen";
pub const ONE_KEY: &str = "one key, one operation";
pub const COMES_BACK: &str = "when the faults are over one sync makes it right, and nothing else was touched";

pub fn broken(invariant: &'static str, what: impl Into<String>) -> Look {
    Err(Violation { invariant, what: what.into() })
}

const SECOND: u64 = 1_000_000;
/// What is on its way between two runtimes takes no longer than this, in simulated time.
pub const UNDER_WAY: u64 = 3 * SECOND;

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Looks at these fabrics. `first` is the process whose pages are read, if it is awake. Gives how many green statuses were
/// looked at, and how many of any colour.
pub fn look(world: &mut World, fabrics: Range<usize>, first: usize) -> Result<(i64, i64), Violation> {
    let (mut green, mut all) = (0, 0);
    for fabric in fabrics {
        answers(world, fabric)?;
        if world.fabrics[fabric].is_deleted {
            continue;
        }
        rows(world, fabric)?;
        if let Some(overview) = overview(world, fabric, first) {
            all += 1;
            success(world, fabric, &overview)?;
            if overview.sync_status == SyncState::InSync {
                green += 1;
                self::green(world, fabric, &overview)?;
            }
        }
    }
    Ok((green, all))
}

/// What a page of a process that is awake says of a fabric; nothing when nobody answers.
pub fn overview(world: &mut World, fabric: usize, first: usize) -> Option<Overview> {
    let process = world.awake(first)?;
    let id = world.fabrics[fabric].id;
    let store = world.store.clone();
    let answer = world.ask(process, move |engine| async move {
        let fabric = store.fabrics().get(&Scope::System, id).await?;
        engine.overview(&fabric).await
    });
    world.answer(&answer)?.ok()
}

/// The answers that requests got: the same key, the same operation.
pub fn answers(world: &mut World, fabric: usize) -> Look {
    let place = &mut world.fabrics[fabric];
    for asked in std::mem::take(&mut place.asked) {
        match asked.answer.try_recv() {
            Ok(Ok(requested)) => {
                let id = requested.operation.id;
                let is_new = matches!(requested.disposition, Disposition::New | Disposition::Queued);
                if asked.shown && is_new {
                    place.shown.insert(id, asked.at);
                }
                let Some(key) = asked.key else { continue };
                let got = place.keys.entry(key.clone()).or_default();
                got.push(id);
                if got.iter().any(|other| other != &id) {
                    return broken(ONE_KEY, format!("{key} got the operations {got:?}"));
                }
            }
            // A store that is held or a fabric that is gone: whoever asked was told.
            Ok(Err(_)) => {}
            Err(TryRecvError::Empty) => place.asked.push(asked),
            // The process died before it answered.
            Err(TryRecvError::Disconnected) => {}
        }
    }
    Ok(())
}

pub fn describe(operation: &Operation) -> String {
    format!(
        "operation {} ({}) is {} with {:?}: {}",
        operation.id, operation.verb, operation.state, operation.code, operation.message
    )
}

/// The operations of a fabric as the database has them.
pub fn rows(world: &mut World, fabric: usize) -> Look {
    let filter = OperationFilter { fabric_id: Some(world.fabrics[fabric].id), ..OperationFilter::default() };
    let rows = world.wait(world.store.operations().list(&Scope::System, &filter, Page::first(500))).unwrap().rows;
    let writers = rows.iter().filter(|row| row.state == OperationState::Running && row.writes).count();
    if writers > 1 {
        return broken(ONE_WRITER, format!("{writers} run"));
    }
    let place = &world.fabrics[fabric];
    for before in place.seen.values() {
        let Some(row) = rows.iter().find(|row| row.id == before.id) else {
            return broken(ENDS, format!("it is lost: {}", describe(before)));
        };
        let end = |row: &Operation| (row.state, row.code, row.message.clone(), row.ended_at);
        if before.state.is_final() && end(before) != end(row) {
            return broken(ENDS, format!("{} became {}", describe(before), describe(row)));
        }
    }
    for row in rows.iter().filter(|row| row.state.is_final()) {
        let is_right = match row.state {
            OperationState::Succeeded => row.code.is_none(),
            _ => row.code.is_some() && !row.message.is_empty(),
        };
        let runs = row.phases.iter().any(|p| matches!(p.state, PhaseState::Running) || p.retry.is_some());
        if !is_right || row.ended_at.is_none() || (runs && row.started_at.is_some()) {
            return broken(ENDS, format!("{}, with the phases {:?}", describe(row), row.phases));
        }
    }
    door(world, fabric, &rows)?;
    for row in &rows {
        let is_news = world.fabrics[fabric].seen.get(&row.id).is_none_or(|before| !before.state.is_final());
        if is_news && row.state == OperationState::Interrupted {
            taken_over(world, row)?;
        }
        if is_news && row.state == OperationState::Succeeded && row.verb == Verb::SyncToKubernetes && row.writes {
            succeeded(world, fabric, row)?;
        }
    }
    let now = world.clock.elapsed();
    let place = &mut world.fabrics[fabric];
    place.before = std::mem::take(&mut place.seen);
    place.seen = rows.into_iter().map(|row| (row.id, row)).collect();
    place.looked = now;
    Ok(())
}

/// An operation that another process calls interrupted had not been heard of for its whole lease.
fn taken_over(world: &World, row: &Operation) -> Look {
    let (Some(began), Some(beat), Some(ended)) = (row.started_at, row.heartbeat_at, row.ended_at) else {
        return broken(ENDS, format!("it has no times: {}", describe(row)));
    };
    // A process that is stopped ends its own.
    if tag_of(began) == tag_of(ended) {
        return Ok(());
    }
    let (beat, ended) = (world.clock.moments(beat), world.clock.moments(ended));
    match (beat, ended) {
        // The runtimes learn one after another that time has passed.
        (Some((beat, _)), Some((_, ended))) if ended + SECOND >= beat + micros(LEASE) => Ok(()),
        _ => {
            broken(NO_THEFT, format!("its last heartbeat was of {beat:?}, its end is of {ended:?}: {}", describe(row)))
        }
    }
}

/// At the cluster's door: only the process that holds the fabric's operation writes.
fn door(world: &mut World, fabric: usize, rows: &[Operation]) -> Look {
    let place = &world.fabrics[fabric];
    let entries = place.lab.journal().since(place.read);
    let is_open =
        |id: &i64, at: &std::collections::BTreeMap<i64, Operation>| at.get(id).is_none_or(|row| !row.state.is_final());
    for entry in &entries {
        let at = world.since_beginning(entry.at);
        let may = |row: &Operation| {
            let is_its = row.writes && row.started_at.is_some_and(|at| tag_of(at).to_string() == entry.client);
            // It was open when this was last looked at; or it had just ended, and the write was on its way.
            let just_ended = is_open(&row.id, &place.before) && at <= place.looked + UNDER_WAY;
            is_its && (is_open(&row.id, &place.seen) || just_ended)
        };
        if !rows.iter().any(may) {
            let rows: Vec<String> =
                rows.iter().map(|row| format!("{} since {:?}", describe(row), row.started_at)).collect();
            let what = format!(
                "process {} did {} of {} {} at {at}, and runs no operation: {}",
                entry.client,
                entry.verb,
                entry.kind,
                entry.name,
                rows.join(" | ")
            );
            return broken(ONE_WRITER, what);
        }
        let renewed = |row: &&Operation| Some(world.clock.moments(row.heartbeat_at?)?.1);
        let renewed = rows.iter().filter(|row| may(row)).filter_map(|row| renewed(&row)).max();
        if let Some(renewed) = renewed.filter(|renewed| at > renewed + micros(LEASE)) {
            let what = format!(
                "process {} did {} of {} {} at {at}, and its last heartbeat was of {renewed}",
                entry.client, entry.verb, entry.kind, entry.name
            );
            return broken(IN_TIME, what);
        }
        if !entry.is_conditional {
            let what = format!("{} of {} {} named no version", entry.verb, entry.kind, entry.name);
            return broken(NOTHING_UNSEEN, what);
        }
        if !place.ever.contains(&(entry.kind.clone(), entry.name.clone())) {
            return broken(
                COMES_BACK,
                format!("{} of {} {}, which no commit names", entry.verb, entry.kind, entry.name),
            );
        }
    }
    let last = entries.last().map(|entry| world.since_beginning(entry.at));
    let place = &mut world.fabrics[fabric];
    place.read += entries.len();
    place.written = place.written.max(last.unwrap_or_default());
    Ok(())
}

/// A sync of everything that says that it succeeded: the cluster holds what its commit names.
fn succeeded(world: &mut World, fabric: usize, row: &Operation) -> Look {
    let options: model::sync_options::SyncOptions = serde_json::from_value(row.options.clone()).unwrap();
    let is_whole = options.selects_all() && options.leave_objects.is_empty();
    let began = row.started_at.and_then(|at| world.clock.moments(at)).map(|(first, _)| first);
    let (Some(began), Some(commit)) = (began, row.commit.clone()) else {
        return broken(TRUE_SUCCESS, format!("it has no beginning or no commit: {}", describe(row)));
    };
    let desired = world.desired(fabric, &commit);
    let place = &mut world.fabrics[fabric];
    let is_last = place.seen.keys().all(|id| *id <= row.id);
    // A time that a process wrote is that of a step of the wall, and what it began in may have been changed in the same one.
    let step = u64::try_from(TAGS).unwrap_or_default();
    if !is_whole || place.cluster_changed + step >= began || !is_last {
        return Ok(());
    }
    for (_, name) in desired.keys().filter(|(kind, _)| kind == "VPC") {
        place.verified.insert(name.clone());
    }
    match objects::lacks(&desired, &place.lab) {
        Some(lacks) => broken(TRUE_SUCCESS, format!("{} and {lacks}", describe(row))),
        None => Ok(()),
    }
}

/// The last success of a page is the one of an operation that succeeded, and never goes back.
fn success(world: &mut World, fabric: usize, overview: &Overview) -> Look {
    let success = |place: &Fabric| {
        let at = overview.last_success;
        let of = |row: &&Operation| row.state == OperationState::Succeeded && row.writes && row.ended_at == at;
        place.seen.values().rfind(of).map(|row| row.id)
    };
    let mut id = success(&world.fabrics[fabric]);
    if overview.last_success.is_some() && id.is_none() {
        // It may have ended after the rows were read.
        rows(world, fabric)?;
        id = success(&world.fabrics[fabric]);
    }
    let before = world.fabrics[fabric].last_success;
    if overview.last_success.is_some() != id.is_some() || id < before {
        let what = format!("last success is {:?}, of operation {id:?}; it was {before:?}", overview.last_success);
        return broken(TRUE_SUCCESS, what);
    }
    world.fabrics[fabric].last_success = id;
    let place = &world.fabrics[fabric];
    let syncs = || place.seen.values().filter(|row| row.verb == Verb::SyncToKubernetes && row.writes);
    let last = syncs().rfind(|row| row.state.is_final());
    let is_quiet = place.seen.values().all(|row| row.state.is_final());
    if overview.sync_status == SyncState::Error && is_quiet && last.is_some_and(|row| row.code.is_none()) {
        let latest = world.wait(world.store.comparisons().latest(place.id)).unwrap();
        let again = world.wait(world.store.operations().open()).unwrap();
        let is_good = latest.is_some_and(|c| {
            c.result == ComparisonResult::Ok && overview.comparison.as_ref().is_some_and(|of| of.id == c.id)
        });
        if is_good && again.iter().all(|row| row.fabric_id != place.id) && overview.running.is_none() {
            let what = format!("{:?} beside {}", overview.status, last.map(describe).unwrap_or_default());
            return broken(TRUE_SUCCESS, what);
        }
    }
    Ok(())
}

/// A page that says *in sync* says it of the commit that the branch is at, on evidence that is no older than the limit,
/// and newer than the settings; and the cluster is equal if nobody has changed it since that evidence.
fn green(world: &mut World, fabric: usize, overview: &Overview) -> Look {
    let now = world.clock.elapsed();
    let head = world.head(fabric);
    let (Some(comparison), Some(evidence)) = (&overview.comparison, overview.status.evidence_at) else {
        return broken(NO_FALSE_GREEN, "there is no comparison");
    };
    let commit = comparison.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default();
    if commit != head {
        return broken(NO_FALSE_GREEN, format!("it is of commit {commit}, and the branch is at {head}"));
    }
    let place = &mut world.fabrics[fabric];
    let first_seen = *place.evidence.entry((comparison.id, evidence)).or_insert(now);
    if now - first_seen > micros(FRESHNESS) + 2 * SECOND {
        let age = (now - first_seen) / SECOND;
        return broken(NO_FALSE_GREEN, format!("comparison {} was first seen {age} s ago", comparison.id));
    }
    let Some((first, last)) = world.clock.moments(evidence) else {
        return broken(NO_FALSE_GREEN, format!("no clock has ever shown {evidence}"));
    };
    let place = &world.fabrics[fabric];
    if last < place.saved {
        let what = format!("evidence of {last}, and the settings were saved at {}", place.saved);
        return broken(NO_FALSE_GREEN, what);
    }
    let changed = place.cluster_changed.max(place.written);
    if first > changed + UNDER_WAY || now > changed + micros(FRESHNESS) + 5 * SECOND {
        let desired = world.desired(fabric, &head);
        let lab = &world.fabrics[fabric].lab;
        if let Some(differs) = objects::lacks(&desired, lab).or_else(|| objects::beyond(&desired, lab)) {
            let what = format!(
                "comparison {} with evidence of {first}..{last}, changed at {changed}, now {now}, and {differs}",
                comparison.id
            );
            return broken(NO_FALSE_GREEN, what);
        }
    }
    Ok(())
}
