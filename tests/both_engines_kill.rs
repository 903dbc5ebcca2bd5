//! `kill -9` in every phase, on both database engines: the operation is interrupted after its lease, by whoever lives, and
//! says so; nothing stays in `syncing`; the next sync looks at the cluster again and makes it as Git says.

use crate::apart::{Apart, Behind, Database, Hold, LEFTOVER, SOON, holds, running_phase};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{HttpUser, eventually};

/// Short, because it is waited for; long enough for heartbeats on a busy machine.
const LEASE: (&str, &str) = ("HEDGEROW_OPERATION_LEASE", "8s");

/// A fabric that is held in a phase, and the address of the operation.
struct Victim {
    hold: Hold,
    fabric: Behind,
    location: String,
}

/// One fabric for each phase, each with an operation that hangs there. With `second`, another process lives beside it.
async fn held_everywhere(apart: &mut Apart, second: bool) -> Result<(Vec<Victim>, Option<Apart>)> {
    let mut places = Vec::new();
    for hold in holds() {
        places.push((hold, apart.fabric().await?));
    }
    let (mut begun, mut other) = (Vec::new(), None);
    // The one whose phase gives up by itself comes last.
    places.sort_by_key(|(hold, _)| hold.phase == "compare");
    for (hold, fabric) in places {
        if hold.phase == "compare" && second {
            other = Some(apart.beside().await?);
        }
        let location = hold.begin(apart, &fabric).await?;
        begun.push(Victim { hold, fabric, location });
    }
    for Victim { hold, location, .. } in &begun {
        eventually(SOON, "the operation hangs in its phase", || async {
            let (phase, operation) = running_phase(&mut apart.tab()?, location).await?;
            ensure!(phase == hold.phase, "it is in {phase:?}, not in {}: {operation}", hold.phase);
            Ok(())
        })
        .await?;
    }
    Ok((begun, other))
}

/// What a dead process left is told on the pages of one that lives, and the next sync works.
async fn released(user: &mut HttpUser, victim: &Victim) -> Result<()> {
    let Victim { hold, fabric, location } = victim;
    let died = eventually(SOON, "it is interrupted", || async {
        let (_, operation) = running_phase(&mut user.clone(), location).await?;
        ensure!(operation["state"] != "running", "{} still runs", hold.phase);
        Ok(operation)
    })
    .await?;
    ensure!(died["state"] == "interrupted" && died["code"] == "interrupted", "{}: {died}", hold.phase);
    let said = died["message"].as_str().unwrap_or_default();
    ensure!(said.contains("stopped answering") && said.contains(hold.title), "{}: {said}", hold.phase);
    let page = user.visit(location).await?.visible_text();
    ensure!(page.contains("stopped answering"), "the page says it: {page}");
    let status = fabric.status(user).await?;
    ensure!(status["sync_status"] != "syncing", "{}: {status}", hold.phase);
    // Where everything had been written, the comparison that follows finds it, and that ends the error.
    if hold.verb == "sync_to_kubernetes" && !["prune", "verify", "rollout"].contains(&hold.phase) {
        ensure!(
            status["sync_status"] == "error" && status["status"]["code"] == "interrupted",
            "{}: {status}",
            hold.phase
        );
    }
    if hold.phase == "apply" {
        let rows = died["outcomes"]["results"].as_array().context("the objects")?;
        let in_hand = rows.iter().filter(|row| row["code"] == "interrupted").collect::<Vec<&Value>>();
        ensure!(!in_hand.is_empty(), "what was in hand has a word of its own: {died}");
        ensure!(
            in_hand.iter().all(|row| row["outcome"] == "unknown"
                && row["message"].as_str().is_some_and(|m| m.contains("may have been written"))),
            "{in_hand:?}"
        );
    }
    hold.syncs(fabric, user).await?;
    if hold.phase == "prune" {
        let written: Vec<(String, usize)> = fabric.written().into_iter().collect();
        let is_it = |call: &str| call.starts_with("DELETE ") && call.ends_with(LEFTOVER);
        ensure!(matches!(&written[..], [(call, 1)] if is_it(call)), "deleted once, no more: {written:?}");
        return Ok(());
    }
    fabric.wrote_each_once().with_context(|| format!("killed in {}", hold.phase))
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_killed_in_every_phase_and_started_again_on_sqlite() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[LEASE]).await?;
    let (victims, _) = held_everywhere(&mut apart, false).await?;
    apart.console.kill9();
    victims.iter().for_each(|victim| victim.fabric.heal());
    apart.console.resume().await?;
    for victim in &victims {
        released(&mut apart.user, victim).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_killed_in_every_phase_while_a_second_process_lives_on_postgres() -> Result<()> {
    let mut apart = Apart::start(Database::postgres().await?, &[LEASE]).await?;
    let (victims, other) = held_everywhere(&mut apart, true).await?;
    let mut other = other.context("the second process")?;
    apart.console.kill9();
    victims.iter().for_each(|victim| victim.fabric.heal());
    for victim in &victims {
        released(&mut other.user, victim).await?;
    }
    // The first one comes back and finds everything in order.
    apart.console.resume().await?;
    let open = "SELECT count(*) FROM operations WHERE state IN ('queued', 'running')";
    assert_eq!(apart.sql(open).await?, "0");
    for victim in &victims {
        let status = victim.fabric.status(&mut apart.user).await?;
        ensure!(status["sync_status"] == "in_sync", "killed in {}: {status}", victim.hold.phase);
    }
    Ok(())
}
