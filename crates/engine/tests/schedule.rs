//! What does not stop the schedule: a defect in a comparison, a cluster that accepts and never answers, a fabric that is
//! deleted while it is compared.

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]

use engine::{Engine, Settings};
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use store::{Cluster, FabricSecrets, FabricSpec, NewFabric, Scope, Sealed, Store};
use testkit::eventually;

const SOON: Duration = Duration::from_secs(60);

/// A kubeconfig that leads to an address on this machine.
fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: c\n  cluster: {{server: \
         'https://127.0.0.1:{port}', insecure-skip-tls-verify: true}}\ncontexts:\n- name: c\n  context: {{cluster: c, user: \
         u}}\nusers:\n- name: u\n  user: {{token: t}}\n"
    )
}

async fn add(store: &Store, name: &str, kubeconfig: &str) -> i64 {
    let id = store.fabrics().reserve_id().await.unwrap();
    let spec =
        FabricSpec { name: name.into(), cluster: Cluster::Kubeconfig, verify_tls: false, ..FabricSpec::default() };
    let sealed = Some(Sealed(kubeconfig.as_bytes().to_vec()));
    let secrets = FabricSecrets { kubeconfig: sealed, ..FabricSecrets::default() };
    store.fabrics().create(&Scope::System, NewFabric { id, spec, secrets }, jiff::Timestamp::now()).await.unwrap();
    id
}

/// A port where nobody listens.
fn closed() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn comparisons(store: &Store, fabric: i64) -> u64 {
    store.comparisons().list(fabric, store::Page::first(1)).await.unwrap().total
}

async fn until_compared(store: &Store, fabric: i64, more_than: u64) {
    eventually(SOON, "the next comparison is stored", async || match comparisons(store, fabric).await {
        n if n > more_than => Ok(()),
        n => Err(format!("there are {n}")),
    })
    .await
    .unwrap();
}

struct Bed {
    store: Store,
    engine: Engine,
    /// How often a secret was asked for.
    asked: Arc<AtomicU32>,
    _folder: tempfile::TempDir,
}

/// An engine whose first `panics` questions for a secret are a defect.
async fn bed(panics: u32, fabrics: &[(&str, &str)]) -> (Bed, Vec<i64>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().join("h.db").to_str().unwrap()).await.unwrap();
    let mut ids = Vec::new();
    for (name, kubeconfig) in fabrics {
        ids.push(add(&store, name, kubeconfig).await);
    }
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let unseal: engine::Unseal = Arc::new(move |_, _, sealed| {
        assert!(counter.fetch_add(1, Ordering::SeqCst) >= panics, "a defect");
        Ok(SecretString::from(String::from_utf8(sealed.0.clone()).unwrap()))
    });
    let mut settings = Settings::new(folder.path().into());
    settings.compare_interval = Duration::from_millis(300);
    settings.parallel_comparisons = 2;
    (settings.cluster.connect, settings.cluster.request) = (SOON, SOON);
    let engine = Engine::start(store.clone(), unseal, settings, Arc::new(jiff::Timestamp::now)).await.unwrap();
    (Bed { store, engine, asked, _folder: folder }, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_defect_in_a_comparison_does_not_stop_the_next_one() {
    let (bed, ids) = bed(3, &[("lab", &kubeconfig(closed()))]).await;
    until_compared(&bed.store, ids[0], 1).await;
    assert!(bed.asked.load(Ordering::SeqCst) > 3, "the first three broke off");
    bed.engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_that_accept_and_never_answer_starve_nobody_and_a_deleted_fabric_stops_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = kubeconfig(silent.local_addr().unwrap().port());
    let mut fabrics: Vec<(String, String)> = (0..8).map(|n| (format!("hangs-{n}"), hanging.clone())).collect();
    fabrics.push(("answers".into(), kubeconfig(closed())));
    let named: Vec<(&str, &str)> = fabrics.iter().map(|(name, config)| (name.as_str(), config.as_str())).collect();
    let (bed, ids) = bed(0, &named).await;
    let answers = *ids.last().unwrap();
    // Two places, eight that hang for half a minute: the ninth is compared again and again all the same.
    for n in 0..4 {
        until_compared(&bed.store, answers, n).await;
    }
    assert_eq!(comparisons(&bed.store, ids[0]).await, 0, "the precondition: they hang");
    for id in &ids[..4] {
        bed.store.fabrics().delete(&Scope::System, *id).await.unwrap();
    }
    let before = comparisons(&bed.store, answers).await;
    until_compared(&bed.store, answers, before + 1).await;
    bed.engine.stop().await;
}
