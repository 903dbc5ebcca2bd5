//! Groups of users, for giving permissions to many at once.

use crate::row::Columns;
use crate::sql::{Arg, Statement, args};
use crate::statements::people::*;
use crate::users::{User, user};
use crate::{Error, Result, Store, commit};
use sqlx::any::AnyRow;

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Id.
    pub id: i64,
    /// Name, unique.
    pub name: String,
    /// What it is for.
    pub description: String,
}

fn group(row: &AnyRow) -> Result<Group> {
    Ok(Group { id: row.int("id")?, name: row.text("name")?, description: row.text("description")? })
}

/// The functions on groups; from [`Store::groups`].
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a>(&'a Store);

impl<'a> Groups<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Creates a group; [`crate::Unique::GroupName`] when the name is taken.
    pub async fn create(&self, name: &str, description: &str) -> Result<Group> {
        let mut tx = self.0.writer(GROUP_CREATE.doing).await?;
        let row = GROUP_CREATE.one(&mut tx, "group", args![name, description]).await?;
        commit(tx, GROUP_CREATE.doing).await?;
        group(&row)
    }

    /// A group by id.
    pub async fn get(&self, id: i64) -> Result<Group> {
        let mut conn = self.0.reader(GROUP_GET.doing).await?;
        group(&GROUP_GET.one(&mut conn, "group", args![id]).await?)
    }

    /// A group by name; `None` when there is none.
    pub async fn by_name(&self, name: &str) -> Result<Option<Group>> {
        let mut conn = self.0.reader(GROUP_BY_NAME.doing).await?;
        GROUP_BY_NAME.optional(&mut conn, args![name]).await?.as_ref().map(group).transpose()
    }

    /// All groups, by name.
    pub async fn list(&self) -> Result<Vec<Group>> {
        self.groups(GROUP_LIST, vec![]).await
    }

    /// The groups that a user belongs to.
    pub async fn of_user(&self, user_id: i64) -> Result<Vec<Group>> {
        self.groups(GROUP_OF_USER, args![user_id]).await
    }

    /// The users that belong to a group.
    pub async fn members(&self, group_id: i64) -> Result<Vec<User>> {
        let mut conn = self.0.reader(GROUP_MEMBERS.doing).await?;
        GROUP_MEMBERS.all(&mut conn, args![group_id]).await?.iter().map(user).collect()
    }

    /// Adds a user to a group; adding it twice changes nothing.
    pub async fn add_member(&self, group_id: i64, user_id: i64) -> Result<()> {
        self.change(GROUP_ADD_MEMBER, args![group_id, user_id]).await.map(|_| ())
    }

    /// The limits in seconds for sessions of a group's members, idle and absolute; none: as the settings say.
    pub async fn session_limits(&self, id: i64) -> Result<(Option<u32>, Option<u32>)> {
        self.limits(GROUP_LIMITS, id).await
    }

    /// The shortest limits in seconds that the groups of a user set for its sessions, idle and absolute.
    pub async fn session_limits_of_user(&self, user_id: i64) -> Result<(Option<u32>, Option<u32>)> {
        self.limits(GROUP_LIMITS_OF_USER, user_id).await
    }

    /// Sets the limits for sessions that begin from now on.
    pub async fn set_session_limits(&self, id: i64, idle: Option<u32>, absolute: Option<u32>) -> Result<()> {
        match self.change(GROUP_SET_LIMITS, args![id, idle, absolute]).await? {
            0 => Err(Error::NotFound("group")),
            _ => Ok(()),
        }
    }

    async fn limits(&self, statement: &'static Statement, id: i64) -> Result<(Option<u32>, Option<u32>)> {
        let mut conn = self.0.reader(statement.doing).await?;
        let row = statement.one(&mut conn, "group", args![id]).await?;
        let seconds = |column| Ok(row.int_or_null(column)?.and_then(|seconds| u32::try_from(seconds).ok()));
        Ok((seconds("session_idle")?, seconds("session_absolute")?))
    }

    /// Takes a user out of a group.
    pub async fn remove_member(&self, group_id: i64, user_id: i64) -> Result<()> {
        self.change(GROUP_REMOVE_MEMBER, args![group_id, user_id]).await.map(|_| ())
    }

    /// Deletes a group; its members stay, without what the group gave them.
    pub async fn delete(&self, id: i64) -> Result<()> {
        match self.change(GROUP_DELETE, args![id]).await? {
            0 => Err(Error::NotFound("group")),
            _ => Ok(()),
        }
    }

    async fn groups(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<Vec<Group>> {
        let mut conn = self.0.reader(statement.doing).await?;
        statement.all(&mut conn, args).await?.iter().map(group).collect()
    }

    async fn change(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<u64> {
        let mut tx = self.0.writer(statement.doing).await?;
        let rows = statement.run(&mut tx, args).await?;
        commit(tx, statement.doing).await?;
        Ok(rows)
    }
}
