//! How the automatic syncs of a fabric stand, for pages and scripts: what its policy says, what holds them, when the next
//! one comes, and with whom self-heal fights.

use super::automatic::{remembered_since, situation};
use crate::{Error, Shared};
use jiff::Timestamp;
use model::ObjectKey;
use model::compare::ObjectState;
use model::operation::{OperationState, Trigger};
use model::policy::{Automatic, AutomaticState, Fight, Policy, Suspension, fights, left_alone};
use serde::Serialize;
use store::Fabric;

/// How the automatic syncs of a fabric stand.
#[derive(Debug, Clone, Serialize)]
pub struct Automation {
    /// The word, the next time, and the sentence.
    #[serde(flatten)]
    pub standing: Automatic,
    /// What the fabric does by itself.
    pub policy: Policy,
    /// Who stopped it from doing so, if somebody did.
    pub suspension: Option<Suspension>,
    /// The last automatic sync that became an operation.
    pub last_run: Option<LastRun>,
    /// The objects that self-heal leaves alone for a while, because somebody else writes them too.
    pub fights: Vec<Standoff>,
}

/// An automatic sync that became an operation.
#[derive(Debug, Clone, Serialize)]
pub struct LastRun {
    /// Which operation.
    pub operation: i64,
    /// Why it began: by its interval, or to heal.
    pub trigger: Trigger,
    /// When it was asked for.
    pub at: Timestamp,
    /// Where it stands.
    pub state: OperationState,
}

/// A fight, and the same in one sentence.
#[derive(Debug, Clone, Serialize)]
pub struct Standoff {
    /// Object, field, the other's field manager, how often, until when.
    #[serde(flatten)]
    pub fight: Fight,
    /// The same in one sentence.
    pub sentence: String,
}

/// So many objects that are left alone stand in the sentence; the fights among them are all listed.
const LEFT_NAMED: usize = 4;

impl Shared {
    /// Whether an object is not as Git has it, as far as the newest comparison knows.
    async fn differs(&self, fabric_id: i64, key: &ObjectKey) -> Result<bool, Error> {
        match self.store.objects().get(fabric_id, key).await {
            Ok(detail) => Ok(detail.brief.state != ObjectState::Equal),
            Err(store::Error::NotFound(_)) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    /// How the automatic syncs of a fabric stand.
    pub(crate) async fn automation(&self, fabric: &Fabric, now: Timestamp) -> Result<Automation, Error> {
        let (policy, automatic) = (&fabric.policy, self.store.automatic());
        let settled = match policy.sync_interval_seconds {
            Some(_) => automatic.settled(fabric.id).await?,
            None => None,
        };
        let heals = match policy.self_heal {
            true => automatic.heals(fabric.id, remembered_since(now)).await?,
            false => Vec::new(),
        };
        let mut last = None;
        for trigger in [Trigger::Interval, Trigger::SelfHeal] {
            let of_trigger = self.store.operations().last_of(fabric.id, trigger).await?;
            last = last.into_iter().chain(of_trigger).max_by_key(|operation| operation.id);
        }
        let mut standing = policy.automatic(&situation(fabric, settled), now);
        if matches!(standing.state, AutomaticState::Waiting | AutomaticState::Due) {
            let mut named = 0;
            for left in left_alone(&heals, now) {
                // What is as it should be is not left alone, it needs nothing.
                if named < LEFT_NAMED && self.differs(fabric.id, &left.object).await? {
                    standing.sentence = format!("{} {}", standing.sentence, left.sentence());
                    named += 1;
                }
            }
        }
        let standoff = |fight: Fight| Standoff { sentence: fight.sentence(), fight };
        Ok(Automation {
            standing,
            policy: policy.clone(),
            suspension: fabric.suspension.clone(),
            last_run: last.map(|o| LastRun { operation: o.id, trigger: o.trigger, at: o.queued_at, state: o.state }),
            fights: fights(&heals, now).into_iter().map(standoff).collect(),
        })
    }
}
