//! Two tabs of one browser: what happens in one must not break the other.

use crate::browser_tab::Tab;
use crate::world::{Fabric, NAMESPACES, vpc, world};
use anyhow::{Result, ensure};
use testkit::{Console, ConsoleOptions};

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_49_after_another_login_in_a_second_tab_the_first_tabs_button_works() -> Result<()> {
    // A console of its own: logging out ends the session of this browser alone, but the word of it goes to all its tabs.
    let console = Console::start(ConsoleOptions::default()).await?;
    let (name, fields) = Fabric::place().await?;
    world()
        .await
        .git
        .commit(&name, "main", &[("n.yaml", Some(NAMESPACES)), ("1.yaml", Some(&vpc("vpc-01", 1, 1001)))], "Begin")
        .await?;
    let (mut user, _) = console.login(console.username()?, console.password()?).await?;
    let form = user.visit("/fabrics/add/").await?;
    let fields: Vec<(&str, &str)> = fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
    let added = user.submit(&form, "form.form", &fields).await?;
    let path = added.location().unwrap_or_default();
    ensure!(added.status == 303, "the form was not taken: {}", added.visible_text());

    let tab = Tab::start(console.url()).await?;
    tab.login(&path, console.username()?, console.password()?).await?;
    tab.mark().await?;
    let driver = tab.browser.driver();
    let first = driver.window().await?;
    let second = driver.new_tab().await?;
    driver.switch_to_window(second).await?;
    tab.open("/fabrics/").await?;
    // Logged out, and in again: the same browser, another session.
    tab.script("document.querySelector('form.who').requestSubmit()").await?;
    tab.find("#id_username").await?;
    tab.login("/fabrics/", console.username()?, console.password()?).await?;

    driver.switch_to_window(first).await?;
    tab.at(&path).await?;
    tab.not_reloaded().await?;
    tab.click("#sync-now-btn").await?;
    let said = tab.says("[data-press-group] .answer:not([data-answer='busy'])", "Sync to Kubernetes").await?;
    ensure!(said.contains("succeeded") && !said.contains("Log in"), "the first tab says: {said}");
    tab.not_reloaded().await?;
    let live = world().await.plane.client()?.get("VPC", &format!("{name}/vpc-01")).await?;
    ensure!(live.is_some(), "the press did what it says");
    Ok(())
}
