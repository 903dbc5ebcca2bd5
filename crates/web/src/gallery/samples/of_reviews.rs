//! What a sync would do: with everything that can stand there, with nothing, and with chosen objects.

use super::*;
use crate::pages::review::{Change, Deletion, Field, Page, Prune, Sum};

fn field(path: &str, live: Option<&str>, desired: Option<&str>, by: &str, is_overwritten: bool) -> Field {
    Field {
        value: format!("VPC.vpc.githedgehog.com/default/vpc-02#{path}"),
        path: path.into(),
        live: live.map(str::to_owned),
        desired: desired.map(str::to_owned),
        by: by.into(),
        when: (!by.is_empty()).then(|| ago(180)),
        is_overwritten,
        is_left: false,
    }
}

fn change(name: &str, kind: &str, action: Badge, why: &str, fields: Vec<Field>, switches: &str) -> Change {
    Change {
        id: format!("c-{name}"),
        key: format!("{kind}.vpc.githedgehog.com/default/{name}"),
        href: url::object_page(FABRIC, format!("{kind}.vpc.githedgehog.com"), "default", name),
        name: name.into(),
        kind: kind.into(),
        action,
        why: why.into(),
        fields,
        folded: vec![],
        switches: switches.into(),
        is_selection: false,
        is_written: true,
        is_left: false,
    }
}

pub fn review() -> Page {
    let overwrite = badge(Tone::Changed, Icon::Pencil, "Overwrite");
    let create = || badge(Tone::Waiting, Icon::Arrow, "Create");
    let mut head = head_out_of_sync();
    head.review = None;
    head.verbs.clear();
    let mut changes = vec![
        change(
            "vpc-02",
            "VPC",
            overwrite,
            "1 value that somebody else set is overwritten.",
            vec![
                field("spec.subnets.default.vlan", Some("1002"), Some("1001"), "by kubectl-edit", true),
                field("spec.subnets.default.restricted", None, Some("true"), "", false),
            ],
            "leaf-01, leaf-02",
        ),
        change("vpc-05", "VPC", create(), "It is not in the cluster yet.", vec![], ""),
        change("vpc-05--server-3", "VPCAttachment", create(), "It is not in the cluster yet.", vec![], "leaf-03"),
        change("vpc-06", "VPC", badge(Tone::Bad, Icon::Bang, "Has errors, stays"), "vlan is no number", vec![], ""),
    ];
    changes[1].is_left = true;
    changes[3].is_written = false;
    Page {
        frame: fabric_frame("Review", "sync_review"),
        head,
        tabs: tabs(FabricPage::Review),
        notices: vec![],
        action: url::sync(FABRIC),
        review: url::sync_review(FABRIC),
        key: "3f0c1c0e-8f1e-4a35-9a52-0b7c4d0a9d11".into(),
        comparison: Some(4711),
        age: Some(ago(12)),
        commit: "4f2a9c1 Widen the pod's VPCs".into(),
        summary: vec![
            Sum::new(Tone::Waiting, 2, "would be created"),
            Sum::new(Tone::Waiting, 1, "would be updated"),
            Sum::new(Tone::Changed, 1, "with changes of somebody else"),
            Sum::new(Tone::Bad, 1, "with errors, left as they are"),
            Sum::new(Tone::Bad, 2, "would be deleted"),
        ],
        stop: Some(Notice::failure(model::Code::PreflightFailed, "This run would end before its first write.")),
        why_not: None,
        kinds: vec![
            Choice { value: "VPC.vpc.githedgehog.com".into(), label: "VPC (3)".into(), selected: true },
            Choice {
                value: "VPCAttachment.vpc.githedgehog.com".into(),
                label: "VPCAttachment (1)".into(),
                selected: false,
            },
        ],
        kinds_open: true,
        is_selection: false,
        kept: vec![("leave_object", "VPC.vpc.githedgehog.com/default/vpc-77".into())],
        kept_words: "On other pages: 1 left-out object. They stay chosen.".into(),
        changes,
        empty: String::new(),
        findings: vec![FindingLine {
            severity: Severity::Error.into(),
            message: "The server would drop spec.subnets.default.vlann. Correct the name, or take it out.".into(),
            rule: "unknown_field".into(),
            object: Some(("VPC vpc-06".into(), url::objects(FABRIC))),
            path: None,
            place: "vpcs/vpc-06.yaml:9:7".into(),
        }],
        findings_total: 3,
        addresses: Some(false),
        prune: Some(Prune {
            is_chosen: true,
            why_not: None,
            deletions: vec![
                Deletion {
                    key: "VPC.vpc.githedgehog.com/default/old".into(),
                    is_left: false,
                    name: "old--server-1".into(),
                    kind: "VPCAttachment".into(),
                    href: url::objects(FABRIC),
                    note: String::new(),
                },
                Deletion {
                    key: "VPC.vpc.githedgehog.com/default/old".into(),
                    is_left: false,
                    name: "old".into(),
                    kind: "VPC".into(),
                    href: url::objects(FABRIC),
                    note: "used by VPCPeering a--old".into(),
                },
            ],
            total: 2,
            stop: Some(Notice::failure(
                model::Code::PreflightFailed,
                "With these deletions the run would end before its first write.",
            )),
            kept_total: 1,
            kept: vec![Deletion {
                key: String::new(),
                is_left: false,
                name: "made-by-hand".into(),
                kind: "VPC".into(),
                href: url::objects(FABRIC),
                note: "Hedgerow did not write it, and nobody took it over into Git.".into(),
            }],
            confirm: Some("2 of 5 objects would be deleted; more than 20 percent have to be confirmed.".into()),
            typed: "estt".into(),
            typed_error: Some("'estt' is not the fabric's name.".into()),
        }),
        pager: Pager::new(url::sync_review(FABRIC), vec![], 1, 120),
    }
}

pub fn review_empty() -> Page {
    let mut page = review();
    page.changes.clear();
    page.summary.clear();
    page.findings.clear();
    page.kinds.clear();
    (page.prune, page.addresses, page.kept_words, page.stop) = (None, None, String::new(), None);
    page.empty = "Nothing. Every object of Git is in the cluster as Git has it.".into();
    page.pager = Pager::new(url::sync_review(FABRIC), vec![], 1, 0);
    page
}

pub fn review_chosen() -> Page {
    let mut page = review();
    page.changes.truncate(2);
    page.changes.iter_mut().for_each(|change| change.is_selection = true);
    (page.is_selection, page.prune, page.addresses, page.stop) = (true, None, None, None);
    page.kinds.clear();
    page.kept_words = "On other pages: 4 chosen objects. They stay chosen.".into();
    page.why_not = Some("Sync is switched off for this fabric: switch it on in Settings.".into());
    page
}
