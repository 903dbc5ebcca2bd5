//! The main job without script: log in, add a fabric, sync from Git, look, sync to Kubernetes, and see it verified.

use crate::proof::Proof;
use crate::world::{Fabric, NAMESPACES, vpc};
use anyhow::Result;

async fn with_vpcs() -> Result<Fabric> {
    let fabric = Fabric::add().await?;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    fabric
        .commit(&[("namespaces.yaml", Some(NAMESPACES)), ("vpcs/one.yml", Some(&one)), ("vpcs/two.yaml", Some(&two))])
        .await?;
    Ok(fabric)
}

/// From a fabric that was never synced to one that holds what Git says, and back after a difference: every press, answer
/// and effect as verify walks and judges them.
#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_by_plain_forms() -> Result<()> {
    let proof = Proof::unsynced(&[]).await?;
    let servers = async || proof.site.client.list("servers.wiring.githedgehog.com").await;
    assert!(servers().await?.is_empty(), "nothing was written yet");
    let names = ["sync_from_git", "sync_from_fabric", "sync_by_form", "drift", "sync_by_button", "status_agrees"];
    let words: Vec<&str> = names.iter().flat_map(|name| ["--journey", name]).collect();
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&[])?;
    for name in names {
        assert_eq!(proved.journey(name)?.verified, Some(true), "{name}");
        if name != "sync_by_button" {
            proved.is_told(name)?;
        }
    }
    // The first sync writes the whole fabric. The pages of a few of its objects are compared with the switches, and it is said
    // that those of the others were not.
    let open = proved.journey("sync_by_button")?.checks.iter().filter(|check| check.held.is_none());
    let open: Vec<&str> = open.map(|check| check.observed.as_str()).collect();
    assert!(open.len() == 1 && open[0].starts_with("3 of "), "{open:?}");
    assert!(!servers().await?.is_empty(), "the cluster holds what Git says");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_30_deleted_in_the_cluster_is_missing_after_the_next_comparison() -> Result<()> {
    let mut fabric = with_vpcs().await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded");
    fabric.kubectl(&["delete", "vpc", "vpc-02"]).await?;
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    let page = fabric.page().await?;
    assert!(page.visible_text().contains("1 missing in the cluster"), "{}", page.visible_text());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_05_ten_syncs_in_a_row() -> Result<()> {
    let mut fabric = with_vpcs().await?;
    for round in 0..10 {
        let one = vpc("vpc-01", 1, 1100 + round);
        fabric.commit(&[("vpcs/one.yml", Some(&one))]).await?;
        let synced = fabric.press("sync_to_kubernetes").await?;
        assert_eq!(synced["state"], "succeeded", "round {round}: {synced}");
        let live = fabric.live("VPC", "vpc-01").await?.expect("it is in the cluster");
        assert_eq!(live["spec"]["subnets"]["default"]["vlan"], 1100 + round);
    }
    Ok(())
}
