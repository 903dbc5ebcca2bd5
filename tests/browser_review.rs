//! In Chromium: what a sync would do is looked at first, and is then done as it was looked at.

use crate::browser_pages::look;
use crate::browser_tab::Tab;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Context, Result};
use serde_json::json;

/// A fabric in sync, one VPC of which somebody then changed, and a new VPC in Git.
async fn changed() -> Result<Fabric> {
    let mut fabric = Fabric::add().await?;
    let (one, two) = (vpc("vpc-01", 1, 1001), vpc("vpc-02", 2, 1002));
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&one)), ("2.yaml", Some(&two))]).await?;
    assert_eq!(fabric.press("sync_to_kubernetes").await?["state"], "succeeded", "the precondition");
    let patch = json!({"spec": {"subnets": {"default": {"vlan": 1500}}}}).to_string();
    fabric.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", &patch]).await?;
    fabric.commit(&[("3.yaml", Some(&vpc("vpc-03", 3, 1003)))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded", "the precondition");
    Ok(fabric)
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_sync_is_reviewed_and_then_done() -> Result<()> {
    let world = world().await;
    let fabric = changed().await?;
    let path = format!("/fabrics/{}/", fabric.id);
    let tab = Tab::start(world.console.url()).await?;
    tab.login(&path, "admin", &world.password).await?;
    tab.click("#review-link").await?;
    tab.at(&format!("{path}sync/review/")).await?;
    let row = tab.text("[data-object$='/vpc-01'] tbody tr").await?;
    for part in ["spec.subnets.default.vlan", "1500", "1001", "kubectl-patch"] {
        assert!(row.contains(part), "{part}: {row}");
    }
    tab.says("[data-object$='/vpc-03']", "Create").await?;
    look(&tab, "review").await?;
    tab.no_complaints("review", &[]).await?;

    // A choice survives the way over this page, as it does over those of a long list.
    tab.click("[data-object$='/vpc-03'] input[name=leave_object]").await?;
    tab.click("#show-again-btn").await?;
    let ticked = "return document.querySelector(\"[data-object$='/vpc-03'] input[name=leave_object]\").checked";
    assert_eq!(tab.script(ticked).await?, json!(true));
    tab.click("[data-object$='/vpc-03'] input[name=leave_object]").await?;

    tab.posts().await?;
    tab.click("#review-sync-btn").await?;
    tab.says("[data-live='operation-head'] .head-title", "Succeeded").await?;
    let about = tab.text("[data-live='operation-facts']").await?;
    assert!(about.contains("everything"), "{about}");
    assert_eq!(fabric.live("VPC", "vpc-01").await?.context("vpc-01")?["spec"]["subnets"]["default"]["vlan"], 1001);
    assert!(fabric.live("VPC", "vpc-03").await?.is_some());
    look(&tab, "operation-after-review").await?;

    // Chosen in the list of objects: only they are reviewed.
    tab.open(&format!("{path}objects/?kind=VPC.vpc.githedgehog.com")).await?;
    tab.click("tbody tr:nth-child(2) input[name=object]").await?;
    tab.click("#review-chosen-btn").await?;
    tab.says("[data-object$='/vpc-02']", "Equal already").await?;
    let listed = tab.script("return document.querySelectorAll('[data-object]').length").await?;
    assert_eq!(listed, json!(1), "what was ticked, and nothing else");
    look(&tab, "review-of-chosen").await?;
    tab.open(&format!("{path}sync/review/")).await?;
    tab.says("main", "Every object of Git is in the cluster as Git has it").await?;
    look(&tab, "review-empty").await?;
    tab.no_complaints("review", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_field_is_left_to_the_cluster_and_a_dry_run_changes_nothing() -> Result<()> {
    let world = world().await;
    let mut fabric = changed().await?;
    // Git asks for something else of the same object, too.
    let one = vpc("vpc-01", 1, 1001).replace("vlan: 1001", "vlan: 1001\n      restricted: true");
    fabric.commit(&[("1.yaml", Some(&one))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded", "the precondition");
    let review = format!("/fabrics/{}/sync/review/", fabric.id);
    let tab = Tab::start(world.console.url()).await?;
    tab.login(&review, "admin", &world.password).await?;
    let before = fabric.live("VPC", "vpc-01").await?.context("vpc-01")?;

    tab.click("#dry-run-btn").await?;
    tab.says("[data-live='operation-head'] .head-title", "Succeeded").await?;
    tab.says("#dry-mark", "Dry run").await?;
    tab.says("tr[data-object$='/vpc-03']", "Would be created").await?;
    tab.says("tr[data-object$='/vpc-01']", "Would be updated").await?;
    look(&tab, "dry-run").await?;
    assert_eq!(fabric.live("VPC", "vpc-01").await?.context("vpc-01")?, before, "a dry run changes nothing");
    assert!(fabric.live("VPC", "vpc-03").await?.is_none(), "a dry run makes nothing");

    tab.open(&review).await?;
    tab.click("[data-object$='/vpc-01'] input[value$='#spec.subnets.default.vlan']").await?;
    tab.click("#review-sync-btn").await?;
    tab.says("[data-live='operation-head'] .badge", "Succeeded").await?;
    tab.says("tr[data-object$='/vpc-01']", "spec.subnets.default.vlan").await?;
    let live = fabric.live("VPC", "vpc-01").await?.context("vpc-01")?;
    let subnet = &live["spec"]["subnets"]["default"];
    assert_eq!(
        (&subnet["vlan"], &subnet["restricted"]),
        (&json!(1500), &json!(true)),
        "that field stays, the rest is Git's"
    );
    assert!(fabric.live("VPC", "vpc-03").await?.is_some(), "and so is everything else");
    tab.no_complaints("review", &[]).await
}
