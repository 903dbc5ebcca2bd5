//! The database is gone for a while, or the disk is full, in the middle of an operation: it goes on, or ends with that
//! reason; nothing stays in `running`; pages say what is wrong with 503, and everything recovers by itself.

use crate::apart::{Apart, Behind, Database, SOON, end_of, operation, running_phase};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{Gate, HeldDatabase, HttpUser, Postgres, Rule, eventually};

/// A lease that runs out while the database is gone.
const SHORT: (&str, &str) = ("HEDGEROW_OPERATION_LEASE", "5s");

/// A press that needs the database is answered with 503 and a sentence, which it gives.
async fn refused(fabric: &Behind, user: &mut HttpUser) -> Result<String> {
    let answer = fabric.ask(user, "sync-from-git/", &[]).await?;
    ensure!(answer.status == 503, "{} {}", answer.status, answer.body);
    let said = answer.json()?;
    ensure!(said["code"] == "store_unavailable" && said["retryable"] == true, "{said}");
    let message = said["message"].as_str().unwrap_or_default();
    ensure!(message.contains("database") && message.starts_with(char::is_uppercase), "{said}");
    Ok(message.to_owned())
}

/// Waits until an operation runs and its reading of the VPCs is under way.
async fn is_reading(apart: &Apart, location: &str) -> Result<()> {
    eventually(SOON, "the cluster is being read", || async {
        let (phase, now) = running_phase(&mut apart.tab()?, location).await?;
        ensure!(phase == "observe", "{now}");
        Ok(())
    })
    .await
}

/// The file is held so long that the lease runs out: the operation ends by itself, says why, and the next one works.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_held_for_longer_than_a_lease_ends_the_operation_with_that_reason() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[SHORT]).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").hang());
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    is_reading(&apart, &location).await?;
    let held = HeldDatabase::hold(&apart.console.data_dir().join("hedgerow.db")).await?;
    // Reading goes on; what has to be written is refused with a sentence.
    let page = apart.user.visit(&format!("/fabrics/{}/", fabric.id)).await?;
    ensure!(page.status == 200, "{}", page.status);
    refused(&fabric, &mut apart.tab()?).await?;
    // Longer than the lease of five seconds: by now the run has stopped by itself, and says so as soon as it can.
    refused(&fabric, &mut apart.tab()?).await?;
    // Its process lives, and nobody hears from it. What is meant is this sync, not the one before that succeeded.
    let status = eventually(SOON, "its lease is over for all who look", || async {
        let status = fabric.status(&mut apart.tab()?).await?;
        ensure!(status["sync_status"] == "error" && status["status"]["code"] == "interrupted", "{status}");
        Ok(status)
    })
    .await?;
    let said = status["status"]["message"].as_str().unwrap_or_default();
    ensure!(said.starts_with("Nobody has heard from the process that runs the sync for a whole lease"), "{status}");
    let page = apart.user.visit(&format!("/fabrics/{}/", fabric.id)).await?;
    let id = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let shown = page.visible_text();
    ensure!(shown.contains(said) && shown.contains(&format!("Operation {id}")), "{id}: {shown}");
    let evidence = &status["cause"]["evidence"];
    ensure!(evidence["what"] == "operation" && evidence["which"] == id.parse::<i64>()?, "{status}");
    drop(held);
    let ended = end_of(&mut apart.user, &location).await?;
    ensure!(["failed", "interrupted"].contains(&ended["state"].as_str().unwrap_or_default()), "{ended}");
    ensure!(["store_unavailable", "interrupted"].contains(&ended["code"].as_str().unwrap_or_default()), "{ended}");
    let status = fabric.status(&mut apart.user).await?;
    ensure!(status["sync_status"] == "error", "{status}");
    fabric.heal();
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

/// It is held for a shorter time: the operation goes on, and nothing of what it did is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_held_for_a_moment_delays_an_operation_and_no_more() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").times(1).delay(Duration::from_secs(2)));
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    is_reading(&apart, &location).await?;
    let held = HeldDatabase::hold(&apart.console.data_dir().join("hedgerow.db")).await?;
    refused(&fabric, &mut apart.tab()?).await?;
    drop(held);
    let done = end_of(&mut apart.user, &location).await?;
    ensure!(done["state"] == "succeeded", "{done}");
    let rows = done["outcomes"]["results"].as_array().context("the objects")?;
    ensure!(rows.len() == 5 && rows.iter().all(|row| row["verified"] == true), "{done}");
    fabric.wrote_each_once()
}

/// The server is stopped and started again in the middle of runs: with a long lease they go on, with a short one they
/// end, and nothing runs for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_server_that_is_restarted_in_the_middle_of_a_run() -> Result<()> {
    for (lease, goes_on) in [("60s", true), ("4s", false)] {
        let mut server = Postgres::start().await?;
        let database = Database::Postgres(server.database().await?);
        let mut apart = Apart::start(database, &[("HEDGEROW_OPERATION_LEASE", lease)]).await?;
        let fabric = apart.fabric().await?;
        let pause = Duration::from_secs(if goes_on { 2 } else { 3600 });
        fabric.front.add(Rule::on("GET", "/vpcs?").times(1).delay(pause));
        let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
        is_reading(&apart, &location).await?;
        server.stop().await?;
        let path = format!("/fabrics/{}/", fabric.id);
        eventually(SOON, "the page says that the database is gone", || async {
            let page = apart.tab()?.visit(&path).await?;
            ensure!(page.status == 503, "{}", page.status);
            let text = page.visible_text();
            ensure!(text.contains("database did not answer"), "{text}");
            Ok(())
        })
        .await?;
        server.resume().await?;
        eventually(SOON, "the page is back", || async {
            let page = apart.tab()?.visit(&path).await?;
            ensure!(page.status == 200, "{}", page.status);
            Ok(())
        })
        .await?;
        let done = end_of(&mut apart.user, &location).await?;
        if goes_on {
            ensure!(done["state"] == "succeeded", "{done}");
            fabric.wrote_each_once()?;
        } else {
            let code = done["code"].as_str().unwrap_or_default();
            ensure!(["store_unavailable", "interrupted"].contains(&code), "{done}");
            fabric.heal();
            fabric.syncs(&mut apart.user).await?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_is_over_when_there_is_room_again() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[SHORT]).await?;
    let fabric = apart.fabric().await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").times(1).hang());
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    is_reading(&apart, &location).await?;
    // The write-ahead log is longer than that already, so nothing can be added to it.
    apart.console.limit_files(Some(65536)).await?;
    let said = refused(&fabric, &mut apart.tab()?).await.with_context(|| apart.console.log())?;
    ensure!(said.contains("its disk failed, is full") && said.contains("queue an operation"), "{said}");
    let page = apart.user.visit(&format!("/fabrics/{}/", fabric.id)).await?;
    ensure!(page.status == 200, "what is read is still there: {}", page.status);
    let now = operation(&mut apart.user, &location).await?;
    ensure!(now["state"] == "running", "its end cannot be stored yet: {now}");
    // Each press waits for the database until it gives up: two of them are longer than the lease of five seconds.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(6) {
        refused(&fabric, &mut apart.tab()?).await.with_context(|| apart.console.log())?;
    }
    apart.console.limit_files(None).await?;
    let ended = end_of(&mut apart.user, &location).await?;
    ensure!(["store_unavailable", "interrupted"].contains(&ended["code"].as_str().unwrap_or_default()), "{ended}");
    fabric.heal();
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

/// The database has no room in the middle of a sync: what it wrote before counts, and the reason is the disk.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_room_is_named_and_what_was_written_before_counts() -> Result<()> {
    let mut apart = Apart::start(Database::postgres().await?, &[]).await?;
    let fabric = apart.fabric().await?;
    let gate = Gate::default();
    fabric.front.add(Rule::on("POST", "/vpcs?").without("dryRun").hold(&gate));
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    gate.arrived(SOON).await?;
    // What the server says when it cannot extend a file.
    let full = "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'could not extend \
                file: No space left on device' USING ERRCODE = '53100'; END $$";
    apart.sql(full).await?;
    for table in ["comparisons", "operations"] {
        apart.sql(&format!("CREATE TRIGGER no_room BEFORE INSERT ON {table} EXECUTE FUNCTION no_room()")).await?;
    }
    gate.open();
    let ended = end_of(&mut apart.user, &location).await?;
    ensure!(ended["state"] == "partial" && ended["code"] == "store_unavailable", "{ended}");
    let said = ended["message"].as_str().unwrap_or_default();
    ensure!(said.starts_with("The database has no storage space left to store a comparison."), "{said}");
    ensure!(said.ends_with("Until then 5 objects had been written."), "{said}");
    let said = refused(&fabric, &mut apart.tab()?).await?;
    ensure!(said == "The database has no storage space left to queue an operation.", "{said}");
    for table in ["comparisons", "operations"] {
        apart.sql(&format!("DROP TRIGGER no_room ON {table}")).await?;
    }
    fabric.heal();
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

/// The process stands still, as in a machine that is suspended: the database is not to blame.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_says_so_and_does_not_blame_the_database() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[SHORT]).await?;
    let fabric = apart.fabric().await?;
    fabric.front.add(Rule::on("GET", "/vpcs?").hang());
    let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
    is_reading(&apart, &location).await?;
    apart.console.freeze()?;
    let began = std::time::Instant::now();
    eventually(SOON, "a lease has passed", || async {
        ensure!(began.elapsed() > Duration::from_secs(7), "{:?}", began.elapsed());
        Ok(())
    })
    .await?;
    apart.console.thaw()?;
    let ended = end_of(&mut apart.user, &location).await?;
    ensure!(ended["state"] == "failed" && ended["code"] == "store_unavailable", "{ended}");
    let said = ended["message"].as_str().unwrap_or_default();
    ensure!(said.starts_with("This operation's heartbeat was not sent in time"), "{said}");
    fabric.heal();
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}

/// Somebody holds a table of the server, as a change of the schema by hand does: pages do not wait for as long as he does.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_so_when_somebody_holds_a_table_of_the_database() -> Result<()> {
    let database = Postgres::shared().await?.database().await?;
    let mut apart = Apart::start(Database::Postgres(database.clone()), &[]).await?;
    let fabric = apart.fabric().await?;
    fabric.syncs(&mut apart.user).await?;
    let path = format!("/fabrics/{}/", fabric.id);
    for table in ["sessions", "fabrics", "operations", "objects"] {
        let held = Postgres::shared().await?.hold(&database, table).await?;
        let page = apart.tab()?.visit(&path).await?;
        let text = page.visible_text();
        let told = text.contains("database") && text.contains("Check the database and the disk, then try again.");
        ensure!(page.status == 503 && told && text.contains("store_unavailable"), "{table}: {} {text}", page.status);
        drop(held);
        eventually(SOON, "the page is back", || async {
            let page = apart.tab()?.visit(&path).await?;
            ensure!(page.status == 200, "{table}: {}", page.status);
            Ok(())
        })
        .await?;
    }
    fabric.syncs(&mut apart.user).await?;
    Ok(())
}
