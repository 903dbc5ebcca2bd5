//! Manifests: YAML text to objects, each with the place it was written at, and findings for what is wrong.

use crate::object::{Gvk, ObjectKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Where something stands in the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Path of the file, relative to the repository's root.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1.
    pub column: u32,
    /// Which document of the file, from 1.
    pub document: u32,
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
}

/// One object as it stands in the source.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Group, version and kind.
    pub gvk: Gvk,
    /// Identity; the fabric's namespace is filled in when the manifest names none.
    pub key: ObjectKey,
    /// The object as JSON, namespace filled in, otherwise as written.
    pub object: Arc<Value>,
    /// Where the document starts.
    pub location: Location,
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
    /// The objects, in order of appearance.
    pub manifests: Vec<Manifest>,
    /// What is wrong, in order of appearance.
    pub findings: Vec<Finding>,
}
