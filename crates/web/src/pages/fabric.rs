//! A fabric's page: is it all right, if not what is wrong, and what can be done.

pub mod automatic;
pub mod manager;

use crate::extract::OfFabric;
use crate::frame::{Find, Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::wants_json;
use crate::pages::operations;
use crate::parts::derive::{self, stages, switch_badge};
use crate::parts::head::FabricPage;
use crate::parts::{Badge, Fact, FindingLine, Head, Notice, OperationRow, StageRail, Tabs, Tone, yaml};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::When;
use askama::Template;
use auth::Action;
use automatic::{AutomaticPanel, automatic};
use axum::extract::State;
use axum::response::Response;
use engine::Overview;
use http::StatusCode;
use model::Code;
use model::compare::ObjectState;
use model::manifest::Severity;
use model::operation::{OperationState, Verb};
use model::rollout::{AgentKind, SwitchState};
use model::status::{FailureOf, SyncState, short};
use std::cmp::Reverse;
use store::objects::{ObjectFilter, ObjectSort};
use store::operations::OperationFilter;
use store::{Cluster, Fabric, Operation, Source};

/// The routes of this page.
pub fn routes() -> Vec<Route> {
    vec![Route::page("fabric", pattern::fabric, Needs::Fabric(Action::View), show)]
}

/// Rows of each short list on this page.
const SHORT: u32 = 12;
/// Findings that this page shows.
const FINDINGS: usize = 25;

/// The states that are worth a row under "what differs", worst first.
const DIFFERING: [ObjectState; 6] = [
    ObjectState::Conflict,
    ObjectState::Unknown,
    ObjectState::Missing,
    ObjectState::Modified,
    ObjectState::Undelivered,
    ObjectState::Extra,
];

/// The fabric for a script: who it is, and the same overview that the page shows.
fn as_json(fabric: &Fabric, overview: &Overview) -> serde_json::Value {
    let mut body = serde_json::to_value(overview).unwrap_or_default();
    body["id"] = fabric.id.into();
    body["name"] = fabric.name.as_str().into();
    body["url"] = url::fabric(fabric.id).into();
    body["docs"] = overview.status.code.map(url::docs_code).into();
    for (problem, value) in overview.problems.iter().zip(body["problems"].as_array_mut().into_iter().flatten()) {
        value["docs"] = url::docs_code(problem.code).into();
    }
    body["running"] = overview.running.as_ref().map(|o| url::operation(o.id)).into();
    body
}

async fn show(State(state): State<AppState>, view: View, OfFabric(fabric): OfFabric) -> Result<Response, Problem> {
    let overview = state.engine.overview(&fabric).await?;
    if wants_json(&view.headers) {
        return Ok(view::json(StatusCode::OK, &as_json(&fabric, &overview)));
    }
    let (head, tabs) = derive::head(&view, &fabric, &overview, FabricPage::Overview).await?;
    let filter = ObjectFilter {
        states: DIFFERING.to_vec(),
        managed: Some(true),
        sort: ObjectSort::State,
        ..ObjectFilter::default()
    };
    let differing = state.store.objects().list(fabric.id, &filter, store::Page::first(SHORT)).await?;
    let mut differs = Vec::with_capacity(differing.rows.len());
    for object in &differing.rows {
        let detail = state.store.objects().get(fabric.id, &object.key).await?;
        differs.push(Differing {
            href: url::object(fabric.id, &object.key),
            name: object.key.name.clone(),
            kind: object.key.kind.clone(),
            state: object.state.into(),
            hint: hint(&detail, &overview, view.now),
        });
    }
    let of_fabric = OperationFilter { fabric_id: Some(fabric.id), ..OperationFilter::default() };
    let scope = view.login.access.fabrics();
    let last = state.store.operations().list(&scope, &of_fabric, store::Page::first(8)).await?;
    let of_manager = match overview.status.code {
        Some(Code::ClusterConfigInvalid) => manager::notice(&state, &view, &fabric).await?,
        _ => None,
    };
    let mut frame = view
        .frame("fabric", fabric.name.clone(), Nav::Fabrics)?
        .crumbs(vec![("Fabrics".into(), url::fabrics())], &*fabric.name);
    frame.find = Find::objects(fabric.id);
    frame.events = Some(url::fabric_events(fabric.id));
    frame.fresh_until = overview.status.fresh_until;
    frame.refresh_without_script = 15;
    let page = Page {
        frame,
        head,
        rail: StageRail { stages: stages(&overview, view.now) },
        tabs,
        notices: of_manager.into_iter().chain(notices(&fabric, &overview, &last.rows)).collect(),
        differs,
        differs_total: differing.total,
        differs_href: url::with_query(&url::objects(fabric.id), &[("state", "differs")]),
        differs_empty: differs_empty(&overview),
        only_in_cluster: only_in_cluster(&overview),
        counts: counts(fabric.id, &overview),
        findings: findings(&fabric, &overview),
        findings_total: overview.findings_total,
        findings_empty: findings_empty(&overview),
        switches: switches(&view, &overview),
        switches_summary: switches_summary(&overview),
        switches_empty: match &overview.comparison {
            Some(_) => "The cluster holds no Agent objects, so it cannot be told what the switches run.".to_owned(),
            None => "Read with the first comparison.".to_owned(),
        },
        operations: last.rows.iter().map(|operation| operations::row(&view, operation, None)).collect(),
        automatic: automatic(&view, &fabric, &overview).await?,
        facts: facts(&view, &fabric, &overview),
    };
    view::page("fabric", &page)
}

/// The first difference of an object in one line, or the error that keeps it from being written.
fn hint(detail: &store::ObjectDetail, overview: &Overview, now: jiff::Timestamp) -> String {
    if let Some(error) = detail.findings.iter().find(|finding| finding.severity == Severity::Error) {
        return format!("has an error: {}", error.message);
    }
    if detail.brief.state == ObjectState::Unknown {
        return format!("not known: {}", why_unread(&detail.brief.key, overview));
    }
    match (&detail.desired, &detail.live) {
        (Some(_), None) if detail.brief.state == ObjectState::Missing => return "was live and is gone".to_owned(),
        (Some(_), None) => return "not in the cluster yet".to_owned(),
        (None, Some(_)) => return "not in Git".to_owned(),
        _ => {}
    }
    let Some(diff) = detail.diffs.first() else {
        return detail.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
    };
    let side = |value: &Option<serde_json::Value>| value.as_ref().map_or_else(|| "absent".to_owned(), yaml::inline);
    let when = diff.changed_at.map(|at| format!(" {}", crate::when::relative(at, now))).unwrap_or_default();
    let by = diff.manager.as_deref().map(|manager| format!(", by {manager}{when}")).unwrap_or_default();
    let more = match detail.diffs.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let text = format!("{}: {} in the cluster, {} in Git", diff.path, side(&diff.live), side(&diff.desired));
    let cut: String = text.chars().take(180).collect();
    format!("{cut}{}{by}{more}", if cut.len() < text.len() { "…" } else { "" })
}

/// Why nobody has looked at an object: what its kind, or the cluster as a whole, did not answer.
pub fn why_unread(key: &model::ObjectKey, overview: &Overview) -> String {
    let of_kind = overview.problems.iter().find(|p| p.group == key.group && p.kind == key.kind);
    let problem = of_kind.or_else(|| overview.problems.iter().find(|p| p.kind.is_empty() && !p.is_of_source()));
    problem.map_or_else(|| format!("the kind {} was not read", key.kind), |problem| problem.message.clone())
}

/// What stands in the way, with its code and what to do.
fn notices(fabric: &Fabric, overview: &Overview, last: &[Operation]) -> Vec<Notice> {
    let mut notices = Vec::new();
    if let (Some(known), Some(seen)) = (&fabric.cluster_uid, &fabric.cluster_seen_uid) {
        let mut notice = Notice::new(
            Tone::Bad,
            "Another cluster answers.",
            format!("Its uid is {seen}, this fabric knows {known}. Nothing is written."),
            "If the fabric really moved, confirm the new cluster; otherwise correct the settings.",
        );
        notice.link = Some(("Confirm the new cluster".into(), url::fabric_confirm_cluster(fabric.id)));
        notices.push(notice);
    }
    notices.extend(automatic::notices(fabric, overview));
    if let (SyncState::Error, Some(code)) = (overview.status.state, overview.status.code) {
        let mut notice = Notice::failure(code, capitalised(&overview.status.message));
        let ended = last.iter().find(|operation| operation.writes && operation.state.is_final());
        let failed = ended.filter(|operation| operation.code == Some(code));
        notice.link = match overview.status.failed {
            // A comparison is about what it could not read, not about a sync that happens to bear the same code.
            Some(FailureOf::Comparison) => derive::evidence(overview, false),
            _ => failed.map(|operation| (format!("Operation {}", operation.id), url::operation(operation.id))),
        };
        notices.push(notice);
    }
    let told = overview.status.code.filter(|_| overview.status.state == SyncState::Error);
    notices.extend(failed_reading(last, told));
    // What the status says already is not said again.
    let said = |problem: &&engine::Problem| told == Some(problem.code) && problem.message == overview.status.message;
    for problem in overview.problems.iter().filter(|problem| !said(problem)).take(8) {
        notices.push(Notice::failure(problem.code, capitalised(&problem.message)));
    }
    if overview.problems.len() > 8 {
        let more = format!("{} more kinds could not be read.", overview.problems.len() - 8);
        notices.push(Notice::new(Tone::Bad, more, "", "They stand in the last operation."));
    }
    if let Some(check) = overview.connection.as_ref().filter(|check| !check.ok)
        && overview.last_connection_check > overview.last_comparison
    {
        notices.push(match check.can_read {
            true => Notice::new(Tone::Waiting, "The credentials only compare.", check.message.clone(), ""),
            false => Notice::new(Tone::Bad, "The last connection test failed.", check.message.clone(), ""),
        });
    }
    notices
}

/// A reading on request that failed, until the next operation that reads the same ends, unless the status tells it.
fn failed_reading(last: &[Operation], told: Option<Code>) -> Option<Notice> {
    [Verb::SyncFromGit, Verb::SyncFromFabric].into_iter().find_map(|verb| {
        let reads = |operation: &&Operation| operation.verb == verb || operation.writes;
        let newest = last.iter().filter(reads).find(|operation| operation.state.is_final())?;
        let failed = matches!(newest.state, OperationState::Failed | OperationState::TimedOut) && newest.verb == verb;
        let code = newest.code.filter(|code| failed && told != Some(*code))?;
        let mut notice = Notice::failure(code, format!("The last {} did not succeed.", verb.title()));
        notice.why = capitalised(&newest.message);
        notice.link = Some((format!("Operation {}", newest.id), url::operation(newest.id)));
        Some(notice)
    })
}

/// How many objects stand only in the cluster, also of kinds that Git does not hold.
fn only_in_cluster(overview: &Overview) -> u64 {
    overview.counts.values().filter_map(|counts| counts.get(&ObjectState::Extra)).sum()
}

fn differs_empty(overview: &Overview) -> String {
    let Some(comparison) = &overview.comparison else { return "Nothing was compared yet.".to_owned() };
    let commit = comparison.commit.as_ref().map(|commit| short(&commit.id)).unwrap_or("none");
    match overview.status.state {
        SyncState::InSync => format!("Nothing. Every object in the cluster equals commit {commit}."),
        _ => format!("Nothing did when commit {commit} was last compared."),
    }
}

fn findings_empty(overview: &Overview) -> String {
    if overview.comparison.is_none() {
        return "Nothing was read yet.".to_owned();
    }
    let of_cluster = overview.problems.iter().filter(|problem| !problem.is_of_source());
    let unread: Vec<&str> =
        of_cluster.map(|p| if p.kind.is_empty() { "a part of the cluster" } else { &p.kind }).collect();
    match unread.as_slice() {
        [] => "None. Everything in the source is written as the cluster will take it.".to_owned(),
        kinds => format!(
            "None in what could be checked. Not everything could be read ({}), so how the cluster will take the rest is \
             not known.",
            kinds.join(", ")
        ),
    }
}

fn counts(id: i64, overview: &Overview) -> Counts {
    let shown: Vec<ObjectState> = ObjectState::ALL
        .iter()
        .copied()
        .filter(|state| {
            matches!(state, ObjectState::Equal | ObjectState::Undelivered | ObjectState::Modified)
                || overview.counts.values().any(|counts| counts.get(state).is_some_and(|count| *count > 0))
        })
        .collect();
    let href = |kind: &str, state: &str| url::with_query(&url::objects(id), &[("kind", kind), ("state", state)]);
    let row = |(kind, counts): (&String, &std::collections::BTreeMap<ObjectState, u64>)| {
        let cell = |state: &ObjectState| {
            let count = counts.get(state).copied().unwrap_or_default();
            CountCell { count, href: (count > 0).then(|| href(kind, state.as_str())) }
        };
        let all = CountCell { count: counts.values().sum(), href: Some(href(kind, "")) };
        CountRow {
            kind: kind.split('.').next().unwrap_or(kind).to_owned(),
            href: href(kind, ""),
            cells: std::iter::once(all).chain(shown.iter().map(cell)).collect(),
        }
    };
    Counts {
        columns: std::iter::once("All".to_owned()).chain(shown.iter().map(|state| Badge::from(*state).word)).collect(),
        rows: overview.counts.iter().map(row).collect(),
    }
}

fn findings(fabric: &Fabric, overview: &Overview) -> Vec<FindingLine> {
    let mut findings: Vec<_> = overview.findings.iter().collect();
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings.into_iter().take(FINDINGS).map(|finding| FindingLine::of(fabric.id, finding)).collect()
}

/// So many switches, the worst, are not folded.
const OPEN_SWITCHES: usize = 20;

/// Each of so many switches without an agent has its sentence in its row.
const SILENT_IN_WORDS: usize = 8;

fn switches(view: &View, overview: &Overview) -> Vec<SwitchLine> {
    let mut switches: Vec<_> = overview.switches.iter().collect();
    switches.sort_by_key(|switch| (Reverse(switch.state.severity()), switch.name.clone()));
    // Of many without an agent the stage says it once.
    let is_many = switches.iter().filter(|switch| switch.agent.is_none()).count() > SILENT_IN_WORDS;
    let line = |switch: &engine::SwitchRow| SwitchLine {
        name: switch.name.clone(),
        is_gateway: switch.kind == AgentKind::GatewayAgent,
        state: switch_badge(switch.state),
        is_loud: switch.state.severity() >= SwitchState::Unknown.severity() && (switch.agent.is_some() || !is_many),
        sentence: switch.sentence.clone(),
        generations: switch.agent.as_ref().map_or_else(|| "–".to_owned(), generations),
        heartbeat: switch.agent.as_ref().and_then(|agent| agent.last_heartbeat).map(|at| view.when(at)),
    };
    switches.into_iter().map(line).collect()
}

/// Applied and wanted generation.
pub fn generations(agent: &model::rollout::AgentSummary) -> String {
    match agent.last_applied_gen {
        Some(applied) => format!("{applied} / {}", agent.generation),
        None => format!("– / {}", agent.generation),
    }
}

fn switches_summary(overview: &Overview) -> String {
    let total = overview.switches.len();
    let applied = overview.switches.iter().filter(|switch| switch.state == SwitchState::Applied).count();
    if total == 0 { String::new() } else { format!("{applied} of {total} applied") }
}

fn facts(view: &View, fabric: &Fabric, overview: &Overview) -> Vec<Fact> {
    let at = |name: &str, at: Option<jiff::Timestamp>| Fact::at(name, at.map(|at| view.when(at)), "never");
    let commit = overview.comparison.as_ref().and_then(|comparison| comparison.commit.as_ref());
    let source = match &fabric.source {
        Source::Local => "a local repository, kept by Hedgerow".to_owned(),
        Source::Remote { url, .. } => url.clone(),
    };
    let path = if fabric.path.is_empty() { "the whole repository".to_owned() } else { fabric.path.clone() };
    let cluster = match &fabric.cluster {
        Cluster::None => "none".to_owned(),
        Cluster::Kubeconfig => "by kubeconfig".to_owned(),
        Cluster::Endpoint { server, .. } => server.clone(),
    };
    let mut facts = vec![
        at("Last comparison", overview.comparison.as_ref().map(store::Comparison::evidence_at)),
        at("Last sync, any outcome", overview.last_attempt),
        at("Last sync that was verified", overview.last_success),
        at("Last fetch from Git on request", overview.last_git_success),
        at("Last connection check", overview.last_connection_check),
    ];
    // One that could not read the cluster proves nothing about it: it stands apart.
    if overview.last_comparison > overview.comparison.as_ref().map(store::Comparison::evidence_at) {
        facts.insert(1, at("Last one tried, without result", overview.last_comparison));
    }
    if let Some(commit) = commit {
        facts.push(Fact::new(
            "Commit compared",
            format!("{} {}, by {}", short(&commit.id), commit.subject, commit.author),
        ));
    }
    facts.extend([
        Fact::new("Source", source),
        Fact::new("Branch", fabric.branch.clone()),
        Fact::new("Path", path),
        Fact::new("Cluster", cluster),
        Fact::new("Namespace", fabric.namespace.clone()),
    ]);
    if let Some(uid) = &fabric.cluster_uid {
        facts.push(Fact::new("Cluster's uid", uid.clone()));
    }
    if let Some(release) = overview.comparison.as_ref().and_then(|comparison| comparison.release.clone()) {
        facts.push(Fact::new("Hedgehog release", release));
    }
    facts.push(Fact::new(
        "Ignored in comparisons",
        "status and system metadata; what the server fills in by itself; link and switch addresses that Git leaves out",
    ));
    facts
}

/// What the page shows.
#[derive(Template)]
#[template(path = "fabric.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub rail: StageRail,
    pub tabs: Tabs,
    pub notices: Vec<Notice>,
    pub differs: Vec<Differing>,
    pub differs_total: u64,
    pub differs_href: String,
    pub differs_empty: String,
    /// How many objects could be adopted.
    pub only_in_cluster: u64,
    pub counts: Counts,
    pub findings: Vec<FindingLine>,
    pub findings_total: u64,
    pub findings_empty: String,
    pub switches: Vec<SwitchLine>,
    pub switches_summary: String,
    pub switches_empty: String,
    pub operations: Vec<OperationRow>,
    pub automatic: AutomaticPanel,
    pub facts: Vec<Fact>,
}

/// One object that differs.
pub struct Differing {
    pub href: String,
    pub name: String,
    pub kind: String,
    pub state: Badge,
    pub hint: String,
}

/// The objects by kind and state.
pub struct Counts {
    pub columns: Vec<String>,
    pub rows: Vec<CountRow>,
}

/// One kind.
pub struct CountRow {
    pub kind: String,
    pub href: String,
    pub cells: Vec<CountCell>,
}

/// How many objects of one kind are in one state.
pub struct CountCell {
    pub count: u64,
    pub href: Option<String>,
}

/// One switch or gateway.
pub struct SwitchLine {
    pub name: String,
    pub is_gateway: bool,
    pub state: Badge,
    /// Whether the sentence stands in the row; otherwise it is a hint.
    pub is_loud: bool,
    pub sentence: String,
    pub generations: String,
    pub heartbeat: Option<When>,
}
