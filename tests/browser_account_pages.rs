//! The pages of sessions, accounts and what was done, as axe-core, a dark theme and a narrow window see them; and what
//! opens over a page.

use crate::browser_pages::look;
use crate::browser_tab::Tab;
use crate::world::{database, world};
use anyhow::{Result, ensure};
use store::ObjectPermission;

#[tokio::test(flavor = "multi_thread")]
async fn browser_lesson_38_the_pages_of_accounts_can_be_read_in_both_themes_and_narrow() -> Result<()> {
    let world = world().await;
    let tab = Tab::start(world.console.url()).await?;
    tab.login("/fabrics/", "admin", &world.password).await?;
    let store = database(&world.console).await?;
    let group = store.groups().create("readers-of-pages", "").await?.id;
    let permission = ObjectPermission {
        id: 0,
        name: "see-what-readers-see".into(),
        enabled: true,
        object_types: vec!["hedgerow.fabric".into()],
        actions: vec!["view".into()],
        constraints: None,
    };
    store.permissions().give_to_group(store.permissions().create(&permission).await?, group).await?;
    store.close().await;
    let of_group = format!("/groups/{group}/");
    for (name, path) in [
        ("group", of_group.as_str()),
        ("code", "/docs/codes/connection_failed/"),
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
