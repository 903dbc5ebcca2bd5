//! What a user may do: `hedgerow user grant`, `user revoke`, and the column of `user list`. What a permission means is decided in the room `auth`.

use super::find;
use crate::commands::deed::author;
use crate::{Misuse, cli, output};
use anyhow::{Context as _, bail};
use auth::{Action, ObjectType};
use serde::Serialize;
use serde_json::Value;
use store::{Error, ObjectPermission, Store, Unique};

/// One permission in JSON.
#[derive(Debug, Serialize)]
pub(super) struct Given {
    id: i64,
    name: String,
    object_types: Vec<String>,
    actions: Vec<String>,
    constraints: Option<Value>,
}

/// The permission that the arguments describe, without a name.
pub(super) fn read(arguments: &cli::UserGrant) -> anyhow::Result<ObjectPermission> {
    let object_type = match arguments.object_type.as_str() {
        "user" => ObjectType::User,
        "group" => ObjectType::Group,
        "permission" => ObjectType::ObjectPermission,
        _ => ObjectType::Fabric,
    };
    let constraints = match &arguments.constraints {
        None => None,
        Some(text) => {
            let value: Value =
                serde_json::from_str(text).map_err(|error| Misuse(format!("--constraints is no JSON: {error}")))?;
            auth::check_constraints(&[object_type], &value)
                .map_err(|error| Misuse(format!("--constraints: {error}")))?;
            Some(value)
        }
    };
    // In the order in which they are always named, each once.
    let wanted = Action::ALL.iter().filter(|action| arguments.actions.contains(action));
    Ok(ObjectPermission {
        id: 0,
        name: String::new(),
        enabled: true,
        object_types: vec![object_type.name()],
        actions: wanted.map(|action| action.as_str().to_owned()).collect(),
        constraints,
    })
}

/// Gives it, once: a user who has the very same already keeps it.
pub(super) async fn grant(store: &Store, name: &str, mut permission: ObjectPermission) -> anyhow::Result<()> {
    let user = find(store, name).await?;
    let held = store.permissions().of_user(user.id).await.context("cannot read what the user may do")?;
    let same = |one: &&ObjectPermission| {
        one.enabled
            && one.actions == permission.actions
            && one.object_types == permission.object_types
            && one.constraints == permission.constraints
    };
    if let Some(held) = held.iter().find(same) {
        return Ok(output::text(&format!("'{}' has this already: {}\n", user.username, words(&held.into())))?);
    }
    let base = format!(
        "{}: {}",
        user.username,
        what(&permission.object_types, &permission.actions, permission.constraints.as_ref())
    );
    let mut number = 1;
    permission.name.clone_from(&base);
    permission.id = loop {
        match store.permissions().by(&author()).grant(&permission, user.id).await {
            // Somebody else has one of this name, or this one was switched off.
            Err(Error::Conflict(Unique::PermissionName)) => {
                number += 1;
                permission.name = format!("{base} ({number})");
            }
            other => break other.with_context(|| format!("cannot give '{}' the permission", user.username))?,
        }
    };
    let mut text = format!("'{}' may now {}\n", user.username, words(&(&permission).into()));
    if user.is_superuser {
        text.push_str("as a superuser, the user may do everything anyway\n");
    }
    Ok(output::text(&text)?)
}

/// Takes it away.
pub(super) async fn revoke(store: &Store, name: &str, id: i64) -> anyhow::Result<()> {
    let user = find(store, name).await?;
    match store.permissions().by(&author()).revoke(id, user.id).await {
        Err(Error::NotFound(_)) => {
            bail!("'{}' has no permission {id}; `hedgerow user list` shows which", user.username)
        }
        other => other.context("cannot take the permission away")?,
    }
    Ok(output::text(&format!("took the permission {id} from '{}'\n", user.username))?)
}

/// What is given to a user, by itself or by a group, and switched on.
pub(super) async fn of(store: &Store, user_id: i64) -> anyhow::Result<Vec<Given>> {
    let held = store.permissions().effective(user_id).await.context("cannot read what a user may do")?;
    Ok(held.iter().map(Given::from).collect())
}

impl From<&ObjectPermission> for Given {
    fn from(permission: &ObjectPermission) -> Self {
        let ObjectPermission { id, name, object_types, actions, constraints, .. } = permission.clone();
        Self { id, name, object_types, actions, constraints }
    }
}

/// All of a user's, in one cell.
pub(super) fn in_words(superuser: bool, held: &[Given]) -> String {
    if superuser {
        return "everything".to_owned();
    }
    let all: Vec<String> = held.iter().map(words).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("; ") }
}

fn words(given: &Given) -> String {
    format!("{} (permission {})", what(&given.object_types, &given.actions, given.constraints.as_ref()), given.id)
}

fn what(object_types: &[String], actions: &[String], constraints: Option<&Value>) -> String {
    let plural = |name: &String| name.parse().map_or(name.clone(), |known: ObjectType| known.plural().to_owned());
    let objects: Vec<String> = object_types.iter().map(plural).collect();
    let objects = objects.join(", ");
    let limit = constraints.map_or(format!("all {objects}"), |terms| format!("{objects} with {terms}"));
    format!("{} {limit}", actions.join(", "))
}
