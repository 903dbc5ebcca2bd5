//! Many fabrics in one console that all sync by themselves, on one real API server, some of them before clusters that
//! accept and never answer: none is forgotten, they do not march in step, and no page and no person waits for them.
//!
//! CI plays forty; `HEDGEROW_MANY_FABRICS=200` plays two hundred, and prints what it measured.

use crate::apart::{Apart, Database, SOON};
use crate::http_silent_clusters::waited;
use crate::world::{NAMESPACES, add_fabric, endpoint, press, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use testkit::{Chaos, ChaosProxy, HttpUser, eventually};
use tokio::sync::oneshot;

/// How many there are unless somebody says otherwise.
const USUAL: usize = 40;
/// One of so many stands before a cluster that never answers.
const SILENT_OF: usize = 10;
/// A page that takes longer waits for something.
const SLOW: Duration = Duration::from_secs(3);
/// A round of all of them on a busy machine.
const ROUND: Duration = Duration::from_secs(900);

fn how_many() -> Result<usize> {
    match std::env::var("HEDGEROW_MANY_FABRICS") {
        Ok(number) => number.parse().with_context(|| format!("HEDGEROW_MANY_FABRICS is no number: {number}")),
        Err(_) => Ok(USUAL),
    }
}

/// Waits until the cluster of so many fabrics has this VLAN.
async fn delivered(prefix: &str, vlan: u16, fabrics: usize) -> Result<()> {
    let client = world().await.plane.client()?;
    eventually(ROUND, "every cluster that answers has it", || async {
        let vpcs = client.list("VPC").await?;
        let of_these =
            vpcs.iter().filter(|vpc| vpc["metadata"]["namespace"].as_str().is_some_and(|n| n.starts_with(prefix)));
        let there = of_these.filter(|vpc| vpc["spec"]["subnets"]["default"]["vlan"] == vlan).count();
        ensure!(there == fabrics, "{there} of {fabrics} have it");
        Ok(())
    })
    .await
}

/// How long pages took, by address, and the slowest word that the console lives while each was on its way: what the
/// machine itself did meanwhile.
type Took = BTreeMap<String, Vec<(Duration, Duration)>>;

/// Asks for a page, and all the time for a word that the console lives, which nothing but the machine can hold up.
async fn ask(user: &mut HttpUser, path: &str) -> Result<(Duration, Duration)> {
    let began = Instant::now();
    let mut other = user.clone();
    let mut slowest = Duration::ZERO;
    let living = async {
        loop {
            let began = Instant::now();
            other.visit("/healthz").await?;
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let page = tokio::select! {
        page = user.visit(path) => page?,
        Err::<(), anyhow::Error>(e) = living => return Err(e),
    };
    ensure!(page.status == 200, "{path}: {} {}", page.status, page.visible_text());
    Ok((began.elapsed(), slowest))
}

/// Asks for pages in turn, as somebody does who has them open, until it is told to stop. Each has to come.
async fn look_at(mut user: HttpUser, pages: Vec<String>, mut stop: oneshot::Receiver<()>) -> Result<Took> {
    let mut took = Took::new();
    for path in pages.iter().cycle() {
        took.entry(path.clone()).or_default().push(ask(&mut user, path).await?);
        tokio::select! {
            _ = &mut stop => break,
            () = tokio::time::sleep(Duration::from_millis(200)) => {}
        }
    }
    Ok(took)
}

/// No page was slow, whatever was under way, but for what the machine made of it.
#[expect(clippy::print_stdout, reason = "who plays two hundred wants to know")]
fn ensure_fast(when: &str, took: &Took) -> Result<()> {
    for (path, took) in took {
        let mut sorted: Vec<Duration> = took.iter().map(|(took, _)| *took).collect();
        sorted.sort_unstable();
        let of = |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len() - 1));
        println!("{when}: {path} {} times, p50 {:?}, p99 {:?}", sorted.len(), of(50), of(99));
        let is_slow = |(took, machine): &(Duration, Duration)| *took > SLOW + *machine * 10;
        ensure!(!took.iter().any(is_slow), "{when}: {path}, and a word that the console lives, took {took:?}");
    }
    Ok(())
}

/// What the console takes of memory, in mebibytes.
fn memory(apart: &Apart) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", apart.console.id()?))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_fabrics_sync_by_themselves_and_none_starves() -> Result<()> {
    let (world, fabrics) = (world().await, how_many()?);
    let silent = fabrics / SILENT_OF;
    let healthy = fabrics - silent;
    let repository = format!("many-{}", std::process::id());
    world.git.create_repo(&repository).await?;
    let commit = async |vlan: u16| {
        let web = vpc("web", 1, vlan);
        let files = [("namespaces.yaml", Some(NAMESPACES)), ("web.yaml", Some(web.as_str()))];
        world.git.commit(&repository, "main", &files, "Change").await
    };
    commit(1001).await?;
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let cable = ChaosProxy::start(&world.plane.address()).await?;
    cable.set(Chaos::Blackhole);
    let (url, server) = (world.git.url(&repository), format!("https://{}", cable.address()));
    let (kubeconfig, client) = (world.plane.kubeconfig_admin(), world.plane.client()?);
    let nobody = endpoint(&server, world.plane.admin_token(), world.plane.ca_certificate());
    let started = Instant::now();
    let mut ids = Vec::new();
    for n in 0..fabrics {
        let name = format!("{repository}-{n:03}");
        client.create(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})).await?;
        let own = [
            ("name", name.as_str()),
            ("namespace", &name),
            ("source_url", &url),
            ("branch", "main"),
            ("credential_kind", "token"),
            ("source_username", "hedgerow"),
            ("source_token", "git-token-1"),
            ("sync_interval", "1 min"),
        ];
        let cluster: &[(&str, &str)] = match n % SILENT_OF {
            0 => &nobody,
            _ => &[("cluster_kind", "kubeconfig"), ("kubeconfig", &kubeconfig)],
        };
        let id = add_fabric(&mut apart.user, &[&own, cluster].concat()).await?;
        if n % SILENT_OF != 0 {
            ids.push(id);
        }
    }
    println!("{fabrics} fabrics were added in {:?}", started.elapsed());
    let own = format!("/fabrics/{}/", ids[0]);
    let pages: Vec<String> = ["/", "/fabrics/?page=2", "/activity/", &own].map(str::to_owned).into();
    let (stop, stopped) = oneshot::channel();
    let looking = tokio::spawn(look_at(apart.tab()?, pages.clone(), stopped));
    let prefix = format!("{repository}-");
    delivered(&prefix, 1001, healthy).await?;
    println!("the first commit was delivered after {:?}", started.elapsed());
    drop(stop);
    ensure_fast("the first round", &looking.await??)?;

    // The next round, while somebody works: each press is served at once, and the pages come as ever.
    commit(1002).await?;
    let began = Instant::now();
    let (stop, stopped) = oneshot::channel();
    let looking = tokio::spawn(look_at(apart.tab()?, pages.clone(), stopped));
    let mut waits = Vec::new();
    for id in ids.iter().step_by(healthy / 5) {
        let done = press(&mut apart.user, *id, "sync_from_git").await?;
        ensure!(done["state"] == "succeeded", "{done}");
        waits.push(waited(&apart, &done).await?);
    }
    waits.sort_unstable();
    println!("presses waited so many ms for their turn: {waits:?}");
    delivered(&prefix, 1002, healthy).await?;
    println!("the second commit was delivered after {:?}", began.elapsed());
    drop(stop);
    ensure_fast("the second round", &looking.await??)?;
    // The middle one of five: a busy machine may hold up one of them.
    ensure!(waits[waits.len() / 2] <= 2000, "presses waited so many ms for their turn: {waits:?}");
    let began = Instant::now();
    let metrics = apart.user.visit("/metrics").await?;
    ensure!(metrics.status == 200, "{}", metrics.status);
    println!("/metrics took {:?}; the console takes {} MiB", began.elapsed(), memory(&apart)?);

    // A new process has opened none of their repositories, and compares all of them at once.
    apart.console.restart().await?;
    let mut took = Took::new();
    for path in pages.iter().chain(&pages).chain(&pages) {
        took.entry(path.clone()).or_default().push(ask(&mut apart.user, path).await?);
    }
    ensure_fast("after a restart", &took)?;

    eventually(SOON, "what was delivered is noted", || async {
        let open = apart.sql("SELECT count(*) FROM operations WHERE state IN ('queued', 'running')").await?;
        ensure!(open == "0", "{open} are under way");
        Ok(())
    })
    .await?;
    // By whom: each by its own interval, and all of them well.
    let of_schedule = "SELECT count(DISTINCT fabric_id) FROM operations WHERE actor = 'system:schedule'";
    assert_eq!(apart.sql(of_schedule).await?, healthy.to_string());
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
    ensure!(all >= 2 * healthy && most <= all / 4, "{tenths:?}");
    Ok(())
}
