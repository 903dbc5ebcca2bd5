//! The schema from empty, under a lock, and what is refused.

use crate::bed::{Bed, both_engines};
use store::{Engine, Error, Store};

/// Back to an empty database: the bed's own start is undone.
async fn to_empty(bed: &Bed) {
    match bed.engine() {
        Engine::Postgres => bed.meddle("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await,
        Engine::Sqlite => {
            bed.store.clone().close().await;
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{end}", bed.url));
            }
        }
    }
}

both_engines! {
    async fn lesson_32_from_empty(bed) {
        let (found, known) = bed.schema_version().await.unwrap();
        assert_eq!(found, known);
        assert!(known >= 5);
        assert_eq!(bed.migrate().await.unwrap(), Vec::<i64>::new(), "a second run has nothing to do");
        let again = bed.another().await;
        assert_eq!(again.schema_version().await.unwrap(), (known, known));
    }

    async fn lesson_32_from_every_version_before(bed) {
        let (_, newest) = bed.schema_version().await.unwrap();
        for version in 1..newest {
            to_empty(&bed).await;
            let old = Store::open_unmigrated(&bed.url).await.unwrap();
            old.migrate_to(version).await.unwrap();
            assert_eq!(old.schema_version().await.unwrap(), (version, newest));
            bed.meddle("INSERT INTO users (username, password_hash, is_superuser, is_active, created_at) \
                        VALUES ('anna', 'x', 1, 1, 7)").await;
            bed.meddle("INSERT INTO sessions (token_hash, user_id, created_at, last_active_at, idle_expires_at, \
                        absolute_expires_at, user_agent, address) SELECT \
                        'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', id, 7, 8, 9, 10, '', '' \
                        FROM users").await;
            if version >= 5 {
                bed.meddle("INSERT INTO attempts (at, fabric_name, actor, address, method, path, http_status, message, \
                            request_id) VALUES (11, 'lab', 'anna', '', 'POST', '/', 403, 'No.', 'r')").await;
            }
            let applied: Vec<i64> = (version + 1..=newest).collect();
            assert_eq!(old.migrate().await.unwrap(), applied, "what is missing is applied, and nothing else");
            let anna = old.users().by_name("anna").await.unwrap().unwrap();
            let sessions = old.sessions().list_of_user(anna.id).await.unwrap();
            // From 13 on whoever makes a session says so itself.
            if version < 13 {
                assert_eq!(sessions[0].authenticated_at, sessions[0].created_at, "from {version}");
            }
            let filter = store::activity::ActivityFilter::default();
            let seen = store::activity::Seen::all();
            let tried = old.activity().list(&seen, &filter, store::Page::all()).await.unwrap();
            assert_eq!(tried.total, u64::from(version >= 5), "from {version}");
            old.close().await;
        }
    }

    async fn of_several_processes_that_start_at_once_one_migrates(bed) {
        to_empty(&bed).await;
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let url = bed.url.clone();
            starts.spawn(async move {
                let store = Store::open_unmigrated(&url).await?;
                store.migrate().await
            });
        }
        let mut applied = 0;
        while let Some(start) = starts.join_next().await {
            start.unwrap().unwrap();
            applied += 1;
        }
        assert_eq!(applied, 4);
        let store = bed.another().await;
        assert_eq!(store.users().count().await.unwrap(), 0);
    }

    async fn a_database_of_a_newer_release_is_refused(bed) {
        let (_, known) = bed.schema_version().await.unwrap();
        bed.meddle("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                      VALUES (9999, 'from the future', TRUE, '', 0)").await;
        match Store::open(&bed.url).await {
            Err(Error::Newer { found: 9999, known: k }) => assert_eq!(k, known),
            other => panic!("{other:?}"),
        }
    }

    async fn a_history_that_was_edited_is_refused(bed) {
        bed.meddle("UPDATE _sqlx_migrations SET checksum = '' WHERE version = 1").await;
        let refused = Store::open(&bed.url).await;
        assert!(matches!(refused, Err(Error::Migration { .. })), "{refused:?}");
        // The lock went with the connection: a restored history starts again.
        bed.meddle("DELETE FROM _sqlx_migrations WHERE version = 5; DROP TABLE attempts; DROP TABLE meta").await;
        assert!(matches!(Store::open(&bed.url).await, Err(Error::Migration { .. })));
    }
}

#[tokio::test]
async fn the_file_of_secrets_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::sqlite().await;
    crate::bed::user(&bed, "anna").await;
    for end in ["", "-wal", "-shm"] {
        let mode = std::fs::metadata(format!("{}{end}", bed.url)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{end}");
    }
}

#[tokio::test]
async fn addresses_that_cannot_be_used_are_named() {
    for bad in ["", "sqlite::memory:", ":memory:", "mysql://localhost/x"] {
        assert!(matches!(Store::open(bad).await, Err(Error::BadUrl(_))), "{bad}");
    }
    let missing = Store::open("/nonexistent/folder/store.db").await.unwrap_err();
    assert_eq!(missing.code(), model::Code::StoreUnavailable);
    let refused = Store::open("postgres://nobody:secret@127.0.0.1:1/none").await.unwrap_err();
    assert_eq!(refused.code(), model::Code::StoreUnavailable);
    assert!(!format!("{refused:?} {refused}").contains("secret"));
}
