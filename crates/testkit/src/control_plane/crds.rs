//! CustomResourceDefinitions: installed, made to be exactly a set, removed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ControlPlane, KubeClient, eventually};

/// Where the kinds of kinds are.
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
/// Remembers what was installed, so that the same definition is not installed again.
const HASH: &str = "testkit.hedgerow.dev/hash";
const WITHIN: Duration = Duration::from_secs(60);

impl ControlPlane {
    /// Installs definitions, replaces those that differ, and waits until all are served. Others stay.
    pub async fn install_crds(&self, definitions: &[Value]) -> Result<()> {
        let client = self.client()?;
        try_join_all(definitions.iter().map(|definition| install(&client, definition))).await?;
        try_join_all(definitions.iter().map(|definition| served(&client, definition))).await?;
        Ok(())
    }

    /// Makes the server's definitions exactly these: what a test of one Hedgehog release needs when the control plane
    /// was used before. Objects of kinds that go are gone with them.
    pub async fn replace_crds(&self, definitions: &[Value]) -> Result<()> {
        let keep: Vec<&str> = definitions.iter().filter_map(|one| one["metadata"]["name"].as_str()).collect();
        self.remove_crds_except(&keep).await?;
        self.install_crds(definitions).await
    }

    /// Removes every definition, with all objects.
    pub async fn remove_crds(&self) -> Result<()> {
        self.remove_crds_except(&[]).await
    }

    /// Installs every definition in the YAML files of a folder (not of its sub-folders); returns how many there were.
    pub async fn install_crd_dir(&self, folder: &Path) -> Result<usize> {
        let definitions = read_crds(folder)?;
        self.install_crds(&definitions).await?;
        Ok(definitions.len())
    }

    async fn remove_crds_except(&self, keep: &[&str]) -> Result<()> {
        let client = self.client()?;
        let installed = client.request("GET", DEFINITIONS, None).await?.success("list the CRDs")?;
        let names = installed["items"].as_array().into_iter().flatten();
        let names: Vec<&str> =
            names.filter_map(|one| one["metadata"]["name"].as_str()).filter(|name| !keep.contains(name)).collect();
        for name in &names {
            client.request("DELETE", &format!("{DEFINITIONS}/{name}"), None).await?.success("delete a CRD")?;
        }
        try_join_all(names.into_iter().map(|name| {
            let (client, path) = (&client, format!("{DEFINITIONS}/{name}"));
            async move { eventually(WITHIN, "the CRD is gone", || async { gone(client, &path).await }).await }
        }))
        .await?;
        Ok(())
    }
}

/// Reads the definitions in the YAML files of a folder.
pub fn read_crds(folder: &Path) -> Result<Vec<Value>> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .with_context(|| format!("read {}", folder.display()))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"))
        .collect();
    files.sort();
    let mut definitions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&text).with_context(|| format!("parse {}", file.display()))?;
        definitions.extend(documents.into_iter().filter(|one| one["kind"] == "CustomResourceDefinition"));
    }
    ensure!(!definitions.is_empty(), "{} holds no CustomResourceDefinition", folder.display());
    Ok(definitions)
}

async fn install(client: &KubeClient, definition: &Value) -> Result<()> {
    let name = definition["metadata"]["name"].as_str().context("a CRD without name")?;
    let hash: String =
        Sha256::digest(definition.to_string()).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let mut definition = definition.clone();
    if !definition["metadata"]["annotations"].is_object() {
        definition["metadata"]["annotations"] = json!({});
    }
    definition["metadata"]["annotations"][HASH] = json!(hash);
    let path = format!("{DEFINITIONS}/{name}");
    let live = client.request("GET", &path, None).await?;
    if live.status == 404 {
        client.request("POST", DEFINITIONS, Some(&definition)).await?.success(&format!("install {name}"))?;
    } else if live.body["metadata"]["annotations"][HASH] != json!(hash) {
        definition["metadata"]["resourceVersion"] = live.body["metadata"]["resourceVersion"].clone();
        client.request("PUT", &path, Some(&definition)).await?.success(&format!("replace {name}"))?;
    }
    Ok(())
}

/// Established is not enough: the handler is there a moment later, so the list itself is tried.
async fn served(client: &KubeClient, definition: &Value) -> Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, plural) = (text(&definition["spec"]["group"]), text(&definition["spec"]["names"]["plural"]));
    let versions = definition["spec"]["versions"].as_array().into_iter().flatten();
    for version in versions.filter(|version| version["served"] == true) {
        let api = format!("/apis/{group}/{}", text(&version["name"]));
        eventually(WITHIN, &format!("{plural}.{group} is served"), || async {
            let answer = client.request("GET", &api, None).await?;
            let listed = answer.body["resources"].as_array().into_iter().flatten().any(|one| one["name"] == plural);
            ensure!(listed, "{api} answers {} and does not list it", answer.status);
            client.request("GET", &format!("{api}/{plural}?limit=1"), None).await?.success("list it").map(drop)
        })
        .await?;
    }
    Ok(())
}

async fn gone(client: &KubeClient, path: &str) -> Result<()> {
    let answer = client.request("GET", path, None).await?;
    ensure!(answer.status == 404, "it answers {}", answer.status);
    Ok(())
}
