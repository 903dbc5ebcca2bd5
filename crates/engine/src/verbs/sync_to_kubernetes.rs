//! **Sync to Kubernetes**: make the cluster equal to the desired state, delete what Git names no more if that is asked
//! for, read it again, and follow the switches. As a dry run: ask the server about each of these writes.
//!
//! `proof.rs` reads again and follows the switches, `settling.rs` says of what had no clear answer what was read of it,
//! `ending.rs` what the run came to.

mod ending;
mod proof;
mod settling;

use super::steps;
use crate::applying::{self, Applied, Rules, Work};
use crate::comparing::{Compared, Differing};
use crate::pruning::{self, Pruning};
use crate::retrying::Retrying;
use crate::reviewing::agent_names;
use crate::run::{Finished, Run};
use crate::selecting::{self, Part};
use crate::too_soon::{TooSoon, concerns, too_soon};
use crate::{Error, preflight};
use cluster::{Cluster, Kinds};
use futures::TryFutureExt;
use model::compare::{ObjectState, Verdict};
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase, PhaseState, Trigger};
use model::plan::Plan;
use model::prune::KeptBecause;
use model::references::references;
use model::rollout::{Holding, holdings};
use model::{Code, ObjectKey};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use store::Fabric;

const NOTHING_TO_FOLLOW: &str = "Nothing was written, so there is nothing to follow.";
/// How many switches and gateways an outcome names.
const SWITCHES_KEPT: usize = 200;

/// What a run knows when it begins to write.
struct Known {
    compared: Compared,
    part: Part,
    pruning: Pruning,
    warnings: Vec<model::manifest::Finding>,
    /// Which agents hold what; empty when nothing is to be written.
    holdings: BTreeMap<ObjectKey, Vec<Holding>>,
}

impl Known {
    /// What is to be deleted.
    fn going(&self) -> HashSet<&ObjectKey> {
        self.pruning.plan.deletions.iter().map(|d| &d.key).collect()
    }
}

pub(super) async fn run(run: &Run) -> Result<Finished, Error> {
    let (fabric, options) = (steps::fabric(run).await?, run.options());
    if !fabric.sync_enabled {
        return Err(Error::new(Code::SyncDisabled, "Sync is switched off for this fabric; nothing was written."));
    }
    if options.prune && !fabric.policy.prune {
        let message = "This run was to delete what Git names no more, and the fabric's policy does not allow that. \
                       Nothing was written.";
        return Err(Error::new(Code::PruneNotAllowed, message));
    }
    let (cluster, kinds) = steps::connect(run, &fabric).await?;
    steps::check_namespace(run, &fabric, &cluster).await?;
    let desired = steps::fetch(run, &fabric).await?;
    let shared = &run.shared;
    let operations = shared.store.operations();
    let note = || operations.set_commit(run.operation.id, &shared.lease.owner, &desired.commit.id).map_err(Error::from);
    Retrying::within(run, Phase::FetchSource).call("note the commit", note).await?;
    let observation = steps::observe(run, &fabric, &cluster, kinds.clone(), Phase::Observe).await?;
    run.begin(Phase::Compare, "Comparing");
    let is_behind = steps::is_behind(run, &fabric).await;
    let compared = steps::compare(run, &fabric, &desired, &observation).await?;
    steps::compare_newest(run, &fabric, &desired, &observation, is_behind).await;
    let part = selecting::narrow(&compared, &desired, &kinds, options)?;
    let of_part = if part.is_all { "" } else { " This run is about a part of them." };
    run.end(Phase::Compare, format!("{}{of_part}", compared.sentence()));

    run.begin(Phase::Preflight, "Checking the rules that the cluster does not check");
    let pruning = pruning::of_run(run, &fabric, &compared, &desired, &part).await?;
    let checked = preflight::check(&compared, &desired, &part, &pruning, options).await?;
    let is_idle = part.differing.is_empty() && pruning.steps.is_empty();
    let holdings = if is_idle { BTreeMap::new() } else { compared.holdings().await? };
    let known = Known { compared, part, pruning, warnings: checked.warnings, holdings };
    announce(run, &fabric, &known, &checked.wrong).await?;
    if let Some(stop) = checked.stop.or_else(|| known.pruning.refusal(run, &fabric)) {
        run.close(Phase::Preflight, PhaseState::Failed, stop.message.clone());
        run.leave_rest("Nothing was written, because the check before writing found errors.", stop.code);
        return Ok(ending::stopped(&known, stop));
    }
    run.end(Phase::Preflight, checked.sentence);

    let too_soon = not_yet(run, &known).await?;
    let writing = (!options.dry_run).then(|| shared.watching.writing(fabric.id));
    let mut applied = write(run, &cluster, &kinds, &known, too_soon).await;
    if options.dry_run {
        return Ok(ending::of_dry_run(run, &known, applied.stopped));
    }
    if is_idle {
        // Nothing was sent, so what was read a moment ago is the proof that a second reading would give.
        run.close(Phase::Verify, PhaseState::Done, "Nothing was sent; what was read above stands");
        run.close(Phase::Rollout, PhaseState::Skipped, NOTHING_TO_FOLLOW);
        let comparison = Some(known.compared.comparison.id);
        return Ok(ending::of_sync(run, &known, comparison, None, String::new()));
    }
    let place = proof::Place { run, fabric: &fabric, cluster: &cluster, kinds: &kinds, desired: &desired };
    let verified = place.verify(&known, &mut applied).await?;
    drop(writing);
    let rollout = place.follow(&known, &applied, verified.as_ref()).await;
    let comparison = verified.map(|verified| verified.comparison.id);
    Ok(ending::of_sync(run, &known, comparison, applied.stopped, rollout))
}

/// Says of every object, before anything is written, where it stands: equal, extra, left out, blocked, or not attempted
/// yet; and which switches a write of it concerns. `wrong` says of some why they end the run.
async fn announce(run: &Run, fabric: &Fabric, known: &Known, wrong: &BTreeMap<ObjectKey, String>) -> Result<(), Error> {
    let at = run.now();
    let outcome = |key: &ObjectKey, outcome, code, message: &str| ObjectOutcome {
        key: key.clone(),
        outcome,
        verified: outcome == OutcomeKind::Unchanged,
        code,
        message: message.to_owned(),
        overwrote: Vec::new(),
        attempts: 0,
        at,
        detail: OutcomeDetail::default(),
    };
    let (compared, part, pruning) = (&known.compared, &known.part, &known.pruning);
    for key in &part.equal {
        run.outcome(outcome(key, OutcomeKind::Unchanged, None, ""));
    }
    if run.options().prune {
        for kept in pruning.plan.kept.iter().filter(|kept| kept.because != KeptBecause::NotSelected) {
            let is_left = kept.because == KeptBecause::LeftOut;
            let kind = if is_left { OutcomeKind::LeftOut } else { OutcomeKind::Extra };
            run.outcome(outcome(&kept.key, kind, None, &kept.message));
        }
    } else {
        let why = match run.operation.trigger == Trigger::Interval && fabric.policy.prune {
            true => {
                "It stands only in the cluster. Somebody has to confirm its deletion, so an automatic sync leaves it."
            }
            false => "It stands only in the cluster; prune is off, so it stays.",
        };
        for key in compared.settled.extra.iter().filter(|key| run.options().selects(key)) {
            run.outcome(outcome(key, OutcomeKind::Extra, None, why));
        }
    }
    for (key, fields) in &part.left {
        let message = match fields.is_empty() {
            true => "It was left out of this run.",
            false => "It differs only in fields that this run leaves as they are in the cluster.",
        };
        let mut left = outcome(key, OutcomeKind::LeftOut, None, message);
        left.detail.left_fields.clone_from(fields);
        run.outcome(left);
    }
    let switches = switches(known).await?;
    let concerned = |key: &ObjectKey| switches.get(key).cloned().unwrap_or_default();
    for d in &part.differing {
        let why = wrong.get(&d.manifest.key);
        let code = why.map(|_| Code::PreflightFailed);
        let mut waiting = outcome(&d.manifest.key, OutcomeKind::NotAttempted, code, why.map_or("", String::as_str));
        waiting.detail.switches = concerned(&d.manifest.key);
        run.outcome(waiting);
    }
    let hindered = pruning.hindrance.as_ref();
    for deletion in &pruning.plan.deletions {
        let code = hindered.map(|why| why.code);
        let message = hindered.map_or("", |why| &why.message);
        let mut waiting = outcome(&deletion.key, OutcomeKind::NotAttempted, code, message);
        waiting.detail.switches = concerned(&deletion.key);
        waiting.detail.deletion = true;
        run.outcome(waiting);
    }
    for (key, why) in &part.blocked {
        run.outcome(outcome(key, OutcomeKind::NotAttempted, Some(why.code), &why.message));
    }
    Ok(())
}

/// The switches and gateways that each write or deletion concerns: as it is, and as it would be.
async fn switches(known: &Known) -> Result<HashMap<ObjectKey, Vec<String>>, Error> {
    let part = &known.part;
    let mut found: HashMap<ObjectKey, Vec<String>> = HashMap::new();
    let Some(agents) = known
        .compared
        .observation
        .agents
        .as_deref()
        .filter(|_| !known.holdings.is_empty() || !part.differing.is_empty())
    else {
        return Ok(found);
    };
    let live = known.compared.observation.parsed(model::part::Part::Stated).await?;
    let wanted = stated(&part.differing);
    let stays = live.iter().map(|(key, object)| (key, object)).filter(|(key, _)| !wanted.contains_key(key));
    let after = holdings(stays.chain(wanted.iter().map(|(key, object)| (*key, object))), agents);
    let keys = part.differing.iter().map(|d| &d.manifest.key);
    for key in keys.chain(known.pruning.plan.deletions.iter().map(|d| &d.key)) {
        let mut names = agent_names(known.holdings.get(key), after.get(key));
        names.truncate(SWITCHES_KEPT);
        found.insert(key.clone(), names);
    }
    Ok(found)
}

async fn write(
    run: &Run,
    cluster: &Cluster,
    kinds: &Kinds,
    known: &Known,
    too_soon: HashMap<ObjectKey, TooSoon>,
) -> Applied {
    let options = run.options();
    run.begin(Phase::Apply, if options.dry_run { "Asking the server" } else { "Writing" });
    let rules = Rules {
        dry_run: options.dry_run,
        shown_comparison: run.operation.shown_comparison_id,
        allow_address_removal: options.allow_address_removal,
        beside: known.part.beside.clone(),
        too_soon,
    };
    let plan = plan(&known.part.differing);
    let (frees, first) = freeing(known, &plan);
    let differing = &known.part.differing;
    let work = Work { differing, plan: &plan, deletions: &known.pruning.steps, frees, first, rules: &rules };
    let applied = applying::apply(run, cluster, kinds, &work).await;
    if let Some((code, why)) = &applied.stopped {
        run.leave_rest(&format!("Not tried, because the run stopped before: {why}"), *code);
    }
    close_phases(run, known);
    applied
}

/// Says of both phases that change the cluster what they came to.
fn close_phases(run: &Run, known: &Known) {
    let outcomes = run.outcomes();
    let going = known.going();
    let (deletions, writes): (Vec<_>, Vec<_>) = outcomes.iter().partition(|o| going.contains(&o.key));
    let of = |outcomes: &[&ObjectOutcome], kind| outcomes.iter().filter(|o| o.outcome == kind).count();
    let unheard = |outcomes: &[&ObjectOutcome]| match of(outcomes, OutcomeKind::Unknown) {
        0 => String::new(),
        n => format!(", {n} without a clear answer"),
    };
    let (created, updated) = (of(&writes, OutcomeKind::Created), of(&writes, OutcomeKind::Updated));
    let left = writes.iter().filter(|o| !o.outcome.is_good()).count();
    let not_done = left - of(&writes, OutcomeKind::Unknown);
    let equal = known.part.equal.len();
    let sentence = match run.options().dry_run {
        false => {
            let unheard = unheard(&writes);
            format!("{created} created, {updated} updated, {equal} were equal, {not_done} not done{unheard}")
        }
        true => format!("{created} would be created, {updated} updated, {equal} are equal, {left} not"),
    };
    let state = |left: usize| if left == 0 { PhaseState::Done } else { PhaseState::Partial };
    run.close(Phase::Apply, state(left), sentence);
    if run.options().prune {
        let gone = of(&deletions, OutcomeKind::Pruned);
        let would = if run.options().dry_run { "would be deleted" } else { "deleted" };
        let sentence = match &known.pruning.hindrance {
            Some(why) => why.message.clone(),
            None => {
                let (all, kept) = (deletions.len(), known.pruning.plan.kept.len());
                format!("{gone} of {all} {would}, {kept} kept{}", unheard(&deletions))
            }
        };
        run.close(Phase::Prune, state(deletions.len() - gone), sentence);
    }
}

/// What manifests state, parsed.
fn stated(differing: &[Differing]) -> HashMap<&ObjectKey, Value> {
    differing.iter().map(|d| (&d.manifest.key, d.manifest.object.part(model::part::Part::Stated))).collect()
}

/// What is to be written, in dependency order.
fn plan(differing: &[Differing]) -> Plan {
    let verdicts: Vec<Verdict> = differing
        .iter()
        .map(|d| Verdict {
            key: d.manifest.key.clone(),
            gvk: d.manifest.gvk(),
            state: if d.live.is_none() { ObjectState::Missing } else { ObjectState::Modified },
            diffs: Vec::new(),
            findings: Vec::new(),
        })
        .collect();
    let objects = stated(differing);
    let desired = |key: &ObjectKey| objects.get(key);
    model::plan::plan(&verdicts, desired)
}

/// Updates that take away a reference to what is deleted, by what is deleted; and all that is to be written before
/// anything is deleted: those, and what they in turn need of this run.
fn freeing(known: &Known, plan: &Plan) -> (HashMap<ObjectKey, Vec<ObjectKey>>, HashSet<ObjectKey>) {
    let going: Vec<&ObjectKey> = known.pruning.steps.iter().flatten().map(|going| &going.key).collect();
    let (mut frees, mut first) = (HashMap::<ObjectKey, Vec<ObjectKey>>::new(), HashSet::new());
    if going.is_empty() {
        return (frees, first);
    }
    let differing = || known.part.differing.iter();
    for d in differing() {
        let (key, Some(live)) = (&d.manifest.key, d.live()) else { continue };
        let wanted = references(key, &d.wanted(Some(&live)));
        for lost in references(key, &live).difference(&wanted) {
            for gone in going.iter().filter(|gone| lost.is_to(gone)) {
                frees.entry((*gone).clone()).or_default().push(key.clone());
                first.insert(key.clone());
            }
        }
    }
    let by_key: HashMap<&ObjectKey, &Differing> = differing().map(|d| (&d.manifest.key, d)).collect();
    let mut open: Vec<ObjectKey> = first.iter().cloned().collect();
    while let Some(key) = open.pop() {
        let needed = by_key.get(&key).map(|d| references(&key, &d.desired())).unwrap_or_default();
        for write in plan.writes().filter(|write| needed.iter().any(|r| r.is_to(&write.key))) {
            if first.insert(write.key.clone()) {
                open.push(write.key.clone());
            }
        }
    }
    (frees, first)
}

/// The objects that must not be created yet.
async fn not_yet(run: &Run, known: &Known) -> Result<HashMap<ObjectKey, TooSoon>, Error> {
    let agents = known.compared.observation.agents.as_deref().unwrap_or_default();
    let is_new = |d: &&Differing| d.live.is_none() && concerns(&d.manifest.key);
    let new: Vec<_> = known.part.differing.iter().filter(is_new).collect();
    if new.is_empty() {
        return Ok(HashMap::new());
    }
    let deleted = run.shared.store.operations().deleted(run.operation.fabric_id).await?;
    let why = |d: &Differing| {
        let key = &d.manifest.key;
        let was_deleted = d.state == ObjectState::Missing || deleted.contains(key);
        let holdings = known.holdings.get(key).map(Vec::as_slice).unwrap_or_default();
        Some((key.clone(), too_soon(holdings, was_deleted, agents.iter().map(|agent| &agent.summary))?))
    };
    Ok(new.into_iter().filter_map(why).collect())
}
