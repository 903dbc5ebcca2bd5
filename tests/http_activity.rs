//! The activity of a fabric under its filters: what was really done and refused is what each filter shows.

use crate::world::{Fabric, NAMESPACES, world};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use testkit::HttpUser;

/// The rows of the activity under a filter, and the count that the page says.
async fn rows(fabric: &mut Fabric, query: &str) -> Result<Vec<String>> {
    let page = fabric.user.visit(&format!("/fabrics/{}/activity/{query}", fabric.id)).await?;
    let rows = page.texts("[data-live=log] tbody tr");
    let said = page.attribute("[data-count]", "data-count")?.context("a count")?;
    ensure!(said == rows.len().to_string(), "{query}: it says {said} and shows {rows:#?}");
    Ok(rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_and_refused_is_found_by_each_filter() -> Result<()> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES))]).await?;
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    assert_eq!(fabric.press("test_connection").await?["state"], "succeeded");
    world().await.git.in_repo(&fabric.name, &["update-ref", "-d", "refs/heads/main"]).await?;
    let failed = fabric.press("sync_from_git").await?;
    assert_eq!(failed["state"], "failed", "{failed}");
    // Somebody without a session.
    let mut stranger = HttpUser::new(world().await.console.url())?;
    let path = format!("/fabrics/{}/sync/", fabric.id);
    let refused = stranger.script("POST", &path, &[], Some("")).await?;
    assert_eq!(refused.status, 401, "{}", refused.visible_text());

    assert_eq!(rows(&mut fabric, "").await?.len(), 4);
    let one = async |fabric: &mut Fabric, query: &str, words: &str| -> Result<()> {
        let found = rows(fabric, query).await?;
        ensure!(found.len() == 1 && found.iter().all(|row| row.contains(words)), "{query}: {found:#?}");
        Ok(())
    };
    one(&mut fabric, "?verb=test_connection", "Test Connection").await?;
    one(&mut fabric, "?state=failed", "Sync from Git").await?;
    let code = failed["code"].as_str().context("its code")?.to_owned();
    one(&mut fabric, &format!("?code={code}"), &code).await?;
    one(&mut fabric, "?code=authentication_required", "Not logged in").await?;
    one(&mut fabric, "?actor=anonymous", "Not logged in").await?;
    one(&mut fabric, "?show=refused", "anonymous").await?;
    let by_admin: BTreeSet<String> = rows(&mut fabric, "?actor=admin").await?.into_iter().collect();
    assert_eq!(by_admin.len(), 3, "{by_admin:#?}");
    for (query, count) in [("?since=2099-01-01", 0), ("?before=2099-01-01", 4), ("?before=2020-01-01", 0)] {
        assert_eq!(rows(&mut fabric, query).await?.len(), count, "{query}");
    }

    // A chip leads to the same list without its filter.
    let page = fabric.user.visit(&format!("/fabrics/{}/activity/?actor=admin&state=failed", fabric.id)).await?;
    let off = page.attributes(".chip a.off", "href");
    assert_eq!(off.len(), 2, "{off:?}");
    let without = fabric.user.visit(&off[1]).await?;
    assert_eq!(without.texts("[data-live=log] tbody tr").len(), 3, "the outcome was taken off");
    for query in ["?verb=sing", "?state=happy", "?code=none", "?since=then"] {
        let answer = fabric.user.script("GET", &format!("/fabrics/{}/activity/{query}", fabric.id), &[], None).await?;
        assert_eq!(answer.status, 400, "{query}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_command_does_stands_beside_what_was_done_on_the_pages() -> Result<()> {
    let console = &world().await.console;
    let mut admin = world().await.admin().await?;
    let name = format!("of-a-command-{}", std::process::id());
    let password = Some("seven-copper-gates-3\n");
    for (words, input) in [
        (&["user", "create", &name, "--password-stdin"][..], password),
        (&["user", "change", &name, "--superuser", "true"], None),
    ] {
        let done = console.run(words, input).await?;
        ensure!(done.status.success(), "{done:?}");
    }
    let refused = console.run(&["user", "create", &name, "--password-stdin"], password).await?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    let made = console.run(&["user", "token", "add", &name, "--description", "nightly"], None).await?;
    let token = String::from_utf8(made.stdout.clone())?.trim().to_owned();
    ensure!(token.starts_with("nbt_"), "{made:?}");
    let revoked = console.run(&["user", "token", "revoke", &token], None).await?;
    ensure!(revoked.status.success(), "{revoked:?}");

    let page = admin.visit("/activity/?show=attempts&actor=system+%28command+line%29").await?;
    let rows = page.texts("[data-live=log] tbody tr");
    let of = |title: &str| rows.iter().filter(|row| row.contains(title) && row.contains(&name)).collect::<Vec<_>>();
    let added = of("Add a user");
    ensure!(added.len() == 2, "{rows:#?}");
    ensure!(added[0].contains("Turned away") && added[0].contains("there is a user"), "the newest: {added:#?}");
    ensure!(added[1].contains("Done") && added[1].contains(&format!("User {name}: created")), "{added:#?}");
    let changed = of("Change a user");
    ensure!(changed.len() == 1 && changed[0].contains("is superuser: no → yes"), "{changed:#?}");
    let key = token.trim_start_matches("nbt_").split('.').next().context("its key")?;
    ensure!(rows.iter().any(|row| row.contains("Revoke an API token") && row.contains(key)), "{rows:#?}");
    let secret = token.split('.').nth(1).context("its secret")?;
    ensure!(!page.body.contains(secret) && !page.body.contains("seven-copper"), "{}", page.body);
    Ok(())
}
