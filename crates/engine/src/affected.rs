//! Which switches and gateways a sync would touch, before it writes anything: from the stored comparison, for the page
//! that shows what a run would do.

use crate::{Engine, Error};
use model::ObjectKey;
use model::rollout::holdings;
use std::collections::BTreeMap;

impl Engine {
    /// The switches and gateways that each object of a fabric concerns when the cluster is as Git wants it, by name.
    /// Objects that no switch runs have no entry.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn affected(&self, fabric_id: i64) -> Result<BTreeMap<ObjectKey, Vec<String>>, Error> {
        let rows = self.shared.store.objects().all_bodies(fabric_id).await?;
        let objects = rows.iter().filter_map(|row| Some((&row.key, row.desired.as_ref().or(row.live.as_ref())?)));
        let of = |holdings: Vec<model::rollout::Holding>| holdings.into_iter().map(|holding| holding.agent).collect();
        Ok(holdings(objects, &[]).into_iter().map(|(key, agents)| (key, of(agents))).collect())
    }
}
