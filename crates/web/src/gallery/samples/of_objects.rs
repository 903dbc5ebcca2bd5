//! Lists of objects, and one object.

use super::*;
use crate::parts::columns::Cell;

pub fn objects() -> objects::Page {
    let row = |name: &str, state: ObjectState, cells: [&str; 3], place: &str, unconfirmed| objects::Row {
        key: format!("VPC.vpc.githedgehog.com/default/{name}"),
        href: url::object_page(FABRIC, "VPC.vpc.githedgehog.com", "default", name),
        name: name.into(),
        sub: String::new(),
        state: state.into(),
        unconfirmed,
        cells: cells.map(|text| if text.is_empty() { Cell::Missing } else { Cell::Text(text.into()) }).to_vec(),
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
        adopt: Some(option(&url::adopt(FABRIC), "Adopt into Git", false)),
        toggle: Some(option(&url::with_query(&url::objects(FABRIC), &[("wide", "1")]), "2 more columns", false)),
        wide: false,
        choosing: Some(objects::Choosing {
            action: url::sync_review(FABRIC),
            all: Some(("Review all 120 that match".into(), url::sync_review(FABRIC))),
        }),
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
        heartbeat: Some(ago(6)),
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
        adopt: None,
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
        as_written: desired.clone(),
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

fn only_there(kind: &str, group: &str, name: &str, ticked: bool, kept: bool) -> adopt::Row {
    adopt::Row {
        value: format!("{kind}.{group}/default/{name}"),
        ticked,
        name: name.into(),
        kind: kind.into(),
        href: url::object_page(FABRIC, format!("{kind}.{group}"), "default", name),
        kept,
    }
}

pub fn adopt() -> adopt::List {
    let option = |value: &str, label: &str| Choice { value: value.into(), label: label.into(), selected: false };
    adopt::List {
        frame: fabric_frame("Adopt", "adopt"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Objects),
        kinds: vec![
            option("VPC.vpc.githedgehog.com", "VPC (2)"),
            option("Server.wiring.githedgehog.com", "Server (61)"),
        ],
        name: String::new(),
        said: "3 ticked, 1 of them not on this page.".into(),
        rows: vec![
            only_there("VPC", "vpc.githedgehog.com", "legacy", true, true),
            only_there("VPC", "vpc.githedgehog.com", "test-of-a-rather-long-name", false, true),
            only_there("Server", "wiring.githedgehog.com", "server-21", true, false),
        ],
        elsewhere: vec!["Server.wiring.githedgehog.com/default/server-77".into()],
        review_all: url::with_query(&url::adopt(FABRIC), &[("all", "1"), ("step", "review")]),
        total: 63,
        is_filtered: false,
        empty: String::new(),
        pager: Pager::new(url::adopt(FABRIC), vec![], 1, 63),
    }
}

pub fn adopt_review() -> adopt::review::Review {
    let one = |n: usize, name: &str, refused: Option<&str>| adopt::review::Chosen {
        id: format!("adopt-{n}"),
        value: format!("VPC.vpc.githedgehog.com/default/{name}"),
        kind: "VPC".into(),
        name: name.into(),
        href: url::object_page(FABRIC, "VPC.vpc.githedgehog.com", "default", name),
        file: format!("vpcs/{name}.yaml"),
        note: if n == 1 { "vpcs/test.yaml is another file".into() } else { String::new() },
        text: format!(
            "apiVersion: vpc.githedgehog.com/v1beta1\nkind: VPC\nmetadata:\n  name: {name}\nspec:\n  subnets: {{}}\n"
        ),
        refused: refused.map(str::to_owned),
    };
    adopt::review::Review {
        frame: fabric_frame("Review", "adopt"),
        head: head_out_of_sync(),
        tabs: tabs(FabricPage::Objects),
        notices: vec![Notice::new(
            Tone::Waiting,
            "Git holds no Server yet.",
            "From this commit on it does, so that the Server objects of the cluster count for the fabric's state: 60 others \
             stand only there, and will be shown as differing.",
            "Adopt these too, or leave the kind out.",
        )],
        chosen: vec![
            one(0, "legacy", None),
            one(1, "test-vpc", None),
            one(2, "child", Some("It belongs to VPCInterconnect dc-2, which writes it; adopt that one instead.")),
        ],
        rest: vec![],
        fit: 2,
        target: "the branch main of https://git.example.com/lab-1.git; if that branch takes no direct push, a branch of its \
                 own, whose name you are told"
            .into(),
        author: "alice".into(),
        key: "3f0c1c0e-8f1e-4a35-9a52-0b7c4d0a9d12".into(),
        why_not: Some("Needs the permission hedgerow.change_fabric on this fabric.".into()),
        back: url::adopt(FABRIC),
    }
}
