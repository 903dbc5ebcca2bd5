//! Groups of users, for giving permissions to many at once.

use crate::author::{Author, Reach};
use crate::nouns::{Link, Links, Noun};
use crate::permissions::relink;
use crate::recorder::Recorder;
use crate::row::Columns;
use crate::scope::Scope;
use crate::sql::{Arg, Sql, Statement, args, like};
use crate::statements::people::*;
use crate::statements::sessions::ROTATE_SOON_BY_GROUP;
use crate::users::{User, user};
use crate::{Error, Listed, Page, Result, Store, commit};
use sqlx::AnyConnection;
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

/// The part of a group that a user edits, but for its members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSpec {
    /// Name, unique.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Seconds without use after which its members' sessions end; none: as the settings say.
    pub session_idle: Option<u32>,
    /// Seconds after which its members' sessions end in any case; none: as the settings say.
    pub session_absolute: Option<u32>,
}

impl GroupSpec {
    /// A group that limits no sessions.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), session_idle: None, session_absolute: None }
    }
}

/// A group in the scope, on any connection.
async fn get_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<Group> {
    if scope.is_none() {
        return Err(Error::NotFound("group"));
    }
    let mut sql = Sql::new("read a group", GROUPS_SELECT);
    sql.condition(GROUP_HAS_ID, id);
    scope.restrict(&mut sql);
    group(&sql.optional(conn).await?.ok_or(Error::NotFound("group"))?)
}

/// The row as it is now; outside of the scope it may not become.
async fn still_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<Group> {
    get_in(conn, scope, id).await.map_err(|e| match e {
        Error::NotFound(what) => Error::OutOfScope(what),
        e => e,
    })
}

pub(crate) fn group(row: &AnyRow) -> Result<Group> {
    Ok(Group { id: row.int("id")?, name: row.text("name")?, description: row.text("description")? })
}

/// The functions on groups; from [`Store::groups`].
#[derive(Debug, Clone, Copy)]
pub struct Groups<'a>(&'a Store, Option<&'a Author>);

impl<'a> Groups<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store, None)
    }

    /// The same for somebody: what it writes is recorded under its name, and bounded by what it may hand out.
    pub fn by(self, author: &'a Author) -> Self {
        Self(self.0, Some(author))
    }

    fn reach(&self) -> &'a Reach {
        self.1.map_or(&Reach::Everything, |author| &author.reach)
    }

    /// Creates a group; [`crate::Unique::GroupName`] when the name is taken.
    pub async fn create(&self, name: &str, description: &str) -> Result<Group> {
        self.add(&Scope::System, &GroupSpec::new(name, description), &[]).await
    }

    /// Creates a group with these members. `scope` is what the permission to add covers.
    pub async fn add(&self, scope: &Scope, spec: &GroupSpec, members: &[i64]) -> Result<Group> {
        let mut tx = self.0.writer(GROUP_CREATE.doing).await?;
        let mut recorder = Recorder::new(self.1);
        let members = Links::to(members);
        recorder.note_links(&mut tx, Noun::User, &members).await?;
        let row = GROUP_CREATE.one(&mut tx, "group", args![&spec.name, &spec.description]).await?;
        let id = row.int("id")?;
        GROUP_SET_LIMITS.run(&mut tx, args![id, spec.session_idle, spec.session_absolute]).await?;
        recorder.made(Noun::Group, id);
        relink(&mut tx, self.reach(), Link::Member, (Noun::Group, id), &members).await?;
        let created = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, GROUP_CREATE.doing).await?;
        Ok(created)
    }

    /// Changes a group and its members. The row must be in the scope before and after.
    pub async fn update(&self, scope: &Scope, id: i64, spec: &GroupSpec, members: &Links) -> Result<Group> {
        let mut tx = self.0.writer(GROUP_UPDATE.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let mut recorder = Recorder::of(&mut tx, self.1, Noun::Group, id).await?;
        recorder.note_links(&mut tx, Noun::User, members).await?;
        GROUP_UPDATE.run(&mut tx, args![id, &spec.name, &spec.description]).await?;
        GROUP_SET_LIMITS.run(&mut tx, args![id, spec.session_idle, spec.session_absolute]).await?;
        relink(&mut tx, self.reach(), Link::Member, (Noun::Group, id), members).await?;
        let changed = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, GROUP_UPDATE.doing).await?;
        Ok(changed)
    }

    /// A group in the scope; one outside of it is not found.
    pub async fn get_in(&self, scope: &Scope, id: i64) -> Result<Group> {
        let mut conn = self.0.reader(GROUP_GET.doing).await?;
        get_in(&mut conn, scope, id).await
    }

    /// The groups in the scope, by name, a page of them.
    pub async fn list_in(&self, scope: &Scope, search: Option<&str>, page: Page) -> Result<Listed<Group>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let conditions = |sql: &mut Sql| {
            scope.restrict(sql);
            if let Some(search) = search.filter(|s| !s.is_empty()) {
                sql.condition(GROUP_LIKE, like("%", search, "%"));
            }
        };
        let (mut count, mut select) = (Sql::new(GROUPS, GROUPS_COUNT), Sql::new(GROUPS, GROUPS_SELECT));
        conditions(&mut count);
        conditions(&mut select);
        select.push(GROUPS_BY_NAME).page(page);
        let mut conn = self.0.reader(GROUPS).await?;
        let total = count.count(&mut conn).await?.unsigned_abs();
        Ok(Listed { rows: select.all(&mut conn).await?.iter().map(group).collect::<Result<_>>()?, total })
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
        self.relink(GROUP_ADD_MEMBER, group_id, Links::to(&[user_id])).await
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
        let mut tx = self.0.writer(GROUP_SET_LIMITS.doing).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Group, id).await?;
        if GROUP_SET_LIMITS.run(&mut tx, args![id, idle, absolute]).await? == 0 {
            return Err(Error::NotFound("group"));
        }
        recorder.record(&mut tx).await?;
        commit(tx, GROUP_SET_LIMITS.doing).await
    }

    async fn limits(&self, statement: &'static Statement, id: i64) -> Result<(Option<u32>, Option<u32>)> {
        let mut conn = self.0.reader(statement.doing).await?;
        let row = statement.one(&mut conn, "group", args![id]).await?;
        let seconds = |column| Ok(row.int_or_null(column)?.and_then(|seconds| u32::try_from(seconds).ok()));
        Ok((seconds("session_idle")?, seconds("session_absolute")?))
    }

    /// Takes a user out of a group.
    pub async fn remove_member(&self, group_id: i64, user_id: i64) -> Result<()> {
        self.relink(GROUP_REMOVE_MEMBER, group_id, Links::from(&[user_id])).await
    }

    async fn relink(&self, statement: &'static Statement, id: i64, members: Links) -> Result<()> {
        let mut tx = self.0.writer(statement.doing).await?;
        let mut recorder = Recorder::of(&mut tx, self.1, Noun::Group, id).await?;
        recorder.note_links(&mut tx, Noun::User, &members).await?;
        relink(&mut tx, self.reach(), Link::Member, (Noun::Group, id), &members).await?;
        recorder.record(&mut tx).await?;
        commit(tx, statement.doing).await
    }

    /// Deletes a group, whichever it is; its members stay, without what the group gave them.
    pub async fn delete(&self, id: i64) -> Result<()> {
        self.delete_in(&Scope::System, id).await
    }

    /// Deletes a group in the scope; its members stay, without what the group gave them.
    pub async fn delete_in(&self, scope: &Scope, id: i64) -> Result<()> {
        let mut tx = self.0.writer(GROUP_DELETE.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Group, id).await?;
        ROTATE_SOON_BY_GROUP.run(&mut tx, args![id]).await?;
        GROUP_DELETE.run(&mut tx, args![id]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, GROUP_DELETE.doing).await
    }

    async fn groups(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<Vec<Group>> {
        let mut conn = self.0.reader(statement.doing).await?;
        statement.all(&mut conn, args).await?.iter().map(group).collect()
    }
}
