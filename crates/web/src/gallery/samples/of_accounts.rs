//! Users, groups and permissions.

use super::*;
use crate::pages::accounts::{self, Cell, Deed, Filter, Item, ItemList, Row, Tick, Ticks, constraints, explain as why};
use crate::parts::changes::{ChangeRow, ChangedField, ChangedFields};
use field::{Field, FieldKind::*};

fn sections(here: &str) -> Vec<Choice> {
    let all = [
        ("Users", url::users()),
        ("Groups", url::groups()),
        ("Permissions", url::permissions()),
        ("Explain", url::permission_explain()),
    ];
    all.into_iter().map(|(label, value)| Choice { label: label.into(), selected: label == here, value }).collect()
}

fn choice(value: &str, label: &str, selected: bool) -> Choice {
    Choice { value: value.into(), label: label.into(), selected }
}

fn active() -> Badge {
    badge(Tone::Good, Icon::Tick, "Active")
}

pub fn users() -> accounts::Roster {
    let row = |id: i64, name: &str, mark: Badge, rank: &str, groups: &str, last: Cell| Row {
        href: url::user(id),
        name: name.into(),
        cells: vec![Cell::Mark(mark), Cell::Text(rank.into()), Cell::Text(groups.into()), last],
    };
    accounts::Roster {
        frame: frame("Users", "users", Nav::Users),
        title: "Users",
        sections: sections("Users"),
        add: Some(choice(&url::user_add(), "Add a user", false)),
        path: url::users(),
        search: "a".into(),
        filters: vec![Filter {
            name: "active",
            label: "Active",
            options: vec![choice("", "Any", true), choice("true", "Yes", false), choice("false", "No", false)],
        }],
        chips: Chips {
            chips: vec![Chip { name: "name", value: "a".into(), without: url::users() }],
            clear: url::users(),
        },
        columns: vec!["User", "State", "Rank", "Groups", "Last login"],
        rows: vec![
            row(1, "alice", active(), "Administrator", "", Cell::At(ago(40))),
            row(
                2,
                "a.very.long.name.of.somebody@example.net",
                active(),
                "",
                "operators, readers",
                Cell::At(ago(90_000)),
            ),
            row(3, "carl", badge(Tone::Off, Icon::Hollow, "Switched off"), "", "", Cell::Text("never".into())),
        ],
        empty: String::new(),
        pager: Pager::new(url::users(), vec![], 1, 3),
    }
}

pub fn groups_empty() -> accounts::Roster {
    accounts::Roster {
        frame: frame("Groups", "groups", Nav::Users),
        title: "Groups",
        sections: sections("Groups"),
        add: None,
        path: url::groups(),
        search: String::new(),
        filters: vec![],
        chips: Chips { chips: vec![], clear: url::groups() },
        columns: vec!["Group", "Description", "Members", "Permissions"],
        rows: vec![],
        empty: "There is no group that you may see.".into(),
        pager: Pager::new(url::groups(), vec![], 1, 0),
    }
}

fn changes() -> ChangesPanel {
    let field = |name: &str, before: Option<&str>, after: Option<&str>| ChangedField {
        name: name.into(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let row = |seconds, actor: &str, action, fields| ChangeRow {
        when: ago(seconds),
        actor: actor.into(),
        action,
        request_id: "0191f3c4".into(),
        fields: ChangedFields { fields },
    };
    ChangesPanel {
        rows: vec![
            row(
                60,
                "alice",
                "changed",
                vec![field("groups", None, Some("operators")), field("password", Some("set"), Some("changed"))],
            ),
            row(90_000, "system (command line)", "created", vec![field("username", None, Some("bob"))]),
        ],
        total: 31,
    }
}

pub fn user() -> accounts::Sheet {
    let item = |label: &str, href: Option<String>, note: &str| Item { label: label.into(), href, note: note.into() };
    accounts::Sheet {
        frame: frame("bob", "user", Nav::Users).crumbs(vec![("Users".into(), url::users())], "bob"),
        title: "bob".into(),
        mark: Some(active()),
        sections: sections("Users"),
        deeds: vec![
            Deed { label: "Edit".into(), href: url::user_edit(2), is_danger: false },
            Deed { label: "Delete".into(), href: url::user_delete(2), is_danger: true },
        ],
        facts: vec![Fact::new("Administrator", "no"), Fact::at("Last login", Some(ago(90_000)), "never")],
        text: Some(("Constraints".into(), "{\n  \"name__startswith\": \"lab-\"\n}".into())),
        lists: vec![
            ItemList {
                id: "permissions",
                title: "Permissions".into(),
                items: vec![
                    item(
                        "labs",
                        Some(url::permission(1)),
                        "View, sync: fabrics whose name begins with lab-; given directly, by the group operators",
                    ),
                    item("old", None, "Switched off. View: all fabrics; given directly"),
                ],
                empty: String::new(),
            },
            ItemList {
                id: "groups",
                title: "Groups".into(),
                items: vec![],
                empty: "The user belongs to no group that you may see.".into(),
            },
        ],
        sessions: Some((
            vec![SessionRow {
                way: "by the provider of logins",
                id: 4,
                is_this: false,
                is_open: true,
                browser: "Firefox on Linux".into(),
                agent: "Mozilla/5.0".into(),
                address: "192.0.2.7".into(),
                began: ago(9_000),
                used: ago(40),
                ends: ago(-3_000),
                reason: String::new(),
            }],
            url::user_sessions_end(2),
        )),
        tokens: Some(vec![(of_tokens::token("a2bcdefghijk", "pipeline of the lab"), url::user_token_revoke(2, 3))]),
        changes: Some(changes()),
    }
}

fn ticks(name: &'static str, legend: &'static str, labels: &[&str], error: Option<&str>) -> Ticks {
    let tick =
        |(index, label): (usize, &&str)| Tick { value: index.to_string(), label: (*label).into(), checked: index == 0 };
    Ticks {
        name,
        legend,
        help: String::new(),
        options: labels.iter().enumerate().map(tick).collect(),
        empty: "There is no group that you may see.",
        error: error.map(str::to_owned),
    }
}

pub fn user_form() -> accounts::Form {
    let mut name = Field::new(Text, "username", "Name", "bob the builder").required();
    let wrong = "A user's name has 1 to 150 letters, digits, or . _ - + @.";
    name.error = Some(wrong.into());
    accounts::Form {
        frame: frame("Add a user", "user_add", Nav::Users),
        title: "Add a user".into(),
        action: url::user_add(),
        lead: "Members may do what the group's permissions grant.".into(),
        fields: vec![
            name,
            Field::new(Secret, "password", "Password", "").required().help("At least 10 characters."),
            Field::new(Check, "is_active", "Active", "on").help("Whoever is switched off cannot log in."),
        ],
        ticks: vec![ticks("group", "Groups", &["operators", "readers"], None)],
        errors: vec![("username".into(), wrong.into())],
        notice: Some(Notice::new(
            Tone::Bad,
            "Nothing was saved. This would give others hedgerow.delete_fabric, which you do not have yourself.",
            "",
            "Ask an administrator to do it, or leave this out.",
        )),
        password: Some(
            Field::new(Password, "current_password", "Your own password", "").help("Needed for this change."),
        ),
        submit: "Add the user".into(),
        cancel: url::users(),
    }
}

pub fn user_delete() -> accounts::Delete {
    accounts::Delete {
        frame: frame("Delete", "user_delete", Nav::Users),
        title: "Delete the user alice".into(),
        lead: "The user's sessions end. What the user did stays in the activity, under this name.".into(),
        facts: vec![Fact::new("Administrator", "yes: may do everything")],
        action: url::user_delete(1),
        submit: "Delete the user alice".into(),
        cancel: url::user(1),
        password: None,
        notice: Some(Notice::new(
            Tone::Bad,
            "Nothing was deleted. This is the last active administrator; make another user one first.",
            "",
            "",
        )),
    }
}

pub fn permission_form() -> accounts::permissions::form::Page {
    let mut terms = Field::new(Area, "constraints", "Constraints", "{\"name__regex\": \"lab\"}");
    terms.error = Some("The term name__regex: 'regex' is not a comparison.".into());
    let (types, lookups) = constraints::reference();
    accounts::permissions::form::Page {
        frame: frame("Add a permission", "permission_add", Nav::Users),
        title: "Add a permission".into(),
        action: url::permission_add(),
        name: Field::new(Text, "name", "Name", "labs").required(),
        enabled: Field::new(Check, "enabled", "On", "on").help("Switched off, it grants nothing."),
        actions: ticks("actions", "What may be done", &["view", "add", "change"], None),
        object_types: ticks("object_types", "To what", &["fabrics", "users"], Some("Tick what it may be done to.")),
        constraints: terms,
        matches: vec![constraints::Matches {
            plural: "fabrics",
            names: vec!["lab-1".into(), "lab-2".into()],
            total: 3,
            of: 12,
        }],
        types,
        lookups,
        users: ticks("user", "Users", &["alice", "bob"], None),
        groups: ticks("group", "Groups", &[], None),
        errors: vec![("constraints".into(), "The term name__regex: 'regex' is not a comparison.".into())],
        notice: None,
        password: None,
        submit: "Add the permission".into(),
        cancel: url::permissions(),
    }
}

pub fn explain() -> why::Page {
    let row = |name: &str, href: Option<String>, verdict: Badge, says: &[&str], rank| why::ConsideredView {
        name: name.into(),
        href,
        ways: "by the group operators".into(),
        verdict,
        says: says.iter().map(|each| (*each).to_owned()).collect(),
        rank,
    };
    let does_not = badge(Tone::Off, Icon::Hollow, "Does not");
    why::Page {
        frame: frame("Explain", "permission_explain", Nav::Users),
        sections: sections("Explain"),
        users: vec![choice("2", "bob", true)],
        actions: vec![choice("view", "view", false), choice("sync", "sync", true)],
        types: vec![choice("hedgerow.fabric", "fabrics", true)],
        objects: vec![choice("", "Any", false), choice("7", "prod", true)],
        of: "hedgerow.fabric".into(),
        may: badge(Tone::Bad, Icon::Stopped, "May not"),
        sentence: "bob may not sync the fabric prod.".into(),
        why: "No permission of the user grants it.".into(),
        is_inactive: false,
        is_superuser: false,
        missing: vec!["hedgerow.sync_fabric".into()],
        steps: vec![
            why::StepView {
                title: "View the fabric prod".into(),
                may: badge(Tone::Good, Icon::Tick, "May"),
                rows: vec![row(
                    "see all",
                    Some(url::permission(1)),
                    badge(Tone::Good, Icon::Tick, "Grants it"),
                    &["It grants this on all fabrics."],
                    0,
                )],
            },
            why::StepView {
                title: "Sync the fabric prod".into(),
                may: badge(Tone::Bad, Icon::Stopped, "May not"),
                rows: vec![
                    row(
                        "labs",
                        None,
                        does_not.clone(),
                        &["Does not match: name begins with lab- – the name is “prod”."],
                        1,
                    ),
                    row("see all", Some(url::permission(1)), does_not, &["It grants view."], 3),
                ],
            },
        ],
    }
}
