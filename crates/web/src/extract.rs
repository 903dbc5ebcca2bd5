//! What handlers get from the guard: who asks, the fabric or operation that they may act on, and the form's fields.
//! A handler cannot come by these in any other way.

use crate::bearer;
use crate::problem::Problem;
use crate::view;
use auth::{Access, Granted};
use axum::extract::FromRequestParts;
use http::request::Parts;
use model::Code;
use serde_json::Value;
use std::collections::HashMap;
use store::{ApiToken, Fabric, Group, ObjectPermission, Operation, Session, User};

/// By what somebody was let in.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The session of a browser.
    Session(Session),
    /// An API token.
    Token(ApiToken),
}

/// Who is logged in.
#[derive(Debug, Clone)]
pub struct Login {
    /// By what.
    pub credential: Credential,
    /// The user.
    pub user: User,
    /// What the user may see and do.
    pub access: Access,
}

impl Login {
    /// The session.
    ///
    /// # Errors
    /// An API token has none, and what needs one is not for tokens.
    pub fn session(&self) -> Result<&Session, Problem> {
        match &self.credential {
            Credential::Session(session) => Ok(session),
            Credential::Token(_) => Err(bearer::not_here()),
        }
    }

    /// Which session it is; an API token has none.
    pub fn session_id(&self) -> Option<i64> {
        self.session().ok().map(|session| session.id)
    }

    /// The API token that it came with.
    pub fn token(&self) -> Option<&ApiToken> {
        match &self.credential {
            Credential::Session(_) => None,
            Credential::Token(token) => Some(token),
        }
    }
}

/// The fabric that the route is about, with the proof that its action is permitted.
#[derive(Debug, Clone)]
pub struct OfFabric(pub Granted<Fabric>);

/// The operation that the route is about, and its fabric with the same proof.
#[derive(Debug, Clone)]
pub struct OfOperation(pub Operation, pub Granted<Fabric>);

/// The user that the route is about, with the proof that its action is permitted.
#[derive(Debug, Clone)]
pub struct OfUser(pub Granted<User>);

/// The group that the route is about, with the same proof.
#[derive(Debug, Clone)]
pub struct OfGroup(pub Granted<Group>);

/// The object permission that the route is about, with the same proof.
#[derive(Debug, Clone)]
pub struct OfPermission(pub Granted<ObjectPermission>);

/// The fields that may stand several times: lists of what is chosen.
pub(crate) const SEVERAL: [&str; 11] = [
    "actions",
    "adopt",
    "allowed_addresses",
    "group",
    "kind",
    "leave_field",
    "leave_object",
    "member",
    "object",
    "object_types",
    "user",
];

/// A form's fields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// What a verb's handler tells about its try, for the record.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The operation that it got.
    pub operation_id: Option<i64>,
    /// What the user was told.
    pub message: String,
}

impl Fields {
    /// Reads a urlencoded form.
    pub fn of_form(bytes: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// Reads a JSON object of plain values; an array of them is a field that stands several times.
    pub fn of_json(bytes: &[u8]) -> Result<Self, Problem> {
        let bad = |why: &str| Problem::new(Code::InvalidInput, format!("The request's JSON cannot be used: {why}."));
        let value: Value = serde_json::from_slice(bytes).map_err(|error| bad(&error.to_string()))?;
        let Value::Object(map) = value else { return Err(bad("it is not an object")) };
        let mut fields = Vec::new();
        for (name, value) in map {
            let values = match value {
                // A list of nothing is not the same as no list.
                Value::Array(values) if values.is_empty() => vec![Value::String(String::new())],
                Value::Array(values) => values,
                value => vec![value],
            };
            for value in values {
                match value {
                    Value::Null => {}
                    Value::String(text) => fields.push((name.clone(), text)),
                    Value::Bool(_) | Value::Number(_) => fields.push((name.clone(), value.to_string())),
                    Value::Array(_) | Value::Object(_) => return Err(bad("only plain values are taken here")),
                }
            }
        }
        Ok(Self(fields))
    }

    /// The fields, unless one of them contradicts itself.
    ///
    /// # Errors
    /// A field that stands several times with different values and of which only one can be meant.
    pub fn sound(self) -> Result<Self, Problem> {
        let Some(name) = self.contradicted() else { return Ok(self) };
        let name: String = name.chars().take(60).collect();
        let message = format!("The field “{name}” came several times with different values. Nothing was done.");
        Err(Problem::new(Code::InvalidInput, message).todo("Send it once."))
    }

    /// A field that stands several times with different values and of which only one can be meant.
    pub(crate) fn contradicted(&self) -> Option<&str> {
        let mut first: HashMap<&str, &str> = HashMap::new();
        let single = self.0.iter().filter(|(name, _)| !SEVERAL.contains(&name.as_str()));
        single
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .find_map(|(name, value)| (*first.entry(name).or_insert(value) != value).then_some(name))
    }

    /// A field's value, of one that stands once.
    pub fn get(&self, name: &str) -> Option<&str> {
        debug_assert!(!SEVERAL.contains(&name), "{name} may stand several times");
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A field's value without the space around it; empty when there is none.
    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_default().trim()
    }

    /// Whether a box is ticked. Without the field it is not.
    ///
    /// # Errors
    /// What is neither a yes nor a no: a word that is not known must not turn a dry run into a run.
    pub fn ticked(&self, name: &str) -> Result<bool, Problem> {
        let value = self.text(name);
        match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "1" | "yes" => Ok(true),
            "" | "off" | "false" | "0" | "no" => Ok(false),
            _ => Err(view::bad(name, value).todo("Give true or false.")),
        }
    }

    /// Whether the field is there, whatever it holds.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Every value of a field that may stand several times, without those that are empty.
    pub fn every<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        debug_assert!(SEVERAL.contains(&name), "{name} stands once");
        view::every(&self.0, name)
    }

    /// All fields.
    pub fn all(&self) -> &[(String, String)] {
        &self.0
    }
}

/// A handler asks for what its route does not declare: a defect, found by the test that calls every route.
fn undeclared(what: &str) -> Problem {
    Problem::internal("hand a handler what its route does not declare", &what)
}

impl<S: Sync> FromRequestParts<S> for Login {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| undeclared("a session"))
    }
}

impl<S: Sync> FromRequestParts<S> for OfFabric {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Granted<Fabric>>().cloned().map(Self).ok_or_else(|| undeclared("a fabric"))
    }
}

impl<S: Sync> FromRequestParts<S> for OfUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Granted<User>>().cloned().map(Self).ok_or_else(|| undeclared("a user"))
    }
}

impl<S: Sync> FromRequestParts<S> for OfGroup {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Granted<Group>>().cloned().map(Self).ok_or_else(|| undeclared("a group"))
    }
}

impl<S: Sync> FromRequestParts<S> for OfPermission {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let permission = parts.extensions.get::<Granted<ObjectPermission>>().cloned();
        permission.map(Self).ok_or_else(|| undeclared("a permission"))
    }
}

impl<S: Sync> FromRequestParts<S> for OfOperation {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let operation = parts.extensions.get::<Operation>().cloned();
        let fabric = parts.extensions.get::<Granted<Fabric>>().cloned();
        operation
            .zip(fabric)
            .map(|(operation, fabric)| Self(operation, fabric))
            .ok_or_else(|| undeclared("an operation"))
    }
}

impl<S: Sync> FromRequestParts<S> for Fields {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| undeclared("a form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_give_the_same_fields() {
        let form = Fields::of_form(b"comparison=12&confirm=on&name=a+b%26c");
        let json = Fields::of_json(br#"{"comparison":12,"confirm":true,"name":"a b&c","key":null}"#).unwrap();
        for fields in [&form, &json] {
            assert_eq!(fields.get("comparison"), Some("12"));
            assert!(fields.ticked("confirm").unwrap());
            assert_eq!(fields.text("name"), "a b&c");
            assert_eq!(fields.get("key"), None);
        }
        let several = Fields::of_json(br#"{"object":["a"," b "],"kind":[]}"#).unwrap();
        assert_eq!(several.every("object").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(several.every("kind").next(), None);
        assert!(several.has("kind") && !several.has("leave_object"), "a list of nothing is a list");
        assert!(Fields::of_json(br#"{"object":[["a"]]}"#).is_err());
        assert!(Fields::of_json(b"[1]").is_err());
        assert!(Fields::of_json(br#"{"a":{"b":1}}"#).is_err());
        assert!(Fields::of_json(b"{").is_err());
    }

    #[test]
    fn a_tick_is_a_yes_or_a_no_and_nothing_is_guessed() {
        let said = |form: &str| Fields::of_form(form.as_bytes()).ticked("dry_run").map_err(|problem| problem.code);
        for yes in ["on", "true", "True", "TRUE", "1", "yes", "+true+"] {
            assert_eq!(said(&format!("dry_run={yes}")), Ok(true), "{yes}");
        }
        for no in ["off", "false", "False", "0", "no", ""] {
            assert_eq!(said(&format!("dry_run={no}")), Ok(false), "{no}");
        }
        assert_eq!(said("other=on"), Ok(false));
        for unclear in ["dry_run=maybe", "dry_run=t", "dry_run=2", "dry_run=All"] {
            assert_eq!(said(unclear), Err(Code::InvalidInput), "{unclear}");
        }
    }

    #[test]
    fn of_a_field_that_stands_twice_neither_counts_when_only_one_can_be_meant() {
        let contradicted = |form: &str| Fields::of_form(form.as_bytes()).contradicted().map(str::to_owned);
        assert_eq!(contradicted("name=a&dry_run=on&name=b").as_deref(), Some("name"));
        assert_eq!(contradicted("dry_run=on&dry_run=off").as_deref(), Some("dry_run"));
        assert_eq!(contradicted("name=a&name=a&object=x&object=y"), None, "the same twice, and a list");
    }
}
