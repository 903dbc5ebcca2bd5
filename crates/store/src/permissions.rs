//! Object permissions, as in NetBox: actions on object types, limited by constraints, given to users and groups.
//! What they mean is decided in the room `auth`; here they are rows.

use crate::author::{Author, Reach};
use crate::nouns::{Link, Links, Noun};
use crate::recorder::Recorder;
use crate::row::{Columns, to_json};
use crate::scope::Scope;
use crate::sql::{Arg, Sql, Statement, args, like};
use crate::statements::people::*;
use crate::statements::sessions::{ROTATE_SOON, ROTATE_SOON_BY_GROUP, ROTATE_SOON_BY_PERMISSION};
use crate::{Error, Listed, Page, Result, Store, commit};
use serde_json::Value;
use sqlx::AnyConnection;
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

pub(crate) fn permission(row: &AnyRow) -> Result<ObjectPermission> {
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

/// Whom a permission is given to, and from whom it is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holders {
    /// Users.
    pub users: Links,
    /// Groups.
    pub groups: Links,
}

/// Which permissions.
#[derive(Debug, Clone, Default)]
pub struct PermissionFilter {
    /// The name contains this, without regard to case.
    pub search: Option<String>,
    /// Switched on, or off.
    pub enabled: Option<bool>,
    /// On this object type.
    pub object_type: Option<String>,
}

/// A permission in the scope, on any connection.
async fn get_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<ObjectPermission> {
    if scope.is_none() {
        return Err(Error::NotFound("permission"));
    }
    let mut sql = Sql::new("read a permission", PERMISSIONS_SELECT);
    sql.condition(PERMISSION_HAS_ID, id);
    scope.restrict(&mut sql);
    permission(&sql.optional(conn).await?.ok_or(Error::NotFound("permission"))?)
}

/// The row as it is now; outside of the scope it may not become.
async fn still_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<()> {
    get_in(conn, scope, id).await.map(drop).map_err(|e| match e {
        Error::NotFound(what) => Error::OutOfScope(what),
        e => e,
    })
}

/// Makes and ends links of one row, on any connection. Whoever puts somebody into a group hands out what the group has.
/// Sessions of those who may do something else from now on get new tokens.
pub(crate) async fn relink(
    conn: &mut AnyConnection,
    reach: &Reach,
    link: Link,
    (noun, id): (Noun, i64),
    links: &Links,
) -> Result<()> {
    let (make, end) = match link {
        Link::Member => (GROUP_ADD_MEMBER, GROUP_REMOVE_MEMBER),
        Link::ToUser => (PERMISSION_TO_USER, PERMISSION_FROM_USER),
        Link::ToGroup => (PERMISSION_TO_GROUP, PERMISSION_FROM_GROUP),
    };
    let sides = |other: i64| if link.sides().0 == noun { (id, other) } else { (other, id) };
    for other in &links.add {
        let (left, right) = sides(*other);
        if link == Link::Member && !reach.is_everything() {
            for row in GROUP_PERMISSIONS.all(conn, args![left]).await? {
                reach.covers(&permission(&row)?)?;
            }
        }
        make.run(conn, args![left, right]).await?;
    }
    for other in &links.remove {
        let (left, right) = sides(*other);
        end.run(conn, args![left, right]).await?;
    }
    for other in links.all() {
        let (_, right) = sides(other);
        let statement = if link == Link::ToGroup { ROTATE_SOON_BY_GROUP } else { ROTATE_SOON };
        statement.run(conn, args![right]).await?;
    }
    Ok(())
}

/// Refuses what a user has and the author lacks.
pub(crate) async fn covers_user(conn: &mut AnyConnection, reach: &Reach, user_id: i64) -> Result<()> {
    if reach.is_everything() {
        return Ok(());
    }
    for row in PERMISSION_ALL_OF_USER.all(conn, args![user_id]).await? {
        reach.covers(&permission(&row)?)?;
    }
    Ok(())
}

/// The functions on object permissions; from [`Store::permissions`].
#[derive(Debug, Clone, Copy)]
pub struct Permissions<'a>(&'a Store, Option<&'a Author>);

impl<'a> Permissions<'a> {
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

    /// Creates a permission and gives its id; [`crate::Unique::PermissionName`] when the name is taken.
    pub async fn create(&self, permission: &ObjectPermission) -> Result<i64> {
        self.add(&Scope::System, permission, &Holders::default()).await
    }

    /// Creates a permission, gives it to users and groups, all or nothing, and gives its id. `scope` is what the
    /// permission to add covers.
    pub async fn add(&self, scope: &Scope, permission: &ObjectPermission, holders: &Holders) -> Result<i64> {
        self.reach().covers(permission)?;
        let mut tx = self.0.writer(PERMISSION_CREATE.doing).await?;
        let mut recorder = Recorder::new(self.1);
        recorder.note_links(&mut tx, Noun::User, &holders.users).await?;
        recorder.note_links(&mut tx, Noun::Group, &holders.groups).await?;
        let id = PERMISSION_CREATE.one(&mut tx, "permission", permission.args()?).await?.int("id")?;
        recorder.made(Noun::Permission, id);
        self.hand_out(&mut tx, id, holders).await?;
        still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, PERMISSION_CREATE.doing).await?;
        Ok(id)
    }

    /// Replaces the permission with this id, whichever it is.
    pub async fn update(&self, permission: &ObjectPermission) -> Result<()> {
        self.update_in(&Scope::System, permission, &Holders::default()).await
    }

    /// Replaces the permission with this id, and whom it is given to. The row must be in the scope before and after, and
    /// what it grants within the author's reach, before and after.
    pub async fn update_in(&self, scope: &Scope, permission: &ObjectPermission, holders: &Holders) -> Result<()> {
        let mut tx = self.0.writer(PERMISSION_UPDATE.doing).await?;
        let before = get_in(&mut tx, scope, permission.id).await?;
        self.reach().covers(&before)?;
        self.reach().covers(permission)?;
        let mut recorder = Recorder::of(&mut tx, self.1, Noun::Permission, permission.id).await?;
        recorder.note_links(&mut tx, Noun::User, &holders.users).await?;
        recorder.note_links(&mut tx, Noun::Group, &holders.groups).await?;
        let mut args = args![permission.id];
        args.extend(permission.args()?);
        PERMISSION_UPDATE.run(&mut tx, args).await?;
        ROTATE_SOON_BY_PERMISSION.run(&mut tx, args![permission.id]).await?;
        self.hand_out(&mut tx, permission.id, holders).await?;
        still_in(&mut tx, scope, permission.id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, PERMISSION_UPDATE.doing).await
    }

    async fn hand_out(&self, conn: &mut AnyConnection, id: i64, holders: &Holders) -> Result<()> {
        let this = (Noun::Permission, id);
        relink(conn, self.reach(), Link::ToUser, this, &holders.users).await?;
        relink(conn, self.reach(), Link::ToGroup, this, &holders.groups).await
    }

    /// A permission in the scope; one outside of it is not found.
    pub async fn get_in(&self, scope: &Scope, id: i64) -> Result<ObjectPermission> {
        let mut conn = self.0.reader(PERMISSION_GET.doing).await?;
        get_in(&mut conn, scope, id).await
    }

    /// The permissions in the scope, by name, a page of them.
    pub async fn list_in(
        &self,
        scope: &Scope,
        filter: &PermissionFilter,
        page: Page,
    ) -> Result<Listed<ObjectPermission>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let conditions = |sql: &mut Sql| {
            scope.restrict(sql);
            if let Some(search) = filter.search.as_deref().filter(|s| !s.is_empty()) {
                sql.condition(PERMISSION_LIKE, like("%", search, "%"));
            }
            if let Some(enabled) = filter.enabled {
                sql.condition(PERMISSION_ENABLED, enabled);
            }
            if let Some(object_type) = &filter.object_type {
                sql.condition(PERMISSION_OF_TYPE, like("%\"", object_type, "\"%"));
            }
        };
        let (mut count, mut select) =
            (Sql::new(PERMISSIONS, PERMISSIONS_COUNT), Sql::new(PERMISSIONS, PERMISSIONS_SELECT));
        conditions(&mut count);
        conditions(&mut select);
        select.push(PERMISSIONS_BY_NAME).page(page);
        let mut conn = self.0.reader(PERMISSIONS).await?;
        let total = count.count(&mut conn).await?.unsigned_abs();
        Ok(Listed { rows: select.all(&mut conn).await?.iter().map(permission).collect::<Result<_>>()?, total })
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

    /// Everything that is given to a user, by itself or by its groups, switched on or not.
    pub async fn given(&self, user_id: i64) -> Result<Vec<ObjectPermission>> {
        self.permissions(PERMISSION_ALL_OF_USER, args![user_id]).await
    }

    /// What is given to a user itself, not by a group, switched on or not.
    pub async fn of_user(&self, user_id: i64) -> Result<Vec<ObjectPermission>> {
        self.permissions(PERMISSION_OF_USER, args![user_id]).await
    }

    /// Creates a permission and gives it to a user, both or neither; [`crate::Unique::PermissionName`] when the name is
    /// taken.
    pub async fn grant(&self, permission: &ObjectPermission, user_id: i64) -> Result<i64> {
        let holders = Holders { users: Links::to(&[user_id]), groups: Links::default() };
        self.add(&Scope::System, permission, &holders).await
    }

    /// Takes a permission from a user, and deletes it when nobody has it any more; not found when the user itself does
    /// not have it.
    pub async fn revoke(&self, permission_id: i64, user_id: i64) -> Result<()> {
        let mut tx = self.0.writer(PERMISSION_FROM_USER.doing).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Permission, permission_id).await?;
        if PERMISSION_FROM_USER.run(&mut tx, args![permission_id, user_id]).await? == 0 {
            return Err(Error::NotFound("permission"));
        }
        ROTATE_SOON.run(&mut tx, args![user_id]).await?;
        PERMISSION_DELETE_UNUSED.run(&mut tx, args![permission_id]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, PERMISSION_FROM_USER.doing).await
    }

    /// Gives a permission to a user.
    pub async fn give_to_user(&self, permission_id: i64, user_id: i64) -> Result<()> {
        self.relink(PERMISSION_TO_USER, Link::ToUser, permission_id, Links::to(&[user_id])).await
    }

    /// Gives a permission to a group.
    pub async fn give_to_group(&self, permission_id: i64, group_id: i64) -> Result<()> {
        self.relink(PERMISSION_TO_GROUP, Link::ToGroup, permission_id, Links::to(&[group_id])).await
    }

    /// Takes a permission from a user.
    pub async fn take_from_user(&self, permission_id: i64, user_id: i64) -> Result<()> {
        self.relink(PERMISSION_FROM_USER, Link::ToUser, permission_id, Links::from(&[user_id])).await
    }

    /// Takes a permission from a group.
    pub async fn take_from_group(&self, permission_id: i64, group_id: i64) -> Result<()> {
        self.relink(PERMISSION_FROM_GROUP, Link::ToGroup, permission_id, Links::from(&[group_id])).await
    }

    async fn relink(&self, statement: &'static Statement, link: Link, id: i64, links: Links) -> Result<()> {
        let mut tx = self.0.writer(statement.doing).await?;
        self.reach().covers(&get_in(&mut tx, &Scope::System, id).await?)?;
        let mut recorder = Recorder::of(&mut tx, self.1, Noun::Permission, id).await?;
        recorder.note_links(&mut tx, link.sides().1, &links).await?;
        relink(&mut tx, self.reach(), link, (Noun::Permission, id), &links).await?;
        recorder.record(&mut tx).await?;
        commit(tx, statement.doing).await
    }

    /// Deletes a permission, whichever it is.
    pub async fn delete(&self, id: i64) -> Result<()> {
        self.delete_in(&Scope::System, id).await
    }

    /// Deletes a permission in the scope. Nobody gets anything by that, so what it grants makes no difference.
    pub async fn delete_in(&self, scope: &Scope, id: i64) -> Result<()> {
        let mut tx = self.0.writer(PERMISSION_DELETE.doing).await?;
        get_in(&mut tx, scope, id).await?;
        let recorder = Recorder::of(&mut tx, self.1, Noun::Permission, id).await?;
        ROTATE_SOON_BY_PERMISSION.run(&mut tx, args![id]).await?;
        PERMISSION_DELETE.run(&mut tx, args![id]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, PERMISSION_DELETE.doing).await
    }

    async fn permissions(&self, statement: &'static Statement, args: Vec<Arg>) -> Result<Vec<ObjectPermission>> {
        let mut conn = self.0.reader(statement.doing).await?;
        statement.all(&mut conn, args).await?.iter().map(permission).collect()
    }
}
