//! Why a user may, or may not, do something. The verdict is the door's own ([`Access`]), the permissions are read by the
//! function that scopes are made of, and each term is asked of the database by itself: nothing here decides.

use crate::access::{Access, AccessError};
use crate::constraints::{BadConstraints, Judge, Judged};
use crate::permissions::{Action, Actor, ObjectType};
use store::nouns::Tested;
use store::scope::{Constraint, Term};
use store::{Link, Named, Noun, ObjectPermission, Scope, Store, User};

/// The answer, and what it rests on.
#[derive(Debug)]
pub struct Explanation {
    /// Whether the user may.
    pub may: bool,
    /// What decides beside permissions, if anything does.
    pub rank: Rank,
    /// The actions that were asked about in their order: whoever may not see an object cannot do anything to it.
    pub steps: Vec<Step>,
}

/// What decides beside permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rank {
    /// Nothing does.
    Ordinary,
    /// The user may do everything.
    Superuser,
    /// The user may not log in.
    Inactive,
}

/// One action, and every permission of the user beside it.
#[derive(Debug)]
pub struct Step {
    /// The action.
    pub action: Action,
    /// Whether it is permitted, as the door says.
    pub may: bool,
    /// The user's permissions.
    pub considered: Vec<Considered>,
}

/// One permission of the user.
#[derive(Debug)]
pub struct Considered {
    /// The permission.
    pub permission: ObjectPermission,
    /// Whether the user has it itself.
    pub is_direct: bool,
    /// The groups by which the user has it.
    pub groups: Vec<Named>,
    /// What it says.
    pub finding: Finding,
}

/// What one permission says.
#[derive(Debug)]
pub enum Finding {
    /// It is switched off.
    Off,
    /// It is about other types.
    OtherType,
    /// It is about other actions.
    OtherAction,
    /// Its constraints cannot be understood.
    Unusable(BadConstraints),
    /// It grants it, on every object.
    Everything,
    /// It has limits, and no object was named.
    Within(Vec<Vec<Term>>),
    /// It has limits: each of them with what the object has. One whose terms all hold grants it.
    Tested(Vec<Vec<(Term, Tested)>>),
}

impl Finding {
    /// Whether it grants the action, as far as it goes.
    pub fn grants(&self) -> bool {
        match self {
            Self::Everything | Self::Within(_) => true,
            Self::Tested(limits) => limits.iter().any(|limit| limit.iter().all(|(_, tested)| tested.holds)),
            Self::Off | Self::OtherType | Self::OtherAction | Self::Unusable(_) => false,
        }
    }
}

/// Explains whether a user may do something to an object, or, without one, to any object of the type at all.
///
/// # Errors
/// When the database fails, or there is no such object.
pub async fn explain(
    store: &Store,
    user: &User,
    action: Action,
    object_type: ObjectType,
    object: Option<i64>,
) -> Result<Explanation, store::Error> {
    let access = Access::new(store.clone(), Actor::of_user(store, user).await?);
    let rank = match (user.is_active, user.is_superuser) {
        (false, _) => Rank::Inactive,
        (true, true) => Rank::Superuser,
        (true, false) => Rank::Ordinary,
    };
    let given = given(store, user.id).await?;
    // Nothing that does not exist yet has to be seen.
    let also_view = action != Action::View && action != Action::Add;
    let mut steps = Vec::new();
    for action in also_view.then_some(Action::View).into_iter().chain([action]) {
        let mut considered = Vec::with_capacity(given.len());
        let mut judge = Judge::new(action, object_type, user.id);
        for (permission, is_direct, groups) in &given {
            let finding = match judge.of(permission) {
                Judged::Off => Finding::Off,
                Judged::OtherType => Finding::OtherType,
                Judged::OtherAction => Finding::OtherAction,
                Judged::Unusable(error) => Finding::Unusable(error),
                Judged::Everything => Finding::Everything,
                Judged::Within(limits) => within(store, object_type.noun(), object, limits).await?,
            };
            let (permission, groups) = (permission.clone(), groups.clone());
            considered.push(Considered { permission, is_direct: *is_direct, groups, finding });
        }
        steps.push(Step { action, may: may(&access, action, object_type, object).await?, considered });
    }
    // The last step's door has asked for the others already.
    let may = user.is_active && steps.last().is_some_and(|step| step.may);
    Ok(Explanation { may, rank, steps })
}

/// The door's answer.
async fn may(
    access: &Access,
    action: Action,
    object_type: ObjectType,
    object: Option<i64>,
) -> Result<bool, store::Error> {
    let Some(id) = object.filter(|_| action != Action::Add) else {
        return Ok(access.require_on(action, object_type).is_ok());
    };
    match access.try_on(object_type, id, action).await {
        Ok(()) => Ok(true),
        Err(AccessError::NotFound(_) | AccessError::Denied(_)) => Ok(false),
        Err(AccessError::Store(error)) => Err(error),
    }
}

/// Everything that is given to a user, switched on or not, and by which way.
async fn given(store: &Store, user_id: i64) -> Result<Vec<(ObjectPermission, bool, Vec<Named>)>, store::Error> {
    let all = (&Scope::System, &Scope::System);
    let this = Some((Noun::User, user_id));
    let direct = store.nouns().links(Link::ToUser, all, this).await?;
    let member_of = store.nouns().links(Link::Member, all, this).await?;
    let to_groups = store.nouns().links(Link::ToGroup, all, None).await?;
    let permissions = store.permissions().given(user_id).await?;
    let mut out = Vec::with_capacity(permissions.len());
    for permission in permissions {
        let is_direct = direct.iter().any(|pair| pair.left.id == permission.id);
        let by_group = to_groups.iter().filter(|pair| {
            pair.left.id == permission.id && member_of.iter().any(|member| member.left.id == pair.right.id)
        });
        let groups = by_group.map(|pair| pair.right.clone()).collect();
        out.push((permission, is_direct, groups));
    }
    Ok(out)
}

async fn within(
    store: &Store,
    noun: Noun,
    object: Option<i64>,
    limits: Vec<Constraint>,
) -> Result<Finding, store::Error> {
    let Some(id) = object else {
        return Ok(Finding::Within(limits.into_iter().map(|limit| limit.terms).collect()));
    };
    let mut out = Vec::with_capacity(limits.len());
    for limit in limits {
        let mut terms = Vec::with_capacity(limit.terms.len());
        for term in limit.terms {
            let tested = store.nouns().test(noun, id, &term).await?;
            terms.push((term, tested));
        }
        out.push(terms);
    }
    Ok(Finding::Tested(out))
}
