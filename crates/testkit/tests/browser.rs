//! The browser is real: it shows, runs, logs, asks, and can be told to do without.

use std::time::Duration;

use anyhow::{Result, ensure};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use testkit::{Browser, BrowserOptions, Folder, eventually};
use thirtyfour::By;

const PAGE: &str = r#"<!doctype html><title>Test page</title>
<style>@media (prefers-color-scheme: dark) { body { background: rgb(1, 2, 3) } }</style>
<body><h1>Hello</h1><p id=out>untouched</p><button id=go>Go</button>
<noscript><b id=off>scripts are off</b></noscript>
<script>
console.error("a line from the page");
document.getElementById("go").addEventListener("click", async () => {
  try { document.getElementById("out").textContent = await (await fetch("/word")).text(); }
  catch (error) { document.getElementById("out").textContent = "no network"; }
});
</script>"#;

async fn site() -> Result<String> {
    let router = Router::new().route("/", get(|| async { Html(PAGE) })).route("/word", get(|| async { "an answer" }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

async fn out_says(browser: &Browser, wanted: &str) -> Result<()> {
    eventually(Duration::from_secs(20), "the page says it", || async {
        let text = browser.driver().find(By::Id("out")).await?.text().await?;
        ensure!(text == wanted, "{text}");
        Ok::<_, anyhow::Error>(())
    })
    .await
}

#[tokio::test]
async fn a_page_is_shown_clicked_and_listened_to() -> Result<()> {
    let (browser, site) = (Browser::start().await?, site().await?);
    browser.open(&site).await?;
    assert_eq!(browser.driver().title().await?, "Test page");
    let logged = browser.console_log().await?;
    assert!(logged.iter().any(|line| line.level == "SEVERE" && line.message.contains("a line from the page")));
    assert_eq!(browser.console_log().await?.len(), 0, "a line was told twice");
    let folder = Folder::new("screenshot")?;
    browser.screenshot(&folder.join("page.png")).await?;
    let picture = std::fs::read(folder.join("page.png"))?;
    assert_eq!(&picture[1..4], b"PNG");
    let side = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!((side(16), side(20)), (1280, 900));
    browser.requests().await?;
    browser.driver().find(By::Id("go")).await?.click().await?;
    out_says(&browser, "an answer").await?;
    let asked = browser.requests().await?;
    let asked: Vec<(&str, &str)> = asked.iter().map(|one| (one.kind.as_str(), one.url.as_str())).collect();
    assert_eq!(asked, [("Fetch", format!("{site}/word").as_str())], "one click, one request");
    Ok(())
}

#[tokio::test]
async fn dark_narrow_and_offline_are_felt() -> Result<()> {
    let options = BrowserOptions { dark: true, size: (400, 700), ..BrowserOptions::default() };
    let (browser, site) = (Browser::start_with(&options).await?, site().await?);
    browser.open(&site).await?;
    let colour = "return getComputedStyle(document.body).backgroundColor";
    assert_eq!(browser.driver().execute(colour, vec![]).await?.json(), "rgb(1, 2, 3)");
    assert_eq!(browser.driver().execute("return innerWidth", vec![]).await?.json(), 400);
    browser.set_dark(false).await?;
    assert_ne!(browser.driver().execute(colour, vec![]).await?.json(), "rgb(1, 2, 3)");
    browser.set_offline(true).await?;
    browser.driver().find(By::Id("go")).await?.click().await?;
    out_says(&browser, "no network").await?;
    browser.set_offline(false).await?;
    browser.driver().find(By::Id("go")).await?.click().await?;
    out_says(&browser, "an answer").await
}

#[tokio::test]
async fn scripts_can_be_off() -> Result<()> {
    let options = BrowserOptions { scripts: false, ..BrowserOptions::default() };
    let (browser, site) = (Browser::start_with(&options).await?, site().await?);
    browser.open(&site).await?;
    browser.driver().find(By::Id("go")).await?.click().await?;
    let logged = browser.console_log().await?;
    assert!(!logged.iter().any(|line| line.message.contains("a line from the page")), "the page's script ran");
    // What stands in noscript is elements only where scripts are off.
    browser.driver().find(By::Id("off")).await?;
    assert_eq!(browser.driver().find(By::Id("out")).await?.text().await?, "untouched");
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_browser_is_left() -> Result<()> {
    let running = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let lines = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
        lines.collect::<Vec<_>>()
    };
    let browser = Browser::start().await?;
    browser.open("about:blank").await?;
    let profile = browser.driver().execute("return 1", vec![]).await.map(|_| profile_of(&browser))?;
    assert!(running().iter().any(|line| line.contains(&profile)), "{profile} belongs to nobody");
    drop(browser);
    eventually(Duration::from_secs(20), "no process of the browser's is left", || async {
        let left = running().into_iter().filter(|line| line.contains(&profile)).count();
        if left == 0 { Ok(()) } else { Err(format!("{left} processes")) }
    })
    .await
}

/// The profile's folder is in the arguments of every process of a browser.
fn profile_of(browser: &Browser) -> String {
    let chrome = browser.driver().capabilities().get("chrome").cloned().unwrap_or_default();
    chrome["userDataDir"].as_str().expect("chromedriver names the profile").to_owned()
}
