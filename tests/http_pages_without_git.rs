//! Pages and git: a program that hangs, or that has not been started yet, holds up no page.

use crate::apart::{Apart, Database, SOON, end_of, running_phase};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use testkit::{Folder, eventually};

/// What every page has to come within on a busy machine. The git that it would wait for hangs until the test lets it go.
const WITHIN: Duration = Duration::from_secs(20);

/// What a fabric's JSON says of its source.
fn said(status: &Value) -> Value {
    let stages = status["stages"].as_array().into_iter().flatten();
    let stages: Vec<Value> = stages.map(|stage| json!([stage["name"], stage["state"], stage["at"]])).collect();
    json!([status["sync_status"], status["current_commit"], stages])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_waits_for_git_nor_for_a_repository_that_nobody_has_opened() -> Result<()> {
    let folder = Folder::new("still-git")?;
    let path = std::env::var_os("PATH").context("a PATH")?;
    let real = std::env::split_paths(&path).map(|folder| folder.join("git")).find(|file| file.is_file());
    let (real, hold) = (real.context("git is on this machine")?, folder.join("hold"));
    // Its version is asked for at the start.
    let script = format!(
        "#!/bin/sh\nwhile [ \"$1\" != version ] && [ -e '{}' ]; do sleep 0.1; done\nexec '{}' \"$@\"\n",
        hold.display(),
        real.display()
    );
    let git = folder.write("git", script)?;
    std::fs::set_permissions(&git, std::fs::Permissions::from_mode(0o755))?;
    let paths = std::iter::once(folder.path().to_owned()).chain(std::env::split_paths(&path));
    let paths = std::env::join_paths(paths)?.into_string().ok().context("a PATH in UTF-8")?;

    let mut apart = Apart::start(Database::Sqlite, &[("PATH", &paths)]).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    let before = fabric.status(&mut apart.user).await?;
    ensure!(before["current_commit"].is_string(), "the precondition: {before}");

    // A new process has opened no repository, and whatever it starts of git hangs.
    apart.console.stop().await?;
    std::fs::write(&hold, "")?;
    apart.console.resume().await?;
    let own = format!("/fabrics/{}/", fabric.id);
    let of_fabric =
        ["", "objects/", "operations/", "activity/", "edit/", "sync/review/"].map(|page| format!("{own}{page}"));
    let pages: Vec<String> =
        ["/", "/fabrics/", "/activity/", "/metrics"].map(str::to_owned).into_iter().chain(of_fabric).collect();
    let mut tab = apart.tab()?;
    for path in &pages {
        let page = tokio::time::timeout(WITHIN, tab.visit(path)).await.with_context(|| format!("{path} waits"))??;
        ensure!(page.status == 200, "{path}: {} {}", page.status, page.visible_text());
    }
    let after = tokio::time::timeout(WITHIN, fabric.status(&mut tab)).await.context("the JSON waits")??;
    ensure!(said(&before) == said(&after), "before the restart {before}\nafter it {after}");

    // The control: what needs git waits for it, and says so; pages come all the same.
    let location = tokio::time::timeout(WITHIN, fabric.begin(&mut tab, "sync_from_git")).await.context("a press")??;
    eventually(SOON, "the operation waits for git", || async {
        let (phase, operation) = running_phase(&mut apart.tab()?, &location).await?;
        ensure!(phase == "fetch_source" || operation["phases"][0]["state"] == "waiting", "{operation}");
        ensure!(operation["state"] == "running", "{operation}");
        Ok(())
    })
    .await?;
    for path in &pages {
        let page = tokio::time::timeout(WITHIN, tab.visit(path)).await.with_context(|| format!("{path} waits"))??;
        ensure!(page.status == 200, "{path}: {} {}", page.status, page.visible_text());
    }
    std::fs::remove_file(&hold)?;
    let done = end_of(&mut tab, &location).await?;
    ensure!(done["state"] == "succeeded", "{done}");
    Ok(())
}
