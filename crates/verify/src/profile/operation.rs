//! The page of an operation, and what a script reads of one.

use super::{Css, Pattern, Place};
use crate::page::Locator;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The page of an operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationPage {
    /// A regular expression for the path of its address; the first group is its number.
    pub address: Pattern,
    /// The word of its state.
    pub state: Place,
    /// What it says of its end.
    pub sentence: Place,
    /// What it is, for instance "Sync to Kubernetes".
    pub title: Place,
    /// Words of an end that is good.
    pub good: Vec<String>,
    /// Words of an end that is not.
    pub bad: Vec<String>,
    /// Words of what has no end yet.
    pub running: Vec<String>,
    /// The words, among the bad, of one that was cancelled.
    pub cancelled: Vec<String>,
    /// The words, among the bad, of one whose process died.
    pub interrupted: Vec<String>,
    /// The control that cancels it.
    pub cancel: Locator,
    /// The objects that it lists, one each; the attribute holds `Kind.group/namespace/name`.
    #[serde(default)]
    pub objects: Option<ObjectRows>,
    /// The operation, as a script reads it: pointers.
    #[serde(default)]
    pub json: Option<OperationJson>,
    /// The list of a fabric's operations, with `{id}` for the fabric's number.
    pub list: String,
    /// One operation in that list: the link to it.
    pub list_link: Css,
}

/// The objects of an operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectRows {
    /// One object.
    pub row: Css,
    /// The word of what became of it, in the row.
    pub outcome: Css,
}

/// An operation as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperationJson {
    /// The state.
    pub state: String,
    /// Whether it is over.
    pub is_final: String,
    /// The commit that it was about.
    pub commit: String,
    /// Who began it.
    pub actor: String,
    /// Whether it succeeded: true or false once it is over.
    pub success: String,
    /// When it was asked for.
    pub queued: String,
    /// When it was over.
    pub ended: String,
    /// When it must be over.
    pub deadline: String,
    /// The verb.
    pub verb: String,
    /// The number of the fabric that it is about.
    #[serde(default)]
    pub fabric: Option<String>,
}
