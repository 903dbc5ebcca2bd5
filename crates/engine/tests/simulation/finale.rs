//! The end of a simulation: every fault is over and the clock is right. Every operation comes to its end; one sync a
//! fabric makes the cluster what Git says, and the page says so; and what was written on the way there was seen before.

use super::clock::tag_of;
use super::look::{
    COMES_BACK, ENDS, Look, NOTHING_UNSEEN, ONE_WRITER, UNDER_WAY, Violation, answers, broken, describe, look, rows,
};
use super::objects::{self, Desired};
use super::play::{save, send};
use super::world::World;
use model::compare::ObjectState;
use model::operation::{OperationState, OutcomeKind, Verb};
use model::status::SyncState;
use model::sync_options::SyncOptions;
use std::time::Duration;
use store::{Operation, Page, Scope};

/// How long the operations that were under way may take to end, in simulated time: the longest deadline, and what a
/// lease and the tries to store an end take besides.
const ENDING: Duration = Duration::from_secs(180);
/// How long the last sync, and then the comparison after it, may take.
const LAST: Duration = Duration::from_secs(120);
/// Time goes slower at the end: from here on nothing may be late.
const GRAIN: Duration = Duration::from_millis(50);
/// How much time passes between two looks.
const STEP: Duration = Duration::from_secs(2);

/// Ends every fault, and looks at what comes of it.
pub fn finale(world: &mut World) -> Look {
    world.release();
    world.clock.put(0);
    world.grain = GRAIN;
    for fabric in &world.fabrics {
        fabric.lab.faults().clear();
    }
    if world.awake(0).is_none() {
        world.start(0);
    }
    let open = world.wait(world.store.operations().open()).unwrap();
    let last = open.iter().map(|row| row.id).max().unwrap_or_default();
    until(world, ENDING, ENDS, |world| {
        let mut open = Vec::new();
        for fabric in living(world) {
            answers(world, fabric)?;
            rows(world, fabric)?;
            let rows = world.fabrics[fabric].seen.values();
            // What happens by itself goes on; what was under way before is waited for.
            open.extend(rows.filter(|row| !row.state.is_final() && row.id <= last).map(describe));
        }
        Ok(if open.is_empty() { Ok(()) } else { Err(open.join(" | ")) })
    })?;
    for fabric in living(world) {
        let operation = last_sync(world, fabric)?;
        comes_true(world, fabric, operation)?;
    }
    for fabric in living(world) {
        was_seen(world, fabric)?;
        took_turns(world, fabric)?;
        untouched(world, fabric)?;
    }
    Ok(())
}

fn living(world: &World) -> Vec<usize> {
    (0..world.fabrics.len()).filter(|fabric| !world.fabrics[*fabric].is_deleted).collect()
}

/// Lets time pass until something holds; otherwise this invariant is broken, and what was seen last says how.
fn until<T>(
    world: &mut World,
    patience: Duration,
    invariant: &'static str,
    mut holds: impl FnMut(&mut World) -> Result<Result<T, String>, Violation>,
) -> Result<T, Violation> {
    let mut left = patience;
    loop {
        match holds(world)? {
            Ok(value) => return Ok(value),
            Err(what) if left.is_zero() => {
                let what = format!("after {} s without a fault: {what}", patience.as_secs());
                return Err(Violation { invariant, what });
            }
            Err(_) => {}
        }
        world.pass(STEP);
        left = left.saturating_sub(STEP);
    }
}

/// A person presses **Sync to Kubernetes**, and it succeeds. Where sync is switched off, or the settings were saved by a clock
/// that was ahead, that is put right before.
fn last_sync(world: &mut World, fabric: usize) -> Result<i64, Violation> {
    let row = world.wait(world.store.fabrics().get(&Scope::System, world.fabrics[fabric].id)).unwrap();
    if !row.sync_enabled || row.updated_at > world.clock.wall(0) {
        save(world, fabric, 0, |spec| spec.sync_enabled = true);
    }
    let process = world.awake(0).expect("one was started");
    send(world, fabric, process, Verb::SyncToKubernetes, SyncOptions::default(), None, Some("the last".to_owned()));
    let row = until(world, LAST, COMES_BACK, |world| {
        answers(world, fabric)?;
        rows(world, fabric)?;
        let place = &world.fabrics[fabric];
        let id = place.keys.get("the last").and_then(|got| got.first());
        let row = id.and_then(|id| place.seen.get(id));
        Ok(match row {
            Some(row) if row.state.is_final() => Ok(row.clone()),
            Some(row) => Err(describe(row)),
            None => Err("the request was not answered".to_owned()),
        })
    })?;
    if row.state != OperationState::Succeeded {
        broken(COMES_BACK, describe(&row))?;
    }
    Ok(row.id)
}

/// The cluster is what Git says, and a page says so.
fn comes_true(world: &mut World, fabric: usize, operation: i64) -> Look {
    let head = world.head(fabric);
    let desired = world.desired(fabric, &head);
    if let Some(lacks) = objects::lacks(&desired, &world.fabrics[fabric].lab) {
        let row = world.fabrics[fabric].seen.get(&operation).map(describe).unwrap_or_default();
        broken(COMES_BACK, format!("{row}, and {lacks}"))?;
    }
    let wanted = match objects::beyond(&desired, &world.fabrics[fabric].lab) {
        None => SyncState::InSync,
        Some(_) => SyncState::OutOfSync,
    };
    until(world, LAST, COMES_BACK, |world| {
        look(world, fabric..fabric + 1, 0)?;
        Ok(match super::look::overview(world, fabric, 0) {
            Some(overview) if overview.sync_status == wanted => pages_of_objects(world, fabric, &desired),
            Some(overview) => Err(format!("the page is to say {wanted}, and says {:?}", overview.status)),
            None => Err("the page does not answer".to_owned()),
        })
    })
}

/// The pages of the objects say the same: equal.
fn pages_of_objects(world: &World, fabric: usize, desired: &Desired) -> Result<(), String> {
    let rows = world.wait(world.store.objects().all_brief(world.fabrics[fabric].id)).unwrap();
    let named = rows.iter().filter(|row| desired.contains_key(&(row.key.kind.clone(), row.key.name.clone())));
    let other = named.clone().find(|row| row.state != ObjectState::Equal);
    match other {
        None if named.count() == desired.len() => Ok(()),
        None => Err("some objects have no page".to_owned()),
        Some(row) => Err(format!("the page of {} says {:?}", row.key, row.state)),
    }
}

/// Whose operation a write was, by the process and the time; nothing when that cannot be told.
fn operation_of<'w>(world: &'w World, fabric: usize, client: &str, at: u64) -> Option<&'w Operation> {
    let of = |row: &&Operation| {
        let Some(began) = row.started_at.filter(|began| row.writes && tag_of(*began).to_string() == client) else {
            return false;
        };
        let first = world.clock.moments(began).map(|(first, _)| first);
        let last = row.ended_at.and_then(|ended| world.clock.moments(ended)).map(|(_, last)| last);
        first.is_some_and(|first| first <= at + UNDER_WAY) && last.is_none_or(|last| at <= last + UNDER_WAY)
    };
    let mut found = world.fabrics[fabric].seen.values().filter(of);
    found.next().filter(|_| found.next().is_none())
}

/// What another manager had changed, and Hedgehog's objects were written over: the operation says so, and it was not done
/// for a page that had not shown it.
fn was_seen(world: &mut World, fabric: usize) -> Look {
    let entries = world.fabrics[fabric].lab.journal().since(0);
    for entry in entries.iter().filter(|entry| entry.verb == "update") {
        let place = &world.fabrics[fabric];
        let version = entry.before.as_ref().map(|before| objects::version(before)).unwrap_or_default();
        let Some(foreign) = place.foreign.get(&version).filter(|foreign| foreign.is_content) else { continue };
        let at = world.since_beginning(entry.at);
        let Some(row) = operation_of(world, fabric, &entry.client, at) else { continue };
        let what = || {
            let change = format!("{} {} had been changed at {}", entry.kind, entry.name, foreign.at);
            format!("{change}, and was written at {at} by {}", describe(row))
        };
        if place.shown.get(&row.id).is_some_and(|pressed| *pressed < foreign.at) {
            broken(NOTHING_UNSEEN, format!("{}, whose page was of before", what()))?;
        }
        let id = row.id;
        let outcomes = world.wait(world.store.operations().outcomes(id, &[], Page::all())).unwrap().rows;
        let outcome = outcomes.iter().find(|o| o.key.kind == entry.kind && o.key.name == entry.name);
        let is_said = outcome.is_none_or(|o| {
            let is_known = matches!(o.outcome, OutcomeKind::Updated | OutcomeKind::NotVerified);
            !is_known || !foreign.was_verified || !o.overwrote.is_empty()
        });
        let is_missing = outcome.is_none() && row.state != OperationState::Interrupted;
        if !is_said || is_missing {
            broken(NOTHING_UNSEEN, format!("{}, which says of it {outcome:?}", what()))?;
        }
    }
    Ok(())
}

/// The writes at the door come process by process, in the order in which these held the fabric.
fn took_turns(world: &mut World, fabric: usize) -> Look {
    let place = &world.fabrics[fabric];
    let entries = place.lab.journal().since(0);
    let mut holders = place.seen.values().filter(|row| row.writes).filter_map(|row| row.started_at);
    let mut holder = String::new();
    for entry in entries {
        while holder != entry.client {
            let Some(next) = holders.next() else {
                let what = format!("process {} wrote {} {} out of its turn", entry.client, entry.kind, entry.name);
                return broken(ONE_WRITER, what);
            };
            holder = tag_of(next).to_string();
        }
    }
    Ok(())
}

/// What others made and Git never named is as they made it.
fn untouched(world: &mut World, fabric: usize) -> Look {
    let place = &world.fabrics[fabric];
    for (name, made) in &place.extras {
        let is_adopted = place.ever.contains(&("VPC".to_owned(), name.clone()));
        if !is_adopted && place.lab.object("VPC", name).as_ref() != Some(made) {
            broken(COMES_BACK, format!("VPC {name}, which Git never named, is {:?}", place.lab.object("VPC", name)))?;
        }
    }
    let fabric = world.wait(world.store.fabrics().get(&Scope::System, place.id));
    match fabric {
        Ok(_) => Ok(()),
        Err(e) => broken(COMES_BACK, format!("the fabric cannot be read: {e}")),
    }
}
