//! What the server says it serves: aggregated discovery where it is spoken (one request), the older form otherwise.

use super::soft;
use crate::call::Call;
use crate::kinds::{KindInfo, Problem, ProblemKind};
use crate::{Cluster, Error, ErrorKind, address};
use kube::client::{APIGroupDiscovery, APIGroupDiscoveryList, APIResourceDiscovery};
use serde::Deserialize;
use serde_json::Value;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
    application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

type Found = (Vec<KindInfo>, Vec<Problem>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    name: String,
    #[serde(default)]
    versions: Vec<GroupVersion>,
    preferred_version: Option<GroupVersion>,
}

#[derive(Deserialize, PartialEq)]
struct GroupVersion {
    version: String,
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    name: String,
    singular_name: String,
    namespaced: bool,
    kind: String,
    verbs: Vec<String>,
    short_names: Vec<String>,
    categories: Vec<String>,
}

impl Cluster {
    /// Kinds of Hedgehog's groups, each in the version that the server prefers, without columns and schemas yet.
    pub(super) async fn served(&self) -> Result<Found, Error> {
        let call = Call::get("discover the API groups", "/apis").accepting(AGGREGATED);
        let answer: Value = self.fetch(&call).await.map_err(Error::without_api)?;
        let unusable = || {
            Error::new(ErrorKind::Protocol, &call.operation, "The answer is no list of API groups; check the address.")
        };
        match answer["kind"].as_str() {
            Some("APIGroupDiscoveryList") => {
                let list: APIGroupDiscoveryList = serde_json::from_value(answer).map_err(|_| unusable())?;
                Ok(aggregated(&list))
            }
            Some("APIGroupList") => {
                let list: Groups = serde_json::from_value(answer).map_err(|_| unusable())?;
                self.group_by_group(list).await
            }
            _ => Err(unusable()),
        }
    }

    async fn group_by_group(&self, list: Groups) -> Result<Found, Error> {
        let (mut kinds, mut problems) = (Vec::<KindInfo>::new(), Vec::new());
        for group in list.groups.iter().filter(|g| is_hedgehog(&g.name)) {
            let preferred = group.preferred_version.iter();
            let others = group.versions.iter().filter(|v| Some(*v) != group.preferred_version.as_ref());
            for GroupVersion { version } in preferred.chain(others) {
                let path = format!("/apis/{}/{}", address::escape(&group.name), address::escape(version));
                let call = Call::get(format!("discover the group {}/{version}", group.name), path);
                let resources: Resources = match self.fetch(&call).await {
                    Ok(resources) => resources,
                    Err(e) if soft(&e) => {
                        problems.push(Problem {
                            kind: ProblemKind::GroupFailed,
                            subject: format!("{}/{version}", group.name),
                            message: format!(
                                "The kinds of {}/{version} could not be listed: {}",
                                group.name, e.message
                            ),
                            hides_kinds: true,
                        });
                        continue;
                    }
                    Err(e) => return Err(e),
                };
                for resource in resources.resources {
                    add_resource(&mut kinds, &group.name, version, resource);
                }
            }
        }
        Ok((kinds, problems))
    }
}

fn is_hedgehog(group: &str) -> bool {
    model::Gvk::new(group, "", "").is_hedgehog()
}

/// Adds a resource of the older form; the first version that has a kind is the preferred one.
fn add_resource(kinds: &mut Vec<KindInfo>, group: &str, version: &str, resource: Resource) {
    if let Some((plural, subresource)) = resource.name.split_once('/') {
        let owner = kinds.iter_mut().find(|k| k.plural == plural && k.gvk.group == group && k.gvk.version == version);
        if let (Some(owner), "status") = (owner, subresource) {
            owner.has_status = true;
        }
        return;
    }
    if kinds.iter().any(|k| k.gvk.group == group && k.gvk.kind == resource.kind) {
        return;
    }
    let mut kind = KindInfo::bare(group, version, &resource.kind, &resource.name, resource.namespaced);
    if !resource.singular_name.is_empty() {
        kind.singular = resource.singular_name;
    }
    (kind.verbs, kind.short_names, kind.categories) = (resource.verbs, resource.short_names, resource.categories);
    kinds.push(kind);
}

fn aggregated(list: &APIGroupDiscoveryList) -> Found {
    let (mut kinds, mut problems) = (Vec::<KindInfo>::new(), Vec::new());
    for group in &list.items {
        let Some(name) = group.metadata.as_ref().and_then(|m| m.name.as_deref()) else { continue };
        let hedgehog = is_hedgehog(name);
        problems.extend(stale_versions(group, name, hedgehog));
        if !hedgehog {
            continue;
        }
        for of_version in &group.versions {
            let version = of_version.version.as_deref().unwrap_or_default();
            for resource in &of_version.resources {
                if let Some(kind) = kind_of(name, version, resource)
                    && !kinds.iter().any(|k| k.gvk.group == name && k.gvk.kind == kind.gvk.kind)
                {
                    kinds.push(kind);
                }
            }
        }
    }
    (kinds, problems)
}

fn stale_versions(group: &APIGroupDiscovery, name: &str, hides_kinds: bool) -> Vec<Problem> {
    let stale = group.versions.iter().filter(|v| v.freshness.as_deref() == Some("Stale"));
    stale
        .map(|v| {
            let subject = format!("{name}/{}", v.version.as_deref().unwrap_or_default());
            let message = format!(
                "The API server behind the group {subject} does not answer; its kinds may be missing or out of date."
            );
            Problem { kind: ProblemKind::StaleGroup, subject, message, hides_kinds }
        })
        .collect()
}

fn kind_of(group: &str, version: &str, resource: &APIResourceDiscovery) -> Option<KindInfo> {
    let plural = resource.resource.as_deref()?;
    let kind = resource.response_kind.as_ref()?.kind.as_deref()?;
    let namespaced = resource.scope.as_deref() == Some("Namespaced");
    let mut info = KindInfo::bare(group, version, kind, plural, namespaced);
    if let Some(singular) = resource.singular_resource.as_deref().filter(|s| !s.is_empty()) {
        info.singular = singular.to_owned();
    }
    info.verbs = resource.verbs.clone();
    info.short_names = resource.short_names.clone();
    info.categories = resource.categories.clone();
    info.has_status = resource.subresources.iter().any(|s| s.subresource.as_deref() == Some("status"));
    Some(info)
}
