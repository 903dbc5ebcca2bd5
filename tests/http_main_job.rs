//! The main job without script: log in, add a fabric, sync from Git, look, sync to Kubernetes, and see it verified.

use crate::world::{Fabric, NAMESPACES, vpc};
use anyhow::Result;
use serde_json::json;

async fn with_vpcs() -> Result<Fabric> {
    let fabric = Fabric::add().await?;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    fabric
        .commit(&[("namespaces.yaml", Some(NAMESPACES)), ("vpcs/one.yml", Some(&one)), ("vpcs/two.yaml", Some(&two))])
        .await?;
    Ok(fabric)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_job_by_plain_forms() -> Result<()> {
    let mut fabric = with_vpcs().await?;
    let fetched = fabric.press("sync_from_git").await?;
    assert_eq!(fetched["state"], "succeeded", "{fetched}");
    let page = fabric.page().await?;
    assert!(page.visible_text().contains("4 not delivered"), "{}", page.visible_text());
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written yet");

    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    for (name, vlan) in [("vpc-01", 1001), ("vpc-02", 1002)] {
        let live = fabric.live("VPC", name).await?.expect("it is in the cluster");
        assert_eq!(live["spec"]["subnets"]["default"]["vlan"], vlan);
    }
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    assert!(fabric.page().await?.visible_text().contains("In sync"));

    fabric.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", &patch(1500)]).await?;
    let read = fabric.press("sync_from_fabric").await?;
    assert_eq!(read["state"], "succeeded", "{read}");
    let path = format!("/fabrics/{}/objects/VPC.vpc.githedgehog.com/{}/vpc-01/", fabric.id, fabric.name);
    let object = fabric.user.visit(&path).await?;
    let text = object.visible_text();
    assert!(text.contains("spec.subnets.default.vlan") && text.contains("1500") && text.contains("1001"), "{text}");
    assert_eq!(object.texts("th.diff-path").len(), 1, "exactly that field: {text}");
    assert_eq!(fabric.status().await?["sync_status"], "out_of_sync");

    let again = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(again["state"], "succeeded", "{again}");
    let live = fabric.live("VPC", "vpc-01").await?.expect("it is still there");
    assert_eq!(live["spec"]["subnets"]["default"]["vlan"], 1001);
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

fn patch(vlan: u16) -> String {
    json!({"spec": {"subnets": {"default": {"vlan": vlan}}}}).to_string()
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
