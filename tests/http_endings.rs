//! Operations end when they are told to, and when their time is up: in every phase, also when another process is asked,
//! with what had been done until then, and without leaving a child process behind.

use crate::apart::{Apart, Behind, Database, Hold, LEFTOVER, SOON, end_of, holds, operation, running_phase};
use crate::world::{NAMESPACES, token};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Gate, GitMode, GitServer, HttpUser, Rule, eventually};

/// All that can be held, and a write that waits for its retry.
fn all_holds() -> Vec<Hold> {
    let mut all = holds();
    all.push(Hold {
        verb: "sync_to_kubernetes",
        phase: "apply",
        title: "Write to the cluster",
        how: |fabric| fabric.front.add(Rule::on("POST", "/vpcs?").answer(503, "ServiceUnavailable", "not now")),
    });
    all
}

/// Waits until an operation hangs in its phase, and, when a write waits for its retry, until that is said.
async fn hangs(user: &mut HttpUser, hold: &Hold, fabric: &Behind, location: &str) -> Result<()> {
    eventually(SOON, "the operation hangs in its phase", || async {
        let (phase, operation) = running_phase(&mut user.clone(), location).await?;
        ensure!(phase == hold.phase, "it is in {phase:?}, not in {}: {operation}", hold.phase);
        let waits = operation["phases"].as_array().is_some_and(|p| p.iter().any(|p| !p["retry"].is_null()));
        let hangs = fabric.front.calls().iter().any(|call| call.status == 0) || phase == "fetch_source";
        ensure!(waits || hangs, "nothing hangs and nothing waits: {operation}");
        Ok(())
    })
    .await
}

/// The git processes of a fabric, by their environment.
fn children(apart: &Apart, fabric: &Behind) -> Vec<u32> {
    let folder = apart.console.data_dir().join("sources").join(format!("fabric-{}.git", fabric.id));
    let needle = format!("GIT_DIR={}", folder.display());
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of_fabric = |entry: std::fs::DirEntry| {
        let id: u32 = entry.file_name().to_str()?.parse().ok()?;
        let environment = std::fs::read(entry.path().join("environ")).ok()?;
        String::from_utf8_lossy(&environment).contains(&needle).then_some(id)
    };
    processes.filter_map(of_fabric).collect()
}

/// Presses Cancel on the operation's page.
async fn cancel(user: &mut HttpUser, location: &str) -> Result<()> {
    let page = user.visit(location).await?;
    let answer = user.submit(&page, "form[data-verb=cancel]", &[]).await?;
    ensure!(answer.status == 303, "{} {}", answer.status, answer.visible_text());
    Ok(())
}

/// An operation of each phase that runs in one process is cancelled through another, or the same.
async fn cancelled_in_every_phase(apart: &mut Apart, through_another: bool) -> Result<()> {
    let mut places = Vec::new();
    for hold in all_holds() {
        places.push((hold, apart.fabric().await?));
    }
    let other = if through_another { Some(apart.beside().await?) } else { None };
    if other.is_some() {
        // It compares every fabric once, which must not get into the way of what is held.
        let least = "SELECT min(n) FROM (SELECT count(*) AS n FROM comparisons GROUP BY fabric_id) AS counted";
        eventually(SOON, "the second process has compared every fabric", || async {
            let least = apart.sql(least).await?;
            ensure!(least.parse::<u32>().is_ok_and(|n| n >= 2), "{least}");
            Ok(())
        })
        .await?;
    }
    let mut asked = other.as_ref().unwrap_or(apart).tab()?;
    for (hold, fabric) in places {
        let location = hold.begin(apart, &fabric).await?;
        hangs(&mut apart.tab()?, &hold, &fabric, &location).await?;
        if hold.phase == "fetch_source" {
            ensure!(!children(apart, &fabric).is_empty(), "git is at work");
        }
        cancel(&mut asked, &location).await?;
        let ended = end_of(&mut asked, &location).await?;
        let phase = hold.phase;
        ensure!(ended["state"] == "cancelled" && ended["code"] == "cancelled", "{phase}: {ended}");
        let id = ended["id"].as_i64().context("its number")?;
        let took = apart
            .sql(&format!("SELECT (ended_at - cancel_requested_at) / 1000 FROM operations WHERE id = {id}"))
            .await?;
        let took: i64 = took.parse().context("a number")?;
        ensure!(took <= 2000, "{phase}: it ended {took} ms after it was asked to");
        let said = ended["message"].as_str().unwrap_or_default();
        ensure!(said.starts_with("Cancelled by admin. "), "{phase}: {said}");
        told_what_was_done(&hold, &ended, said)?;
        eventually(SOON, "the children are gone", || {
            let left = children(apart, &fabric);
            async move { if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) } }
        })
        .await?;
        // The phase that was cut off says so, and nothing claims to run.
        let phases = ended["phases"].as_array().context("phases")?;
        ensure!(phases.iter().all(|p| p["state"] != "running" && p["retry"].is_null()), "{phase}: {ended}");
        fabric.heal();
        hold.syncs(&fabric, &mut apart.user).await.with_context(|| format!("after a cancel in {phase}"))?;
    }
    Ok(())
}

/// What had been written until then stands in the sentence and in the outcomes.
fn told_what_was_done(hold: &Hold, ended: &Value, said: &str) -> Result<()> {
    let rows = ended["outcomes"]["results"].as_array().context("the objects")?;
    let of = |outcome: &str| rows.iter().filter(|row| row["outcome"] == outcome).collect::<Vec<_>>();
    match hold.phase {
        "connect" | "fetch_source" | "observe" | "compare" => {
            ensure!(said.contains("Nothing had been written.") && rows.is_empty(), "{}: {ended}", hold.phase);
        }
        // Everything else was there already.
        "prune" => {
            let words = "No write had been confirmed; 1 object had been sent without a clear answer yet, and may have been written";
            ensure!(said.contains(words), "{said}: {ended}");
            let open: Vec<&Value> = rows.iter().filter(|row| row["key"]["name"] == LEFTOVER).collect();
            let told = |row: &Value| row["message"].as_str().is_some_and(|m| m.contains("may have taken effect"));
            ensure!(open.len() == 1 && open[0]["outcome"] == "unknown" && told(open[0]), "{ended}");
            ensure!(rows.len() == 6 && of("unchanged").len() == 5, "{ended}");
        }
        // Of three VPCs one hangs. The others are created, not answered yet, or wait for their retry.
        "apply" => {
            let (created, open) = (of("created"), of("unknown"));
            ensure!(said.contains(&format!("{} objects had been written", created.len())), "{said}: {ended}");
            ensure!(created.len() + open.len() + of("not_attempted").len() == 5, "{ended}");
            for row in &open {
                ensure!(row["message"].as_str().is_some_and(|m| m.contains("may have taken effect")), "{row}");
            }
            ensure!(open.len() <= 3 && (created.len() < 4 || open.len() == 1), "{ended}");
            let sent = match open.len() {
                1 => "1 object had been".to_owned(),
                n => format!("{n} objects had been"),
            };
            let is_told = said.contains(&format!("{sent} sent without a clear answer yet, and may have been written"));
            ensure!(is_told != open.is_empty(), "{said}: {ended}");
            ensure!(!open.is_empty() || !said.contains("without a clear answer"), "{said}: {ended}");
        }
        _ => {
            ensure!(said.contains("Until then 5 objects had been written."), "{}: {said}", hold.phase);
            let verified = hold.phase == "rollout";
            ensure!(of("created").iter().all(|row| row["verified"] == verified), "{}: {ended}", hold.phase);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_next_try_when_it_is_cancelled_was_tried_and_is_told_so() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let gateway = "<html>Service unavailable</html>";
    // A gateway says nothing about what became of the write; one that asks to be called later has not taken it.
    for (rule, tries, outcome, told, sentence) in [
        (
            Rule::on("POST", "/vpcs?").without("dryRun").text(503, "text/html", gateway),
            2,
            "unknown",
            "It was sent, no clear answer came (create VPC",
            "had been sent without a clear answer yet, and may have been written",
        ),
        (
            Rule::on("POST", "/vpcs?").without("dryRun").throttle(50),
            1,
            "failed",
            "Tried once, and it was not done (create VPC",
            "Until then 2 objects had been written, 3 had not.",
        ),
    ] {
        let fabric = apart.fabric().await?;
        fabric.front.add(rule);
        let location = fabric.begin(&mut apart.user, "sync_to_kubernetes").await?;
        eventually(SOON, "they wait for their next try", || async {
            let now = operation(&mut apart.tab()?, &location).await?;
            let phases = now["phases"].as_array().context("phases")?;
            let tried = phases.iter().filter_map(|p| p["retry"]["attempt"].as_u64()).max();
            ensure!(tried.is_some_and(|attempt| attempt > tries), "{now}");
            Ok(())
        })
        .await?;
        cancel(&mut apart.user, &location).await?;
        let ended = end_of(&mut apart.user, &location).await?;
        ensure!(ended["state"] == "cancelled", "{ended}");
        ensure!(ended["message"].as_str().is_some_and(|said| said.contains(sentence)), "{ended}");
        let rows = ended["outcomes"]["results"].as_array().context("the objects")?;
        let of_vpcs: Vec<&Value> = rows.iter().filter(|row| row["key"]["kind"] == "VPC").collect();
        let tried = |row: &&&Value| row["attempts"].as_u64().is_some_and(|n| n >= tries);
        ensure!(of_vpcs.len() == 3 && of_vpcs.iter().any(|row| tried(&row)), "{ended}");
        for row in of_vpcs.iter().filter(tried) {
            ensure!(row["outcome"] == outcome && row["code"] == "cancelled", "{row}");
            ensure!(row["message"].as_str().is_some_and(|said| said.starts_with(told)), "{told}: {row}");
        }
        fabric.heal();
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_ends_an_operation_within_two_seconds_in_every_phase() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    cancelled_in_every_phase(&mut apart, false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_is_asked_of_another_process_ends_it_as_fast() -> Result<()> {
    let mut apart = Apart::start(Database::postgres().await?, &[]).await?;
    cancelled_in_every_phase(&mut apart, true).await
}

/// While an operation runs, its page says how long it may go on: as long as it is until the deadline of its row.
async fn says_how_long_it_may_go_on(user: &mut HttpUser, location: &str) -> Result<()> {
    let operation = operation(user, location).await?;
    let deadline: jiff::Timestamp = operation["deadline_at"].as_str().context("a deadline")?.parse()?;
    let left = || deadline.duration_since(jiff::Timestamp::now()).as_secs_f64();
    let most = left();
    let page = user.visit(location).await?;
    let least = left();
    let said = page.texts(".panel-head .quiet.push").concat();
    let seconds: f64 = match said.strip_suffix(" s left").map(str::parse) {
        Some(seconds) => seconds?,
        None if said.ends_with(" ms left") => 0.5,
        // On a machine that is too busy to show the page sooner.
        None => {
            ensure!(least <= 0.0 && said == "its time is up", "{least} s are left, and it says {said:?}");
            return Ok(());
        }
    };
    // The row's deadline is told in whole seconds, the page's words in tenths.
    ensure!((least - 0.1..=most + 1.1).contains(&seconds), "{least} s to {most} s are left, and it says {said:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_15_a_deadline_ends_every_phase_and_names_the_one_that_took_the_time() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let mut begun = Vec::new();
    for hold in all_holds().into_iter().filter(|hold| hold.phase != "compare") {
        let fabric = apart.fabric().await?;
        apart.sql(&format!("UPDATE fabrics SET deadline_seconds = 8 WHERE id = {}", fabric.id)).await?;
        let location = hold.begin(&apart, &fabric).await?;
        says_how_long_it_may_go_on(&mut apart.user, &location).await.with_context(|| hold.title)?;
        begun.push((hold, fabric, location));
    }
    for (hold, fabric, location) in &begun {
        let ended = end_of(&mut apart.user, location).await?;
        let phase = hold.phase;
        if ended["code"] == "kubernetes_unavailable" {
            // The pause before the next try would have passed the deadline, so the last answer is the end.
            ensure!(phase == "apply" && ended["state"] == "partial", "{phase}: {ended}");
            continue;
        }
        ensure!(ended["state"] == "timed_out" && ended["code"] == "deadline_exceeded", "{phase}: {ended}");
        let said = ended["message"].as_str().unwrap_or_default();
        if phase == "apply" && said.contains("passed during \"Read again and verify\"") {
            // The same on a machine that is too busy to read again before the deadline.
            continue;
        }
        ensure!(said.contains(&format!("The deadline of 8.0 s passed during \"{}\"", hold.title)), "{phase}: {said}");
        let shown = apart.user.visit(location).await?.visible_text();
        ensure!(shown.contains("deadline_exceeded") && shown.contains(hold.title), "{shown}");
        let id = ended["id"].as_i64().context("its number")?;
        let late =
            apart.sql(&format!("SELECT (ended_at - deadline_at) / 1000 FROM operations WHERE id = {id}")).await?;
        ensure!(late.parse::<i64>()? < 2000, "{phase}: it ended {late} ms after its deadline");
        eventually(SOON, "the children are gone", || {
            let left = children(&apart, fabric);
            async move { if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) } }
        })
        .await?;
    }
    for (hold, fabric, _) in &begun {
        ensure!(fabric.status(&mut apart.user).await?["sync_status"] == "error", "{}", hold.phase);
        fabric.heal();
        apart.sql(&format!("UPDATE fabrics SET deadline_seconds = 900 WHERE id = {}", fabric.id)).await?;
        hold.syncs(fabric, &mut apart.user).await.with_context(|| format!("after a deadline in {}", hold.phase))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_14_a_key_gives_the_same_operation_for_every_verb_also_after_a_restart() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let mut got = Vec::new();
    for way in ["test-connection/", "sync-from-git/", "sync-from-fabric/", "sync/"] {
        let key = format!("key-of-{}", way.trim_end_matches('/'));
        let answer = fabric.ask(&mut apart.tab()?, way, &[("Idempotency-Key", &key)]).await?;
        ensure!(answer.status == 202, "{way}: {} {}", answer.status, answer.body);
        let said = answer.json()?;
        ensure!(said["disposition"] == "new", "{said}");
        let location = said["operation"]["url"].as_str().context("an address")?.to_owned();
        end_of(&mut apart.tab()?, &location).await?;
        got.push((way, key, location));
    }
    // One that is cancelled with a key, and was held until then.
    fabric.front.add(Rule::on("GET", "/vpcs?").hang());
    let held = fabric.begin(&mut apart.tab()?, "sync_from_fabric").await?;
    running(&mut apart.tab()?, &held).await?;
    let cancelled = |answer: Value| answer["operation"]["url"].as_str().map(str::to_owned);
    for again in [false, true] {
        if again {
            apart.console.restart().await?;
        }
        for (way, key, location) in &got {
            let answer = fabric.ask(&mut apart.tab()?, way, &[("Idempotency-Key", key)]).await?.json()?;
            ensure!(answer["disposition"] == "same_key", "{way}, restarted: {again}: {answer}");
            ensure!(answer["operation"]["url"] == location.as_str(), "{way}: {answer}");
        }
        let mut tab = apart.tab()?;
        let csrf = token(&tab.visit(&held).await?)?;
        let headers = [("X-CSRFToken", csrf.as_str()), ("Idempotency-Key", "end it")];
        let answer = tab.script("POST", &format!("{held}cancel/"), &headers, Some("{}")).await?;
        // The second time it is what was asked for already.
        ensure!(answer.status == if again { 200 } else { 202 }, "{} {}", answer.status, answer.body);
        ensure!(cancelled(answer.json()?).as_deref() == Some(&held), "it is the operation that was to end");
        let ended = end_of(&mut apart.tab()?, &held).await?;
        ensure!(ended["state"] == "cancelled", "restarted: {again}: {ended}");
    }
    let count = "SELECT count(*) FROM operations WHERE trigger_kind = 'button'";
    assert_eq!(apart.sql(count).await?, "5", "four verbs and the one that was cancelled");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_git_that_a_killed_console_left_behind_is_ended_and_not_waited_for() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let git = GitServer::start().await?;
    git.create_repo("own").await?;
    git.commit("own", "main", &[("namespaces.yaml", Some(NAMESPACES))], "Begin").await?;
    let form = apart.user.visit(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    let url = git.url("own");
    let fields =
        [("source_url", url.as_str()), ("credential_kind", "none"), ("source_username", ""), ("source_token", "")];
    let saved = apart.user.submit(&form, "form.form", &fields).await?;
    ensure!(saved.status == 303, "{}", saved.visible_text());
    let fetched = fabric.press(&mut apart.user, "sync_from_git").await?;
    ensure!(fetched["state"] == "succeeded", "the precondition: {fetched}");

    git.set_mode(GitMode::NeverAnswer);
    let asked = git.requests();
    fabric.begin(&mut apart.user, "sync_from_git").await?;
    // It has asked: what is on its way yet would be served once the server answers again.
    eventually(SOON, "git asks its server", || {
        let (is_asked, there) = (git.requests() > asked, children(&apart, &fabric));
        async move { if is_asked && there.len() > 1 { Ok(()) } else { Err(format!("{is_asked} {there:?}")) } }
    })
    .await?;
    apart.console.kill9();
    let orphans = children(&apart, &fabric);
    ensure!(!orphans.is_empty(), "the control: a killed console leaves its git behind");
    git.set_mode(GitMode::Serve);
    apart.console.resume().await?;
    let done = fabric.press(&mut apart.user, "sync_from_git").await?;
    ensure!(done["state"] == "succeeded", "{done}");
    let log = apart.console.log();
    ensure!(log.contains("ended a git that a killed Hedgerow had left behind"), "{log}");
    eventually(SOON, "the orphans are gone", || {
        let left: Vec<u32> = children(&apart, &fabric).into_iter().filter(|id| orphans.contains(id)).collect();
        async move { if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) } }
    })
    .await
}

async fn running(user: &mut HttpUser, location: &str) -> Result<()> {
    eventually(SOON, "it runs", || async {
        let now = operation(&mut user.clone(), location).await?;
        ensure!(now["state"] == "running", "{now}");
        Ok(())
    })
    .await
}

/// Whoever cancels what has ended is told so, with how and when; nothing claims to have been cancelled.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_that_comes_too_late_says_how_and_when_the_operation_ended() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    let gate = Gate::default();
    fabric.front.add(Rule::on("GET", "/vpcs?").times(1).hold(&gate));
    let location = fabric.begin(&mut apart.user, "sync_from_fabric").await?;
    gate.arrived(SOON).await?;
    let open = apart.user.visit(&location).await?;
    gate.open();
    let done = end_of(&mut apart.user, &location).await?;
    ensure!(done["state"] == "succeeded", "the precondition: {done}");

    let mut user = apart.tab()?;
    let action = format!("{location}cancel/");
    let csrf = token(&user.visit(&location).await?)?;
    let answer = user.script("POST", &action, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    ensure!(answer.status == 422, "{} {}", answer.status, answer.body);
    let said = answer.json()?;
    ensure!(said["code"] == "already_ended" && said["success"] == false && said["retryable"] == false, "{said}");
    ensure!(said["operation"]["id"] == done["id"] && said["operation"]["state"] == "succeeded", "{said}");
    let told = said["message"].as_str().context("a message")?;
    let at = done["ended_at"].as_str().context("its end")?.get(11..16).context("a time")?;
    ensure!(told.contains("succeeded") && told.contains(at) && told.contains("Nothing was cancelled"), "{told}");

    // The button of a page that was opened before the end.
    let again = user.submit(&open, "form[data-verb=cancel]", &[]).await?;
    ensure!(again.status == 303, "{} {}", again.status, again.visible_text());
    let page = user.arrive(again).await?.visible_text();
    let sentence = told.split(" Nothing").next().context("a sentence")?;
    ensure!(page.contains(sentence) && page.contains("Nothing was cancelled") && page.contains("Succeeded"), "{page}");
    let now = operation(&mut user, &location).await?;
    ensure!(now["state"] == "succeeded" && now["ended_at"] == done["ended_at"], "{now}");
    // Its plain page does not go on saying it.
    ensure!(!user.visit(&location).await?.visible_text().contains("Nothing was cancelled"));
    Ok(())
}
