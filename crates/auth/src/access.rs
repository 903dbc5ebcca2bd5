//! The one door to fabrics, users, groups and permissions for whoever acts for a user. It fetches only what the user may
//! see, and hands out a fabric only together with the proof that the action is permitted: what needs a
//! [`Granted<Fabric>`] cannot be called without having asked.

use crate::permissions::{Action, Actor, Denied, ObjectType};
use model::Code;
use store::{Author, Error, Fabric, Group, ObjectPermission, Scope, Store, User};

/// Something that the actor may do something to. Only [`Access`] makes one.
#[derive(Debug, Clone)]
pub struct Granted<T> {
    value: T,
    action: Action,
    actor: Actor,
}

impl<T> Granted<T> {
    /// What may be done to it.
    pub fn action(&self) -> Action {
        self.action
    }

    /// Who may do it.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The thing itself, without the proof.
    pub fn into_inner(self) -> T {
        self.value
    }
}

impl<T> std::ops::Deref for Granted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Why access was not granted.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// There is no such thing, or the user may not know of it.
    #[error("there is no such {0}, or you may not see it")]
    NotFound(&'static str),
    /// The user may see it, but not do this to it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database failed.
    #[error(transparent)]
    Store(Error),
}

impl AccessError {
    /// The stable code.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => Code::NotFound,
            Self::Denied(denied) => denied.code(),
            Self::Store(e) => e.code(),
        }
    }
}

impl From<Error> for AccessError {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound(what) => Self::NotFound(what),
            error => Self::Store(error),
        }
    }
}

/// The rule of the door, once for every noun: seen first, then in the scope of the action. A macro, because a function
/// that takes such a closure cannot promise that its future may move between threads.
macro_rules! granted {
    ($self:ident, $action:ident, $type:expr, |$scope:ident| $get:expr) => {{
        let visible = $self.scope(Action::View, $type);
        let $scope = &visible;
        let mut value = $get.await?;
        if $action != Action::View {
            let permitted = $self.require_on($action, $type)?;
            let $scope = &permitted;
            value = match $get.await {
                Err(Error::NotFound(_)) => return Err(Denied { action: $action, object_type: $type }.into()),
                found => found?,
            };
        }
        Ok(Granted { value, action: $action, actor: $self.actor.clone() })
    }};
}

/// An actor at the store's door.
#[derive(Debug, Clone)]
pub struct Access {
    store: Store,
    actor: Actor,
}

impl Access {
    /// For this actor.
    pub fn new(store: Store, actor: Actor) -> Self {
        Self { store, actor }
    }

    /// Who it is.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The fabrics that the actor may see: for lists. A user who may see none gets an empty list, not an error.
    pub fn fabrics(&self) -> Scope {
        self.actor.scope(Action::View, ObjectType::Fabric)
    }

    /// The scope in which the actor may do this to fabrics at all, or the permission that is missing.
    pub fn require(&self, action: Action) -> Result<Scope, Denied> {
        self.actor.require(action, ObjectType::Fabric)
    }

    /// Whether the action is permitted on this fabric: for what a page offers.
    pub async fn may(&self, id: i64, action: Action) -> Result<bool, AccessError> {
        match self.fabric(id, action).await {
            Ok(_) => Ok(true),
            Err(AccessError::Denied(_) | AccessError::NotFound(_)) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// The objects of a type on which the actor may do this: for lists, counts, choices and searches.
    pub fn scope(&self, action: Action, object_type: ObjectType) -> Scope {
        self.actor.scope(action, object_type)
    }

    /// The scope in which the actor may do this to objects of a type at all, or the permission that is missing.
    pub fn require_on(&self, action: Action, object_type: ObjectType) -> Result<Scope, Denied> {
        self.actor.require(action, object_type)
    }

    /// The author of what the actor writes.
    pub fn author(&self, request_id: impl Into<String>, at: jiff::Timestamp) -> Author {
        self.actor.author(request_id, at)
    }

    /// A fabric, for an action. Not to be seen is [`AccessError::NotFound`], to be seen but not permitted is
    /// [`AccessError::Denied`]: the answer never tells more than the user may know.
    pub async fn fabric(&self, id: i64, action: Action) -> Result<Granted<Fabric>, AccessError> {
        granted!(self, action, ObjectType::Fabric, |scope| self.store.fabrics().get(scope, id))
    }

    /// A user, for an action, by the same rule.
    pub async fn user(&self, id: i64, action: Action) -> Result<Granted<User>, AccessError> {
        granted!(self, action, ObjectType::User, |scope| self.store.users().get_in(scope, id))
    }

    /// A group, for an action, by the same rule.
    pub async fn group(&self, id: i64, action: Action) -> Result<Granted<Group>, AccessError> {
        granted!(self, action, ObjectType::Group, |scope| self.store.groups().get_in(scope, id))
    }

    /// An object permission, for an action, by the same rule.
    pub async fn permission(&self, id: i64, action: Action) -> Result<Granted<ObjectPermission>, AccessError> {
        granted!(self, action, ObjectType::ObjectPermission, |scope| self.store.permissions().get_in(scope, id))
    }

    /// Whether an action is permitted on an object of any type, by the same door.
    pub async fn try_on(&self, object_type: ObjectType, id: i64, action: Action) -> Result<(), AccessError> {
        match object_type {
            ObjectType::Fabric => self.fabric(id, action).await.map(drop),
            ObjectType::User => self.user(id, action).await.map(drop),
            ObjectType::Group => self.group(id, action).await.map(drop),
            ObjectType::ObjectPermission => self.permission(id, action).await.map(drop),
        }
    }
}
