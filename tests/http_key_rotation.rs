//! The key of the credentials is exchanged while the console runs, from any step on, and nothing that was stored is lost.

use crate::apart::{Apart, Behind, Database};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// What stands in the columns of the credentials, as text.
async fn sealed(apart: &Apart) -> Result<Vec<String>> {
    let columns = match &apart.database {
        Database::Sqlite => "SELECT hex(token) || '/' || hex(source_token) FROM fabrics",
        Database::Postgres(_) => "SELECT encode(token, 'hex') || '/' || encode(source_token, 'hex') FROM fabrics",
    };
    Ok(apart.sql(columns).await?.trim().split('/').map(str::to_owned).collect())
}

fn keys(file: &Path) -> Result<Vec<String>> {
    Ok(std::fs::read_to_string(file)?.lines().map(str::to_owned).collect())
}

/// The cluster and the repository are reached with what is stored.
async fn both_work(apart: &mut Apart, fabric: &Behind) -> Result<()> {
    for verb in ["test_connection", "sync_from_git"] {
        let operation = fabric.press(&mut apart.user, verb).await?;
        ensure!(operation["state"] == "succeeded", "{verb}: {operation}");
    }
    Ok(())
}

async fn a_key_is_exchanged(database: Database) -> Result<()> {
    let mut apart = Apart::start(database, &[]).await?;
    let fabric = apart.fabric().await?;
    let file = apart.console.data_dir().join("secret.key");
    let (first, before) = (keys(&file)?, sealed(&apart).await?);
    ensure!(first.len() == 1 && before.iter().all(|secret| secret.len() > 60), "there is something to exchange");

    // Ended after its first step: the file holds both keys, and everything works.
    let begun = apart.console.run(&["key", "rotate", "--begin"], None).await?;
    ensure!(begun.status.success(), "{begun:?}");
    let both = keys(&file)?;
    ensure!(both.len() == 2 && both[1] == first[0] && both[0] != first[0], "a new key stands before the old one");
    both_work(&mut apart, &fabric).await?;
    ensure!(sealed(&apart).await? == before, "nothing is sealed anew yet");

    let done = apart.console.run(&["key", "rotate"], None).await?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(done.status.success(), "{done:?}");
    ensure!(said.contains("2 credentials are sealed with the new key"), "{said}");
    ensure!(both.iter().all(|key| !said.contains(key.as_str())), "no key is printed");
    ensure!(keys(&file)? == both[..1], "the new key stands there alone");
    let after = sealed(&apart).await?;
    ensure!(before.iter().zip(&after).all(|(before, after)| before[..10] != after[..10]), "each names another key");
    // The clients that were made before the exchange are not used again: the running console opens what is stored now.
    apart.sql("UPDATE fabrics SET version = version + 1").await?;
    both_work(&mut apart, &fabric).await?;

    let kept = said.split("the key before is in ").nth(1).and_then(|rest| rest.split(": ").next());
    let kept = Path::new(kept.context("it says where the old key is")?);
    ensure!(keys(kept)? == first, "the old key is kept for the backups from before");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for file in [kept, &file] {
            ensure!(std::fs::metadata(file)?.permissions().mode() & 0o077 == 0, "{} is for its owner", file.display());
        }
    }
    // It was somebody's doing, so it stands with what else was done.
    let page = apart.user.visit("/activity/?show=attempts").await?;
    let rows = page.texts("[data-live=log] tbody tr");
    let rotated = rows.iter().filter(|row| row.contains("Exchange the key") && row.contains("command line"));
    ensure!(rotated.clone().count() == 2 && rotated.clone().all(|row| row.contains("Done")), "{rows:#?}");
    // What is entered from now on, and a new process, know the new key alone.
    apart.console.restart().await?;
    let (user, _) = apart.console.login("admin", apart.console.password()?).await?;
    apart.user = user;
    both_work(&mut apart, &fabric).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_while_the_console_runs_on_sqlite() -> Result<()> {
    a_key_is_exchanged(Database::Sqlite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_exchanged_while_the_console_runs_on_postgres() -> Result<()> {
    a_key_is_exchanged(Database::postgres().await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_no_key_opens_is_named_and_both_keys_stay() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    // Another key's name, and then nothing that could be opened.
    let damaged = format!("UPDATE fabrics SET source_token = X'01FFFFFFFF{}'", "00".repeat(60));
    apart.sql(&damaged).await?;
    let file = apart.console.data_dir().join("secret.key");
    let first = keys(&file)?;
    let refused = apart.console.run(&["key", "rotate"], None).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!(said.contains(&format!("source_token of fabric {}", fabric.name)), "{said}");
    ensure!(said.contains("1 credential is sealed anew"), "{said}");
    ensure!(keys(&file)?.len() == 2 && keys(&file)?[1] == first[0], "both keys stay");
    let page = apart.user.visit("/activity/?show=refused").await?;
    ensure!(page.visible_text().contains("hedgerow key rotate failed: 1 credential is sealed anew"), "{}", page.body);
    // Entered again, it goes on where it was.
    apart.sql("UPDATE fabrics SET source_token = NULL, source_credential = 'none', source_username = NULL").await?;
    let done = apart.console.run(&["key", "rotate"], None).await?;
    ensure!(done.status.success() && keys(&file)?.len() == 1, "{done:?}");
    let operation = fabric.press(&mut apart.user, "test_connection").await?;
    ensure!(operation["state"] == "succeeded", "{operation}");
    Ok(())
}
