//! Sample values for every page, of a small lab with something in every state.

use crate::frame::{Bare, Find, Frame, Nav, Theme};
use crate::icon::Icon;
use crate::pages::*;
use crate::parts::head::{Age, FabricPage, verb_action};
use crate::parts::stages::Weight;
use crate::parts::*;
use crate::url;
use crate::when::When;
use jiff::{SignedDuration, Timestamp};
use model::Code;
use model::compare::ObjectState;
use model::manifest::Severity;
use model::operation::{OperationState, OutcomeKind, PhaseState, Verb};

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
        csrf: "sample-token".into(),
        theme: Theme::System,
        now: now(),
        here: "/fabrics/".into(),
        deadlines: Some((now() + SignedDuration::from_hours(1), now() + SignedDuration::from_hours(12))),
        events: None,
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
        csrf: "sample-token".into(),
        verbs: Verb::ALL.iter().map(|verb| form(*verb)).collect(),
        tls_unverified: false,
    }
}

fn head_out_of_sync() -> Head {
    head(out_of_sync(), "4 of 60 differ: 2 not delivered, 1 changed in the cluster, 1 missing.", Some(12), None)
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

pub fn dashboard() -> dashboard::Page {
    let row =
        |id: i64, name: &str, description: &str, state: Badge, stages: Vec<Stage>, sentence: &str, verified, last| {
            dashboard::Row {
                href: url::fabric(id),
                name: name.into(),
                description: description.into(),
                state,
                marks: RailMarks { stages },
                sentence: sentence.into(),
                verified,
                last_sync: last,
            }
        };
    let mut frame = frame("Fabrics", "fabrics", Nav::Fabrics);
    frame.events = Some(url::events());
    dashboard::Page {
        frame,
        summary: "6 fabrics: 1 in error, 1 unknown, 1 out of sync, 1 syncing, 1 in sync, 1 never synced".into(),
        can_add: true,
        chips: no_chips(),
        rows: vec![
            row(
                3,
                "zurich-pod-2",
                "GPU pod, second hall",
                badge(Tone::Bad, Icon::Bang, "Error"),
                stages_stale(),
                "Kubernetes refused the credentials while reading VPC objects. Enter a new token in Settings.",
                Some(ago(1_860)),
                Some(ago(86_400 * 3)),
            ),
            row(
                4,
                "unreachable",
                "",
                badge(Tone::Stale, Icon::Question, "Unknown since 13:31"),
                stages_stale(),
                "Not connected: no answer from 10.0.12.4:6443 within 5 s.",
                Some(ago(1_860)),
                Some(ago(7_300)),
            ),
            row(
                7,
                "lab-1",
                "Two spines, four leaves, one gateway",
                out_of_sync(),
                stages_loud_live(),
                "4 of 60 differ: 2 not delivered, 1 changed in the cluster, 1 missing.",
                Some(ago(12)),
                Some(ago(4_000)),
            ),
            row(
                8,
                "geneva-core",
                "Production",
                badge(Tone::Busy, Icon::Ring, "Syncing 34 of 60"),
                stages_loud_live(),
                "Sync to Kubernetes by alice, writing to the cluster.",
                Some(ago(3)),
                Some(ago(3)),
            ),
            row(
                9,
                "basel-edge",
                "Production",
                badge(Tone::Good, Icon::Tick, "In sync"),
                stages_good(),
                "All 60 objects are live and equal, and 7 of 7 switches run them.",
                Some(ago(12)),
                Some(ago(700)),
            ),
            row(
                12,
                "new-hall",
                "",
                badge(Tone::Off, Icon::Hollow, "Never synced"),
                stages_never(),
                "Not compared yet. Test the connection, then Sync from Git.",
                None,
                None,
            ),
        ],
        empty: String::new(),
        pager: Pager::new(url::fabrics(), vec![], 1, 6),
    }
}

pub fn dashboard_empty() -> dashboard::Page {
    let mut page = dashboard();
    page.rows.clear();
    page.summary = "None yet".into();
    page.empty =
        "No fabric yet. Add one with its cluster's kubeconfig and the repository that holds its desired state.".into();
    page
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
        fabric: Some(("lab-1".into(), url::fabric(FABRIC))),
        state: state.into(),
        actor: actor.into(),
        when: ago(seconds),
        took: "1.4 s".into(),
        summary: summary.into(),
        code: code.map(|code| code.as_str().into()),
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

pub fn fabric() -> fabric::Page {
    let differing = |name: &str, kind: &str, state: ObjectState, hint: &str| fabric::Differing {
        href: url::object_page(FABRIC, format!("{kind}.vpc.githedgehog.com"), "default", name),
        name: name.into(),
        kind: kind.into(),
        state: state.into(),
        hint: hint.into(),
    };
    let switch = |name: &str, state: Badge, generations: &str, seconds: i64, is_gateway| fabric::SwitchLine {
        name: name.into(),
        is_gateway,
        state,
        sentence: String::new(),
        generations: generations.into(),
        heartbeat: Some(ago(seconds)),
    };
    let applied = || badge(Tone::Good, Icon::Tick, "Applied");
    let cell = |count: u64| fabric::CountCell { count, href: (count > 0).then(|| url::objects(FABRIC)) };
    let count = |kind: &str, cells: [u64; 5]| fabric::CountRow {
        kind: kind.into(),
        href: url::objects(FABRIC),
        cells: cells.into_iter().map(cell).collect(),
    };
    let mut frame = fabric_frame("Overview", "fabric");
    frame.events = Some(url::fabric_events(FABRIC));
    fabric::Page {
        frame: frame.crumbs(vec![("Fabrics".into(), url::fabrics())], "lab-1"),
        head: head_out_of_sync(),
        rail: StageRail { stages: stages_loud_live() },
        tabs: tabs(FabricPage::Overview),
        notices: vec![],
        differs: vec![
            differing("vpc-02", "VPC", ObjectState::Modified, "spec.subnets.default.vlan: 1002 → 1001, by kubectl"),
            differing("vpc-05", "VPC", ObjectState::Undelivered, "not in the cluster yet"),
            differing("vpc-05--server-3", "VPCAttachment", ObjectState::Undelivered, "not in the cluster yet"),
            differing("server-2--mclag--leaf-01--leaf-02", "Connection", ObjectState::Missing, "was live until 13:58"),
        ],
        differs_total: 4,
        differs_href: url::objects(FABRIC),
        differs_empty: String::new(),
        counts: fabric::Counts {
            columns: ["Desired", "In sync", "Not delivered", "Changed", "Only in cluster"].map(String::from).to_vec(),
            rows: vec![
                count("Connection", [26, 25, 0, 1, 0]),
                count("Server", [20, 20, 0, 0, 0]),
                count("Switch", [6, 6, 0, 0, 0]),
                count("VPC", [5, 3, 1, 1, 1]),
                count("VPCAttachment", [3, 2, 1, 0, 0]),
            ],
        },
        findings: vec![
            fabric::FindingRow {
                severity: Severity::Error.into(),
                rule: "unknown_field".into(),
                message: "The server would drop spec.subnets.default.vlann. Correct the name, or take it out.".into(),
                object: Some(("VPC vpc-05".into(), url::objects(FABRIC))),
                path: Some("spec.subnets.default.vlann".into()),
                place: "vpcs/vpc-05.yaml:9:7".into(),
            },
            fabric::FindingRow {
                severity: Severity::Warning.into(),
                rule: "unhydrated".into(),
                message: "The link has no addresses. Live addresses are kept.".into(),
                object: Some(("Connection spine-1--fabric--leaf-01".into(), url::objects(FABRIC))),
                path: Some("spec.fabric.links[0].spine.ip".into()),
                place: "wiring/fabric.yaml:40:3".into(),
            },
        ],
        findings_total: 2,
        findings_empty: String::new(),
        switches: vec![
            switch("leaf-04", badge(Tone::Bad, Icon::Unplugged, "Offline"), "41 / 44", 1_900, false),
            switch("leaf-03", badge(Tone::Waiting, Icon::Clock, "Pending"), "43 / 44", 4, false),
            switch("leaf-01", applied(), "44 / 44", 6, false),
            switch("leaf-02", applied(), "44 / 44", 9, false),
            switch("spine-1", applied(), "12 / 12", 3, false),
            switch("spine-2", applied(), "12 / 12", 11, false),
            switch("gw-1", applied(), "7 / 7", 2, true),
        ],
        switches_summary: "5 of 7 applied".into(),
        switches_empty: String::new(),
        operations: operation_rows(),
        facts: vec![
            Fact::at("Last comparison", Some(ago(12)), "never"),
            Fact::at("Last sync, any outcome", Some(ago(190)), "never"),
            Fact::at("Last sync that was verified", Some(ago(86_000)), "never"),
            Fact::at("Last fetch from Git", Some(ago(300)), "never"),
            Fact::at("Last connection check", Some(ago(420)), "never"),
            Fact::new("Commit", "4f2a9c1 on main"),
            Fact::new("Source", "https://git.example.net/fabrics/lab-1.git, path fabric/"),
            Fact::new("Cluster", "https://10.0.12.4:6443, namespace default, uid 4c1d9c0a-…"),
            Fact::new("Ignored", "metadata of controllers, addresses that Git leaves to others"),
        ],
    }
}

pub fn fabric_in_sync() -> fabric::Page {
    let mut page = fabric();
    page.head = head(
        badge(Tone::Good, Icon::Tick, "In sync"),
        "All 60 objects are live and equal, and 7 of 7 switches run them.",
        Some(8),
        None,
    );
    page.rail = StageRail { stages: stages_good() };
    page.differs.clear();
    page.differs_total = 0;
    page.differs_empty = "Nothing. All 60 objects in the cluster equal commit 4f2a9c1.".into();
    page.findings.clear();
    page.findings_total = 0;
    page.findings_empty = "None in commit 4f2a9c1.".into();
    page.head.tls_unverified = true;
    page
}

pub fn fabric_unknown() -> fabric::Page {
    let mut page = fabric_in_sync();
    page.head = head(
        badge(Tone::Stale, Icon::Question, "Unknown since 13:31"),
        "Not connected: no answer from 10.0.12.4:6443 within 5 s. What is shown below was true until 13:31.",
        Some(1_860),
        None,
    );
    page.rail = StageRail { stages: stages_stale() };
    page.notices =
        vec![Notice::failure(Code::ConnectionFailed, "Not connected: no answer from 10.0.12.4:6443 within 5 s.")];
    page
}

pub fn fabric_new() -> fabric::Page {
    let mut page = fabric_in_sync();
    page.head = head(
        badge(Tone::Off, Icon::Hollow, "Not configured"),
        "No cluster yet. Enter a kubeconfig in Settings.",
        None,
        Some("Needs a cluster first: enter it in Settings."),
    );
    page.rail = StageRail { stages: stages_never() };
    page.differs_empty = "Nothing was compared yet.".into();
    page.counts.rows.clear();
    page.switches.clear();
    page.switches_summary = String::new();
    page.switches_empty = "Read with the first comparison.".into();
    page.operations.clear();
    page.findings_empty = "Nothing was read yet.".into();
    page
}

pub fn objects() -> objects::Page {
    let row = |name: &str, state: ObjectState, cells: [&str; 3], place: &str, unconfirmed| objects::Row {
        href: url::object_page(FABRIC, "VPC.vpc.githedgehog.com", "default", name),
        name: name.into(),
        sub: String::new(),
        state: state.into(),
        unconfirmed,
        cells: cells.map(String::from).to_vec(),
        place: place.into(),
    };
    let column = |label: &str, sorted, may_hide| objects::Column {
        label: label.into(),
        href: Some(url::objects(FABRIC)),
        sorted,
        may_hide,
    };
    let option = |value: &str, label: &str, selected| Choice { value: value.into(), label: label.into(), selected };
    objects::Page {
        frame: fabric_frame("Objects", "objects"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Objects),
        kinds: vec![
            option("VPC.vpc.githedgehog.com", "VPC (5)", true),
            option("Switch.wiring.githedgehog.com", "Switch (6)", false),
        ],
        states: ObjectState::ALL.iter().map(|s| option(s.as_str(), &Badge::from(*s).word, false)).collect(),
        name: "vpc".into(),
        sort: "name".into(),
        chips: Chips {
            chips: vec![
                Chip { name: "kind", value: "VPC".into(), without: url::objects(FABRIC) },
                Chip { name: "name", value: "vpc".into(), without: url::objects(FABRIC) },
            ],
            clear: url::objects(FABRIC),
        },
        columns: vec![
            column("Name", Some("ascending"), false),
            column("State", None, false),
            column("IPv4NS", None, true),
            column("VLANNS", None, true),
            column("Subnets", None, true),
            column("File", None, true),
        ],
        rows: vec![
            row("vpc-01", ObjectState::Equal, ["default", "default", "10.0.1.0/24"], "vpcs/vpc-01.yaml:1", false),
            row("vpc-02", ObjectState::Modified, ["default", "default", "10.0.2.0/24"], "vpcs/vpc-02.yaml:1", false),
            row("vpc-03", ObjectState::Conflict, ["default", "default", "10.0.9.0/24"], "vpcs/vpc-03.yaml:1", true),
            row("vpc-04", ObjectState::Missing, ["default", "default", "10.0.4.0/24"], "vpcs/vpc-04.yaml:1", false),
            row("vpc-05", ObjectState::Undelivered, ["default", "default", "10.0.5.0/24"], "vpcs/vpc-05.yaml:1", true),
            row("vpc-06", ObjectState::Unknown, ["", "", ""], "vpcs/vpc-06.yaml:1", false),
            row("vpc-old", ObjectState::Extra, ["default", "default", "10.9.0.0/24"], "", false),
        ],
        empty: String::new(),
        pager: Pager::new(url::objects(FABRIC), vec![("kind".into(), "VPC".into())], 2, 120),
    }
}

pub fn object() -> object::Page {
    let live = "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: vpc-02\n  namespace: default\nspec:\n  ipv4Namespace: default\n  vlanNamespace: default\n  mode: l2vni\n  permit:\n  - - default\n    - backup\n  subnets:\n    backup:\n      subnet: 10.0.3.0/24\n      gateway: 10.0.3.1\n      vlan: 1003\n    default:\n      dhcp:\n        enable: true\n      gateway: 10.0.2.1\n      subnet: 10.0.2.0/24\n      vlan: 1002\n";
    let desired = live
        .replace("vlan: 1002", "vlan: 1001")
        .replace("      gateway: 10.0.2.1\n", "      gateway: 10.0.2.1\n      restricted: true\n");
    let rollout = |name: &str, state: Badge, generations: &str| object::RolloutRow {
        name: name.into(),
        state,
        generations: generations.into(),
    };
    object::Page {
        frame: fabric_frame("vpc-02", "object"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Objects),
        kind: "VPC".into(),
        name: "default/vpc-02".into(),
        state: ObjectState::Modified.into(),
        unconfirmed: true,
        notices: vec![],
        fields: vec![
            object::FieldRow {
                path: "spec.subnets.default.vlan".into(),
                live: Some("1002".into()),
                desired: Some("1001".into()),
                by: "kubectl-edit".into(),
                when: Some(ago(180)),
            },
            object::FieldRow {
                path: "spec.subnets.default.restricted".into(),
                live: None,
                desired: Some("true".into()),
                by: "kubectl-edit".into(),
                when: Some(ago(180)),
            },
        ],
        fields_empty: String::new(),
        sides: compare::sides(live, &desired),
        sides_note: "what controllers write is left out".into(),
        sides_empty: String::new(),
        patch: compare::patch(live, &desired, "live", "desired"),
        facts: vec![
            Fact::new("File", "vpcs/vpc-02.yaml, line 1"),
            Fact::new("Commit", "4f2a9c1"),
            Fact::at("Compared", Some(ago(12)), "never"),
            Fact::at("Last verified live", Some(ago(4_000)), "never"),
            Fact::new("API version", "vpc.githedgehog.com/v1beta1"),
            Fact::new("Resource version", "118204"),
        ],
        rollout: vec![
            rollout("leaf-01", badge(Tone::Good, Icon::Tick, "Applied"), "44 / 44"),
            rollout("leaf-03", badge(Tone::Waiting, Icon::Clock, "Pending"), "43 / 44"),
        ],
        rollout_summary: "1 of 2 applied".into(),
        rollout_empty: String::new(),
        server_href: url::object_server_view(FABRIC, "VPC.vpc.githedgehog.com", "default", "vpc-02"),
    }
}

pub fn server_view() -> object::ServerPage {
    object::ServerPage {
        frame: fabric_frame("vpc-02", "object_server_view"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Objects),
        kind: "VPC".into(),
        name: "default/vpc-02".into(),
        object_href: url::object_page(FABRIC, "VPC.vpc.githedgehog.com", "default", "vpc-02"),
        notices: vec![Notice::failure(Code::KubernetesRejected, "The webhook refused it: vlan 1001 is reserved.")],
        fields: object().fields,
    }
}

fn phase(title: &str, state: PhaseState, done: u64, total: u64, detail: &str, took: &str) -> operation::PhaseLine {
    let look = Badge::from(state);
    operation::PhaseLine {
        phase: title.to_lowercase().replace(' ', "_"),
        state: state.as_str().into(),
        tone: look.tone,
        icon: look.icon,
        title: title.into(),
        word: look.word,
        done,
        total,
        count: if total > 0 { format!("{done} of {total}") } else { String::new() },
        detail: detail.into(),
        took: took.into(),
    }
}

pub fn operation_running() -> operation::Page {
    operation::Page {
        frame: frame("Sync to Kubernetes #312", "operation", Nav::Fabrics).crumbs(
            vec![
                ("Fabrics".into(), url::fabrics()),
                ("lab-1".into(), url::fabric(FABRIC)),
                ("Operations".into(), url::fabric_operations(FABRIC)),
            ],
            "#312",
        ),
        id: 312,
        title: "Sync to Kubernetes".into(),
        fabric_id: FABRIC,
        fabric_name: "lab-1".into(),
        state: OperationState::Running.into(),
        sentence: "Writing to the cluster: 34 of 60 objects. Leaving this page stops nothing.".into(),
        cancel: Some(operation::Cancel { why_not: None }),
        notices: vec![],
        phases: vec![
            phase(
                "Connect to the cluster",
                PhaseState::Done,
                0,
                0,
                "Kubernetes v1.36.3, the cluster that lab-1 knows",
                "40 ms",
            ),
            phase("Fetch the source", PhaseState::Done, 12, 12, "commit 4f2a9c1 on main", "310 ms"),
            phase("Read the cluster", PhaseState::Done, 22, 22, "kinds", "220 ms"),
            phase("Compare", PhaseState::Done, 60, 60, "34 equal, 26 to write", "12 ms"),
            phase("Check before writing", PhaseState::Done, 60, 60, "no errors, 1 warning", "3 ms"),
            phase(
                "Write to the cluster",
                PhaseState::Running,
                34,
                60,
                "Connection, rank 4 of 6; vpc-05--server-3 waits for its VPC, try 2",
                "1.1 s",
            ),
            phase("Read again and verify", PhaseState::Waiting, 0, 0, "", ""),
            phase("Follow the switches", PhaseState::Waiting, 0, 0, "", ""),
        ],
        deadline: "9 min 58 s left".into(),
        outcomes: vec![],
        outcomes_summary: "34 done".into(),
        outcomes_empty: "Outcomes appear here as objects are written.".into(),
        choices: vec![],
        pager: Pager::new(url::operation(312), vec![], 1, 0),
        facts: vec![
            Fact::new("Started by", "alice, with the button"),
            Fact::at("Started", Some(ago(2)), ""),
            Fact::new("Request", "0191f3c4-2f0e-7c1a"),
            Fact::new("Commit", "4f2a9c1"),
            Fact::new("Comparison shown", "4711"),
        ],
        report: None,
    }
}

pub fn operation_failed() -> operation::Page {
    let outcome = |name: &str,
                   kind: &str,
                   outcome: OutcomeKind,
                   message: &str,
                   code: Option<Code>,
                   overwrote: &[&str],
                   verified| operation::OutcomeRow {
        key: format!("{kind}.vpc.githedgehog.com/default/{name}"),
        href: url::object_page(FABRIC, format!("{kind}.vpc.githedgehog.com"), "default", name),
        name: name.into(),
        kind: kind.into(),
        outcome: outcome.into(),
        message: message.into(),
        code: code.map(|c| c.as_str().into()),
        overwrote: overwrote.iter().map(|s| s.to_string()).collect(),
        verified: if verified {
            badge(Tone::Good, Icon::Tick, "re-read, equal")
        } else {
            badge(Tone::Off, Icon::Hollow, "not verified")
        },
        attempts: 1,
    };
    let mut page = operation_running();
    page.state = OperationState::Partial.into();
    page.sentence = "58 of 60 objects are live. 1 was refused by a webhook, 1 was not attempted because of it.".into();
    page.cancel = None;
    page.notices = vec![Notice::failure(
        Code::KubernetesRejected,
        "VPC vpc-03: admission webhook \"vvpc.kb.io\" denied the request: subnet 10.0.9.0/24 overlaps vpc-01.",
    )];
    page.phases[5] = phase("Write to the cluster", PhaseState::Partial, 58, 60, "vpc-03 was refused", "1.4 s");
    page.phases[6] = phase("Read again and verify", PhaseState::Done, 58, 58, "58 equal", "210 ms");
    page.phases[7] = phase("Follow the switches", PhaseState::Done, 7, 7, "all switches applied", "4.2 s");
    page.deadline = "took 6.2 s".into();
    page.outcomes = vec![
        outcome(
            "vpc-03",
            "VPC",
            OutcomeKind::Refused,
            "admission webhook \"vvpc.kb.io\" denied the request: subnet 10.0.9.0/24 overlaps vpc-01",
            Some(Code::KubernetesRejected),
            &[],
            false,
        ),
        outcome(
            "vpc-03--server-1",
            "VPCAttachment",
            OutcomeKind::NotAttempted,
            "its VPC vpc-03 was refused",
            None,
            &[],
            false,
        ),
        outcome(
            "vpc-02",
            "VPC",
            OutcomeKind::Updated,
            "",
            None,
            &["spec.subnets.default.vlan: 1002, by kubectl-edit"],
            true,
        ),
        outcome("vpc-05", "VPC", OutcomeKind::Created, "", None, &[], true),
        outcome("vpc-01", "VPC", OutcomeKind::Unchanged, "", None, &[], true),
    ];
    page.outcomes_summary = "2 failed, 58 verified".into();
    page.choices = vec![
        Choice { value: url::operation(312), label: "All 60".into(), selected: true },
        Choice { value: url::operation(312), label: "Refused 1".into(), selected: false },
        Choice { value: url::operation(312), label: "Updated 1".into(), selected: false },
    ];
    page.pager = Pager::new(url::operation(312), vec![], 1, 60);
    page
}

pub fn activity() -> operations::Page {
    let mut rows = operation_rows();
    rows.insert(
        1,
        OperationRow {
            href: None,
            state: badge(Tone::Bad, Icon::Stopped, "Rejected"),
            code: Some(Code::SessionIdleExpired.as_str().into()),
            ..operation_row(
                Verb::SyncToKubernetes,
                OperationState::Failed,
                64,
                "alice",
                "The session had ended after one hour without use.",
                None,
            )
        },
    );
    operations::Page {
        frame: frame("Activity", "activity", Nav::Activity),
        head: None,
        tabs: None,
        title: "Activity".into(),
        lead: "Every operation and every attempt, also those that were rejected".into(),
        choices: vec![
            Choice { value: url::activity(), label: "Everything".into(), selected: true },
            Choice { value: url::activity(), label: "Rejected and failed".into(), selected: false },
        ],
        table: OperationsTable { rows, show_fabric: true },
        empty: String::new(),
        pager: Pager::new(url::activity(), vec![], 1, 120),
    }
}

pub fn fabric_form() -> fabric_form::Page {
    use field::{Field, FieldKind::*};
    let mut server =
        Field::new(Text, "server", "API server", "htps://10.0.12.4:6443").help("For example https://10.0.12.4:6443.");
    server.error = Some("htps is not a scheme for an API server. Write https://.".into());
    let mut token = Field::new(Secret, "token", "Token", "").help("Of the ServiceAccount beside this form.");
    token.stored = true;
    let clusters =
        &[("kubeconfig", "By kubeconfig"), ("endpoint", "By address and token"), ("none", "Later: no cluster yet")];
    let credentials =
        &[("none", "Without credentials"), ("token", "With a token over https"), ("ssh", "With an SSH key")];
    fabric_form::Page {
        frame: fabric_frame("Settings", "fabric_edit"),
        head: Some(head_out_of_sync()),
        tabs: Some(tabs(FabricPage::Settings)),
        action: url::fabric_edit(FABRIC),
        version: Some("3".into()),
        form: fabric_form::Fields {
            name: Field::new(Text, "name", "Name", "lab-1").required(),
            description: Field::new(Text, "description", "Description", "Two spines, four leaves"),
            sync_enabled: Field::new(Check, "sync_enabled", "Sync is on", "on")
                .help("When off, nothing is written to the cluster."),
            deadline_minutes: Field::new(Text, "deadline_minutes", "Time limit in minutes", "15"),
            cluster_kind: Field::new(Select, "cluster_kind", "How the cluster is reached", "endpoint")
                .options(clusters),
            kubeconfig: Field::new(SecretArea, "kubeconfig", "Kubeconfig", "")
                .help("Exec plugins are refused: they would run on this server."),
            server,
            token,
            ca_pem: Field::new(Area, "ca_pem", "CA certificate", "").placeholder("-----BEGIN CERTIFICATE-----"),
            verify_tls: Field::new(Check, "verify_tls", "Verify the cluster's certificate", "on"),
            namespace: Field::new(Text, "namespace", "Namespace", "default").required(),
            source_url: Field::new(Text, "source_url", "Repository", "https://git.example.net/fabrics/lab-1.git"),
            branch: Field::new(Text, "branch", "Branch", "main"),
            path: Field::new(Text, "path", "Path", "fabric/"),
            credential_kind: Field::new(Select, "credential_kind", "How to log in to it", "token").options(credentials),
            source_username: Field::new(Text, "source_username", "User name", "hedgerow"),
            source_token: Field::new(Secret, "source_token", "Token or password", ""),
            ssh_key: Field::new(SecretArea, "ssh_key", "SSH key", ""),
            known_hosts: Field::new(Area, "known_hosts", "Known hosts", ""),
        },
        errors: vec![("server".into(), "API server: htps is not a scheme for an API server".into())],
        submit: "Save changes".into(),
        cancel: url::fabric(FABRIC),
        delete: Some(url::fabric_delete(FABRIC)),
        service_account: "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: hedgerow\n  namespace: default\n"
            .into(),
        token_command: "kubectl -n default create token hedgerow --duration 8760h".into(),
    }
}

pub fn fabric_delete() -> fabric_delete::DeletePage {
    fabric_delete::DeletePage {
        frame: fabric_frame("Delete", "fabric_delete"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Settings),
        dependents: vec![
            Fact::new("Operations", "312, with every outcome"),
            Fact::new("Comparison", "of 60 objects"),
            Fact::new("Local repository", "none; the source is remote"),
        ],
        typed: "lab".into(),
        error: Some(Notice::new(Tone::Bad, "Nothing was deleted.", "The name that was typed is lab, not lab-1.", "")),
    }
}

pub fn confirm_cluster() -> fabric_delete::ConfirmPage {
    fabric_delete::ConfirmPage {
        frame: fabric_frame("Confirm the cluster", "fabric_confirm_cluster"),
        head: head(
            badge(Tone::Bad, Icon::Bang, "Another cluster answers"),
            "Nothing is written until the new cluster is confirmed.",
            Some(30),
            None,
        ),
        tabs: tabs(FabricPage::Settings),
        changed: true,
        remembered: "4c1d9c0a-5a0e-4f2e-9c51-3a0f3ce0a7b1".into(),
        answering: "b81f33de-0c5b-4a66-8a0f-9f6f1f7f2c10".into(),
        typed: String::new(),
        error: None,
    }
}

fn bare(title: &str, page: &'static str) -> Bare {
    Bare { title: title.into(), page, theme: Theme::System, now: now() }
}

pub fn login() -> login::Page {
    login::Page {
        frame: bare("Log in", "login"),
        csrf: "sample-token".into(),
        next: "/fabrics/7/".into(),
        leads_to: "/fabrics/7/".into(),
        username: "alice".into(),
        notices: vec![Notice::new(Tone::Bad, "User name or password is wrong.", "", "Check both and try again.")],
    }
}

pub fn error() -> error::Page {
    error::Page {
        frame: bare("Not found", "error"),
        title: "There is no such page".into(),
        message: "No fabric has the number 4711, or you may not see it.".into(),
        todo: "Check the address.".into(),
        status: 404,
        code: "not_found".into(),
        request_id: "0191f3c4-2f0e-7c1a".into(),
        links: vec![("Fabrics".into(), url::fabrics())],
        again: None,
    }
}

pub fn csrf_again() -> error::Page {
    error::Page {
        title: "Press once more".into(),
        message: "This page came from an earlier login, so its token had ended. Nothing was done.".into(),
        todo: "The form is here again with a new token and what it held.".into(),
        status: 403,
        code: "csrf_failed".into(),
        again: Some(error::Again {
            action: url::sync(FABRIC),
            csrf: "sample-token".into(),
            kept: vec![("comparison".into(), "4711".into())],
            secret: vec![],
            label: "Sync to Kubernetes".into(),
        }),
        ..error()
    }
}
