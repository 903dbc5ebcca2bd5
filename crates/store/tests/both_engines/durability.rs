//! What was acknowledged is there after a crash, what was not is not; readers never wait for the writer; callers that
//! go away leave nothing behind.

use crate::bed::{Bed, ask, both_engines, claim, fabric, held, t, user};
use crate::comparisons::comparison;
use crate::objects::row;
use model::operation::{OperationState, Verb};
use std::time::Duration;
use store::*;

both_engines! {
    async fn callers_that_go_away_leave_nothing_half_written(bed) {
        let lab = fabric(&bed, "lab").await;
        // Each save is cut off at another moment, also in the middle of its transaction.
        for micros in (0..40).map(|i| i * 700) {
            let delta = ObjectDelta { upserts: (0..900).map(row).collect(), ..ObjectDelta::default() };
            let new = comparison(lab.id, 0, ComparisonResult::Ok);
            let saving = bed.comparisons();
            let _ = tokio::time::timeout(Duration::from_micros(micros), saving.save(&new, &delta)).await;
            // A commit that was under way when its caller went may land between two readings: then they are repeated.
            let (saved, objects) = loop {
                let before = bed.comparisons().latest(lab.id).await.unwrap().map(|c| c.id);
                let objects: u64 = bed.objects().counts(lab.id).await.unwrap().iter().map(|c| c.objects).sum();
                if bed.comparisons().latest(lab.id).await.unwrap().map(|c| c.id) == before {
                    break (before, objects);
                }
            };
            assert_eq!(objects, if saved.is_some() { 900 } else { 0 }, "after {micros} µs");
        }
        // And the writing connection is still good.
        user(&bed, "anna").await;
    }

    async fn a_process_that_vanishes_leaves_its_work_to_be_found(bed) {
        let lab = fabric(&bed, "lab").await;
        let vanished = bed.another().await;
        vanished.operations().enqueue(ask(lab.id, Verb::SyncToKubernetes, "a"), t(0)).await.unwrap();
        let running = claim(&vanished, None, "vanished", 0).await.unwrap();
        drop(vanished);
        let again = bed.another().await;
        let found = again.operations().get(running.id).await.unwrap();
        assert_eq!((found.state, found.lease_owner.as_deref()), (OperationState::Running, Some("vanished")));
        assert!(again.operations().interrupt(&held(&again, running.id).await, t(31)).await.unwrap().is_some());
    }

    async fn many_callers_at_once(bed) {
        let lab = fabric(&bed, "lab").await;
        let mut callers = tokio::task::JoinSet::new();
        for i in 0..40_i64 {
            let store = bed.store.clone();
            callers.spawn(async move {
                let new = NewUser {
                    username: format!("u{i}"), password_hash: "x".into(), is_superuser: false, is_active: true,
                };
                store.users().create(new, t(i)).await?;
                store.fabrics().get(&Scope::All, lab.id).await?;
                let delta = ObjectDelta { upserts: (0..30).map(row).collect(), ..ObjectDelta::default() };
                store.comparisons().save(&comparison(lab.id, i, ComparisonResult::Ok), &delta).await?;
                store.objects().list(lab.id, &Default::default(), Page::default()).await?;
                store.users().count().await
            });
        }
        for counted in callers.join_all().await {
            counted.unwrap();
        }
        assert_eq!(bed.users().count().await.unwrap(), 40);
    }
}

/// A copy of the files while the process still holds them is what `kill -9` leaves on the disk.
#[tokio::test]
async fn sqlite_survives_kill_9() {
    let bed = Bed::sqlite().await;
    user(&bed, "committed").await;
    // Another process is in the middle of a transaction.
    use sqlx::{ConnectOptions, Connection};
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&bed.url).connect().await.unwrap();
    let mut open = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let sql = "INSERT INTO users (username, password_hash, is_superuser, is_active, created_at) \
               VALUES ('half', 'x', 0, 1, 0)";
    sqlx::query(sql).execute(&mut *open).await.unwrap();

    let grave = tempfile::tempdir().unwrap();
    let copy = grave.path().join("copy.db");
    for end in ["", "-wal"] {
        std::fs::copy(format!("{}{end}", bed.url), format!("{}{end}", copy.display())).unwrap();
    }
    let after = Store::open(copy.to_str().unwrap()).await.unwrap();
    let names: Vec<_> = after.users().list().await.unwrap().into_iter().map(|u| u.username).collect();
    assert_eq!(names, ["committed"]);
}

#[tokio::test]
async fn sqlite_readers_do_not_wait_for_the_writer_and_cannot_write() {
    let bed = Bed::sqlite().await;
    user(&bed, "anna").await;
    use sqlx::{ConnectOptions, Connection};
    let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&bed.url).connect().await.unwrap();
    let _held = conn.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), bed.users().count()).await;
    assert_eq!(read.expect("a reader waits for the writer").unwrap(), 1);
}

#[tokio::test]
async fn postgres_connections_that_were_cut_are_replaced() {
    let server = testkit::Postgres::start().await.unwrap();
    let store = Store::open(&server.database().await.unwrap()).await.unwrap();
    user(&store, "anna").await;
    server.cut_sessions().await.unwrap();
    assert_eq!(store.users().count().await.unwrap(), 1);
    user(&store, "bert").await;
    drop(server);
    let gone = store.users().count().await.unwrap_err();
    assert_eq!(gone.code(), model::Code::StoreUnavailable, "{gone:?}");
}

/// What somebody waits for gives up on a table that another program holds; what runs by itself has more patience.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_table_of_a_server_is_waited_for_by_nobody_but_the_background() {
    let server = testkit::Postgres::shared().await.unwrap();
    let bed = Bed::postgres().await;
    let lab = fabric(&bed, "lab").await;
    let held = server.hold(&bed.url, "ids").await.unwrap();
    let store = bed.store.clone();
    let background = tokio::spawn(in_background(async move { store.fabrics().reserve_id().await }));
    let refused = bed.fabrics().reserve_id().await.unwrap_err();
    assert!(matches!(refused, Error::Busy { .. }), "{refused:?}");
    assert_eq!(refused.code(), model::Code::StoreUnavailable);
    assert_eq!(bed.fabrics().get(&Scope::System, lab.id).await.unwrap().id, lab.id, "the rest goes on");
    assert!(!background.is_finished(), "it still waits");
    drop(held);
    assert!(background.await.unwrap().unwrap() > lab.id);
}
