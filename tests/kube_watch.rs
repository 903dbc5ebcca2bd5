//! Always on: what happens in the cluster is on the pages without anybody asking for it, and switches that report are
//! followed as they do.

use crate::site::{Site, all_applied, fabric_files, text};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A site that watches its cluster. Its background comparison runs each 170 s, as at every site: what is seen sooner, a
/// watch has seen.
pub async fn watching() -> Result<Site> {
    Site::start_with(&lab::kinds::crds(), &[("HEDGEROW_COMPARE_WATCH", "true")]).await
}

fn lists(site: &Site) -> Vec<String> {
    let calls = site.door.take_calls().into_iter().map(|call| call.path);
    calls.filter(|path| path.contains("githedgehog.com") && path.contains("limit=")).collect()
}

fn counts<'v>(status: &'v Value, kind: &str) -> &'v Value {
    &status["counts"][kind]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kubectl_does_is_on_the_pages_without_a_press() -> Result<()> {
    let mut site = watching().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    // The background comparison follows the switches after a sync, by the watches: they are all applied by then.
    site.until("every switch has applied everything", all_applied).await?;
    site.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    lists(&site);

    let patch = json!({"spec": {"subnets": {"default": {"vlan": 1999}}}}).to_string();
    site.plane.kubectl(&["patch", "vpc", "vpc-01", "--type=merge", "-p", &patch]).await?;
    let vpcs = "VPC.vpc.githedgehog.com";
    let status = site.until("it is modified", |status| counts(status, vpcs)["modified"] == 1).await?;
    assert_eq!(status["sync_status"], "out_of_sync", "{status}");
    let page = site.object_page(vpcs, "vpc-01").await?.visible_text();
    for part in ["spec.subnets.default.vlan", "1999", "kubectl-patch"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    // The controller tells the switches of it, and they apply it: an object that differs is followed, too.
    let operation = site.synced().await?;
    assert!(text(&operation["message"]).contains("1 object written"), "{}", operation["message"]);
    site.until("in sync, and on every switch", |s| s["sync_status"] == "in_sync" && all_applied(s)).await?;
    let live = site.there("VPC", "vpc-01").await?;
    assert_ne!(live["spec"]["subnets"]["default"]["vlan"], 1999, "the sync put it right");

    lists(&site);
    site.client.delete("VPCAttachment", &attachment(&site).await?).await?;
    let attachments = "VPCAttachment.vpc.githedgehog.com";
    site.until("it is missing", |status| counts(status, attachments)["missing"] == 1).await?;
    assert_eq!(lists(&site), Vec::<String>::new(), "nothing was listed for that");
    Ok(())
}

/// The name of some attachment in the cluster.
async fn attachment(site: &Site) -> Result<String> {
    let all = site.client.list("VPCAttachment").await?;
    Ok(text(&all.first().context("the fabric has attachments")?["metadata"]["name"]))
}
