//! **Sync to Kubernetes**: make the cluster equal to the desired state, read it again, and follow the switches.

use super::steps;
use crate::applying::{self, Rules};
use crate::comparing::{self, Compared, Differing};
use crate::observing;
use crate::retrying::Retrying;
use crate::run::{Finished, Run};
use crate::{Error, preflight};
use cluster::{Cluster, Kinds};
use model::compare::Verdict;
use model::operation::{ObjectOutcome, OutcomeDetail, OutcomeKind, Phase, PhaseState};
use model::plan::{Plan, Selection};
use model::{Code, ObjectKey};
use serde_json::{Value, json};
use futures::TryFutureExt;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::Fabric;

const NOTHING_TO_FOLLOW: &str = "Nothing was written, so there is nothing to follow.";

pub(super) async fn run(run: &Run) -> Result<Finished, Error> {
    let fabric = steps::fabric(run).await?;
    if !fabric.sync_enabled {
        return Err(Error::new(Code::SyncDisabled, "Sync is switched off for this fabric; nothing was written."));
    }
    let (cluster, kinds) = steps::connect(run, &fabric).await?;
    let desired = steps::fetch(run, &fabric).await?;
    let shared = &run.shared;
    let operations = shared.store.operations();
    let note = || operations.set_commit(run.operation.id, &shared.lease.owner, &desired.commit.id).map_err(Error::from);
    Retrying::within(run, Phase::FetchSource).call("note the commit", note).await?;
    let observation = steps::observe(run, &fabric, &cluster, kinds.clone(), Phase::Observe).await?;
    run.begin(Phase::Compare, "Comparing");
    let compared = steps::compare(run, &fabric, &desired, &observation).await?;
    run.end(Phase::Compare, compared.sentence());

    run.begin(Phase::Preflight, "Checking the rules that the cluster does not check");
    let checked = preflight::check(&compared);
    announce(run, &compared);
    if let Some(stop) = checked.stop {
        run.close(Phase::Preflight, PhaseState::Failed, stop.message.clone());
        run.leave_rest("Nothing was written, because the check before writing found errors.", stop.code);
        return Err(stop);
    }
    run.end(Phase::Preflight, checked.sentence);

    let written = write(run, &cluster, &kinds, &compared).await;
    if compared.differing.is_empty() {
        // Nothing was sent, so what was read a moment ago is the proof that a second reading would give.
        run.close(Phase::Verify, PhaseState::Done, "Nothing was sent; what was read above stands");
        run.close(Phase::Rollout, PhaseState::Skipped, NOTHING_TO_FOLLOW);
        return Ok(conclude(run, &compared, Some(&compared), None, String::new()));
    }
    let verified = verify(run, &fabric, &cluster, &kinds, &desired, &written.written).await?;
    let rollout = follow(run, &fabric, &cluster, &kinds, &desired, &written.written, verified.as_ref()).await;
    Ok(conclude(run, &compared, verified.as_ref(), written.stopped, rollout))
}

/// Says of every object, before anything is written, where it stands: equal, extra, blocked, or not attempted yet.
fn announce(run: &Run, compared: &Compared) {
    let at = run.now();
    let outcome = |key: &ObjectKey, outcome, verified, code, message: &str| ObjectOutcome {
        key: key.clone(),
        outcome,
        verified,
        code,
        message: message.to_owned(),
        overwrote: Vec::new(),
        attempts: 0,
        at,
        detail: OutcomeDetail::default(),
    };
    for key in &compared.settled.equal {
        run.outcome(outcome(key, OutcomeKind::Unchanged, true, None, ""));
    }
    for key in &compared.settled.extra {
        let why = "It stands only in the cluster; prune is off, so it stays.";
        run.outcome(outcome(key, OutcomeKind::Extra, false, None, why));
    }
    for d in &compared.differing {
        run.outcome(outcome(&d.manifest.key, OutcomeKind::NotAttempted, false, None, ""));
    }
    for (key, why) in &compared.blocked {
        run.outcome(outcome(key, OutcomeKind::NotAttempted, false, Some(why.code), &why.message));
    }
}

async fn write(run: &Run, cluster: &Cluster, kinds: &Kinds, compared: &Compared) -> applying::Applied {
    run.begin(Phase::Apply, "Writing");
    let rules = Rules {
        shown_comparison: run.operation.shown_comparison_id,
        allow_address_removal: run.options().allow_address_removal,
    };
    let applied = applying::apply(run, cluster, kinds, &plan(&compared.differing), &compared.differing, &rules).await;
    if let Some((code, why)) = &applied.stopped {
        run.leave_rest(&format!("Not tried, because the run stopped before: {why}"), *code);
    }
    let outcomes = run.outcomes();
    let count = |kind| outcomes.iter().filter(|o| o.outcome == kind).count();
    let (created, updated) = (count(OutcomeKind::Created), count(OutcomeKind::Updated));
    let left = outcomes.iter().filter(|o| !o.outcome.is_good()).count();
    let sentence =
        format!("{created} created, {updated} updated, {} were equal, {left} not done", compared.settled.equal.len());
    run.close(Phase::Apply, if left == 0 { PhaseState::Done } else { PhaseState::Partial }, sentence);
    applied
}

/// What is to be written, in dependency order.
fn plan(differing: &[Differing]) -> Plan {
    let verdicts: Vec<Verdict> = differing
        .iter()
        .map(|d| Verdict {
            key: d.manifest.key.clone(),
            gvk: d.manifest.gvk.clone(),
            state: d.state,
            diffs: Vec::new(),
            findings: Vec::new(),
        })
        .collect();
    let objects: HashMap<&ObjectKey, &Value> =
        differing.iter().map(|d| (&d.manifest.key, d.manifest.object.as_ref())).collect();
    let desired = |key: &ObjectKey| objects.get(key).copied();
    model::plan::plan(&verdicts, &Selection::All, desired)
}

/// Reads everything again: only what is equal now counts as live.
async fn verify(
    run: &Run,
    fabric: &Fabric,
    cluster: &Cluster,
    kinds: &Arc<Kinds>,
    desired: &Arc<source::Desired>,
    written: &HashSet<ObjectKey>,
) -> Result<Option<Compared>, Error> {
    run.begin(Phase::Verify, "Reading the cluster again");
    let observation = match steps::observe(run, fabric, cluster, kinds.clone(), Phase::Verify).await {
        Ok(observation) => observation,
        Err(e) if written.is_empty() => return Err(e),
        Err(e) => {
            for key in written {
                run.amend(key, |o| {
                    o.outcome = OutcomeKind::NotVerified;
                    o.code = Some(e.code);
                    o.message = format!("Written, but it could not be read back: {}", e.message);
                });
            }
            run.close(Phase::Verify, PhaseState::Failed, e.message.clone());
            comparing::failed_run(run, &e).await?;
            return Ok(None);
        }
    };
    let compared = steps::compare(run, fabric, desired, &observation).await?;
    let equal: HashSet<&ObjectKey> = compared.settled.equal.iter().collect();
    let differing: HashMap<&ObjectKey, &Differing> = compared.differing.iter().map(|d| (&d.manifest.key, d)).collect();
    let now = run.now();
    for key in written {
        if equal.contains(key) {
            run.amend(key, |o| (o.verified, o.at) = (true, now));
            continue;
        }
        let fields = differing
            .get(key)
            .map(|d| d.diffs.iter().map(applying::describe).collect::<Vec<_>>().join("; "))
            .filter(|fields| !fields.is_empty())
            .unwrap_or_else(|| "it is gone again".to_owned());
        run.amend(key, |o| {
            o.outcome = OutcomeKind::NotVerified;
            o.code = Some(Code::NotVerified);
            o.message = format!("Accepted, but not live as desired when it was read again: {fields}");
        });
    }
    // What was equal before the run and is not any more is no success either.
    for o in run.outcomes() {
        if o.outcome == OutcomeKind::Unchanged && !equal.contains(&o.key) {
            run.amend(&o.key, |o| {
                o.verified = false;
                o.outcome = OutcomeKind::NotVerified;
                o.code = Some(Code::NotVerified);
                o.message = "It was equal when the run began, and was changed by somebody else since.".to_owned();
            });
        }
    }
    let live = written.iter().filter(|k| equal.contains(k)).count();
    let state = if live == written.len() { PhaseState::Done } else { PhaseState::Partial };
    run.advance(Phase::Verify, live as u64, written.len() as u64);
    run.close(Phase::Verify, state, format!("{live} of {} written objects are live", written.len()));
    Ok(Some(compared))
}

/// Follows the switches until they run what was written, or until the time for that is over. It never fails a sync:
/// what the switches have not confirmed yet is said, and the background comparison goes on following them.
async fn follow(
    run: &Run,
    fabric: &Fabric,
    cluster: &Cluster,
    kinds: &Arc<Kinds>,
    desired: &Arc<source::Desired>,
    written: &HashSet<ObjectKey>,
    verified: Option<&Compared>,
) -> String {
    let Some(verified) = verified else {
        run.close(Phase::Rollout, PhaseState::Skipped, "");
        return String::new();
    };
    if written.is_empty() {
        run.close(Phase::Rollout, PhaseState::Skipped, NOTHING_TO_FOLLOW);
        return String::new();
    }
    run.begin(Phase::Rollout, "Waiting for the switches");
    let retrying = Retrying::within(run, Phase::Rollout);
    // What was read to verify shows the agents too, and is stored: often that settles it, and nothing is read again.
    let mut reports = verified.observation.agents.as_deref().map(Cow::Borrowed);
    let mut is_stored = reports.is_some();
    if reports.is_none() {
        reports = observing::observe_agents(cluster, kinds, &fabric.namespace, retrying).await.map(Cow::Owned);
    }
    let until = tokio::time::Instant::now() + run.shared.settings.rollout_wait;
    let mut pause = Duration::from_millis(500);
    loop {
        let Some(agents) = &reports else {
            run.close(Phase::Rollout, PhaseState::Partial, "The agents could not be read.");
            return "Whether the switches run it is not known: the agents could not be read.".to_owned();
        };
        let seen = verified.rollout_of(written, agents, run.now());
        run.advance(Phase::Rollout, seen.applied, seen.concerned);
        run.detail(Phase::Rollout, seen.sentence.clone());
        if seen.settled || tokio::time::Instant::now() >= until {
            // The newest reports are stored with a comparison of their own, so that pages tell what was seen here.
            if !is_stored
                && let Ok(observation) = steps::observe(run, fabric, cluster, kinds.clone(), Phase::Rollout).await
                && let Err(e) = steps::compare(run, fabric, desired, &observation).await
            {
                tracing::warn!(fabric = fabric.id, error = %e, "the rollout could not be stored");
            }
            run.advance(Phase::Rollout, seen.applied, seen.concerned);
            // Waiting longer for one that is offline or stuck changes nothing, and it is not done either.
            let state = if seen.applied == seen.concerned { PhaseState::Done } else { PhaseState::Partial };
            run.close(Phase::Rollout, state, seen.sentence.clone());
            return seen.sentence;
        }
        tokio::time::sleep(pause).await;
        let began = tokio::time::Instant::now();
        reports = observing::observe_agents(cluster, kinds, &fabric.namespace, retrying).await.map(Cow::Owned);
        is_stored = false;
        // Agents are large: reading them takes at most a fifth of the API server's time for us.
        pause = Duration::from_millis(500).max(began.elapsed() * 4);
    }
}

fn conclude(
    run: &Run,
    compared: &Compared,
    verified: Option<&Compared>,
    stopped: Option<(Code, String)>,
    rollout: String,
) -> Finished {
    let outcomes = run.outcomes();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for o in &outcomes {
        *counts.entry(o.outcome.as_str()).or_default() += 1;
    }
    let wrote = outcomes.iter().filter(|o| matches!(o.outcome, OutcomeKind::Created | OutcomeKind::Updated)).count();
    let live = outcomes.iter().filter(|o| o.verified).count();
    let bad: Vec<&ObjectOutcome> = outcomes.iter().filter(|o| !o.outcome.is_good()).collect();
    let wanted = outcomes.iter().filter(|o| o.outcome != OutcomeKind::Extra).count();
    let result = json!({ "comparison": verified.map(|v| v.comparison.id), "outcomes": counts, "live": live,
        "wanted": wanted, "extra": compared.settled.extra.len() });
    let problems = &compared.problems;
    let mut message = match (wrote, bad.len()) {
        (0, 0) => format!("Nothing to do: all {live} objects are live as desired."),
        (1, 0) => format!("1 object written; all {live} are live as desired."),
        (_, 0) => format!("{wrote} objects written; all {live} are live as desired."),
        (_, 1) => format!("{live} of {wanted} objects are live as desired; 1 is not."),
        (_, bad) => format!("{live} of {wanted} objects are live as desired; {bad} are not."),
    };
    if !rollout.is_empty() {
        message = format!("{message} {rollout}");
    }
    let first = bad.iter().find(|o| o.code.is_some_and(|c| c != Code::Partial));
    let (code, object) = if let Some((code, why)) = stopped {
        message = format!("{message} Stopped: {why}");
        (Some(code), None)
    } else if let Some(problem) = problems.first() {
        message = format!("{message} Not read: {}", problem.message);
        (Some(problem.code), Some(problem.kind.clone()))
    } else if let Some(first) = first {
        message = format!("{message} First: {} {}: {}", first.key.kind, first.key.name, first.message);
        (first.code, Some(first.key.to_string()))
    } else if bad.is_empty() && compared.source_errors() > 0 {
        message = format!("{message} {} errors in the source.", compared.source_errors());
        (Some(Code::SourceInvalid), None)
    } else {
        (None, None)
    };
    let failed = code.is_some() && wrote == 0 && (live == 0 || !bad.is_empty());
    Finished { message, code, object, result, failed }
}
