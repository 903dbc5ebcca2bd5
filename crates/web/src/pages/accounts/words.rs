//! What a permission grants, in words.

use auth::{Action, ObjectType};
use serde_json::Value;
use store::ObjectPermission;
use store::scope::{Lookup, Term};

/// The actions, in the order in which they are always named.
pub fn actions(permission: &ObjectPermission) -> String {
    let known = Action::ALL.iter().map(|action| action.as_str());
    let words: Vec<&str> = known.filter(|word| permission.actions.iter().any(|action| action == word)).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// The object types.
pub fn object_types(permission: &ObjectPermission) -> String {
    let word = |name: &String| match name.to_ascii_lowercase().parse::<ObjectType>() {
        Ok(object_type) => object_type.plural().to_owned(),
        Err(_) => name.clone(),
    };
    let words: Vec<String> = permission.object_types.iter().map(word).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// All of it: "view, sync: fabrics whose name begins with lab-".
pub fn permission(permission: &ObjectPermission) -> String {
    let types = object_types(permission);
    match limits(permission) {
        Some(limits) => format!("{}: {types} whose {limits}", actions(permission)),
        None => format!("{}: all {types}", actions(permission)),
    }
}

/// The limits; nothing when there are none.
pub fn limits(permission: &ObjectPermission) -> Option<String> {
    let object_type = permission.object_types.iter().find_map(|name| name.to_ascii_lowercase().parse().ok())?;
    let constraints = permission.constraints.as_ref()?;
    let objects: Vec<&Value> = match constraints {
        Value::Null => return None,
        Value::Array(many) => many.iter().collect(),
        one => vec![one],
    };
    if objects.iter().all(|object| object.as_object().is_some_and(serde_json::Map::is_empty)) {
        return None;
    }
    Some(objects.into_iter().map(|object| conjunction(object_type, object)).collect::<Vec<_>>().join(", or whose "))
}

fn conjunction(object_type: ObjectType, object: &Value) -> String {
    let Some(map) = object.as_object() else { return object.to_string() };
    let word = |(key, value): (&String, &Value)| match Term::read(object_type.noun(), key, value) {
        Ok(read) => term(&read),
        // "$user" stands for a number that is another one for everybody.
        Err(_) => format!("{key} is {value}"),
    };
    if map.is_empty() { "name is anything".to_owned() } else { map.iter().map(word).collect::<Vec<_>>().join(" and ") }
}

/// One term: "name begins with lab-".
pub fn term(term: &Term) -> String {
    let values = match (term.lookup(), term.values()) {
        (Lookup::In, []) => "nothing".to_owned(),
        (_, [one]) if one.is_empty() => "“”".to_owned(),
        (_, values) => values.join(", "),
    };
    format!("{} {} {values}", term.field().name.replace('_', " "), term.lookup().words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn permissions_are_said_in_words() {
        let mut one = ObjectPermission {
            id: 1,
            name: "p".into(),
            enabled: true,
            object_types: vec!["hedgerow.fabric".into()],
            actions: vec!["sync".into(), "view".into()],
            constraints: Some(json!({"name__startswith": "lab-", "sync_enabled": true})),
        };
        assert_eq!(permission(&one), "view, sync: fabrics whose name begins with lab- and sync enabled is true");
        one.constraints = Some(json!([{"name__in": ["a", "b"]}, {"id": "$user"}]));
        assert_eq!(permission(&one), "view, sync: fabrics whose name is one of a, b, or whose id is \"$user\"");
        one.constraints = None;
        one.object_types.push("users.user".into());
        assert_eq!(permission(&one), "view, sync: all fabrics, users");
    }
}
