//! What a sync may delete: read out of a run's own observation, or out of the stored comparison for the page that shows
//! it first. What the answer is, `model::prune` says of both.

use crate::comparing::was_applied;
use crate::{Engine, Error};
use model::ObjectKey;
use model::compare::ObjectState;
use model::prune::{Extra, Input, Owner};
use model::sync_options::SyncOptions;
use serde::Serialize;
use std::collections::HashMap;
use store::{Adopted, Fabric};

/// What a sync that prunes would delete, by the newest comparison.
#[derive(Debug, Clone, Serialize)]
pub struct PrunePlan {
    /// The comparison that says so; `None` when there is none yet.
    pub comparison: Option<i64>,
    /// Whether the fabric's policy allows deletions.
    pub is_allowed: bool,
    /// Why nothing would be deleted however much is asked for; `None` when nothing stands in the way.
    pub hindrance: Option<String>,
    /// What would be deleted, what is kept, and whether somebody has to confirm it.
    #[serde(flatten)]
    pub plan: model::prune::PrunePlan,
}

/// Objects by the uid under which a person adopted them.
pub(crate) fn adopted_uids(adopted: Vec<Adopted>) -> HashMap<ObjectKey, String> {
    adopted.into_iter().map(|one| (one.key, one.uid)).collect()
}

/// Why an object may be deleted, if it may. An object of the same name that was made since is not the adopted one.
pub(crate) fn owner(
    key: &ObjectKey,
    uid: Option<&str>,
    applied: bool,
    adopted: &HashMap<ObjectKey, String>,
) -> Option<Owner> {
    let is_adopted = || adopted.get(key).is_some_and(|then| Some(then.as_str()) == uid);
    match applied {
        true => Some(Owner::Applied),
        false => is_adopted().then_some(Owner::Adopted),
    }
}

/// Why nothing may be deleted at all, if so: what Git names, or what uses what, is not known completely.
pub(crate) fn hindrance(broken_documents: u64, unread: &[String]) -> Option<String> {
    if broken_documents > 0 {
        let documents =
            if broken_documents == 1 { "1 document".to_owned() } else { format!("{broken_documents} documents") };
        return Some(format!(
            "{documents} of the source could not be read, so it is not known what Git names. Nothing is deleted until \
             that is corrected."
        ));
    }
    (!unread.is_empty()).then(|| {
        format!("{} could not be read, so it is not known what is still in use. Nothing is deleted.", unread.join(", "))
    })
}

impl Engine {
    /// What a sync of everything would delete if it were asked to prune: by the newest comparison, so that it can be
    /// shown before anybody asks.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn prune_plan(&self, fabric: &Fabric) -> Result<PrunePlan, Error> {
        let overview = self.overview(fabric).await?;
        let store = &self.shared.store;
        let adopted = adopted_uids(store.adopted().list(fabric.id).await?);
        let rows = store.objects().all_bodies(fabric.id).await?;
        let broken = overview.status.counts.map_or(0, |counts| counts.broken_documents);
        let unread: Vec<String> = overview.problems.iter().map(|p| p.kind.clone()).filter(|k| !k.is_empty()).collect();
        let hindrance = hindrance(broken, &unread);
        let (mut extras, mut others, mut desired, mut both) = (Vec::new(), Vec::new(), 0, 0);
        for row in &rows {
            match (&row.desired, &row.live) {
                (Some(wanted), live) => {
                    desired += 1;
                    both += u64::from(live.is_some());
                    others.push((&row.key, wanted));
                }
                (None, Some(live)) => {
                    let applied = was_applied(&row.digest);
                    let owner = owner(&row.key, row.live_uid.as_deref(), applied, &adopted);
                    if row.managed || owner.is_some() {
                        let has_error = row.state != ObjectState::Extra;
                        extras.push(Extra { key: &row.key, live, owner, has_error });
                    } else {
                        others.push((&row.key, live));
                    }
                }
                (None, None) => {}
            }
        }
        let plan = model::prune::plan(&Input {
            extras,
            others,
            desired_and_live: both,
            desired,
            limit_percent: fabric.policy.prune_limit_percent,
            options: &SyncOptions::default(),
        });
        let comparison = overview.comparison.map(|comparison| comparison.id);
        Ok(PrunePlan { comparison, is_allowed: fabric.policy.prune, hindrance, plan })
    }
}
