//! Reading a profile, and saying precisely what is wrong with one.

use super::{Place, Profile, SCHEMA};
use crate::page::Page;
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
    match super::check::problems(&profile, text) {
        none if none.is_empty() => Ok(profile),
        some => Err(malformed(some.join("\n"))),
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
        let found = pattern.captures(&text)?;
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
            ("row = \"tr.fabric-row\"", "row = \"tr..\"", "tr.. is no CSS selector"),
            ("titles = [\"", "titles = [\"(", "is no regular expression"),
            ("good = [\"in_sync\"]", "good = [\"fine\"]", "status.good: fine is no key of status.words"),
        ] {
            assert!(text.contains(from), "{from}");
            let error = parse("x.toml", &text.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("x.toml"), "{error}");
            assert!(said.starts_with("its") || error.contains("line "), "{error}");
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
