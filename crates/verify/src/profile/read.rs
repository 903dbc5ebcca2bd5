//! Reading a profile, and saying precisely what is wrong with one.

use super::{Place, Profile, SCHEMA};
use crate::page::Page;
use regex::Regex;
use scraper::Selector;
use std::path::Path;

const BUILT_IN: [(&str, &str); 2] = [
    ("hedgerow", include_str!("../../profiles/hedgerow.toml")),
    ("netbox-hedgehog", include_str!("../../profiles/netbox-hedgehog.toml")),
];

/// What is wrong with a profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// There is none of this name.
    #[error("there is no profile {name}; there are {known}, and any file with a profile in it")]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The file cannot be read.
    #[error("the profile {file} cannot be read: {why}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It is no profile.
    #[error("{file} is no profile: {why}")]
    Malformed {
        /// The file.
        file: String,
        /// What, and where.
        why: String,
    },
}

/// The names of the profiles that come along.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// A profile that comes along, by its name.
pub fn built_in(name: &str) -> Result<Profile, ProfileError> {
    let found = BUILT_IN.iter().find(|(own, _)| *own == name);
    let known = built_in_names().collect::<Vec<_>>().join(" and ");
    let (name, text) = found.ok_or_else(|| ProfileError::Unknown { name: name.to_owned(), known })?;
    parse(name, text)
}

/// A profile by its name, or of a file.
pub fn load(name: &str) -> Result<Profile, ProfileError> {
    if built_in_names().any(|own| own == name) || !(name.contains(['/', '.'])) {
        return built_in(name);
    }
    let text = std::fs::read_to_string(Path::new(name))
        .map_err(|error| ProfileError::Unreadable { file: name.to_owned(), why: error.to_string() })?;
    parse(name, &text)
}

fn parse(file: &str, text: &str) -> Result<Profile, ProfileError> {
    let malformed = |why: String| ProfileError::Malformed { file: file.to_owned(), why };
    let profile: Profile = toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    if profile.schema != SCHEMA {
        return Err(malformed(format!("its schema is {}, and this program knows {SCHEMA}", profile.schema)));
    }
    let value = serde_json::to_value(&profile).map_err(|error| malformed(error.to_string()))?;
    look(&value, "").map_err(malformed)?;
    Ok(profile)
}

/// Keys whose texts are CSS selectors, and keys whose texts are regular expressions.
const SELECTORS: [&str; 22] = [
    "element",
    "elements",
    "hints",
    "good",
    "bad",
    "busy",
    "warning",
    "ended",
    "again",
    "again_username",
    "again_password",
    "again_button",
    "again_action",
    "row",
    "link",
    "status",
    "outcome",
    "list_link",
    "field_row",
    "operation",
    "none",
    "also",
];
const PATTERNS: [&str; 6] = ["pattern", "titles", "session_cookies", "onclick", "skip", "must_meet"];

/// Every selector and every expression is one, so that a slip of the pen is said at the start and not in the middle.
fn look(value: &serde_json::Value, at: &str) -> Result<(), String> {
    let key = at.rsplit('.').find(|part| part.parse::<usize>().is_err()).unwrap_or_default();
    match value {
        serde_json::Value::Object(fields) => {
            fields.iter().try_for_each(|(name, value)| look(value, &format!("{at}.{name}")))
        }
        serde_json::Value::Array(all) => {
            all.iter().enumerate().try_for_each(|(number, value)| look(value, &format!("{at}.{number}")))
        }
        serde_json::Value::String(text) => {
            let of_words = at.starts_with(".status.") || at.starts_with(".operation.") && key != "element";
            let is_selector = SELECTORS.contains(&key) && !of_words;
            if is_selector && let Err(error) = Selector::parse(text) {
                return Err(format!("{}: {text} is no CSS selector: {error}", at.trim_start_matches('.')));
            }
            let is_pattern = PATTERNS.contains(&key) || at.starts_with(".crawl.must_meet.");
            if is_pattern && let Err(error) = Regex::new(text) {
                return Err(format!("{}: {text} is no regular expression: {error}", at.trim_start_matches('.')));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

impl Place {
    /// What a page holds there; `None` when there is no such element, attribute or pattern.
    pub fn read(&self, page: &Page) -> Option<String> {
        let text = match &self.attribute {
            Some(name) => page.attribute(&self.element, name).ok().flatten()?,
            None => page.text(&self.element)?,
        };
        let Some(pattern) = &self.pattern else { return Some(text) };
        let found = Regex::new(pattern).ok()?.captures(&text)?;
        found.get(1).or_else(|| found.get(0)).map(|found| found.as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_come_along_are_sound() {
        for name in built_in_names() {
            let profile = built_in(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(profile.name, name);
            assert!(profile.actions.contains_key("sync"));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let text = BUILT_IN[0].1;
        for (from, to, said) in [
            ("schema = 1", "schema = 9", "its schema is 9"),
            ("product = ", "produkt = ", "produkt"),
            ("row = \"tr.fabric-row\"", "row = \"tr..\"", "fabrics.row: tr.. is no CSS selector"),
            ("titles = [\"", "titles = [\"(", "recognise.titles.0"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = parse("x.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("x.toml"), "{error}");
        }
        let error = load("none").unwrap_err().to_string();
        assert!(error.contains("hedgerow and netbox-hedgehog"), "{error}");
        assert!(load("./none.toml").unwrap_err().to_string().contains("cannot be read"));
    }

    #[test]
    fn words_of_a_status_have_codes() {
        let status = built_in("hedgerow").unwrap().status;
        assert_eq!(status.code("In sync"), Some("in_sync"));
        assert_eq!(status.code("Syncing 34 of 60"), Some("syncing"));
        assert_eq!(status.code("out_of_sync"), Some("out_of_sync"));
        assert_eq!(status.code("Something else"), None);
    }
}
