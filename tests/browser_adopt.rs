//! In Chromium: what only the cluster holds is ticked, looked at and committed.

use crate::browser_tab::Tab;
use crate::kube_adopt::with_vpcs;
use crate::world::{Fabric, world};
use anyhow::Result;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn browser_an_object_of_the_cluster_is_ticked_reviewed_and_committed() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    with_vpcs(&mut fabric, 1..4).await?;
    let page = format!("/fabrics/{}/", fabric.id);
    let tab = Tab::start(world.console.url()).await?;
    tab.login(&page, "admin", &world.password).await?;
    tab.says("[data-live=differs]", "3 objects stand only in the cluster").await?;
    tab.click("[data-live=differs] a[href$='/adopt/']").await?;
    tab.says("#adopt-said", "Nothing is ticked.").await?;
    tab.click("label[for=adopt-1]").await?;
    tab.says("#adopt-said", "1 ticked.").await?;
    tab.click("#review-ticked").await?;
    tab.says("#adopt-form", "vpcs/vpc-02.yaml").await?;
    tab.says("main", "Git holds no VPC yet.").await?;
    tab.click("#adopt-form details summary").await?;
    tab.says("#adopt-form pre", "name: vpc-02").await?;
    tab.no_complaints("the review", &[]).await?;
    tab.posts().await?;
    tab.click("#adopt-form button[type=submit]").await?;
    tab.says("main", "Adopted 1 object in commit").await?;
    assert_eq!(tab.posts().await?, [format!("/fabrics/{}/sync-from-fabric/", fabric.id)]);
    tab.no_complaints("the operation", &[]).await?;
    assert_eq!(world.git.files(&fabric.name, "main").await?, ["README.md", "vpcs/vpc-02.yaml"]);
    let author = world.git.in_repo(&fabric.name, &["log", "-1", "--format=%an", "main"]).await?;
    assert_eq!(author.trim(), "admin");
    let status = fabric.status().await?;
    assert_eq!(status["status"]["counts"]["equal"], json!(1), "{}", status["status"]);
    tab.open(&page).await?;
    tab.says("[data-live=differs]", "2 objects stand only in the cluster").await.map(drop)
}
