//! Drift on an open page: somebody changes the cluster with kubectl, and the page that is open in Chromium says so.

use crate::browser_tab::Tab;
use crate::kube_watch::watching;
use crate::site::fabric_files;
use anyhow::{Context, Result, ensure};
use serde_json::json;

/// Notes when the page's head says these words, on the machine's clock, in milliseconds.
const NOTE: &str = "
    window.driftSeenAt = null;
    const note = () => {
        if (window.driftSeenAt === null && document.querySelector('.head-title')?.textContent.includes('Out of sync')) {
            window.driftSeenAt = Date.now();
        }
    };
    new MutationObserver(note).observe(document.body, {subtree: true, childList: true, characterData: true});
    note();";

#[tokio::test(flavor = "multi_thread")]
async fn drift_made_by_kubectl_reaches_an_open_page() -> Result<()> {
    let mut site = watching().await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;

    let tab = Tab::start(site.console.url()).await?;
    let (name, password) = (site.console.username()?, site.console.password()?);
    tab.login(&format!("/fabrics/{}/", site.id), name, password).await?;
    tab.says(".head-title", "In sync").await?;
    tab.mark().await?;
    tab.script(NOTE).await?;
    ensure!(tab.script("return window.driftSeenAt").await?.is_null(), "the control: nothing has drifted yet");

    let before = site.plane.client()?.get("VPC", "vpc-01").await?.context("the VPC is there")?;
    site.door.take_calls();
    let asked = jiff::Timestamp::now();
    let patch = json!({"spec": {"subnets": {"default": {"vlan": 1999}}}});
    site.client.patch("VPC", "vpc-01", &patch).await?;
    let changed = jiff::Timestamp::now();
    tab.says(".head-title", "Out of sync").await?;
    tab.not_reloaded().await?;
    let seen = tab.script("return window.driftSeenAt").await?.as_i64().context("the page noted when it said so")?;
    println!("on the page {} ms after the API server had taken the change", seen - changed.as_millisecond());
    ensure!(seen >= asked.as_millisecond(), "it was not said before it happened");

    // The cause: nobody asked, nothing was listed, and the row is of this very change.
    let calls = site.door.take_calls();
    let asked: Vec<_> =
        calls.iter().filter(|call| call.path.contains("/vpcs") && call.path.contains("limit=")).collect();
    ensure!(asked.is_empty(), "a list told it: {asked:?}");
    let object = site.object_page("VPC.vpc.githedgehog.com", "vpc-01").await?.visible_text();
    ensure!(object.contains("1999"), "{object}");
    ensure!(before["spec"]["subnets"]["default"]["vlan"] != 1999, "the control: it was another one before");
    Ok(())
}
