//! Sample values for every page, of a small lab with something in every state.

mod of_accounts;
mod of_fabrics;
mod of_forms;
mod of_objects;
mod of_operations;
mod of_reviews;
mod of_sessions;
mod of_tokens;
mod of_verify;

pub use of_accounts::*;
pub use of_fabrics::*;
pub use of_forms::*;
pub use of_objects::*;
pub use of_operations::*;
pub use of_reviews::*;
pub use of_sessions::*;
pub use of_tokens::*;
pub use of_verify::*;

use crate::ending::Ending;
use crate::frame::{Bare, Find, Frame, Nav, Theme};
use crate::icon::Icon;
use crate::pages::*;
use crate::parts::changes::ChangedObjects;
use crate::parts::head::{Age, FabricPage, verb_action};
use crate::parts::stages::Weight;
use crate::parts::*;
use crate::url;
use crate::when::{Span, When};
use jiff::{SignedDuration, Timestamp};
use model::Code;
use model::compare::ObjectState;
use model::manifest::Severity;
use model::operation::{OperationState, OutcomeKind, PhaseState, Verb};
use model::rollout::SwitchState;

const FABRIC: i64 = 7;

fn now() -> Timestamp {
    "2026-02-03T14:02:00Z".parse().unwrap()
}

fn ago(seconds: i64) -> When {
    When::new(now() - SignedDuration::from_secs(seconds), now())
}

fn frame(title: &str, page: &'static str, nav: Nav) -> Frame {
    Frame {
        title: title.into(),
        page,
        nav,
        crumbs: vec![],
        find: Find::fabrics(),
        user: "alice".into(),
        accounts: Some(url::users()),
        csrf: "sample-token".into(),
        theme: Theme::System,
        now: now(),
        here: "/fabrics/".into(),
        ending: Ending::new(
            (now() + SignedDuration::from_hours(1), now() + SignedDuration::from_hours(12)),
            auth::Limits::default(),
            now(),
        ),
        openid: Some("Example ID".into()),
        events: None,
        fresh_until: None,
        refresh_without_script: 0,
    }
    .crumbs(vec![], title)
}

fn fabric_frame(title: &str, page: &'static str) -> Frame {
    let mut frame = frame(&format!("{title} · lab-1"), page, Nav::Fabrics)
        .crumbs(vec![("Fabrics".into(), url::fabrics()), ("lab-1".into(), url::fabric(FABRIC))], title);
    frame.find = Find::objects(FABRIC);
    frame
}

fn badge(tone: Tone, icon: Icon, word: &str) -> Badge {
    Badge::new(tone, icon, word)
}

fn out_of_sync() -> Badge {
    badge(Tone::Waiting, Icon::Arrow, "Out of sync")
}

fn head(state: Badge, sentence: &str, seconds: Option<i64>, why_not: Option<&str>) -> Head {
    let form = |verb| VerbForm {
        verb,
        action: verb_action(FABRIC, verb),
        comparison: (verb == Verb::SyncToKubernetes).then_some(4711),
        key: "3f0c1c0e-8f1e-4a35-9a52-0b7c4d0a9d11".into(),
        why_not: why_not.map(str::to_owned),
    };
    Head {
        id: FABRIC,
        name: "lab-1".into(),
        state,
        age: seconds.map(|s| Age { label: "verified", when: ago(s) }),
        sentence: sentence.into(),
        evidence: None,
        review: Some(url::sync_review(FABRIC)),
        watch: None,
        csrf: "sample-token".into(),
        verbs: Verb::ALL.iter().map(|verb| form(*verb)).collect(),
        tls_unverified: false,
    }
}

fn head_out_of_sync() -> Head {
    let sentence = "4 of 60 differ: 2 not delivered, 1 changed in the cluster, 1 missing. VPC vpc-05 and 1 more of commit \
                    4f2a9c1 have not been delivered: no sync has run since.";
    let evidence = Some(("These objects".to_owned(), url::objects(FABRIC)));
    Head { evidence, ..head(out_of_sync(), sentence, Some(12), None) }
}

fn tabs(page: FabricPage) -> Tabs {
    Tabs::of(FABRIC, "lab-1", Some(60), true, page)
}

fn stage(
    name: &'static str,
    weight: Weight,
    tone: Tone,
    icon: Icon,
    count: &str,
    seconds: Option<i64>,
    why: &str,
) -> Stage {
    Stage {
        name,
        weight,
        tone,
        icon,
        count: count.into(),
        when: seconds.map(ago),
        why: why.into(),
        href: Some(url::objects(FABRIC)),
    }
}

fn stages_loud_live() -> Vec<Stage> {
    vec![
        stage("saved", Weight::Done, Tone::Good, Icon::Tick, "4f2a9c1", Some(120), ""),
        stage("accepted", Weight::Done, Tone::Good, Icon::Tick, "58 of 60", Some(12), ""),
        stage("live", Weight::Loud, Tone::Waiting, Icon::Arrow, "56 of 60", Some(12), "4 differ: 2 not delivered"),
        stage("applied", Weight::Later, Tone::Off, Icon::Unplugged, "5 of 7", Some(8), "leaf-04 offline"),
    ]
}

fn stages_good() -> Vec<Stage> {
    vec![
        stage("saved", Weight::Done, Tone::Good, Icon::Tick, "4f2a9c1", Some(120), ""),
        stage("accepted", Weight::Done, Tone::Good, Icon::Tick, "60 of 60", Some(40), ""),
        stage("live", Weight::Done, Tone::Good, Icon::Tick, "60 of 60", Some(12), ""),
        stage("applied", Weight::Done, Tone::Good, Icon::Tick, "7 of 7", Some(8), ""),
    ]
}

fn stages_stale() -> Vec<Stage> {
    vec![
        stage("saved", Weight::Done, Tone::Good, Icon::Tick, "4f2a9c1", Some(1_900), ""),
        stage("accepted", Weight::Stale, Tone::Stale, Icon::Question, "60 of 60", Some(1_860), "not known since 13:31"),
        stage("live", Weight::Stale, Tone::Stale, Icon::Question, "60 of 60", Some(1_860), "not known since 13:31"),
        stage("applied", Weight::Stale, Tone::Stale, Icon::Question, "7 of 7", Some(1_860), "not known since 13:31"),
    ]
}

fn stages_never() -> Vec<Stage> {
    let stage = |name| stage(name, Weight::Later, Tone::Off, Icon::Hollow, "–", None, "");
    vec![stage("saved"), stage("accepted"), stage("live"), stage("applied")]
}

fn no_chips() -> Chips {
    Chips { chips: vec![], clear: url::fabrics() }
}

fn operation_row(
    verb: Verb,
    state: OperationState,
    seconds: i64,
    actor: &str,
    summary: &str,
    code: Option<Code>,
) -> OperationRow {
    OperationRow {
        title: verb.title().into(),
        href: Some(url::operation(100 + seconds)),
        fabric: Some(("lab-1".into(), Some(url::fabric(FABRIC)))),
        state: state.into(),
        actor: actor.into(),
        is_automatic: actor.starts_with("hedgerow"),
        when: ago(seconds),
        took: "1.4 s".into(),
        summary: summary.into(),
        code: code.map(|code| code.as_str().into()),
        changed: ChangedObjects::default(),
    }
}

fn operation_rows() -> Vec<OperationRow> {
    vec![
        operation_row(
            Verb::SyncFromFabric,
            OperationState::Succeeded,
            12,
            "hedgerow (schedule)",
            "4 of 60 differ.",
            None,
        ),
        operation_row(
            Verb::SyncToKubernetes,
            OperationState::Failed,
            190,
            "alice",
            "The webhook refused VPC vpc-03: subnet 10.0.9.0/24 overlaps vpc-01. 11 of 12 were written.",
            Some(Code::KubernetesRejected),
        ),
        operation_row(
            Verb::SyncFromGit,
            OperationState::Succeeded,
            300,
            "bob",
            "Commit 4f2a9c1, 60 objects in 12 files, 4 differ.",
            None,
        ),
        operation_row(
            Verb::TestConnection,
            OperationState::Succeeded,
            420,
            "alice",
            "Kubernetes v1.36.3, 22 kinds, 14 ms.",
            None,
        ),
        operation_row(
            Verb::SyncToKubernetes,
            OperationState::Interrupted,
            4_000,
            "alice",
            "The process that ran it ended.",
            Some(Code::Interrupted),
        ),
    ]
}

fn bare(title: &str, page: &'static str) -> Bare {
    Bare { title: title.into(), page, theme: Theme::System, now: now() }
}
