//! Users: a name, a password hash, two flags.

use crate::row::Columns;
use crate::sql::args;
use crate::statements::people::*;
use crate::{Error, Result, Store, commit};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use std::fmt;

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: i64,
    /// Name; unique without regard to case.
    pub username: String,
    /// Hash of the password, in PHC format. Not in `Debug`.
    pub password_hash: String,
    /// May do everything.
    pub is_superuser: bool,
    /// May log in.
    pub is_active: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When the user last logged in.
    pub last_login_at: Option<Timestamp>,
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

pub(crate) fn user(row: &AnyRow) -> Result<User> {
    Ok(User {
        id: row.int("id")?,
        username: row.text("username")?,
        password_hash: row.text("password_hash")?,
        is_superuser: row.bool("is_superuser")?,
        is_active: row.bool("is_active")?,
        created_at: row.time("created_at")?,
        last_login_at: row.time_or_null("last_login_at")?,
    })
}

/// The functions on users; from [`Store::users`].
#[derive(Debug, Clone, Copy)]
pub struct Users<'a>(&'a Store);

impl<'a> Users<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self(store)
    }

    /// Creates a user; [`crate::Unique::Username`] when the name is taken.
    pub async fn create(&self, new: NewUser, now: Timestamp) -> Result<User> {
        let mut tx = self.0.writer(USER_CREATE.doing).await?;
        let args = args![new.username, new.password_hash, new.is_superuser, new.is_active, now];
        let row = USER_CREATE.one(&mut tx, "user", args).await?;
        commit(tx, USER_CREATE.doing).await?;
        user(&row)
    }

    /// A user by id.
    pub async fn get(&self, id: i64) -> Result<User> {
        let mut conn = self.0.reader(USER_GET.doing).await?;
        user(&USER_GET.one(&mut conn, "user", args![id]).await?)
    }

    /// A user by name, without regard to case; `None` when there is none.
    pub async fn by_name(&self, username: &str) -> Result<Option<User>> {
        let mut conn = self.0.reader(USER_BY_NAME.doing).await?;
        USER_BY_NAME.optional(&mut conn, args![username]).await?.as_ref().map(user).transpose()
    }

    /// All users, by name.
    pub async fn list(&self) -> Result<Vec<User>> {
        let mut conn = self.0.reader(USER_LIST.doing).await?;
        USER_LIST.all(&mut conn, vec![]).await?.iter().map(user).collect()
    }

    /// How many users there are. None: this is a first start.
    pub async fn count(&self) -> Result<u64> {
        let mut conn = self.0.reader(USER_COUNT.doing).await?;
        USER_COUNT.one(&mut conn, "count", vec![]).await?.unsigned("n")
    }

    /// Stores the hash of a new password.
    pub async fn set_password(&self, id: i64, password_hash: &str) -> Result<()> {
        self.change(USER_SET_PASSWORD, args![id, password_hash]).await
    }

    /// Notes a login.
    pub async fn set_last_login(&self, id: i64, at: Timestamp) -> Result<()> {
        self.change(USER_SET_LAST_LOGIN, args![id, at]).await
    }

    /// Sets whether the user may do everything, and whether it may log in.
    pub async fn set_flags(&self, id: i64, is_superuser: bool, is_active: bool) -> Result<()> {
        self.change(USER_SET_FLAGS, args![id, is_superuser, is_active]).await
    }

    /// Deletes a user with its sessions. Operations and attempts keep the name.
    pub async fn delete(&self, id: i64) -> Result<()> {
        self.change(USER_DELETE, args![id]).await
    }

    async fn change(&self, statement: &'static crate::sql::Statement, args: Vec<crate::sql::Arg>) -> Result<()> {
        let mut tx = self.0.writer(statement.doing).await?;
        if statement.run(&mut tx, args).await? == 0 {
            return Err(Error::NotFound("user"));
        }
        commit(tx, statement.doing).await
    }
}
