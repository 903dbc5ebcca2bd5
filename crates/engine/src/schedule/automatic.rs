//! What a fabric's policy makes of a comparison: an automatic sync when its slot has come and there is something to do, a
//! sync of exactly what somebody changed in the cluster when the policy heals.
//!
//! Both go through the door that everybody goes through, [`Engine::request`], with a system actor; so the same guards
//! hold for them. A comparison that finds nothing to do makes no operation: it is the evidence itself. What is wanted
//! waits here for its turn, the longest overdue first, because only so many automatic syncs run at once.

use crate::comparing::{Compared, Differing};
use crate::{Disposition, Engine, Error, Request, Shared};
use jiff::{SignedDuration, Timestamp};
use model::compare::{ObjectState, Side};
use model::operation::{Trigger, Verb};
use model::policy::{Heal, Patience, REMEMBERED, Situation};
use model::sync_options::SyncOptions;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::{Fabric, Scope};

/// Who asks for a sync because its time has come.
pub(crate) const BY_SCHEDULE: &str = "system:schedule";
/// Who asks for a sync because something was changed in the cluster.
pub(crate) const BY_SELF_HEAL: &str = "system:self-heal";
/// An automatic sync that runs longer than this waits for a cluster, and holds no place any more.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// An automatic sync that is to begin.
#[derive(Debug, Clone)]
enum Want {
    /// Of everything, for a slot of the interval.
    Interval { slot: Timestamp },
    /// Of what was changed in the cluster, as a comparison saw it.
    Heal { comparison: i64, seen_at: Timestamp, heals: Vec<Heal> },
}

impl Want {
    /// Since when it is wanted.
    fn since(&self) -> Timestamp {
        match self {
            Self::Interval { slot } => *slot,
            Self::Heal { seen_at, .. } => *seen_at,
        }
    }
}

/// The automatic syncs that wait for their turn, at most one a fabric.
#[derive(Debug, Default)]
pub(super) struct Wants {
    waiting: HashMap<i64, Want>,
}

impl Wants {
    /// A sync of everything covers what was to be healed; a newer comparison says better what is to be healed.
    fn put(&mut self, fabric_id: i64, want: Want) {
        let covered = matches!((self.waiting.get(&fabric_id), &want), (Some(Want::Interval { .. }), Want::Heal { .. }));
        if !covered {
            self.waiting.insert(fabric_id, want);
        }
    }

    /// The one that has waited longest.
    fn next(&mut self) -> Option<(i64, Want)> {
        let (_, id) = self.waiting.iter().map(|(id, want)| (want.since(), *id)).min()?;
        Some((id, self.waiting.remove(&id)?))
    }

    pub fn forget(&mut self, fabric_id: i64) {
        self.waiting.remove(&fabric_id);
    }

    pub fn keep(&mut self, ids: &HashSet<i64>) {
        self.waiting.retain(|id, _| ids.contains(id));
    }
}

/// What the policy is asked with.
pub(super) fn situation(fabric: &Fabric, settled: Option<Timestamp>) -> Situation<'_> {
    Situation {
        fabric_id: fabric.id,
        suspension: fabric.suspension.as_ref(),
        enabled: fabric.is_configured() && fabric.sync_enabled,
        cluster_known: !fabric.has_other_cluster(),
        since: fabric.updated_at,
        settled,
    }
}

/// Works out what the policy makes of a comparison.
pub(crate) async fn compared(shared: &Arc<Shared>, fabric: &Fabric, compared: &Compared) -> Result<(), Error> {
    let (policy, now) = (&fabric.policy, shared.now());
    if !policy.is_automatic() {
        return Ok(());
    }
    let settled = shared.store.automatic().settled(fabric.id).await?;
    let situation = situation(fabric, settled);
    if !policy.may_begin(&situation, now) {
        return Ok(());
    }
    // What a comparison saw before the slot began says nothing about it.
    if let Some(slot) = policy.due(&situation, now).filter(|slot| compared.comparison.observed_at >= *slot) {
        if compared.differing.is_empty() && !is_to_be_pruned(shared, fabric, compared).await? {
            shared.store.automatic().settle(fabric.id, slot, now).await?;
        } else {
            shared.schedule.lock().wants.put(fabric.id, Want::Interval { slot });
            shared.schedule.wake.notify_one();
            return Ok(());
        }
    }
    if policy.self_heal {
        heal(shared, fabric, compared, now).await?;
    }
    Ok(())
}

/// Whether a commit took objects out of Git that this fabric had delivered: then there is something to do although
/// nothing differs. Asked once a commit: what a sync then leaves for good reason is no reason for another.
async fn is_to_be_pruned(shared: &Arc<Shared>, fabric: &Fabric, compared: &Compared) -> Result<bool, Error> {
    if !fabric.policy.prune || compared.settled.extra.is_empty() {
        return Ok(false);
    }
    let last = shared.store.operations().last_of(fabric.id, Trigger::Interval).await?;
    let commit = compared.comparison.commit.as_ref().map(|commit| commit.id.as_str());
    if last.is_some_and(|last| last.commit.as_deref() == commit) {
        return Ok(false);
    }
    let plan = Engine { shared: shared.clone() }.prune_plan(fabric).await?;
    Ok(plan.hindrance.is_none() && !plan.plan.deletions.is_empty() && plan.plan.confirm.is_none())
}

/// Wants what was changed in the cluster put right, but for what has to be left alone for a while.
async fn heal(shared: &Arc<Shared>, fabric: &Fabric, compared: &Compared, now: Timestamp) -> Result<(), Error> {
    let drifted = compared.differing.iter().filter(|d| matches!(d.state, ObjectState::Modified | ObjectState::Missing));
    let drifted: Vec<&Differing> = drifted.collect();
    if drifted.is_empty() {
        return Ok(());
    }
    let before = shared.store.automatic().heals(fabric.id, remembered_since(now)).await?;
    let (mut heals, mut again) = (Vec::new(), None);
    for object in drifted {
        let patience = Patience::of(&object.manifest.key, &before, now);
        if patience.is_over(now) {
            heals.extend(fields(object, now));
        } else {
            again = again.into_iter().chain(patience.until).min();
        }
    }
    if let Some(pause) = again.and_then(|at| Duration::try_from(at.duration_since(now)).ok()) {
        // Most pauses are shorter than the time to the next comparison.
        shared.schedule.after(fabric.id, pause);
    }
    if !heals.is_empty() {
        let want = Want::Heal { comparison: compared.comparison.id, seen_at: now, heals };
        shared.schedule.lock().wants.put(fabric.id, want);
        shared.schedule.wake.notify_one();
    }
    Ok(())
}

pub(super) fn remembered_since(now: Timestamp) -> Timestamp {
    now.checked_sub(REMEMBERED).unwrap_or(now)
}

/// The fields that somebody changed in the cluster; of an object that is gone, the object itself.
fn fields(object: &Differing, at: Timestamp) -> Vec<Heal> {
    let key = &object.manifest.key;
    let heal = |field: String, manager: String| Heal { object: key.clone(), field, manager, at };
    let changed = object.diffs.iter().filter(|diff| diff.side != Side::Desired);
    let fields: Vec<Heal> =
        changed.map(|diff| heal(diff.path.to_string(), diff.manager.clone().unwrap_or_default())).collect();
    if object.state == ObjectState::Missing || fields.is_empty() {
        return vec![heal(String::new(), String::new())];
    }
    fields
}

/// Begins what waits, as far as there are places.
pub(super) async fn begin_what_waits(shared: &Arc<Shared>) -> Result<(), Error> {
    while !shared.stopping.is_cancelled() && !shared.schedule.lock().wants.waiting.is_empty() {
        let (open, now) = (shared.store.operations().open().await?, shared.now());
        let holds_place = |o: &&store::Operation| {
            matches!(o.trigger, Trigger::Interval | Trigger::SelfHeal)
                && o.started_at.is_none_or(|at| now.duration_since(at) < PATIENCE)
        };
        if open.iter().filter(holds_place).count() >= shared.settings.parallel_syncs.max(1) {
            return Ok(());
        }
        let Some((fabric_id, want)) = shared.schedule.lock().wants.next() else { return Ok(()) };
        // Somebody writes there already. What is left to do after it, the next comparison sees.
        if open.iter().any(|o| o.fabric_id == fabric_id && o.writes && !crate::has_written(o)) {
            continue;
        }
        match begin(shared, fabric_id, &want).await {
            Ok(()) => {}
            Err(e) if e.code == model::Code::NotFound => {}
            Err(e) => {
                tracing::warn!(fabric = fabric_id, error = %e, "an automatic sync could not begin; it is tried again");
                return Err(e);
            }
        }
    }
    Ok(())
}

/// Begins one automatic sync, unless the fabric was suspended or changed since it was wanted.
async fn begin(shared: &Arc<Shared>, fabric_id: i64, want: &Want) -> Result<(), Error> {
    let (fabric, now) = (shared.store.fabrics().get(&Scope::System, fabric_id).await?, shared.now());
    let settled = shared.store.automatic().settled(fabric_id).await?;
    if !fabric.policy.may_begin(&situation(&fabric, settled), now) {
        return Ok(());
    }
    // The key makes it one operation, also over a restart and among several processes on one database.
    let (actor, trigger, key, objects) = match want {
        Want::Interval { slot } => {
            (BY_SCHEDULE, Trigger::Interval, format!("interval:{}", slot.as_second()), Default::default())
        }
        Want::Heal { comparison, heals, .. } => {
            let objects = heals.iter().map(|heal| heal.object.clone()).collect();
            (BY_SELF_HEAL, Trigger::SelfHeal, format!("self-heal:{comparison}"), objects)
        }
    };
    let engine = Engine { shared: shared.clone() };
    // What somebody has to confirm would end the whole run before its first write, so it stays until somebody does.
    let may_prune = trigger == Trigger::Interval && fabric.policy.prune;
    let prune = may_prune && engine.prune_plan(&fabric).await?.plan.confirm.is_none();
    let request = Request {
        fabric_id,
        verb: Verb::SyncToKubernetes,
        actor: actor.to_owned(),
        actor_user_id: None,
        trigger,
        request_id: uuid::Uuid::new_v4().to_string(),
        idempotency_key: Some(format!("system:{fabric_id}:{key}")),
        shown_comparison: None,
        options: SyncOptions { objects, prune, ..SyncOptions::default() },
    };
    let asked = engine.request(request).await?;
    let operation = asked.operation.id;
    match want {
        Want::Interval { slot } => shared.store.automatic().settle(fabric_id, *slot, now).await?,
        Want::Heal { heals, .. } if asked.disposition == Disposition::New => {
            shared.store.automatic().note_heals(fabric_id, operation, heals, remembered_since(now)).await?;
            say_fights(shared, &fabric, heals, now).await?;
        }
        Want::Heal { .. } => {}
    }
    tracing::info!(operation, fabric = fabric_id, %trigger, actor, "an automatic sync was asked for");
    Ok(())
}

/// One line for each fight that began with these heals.
async fn say_fights(shared: &Shared, fabric: &Fabric, healed: &[Heal], now: Timestamp) -> Result<(), Error> {
    let heals = shared.store.automatic().heals(fabric.id, remembered_since(now)).await?;
    let objects: HashSet<_> = healed.iter().map(|heal| &heal.object).collect();
    for fight in model::policy::fights(&heals, now).into_iter().filter(|fight| objects.contains(&fight.object)) {
        tracing::warn!(fabric = fabric.id, object = %fight.object, manager = fight.manager, field = fight.field,
            times = fight.times, until = %fight.until, "self-heal and another writer fight over an object");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_overdue_begins_first_and_everything_covers_a_part() {
        let at = |second| Timestamp::from_second(second).expect("it is near");
        let heal = |second| Want::Heal { comparison: 1, seen_at: at(second), heals: Vec::new() };
        let mut wants = Wants::default();
        wants.put(1, Want::Interval { slot: at(30) });
        wants.put(2, heal(20));
        wants.put(3, Want::Interval { slot: at(10) });
        wants.put(3, heal(50));
        wants.put(2, Want::Interval { slot: at(40) });
        wants.put(4, heal(5));
        wants.forget(4);
        let order: Vec<(i64, bool)> =
            std::iter::from_fn(|| wants.next()).map(|(id, want)| (id, matches!(want, Want::Interval { .. }))).collect();
        assert_eq!(order, [(3, true), (1, true), (2, true)]);
    }
}
