//! What `deploy/` holds works: the account that an operator creates from its manifest is enough for a fabric, and no
//! more than that.

use crate::world::{Fabric, NAMESPACES, endpoint, vpc};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{ControlPlane, eventually, workspace};

#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_the_manifest_tests_compares_and_syncs_and_does_nothing_else() -> Result<()> {
    let plane = ControlPlane::start().await?;
    plane.install_crds(&lab::kinds::crds()).await?;
    let file = workspace().join("deploy/rbac/fabric.yaml");
    plane.kubectl(&["apply", "-f", file.to_str().context("a path in UTF-8")?]).await?;
    // Beside a kube-apiserver alone nobody fills the token's Secret; this is the same account's token.
    let token = plane.token_of("hedgerow", Duration::from_secs(3600)).await?;
    let theirs = plane.client_as(&token)?;
    eventually(Duration::from_secs(40), "the rights are in force", || async {
        let path = "/apis/vpc.githedgehog.com/v1beta1/namespaces/default/vpcs";
        let answer = theirs.request("GET", path, None).await?;
        ensure!(answer.status == 200, "{}", answer.status);
        Ok::<_, anyhow::Error>(())
    })
    .await?;

    let server = plane.url();
    let cluster = endpoint(&server, &token, plane.ca_certificate());
    let mut fabric = Fabric::add_with(&[&cluster[..], &[("namespace", "default")]].concat()).await?;
    let settings = fabric.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let shown = settings.texts("pre").into_iter().find(|text| text.contains("kind: ServiceAccount"));
    let manifest = std::fs::read_to_string(&file)?;
    let manifest: Vec<&str> = manifest.split_whitespace().collect();
    assert_eq!(shown.context("the page shows the manifest")?, manifest.join(" "), "one text in both places");

    let tested = fabric.press("test_connection").await?;
    assert_eq!((&tested["state"], &tested["code"]), (&"succeeded".into(), &serde_json::Value::Null), "{tested}");
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    let live = plane.client()?.get("VPC", "default/vpc-01").await?.context("it is in the cluster")?;
    assert_eq!(live["spec"]["subnets"]["default"]["vlan"], 1001);

    for (method, path) in [
        ("GET", "/api/v1/secrets"),
        ("GET", "/api/v1/namespaces/default/pods"),
        ("DELETE", "/apis/agent.githedgehog.com/v1beta1/namespaces/default/agents/leaf-01"),
        ("DELETE", "/apis/vpc.githedgehog.com/v1beta1/namespaces/kube-system/vpcs/x"),
        ("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/vpcs.vpc.githedgehog.com"),
    ] {
        assert_eq!(theirs.request(method, path, None).await?.status, 403, "{method} {path}");
    }
    Ok(())
}
