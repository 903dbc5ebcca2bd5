//! Object permissions: the list, one permission, the form with its editor of constraints, and deleting one.

pub mod form;

use super::constraints;
use super::groups::some_of;
use super::users::{any_of, chips, links_to, may_add, yes_no};
use super::{
    Cell, Deed, Delete, Filter, ItemList, Roster, Row, Sheet, changes, deleted, frame, linked, own_password, sections,
    seen, words, yes_or_no,
};
use crate::extract::OfPermission;
use crate::parts::list::page_of;
use crate::parts::{Fact, Notice, Pager};
use crate::problem::Problem;
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::{Action, ObjectType};
use axum::extract::State;
use axum::response::Response;
use store::permissions::PermissionFilter;
use store::{Link, Noun, ObjectPermission};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    let add = Needs::Type(Action::Add, ObjectType::ObjectPermission);
    let (change, delete) = (Needs::Permission(Action::Change), Needs::Permission(Action::Delete));
    let list_needs = Needs::Type(Action::View, ObjectType::ObjectPermission);
    let mut routes = vec![
        Route::page("permissions", pattern::permissions, list_needs, list),
        Route::page("permission_add", pattern::permission_add, add, form::show_add),
        Route::recorded("permission_add", pattern::permission_add, add, form::add_one).sensitive(),
        Route::page("permission", pattern::permission, Needs::Permission(Action::View), show),
        Route::page("permission_edit", pattern::permission_edit, change, form::show_edit),
        Route::recorded("permission_edit", pattern::permission_edit, change, form::edit).sensitive(),
        Route::page("permission_delete", pattern::permission_delete, delete, show_delete),
        Route::recorded("permission_delete", pattern::permission_delete, delete, delete_one).sensitive(),
    ];
    routes.append(&mut constraints::routes());
    routes
}

async fn list(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let number = query.page()?;
    let search = query.get("q").map(str::to_owned);
    let enabled: Option<bool> = query.word("enabled")?;
    let of_type: Option<ObjectType> = query.word("type")?;
    let scope = seen(&view, ObjectType::ObjectPermission);
    let filter = PermissionFilter { search: search.clone(), enabled, object_type: of_type.map(ObjectType::name) };
    let listed = state.store.permissions().list_in(&scope, &filter, page_of(number)).await?;
    let (users, groups) = (seen(&view, ObjectType::User), seen(&view, ObjectType::Group));
    let to_users = state.store.nouns().links(Link::ToUser, (&scope, &users), None).await?;
    let to_groups = state.store.nouns().links(Link::ToGroup, (&scope, &groups), None).await?;
    let row = |permission: &ObjectPermission| {
        let holders = to_groups.iter().chain(&to_users).filter(|pair| pair.left.id == permission.id);
        let holders: Vec<&str> = holders.map(|pair| pair.right.name.as_str()).collect();
        Row {
            href: url::permission(permission.id),
            name: permission.name.clone(),
            cells: vec![
                Cell::Mark(yes_or_no(permission.enabled, "On", "Off")),
                Cell::Text(words::permission(permission)),
                Cell::Text(some_of(&holders)),
            ],
        }
    };
    let word = |value: Option<bool>| value.map(|truth| truth.to_string()).unwrap_or_default();
    let type_name = of_type.map(ObjectType::name).unwrap_or_default();
    let all = [("q", search.clone().unwrap_or_default()), ("enabled", word(enabled)), ("type", type_name.clone())];
    let pairs: Vec<(String, String)> =
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect();
    let types = ObjectType::ALL.iter().map(|each| (each.name(), each.plural().to_owned()));
    let shown = |name: &str, value: &str| match (name, value) {
        ("enabled", "true") => "yes".to_owned(),
        ("enabled", _) => "no".to_owned(),
        ("type", name) => name.parse::<ObjectType>().map_or(name.to_owned(), |each| each.plural().to_owned()),
        (_, value) => value.to_owned(),
    };
    let path = url::permissions();
    let page = Roster {
        frame: frame(&view, "permissions", "Permissions", vec![])?,
        title: "Permissions",
        sections: sections(&view, &path),
        add: may_add(&view, ObjectType::ObjectPermission, url::permission_add(), "Add a permission"),
        search: search.unwrap_or_default(),
        filters: vec![
            Filter { name: "enabled", label: "On", options: yes_no(&word(enabled)) },
            Filter { name: "type", label: "About", options: any_of(types, Some(type_name)) },
        ],
        chips: chips(&path, &pairs, shown),
        columns: vec!["Permission", "State", "What it grants", "Given to"],
        rows: listed.rows.iter().map(row).collect(),
        empty: match (listed.total, pairs.is_empty()) {
            (1.., _) => "This list has fewer pages.".to_owned(),
            (0, true) => "There is no permission that you may see.".to_owned(),
            (0, false) => "No permission that you may see fits these filters. Take one off above.".to_owned(),
        },
        pager: Pager::new(path.clone(), pairs, number, listed.total),
        path,
    };
    view::page("permissions", &page)
}

fn facts(permission: &ObjectPermission) -> Vec<Fact> {
    let mut facts = vec![
        Fact::new("On", if permission.enabled { "yes" } else { "no: it grants nothing" }),
        Fact::new("Actions", words::actions(permission)),
        Fact::new("On objects", words::object_types(permission)),
    ];
    let limits = words::limits(permission).map_or("none: all of them".to_owned(), |limits| format!("whose {limits}"));
    facts.push(Fact::new("Limits", limits));
    facts
}

fn pretty(permission: &ObjectPermission) -> String {
    permission.constraints.as_ref().and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default()
}

async fn show(view: View, OfPermission(permission): OfPermission) -> Result<Response, Problem> {
    let access = &view.login.access;
    let mut deeds = Vec::new();
    let mut deed = |label: &str, href: String, is_danger| deeds.push(Deed { label: label.to_owned(), href, is_danger });
    if access.permission(permission.id, Action::Change).await.is_ok() {
        deed("Edit", url::permission_edit(permission.id), false);
    }
    if access.permission(permission.id, Action::Delete).await.is_ok() {
        deed("Delete", url::permission_delete(permission.id), true);
    }
    let this = (Noun::Permission, permission.id);
    let (users, groups) = (linked(&view, Link::ToUser, this).await?, linked(&view, Link::ToGroup, this).await?);
    let text = pretty(&permission);
    let way = vec![("Permissions".to_owned(), url::permissions())];
    let page = Sheet {
        frame: frame(&view, "permission", &permission.name, way)?,
        title: permission.name.clone(),
        mark: Some(yes_or_no(permission.enabled, "On", "Off")),
        sections: sections(&view, &url::permissions()),
        deeds,
        facts: facts(&permission),
        text: (!text.is_empty()).then(|| ("Constraints".to_owned(), text)),
        lists: vec![
            ItemList {
                id: "users",
                title: "Given to users".to_owned(),
                items: links_to(users, url::user),
                empty: "It is given to no user that you may see.".to_owned(),
            },
            ItemList {
                id: "groups",
                title: "Given to groups".to_owned(),
                items: links_to(groups, url::group),
                empty: "It is given to no group that you may see.".to_owned(),
            },
        ],
        sessions: None,
        tokens: None,
        changes: Some(changes::of_object(&view, Noun::Permission, permission.id).await?),
    };
    view::page("permission", &page)
}

fn delete_page(view: &View, permission: &ObjectPermission, notice: Option<Notice>) -> Result<Delete, Problem> {
    let way =
        vec![("Permissions".to_owned(), url::permissions()), (permission.name.clone(), url::permission(permission.id))];
    Ok(Delete {
        frame: frame(view, "permission_delete", "Delete", way)?,
        title: format!("Delete the permission {}", permission.name),
        lead: "Whoever has it may no longer do what it grants, from the next request on.".to_owned(),
        facts: facts(permission),
        action: url::permission_delete(permission.id),
        submit: format!("Delete the permission {}", permission.name),
        cancel: url::permission(permission.id),
        notice,
        password: own_password(view),
    })
}

async fn show_delete(view: View, OfPermission(permission): OfPermission) -> Result<Response, Problem> {
    view::page("permission_delete", &delete_page(&view, &permission, None)?)
}

async fn delete_one(
    State(state): State<AppState>,
    view: View,
    OfPermission(permission): OfPermission,
) -> Result<Response, Problem> {
    let scope = view.login.access.require_on(Action::Delete, ObjectType::ObjectPermission)?;
    let result = state.store.permissions().by(&view.author()).delete_in(&scope, permission.id).await;
    let said = format!("The permission {} was deleted.", permission.name);
    let page = |notice| delete_page(&view, &permission, Some(notice));
    deleted(&view, "permission_delete", result, (&url::permissions(), said), page)
}
