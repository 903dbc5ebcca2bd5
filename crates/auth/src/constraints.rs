//! The constraints of permissions: NetBox's JSON read into the store's conditions, what is wrong with it, and what one
//! permission of a user says about an action. What cannot be read, or asked in one query, grants nothing.

use crate::permissions::{Action, ObjectType};
use serde_json::Value;
use store::ObjectPermission;
use store::scope::{BadTerm, Constraint, Scope, Term};

/// What one permission says about an action on an object type.
#[derive(Debug)]
pub enum Judged {
    /// It is switched off.
    Off,
    /// It is about other types.
    OtherType,
    /// It is about other actions.
    OtherAction,
    /// Its constraints cannot be understood, so it grants nothing.
    Unusable(BadConstraints),
    /// It grants it on every object.
    Everything,
    /// It grants it on the objects that one of these matches.
    Within(Vec<Constraint>),
}

/// The one place that reads permissions: scopes are made of it, and explanations. It takes those of one user in the order
/// of their ids, because a database takes so many values in one query and no more.
pub(crate) struct Judge {
    action: Action,
    object_type: ObjectType,
    user_id: i64,
    values: usize,
}

impl Judge {
    pub(crate) fn new(action: Action, object_type: ObjectType, user_id: i64) -> Self {
        Self { action, object_type, user_id, values: 0 }
    }

    pub(crate) fn of(&mut self, permission: &ObjectPermission) -> Judged {
        let name = self.object_type.name();
        if !permission.enabled {
            return Judged::Off;
        }
        if !permission.object_types.iter().any(|t| t.eq_ignore_ascii_case(&name)) {
            return Judged::OtherType;
        }
        if !permission.actions.iter().any(|a| a == self.action.as_str()) {
            return Judged::OtherAction;
        }
        match constraints_of(permission.constraints.as_ref(), self.object_type, self.user_id) {
            Ok(None) => Judged::Everything,
            Ok(Some(constraints)) => {
                let values = self.values + count(&constraints);
                if values > MOST_VALUES_IN_ALL {
                    return Judged::Unusable(BadConstraints::TooManyInAll);
                }
                self.values = values;
                Judged::Within(constraints)
            }
            Err(error) => Judged::Unusable(error),
        }
    }
}

/// Values that the constraints of one permission compare with.
const MOST_VALUES: usize = 500;
/// Values that all permissions of a user on one type compare with. A statement may be about four types, and SQLite takes
/// 32 766 values in one.
pub(crate) const MOST_VALUES_IN_ALL: usize = 2_000;

fn count(constraints: &[Constraint]) -> usize {
    constraints.iter().flat_map(|constraint| &constraint.terms).map(|term| term.values().len()).sum()
}

/// Why a permission's constraints cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConstraints {
    /// They are something else than NetBox takes.
    #[error("constraints are an object of terms or a list of such objects")]
    Shape,
    /// One query could not hold them.
    #[error("the constraints compare with {0} values, and {MOST_VALUES} are the most; name what they have in common")]
    TooMany(usize),
    /// One query could not hold them together with those of the user's other permissions.
    #[error(
        "with this one the user's permissions would compare with more than {MOST_VALUES_IN_ALL} values, so it does not count"
    )]
    TooManyInAll,
    /// One term is wrong.
    #[error("{}the term {key}: {error}{}", self.place(), self.of_what())]
    Term {
        /// Which object of a list, from 1; `None` when there is only one.
        number: Option<usize>,
        /// The term.
        key: String,
        /// For which type.
        object_type: ObjectType,
        /// What is wrong with it.
        error: BadTerm,
    },
}

impl BadConstraints {
    fn of_what(&self) -> String {
        match self {
            Self::Term { object_type, error: BadTerm::Field(_), .. } => format!(" of {}", object_type.plural()),
            _ => String::new(),
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Term { number: Some(number), .. } => format!("in object {number}, "),
            _ => String::new(),
        }
    }
}

/// Whether constraints can be used with every one of these types: for whoever stores a permission, because one that
/// cannot grants nothing.
///
/// # Errors
/// What is wrong with them, and in which term.
pub fn check_constraints(object_types: &[ObjectType], constraints: &Value) -> Result<(), BadConstraints> {
    object_types.iter().try_for_each(|each| constraints_of(Some(constraints), *each, 0).map(drop))
}

/// The objects that constraints match, by themselves: for a preview, to be narrowed to what the reader may see.
///
/// # Errors
/// What is wrong with them, and in which term.
pub fn matching(object_type: ObjectType, constraints: Option<&Value>, user_id: i64) -> Result<Scope, BadConstraints> {
    Ok(constraints_of(constraints, object_type, user_id)?.map_or(Scope::All, Scope::Where))
}

/// `None` for no limit; otherwise the list that is OR-ed. `"$user"` stands for the user's id, as in NetBox.
fn constraints_of(
    value: Option<&Value>,
    object_type: ObjectType,
    user_id: i64,
) -> Result<Option<Vec<Constraint>>, BadConstraints> {
    let objects = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(one)) => vec![one],
        Some(Value::Array(many)) => {
            many.iter().map(|v| v.as_object().ok_or(BadConstraints::Shape)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(BadConstraints::Shape),
    };
    let several = objects.len() > 1;
    let mut out = Vec::with_capacity(objects.len());
    for (index, object) in objects.into_iter().enumerate() {
        let mut terms = Vec::with_capacity(object.len());
        for (key, value) in object {
            let term = Term::read(object_type.noun(), key, &with_user(value, user_id));
            let number = several.then_some(index + 1);
            terms.push(term.map_err(|error| BadConstraints::Term { number, key: key.clone(), object_type, error })?);
        }
        out.push(Constraint { terms });
    }
    let values = count(&out);
    if values > MOST_VALUES {
        return Err(BadConstraints::TooMany(values));
    }
    // An empty object limits nothing; an empty list is no object at all, and NetBox takes it for no limit.
    if out.is_empty() || out.iter().any(|c| c.terms.is_empty()) { Ok(None) } else { Ok(Some(out)) }
}

fn with_user(value: &Value, user_id: i64) -> Value {
    match value {
        Value::String(s) if s == "$user" => Value::from(user_id),
        Value::Array(items) => Value::Array(items.iter().map(|v| with_user(v, user_id)).collect()),
        other => other.clone(),
    }
}
