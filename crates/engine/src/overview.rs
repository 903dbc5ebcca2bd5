//! How a fabric stands: the one answer that every page, script and metric gets, derived from recorded facts when it is
//! asked for.

use crate::comparing::{Tally, state_of};
use crate::observing::Problem;
use crate::{Automation, Engine, Error, Shared};
use futures::future::{FutureExt, try_join_all};
use jiff::{SignedDuration, Timestamp};
use model::Code;
use model::compare::ObjectState;
use model::manifest::{Finding, Severity};
use model::operation::{OperationState, Phase, Verb};
use model::rollout::{AgentKind, AgentSummary, SwitchState, expect_versions, in_sentence, without_agent};
use model::status::{
    Cause, ComparisonAttempt, ComparisonFact, ComparisonOutcome, Facts, LastSync, PartialComparison, RunningSync,
    Stage, StageFacts, Status, SyncState, cause, derive, stages,
};
use serde::Serialize;
use std::collections::BTreeMap;
use store::operations::OperationSummary;
use store::{Comparison, ComparisonResult, Fabric, Operation};

/// So many fabrics are looked at side by side for a list of them.
const AT_ONCE: usize = 8;

/// One switch or gateway as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct SwitchRow {
    /// Its name.
    pub name: String,
    /// Switch or gateway, by its agent's kind.
    pub kind: AgentKind,
    /// What its agent says, without secrets; `None` where no agent of that name was read.
    pub agent: Option<AgentSummary>,
    /// Where it stands.
    pub state: SwitchState,
    /// The same in one sentence.
    pub sentence: String,
    /// When it was read.
    pub observed_at: Timestamp,
}

/// What a connection test said.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionCheck {
    /// Whether the cluster answered, and all that is needed is permitted.
    pub ok: bool,
    /// Whether it answered and all that a comparison needs is permitted; a sync may still be refused.
    pub can_read: bool,
    /// The same in one sentence.
    pub message: String,
}

/// How a fabric stands.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Which fabric.
    pub fabric_id: i64,
    /// The one status.
    pub status: Status,
    /// The same word, under the name that the predecessor's clients read.
    pub sync_status: SyncState,
    /// Again the same word, under their other name.
    pub calculated_sync_status: SyncState,
    /// What has kept it from being in sync, or its switches from running it.
    pub cause: Option<Cause>,
    /// *saved, accepted, live, applied*.
    pub stages: [Stage; 4],
    /// The newest comparison that read everything it could.
    #[serde(skip)]
    pub comparison: Option<Comparison>,
    /// When an operation last began or was asked for.
    pub last_attempt: Option<Timestamp>,
    /// When a sync to the cluster last succeeded.
    pub last_success: Option<Timestamp>,
    /// When the source was last fetched on request.
    pub last_git_success: Option<Timestamp>,
    /// When the connection was last tested.
    pub last_connection_check: Option<Timestamp>,
    /// When the newest comparison began to read the cluster, or up to when watches have shown that it holds.
    pub last_comparison: Option<Timestamp>,
    /// What the last connection test said.
    pub connection: Option<ConnectionCheck>,
    /// The operation that writes now.
    #[serde(skip)]
    pub running: Option<Operation>,
    /// What waits.
    #[serde(skip)]
    pub queued: Vec<Operation>,
    /// Objects by kind (`VPC.vpc.githedgehog.com`) and state.
    pub counts: BTreeMap<String, BTreeMap<ObjectState, u64>>,
    /// Switches and gateways.
    pub switches: Vec<SwitchRow>,
    /// What is wrong with the source; as many as a page can show.
    #[serde(skip)]
    pub findings: Vec<Finding>,
    /// How many findings there are.
    pub findings_total: u64,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// The commit that the source is at, as far as any process knows.
    pub current_commit: Option<String>,
    /// What it does by itself, and what keeps it from that.
    pub automatic: Automation,
}

impl Engine {
    /// How a fabric stands.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn overview(&self, fabric: &Fabric) -> Result<Overview, Error> {
        let shared = &self.shared;
        let now = shared.now();
        let operations = shared.store.operations().summary(fabric.id).await?;
        let comparisons = shared.store.comparisons();
        let latest = comparisons.latest(fabric.id).await?;
        let latest_ok = match &latest {
            Some(c) if c.result == ComparisonResult::Ok => latest.clone(),
            _ => comparisons.latest_ok(fabric.id).await?,
        };
        let judged = match (&latest, comparisons.latest_of(fabric.id, ComparisonResult::Partial).await?) {
            (_, Some(partial)) if latest_ok.as_ref().is_none_or(|ok| partial.id > ok.id) => Some(partial),
            _ => latest_ok.clone(),
        };
        let tally = tally(judged.as_ref());
        let agents = shared.store.agents().list(fabric.id).await?;
        let (mut only, times): (Vec<AgentSummary>, Vec<Timestamp>) = agents
            .into_iter()
            .filter_map(|row| Some((serde_json::from_value(row.summary).ok()?, row.observed_at)))
            .unzip();
        expect_versions(&mut only);
        let of_commit = latest.as_ref().filter(|c| c.comparison.commit.is_some()).or(judged.as_ref());
        let head = shared.source_head(fabric, of_commit);
        let running = operations.writer().cloned();
        let last_sync = operations
            .operations
            .iter()
            .find(|o| o.verb == Verb::SyncToKubernetes && o.writes && o.state.is_final())
            .and_then(last_sync);
        let freshness = SignedDuration::try_from(shared.settings.freshness).unwrap_or(model::status::FRESHNESS);
        let facts = Facts {
            has_cluster: fabric.is_configured(),
            sync_enabled: fabric.sync_enabled,
            running_sync: running.as_ref().map(|run| running_sync(run, shared.leases.holds(run.id))),
            last_sync,
            last_attempt: latest.as_ref().map(attempt),
            last_comparison: latest_ok.as_ref().map(|c| ComparisonFact {
                commit: c.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default(),
                at: shared.ages.of(fabric.id, c.id, c.evidence_at(), now, freshness),
                counts: tally_of(c).totals,
            }),
            current_commit: head.as_ref().map(|c| c.id.clone()),
            settings_changed_at: Some(fabric.updated_at),
            freshness,
        };
        let status = derive(&facts, now);
        let read_at = times.iter().copied().max();
        let (refused, refusal) = shared.refused(fabric.id, &operations, judged.as_ref()).await?;
        let findings = judged.as_ref().map(|c| c.findings.clone()).unwrap_or_default();
        let unread = judged.as_ref().is_some_and(|c| problems_of(c).iter().any(of_agents));
        let partial = judged.as_ref().filter(|c| c.result == ComparisonResult::Partial);
        let more = StageFacts {
            partial: partial.map(|c| PartialComparison {
                found: ComparisonFact {
                    commit: c.commit.as_ref().map(|commit| commit.id.clone()).unwrap_or_default(),
                    at: c.evidence_at(),
                    counts: tally.totals,
                },
                reason: problems_of(c)
                    .into_iter()
                    .find(crate::comparing::hides_objects)
                    .map_or_else(|| c.message.clone(), |problem| problem.message),
            }),
            committed_at: head.as_ref().and_then(|c| c.committed_at),
            source_error: latest.as_ref().and_then(source_error),
            refused,
            refused_reason: refusal.or_else(|| findings.iter().find(|f| f.severity == Severity::Error).map(named)),
            rollout: (!only.is_empty()).then(|| tally.rollout.counts(&only, read_at, now)),
            no_agents: only.is_empty() && judged.is_some() && !unread,
        };
        let stages = stages(&facts, &more, now);
        let known = crate::causes::Known {
            operations: &operations,
            latest: latest.as_ref(),
            judged: judged.as_ref(),
            rollout: more.rollout,
        };
        let cause = cause(&status, &shared.cause_facts(fabric.id, &status, known).await?, now);
        let untold = tally.rollout.untold();
        let silent = tally.without_agent(&only).into_iter().map(|(kind, name)| SwitchRow {
            name: name.to_owned(),
            kind,
            agent: None,
            state: SwitchState::Unknown,
            sentence: match unread {
                true => format!("Nothing is known of {name}: the agents could not be read."),
                false => without_agent(name),
            },
            observed_at: judged.as_ref().map_or(now, Comparison::evidence_at),
        });
        let silent: Vec<SwitchRow> = silent.collect();
        let heard = only.into_iter().zip(times).map(|(agent, observed_at)| {
            let state = state_of(&agent, &untold, now);
            let sentence = in_sentence(&agent, state, now);
            SwitchRow { name: agent.name.clone(), kind: agent.kind, agent: Some(agent), state, sentence, observed_at }
        });
        let switches = heard.chain(silent).collect();
        let test = operations.operations.iter().find(|o| o.verb == Verb::TestConnection && o.state.is_final());
        let success = |verb| operations.last_success(verb).and_then(|o| o.ended_at);
        Ok(Overview {
            fabric_id: fabric.id,
            sync_status: status.state,
            calculated_sync_status: status.state,
            status,
            cause,
            stages,
            last_attempt: operations.last(Verb::SyncToKubernetes).map(|o| o.started_at.unwrap_or(o.queued_at)),
            last_success: success(Verb::SyncToKubernetes),
            last_git_success: success(Verb::SyncFromGit),
            last_connection_check: test.and_then(|o| o.ended_at),
            last_comparison: latest.as_ref().map(Comparison::evidence_at),
            connection: test.map(|o| ConnectionCheck {
                ok: o.state == OperationState::Succeeded,
                can_read: matches!(o.state, OperationState::Succeeded | OperationState::Partial),
                message: o.message.clone(),
            }),
            queued: operations.queued().cloned().collect(),
            running,
            counts: tally.by_kind,
            switches,
            findings_total: judged.as_ref().map_or(0, |c| c.findings_total),
            findings,
            problems: latest.as_ref().map(problems_of).unwrap_or_default(),
            current_commit: head.map(|commit| commit.id),
            automatic: shared.automation(fabric, now).await?,
            comparison: judged,
        })
    }

    /// How several fabrics stand, in the same order.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn overviews(&self, fabrics: &[Fabric]) -> Result<Vec<Overview>, Error> {
        // A repository that was not looked at since the start takes a program or two.
        let mut all = Vec::with_capacity(fabrics.len());
        for some in fabrics.chunks(AT_ONCE) {
            let looks: Vec<_> = some.iter().map(|fabric| self.overview(fabric).boxed()).collect();
            all.extend(try_join_all(looks).await?);
        }
        Ok(all)
    }
}

impl Shared {
    /// How many objects the last sync of the compared commit could not write because they were refused, and are not as
    /// Git has them now either; and the first of them in a sentence.
    async fn refused(
        &self,
        fabric_id: i64,
        operations: &OperationSummary,
        compared: Option<&Comparison>,
    ) -> Result<(u64, Option<String>), Error> {
        let commit = compared.and_then(|c| c.commit.as_ref()).map(|commit| commit.id.as_str());
        let last = operations.last_ended(Verb::SyncToKubernetes).filter(|sync| {
            let is_bad = matches!(sync.state, OperationState::Partial | OperationState::Failed);
            is_bad && sync.commit.as_deref() == commit
        });
        let Some(last) = last else { return Ok((0, None)) };
        let Some((refused, key, message)) = self.store.operations().still_refused(fabric_id, last.id).await? else {
            return Ok((0, None));
        };
        // It begins with what was tried, and names the object in that.
        let tried = message.split_once(": ").filter(|(tried, _)| tried.contains(&key.name));
        let why = tried.map_or(message.as_str(), |(_, why)| why);
        Ok((refused, Some(format!("{} {} was refused: {why}", key.kind, key.name))))
    }
}

/// A finding with the object that it is about.
fn named(finding: &Finding) -> String {
    match &finding.object {
        Some(key) if !finding.message.contains(&key.name) => format!("{} {}: {}", key.kind, key.name, finding.message),
        _ => finding.message.clone(),
    }
}

pub(crate) fn problems_of(comparison: &Comparison) -> Vec<Problem> {
    serde_json::from_value(comparison.problems.clone()).unwrap_or_default()
}

/// Whether it hid what agents report: theirs is a kind that could not be read, or it is not known which there are.
fn of_agents(problem: &Problem) -> bool {
    !problem.is_of_source() && (problem.kind.is_empty() || problem.kind.ends_with("Agent"))
}

fn tally_of(comparison: &Comparison) -> Tally {
    serde_json::from_value(comparison.counts.clone()).unwrap_or_default()
}

fn tally(comparison: Option<&Comparison>) -> Tally {
    comparison.map(tally_of).unwrap_or_default()
}

fn attempt(comparison: &Comparison) -> ComparisonAttempt {
    ComparisonAttempt {
        outcome: match comparison.result {
            ComparisonResult::Ok => ComparisonOutcome::Ok,
            ComparisonResult::Partial => ComparisonOutcome::Partial,
            ComparisonResult::Failed => ComparisonOutcome::Failed,
        },
        code: comparison.code,
        message: comparison.message.clone(),
        at: comparison.finished_at,
    }
}

fn running_sync(operation: &Operation, holds_lease: bool) -> RunningSync {
    let started_at = operation.started_at.unwrap_or(operation.queued_at);
    let apply = operation.phases.iter().find(|p| p.phase == Phase::Apply);
    RunningSync {
        started_at,
        holds_lease,
        heartbeat_at: operation.heartbeat_at.unwrap_or(started_at),
        progress: apply.map_or((0, 0), |p| (p.done, p.total)),
    }
}

fn last_sync(operation: &Operation) -> Option<LastSync> {
    Some(LastSync {
        state: operation.state,
        code: operation.code,
        message: operation.message.clone(),
        ended_at: operation.ended_at?,
    })
}

/// Whether the last comparison failed on its source.
fn source_error(comparison: &Comparison) -> Option<(Code, String)> {
    let code = comparison.code?;
    let of_source = matches!(
        code,
        Code::SourceUnreachable
            | Code::SourceUnauthorized
            | Code::SourceNotFound
            | Code::SourceRefNotFound
            | Code::SourceConfigInvalid
            | Code::SourceTimeout
            | Code::SourceTooLarge
    );
    of_source.then(|| (code, comparison.message.clone()))
}
