//! Users: a name, a password hash or a provider that knows them, two flags.
//!
//! What is decided inside the transaction: that the last administrator stays, that nobody but a superuser touches a
//! superuser, that nobody hands out what they do not have, and that the row is in the scope, before and after.

use crate::author::{Author, Reach};
use crate::nouns::{Link, Links, Noun};
use crate::permissions;
use crate::recorder::Recorder;
use crate::row::Columns;
use crate::scope::Scope;
use crate::sessions::EndReason;
use crate::sql::{Sql, args, like};
use crate::statements::people::*;
use crate::statements::sessions::{END_ALL_OF_USER, ROTATE_SOON};
use crate::{Error, Listed, Page, Result, Store, commit};
use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use std::fmt;

/// Who a user is for a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// The provider.
    pub issuer: String,
    /// Its own number for the person.
    pub subject: String,
}

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: i64,
    /// Name; unique without regard to case.
    pub username: String,
    /// Hash of the password, in PHC format. Not in `Debug`. Empty: there is none, and nobody logs in by one.
    pub password_hash: String,
    /// May do everything.
    pub is_superuser: bool,
    /// May log in.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
    /// Who it is for a provider, when one logs it in.
    pub external: Option<External>,
}

impl User {
    /// Whether there is a password to log in with.
    pub fn has_password(&self) -> bool {
        !self.password_hash.is_empty()
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("username", &self.username)
            .field("is_superuser", &self.is_superuser)
            .field("is_active", &self.is_active)
            .finish_non_exhaustive()
    }
}

/// What a new user is made of.
#[derive(Clone)]
pub struct NewUser {
    /// Name.
    pub username: String,
    /// Hash of the password, in PHC format.
    pub password_hash: String,
    /// May do everything.
    pub is_superuser: bool,
    /// May log in.
    pub is_active: bool,
}

/// The part of a user that an administrator edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// Name; unique without regard to case.
    pub username: String,
    /// May do everything.
    pub is_superuser: bool,
    /// May log in.
    pub is_active: bool,
}

impl User {
    /// The part that an administrator edits.
    pub fn spec(&self) -> UserSpec {
        UserSpec { username: self.username.clone(), is_superuser: self.is_superuser, is_active: self.is_active }
    }
}

/// Which users.
#[derive(Debug, Clone, Default)]
pub struct UserFilter {
    /// The name contains this, without regard to case.
    pub search: Option<String>,
    /// May log in, or may not.
    pub active: Option<bool>,
    /// Superusers, or the others.
    pub superuser: Option<bool>,
    /// Belongs to this group.
    pub group: Option<i64>,
}

pub(crate) fn user(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: row.int("id")?,
        username: row.text("username")?,
        password_hash: row.text("password_hash")?,
        is_superuser: row.bool("is_superuser")?,
        is_active: row.bool("is_active")?,
        created_at: row.time("created_at")?,
        last_login_at: row.time_or_null("last_login_at")?,
        external: row
            .text_or_null("external_issuer")?
            .zip(row.text_or_null("external_subject")?)
            .map(|(issuer, subject)| External { issuer, subject }),
    })
}

/// The functions on users; from [`Store::users`].
#[derive(Debug, Clone, Copy)]
pub struct Users<'a> {
    store: &'a Store,
    author: Option<&'a Author>,
}

/// A user in the scope, on any connection.
async fn get_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<User> {
    if scope.is_none() {
        return Err(Error::NotFound("user"));
    }
    let mut sql = Sql::new("read a user", USERS_SELECT);
    sql.condition(USER_HAS_ID, id);
    scope.restrict(&mut sql);
    user(&sql.optional(conn).await?.ok_or(Error::NotFound("user"))?)
}

/// The row as it is now; outside of the scope it may not become.
async fn still_in(conn: &mut AnyConnection, scope: &Scope, id: i64) -> Result<User> {
    get_in(conn, scope, id).await.map_err(|e| match e {
        Error::NotFound(what) => Error::OutOfScope(what),
        e => e,
    })
}

/// Those who may do everything and may log in. Asked for before anything else is read: the lock on them makes changes of
/// accounts come one after the other, on PostgreSQL, too.
async fn administrators(conn: &mut AnyConnection) -> Result<Vec<i64>> {
    ADMINISTRATORS.all(conn, vec![]).await?.iter().map(|row| row.int("id")).collect()
}

/// Refuses to take the last one who may do everything and may log in.
fn leave_one(administrators: &[i64], without: i64) -> Result<()> {
    if administrators == [without] { Err(Error::LastAdministrator) } else { Ok(()) }
}

impl<'a> Users<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, author: None }
    }

    /// The same for somebody: what it writes is recorded under its name, and bounded by what it may hand out.
    pub fn by(self, author: &'a Author) -> Self {
        Self { author: Some(author), ..self }
    }

    fn reach(&self) -> &'a Reach {
        self.author.map_or(&Reach::Everything, |author| &author.reach)
    }

    fn require_superuser(&self, what: &'static str) -> Result<()> {
        if self.reach().is_everything() { Ok(()) } else { Err(Error::SuperusersOnly(what)) }
    }

    /// Creates a user; [`crate::Unique::Username`] when the name is taken.
    pub async fn create(&self, new: NewUser, now: Timestamp) -> Result<User> {
        self.add(&Scope::System, new, &[], now).await
    }

    /// Creates a user who belongs to these groups. `scope` is what the permission to add covers.
    pub async fn add(&self, scope: &Scope, new: NewUser, groups: &[i64], now: Timestamp) -> Result<User> {
        if new.is_superuser {
            self.require_superuser("make another administrator")?;
        }
        let mut tx = self.store.writer(USER_CREATE.doing).await?;
        let mut recorder = Recorder::new(self.author);
        let groups = Links::to(groups);
        recorder.note_links(&mut tx, Noun::Group, &groups).await?;
        let args = args![new.username, new.password_hash, new.is_superuser, new.is_active, now];
        let id = user(&USER_CREATE.one(&mut tx, "user", args).await?)?.id;
        recorder.made(Noun::User, id);
        permissions::relink(&mut tx, self.reach(), Link::Member, (Noun::User, id), &groups).await?;
        let created = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        commit(tx, USER_CREATE.doing).await?;
        Ok(created)
    }

    /// Creates a user that a provider knows, without a password; [`crate::Unique::Username`] when the name is taken,
    /// [`crate::Unique::External`] when the provider's person has a user already.
    pub async fn create_external(&self, username: &str, external: &External, now: Timestamp) -> Result<User> {
        let mut tx = self.store.writer(USER_CREATE_EXTERNAL.doing).await?;
        let mut recorder = Recorder::new(self.author);
        let args = args![username, now, &external.issuer, &external.subject];
        let created = user(&USER_CREATE_EXTERNAL.one(&mut tx, "user", args).await?)?;
        recorder.made(Noun::User, created.id);
        recorder.record(&mut tx).await?;
        commit(tx, USER_CREATE_EXTERNAL.doing).await?;
        Ok(created)
    }

    /// The user of a provider's person; `None` when there is none.
    pub async fn by_external(&self, external: &External) -> Result<Option<User>> {
        let mut conn = self.store.reader(USER_BY_EXTERNAL.doing).await?;
        let args = args![&external.issuer, &external.subject];
        USER_BY_EXTERNAL.optional(&mut conn, args).await?.as_ref().map(user).transpose()
    }

    /// Connects a user with a provider's person, or with none.
    pub async fn link(&self, id: i64, external: Option<&External>) -> Result<()> {
        let (issuer, subject) = external.map(|known| (known.issuer.clone(), known.subject.clone())).unzip();
        let mut tx = self.store.writer(USER_LINK.doing).await?;
        let recorder = Recorder::of(&mut tx, self.author, Noun::User, id).await?;
        if USER_LINK.run(&mut tx, args![id, issuer, subject]).await? == 0 {
            return Err(Error::NotFound("user"));
        }
        recorder.record(&mut tx).await?;
        commit(tx, USER_LINK.doing).await
    }

    /// A user by id.
    pub async fn get(&self, id: i64) -> Result<User> {
        let mut conn = self.store.reader(USER_GET.doing).await?;
        user(&USER_GET.one(&mut conn, "user", args![id]).await?)
    }

    /// A user in the scope; one outside of it is not found.
    pub async fn get_in(&self, scope: &Scope, id: i64) -> Result<User> {
        let mut conn = self.store.reader(USER_GET.doing).await?;
        get_in(&mut conn, scope, id).await
    }

    /// A user by name, without regard to case; `None` when there is none.
    pub async fn by_name(&self, username: &str) -> Result<Option<User>> {
        let mut conn = self.store.reader(USER_BY_NAME.doing).await?;
        USER_BY_NAME.optional(&mut conn, args![username]).await?.as_ref().map(user).transpose()
    }

    /// All users, by name.
    pub async fn list(&self) -> Result<Vec<User>> {
        let mut conn = self.store.reader(USER_LIST.doing).await?;
        USER_LIST.all(&mut conn, vec![]).await?.iter().map(user).collect()
    }

    /// The users in the scope, by name, a page of them.
    pub async fn list_in(&self, scope: &Scope, filter: &UserFilter, page: Page) -> Result<Listed<User>> {
        if scope.is_none() {
            return Ok(Listed { rows: Vec::new(), total: 0 });
        }
        let conditions = |sql: &mut Sql| {
            scope.restrict(sql);
            if let Some(search) = filter.search.as_deref().filter(|s| !s.is_empty()) {
                sql.condition(USERNAME_LIKE, like("%", search, "%"));
            }
            if let Some(active) = filter.active {
                sql.condition(USER_ACTIVE, active);
            }
            if let Some(superuser) = filter.superuser {
                sql.condition(USER_SUPERUSER, superuser);
            }
            if let Some(group) = filter.group {
                sql.condition(USER_IN_GROUP, group);
            }
        };
        let (mut count, mut select) = (Sql::new(USERS, USERS_COUNT), Sql::new(USERS, USERS_SELECT));
        conditions(&mut count);
        conditions(&mut select);
        select.push(USERS_BY_NAME).page(page);
        let mut conn = self.store.reader(USERS).await?;
        let total = count.count(&mut conn).await?.unsigned_abs();
        Ok(Listed { rows: select.all(&mut conn).await?.iter().map(user).collect::<Result<_>>()?, total })
    }

    /// How many users there are. None: this is a first start.
    pub async fn count(&self) -> Result<u64> {
        let mut conn = self.store.reader(USER_COUNT.doing).await?;
        USER_COUNT.one(&mut conn, "count", vec![]).await?.unsigned("n")
    }

    /// Changes a user and its groups. The row must be in the scope before and after. Whoever is switched off is logged
    /// out everywhere.
    pub async fn update(&self, scope: &Scope, id: i64, spec: &UserSpec, groups: &Links) -> Result<User> {
        let mut tx = self.store.writer(USER_RENAME.doing).await?;
        let administrators = administrators(&mut tx).await?;
        let before = get_in(&mut tx, scope, id).await?;
        if before.is_superuser || spec.is_superuser {
            self.require_superuser("make or change an administrator")?;
        }
        if !(spec.is_superuser && spec.is_active) {
            leave_one(&administrators, id)?;
        }
        let mut recorder = Recorder::of(&mut tx, self.author, Noun::User, id).await?;
        recorder.note_links(&mut tx, Noun::Group, groups).await?;
        let args = args![id, &spec.username, spec.is_superuser, spec.is_active];
        USER_RENAME.run(&mut tx, args).await?;
        if before.is_superuser != spec.is_superuser {
            ROTATE_SOON.run(&mut tx, args![id]).await?;
        }
        permissions::relink(&mut tx, self.reach(), Link::Member, (Noun::User, id), groups).await?;
        let changed = still_in(&mut tx, scope, id).await?;
        recorder.record(&mut tx).await?;
        if let (false, Some(author)) = (spec.is_active, self.author) {
            let args = args![id, author.at, EndReason::Revoked.as_str(), &author.actor, -1i64];
            END_ALL_OF_USER.run(&mut tx, args).await?;
        }
        commit(tx, USER_RENAME.doing).await?;
        Ok(changed)
    }

    /// Stores the hash of a password, whoever the user is.
    pub async fn set_password(&self, id: i64, password_hash: &str) -> Result<()> {
        self.set_password_in(&Scope::System, id, password_hash).await
    }

    /// Stores the hash of a new password. Whoever knows somebody's password may do what that user may, so the author
    /// must have all of it.
    pub async fn set_password_in(&self, scope: &Scope, id: i64, password_hash: &str) -> Result<()> {
        let mut tx = self.store.writer(USER_SET_PASSWORD.doing).await?;
        administrators(&mut tx).await?;
        let user = get_in(&mut tx, scope, id).await?;
        let is_own = self.author.is_some_and(|author| author.user_id == Some(id));
        if !is_own {
            if user.is_superuser {
                self.require_superuser("set an administrator's password")?;
            }
            permissions::covers_user(&mut tx, self.reach(), id).await?;
        }
        let recorder = Recorder::of(&mut tx, self.author, Noun::User, id).await?;
        USER_SET_PASSWORD.run(&mut tx, args![id, password_hash]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, USER_SET_PASSWORD.doing).await
    }

    /// Notes a login.
    pub async fn set_last_login(&self, id: i64, at: Timestamp) -> Result<()> {
        let mut tx = self.store.writer(USER_SET_LAST_LOGIN.doing).await?;
        if USER_SET_LAST_LOGIN.run(&mut tx, args![id, at]).await? == 0 {
            return Err(Error::NotFound("user"));
        }
        commit(tx, USER_SET_LAST_LOGIN.doing).await
    }

    /// Sets whether the user may do everything, and whether it may log in.
    pub async fn set_flags(&self, id: i64, is_superuser: bool, is_active: bool) -> Result<()> {
        let spec = UserSpec { is_superuser, is_active, ..self.get(id).await?.spec() };
        self.update(&Scope::System, id, &spec, &Links::default()).await.map(drop)
    }

    /// Deletes a user with its sessions, whoever it is. Operations and attempts keep the name.
    pub async fn delete(&self, id: i64) -> Result<()> {
        self.delete_in(&Scope::System, id).await
    }

    /// Deletes a user in the scope with its sessions. Operations, attempts and changes keep the name.
    pub async fn delete_in(&self, scope: &Scope, id: i64) -> Result<()> {
        let mut tx = self.store.writer(USER_DELETE.doing).await?;
        let administrators = administrators(&mut tx).await?;
        if get_in(&mut tx, scope, id).await?.is_superuser {
            self.require_superuser("delete an administrator")?;
        }
        leave_one(&administrators, id)?;
        let recorder = Recorder::of(&mut tx, self.author, Noun::User, id).await?;
        USER_DELETE.run(&mut tx, args![id]).await?;
        recorder.record(&mut tx).await?;
        commit(tx, USER_DELETE.doing).await
    }
}
