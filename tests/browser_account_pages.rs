//! The pages of sessions, accounts and what was done, as axe-core, a dark theme and a narrow window see them; and what
//! opens over a page.

use crate::browser_pages::look;
use crate::browser_tab::Tab;
use crate::world::world;
use anyhow::{Result, ensure};

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_38_the_pages_of_accounts_can_be_read_in_both_themes_and_narrow() -> Result<()> {
    let world = world().await;
    let tab = Tab::start(world.console.url()).await?;
    tab.login("/fabrics/", "admin", &world.password).await?;
    for (name, path) in [
        ("account", "/account/"),
        ("account-sessions", "/account/sessions/"),
        ("account-password", "/account/password/"),
        ("timeline", "/activity/timeline/?user=admin"),
        ("activity-attempts", "/activity/?show=attempts"),
        ("users", "/users/"),
        ("user", "/users/1/"),
        ("user-add", "/users/add/"),
        ("groups", "/groups/"),
        ("group-add", "/groups/add/"),
        ("permissions", "/permissions/"),
        ("permission-add", "/permissions/add/"),
        ("explain", "/permissions/explain/?user=1&action=view&type=hedgerow.fabric"),
    ] {
        tab.open(path).await?;
        look(&tab, name).await?;
        for dark in [false, true] {
            tab.browser.set_dark(dark).await?;
            let found = tab.browser.accessibility().await?;
            ensure!(found.is_empty(), "{name}, dark {dark}: {found:#?}");
        }
        tab.browser.set_dark(false).await?;
        tab.no_complaints(name, &[]).await?;
    }
    // What opens over a page.
    tab.open("/account/").await?;
    for dialog in ["login-again", "password-again"] {
        tab.script(&format!("document.getElementById('{dialog}').showModal()")).await?;
        look(&tab, dialog).await?;
        tab.script(&format!("document.getElementById('{dialog}').close()")).await?;
    }
    tab.no_complaints("dialogs", &[]).await
}
