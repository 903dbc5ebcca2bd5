//! Groups: the list, one group, the forms, and deleting one.

use super::users::{chips, links_to, may_add};
use super::{
    Cell, Deed, Delete, Errors, Form, Item, ItemList, Roster, Row, Sheet, Ticks, changes, choices, choosable, deleted,
    done, frame, linked, own_password, refused, sections, seen, ticked, words,
};
use crate::extract::{Fields, OfGroup};
use crate::parts::field::{Field, FieldKind};
use crate::parts::list::page_of;
use crate::parts::{Fact, Notice, Pager};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::{Action, ObjectType};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use store::nouns::Links;
use store::{Group, GroupSpec, Link, Noun};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    let add = Needs::Type(Action::Add, ObjectType::Group);
    let (change, delete) = (Needs::Group(Action::Change), Needs::Group(Action::Delete));
    vec![
        Route::page("groups", pattern::groups, Needs::Type(Action::View, ObjectType::Group), list),
        Route::page("group_add", pattern::group_add, add, show_add),
        Route::recorded("group_add", pattern::group_add, add, add_one).sensitive(),
        Route::page("group", pattern::group, Needs::Group(Action::View), show),
        Route::page("group_edit", pattern::group_edit, change, show_edit),
        Route::recorded("group_edit", pattern::group_edit, change, edit).sensitive(),
        Route::page("group_delete", pattern::group_delete, delete, show_delete),
        Route::recorded("group_delete", pattern::group_delete, delete, delete_one).sensitive(),
    ]
}

/// Names in a cell; the rest is a number.
pub(super) fn some_of(names: &[&str]) -> String {
    match names.len() {
        0..=4 => names.join(", "),
        all => format!("{} and {} more", names[..3].join(", "), all - 3),
    }
}

async fn list(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let number = query.page()?;
    let search = query.get("q");
    let (users, groups) = (seen(&view, ObjectType::User), seen(&view, ObjectType::Group));
    let listed = state.store.groups().list_in(&groups, search, page_of(number)).await?;
    let members = state.store.nouns().links(Link::Member, (&groups, &users), None).await?;
    let permissions = seen(&view, ObjectType::ObjectPermission);
    let given = state.store.nouns().links(Link::ToGroup, (&permissions, &groups), None).await?;
    let row = |group: &Group| {
        let of: Vec<&str> =
            members.iter().filter(|pair| pair.left.id == group.id).map(|pair| pair.right.name.as_str()).collect();
        let has: Vec<&str> =
            given.iter().filter(|pair| pair.right.id == group.id).map(|pair| pair.left.name.as_str()).collect();
        Row {
            href: url::group(group.id),
            name: group.name.clone(),
            cells: vec![Cell::Text(group.description.clone()), Cell::Text(some_of(&of)), Cell::Text(some_of(&has))],
        }
    };
    let pairs: Vec<(String, String)> = search.iter().map(|text| ("q".to_owned(), (*text).to_owned())).collect();
    let path = url::groups();
    let page = Roster {
        frame: frame(&view, "groups", "Groups", vec![])?,
        title: "Groups",
        sections: sections(&view, &path),
        add: may_add(&view, ObjectType::Group, url::group_add(), "Add a group"),
        search: search.unwrap_or_default().to_owned(),
        filters: vec![],
        chips: chips(&path, &pairs, |_, value| value.to_owned()),
        columns: vec!["Group", "Description", "Members", "Permissions"],
        rows: listed.rows.iter().map(row).collect(),
        empty: match (listed.total, pairs.is_empty()) {
            (1.., _) => "This list has fewer pages.".to_owned(),
            (0, true) => "There is no group that you may see.".to_owned(),
            (0, false) => "No group that you may see has this in its name or description.".to_owned(),
        },
        pager: Pager::new(path.clone(), pairs, number, listed.total),
        path,
    };
    view::page("groups", &page)
}

async fn show(State(state): State<AppState>, view: View, OfGroup(group): OfGroup) -> Result<Response, Problem> {
    let access = &view.login.access;
    let mut deeds = Vec::new();
    let mut deed = |label: &str, href: String, is_danger| deeds.push(Deed { label: label.to_owned(), href, is_danger });
    if access.group(group.id, Action::Change).await.is_ok() {
        deed("Edit", url::group_edit(group.id), false);
    }
    if access.group(group.id, Action::Delete).await.is_ok() {
        deed("Delete", url::group_delete(group.id), true);
    }
    let members = linked(&view, Link::Member, (Noun::Group, group.id)).await?;
    let mut permissions = Vec::new();
    for one in linked(&view, Link::ToGroup, (Noun::Group, group.id)).await? {
        let permission = state.store.permissions().get(one.id).await?;
        let off = if permission.enabled { "" } else { "Switched off. " };
        permissions.push(Item {
            label: one.name,
            href: Some(url::permission(one.id)),
            note: format!("{off}{}", capitalised(&words::permission(&permission))),
        });
    }
    let page = Sheet {
        frame: frame(&view, "group", &group.name, vec![("Groups".to_owned(), url::groups())])?,
        title: group.name.clone(),
        mark: None,
        sections: sections(&view, &url::groups()),
        deeds,
        facts: facts(&group),
        text: None,
        lists: vec![
            ItemList {
                id: "members",
                title: "Members".to_owned(),
                items: links_to(members, url::user),
                empty: "No user that you may see belongs to the group.".to_owned(),
            },
            ItemList {
                id: "permissions",
                title: "Permissions".to_owned(),
                items: permissions,
                empty: "No permission that you may see is given to the group.".to_owned(),
            },
        ],
        sessions: None,
        tokens: None,
        changes: Some(changes::of_object(&view, Noun::Group, group.id).await?),
    };
    view::page("group", &page)
}

fn facts(group: &Group) -> Vec<Fact> {
    vec![Fact::new("Description", if group.description.is_empty() { "none" } else { &group.description })]
}

/// The boxes of the members.
const MEMBERS: (&str, ObjectType) = ("member", ObjectType::User);

/// What the form holds.
#[derive(Default)]
struct Draft {
    name: String,
    description: String,
    session_idle: String,
    session_absolute: String,
    members: Vec<i64>,
    errors: Errors,
}

impl Draft {
    fn read(fields: &Fields) -> Self {
        let mut draft = Self {
            name: fields.text("name").to_owned(),
            description: fields.text("description").to_owned(),
            session_idle: fields.text("session_idle").to_owned(),
            session_absolute: fields.text("session_absolute").to_owned(),
            members: ticked(fields.every("member")),
            errors: Errors::default(),
        };
        draft.errors.name("name", &draft.name, "A group");
        draft.errors.length("description", &draft.description, 500);
        for (name, text) in [("session_idle", &draft.session_idle), ("session_absolute", &draft.session_absolute)] {
            if !text.is_empty() && seconds(text).is_none() {
                draft.errors.set(name, "Give whole minutes, from 1 to 43200, or nothing.");
            }
        }
        draft
    }

    /// How long sessions last is the administrators' to say: whoever may change a group may belong to it.
    fn guard_limits(&mut self, view: &View, (idle, absolute): (Option<u32>, Option<u32>)) {
        if view.login.user.is_superuser {
            return;
        }
        for (name, given, stored) in
            [("session_idle", &self.session_idle, idle), ("session_absolute", &self.session_absolute, absolute)]
        {
            if *given != minutes(stored) {
                self.errors.set(name, "Only an administrator may change how long sessions last.");
            }
        }
    }

    fn spec(&self) -> GroupSpec {
        GroupSpec {
            session_idle: seconds(&self.session_idle),
            session_absolute: seconds(&self.session_absolute),
            ..GroupSpec::new(&self.name, &self.description)
        }
    }
}

/// A limit that was entered in minutes.
fn seconds(minutes: &str) -> Option<u32> {
    minutes.parse().ok().filter(|minutes: &u32| (1..=43_200).contains(minutes)).map(|minutes| minutes * 60)
}

/// A limit as it is entered.
fn minutes(seconds: Option<u32>) -> String {
    seconds.map(|seconds| seconds.div_ceil(60).to_string()).unwrap_or_default()
}

async fn form(view: &View, group: Option<&Group>, draft: &Draft) -> Result<Form, Problem> {
    let list = ("Groups".to_owned(), url::groups());
    let (name, title, way, action, cancel) = match group {
        None => ("group_add", "Add a group", vec![list], url::group_add(), url::groups()),
        Some(group) => {
            let way = vec![list, (group.name.clone(), url::group(group.id))];
            ("group_edit", "Edit", way, url::group_edit(group.id), url::group(group.id))
        }
    };
    let mut fields = vec![
        Field::new(FieldKind::Text, "name", "Name", &draft.name).required(),
        Field::new(FieldKind::Text, "description", "Description", &draft.description),
        Field::new(
            FieldKind::Text,
            "session_idle",
            "Sessions of members end unused after, in minutes",
            &draft.session_idle,
        )
        .help(
            "Empty: as the settings say. Of several groups the shortest counts, for sessions that begin from now on.",
        ),
        Field::new(
            FieldKind::Text,
            "session_absolute",
            "Sessions of members end in any case after, in minutes",
            &draft.session_absolute,
        ),
    ];
    draft.errors.on(&mut fields);
    let all = choices(view, ObjectType::User).await?;
    let ticks =
        Ticks::of(("member", "Members"), all, &draft.members, "There is no user that you may see.", &draft.errors);
    Ok(Form {
        frame: frame(view, name, title, way)?,
        title: group.map_or_else(|| title.to_owned(), |group| format!("Edit {}", group.name)),
        action,
        lead: "Members may do what the group's permissions grant.".to_owned(),
        fields,
        ticks: vec![ticks],
        errors: draft.errors.list(),
        notice: draft.errors.notice(),
        password: own_password(view),
        submit: if group.is_some() { "Save changes" } else { "Add the group" }.to_owned(),
        cancel,
    })
}

async fn show_add(view: View) -> Result<Response, Problem> {
    view::page("group_add", &form(&view, None, &Draft::default()).await?)
}

async fn add_one(State(state): State<AppState>, view: View, fields: Fields) -> Result<Response, Problem> {
    let mut draft = Draft::read(&fields);
    draft.guard_limits(&view, (None, None));
    choosable(&view, &fields, MEMBERS, &mut draft.errors).await?;
    if draft.errors.is_empty() {
        let (scope, author) = (view.login.access.require_on(Action::Add, ObjectType::Group)?, view.author());
        match state.store.groups().by(&author).add(&scope, &draft.spec(), &draft.members).await {
            Ok(group) => {
                return Ok(done(
                    &view,
                    &url::group(group.id),
                    StatusCode::CREATED,
                    format!("The group {} was added.", group.name),
                ));
            }
            Err(error) => {
                let error = view.hide_taken(error, ObjectType::Group, &draft.name).await;
                draft.errors.of_store(error, "name", "name")?;
            }
        }
    }
    refused(&view, "group_add", &form(&view, None, &draft).await?, &draft.errors)
}

async fn show_edit(view: View, OfGroup(group): OfGroup) -> Result<Response, Problem> {
    let members = linked(&view, Link::Member, (Noun::Group, group.id)).await?;
    let (idle, absolute) = view.state.store.groups().session_limits(group.id).await?;
    let draft = Draft {
        name: group.name.clone(),
        description: group.description.clone(),
        session_idle: minutes(idle),
        session_absolute: minutes(absolute),
        members: members.iter().map(|one| one.id).collect(),
        errors: Errors::default(),
    };
    view::page("group_edit", &form(&view, Some(&group), &draft).await?)
}

async fn edit(
    State(state): State<AppState>,
    view: View,
    OfGroup(group): OfGroup,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut draft = Draft::read(&fields);
    draft.guard_limits(&view, state.store.groups().session_limits(group.id).await?);
    let seen = choosable(&view, &fields, MEMBERS, &mut draft.errors).await?;
    if draft.errors.is_empty() {
        let now = linked(&view, Link::Member, (Noun::Group, group.id)).await?;
        let now: Vec<i64> = now.iter().map(|one| one.id).collect();
        let links = Links::choose(&seen, &now, &draft.members);
        let (scope, author) = (view.login.access.require_on(Action::Change, ObjectType::Group)?, view.author());
        match state.store.groups().by(&author).update(&scope, group.id, &draft.spec(), &links).await {
            Ok(group) => {
                return Ok(done(
                    &view,
                    &url::group(group.id),
                    StatusCode::OK,
                    format!("The group {} was changed.", group.name),
                ));
            }
            Err(error) => {
                let error = view.hide_taken(error, ObjectType::Group, &draft.name).await;
                draft.errors.of_store(error, "name", "name")?;
            }
        }
    }
    refused(&view, "group_edit", &form(&view, Some(&group), &draft).await?, &draft.errors)
}

fn delete_page(view: &View, group: &Group, notice: Option<Notice>) -> Result<Delete, Problem> {
    let way = vec![("Groups".to_owned(), url::groups()), (group.name.clone(), url::group(group.id))];
    Ok(Delete {
        frame: frame(view, "group_delete", "Delete", way)?,
        title: format!("Delete the group {}", group.name),
        lead: "Its members stay, without what the group gave them.".to_owned(),
        facts: facts(group),
        action: url::group_delete(group.id),
        submit: format!("Delete the group {}", group.name),
        cancel: url::group(group.id),
        notice,
        password: own_password(view),
    })
}

async fn show_delete(view: View, OfGroup(group): OfGroup) -> Result<Response, Problem> {
    view::page("group_delete", &delete_page(&view, &group, None)?)
}

async fn delete_one(State(state): State<AppState>, view: View, OfGroup(group): OfGroup) -> Result<Response, Problem> {
    let (scope, author) = (view.login.access.require_on(Action::Delete, ObjectType::Group)?, view.author());
    let result = state.store.groups().by(&author).delete_in(&scope, group.id).await;
    let said = format!("The group {} was deleted.", group.name);
    let page = |notice| delete_page(&view, &group, Some(notice));
    deleted(&view, "group_delete", result, (&url::groups(), said), page)
}
