//! An open page stays true while others act: by the event stream, and by asking now and then where streams fail.

use crate::browser_tab::Tab;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Result, ensure};
use serde_json::json;

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
