//! Object permissions, as in NetBox: actions on object types, limited by constraints, given to users and groups.
//! What they mean is decided in the room `auth`; here they are rows.

use crate::row::{Columns, to_json};
use crate::sql::{Arg, Statement, args};
use crate::statements::people::*;
use crate::{Error, Result, Store, commit};
use serde_json::Value;
use sqlx::any::AnyRow;

/// An object permission.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectPermission {
    /// Id; 0 for one that is not stored yet.
    pub id: i64,
    /// Name, unique.
    pub name: String,
    /// Switched off, it grants nothing.
    pub enabled: bool,
    /// Object types, e.g. `hedgerow.fabric`.
    pub object_types: Vec<String>,
    /// Actions, e.g. `view`, `sync`.
    pub actions: Vec<String>,
    /// An object of terms, or a list of such objects that are OR-ed; `None` for no limit.
    pub constraints: Option<Value>,
}

fn permission(row: &AnyRow) -> Result<ObjectPermission> {
    Ok(ObjectPermission {
        id: row.int("id")?,
        name: row.text("name")?,
        enabled: row.bool("enabled")?,
        object_types: row.json("object_types")?,
        actions: row.json("actions")?,
        constraints: row.json_or_null("constraints")?,
    })
}

impl ObjectPermission {
    fn args(&self) -> Result<Vec<Arg>> {
        let constraints = self.constraints.as_ref().map(|c| to_json("constraints", c)).transpose()?;
        Ok(args![
            &self.name,
            self.enabled,
            to_json("object_types", &self.object_types)?,
            to_json("actions", &self.actions)?,
            constraints
        ])
    }
}

/// The functions on object permissions; from [`Store::permissions`].
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a>(&'a Store);

impl<'a> Permissions<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Creates a permission and gives its id; [`crate::Unique::PermissionName`] when the name is taken.
    pub async fn create(&self, permission: &ObjectPermission) -> Result<i64> {
        let mut tx = self.0.writer(PERMISSION_CREATE.doing).await?;
        let row = PERMISSION_CREATE.one(&mut tx, "permission", permission.args()?).await?;
        commit(tx, PERMISSION_CREATE.doing).await?;
        row.int("id")
    }

    /// Replaces the permission with this id.
    pub async fn update(&self, permission: &ObjectPermission) -> Result<()> {
        let mut args = args![permission.id];
        args.extend(permission.args()?);
        self.must_change(PERMISSION_UPDATE, args).await
    }

    /// A permission by id.
    pub async fn get(&self, id: i64) -> Result<ObjectPermission> {
        let mut conn = self.0.reader(PERMISSION_GET.doing).await?;
        permission(&PERMISSION_GET.one(&mut conn, "permission", args![id]).await?)
    }

    /// All permissions, by name.
    pub async fn list(&self) -> Result<Vec<ObjectPermission>> {
        self.permissions(PERMISSION_LIST, vec![]).await
    }

    /// Everything that is given to a user, by itself or by its groups, and switched on: one query.
    pub async fn effective(&self, user_id: i64) -> Result<Vec<ObjectPermission>> {
        self.permissions(PERMISSION_EFFECTIVE, args![user_id]).await
    }

    /// What is given to a user itself, not by a group, switched on or not.
    pub async fn of_user(&self, user_id: i64) -> Result<Vec<ObjectPermission>> {
        self.permissions(PERMISSION_OF_USER, args![user_id]).await
    }

    /// Creates a permission and gives it to a user, both or neither; [`crate::Unique::PermissionName`] when the name is
    /// taken.
    pub async fn grant(&self, permission: &ObjectPermission, user_id: i64) -> Result<i64> {
        let mut tx = self.0.writer(PERMISSION_TO_USER.doing).await?;
        let row = PERMISSION_CREATE.one(&mut tx, "permission", permission.args()?).await?;
        let id = row.int("id")?;
        PERMISSION_TO_USER.run(&mut tx, args![id, user_id]).await?;
        commit(tx, PERMISSION_TO_USER.doing).await?;
        Ok(id)
    }

    /// Takes a permission from a user, and deletes it when nobody has it any more; not found when the user itself does
    /// not have it.
    pub async fn revoke(&self, permission_id: i64, user_id: i64) -> Result<()> {
        let mut tx = self.0.writer(PERMISSION_FROM_USER.doing).await?;
        if PERMISSION_FROM_USER.run(&mut tx, args![permission_id, user_id]).await? == 0 {
            return Err(Error::NotFound("permission"));
        }
        PERMISSION_DELETE_UNUSED.run(&mut tx, args![permission_id]).await?;
        commit(tx, PERMISSION_FROM_USER.doing).await
    }

    /// Gives a permission to a user.
    pub async fn give_to_user(&self, permission_id: i64, user_id: i64) -> Result<()> {
        self.change(PERMISSION_TO_USER, args![permission_id, user_id]).await.map(|_| ())
    }

    /// Gives a permission to a group.
    pub async fn give_to_group(&self, permission_id: i64, group_id: i64) -> Result<()> {
        self.change(PERMISSION_TO_GROUP, args![permission_id, group_id]).await.map(|_| ())
    }

    /// Takes a permission from a user.
    pub async fn take_from_user(&self, permission_id: i64, user_id: i64) -> Result<()> {
        self.change(PERMISSION_FROM_USER, args![permission_id, user_id]).await.map(|_| ())
    }

    /// Takes a permission from a group.
    pub async fn take_from_group(&self, permission_id: i64, group_id: i64) -> Result<()> {
        self.change(PERMISSION_FROM_GROUP, args![permission_id, group_id]).await.map(|_| ())
    }

    /// Deletes a permission.
    pub async fn delete(&self, id: i64) -> Result<()> {
        self.must_change(PERMISSION_DELETE, args![id]).await
    }

    async fn permissions(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<Vec<ObjectPermission>> {
        let mut conn = self.0.reader(statement.doing).await?;
        statement.all(&mut conn, args).await?.iter().map(permission).collect()
    }

    async fn must_change(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<()> {
        match self.change(statement, args).await? {
            0 => Err(Error::NotFound("permission")),
            _ => Ok(()),
        }
    }

    async fn change(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<u64> {
        let mut tx = self.0.writer(statement.doing).await?;
        let rows = statement.run(&mut tx, args).await?;
        commit(tx, statement.doing).await?;
        Ok(rows)
    }
}
