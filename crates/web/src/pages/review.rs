//! What a Sync to Kubernetes would do, before it does it: what it creates, updates and deletes, which values of others it
//! overwrites, what stands against it; and the choices for a run. It reads the newest stored comparison and writes
//! nothing; its form goes to the verb itself.
//!
//! `chosen` reads the choices, `rows` makes the list of changes, `page` is what the template shows.

mod chosen;
mod page;
mod rows;

pub use page::*;

use crate::extract::{Fields, OfFabric};
use crate::icon::Icon;
use crate::parts::head::FabricPage;
use crate::parts::list::{PAGE_SIZE, page_of};
use crate::parts::{Badge, FindingLine, Notice, Pager, Tone, derive};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use chosen::Chosen;
use engine::{Overview, Remark, Request, Review, ReviewCounts};
use model::ObjectKey;
use model::operation::{OperationState, Trigger, Verb};
use model::prune::KeptBecause;
use model::status::short;
use std::collections::BTreeSet;
use std::time::Duration;
use store::Fabric;

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    let needs = Needs::Fabric(Action::Sync);
    vec![
        Route::page("sync_review", pattern::sync_review, needs, show),
        Route::post("sync_review", pattern::sync_review, needs, again),
    ]
}

/// How long the page waits for a reading of the cluster before it says that it goes on.
const READING: Duration = Duration::from_secs(25);
/// Findings and deletions that the page lists.
const LISTED: usize = 25;

async fn show(state: State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let fields = Fields::of_form(view.uri.query().unwrap_or_default().as_bytes()).sound()?;
    review(&state, &view, &fabric, &fields, None).await
}

/// The same page with the form's choices kept: another page of the list, or after the cluster was read again.
async fn again(
    state: State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    fields: Fields,
) -> Result<Response, Problem> {
    let said = if fields.ticked("read_again")? { Some(read_again(&state, &view, &fabric).await?) } else { None };
    review(&state, &view, &fabric, &fields, said).await
}

/// Reads the cluster again, as the verb does, and says what came of it.
async fn read_again(state: &AppState, view: &View, fabric: &Fabric) -> Result<Notice, Problem> {
    let user = &view.login.user;
    let request = Request {
        fabric_id: fabric.id,
        verb: Verb::SyncFromFabric,
        actor: user.username.clone(),
        actor_user_id: Some(user.id),
        trigger: Trigger::Button,
        request_id: view.request_id.clone(),
        idempotency_key: None,
        shown_comparison: None,
        options: model::sync_options::SyncOptions::default(),
    };
    let requested = state.engine.request(request).await?;
    let operation = state.engine.wait(requested.operation.id, READING).await?;
    let mut notice = match (operation.state, operation.code) {
        (OperationState::Succeeded, _) => {
            Notice::new(Tone::Good, "The cluster was read again.", capitalised(&operation.message), "")
        }
        (state, _) if !state.is_final() => Notice::new(
            Tone::Busy,
            "The cluster is still being read.",
            "What stands below is what was read before.",
            "Show this page again in a moment.",
        ),
        (_, code) => {
            let why = format!("The cluster could not be read again. {}", capitalised(&operation.message));
            Notice::failure(code.unwrap_or(model::Code::Internal), why)
        }
    };
    notice.link = Some((format!("Operation {}", operation.id), url::operation(operation.id)));
    Ok(notice)
}

async fn review(
    state: &AppState,
    view: &View,
    fabric: &Fabric,
    fields: &Fields,
    said: Option<Notice>,
) -> Result<Response, Problem> {
    let chosen = Chosen::read(state, fabric, fields).await?;
    let overview = state.engine.overview(fabric).await?;
    let (mut head, tabs) = derive::head(view, fabric, &overview, FabricPage::Review).await?;
    // The page has its own buttons; one beside them that minds none of its choices would be pressed by mistake.
    head.verbs.clear();
    let frame = view.fabric_frame("sync_review", "Review", fabric, None, "Review")?;
    let filter = chosen.filter();
    let objects = state.store.objects();
    let list = async |number: u64| objects.list(fabric.id, &filter, page_of(number)).await;
    let (mut number, mut listed) = (chosen.page, list(chosen.page).await?);
    let last = listed.total.div_ceil(PAGE_SIZE).max(1);
    if number > last {
        (number, listed) = (last, list(last).await?);
    }
    let found = state.engine.review(fabric, &overview, &chosen.options).await?;
    let mut changes = Vec::with_capacity(listed.rows.len());
    for object in &listed.rows {
        let detail = objects.get(fabric.id, &object.key).await?;
        let switches = found.affected.get(&object.key).map(Vec::as_slice).unwrap_or_default();
        changes.push(rows::change(view, fabric.id, &detail, switches, &chosen));
    }
    let (prune, boxes) = prune(fabric, &found, &chosen);
    let shown: BTreeSet<&ObjectKey> = listed.rows.iter().map(|object| &object.key).chain(boxes).collect();
    let (findings, findings_total) = findings(fabric, &found);
    let comparison = overview.comparison.as_ref();
    let mut kinds = rows::kinds(&objects.counts(fabric.id).await?, &chosen);
    kinds.retain(|_| !chosen.is_selection());
    let page = Page {
        action: url::sync(fabric.id),
        review: url::sync_review(fabric.id),
        key: uuid::Uuid::new_v4().to_string(),
        comparison: comparison.map(|comparison| comparison.id),
        age: comparison.map(|comparison| view.when(comparison.observed_at)),
        commit: comparison
            .and_then(|comparison| comparison.commit.as_ref())
            .map(|commit| format!("{} {}", short(&commit.id), commit.subject))
            .unwrap_or_default(),
        notices: said.into_iter().chain(notices(fabric, &overview)).collect(),
        summary: summary(found.counts, chosen.options.leave_objects.len(), prune.as_ref()),
        why_not: derive::why_not(fabric, Verb::SyncToKubernetes, true),
        kinds,
        kinds_open: !chosen.options.kinds.is_empty(),
        is_selection: chosen.is_selection(),
        stop: found.stop.as_ref().map(|stop| stop_notice("This run would end before its first write.", stop)),
        kept: chosen.kept(&shown),
        kept_words: chosen.kept_words(&shown),
        empty: empty(&overview, &chosen),
        findings,
        findings_total,
        addresses: (found.loses_addresses || chosen.options.allow_address_removal)
            .then_some(chosen.options.allow_address_removal),
        changes,
        prune,
        pager: Pager::new(url::sync_review(fabric.id), vec![], number, listed.total),
        frame,
        head,
        tabs,
    };
    view::page("sync_review", &page)
}

/// What stands in the way of trusting the list.
fn notices(fabric: &Fabric, overview: &Overview) -> Vec<Notice> {
    let mut notices = Vec::new();
    if !fabric.is_configured() {
        notices.push(Notice::failure(model::Code::NotConfigured, "This fabric has no cluster."));
    }
    for problem in overview.problems.iter().take(5) {
        notices.push(Notice::failure(problem.code, capitalised(&problem.message)));
    }
    if let Some(running) = &overview.running {
        let mut notice = Notice::new(
            Tone::Busy,
            "A sync of this fabric is running.",
            "What stands below was compared before it, or while it writes.",
            "A run that you start now begins when it has ended.",
        );
        notice.link = Some((format!("Operation {}", running.id), url::operation(running.id)));
        notices.push(notice);
    }
    notices
}

/// What a run would do, in numbers.
fn summary(counts: ReviewCounts, left: usize, prune: Option<&Prune>) -> Vec<Sum> {
    let mut sums = vec![
        Sum::new(Tone::Waiting, counts.created, "would be created"),
        Sum::new(Tone::Waiting, counts.updated, "would be updated"),
        Sum::new(Tone::Changed, counts.overwritten, "with changes of somebody else"),
        Sum::new(Tone::Changed, counts.waiting, "would wait for a deletion"),
        Sum::new(Tone::Bad, counts.blocked, "with errors, left as they are"),
        Sum::new(Tone::Off, left as u64, "left out"),
        Sum::new(Tone::Good, counts.equal, "equal already"),
    ];
    if let Some(prune) = prune.filter(|prune| prune.is_chosen) {
        sums.push(Sum::new(Tone::Bad, prune.total, "would be deleted"));
    }
    sums.retain(|sum| sum.count > 0);
    sums
}

fn empty(overview: &Overview, chosen: &Chosen) -> String {
    match (&overview.comparison, chosen.is_everything()) {
        (None, _) => "Nothing was compared yet. Read the cluster first.",
        (_, true) => "Nothing. Every object of Git is in the cluster as Git has it.",
        (_, false) => "Nothing that was chosen differs.",
    }
    .to_owned()
}

/// Why a run would write nothing, with the page that says more of its reason.
fn stop_notice(what: &str, stop: &engine::Error) -> Notice {
    let mut notice = Notice::failure(stop.code, what);
    notice.why = stop.message.replace("Nothing was written.", "Nothing would be written.");
    notice
}

/// What is wrong with what was chosen, what stops the run first, then errors; and how much there is of it.
fn findings(fabric: &Fabric, found: &Review) -> (Vec<FindingLine>, usize) {
    let row = |Remark { finding, stops }: &Remark| {
        let line = FindingLine::of(fabric.id, finding);
        let stopping = || Badge::new(Tone::Bad, Icon::Stopped, "Stops the run");
        FindingLine { severity: if *stops { stopping() } else { line.severity }, ..line }
    };
    (found.remarks.iter().take(LISTED).map(row).collect(), found.remarks.len())
}

/// What a run that deletes would delete, and the objects that have a box here.
fn prune<'f>(fabric: &Fabric, found: &'f Review, chosen: &Chosen) -> (Option<Prune>, Vec<&'f ObjectKey>) {
    let plan = &found.prune.plan;
    let kept = |left: bool| {
        plan.kept.iter().filter(move |each| match each.because {
            KeptBecause::LeftOut => left,
            KeptBecause::NotSelected => false,
            _ => !left,
        })
    };
    if plan.deletions.is_empty() && kept(true).chain(kept(false)).next().is_none() && !chosen.options.prune {
        return (None, Vec::new());
    }
    let why_not = match (&found.prune.hindrance, found.prune.is_allowed) {
        (_, false) => Some("The fabric's policy does not allow deletions: allow them in Settings first.".to_owned()),
        (Some(why), true) => Some(why.message.clone()),
        (None, true) => None,
    };
    // Chosen objects are left out by their tick in the list above.
    let has_boxes = !chosen.is_selection();
    let row = |key: &ObjectKey, is_left: bool, has_box: bool, note: String| Deletion {
        key: if has_box { key.to_string() } else { String::new() },
        is_left,
        name: key.name.clone(),
        kind: key.kind.clone(),
        href: url::object(fabric.id, key),
        note,
    };
    let mut notes = plan.deletions.iter().map(|each| {
        let switches = found.affected.get(&each.key).map(Vec::as_slice).unwrap_or_default();
        let on = if switches.is_empty() { String::new() } else { format!("on {}", rows::named(switches)) };
        let used = match (each.used_by.is_empty(), each.guarded_by.is_empty()) {
            (false, _) => format!("used by {}, which stays", each.used_by.join(", ")),
            (true, false) => format!("used by {}; Hedgehog will refuse", each.guarded_by.join(", ")),
            (true, true) => String::new(),
        };
        (&each.key, [on, used].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "))
    });
    let listed: Vec<(&ObjectKey, String)> = notes.by_ref().take(LISTED).collect();
    let left: Vec<&ObjectKey> = kept(true).take(LISTED).map(|each| &each.key).collect();
    let boxes =
        if has_boxes { listed.iter().map(|(key, _)| *key).chain(left.iter().copied()).collect() } else { Vec::new() };
    let typed = chosen.options.prune_confirmation.clone().unwrap_or_default();
    let is_wrong = !typed.is_empty() && typed.trim() != fabric.name;
    let is_chosen = chosen.options.prune && why_not.is_none();
    let deletions = listed.into_iter().map(|(key, note)| row(key, false, has_boxes, note));
    let prune = Prune {
        is_chosen,
        stop: found
            .stop_of_prune
            .as_ref()
            .filter(|_| found.stop.is_none())
            .map(|stop| stop_notice("With these deletions the run would end before its first write.", stop)),
        total: plan.deletions.len() as u64,
        deletions: deletions.chain(left.into_iter().map(|key| row(key, true, has_boxes, String::new()))).collect(),
        kept: kept(false).take(LISTED).map(|each| row(&each.key, false, false, each.message.clone())).collect(),
        kept_total: kept(false).count(),
        confirm: plan.confirm.clone(),
        typed_error: is_wrong.then(|| format!("'{typed}' is not the fabric's name.")),
        typed,
        why_not,
    };
    (Some(prune), boxes)
}
