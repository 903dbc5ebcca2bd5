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
use crate::frame::{Find, Nav};
use crate::pages::fabric::place;
use crate::parts::head::FabricPage;
use crate::parts::list::PAGE_SIZE;
use crate::parts::{Badge, Notice, Pager, Tone, derive};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use chosen::Chosen;
use engine::{Overview, Request};
use model::compare::ObjectState;
use model::manifest::Severity;
use model::operation::{OperationState, Trigger, Verb};
use model::status::short;
use std::cmp::Reverse;
use std::time::Duration;
use store::objects::StateCount;
use store::{Fabric, Page as Pages};

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
    let fields = Fields::of_form(view.uri.query().unwrap_or_default().as_bytes());
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
    let mut frame = view
        .frame("sync_review", format!("Review · {}", fabric.name), Nav::Fabrics)?
        .crumbs(vec![("Fabrics".into(), url::fabrics()), (fabric.name.clone(), url::fabric(fabric.id))], "Review");
    frame.find = Find::objects(fabric.id);
    let filter = chosen.filter();
    let objects = state.store.objects();
    let tally = objects.tally(fabric.id, &filter).await?;
    let total: u64 = tally.iter().map(|count| count.objects).sum();
    let number = chosen.page.min(total.div_ceil(PAGE_SIZE).max(1));
    let listed = objects.list(fabric.id, &filter, Pages::new(PAGE_SIZE as u32, (number - 1) * PAGE_SIZE)).await?;
    let affected = if listed.rows.is_empty() { Default::default() } else { state.engine.affected(fabric.id).await? };
    let mut changes = Vec::with_capacity(listed.rows.len());
    let mut loses_addresses = false;
    for object in &listed.rows {
        let detail = objects.get(fabric.id, &object.key).await?;
        loses_addresses |= rows::loses_addresses(&detail);
        let switches = affected.get(&object.key).map(Vec::as_slice).unwrap_or_default();
        changes.push(rows::change(view, fabric.id, &detail, switches, &chosen));
    }
    let prune = prune(state, fabric, &overview, &chosen).await?;
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
        summary: summary(&tally, prune.as_ref()),
        why_not: derive::why_not(fabric, Verb::SyncToKubernetes, true),
        kinds,
        kinds_open: !chosen.options.kinds.is_empty(),
        is_selection: chosen.is_selection(),
        kept: chosen.kept(&listed.rows),
        kept_words: chosen.kept_words(&listed.rows),
        empty: empty(&overview, &chosen),
        findings: findings(fabric, &overview, &chosen),
        findings_total: overview.findings_total,
        addresses: (loses_addresses || chosen.options.allow_address_removal)
            .then_some(chosen.options.allow_address_removal),
        changes,
        prune,
        pager: Pager::new(url::sync_review(fabric.id), vec![], number, total),
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
fn summary(tally: &[StateCount], prune: Option<&Prune>) -> Vec<Sum> {
    let count = |wanted: &dyn Fn(&StateCount) -> bool| -> u64 {
        tally.iter().filter(|each| wanted(each)).map(|each| each.objects).sum()
    };
    let writes = |each: &StateCount| {
        !each.has_errors
            && matches!(
                each.state,
                ObjectState::Undelivered | ObjectState::Modified | ObjectState::Conflict | ObjectState::Missing
            )
    };
    let others = |each: &StateCount| matches!(each.state, ObjectState::Modified | ObjectState::Conflict);
    let mut sums = vec![
        Sum::new(Tone::Waiting, count(&|each| writes(each) && !each.is_live), "would be created"),
        Sum::new(Tone::Waiting, count(&|each| writes(each) && each.is_live), "would be updated"),
        Sum::new(Tone::Changed, count(&|each| writes(each) && others(each)), "with changes of somebody else"),
        Sum::new(
            Tone::Bad,
            count(&|each| each.has_errors || each.state == ObjectState::Unknown),
            "with errors, left as they are",
        ),
        Sum::new(Tone::Good, count(&|each| each.state == ObjectState::Equal && !each.has_errors), "equal already"),
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
        (_, true) => "Nothing. Every object in the cluster is as Git has it.",
        (_, false) => "Nothing that was chosen differs.",
    }
    .to_owned()
}

/// What is wrong with what was chosen, errors first.
fn findings(fabric: &Fabric, overview: &Overview, chosen: &Chosen) -> Vec<Finding> {
    let about = |finding: &&model::manifest::Finding| {
        finding.severity > Severity::Info && finding.object.as_ref().is_none_or(|key| chosen.options.selects(key))
    };
    let mut found: Vec<_> = overview.findings.iter().filter(about).collect();
    found.sort_by_key(|finding| Reverse(finding.severity));
    let row = |finding: &model::manifest::Finding| Finding {
        severity: Badge::from(finding.severity),
        message: finding.message.clone(),
        rule: finding.rule.clone(),
        object: finding.object.as_ref().map(|key| (format!("{} {}", key.kind, key.name), url::object(fabric.id, key))),
        place: finding.location.as_ref().map(place).unwrap_or_default(),
    };
    found.into_iter().take(LISTED).map(row).collect()
}

/// What a run that prunes would delete.
async fn prune(
    state: &AppState,
    fabric: &Fabric,
    overview: &Overview,
    chosen: &Chosen,
) -> Result<Option<Prune>, Problem> {
    let extra = overview.status.counts.is_some_and(|counts| counts.extra > 0);
    if !extra && !chosen.options.prune {
        return Ok(None);
    }
    let found = state.engine.prune_plan(fabric).await?;
    let why_not = match (&found.hindrance, found.is_allowed) {
        (_, false) => Some("The fabric's policy does not allow deletions: allow them in Settings first.".to_owned()),
        (Some(why), true) => Some(why.clone()),
        (None, true) => None,
    };
    let wanted = |key: &model::ObjectKey| chosen.options.selects(key) && !chosen.options.leave_objects.contains(key);
    let deletions: Vec<_> = found.plan.deletions.iter().filter(|each| wanted(&each.key)).collect();
    let kept = found.plan.kept.iter().filter(|each| chosen.options.selects(&each.key));
    Ok(Some(Prune {
        is_chosen: chosen.options.prune && why_not.is_none(),
        total: deletions.len() as u64,
        deletions: deletions
            .iter()
            .take(LISTED)
            .map(|each| Deletion {
                name: each.key.name.clone(),
                kind: each.key.kind.clone(),
                href: url::object(fabric.id, &each.key),
                note: match each.used_by.len() {
                    0 => String::new(),
                    _ => format!("used by {}", each.used_by.join(", ")),
                },
            })
            .collect(),
        kept: kept
            .take(LISTED)
            .map(|each| Deletion {
                name: each.key.name.clone(),
                kind: each.key.kind.clone(),
                href: url::object(fabric.id, &each.key),
                note: each.message.clone(),
            })
            .collect(),
        // By all that could go: a part of it may ask for less, and the run says so.
        confirm: found.plan.confirm.filter(|_| !deletions.is_empty()),
        typed: chosen.options.prune_confirmation.clone().unwrap_or_default(),
        why_not,
    }))
}
