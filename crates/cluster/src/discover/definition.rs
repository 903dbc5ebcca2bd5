//! CRDs: columns and schema of the version that is served, and why a CRD is not.

use crate::kinds::{Column, KindInfo};
use serde::Deserialize;
use serde_json::Value;

/// The part of a CRD that is read.
#[derive(Deserialize)]
pub(super) struct Definition {
    #[serde(default)]
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

/// What tells one form of a CRD from another, and from one of that name that was made later.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    uid: String,
    resource_version: String,
}

impl Metadata {
    /// The form; `None` when the server does not say enough.
    pub(super) fn form(&self) -> Option<String> {
        let known = !self.uid.is_empty() && !self.resource_version.is_empty();
        known.then(|| format!("{}/{}", self.uid, self.resource_version))
    }
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    name: String,
    #[serde(default)]
    schema: Schema,
    #[serde(default)]
    additional_printer_columns: Vec<PrinterColumn>,
    #[serde(default)]
    subresources: Value,
}

#[derive(Deserialize, Default)]
struct Schema {
    #[serde(rename = "openAPIV3Schema")]
    open_api: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PrinterColumn {
    name: String,
    json_path: String,
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    conditions: Vec<Condition>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Condition {
    r#type: String,
    status: String,
    message: String,
}

impl Definition {
    /// Which form of the CRD this is.
    pub(super) fn form(&self) -> Option<String> {
        self.metadata.form()
    }

    /// Adds what the CRD knows of the kind's version.
    pub(super) fn describe(self, kind: &mut KindInfo) {
        let Some(version) = self.spec.versions.into_iter().find(|v| v.name == kind.gvk.version) else { return };
        kind.has_status |= version.subresources.get("status").is_some();
        kind.schema = version.schema.open_api;
        kind.columns = version
            .additional_printer_columns
            .into_iter()
            .map(|c| Column {
                name: c.name,
                json_path: c.json_path,
                r#type: c.r#type,
                priority: c.priority,
                description: c.description,
            })
            .collect();
    }

    /// Why the server does not serve it, in the server's words.
    pub(super) fn why_unserved(&self) -> String {
        let failed = |c: &&Condition| {
            matches!(
                (c.r#type.as_str(), c.status.as_str()),
                ("NamesAccepted" | "Established", "False") | ("Terminating", "True")
            )
        };
        match self.status.conditions.iter().find(failed) {
            Some(c) if !c.message.is_empty() => c.message.clone(),
            Some(c) => format!("{} is {}.", c.r#type, c.status),
            None => "it has not been established yet.".to_owned(),
        }
    }
}
