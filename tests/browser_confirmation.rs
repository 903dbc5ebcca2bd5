//! In Chromium: what a sync does not do by itself is confirmed by a tick, and then done.

use crate::browser_tab::Tab;
use crate::kube_lessons::{NARROWED, addresses, link_given_up};
use anyhow::{Context, Result};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn browser_addresses_of_links_go_only_with_a_tick() -> Result<()> {
    let mut site = link_given_up().await?;
    let (operation, _) = site.sync().await?;
    assert_eq!(operation["code"], "address_removal", "{operation}");
    let page = operation["url"].as_str().context("the operation's address")?;

    let tab = Tab::start(site.console.url()).await?;
    tab.login(page, site.console.username()?, site.console.password()?).await?;
    tab.mark().await?;
    tab.posts().await?;
    // The browser itself asks for the tick, and sends nothing.
    tab.click("#remove-addresses-btn").await?;
    assert_eq!(tab.posts().await?, [""; 0]);
    tab.click("label[for=id_allow_address_removal]").await?;
    tab.click("#remove-addresses-btn").await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "succeeded").await?;
    assert_eq!(tab.posts().await?, [format!("/fabrics/{}/sync/", site.id)]);
    tab.not_reloaded().await?;
    tab.no_complaints("the operation's page", &[]).await?;
    assert_eq!(addresses(&site.there("Connection", NARROWED).await?).len(), 2);
    assert_eq!(site.status().await?["sync_status"], json!("in_sync"));
    Ok(())
}
