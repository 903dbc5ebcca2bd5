//! A fabric whose cluster is logged in to with a client certificate, entered in the form, against a real API server.

use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::Result;

#[tokio::test(flavor = "multi_thread")]
async fn a_fabric_by_address_and_client_certificate_is_tested_and_synced() -> Result<()> {
    let world = world().await;
    let identity = world.plane.client_certificate("hedgerow-operator", &["system:masters"])?;
    let server = world.plane.url();
    let mut fabric = Fabric::add_with(&[
        ("cluster_kind", "endpoint"),
        ("kubeconfig", ""),
        ("server", &server),
        ("ca_pem", world.plane.ca_certificate()),
        ("client_certificate", &identity.certificate),
        ("client_key", &identity.key),
    ])
    .await?;
    let one = vpc("vpc-01", 1, 1001);
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&one))]).await?;
    let tested = fabric.press("test_connection").await?;
    assert_eq!(tested["state"], "succeeded", "{tested}");
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    assert!(fabric.live("VPC", "vpc-01").await?.is_some(), "it is in the cluster");

    // Saved again with the key left empty, it still gets in.
    let settings = format!("/fabrics/{}/edit/", fabric.id);
    let form = fabric.user.visit(&settings).await?;
    let saved = fabric.user.submit(&form, "form.form", &[("description", "by certificate")]).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    let tested = fabric.press("test_connection").await?;
    assert_eq!(tested["state"], "succeeded", "{tested}");

    // Another user without rights: the certificate decides who it is, and the API server what that one may.
    let nobody = world.plane.client_certificate("nobody", &[])?;
    let form = fabric.user.visit(&settings).await?;
    let changes = [("client_certificate", nobody.certificate.as_str()), ("client_key", &nobody.key)];
    let saved = fabric.user.submit(&form, "form.form", &changes).await?;
    assert_eq!(saved.status, 303, "{}", saved.visible_text());
    let tested = fabric.press("test_connection").await?;
    assert_eq!(
        (tested["state"].as_str(), tested["code"].as_str()),
        (Some("failed"), Some("kubernetes_forbidden")),
        "{tested}"
    );
    Ok(())
}
