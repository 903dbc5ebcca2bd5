//! Two engines on one database: nothing is stolen from a process that lives, whatever the clocks on the walls say, and
//! what belonged to a dead one is released after a lease.

#![allow(clippy::unwrap_used, reason = "a fixture that fails is a test that fails")]

use engine::{Engine, Request, Settings};
use model::Code;
use model::operation::{OperationState, Trigger, Verb};
use secrecy::SecretString;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::operations::Lease;
use store::{Cluster, EndpointLogin, FabricSecrets, FabricSpec, NewFabric, Operation, Scope, Sealed, Source, Store};
use testkit::{HeldDatabase, eventually};
use tokio::net::TcpListener;
use tokio::time::Instant;

const LEASE: Duration = Duration::from_millis(1500);
const SOON: Duration = Duration::from_secs(30);

/// A database, and an address where somebody accepts and never answers.
struct Bed {
    folder: tempfile::TempDir,
    silent: String,
}

impl Bed {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = format!("https://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((connection, _)) = listener.accept().await {
                open.push(connection);
            }
        });
        Self { folder: tempfile::tempdir().unwrap(), silent }
    }

    async fn store(&self) -> Store {
        Store::open(self.folder.path().join("h.db").to_str().unwrap()).await.unwrap()
    }

    /// A process on this database, with a clock that can be put forth and back by so many seconds.
    async fn engine(&self, ahead: Arc<AtomicI64>) -> Engine {
        let settings = Settings {
            lease: LEASE,
            compare_interval: Duration::from_secs(3600),
            cluster: cluster::Limits {
                connect: Duration::from_secs(120),
                request: Duration::from_secs(120),
                ..cluster::Limits::default()
            },
            ..Settings::new(self.folder.path().into())
        };
        let unseal: engine::Unseal =
            Arc::new(|_, _, sealed| Ok(SecretString::from(String::from_utf8(sealed.0.clone()).unwrap())));
        let clock = move || {
            let seconds = jiff::SignedDuration::from_secs(ahead.load(Ordering::Relaxed));
            jiff::Timestamp::now().checked_add(seconds).unwrap()
        };
        Engine::start(self.store().await, unseal, settings, Arc::new(clock)).await.unwrap()
    }

    async fn fabric(&self, store: &Store, name: &str) -> i64 {
        let id = store.fabrics().reserve_id().await.unwrap();
        let cluster = Cluster::Endpoint { server: self.silent.clone(), ca_pem: None, login: EndpointLogin::Token };
        let spec = FabricSpec { name: name.into(), cluster, source: Source::Local, ..FabricSpec::default() };
        let secrets = FabricSecrets { endpoint: Some(Sealed(b"token".to_vec())), ..FabricSecrets::default() };
        let new = NewFabric { id, spec, secrets };
        store.fabrics().create(&Scope::System, new, jiff::Timestamp::now()).await.unwrap();
        id
    }
}

fn request(fabric_id: i64) -> Request {
    Request {
        fabric_id,
        verb: Verb::SyncToKubernetes,
        actor: "tester".into(),
        actor_user_id: None,
        trigger: Trigger::Script,
        request_id: "test".into(),
        idempotency_key: None,
        shown_comparison: None,
        options: model::sync_options::SyncOptions::default(),
    }
}

/// Waits until an operation is in a state.
async fn becomes(store: &Store, id: i64, state: OperationState) -> Operation {
    eventually(SOON, "the operation comes to its state", || async {
        let operation = store.operations().get(id).await.unwrap();
        if operation.state == state { Ok(operation) } else { Err(format!("it is {}", operation.state)) }
    })
    .await
    .unwrap()
}

async fn beat(store: &Store, id: i64) -> i64 {
    store.operations().leases().await.unwrap().into_iter().find(|lease| lease.operation_id == id).unwrap().beat
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_a_clock_that_jumps_steals_nothing() {
    let (bed, steady, jumping) = (Bed::new().await, Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let store = bed.store().await;
    let fabric = bed.fabric(&store, "lab").await;
    let one = bed.engine(steady).await;
    let id = one.request(request(fabric)).await.unwrap().operation.id;
    let running = becomes(&store, id, OperationState::Running).await;
    let other = bed.engine(jumping.clone()).await;
    // Until the owner's heart has beaten for several leases.
    let first = beat(&store, id).await;
    for jump in 0.. {
        jumping.store([36_000, -36_000, 7200, 0][jump % 4], Ordering::Relaxed);
        if beat(&store, id).await >= first + 16 {
            break;
        }
        let now = store.operations().get(id).await.unwrap();
        assert_eq!((now.state, &now.lease_owner), (OperationState::Running, &running.lease_owner), "after jump {jump}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fabric = store.fabrics().get(&Scope::System, fabric).await.unwrap();
    assert_eq!(other.overview(&fabric).await.unwrap().sync_status, model::status::SyncState::Syncing);

    // Asked of the other one, it ends all the same.
    other.cancel(id, "anna").await.unwrap();
    let ended = becomes(&store, id, OperationState::Cancelled).await;
    assert!(ended.message.starts_with("Cancelled by anna. Nothing had been written."), "{}", ended.message);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_13_a_dead_one_is_released_after_a_lease_and_not_before() {
    let (bed, ahead) = (Bed::new().await, Arc::new(AtomicI64::new(0)));
    let store = bed.store().await;
    let fabric = bed.fabric(&store, "lab").await;
    let before = bed.engine(ahead.clone()).await;
    before.stop().await;
    let id = before.request(request(fabric)).await.unwrap().operation.id;
    // Claimed by a process that is dead from then on, hours ago by the clock on the wall.
    let dead = Lease { owner: "dead".into(), duration: LEASE };
    let long_ago = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(5);
    store.operations().claim(id, &dead, long_ago).await.unwrap().unwrap();

    let started = Instant::now();
    let engine = bed.engine(ahead).await;
    let fabric_row = store.fabrics().get(&Scope::System, fabric).await.unwrap();
    assert_eq!(engine.overview(&fabric_row).await.unwrap().sync_status, model::status::SyncState::Syncing);
    let ended = becomes(&store, id, OperationState::Interrupted).await;
    assert!(started.elapsed() >= LEASE, "it was released after {:?}", started.elapsed());
    assert_eq!(ended.code, Some(Code::Interrupted));
    assert!(ended.message.contains("stopped answering"), "{}", ended.message);
    assert_eq!(engine.overview(&fabric_row).await.unwrap().sync_status, model::status::SyncState::Error);
    // The next one runs.
    let next = engine.request(request(fabric)).await.unwrap().operation.id;
    becomes(&store, next, OperationState::Running).await;
    engine.stop().await;
    let ended = store.operations().get(next).await.unwrap();
    assert_eq!((ended.state, ended.code), (OperationState::Interrupted, Some(Code::Interrupted)), "{}", ended.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_heartbeat_cannot_be_stored_ends_itself_and_says_so_when_it_can() {
    let (bed, ahead) = (Bed::new().await, Arc::new(AtomicI64::new(0)));
    let store = bed.store().await;
    let fabric = bed.fabric(&store, "lab").await;
    let engine = bed.engine(ahead.clone()).await;
    let id = engine.request(request(fabric)).await.unwrap().operation.id;
    becomes(&store, id, OperationState::Running).await;
    let other = bed.engine(ahead).await;
    let held = HeldDatabase::hold(&bed.folder.path().join("h.db")).await.unwrap();
    // The other process can read all the while, and sees the lease stand still.
    let fabric = store.fabrics().get(&Scope::System, fabric).await.unwrap();
    eventually(SOON, "the lease is seen to stand still", || async {
        let status = other.overview(&fabric).await.unwrap().sync_status;
        if status == model::status::SyncState::Error { Ok(()) } else { Err(format!("it is {status}")) }
    })
    .await
    .unwrap();
    assert_eq!(store.operations().get(id).await.unwrap().state, OperationState::Running, "nobody can write it down");
    drop(held);
    let ended = eventually(SOON, "the end is stored", || async {
        let operation = store.operations().get(id).await.unwrap();
        if operation.state.is_final() { Ok(operation) } else { Err("it runs") }
    })
    .await
    .unwrap();
    // Whoever was first wrote it; both say the truth.
    match ended.state {
        OperationState::Failed => {
            assert_eq!(ended.code, Some(Code::StoreUnavailable));
            assert!(ended.message.contains("heartbeat") && ended.message.contains("Nothing had been written"));
        }
        OperationState::Interrupted => assert_eq!(ended.code, Some(Code::Interrupted)),
        other => panic!("{other}: {}", ended.message),
    }
    engine.stop().await;
    other.stop().await;
}
