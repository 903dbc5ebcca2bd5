//! One object: its differing fields first, then desired and live beside each other, then where it stands.

use crate::extract::OfFabric;
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::pages::fabric::{generations, why_unread};
use crate::parts::compare::{SideBlock, patch, sides, with_fields};
use crate::parts::derive::{self, switch_badge};
use crate::parts::head::FabricPage;
use crate::parts::{Badge, Fact, Head, Notice, Tabs, Tone, yaml};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use crate::when::When;
use askama::Template;
use auth::Action;
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use model::ObjectKey;
use model::compare::{Deletion, FieldDiff, ObjectState, Side};
use model::manifest::{Finding, Severity};
use model::rollout::{AgentSummary, Holding, RolloutState, SwitchState, expect_versions, object_rollout, worst_first};
use model::status::short;
use store::{Fabric, ObjectDetail};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    let needs = Needs::Fabric(Action::View);
    vec![
        Route::page("object", pattern::object_page, needs, show),
        Route::page("object_server_view", pattern::object_server_view, needs, server_view),
    ]
}

/// Which object the address names.
fn key(params: &RawPathParams) -> Result<ObjectKey, Problem> {
    let part = |name: &str| params.iter().find(|(key, _)| *key == name).map(|(_, value)| value).unwrap_or_default();
    let (kind, group) = part("kind").split_once('.').ok_or_else(|| Problem::not_found("object"))?;
    let namespace = if part("namespace") == "-" { "" } else { part("namespace") };
    Ok(ObjectKey::new(group, kind, namespace, part("name")))
}

fn title(key: &ObjectKey) -> String {
    if key.namespace.is_empty() { key.name.clone() } else { format!("{}/{}", key.namespace, key.name) }
}

fn frame(view: &View, fabric: &Fabric, key: &ObjectKey, page: &'static str) -> Result<Frame, Problem> {
    let kind = format!("{}.{}", key.kind, key.group);
    let of_kind = url::with_query(&url::objects(fabric.id), &[("kind", &kind)]);
    view.fabric_frame(page, &format!("{} {}", key.kind, key.name), fabric, Some((&key.kind, of_kind)), &key.name)
}

async fn show(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let key = key(&params)?;
    let detail = state.store.objects().get(fabric.id, &key).await?;
    let overview = state.engine.overview(&fabric).await?;
    let (head, tabs) = derive::head(&view, &fabric, &overview, FabricPage::Objects).await?;
    let mut frame = frame(&view, &fabric, &key, "object")?;
    frame.events = Some(url::fabric_events(fabric.id));
    frame.fresh_until = overview.status.fresh_until;
    let text = |object: &Option<serde_json::Value>| object.as_ref().map(yaml::text).unwrap_or_default();
    let as_written = text(&detail.desired);
    let (live, desired) = (text(&detail.live), text(&counted(&detail)));
    let file = detail.brief.location.as_ref().map_or("desired", |location| &*location.file);
    let mut agents: Vec<AgentSummary> = state
        .store
        .agents()
        .list(fabric.id)
        .await?
        .into_iter()
        .filter_map(|row| serde_json::from_value(row.summary).ok())
        .collect();
    let holdings: Vec<Holding> = serde_json::from_value(detail.holdings.clone()).unwrap_or_default();
    expect_versions(&mut agents);
    let mut rollout = object_rollout(&holdings, &agents, view.now);
    worst_first(&mut rollout.switches);
    let applied = rollout.switches.iter().filter(|switch| switch.state == SwitchState::Applied).count();
    let page = Page {
        frame,
        head,
        tabs,
        kind: key.kind.clone(),
        name: title(&key),
        state: detail.brief.state.into(),
        unconfirmed: detail.brief.confirmed != Some(true) && detail.desired.is_some(),
        notices: notices(&detail),
        adopt: (detail.brief.state == ObjectState::Extra).then(|| {
            let key = key.to_string();
            url::with_query(&url::adopt(fabric.id), &[("adopt", &key), ("step", "review")])
        }),
        fields: detail.diffs.iter().map(|diff| FieldRow::of(&view, diff)).collect(),
        fields_empty: fields_empty(&detail, &overview),
        sides: sides(&live, &desired),
        sides_note: match (&detail.live, &detail.desired) {
            (Some(_), Some(_)) => "what the server fills in stands on both sides",
            _ => "what Kubernetes and the controllers write is left out",
        }
        .to_owned(),
        as_written,
        sides_empty: "Neither side holds it any more.".to_owned(),
        patch: if detail.brief.state == ObjectState::Equal {
            String::new()
        } else {
            patch(&live, &desired, "live", file)
        },
        facts: facts(&view, &overview, &detail),
        rollout_summary: match rollout.switches.len() {
            0 => String::new(),
            total if applied < total && applied > 0 => format!("rolling out {applied} of {total}"),
            total => format!("{applied} of {total} applied"),
        },
        rollout: rollout
            .switches
            .iter()
            .map(|switch| RolloutRow {
                name: switch.agent.clone(),
                state: switch_badge(switch.state),
                generations: agents
                    .iter()
                    .find(|agent| agent.name == switch.agent && agent.kind == switch.kind)
                    .map(generations)
                    .unwrap_or_default(),
                heartbeat: switch.heartbeat.map(|at| view.when(at)),
            })
            .collect(),
        rollout_empty: rollout_empty(rollout.state, &detail, agents.is_empty()),
        server_href: url::object_server(fabric.id, &key),
    };
    view::page("object", &page)
}

/// The desired side of both: the live object with the fields that count as Git has them; the object as it is written
/// when there is no live one.
fn counted(detail: &ObjectDetail) -> Option<serde_json::Value> {
    match (&detail.live, &detail.desired) {
        (Some(live), Some(desired)) => with_fields(live, &detail.diffs).or_else(|| Some(desired.clone())),
        (_, desired) => desired.clone(),
    }
}

fn rollout_empty(state: RolloutState, detail: &ObjectDetail, no_agents: bool) -> String {
    match state {
        _ if detail.live.is_none() && detail.brief.state == ObjectState::Unknown => {
            "It is not known whether it is in the cluster."
        }
        _ if detail.live.is_none() => "It is not in the cluster.",
        _ if no_agents => "No agents were read, so it is not known what the switches run.",
        _ => "No switch or gateway runs it: live is its last stage.",
    }
    .to_owned()
}

impl FieldRow {
    /// A difference, with whose side changed.
    pub fn of(view: &View, diff: &FieldDiff) -> Self {
        let by = match (&diff.manager, diff.side) {
            (Some(manager), _) => format!("by {manager}"),
            (None, Side::Desired) => "in Git".to_owned(),
            (None, Side::Live) => "in the cluster".to_owned(),
            (None, Side::Both) => "on both sides".to_owned(),
        };
        Self {
            path: diff.path.clone(),
            live: diff.live.as_ref().map(shown),
            desired: diff.desired.as_ref().map(shown),
            by,
            when: diff.changed_at.map(|at| view.when(at)),
        }
    }
}

/// A value in a cell: on one line when it is short, otherwise as its text, never without end.
pub fn shown(value: &serde_json::Value) -> String {
    const LONGEST: usize = 2_000;
    let inline = yaml::inline(value);
    let text =
        if inline.len() > 80 && (value.is_object() || value.is_array()) { yaml::fragment(value) } else { inline };
    if text.chars().count() <= LONGEST {
        text
    } else {
        format!("{}…", text.chars().take(LONGEST).collect::<String>())
    }
}

fn notices(detail: &ObjectDetail) -> Vec<Notice> {
    let notice = |finding: &Finding| {
        let tone = match finding.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Waiting,
            Severity::Info => Tone::Off,
        };
        let path = finding.path.as_ref().map(|path| format!("{path}: ")).unwrap_or_default();
        let place = finding.location.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut notice = Notice::new(tone, format!("{path}{}", finding.message), "", place);
        notice.code = Some(finding.rule.clone());
        notice
    };
    let mut findings: Vec<&Finding> = detail.findings.iter().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let deletion = detail.live.as_ref().and_then(Deletion::of).map(|deletion| {
        let why = "Nothing is written to it; it can only be created again when it is gone.";
        Notice::new(Tone::Changed, deletion.sentence(), if detail.desired.is_some() { why } else { "" }, "")
    });
    deletion.into_iter().chain(findings.into_iter().take(20).map(notice)).collect()
}

fn fields_empty(detail: &ObjectDetail, overview: &engine::Overview) -> String {
    match detail.brief.state {
        ObjectState::Equal => "None. The cluster holds it as Git has it.",
        ObjectState::Undelivered if detail.live.is_none() => "The whole object: it is not in the cluster yet.",
        ObjectState::Missing => "The whole object: it was live and is gone from the cluster.",
        ObjectState::Extra => "The whole object: it is only in the cluster. It is left alone.",
        ObjectState::Unknown if detail.findings.iter().any(|finding| finding.severity == Severity::Error) => {
            "Not known: the manifest has errors."
        }
        ObjectState::Unknown => return format!("Not known: {}", why_unread(&detail.brief.key, overview)),
        _ => "None that counts.",
    }
    .to_owned()
}

fn facts(view: &View, overview: &engine::Overview, detail: &ObjectDetail) -> Vec<Fact> {
    let brief = &detail.brief;
    let mut facts = Vec::new();
    facts.push(match &brief.location {
        Some(location) => Fact::new("File", format!("{}, line {}", location.file, location.line)),
        None => Fact::new("File", "not in Git"),
    });
    if let Some(comparison) = &overview.comparison {
        if let Some(commit) = comparison.commit.as_ref().filter(|_| brief.location.is_some()) {
            facts.push(Fact::new("Commit", format!("{} {}", short(&commit.id), commit.subject)));
        }
        facts.push(Fact::at("Compared", Some(view.when(comparison.evidence_at())), "never"));
    }
    facts.push(Fact::new(
        "Verified live before",
        if detail.base.is_some() { "yes; that form is kept as the base" } else { "not yet" },
    ));
    let last = detail
        .diffs
        .iter()
        .filter_map(|diff| Some((diff.manager.as_deref()?, diff.changed_at?)))
        .max_by_key(|(_, at)| *at);
    if let Some((manager, at)) = last {
        facts.push(Fact { name: "Last changed by".into(), value: format!("{manager}, "), when: Some(view.when(at)) });
    }
    facts.push(Fact::new("API version", brief.gvk().api_version()));
    if let Some(version) = &brief.live_rv {
        facts.push(Fact::new("Resource version", version.clone()));
    }
    if let Some(uid) = &brief.live_uid {
        facts.push(Fact::new("uid", uid.clone()));
    }
    facts
}

/// The server's own answer. It waits for the cluster, for five seconds at most, so it is a page of its own.
async fn server_view(
    State(state): State<AppState>,
    view: View,
    OfFabric(fabric): OfFabric,
    params: RawPathParams,
) -> Result<Response, Problem> {
    let key = key(&params)?;
    state.store.objects().get(fabric.id, &key).await?;
    let overview = state.engine.overview(&fabric).await?;
    let (head, tabs) = derive::head(&view, &fabric, &overview, FabricPage::Objects).await?;
    let (mut notices, mut fields) = (Vec::new(), Vec::new());
    match state.engine.server_view(&fabric, &key).await {
        Ok(answer) => {
            if let Some((code, message)) = answer.refusal {
                notices.push(Notice::failure(code, message));
            } else if answer.equal {
                let what = "The server would change nothing.";
                notices.push(Notice::new(Tone::Good, what, "A dry run of this object gives what is live now.", ""));
            }
            notices.extend(answer.warnings.into_iter().map(|warning| Notice::new(Tone::Waiting, warning, "", "")));
            fields = answer.changes.iter().map(|diff| server_field(&view, diff)).collect();
        }
        Err(error) => notices.push(Notice::failure(error.code, error.message)),
    }
    let page = ServerPage {
        frame: frame(&view, &fabric, &key, "object_server_view")?,
        head,
        tabs,
        kind: key.kind.clone(),
        name: title(&key),
        object_href: url::object(fabric.id, &key),
        notices,
        fields,
    };
    view::page("object_server_view", &page)
}

fn server_field(view: &View, diff: &FieldDiff) -> FieldRow {
    FieldRow { by: String::new(), when: None, ..FieldRow::of(view, diff) }
}

/// What the page shows.
#[derive(Template)]
#[template(path = "object.html")]
pub struct Page {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kind: String,
    pub name: String,
    pub state: Badge,
    pub unconfirmed: bool,
    pub notices: Vec<Notice>,
    /// The way to adopting it, when it stands only in the cluster.
    pub adopt: Option<String>,
    pub fields: Vec<FieldRow>,
    pub fields_empty: String,
    pub sides: Vec<SideBlock>,
    pub sides_note: String,
    pub sides_empty: String,
    pub as_written: String,
    pub patch: String,
    pub facts: Vec<Fact>,
    pub rollout: Vec<RolloutRow>,
    pub rollout_summary: String,
    pub rollout_empty: String,
    pub server_href: String,
}

/// One field that differs.
pub struct FieldRow {
    pub path: String,
    pub live: Option<String>,
    pub desired: Option<String>,
    pub by: String,
    pub when: Option<When>,
}

/// One switch that runs the object, or does not.
pub struct RolloutRow {
    pub name: String,
    pub state: Badge,
    pub generations: String,
    pub heartbeat: Option<When>,
}

/// What the page with the server's answer shows.
#[derive(Template)]
#[template(path = "server_view.html")]
pub struct ServerPage {
    pub frame: Frame,
    pub head: Head,
    pub tabs: Tabs,
    pub kind: String,
    pub name: String,
    pub object_href: String,
    pub notices: Vec<Notice>,
    pub fields: Vec<FieldRow>,
}
