//! The same in Chromium: what a person reads there is a text that is cut off in the middle of markup.

use crate::target::{World, at, condemned, fabric, right, stand_in, walk};
use anyhow::{Result, ensure};
use std::time::Duration;
use testkit::{Chaos, ChaosProxy, StandInFabric};
use verify::cause::Cause;
use verify::site::{DriverKind, Plan};
use verify::verdict::Verdict;

#[tokio::test]
async fn chromium_shows_a_text_that_tells_nothing() -> Result<()> {
    let site = stand_in().await?;
    site.add_fabric(StandInFabric::default());
    let plan = at(&site, &["session_missing", "older_tab"])?;
    let patience = Duration::from_secs(15);
    let run = walk(Plan { drivers: vec![DriverKind::Chromium], patience, ..plan }).await;
    let text = "Connection test failed: Unexpected token '<', \"";
    condemned(&run, "session_missing", Cause::UnclearMessage, &[text])?;
    // What the script was answered says why; what the person reads does not.
    condemned(&run, "older_tab", Cause::Csrf, &["status 403", "CSRF verification failed"])?;
    let shown = run.steps.iter().any(|step| step.journey == "older_tab" && step.message.contains(text));
    ensure!(shown, "the page shows {text}");
    Ok(())
}

#[tokio::test]
async fn chromium_waits_for_an_api_server_that_never_answers() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let proxy = ChaosProxy::start(&world.cluster.address()).await?;
    proxy.set(Chaos::Blackhole);
    site.add_fabric(fabric(&format!("https://{}", proxy.address()), world.cluster.admin_token()));
    let plan = world.plan(&site, &["sync_by_button"])?;
    let patience = Duration::from_secs(12);
    let run = walk(Plan { drivers: vec![DriverKind::Chromium], patience, ..plan }).await;
    condemned(&run, "sync_by_button", Cause::Unanswered, &["POST /plugins/hedgehog/fabrics/1/sync/: no answer within"])
}

#[tokio::test]
async fn chromium_sees_the_green_that_is_a_lie() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    site.add_fabric(world.fabric());
    let plan = world.plan(&site, &["login_logout", "sync_by_button"])?;
    let patience = Duration::from_secs(15);
    let run = walk(Plan { drivers: vec![DriverKind::Chromium], patience, ..plan }).await;
    right(&run, "login_logout", Verdict::Pass)?;
    let words = ["Imported: 2, Applied: 0", "of 2 differences 0 are gone"];
    condemned(&run, "sync_by_button", Cause::NoEffect, &words)?;
    world.is_untouched().await
}
