//! The end of a session in an open tab: said before it comes, moved by one press; and texts that are copied by keyboard.

use crate::browser_tab::Tab;
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{Console, ConsoleOptions, eventually};
use thirtyfour::Key;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_open_tab_warns_before_its_session_ends_and_one_press_keeps_it() -> Result<()> {
    let env = [("HEDGEROW_SESSION_IDLE", "16s"), ("HEDGEROW_SESSION_WARN_BEFORE", "8s")];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let tab = Tab::start(console.url()).await?;
    tab.login("/fabrics/", console.username()?, console.password()?).await?;
    let hidden = "return document.getElementById('session-warning').hidden";
    ensure!(tab.script(hidden).await? == true, "nothing is said at the beginning");
    tab.mark().await?;

    let shown = tab.says("#session-warning", "Your session ends in").await?;
    let seconds = "return parseInt(document.querySelector('[data-countdown]').textContent.replace('in ', ''))";
    let first = tab.script(seconds).await?.as_i64().context("seconds are said")?;
    eventually(PATIENCE, "it counts down", || async {
        let now = tab.script(seconds).await?.as_i64().context("seconds are said")?;
        ensure!(now < first, "{now} of {first} s are left");
        Ok(())
    })
    .await?;
    ensure!(shown.contains("UTC") && shown.contains("Stay logged in"), "{shown}");
    let said = tab.script("return document.getElementById('announce').textContent").await?;
    ensure!(said.as_str().is_some_and(|said| said.contains("Your session ends at")), "it is spoken, too: {said}");
    let end = tab.script("return document.body.dataset.idleDeadline").await?;
    tab.find("#session-warning button").await?.send_keys(Key::Enter).await?;
    eventually(PATIENCE, "the warning goes", || async {
        ensure!(tab.script(hidden).await? == true, "it still stands there");
        Ok(())
    })
    .await?;
    let later = tab.script("return document.body.dataset.idleDeadline").await?;
    ensure!(later.as_str() > end.as_str(), "{later} is not after {end}");
    tab.not_reloaded().await?;
    let focus = tab.script("return document.activeElement.id").await?;
    ensure!(focus == "main", "the focus is at {focus}");

    // Unused, it ends, and the tab says so by itself.
    let ended = tab.says("#strips", "Log in again").await?;
    ensure!(ended.contains("was not used"), "{ended}");
    ensure!(tab.script(hidden).await? == true, "an ended session is not warned of");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_to_be_copied_is_copied_by_keyboard_and_it_is_said() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    let tab = Tab::start(console.url()).await?;
    tab.login("/fabrics/add/", console.username()?, console.password()?).await?;
    tab.find("details.more summary").await?.send_keys(Key::Enter).await?;
    let manifest = tab.find("pre[data-copy]").await?;
    manifest.focus().await?;
    let focus = tab.script("return document.activeElement.getAttribute('aria-label')").await?;
    ensure!(focus == "Manifest of the ServiceAccount", "the text can be reached, to be scrolled: {focus}");
    // The next stop is its button.
    manifest.send_keys(Key::Tab).await?;
    let button = tab.browser.driver().active_element().await?;
    ensure!(
        button.attr("aria-label").await?.as_deref() == Some("Copy the manifest"),
        "{:?}",
        button.outer_html().await
    );
    button.send_keys(Key::Enter).await?;
    eventually(PATIENCE, "the result is said", || async {
        let said = tab.script("return document.getElementById('announce').textContent").await?;
        ensure!(said.as_str().is_some_and(|said| said.contains("the manifest")), "{said}");
        Ok(())
    })
    .await?;
    tab.no_complaints("add", &[]).await
}
