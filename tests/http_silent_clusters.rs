//! Sixty clusters that accept and never answer, with operations on all of them: no other fabric and no page is slower.

use crate::apart::{Apart, Database, SOON};
use crate::world::{NAMESPACES, add_fabric, endpoint, press, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};
use testkit::{Chaos, ChaosProxy, eventually};

const SILENT: usize = 60;

/// The slowest of a few pages, asked a few times.
pub(crate) async fn slowest_page(apart: &Apart, pages: &[String]) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    let mut tab = apart.tab()?;
    for _ in 0..3 {
        for path in pages {
            let began = Instant::now();
            let page = tab.visit(path).await?;
            slowest = slowest.max(began.elapsed());
            ensure!(page.status == 200, "{path}: {}", page.status);
        }
    }
    Ok(slowest)
}

/// How long an operation waited in the queue, in milliseconds.
pub(crate) async fn waited(apart: &Apart, operation: &Value) -> Result<i64> {
    let id = operation["id"].as_i64().context("its number")?;
    let sql = format!("SELECT (started_at - queued_at) / 1000 FROM operations WHERE id = {id}");
    Ok(apart.sql(&sql).await?.parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_48_operations_on_sixty_silent_clusters_slow_nobody_down() -> Result<()> {
    // Fewer places than silent clusters: even so, none of them may be waited for by anybody else.
    let mut apart = Apart::start(Database::Sqlite, &[("HEDGEROW_OPERATION_PARALLEL", "8")]).await?;
    let healthy = apart.fabric().await?;
    healthy.syncs(&mut apart.user).await?;
    let pages = ["/", "/fabrics/"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("/fabrics/{}/", healthy.id)])
        .collect::<Vec<_>>();

    // They stand before an API server that answers; nothing comes through.
    let plane = &world().await.plane;
    let (cable, other_cable) = (ChaosProxy::start(&plane.address()).await?, ChaosProxy::start(&plane.address()).await?);
    cable.set(Chaos::Blackhole);
    other_cable.set(Chaos::Blackhole);
    let (token, ca) = (plane.admin_token(), plane.ca_certificate());
    let mut silent = Vec::new();
    for n in 0..SILENT {
        let name = format!("silent-{n:02}");
        let server = format!("https://{}", if n + 1 < SILENT { &cable } else { &other_cable }.address());
        let own = [("name", name.as_str()), ("namespace", name.as_str())];
        let fields: Vec<(&str, &str)> = own.into_iter().chain(endpoint(&server, token, ca)).collect();
        silent.push(add_fabric(&mut apart.user, &fields).await?);
    }
    // The measure is the same console with as many fabrics, and nothing under way.
    let before = slowest_page(&apart, &pages).await?;
    for id in &silent {
        for verb in ["sync_to_kubernetes", "sync_from_fabric"] {
            let page = apart.user.visit(&format!("/fabrics/{id}/")).await?;
            let answer = apart.user.submit(&page, &format!("form[data-verb={verb}]"), &[]).await?;
            ensure!(answer.status == 303, "{}", answer.visible_text());
        }
    }
    let open = "SELECT count(*) FROM operations WHERE state IN ('queued', 'running')";
    let under_way = apart.sql(open).await?.parse::<usize>()?;
    ensure!(under_way > SILENT / 2, "only {under_way} operations are under way");

    let during = slowest_page(&apart, &pages).await?;
    ensure!(during < before * 4 + Duration::from_secs(2), "the slowest page took {during:?}, before {before:?}");
    // Each sync of the healthy fabric delivers something new, and does not wait for those that hang.
    for n in 1..=3 {
        let text = format!("{NAMESPACES}---\n{}", crate::world::vpc("vpc-09", 9, 1100 + n));
        world().await.git.commit(&healthy.name, "main", &[("namespaces.yaml", Some(&text))], "Change").await?;
        let done = healthy.syncs(&mut apart.user).await?;
        let ms = waited(&apart, &done).await?;
        ensure!(ms <= 2000, "sync {n} waited {ms} ms for its turn");
        let live = healthy.live("vpc-09").await?.context("it is in the cluster")?;
        ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1100 + n, "{live}");
    }
    let still = apart.sql(open).await?.parse::<usize>()?;
    ensure!(still > 0, "the silent ones were under way all the time");

    // A restart forgets who answers. What waited still waits, and the healthy one is found out before the others.
    apart.console.stop().await?;
    let stopped = jiff::Timestamp::now();
    apart.console.resume().await?;
    eventually(SOON, "the healthy one was compared again", || async {
        let status = healthy.status(&mut apart.tab()?).await?;
        let at: jiff::Timestamp = status["last_comparison"].as_str().context("a time")?.parse()?;
        ensure!(at > stopped, "{at}");
        Ok(())
    })
    .await?;
    let waiting = apart.sql("SELECT count(*) FROM operations WHERE state = 'queued'").await?.parse::<usize>()?;
    ensure!(waiting > 8, "{waiting} of the silent ones wait for their turn");
    let done = healthy.syncs(&mut apart.user).await?;
    let ms = waited(&apart, &done).await?;
    ensure!(ms <= 2000, "after a restart it waited {ms} ms for its turn");

    // Cancelled, they are gone at once; and each of them ends by itself, too.
    let waiting = "SELECT id FROM operations WHERE state IN ('queued', 'running')";
    let ids = apart.sql(waiting).await?;
    for id in ids.lines().take(10) {
        let page = apart.user.visit(&format!("/operations/{id}/")).await?;
        if page.attribute("#cancel-btn", "class")?.is_some() {
            let answer = apart.user.submit(&page, "form[data-verb=cancel]", &[]).await?;
            ensure!(answer.status == 303, "{}", answer.visible_text());
        }
    }
    // One recovers while the others stay silent: what somebody asks of it is done before long.
    let recovered = silent[SILENT - 1];
    other_cable.set(Chaos::Cut);
    other_cable.set(Chaos::Pass);
    let done = press(&mut apart.user, recovered, "test_connection").await?;
    let ms = waited(&apart, &done).await?;
    ensure!(ms <= 30_000, "it waited {ms} ms for its turn");
    let answered = done["phases"].to_string();
    ensure!(!answered.contains("connection_failed") && done["code"] != "connection_failed", "{done}");

    // Each of the others ends by itself, too.
    cable.set(Chaos::Cut);
    eventually(SOON * 5, "all of them have ended", || async {
        let left = apart.sql(open).await?;
        ensure!(left == "0", "{left} have not");
        Ok(())
    })
    .await?;
    let good = "SELECT count(*) FROM operations WHERE state NOT IN ('failed', 'cancelled', 'interrupted')";
    assert_eq!(
        apart.sql(&format!("{good} AND fabric_id NOT IN ({}, {recovered})", healthy.id)).await?,
        "0",
        "each failed with its reason, or was cancelled"
    );
    Ok(())
}
