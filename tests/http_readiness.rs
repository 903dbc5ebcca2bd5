//! The probe of readiness names what is missing, piece by piece, and is ready again by itself.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};
use testkit::{Chaos, ChaosProxy, Console, ConsoleOptions, Folder, HeldDatabase, Postgres, eventually, nobodys_number};

/// Waits until the probe answers with this status and names just these.
async fn says(console: &Console, status: u16, missing: &[&str]) -> Result<Value> {
    eventually(Duration::from_secs(30), &format!("{status} {missing:?}"), || async {
        let answer = console.visitor()?.script("GET", "/readyz", &[], None).await?;
        let said = answer.json()?;
        ensure!(answer.status == status && said["missing"] == serde_json::json!(missing), "{}: {said}", answer.status);
        Ok::<_, anyhow::Error>(said)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_names_the_key_the_data_folder_and_git() -> Result<()> {
    let programs = Folder::new("programs")?;
    fs::set_permissions(programs.path(), Permissions::from_mode(0o755))?;
    let path = std::env::var("PATH").context("a PATH")?;
    let find = |name: &str| {
        let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file());
        found.with_context(|| format!("{name} is on the PATH"))
    };
    let git = find("git")?;
    symlink(&git, programs.join("git"))?;
    // By which the console is started, as another user where this is root.
    for name in ["sh", "setpriv"] {
        symlink(find(name)?, programs.join(name))?;
    }
    let env = vec![("PATH".to_owned(), programs.path().display().to_string())];
    // Root may write wherever modes forbid it.
    let console = Console::start(ConsoleOptions { env, user: nobodys_number(), ..ConsoleOptions::default() }).await?;
    let ready = says(&console, 200, &[]).await?;
    let names: Vec<&str> =
        ready["checks"].as_array().into_iter().flatten().filter_map(|c| c["name"].as_str()).collect();
    assert_eq!(names, ["database", "schema", "key", "data_folder", "git"]);
    assert_eq!(ready["status"], "ok");

    let (key, away) = (console.data_dir().join("secret.key"), console.data_dir().join("away"));
    fs::rename(&key, &away)?;
    let said = says(&console, 503, &["key"]).await?;
    assert!(!said.to_string().contains(&console.data_dir().display().to_string()), "no path of the server: {said}");
    fs::rename(&away, &key)?;
    says(&console, 200, &[]).await?;

    fs::set_permissions(console.data_dir(), Permissions::from_mode(0o500))?;
    says(&console, 503, &["data_folder"]).await?;
    fs::set_permissions(console.data_dir(), Permissions::from_mode(0o700))?;
    says(&console, 200, &[]).await?;

    fs::remove_file(programs.join("git"))?;
    let said = says(&console, 503, &["git"]).await?;
    assert!(said["checks"][4]["message"].as_str().is_some_and(|words| words.to_lowercase().contains("git")), "{said}");
    symlink(&git, programs.join("git"))?;
    says(&console, 200, &[]).await?;
    assert_eq!(console.visitor()?.script("GET", "/healthz", &[], None).await?.status, 200);
    let log = console.log();
    assert_eq!(log.matches("not ready").count(), 3, "each is said once: {log}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_names_a_database_that_is_away_and_the_log_says_so_once() -> Result<()> {
    let url = Postgres::shared().await?.database().await?;
    let (before, behind) = url.split_once('@').context("an address with a user")?;
    let (address, name) = behind.split_once('/').context("an address with a database")?;
    let door = ChaosProxy::start(address).await?;
    let through = format!("{before}@{}/{name}", door.address());
    let env = vec![("HEDGEROW_DATABASE_URL".to_owned(), through)];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    says(&console, 200, &[]).await?;
    let (mut admin, _) = console.login(console.username()?, console.password()?).await?;
    door.set(Chaos::Cut);
    let said = says(&console, 503, &["database", "schema"]).await?;
    assert!(said["checks"][0]["message"].as_str().is_some_and(|words| words.contains("PostgreSQL")), "{said}");
    let alive = console.visitor()?.script("GET", "/healthz", &[], None).await?;
    assert_eq!(alive.status, 200, "the process lives");
    // People, the queue and the schedule meet it again and again.
    for _ in 0..3 {
        let answer = admin.script("GET", "/", &[("Accept", "application/json")], None).await?;
        let said = answer.json()?;
        assert_eq!((answer.status, &said["code"]), (503, &"store_unavailable".into()), "{said}");
        assert_eq!(said["type"], "/docs/codes/store_unavailable/");
    }
    door.set(Chaos::Pass);
    says(&console, 200, &[]).await?;
    let log = console.log();
    let said = log.matches("the database does not answer; work").count();
    assert_eq!((said, log.matches("the database answers again").count()), (1, 1), "{log}");
    Ok(())
}

/// Asks for a connection test of a fabric as a script does, and gives status and code.
async fn ask(console: &Console, fabric: i64) -> Result<(u16, Value)> {
    let (mut admin, page) = (console.visitor()?, "/fabrics/add/");
    admin.login(console.username()?, console.password()?).await?;
    let csrf = crate::world::token(&admin.visit(page).await?)?;
    let path = format!("/fabrics/{fabric}/test-connection/");
    let answer = admin.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    Ok((answer.status, answer.json()?["code"].clone()))
}

#[tokio::test(flavor = "multi_thread")]
async fn readyz_names_a_database_that_takes_no_writes_and_the_log_does_not_call_reads_an_answer() -> Result<()> {
    let console = Console::start(ConsoleOptions::default()).await?;
    says(&console, 200, &[]).await?;
    let (mut admin, _) = console.login(console.username()?, console.password()?).await?;
    let held = HeldDatabase::hold(&console.data_dir().join("hedgerow.db")).await?;
    let said = says(&console, 503, &["database"]).await?;
    assert!(said["checks"][0]["message"].as_str().is_some_and(|words| words.contains("did not answer")), "{said}");
    let form = admin.visit("/fabrics/add/").await?;
    let fields = [("name", "one"), ("cluster_kind", "none"), ("branch", "main"), ("credential_kind", "none")];
    assert_eq!(admin.submit(&form, "form.form", &fields).await?.status, 503, "nothing is written");
    eventually(Duration::from_secs(60), "the log says so", || async {
        ensure!(console.log().contains("the database does not answer; work"), "{}", console.log());
        Ok(())
    })
    .await?;
    // Pages only read, so they are there; and nobody says that it is over.
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        assert_eq!(admin.visit("/fabrics/").await?.status, 200);
    }
    assert!(!console.log().contains("the database answers again"), "{}", console.log());
    drop(held);
    says(&console, 200, &[]).await?;
    let form = admin.visit("/fabrics/add/").await?;
    assert_eq!(admin.submit(&form, "form.form", &fields).await?.status, 303, "the control: it is written again");
    assert!(console.log().contains("the database answers again"), "{}", console.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_file_is_removed_takes_nothing_that_would_be_lost() -> Result<()> {
    let mut console = Console::start(ConsoleOptions::default()).await?;
    let (mut admin, _) = console.login(console.username()?, console.password()?).await?;
    let fields = [("name", "one"), ("cluster_kind", "none"), ("branch", "main"), ("credential_kind", "none")];
    let id = crate::world::add_fabric(&mut admin, &fields).await?;
    assert_eq!(ask(&console, id).await?.0, 202, "the control: a verb is taken");
    let file = console.data_dir().join("hedgerow.db");
    let away = console.data_dir().join("away.db");
    fs::rename(&file, &away)?;
    says(&console, 503, &["database"]).await?;
    let csrf = crate::world::token(&admin.visit("/fabrics/add/").await?)?;
    let path = format!("/fabrics/{id}/test-connection/");
    let answer = admin.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    let said = answer.json()?;
    assert_eq!((answer.status, &said["code"]), (503, &"store_unavailable".into()), "{said}");
    assert!(!said.to_string().contains("hedgerow.db"), "no path of the server: {said}");
    // Another file in its place is not the one that is open either.
    fs::write(&file, b"")?;
    let answer = admin.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(console.log().contains("was removed while it was open"), "{}", console.log());
    // Nor is anything read, now that a new connection would read that one.
    let page = admin.visit("/fabrics/").await?;
    assert_eq!(page.status, 503, "{}", page.visible_text());
    fs::rename(&away, &file)?;
    says(&console, 200, &[]).await?;
    let page = admin.visit("/fabrics/").await?;
    assert_eq!((page.status, page.visible_text().contains("one")), (200, true), "{}", page.visible_text());
    let answer = admin.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    assert_eq!(answer.status, 202, "{}", answer.body);
    console.stop().await?;
    Ok(())
}
