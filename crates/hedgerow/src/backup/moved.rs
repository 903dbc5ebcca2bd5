//! A PostgreSQL database that its own tools restored: the console finds that when it starts, before anything runs by
//! itself, because the database is not the one in which it was noted last. Used by whatever opens a console.

use super::read::suspend;
use anyhow::Context as _;
use jiff::Timestamp;
use store::Store;

/// Why automatic syncs are suspended then.
const REASON: &str =
    "The database was restored from a dump or copied: what Git holds here may be older than the cluster.";

/// Puts such a database right, and says so in the log: what was under way is interrupted, sessions are ended, API
/// tokens are revoked, and automatic syncs are suspended until somebody has looked.
pub(crate) async fn settle_moved(store: &Store) -> anyhow::Result<()> {
    let place = match store.moved_to().await {
        Ok(Some(place)) => place,
        Ok(None) => return Ok(()),
        // It can be used all the same; only a restore would not be noticed.
        Err(error) => {
            tracing::warn!(%error, "which database this is could not be read; that it was restored would not be noticed");
            return Ok(());
        }
    };
    let now = Timestamp::now();
    // First, and as often as it takes: once the place is noted nobody looks again.
    let suspended = suspend(store, REASON, now).await?;
    let settled = store.settle_moved(&place, now).await.context("cannot put the restored database right")?;
    if let Some(settled) = settled {
        tracing::warn!(
            operations = settled.operations,
            sessions = settled.sessions,
            api_tokens = settled.api_tokens,
            fabrics = suspended.join(", "),
            "the database was restored from a dump or copied: operations of then are interrupted, sessions are ended, \
             API tokens are revoked, automatic syncs of these fabrics are suspended"
        );
    }
    Ok(())
}
