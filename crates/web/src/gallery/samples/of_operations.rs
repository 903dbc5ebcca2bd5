//! Operations that run and that ended, and the activity.

use super::*;
use crate::parts::changes::{ChangedField, ChangedFields, ChangedObject};

fn phase(
    title: &str,
    state: PhaseState,
    done: u64,
    total: u64,
    detail: &str,
    took: &str,
) -> operation::phases::PhaseLine {
    let look = Badge::from(state);
    operation::phases::PhaseLine {
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
        retry: None,
        retries: String::new(),
        runs: None,
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
        is_dry: false,
        fabric_id: FABRIC,
        fabric_name: "lab-1".into(),
        state: OperationState::Running.into(),
        sentence: "Writing to the cluster: 34 of 60 objects. Leaving this page stops nothing.".into(),
        waits_for: None,
        cancel: Some(operation::Cancel { why_not: None }),
        notices: vec![],
        removal: None,
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
            operation::phases::PhaseLine {
                retry: Some(operation::phases::RetryLine {
                    pause: Some(Span::Until(ago(-4))),
                    words: "(try 2 of 6): VPC vpc-05. The last try failed: The API server did not answer within 30 s \
                            (kubernetes_timeout)."
                        .into(),
                }),
                runs: Some(Span::Since(ago(12))),
                ..phase("Write to the cluster", PhaseState::Running, 34, 60, "Writing Connection", "1.1 s")
            },
            phase("Read again and verify", PhaseState::Waiting, 0, 0, "", ""),
            phase("Follow the switches", PhaseState::Waiting, 0, 0, "", ""),
        ],
        left: Some(Span::Until(ago(-598))),
        time_words: String::new(),
        outcomes: vec![],
        shows_now: false,
        shows_verified: true,
        switches: vec![],
        switches_summary: String::new(),
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
        remarks: vec![],
        more_remarks: vec![],
        remarks_total: 0,
    }
}

pub fn operation_failed() -> operation::Page {
    let outcome =
        |name: &str, kind: &str, outcome: OutcomeKind, message: &str, code: Option<Code>, lines: &[&str], verified| {
            operation::outcomes::OutcomeRow {
                key: format!("{kind}.vpc.githedgehog.com/default/{name}"),
                href: url::object_page(FABRIC, format!("{kind}.vpc.githedgehog.com"), "default", name),
                name: name.into(),
                kind: kind.into(),
                outcome: outcome.into(),
                message: message.into(),
                code: code.map(|c| c.as_str().into()),
                lines: lines.iter().map(|s| s.to_string()).collect(),
                fields: vec![],
                now: Some(if verified { ObjectState::Equal.into() } else { ObjectState::Undelivered.into() }),
                verified: if verified {
                    badge(Tone::Good, Icon::Tick, "re-read, equal")
                } else {
                    badge(Tone::Off, Icon::Hollow, "not verified")
                },
            }
        };
    let mut page = operation_running();
    page.state = OperationState::Partial.into();
    page.sentence = "58 of 60 objects are live. 1 was refused by a webhook, 1 was not attempted because of it.".into();
    page.cancel = None;
    page.removal = Some(operation::Removal {
        action: url::sync(FABRIC),
        comparison: Some(4712),
        key: "0191f3c4".into(),
        sentence: "1 object was left as it is, because its links would lose addresses.".into(),
    });
    page.notices = vec![Notice::failure(
        Code::KubernetesRejected,
        "VPC vpc-03: admission webhook \"vvpc.kb.io\" denied the request: subnet 10.0.9.0/24 overlaps vpc-01.",
    )];
    page.phases[5] = phase("Write to the cluster", PhaseState::Partial, 58, 60, "vpc-03 was refused", "1.4 s");
    page.phases[6] = phase("Read again and verify", PhaseState::Done, 58, 58, "58 equal", "210 ms");
    page.phases[7] = phase("Follow the switches", PhaseState::Done, 7, 7, "all switches applied", "4.2 s");
    (page.left, page.time_words) = (None, "took 6.2 s".into());
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
            "vpc-04",
            "VPC",
            OutcomeKind::Unknown,
            "No clear answer to its write came (create VPC default/vpc-04: 10.0.0.1:6443 did not answer within 30 s), and \
             it could not be read back (vpcs.vpc.githedgehog.com is forbidden). It may or may not have been written; the \
             next run looks at it again.",
            Some(Code::KubernetesTimeout),
            &["6 tries"],
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
            &["overwrote spec.subnets.default.vlan: 1002, by kubectl-edit", "concerns leaf-01, leaf-02"],
            true,
        ),
        outcome("vpc-05", "VPC", OutcomeKind::Created, "", None, &[], true),
        outcome("vpc-01", "VPC", OutcomeKind::Unchanged, "", None, &[], true),
    ];
    page.remarks = vec![FindingLine {
        severity: Severity::Warning.into(),
        message: "VPC vpc-05, subnet default: 10.0.9.0/24 is reserved on most fabrics.".into(),
        rule: "reserved_range".into(),
        object: Some(("VPC vpc-05".into(), url::objects(FABRIC))),
        path: None,
        place: "vpcs/vpc-05.yaml:9:7".into(),
    }];
    page.remarks_total = 1;
    page.shows_now = true;
    page.shows_verified = false;
    page.outcomes[3].fields = vec![object::FieldRow {
        path: "spec.subnets.default.vlan".into(),
        live: Some("1002".into()),
        desired: Some("1001".into()),
        by: "by kubectl-edit".into(),
        when: Some(ago(180)),
    }];
    let switch = |name: &str, state, generations: &str, seconds| operation::outcomes::SwitchLine {
        name: name.into(),
        is_gateway: name.starts_with("gw"),
        state: derive::switch_badge(state),
        generations: generations.into(),
        heartbeat: Some(ago(seconds)),
    };
    page.switches = vec![
        switch("leaf-04", SwitchState::Stuck, "41 / 44", 9),
        switch("leaf-03", SwitchState::Offline, "43 / 44", 1_900),
        switch("spine-2", SwitchState::RebootRequired, "12 / 13", 5),
        switch("spine-1", SwitchState::Rebooting, "12 / 13", 95),
        switch("leaf-02", SwitchState::VersionSkew, "44 / 44", 4),
        switch("leaf-01", SwitchState::Applied, "44 / 44", 4),
        switch("gw-1", SwitchState::Applied, "7 / 7", 2),
    ];
    page.switches_summary = "2 of 7 have applied it".into();
    page.outcomes_summary = "2 failed, 58 verified".into();
    page.choices = vec![
        Choice { value: url::operation(312), label: "All 60".into(), selected: true },
        Choice { value: url::operation(312), label: "Refused 1".into(), selected: false },
        Choice { value: url::operation(312), label: "Updated 1".into(), selected: false },
    ];
    page.pager = Pager::new(url::operation(312), vec![], 1, 60);
    page
}

pub fn operation_dry() -> operation::Page {
    let mut page = operation_failed();
    page.is_dry = true;
    page.state = OperationState::Succeeded.into();
    (page.notices, page.removal, page.switches, page.shows_now) = (vec![], None, vec![], false);
    page.sentence = "Nothing was written: 1 object would be created, 1 would be updated.".into();
    page.outcomes = page.outcomes.split_off(2);
    for (row, word) in page.outcomes.iter_mut().zip(["Would be updated", "Would be created", "Would stay as it is"]) {
        row.outcome = badge(Tone::Waiting, Icon::Arrow, word);
        row.verified = badge(Tone::Off, Icon::Hollow, "nothing written");
        row.now = None;
    }
    page.outcomes_summary = "3, nothing was written".into();
    page
}

/// Somebody changed a user.
fn changed_row() -> OperationRow {
    let field = ChangedField { name: "groups".into(), before: None, after: Some("operators".into()) };
    let object =
        |title: &str| ChangedObject { title: title.into(), fields: ChangedFields { fields: vec![field.clone()] } };
    OperationRow {
        title: "Change a user".into(),
        href: None,
        fabric: None,
        state: badge(Tone::Off, Icon::Tick, "Done"),
        took: String::new(),
        changed: ChangedObjects { objects: vec![object("User bob: changed")] },
        ..operation_row(Verb::SyncToKubernetes, OperationState::Succeeded, 70, "alice", "bob. Changed.", None)
    }
}

pub fn activity() -> operations::Page {
    let mut rows = operation_rows();
    rows.insert(1, changed_row());
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
        form: operations::filter::FilterForm {
            action: url::activity(),
            show: String::new(),
            fabrics: vec![Choice { value: "7".into(), label: "lab-1".into(), selected: true }],
            verbs: Verb::ALL
                .iter()
                .map(|verb| Choice { value: verb.as_str().into(), label: verb.title().into(), selected: false })
                .collect(),
            states: vec![],
            codes: vec![],
            actor: "alice".into(),
            since: "2026-02-03T08:00".into(),
            before: String::new(),
        },
        chips: Chips {
            chips: vec![
                Chip { name: "fabric", value: "lab-1".into(), without: url::activity() },
                Chip { name: "by", value: "alice".into(), without: url::activity() },
                Chip { name: "from", value: "2026-02-03 08:00 UTC".into(), without: url::activity() },
            ],
            clear: url::activity(),
        },
        choices: vec![
            Choice { value: url::activity(), label: "Everything".into(), selected: true },
            Choice { value: url::activity(), label: "Rejected and failed".into(), selected: false },
        ],
        table: OperationsTable { rows, show_fabric: true },
        empty: String::new(),
        exports: vec![("CSV", url::activity_export()), ("JSON", url::activity_export())],
        timeline: Some(url::timeline()),
        pager: Pager::new(url::activity(), vec![], 1, 120),
    }
}

pub fn timeline() -> timeline::Page {
    let at = |seconds: i64| now() - SignedDuration::from_secs(seconds);
    timeline::Page::sample(
        frame("Timeline · alice", "timeline", Nav::Activity),
        "alice",
        vec![
            (
                at(7_300),
                badge(Tone::Off, Icon::Tick, "Done"),
                "Log in",
                "Logged in. Request 0191f3c4, from 192.0.2.17.",
                None,
            ),
            (
                at(3_600),
                badge(Tone::Off, Icon::Hollow, "Session over"),
                "A session of alice ended",
                "Firefox on Linux, from 192.0.2.17: not used.",
                None,
            ),
            (
                at(600),
                badge(Tone::Stale, Icon::Arrow, "Led to the login"),
                "Sync to Kubernetes",
                "Redirected to the login page. Your session ended because it was not used for some time; the limit is 60 min.",
                Some("session_idle_expired"),
            ),
            (
                at(500),
                badge(Tone::Off, Icon::Arrow, "Accepted"),
                "Sync to Kubernetes",
                "Operation 64. Request 0191f3d1, from 192.0.2.17.",
                None,
            ),
            (
                at(470),
                badge(Tone::Bad, Icon::Bang, "Failed"),
                "Sync to Kubernetes ended",
                "Operation 64, after 30 s. The API server did not answer in time.",
                Some("kubernetes_timeout"),
            ),
        ],
    )
}
