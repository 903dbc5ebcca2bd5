//! The second step: the manifest and the file of each chosen object, and the form that commits them.

use super::{MOST, Wanted, around};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::parts::{Head, Notice, Tabs, Tone};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::{self, View};
use askama::Template;
use auth::Action;
use axum::response::Response;
use engine::Adoption;
use model::compare::ObjectState;
use model::{Code, ObjectKey};
use std::collections::BTreeMap;
use store::objects::ObjectFilter;
use store::{Fabric, Source};

/// How many manifests are shown; the others are counted, and go with the form all the same.
const SHOWN: usize = 200;

pub(super) async fn show(state: &AppState, view: &View, fabric: &Fabric, wanted: &Wanted) -> Result<Response, Problem> {
    let keys = keys(state, fabric, wanted).await?;
    let overview = state.engine.overview(fabric).await?;
    let (frame, head, tabs) = around(view, fabric, &overview, "Review").await?;
    let none = serde_json::Value::Null;
    let kinds = overview.comparison.as_ref().map_or(&none, |comparison| &comparison.kinds);
    let (first, rest) = keys.split_at(keys.len().min(SHOWN));
    let adoptions = state.engine.adoptions(fabric, first, kinds).await?;
    let chosen: Vec<Chosen> = adoptions.into_iter().enumerate().map(|(n, one)| Chosen::of(fabric.id, n, one)).collect();
    let fit = chosen.iter().filter(|one| one.refused.is_none()).count() + rest.len();
    let page = Review {
        notices: newly_kept(state, fabric, &keys).await?,
        why_not: why_not(view, fabric).await?,
        fit,
        target: target(fabric),
        author: view.login.user.username.clone(),
        key: uuid::Uuid::new_v4().to_string(),
        rest: rest.iter().map(ObjectKey::to_string).collect(),
        back: back(fabric.id, wanted),
        chosen,
        frame,
        head,
        tabs,
    };
    view::page("adopt", &page)
}

/// What was chosen: by hand, or everything that the filters let through.
async fn keys(state: &AppState, fabric: &Fabric, wanted: &Wanted) -> Result<Vec<ObjectKey>, Problem> {
    if !wanted.all {
        if wanted.ticked.is_empty() {
            return Err(Problem::new(Code::InvalidInput, "Nothing is ticked, so there is nothing to review.")
                .todo("Go back and tick the objects to adopt, or take all that match."));
        }
        return Ok(wanted.ticked.iter().cloned().collect());
    }
    let page = store::Page { limit: MOST as u32, offset: 0 };
    let listed = state.store.objects().list(fabric.id, &wanted.filter(), page).await?;
    if listed.total > MOST as u64 {
        let why = format!("{} objects match; one adoption takes at most {MOST}.", listed.total);
        return Err(Problem::new(Code::InvalidInput, why).todo("Narrow the list by the filters."));
    }
    if listed.rows.is_empty() {
        let why = "No object that stands only in the cluster matches, so there is nothing to review.";
        return Err(Problem::new(Code::InvalidInput, why).todo("Change the filters."));
    }
    Ok(listed.rows.into_iter().map(|object| object.key).collect())
}

/// Kinds that Git begins to hold with this choice: what else there is of them in the cluster begins to count.
async fn newly_kept(state: &AppState, fabric: &Fabric, keys: &[ObjectKey]) -> Result<Vec<Notice>, Problem> {
    let mut chosen: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for key in keys {
        *chosen.entry((&key.kind, &key.group)).or_default() += 1;
    }
    let mut notices = Vec::new();
    for ((kind, group), count) in chosen {
        let filter = ObjectFilter {
            kind: Some(kind.to_owned()),
            group: Some(group.to_owned()),
            states: vec![ObjectState::Extra],
            managed: Some(false),
            ..ObjectFilter::default()
        };
        let unmanaged = state.store.objects().list(fabric.id, &filter, store::Page::first(1)).await?.total;
        let others = unmanaged.saturating_sub(count);
        if others > 0 {
            let stand = if others == 1 { "1 other stands" } else { &format!("{others} others stand") };
            notices.push(Notice::new(
                Tone::Waiting,
                format!("Git holds no {kind} yet."),
                format!(
                    "From this commit on it does, so that the {kind} objects of the cluster count for the fabric's state: \
                     {stand} only there, and will be shown as differing."
                ),
                "Adopt these too, or leave the kind out.",
            ));
        }
    }
    Ok(notices)
}

/// Why the button cannot be pressed by this user on this fabric.
async fn why_not(view: &View, fabric: &Fabric) -> Result<Option<String>, Problem> {
    let access = &view.login.access;
    let mut missing = Vec::new();
    for (action, permission) in [(Action::Sync, "hedgerow.sync_fabric"), (Action::Change, "hedgerow.change_fabric")] {
        if !access.may(fabric.id, action).await? {
            missing.push(permission);
        }
    }
    Ok(match missing.as_slice() {
        [] if !fabric.is_configured() => Some("Needs a cluster first: enter it in Settings.".to_owned()),
        [] => None,
        [one] => Some(format!("Needs the permission {one} on this fabric.")),
        all => Some(format!("Needs the permissions {} on this fabric.", all.join(" and "))),
    })
}

fn target(fabric: &Fabric) -> String {
    match &fabric.source {
        Source::Local => format!("the branch {} of the repository that Hedgerow keeps for this fabric", fabric.branch),
        Source::Remote { url, .. } => format!(
            "the branch {} of {url}; if that branch takes no direct push, a branch of its own, whose name you are told",
            fabric.branch
        ),
    }
}

/// The first step with the same choice.
fn back(id: i64, wanted: &Wanted) -> String {
    let ticked: Vec<String> = wanted.ticked.iter().map(ObjectKey::to_string).collect();
    let mut pairs = vec![("kind", wanted.kind.as_str()), ("name", wanted.name.as_str())];
    pairs.extend(ticked.iter().map(|key| ("adopt", key.as_str())));
    url::with_query(&url::adopt(id), &pairs)
}

/// The second step: what would be committed.
#[derive(Template)]
#[template(path = "adopt_review.html")]
pub struct Review {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub notices: Vec<Notice>,
    pub chosen: Vec<Chosen>,
    /// What else goes with the form.
    pub rest: Vec<String>,
    /// How many of all can be committed.
    pub fit: usize,
    /// Where the commit goes.
    pub target: String,
    /// Whose commit it will be.
    pub author: String,
    pub key: String,
    pub why_not: Option<String>,
    pub back: String,
}

/// One chosen object.
pub struct Chosen {
    pub id: String,
    pub value: String,
    pub kind: String,
    pub name: String,
    pub href: String,
    pub file: String,
    /// That the file has another name than it would have had.
    pub note: String,
    pub text: String,
    /// Why it cannot be adopted.
    pub refused: Option<String>,
}

impl Chosen {
    fn of(fabric: i64, n: usize, Adoption { key, file }: Adoption) -> Self {
        let (file, refused) = match file {
            Ok(file) => (Some(file), None),
            Err(left) => (None, Some(left.message)),
        };
        let note = file.as_ref().and_then(|file| file.instead_of.as_ref());
        Self {
            id: format!("adopt-{n}"),
            value: key.to_string(),
            href: url::object(fabric, &key),
            note: note.map(|wanted| format!("{wanted} is another file")).unwrap_or_default(),
            file: file.as_ref().map(|file| file.path.clone()).unwrap_or_default(),
            text: file.map(|file| file.text).unwrap_or_default(),
            kind: key.kind,
            name: key.name,
            refused,
        }
    }
}
