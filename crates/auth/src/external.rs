//! Users that somebody else names: an OpenID Connect provider by its own number for the person, or a trusted proxy by the
//! user's name. What they say of groups becomes memberships, for the groups that are mapped and for no others.

use crate::sessions::{LoggedIn, Sessions};
use crate::tokens::SessionToken;
use crate::usernames::is_username;
use model::Code;
use store::nouns::Links;
use store::{Author, EndReason, External, Method, NewUser, Scope, Unique, User, UserSpec};

/// Under which name what a login changes is recorded.
const BY_THE_LOGIN: &str = "system:login";

/// Who was named.
#[derive(Debug, Clone)]
pub struct Named {
    /// The provider and its number for the person; none when a proxy named the user.
    pub external: Option<External>,
    /// The name.
    pub username: String,
    /// The groups, as the provider or the proxy calls them; none when nothing is said of groups.
    pub groups: Option<Vec<String>>,
}

/// What is done with what was said.
#[derive(Debug, Clone, Default)]
pub struct Mapping {
    /// Groups there and groups here. Memberships in the groups named here are what was said; others stay.
    pub groups: Vec<(String, String)>,
    /// Whoever is in this group there may do everything here, and nobody else who logs in like this.
    pub superuser_group: Option<String>,
    /// Whether whoever was never here gets an account.
    pub create_users: bool,
}

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// How it proves who it is.
    pub method: Method,
    /// The address.
    pub address: &'a str,
    /// The browser.
    pub user_agent: &'a str,
    /// The session that this browser had.
    pub previous: Option<&'a SessionToken>,
}

/// Why somebody who was named is not logged in.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// Accounts are not made by themselves.
    #[error("there is no account for '{0}' here, and none is made by logging in")]
    Unknown(String),
    /// There is a user of that name whom the provider does not know.
    #[error("there is a user '{0}' here already, and its account is not connected with the provider")]
    NameTaken(String),
    /// It cannot be the name of a user.
    #[error("what was sent as the name of the user cannot be one here")]
    BadName,
    /// The account is switched off.
    #[error("the account '{0}' is switched off")]
    Inactive(String),
    /// The session could not begin.
    #[error(transparent)]
    Login(#[from] crate::LoginError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl NamedError {
    /// The stable code; none when it is a failure of ours.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Unknown(_) | Self::NameTaken(_) | Self::BadName | Self::Inactive(_) => Some(Code::AccountRefused),
            Self::Login(_) | Self::Store(_) => None,
        }
    }
}

/// A user whom a proxy names.
fn without_password(username: &str) -> NewUser {
    let (username, password_hash) = (username.to_owned(), String::new());
    NewUser { username, password_hash, is_superuser: false, is_active: true }
}

impl Sessions {
    /// Logs in whoever was named, with a new session; the one that the browser had ends.
    pub async fn login_named(
        &self,
        named: &Named,
        mapping: &Mapping,
        from: Origin<'_>,
    ) -> Result<LoggedIn, NamedError> {
        let user = match self.known(named).await? {
            Some(user) => user,
            None => self.make(named, mapping).await?,
        };
        if !user.is_active {
            return Err(NamedError::Inactive(user.username));
        }
        let user = self.apply(user, named, mapping).await?;
        let now = self.clock().now();
        if let Some(previous) = from.previous {
            self.end_previous(previous, &user).await?;
        }
        let logged_in = self.begin_session(user, now, from).await?;
        self.store().users().set_last_login(logged_in.user.id, now).await?;
        let (user, session) = (logged_in.user.id, logged_in.session.id);
        tracing::info!(user, session, address = from.address, method = from.method.as_str(), "logged in");
        Ok(logged_in)
    }

    async fn known(&self, named: &Named) -> Result<Option<User>, store::Error> {
        match &named.external {
            // Never by the name: whoever may choose a name at the provider would choose that of an administrator.
            Some(external) => self.store().users().by_external(external).await,
            // The proxy answers for the name; that is what its address is trusted for.
            None => self.store().users().by_name(&named.username).await,
        }
    }

    async fn make(&self, named: &Named, mapping: &Mapping) -> Result<User, NamedError> {
        let users = self.store().users();
        if !is_username(&named.username) {
            return Err(NamedError::BadName);
        }
        if let Some(taken) = users.by_name(&named.username).await? {
            return Err(NamedError::NameTaken(taken.username));
        }
        if !mapping.create_users {
            return Err(NamedError::Unknown(named.username.clone()));
        }
        let now = self.clock().now();
        let author = Author::named(BY_THE_LOGIN, now);
        let made = match &named.external {
            Some(external) => users.by(&author).create_external(&named.username, external, now).await,
            None => users.by(&author).create(without_password(&named.username), now).await,
        };
        match made {
            Ok(user) => {
                tracing::info!(user.id, "an account was made for somebody who logged in from outside");
                Ok(user)
            }
            // The same person in another tab was faster, or somebody made a user of that name.
            Err(store::Error::Conflict(Unique::Username | Unique::External)) => {
                self.known(named).await?.ok_or_else(|| NamedError::NameTaken(named.username.clone()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes memberships and the flag of the superuser what was said, in one transaction, and records what changed.
    async fn apply(&self, user: User, named: &Named, mapping: &Mapping) -> Result<User, NamedError> {
        let Some(said) = &named.groups else { return Ok(user) };
        let is_said = |there: &str| said.iter().any(|group| group == there);
        let groups = self.store().groups();
        let now: Vec<i64> = groups.of_user(user.id).await?.iter().map(|group| group.id).collect();
        let (mut mapped, mut wanted) = (Vec::new(), Vec::new());
        for (there, here) in &mapping.groups {
            let Some(group) = groups.by_name(here).await? else {
                tracing::warn!(group = here, "a group that is mapped does not exist here");
                continue;
            };
            mapped.push(group.id);
            // Two groups there may be one here.
            if is_said(there) && !wanted.contains(&group.id) {
                wanted.push(group.id);
            }
        }
        let links = Links::choose(&mapped, &now, &wanted);
        let is_superuser = mapping.superuser_group.as_ref().map_or(user.is_superuser, |group| is_said(group));
        if links.add.is_empty() && links.remove.is_empty() && is_superuser == user.is_superuser {
            return Ok(user);
        }
        let author = Author::named(BY_THE_LOGIN, self.clock().now());
        let users = self.store().users().by(&author);
        let spec = UserSpec { is_superuser, ..user.spec() };
        let changed = match users.update(&Scope::System, user.id, &spec, &links).await {
            Err(store::Error::LastAdministrator) => {
                tracing::warn!(user.id, "the last administrator stays one, although the login says otherwise");
                users.update(&Scope::System, user.id, &user.spec(), &links).await?
            }
            changed => changed?,
        };
        // Other sessions of this user may do something else now, too.
        self.store().sessions().rotate_soon(user.id).await?;
        tracing::info!(user.id, is_superuser, "memberships follow the login");
        Ok(changed)
    }

    async fn end_previous(&self, previous: &SessionToken, user: &User) -> Result<(), store::Error> {
        if let Some(old) = self.find(previous).await? {
            let now = self.clock().now();
            self.store().sessions().end(old.id, now, EndReason::LoggedOut, Some(&user.username)).await?;
        }
        Ok(())
    }
}
