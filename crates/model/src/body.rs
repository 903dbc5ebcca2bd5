//! JSON that is kept for long: as text, parsed when somebody looks into it. A parsed object takes ten times the memory
//! of its text, and of ten thousand manifests few are looked into.

use crate::part::{self, Part};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// One object as its JSON text. Copies share it.
#[derive(Clone, PartialEq, Eq)]
pub struct Body(Arc<str>);

impl Body {
    /// The object, parsed.
    pub fn value(&self) -> Value {
        // The text was made from a value of bounded depth, or was parsed once, so that it always parses.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// A part of the object, parsed.
    pub fn part(&self, wanted: Part) -> Value {
        part::parse(&self.0, wanted).unwrap_or_default()
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether both are the very same one; equal ones that were made apart are not.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Changes the object. Copies keep what they had.
    pub fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = self.value();
        change(&mut value);
        *self = Self::from(&value);
    }
}

impl TryFrom<String> for Body {
    type Error = serde_json::Error;

    /// Takes a text that was stored, when it is JSON.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        serde_json::from_str::<serde::de::IgnoredAny>(&text)?;
        Ok(Self(text.into()))
    }
}

impl From<&Value> for Body {
    fn from(value: &Value) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_body_is_its_value_in_the_same_order() {
        let value = json!({"z": [1, {"a": "text", "b": null}, []], "a": {"empty": {}}, "n": 1.5});
        let body = Body::from(&value);
        assert_eq!(body.value().to_string(), value.to_string());
    }

    #[test]
    fn copies_are_the_same_until_one_is_changed() {
        let body = Body::from(&json!({"a": 1}));
        let mut copy = body.clone();
        assert!(copy.is(&body) && !Body::from(&json!({"a": 1})).is(&body));
        copy.edit(|value| value["a"] = json!(2));
        assert_eq!((body.value(), copy.value()), (json!({"a": 1}), json!({"a": 2})));
    }
}
