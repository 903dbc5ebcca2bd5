//! Logging in by a provider in a real browser: its page and ours, the policy that our forms stand under, and two tabs.

use crate::browser_tab::Tab;
use anyhow::{Result, ensure};
use testkit::OpenidProvider;

/// Fills in the provider's own login page.
async fn at_the_provider(tab: &Tab, name: &str) -> Result<()> {
    tab.type_into("#login", name).await?;
    tab.type_into("#password", "provider-password").await?;
    tab.click("#in").await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_login_by_the_provider_and_a_logout_at_both() -> Result<()> {
    let provider = OpenidProvider::start(&[("anna", &[])]).await?;
    let console = provider.console(&[]).await?;
    let tab = Tab::start(console.url()).await?;
    tab.open("/activity/").await?;
    tab.says("a.button", "Log in with Example ID").await?;
    for dark in [false, true] {
        tab.browser.set_dark(dark).await?;
        let found = tab.browser.accessibility().await?;
        ensure!(found.is_empty(), "dark {dark}: {found:?}");
    }
    tab.click("a.button").await?;
    at_the_provider(&tab, "anna").await?;
    tab.at("/activity/").await?;
    ensure!(tab.script("return document.body.dataset.user").await? == "anna", "the page names her");
    tab.no_complaints("the login", &[]).await?;

    // The form of the logout leads on to the provider, which the browser allows, and back.
    tab.script("document.querySelector('form.who').requestSubmit()").await?;
    tab.click("#out").await?;
    tab.find("#id_username").await?;
    tab.no_complaints("the logout", &[]).await?;
    tab.click("a.button").await?;
    tab.find("#login").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_tab_whose_session_ended_goes_on_when_another_logs_in_by_the_provider() -> Result<()> {
    let provider = OpenidProvider::start(&[("anna", &[])]).await?;
    let console = provider.console(&[("HEDGEROW_SESSION_IDLE", "12s"), ("HEDGEROW_SESSION_WARN_BEFORE", "2s")]).await?;
    let tab = Tab::start(console.url()).await?;
    tab.open("/activity/").await?;
    tab.click("a.button").await?;
    at_the_provider(&tab, "anna").await?;
    tab.at("/activity/").await?;
    tab.mark().await?;
    tab.says("[data-strip='session']", "Log in again").await?;
    tab.click("[data-strip='session'] a.login-again").await?;
    tab.find("#login-again[open]").await?;
    let driver = tab.browser.driver();
    let first = driver.window().await?;
    tab.click("#login-again a.button").await?;
    // She is still logged in at the provider, so the new tab arrives by itself; the first goes on without a reload.
    driver.switch_to_window(first).await?;
    tab.says("body:not(:has(#login-again[open]))", "").await?;
    tab.not_reloaded().await?;
    Ok(())
}
