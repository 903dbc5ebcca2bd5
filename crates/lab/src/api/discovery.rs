//! Discovery: which groups, versions and resources there are, in the aggregated form and in the older one.

use super::registry::{Registry, Resource};
use serde_json::{Value, json};

/// Resources that exist only as a POST: reviews of access.
pub(super) const REVIEWS: &[(&str, &str, &str)] = &[
    ("authorization.k8s.io", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "SelfSubjectReview", "selfsubjectreviews"),
];

/// Groups and versions, reviews included, core left out, each once.
fn groups(registry: &Registry) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = registry
        .group_versions()
        .into_iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(g, v)| (g.to_owned(), v.to_owned()))
        .collect();
    for (group, _, _) in REVIEWS {
        if !all.iter().any(|(g, _)| g == group) {
            all.push(((*group).to_owned(), "v1".to_owned()));
        }
    }
    all
}

fn of<'a>(registry: &'a Registry, group: &str, version: &str) -> Vec<&'a Resource> {
    registry.all().iter().filter(|r| r.group == group && r.version == version).map(|r| &**r).collect()
}

/// `/api`.
pub(super) fn core_versions(address: &str) -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]})
}

/// `/apis`.
pub(super) fn group_list(registry: &Registry) -> Value {
    let groups: Vec<Value> = groups(registry).iter().map(|(g, v)| api_group(g, v)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn api_group(group: &str, version: &str) -> Value {
    let version = json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({"name": group, "versions": [version], "preferredVersion": version})
}

/// `/apis/<group>`.
pub(super) fn group(registry: &Registry, name: &str) -> Option<Value> {
    let (group, version) = groups(registry).into_iter().find(|(g, _)| g == name)?;
    let mut found = api_group(&group, &version);
    found["kind"] = json!("APIGroup");
    found["apiVersion"] = json!("v1");
    Some(found)
}

/// `/api/v1` and `/apis/<group>/<version>`.
pub(super) fn resource_list(registry: &Registry, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for r in of(registry, group, version) {
        let mut entry = json!({"name": r.plural, "singularName": r.singular, "namespaced": r.namespaced,
            "kind": r.kind, "verbs": r.verbs});
        if !r.short_names.is_empty() {
            entry["shortNames"] = json!(r.short_names);
        }
        if !r.categories.is_empty() {
            entry["categories"] = json!(r.categories);
        }
        resources.push(entry);
        if r.status {
            resources.push(json!({"name": format!("{}/status", r.plural), "singularName": "",
                "namespaced": r.namespaced, "kind": r.kind, "verbs": ["get", "patch", "update"]}));
        }
    }
    for (_, kind, plural) in REVIEWS.iter().filter(|(g, _, _)| *g == group && version == "v1") {
        resources.push(json!({"name": plural, "singularName": kind.to_lowercase(), "namespaced": false,
            "kind": kind, "verbs": ["create"]}));
    }
    if resources.is_empty() {
        return None;
    }
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources}))
}

/// Whether the aggregated form is asked for, and in which version.
pub(super) fn aggregated_version(accept: &str) -> Option<&'static str> {
    accept.split(',').find_map(|item| {
        let item: String = item.chars().filter(|c| !c.is_whitespace()).collect();
        if !item.starts_with("application/json") || !item.contains("as=APIGroupDiscoveryList") {
            return None;
        }
        match item.split(';').find_map(|p| p.strip_prefix("v=")) {
            Some("v2") => Some("v2"),
            Some("v2beta1") => Some("v2beta1"),
            _ => None,
        }
    })
}

/// `/api` and `/apis` in the aggregated form.
pub(super) fn aggregated(registry: &Registry, core: bool, version: &str) -> Value {
    let list: Vec<(String, String)> = if core { vec![(String::new(), "v1".to_owned())] } else { groups(registry) };
    let items: Vec<Value> = list
        .iter()
        .map(|(group, group_version)| {
            let mut resources: Vec<Value> =
                of(registry, group, group_version).into_iter().map(aggregated_resource).collect();
            for (g, kind, plural) in REVIEWS.iter().filter(|(g, _, _)| g == group) {
                resources.push(json!({
                    "resource": plural, "responseKind": {"group": g, "version": "v1", "kind": kind},
                    "scope": "Cluster", "singularResource": kind.to_lowercase(), "verbs": ["create"],
                }));
            }
            let mut metadata = json!({"creationTimestamp": null});
            if !group.is_empty() {
                metadata["name"] = json!(group);
            }
            json!({"metadata": metadata,
                "versions": [{"version": group_version, "freshness": "Current", "resources": resources}]})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {}, "items": items})
}

fn aggregated_resource(r: &Resource) -> Value {
    let kind = json!({"group": r.group, "version": r.version, "kind": r.kind});
    let mut entry = json!({
        "resource": r.plural, "responseKind": kind, "scope": if r.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": r.singular, "verbs": r.verbs,
    });
    if !r.short_names.is_empty() {
        entry["shortNames"] = json!(r.short_names);
    }
    if !r.categories.is_empty() {
        entry["categories"] = json!(r.categories);
    }
    if r.status {
        entry["subresources"] =
            json!([{"subresource": "status", "responseKind": kind, "verbs": ["get", "patch", "update"]}]);
    }
    entry
}
