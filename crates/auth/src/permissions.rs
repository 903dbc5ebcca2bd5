//! What a user may do: NetBox's object permissions, actions × object types × constraints, OR-ed over the user and its
//! groups. Here they become a [`Scope`], which the store compiles into its queries.

use crate::constraints::{Judge, Judged, check_constraints};
use model::Code;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use store::scope::Scope;
use store::{Allowance, Author, Noun, ObjectPermission, Reach, Store, User};

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// See it.
    View,
    /// Create it.
    Add,
    /// Change it.
    Change,
    /// Delete it.
    Delete,
    /// Start an operation on it.
    Sync,
}

impl Action {
    /// Every action.
    pub const ALL: &[Action] = &[Action::View, Action::Add, Action::Change, Action::Delete, Action::Sync];

    /// The word in a permission.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Add => "add",
            Self::Change => "change",
            Self::Delete => "delete",
            Self::Sync => "sync",
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|a| a.as_str() == s).ok_or_else(|| format!("'{s}' is not an action"))
    }
}

/// What kind of thing it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ObjectType {
    /// A fabric, with everything that hangs on it: operations, comparisons, objects.
    Fabric,
    /// A user.
    User,
    /// A group.
    Group,
    /// A permission.
    ObjectPermission,
}

impl ObjectType {
    /// Every object type.
    pub const ALL: &[ObjectType] = &[Self::Fabric, Self::User, Self::Group, Self::ObjectPermission];

    /// The rows that it stands for.
    pub const fn noun(self) -> Noun {
        match self {
            Self::Fabric => Noun::Fabric,
            Self::User => Noun::User,
            Self::Group => Noun::Group,
            Self::ObjectPermission => Noun::Permission,
        }
    }

    /// The word for many of them.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Fabric => "fabrics",
            Self::User => "users",
            Self::Group => "groups",
            Self::ObjectPermission => "permissions",
        }
    }

    /// Whether anything can be done to it by this action: only fabrics are synced.
    pub fn takes(self, action: Action) -> bool {
        action != Action::Sync || self == Self::Fabric
    }

    /// The application and the model, as in NetBox.
    const fn parts(self) -> (&'static str, &'static str) {
        match self {
            Self::Fabric => ("hedgerow", "fabric"),
            Self::User => ("users", "user"),
            Self::Group => ("users", "group"),
            Self::ObjectPermission => ("users", "objectpermission"),
        }
    }

    /// The word in a permission, e.g. `hedgerow.fabric`.
    pub fn name(self) -> String {
        let (app, model) = self.parts();
        format!("{app}.{model}")
    }

    /// The name of a permission on it, e.g. `hedgerow.sync_fabric`.
    pub fn permission(self, action: Action) -> String {
        let (app, model) = self.parts();
        format!("{app}.{}_{model}", action.as_str())
    }
}

impl FromStr for ObjectType {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|t| t.name() == s).ok_or_else(|| format!("'{s}' is not an object type"))
    }
}

/// A permission is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    /// What was to be done.
    pub action: Action,
    /// To what.
    pub object_type: ObjectType,
}

impl Denied {
    /// The stable code.
    pub const fn code(self) -> Code {
        Code::PermissionDenied
    }

    /// The permission that is missing, e.g. `hedgerow.sync_fabric`.
    pub fn permission(self) -> String {
        self.object_type.permission(self.action)
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the permission {} is missing", self.permission())
    }
}

impl std::error::Error for Denied {}

/// A user with what it may do, read once a request.
#[derive(Debug, Clone)]
pub struct UserActor {
    /// Id of the user.
    pub user_id: i64,
    /// Name of the user.
    pub username: String,
    /// Whether it may do everything.
    pub superuser: bool,
    permissions: Arc<[ObjectPermission]>,
}

/// Who does something.
#[derive(Debug, Clone)]
pub enum Actor {
    /// Hedgerow itself, under a name that says which part of it: `schedule`, `recovery`, `command line`.
    System(&'static str),
    /// A user.
    User(UserActor),
}

impl Actor {
    /// The actor of a user, with the permissions that are stored for it now.
    pub async fn of_user(store: &Store, user: &User) -> Result<Self, store::Error> {
        // What a superuser is given makes no difference.
        let permissions = if user.is_superuser { Vec::new() } else { store.permissions().effective(user.id).await? };
        Ok(Self::with_permissions(user, permissions))
    }

    /// The actor of a user with these permissions.
    pub fn with_permissions(user: &User, permissions: Vec<ObjectPermission>) -> Self {
        Self::User(UserActor {
            user_id: user.id,
            username: user.username.clone(),
            superuser: user.is_superuser,
            permissions: permissions.into(),
        })
    }

    /// The name, as operations and attempts record it.
    pub fn name(&self) -> String {
        match self {
            Self::System(part) => format!("system ({part})"),
            Self::User(user) => user.username.clone(),
        }
    }

    /// The user, if it is one.
    pub fn user_id(&self) -> Option<i64> {
        match self {
            Self::System(_) => None,
            Self::User(user) => Some(user.user_id),
        }
    }

    /// The objects of a type on which the action is permitted.
    pub fn scope(&self, action: Action, object_type: ObjectType) -> Scope {
        let user = match self {
            Self::System(_) => return Scope::System,
            Self::User(user) if user.superuser => return Scope::All,
            Self::User(user) => user,
        };
        let mut constraints = Vec::new();
        let mut judge = Judge::new(action, object_type, user.user_id);
        for permission in user.permissions.iter() {
            match judge.of(permission) {
                Judged::Everything => return Scope::All,
                Judged::Within(mut more) => constraints.append(&mut more),
                // What cannot be understood grants nothing.
                Judged::Unusable(e) => tracing::warn!(permission.id, permission.name, "permission ignored: {e}"),
                Judged::Off | Judged::OtherType | Judged::OtherAction => {}
            }
        }
        if constraints.is_empty() { Scope::None } else { Scope::Where(constraints) }
    }

    /// The author of what this actor writes. Superusers and Hedgerow itself hand out anything; everybody else what they
    /// have themselves.
    pub fn author(&self, request_id: impl Into<String>, at: jiff::Timestamp) -> Author {
        let reach = match self {
            Self::User(user) if !user.superuser => {
                let usable = |p: &&ObjectPermission| {
                    let types = p.object_types.iter().filter_map(|name| name.parse().ok()).collect::<Vec<ObjectType>>();
                    p.enabled && p.constraints.as_ref().is_none_or(|c| check_constraints(&types, c).is_ok())
                };
                Reach::Only(user.permissions.iter().filter(usable).flat_map(Allowance::of).collect())
            }
            _ => Reach::Everything,
        };
        Author { actor: self.name(), user_id: self.user_id(), request_id: request_id.into(), at, reach }
    }

    /// Whether the action is permitted on any object of the type at all: for what a page offers, not for what a handler
    /// does.
    pub fn may(&self, action: Action, object_type: ObjectType) -> bool {
        !self.scope(action, object_type).is_none()
    }

    /// The scope, or which permission is missing.
    pub fn require(&self, action: Action, object_type: ObjectType) -> Result<Scope, Denied> {
        let scope = self.scope(action, object_type);
        if scope.is_none() { Err(Denied { action, object_type }) } else { Ok(scope) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::constraints::{BadConstraints, MOST_VALUES_IN_ALL};
    use serde_json::Value;
    use serde_json::json;
    use store::scope::Term;

    fn actor(superuser: bool, permissions: Vec<ObjectPermission>) -> Actor {
        let user = User {
            id: 7,
            username: "anna".into(),
            password_hash: String::new(),
            is_superuser: superuser,
            is_active: true,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            last_login_at: None,
            external: None,
        };
        Actor::with_permissions(&user, permissions)
    }

    fn permission(actions: &[&str], constraints: Option<Value>) -> ObjectPermission {
        ObjectPermission {
            id: 1,
            name: "p".into(),
            enabled: true,
            object_types: vec!["hedgerow.fabric".into()],
            actions: actions.iter().map(|a| (*a).to_owned()).collect(),
            constraints,
        }
    }

    fn scope_of(constraints: Option<Value>) -> Scope {
        actor(false, vec![permission(&["sync"], constraints)]).scope(Action::Sync, ObjectType::Fabric)
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let nobody = actor(false, vec![]);
        for action in Action::ALL {
            for object_type in ObjectType::ALL {
                assert_eq!(nobody.scope(*action, *object_type), Scope::None);
            }
        }
        let denied = nobody.require(Action::Sync, ObjectType::Fabric).unwrap_err();
        assert_eq!(denied.to_string(), "the permission hedgerow.sync_fabric is missing");
    }

    #[test]
    fn superusers_and_the_system_see_everything() {
        assert_eq!(actor(true, vec![]).scope(Action::Delete, ObjectType::User), Scope::All);
        let system = Actor::System("schedule");
        assert_eq!(system.scope(Action::Delete, ObjectType::User), Scope::System);
        assert_eq!((system.name().as_str(), system.user_id()), ("system (schedule)", None));
    }

    #[test]
    fn a_permission_grants_its_actions_on_its_types_only() {
        let actor = actor(false, vec![permission(&["view", "sync"], None)]);
        assert!(actor.may(Action::Sync, ObjectType::Fabric));
        assert!(!actor.may(Action::Change, ObjectType::Fabric));
        assert!(!actor.may(Action::Sync, ObjectType::User));
        let mut off = permission(&["sync"], None);
        off.enabled = false;
        assert!(!self::actor(false, vec![off]).may(Action::Sync, ObjectType::Fabric));
    }

    #[test]
    fn constraints_are_or_ed_and_the_widest_wins() {
        let narrow = permission(&["sync"], Some(json!({"name__startswith": "lab-"})));
        let list = permission(&["sync"], Some(json!([{"id": 3}, {"namespace": "default", "branch": "main"}])));
        let both = actor(false, vec![narrow.clone(), list]);
        let Scope::Where(constraints) = both.scope(Action::Sync, ObjectType::Fabric) else { panic!("no constraints") };
        assert_eq!(constraints.iter().map(|c| c.terms.len()).collect::<Vec<_>>(), [1, 1, 2]);
        let wide = actor(false, vec![narrow, permission(&["sync"], None)]);
        assert_eq!(wide.scope(Action::Sync, ObjectType::Fabric), Scope::All);
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for bad in [json!("name"), json!([1]), json!({"kubeconfig__contains": "x"}), json!({"name__regex": ".*"})] {
            assert!(check_constraints(&[ObjectType::Fabric], &bad).is_err(), "{bad}");
            assert_eq!(scope_of(Some(bad.clone())), Scope::None, "{bad}");
        }
        check_constraints(&[ObjectType::Fabric], &json!([{"name__startswith": "lab-"}, {"id": "$user"}])).unwrap();
        assert_eq!(scope_of(Some(json!({}))), Scope::All);
        assert_eq!(scope_of(None), Scope::All);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_term() {
        let check = |types: &[ObjectType], value: Value| check_constraints(types, &value).unwrap_err().to_string();
        let fabrics = [ObjectType::Fabric];
        let said = check(&fabrics, json!([{"name": "a"}, {"name__regex": "x"}]));
        assert_eq!(said, "in object 2, the term name__regex: 'regex' is not a comparison");
        let said = check(&[ObjectType::Fabric, ObjectType::User], json!({"branch": "main"}));
        assert_eq!(said, "the term branch: a permission cannot be limited by the field 'branch' of users");
    }

    #[test]
    fn dollar_user_is_the_users_id() {
        let Scope::Where(constraints) = scope_of(Some(json!({"id": "$user"}))) else { panic!("no constraints") };
        assert_eq!(constraints[0].terms, [Term::parse("id", &json!(7)).unwrap()]);
    }

    #[test]
    fn what_one_query_cannot_hold_grants_nothing_and_the_rest_goes_on() {
        let names = |count: usize| json!((0..count).map(|n| json!({ "name": format!("f{n}") })).collect::<Vec<_>>());
        assert!(matches!(scope_of(Some(names(500))), Scope::Where(all) if all.len() == 500));
        assert_eq!(scope_of(Some(names(501))), Scope::None);
        assert_eq!(scope_of(Some(json!({ "id__in": (0..501).collect::<Vec<_>>() }))), Scope::None);
        assert_eq!(check_constraints(&[ObjectType::Fabric], &names(501)), Err(BadConstraints::TooMany(501)));
        let all = (0..9).map(|_| permission(&["sync"], Some(names(500)))).collect();
        let Scope::Where(held) = actor(false, all).scope(Action::Sync, ObjectType::Fabric) else { panic!("no limits") };
        assert_eq!(held.len(), MOST_VALUES_IN_ALL, "four of nine");
    }
}
