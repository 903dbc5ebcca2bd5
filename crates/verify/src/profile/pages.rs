//! Which pages there are: those that are opened, the activity, and what differs.

use super::{Css, Pattern};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which pages there are.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Crawl {
    /// Where it begins.
    pub start: Vec<String>,
    /// Regular expressions of paths; where there are some, others are not opened.
    #[serde(default)]
    pub only: Vec<Pattern>,
    /// Regular expressions of paths that are not opened.
    #[serde(default)]
    pub skip: Vec<Pattern>,
    /// Regular expressions of paths of which a few stand for all: at most so many of each are opened.
    #[serde(default)]
    pub few: Vec<Few>,
    /// Addresses of which at least one must be met, by what they are of: an object of every sort.
    #[serde(default)]
    pub must_meet: IndexMap<String, Pattern>,
    /// The kinds of a fabric's objects, where a list can be narrowed to one.
    #[serde(default)]
    pub kinds: Option<CrawlKinds>,
}

/// The kinds of a fabric's objects: of each that the target names, an object's page is met.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrawlKinds {
    /// The page that names them; `{id}` is the fabric's number.
    pub list: String,
    /// The elements on it whose attribute `value` is a kind.
    pub option: Css,
    /// The list of one kind; `{id}` the fabric, `{kind}` the kind.
    pub address: String,
    /// A regular expression for the path of an object's page; its group is the kind.
    pub object: Pattern,
}

/// Pages of which a few stand for all.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Few {
    /// A regular expression for the path with its query. Pages are told apart by its first group, if it has one.
    pub pattern: Pattern,
    /// So many of each are opened.
    pub most: usize,
}

/// The list of what was done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    /// Its address.
    pub address: String,
    /// One row.
    pub row: Css,
}

/// What differs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftPlaces {
    /// The address of an object's page: `{id}` the fabric, `{kind}` as `Kind.group`, `{namespace}`, `{name}`.
    pub object: String,
    /// The list of a fabric's objects: `{id}` the fabric, `{kind}` the kind.
    pub list: String,
    /// In that list, the links of the objects that come from Git.
    pub from_git: Css,
    /// A regular expression for such a link; its groups are kind and name.
    pub link: Pattern,
    /// The path of each field that differs, on that page.
    pub field: Css,
    /// The row of a field, which must show both values.
    pub row: Css,
    /// In each row, what the cluster holds. Where it is not given, a value may stand on either side.
    #[serde(default)]
    pub live: Option<Css>,
    /// In each row, what Git says.
    #[serde(default)]
    pub desired: Option<Css>,
}

impl DriftPlaces {
    /// The address of the page of one object.
    pub fn object_page(&self, fabric: &str, kind_and_group: &str, namespace: &str, name: &str) -> String {
        let address = self.object.replace("{id}", fabric).replace("{kind}", kind_and_group);
        address.replace("{namespace}", namespace).replace("{name}", name)
    }
}
