//! What a sync wrote is proved: everything is read again, and the switches are followed.

use super::settling::OpenEnds;
use super::{Known, NOTHING_TO_FOLLOW};
use crate::applying::{self, Applied};
use crate::comparing::{self, Compared, Differing};
use crate::retrying::Retrying;
use crate::run::Run;
use crate::verbs::steps;
use crate::{Error, observing};
use cluster::{Cluster, Kinds};
use model::compare::{FieldDiff, ObjectState, compare_object};
use model::operation::{OutcomeKind, Phase, PhaseState};
use model::part::Part;
use model::rollout::Holding;
use model::{Code, ObjectKey};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use store::Fabric;

/// Where a sync does its work.
pub(super) struct Place<'a> {
    pub run: &'a Run,
    pub fabric: &'a Fabric,
    pub cluster: &'a Cluster,
    pub kinds: &'a Arc<Kinds>,
    pub desired: &'a Arc<source::Desired>,
}

impl Place<'_> {
    /// Reads everything again: only what is equal now counts as live, and only what is not there any more as deleted.
    pub async fn verify(&self, known: &Known, applied: &mut Applied) -> Result<Option<Compared>, Error> {
        let run = self.run;
        let open = OpenEnds::of(run, known);
        run.begin(Phase::Verify, "Reading the cluster again");
        let observed = steps::observe(run, self.fabric, self.cluster, self.kinds.clone(), Phase::Verify).await;
        let observation = match observed {
            Ok(observation) => observation,
            Err(e) if applied.written.is_empty() && applied.pruned.is_empty() && open.is_empty() => return Err(e),
            Err(e) => {
                open.unread(run, &e);
                for key in applied.written.iter().chain(&applied.pruned) {
                    run.amend(key, |o| {
                        o.outcome = OutcomeKind::NotVerified;
                        o.code = Some(e.code);
                        o.message = format!("Done, but it could not be read back: {}", e.message);
                    });
                }
                run.close(Phase::Verify, PhaseState::Failed, e.message.clone());
                comparing::failed_run(run, &e).await?;
                return Ok(None);
            }
        };
        let is_behind = steps::is_behind(run, self.fabric).await;
        let compared = steps::compare(run, self.fabric, self.desired, &observation).await?;
        let is_live = self.read_back(known, &compared);
        let left = open.settle(run, known, &compared, &is_live, applied);
        let written = &applied.written;
        let mut proved = 0;
        for key in written.iter().filter(|key| is_live(key)) {
            let now = run.now();
            run.amend(key, |o| (o.verified, o.at) = (true, now));
            proved += 1;
        }
        for key in written.iter().filter(|key| !is_live(key)) {
            if self.is_unread(&compared, key, "Written, but it could not be read back") {
                continue;
            }
            let fields = fields_in_words(&compared, key, applying::describe_written);
            run.amend(key, |o| {
                o.outcome = OutcomeKind::NotVerified;
                o.code = Some(Code::NotVerified);
                o.message = format!("Accepted, but not live as desired when it was read again: {fields}");
            });
        }
        // What was equal before the run and is not any more is no success either.
        for o in run.outcomes().iter().filter(|o| o.outcome == OutcomeKind::Unchanged && !is_live(&o.key)) {
            if self.is_unread(&compared, &o.key, "Equal when the run began; it could not be read again") {
                continue;
            }
            run.amend(&o.key, |o| {
                o.verified = false;
                o.outcome = OutcomeKind::NotVerified;
                o.code = Some(Code::NotVerified);
                o.message = "It was equal when the run began, and was changed by somebody else since.".to_owned();
            });
        }
        drop(is_live);
        proved += self.verify_deletions(&compared, &applied.pruned).await?;
        let all = written.len() + applied.pruned.len() + left;
        let state = if proved == all { PhaseState::Done } else { PhaseState::Partial };
        run.advance(Phase::Verify, proved as u64, all as u64);
        let sentence = match known.pruning.steps.is_empty() {
            true => format!("{proved} of {all} written objects are live"),
            false => format!("{proved} of {all} written or deleted objects are as they should be"),
        };
        run.close(Phase::Verify, state, sentence);
        steps::compare_newest(run, self.fabric, self.desired, &observation, is_behind).await;
        Ok(Some(compared))
    }

    /// Whether an object's kind could not be read again. Then nothing is known of the object, least of all that it is
    /// something else: its outcome says what kept it from being read.
    fn is_unread(&self, compared: &Compared, key: &ObjectKey, words: &str) -> bool {
        let Some((code, why)) = compared.unread(key) else { return false };
        self.run.amend(key, |o| {
            o.verified = false;
            o.outcome = OutcomeKind::NotVerified;
            o.code = Some(code);
            o.message = format!("{words}: {why}");
        });
        true
    }

    /// Whether an object is live as this run wants it: with what it left to the cluster taken from there.
    fn read_back<'a>(&self, known: &'a Known, compared: &'a Compared) -> impl Fn(&ObjectKey) -> bool + use<'a> {
        let equal: HashSet<&ObjectKey> = compared.settled.equal.iter().map(|key| &**key).collect();
        let left: HashMap<&ObjectKey, &Differing> =
            known.part.differing.iter().filter(|d| !d.left.is_empty()).map(|d| (&d.manifest.key, d)).collect();
        move |key| {
            let as_left = |d: &&Differing| {
                let live = compared.observation.live.get(key).map(|live| live.value());
                let live = live.as_deref();
                compare_object(Some(&d.wanted(live)), live, d.base().as_ref()).0 == ObjectState::Equal
            };
            equal.contains(key) || left.get(key).is_some_and(as_left)
        }
    }

    /// What is not there any more is deleted. Gives how many are.
    async fn verify_deletions(&self, compared: &Compared, pruned: &HashSet<ObjectKey>) -> Result<usize, Error> {
        let run = self.run;
        let mut gone = Vec::new();
        for key in pruned {
            if compared.observation.live.contains_key(key) {
                run.amend(key, |o| {
                    o.outcome = OutcomeKind::NotVerified;
                    o.code = Some(Code::NotVerified);
                    o.message = "It was deleted, and somebody made one of that name again.".to_owned();
                });
            } else if !self.is_unread(compared, key, "Deleted, but whether it is gone could not be read") {
                let now = run.now();
                run.amend(key, |o| (o.verified, o.at) = (true, now));
                gone.push(key.clone());
            }
        }
        run.shared.store.adopted().forget(self.fabric.id, &gone).await?;
        Ok(gone.len())
    }

    /// Follows the switches until they run what was written, or until the time for that is over. It never fails a sync:
    /// what the switches have not confirmed yet is said, and the background comparison goes on following them.
    pub async fn follow(&self, known: &Known, applied: &Applied, verified: Option<&Compared>) -> String {
        let (run, written) = (self.run, &applied.written);
        let Some(verified) = verified else {
            run.close(Phase::Rollout, PhaseState::Skipped, "");
            return String::new();
        };
        if written.is_empty() && applied.pruned.is_empty() {
            run.close(Phase::Rollout, PhaseState::Skipped, NOTHING_TO_FOLLOW);
            return String::new();
        }
        let deleted = concerned_before(known, &applied.pruned);
        run.begin(Phase::Rollout, "Waiting for the switches");
        let live = match verified.observation.parsed(Part::Stated).await {
            Ok(live) => live,
            Err(e) => {
                run.close(Phase::Rollout, PhaseState::Partial, e.message.clone());
                return format!("Whether the switches run it is not known: {}", e.message);
            }
        };
        // What was read to verify shows the agents too, and is stored: often that settles it, and nothing is read again.
        let mut reports = verified.observation.agents.as_deref().map(Cow::Borrowed);
        let mut is_stored = reports.is_some();
        if reports.is_none() {
            reports = self.agents().await.map(Cow::Owned);
        }
        let of_policy = self.fabric.policy.rollout_wait_seconds.map(|seconds| Duration::from_secs(seconds.into()));
        let until = tokio::time::Instant::now() + of_policy.unwrap_or(run.shared.settings.rollout_wait);
        // What is live by now must not end as what ran out of time.
        let spare = spare(run.operation.time_limit);
        let before = |spare| run.deadline.checked_sub(spare).unwrap_or(run.deadline);
        let (until, last_moment) = (until.min(before(spare)), before(spare / 4));
        let mut pause = Duration::from_millis(500);
        loop {
            let Some(agents) = &reports else {
                run.close(Phase::Rollout, PhaseState::Partial, "The agents could not be read.");
                return "Whether the switches run it is not known: the agents could not be read.".to_owned();
            };
            let seen = Compared::rollout_of(&live, written, &deleted, agents, run.now());
            run.advance(Phase::Rollout, seen.applied, seen.concerned);
            run.detail(Phase::Rollout, seen.sentence.clone());
            run.switches(seen.switches);
            // Whoever waits to write to this fabric is not to wait for its switches.
            let is_awaited = !seen.settled && self.is_awaited().await;
            if seen.settled || is_awaited || tokio::time::Instant::now() >= until {
                // The newest reports are stored with a comparison of their own, so that pages tell what was seen here.
                if !is_stored && tokio::time::timeout_at(last_moment, self.store_reports()).await.is_err() {
                    tracing::warn!(fabric = self.fabric.id, "the rollout could not be stored in time");
                }
                run.advance(Phase::Rollout, seen.applied, seen.concerned);
                // Waiting longer for one that is offline or stuck changes nothing, and it is not done either.
                let state = if seen.applied == seen.concerned { PhaseState::Done } else { PhaseState::Partial };
                let mut sentence = seen.sentence;
                if is_awaited {
                    sentence.push_str(
                        " Another operation of this fabric waits, so the background comparison follows them from here on.",
                    );
                }
                run.close(Phase::Rollout, state, sentence.clone());
                return sentence;
            }
            tokio::time::sleep(pause).await;
            let began = tokio::time::Instant::now();
            reports = self.agents().await.map(Cow::Owned);
            is_stored = false;
            // Agents are large: reading them takes at most a fifth of the API server's time for us.
            pause = Duration::from_millis(500).max(began.elapsed() * 4);
        }
    }

    /// Whether another operation waits to write to this fabric.
    async fn is_awaited(&self) -> bool {
        self.run.shared.store.operations().is_writer_queued(self.fabric.id).await.unwrap_or(false)
    }

    /// Reads everything once more and stores what it comes to.
    async fn store_reports(&self) {
        let read = steps::observe(self.run, self.fabric, self.cluster, self.kinds.clone(), Phase::Rollout).await;
        let Ok(observation) = read else { return };
        let is_behind = steps::is_behind(self.run, self.fabric).await;
        if !steps::compare_newest(self.run, self.fabric, self.desired, &observation, is_behind).await
            && let Err(e) = steps::compare(self.run, self.fabric, self.desired, &observation).await
        {
            tracing::warn!(fabric = self.fabric.id, error = %e, "the rollout could not be stored");
        }
    }

    async fn agents(&self) -> Option<Vec<model::rollout::AgentView>> {
        let retrying = Retrying::within(self.run, Phase::Rollout);
        observing::observe_agents(self.cluster, self.kinds, &self.fabric.namespace, retrying).await
    }
}

/// How long before its deadline a run follows the switches no more: what is left to do takes a moment.
fn spare(time_limit: Duration) -> Duration {
    (time_limit / 6).min(Duration::from_secs(10))
}

/// Why an object is not live as desired.
pub(super) fn fields_of(compared: &Compared, key: &ObjectKey) -> String {
    fields_in_words(compared, key, applying::describe)
}

fn fields_in_words(compared: &Compared, key: &ObjectKey, one: impl Fn(&FieldDiff) -> String) -> String {
    let of = compared.differing.iter().find(|d| d.manifest.key == *key);
    let fields = of.map(|d| d.diffs.iter().map(one).collect::<Vec<_>>().join("; "));
    fields.filter(|fields| !fields.is_empty()).unwrap_or_else(|| "it is gone again".to_owned())
}

/// Whom the deleted objects concerned. The Agent of a switch that is deleted too stays behind as it is (Hedgehog leaves it
/// to people to delete), and is nobody's to wait for.
fn concerned_before(known: &Known, pruned: &HashSet<ObjectKey>) -> BTreeMap<ObjectKey, Vec<Holding>> {
    let of_agents = |key: &&ObjectKey| matches!(key.kind.as_str(), "Switch" | "Gateway");
    let removed: HashSet<&str> = pruned.iter().filter(of_agents).map(|key| key.name.as_str()).collect();
    let of = |key: &ObjectKey| -> Vec<Holding> {
        known
            .holdings
            .get(key)
            .into_iter()
            .flatten()
            .filter(|holding| !removed.contains(holding.agent.as_str()))
            .cloned()
            .collect()
    };
    pruned.iter().map(|key| (key.clone(), of(key))).collect()
}
