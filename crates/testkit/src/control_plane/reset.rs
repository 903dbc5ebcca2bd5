//! Back to an empty cluster between two tests, without a restart: the definitions stay, everything else goes.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use serde_json::json;

use super::client::Resource;
use super::{ControlPlane, KubeClient, access, eventually};

impl ControlPlane {
    /// Deletes every object of Hedgehog's kinds, also those that a finalizer holds, webhooks, and the users that
    /// [`Self::token_user`] made. A stopped API server is started.
    pub async fn reset(&mut self) -> Result<()> {
        self.start_api_server().await?;
        let client = self.client()?;
        // First, because one that nobody answers would stop every deletion.
        for kind in ["mutatingwebhookconfigurations", "validatingwebhookconfigurations", "validatingadmissionpolicies"]
        {
            let path = format!("/apis/admissionregistration.k8s.io/v1/{kind}");
            client.request("DELETE", &path, None).await?.success(&format!("delete the {kind}"))?;
        }
        let selector = format!("labelSelector={}", access::LABEL);
        for path in [
            "/apis/rbac.authorization.k8s.io/v1/clusterroles",
            "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
            "/api/v1/namespaces/default/serviceaccounts",
        ] {
            client.request("DELETE", &format!("{path}?{selector}"), None).await?.success(&format!("empty {path}"))?;
        }
        let kinds = client.discover().await?;
        let kinds = kinds.iter().filter(|kind| kind.group.ends_with("githedgehog.com"));
        try_join_all(kinds.map(|kind| empty(&client, kind))).await?;
        Ok(())
    }
}

async fn empty(client: &KubeClient, kind: &Resource) -> Result<()> {
    eventually(Duration::from_secs(60), &format!("no {} is left", kind.plural), || async {
        let objects = client.list(&format!("{}.{}", kind.plural, kind.group)).await?;
        let left = objects.len();
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        for object in objects.iter().filter(|object| object["metadata"]["finalizers"].is_array()) {
            let name = format!("{}/{}", text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
            let free = json!({"metadata": {"finalizers": null}});
            client.patch(&format!("{}.{}", kind.plural, kind.group), &name, &free).await?;
        }
        let namespaces: BTreeSet<String> = objects.iter().map(|one| text(&one["metadata"]["namespace"])).collect();
        for namespace in namespaces {
            client.request("DELETE", &kind.path(Some(&namespace)), None).await?.success("delete a collection")?;
        }
        ensure!(left == 0, "{left} were left");
        Ok::<_, anyhow::Error>(())
    })
    .await
}
