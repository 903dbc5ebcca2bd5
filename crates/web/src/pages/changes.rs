//! The log of changes as far as somebody may see it: of one object, and of what requests made.

use crate::parts::ChangesPanel;
use crate::parts::changes::{ChangeRow, ChangedObject, Known};
use crate::problem::Problem;
use crate::view::View;
use auth::{Action, ObjectType};
use std::collections::{HashMap, HashSet};
use store::activity::Entry;
use store::changes::{ChangeFilter, Readable};
use store::{Noun, Page, Scope};

/// How many changes stand at the foot of a page.
const AT_THE_FOOT: u32 = 20;

/// What was changed about one object.
pub async fn of_object(view: &View, noun: Noun, id: i64) -> Result<ChangesPanel, Problem> {
    let filter = ChangeFilter { noun: Some(noun), object_id: Some(id), ..ChangeFilter::default() };
    let listed = view.state.store.changes().list(&readable(view), &filter, Page::first(AT_THE_FOOT)).await?;
    let known = known(view).await?;
    let rows = listed.rows.iter().map(|change| ChangeRow::of(change, view.when(change.at), &known)).collect();
    Ok(ChangesPanel { rows, total: listed.total })
}

/// What the attempts among these entries changed, by their request.
pub async fn of_entries(view: &View, entries: &[Entry]) -> Result<HashMap<String, Vec<ChangedObject>>, Problem> {
    let requests: Vec<&str> = entries
        .iter()
        .filter_map(|entry| match entry {
            // What was turned away changed nothing.
            Entry::Attempt(attempt) if attempt.code.is_none() => Some(attempt.request_id.as_str()),
            _ => None,
        })
        .filter(|id| !id.is_empty())
        .collect();
    let changes = view.state.store.changes().of_requests(&readable(view), &requests).await?;
    let mut objects: HashMap<String, Vec<ChangedObject>> = HashMap::new();
    if changes.is_empty() {
        return Ok(objects);
    }
    let known = known(view).await?;
    for change in &changes {
        objects.entry(change.request_id.clone()).or_default().push(ChangedObject::of(change, &known));
    }
    Ok(objects)
}

fn seen(view: &View, of: ObjectType) -> Scope {
    view.login.access.scope(Action::View, of)
}

fn readable(view: &View) -> Readable {
    Readable {
        fabrics: seen(view, ObjectType::Fabric),
        users: seen(view, ObjectType::User),
        groups: seen(view, ObjectType::Group),
        permissions: seen(view, ObjectType::ObjectPermission),
        deleted: view.login.user.is_superuser,
    }
}

async fn known(view: &View) -> Result<Known, Problem> {
    Ok(Known {
        users: names_of(view, ObjectType::User).await?,
        groups: names_of(view, ObjectType::Group).await?,
        permissions: names_of(view, ObjectType::ObjectPermission).await?,
    })
}

/// The names of a type that may be seen; nothing when all of them may.
async fn names_of(view: &View, of: ObjectType) -> Result<Option<HashSet<String>>, Problem> {
    let scope = seen(view, of);
    if matches!(scope, Scope::All | Scope::System) {
        return Ok(None);
    }
    let listed = view.state.store.nouns().names(of.noun(), &scope, "", Page::all()).await?;
    Ok(Some(listed.rows.into_iter().map(|one| one.name).collect()))
}
