//! Which of Hedgehog's kinds the server has: discovered, so that a kind of a later release is seen as well.

use super::ClusterOracle;
use crate::oracle::{OracleError, Read, Reading};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

/// One kind of the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Kind {
    /// `vpc.githedgehog.com`; empty for Kubernetes' oldest.
    pub group: String,
    /// `v1beta1`: the preferred version, or the first that has the kind.
    pub version: String,
    /// `vpcs`
    pub plural: String,
    /// `VPC`
    pub kind: String,
    /// Whether its objects are in namespaces.
    pub namespaced: bool,
    /// What the server does with it: `get`, `list`, `patch`.
    pub verbs: Vec<String>,
}

impl Kind {
    /// `vpc.githedgehog.com/v1beta1`
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `vpcs.vpc.githedgehog.com`, as kubectl takes it.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether its objects carry password hashes and keys, or are a machine's own report: no evidence shows them.
    pub fn is_withheld(&self) -> bool {
        ["Agent", "GatewayAgent", "Fabricator", "ControlNode", "FabNode", "Secret", "ConfigMap"]
            .contains(&self.kind.as_str())
    }

    /// The path of its objects, in a namespace or in all.
    pub(super) fn path<'a>(&'a self, namespace: Option<&'a str>) -> Vec<&'a str> {
        let mut path = if self.group.is_empty() { vec!["api"] } else { vec!["apis", &self.group] };
        path.push(&self.version);
        if let Some(namespace) = namespace.filter(|_| self.namespaced) {
            path.extend(["namespaces", namespace]);
        }
        path.push(&self.plural);
        path
    }
}

impl ClusterOracle {
    /// Every kind of the groups under `githedgehog.com`, by group and plural.
    pub async fn kinds(&self) -> Result<Read<Vec<Kind>>, OracleError> {
        let asked = "list Hedgehog's kinds";
        let groups = self.get_json(asked, self.url(&["apis"], &[])).await?.body;
        let groups = groups["groups"].as_array().ok_or_else(|| self.unreadable(asked, "it lists no groups"))?;
        let mut kinds: Vec<Kind> = Vec::new();
        for group in groups {
            let name = group["name"].as_str().unwrap_or_default();
            if !is_hedgehogs(name) {
                continue;
            }
            for version in versions(group) {
                let list = self.get_json(asked, self.url(&["apis", name, version], &[])).await?.body;
                let found =
                    list["resources"].as_array().ok_or_else(|| self.unreadable(asked, "it lists no resources"))?;
                for kind in found.iter().filter_map(|one| kind(name, version, one)) {
                    if !kinds.iter().any(|known| known.group == kind.group && known.plural == kind.plural) {
                        kinds.push(kind);
                    }
                }
            }
        }
        kinds.sort_by(|a, b| (&a.group, &a.plural).cmp(&(&b.group, &b.plural)));
        let names: Vec<String> = kinds.iter().map(|kind| format!("{} {}", kind.full_name(), kind.version)).collect();
        let reading = Reading::now(self.from(), asked, json!({"kinds": names}));
        Ok(Read { value: kinds, reading })
    }
}

/// Whether a group is one of Hedgehog's.
pub(crate) fn is_hedgehogs(group: &str) -> bool {
    group == "githedgehog.com" || group.ends_with(".githedgehog.com")
}

/// The versions of a group, the preferred one first.
fn versions(group: &Value) -> Vec<&str> {
    let preferred = group["preferredVersion"]["version"].as_str();
    let all = group["versions"].as_array().into_iter().flatten().filter_map(|one| one["version"].as_str());
    preferred.into_iter().chain(all.filter(|version| Some(*version) != preferred)).collect()
}

fn kind(group: &str, version: &str, resource: &Value) -> Option<Kind> {
    let text = |key: &str| resource[key].as_str().map(str::to_owned);
    // `vpcs/status` is no kind of its own.
    let plural = text("name").filter(|name| !name.contains('/'))?;
    let verbs = resource["verbs"].as_array().into_iter().flatten();
    Some(Kind {
        group: group.to_owned(),
        version: version.to_owned(),
        plural,
        kind: text("kind")?,
        namespaced: resource["namespaced"].as_bool()?,
        verbs: verbs.filter_map(|verb| verb.as_str().map(str::to_owned)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_only_look_like_hedgehogs_are_none() {
        assert!(is_hedgehogs("vpc.githedgehog.com") && is_hedgehogs("githedgehog.com"));
        assert!(!is_hedgehogs("notgithedgehog.com") && !is_hedgehogs("githedgehog.com.example"));
    }

    #[test]
    fn the_preferred_version_comes_first() {
        let group = json!({"preferredVersion": {"version": "v1"}, "versions": [{"version": "v2"}, {"version": "v1"}]});
        assert_eq!(versions(&group), ["v1", "v2"]);
    }
}
