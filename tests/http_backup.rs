//! A backup made while the console works, restored into an empty place, where the console goes on: it logs in, opens the
//! stored credentials and syncs against a real API server. And what is refused: a damaged file, a place that is not
//! empty, a wrong key.

use crate::world::{Fabric, NAMESPACES, database, press, token, vpc, world};
use anyhow::{Context, Result, ensure};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;
use testkit::{Chaos, ChaosProxy, Console, ConsoleOptions, Folder, HttpUser, Postgres, eventually, hedgerow};

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn restore(file: &Path, data: &Path) -> Result<Output> {
    hedgerow(&["restore", text(file), "--data", text(data)], &[], None).await
}

/// Adds a fabric by the form and gives its number.
async fn add(user: &mut HttpUser, fields: &[(&str, &str)]) -> Result<i64> {
    let form = user.visit("/fabrics/add/").await?;
    let added = user.submit(&form, "form.form", fields).await?;
    ensure!(added.status == 303, "{}", added.visible_text());
    let page = user.arrive(added).await?;
    Ok(page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_during_writes_is_restored_and_syncs() -> Result<()> {
    let world = world().await;
    let door = ChaosProxy::start(&world.plane.address()).await?;
    let console = Console::start(ConsoleOptions::default()).await?;
    let (admin, password) = (console.username()?.to_owned(), console.password()?.to_owned());
    let (mut user, _) = console.login(&admin, &password).await?;
    let session = user.cookies().to_vec();
    let (name, own) = Fabric::place().await?;
    let kubeconfig = world.plane.kubeconfig(&format!("https://{}", door.address()), world.plane.admin_token());
    let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
    fields.retain(|(field, _)| *field != "kubeconfig");
    fields.extend([("kubeconfig", kubeconfig.as_str()), ("self_heal", "on")]);
    let files = [("n.yaml", Some(NAMESPACES)), ("one.yaml", Some(&*vpc("vpc-01", 1, 1001)))];
    world.git.commit(&name, "main", &files, "Begin").await?;
    let id = add(&mut user, &fields).await?;
    let no_cluster = [("name", "local"), ("cluster_kind", "none"), ("credential_kind", "none"), ("self_heal", "on")];
    let local = add(&mut user, &no_cluster).await?;
    let fetched = press(&mut user, local, "sync_from_git").await;
    let synced = press(&mut user, id, "sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}: the precondition; and {fetched:?}");

    // Automatic syncs are held up for a reason, which is part of what must not be lost.
    let form = user.visit(&format!("/fabrics/{id}/suspend/")).await?;
    let suspended = user.submit(&form, "form.form", &[("reason", "cabling in rack 7")]).await?;
    assert_eq!(suspended.status, 303, "{}", suspended.visible_text());

    // An operation that hangs in the cluster when the backup is made.
    door.set(Chaos::Blackhole);
    let page = user.visit(&format!("/fabrics/{id}/")).await?;
    let begun = user.submit(&page, "form[data-verb=sync_to_kubernetes]", &[]).await?;
    let hanging = begun.location().context("it leads to the operation")?;
    let path = hanging.clone();
    let mut watching = crate::world::same_cookies(&console, &user)?;
    let mut state = serde_json::Value::Null;
    for _ in 0..200 {
        state = watching.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?["state"].take();
        if state == "running" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(state, "running", "it hangs in the cluster");

    // Somebody writes all the time: settings are saved, each under the version that the one before left.
    let (writing, written) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU32::new(0)));
    let mut writer = crate::world::same_cookies(&console, &user)?;
    let writes = tokio::spawn({
        let (writing, written) = (writing.clone(), written.clone());
        async move {
            while writing.load(Ordering::Relaxed) {
                let form = writer.visit(&format!("/fabrics/{local}/edit/")).await?;
                let description = format!("written {}", written.load(Ordering::Relaxed));
                let saved = writer.submit(&form, "form.form", &[("description", &description)]).await?;
                ensure!(saved.status == 303, "{}", saved.visible_text());
                written.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        }
    });
    eventually(Duration::from_secs(30), "somebody writes", || async {
        let count = written.load(Ordering::Relaxed);
        if count > 1 { Ok(()) } else { Err(format!("{count} writes")) }
    })
    .await?;
    let folder = Folder::new("backup")?;
    let file = folder.join("hedgerow.tar");
    let before = written.load(Ordering::Relaxed);
    let made = console.run(&["backup", text(&file)], None).await?;
    assert!(made.status.success(), "{}", said(&made));
    eventually(Duration::from_secs(30), "writes go on after the backup", || async {
        let count = written.load(Ordering::Relaxed);
        if count > before { Ok(()) } else { Err(format!("{count} writes")) }
    })
    .await?;
    writing.store(false, Ordering::Relaxed);
    writes.await??;
    assert_eq!(file.metadata()?.permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&file)?;
    let key = std::fs::read_to_string(console.data_dir().join("secret.key"))?;
    for secret in [key.trim(), world.plane.admin_token(), "git-token-1", password.as_str()] {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "a secret stands in the backup in clear");
    }
    let listed = hedgerow(&["backup", "--list", text(&file)], &[], None).await?;
    assert!(
        listed.status.success() && said(&listed).contains(&name) && said(&listed).contains("not in it"),
        "{listed:?}"
    );
    let again = console.run(&["backup", text(&file)], None).await?;
    assert_eq!(again.status.code(), Some(2), "an old backup is not overwritten: {}", said(&again));

    // The installation is lost; another place gets what the backup holds.
    drop(console);
    door.set(Chaos::Pass);
    let data = folder.join("restored");
    let done = restore(&file, &data).await?;
    assert!(done.status.success(), "{}", said(&done));
    assert!(said(&done).contains("suspended until somebody has looked: local."), "{}", said(&done));
    assert_eq!(data.metadata()?.permissions().mode() & 0o077, 0, "others look into it");
    let options = || ConsoleOptions { data: Some(data.clone()), ..ConsoleOptions::default() };
    let refused = Console::start(options()).await.err().context("it starts without its key")?;
    assert!(format!("{refused:#}").contains("secret.key"), "{refused:#}");
    std::fs::write(data.join("secret.key"), &key)?;
    std::fs::set_permissions(data.join("secret.key"), std::fs::Permissions::from_mode(0o600))?;
    let console = Console::start(options()).await?;
    let mut old = HttpUser::new(console.url())?;
    session.iter().for_each(|cookie| old.set_cookie(&cookie.name, Some(&cookie.value)));
    let ended = old.script("GET", "/", &[], None).await?;
    assert_eq!(
        (ended.status, ended.json()?["code"].as_str()),
        (401, Some("session_revoked")),
        "sessions of then ended"
    );
    let (mut user, _) = console.login(&admin, &password).await?;
    let operation = user.script("GET", &hanging, &[("Accept", "application/json")], None).await?.json()?;
    assert_eq!(
        (&operation["state"], &operation["code"]),
        (&"interrupted".into(), &"interrupted".into()),
        "{operation}"
    );
    let open = database(&console).await?;
    assert!(open.operations().running(id).await?.is_empty(), "nothing holds the fabric");
    let kept = open.fabrics().get(&store::Scope::System, local).await?;
    assert!(kept.description.starts_with("written "), "{}", kept.description);
    open.close().await;

    // Whoever restores it does not find syncs that begin by themselves.
    let path = format!("/fabrics/{id}/");
    let status = user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    let automatic = &status["automatic"];
    assert_eq!(
        (&automatic["state"], &automatic["policy"]["self_heal"]),
        (&"suspended".into(), &true.into()),
        "{automatic}"
    );
    let said = user.visit(&path).await?.text("[data-live=notices]").unwrap_or_default();
    assert!(said.contains("suspended") && said.contains(&admin) && said.contains("cabling in rack 7"), "{said}");

    // The one that nobody had suspended is suspended by the restore; the other keeps whose wish that was.
    let path = format!("/fabrics/{local}/");
    let status = user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    let suspension = &status["automatic"]["suspension"];
    assert_eq!(suspension["by"], "restore", "{status}");
    assert!(
        suspension["reason"].as_str().is_some_and(|why| why.starts_with("Restored from the backup of")),
        "{status}"
    );
    assert_eq!(automatic["suspension"]["by"], admin.as_str(), "{automatic}");

    // It works on: the stored credentials of cluster and repository open, and Git goes on from where it was.
    let two = vpc("vpc-02", 2, 1002);
    world.git.commit(&name, "main", &[("two.yaml", Some(&two))], "After").await?;
    let synced = press(&mut user, id, "sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    let live = world.plane.client()?.get("VPC", &format!("{name}/vpc-02")).await?;
    assert!(live.is_some(), "it is in the cluster");
    assert!(token(&user.visit("/").await?).is_ok());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_repository_comes_back_with_its_history() -> Result<()> {
    let (mut console, mut user) = Console::start_logged_in().await?;
    let id = add(&mut user, &[("name", "local"), ("cluster_kind", "none"), ("credential_kind", "none")]).await?;
    // A test has no hand in the console's repository but its folder, which git itself writes to.
    press(&mut user, id, "sync_from_git").await?;
    let git = |data: &Path, args: &[&str]| -> Result<String> {
        let repository = data.join(format!("sources/fabric-{id}.git/repository.git"));
        let output = std::process::Command::new("git").arg("-C").arg(repository).args(args).output()?;
        ensure!(output.status.success(), "{}", said(&output));
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(console.data_dir(), &["rev-parse", "main"])?;
    let folder = Folder::new("backup-local")?;
    let (file, data) = (folder.join("b.tar"), folder.join("data"));
    let made = console.run(&["backup", text(&file), "--with-key"], None).await?;
    assert!(made.status.success() && said(&made).contains("It holds the key"), "{}", said(&made));
    console.stop().await?;
    let done = restore(&file, &data).await?;
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(git(&data, &["rev-parse", "main"])?, head);
    git(&data, &["fsck", "--strict"])?;
    assert_eq!(data.join("secret.key").metadata()?.permissions().mode() & 0o777, 0o600);
    let restored = Console::start(ConsoleOptions { data: Some(data), ..ConsoleOptions::default() }).await?;
    let (mut user, _) = restored.login(console.username()?, console.password()?).await?;
    assert_eq!(user.visit(&format!("/fabrics/{id}/")).await?.status, 200);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backup_and_a_place_that_is_not_empty_are_refused_and_nothing_is_left() -> Result<()> {
    let (console, mut user) = Console::start_logged_in().await?;
    add(&mut user, &[("name", "local"), ("cluster_kind", "none"), ("credential_kind", "none")]).await?;
    let folder = Folder::new("backup-damaged")?;
    let file = folder.join("b.tar");
    let made = console.run(&["backup", text(&file)], None).await?;
    assert!(made.status.success(), "{}", said(&made));
    let bytes = std::fs::read(&file)?;
    let data = folder.join("data");
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x20;
        bytes
    };
    let database = bytes.windows(15).position(|window| window == b"SQLite format 3").context("the database")?;
    let manifest = bytes.windows(8).position(|window| window == b"\"schema\"");
    let cases = [
        ("cut in the middle", bytes[..bytes.len() / 2].to_vec(), "cut off"),
        ("cut in the manifest", bytes[..700].to_vec(), "no backup of Hedgerow"),
        ("a bit of the database", flipped(database + 5_000), "checksum of hedgerow.db does not match"),
        ("a bit of the manifest", flipped(manifest.context("the manifest")? + 2), "checksum does not match"),
        ("empty", Vec::new(), "no backup of Hedgerow"),
        ("something else", vec![7; 5_000], "no backup of Hedgerow"),
    ];
    for (what, bytes, why) in cases {
        let damaged = folder.write("damaged.tar", bytes)?;
        let refused = restore(&damaged, &data).await?;
        assert_eq!(refused.status.code(), Some(1), "{what}: {}", said(&refused));
        assert!(said(&refused).contains(why), "{what}: {}", said(&refused));
        assert!(!data.exists(), "{what}: something is left");
        let listed = hedgerow(&["backup", "--list", text(&damaged)], &[], None).await?;
        assert_eq!(listed.status.code(), Some(1), "{what}: {}", said(&listed));
    }
    // A place that is there and empty, as a mounted folder is, is used; one that is not is left alone.
    std::fs::create_dir(&data)?;
    std::fs::write(data.join("mine.txt"), "mine")?;
    let refused = restore(&file, &data).await?;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("is not empty"), "{}", said(&refused));
    assert_eq!(std::fs::read_dir(&data)?.count(), 1, "nothing was added");
    std::fs::remove_file(data.join("mine.txt"))?;
    let done = restore(&file, &data).await?;
    assert!(done.status.success(), "{}", said(&done));
    let mut names: Vec<_> = std::fs::read_dir(&data)?.map(|e| Ok(e?.file_name())).collect::<std::io::Result<_>>()?;
    names.sort();
    assert_eq!(names.first().and_then(|name| name.to_str()), Some("hedgerow.db"), "{names:?}");

    // The key of another console does not open it.
    let other = Console::start(ConsoleOptions::default()).await?;
    std::fs::copy(other.data_dir().join("secret.key"), data.join("secret.key"))?;
    let started = Console::start(ConsoleOptions { data: Some(data), ..ConsoleOptions::default() }).await;
    let refused = started.err().context("it starts with a wrong key")?;
    assert!(format!("{refused:#}").contains("does not belong to this database"), "{refused:#}");
    // Nor is a folder without a console backed up.
    let nothing = folder.join("nothing");
    let refused = hedgerow(&["backup", text(&folder.join("c.tar")), "--data", text(&nothing)], &[], None).await?;
    assert!(!refused.status.success() && said(&refused).contains("holds no console"), "{}", said(&refused));
    assert!(!nothing.exists(), "it was made");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_left_to_its_own_tools_in_words_that_say_what_else_to_keep() -> Result<()> {
    let url = testkit::Postgres::shared().await?.database().await?;
    let env = vec![("HEDGEROW_DATABASE_URL".to_owned(), url)];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let folder = Folder::new("backup-postgres")?;
    let file = folder.join("b.tar");
    let refused = console.run(&["backup", text(&file)], None).await?;
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    for word in ["pg_dump", "sources", "secret.key", "notices that when it starts"] {
        assert!(said(&refused).contains(word), "{word}: {}", said(&refused));
    }
    assert!(!file.exists());
    Ok(())
}

/// Its own tools say nothing to the console; that the database is another one does.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_that_was_restored_is_put_right_before_anything_runs_by_itself() -> Result<()> {
    let server = Postgres::shared().await?;
    let url = server.database().await?;
    let env = vec![("HEDGEROW_DATABASE_URL".to_owned(), url.clone())];
    let mut console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let (name, password) = (console.username()?.to_owned(), console.password()?.to_owned());
    let (mut user, _) = console.login(&name, &password).await?;
    let automatic = [("name", "local"), ("cluster_kind", "none"), ("credential_kind", "none"), ("self_heal", "on")];
    let id = add(&mut user, &automatic).await?;
    press(&mut user, id, "sync_from_git").await?;
    console.stop().await?;
    // Something was under way at the moment of the dump.
    let begun = "UPDATE operations SET state = 'queued', verb = 'sync_to_kubernetes', writes = 1, started_at = NULL, \
                 ended_at = NULL, code = NULL WHERE id = (SELECT max(id) FROM operations)";
    server.sql(&url, begun).await?;
    let restored = server.restored(&url).await?;
    let done = "UPDATE operations SET state = 'cancelled', ended_at = queued_at WHERE state = 'queued'";
    server.sql(&url, done).await?;

    let key = text(&console.data_dir().join("secret.key")).to_owned();
    let env = [("HEDGEROW_DATABASE_URL", restored.as_str()), ("HEDGEROW_SECRET_KEY_FILE", key.as_str())];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut second = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let open = "SELECT count(*) FROM sessions WHERE ended_at IS NULL";
    assert_eq!(server.sql(&restored, open).await?, "0", "whoever was logged in then is not any more");
    let ended = "SELECT state || ' ' || message FROM operations WHERE verb = 'sync_to_kubernetes'";
    let ended = server.sql(&restored, ended).await?;
    assert!(ended.starts_with("interrupted It was under way when the backup was made"), "{ended}");
    let (mut user, _) = second.login(&name, &password).await?;
    let page = user.visit(&format!("/fabrics/{id}/")).await?;
    let said = page.visible_text();
    assert!(said.contains("suspended") && said.contains("The database was restored from a dump or copied"), "{said}");
    // Once: whoever has looked and resumed is not overruled by the next start, nor logged out.
    let resumed = user.submit(&page, "form[action$='resume/']", &[]).await?;
    assert_eq!(resumed.status, 303, "{}", resumed.visible_text());
    second.stop().await?;
    second.resume().await?;
    let said = user.visit(&format!("/fabrics/{id}/")).await?.visible_text();
    assert!(said.contains("local") && !said.contains("restored from a dump"), "{said}");

    // And the original, which was not restored, goes on as it was.
    console.resume().await?;
    let held = "SELECT count(*) FROM fabrics WHERE suspended_at IS NOT NULL";
    assert_eq!((server.sql(&url, open).await?, server.sql(&url, held).await?), ("1".to_owned(), "0".to_owned()));
    Ok(())
}
