//! What was changed: who, when, and each field before and after. On an object's page its own changes, in the activity
//! those that a request made.

use super::markup;
use crate::when::When;
use askama::Template;
use serde_json::Value;
use std::collections::HashSet;
use store::{Change, Noun};

/// One field of a change.
#[derive(Debug, Clone)]
pub struct ChangedField {
    /// The field, in words.
    pub name: String,
    /// What it was; nothing when it had nothing.
    pub before: Option<String>,
    /// What it is since; nothing when it has nothing.
    pub after: Option<String>,
}

/// Fields of one object that were changed.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/changed_fields.html")]
pub struct ChangedFields {
    /// The fields.
    pub fields: Vec<ChangedField>,
}

/// An object that a request changed.
#[derive(Debug, Clone)]
pub struct ChangedObject {
    /// Which, and what became of it.
    pub title: String,
    /// What differs.
    pub fields: ChangedFields,
}

/// What one request changed, folded away.
#[derive(Debug, Clone, Default, Template)]
#[template(path = "parts/changed_objects.html")]
pub struct ChangedObjects {
    /// The objects; empty when nothing was changed, or nothing that may be seen.
    pub objects: Vec<ChangedObject>,
}

/// One change.
#[derive(Debug, Clone)]
pub struct ChangeRow {
    /// When.
    pub when: When,
    /// Who.
    pub actor: String,
    /// What became of the object.
    pub action: &'static str,
    /// The request, as in the log.
    pub request_id: String,
    /// The fields.
    pub fields: ChangedFields,
}

/// The changes at the foot of an object's page.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/changes.html")]
pub struct ChangesPanel {
    /// The newest changes.
    pub rows: Vec<ChangeRow>,
    /// How many there are in all.
    pub total: u64,
}

markup!(ChangesPanel, ChangedFields, ChangedObjects);

/// Which names a reader may see in the changes of something else: a user's groups, a group's members.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Users; nothing for all of them, also those that are gone.
    pub users: Option<HashSet<String>>,
    /// Groups.
    pub groups: Option<HashSet<String>>,
    /// Permissions.
    pub permissions: Option<HashSet<String>>,
}

impl Known {
    /// The value of a field, without the names that the reader may not see.
    fn of(&self, field: &str, value: &Value) -> Option<String> {
        let known = match field {
            "members" | "users" => self.users.as_ref(),
            "groups" => self.groups.as_ref(),
            "permissions" => self.permissions.as_ref(),
            _ => None,
        };
        let (Some(known), Value::Array(names)) = (known, value) else { return shown(value) };
        let seen: Vec<&str> = names.iter().filter_map(Value::as_str).filter(|name| known.contains(*name)).collect();
        let hidden = names.len() - seen.len();
        match (seen.is_empty(), hidden) {
            (_, 0) => shown(value),
            (true, hidden) => Some(format!("{hidden} that you may not see")),
            (false, hidden) => Some(format!("{} and {hidden} that you may not see", seen.join(", "))),
        }
    }
}

impl ChangedFields {
    fn of(change: &Change, known: &Known) -> Self {
        let names: std::collections::BTreeSet<&String> = change.before.keys().chain(change.after.keys()).collect();
        let fields = names.into_iter().map(|name| ChangedField {
            name: name.replace('_', " "),
            before: change.before.get(name).and_then(|value| known.of(name, value)),
            after: change.after.get(name).and_then(|value| known.of(name, value)),
        });
        Self { fields: fields.collect() }
    }
}

impl ChangedObject {
    /// A change, seen by somebody who knows these names.
    pub fn of(change: &Change, known: &Known) -> Self {
        let what = match change.noun {
            Noun::Fabric => "Fabric",
            Noun::User => "User",
            Noun::Group => "Group",
            Noun::Permission => "Permission",
        };
        Self {
            title: format!("{what} {}: {}", change.object_name, change.action.as_str()),
            fields: ChangedFields::of(change, known),
        }
    }
}

impl ChangeRow {
    /// A change, seen at a moment by somebody who knows these names.
    pub fn of(change: &Change, when: When, known: &Known) -> Self {
        Self {
            when,
            actor: change.actor.clone(),
            action: change.action.as_str(),
            request_id: change.request_id.clone(),
            fields: ChangedFields::of(change, known),
        }
    }
}

/// A value as people read it.
fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(truth) => Some(if *truth { "yes" } else { "no" }.to_owned()),
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.is_empty() => None,
        Value::Array(items) if items.iter().all(|item| item.is_string() || item.is_number()) => {
            let words: Vec<String> = items.iter().filter_map(shown).collect();
            Some(words.join(", "))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_that_may_not_be_seen_are_counted_and_not_said() {
        let known = Known { groups: Some(["a".to_owned()].into()), ..Known::default() };
        let of = |field: &str, value: Value| known.of(field, &value);
        assert_eq!(of("groups", json!(["a"])).as_deref(), Some("a"));
        assert_eq!(of("groups", json!(["a", "secret"])).as_deref(), Some("a and 1 that you may not see"));
        assert_eq!(of("groups", json!(["secret"])).as_deref(), Some("1 that you may not see"));
        assert_eq!(of("groups", json!([])), None);
        assert_eq!(of("members", json!(["b"])).as_deref(), Some("b"));
    }

    #[test]
    fn values_are_shown_as_people_read_them() {
        assert_eq!(shown(&json!(true)).as_deref(), Some("yes"));
        assert_eq!(shown(&json!(["a", "b"])).as_deref(), Some("a, b"));
        assert_eq!(shown(&json!([])), None);
        assert_eq!(shown(&json!({"name": "x"})).as_deref(), Some(r#"{"name":"x"}"#));
    }
}
