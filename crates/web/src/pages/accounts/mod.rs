//! Users, groups and permissions: what their pages share. Each list, page, form and confirmation is one of the four
//! values here; `users`, `groups` and `permissions` fill them, `explain` says why somebody may or may not, and `profile`
//! is one's own account.

pub mod constraints;
mod errors;
pub mod explain;
pub mod groups;
mod page;
pub mod permissions;
pub mod profile;
pub mod users;
pub mod words;

use errors::Errors;
pub use page::{Cell, Deed, Delete, Filter, Form, Item, ItemList, Roster, Row, Sheet, Tick, Ticks};

use crate::extract::{Fields, Told};
use crate::frame::{Find, Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::pages::changes;
use crate::parts::field::Field;
use crate::parts::{Badge, Choice, Notice, Tone};
use crate::problem::Problem;
use crate::routes::Route;
use crate::url;
use crate::view::{self, View};
use askama::Template;
use auth::{Action, ObjectType};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::json;
use store::{Error, Link, Named, Noun, Page, Scope};

/// The routes of these pages.
pub fn routes() -> Vec<Route> {
    [users::routes(), groups::routes(), permissions::routes(), explain::routes(), profile::routes()]
        .into_iter()
        .flatten()
        .collect()
}

/// The first of the lists that somebody may see: where the navigation leads.
pub fn first_of(view: &View) -> Option<String> {
    let may = |of| view.login.access.actor().may(Action::View, of);
    let lists = [
        (ObjectType::User, url::users()),
        (ObjectType::Group, url::groups()),
        (ObjectType::ObjectPermission, url::permissions()),
    ];
    lists.into_iter().find(|(of, _)| may(*of)).map(|(_, href)| href)
}

/// The lists that somebody may see, beside each other.
fn sections(view: &View, here: &str) -> Vec<Choice> {
    let may = |of| view.login.access.actor().may(Action::View, of);
    let mut sections = Vec::new();
    let mut add = |label: &str, value: String| {
        sections.push(Choice { selected: value == here, value, label: label.to_owned() });
    };
    if may(ObjectType::User) {
        add("Users", url::users());
    }
    if may(ObjectType::Group) {
        add("Groups", url::groups());
    }
    if may(ObjectType::ObjectPermission) {
        add("Permissions", url::permissions());
    }
    add("Explain", url::permission_explain());
    sections
}

/// What somebody may see of a type.
fn seen(view: &View, of: ObjectType) -> Scope {
    view.login.access.scope(Action::View, of)
}

/// The frame of one of these pages.
fn frame(view: &View, page: &'static str, title: &str, way: Vec<(String, String)>) -> Result<Frame, Problem> {
    let mut frame = view.frame(page, title, Nav::Users)?.crumbs(way, title);
    if view.login.access.actor().may(Action::View, ObjectType::User) {
        frame.find = Find { action: url::users(), field: "q", label: "Find users".into() };
    }
    Ok(frame)
}

/// What the others are called that something is linked to, as far as they may be seen.
async fn linked(view: &View, link: Link, of: (Noun, i64)) -> Result<Vec<Named>, Problem> {
    let type_of = |noun| match noun {
        Noun::Fabric => ObjectType::Fabric,
        Noun::User => ObjectType::User,
        Noun::Group => ObjectType::Group,
        Noun::Permission => ObjectType::ObjectPermission,
    };
    let (left, right) = link.sides();
    // Whoever looks sees this side of it already, or is it.
    let scope = |noun| if noun == of.0 { Scope::All } else { seen(view, type_of(noun)) };
    let pairs = view.state.store.nouns().links(link, (&scope(left), &scope(right)), Some(of)).await?;
    Ok(pairs.into_iter().map(|pair| if left == of.0 { pair.right } else { pair.left }).collect())
}

/// Everything of a noun that may be seen, for choosing from.
async fn choices(view: &View, of: ObjectType) -> Result<Vec<Named>, Problem> {
    Ok(view.state.store.nouns().names(of.noun(), &seen(view, of), "", Page::all()).await?.rows)
}

/// A form that was refused: for a script its errors, for a navigation the form with everything in it.
fn refused(view: &View, name: &'static str, page: &impl Template, errors: &Errors) -> Result<Response, Problem> {
    if view.asked() == Asked::Script {
        return Err(errors.problem());
    }
    let mut response = view::page(name, page)?;
    *response.status_mut() = errors.status();
    Ok(response)
}

/// What was done stands on this page; the message is for the record of the try.
fn done(view: &View, page: &str, status: StatusCode, message: impl Into<String>) -> Response {
    let mut response = match view.asked() {
        Asked::Script => view::json(status, &json!({ "success": true, "redirect": page })),
        Asked::Navigation => Redirect::to(page).into_response(),
    };
    response.extensions_mut().insert(Told { operation_id: None, message: message.into() });
    response
}

/// The field for the actor's own password, when it was entered long ago.
fn own_password(view: &View) -> Option<Field> {
    view.password_field("Needed for this change, because you entered it some time ago.")
}

/// The ids of everything of a type that may be chosen. What was chosen and is none of them is wrong with the form: it was
/// deleted meanwhile, or it may not be seen, which is all the same from outside.
async fn choosable(
    view: &View,
    fields: &Fields,
    (name, of): (&'static str, ObjectType),
    errors: &mut Errors,
) -> Result<Vec<i64>, Problem> {
    let seen: Vec<i64> = choices(view, of).await?.iter().map(|one| one.id).collect();
    let is_one = |value: &&str| value.parse().is_ok_and(|id: i64| seen.contains(&id));
    if let Some(value) = fields.every(name).find(|value| !is_one(value)) {
        let value: String = value.chars().take(20).collect();
        errors.set(name, format!("Of the {} that you may see none has the id {value}. Choose again.", of.plural()));
    }
    Ok(seen)
}

/// Ids of boxes that are ticked.
fn ticked<'a>(values: impl Iterator<Item = &'a str>) -> Vec<i64> {
    values.filter_map(|value| value.parse().ok()).collect()
}

/// A mark that says yes or no.
fn yes_or_no(truth: bool, yes: &str, no: &str) -> Badge {
    match truth {
        true => Badge::new(Tone::Good, Icon::Tick, yes),
        false => Badge::new(Tone::Off, Icon::Hollow, no),
    }
}

/// Answers a deletion that was refused, or done.
fn deleted(
    view: &View,
    name: &'static str,
    result: Result<(), Error>,
    (list, message): (&str, String),
    page: impl FnOnce(Notice) -> Result<Delete, Problem>,
) -> Result<Response, Problem> {
    let mut errors = Errors::default();
    match result {
        Ok(()) => return Ok(done(view, list, StatusCode::OK, message)),
        Err(error) => errors.of_store(error, "", "")?,
    }
    let problem = errors.problem();
    let notice = Notice::new(Tone::Bad, format!("Nothing was deleted. {}", problem.message), "", "");
    refused(view, name, &page(notice)?, &errors)
}
