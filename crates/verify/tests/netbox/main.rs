//! The profile `netbox-hedgehog`, walked at our stand-in for the predecessor, which is no NetBox and lies where that was
//! seen to: each lie is condemned, for its own reason, and nothing is found wrong with what is right.

mod browser;
mod mismatch;
mod target;
mod third_party;

use anyhow::{Result, ensure};
use std::time::{Duration, Instant};
use target::{World, at, condemned, fabric, right, stand_in, walk};
use testkit::{Access, Chaos, ChaosProxy, StandInFabric, StandInStatus};
use verify::cause::Cause;
use verify::site::Plan;
use verify::verdict::{RunVerdict, Verdict};

#[tokio::test]
async fn a_good_cluster_and_nothing_is_done() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let id = site.add_fabric(world.fabric());
    let run = walk(world.plan(&site, &["sync_by_button", "sync_from_fabric", "test_connection"])?).await;
    // The server that only Git has, and the description that verify planted.
    let words = ["Imported: 2, Applied: 0", "of 2 differences 0 are gone", "server-3: it is not in the cluster"];
    condemned(&run, "sync_by_button", Cause::NoEffect, &words)?;
    assert_eq!(site.stored_status(id), Some(StandInStatus::InSync), "it was green");
    // Reading the cluster is what these two are for, and they did.
    right(&run, "sync_from_fabric", Verdict::Pass)?;
    right(&run, "test_connection", Verdict::Pass)?;
    assert_eq!((run.verdict, run.exit_code), (RunVerdict::Fail, 1));
    world.is_untouched().await
}

/// A token that lists nothing: the sync is green, and says that it read nothing, where the oracle reads two objects.
async fn reads_nothing(world: &World, token: &str) -> Result<()> {
    let site = stand_in().await?;
    let id = site.add_fabric(fabric(&world.cluster.url(), token));
    let run = walk(world.plan(&site, &["sync_by_button", "sync_from_fabric"])?).await;
    for name in ["sync_by_button", "sync_from_fabric"] {
        let words = ["Imported: 0, Applied: 0", "the oracle reads 2 objects in default"];
        condemned(&run, name, Cause::FailureCalledSuccess, &words)?;
    }
    ensure!(site.stored_status(id) == Some(StandInStatus::InSync) && site.last_sync(id).is_some(), "it was green");
    world.is_untouched().await
}

#[tokio::test]
async fn a_token_that_the_cluster_refuses() -> Result<()> {
    let world = World::start().await?;
    reads_nothing(&world, "a token that was revoked").await
}

#[tokio::test]
async fn a_token_without_rights() -> Result<()> {
    let world = World::start().await?;
    let nobody = world.cluster.token_user("nobody", &Access::none()).await?;
    reads_nothing(&world, &nobody.token).await
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let proxy = ChaosProxy::start(&world.cluster.address()).await?;
    proxy.set(Chaos::Cut);
    let gone = fabric(&format!("https://{}", proxy.address()), world.cluster.admin_token());
    site.add_fabric(StandInFabric { name: "gone".to_owned(), status: StandInStatus::InSync, ..gone });
    let plan = world.plan(&site, &["unreachable", "sync_by_button", "test_connection"])?;
    let run = walk(Plan { unreachable_fabric: Some("gone".to_owned()), ..plan }).await;
    let words = ["Fabric sync completed", "and beside it"];
    condemned(&run, "unreachable", Cause::FailureCalledSuccess, &words)?;
    condemned(&run, "sync_by_button", Cause::FailureCalledSuccess, &words)?;
    // Its connection test says that it failed, and that is right.
    right(&run, "test_connection", Verdict::Inconclusive)?;
    let checks = &target::journey(&run, "unreachable")?.checks;
    let told =
        checks.iter().any(|one| one.expected.contains("“Test Connection” of a fabric") && one.held == Some(true));
    ensure!(told, "{checks:?}");
    Ok(())
}

#[tokio::test]
async fn an_authority_that_was_given() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let ca = Some(world.cluster.ca_certificate().to_owned());
    site.add_fabric(StandInFabric { ca, status: StandInStatus::InSync, ..world.fabric() });
    let run = walk(world.plan(&site, &["sync_by_button", "test_connection"])?).await;
    condemned(&run, "sync_by_button", Cause::FailureCalledSuccess, &["Fabric sync completed", "certificate"])?;
    right(&run, "test_connection", Verdict::Pass)
}

#[tokio::test]
async fn no_server_is_set_and_it_says_so() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    site.add_fabric(StandInFabric::default());
    let run = walk(world.plan(&site, &["sync_by_button", "test_connection"])?).await;
    right(&run, "sync_by_button", Verdict::Inconclusive)?;
    let sentence = &target::journey(&run, "sync_by_button")?.sentence;
    ensure!(
        sentence.contains("Reconciliation failed to initialize") && sentence.contains("The oracle agrees"),
        "{sentence}"
    );
    right(&run, "test_connection", Verdict::Inconclusive)?;
    assert_eq!(run.verdict, RunVerdict::Inconclusive);
    world.is_untouched().await
}

#[tokio::test]
async fn an_api_server_that_never_answers() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let proxy = ChaosProxy::start(&world.cluster.address()).await?;
    proxy.set(Chaos::Blackhole);
    site.add_fabric(fabric(&format!("https://{}", proxy.address()), world.cluster.admin_token()));
    let began = Instant::now();
    let plan = world.plan(&site, &["sync_by_button"])?;
    let run = walk(Plan { patience: Duration::from_secs(3), ..plan }).await;
    condemned(&run, "sync_by_button", Cause::Unanswered, &["/sync/: no answer: nothing came within 3 s"])?;
    ensure!(began.elapsed() < Duration::from_secs(30), "it was waited for {:?}", began.elapsed());
    world.is_untouched().await
}

#[tokio::test]
async fn a_session_that_is_gone_and_a_token_that_is_not_the_pages() -> Result<()> {
    let site = stand_in().await?;
    let id = site.add_fabric(StandInFabric::default());
    let run = walk(at(&site, &["session_missing", "csrf", "older_tab"])?).await;
    condemned(&run, "session_missing", Cause::LoginPageWith200, &["status 200 at /login/"])?;
    condemned(&run, "csrf", Cause::MarkupForScript, &["text/html", "status 403"])?;
    condemned(&run, "older_tab", Cause::Csrf, &["status 403", "CSRF verification failed"])?;
    assert_eq!(site.syncs(id), 0);
    Ok(())
}

#[tokio::test]
async fn what_is_right_is_not_condemned() -> Result<()> {
    let (site, lab) = (stand_in().await?, lab::Lab::start(lab::Options::default()).await?);
    site.add_fabric(fabric(&lab.url(), lab.token()));
    let run = walk(at(&site, &["login_logout", "wrong_password", "permission", "crawl"])?).await;
    for name in ["login_logout", "wrong_password", "permission", "crawl"] {
        right(&run, name, Verdict::Pass)?;
    }
    assert_eq!((run.verdict, run.exit_code), (RunVerdict::Pass, 0), "{}", run.sentence);
    Ok(())
}

#[tokio::test]
async fn a_page_for_everybody_and_a_check_that_nobody_made() -> Result<()> {
    let site = stand_in().await?;
    site.add_fabric(StandInFabric::default());
    let run = walk(at(&site, &["fabric_page", "status_agrees"])?).await;
    condemned(&run, "fabric_page", Cause::OpenToStrangers, &["status 200", "Sync from Git"])?;
    condemned(&run, "status_agrees", Cause::NeverChecked, &["the same page says “Last Drift Check: Never”"])
}

#[tokio::test]
async fn statuses_that_disagree_and_one_that_lies() -> Result<()> {
    let (site, world) = (stand_in().await?, World::start().await?);
    let good = StandInFabric { status: StandInStatus::InSync, ..world.fabric() };
    let error = Some("connection refused".to_owned());
    site.add_fabric(StandInFabric { name: "east".to_owned(), error, ..good.clone() });
    site.add_fabric(StandInFabric { name: "west".to_owned(), ..good });
    let plan = world.plan(&site, &["status_agrees"])?;
    let east = walk(Plan { fabric: Some("east".to_owned()), ..plan.clone() }).await;
    condemned(
        &east,
        "status_agrees",
        Cause::StatusDisagrees,
        &["list: in_sync", "page: error", "API /sync_status: in_sync"],
    )?;
    let west = walk(Plan { fabric: Some("west".to_owned()), ..plan }).await;
    condemned(&west, "status_agrees", Cause::StatusLies, &["server-3: it is not in the cluster"])
}

#[tokio::test]
async fn two_presses_run_twice() -> Result<()> {
    let (site, lab) = (stand_in().await?, lab::Lab::start(lab::Options::default()).await?);
    let id = site.add_fabric(fabric(&lab.url(), lab.token()));
    let run = walk(at(&site, &["double_click", "two_users"])?).await;
    for name in ["double_click", "two_users"] {
        condemned(&run, name, Cause::RanTwice, &["each was answered as done"])?;
    }
    assert_eq!(site.syncs(id), 4);
    Ok(())
}

#[tokio::test]
async fn the_clusters_token_is_shown() -> Result<()> {
    let (site, token) = (stand_in().await?, "the token of a cluster, in clear");
    site.add_fabric(StandInFabric { token: token.to_owned(), ..StandInFabric::default() });
    // The first of the two meets it, too, and fails of something else.
    let plan = at(&site, &["status_agrees", "secrets"])?;
    let told = vec![("the token of the cluster".to_owned(), token.into())];
    let run = walk(Plan { secrets: told, ..plan.clone() }).await;
    condemned(
        &run,
        "secrets",
        Cause::SecretShown,
        &["the token of the cluster", "GET /api/plugins/hedgehog/fabrics/1/"],
    )?;
    ensure!(!serde_json::to_string(&run)?.contains(token), "the record holds it");
    // A token that verify was not told of is known by the name of its field, and does not stand in the record either.
    let run = walk(plan).await;
    condemned(&run, "secrets", Cause::SecretShown, &["the field kubernetes_token in the answer to GET /api/"])?;
    ensure!(!serde_json::to_string(&run)?.contains(token), "the record holds it");
    // The control: where there is none, none is shown.
    let site = stand_in().await?;
    site.add_fabric(StandInFabric::default());
    right(&walk(at(&site, &["secrets"])?).await, "secrets", Verdict::Pass)
}
