//! Leases: who runs an operation, that it lives, and the end of those whose process died.
//!
//! No clock on a wall decides about a lease. Each claim and each heartbeat moves a counter in the row; whoever has seen
//! it stand still for the length of the lease, by a clock of its own that only goes forward, may say that the process is
//! dead. That is a compare-and-set on owner and counter, so a heartbeat that came in between wins.

use super::rows::operation;
use super::{Operation, Operations};
use crate::row::{Columns, to_json};
use crate::sql::args;
use crate::statements::operations as st;
use crate::{Result, commit};
use jiff::{SignedDuration, Timestamp};
use model::operation::OutcomeKind::{NotAttempted, Unknown};
use model::operation::{Phase, PhaseProgress, PhaseState};
use std::time::Duration;

/// Who runs an operation, and for how long it is believed to live without a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The process, by a name that no other process has.
    pub owner: String,
    /// How long.
    pub duration: Duration,
}

impl Lease {
    /// The end of the lease as a clock on the wall shows it; for whoever looks into the table, nothing decides by it.
    pub(super) fn until(&self, now: Timestamp) -> Timestamp {
        SignedDuration::try_from(self.duration).ok().and_then(|by| now.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn micros(&self) -> i64 {
        i64::try_from(self.duration.as_micros()).unwrap_or(i64::MAX).max(1)
    }
}

/// The lease of an operation that runs, as its row has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLease {
    /// The operation.
    pub operation_id: i64,
    /// Its fabric.
    pub fabric_id: i64,
    /// The process that runs it.
    pub owner: String,
    /// The counter, which every heartbeat moves.
    pub beat: i64,
    /// How long the counter may stand still while the process lives.
    pub length: Duration,
}

/// Of objects whose end nobody heard.
const NOT_KNOWN: &str = "The process died before it said what became of this object; it may have been written in its last \
                         moment. The next run looks at it again.";
/// The same of an operation that writes nothing: a dry run.
const NOT_ASKED: &str =
    "The process died before it said what the server would do with this object. Nothing was written.";

impl Operations<'_> {
    /// Says that the process lives. `false`: the lease was lost, and whatever the process still does is nobody's.
    pub async fn heartbeat(&self, id: i64, lease: &Lease, now: Timestamp) -> Result<bool> {
        self.change(st::HEARTBEAT, args![id, &lease.owner, now, lease.until(now)]).await
    }

    /// The leases of all operations that run, in any process.
    pub async fn leases(&self) -> Result<Vec<HeldLease>> {
        let mut conn = self.0.reader(st::LEASES.doing).await?;
        let rows = st::LEASES.all(&mut conn, Vec::new()).await?;
        rows.iter()
            .map(|row| {
                Ok(HeldLease {
                    operation_id: row.int("id")?,
                    fabric_id: row.int("fabric_id")?,
                    owner: row.text("lease_owner")?,
                    beat: row.int("lease_beat")?,
                    length: Duration::from_micros(row.unsigned("lease_length")?),
                })
            })
            .collect()
    }

    /// The operations of a process that somebody asked to end, with who did.
    pub async fn told_to_end(&self, owner: &str) -> Result<Vec<(i64, String)>> {
        let mut conn = self.0.reader(st::TOLD_TO_END.doing).await?;
        let rows = st::TOLD_TO_END.all(&mut conn, args![owner]).await?;
        rows.iter().map(|row| Ok((row.int("id")?, row.text("cancel_requested_by")?))).collect()
    }

    /// Marks an operation as interrupted, because this lease of it was seen to stand still for its length: with a
    /// sentence, with phases that no longer claim to run, and with a word on every object whose end is not known. Gives
    /// it as it is then; `None` when its process has come back, or it has another end.
    pub async fn interrupt(&self, dead: &HeldLease, now: Timestamp) -> Result<Option<Operation>> {
        let id = dead.operation_id;
        let mut tx = self.0.writer(st::INTERRUPT.doing).await?;
        // Its row may have gone with its fabric.
        let Some(row) = st::GET.optional(&mut tx, args![id]).await? else { return Ok(None) };
        let mut died = operation(&row)?;
        end_phases(&mut died.phases, now);
        let during = died.phases.iter().find(|p| p.state == PhaseState::Failed);
        let mut message = format!(
            "The process that ran this stopped answering{}.",
            during.map(|p| format!(" during \"{}\"", p.phase.title())).unwrap_or_default()
        );
        let writes = changes_something(died.writes, &died.phases);
        message.push_str(if writes { " What it wrote before stays." } else { " Nothing was written." });
        let args = args![id, message, to_json("phases", &died.phases)?, now, &dead.owner, dead.beat];
        if st::INTERRUPT.run(&mut tx, args).await? == 0 {
            return Ok(None);
        }
        let (of_objects, outcome) = if writes { (NOT_KNOWN, Unknown) } else { (NOT_ASKED, NotAttempted) };
        st::LEFT_BY_THE_DEAD.run(&mut tx, args![id, of_objects, outcome.as_str()]).await?;
        let interrupted = operation(&st::GET.one(&mut tx, "operation", args![id]).await?)?;
        commit(tx, st::INTERRUPT.doing).await?;
        Ok(Some(interrupted))
    }
}

/// Whether an operation writes at all: to the cluster, or, when it adopts, to the source.
pub(crate) fn changes_something(writes: bool, phases: &[PhaseProgress]) -> bool {
    writes || phases.iter().any(|p| p.phase == Phase::Adopt)
}

/// A phase that ran has failed, one that waited will not run, and nothing is tried again.
pub(crate) fn end_phases(phases: &mut [PhaseProgress], now: Timestamp) {
    for phase in phases {
        phase.retry = None;
        match phase.state {
            PhaseState::Running => {
                phase.state = PhaseState::Failed;
                phase.ended_at = Some(now);
            }
            PhaseState::Waiting => phase.state = PhaseState::Skipped,
            PhaseState::Done | PhaseState::Partial | PhaseState::Failed | PhaseState::Skipped => {}
        }
    }
}
