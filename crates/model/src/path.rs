//! Paths of fields, written as kubectl and API errors write them: `spec.subnets.default.vlan`,
//! `spec.ranges[0].from`, `metadata.labels["example.com/team"]`.
//!
//! Findings, field differences and ignore rules all name fields this way, so that a page, a log line and a script
//! can look the field up again with [`Path::get`].

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt::{self, Write as _};
use std::str::FromStr;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of an object.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

impl From<&str> for Segment {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<String> for Segment {
    fn from(key: String) -> Self {
        Self::Key(key)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

/// The way from the root of an object to one of its fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path(Vec<Segment>);

impl Path {
    /// The root: the object itself.
    pub const fn root() -> Self {
        Self(Vec::new())
    }

    /// This path and one more step.
    #[must_use]
    pub fn join(mut self, segment: impl Into<Segment>) -> Self {
        self.0.push(segment.into());
        self
    }

    /// A copy of this path with one more step; for walks that branch.
    #[must_use]
    pub fn child(&self, segment: impl Into<Segment>) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push(segment.into());
        Self(steps)
    }

    /// Adds a step in place.
    pub fn push(&mut self, segment: impl Into<Segment>) {
        self.0.push(segment.into());
    }

    /// Takes the last step away.
    pub fn pop(&mut self) -> Option<Segment> {
        self.0.pop()
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The path one step up; `None` at the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, rest)| Self(rest.to_vec()))
    }

    /// Whether this path leads through `other`, or is it.
    pub fn starts_with(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }

    /// What stands at this path, if anything does.
    pub fn get<'v>(&self, object: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(object, |value, segment| match segment {
            Segment::Key(key) => value.get(key.as_str()),
            Segment::Index(index) => value.get(index),
        })
    }

    /// Takes what stands at this path out of the object. Later items of a list move up.
    pub fn remove(&self, object: &mut Value) -> Option<Value> {
        let (last, rest) = self.0.split_last()?;
        let holder = rest.iter().try_fold(object, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key.as_str()),
            Segment::Index(index) => value.get_mut(index),
        })?;
        match (holder, last) {
            (Value::Object(map), Segment::Key(key)) => map.shift_remove(key.as_str()),
            (Value::Array(list), Segment::Index(index)) if *index < list.len() => Some(list.remove(*index)),
            _ => None,
        }
    }
}

impl<S: Into<Segment>> FromIterator<S> for Path {
    fn from_iter<I: IntoIterator<Item = S>>(iter: I) -> Self {
        Self(iter.into_iter().map(Into::into).collect())
    }
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) if is_bare(key) => {
                    if n > 0 {
                        f.write_char('.')?;
                    }
                    f.write_str(key)?;
                }
                Segment::Key(key) => {
                    f.write_str("[\"")?;
                    for c in key.chars() {
                        if matches!(c, '"' | '\\') {
                            f.write_char('\\')?;
                        }
                        f.write_char(c)?;
                    }
                    f.write_str("\"]")?;
                }
            }
        }
        Ok(())
    }
}

/// The text is not a field path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a field path: {reason} (character {at})")]
pub struct BadPath {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
    /// Where, in characters from 1.
    pub at: usize,
}

impl FromStr for Path {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        let chars: Vec<char> = text.chars().collect();
        let bad = |reason, at: usize| BadPath { text: text.to_owned(), reason, at: at + 1 };
        let (mut path, mut i) = (Self::root(), 0);
        while i < chars.len() {
            if chars[i] == '[' {
                i += 1;
                if chars.get(i) == Some(&'"') {
                    let mut key = String::new();
                    i += 1;
                    loop {
                        match chars.get(i) {
                            Some('"') => break,
                            Some('\\') => {
                                key.push(*chars.get(i + 1).ok_or_else(|| bad("a quoted key does not end", i))?);
                                i += 2;
                            }
                            Some(c) => {
                                key.push(*c);
                                i += 1;
                            }
                            None => return Err(bad("a quoted key does not end", i)),
                        }
                    }
                    i += 1;
                    path.push(key);
                } else {
                    let start = i;
                    while chars.get(i).is_some_and(char::is_ascii_digit) {
                        i += 1;
                    }
                    let digits: String = chars[start..i].iter().collect();
                    path.push(digits.parse::<usize>().map_err(|_| bad("an index must be a number", start))?);
                }
                if chars.get(i) != Some(&']') {
                    return Err(bad("a bracket does not close", i));
                }
                i += 1;
            } else {
                if !path.is_root() {
                    if chars[i] != '.' {
                        return Err(bad("a dot is missing before a key", i));
                    }
                    i += 1;
                }
                let start = i;
                while chars.get(i).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) {
                    i += 1;
                }
                if start == i {
                    return Err(bad("a key is empty, or needs brackets and quotes", i));
                }
                path.push(chars[start..i].iter().collect::<String>());
            }
        }
        Ok(path)
    }
}

impl Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn is_written_as_kubectl_writes_it() {
        let path = Path::root().join("spec").join("ranges").join(0).join("from");
        assert_eq!(path.to_string(), "spec.ranges[0].from");
        let label = Path::root().join("metadata").join("labels").join("example.com/team");
        assert_eq!(label.to_string(), r#"metadata.labels["example.com/team"]"#);
        assert_eq!(Path::root().join("a\"b\\c").join("").to_string(), r#"["a\"b\\c"][""]"#);
    }

    #[test]
    fn finds_and_removes_what_it_names() {
        let mut object = json!({"spec": {"ranges": [{"from": 1}, {"from": 2}], "E1/1": "x"}});
        let get = |object: &Value, path: &str| path.parse::<Path>().unwrap().get(object).cloned();
        assert_eq!(get(&object, "spec.ranges[1].from"), Some(json!(2)));
        assert_eq!(get(&object, "spec[\"E1/1\"]"), Some(json!("x")));
        assert_eq!(get(&json!({"a-b_c": {"1": 2}}), "a-b_c.1"), Some(json!(2)));
        assert_eq!(get(&object, "spec.ranges[2].from"), None);
        assert_eq!(get(&object, "spec.ranges.from"), None);
        assert_eq!("spec.ranges[0]".parse::<Path>().unwrap().remove(&mut object), Some(json!({"from": 1})));
        assert_eq!(object, json!({"spec": {"ranges": [{"from": 2}], "E1/1": "x"}}));
        assert_eq!(Path::root().remove(&mut object), None);
    }

    #[test]
    fn says_what_is_wrong_with_a_text() {
        for (text, at) in
            [("spec.", 6), ("spec..a", 6), ("spec[x]", 6), ("spec[\"a", 8), ("spec[1", 7), ("a/b", 2), ("[1]a", 4)]
        {
            assert_eq!(text.parse::<Path>().unwrap_err().at, at, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_path_survives_being_written(steps in prop::collection::vec(
            prop_oneof![".*".prop_map(Segment::Key), any::<usize>().prop_map(Segment::Index)], 0..6)) {
            let path = Path(steps);
            prop_assert_eq!(path.to_string().parse::<Path>().unwrap(), path);
        }

        #[test]
        fn no_text_panics(text in ".*") {
            let _ = text.parse::<Path>();
        }
    }
}
