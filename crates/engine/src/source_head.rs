//! Which commit a fabric's source is at, as far as anybody knows. Each process has a clone of its own; when another one has
//! compared a commit that this clone has never seen, the clone is behind, and what it holds is not the newest. Asked by
//! the overview, and by whoever would go on from the last fetch.

use crate::{Error, Shared};
use jiff::Timestamp;
use source::{Commit, Glance, Repository};
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
    /// Every page asks, of many fabrics at once: files are looked at, git is not started, and nobody is waited for.
    pub(crate) fn source_head(&self, fabric: &Fabric, compared: Option<&Comparison>) -> Option<SourceHead> {
        let theirs = compared_by_others(fabric, compared);
        let Some(own) = self.glance(fabric).and_then(|glance| newest(&glance, theirs)) else {
            return theirs.map(|theirs| SourceHead { id: theirs.id.clone(), committed_at: theirs.time });
        };
        let of_comparison = compared.and_then(|c| c.comparison.commit.as_ref()).filter(|commit| commit.id == own);
        let committed_at = of_comparison.and_then(|commit| commit.time);
        Some(SourceHead { committed_at: committed_at.or_else(|| self.known_commit(fabric, &own)), id: own })
    }

    /// When a commit was made that this process has seen on the branch.
    fn known_commit(&self, fabric: &Fabric, id: &str) -> Option<Timestamp> {
        Some(self.open_repository(fabric)?.known(id)?.time)
    }

    /// The commit of the last fetch, unless another process has seen a newer one.
    pub(crate) async fn last_fetched(&self, fabric: &Fabric, repository: &Repository) -> Result<Option<Commit>, Error> {
        let latest = self.store.comparisons().latest(fabric.id).await?;
        match newest(repository.glance(), compared_by_others(fabric, latest.as_ref())) {
            Some(_) => Ok(repository.head().await?),
            None => Ok(None),
        }
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
fn newest(clone: &Glance, theirs: Option<&CommitInfo>) -> Option<String> {
    let own = clone.head()?;
    let is_behind = theirs.is_some_and(|theirs| theirs.id != own && !clone.holds(&theirs.id));
    (!is_behind).then_some(own)
}
