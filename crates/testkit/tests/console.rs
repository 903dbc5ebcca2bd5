//! The console is the built program: it is ready when it says so, survives a kill, keeps its address and its data.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use testkit::{Browser, Console, ConsoleOptions, eventually, hedgerow};
use thirtyfour::By;

#[tokio::test]
async fn starts_stops_and_comes_back() -> Result<()> {
    let (mut console, mut user) = Console::start_logged_in().await?;
    let url = console.url().to_owned();
    assert_eq!(user.visit("/").await?.status, 200);
    assert!(console.stop().await?.success(), "Ctrl-C is a clean end; {}", console.log());
    assert!(user.get("/").await.is_err(), "a stopped console answered");
    console.resume().await?;
    assert_eq!(console.url(), url);
    // The session is in the database, so it is still good.
    assert_eq!(user.visit("/").await?.status, 200);
    console.kill9();
    console.resume().await?;
    assert_eq!(user.visit("/").await?.status, 200);
    assert!(console.data_dir().is_dir());
    // The printed password is shown once and works ever after.
    console.login(console.username()?, console.password()?).await?;
    Ok(())
}

#[tokio::test]
async fn other_commands_work_on_its_data() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    let made =
        console.run(&["user", "create", "ada", "--superuser", "--password-stdin"], Some("a long password\n")).await?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    console.login("ada", "a long password").await?;
    let listed = console.run(&["user", "list"], None).await?;
    assert!(String::from_utf8_lossy(&listed.stdout).contains("ada"));
    Ok(())
}

#[tokio::test]
async fn settings_reach_it_and_the_machines_do_not() -> Result<()> {
    let env = vec![("HEDGEROW_SESSION_IDLE".to_owned(), "7m".to_owned())];
    let config = Some("[session]\nabsolute = \"2h\"\n".to_owned());
    let console = Console::start(ConsoleOptions { env, config, ..ConsoleOptions::default() }).await?;
    let shown = console.run(&["config"], None).await?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let line = |key: &str| shown.lines().find(|line| line.contains(key)).context(shown.clone());
    assert!(line("session.idle")?.contains("7m"), "{shown}");
    assert!(line("session.absolute")?.contains("2h"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_start_that_fails_says_why() -> Result<()> {
    let env = vec![("HEDGEROW_NO_SUCH_SETTING".to_owned(), "1".to_owned())];
    let failed =
        Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await.err().context("it started")?;
    let failed = format!("{failed:#}");
    assert!(failed.contains("NO_SUCH_SETTING"), "{failed}");
    let version = hedgerow(&["version"], &[], None).await?;
    assert!(version.status.success());
    Ok(())
}

/// What [`HttpUser::login`](testkit::HttpUser::login) proves, proven once in the browser that it stands in for.
#[tokio::test]
async fn chromium_logs_in_by_the_same_form() -> Result<()> {
    let (console, browser) = (Console::start(ConsoleOptions::default()).await?, Browser::start().await?);
    browser.open(console.url()).await?;
    let page = browser.driver();
    page.find(By::Name("username")).await?.send_keys(console.username()?).await?;
    page.find(By::Name("password")).await?.send_keys(console.password()?).await?;
    page.find(By::Css("form:has([name=username]) button[type=submit]")).await?.click().await?;
    eventually(Duration::from_secs(20), "the page names the user", || async {
        let (url, text) = (page.current_url().await?, page.find(By::Tag("body")).await?.text().await?);
        ensure!(!url.path().starts_with("/login") && text.contains(console.username()?), "{url}: {text}");
        Ok(())
    })
    .await?;
    let mut kept: Vec<String> = page.get_all_cookies().await?.into_iter().map(|cookie| cookie.name).collect();
    let (person, _) = console.login(console.username()?, console.password()?).await?;
    let mut ours: Vec<String> = person.cookies().iter().map(|cookie| cookie.name.clone()).collect();
    kept.sort();
    ours.sort();
    assert_eq!(kept, ours, "the browser keeps the cookies that the plain user keeps");
    Ok(())
}
