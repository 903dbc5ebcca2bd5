//! The identity of a Kubernetes object, as every room writes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;

/// Group, version and kind of an object, e.g. `vpc.githedgehog.com/v1beta1, VPC`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Gvk {
    /// API group, e.g. `vpc.githedgehog.com`; empty for the core group.
    pub group: String,
    /// API version, e.g. `v1beta1`.
    pub version: String,
    /// Kind, e.g. `VPC`.
    pub kind: String,
}

impl Gvk {
    /// A kind by its three words.
    pub fn new(group: impl Into<String>, version: impl Into<String>, kind: impl Into<String>) -> Self {
        Self { group: group.into(), version: version.into(), kind: kind.into() }
    }

    /// The `apiVersion` as it stands in a manifest: `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Splits an `apiVersion` and a `kind` as they stand in a manifest.
    pub fn parse(api_version: &str, kind: &str) -> Self {
        match api_version.split_once('/') {
            Some((group, version)) => Self::new(group, version, kind),
            None => Self::new("", api_version, kind),
        }
    }

    /// Whether the group is one of Hedgehog's (`githedgehog.com` or a subdomain of it).
    pub fn is_hedgehog(&self) -> bool {
        self.group == "githedgehog.com" || self.group.ends_with(".githedgehog.com")
    }
}

impl fmt::Display for Gvk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{}", self.kind, self.group, self.version)
    }
}

/// Which object: group, kind, namespace and name. The version is not part of the identity, because the API server
/// serves the same object under each of its versions.
///
/// It is written `Kind.group/namespace/name` wherever one string is needed (database, form values, URLs).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectKey {
    /// API group.
    pub group: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl ObjectKey {
    /// An identity by its four words.
    pub fn new(
        group: impl Into<String>,
        kind: impl Into<String>,
        namespace: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self { group: group.into(), kind: kind.into(), namespace: namespace.into(), name: name.into() }
    }

    /// Reads the identity out of an object's JSON. `None` when apiVersion, kind or name is missing or not a string.
    pub fn of(object: &Value) -> Option<Self> {
        let gvk = Gvk::parse(object.get("apiVersion")?.as_str()?, object.get("kind")?.as_str()?);
        let meta = object.get("metadata")?;
        let namespace = meta.get("namespace").and_then(Value::as_str).unwrap_or_default();
        Some(Self::new(gvk.group, gvk.kind, namespace, meta.get("name")?.as_str()?))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}/{}/{}", self.kind, self.group, self.namespace, self.name)
    }
}

/// The text was not of the form `Kind.group/namespace/name`.
#[derive(Debug, thiserror::Error)]
#[error("'{0}' is not an object identity; write Kind.group/namespace/name")]
pub struct BadObjectKey(pub String);

impl std::str::FromStr for ObjectKey {
    type Err = BadObjectKey;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || BadObjectKey(s.to_owned());
        let mut parts = s.splitn(3, '/');
        let (kind_group, namespace, name) =
            (parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?, parts.next().ok_or_else(bad)?);
        let (kind, group) = kind_group.split_once('.').ok_or_else(bad)?;
        if kind.is_empty() || name.is_empty() {
            return Err(bad());
        }
        Ok(Self::new(group, kind, namespace, name))
    }
}
