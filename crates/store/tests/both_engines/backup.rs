//! A copy of the database, and what is put right in one that was restored.

use crate::bed::{Bed, ask, both_engines, fabric, lease, t, user};
use model::operation::{ObjectOutcome, OperationState, OutcomeDetail, OutcomeKind, Verb};
use model::{Code, ObjectKey};
use store::sessions::TokenHash;
use store::{EndReason, Error, NewOperation, NewSession, Page, Scope, Store};

both_engines! {
    async fn restored_operations_are_interrupted_and_sessions_ended(bed) {
        let (fabric, anna) = (fabric(&bed, "lab").await, user(&bed, "anna").await);
        let new = ask(fabric.id, Verb::SyncToKubernetes, "all@abc");
        let waiting = bed.operations().enqueue(new, t(0)).await.unwrap().operation;
        let dry = NewOperation { writes: false, ..ask(fabric.id, Verb::SyncToKubernetes, "dry") };
        let dry = bed.operations().enqueue(dry, t(0)).await.unwrap().operation;
        bed.operations().claim(dry.id, &lease("p"), t(1)).await.unwrap().unwrap();
        let planned = ObjectOutcome {
            key: ObjectKey::new("vpc.githedgehog.com", "VPC", "default", "vpc-1"),
            outcome: OutcomeKind::NotAttempted,
            verified: false,
            code: None,
            message: String::new(),
            overwrote: Vec::new(),
            attempts: 0,
            at: t(1),
            detail: OutcomeDetail::default(),
        };
        assert!(bed.operations().put_outcomes(dry.id, "p", &[planned]).await.unwrap());
        let token_hash = TokenHash([7; 32]);
        let session = NewSession {
            token_hash,
            user_id: anna.id,
            idle_expires_at: t(100),
            absolute_expires_at: t(1000),
            user_agent: String::new(),
            address: String::new(),
            idle_limit: None,
            method: store::Method::Password,
        };
        bed.sessions().create(session, t(0)).await.unwrap();
        let token = crate::api_tokens::token(&bed, anna.id, "restored0000").await;
        let settled = bed.settle_restored(t(50)).await.unwrap();
        assert_eq!((settled.operations, settled.sessions, settled.api_tokens), (2, 1, 1));
        let token = bed.api_tokens().get(token.id).await.unwrap();
        assert_eq!((token.revoked_at, token.revoked_by.as_deref()), (Some(t(50)), Some("a restored backup")));
        let ended = bed.operations().get(waiting.id).await.unwrap();
        assert_eq!((ended.state, ended.code), (OperationState::Interrupted, Some(Code::Interrupted)));
        assert_eq!(ended.ended_at, Some(t(50)));
        assert!(ended.message.contains("restored"), "{}", ended.message);
        let objects = bed.operations().outcomes(dry.id, &[], Page::all()).await.unwrap().rows;
        let said = (objects[0].code, objects[0].message.ends_with("Nothing was written."));
        assert_eq!(said, (Some(Code::Interrupted), true), "a dry run writes nothing: {}", objects[0].message);
        assert_eq!(objects[0].outcome, OutcomeKind::NotAttempted);
        let session = bed.sessions().find_by_hash(&token_hash, t(0)).await.unwrap().unwrap();
        assert_eq!((session.end_reason, session.ended_by.as_deref()), (Some(EndReason::Revoked), Some("a restored backup")));
        let again = bed.settle_restored(t(60)).await.unwrap();
        assert_eq!((again.operations, again.sessions, again.api_tokens), (0, 0, 0), "the second time there is nothing left to do");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_of_one_moment_while_another_process_writes() {
    let bed = Bed::sqlite().await;
    let folder = tempfile::tempdir().unwrap();
    let other = bed.another().await;
    let writes = tokio::spawn(async move {
        for i in 0..60 {
            let spec = store::FabricSpec { name: format!("made-{i}"), ..store::FabricSpec::default() };
            let id = other.fabrics().reserve_id().await.unwrap();
            let new = store::NewFabric { id, spec, secrets: store::FabricSecrets::default() };
            other.fabrics().create(&Scope::System, new, t(i)).await.unwrap();
        }
    });
    for round in 0..5 {
        let file = folder.path().join(format!("copy #{round}.db"));
        bed.copy_into(&file).await.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
        let copy = Store::open_unmigrated(file.to_str().unwrap()).await.unwrap();
        let (found, known) = copy.schema_version().await.unwrap();
        assert_eq!(found, known);
        let all =
            copy.fabrics().list(&Scope::System, &store::fabrics::FabricFilter::default(), store::Page::all()).await;
        let names: Vec<String> = all.unwrap().rows.into_iter().map(|fabric| fabric.name).collect();
        let expected: Vec<String> = (0..names.len()).map(|i| format!("made-{i}")).collect();
        let mut sorted = names.clone();
        sorted.sort_by_key(|name| name[5..].parse::<usize>().unwrap());
        assert_eq!(sorted, expected, "nothing in the middle is missing");
        copy.close().await;
    }
    writes.await.unwrap();
    // Into a file that holds something nothing is written.
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    assert!(bed.copy_into(&taken).await.is_err());
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_is_not_copied_as_a_file() {
    let bed = Bed::postgres().await;
    let folder = tempfile::tempdir().unwrap();
    let refused = bed.copy_into(&folder.path().join("copy.db")).await.unwrap_err();
    assert!(matches!(&refused, Error::BadUrl(_)) && refused.to_string().contains("pg_dump"), "{refused}");
    assert!(!folder.path().join("copy.db").exists());
}
