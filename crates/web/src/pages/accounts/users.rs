//! Users: the list, one user, the forms, a new password, and deleting one.

mod form;

use super::{
    Cell, Deed, Delete, Filter, Item, ItemList, Roster, Row, Sheet, changes, choices, deleted, done, frame, linked,
    own_password, sections, seen, words, yes_or_no,
};
use crate::extract::OfUser;
use crate::pages::tokens::Row as TokenRow;
use crate::parts::list::{Chip, page_of};
use crate::parts::{Chips, Choice, Fact, Notice, Pager, SessionRow};
use crate::problem::{Problem, capitalised};
use crate::routes::{Needs, Route};
use crate::state::AppState;
use crate::url::{self, pattern};
use crate::view::{self, View};
use auth::{Action, ObjectType};
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use http::StatusCode;
use model::Code;
use store::users::UserFilter;
use store::{Link, Named, Noun, Scope, User};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    let add = Needs::Type(Action::Add, ObjectType::User);
    let (change, delete) = (Needs::User(Action::Change), Needs::User(Action::Delete));
    vec![
        Route::page("users", pattern::users, Needs::Type(Action::View, ObjectType::User), list),
        Route::page("user_add", pattern::user_add, add, form::show_add),
        Route::recorded("user_add", pattern::user_add, add, form::add_one).sensitive(),
        Route::page("user", pattern::user, Needs::User(Action::View), show),
        Route::page("user_edit", pattern::user_edit, change, form::show_edit),
        Route::recorded("user_edit", pattern::user_edit, change, form::edit).sensitive(),
        Route::page("user_password", pattern::user_password, change, form::show_password),
        Route::recorded("user_password", pattern::user_password, change, form::password).sensitive(),
        Route::recorded("user_token_revoke", pattern::user_token_revoke, change, revoke_token).sensitive(),
        Route::recorded("user_sessions_end", pattern::user_sessions_end, change, end_sessions).sensitive(),
        Route::page("user_delete", pattern::user_delete, delete, show_delete),
        Route::recorded("user_delete", pattern::user_delete, delete, delete_one).sensitive(),
    ]
}

async fn list(State(state): State<AppState>, view: View) -> Result<Response, Problem> {
    let query = view.query();
    let number = query.page()?;
    let search = query.get("q").map(str::to_owned);
    let active: Option<bool> = query.word("active")?;
    let superuser: Option<bool> = query.word("administrator")?;
    let group: Option<i64> = query.word("group")?;
    let (users, groups) = (seen(&view, ObjectType::User), seen(&view, ObjectType::Group));
    // By a group that may not be seen nobody filters: it would tell who belongs to it.
    let known = choices(&view, ObjectType::Group).await?;
    let filter = UserFilter {
        search: search.clone(),
        active,
        superuser,
        group: group.map(|id| if known.iter().any(|one| one.id == id) { id } else { -1 }),
    };
    let listed = state.store.users().list_in(&users, &filter, page_of(number)).await?;
    let members = state.store.nouns().links(Link::Member, (&groups, &users), None).await?;
    let row = |user: &User| {
        let of: Vec<&str> =
            members.iter().filter(|pair| pair.right.id == user.id).map(|pair| pair.left.name.as_str()).collect();
        let last = user.last_login_at.map_or(Cell::Text("never".to_owned()), |at| Cell::At(view.when(at)));
        Row {
            href: url::user(user.id),
            name: user.username.clone(),
            cells: vec![
                Cell::Mark(yes_or_no(user.is_active, "Active", "Switched off")),
                Cell::Text(if user.is_superuser { "Administrator" } else { "" }.to_owned()),
                Cell::Text(of.join(", ")),
                last,
            ],
        }
    };
    let word = |value: Option<bool>| value.map(|truth| truth.to_string()).unwrap_or_default();
    let pairs: Vec<(String, String)> = [
        ("q", search.clone().unwrap_or_default()),
        ("active", word(active)),
        ("administrator", word(superuser)),
        ("group", group.map(|id| id.to_string()).unwrap_or_default()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let group_name = |id: &str| known.iter().find(|one| one.id.to_string() == id).map(|one| one.name.clone());
    let shown = |name: &str, value: &str| match (name, value) {
        ("active", "true") => "yes".to_owned(),
        ("active" | "administrator", "false") => "no".to_owned(),
        ("administrator", _) => "yes".to_owned(),
        ("group", id) => group_name(id).unwrap_or_else(|| id.to_owned()),
        (_, value) => value.to_owned(),
    };
    let groups = known.iter().map(|one| (one.id.to_string(), one.name.clone()));
    let path = url::users();
    let page = Roster {
        frame: frame(&view, "users", "Users", vec![])?,
        title: "Users",
        sections: sections(&view, &path),
        add: may_add(&view, ObjectType::User, url::user_add(), "Add a user"),
        search: search.clone().unwrap_or_default(),
        filters: vec![
            Filter { name: "active", label: "Active", options: yes_no(&word(active)) },
            Filter { name: "administrator", label: "Administrator", options: yes_no(&word(superuser)) },
            Filter { name: "group", label: "Group", options: any_of(groups, group.map(|id| id.to_string())) },
        ],
        chips: chips(&path, &pairs, shown),
        columns: vec!["User", "State", "Rank", "Groups", "Last login"],
        rows: listed.rows.iter().map(row).collect(),
        empty: match (listed.total, pairs.is_empty()) {
            (1.., _) => "This list has fewer pages.".to_owned(),
            (0, true) => "There is no user that you may see.".to_owned(),
            (0, false) => "No user that you may see fits these filters. Take one off above.".to_owned(),
        },
        pager: Pager::new(path.clone(), pairs, number, listed.total),
        path,
    };
    view::page("users", &page)
}

/// The button that adds something, for whoever may.
pub(super) fn may_add(view: &View, of: ObjectType, href: String, label: &str) -> Option<Choice> {
    let may = view.login.access.actor().may(Action::Add, of);
    may.then(|| Choice { value: href, label: label.to_owned(), selected: false })
}

/// Any, yes, no.
pub(super) fn yes_no(chosen: &str) -> Vec<Choice> {
    let words = [("true".to_owned(), "Yes".to_owned()), ("false".to_owned(), "No".to_owned())];
    any_of(words.into_iter(), Some(chosen.to_owned()))
}

/// Any, or one of these.
pub(super) fn any_of(all: impl Iterator<Item = (String, String)>, chosen: Option<String>) -> Vec<Choice> {
    let any = Choice { value: String::new(), label: "Any".to_owned(), selected: false };
    let rest = all.map(|(value, label)| Choice { selected: chosen.as_ref() == Some(&value), value, label });
    std::iter::once(any).chain(rest).collect()
}

/// Chips for the filters of a list.
pub(super) fn chips(path: &str, pairs: &[(String, String)], shown: impl Fn(&str, &str) -> String) -> Chips {
    let chip = |(index, (name, value)): (usize, &(String, String))| {
        let rest: Vec<(&str, &str)> = pairs
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index)
            .map(|(_, (name, value))| (name.as_str(), value.as_str()))
            .collect();
        Chip {
            name: match name.as_str() {
                "q" => "name",
                "active" => "active",
                "administrator" => "administrator",
                "enabled" => "enabled",
                "type" => "about",
                _ => "group",
            },
            value: shown(name, value),
            without: url::with_query(path, &rest),
        }
    };
    Chips { chips: pairs.iter().enumerate().map(chip).collect(), clear: path.to_owned() }
}

/// What a user may do, as lines with the way by which each was given; and the ones that are switched off.
pub(super) async fn permission_items(view: &View, user: &User, all: bool) -> Result<Vec<Item>, Problem> {
    let store = &view.state.store;
    let everything = (&Scope::All, &Scope::All);
    let direct = store.nouns().links(Link::ToUser, everything, Some((Noun::User, user.id))).await?;
    let groups = store.nouns().links(Link::Member, everything, Some((Noun::User, user.id))).await?;
    let to_groups = store.nouns().links(Link::ToGroup, everything, None).await?;
    let visible = seen(view, ObjectType::ObjectPermission);
    let visible_groups = linked(view, Link::Member, (Noun::User, user.id)).await?;
    let mut items = Vec::new();
    for permission in store.permissions().given(user.id).await? {
        let may_see = store.permissions().get_in(&visible, permission.id).await.is_ok();
        if !all && !may_see {
            continue;
        }
        let mut ways: Vec<String> = Vec::new();
        if direct.iter().any(|pair| pair.left.id == permission.id) {
            ways.push("given directly".to_owned());
        }
        ways.extend(
            to_groups
                .iter()
                .filter(|pair| pair.left.id == permission.id && groups.iter().any(|of| of.left.id == pair.right.id))
                .map(|pair| match all || visible_groups.iter().any(|one| one.id == pair.right.id) {
                    true => format!("by the group {}", pair.right.name),
                    false => "by a group that you may not see".to_owned(),
                }),
        );
        let off = if permission.enabled { "" } else { "Switched off. " };
        items.push(Item {
            label: permission.name.clone(),
            href: may_see.then(|| url::permission(permission.id)),
            note: format!(
                "{off}{}; {}",
                capitalised(&words::permission(&permission)).trim_end_matches('.'),
                ways.join(", ")
            ),
        });
    }
    Ok(items)
}

pub(super) fn user_facts(view: &View, user: &User) -> Vec<Fact> {
    vec![
        Fact::new("Administrator", if user.is_superuser { "yes: may do everything" } else { "no" }),
        Fact::new("Active", if user.is_active { "yes" } else { "no: may not log in" }),
        Fact::at("Last login", user.last_login_at.map(|at| view.when(at)), "never"),
        Fact::at("Created", Some(view.when(user.created_at)), ""),
    ]
}

pub(super) fn links_to(named: Vec<Named>, href: impl Fn(i64) -> String) -> Vec<Item> {
    named.into_iter().map(|one| Item { href: Some(href(one.id)), label: one.name, note: String::new() }).collect()
}

async fn show(view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    let access = &view.login.access;
    let mut deeds = Vec::new();
    let mut deed = |label: &str, href: String, is_danger| deeds.push(Deed { label: label.to_owned(), href, is_danger });
    if access.user(user.id, Action::Change).await.is_ok() {
        deed("Edit", url::user_edit(user.id), false);
        deed("Set a password", url::user_password(user.id), false);
    }
    let id = user.id.to_string();
    deed("Explain", url::with_query(&url::permission_explain(), &[("user", &id)]), false);
    if access.user(user.id, Action::Delete).await.is_ok() {
        deed("Delete", url::user_delete(user.id), true);
    }
    let groups = linked(&view, Link::Member, (Noun::User, user.id)).await?;
    let page = Sheet {
        frame: frame(&view, "user", &user.username, vec![("Users".to_owned(), url::users())])?,
        title: user.username.clone(),
        mark: Some(yes_or_no(user.is_active, "Active", "Switched off")),
        sections: sections(&view, &url::users()),
        deeds,
        facts: user_facts(&view, &user),
        text: None,
        lists: vec![
            ItemList {
                id: "groups",
                title: "Groups".to_owned(),
                items: links_to(groups, url::group),
                empty: "The user belongs to no group that you may see.".to_owned(),
            },
            ItemList {
                id: "permissions",
                title: "Permissions".to_owned(),
                items: permission_items(&view, &user, view.login.user.id == user.id).await?,
                empty: match user.is_superuser {
                    true => "An administrator may do everything and needs no permission.".to_owned(),
                    false => "No permission that you may see is given to the user.".to_owned(),
                },
            },
        ],
        sessions: match access.user(user.id, Action::Change).await.is_ok() {
            true => Some((open_sessions(&view, &user).await?, url::user_sessions_end(user.id))),
            false => None,
        },
        tokens: match access.user(user.id, Action::Change).await.is_ok() {
            true => Some(good_tokens(&view, &user).await?),
            false => None,
        },
        changes: Some(changes::of_object(&view, Noun::User, user.id).await?),
    };
    view::page("user", &page)
}

/// Where a user is logged in.
async fn open_sessions(view: &View, user: &User) -> Result<Vec<SessionRow>, Problem> {
    let sessions = view.state.store.sessions().list_of_user(user.id).await?;
    let row = |session| SessionRow::of(view, session, Some(session.id) == view.login.session_id());
    Ok(sessions.iter().map(row).filter(|row| row.is_open).collect())
}

/// The API tokens of a user that still let in.
async fn good_tokens(view: &View, user: &User) -> Result<Vec<(TokenRow, String)>, Problem> {
    let tokens = view.state.store.api_tokens().of_user(user.id).await?;
    let rows = tokens.iter().map(|token| TokenRow::of(token, view)).filter(|row| row.end.is_none());
    Ok(rows.map(|row| (url::user_token_revoke(user.id, row.id), row)).map(|(href, row)| (row, href)).collect())
}

/// Revokes an API token of a user.
async fn revoke_token(
    State(state): State<AppState>,
    view: View,
    OfUser(user): OfUser,
    params: RawPathParams,
) -> Result<Response, Problem> {
    if user.is_superuser && !view.login.user.is_superuser {
        let message = "Only an administrator may revoke an administrator's API tokens.";
        return Err(Problem::new(Code::PermissionDenied, message));
    }
    let missing = || Problem::not_found("API token");
    let id =
        params.iter().find(|(name, _)| *name == "token").and_then(|(_, id)| id.parse().ok()).ok_or_else(missing)?;
    let token = state.store.api_tokens().get(id).await?;
    if token.user_id != user.id {
        return Err(missing());
    }
    state.store.api_tokens().revoke(id, &view.login.user.username, view.now).await?;
    let message = format!("The API token {} of {} was revoked.", token.key, user.username);
    Ok(done(&view, &url::user(user.id), StatusCode::OK, message))
}

/// Logs a user out everywhere; whoever does that to oneself stays logged in here.
async fn end_sessions(State(state): State<AppState>, view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    if user.is_superuser && !view.login.user.is_superuser {
        let message = "Only an administrator may end an administrator's sessions.";
        return Err(Problem::new(Code::PermissionDenied, message));
    }
    let except = view.login.session_id().filter(|_| view.login.user.id == user.id);
    let ended = state.sessions.revoke_all(user.id, except, &view.login.user.username).await?;
    let message = format!("{ended} of the sessions of {} were ended.", user.username);
    Ok(done(&view, &url::user(user.id), StatusCode::OK, message))
}

fn delete_page(view: &View, user: &User, notice: Option<Notice>) -> Result<Delete, Problem> {
    let way = vec![("Users".to_owned(), url::users()), (user.username.clone(), url::user(user.id))];
    Ok(Delete {
        frame: frame(view, "user_delete", "Delete", way)?,
        title: format!("Delete the user {}", user.username),
        lead: format!(
            "The user's sessions end. What the user did stays in the activity, under this name. {} switch it off instead.",
            match view.state.settings.makes_users() {
                true => "Whoever logs in from outside as the same person gets a new account: to keep somebody out,",
                false => "To keep the account for later,",
            }
        ),
        facts: user_facts(view, user),
        action: url::user_delete(user.id),
        submit: format!("Delete the user {}", user.username),
        cancel: url::user(user.id),
        notice,
        password: own_password(view),
    })
}

async fn show_delete(view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    view::page("user_delete", &delete_page(&view, &user, None)?)
}

async fn delete_one(State(state): State<AppState>, view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    let (scope, author) = (view.login.access.require_on(Action::Delete, ObjectType::User)?, view.author());
    let result = state.store.users().by(&author).delete_in(&scope, user.id).await;
    let said = format!("The user {} was deleted.", user.username);
    let page = |notice| delete_page(&view, &user, Some(notice));
    deleted(&view, "user_delete", result, (&url::users(), said), page)
}
