//! Which other fabric manages a namespace of a cluster, as far as whoever asks may see it. What is stored of such a failure
//! is read by others as well and names nobody; the name is looked for anew for each reader. Used by the pages of a fabric,
//! of an operation, of the settings, and of a cluster that has changed.

use crate::parts::{Notice, Tone};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::View;
use store::fabrics::FabricFilter;
use store::{Fabric, Page};

/// The fabric that manages a namespace of the cluster with this uid: its number and its name. `None` when there is none,
/// or the viewer may not see it.
pub async fn of(
    state: &AppState,
    view: &View,
    cluster: Option<&str>,
    namespace: &str,
) -> Result<Option<(i64, String)>, Problem> {
    let Some(uid) = cluster else { return Ok(None) };
    let filter = FabricFilter { manages: Some((uid.to_owned(), namespace.to_owned())), ..FabricFilter::default() };
    let found = state.store.fabrics().list(&view.login.access.fabrics(), &filter, Page::first(1)).await?;
    Ok(found.rows.into_iter().next().map(|fabric| (fabric.id, fabric.name)))
}

/// Who has what this fabric was to manage, with a link.
pub async fn notice(state: &AppState, view: &View, fabric: &Fabric) -> Result<Option<Notice>, Problem> {
    if fabric.cluster_uid.is_some() {
        return Ok(None);
    }
    let other = of(state, view, fabric.cluster_seen_uid.as_deref(), &fabric.namespace).await?;
    Ok(other.map(|(id, name)| {
        let mut notice = Notice::new(
            Tone::Bad,
            format!("Fabric {name} manages namespace {} of this cluster already.", fabric.namespace),
            "Two fabrics would undo each other's work.",
            "Correct the cluster or the namespace of one of them in its settings, or delete one.",
        );
        notice.link = Some((format!("Fabric {name}"), url::fabric(id)));
        notice
    }))
}
