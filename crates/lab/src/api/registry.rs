//! Which resources are served: those of the CustomResourceDefinitions, and the few of Kubernetes itself that clients
//! ask for.

use serde_json::{Value, json};
use std::sync::Arc;

/// One resource of one version.
#[derive(Debug)]
pub struct Resource {
    /// Place in the registry; objects are kept by it.
    pub id: usize,
    /// API group; empty for the core group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Kind.
    pub kind: String,
    /// Kind of lists.
    pub list_kind: String,
    /// Plural, as in URLs.
    pub plural: String,
    /// Singular.
    pub singular: String,
    /// Short names.
    pub short_names: Vec<String>,
    /// Categories, such as `all`.
    pub categories: Vec<String>,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// The schema; `None` for Kubernetes' own kinds, which are stored as they come.
    pub schema: Option<Value>,
    /// Additional printer columns.
    pub columns: Vec<Value>,
    /// Whether there is a status subresource.
    pub status: bool,
    /// What may be done.
    pub verbs: &'static [&'static str],
}

/// Verbs of a resource that is fully served.
pub const ALL_VERBS: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];
const READ_VERBS: &[&str] = &["get", "list", "watch"];

impl Resource {
    /// `group/version`, or `version` for the core group.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// `plural.group`, as errors name it.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }
}

/// All resources.
#[derive(Debug)]
pub struct Registry {
    resources: Vec<Arc<Resource>>,
}

impl Registry {
    /// The resources of these definitions, and Kubernetes' own.
    pub fn new(crds: &[Value]) -> Self {
        let mut resources = Vec::new();
        let created = json!({"name": "Created At", "type": "string", "jsonPath": ".metadata.creationTimestamp"});
        let status = json!({"name": "Status", "type": "string", "jsonPath": ".status.phase"});
        let age = json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"});
        for (group, kind, plural, short, columns) in [
            ("", "Namespace", "namespaces", "ns", vec![status, age]),
            ("apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions", "crd", vec![created]),
        ] {
            resources.push(Resource {
                id: 0,
                group: group.to_owned(),
                version: "v1".to_owned(),
                kind: kind.to_owned(),
                list_kind: format!("{kind}List"),
                plural: plural.to_owned(),
                singular: kind.to_lowercase(),
                short_names: vec![short.to_owned()],
                categories: Vec::new(),
                namespaced: false,
                schema: None,
                columns,
                status: false,
                verbs: if group.is_empty() { ALL_VERBS } else { READ_VERBS },
            });
        }
        for crd in crds {
            resources.extend(of_definition(crd));
        }
        for (id, resource) in resources.iter_mut().enumerate() {
            resource.id = id;
        }
        Self { resources: resources.into_iter().map(Arc::new).collect() }
    }

    /// Every resource.
    pub fn all(&self) -> &[Arc<Resource>] {
        &self.resources
    }

    /// By what stands in a URL.
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.group == group && r.version == version && r.plural == plural)
    }

    /// By kind alone, which tells Hedgehog's resources apart.
    pub fn by_kind(&self, kind: &str) -> Option<&Arc<Resource>> {
        self.resources.iter().find(|r| r.kind == kind)
    }

    /// By what stands in an object.
    pub fn of_object(&self, object: &Value) -> Option<&Arc<Resource>> {
        let (api_version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        self.resources.iter().find(|r| r.kind == kind && r.api_version() == api_version)
    }

    /// Group and version of everything that is served, core first, each once.
    pub fn group_versions(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<(&str, &str)> = Vec::new();
        for r in &self.resources {
            let gv = (r.group.as_str(), r.version.as_str());
            if !all.contains(&gv) {
                all.push(gv);
            }
        }
        all
    }
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

fn of_definition(crd: &Value) -> Vec<Resource> {
    let (spec, names) = (&crd["spec"], &crd["spec"]["names"]);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let kind = text(&names["kind"]);
    let versions = spec["versions"].as_array().map_or(&[][..], Vec::as_slice);
    versions
        .iter()
        .filter(|v| v["served"] == true && v["storage"] == true)
        .map(|version| Resource {
            id: 0,
            group: text(&spec["group"]),
            version: text(&version["name"]),
            list_kind: names["listKind"].as_str().map_or_else(|| format!("{kind}List"), str::to_owned),
            plural: text(&names["plural"]),
            singular: names["singular"].as_str().map_or_else(|| kind.to_lowercase(), str::to_owned),
            short_names: texts(&names["shortNames"]),
            categories: texts(&names["categories"]),
            namespaced: spec["scope"] != "Cluster",
            schema: Some(version["schema"]["openAPIV3Schema"].clone()),
            columns: version["additionalPrinterColumns"].as_array().cloned().unwrap_or_default(),
            status: version["subresources"].get("status").is_some(),
            verbs: ALL_VERBS,
            kind: kind.clone(),
        })
        .collect()
}
