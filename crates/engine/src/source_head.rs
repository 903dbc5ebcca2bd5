//! Which commit a fabric's source is at, as far as anybody knows. Each process has a clone of its own; when another one has
//! compared a commit that this clone has never seen, the clone is behind, and what it holds is not the newest. Asked by
//! the overview, and by whoever would go on from the last fetch.

use crate::{Error, Shared};
use jiff::Timestamp;
use source::{Commit, Repository};
use store::comparisons::CommitInfo;
use store::{Comparison, Fabric, Source};

/// The commit that a source is at.
pub(crate) struct SourceHead {
    /// Its id.
    pub id: String,
    /// When it was made, as far as that is known.
    pub committed_at: Option<Timestamp>,
}

impl Shared {
    /// The commit that the source is at, with the newest comparison that is of one. `None` when nobody has fetched it.
    pub(crate) async fn source_head(&self, fabric: &Fabric, compared: Option<&Comparison>) -> Option<SourceHead> {
        let theirs = compared_by_others(fabric, compared);
        let own = match self.repository(fabric).await {
            Ok(repository) => newest(&repository, theirs).await.ok().flatten(),
            Err(_) => None,
        };
        match (own, theirs) {
            (Some(own), _) => Some(SourceHead { id: own.id, committed_at: Some(own.time) }),
            (None, Some(theirs)) => Some(SourceHead { id: theirs.id.clone(), committed_at: theirs.time }),
            (None, None) => None,
        }
    }

    /// The commit of the last fetch, unless another process has seen a newer one.
    pub(crate) async fn last_fetched(&self, fabric: &Fabric, repository: &Repository) -> Result<Option<Commit>, Error> {
        let latest = self.store.comparisons().latest(fabric.id).await?;
        newest(repository, compared_by_others(fabric, latest.as_ref())).await
    }
}

/// The commit of a comparison that another process may have made. A local source is in one data folder only, and its
/// branch is what it is; what was compared under other settings may be of another source.
fn compared_by_others<'a>(fabric: &Fabric, compared: Option<&'a Comparison>) -> Option<&'a CommitInfo> {
    let is_remote = !matches!(fabric.source, Source::Local);
    let counts = |compared: &&Comparison| is_remote && compared.evidence_at() > fabric.updated_at;
    compared.filter(counts)?.comparison.commit.as_ref()
}

/// The clone's own commit; `None` when it has none, or has never seen the other one.
async fn newest(repository: &Repository, theirs: Option<&CommitInfo>) -> Result<Option<Commit>, Error> {
    let Some(own) = repository.head().await? else { return Ok(None) };
    let is_behind = match theirs {
        Some(theirs) if theirs.id != own.id => !repository.has_commit(&theirs.id).await?,
        _ => false,
    };
    Ok((!is_behind).then_some(own))
}
