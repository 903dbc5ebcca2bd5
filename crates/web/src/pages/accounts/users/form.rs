//! The forms that add a user, change one, and set a password.

use crate::extract::{Fields, OfUser};
use crate::pages::accounts::errors::Errors;
use crate::pages::accounts::{Form, Ticks, choices, choosable, done, frame, linked, own_password, refused, ticked};
use crate::parts::field::{Field, FieldKind};
use crate::problem::{Problem, capitalised};
use crate::state::AppState;
use crate::url;
use crate::view::{self, View};
use auth::{Action, LoginError, ObjectType, PasswordError};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use model::Code;
use secrecy::{ExposeSecret, SecretString};
use store::nouns::Links;
use store::{Link, NewUser, Noun, User, UserSpec};

/// The boxes of the groups.
const GROUPS: (&str, ObjectType) = ("group", ObjectType::Group);

/// What the form holds.
struct Draft {
    username: String,
    is_active: bool,
    is_superuser: bool,
    groups: Vec<i64>,
    errors: Errors,
}

impl Draft {
    fn read(fields: &Fields) -> Result<Self, Problem> {
        let mut draft = Self {
            username: fields.text("username").to_owned(),
            is_active: fields.ticked("is_active")?,
            is_superuser: fields.ticked("is_superuser")?,
            groups: ticked(fields.every("group")),
            errors: Errors::default(),
        };
        if !auth::is_username(&draft.username) {
            draft.errors.set("username", format!("{}.", capitalised(auth::USERNAME_WORDS).trim_end_matches('.')));
        }
        Ok(draft)
    }

    fn spec(&self) -> UserSpec {
        UserSpec { username: self.username.clone(), is_superuser: self.is_superuser, is_active: self.is_active }
    }

    fn check(value: bool) -> &'static str {
        if value { "on" } else { "" }
    }
}

fn password_fields() -> [Field; 2] {
    let least = auth::PASSWORD_LENGTH.start();
    [
        Field::new(FieldKind::Secret, "password", "Password", "")
            .required()
            .help(format!("At least {least} characters.")),
        Field::new(FieldKind::Secret, "password_again", "Password, once more", "").required(),
    ]
}

/// The password, when both fields hold the same and it can be one.
fn new_password(fields: &Fields, username: &str, errors: &mut Errors) -> SecretString {
    let password = SecretString::from(fields.get("password").unwrap_or_default());
    if let Err(error) = auth::check_password(username, password.expose_secret()) {
        errors.set("password", capitalised(&error.to_string()));
    }
    if fields.get("password_again") != Some(password.expose_secret()) {
        errors.set("password_again", "The two are not the same.");
    }
    password
}

/// Why a password was not taken, at its field.
fn of_password(errors: &mut Errors, error: PasswordError) -> Result<(), Problem> {
    match error {
        PasswordError::Hash(_) => return Err(Problem::internal("hash a password", &error)),
        error => errors.set("password", capitalised(&error.to_string())),
    }
    Ok(())
}

async fn form(view: &View, user: Option<&User>, draft: &Draft) -> Result<Form, Problem> {
    let list = ("Users".to_owned(), url::users());
    let (name, title, way, action, cancel) = match user {
        None => ("user_add", "Add a user", vec![list], url::user_add(), url::users()),
        Some(user) => {
            let way = vec![list, (user.username.clone(), url::user(user.id))];
            ("user_edit", "Edit", way, url::user_edit(user.id), url::user(user.id))
        }
    };
    let mut fields = vec![Field::new(FieldKind::Text, "username", "Name", &draft.username).required()];
    if user.is_none() {
        fields.extend(password_fields());
    }
    fields.push(
        Field::new(FieldKind::Check, "is_active", "Active", Draft::check(draft.is_active))
            .help("Whoever is switched off is logged out everywhere, and cannot log in."),
    );
    // Whoever may not make administrators is not offered to; one that is stays one.
    if view.login.user.is_superuser {
        let help = "May do everything, without any permission.";
        let field = Field::new(FieldKind::Check, "is_superuser", "Administrator", Draft::check(draft.is_superuser));
        fields.push(field.help(help));
    }
    draft.errors.on(&mut fields);
    let all = choices(view, ObjectType::Group).await?;
    let ticks =
        Ticks::of(("group", "Groups"), all, &draft.groups, "There is no group that you may see.", &draft.errors);
    Ok(Form {
        frame: frame(view, name, title, way)?,
        title: user.map_or_else(|| title.to_owned(), |user| format!("Edit {}", user.username)),
        action,
        lead: String::new(),
        fields,
        ticks: vec![ticks],
        errors: draft.errors.list(),
        notice: draft.errors.notice(),
        password: own_password(view),
        submit: if user.is_some() { "Save changes" } else { "Add the user" }.to_owned(),
        cancel,
    })
}

pub(super) async fn show_add(view: View) -> Result<Response, Problem> {
    let (username, groups) = (String::new(), Vec::new());
    let draft = Draft { username, is_active: true, is_superuser: false, groups, errors: Errors::default() };
    view::page("user_add", &form(&view, None, &draft).await?)
}

pub(super) async fn add_one(State(state): State<AppState>, view: View, fields: Fields) -> Result<Response, Problem> {
    let mut draft = Draft::read(&fields)?;
    let password = new_password(&fields, &draft.username.clone(), &mut draft.errors);
    choosable(&view, &fields, GROUPS, &mut draft.errors).await?;
    if draft.errors.is_empty() {
        match state.sessions.passwords().hash(password).await {
            Err(error) => of_password(&mut draft.errors, error)?,
            Ok(password_hash) => {
                let UserSpec { username, is_superuser, is_active } = draft.spec();
                let new = NewUser { username, password_hash, is_superuser, is_active };
                let (scope, author) = (view.login.access.require_on(Action::Add, ObjectType::User)?, view.author());
                match state.store.users().by(&author).add(&scope, new, &draft.groups, view.now).await {
                    Ok(user) => {
                        return Ok(done(
                            &view,
                            &url::user(user.id),
                            StatusCode::CREATED,
                            format!("The user {} was added.", user.username),
                        ));
                    }
                    Err(error) => {
                        let error = view.hide_taken(error, ObjectType::User, &draft.username).await;
                        draft.errors.of_store(error, "username", "is_active")?;
                    }
                }
            }
        }
    }
    refused(&view, "user_add", &form(&view, None, &draft).await?, &draft.errors)
}

pub(super) async fn show_edit(view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    let groups = linked(&view, Link::Member, (Noun::User, user.id)).await?;
    let draft = Draft {
        username: user.username.clone(),
        is_active: user.is_active,
        is_superuser: user.is_superuser,
        groups: groups.iter().map(|one| one.id).collect(),
        errors: Errors::default(),
    };
    view::page("user_edit", &form(&view, Some(&user), &draft).await?)
}

pub(super) async fn edit(
    State(state): State<AppState>,
    view: View,
    OfUser(user): OfUser,
    fields: Fields,
) -> Result<Response, Problem> {
    let mut draft = Draft::read(&fields)?;
    if !view.login.user.is_superuser && !fields.has("is_superuser") {
        draft.is_superuser = user.is_superuser;
    }
    let seen = choosable(&view, &fields, GROUPS, &mut draft.errors).await?;
    if draft.errors.is_empty() {
        let now: Vec<i64> =
            linked(&view, Link::Member, (Noun::User, user.id)).await?.iter().map(|one| one.id).collect();
        let links = Links::choose(&seen, &now, &draft.groups);
        let (scope, author) = (view.login.access.require_on(Action::Change, ObjectType::User)?, view.author());
        let flag = if draft.is_active { "is_superuser" } else { "is_active" };
        match state.store.users().by(&author).update(&scope, user.id, &draft.spec(), &links).await {
            Ok(user) => {
                return Ok(done(
                    &view,
                    &url::user(user.id),
                    StatusCode::OK,
                    format!("The user {} was changed.", user.username),
                ));
            }
            Err(error) => {
                let error = view.hide_taken(error, ObjectType::User, &draft.username).await;
                draft.errors.of_store(error, "username", flag)?;
            }
        }
    }
    refused(&view, "user_edit", &form(&view, Some(&user), &draft).await?, &draft.errors)
}

fn password_form(view: &View, user: &User, errors: &Errors) -> Result<Form, Problem> {
    let way = vec![("Users".to_owned(), url::users()), (user.username.clone(), url::user(user.id))];
    let mut fields = password_fields().to_vec();
    errors.on(&mut fields);
    Ok(Form {
        frame: frame(view, "user_password", "Set a password", way)?,
        title: format!("Set the password of {}", user.username),
        action: url::user_password(user.id),
        lead: "The user is logged out everywhere, and logs in with the new password.".to_owned(),
        fields,
        ticks: vec![],
        errors: errors.list(),
        notice: errors.notice(),
        password: own_password(view),
        submit: "Set the password".to_owned(),
        cancel: url::user(user.id),
    })
}

pub(super) async fn show_password(view: View, OfUser(user): OfUser) -> Result<Response, Problem> {
    // One's own is changed with the one until now.
    if user.id == view.login.user.id {
        return Ok(Redirect::to(&url::account_password()).into_response());
    }
    view::page("user_password", &password_form(&view, &user, &Errors::default())?)
}

pub(super) async fn password(
    State(state): State<AppState>,
    view: View,
    OfUser(user): OfUser,
    fields: Fields,
) -> Result<Response, Problem> {
    if user.id == view.login.user.id {
        let message = "Your own password is changed with the one until now. Nothing was done.";
        let refused = Problem::new(Code::InvalidInput, message).status(StatusCode::UNPROCESSABLE_ENTITY);
        return Err(refused.todo("Change it on the page of your account."));
    }
    let mut errors = Errors::default();
    let password = new_password(&fields, &user.username, &mut errors);
    if errors.is_empty() {
        let (scope, author) = (view.login.access.require_on(Action::Change, ObjectType::User)?, view.author());
        match state.sessions.set_password_by(&author, &scope, user.id, password, None).await {
            Ok(()) => {
                return Ok(done(
                    &view,
                    &url::user(user.id),
                    StatusCode::OK,
                    format!("The password of {} was set.", user.username),
                ));
            }
            Err(LoginError::Password(error)) => of_password(&mut errors, error)?,
            Err(LoginError::Store(error)) => errors.of_store(error, "password", "password")?,
            Err(error) => return Err(Problem::internal("set a password", &error)),
        }
    }
    refused(&view, "user_password", &password_form(&view, &user, &errors)?, &errors)
}
