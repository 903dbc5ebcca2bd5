//! One operation: its phases, the outcome of every object with failures on top, and how to cancel it. It reads the
//! same when it is over.

mod cancel;
mod data;
pub mod outcomes;
pub mod phases;

pub use data::{as_json, code, failure};
pub use outcomes::is_dry;
use outcomes::{OutcomeRow, SwitchLine, outcomes_empty, summary};
use phases::{PhaseLine, left, phase_line, time_words};

use crate::extract::OfOperation;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::wants_json;
use crate::pages::fabric::manager;
use crate::parts::list::page_of;
use crate::parts::{Badge, Choice, Fact, FindingLine, Notice, Pager, Tone};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, Query, View};
use crate::when::{Span, length};
use askama::Template;
use auth::Action;
use axum::extract::State;
use axum::response::Response;
use cluster::TestReport;
use http::StatusCode;
use model::Code;
use model::ObjectKey;
use model::compare::ObjectState;
use model::manifest::Finding;
use model::operation::{ObjectOutcome, OperationState, OutcomeKind, PhaseState, Trigger, Verb};
use model::status::short;
use model::sync_options::SyncOptions;
use std::collections::HashMap;
use store::Operation;
use store::objects::ObjectFilter;
use store::operations::OutcomeCount;

/// The routes of an operation.
pub fn routes() -> Vec<Route> {
    vec![
        Route::page("operation", pattern::operation, Needs::Operation(Action::View), show),
        Route::recorded("operation_cancel", pattern::operation_cancel, Needs::Operation(Action::Sync), cancel::cancel),
    ]
}

/// Warnings that the page lists.
const REMARKS: usize = 50;
/// Of those, the ones that stand open.
const OPEN_REMARKS: usize = 4;

/// The outcomes that are failures.
const BAD: [OutcomeKind; 7] = [
    OutcomeKind::Refused,
    OutcomeKind::Failed,
    OutcomeKind::Unknown,
    OutcomeKind::NotVerified,
    OutcomeKind::ChangedMeanwhile,
    OutcomeKind::WaitingForReference,
    OutcomeKind::NotAttempted,
];

async fn show(State(state): State<AppState>, view: View, of: OfOperation) -> Result<Response, Problem> {
    let OfOperation(operation, fabric) = of;
    let counts = state.store.operations().outcome_counts(operation.id).await?;
    let (wanted, number) = (wanted(&view.query())?, view.query().page()?);
    let listed = listed(&state, operation.id, wanted, number).await?;
    if wants_json(&view.headers) {
        let mut body = as_json(&view, &fabric.name, &operation);
        body["outcomes"] = data::outcomes_json(&counts, wanted, number, &listed);
        return Ok(view::json(StatusCode::OK, &body));
    }
    let title = operation.verb.title();
    let here = format!("#{}", operation.id);
    let all = Some(("Operations", url::fabric_operations(fabric.id)));
    let mut frame = view.fabric_frame("operation", &format!("{title} {here}"), &fabric, all, &here)?;
    if !operation.state.is_final() {
        frame.events = Some(url::operation_events(operation.id));
        frame.refresh_without_script = 2;
    }
    let may_cancel = view.login.access.may(fabric.id, Action::Sync).await?;
    let mut notices = notices(&operation);
    // What a notice says is not said twice.
    let has_notice = !notices.is_empty();
    notices.extend(cancel::came_late(&view, &operation));
    // Which cluster answered is known of the settings as they are, and not of earlier ones.
    if operation.code == Some(Code::ClusterConfigInvalid) && operation.queued_at >= fabric.updated_at {
        notices.extend(manager::notice(&state, &view, &fabric).await?);
    }
    let path = url::operation(operation.id);
    let dry = is_dry(&operation);
    let now = if outcomes::shows_now(&operation) { Some(states(&state, fabric.id, &listed).await?) } else { None };
    let total = chosen_total(&counts, wanted);
    let writer = match operation.state {
        OperationState::Queued if operation.writes => {
            state.store.operations().running(fabric.id).await?.into_iter().find(|o| o.writes)
        }
        _ => None,
    };
    let mut remarks = remarks(&operation);
    let page = Page {
        id: operation.id,
        title: title.to_owned(),
        is_dry: dry,
        fabric_id: fabric.id,
        fabric_name: fabric.name.clone(),
        state: operation.state.into(),
        sentence: if has_notice { String::new() } else { sentence(&operation, writer.as_ref()) },
        waits_for: writer.map(|writer| (format!("Watch operation {}", writer.id), url::operation(writer.id))),
        cancel: cancel_button(&operation, may_cancel),
        notices,
        removal: removal(&operation, &listed, may_cancel),
        phases: operation.phases.iter().map(|phase| phase_line(phase, view.now)).collect(),
        left: left(&operation, view.now),
        time_words: time_words(&operation, view.now),
        outcomes: listed.iter().map(|outcome| outcomes::row(&view, &operation, outcome, now.as_ref())).collect(),
        shows_now: now.is_some(),
        shows_verified: now.is_none() && !dry,
        outcomes_summary: summary(&counts, &operation),
        outcomes_empty: outcomes_empty(&operation, total),
        choices: outcomes::choices(&path, &counts, wanted, &operation),
        switches: outcomes::switches(&view, &operation),
        switches_summary: outcomes::switches_words(&operation),
        pager: Pager::new(
            path.clone(),
            wanted.map(|kind| ("outcome".to_owned(), kind.to_string())).into_iter().collect(),
            number,
            total,
        ),
        facts: facts(&view, &operation),
        report: report(&operation),
        more_remarks: remarks.split_off(remarks.len().min(OPEN_REMARKS)),
        remarks,
        remarks_total: remarks_total(&operation),
        frame,
    };
    view::page("operation", &page)
}

/// Which outcomes the address asks for.
fn wanted(query: &Query) -> Result<Option<OutcomeKind>, Problem> {
    query.word("outcome")
}

fn chosen_total(counts: &[OutcomeCount], wanted: Option<OutcomeKind>) -> u64 {
    counts.iter().filter(|count| wanted.is_none_or(|kind| kind == count.outcome)).map(|count| count.objects).sum()
}

/// One page of outcomes, failures first.
async fn listed(
    state: &AppState,
    id: i64,
    wanted: Option<OutcomeKind>,
    number: u64,
) -> Result<Vec<ObjectOutcome>, Problem> {
    let page = page_of(number);
    Ok(state.store.operations().outcomes(id, wanted.as_slice(), page).await?.rows)
}

/// Where these objects stand by the newest comparison.
async fn states(
    state: &AppState,
    fabric_id: i64,
    listed: &[ObjectOutcome],
) -> Result<HashMap<ObjectKey, ObjectState>, Problem> {
    if listed.is_empty() {
        return Ok(HashMap::new());
    }
    let keys = listed.iter().map(|outcome| outcome.key.clone()).collect();
    let filter = ObjectFilter { keys, ..ObjectFilter::default() };
    let found = state.store.objects().list(fabric_id, &filter, store::Page::all()).await?;
    Ok(found.rows.into_iter().map(|object| (object.key, object.state)).collect())
}

/// What it does, or what came of it. `writer` is what writes to the fabric while this one waits.
fn sentence(operation: &Operation, writer: Option<&Operation>) -> String {
    if operation.state == OperationState::Running {
        let phase = operation.phases.iter().find(|phase| phase.state == PhaseState::Running);
        let doing = match phase {
            Some(phase) if phase.total > 0 => format!("{}: {} of {}.", phase.phase.title(), phase.done, phase.total),
            Some(phase) => format!("{}.", phase.phase.title()),
            None => "It begins.".to_owned(),
        };
        let asked = operation.cancel_requested_by.as_ref().map(|by| format!(" {by} asked it to end."));
        let dry = if is_dry(operation) { "A dry run: nothing is written. " } else { "" };
        return format!("{dry}{doing}{} Leaving this page stops nothing.", asked.unwrap_or_default());
    }
    if operation.state == OperationState::Queued {
        return match writer.filter(|_| operation.writes) {
            Some(writer) => format!(
                "It waits: operation {} ({}, by {}) writes to this fabric, and one does at a time.",
                writer.id,
                writer.verb.title(),
                writer.actor
            ),
            None => "It waits: other operations have all places. It begins when its turn comes.".to_owned(),
        };
    }
    capitalised(&operation.message)
}

fn cancel_button(operation: &Operation, may: bool) -> Option<Cancel> {
    if operation.state.is_final() {
        return None;
    }
    let why_not = match &operation.cancel_requested_by {
        Some(by) => Some(format!("{by} asked it to end; it ends at its next step.")),
        None if !may => Some("Needs the permission hedgerow.sync_fabric on this fabric.".to_owned()),
        None => None,
    };
    Some(Cancel { why_not })
}

fn notices(operation: &Operation) -> Vec<Notice> {
    let Some(code) = code(operation).filter(|_| operation.state.is_final()) else { return Vec::new() };
    let message = failure(operation).message.clone();
    // Most messages name the object themselves, by its whole key or as `Kind name`.
    let named = |object: &&String| {
        let title = object.parse().map(|key: ObjectKey| format!("{} {}", key.kind, key.name));
        message.contains(object.as_str()) || title.is_ok_and(|title| message.contains(&title))
    };
    let about = operation.error_object.as_ref().filter(|object| !named(object));
    let about = about.map(|object| format!("{object}: ")).unwrap_or_default();
    let mut notice = Notice::failure(code, capitalised(&format!("{about}{message}")));
    // What somebody wanted is no failure.
    if operation.state == OperationState::Cancelled {
        (notice.tone, notice.icon) = (Tone::Off, Icon::Stopped);
    }
    if code == Code::PruneUnconfirmed {
        let review = url::with_query(&url::sync_review(operation.fabric_id), &[("prune", "on")]);
        notice.link = Some(("The review, with what would be deleted and the field for the name".to_owned(), review));
    }
    notice.request_id = Some(operation.request_id.clone()).filter(|id| !id.is_empty());
    vec![notice]
}

/// The form that confirms what a sync does not do by itself.
fn removal(operation: &Operation, listed: &[ObjectOutcome], may_sync: bool) -> Option<Removal> {
    let kept = listed.iter().filter(|outcome| outcome.code == Some(Code::AddressRemoval)).count();
    if kept == 0 || !may_sync || !operation.state.is_final() {
        return None;
    }
    Some(Removal {
        action: url::sync(operation.fabric_id),
        comparison: operation.result["comparison"].as_i64(),
        key: uuid::Uuid::new_v4().to_string(),
        sentence: match kept {
            1 => "1 object was left as it is, because its links would lose addresses.".to_owned(),
            n => format!("{n} objects were left as they are, because their links would lose addresses."),
        },
    })
}

fn facts(view: &View, operation: &Operation) -> Vec<Fact> {
    let how = match operation.trigger {
        Trigger::Button => "with the button",
        Trigger::Script => "by a script",
        Trigger::Schedule => "by the schedule",
        Trigger::Interval => "by the fabric's interval",
        Trigger::SelfHeal => "by self-heal",
    };
    let at = |name: &str, at: Option<jiff::Timestamp>, otherwise: &str| {
        Fact::at(name, at.map(|at| view.when(at)), otherwise)
    };
    let mut facts = vec![
        Fact::new("About", about(operation)),
        Fact::new("Started by", format!("{}, {how}", operation.actor)),
        at("Asked for", Some(operation.queued_at), ""),
        at("Began", operation.started_at, "not yet"),
        at("Ended", operation.ended_at, "not yet"),
        Fact::new("Time limit", length(operation.time_limit.try_into().unwrap_or_default())),
    ];
    if let Some(commit) = &operation.commit {
        facts.push(Fact::new("Commit", short(commit)));
    }
    if let Some(comparison) = operation.shown_comparison_id {
        facts.push(Fact::new("Comparison shown", comparison.to_string()));
    }
    if let Some(by) = &operation.cancel_requested_by {
        facts.push(Fact::new("Cancelled by", by.clone()));
    }
    if !operation.request_id.is_empty() {
        facts.push(Fact::new("Request", operation.request_id.clone()));
    }
    facts
}

/// What a run was told to do and to leave, in one line.
fn about(operation: &Operation) -> String {
    let options: SyncOptions = serde_json::from_value(operation.options.clone()).unwrap_or_default();
    let many = |n: usize, one: &str, many: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {many}") };
    if !options.adopt.is_empty() {
        return format!("adopting {}", many(options.adopt.len(), "object", "objects"));
    }
    let mut parts = vec![match (options.objects.len(), options.kinds.len()) {
        (0, 0) => "everything".to_owned(),
        (0, _) => {
            let kinds = options.kinds.iter().map(|kind| kind.split('.').next().unwrap_or(kind));
            format!("only {}", kinds.collect::<Vec<_>>().join(", "))
        }
        (n, 0) => format!("only {}", many(n, "chosen object", "chosen objects")),
        (n, kinds) => format!("only {} and {}", many(n, "object", "objects"), many(kinds, "kind", "kinds")),
    }];
    if !options.leave_objects.is_empty() {
        parts.push(format!("without {}", many(options.leave_objects.len(), "object", "objects")));
    }
    if !options.leave_fields.is_empty() {
        parts.push(format!("leaving {}", many(options.leave_fields.len(), "field", "fields")));
    }
    if options.prune {
        parts.push("with deletions".to_owned());
    }
    if options.allow_address_removal {
        parts.push("addresses of links may go".to_owned());
    }
    if is_dry(operation) {
        parts.push("dry run".to_owned());
    }
    parts.join(", ")
}

/// What the check before the first write found doubtful, and what could not be read, as the run kept it.
fn remarks(operation: &Operation) -> Vec<FindingLine> {
    let kept = |name: &str| operation.result[name].as_array().into_iter().flatten();
    let unread = kept("problems").filter_map(|problem| {
        let message = problem["message"].as_str()?.to_owned();
        let rule = problem["code"].as_str().unwrap_or_default().to_owned();
        let severity = Badge::new(Tone::Bad, Icon::Question, "Not read");
        Some(FindingLine { severity, message, rule, object: None, path: None, place: String::new() })
    });
    let warnings = kept("warnings").filter_map(|warning| serde_json::from_value::<Finding>(warning.clone()).ok());
    unread.chain(warnings.map(|finding| FindingLine::of(operation.fabric_id, &finding))).take(REMARKS).collect()
}

/// How many there were of both.
fn remarks_total(operation: &Operation) -> usize {
    let unread = operation.result["problems"].as_array().map_or(0, Vec::len);
    unread + operation.result["warnings_total"].as_u64().unwrap_or_default() as usize
}

/// What a connection test found.
fn report(operation: &Operation) -> Option<Vec<Fact>> {
    if operation.verb != Verb::TestConnection {
        return None;
    }
    let report: TestReport = serde_json::from_value(operation.result.clone()).ok()?;
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let known = |text: Option<String>| text.unwrap_or_else(|| "not known".to_owned());
    let mut facts = vec![
        Fact::new("Server", report.server),
        Fact::new("Certificate verified", yes(report.tls_verified)),
        Fact::new("Version", known(report.version)),
        Fact::new("Protocol", known(report.http)),
        Fact::new(
            "Time of one call",
            report.latency_ms.map_or_else(|| "not known".to_owned(), |ms| format!("{ms} ms")),
        ),
        Fact::new("Known there as", known(report.user)),
        Fact::new("Cluster's uid", known(report.identity)),
        Fact::new("May read what is needed", yes(report.can_read)),
        Fact::new("May write what users keep in Git", yes(report.can_write)),
    ];
    let kinds: Vec<String> = report.kinds.iter().map(|kind| kind.kind.clone()).collect();
    facts.push(Fact::new(format!("Kinds found: {}", kinds.len()), kinds.join(", ")));
    facts.extend(report.missing.iter().map(|missing| {
        let verbs: Vec<String> = missing.verbs.iter().map(|verb| verb.to_string()).collect();
        Fact::new(format!("Not permitted on {}", missing.kind), verbs.join(", "))
    }));
    facts.extend(report.problems.iter().map(|problem| Fact::new("Not read", problem.message.clone())));
    Some(facts)
}

/// What the page shows.
#[derive(Template)]
#[template(path = "operation.html")]
pub struct Page {
    pub frame: Frame,
    pub id: i64,
    pub title: String,
    /// Whether it only asks what would happen.
    pub is_dry: bool,
    pub fabric_id: i64,
    pub fabric_name: String,
    pub state: Badge,
    pub sentence: String,
    /// The operation that this one waits for.
    pub waits_for: Option<(String, String)>,
    pub cancel: Option<Cancel>,
    pub notices: Vec<Notice>,
    pub removal: Option<Removal>,
    pub phases: Vec<PhaseLine>,
    /// How much time it has left, while that runs out.
    pub left: Option<Span>,
    /// The same in words, while none does.
    pub time_words: String,
    pub outcomes: Vec<OutcomeRow>,
    /// Whether the rows say where the objects stand now.
    pub shows_now: bool,
    /// Whether they say in a column of their own what was read back.
    pub shows_verified: bool,
    pub outcomes_summary: String,
    pub outcomes_empty: String,
    pub choices: Vec<Choice>,
    pub switches: Vec<SwitchLine>,
    pub switches_summary: String,
    pub pager: Pager,
    pub facts: Vec<Fact>,
    pub report: Option<Vec<Fact>>,
    /// What was doubtful before the first write, and what could not be read.
    pub remarks: Vec<FindingLine>,
    /// The rest of it, folded.
    pub more_remarks: Vec<FindingLine>,
    pub remarks_total: usize,
}

/// The button that cancels.
pub struct Cancel {
    pub why_not: Option<String>,
}

/// The form that takes link addresses away: a sync with that word.
pub struct Removal {
    pub action: String,
    pub comparison: Option<i64>,
    pub key: String,
    pub sentence: String,
}
