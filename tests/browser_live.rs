//! An open page stays true while others act: by the event stream, and by asking now and then where streams fail.

use crate::browser_tab::Tab;
use crate::site::{Site, fabric_files};
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::{Duration, Instant};
use testkit::Rule;

/// The streams of the tab that have ended, with the status of each; 0 is no answer.
const ENDED_STREAMS: &str = "return performance.getEntriesByType('resource')
    .filter((entry) => entry.name.includes('/events/')).map((entry) => entry.responseStatus)";

/// A tab shows a fabric; a colleague syncs it; the tab says so, without being loaded again.
async fn follows(streams: bool) -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    ensure!(fabric.press("sync_from_git").await?["state"] == "succeeded");
    let tab = Tab::start(world().await.console.url()).await?;
    if !streams {
        tab.browser.cdp("Network.enable", json!({})).await?;
        tab.browser.cdp("Network.setBlockedURLs", json!({"urls": ["*/events/*"]})).await?;
    }
    tab.login(&format!("/fabrics/{}/", fabric.id), "admin", &world().await.password).await?;
    tab.mark().await?;
    tab.says(".head-title", "Out of sync").await?;

    ensure!(fabric.press("sync_to_kubernetes").await?["state"] == "succeeded");
    tab.says(".head-title", "In sync").await?;
    tab.not_reloaded().await?;
    let ended = tab.script(ENDED_STREAMS).await?;
    let ended = ended.as_array().map(Vec::as_slice).unwrap_or_default();
    if streams {
        ensure!(ended.is_empty(), "the stream stands: {ended:?}");
    } else {
        ensure!(!ended.is_empty() && ended.iter().all(|status| status == 0), "no stream got through: {ended:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_follows_by_the_stream() -> Result<()> {
    follows(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_follows_by_asking_where_streams_fail() -> Result<()> {
    follows(false).await
}

/// Nobody hints that time has passed: the open page itself knows until when its evidence counts.
#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_is_not_green_for_longer_than_its_evidence_counts() -> Result<()> {
    let settings = [("HEDGEROW_COMPARE_INTERVAL", "9s"), ("HEDGEROW_COMPARE_FRESHNESS", "10s")];
    let mut site = Site::start_with(&lab::kinds::crds(), &settings).await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.until("it is in sync", |status| status["sync_status"] == "in_sync").await?;
    let tab = Tab::start(site.console.url()).await?;
    tab.login("/", site.console.username()?, site.console.password()?).await?;
    tab.says(".fabric-row", "In sync").await?;
    tab.mark().await?;

    // The API server takes every call and answers none: a comparison is under way for longer than the evidence counts.
    site.door.add(Rule::on("GET", "").hang());
    let since = Instant::now();
    tab.says(".fabric-row", "Unknown").await?;
    // A page that only reads itself again now and then needs half a minute.
    ensure!(since.elapsed() < Duration::from_secs(25), "it was said after {:?}", since.elapsed());
    let status = site.status().await?;
    ensure!(status["sync_status"] == "unknown", "what the page says is so: {status}");
    site.door.clear();
    tab.says(".fabric-row", "In sync").await?;
    tab.not_reloaded().await
}
