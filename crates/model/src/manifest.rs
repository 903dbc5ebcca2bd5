//! Manifests: YAML text to objects, each with the place it was written at, and findings for what is wrong.
//!
//! [`parse_file`] reads one file and [`collect`] brings many together. A broken document hides no other document, and
//! nothing is skipped without a finding. Objects with an error stay in the list, so that the cluster's object of the
//! same identity is not taken for an extra one; [`Parsed::blocked`] says which must not be written.
//!
//! `manifest/split.rs` cuts a file into documents, `yaml.rs` reads one, `identify.rs` tells what it is, `place.rs`
//! finds where a field stands, `collect.rs` finds what stands twice, `glimpse.rs` what a broken document seems to hold.

mod collect;
mod glimpse;
mod identify;
mod place;
mod split;
mod yaml;

pub use collect::collect;
pub use glimpse::Glimpse;
pub(crate) use glimpse::Holds;

use crate::body::Body;
use crate::object::{Gvk, ObjectKey};
use crate::path::Path;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// Where something stands in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Path of the file, relative to the repository's root; shared by all that stands in it.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Which document of the file, from 1.
    pub document: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For information; nothing is wrong (another tool's kind that is left alone).
    Info,
    /// Worth a look; does not stop a run.
    Warning,
    /// Wrong; the object is not applied.
    Error,
}

/// Something that is wrong with the desired state, precisely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable word for the rule, e.g. `yaml_syntax`, `duplicate_object`, `unknown_field`, `unhydrated`.
    pub rule: String,
    /// Which object, when one could be identified.
    pub object: Option<ObjectKey>,
    /// The field's path, e.g. `spec.subnets.default.vlan`, when it is about one field.
    pub path: Option<String>,
    /// Where it stands; `None` for what is found in the cluster only.
    pub location: Option<Location>,
    /// What is wrong and what to do, one or two sentences.
    pub message: String,
    /// What the document seems to hold, where it could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub glimpses: Vec<Glimpse>,
}

/// One object as it stands in the source.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// API version, without the group.
    pub version: Box<str>,
    /// Identity; the fabric's namespace is filled in when the manifest names none.
    pub key: ObjectKey,
    /// The object as JSON, namespace filled in, otherwise as written.
    pub object: Body,
    /// Where the document starts.
    pub location: Location,
}

impl Manifest {
    /// Group, version and kind.
    pub fn gvk(&self) -> Gvk {
        Gvk::new(&*self.key.group, &*self.version, &*self.key.kind)
    }
}

/// Limits on what is read from a source, against accidents and bombs.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: usize,
    /// Number of manifest files.
    pub files: usize,
    /// Number of objects over all files.
    pub objects: usize,
    /// Depth of nesting in one document.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { file_bytes: 8 << 20, files: 20_000, objects: 200_000, depth: 64 }
    }
}

/// What one file, or a whole tree, holds.
#[derive(Debug, Clone, Default)]
pub struct Parsed {
    /// The objects, in order of appearance; shared by all that is read of the same file.
    pub manifests: Vec<Arc<Manifest>>,
    /// What is wrong, in order of appearance.
    pub findings: Vec<Finding>,
}

impl Parsed {
    /// The objects that must not be written, because an error was found in them.
    pub fn blocked(&self) -> HashSet<&ObjectKey> {
        let errors = self.findings.iter().filter(|finding| finding.severity == Severity::Error);
        errors.filter_map(|finding| finding.object.as_ref()).collect()
    }

    /// Errors that belong to no object: documents that could not be read, or not be told apart.
    pub fn broken_documents(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error && f.object.is_none()).count()
    }
}

impl Finding {
    /// An error.
    pub fn error(rule: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, message)
    }

    /// A warning.
    pub fn warning(rule: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, message)
    }

    /// Something worth knowing.
    pub fn info(rule: &str, message: impl Into<String>) -> Self {
        Self::new(Severity::Info, rule, message)
    }

    fn new(severity: Severity, rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity,
            rule: rule.to_owned(),
            object: None,
            path: None,
            location: None,
            message: message.into(),
            glimpses: Vec::new(),
        }
    }

    /// About this manifest, where it begins.
    #[must_use]
    pub fn of(mut self, manifest: &Manifest) -> Self {
        self.object = Some(manifest.key.clone());
        self.location.get_or_insert_with(|| manifest.location.clone());
        self
    }

    /// About this field.
    #[must_use]
    pub fn at(mut self, path: impl ToString) -> Self {
        self.path = Some(path.to_string());
        self
    }

    /// What is wrong, and where it stands, for where there is no column for the place.
    pub fn with_place(&self) -> String {
        match &self.location {
            Some(location) => format!("{} ({location})", self.message),
            None => self.message.clone(),
        }
    }

    /// Whether it is about a document that could not be read, or not be told apart: it belongs to no object.
    pub fn is_of_broken_document(&self) -> bool {
        self.severity == Severity::Error && self.object.is_none() && self.location.is_some()
    }

    /// Standing here.
    #[must_use]
    pub fn located(mut self, location: Location) -> Self {
        self.location = Some(location);
        self
    }
}

/// Reads one file. Objects that name no namespace get `default_namespace`, and those that name another are errors.
pub fn parse_file(file: &str, bytes: &[u8], default_namespace: &str, limits: &Limits) -> Parsed {
    let mut parsed = Parsed::default();
    let start = Location { file: file.into(), line: 1, column: 1, document: 1 };
    if bytes.len() > limits.file_bytes {
        let message = format!(
            "The file has {} bytes; files of more than {} bytes are not read. Split it, or raise the limit.",
            bytes.len(),
            limits.file_bytes
        );
        parsed.findings.push(Finding::error("file_too_large", message).located(start));
        return parsed;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            let line = good.lines().count().max(1) + usize::from(good.ends_with('\n'));
            let column = good.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
            let location = Location { line: split::to_u32(line), column: split::to_u32(column), ..start };
            let message = "The file is not UTF-8 text; no byte that follows can be read. Save it as UTF-8.";
            let glimpses = glimpse::glimpses(&String::from_utf8_lossy(bytes));
            parsed.findings.push(Finding { glimpses, ..Finding::error("not_utf8", message).located(location) });
            return parsed;
        }
    };
    let documents = split::documents(text);
    let alone = documents.len() == 1;
    for document in &documents {
        let Some((line, column)) = document.content() else {
            let location = Location { line: document.first_line, document: document.number, ..start.clone() };
            parsed.findings.push(empty(document, alone).located(location));
            continue;
        };
        let before = parsed.findings.len();
        match yaml::read(&start.file, document, limits) {
            Err(finding) => parsed.findings.push(*finding),
            Ok(value) => {
                let location = Location { file: start.file.clone(), line, column, document: document.number };
                let mut reader = identify::Reader { document, default_namespace, limits, parsed: &mut parsed };
                reader.take(value, location, 0);
            }
        }
        for finding in parsed.findings[before..].iter_mut().filter(|finding| finding.is_of_broken_document()) {
            finding.glimpses = glimpse::glimpses(document.text);
        }
    }
    // Many files hold one object, and are kept for long.
    parsed.manifests.shrink_to_fit();
    parsed
}

fn empty(document: &split::Document<'_>, alone: bool) -> Finding {
    match (alone, document.is_only_comments()) {
        (true, true) => Finding::warning("empty_document", "The file holds comments only, and no object."),
        (true, false) => Finding::warning("empty_document", "The file is empty."),
        (false, true) => Finding::info("empty_document", "The document holds comments only, and no object."),
        (false, false) => Finding::warning("empty_document", "The document is empty. Remove its '---'."),
    }
}

/// Where a field of an object stands in the text of its file: its key, or the item of a list. Of a field that is
/// missing, where the deepest part of its path stands that is there.
///
/// `object` is the manifest's own location. `None` when the text holds no such document, as after a change.
pub fn locate(text: &str, object: &Location, path: &Path) -> Option<Location> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = split::documents(text).into_iter().find(|d| d.number == object.document)?;
    let root = place::Place::read(document.text)?;
    let begins = (object.line.checked_sub(document.first_line - 1)?, object.column);
    let (line, column) = root.beginning_at(begins).unwrap_or(&root).position(path);
    Some(Location { line: line + document.first_line - 1, column, ..object.clone() })
}

#[cfg(test)]
mod tests;
