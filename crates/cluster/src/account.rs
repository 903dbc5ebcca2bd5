//! The least-privileged account for a fabric, as a manifest to create in its cluster.

use crate::kinds::KindInfo;
use model::kind::{Author, KNOWN};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The manifest of a ServiceAccount with a token, allowed to read Hedgehog's groups and CRDs everywhere, and to write
/// user-authored kinds in `namespace`, where the account itself lives too.
///
/// `kinds` are those that were discovered; when there are none yet, those of the current release are taken. Reading is
/// granted per group, so that the kinds of a newer release need no new rule; writing per kind.
pub fn service_account_manifest(name: &str, namespace: &str, kinds: &[KindInfo]) -> String {
    let (reads, writes) = if kinds.is_empty() { known() } else { discovered(kinds) };
    let (name_yaml, namespace_yaml) = (quote(name), quote(namespace));
    let mut text = format!(
        r#"# Create it:          kubectl apply -f FILE
# Its token:          kubectl -n {namespace} get secret {name}-token -o jsonpath='{{.data.token}}' | base64 -d
# The CA certificate: kubectl -n {namespace} get secret {name}-token -o jsonpath='{{.data.ca\.crt}}' | base64 -d
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name_yaml}
  namespace: {namespace_yaml}
---
apiVersion: v1
kind: Secret
metadata:
  name: {token}
  namespace: {namespace_yaml}
  annotations:
    kubernetes.io/service-account.name: {name_yaml}
type: kubernetes.io/service-account-token
---
# Reading: Hedgehog's objects, their definitions, which cluster this is, and whether the namespace exists.
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {reader}
rules:
  - apiGroups: {groups}
    resources: ["*"]
    verbs: ["get", "list", "watch"]
  - apiGroups: ["apiextensions.k8s.io"]
    resources: ["customresourcedefinitions"]
    verbs: ["get", "list", "watch"]
  - apiGroups: [""]
    resources: ["namespaces"]
    resourceNames: ["kube-system", {namespace_yaml}]
    verbs: ["get"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {reader}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {reader}
subjects:
  - kind: ServiceAccount
    name: {name_yaml}
    namespace: {namespace_yaml}
---
# Writing: only what users author, only in this namespace. Leave these two out for an account that only compares.
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {writer}
  namespace: {namespace_yaml}
rules:
"#,
        namespace = comment(namespace),
        name = comment(name),
        token = quote(&format!("{name}-token")),
        reader = quote(&format!("{name}-reader")),
        writer = quote(&format!("{name}-writer")),
        groups = list(reads.iter().map(String::as_str)),
    );
    for (group, resources) in &writes {
        let resources = list(resources.iter().map(String::as_str));
        let group = quote(group);
        let _ = write!(
            text,
            "  - apiGroups: [{group}]\n    resources: {resources}\n    verbs: [\"create\", \"update\", \"delete\"]\n"
        );
    }
    if writes.is_empty() {
        text.truncate(text.len() - "rules:\n".len());
        text.push_str("rules: []\n");
    }
    let _ = write!(
        text,
        r#"---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {writer}
  namespace: {namespace_yaml}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {writer}
subjects:
  - kind: ServiceAccount
    name: {name_yaml}
    namespace: {namespace_yaml}
"#,
        writer = quote(&format!("{name}-writer")),
    );
    text
}

type Rules = (Vec<String>, BTreeMap<String, Vec<String>>);

fn known() -> Rules {
    let all = KNOWN.iter().map(|k| (k.group, k.plural, k.author == Author::User));
    rules(all)
}

fn discovered(kinds: &[KindInfo]) -> Rules {
    rules(kinds.iter().map(|k| (k.gvk.group.as_str(), k.plural.as_str(), model::kind::is_user_authored(&k.gvk))))
}

fn rules<'a>(kinds: impl Iterator<Item = (&'a str, &'a str, bool)>) -> Rules {
    let (mut reads, mut writes) = (Vec::new(), BTreeMap::<String, Vec<String>>::new());
    for (group, plural, user) in kinds {
        if !reads.iter().any(|g| g == group) {
            reads.push(group.to_owned());
        }
        if user {
            writes.entry(group.to_owned()).or_default().push(plural.to_owned());
        }
    }
    (reads, writes)
}

/// A JSON string is a YAML string, whatever is in it.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("[{}]", words.map(quote).collect::<Vec<_>>().join(", "))
}

/// Only what a Kubernetes name may hold goes into a comment that is meant to be pasted into a shell.
fn comment(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn documents(text: &str) -> Vec<Value> {
        text.split("\n---\n").map(|d| serde_saphyr::from_str(d).unwrap()).collect()
    }

    fn rules<'a>(documents: &'a [Value], kind: &str) -> &'a Vec<Value> {
        documents.iter().find(|d| d["kind"] == kind).unwrap()["rules"].as_array().unwrap()
    }

    #[test]
    fn the_manifest_reads_groups_and_writes_only_what_users_author() {
        let all = documents(&service_account_manifest("hedgerow", "default", &[]));
        let kinds: Vec<&str> = all.iter().map(|d| d["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ServiceAccount", "Secret", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
        assert_eq!(all[1]["type"], "kubernetes.io/service-account-token");
        for rule in rules(&all, "ClusterRole") {
            let verbs = rule["verbs"].as_array().unwrap();
            assert!(verbs.iter().all(|v| ["get", "list", "watch"].contains(&v.as_str().unwrap())), "{rule}");
        }
        let written: Vec<&str> = rules(&all, "Role")
            .iter()
            .flat_map(|r| r["resources"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()))
            .collect();
        assert!(written.contains(&"vpcs") && written.contains(&"connections"));
        for never in ["agents", "catalogs", "fabricators", "switchprofiles", "*"] {
            assert!(!written.contains(&never), "{never}");
        }
    }

    #[test]
    fn the_file_of_deploy_says_what_the_page_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rbac/fabric.yaml");
        let text = service_account_manifest("hedgerow", "default", &[]);
        if std::env::var_os("HEDGEROW_ACCEPT").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let file = std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(text, file, "deploy/rbac/fabric.yaml is stale; write it with HEDGEROW_ACCEPT=1");
    }

    #[test]
    fn discovered_kinds_decide_and_odd_names_stay_data() {
        let kinds = [
            KindInfo::bare("new.githedgehog.com", "v1", "Thing", "things", true),
            KindInfo::bare("agent.githedgehog.com", "v1beta1", "Agent", "agents", true),
        ];
        let all = documents(&service_account_manifest("a\"b\n---\nc: $(d)", "n: {s", &kinds));
        assert_eq!(all.len(), 6);
        assert_eq!(all[0]["metadata"]["name"], "a\"b\n---\nc: $(d)");
        assert_eq!(rules(&all, "Role").len(), 1);
        assert_eq!(rules(&all, "Role")[0]["resources"][0], "things");
        let only_agents = documents(&service_account_manifest("h", "default", &kinds[1..]));
        assert_eq!(rules(&only_agents, "Role").len(), 0);
    }
}
