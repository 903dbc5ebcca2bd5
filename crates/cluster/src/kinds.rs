//! What a cluster serves: kinds of Hedgehog's groups, with their columns and schemas, and what hides some of them.

use model::Gvk;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A printer column of a kind, as its CRD declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Where the value stands, in the CRD's own JSONPath, e.g. `.spec.profile`.
    pub json_path: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub r#type: String,
    /// 0 is always shown; greater ones only in wide views.
    pub priority: i32,
    /// What the column means, if the CRD says so.
    pub description: String,
}

/// One kind that the cluster serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindInfo {
    /// Group, preferred version and kind.
    pub gvk: Gvk,
    /// Name in URLs and rules, e.g. `vpcs`.
    pub plural: String,
    /// Singular name, e.g. `vpc`.
    pub singular: String,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Short names, e.g. `conn`.
    pub short_names: Vec<String>,
    /// Categories, e.g. `hedgehog`.
    pub categories: Vec<String>,
    /// Verbs that the server offers for it; not what the credentials permit.
    pub verbs: Vec<String>,
    /// Whether `status` is a subresource.
    pub has_status: bool,
    /// Printer columns, in the CRD's order; empty when the CRD could not be read.
    pub columns: Vec<Column>,
    /// The OpenAPI v3 schema of the object; `None` when neither CRD nor OpenAPI could be read.
    pub schema: Option<Value>,
}

impl KindInfo {
    /// A kind known by name only, without columns and schema.
    pub fn bare(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            gvk: Gvk::new(group, version, kind),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            namespaced,
            short_names: Vec::new(),
            categories: Vec::new(),
            verbs: Vec::new(),
            has_status: false,
            columns: Vec::new(),
            schema: None,
        }
    }

    /// The name of its CRD: `plural.group`.
    pub fn definition_name(&self) -> String {
        format!("{}.{}", self.plural, self.gvk.group)
    }

    /// Whether only an allow-list of its fields is ever returned.
    pub fn carries_secrets(&self) -> bool {
        model::kind::carries_secrets(&self.gvk.group, &self.gvk.kind)
    }
}

/// What stood in the way of a complete discovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A group of another API server (aggregated API) could not be asked.
    StaleGroup,
    /// A group could not be listed.
    GroupFailed,
    /// The CRDs may not be read; columns are missing, schemas come from OpenAPI.
    DefinitionsForbidden,
    /// A CRD could not be read for another reason.
    DefinitionFailed,
    /// A CRD exists, but the server does not serve it.
    NotServed,
    /// A kind has no schema, so that its fields cannot be checked in advance.
    SchemaMissing,
}

/// One obstacle, with the thing it concerns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of obstacle.
    pub kind: ProblemKind,
    /// The group, CRD or kind it concerns.
    pub subject: String,
    /// What happened, one sentence.
    pub message: String,
    /// Whether kinds of Hedgehog may be missing because of it.
    pub hides_kinds: bool,
}

/// What discovery found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kinds {
    /// The kinds of `*.githedgehog.com`, by group and kind.
    pub kinds: Vec<KindInfo>,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

impl Kinds {
    /// A kind by group and kind.
    pub fn find(&self, group: &str, kind: &str) -> Option<&KindInfo> {
        self.kinds.iter().find(|k| k.gvk.group == group && k.gvk.kind == kind)
    }

    /// Whether some kinds may exist that were not found.
    pub fn may_be_incomplete(&self) -> bool {
        self.problems.iter().any(|p| p.hides_kinds)
    }
}
