//! The page of API tokens in a real browser: made with a click, copied, readable in both themes and narrow, and gone with
//! the page.

use crate::browser_pages::look;
use crate::browser_tab::Tab;
use crate::world::world;
use anyhow::{Context, Result, ensure};

#[tokio::test(flavor = "multi_thread")]
async fn browser_a_token_is_made_copied_and_not_shown_again() -> Result<()> {
    let world = world().await;
    let tab = Tab::start(world.console.url()).await?;
    tab.login("/fabrics/", "admin", &world.password).await?;
    tab.open("/account/tokens/").await?;
    look(&tab, "tokens").await?;
    tab.type_into("#id_description", "made in a browser").await?;
    tab.choose("#id_expires", "30").await?;
    tab.type_into("#id_allowed_addresses", "127.0.0.0/8").await?;
    tab.click("form.form button[type=submit]").await?;
    tab.says("#made-title", "made in a browser").await?;
    let token = tab.text("pre[data-copy]").await?;
    ensure!(token.starts_with("nbt_") && token.len() == 60, "{} characters", token.len());
    tab.says(".copy button", "Copy").await?;
    look(&tab, "tokens-made").await?;
    tab.no_complaints("tokens-made", &[]).await?;

    tab.open("/account/tokens/").await?;
    let secret = token.split_once('.').context("a key and a secret")?.1;
    let page = tab.script("return document.documentElement.outerHTML").await?;
    let page = page.as_str().unwrap_or_default();
    ensure!(page.contains(&token[..16]) && !page.contains(secret), "the key is listed, the secret is gone");
    look(&tab, "tokens-listed").await?;
    tab.click(&format!("button[aria-label*=\"{}\"]", &token[4..16])).await?;
    tab.says("details.more", "Ended").await?;
    tab.no_complaints("tokens-listed", &[]).await
}
