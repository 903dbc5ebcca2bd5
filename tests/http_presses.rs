//! Several presses at once, and a press while something else runs: one operation, one run of it, and never nothing.

use crate::world::{Fabric, NAMESPACES, database, endpoint, same_cookies, token, vpc, world};
use anyhow::{Context, Result, ensure};
use model::operation::Verb;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use store::attempts::AttemptFilter;
use store::operations::OperationFilter;
use store::{Attempt, Operation, Page, Scope};
use testkit::{Access, ApiCall, ApiFront, Gate, Rule, eventually};

/// How many objects [`fabric_behind`] has in its source.
const OBJECTS: usize = 5;

/// A fabric whose cluster is behind a door of the test's own, with something to sync.
async fn fabric_behind(front: &ApiFront, name: &str) -> Result<Fabric> {
    let plane = &world().await.plane;
    let user = plane.token_user(name, &Access::writer()).await?;
    let fabric = Fabric::add_with(&endpoint(&front.url(), &user.token, plane.ca_certificate())).await?;
    let vpcs = [1, 2, 3].map(|n| vpc(&format!("vpc-0{n}"), n, 1000 + u16::from(n))).join("---\n");
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("vpcs.yaml", Some(&vpcs))]).await?;
    Ok(fabric)
}

/// The writes that reached the cluster, by path without query, and how often each.
fn writes(front: &ApiFront) -> BTreeMap<String, usize> {
    let is_write = |call: &ApiCall| {
        call.method != "GET" && call.path.contains("githedgehog.com") && !call.path.contains("dryRun=All")
    };
    let mut found = BTreeMap::new();
    for call in front.calls().iter().filter(|call| is_write(call)) {
        *found.entry(call.path.split('?').next().unwrap_or_default().to_owned()).or_default() += 1;
    }
    found
}

/// The operations of one verb, as the database has them.
async fn operations(fabric: &Fabric, verb: Verb) -> Result<Vec<Operation>> {
    let store = database(&world().await.console).await?;
    let filter = OperationFilter { fabric_id: Some(fabric.id), verb: Some(verb), state: None };
    let rows = store.operations().list(&Scope::System, &filter, Page::all()).await?.rows;
    store.close().await;
    Ok(rows)
}

async fn attempts(fabric: &Fabric) -> Result<Vec<Attempt>> {
    let store = database(&world().await.console).await?;
    let filter = AttemptFilter { fabric_id: Some(fabric.id), refused_only: false };
    let rows = store.attempts().list(&Scope::System, &filter, Page::all()).await?.rows;
    store.close().await;
    Ok(rows.into_iter().filter(|attempt| attempt.verb == Some(Verb::SyncToKubernetes)).collect())
}

/// Waits until the operation at this address runs.
async fn runs(fabric: &Fabric, location: &str) -> Result<()> {
    let console = &world().await.console;
    eventually(Duration::from_secs(30), "the operation runs", || async {
        let mut tab = same_cookies(console, &fabric.user)?;
        let state = tab.script("GET", location, &[], None).await?.json()?["state"].clone();
        ensure!(state == "running", "it is {state}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_14_presses_at_once_are_one_operation_and_one_run() -> Result<()> {
    let world = world().await;
    let front = ApiFront::start(&world.plane).await?;
    let mut fabric = fabric_behind(&front, "lesson-14").await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    let input = Some("two people press");
    let made = world.console.run(&["user", "create", "lesson-14", "--superuser", "--password-stdin"], input).await?;
    assert!(made.status.success(), "{made:?}");
    let (mut colleague, _) = world.console.login("lesson-14", "two people press").await?;
    let path = format!("/fabrics/{}/", fabric.id);
    let (page, theirs) = (fabric.page().await?, colleague.visit(&path).await?);
    let mut second = same_cookies(&world.console, &fabric.user)?;
    let mut tab = same_cookies(&world.console, &fabric.user)?;
    let in_tab = tab.visit(&path).await?;
    let mut script = same_cookies(&world.console, &colleague)?;
    front.add(Rule::on("GET", "/vpcs?").delay(Duration::from_millis(1500)));
    front.take_calls();

    // A double click in one tab, a press in another, a colleague's press, and the colleague's script.
    let (button, sync) = ("form[data-verb=sync_to_kubernetes]", format!("{path}sync/"));
    let csrf = token(&theirs)?;
    let headers = [("X-CSRFToken", csrf.as_str())];
    let (one, two, three, four, five) = tokio::join!(
        fabric.user.submit(&page, button, &[]),
        second.submit(&page, button, &[]),
        tab.submit(&in_tab, button, &[]),
        colleague.submit(&theirs, button, &[]),
        script.script("POST", &sync, &headers, Some("{}")),
    );
    let five = five?;
    let mut places = BTreeSet::new();
    for answer in [one?, two?, three?, four?] {
        assert_eq!(answer.status, 303, "{}", answer.visible_text());
        places.extend(answer.location());
    }
    assert_eq!(five.status, 202, "{}", five.body);
    places.extend(five.json()?["operation"]["url"].as_str().map(str::to_owned));
    assert_eq!(places.len(), 1, "all are led to one operation: {places:?}");
    let place = places.into_iter().next().context("an operation")?;

    // Pressed again while it runs, it is that one, and says so.
    runs(&fabric, &place).await?;
    let again = fabric.ask("sync/", &[]).await?;
    let said = again.json()?;
    assert_eq!((again.status, said["disposition"].as_str()), (202, Some("already_running")), "{said}");
    assert_eq!((&said["code"], &said["success"]), (&"already_running".into(), &Value::Null), "{said}");
    assert_eq!(said["operation"]["url"], place.as_str());

    let ended = fabric.ended(&place).await?;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    let written = writes(&front);
    assert_eq!(written.values().sum::<usize>(), OBJECTS, "each object was written once: {written:?}");
    for n in 1..=3 {
        assert!(fabric.live("VPC", &format!("vpc-0{n}")).await?.is_some());
    }
    assert_eq!(operations(&fabric, Verb::SyncToKubernetes).await?.len(), 1, "one row in the database");
    let tries = attempts(&fabric).await?;
    assert_eq!(tries.len(), 6, "each try is recorded");
    let id = ended["id"].as_i64();
    assert!(tries.iter().all(|attempt| attempt.operation_id == id), "each with the operation that it got");
    // The second press of one page carries the key of the first; the others are the same request.
    let told = |words: &str| tries.iter().filter(|attempt| attempt.message.contains(words)).count();
    let (began, running, repeated) = (told("begins now"), told("running already"), told("received before"));
    assert_eq!((began, running + repeated), (1, 5), "one began it, five were told that it runs");
    assert!(running >= 4, "{running} others were told that the same is running");
    let activity = fabric.user.visit(&format!("{path}activity/?show=operations")).await?;
    let shown = activity.texts("td.name a").iter().filter(|title| title.contains("Sync to Kubernetes")).count();
    assert_eq!(shown, 1, "{}", activity.visible_text());

    // The control: afterwards a press is a new operation, which has nothing to write.
    front.clear();
    let next = fabric.press("sync_to_kubernetes").await?;
    assert_ne!(next["id"].as_i64(), id);
    assert_eq!(next["state"], "succeeded", "{next}");
    assert_eq!(writes(&front), written, "nothing was written again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_14_the_same_key_is_the_same_operation_also_when_it_is_over() -> Result<()> {
    let world = world().await;
    let front = ApiFront::start(&world.plane).await?;
    let mut fabric = fabric_behind(&front, "lesson-14-key").await?;
    let page = fabric.page().await?;
    let csrf = token(&page)?;
    let mut other = same_cookies(&world.console, &fabric.user)?;
    let path = format!("/fabrics/{}/sync/", fabric.id);
    let headers = [("X-CSRFToken", csrf.as_str()), ("Idempotency-Key", "\"a-press-of-today\"")];
    front.take_calls();
    let (one, two) = tokio::join!(
        fabric.user.script("POST", &path, &headers, Some("{}")),
        other.script("POST", &path, &headers, Some("{}")),
    );
    let (one, two) = (one?.json()?, two?.json()?);
    assert_eq!(one["operation"]["id"], two["operation"]["id"]);
    let words: BTreeSet<_> = [&one, &two].iter().filter_map(|said| said["disposition"].as_str()).collect();
    assert_eq!(words, BTreeSet::from(["new", "same_key"]));
    let place = one["operation"]["url"].as_str().context("an address")?.to_owned();
    assert_eq!(fabric.ended(&place).await?["state"], "succeeded");

    // The answer was lost, so the client asks again with its key: it gets the result of the one run.
    let late = fabric.ask("sync/?wait=20", &[("Idempotency-Key", "a-press-of-today")]).await?;
    let said = late.json()?;
    assert_eq!((late.status, said["success"].as_bool()), (200, Some(true)), "{said}");
    assert_eq!((&said["disposition"], &said["operation"]["id"]), (&"same_key".into(), &one["operation"]["id"]));
    assert_eq!(operations(&fabric, Verb::SyncToKubernetes).await?.len(), 1);
    assert_eq!(writes(&front).values().sum::<usize>(), OBJECTS);

    // The control: another key is another request.
    let next = fabric.ask("sync/?wait=20", &[("Idempotency-Key", "another")]).await?.json()?;
    assert_eq!(next["disposition"], "new", "{next}");
    assert_eq!(operations(&fabric, Verb::SyncToKubernetes).await?.len(), 2);
    Ok(())
}

/// Waits until a list of VPCs hangs at the door.
async fn hangs(front: &ApiFront) -> Result<()> {
    eventually(Duration::from_secs(40), "a comparison is under way", || async {
        let calls = front.calls();
        ensure!(calls.iter().any(hangs_there), "no list hangs among {} calls", calls.len());
        Ok(())
    })
    .await
}

fn hangs_there(call: &ApiCall) -> bool {
    call.status == 0 && call.method == "GET" && call.path.contains("/vpcs?")
}

/// Presses Sync, and expects that this very press wrote everything.
async fn sync_writes_everything(fabric: &mut Fabric) -> Result<()> {
    for n in 1..=3 {
        assert!(fabric.live("VPC", &format!("vpc-0{n}")).await?.is_none(), "nothing was written yet");
    }
    let synced = fabric.press("sync_to_kubernetes").await?;
    assert_eq!((&synced["verb"], &synced["state"]), (&"sync_to_kubernetes".into(), &"succeeded".into()), "{synced}");
    for n in 1..=3u16 {
        let live = fabric.live("VPC", &format!("vpc-0{n}")).await?.context("it is in the cluster")?;
        assert_eq!(live["spec"]["subnets"]["default"]["vlan"], 1000 + n);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_42_sync_during_a_background_comparison_syncs() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    // Saving a fabric compares it at once; that comparison gets no further than this list.
    front.add(Rule::on("GET", "/vpcs?").times(1).hang());
    let mut fabric = fabric_behind(&front, "lesson-42-background").await?;
    hangs(&front).await?;
    // The comparison gives up after half a minute: a sync that waited for it would take as long.
    let began = Instant::now();
    sync_writes_everything(&mut fabric).await?;
    assert!(began.elapsed() < Duration::from_secs(20), "it waited for the comparison: {:?}", began.elapsed());
    assert_eq!(fabric.status().await?["sync_status"], "in_sync");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_42_sync_during_a_sync_from_fabric_syncs() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    let mut fabric = fabric_behind(&front, "lesson-42-reading").await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    front.take_calls();
    front.add(Rule::on("GET", "/vpcs?").times(1).hang());
    let asked = fabric.ask("sync-from-fabric/", &[]).await?;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let reading = asked.json()?["operation"]["url"].as_str().context("an address")?.to_owned();
    hangs(&front).await?;
    sync_writes_everything(&mut fabric).await?;
    let state = fabric.user.script("GET", &reading, &[], None).await?.json()?["state"].clone();
    assert_eq!(state, "running", "the reading was under way all the time");

    // It is not lost either: it ends when it is told to.
    let page = fabric.user.visit(&reading).await?;
    let told = fabric.user.submit(&page, &format!("form[action='{reading}cancel/']"), &[]).await?;
    assert_eq!(told.status, 303, "{}", told.visible_text());
    assert_eq!(fabric.ended(&reading).await?["state"], "cancelled");
    Ok(())
}

/// The run has its commit already when the branch moves on: to hand it out for the next press would deliver the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_press_after_a_push_is_not_the_sync_of_the_commit_before() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    let mut fabric = fabric_behind(&front, "press-after-push").await?;
    let gate = Gate::default();
    front.add(Rule::on("GET", "/vpcs?").hold(&gate));
    let first = fabric.ask("sync/", &[]).await?.json()?;
    let place = first["operation"]["url"].as_str().context("an address")?.to_owned();
    let tab = tokio::sync::Mutex::new(same_cookies(&world().await.console, &fabric.user)?);
    eventually(Duration::from_secs(30), "the run has read its commit", || async {
        let operation = tab.lock().await.script("GET", &place, &[], None).await?.json()?;
        ensure!(operation["commit"].is_string(), "{operation}");
        Ok(())
    })
    .await?;
    // The control: as long as nothing moved, a press is the same.
    let same = fabric.ask("sync/", &[]).await?.json()?;
    assert_eq!(same["disposition"], "already_running", "{same}");

    let pushed = fabric.commit(&[("more.yaml", Some(&vpc("vpc-09", 9, 1009)))]).await?;
    let second = fabric.ask("sync/", &[]).await?.json()?;
    assert_eq!(second["disposition"], "queued", "{second}");
    // Who presses once more gets that one.
    let third = fabric.ask("sync/", &[]).await?.json()?;
    assert_eq!(
        (&third["disposition"], &third["operation"]["id"]),
        (&"already_running".into(), &second["operation"]["id"])
    );
    gate.open();
    assert_eq!(fabric.ended(&place).await?["state"], "succeeded");
    let next = second["operation"]["url"].as_str().context("an address")?.to_owned();
    let ended = fabric.ended(&next).await?;
    assert_eq!((&ended["state"], &ended["commit"]), (&"succeeded".into(), &pushed.as_str().into()), "{ended}");
    assert!(fabric.live("VPC", "vpc-09").await?.is_some(), "what was pushed before the press is in the cluster");
    Ok(())
}

/// A sync delivers the commit that it began with. When somebody has fetched another one meanwhile, its last look at the
/// cluster must not bring the pages back to the older one.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_while_a_sync_ran_is_what_the_pages_tell_when_it_ends() -> Result<()> {
    let front = ApiFront::start(&world().await.plane).await?;
    let mut fabric = fabric_behind(&front, "fetched-meanwhile").await?;
    let gate = Gate::default();
    front.add(Rule::on("POST", "/vpcs?").without("dryRun").hold(&gate));
    let first = fabric.ask("sync/", &[]).await?.json()?;
    let place = first["operation"]["url"].as_str().context("an address")?.to_owned();
    eventually(Duration::from_secs(30), "the run writes", || async {
        ensure!(front.calls().iter().any(|call| call.method == "POST" && call.path.contains("/vpcs?")));
        Ok(())
    })
    .await?;
    let pushed = fabric.commit(&[("more.yaml", Some(&vpc("vpc-09", 9, 1009)))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    gate.open();
    let ended = fabric.ended(&place).await?;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_ne!(ended["commit"], pushed.as_str(), "the control: it was of the commit before");

    let status = fabric.status().await?;
    assert_eq!(status["sync_status"], "out_of_sync", "{status}");
    assert_eq!(status["status"]["counts"]["undelivered"], 1, "{status}");
    let review = fabric.user.visit(&format!("/fabrics/{}/sync/review/", fabric.id)).await?.visible_text();
    ensure!(review.contains(&pushed[..7]) && review.contains("vpc-09"), "{review}");
    Ok(())
}
