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

    site.hedgehog.set_agent("leaf-01", AgentMode::Offline);
    site.hedgehog.set_agent("leaf-02", AgentMode::Stuck);
    eventually(Duration::from_secs(20), "leaf-01 was last heard of ten minutes ago", || async {
        let agent = site.there("Agent", "leaf-01").await?;
        let heard = text(&agent["status"]["lastHeartbeat"]);
        let age = jiff::Timestamp::now().duration_since(heard.parse()?);
        ensure!(age.as_mins() >= 9, "{heard}");
        Ok(())
    })
    .await?;
    // Every switch knows the IPv4 namespaces.
    let files = fabric_files();
    let (path, before) = files.iter().find(|(path, _)| *path == "namespaces.yaml").context("the namespaces' file")?;
    let more = before.context("its text")?.replace("  - 10.0.0.0/16\n", "  - 10.0.0.0/16\n  - 10.1.0.0/16\n");
    site.write(path, &more).await?;
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
