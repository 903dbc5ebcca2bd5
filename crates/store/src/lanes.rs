//! Who comes first where many want the database. What runs by itself on two hundred fabrics writes all the time, and
//! whoever presses a button would stand at the end of that queue; on a busy machine that took longer than anybody waits.
//! So work in the background says what it is, once, at the top of its task, and leaves connections to everybody else:
//! there may be many of it, but only so many ask for a connection at a time.

use crate::Engine;
use crate::connect::{PATIENCE_FILE, PATIENCE_SERVER, READERS};
use sqlx::AnyConnection;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections that read which the background never takes.
const KEPT: usize = 2;
/// Transactions of the background that write at once to a server. A file has one writer anyway.
const WRITERS_SERVER: usize = 4;

tokio::task_local! {
    static BACKGROUND: ();
}

/// Does something that no page waits for: what it asks of a store comes after what pages ask. What it spawns is not
/// meant.
pub async fn in_background<T>(work: impl Future<Output = T>) -> T {
    BACKGROUND.scope((), work).await
}

/// The lanes of one open database.
#[derive(Debug)]
pub(crate) struct Lanes {
    readers: Arc<Semaphore>,
    writers: Arc<Semaphore>,
    patience: Duration,
}

impl Lanes {
    pub fn of(engine: Engine) -> Self {
        let (writers, patience) = match engine {
            Engine::Sqlite => (1, PATIENCE_FILE),
            Engine::Postgres => (WRITERS_SERVER, PATIENCE_SERVER),
        };
        let lane = |places| Arc::new(Semaphore::new(places));
        Self { readers: lane(READERS as usize - KEPT), writers: lane(writers), patience }
    }

    /// The turn to ask for a connection that reads; nothing is waited for but in the background.
    pub async fn to_read(&self) -> sqlx::Result<Option<OwnedSemaphorePermit>> {
        self.turn(&self.readers).await
    }

    /// The same for one that writes.
    pub async fn to_write(&self) -> sqlx::Result<Option<OwnedSemaphorePermit>> {
        self.turn(&self.writers).await
    }

    async fn turn(&self, lane: &Arc<Semaphore>) -> sqlx::Result<Option<OwnedSemaphorePermit>> {
        if BACKGROUND.try_with(|()| ()).is_err() {
            return Ok(None);
        }
        match tokio::time::timeout(self.patience, lane.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(Some(turn)),
            Ok(Err(_)) | Err(_) => Err(sqlx::Error::PoolTimedOut),
        }
    }
}

/// A connection, or a transaction on one, and the turn that it was got with.
#[derive(Debug)]
pub(crate) struct Held<C> {
    // In this order: who has the turn next finds the connection free.
    conn: C,
    turn: Option<OwnedSemaphorePermit>,
}

impl<C> Held<C> {
    pub fn new(conn: C, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { conn, turn }
    }

    /// The connection by itself; the turn is kept until the second part is dropped.
    pub fn into_parts(self) -> (C, Option<OwnedSemaphorePermit>) {
        (self.conn, self.turn)
    }
}

impl<C: Deref<Target = AnyConnection>> Deref for Held<C> {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.conn
    }
}

impl<C: DerefMut<Target = AnyConnection>> DerefMut for Held<C> {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.conn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Store, commit};
    use std::sync::Mutex;
    use tokio::sync::Notify;
    use tokio::task::{JoinSet, yield_now};

    const DOING: &str = "test who comes first";

    async fn sqlite() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("test.db").to_str().unwrap()).await.unwrap();
        (folder, store)
    }

    /// Lets every task come to where it waits; they share one thread.
    async fn all_wait() {
        for _ in 0..1000 {
            yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_write_that_somebody_waits_for_comes_before_those_of_the_background() {
        let (_folder, store) = sqlite().await;
        let order: Arc<Mutex<Vec<&str>>> = Arc::default();
        let first = in_background(store.writer(DOING)).await.unwrap();
        let mut tasks = JoinSet::new();
        let write = |who: &'static str| {
            let (store, order) = (store.clone(), order.clone());
            async move {
                let tx = store.writer(DOING).await.unwrap();
                order.lock().unwrap().push(who);
                commit(tx, DOING).await.unwrap();
            }
        };
        for _ in 0..20 {
            tasks.spawn(in_background(write("background")));
        }
        all_wait().await;
        tasks.spawn(write("person"));
        all_wait().await;
        assert!(order.lock().unwrap().is_empty(), "the first one holds the only connection");
        commit(first, DOING).await.unwrap();
        tasks.join_all().await;
        let order = order.lock().unwrap();
        assert_eq!((order[0], order.len()), ("person", 21), "{order:?}");
    }

    async fn reads(store: Store) {
        let (enough, mut tasks) = (Arc::new(Notify::new()), JoinSet::new());
        for _ in 0..40 {
            let (store, enough) = (store.clone(), enough.clone());
            tasks.spawn(in_background(async move {
                let read = store.reader(DOING).await.unwrap();
                enough.notified().await;
                drop(read);
                enough.notify_one();
            }));
        }
        all_wait().await;
        let read = tokio::time::timeout(PATIENCE_SERVER / 2, store.reader(DOING)).await;
        drop(read.expect("a connection is left").unwrap());
        enough.notify_one();
        tasks.join_all().await;
        store.close().await;
    }

    #[tokio::test]
    async fn the_background_leaves_connections_to_pages() {
        let (_folder, store) = sqlite().await;
        reads(store).await;
        let url = testkit::Postgres::shared().await.unwrap().database().await.unwrap();
        reads(Store::open(&url).await.unwrap()).await;
    }
}
