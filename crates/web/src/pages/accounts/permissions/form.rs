//! The form of an object permission, with its editor of constraints.

use super::pretty;
use crate::extract::{Fields, OfPermission};
use crate::frame::{Frame, Nav};
use crate::icon::Icon;
use crate::layers::classify::Asked;
use crate::pages::accounts::constraints::{self, LookupHelp, Matches, TypeFields};
use crate::pages::accounts::errors::Errors;
use crate::pages::accounts::{Tick, Ticks, choices, choosable, done, frame, linked, own_password, refused, ticked};
use crate::parts::Notice;
use crate::parts::field::{Field, FieldKind};
use crate::problem::Problem;
use crate::state::AppState;
use crate::url;
use crate::view::{self, View};
use askama::Template;
use auth::{Action, ObjectType};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use store::nouns::Links;
use store::permissions::Holders;
use store::{Link, Noun, ObjectPermission};

/// The boxes of the users and of the groups.
const USERS: (&str, ObjectType) = ("user", ObjectType::User);
const GROUPS: (&str, ObjectType) = ("group", ObjectType::Group);

/// What the form holds.
#[derive(Default)]
struct Draft {
    name: String,
    enabled: bool,
    actions: Vec<Action>,
    object_types: Vec<ObjectType>,
    constraints: String,
    users: Vec<i64>,
    groups: Vec<i64>,
    errors: Errors,
}

impl Draft {
    /// Reads the form, and the permission of it when nothing is wrong.
    fn read(fields: &Fields, id: i64) -> Result<(Self, Option<ObjectPermission>), Problem> {
        // In the order in which they are always named, each once.
        let wanted: Vec<&str> = fields.every("actions").collect();
        let types: Vec<String> = fields.every("object_types").map(str::to_ascii_lowercase).collect();
        let mut draft = Self {
            name: fields.text("name").to_owned(),
            enabled: fields.ticked("enabled")?,
            actions: Action::ALL.iter().copied().filter(|each| wanted.contains(&each.as_str())).collect(),
            object_types: ObjectType::ALL.iter().copied().filter(|each| types.contains(&each.name())).collect(),
            constraints: fields.get("constraints").unwrap_or_default().to_owned(),
            users: ticked(fields.every("user")),
            groups: ticked(fields.every("group")),
            errors: Errors::default(),
        };
        draft.errors.name("name", &draft.name, "A permission");
        if draft.actions.is_empty() {
            draft.errors.set("actions", "Tick what may be done.");
        }
        if draft.object_types.is_empty() {
            draft.errors.set("object_types", "Tick what it may be done to.");
        }
        let constraints = match constraints::read(&draft.constraints, &draft.object_types) {
            Ok(value) => value,
            Err(message) => {
                draft.errors.set("constraints", message);
                None
            }
        };
        let permission = draft.errors.is_empty().then(|| ObjectPermission {
            id,
            name: draft.name.clone(),
            enabled: draft.enabled,
            object_types: draft.object_types.iter().map(|each| each.name()).collect(),
            actions: draft.actions.iter().map(|each| each.as_str().to_owned()).collect(),
            constraints,
        });
        Ok((draft, permission))
    }

    fn of(permission: &ObjectPermission, users: Vec<i64>, groups: Vec<i64>) -> Self {
        Self {
            name: permission.name.clone(),
            enabled: permission.enabled,
            actions: permission.actions.iter().filter_map(|word| word.parse().ok()).collect(),
            object_types: permission
                .object_types
                .iter()
                .filter_map(|word| word.to_ascii_lowercase().parse().ok())
                .collect(),
            constraints: pretty(permission),
            users,
            groups,
            errors: Errors::default(),
        }
    }
}

async fn form(
    view: &View,
    permission: Option<&ObjectPermission>,
    draft: &Draft,
    matches: Vec<Matches>,
) -> Result<Page, Problem> {
    let list = ("Permissions".to_owned(), url::permissions());
    let (name, title, way, action, cancel) = match permission {
        None => ("permission_add", "Add a permission", vec![list], url::permission_add(), url::permissions()),
        Some(permission) => {
            let way = vec![list, (permission.name.clone(), url::permission(permission.id))];
            let (edit, back) = (url::permission_edit(permission.id), url::permission(permission.id));
            ("permission_edit", "Edit", way, edit, back)
        }
    };
    let enabled = if draft.enabled { "on" } else { "" };
    let mut fields = [
        Field::new(FieldKind::Text, "name", "Name", &draft.name).required(),
        Field::new(FieldKind::Check, "enabled", "On", enabled).help("Switched off, it grants nothing."),
        Field::new(FieldKind::Area, "constraints", "Constraints", &draft.constraints)
            .placeholder(r#"{"name__startswith": "lab-"}"#)
            .help(
                "An object of terms that must all hold, or a list of such objects of which one is enough. Empty: all \
                 objects. \"$user\" stands for the id of whoever has the permission.",
            ),
    ];
    draft.errors.on(&mut fields);
    let [name_field, enabled_field, constraints_field] = fields;
    let tick = |value: String, label: String, checked| Tick { value, label, checked };
    let actions = Action::ALL.iter().map(|each| {
        let label = if *each == Action::Sync { "sync (fabrics only)" } else { each.as_str() };
        tick(each.as_str().to_owned(), label.to_owned(), draft.actions.contains(each))
    });
    let types = ObjectType::ALL
        .iter()
        .map(|each| tick(each.name(), each.plural().to_owned(), draft.object_types.contains(each)));
    let boxes = |name, legend, options: Vec<Tick>| {
        let error = draft.errors.of(name);
        Ticks { name, legend, help: String::new(), options, empty: "", error }
    };
    let (users, groups) = (choices(view, ObjectType::User).await?, choices(view, ObjectType::Group).await?);
    let (types_help, lookups) = constraints::reference();
    Ok(Page {
        frame: frame(view, name, title, way)?,
        title: permission.map_or_else(|| title.to_owned(), |permission| format!("Edit {}", permission.name)),
        action,
        name: name_field,
        enabled: enabled_field,
        actions: boxes("actions", "What may be done", actions.collect()),
        object_types: boxes("object_types", "To what", types.collect()),
        constraints: constraints_field,
        matches,
        types: types_help,
        lookups,
        users: Ticks::of(("user", "Users"), users, &draft.users, "There is no user that you may see.", &draft.errors),
        groups: Ticks::of(
            ("group", "Groups"),
            groups,
            &draft.groups,
            "There is no group that you may see.",
            &draft.errors,
        ),
        errors: draft.errors.list(),
        notice: draft.errors.notice(),
        password: own_password(view),
        submit: if permission.is_some() { "Save changes" } else { "Add the permission" }.to_owned(),
        cancel,
    })
}

/// The form again with what its constraints match, for whoever pressed the button without script.
async fn shown(
    view: &View,
    name: &'static str,
    permission: Option<&ObjectPermission>,
    mut draft: Draft,
) -> Result<Response, Problem> {
    // A form that is only looked at need not be whole.
    draft.errors.fields.retain(|(field, _)| *field == "constraints");
    let mut found = Vec::new();
    if draft.errors.is_empty()
        && let Ok(constraints) = constraints::read(&draft.constraints, &draft.object_types)
    {
        for object_type in &draft.object_types {
            found.push(constraints::matches(view, *object_type, constraints.as_ref()).await?);
        }
    }
    let page = form(view, permission, &draft, found).await?;
    if draft.errors.is_empty() || view.asked() == Asked::Script {
        return view::page(name, &page);
    }
    refused(view, name, &page, &draft.errors)
}

pub(super) async fn show_add(view: View) -> Result<Response, Problem> {
    let draft = Draft { enabled: true, ..Draft::default() };
    view::page("permission_add", &form(&view, None, &draft, vec![]).await?)
}

/// Who shall have the permission; what is wrong with that stands at its boxes.
async fn holders(view: &View, fields: &Fields, id: i64, draft: &mut Draft) -> Result<Holders, Problem> {
    Ok(Holders {
        users: choose(view, fields, (Link::ToUser, USERS), (id, &draft.users), &mut draft.errors).await?,
        groups: choose(view, fields, (Link::ToGroup, GROUPS), (id, &draft.groups), &mut draft.errors).await?,
    })
}

/// Which links make the chosen ones of those that are there, as far as they may be seen.
async fn choose(
    view: &View,
    fields: &Fields,
    (link, of): (Link, (&'static str, ObjectType)),
    (id, chosen): (i64, &[i64]),
    errors: &mut Errors,
) -> Result<Links, Problem> {
    let seen = choosable(view, fields, of, errors).await?;
    let now = match id {
        0 => Vec::new(),
        id => linked(view, link, (Noun::Permission, id)).await?,
    };
    let now: Vec<i64> = now.iter().map(|one| one.id).collect();
    Ok(Links::choose(&seen, &now, chosen))
}

pub(super) async fn add_one(State(state): State<AppState>, view: View, fields: Fields) -> Result<Response, Problem> {
    let (mut draft, permission) = Draft::read(&fields, 0)?;
    if fields.has("preview") {
        return shown(&view, "permission_add", None, draft).await;
    }
    let holders = holders(&view, &fields, 0, &mut draft).await?;
    if let Some(permission) = permission.filter(|_| draft.errors.is_empty()) {
        let scope = view.login.access.require_on(Action::Add, ObjectType::ObjectPermission)?;
        match state.store.permissions().by(&view.author()).add(&scope, &permission, &holders).await {
            Ok(id) => {
                return Ok(done(
                    &view,
                    &url::permission(id),
                    StatusCode::CREATED,
                    format!("The permission {} was added.", permission.name),
                ));
            }
            Err(error) => {
                let error = view.hide_taken(error, ObjectType::ObjectPermission, &draft.name).await;
                draft.errors.of_store(error, "name", "enabled")?;
            }
        }
    }
    refused(&view, "permission_add", &form(&view, None, &draft, vec![]).await?, &draft.errors)
}

pub(super) async fn show_edit(view: View, OfPermission(permission): OfPermission) -> Result<Response, Problem> {
    let this = (Noun::Permission, permission.id);
    let users = linked(&view, Link::ToUser, this).await?.iter().map(|one| one.id).collect();
    let groups = linked(&view, Link::ToGroup, this).await?.iter().map(|one| one.id).collect();
    let draft = Draft::of(&permission, users, groups);
    view::page("permission_edit", &form(&view, Some(&permission), &draft, vec![]).await?)
}

pub(super) async fn edit(
    State(state): State<AppState>,
    view: View,
    OfPermission(stored): OfPermission,
    fields: Fields,
) -> Result<Response, Problem> {
    let (mut draft, permission) = Draft::read(&fields, stored.id)?;
    if fields.has("preview") {
        return shown(&view, "permission_edit", Some(&stored), draft).await;
    }
    let holders = holders(&view, &fields, stored.id, &mut draft).await?;
    if let Some(permission) = permission.filter(|_| draft.errors.is_empty()) {
        let scope = view.login.access.require_on(Action::Change, ObjectType::ObjectPermission)?;
        match state.store.permissions().by(&view.author()).update_in(&scope, &permission, &holders).await {
            Ok(()) => {
                return Ok(done(
                    &view,
                    &url::permission(stored.id),
                    StatusCode::OK,
                    format!("The permission {} was changed.", stored.name),
                ));
            }
            Err(error) => {
                let error = view.hide_taken(error, ObjectType::ObjectPermission, &draft.name).await;
                draft.errors.of_store(error, "name", "enabled")?;
            }
        }
    }
    refused(&view, "permission_edit", &form(&view, Some(&stored), &draft, vec![]).await?, &draft.errors)
}

/// What the form shows.
#[derive(Template)]
#[template(path = "permission_form.html")]
pub struct Page {
    pub frame: Frame,
    pub title: String,
    pub action: String,
    pub name: Field,
    pub enabled: Field,
    pub actions: Ticks,
    pub object_types: Ticks,
    pub constraints: Field,
    pub matches: Vec<Matches>,
    pub types: Vec<TypeFields>,
    pub lookups: Vec<LookupHelp>,
    pub users: Ticks,
    pub groups: Ticks,
    pub errors: Vec<(String, String)>,
    pub notice: Option<Notice>,
    /// The actor's own password, when the change needs it.
    pub password: Option<Field>,
    pub submit: String,
    pub cancel: String,
}
