//! The one door to fabrics for whoever acts for a user. It fetches only what the user may see, and hands out a fabric
//! only together with the proof that the action is permitted: what needs a [`Granted<Fabric>`] cannot be called without
//! having asked.

use crate::permissions::{Action, Actor, Denied, ObjectType};
use model::Code;
use store::{Error, Fabric, Scope, Store};

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

    /// A fabric, for an action. Not to be seen is [`AccessError::NotFound`], to be seen but not permitted is
    /// [`AccessError::Denied`]: the answer never tells more than the user may know.
    pub async fn fabric(&self, id: i64, action: Action) -> Result<Granted<Fabric>, AccessError> {
        let mut value = self.store.fabrics().get(&self.fabrics(), id).await?;
        if action != Action::View {
            value = match self.store.fabrics().get(&self.require(action)?, id).await {
                Err(Error::NotFound(_)) => return Err(Denied { action, object_type: ObjectType::Fabric }.into()),
                found => found?,
            };
        }
        Ok(Granted { value, action, actor: self.actor.clone() })
    }
}
