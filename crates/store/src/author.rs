//! Who writes: the name under which a change is recorded, and how far this somebody may hand out permissions.
//!
//! The room `auth` makes an [`Author`] of whoever is logged in. What is written without one is recorded nowhere: that
//! is for restoring a backup, for a password that is only hashed anew, and for filling tests.

use crate::{Error, ObjectPermission, Result};
use jiff::Timestamp;
use serde_json::Value;

/// Who writes.
#[derive(Debug, Clone, PartialEq)]
pub struct Author {
    /// The name, as operations and attempts record it, too.
    pub actor: String,
    /// The user, if it is one.
    pub user_id: Option<i64>,
    /// The request, as in the log and in the answer; empty when there is none.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
    /// What it may hand out.
    pub reach: Reach,
}

impl Author {
    /// A part of Hedgerow itself, or somebody of whom only the name is known here.
    pub fn named(actor: impl Into<String>, at: Timestamp) -> Self {
        Self { actor: actor.into(), user_id: None, request_id: String::new(), at, reach: Reach::Everything }
    }
}

/// What an author may hand out: nobody gives others what they do not have themselves.
#[derive(Debug, Clone, PartialEq)]
pub enum Reach {
    /// Everything: a superuser, or Hedgerow itself.
    Everything,
    /// What is in this list.
    Only(Vec<Allowance>),
}

/// One action on one object type that somebody has.
#[derive(Debug, Clone, PartialEq)]
pub struct Allowance {
    /// The object type, e.g. `hedgerow.fabric`.
    pub object_type: String,
    /// The action, e.g. `view`.
    pub action: String,
    /// The constraints that are OR-ed, as the permission has them; `None` for no limit.
    pub limits: Option<Vec<Value>>,
}

/// The objects of terms that are OR-ed; `None` when they limit nothing.
fn limits(constraints: Option<&Value>) -> Option<Vec<Value>> {
    match constraints {
        None | Some(Value::Null) => None,
        Some(Value::Array(many)) if many.is_empty() => None,
        Some(Value::Array(many)) if many.iter().any(is_empty) => None,
        Some(Value::Array(many)) => Some(many.clone()),
        Some(one) if is_empty(one) => None,
        Some(one) => Some(vec![one.clone()]),
    }
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// `"$user"` means somebody else for everybody, so having it says nothing about giving it.
fn is_personal(value: &Value) -> bool {
    match value {
        Value::String(text) => text == "$user",
        Value::Array(items) => items.iter().any(is_personal),
        Value::Object(map) => map.values().any(is_personal),
        _ => false,
    }
}

impl Allowance {
    /// What a permission holds, one for each of its actions on each of its types.
    pub fn of(permission: &ObjectPermission) -> impl Iterator<Item = Allowance> + '_ {
        permission.object_types.iter().flat_map(move |object_type| {
            permission.actions.iter().map(move |action| Allowance {
                object_type: object_type.to_ascii_lowercase(),
                action: action.clone(),
                limits: limits(permission.constraints.as_ref()),
            })
        })
    }
}

impl Reach {
    /// Whether this is everything.
    pub fn is_everything(&self) -> bool {
        matches!(self, Reach::Everything)
    }

    /// Whether a permission can be handed out, switched on or not.
    ///
    /// # Errors
    /// [`Error::BeyondReach`] with the permission that the author lacks, or has only within limits. Limits are
    /// compared as they are written: what follows from others is not worked out.
    pub fn covers(&self, permission: &ObjectPermission) -> Result<()> {
        let Reach::Only(held) = self else { return Ok(()) };
        for wanted in Allowance::of(permission) {
            let same = |have: &&Allowance| have.object_type == wanted.object_type && have.action == wanted.action;
            let fits = match &wanted.limits {
                None => held.iter().filter(same).any(|have| have.limits.is_none()),
                Some(limits) => limits.iter().all(|limit| {
                    held.iter().filter(same).any(|have| match &have.limits {
                        None => true,
                        Some(own) => !is_personal(limit) && own.contains(limit),
                    })
                }),
            };
            if !fits {
                let (app, model) = wanted.object_type.split_once('.').unwrap_or(("", &wanted.object_type));
                return Err(Error::BeyondReach {
                    permission: format!("{app}.{}_{model}", wanted.action),
                    within: held.iter().any(|have| same(&have)),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn permission(actions: &[&str], constraints: Option<Value>) -> ObjectPermission {
        ObjectPermission {
            id: 0,
            name: "p".into(),
            enabled: true,
            object_types: vec!["hedgerow.fabric".into()],
            actions: actions.iter().map(|a| (*a).to_owned()).collect(),
            constraints,
        }
    }

    fn reach(permissions: &[ObjectPermission]) -> Reach {
        Reach::Only(permissions.iter().flat_map(Allowance::of).collect())
    }

    #[test]
    fn nobody_gives_what_they_do_not_have() {
        let labs = json!({"name__startswith": "lab-"});
        let has = reach(&[permission(&["view"], None), permission(&["sync"], Some(labs.clone()))]);
        assert!(has.covers(&permission(&["view"], None)).is_ok());
        assert!(has.covers(&permission(&["view"], Some(json!({"name": "x"})))).is_ok(), "less than it has");
        assert!(has.covers(&permission(&["sync"], Some(labs.clone()))).is_ok(), "the very same");
        assert!(has.covers(&permission(&["sync"], Some(json!([labs, {"name": "prod"}])))).is_err(), "more");
        assert!(has.covers(&permission(&["sync"], Some(json!({})))).is_err(), "no limit at all");
        let refused = has.covers(&permission(&["view", "delete"], None)).unwrap_err().to_string();
        assert!(refused.contains("hedgerow.delete_fabric"), "{refused}");
        let mut users = permission(&["view"], None);
        users.object_types.push("users.user".into());
        assert!(has.covers(&users).unwrap_err().to_string().contains("users.view_user"));
        assert!(Reach::Everything.covers(&permission(&["delete"], None)).is_ok());
    }

    #[test]
    fn what_means_somebody_else_for_everybody_is_not_passed_on() {
        let own = json!({"id": "$user"});
        assert!(
            reach(&[permission(&["change"], Some(own.clone()))]).covers(&permission(&["change"], Some(own))).is_err()
        );
        for own in [json!({"id__in": [1, "$user"]}), json!([{"name": "x"}, {"id": "$user"}])] {
            let own = permission(&["change"], Some(own));
            assert!(reach(std::slice::from_ref(&own)).covers(&own).is_err(), "{own:?}");
        }
    }
}
