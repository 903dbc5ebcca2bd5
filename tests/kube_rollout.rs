//! Whether the switches run what the cluster holds, switch by switch.

use crate::site::{Site, all_applied, applied, fabric_files, switches, text};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::time::Duration;
use testkit::{AgentMode, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn one_switch_is_offline_and_one_is_stuck_and_the_others_have_applied_it() -> Result<()> {
    let mut site = Site::start_with(&lab::kinds::crds(), &[("HEDGEROW_COMPARE_INTERVAL", "3s")]).await?;
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    let status = site.until("every switch has applied everything", all_applied).await?;
    assert_eq!(switches(&status)?.len(), 5, "four switches and a gateway");

    site.lose_two_leaves().await?;
    site.write_for_every_switch().await?;
    let operation = site.synced().await?;
    let said = text(&operation["message"]);
    for part in ["2 of 4 switches have applied it", "leaf-01 has not been heard of", "leaf-02 has tried to apply"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let phase = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    assert_eq!((&phase["phase"], &phase["state"]), (&json!("rollout"), &json!("partial")), "{phase}");

    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "the cluster holds what Git says");
    let wanted = [
        ("gw-1", "applied"),
        ("leaf-01", "offline"),
        ("leaf-02", "stuck"),
        ("leaf-03", "applied"),
        ("spine-01", "applied"),
    ];
    assert_eq!(switches(&status)?, wanted.map(|(name, state)| (name.to_owned(), state.to_owned())).into());
    assert_eq!(applied(&status)["state"], "blocked", "{}", applied(&status));
    let page = site.page().await?;
    let rows = page.texts("section[data-live=switches] tbody tr");
    for (name, state) in wanted {
        let row = rows.iter().find(|row| row.contains(name)).with_context(|| format!("{name}: {rows:?}"))?;
        assert!(row.to_lowercase().contains(state), "{state}: {row}");
    }
    let object = site.object_page("IPv4Namespace.vpc.githedgehog.com", "default").await?;
    let rows = object.texts("section[data-live=object-rollout] tbody tr");
    for (name, state) in wanted.into_iter().filter(|(name, _)| *name != "gw-1") {
        let row = rows.iter().find(|row| row.contains(name)).with_context(|| format!("{name}: {rows:?}"))?;
        assert!(row.to_lowercase().contains(state), "{state}: {row}");
    }

    for leaf in ["leaf-01", "leaf-02"] {
        site.hedgehog.set_agent(leaf, AgentMode::Working);
    }
    site.until("both are back and have applied it", all_applied).await?;
    let rows = site.page().await?.texts("section[data-live=switches] tbody tr");
    assert!(rows.iter().all(|row| row.contains("Applied")), "{rows:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_has_to_reboot_and_one_that_does_are_told_from_applied() -> Result<()> {
    let mut site = Site::start_with(&lab::kinds::crds(), &[("HEDGEROW_COMPARE_INTERVAL", "3s")]).await?;
    site.commit(&fabric_files()).await?;
    let synced = site.synced().await?;
    let followed = synced["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    let names: Vec<String> =
        followed["switches"].as_array().into_iter().flatten().map(|switch| text(&switch["agent"])).collect();
    assert_eq!(names.len(), 5, "the run keeps each switch that it followed: {followed}");
    let page = site.operation_page(&synced).await?;
    assert_eq!(page.texts("tr[data-switch]").len(), 5, "and its page shows them when it is over");
    site.until("every switch has applied everything", all_applied).await?;
    assert_eq!(site.status().await?["cause"], json!(null), "nothing stands in the way");

    let boot = text(&site.there("Agent", "leaf-01").await?["status"]["bootID"]);
    site.client.patch_status("Agent", "leaf-01", &json!({"rebootRequired": true})).await?;
    let is = |state: &'static str| {
        move |status: &serde_json::Value| {
            switches(status).is_ok_and(|all| all.get("leaf-01").is_some_and(|s| s == state))
        }
    };
    let status = site.until("leaf-01 has to reboot", is("reboot_required")).await?;
    assert_eq!(status["sync_status"], "in_sync", "the cluster holds what Git says");
    assert_eq!(applied(&status)["state"], "blocked", "{}", applied(&status));
    assert_eq!(
        (&status["cause"]["kind"], &status["cause"]["evidence"]["what"]),
        (&json!("rollout"), &json!("switches"))
    );
    assert!(text(&status["cause"]["sentence"]).contains("leaf-01 takes over generation"), "{}", status["cause"]);
    let page = site.page().await?;
    let sentence = page.text("[data-live=head] .sentence").context("the sentence")?;
    assert!(sentence.contains("leaf-01 takes over generation"), "{sentence}");
    let rows = page.texts("section[data-live=switches] tbody tr");
    assert!(rows.first().is_some_and(|row| row.contains("leaf-01") && row.contains("Reboot required")), "{rows:?}");

    // As kubectl fabric asks for one: the boot that is to end.
    site.client.patch("Agent", "leaf-01", &json!({"spec": {"reboot": boot}})).await?;
    let status = site.until("leaf-01 reboots", is("rebooting")).await?;
    assert_eq!(applied(&status)["state"], "underway", "it comes back by itself: {}", applied(&status));
    Ok(())
}

/// Every switch runs the fabric. Then there is more for all of them, and nothing that would bring it to them: a run waits
/// for them until its limit.
async fn more_for_every_switch(site: &mut Site) -> Result<()> {
    site.commit(&fabric_files()).await?;
    site.synced().await?;
    site.hedgehog.set_controller(false);
    let files = fabric_files();
    let (path, before) = files.iter().find(|(path, _)| *path == "namespaces.yaml").context("the namespaces' file")?;
    let more = before.context("its text")?.replace("  - 10.0.0.0/16\n", "  - 10.0.0.0/16\n  - 10.1.0.0/16\n");
    site.write(path, &more).await.map(drop)
}

/// Asks for a sync as a script does, and gives the operation's address.
async fn begin(site: &mut Site) -> Result<String> {
    let page = site.page().await?;
    let path = format!("/fabrics/{}/sync/", site.id);
    let csrf = crate::world::token(&page)?;
    let answer = site.user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?.json()?;
    Ok(answer["operation"]["url"].as_str().with_context(|| format!("no operation: {answer}"))?.to_owned())
}

/// Waits until an operation follows the switches, which is all that is left for it to do.
async fn follows(site: &mut Site, place: &str) -> Result<()> {
    let user = tokio::sync::Mutex::new(&mut site.user);
    eventually(Duration::from_secs(30), "the switches are waited for", || async {
        let operation = user.lock().await.script("GET", place, &[], None).await?.json()?;
        let last = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
        ensure!(last["state"] == "running", "{operation}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_only_waits_for_switches_makes_way_for_the_next_one() -> Result<()> {
    let mut site = Site::start_with(&lab::kinds::crds(), &[("HEDGEROW_ROLLOUT_WAIT", "10m")]).await?;
    more_for_every_switch(&mut site).await?;
    let first = begin(&mut site).await?;
    follows(&mut site, &first).await?;
    // Somebody changes what it has written: a press now must not get it back.
    let kind = "IPv4Namespace";
    let wanted = site.there(kind, "default").await?["spec"].clone();
    site.client.patch(kind, "default", &json!({"spec": {"subnets": ["10.0.0.0/16", "10.9.0.0/16"]}})).await?;
    let second = begin(&mut site).await?;
    assert_ne!(second, first, "what has written everything is not the same as a new run");
    let ended = crate::world::ended(&mut site.user, &first).await?;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert!(text(&ended["message"]).contains("Another operation of this fabric waits"), "{ended}");
    follows(&mut site, &second).await?;
    assert_eq!(site.there(kind, "default").await?["spec"], wanted, "the press was a sync");
    site.hedgehog.set_controller(true);
    let ended = crate::world::ended(&mut site.user, &second).await?;
    assert_eq!(ended["state"], "succeeded", "{ended}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_live_by_the_deadline_ends_as_live_and_not_as_out_of_time() -> Result<()> {
    let mut site = Site::start_with(&lab::kinds::crds(), &[("HEDGEROW_ROLLOUT_WAIT", "10m")]).await?;
    more_for_every_switch(&mut site).await?;
    site.limit(Duration::from_secs(25)).await?;
    let began = std::time::Instant::now();
    let (operation, _) = site.sync().await?;
    assert_eq!(operation["state"], "succeeded", "{operation}");
    assert!(began.elapsed() > Duration::from_secs(15), "the switches were waited for");
    let phase = operation["phases"].as_array().and_then(|all| all.last()).context("the last phase")?;
    assert_eq!((&phase["phase"], &phase["state"]), (&json!("rollout"), &json!("partial")), "{phase}");
    let status = site.status().await?;
    assert_eq!(status["sync_status"], "in_sync", "{status}");
    assert_ne!(applied(&status)["state"], "done", "{}", applied(&status));
    Ok(())
}
