//! What the one sentence of a fabric is found from: a few reads, and only those that its status asks for. The sentence
//! itself is `model`'s.

use crate::overview::problems_of;
use crate::{Error, Shared};
use model::compare::{ObjectState, Side};
use model::manifest::Severity;
use model::operation::Verb;
use model::status::{CauseFacts, Changed, EndedSync, RolloutCounts, Status, SyncState};
use model::{Code, ObjectKey};
use store::objects::{ObjectFilter, ObjectSort};
use store::operations::OperationSummary;
use store::{Comparison, ComparisonResult, Page};

/// Of so many changed objects it is looked up who changed them.
const LOOKED_AT: u32 = 8;

/// What [`crate::Engine::overview`] has read already.
pub(crate) struct Known<'a> {
    pub operations: &'a OperationSummary,
    /// The last comparison, however it ended.
    pub latest: Option<&'a Comparison>,
    /// The newest one that judged anything.
    pub judged: Option<&'a Comparison>,
    pub rollout: Option<RolloutCounts>,
}

impl Shared {
    /// What the cause of a fabric's status is found from.
    pub(crate) async fn cause_facts(
        &self,
        fabric_id: i64,
        status: &Status,
        known: Known<'_>,
    ) -> Result<CauseFacts, Error> {
        let last_sync = known.operations.last_ended(Verb::SyncToKubernetes).map(|operation| EndedSync {
            operation: operation.id,
            commit: operation.commit.clone(),
            object: operation.error_object.as_ref().and_then(|object| object.parse().ok()),
        });
        let failed = known.latest.filter(|comparison| comparison.result != ComparisonResult::Ok);
        // The status is about what runs only where nobody hears from it.
        let is_silent = status.state == SyncState::Error && status.code == Some(Code::Interrupted);
        let silent = known.operations.writer().filter(|run| is_silent && !self.leases.holds(run.id));
        let mut facts = CauseFacts {
            last_sync,
            silent_sync: silent.map(|run| run.id),
            failed_comparison: failed.and_then(|comparison| comparison.operation_id),
            unread_kind: failed.and_then(|comparison| {
                // The first is the one that the comparison's message is about.
                let first = problems_of(comparison).into_iter().next().filter(|first| !first.kind.is_empty())?;
                Some(format!("{}.{}", first.kind, first.group))
            }),
            commit: known.judged.and_then(|c| c.commit.as_ref()).map(|commit| commit.id.clone()),
            rollout: known.rollout,
            ..CauseFacts::default()
        };
        if status.state != SyncState::OutOfSync {
            return Ok(facts);
        }
        let findings = known.judged.map(|comparison| comparison.findings.as_slice()).unwrap_or_default();
        facts.faulty = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .find_map(|finding| Some((finding.object.clone()?, finding.message.clone())));
        let counts = status.counts.unwrap_or_default();
        if counts.undelivered > 0 {
            facts.undelivered = self.first_in(fabric_id, &[ObjectState::Undelivered], 1).await?.pop();
        }
        if counts.modified + counts.missing + counts.conflict > 0 {
            facts.changed = self.changed(fabric_id).await?;
        }
        if let Some(first) = facts.changed.first() {
            facts.put_right = self.store.operations().put_right(fabric_id, &first.key).await?;
        }
        Ok(facts)
    }

    async fn first_in(&self, fabric_id: i64, states: &[ObjectState], n: u32) -> Result<Vec<ObjectKey>, Error> {
        let filter = ObjectFilter { states: states.to_vec(), sort: ObjectSort::State, ..ObjectFilter::default() };
        let listed = self.store.objects().list(fabric_id, &filter, Page::first(n)).await?;
        Ok(listed.rows.into_iter().map(|object| object.key).collect())
    }

    /// What somebody changed or deleted in the cluster, the latest first.
    async fn changed(&self, fabric_id: i64) -> Result<Vec<Changed>, Error> {
        let states = [ObjectState::Modified, ObjectState::Conflict, ObjectState::Missing];
        let mut changed = Vec::new();
        for key in self.first_in(fabric_id, &states, LOOKED_AT).await? {
            let detail = self.store.objects().get(fabric_id, &key).await?;
            let theirs = detail.diffs.iter().filter(|diff| diff.side != Side::Desired);
            let last = theirs.max_by_key(|diff| diff.changed_at);
            changed.push(Changed {
                key,
                manager: last.and_then(|diff| diff.manager.clone()),
                at: last.and_then(|diff| diff.changed_at),
                gone: detail.brief.state == ObjectState::Missing,
            });
        }
        changed.sort_by_key(|one| std::cmp::Reverse(one.at));
        Ok(changed)
    }
}
