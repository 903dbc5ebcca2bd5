//! Texts of a profile that must be something: a slip of the pen is said with its line when the profile is read, and not
//! in the middle of a run.

use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use scraper::Selector;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Deref;

/// A CSS selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Css(String);

impl Deref for Css {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Css {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Selector::parse(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(D::Error::custom(format!("{text} is no CSS selector"))),
        }
    }
}

impl Serialize for Css {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl JsonSchema for Css {
    fn schema_name() -> Cow<'static, str> {
        "Css".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A CSS selector."})
    }
}

/// A regular expression.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let last = |error: regex::Error| error.to_string().lines().last().unwrap_or_default().trim().to_owned();
        Regex::new(&text)
            .map(Self)
            .map_err(|error| D::Error::custom(format!("{text} is no regular expression: {}", last(error))))
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "description": "A regular expression."})
    }
}
