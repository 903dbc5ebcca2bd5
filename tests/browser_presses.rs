//! What one press does, and what it says when the session is over.

use crate::apart::{Apart, Database, SOON, end_of};
use crate::browser_tab::Tab;
use crate::world::{Fabric, world};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use testkit::{Console, ConsoleOptions, Gate, Rule, eventually};

/// The fabric's operations, newest first, as its page counts them.
async fn operations(fabric: &mut Fabric, verb: &str) -> Result<usize> {
    let page = fabric.user.visit(&format!("/fabrics/{}/operations/", fabric.id)).await?;
    Ok(page.texts("td.name a").iter().filter(|title| title.trim() == verb).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_10_one_click_one_request() -> Result<()> {
    let world = world().await;
    let mut fabric = Fabric::add().await?;
    let path = format!("/fabrics/{}/", fabric.id);
    let tab = Tab::start(world.console.url()).await?;
    tab.login(&path, "admin", &world.password).await?;
    tab.posts().await?;
    tab.click("#sync-from-fabric-btn").await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "succeeded").await?;
    assert_eq!(tab.posts().await?, [format!("{path}sync-from-fabric/")], "one click, one request");
    assert_eq!(operations(&mut fabric, "Sync from Fabric").await?, 1);

    // The answer stands there a moment before the button can be pressed again.
    tab.find("form[data-verb='sync_from_fabric']:not([data-busy])").await?;
    tab.script("document.querySelector('.answer').remove()").await?;
    let button = tab.find("#sync-from-fabric-btn").await?;
    tab.browser.driver().action_chain().double_click_element(&button).perform().await?;
    tab.says("[data-press-group] .answer[data-answer='good']", "succeeded").await?;
    tab.find("form[data-verb='sync_from_fabric']:not([data-busy])").await?;
    assert_eq!(tab.posts().await?, [format!("{path}sync-from-fabric/")], "a double click is one request");
    assert_eq!(operations(&mut fabric, "Sync from Fabric").await?, 2, "and one operation");
    tab.no_complaints("a fabric's page", &[]).await
}

/// A console with a fabric that nothing needs to reach, and a tab on its page.
async fn console_with_tab(idle: &str) -> Result<(Console, Tab, String)> {
    // What takes long comes first: the session's time begins with the log-in.
    let (name, fields) = Fabric::place().await?;
    let env = vec![
        ("HEDGEROW_SESSION_IDLE".to_owned(), idle.to_owned()),
        ("HEDGEROW_SESSION_WARN_BEFORE".to_owned(), "1s".to_owned()),
    ];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let mut user = console.visitor()?;
    user.login(console.username()?, console.password()?).await?;
    let fields: Vec<(&str, &str)> = fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
    let form = user.visit("/fabrics/add/").await?;
    let answer = user.submit(&form, "form.form", &fields).await?;
    ensure!(answer.status == 303, "the form was not taken for {name}: {}", answer.visible_text());
    let path = answer.location().context("saving leads to the fabric")?;
    let tab = Tab::start(console.url()).await?;
    tab.login(&path, console.username()?, console.password()?).await?;
    Ok((console, tab, path))
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_08_an_expired_session_says_so_at_the_button() -> Result<()> {
    let (console, tab, path) = console_with_tab("8s").await?;
    tab.mark().await?;
    // The page finds out by itself; nothing that a test does may keep the session alive.
    tab.says("[data-strip='session']", "Log in again").await?;
    tab.posts().await?;
    tab.click("#sync-now-btn").await?;
    let said = tab.says("[data-press-group] .answer[data-answer='bad']", "Log in again").await?;
    assert!(said.contains("session_idle_expired"), "the code stands at the button: {said}");
    assert!(said.contains("8 s"), "the limit is named: {said}");
    assert!(tab.path().await? == path, "the page stays");
    tab.not_reloaded().await?;
    let sent = tab.posts().await?;
    assert_eq!(sent, [format!("{path}sync/")], "one press, one request, also when it is refused");
    // The login stands over the page already; who rather goes to the login page comes back from there.
    tab.find("#login-again[open]").await?;
    tab.click("#login-again form[method=dialog] button").await?;
    let link = tab.find("[data-press-group] .answer a.login-again").await?;
    tab.open(&link.attr("href").await?.context("the link leads to the login")?).await?;
    tab.type_into("#id_username", console.username()?).await?;
    tab.type_into("#id_password", console.password()?).await?;
    tab.click("form.form button[type=submit]").await?;
    tab.at(&path).await?;
    tab.click("#test-connection-btn").await?;
    let said = tab.says("[data-press-group] .answer[data-answer='good']", "succeeded").await?;
    assert!(!said.contains("session"), "after logging in the same page works: {said}");
    tab.no_complaints("an expired session", &["401 (Unauthorized)"]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_08_control_a_valid_session_is_not_told_to_log_in() -> Result<()> {
    let (_console, tab, path) = console_with_tab("1h").await?;
    tab.posts().await?;
    tab.click("#sync-now-btn").await?;
    let said = tab.says("[data-press-group] .answer:not([data-answer='busy'])", "Sync to Kubernetes").await?;
    assert!(!said.contains("Log in") && !said.contains("session"), "{said}");
    assert_eq!(tab.posts().await?, [format!("{path}sync/")]);
    let strip = tab.script("return document.querySelector('[data-strip=session]')").await?;
    assert_eq!(strip, json!(null), "no word about a session that is valid");
    tab.no_complaints("a valid session", &[]).await
}

/// The press of a page that does not know yet that the operation has ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_too_late_says_how_it_ended_and_the_page_shows_that() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let gate = Gate::default();
    fabric.front.add(Rule::on("GET", "/vpcs?").times(1).hold(&gate));
    let location = fabric.begin(&mut apart.user, "sync_from_fabric").await?;
    gate.arrived(SOON).await?;
    let tab = Tab::start(apart.console.url()).await?;
    tab.login(&location, apart.console.username()?, apart.console.password()?).await?;
    tab.find("#cancel-btn").await?;
    // The tab hears nothing of the end, as when its stream is cut off.
    tab.script("window.late = document.querySelector('form[data-verb=cancel]').cloneNode(true)").await?;
    gate.open();
    end_of(&mut apart.user, &location).await?;
    tab.says("[data-live=operation-head] .badge", "Succeeded").await?;
    tab.mark().await?;
    tab.posts().await?;
    tab.script("document.querySelector('.head-actions').append(window.late); late.querySelector('button').click()")
        .await?;
    let said = tab.says("[data-live=operation-notices] .notice", "Nothing was cancelled").await?;
    ensure!(said.contains("had ended before it could be cancelled: succeeded at"), "{said}");
    let spoken = tab.script("return document.getElementById('announce').textContent").await?;
    ensure!(spoken.as_str().is_some_and(|words| words.contains("Nothing was cancelled")), "{spoken}");
    eventually(SOON, "there is nothing left to cancel", || async {
        let left = tab.script("return document.querySelectorAll('form[data-verb=cancel], .answer').length").await?;
        ensure!(left == 0, "{left}");
        Ok(())
    })
    .await?;
    assert_eq!(tab.posts().await?, [format!("{location}cancel/")]);
    tab.not_reloaded().await?;
    tab.no_complaints("a late cancel", &["422 (Unprocessable"]).await?;
    Ok(())
}
