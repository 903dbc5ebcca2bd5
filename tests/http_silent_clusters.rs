//! Sixty clusters that accept and never answer, with operations on all of them: no other fabric and no page is slower.

use crate::apart::{Apart, Database, SOON};
use crate::world::{NAMESPACES, add_fabric, endpoint, world};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};
use testkit::eventually;
use tokio::net::TcpListener;

const SILENT: usize = 60;

/// The slowest of a few pages, asked a few times.
async fn slowest_page(apart: &Apart, pages: &[String]) -> Result<Duration> {
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

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let server = format!("https://{}", listener.local_addr()?);
    let accepting = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((connection, _)) = listener.accept().await {
            open.push(connection);
        }
    });
    let ca = world().await.plane.ca_certificate();
    let mut silent = Vec::new();
    for n in 0..SILENT {
        let name = format!("silent-{n:02}");
        let own = [("name", name.as_str()), ("namespace", name.as_str())];
        let fields: Vec<(&str, &str)> = own.into_iter().chain(endpoint(&server, "token", ca)).collect();
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
    ensure!(under_way > SILENT, "only {under_way} operations are under way");

    let during = slowest_page(&apart, &pages).await?;
    ensure!(during < before * 4 + Duration::from_secs(2), "the slowest page took {during:?}, before {before:?}");
    // Each sync of the healthy fabric delivers something new, and does not wait for those that hang.
    for n in 1..=3 {
        let text = format!("{NAMESPACES}---\n{}", crate::world::vpc("vpc-09", 9, 1100 + n));
        world().await.git.commit(&healthy.name, "main", &[("namespaces.yaml", Some(&text))], "Change").await?;
        let began = Instant::now();
        healthy.syncs(&mut apart.user).await?;
        ensure!(began.elapsed() < Duration::from_secs(20), "sync {n} took {:?}", began.elapsed());
        let live = healthy.live("vpc-09").await?.context("it is in the cluster")?;
        ensure!(live["spec"]["subnets"]["default"]["vlan"] == 1100 + n, "{live}");
    }
    let still = apart.sql(open).await?.parse::<usize>()?;
    ensure!(still > 0, "the silent ones were under way all the time");

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
    accepting.abort();
    eventually(SOON * 5, "all of them have ended", || async {
        let left = apart.sql(open).await?;
        ensure!(left == "0", "{left} have not");
        Ok(())
    })
    .await?;
    let good = "SELECT count(*) FROM operations WHERE state NOT IN ('failed', 'cancelled') AND fabric_id <> ";
    assert_eq!(
        apart.sql(&format!("{good}{}", healthy.id)).await?,
        "0",
        "each failed with its reason, or was cancelled"
    );
    Ok(())
}
