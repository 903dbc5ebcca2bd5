//! Two processes on one PostgreSQL database under many syncs: never two that write to one fabric, every operation ends, and
//! the clusters are as Git says.

use crate::apart::{Apart, Behind, Database, SOON, VPCS, end_of};
use crate::world::{vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{ApiCall, Chaos, Gate, HttpUser, Rule, eventually};

const ROUNDS: u16 = 4;

/// Lets the database itself note who begins to run which operation: the rows keep only the last one.
const NOTE_BEGINNINGS: &str = "CREATE TABLE beginnings (id BIGINT, owner TEXT);
    CREATE FUNCTION note_beginning() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO beginnings VALUES (NEW.id, NEW.lease_owner); RETURN NEW; END $$;
    CREATE TRIGGER beginnings AFTER UPDATE ON operations FOR EACH ROW
        WHEN (NEW.state = 'running' AND OLD.lease_owner IS DISTINCT FROM NEW.lease_owner)
        EXECUTE FUNCTION note_beginning()";

/// Presses Sync, and does not wait.
async fn press(fabric: &Behind, user: &mut HttpUser) -> Result<()> {
    let answer = fabric.ask(user, "sync/", &[]).await?;
    ensure!(answer.status == 202, "{} {}", answer.status, answer.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_14_two_processes_never_write_to_one_fabric_at_once() -> Result<()> {
    let mut one = Apart::start(Database::postgres().await?, &[]).await?;
    let two = one.beside().await?;
    one.sql(NOTE_BEGINNINGS).await?;
    let fabrics = [one.fabric().await?, one.fabric().await?, one.fabric().await?];
    for round in 1..=ROUNDS {
        for fabric in &fabrics {
            let text = vpc("vpc-09", 9, 1500 + round);
            world().await.git.commit(&fabric.name, "main", &[("more.yaml", Some(&text))], "Change").await?;
        }
        for fabric in &fabrics {
            let (mut here, mut there, mut again) = (one.tab()?, two.tab()?, two.tab()?);
            let (a, b, c) = tokio::join!(
                press(fabric, &mut here),
                press(fabric, &mut there),
                fabric.ask(&mut again, "sync-from-fabric/", &[]),
            );
            a?;
            b?;
            ensure!(c?.status == 202);
        }
    }
    eventually(SOON * 2, "every operation has ended", || async {
        let open = one.sql("SELECT count(*) FROM operations WHERE state IN ('queued', 'running')").await?;
        ensure!(open == "0", "{open} are under way");
        Ok(())
    })
    .await?;
    // Nobody took what another one had: a run that lost its operation so would have written until it noticed.
    let twice = "SELECT id, count(*) FROM beginnings GROUP BY id HAVING count(*) > 1";
    assert_eq!(one.sql(twice).await?, "", "each operation was begun once");
    let noted =
        "SELECT (SELECT count(*) FROM beginnings) = (SELECT count(*) FROM operations WHERE started_at IS NOT NULL)";
    assert_eq!(one.sql(noted).await?, "t", "the control: every beginning was noted");
    // Whatever the processes believed: the times of those that write do not overlap on any fabric.
    let overlaps = "SELECT count(*) FROM operations a JOIN operations b ON a.fabric_id = b.fabric_id AND a.id < b.id \
                    WHERE a.writes = 1 AND b.writes = 1 AND a.started_at < b.ended_at AND b.started_at < a.ended_at";
    assert_eq!(one.sql(overlaps).await?, "0");
    let bad = "SELECT id, state, code, message FROM operations WHERE state <> 'succeeded'";
    assert_eq!(one.sql(bad).await?, "", "each succeeded");
    let syncs: u32 = one.sql("SELECT count(*) FROM operations WHERE writes = 1").await?.parse()?;
    ensure!(syncs >= 3, "{syncs}");
    for fabric in &fabrics {
        // The last press may have been answered by a sync that had fetched before: one more delivers what is left.
        let mut user = one.tab()?;
        fabric.syncs(&mut user).await?;
        let live = fabric.live("vpc-09").await?.context("it is in the cluster")?;
        ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1500 + ROUNDS, "{live}");
        let written = fabric.written();
        let of = |verb: &str| written.iter().filter(|(call, _)| call.starts_with(verb)).map(|(_, n)| n).sum::<usize>();
        ensure!(of("POST") == usize::from(VPCS) + 3, "each object was created once: {written:?}");
        ensure!(of("PUT") < usize::from(ROUNDS), "what was equal was not written again: {written:?}");
        // Each process has a clone of its own, and this one has perhaps not fetched since. It says the same.
        let two_says = fabric.status(&mut two.tab()?).await?;
        ensure!(two_says["sync_status"] == "in_sync", "{two_says}");
    }
    Ok(())
}

/// What a fabric's JSON says that must not depend on who is asked; without the times, which go on.
fn said(status: &Value) -> Value {
    let stages = status["stages"].as_array().into_iter().flatten();
    let stages: Vec<Value> =
        stages.map(|stage| serde_json::json!([stage["name"], stage["state"], stage["done"]])).collect();
    let names = ["sync_status", "current_commit", "counts", "last_success", "problems"];
    let mut all: Vec<Value> = names.iter().map(|name| status[*name].clone()).collect();
    all.extend([status["status"]["message"].clone(), stages.into()]);
    all.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_11_what_a_page_says_does_not_depend_on_which_process_answers() -> Result<()> {
    let mut one = Apart::start(Database::postgres().await?, &[]).await?;
    let fabric = one.fabric().await?;
    fabric.syncs(&mut one.user).await?;
    let two = one.beside().await?;
    let compared = format!("SELECT count(*) FROM comparisons WHERE fabric_id = {}", fabric.id);
    let before: u32 = one.sql(&compared).await?.parse()?;
    eventually(SOON, "the second process has fetched and compared once", || async {
        let now: u32 = one.sql(&compared).await?.parse()?;
        ensure!(now > before, "{now}");
        Ok(())
    })
    .await?;
    // From now on only the first one can fetch: the second one's clone stays behind.
    let text = vpc("vpc-09", 9, 1509);
    let commit = world().await.git.commit(&fabric.name, "main", &[("more.yaml", Some(&text))], "Change").await?;
    fabric.syncs(&mut one.user).await?;
    fabric.git.set(Chaos::Blackhole);
    let (here, there) = (fabric.status(&mut one.tab()?).await?, fabric.status(&mut two.tab()?).await?);
    ensure!(here["current_commit"] == commit.as_str(), "the precondition: {here}");
    ensure!(said(&here) == said(&there), "one says {here}\ntwo says {there}");
    let page = two.tab()?.visit(&format!("/fabrics/{}/", fabric.id)).await?.visible_text();
    ensure!(page.contains("In sync") && page.contains(&commit[..7]), "{page}");
    // So it is when the first one is dead, for whoever lives.
    one.console.kill9();
    let alone = fabric.status(&mut two.tab()?).await?;
    ensure!(said(&alone) == said(&here), "it says {alone}");

    // Who compares with the last fetch does not go back to the older one of its own clone.
    fabric.heal();
    let read = fabric.press(&mut two.tab()?, "sync_from_fabric").await?;
    ensure!(read["state"] == "succeeded", "{read}");
    let last = format!("SELECT commit_id FROM comparisons WHERE fabric_id = {} ORDER BY id DESC LIMIT 1", fabric.id);
    assert_eq!(two.sql(&last).await?, commit);
    ensure!(fabric.status(&mut two.tab()?).await?["sync_status"] == "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_deleted_fabric_no_process_keeps_the_repository() -> Result<()> {
    let mut one = Apart::start(Database::postgres().await?, &[]).await?;
    let fabric = one.fabric().await?;
    fabric.syncs(&mut one.user).await?;
    let two = one.beside().await?;
    let place = format!("sources/fabric-{}.git", fabric.id);
    let places = [one.console.data_dir().join(&place), two.console.data_dir().join(&place)];
    eventually(SOON, "each process has a clone", || async {
        ensure!(places.iter().all(|place| place.is_dir()), "{places:?}");
        Ok(())
    })
    .await?;
    let mut user = one.tab()?;
    let form = user.visit(&format!("/fabrics/{}/delete/", fabric.id)).await?;
    let answer = user.submit(&form, "form.form", &[("confirm", fabric.name.as_str())]).await?;
    ensure!(answer.status == 303, "{} {}", answer.status, answer.visible_text());
    eventually(SOON, "no process has a clone", || async {
        ensure!(places.iter().all(|place| !place.exists()), "{places:?}");
        Ok(())
    })
    .await
}

/// A sync of an older commit ends in one process; the newer one was fetched and compared by the other, and this one's clone
/// has never seen it.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_fetched_while_a_sync_ran_is_what_the_pages_tell_when_it_ends() -> Result<()> {
    let mut one = Apart::start(Database::postgres().await?, &[]).await?;
    let fabric = one.fabric().await?;
    let gate = Gate::default();
    fabric.front.add(Rule::on("POST", "/vpcs?").without("dryRun=All").hold(&gate));
    let location = fabric.begin(&mut one.user, "sync_to_kubernetes").await?;
    gate.arrived(SOON).await?;
    let owner =
        |verb: &str| format!("SELECT lease_owner FROM operations WHERE verb = '{verb}' ORDER BY id DESC LIMIT 1");
    let of_sync = one.sql(&owner("sync_to_kubernetes")).await?;
    let mut two = one.beside().await?;
    // Either process may take what is asked for: until the other one has.
    let mut pushed = 0;
    loop {
        pushed += 1;
        ensure!(pushed < 20, "the other process never fetched");
        let text = vpc(&format!("late-{pushed:02}"), 100 + pushed, 1500 + u16::from(pushed));
        let path = format!("late-{pushed:02}.yaml");
        world().await.git.commit(&fabric.name, "main", &[(path.as_str(), Some(&text))], "Late").await?;
        let fetching = fabric.begin(&mut two.user, "sync_from_git").await?;
        ensure!(end_of(&mut two.user, &fetching).await?["state"] == "succeeded");
        if one.sql(&owner("sync_from_git")).await? != of_sync {
            break;
        }
    }
    gate.open();
    let ended = end_of(&mut one.user, &location).await?;
    ensure!(ended["state"] == "succeeded", "{ended}");
    for user in [&mut one.user, &mut two.user] {
        let status = fabric.status(user).await?;
        assert_eq!(status["sync_status"], "out_of_sync", "{status}");
        assert_eq!(status["status"]["counts"]["undelivered"], pushed, "{status}");
    }
    Ok(())
}

/// How many objects the sync of [`lesson_13_a_process_that_slept_longer_than_its_lease_writes_nothing_more`] has to write.
const MANY: u8 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_a_process_that_slept_longer_than_its_lease_writes_nothing_more() -> Result<()> {
    let mut one = Apart::start(Database::postgres().await?, &[("HEDGEROW_OPERATION_LEASE", "8s")]).await?;
    let fabric = one.fabric().await?;
    let many: Vec<String> = (1..=MANY).map(|n| vpc(&format!("many-{n:02}"), 100 + n, 1500 + u16::from(n))).collect();
    world().await.git.commit(&fabric.name, "main", &[("many.yaml", Some(&many.join("---\n")))], "Many").await?;
    // The first writes of VPCs are under way and stand at the gate; all others are still to come. What the background asks
    // by dry runs, and may give up, is none of them.
    let gate = Gate::default();
    fabric.front.add(Rule::on("POST", "/vpcs?").without("dryRun=All").hold(&gate));
    let location = fabric.begin(&mut one.user, "sync_to_kubernetes").await?;
    gate.arrived(SOON).await?;
    let mut two = one.beside().await?;
    one.console.freeze()?;
    let ended = end_of(&mut two.user, &location).await?;
    ensure!(ended["state"] == "interrupted", "the other one has taken it for dead: {ended}");
    // What was sent before the end of the lease is carried out; its answers wait for the one that sleeps.
    gate.open();
    let in_hand = eventually(SOON, "what was under way is done", || async {
        let calls = fabric.front.calls();
        let posts = calls.iter().filter(|call| call.method == "POST" && call.path.contains("/vpcs?"));
        let posts = posts.filter(|call| !call.path.contains("dryRun=All"));
        let (done, open): (Vec<_>, Vec<_>) = posts.partition(|call| call.status != 0);
        ensure!(open.is_empty() && !done.is_empty(), "{} wait", open.len());
        Ok(done.len())
    })
    .await?;
    ensure!(in_hand < usize::from(MANY), "the control: most was still to be written, {in_hand} were not");
    let wrote = |calls: &[ApiCall]| {
        let writes = calls.iter().filter(|call| call.method != "GET" && !call.path.contains("dryRun=All"));
        writes
            .map(|call| format!("{} {}", call.method, call.path))
            .filter(|call| call.contains("githedgehog.com/"))
            .count()
    };
    let before = wrote(&fabric.front.calls());
    one.console.thaw()?;
    eventually(SOON, "it has noticed", || async {
        let id = ended["id"].as_i64().context("its number")?;
        let log = one.console.log();
        let words = ["its lease was lost", "has another end already"];
        let of_it = |line: &str| words.iter().any(|words| line.contains(words)) && line.contains(&id.to_string());
        let noticed = log.lines().any(of_it);
        ensure!(noticed, "{log}");
        Ok(())
    })
    .await?;
    assert_eq!(wrote(&fabric.front.calls()), before, "not one write after the end of its lease");
    // And the next run, wherever it runs, makes the rest.
    fabric.syncs(&mut two.user).await?;
    ensure!(fabric.live(&format!("many-{MANY}")).await?.is_some());
    Ok(())
}
