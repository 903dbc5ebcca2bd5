//! `hedgerow verify` by HTTP on a real API server: every journey, and the six rules of the lessons.

use crate::http_schedule::{Automatic, BY_INTERVAL};
use crate::proof::{Proof, verify};
use crate::site::all_applied;
use crate::world::{NAMESPACES, vpc, world};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{Chaos, HttpUser, Rule, hedgerow};
use verify::cause::Cause;
use verify::results::CheckKind;
use verify::verdict::{RunVerdict, Verdict};

/// What is walked elsewhere: the ends of sessions need short limits, automatic syncs a policy, and three need a slow sync.
pub const ELSEWHERE: [&str; 5] =
    ["session_idle_expiry", "session_absolute_expiry", "long_sync_expiry", "automatic_sync", "cancel"];

/// What a browser without scripts cannot do.
const NEED_SCRIPTS: [&str; 2] = ["expiry_warning", "relogin_in_place"];

/// The journeys, without some.
pub fn all_but(left_out: &[&str]) -> Vec<&'static str> {
    let all = verify::journeys::ALL.iter().map(|one| one.name).filter(|name| !left_out.contains(name));
    all.flat_map(|name| ["--journey", name]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_journey_by_http() -> Result<()> {
    let mut proof = Proof::start(&[]).await?;
    proof.add_unreachable().await?;
    // Those that must meet come below, and the crawl in a journey of its own.
    let others = ["double_click", "two_users", "crawl"];
    let mut words = all_but(&[&ELSEWHERE[..], &others].concat());
    words.extend(["--unreachable-fabric", "north"]);
    let proved = proof.verify(&words).await?;
    proved.all_passed_but(&NEED_SCRIPTS)?;
    let verified = |name: &str| proved.journey(name).map(|one| one.verified);
    for name in ["sync_by_button", "sync_by_form", "sync_from_git", "status_agrees", "drift", "two_paths"] {
        ensure!(verified(name)? == Some(true), "{name} was judged by an oracle");
    }
    // What is said of these is the whole of it: nothing was left open for want of an oracle or of an object.
    for name in ["status_agrees", "sync_from_git", "sync_from_fabric", "permission", "fabric_page"] {
        proved.is_told(name)?;
    }
    let discrepancy = proved.run.discrepancy.as_ref().context("both paths were walked")?;
    ensure!(discrepancy.arms.len() == 4 && discrepancy.parts_at.is_none(), "{discrepancy:?}");
    // What it made is gone: no session is left, and nothing in the cluster is what it planted.
    let page = proof.site.user.visit("/account/sessions/").await?;
    ensure!(page.texts("section[aria-labelledby=open-title] tbody tr").len() == 1, "{}", page.visible_text());
    let servers = proof.site.client.list("servers.wiring.githedgehog.com").await?;
    ensure!(!servers.is_empty() && !servers.iter().any(|one| one.to_string().contains("verify ")), "{servers:?}");
    // The evidence is whole, and an altered byte is found.
    let folder = proved.folder.join("run");
    let folder = folder.to_str().context("a path in UTF-8")?;
    ensure!(hedgerow(&["verify", "--check", folder], &[], None).await?.status.success());
    let report = proved.folder.join("run/report.html");
    std::fs::write(&report, std::fs::read_to_string(&report)?.replacen("Passed", "Failed", 1))?;
    let checked = hedgerow(&["verify", "--check", folder], &[], None).await?;
    ensure!(checked.status.code() == Some(1), "{checked:?}");

    // Presses that meet, and a sync that can be cancelled, need a cluster that takes its time.
    proof.site.door.add(Rule::on("GET", "/vpcs?").delay(Duration::from_millis(1_500)));
    let slow = proof.verify(&["--journey", "double_click", "--journey", "two_users", "--journey", "cancel"]).await?;
    slow.all_passed_but(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_10_every_address_on_every_page_resolves() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let proved = proof.verify(&["--journey", "crawl"]).await?;
    proved.all_passed_but(&[])?;
    proved.is_told("crawl")?;
    let leaves = proved.run.steps.iter().filter(|step| step.what.starts_with("open ")).count();
    ensure!(leaves > 60, "the walk went somewhere: {leaves} pages");
    Ok(())
}

/// Lesson 11, as verify sees it: what the database holds is what list, page, API and metrics say. Another database is told.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_11_one_state_on_every_page_in_the_json_the_metrics_and_the_database() -> Result<()> {
    let mut proof = Proof::start(&[]).await?;
    let journey = ["--journey", "status_agrees"];
    let proved = proof.verify(&journey).await?;
    proved.all_passed_but(&[])?;
    let told = |run: &verify::results::Run| {
        let expected = "the last success is the one that the target's database holds";
        run.journeys.iter().flat_map(|one| &one.checks).find(|check| check.expected == expected).cloned()
    };
    ensure!(told(&proved.run).is_some_and(|check| check.held == Some(true)), "{:?}", proved.run.journeys[0].checks);
    // A copy, and after it another sync.
    proof.site.console.stop().await?;
    let data = proof.site.console.data_dir().to_owned();
    let older = proved.folder.join("older.db");
    std::fs::copy(data.join("hedgerow.db"), &older)?;
    proof.site.console.resume().await?;
    let (mut user, _) =
        proof.site.console.login(proof.site.console.username()?, proof.site.console.password()?).await?;
    // Until the last success is later by more than what pages show of it, which is whole seconds.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        crate::world::press(&mut user, proof.site.id, "sync_to_kubernetes").await?;
    }
    let older = format!("sqlite:{}", older.display());
    let other = proof.begin_with_database(&older, &journey).await?.end().await?;
    let finding = other.run.finding.clone().context("it is said why nothing was judged")?;
    ensure!((other.code, finding.cause) == (Some(4), Cause::OracleUnusable), "{finding:?}");
    ensure!(finding.observed.contains("its newest operation is"), "{finding:?}");
    // The control: one that is the console's own, but for the time of its last success.
    proof.site.console.stop().await?;
    let moved = proved.folder.join("moved.db");
    std::fs::copy(data.join("hedgerow.db"), &moved)?;
    proof.site.console.resume().await?;
    testkit::sqlite(&moved, "UPDATE operations SET ended_at = ended_at - 10000000").await?;
    let moved = format!("sqlite:{}", moved.display());
    let other = proof.begin_with_database(&moved, &journey).await?.end().await?;
    let finding = other.journey("status_agrees")?.finding.clone().context("it failed")?;
    ensure!((other.code, finding.cause) == (Some(1), Cause::TimestampOnly), "{finding:?}");
    // The same where not all is well.
    let servers = proof.site.client.list("servers.wiring.githedgehog.com").await?;
    let name = servers[0]["metadata"]["name"].as_str().context("a server has a name")?;
    let other = serde_json::json!({"spec": {"description": "somebody was here"}});
    proof.site.client.patch("servers.wiring.githedgehog.com", &format!("default/{name}"), &other).await?;
    ensure!(proof.site.press("sync_from_fabric").await?["state"] == "succeeded");
    ensure!(proof.site.status().await?["sync_status"] == "out_of_sync");
    let proved = proof.verify(&journey).await?;
    proved.all_passed_but(&[])?;
    let one = proved.journey("status_agrees")?;
    ensure!(one.verified == Some(true) && format!("{:?}", one.checks).contains("metrics: out_of_sync"), "{one:?}");
    Ok(())
}

/// What a page says of each switch is what its agent reports, after a sync that reaches them: of one that is silent and one
/// that is stuck, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_the_switches_is_what_their_agents_report() -> Result<()> {
    let mut proof = Proof::start(&[]).await?;
    proof.site.until("every switch has applied everything", all_applied).await?;
    proof.site.lose_two_leaves().await?;
    proof.site.write_for_every_switch().await?;
    let proved = proof.verify(&["--journey", "sync_by_button", "--journey", "status_agrees"]).await?;
    proved.all_passed_but(&[])?;
    let said = |journey: &str, of: &str| -> Result<String> {
        let expected = format!("what the {of} says of each switch is what its agent reports");
        let check = proved.journey(journey)?.checks.iter().find(|check| check.expected == expected).cloned();
        let check = check.with_context(|| format!("{journey}: {expected}"))?;
        ensure!(check.held == Some(true), "{check:?}");
        Ok(check.observed)
    };
    for (journey, page, those) in [
        // Four switches and a gateway.
        ("sync_by_button", "fabric's page", "3 of 5 "),
        ("sync_by_button", "page of IPv4Namespace default", "2 of 4 "),
        ("status_agrees", "fabric's page", "3 of 5 "),
    ] {
        let observed = said(journey, page)?;
        ensure!(observed.starts_with(those), "{journey}, {page}: {observed}");
    }
    let reading = proved.run.readings.iter().find(|one| one.found.contains("leaf-02 runs generation"));
    let reading = reading.context("the evidence tells each switch")?;
    ensure!(reading.found.contains("leaf-01 was last heard of"), "{}", reading.found);
    Ok(())
}

/// Whatever is not allowed is not done: neither the cluster nor Git is as much as touched.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_run_changes_nothing() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let (before, head) = (proof.site.versions().await?, proof.site.git.head("fabric", "main").await?);
    ensure!(!before.is_empty(), "there is something to be changed");
    proof.site.writes(false);
    let proved = proof.begin(&all_but(&ELSEWHERE)).await?.end().await?;
    let changing: Vec<&str> = verify::journeys::ALL.iter().filter(|one| one.changes).map(|one| one.name).collect();
    for one in &proved.run.journeys {
        ensure!(one.verdict != Verdict::Fail, "{}: {}", one.name, one.sentence);
        ensure!(!changing.contains(&one.name.as_str()) || one.verdict == Verdict::Skipped, "{}", one.name);
    }
    ensure!(proof.site.versions().await? == before, "the cluster is as it was");
    ensure!(proof.site.git.head("fabric", "main").await? == head, "Git is as it was");
    let written = proof.site.writes(false);
    ensure!(written.is_empty(), "{written:?}");
    Ok(())
}

/// Whatever ends a run, what it planted is taken back; and what a killed one leaves, the next one finds and puts right.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_run_leaves_nothing_and_a_killed_one_is_cleaned_up_after() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let planted = async || -> Result<Vec<String>> {
        let mut found = Vec::new();
        for kind in ["servers.wiring.githedgehog.com", "switches.wiring.githedgehog.com"] {
            let all = proof.site.client.list(kind).await?;
            let descriptions = all.iter().filter_map(|one| one["spec"]["description"].as_str());
            found.extend(descriptions.filter(|text| text.starts_with("verify ")).map(str::to_owned));
        }
        Ok(found)
    };
    let begin = async || -> Result<crate::proof::Proving> {
        // Slow, so that there is time between the planting and the sync that takes it back.
        proof.site.door.clear();
        proof.site.door.add(Rule::on("GET", "/servers?").delay(Duration::from_secs(3)));
        let run = proof.begin(&["--allow-sync", "--journey", "sync_by_button"]).await?;
        let look = async || {
            ensure!(!planted().await?.is_empty(), "nothing yet");
            Ok(())
        };
        testkit::eventually(Duration::from_secs(60), "something is planted", look).await?;
        Ok(run)
    };
    let sessions = async || -> Result<usize> {
        let (mut user, _) =
            proof.site.console.login(proof.site.console.username()?, proof.site.console.password()?).await?;
        let page = user.visit("/account/sessions/").await?;
        let open = page.texts("section[aria-labelledby=open-title] tbody tr").len();
        let out = user.submit(&page, "form[action='/logout/']", &[]).await?;
        ensure!(out.status == 303, "{}", out.status);
        Ok(open)
    };
    let before = sessions().await?;
    for signal in ["INT", "TERM", "HUP"] {
        let run = begin().await?;
        run.program.signal(signal)?;
        let ended = run.end().await?;
        ensure!((ended.run.verdict, ended.code) == (RunVerdict::Interrupted, Some(130)), "{signal}: {:?}", ended.code);
        ensure!(planted().await?.is_empty(), "{signal} leaves nothing in the cluster");
        ensure!(ended.run.cleanup.iter().any(|one| one.restored && one.what.contains("description")), "it says so");
        ensure!(sessions().await? == before, "{signal} leaves no session");
    }
    let run = begin().await?;
    run.program.signal("KILL")?;
    ensure!(run.end().await.is_err(), "it wrote nothing down");
    ensure!(planted().await?.len() == 1, "what was planted is still there");
    proof.site.door.clear();
    let next = proof.begin(&["--journey", "fabric_page"]).await?.end().await?;
    let said = next.run.preconditions.iter().any(|check| check.observed.contains("a run that was killed"));
    ensure!(said && planted().await?.len() == 1, "a read-only run says so: {:?}", next.run.preconditions);
    let next = proof.begin(&["--allow-sync", "--journey", "fabric_page"]).await?.end().await?;
    ensure!(planted().await?.is_empty(), "with leave it is put right: {:?}", next.run.cleanup);
    Ok(())
}

/// Failure point 8: an operation whose server died holds nobody up, and verify sees that.
#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_operation_is_released_as_verify_sees_it() -> Result<()> {
    let mut proof = Proof::start(&[]).await?;
    proof.site.door.add(Rule::on("GET", "/vpcs?").delay(Duration::from_secs(20)));
    let page = proof.site.page().await?;
    let begun = proof.site.begin_from(&page, serde_json::json!({})).await?;
    let end = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let state = proof.site.user.script("GET", &begun, &[], None).await?.json()?["state"].clone();
        if state == "running" {
            break;
        }
        ensure!(std::time::Instant::now() < end, "the sync does not begin: {state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proof.site.console.kill9();
    proof.site.door.clear();
    proof.site.console.resume().await?;
    // Its lease runs out, and nothing else lets it go.
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while proof.site.user.script("GET", &begun, &[], None).await?.json()?["final"] != true {
        ensure!(std::time::Instant::now() < end, "{begun} is not let go");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let proved = proof.verify(&["--journey", "stuck_operation"]).await?;
    proved.all_passed_but(&[])?;
    proved.is_told("stuck_operation")?;
    let observed = &proved.journey("stuck_operation")?.checks.last().context("there are checks")?.observed;
    ensure!(observed.contains(begun.trim_end_matches('/')), "{observed} tells of {begun}");
    Ok(())
}

/// Lesson 49, with either driver: a page that is older than a login in another tab. A browser with two tabs: `browser_tabs`.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_49_after_another_login_in_a_second_tab_the_first_tabs_button_works() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let proved = proof.verify(&["--journey", "older_tab", "--driver", "http", "--driver", "chromium"]).await?;
    proved.all_passed_but(&[])?;
    ensure!(proved.run.journeys.len() == 2, "with either driver: {:?}", proved.run.journeys);
    for one in &proved.run.journeys {
        let pressed = one.checks.iter().find(|check| check.expected.starts_with("the press of a page that is older"));
        let said = &pressed.context("it was pressed")?.observed;
        ensure!(said.to_lowercase().contains("succeeded"), "{}: it works, and is not refused: {said}", one.driver);
    }
    Ok(())
}

/// Rule 5: beside a session that ends is one that goes on, and the time is measured.
#[tokio::test(flavor = "multi_thread")]
async fn rule_5_the_ends_of_sessions_have_a_control_and_measured_times() -> Result<()> {
    let settings = [
        ("HEDGEROW_SESSION_IDLE", "12s"),
        ("HEDGEROW_SESSION_ABSOLUTE", "30s"),
        ("HEDGEROW_SESSION_WARN_BEFORE", "4s"),
    ];
    let proof = Proof::start(&settings).await?;
    let ends =
        ["--journey", "session_idle_expiry", "--journey", "session_absolute_expiry", "--journey", "session_revoked"];
    let proved = proof.verify(&ends).await?;
    proved.all_passed_but(&[])?;
    let idle = proved.journey("session_idle_expiry")?;
    let controls = idle.checks.iter().filter(|check| check.kind == CheckKind::Control);
    ensure!(controls.count() > 0, "there is a control beside it");
    let held = idle.measured.first().context("the time was measured")?.ms;
    ensure!((12_000..25_000).contains(&held), "{held} ms");
    proof.site.door.add(Rule::on("GET", "/vpcs?").times(1).delay(Duration::from_secs(16)));
    proof.verify(&["--journey", "long_sync_expiry"]).await?.all_passed_but(&[])
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_1_a_precondition_that_does_not_hold_makes_the_run_invalid() -> Result<()> {
    let world = world().await;
    let journey = ["--journey", "fabric_page"];
    let here = ["--target", world.console.url(), "--username", "admin"];
    // The control: with the password it is no such run.
    let good = verify(&[&here[..], &["--journey", "wrong_password"]].concat(), &world.password).await?;
    ensure!(good.run.verdict == RunVerdict::Pass && good.code == Some(0), "{}", good.run.sentence);
    let wrong = verify(&[&here[..], &journey].concat(), "not the password").await?;
    let finding = wrong.run.finding.as_ref().context("it is said why")?;
    ensure!((wrong.run.verdict, wrong.code) == (RunVerdict::Invalid, Some(4)), "{}", wrong.run.sentence);
    ensure!(finding.cause == Cause::BadPassword && finding.failure_point == Some(5), "{finding:?}");
    ensure!(wrong.run.journeys.is_empty(), "nothing was judged");
    let nobody =
        verify(&[&["--target", "http://127.0.0.1:1", "--username", "admin"], &journey[..]].concat(), "x").await?;
    let finding = nobody.run.finding.as_ref().context("it is said why")?;
    ensure!((nobody.code, finding.cause) == (Some(4), Cause::Transport), "{finding:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn rule_3_without_an_oracle_nothing_is_verified() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let here = ["--target", proof.site.console.url(), "--username", proof.site.console.username()?, "--allow-sync"];
    let words = [&here[..], &["--journey", "sync_by_button"]].concat();
    let proved = verify(&words, proof.site.console.password()?).await?;
    let sync = proved.journey("sync_by_button")?;
    ensure!(
        (proved.code, sync.verdict, sync.verified) == (Some(3), Verdict::Inconclusive, Some(false)),
        "{}",
        sync.sentence
    );
    ensure!(sync.sentence.starts_with("Not verified"), "{}", sync.sentence);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_is_no_netbox_and_the_verdict_is_its_own() -> Result<()> {
    let world = world().await;
    let words = ["--target", world.console.url(), "--username", "admin", "--profile", "netbox-hedgehog"];
    let proved = verify(&words, &world.password).await?;
    ensure!((proved.code, proved.run.verdict) == (Some(5), RunVerdict::Mismatch), "{}", proved.run.sentence);
    ensure!(proved.run.sentence.contains("netbox-hedgehog"), "{}", proved.run.sentence);
    Ok(())
}

/// Rule 4: what is pressed goes where the page says, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn rule_4_address_method_and_token_come_from_the_page() -> Result<()> {
    let proof = Proof::start(&[]).await?;
    let proved = proof.verify(&["--journey", "test_connection"]).await?;
    proved.all_passed_but(&[])?;
    let mut user: HttpUser = proof.site.console.visitor()?;
    user.login(proof.site.console.username()?, proof.site.console.password()?).await?;
    let page = user.visit(&format!("/fabrics/{}/", proof.site.id)).await?;
    let action = page.form("#test-connection-btn")?.action;
    let exchanges = proved.run.steps.iter().flat_map(|step| &step.exchanges);
    let posts: Vec<String> = exchanges.filter(|one| one.is_write()).map(verify::exchange::Exchange::path).collect();
    ensure!(posts.iter().filter(|path| **path == action).count() == 1, "{action} among {posts:?}");
    Ok(())
}

/// Lesson 6, walked: after a sync by hand, a failure and a restart, what runs by itself goes on.
#[tokio::test(flavor = "multi_thread")]
async fn lesson_06_automatic_syncs_go_on_as_verify_sees_it() -> Result<()> {
    let mut fabric = Automatic::start(&[BY_INTERVAL]).await?;
    fabric.commit(&[("n.yaml", Some(NAMESPACES)), ("web.yaml", Some(&vpc("web", 1, 1001)))]).await?;
    fabric.until_vlan("web", 1001).await?;
    fabric.cable.set(Chaos::Cut);
    fabric.until("the cluster's absence is noticed", |status| status["sync_status"] == "error").await?;
    fabric.cable.set(Chaos::Pass);
    fabric.until("it is in sync again", |status| status["sync_status"] == "in_sync").await?;
    fabric.console.restart().await?;
    // None is made for nothing: each slot has something to do.
    let name = fabric.name.clone();
    let commits = async {
        for vlan in 1_100..1_900 {
            let text = vpc("web", 1, vlan);
            world().await.git.commit(&name, "main", &[("web.yaml", Some(&*text))], "Change").await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok::<_, anyhow::Error>(())
    };
    let words = ["--target", fabric.console.url(), "--username", fabric.console.username()?, "--allow-sync"];
    let words = [&words[..], &["--journey", "automatic_sync", "--driver", "http", "--driver", "chromium"]].concat();
    let proved = tokio::select! {
        proved = verify(&words, fabric.console.password()?) => proved?,
        ended = commits => return ended.and_then(|()| anyhow::bail!("the run did not end in time")),
    };
    ensure!(proved.run.journeys.len() == 2, "with either driver: {:?}", proved.run.journeys);
    proved.all_passed_but(&[])
}
