//! Adopting: the objects that only the cluster holds, chosen by hand or by a filter, and what would be committed of them.
//!
//! Two steps on one address. The first is a form that is read (GET), so that a choice stands in the address, is carried
//! from page to page without a script, and can be sent to a colleague. The second shows manifest and file of each chosen
//! object; its form posts exactly what it shows to *Sync from Fabric*.

pub mod review;

use crate::extract::OfFabric;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::objects::kinds;
use crate::parts::derive;
use crate::parts::head::FabricPage;
use crate::parts::list::page_of;
use crate::parts::{Choice, Head, Pager, Tabs};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, Query, View, bad};
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use model::ObjectKey;
use model::compare::ObjectState;
use std::collections::BTreeSet;
use store::Fabric;
use store::objects::{ObjectBrief, ObjectFilter};

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("adopt", pattern::adopt, Needs::Fabric(Action::View), show)]
}

/// How many objects may be ticked by hand: the choice stands in the address, and servers cut addresses.
const TICKED: usize = 400;
/// How many objects one adoption takes.
const MOST: usize = 5_000;
/// The word that leads to the second step.
const REVIEW: &str = "review";

/// What the address says.
struct Wanted {
    kind: String,
    name: String,
    page: u64,
    /// What is ticked, on this page and on others.
    ticked: BTreeSet<ObjectKey>,
    /// Everything that the filters let through, whatever is ticked.
    all: bool,
    review: bool,
}

impl Wanted {
    fn read(query: &Query) -> Result<Self, Problem> {
        let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
        let ticked: BTreeSet<ObjectKey> = query
            .every("adopt")
            .map(|text| text.parse().map_err(|_| bad("adopt", text)))
            .collect::<Result<_, Problem>>()?;
        if ticked.len() > TICKED {
            let why = format!("{} objects are ticked; by hand at most {TICKED} can be.", ticked.len());
            return Err(Problem::new(model::Code::InvalidInput, why)
                .todo("Narrow the list by the filters, then take all that match."));
        }
        Ok(Self {
            kind: text("kind"),
            name: text("name"),
            page: query.page()?,
            ticked,
            all: query.get("all") == Some("1"),
            review: query.get("step") == Some(REVIEW),
        })
    }

    fn filter(&self) -> ObjectFilter {
        let mut filter = ObjectFilter { states: vec![ObjectState::Extra], ..ObjectFilter::default() };
        if let Some((kind, group)) = self.kind.split_once('.') {
            filter.kind = Some(kind.to_owned());
            filter.group = Some(group.to_owned());
        } else if !self.kind.is_empty() {
            filter.kind = Some(self.kind.clone());
        }
        filter.name = Some(self.name.clone()).filter(|name| !name.is_empty());
        filter
    }

    fn is_filtered(&self) -> bool {
        !self.kind.is_empty() || !self.name.is_empty()
    }
}

async fn show(State(state): State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let wanted = Wanted::read(&view.query())?;
    if wanted.review {
        return review::show(&state, &view, &fabric, &wanted).await;
    }
    let overview = state.engine.overview(&fabric).await?;
    let (frame, head, tabs) = around(&view, &fabric, &overview, "Adopt").await?;
    let counts = state.store.objects().counts(fabric.id).await?;
    let page = page_of(wanted.page);
    let listed = state.store.objects().list(fabric.id, &wanted.filter(), page).await?;
    let shown: BTreeSet<&ObjectKey> = listed.rows.iter().map(|object| &object.key).collect();
    let elsewhere: Vec<String> =
        wanted.ticked.iter().filter(|key| !shown.contains(key)).map(ObjectKey::to_string).collect();
    let review_all = [("kind", wanted.kind.as_str()), ("name", wanted.name.as_str()), ("all", "1"), ("step", REVIEW)];
    let page = List {
        kinds: kinds(&counts, &wanted.kind, |state| state == ObjectState::Extra),
        said: said(wanted.ticked.len(), elsewhere.len()),
        rows: listed.rows.iter().map(|object| row(fabric.id, object, &wanted)).collect(),
        review_all: url::with_query(&url::adopt(fabric.id), &review_all),
        total: listed.total,
        elsewhere,
        empty: empty(&wanted, overview.comparison.is_some(), listed.total),
        is_filtered: wanted.is_filtered(),
        pager: Pager::new(url::adopt(fabric.id), Vec::new(), wanted.page, listed.total),
        frame,
        head,
        tabs,
        name: wanted.name,
    };
    view::page("adopt", &page)
}

/// The frame, the head and the tabs of both steps.
async fn around(
    view: &View,
    fabric: &Fabric,
    overview: &engine::Overview,
    title: &str,
) -> Result<(Frame, Head, Tabs), Problem> {
    let (head, tabs) = derive::head(view, fabric, overview, FabricPage::Objects).await?;
    let frame = view.fabric_frame("adopt", title, fabric, Some(("Objects", url::objects(fabric.id))), title)?;
    Ok((frame, head, tabs))
}

fn row(id: i64, object: &ObjectBrief, wanted: &Wanted) -> Row {
    Row {
        value: object.key.to_string(),
        ticked: wanted.ticked.contains(&object.key),
        name: object.key.name.clone(),
        kind: object.key.kind.clone(),
        href: url::object(id, &object.key),
        kept: object.managed,
    }
}

/// How many are ticked, and where they stand.
fn said(ticked: usize, elsewhere: usize) -> String {
    match (ticked, elsewhere) {
        (0, _) => "Nothing is ticked.".to_owned(),
        (n, 0) => format!("{n} ticked."),
        (n, e) if n == e => format!("{n} ticked, none of them on this page."),
        (n, e) => format!("{n} ticked, {e} of them not on this page."),
    }
}

fn empty(wanted: &Wanted, compared: bool, total: u64) -> String {
    match (compared, total) {
        (false, _) => "Nothing was compared yet. Sync from Fabric reads the cluster and the source.",
        (true, 1..) => "This list has fewer pages.",
        (true, 0) if wanted.is_filtered() => "No object that stands only in the cluster fits these filters.",
        (true, 0) => "Every object of Hedgehog's kinds in the cluster stands in Git too: there is nothing to adopt.",
    }
    .to_owned()
}

/// The first step: choosing.
#[derive(Template)]
#[template(path = "adopt.html")]
pub struct List {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kinds: Vec<Choice>,
    pub name: String,
    /// How many are ticked.
    pub said: String,
    pub rows: Vec<Row>,
    /// What is ticked and does not stand on this page.
    pub elsewhere: Vec<String>,
    /// The second step with everything that the filters let through.
    pub review_all: String,
    pub total: u64,
    pub is_filtered: bool,
    pub empty: String,
    pub pager: Pager,
}

/// One object to choose.
pub struct Row {
    pub value: String,
    pub ticked: bool,
    pub name: String,
    pub kind: String,
    pub href: String,
    /// Whether objects of its kind are kept in Git already.
    pub kept: bool,
}
