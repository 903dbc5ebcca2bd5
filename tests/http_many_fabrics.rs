//! Two hundred fabrics in one console that all sync by themselves, on one real API server: none is forgotten, they do not
//! march in step, and a person waits for none of them.

use crate::apart::{Apart, Database, SOON};
use crate::http_silent_clusters::{slowest_page, waited};
use crate::world::{NAMESPACES, add_fabric, press, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use testkit::eventually;

const FABRICS: usize = 200;
/// A round of all of them on a busy machine.
const ROUND: Duration = Duration::from_secs(360);

/// Waits until the cluster of every fabric has this VLAN.
async fn delivered(prefix: &str, vlan: u16) -> Result<()> {
    let client = world().await.plane.client()?;
    eventually(ROUND, "every cluster has it", || async {
        let vpcs = client.list("VPC").await?;
        let of_these =
            vpcs.iter().filter(|vpc| vpc["metadata"]["namespace"].as_str().is_some_and(|n| n.starts_with(prefix)));
        let there = of_these.filter(|vpc| vpc["spec"]["subnets"]["default"]["vlan"] == vlan).count();
        ensure!(there == FABRICS, "{there} of {FABRICS} have it");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_fabrics_sync_by_themselves_and_none_starves() -> Result<()> {
    let world = world().await;
    let repository = format!("many-{}", std::process::id());
    world.git.create_repo(&repository).await?;
    let commit = async |vlan: u16| {
        let web = vpc("web", 1, vlan);
        let files = [("namespaces.yaml", Some(NAMESPACES)), ("web.yaml", Some(web.as_str()))];
        world.git.commit(&repository, "main", &files, "Change").await
    };
    commit(1001).await?;
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let (url, kubeconfig, client) = (world.git.url(&repository), world.plane.kubeconfig_admin(), world.plane.client()?);
    let mut ids = Vec::new();
    for n in 0..FABRICS {
        let name = format!("{repository}-{n:03}");
        client.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await?;
        let fields = [
            ("name", name.as_str()),
            ("namespace", &name),
            ("cluster_kind", "kubeconfig"),
            ("kubeconfig", &kubeconfig),
            ("source_url", &url),
            ("branch", "main"),
            ("credential_kind", "token"),
            ("source_username", "hedgerow"),
            ("source_token", "git-token-1"),
            ("sync_interval", "1 min"),
        ];
        ids.push(add_fabric(&mut apart.user, &fields).await?);
    }
    let prefix = format!("{repository}-");
    delivered(&prefix, 1001).await?;

    // The next round, while somebody works: each press is served at once, and the lists come as ever.
    commit(1002).await?;
    let mut waits = Vec::new();
    for id in ids.iter().step_by(FABRICS / 5) {
        let done = press(&mut apart.user, *id, "sync_from_git").await?;
        ensure!(done["state"] == "succeeded", "{done}");
        waits.push(waited(&apart, &done).await?);
    }
    // The middle one of five: a busy machine may hold up one of them.
    waits.sort_unstable();
    ensure!(waits[2] <= 2000, "presses waited so many ms for their turn: {waits:?}");
    let slowest = slowest_page(&apart, &["/".to_owned(), "/fabrics/".to_owned()]).await?;
    ensure!(slowest < Duration::from_secs(4), "a list took {slowest:?}");
    delivered(&prefix, 1002).await?;

    eventually(SOON, "what was delivered is noted", || async {
        let open = apart.sql("SELECT count(*) FROM operations WHERE state IN ('queued', 'running')").await?;
        ensure!(open == "0", "{open} are under way");
        Ok(())
    })
    .await?;
    // By whom: each by its own interval, and all of them well.
    let of_schedule = "SELECT count(DISTINCT fabric_id) FROM operations WHERE actor = 'system:schedule'";
    assert_eq!(apart.sql(of_schedule).await?, FABRICS.to_string());
    let bad = "SELECT id, fabric_id, state, message FROM operations WHERE state <> 'succeeded'";
    assert_eq!(apart.sql(bad).await?, "");
    // Their slots are spread over the minute: no tenth of it has more than a quarter of them.
    let slots = apart.sql("SELECT key FROM operation_keys WHERE key LIKE 'system:%:interval:%'").await?;
    let mut tenths: HashMap<i64, usize> = HashMap::new();
    for slot in slots.lines().filter_map(|key| key.rsplit(':').next()) {
        let second: i64 = slot.parse().with_context(|| format!("a slot: {slot}"))?;
        *tenths.entry(second.rem_euclid(60) / 6).or_default() += 1;
    }
    let (most, all) = (tenths.values().max().copied().unwrap_or_default(), tenths.values().sum::<usize>());
    ensure!(all >= 2 * FABRICS && most <= all / 4, "{tenths:?}");
    Ok(())
}
