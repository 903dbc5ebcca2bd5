//! The dashboard and fabrics in each of their states.

use super::*;

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
                suspended: (id == 8).then(|| "Automatic syncs suspended by anna: cabling in rack 7".to_owned()),
                evidence: None,
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
        is_loud: false,
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
        only_in_cluster: 2,
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
            FindingLine {
                severity: Severity::Error.into(),
                rule: "unknown_field".into(),
                message: "The server would drop spec.subnets.default.vlann. Correct the name, or take it out.".into(),
                object: Some(("VPC vpc-05".into(), url::objects(FABRIC))),
                path: Some("spec.subnets.default.vlann".into()),
                place: "vpcs/vpc-05.yaml:9:7".into(),
            },
            FindingLine {
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
        automatic: automatic(
            badge(Tone::Waiting, Icon::Clock, "Waiting"),
            "The next automatic sync is in 4 min.",
            false,
        ),
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

fn automatic(state: Badge, sentence: &str, suspended: bool) -> fabric::automatic::AutomaticPanel {
    fabric::automatic::AutomaticPanel {
        state,
        sentence: sentence.into(),
        can_suspend: !suspended,
        can_resume: suspended,
        facts: vec![
            Fact::new("Interval", "every 15 min"),
            Fact::new("Self-heal", "on"),
            Fact::new("Prune", "on, up to 20 % without a confirmation"),
            Fact::new("Window 1", "denies 480 min from 0 8 * * 1-5, Europe/Berlin"),
        ],
        last: Some(fabric::automatic::LastAutomatic {
            href: url::operation(41),
            words: "Operation 41, by self-heal, succeeded".into(),
            when: ago(400),
        }),
    }
}

/// Suspended, and in a fight before that.
pub fn fabric_suspended() -> fabric::Page {
    let mut page = fabric();
    let sentence = "Suspended by anna since Tuesday 2026-02-03 13:40 UTC: cabling in rack 7";
    page.automatic = automatic(badge(Tone::Off, Icon::Stopped, "Suspended"), sentence, true);
    page.notices = vec![
        fabric::automatic::suspension_notice("Automatic syncs are suspended.", sentence),
        fabric::automatic::fight_notice(
            "kubectl-edit has set spec.subnets.default.vlan of VPC vpc-02 4 times in 10 min; self-heal waits until 14:30 UTC.",
            "kubectl-edit",
            Some(url::objects(FABRIC)),
        ),
    ];
    page
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
    page.automatic = automatic(
        badge(Tone::Off, Icon::Hollow, "Off"),
        "Nothing happens by itself: people and scripts start every sync.",
        false,
    );
    page.automatic.facts.clear();
    page.automatic.last = None;
    page.automatic.can_suspend = false;
    page
}
