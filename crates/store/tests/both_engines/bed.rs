//! A fresh database of each engine, and small things to fill it with.

use jiff::{SignedDuration, Timestamp};
use model::operation::{Phase, PhaseProgress, PhaseState, Trigger, Verb};
use std::time::Duration;
use store::operations::{HeldLease, Lease};
use store::*;

/// Declares tests that run on both engines.
macro_rules! both_engines {
    ($($(#[$attr:meta])* async fn $name:ident($bed:ident) $body:block)*) => {
        $(
            mod $name {
                #[allow(unused_imports)]
                use super::*;

                async fn run($bed: $crate::bed::Bed) $body

                $(#[$attr])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn sqlite() {
                    run($crate::bed::Bed::sqlite().await).await;
                }

                $(#[$attr])*
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn postgres() {
                    run($crate::bed::Bed::postgres().await).await;
                }
            }
        )*
    };
}
pub(crate) use both_engines;

/// A fresh database and its store.
pub struct Bed {
    pub store: Store,
    pub url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Bed {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The name has everything in it that a URL would have to escape.
        let url = folder.path().join("a store #1?x=%41.db").to_str().unwrap().to_owned();
        Self { store: Store::open(&url).await.unwrap(), url, _folder: Some(folder) }
    }

    pub async fn postgres() -> Self {
        let url = testkit::Postgres::shared().await.unwrap().database().await.unwrap();
        Self { store: Store::open(&url).await.unwrap(), url, _folder: None }
    }

    /// Runs SQL behind the store's back.
    pub async fn meddle(&self, sql: &'static str) {
        self.try_meddle(sql).await.unwrap();
    }

    /// Runs SQL behind the store's back, and says what the database says to it.
    pub async fn try_meddle(&self, sql: &'static str) -> Result<(), String> {
        match self.store.engine() {
            Engine::Postgres => {
                let server = testkit::Postgres::shared().await.unwrap();
                server.sql(&self.url, sql).await.map(drop).map_err(|e| format!("{e:#}"))
            }
            Engine::Sqlite => {
                use sqlx::{ConnectOptions, Connection};
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&self.url);
                let mut conn = options.connect().await.unwrap();
                let ran = sqlx::raw_sql(sql).execute(&mut conn).await.map(drop).map_err(|e| e.to_string());
                conn.close().await.unwrap();
                ran
            }
        }
    }

    /// A second process on the same database.
    pub async fn another(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

impl std::ops::Deref for Bed {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

/// So many seconds after some day in 2026.
pub fn t(seconds: i64) -> Timestamp {
    Timestamp::constant(1_780_000_000, 0) + SignedDuration::from_secs(seconds)
}

pub fn sealed(text: &str) -> Option<Sealed> {
    Some(Sealed(text.as_bytes().to_vec()))
}

pub async fn user(store: &Store, name: &str) -> User {
    let new = NewUser { username: name.into(), password_hash: "$hash$".into(), is_superuser: false, is_active: true };
    store.users().create(new, t(0)).await.unwrap()
}

pub async fn fabric(store: &Store, name: &str) -> Fabric {
    let spec = FabricSpec { name: name.into(), ..FabricSpec::default() };
    add(store, spec, FabricSecrets::default()).await.unwrap()
}

pub async fn add(store: &Store, spec: FabricSpec, secrets: FabricSecrets) -> Result<Fabric> {
    let id = store.fabrics().reserve_id().await.unwrap();
    store.fabrics().create(&Scope::System, NewFabric { id, spec, secrets }, t(0)).await
}

pub fn phase(phase: Phase, state: PhaseState) -> PhaseProgress {
    PhaseProgress { state, ..PhaseProgress::waiting(phase) }
}

pub fn ask(fabric_id: i64, verb: Verb, fingerprint: &str) -> NewOperation {
    NewOperation {
        fabric_id,
        verb,
        writes: verb.writes(),
        actor: "anna".into(),
        actor_user_id: None,
        trigger: Trigger::Button,
        request_id: "req-1".into(),
        idempotency_key: None,
        fingerprint: fingerprint.into(),
        options: serde_json::json!({"selection": null}),
        shown_comparison_id: None,
        commit: None,
        phases: vec![phase(Phase::Connect, PhaseState::Waiting), phase(Phase::Apply, PhaseState::Waiting)],
        time_limit: None,
    }
}

pub fn lease(owner: &str) -> Lease {
    Lease { owner: owner.into(), duration: Duration::from_secs(30) }
}

/// Claims the oldest operation that may run now, of one fabric or of any. Of one that another process was faster with,
/// it looks again.
pub async fn claim(store: &Store, fabric_id: Option<i64>, owner: &str, at: i64) -> Option<Operation> {
    loop {
        let waiting = store.operations().waiting().await.unwrap();
        let next = waiting.into_iter().find(|waiting| fabric_id.is_none_or(|id| id == waiting.fabric_id))?;
        if let Some(claimed) = store.operations().claim(next.id, &lease(owner), t(at)).await.unwrap() {
            return Some(claimed);
        }
    }
}

/// The lease of an operation that runs.
pub async fn held(store: &Store, id: i64) -> HeldLease {
    store.operations().leases().await.unwrap().into_iter().find(|lease| lease.operation_id == id).unwrap()
}
