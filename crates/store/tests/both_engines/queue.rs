//! The queue: one writer a fabric, the same request once, leases, cancel, and processes that die.

use crate::bed::{Bed, ask, both_engines, claim as claim_of, fabric, held, lease, phase, t};
use model::operation::{ObjectOutcome, OperationState, OutcomeDetail, OutcomeKind, Phase, PhaseState, Retry, Verb};
use model::{Code, ObjectKey};
use std::collections::HashSet;
use std::time::Duration;
use store::operations::{CancelRequest, Finish, HeldLease};
use store::*;

fn succeeded() -> Finish {
    Finish {
        state: OperationState::Succeeded,
        code: None,
        message: "All 3 objects are live.".into(),
        error_object: None,
        result: serde_json::json!({"verified": 3}),
        phases: vec![phase(Phase::Connect, PhaseState::Done)],
    }
}

/// An object that is to be written.
fn planned(name: &str, code: Option<Code>) -> ObjectOutcome {
    ObjectOutcome {
        key: ObjectKey::new("vpc.githedgehog.com", "VPC", "default", name),
        outcome: OutcomeKind::NotAttempted,
        verified: false,
        code,
        message: String::new(),
        overwrote: Vec::new(),
        attempts: 0,
        at: t(1),
        detail: OutcomeDetail::default(),
    }
}

async fn enqueue(store: &Store, new: NewOperation) -> Enqueued {
    store.operations().enqueue(new, t(0)).await.unwrap()
}

async fn claim(store: &Store, owner: &str, at: i64) -> Option<Operation> {
    claim_of(store, None, owner, at).await
}

/// So many processes, all connected, so that they really begin at once.
async fn processes(bed: &Bed, count: usize) -> Vec<Store> {
    let mut stores = vec![bed.store.clone()];
    while stores.len() < count {
        stores.push(bed.another().await);
    }
    stores
}

/// Six processes grab at once until nothing is left; nobody finishes anything.
async fn everybody_claims(bed: &Bed) -> Vec<Operation> {
    let mut grabs = tokio::task::JoinSet::new();
    for (i, store) in processes(bed, 6).await.into_iter().enumerate() {
        grabs.spawn(async move {
            let mut got = Vec::new();
            while let Some(operation) = claim(&store, &format!("process-{i}"), 1).await {
                got.push(operation);
            }
            got
        });
    }
    grabs.join_all().await.concat()
}

both_engines! {
    async fn an_operation_goes_from_queued_to_its_end(bed) {
        let fabric = fabric(&bed, "lab").await;
        let mut new = ask(fabric.id, Verb::SyncToKubernetes, "all@abc");
        new.time_limit = Some(Duration::from_secs(60));
        new.commit = Some("abc".into());
        let queued = enqueue(&bed, new.clone()).await;
        assert_eq!(queued.disposition, Disposition::New);
        let operation = queued.operation;
        assert_eq!((operation.state, operation.queued_at, operation.started_at), (OperationState::Queued, t(0), None));
        assert_eq!((&operation.options, &operation.phases, &operation.commit), (&new.options, &new.phases, &new.commit));
        assert_eq!(operation.deadline_at, None, "waiting does not use up the time");

        let running = claim(&bed, "p1", 5).await.unwrap();
        assert_eq!((running.id, running.state), (operation.id, OperationState::Running));
        assert_eq!((running.started_at, running.deadline_at), (Some(t(5)), Some(t(65))));
        let first = held(&bed, running.id).await;
        assert_eq!((first.owner.as_str(), first.length), ("p1", Duration::from_secs(30)));
        assert_eq!((first.fabric_id, running.lease_owner.as_deref()), (fabric.id, Some("p1")));

        assert!(bed.operations().heartbeat(running.id, &lease("p1"), t(20)).await.unwrap());
        assert_ne!(held(&bed, running.id).await.beat, first.beat, "a heartbeat moves the counter");
        let phases = [phase(Phase::Connect, PhaseState::Running)];
        assert!(bed.operations().save_progress(running.id, "p1", &phases).await.unwrap());
        assert!(bed.operations().set_commit(running.id, "p1", "def").await.unwrap());
        let seen = bed.operations().get(running.id).await.unwrap();
        assert_eq!(seen.heartbeat_at, Some(t(20)));
        assert_eq!((seen.phases.as_slice(), seen.commit.as_deref()), (phases.as_slice(), Some("def")));

        assert!(bed.operations().finish(running.id, "p1", &succeeded(), t(30)).await.unwrap());
        let ended = bed.operations().get(running.id).await.unwrap();
        assert_eq!((ended.state, ended.ended_at, ended.lease_owner.clone()), (OperationState::Succeeded, Some(t(30)), None));
        assert_eq!((ended.message.as_str(), &ended.result), ("All 3 objects are live.", &succeeded().result));
        assert_eq!(claim(&bed, "p1", 31).await, None);
    }

    async fn the_fabrics_own_limit_is_the_default(bed) {
        let fabric = fabric(&bed, "lab").await;
        enqueue(&bed, ask(fabric.id, Verb::TestConnection, "")).await;
        assert_eq!(claim(&bed, "p", 0).await.unwrap().deadline_at, Some(t(900)));
        let nowhere = bed.operations().enqueue(ask(999, Verb::TestConnection, ""), t(0)).await;
        assert!(matches!(nowhere, Err(Error::NotFound("fabric"))));
    }

    async fn lesson_14_the_same_sync_twice_is_one(bed) {
        let lab = fabric(&bed, "lab").await;
        let first = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "all@abc")).await;
        let again = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "all@abc")).await;
        assert_eq!((again.operation.id, again.disposition), (first.operation.id, Disposition::AlreadyRunning));
        let running = claim(&bed, "p", 1).await.unwrap();
        let again = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "all@abc")).await;
        assert_eq!((again.operation.id, again.operation.state), (running.id, OperationState::Running));

        // Another selection is another operation; so is the same on another fabric.
        let other = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "vpc-1@abc")).await;
        assert_eq!(other.disposition, Disposition::New);
        let prod = fabric(&bed, "prod").await;
        assert_eq!(enqueue(&bed, ask(prod.id, Verb::SyncToKubernetes, "all@abc")).await.disposition, Disposition::New);

        // One that is being cancelled is not what somebody asks for now.
        bed.operations().request_cancel(running.id, "anna", t(2)).await.unwrap();
        let fresh = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "all@abc")).await;
        assert_eq!(fresh.disposition, Disposition::New);

        // After its end the same request is a new operation.
        bed.operations().finish(running.id, "p", &succeeded(), t(3)).await.unwrap();
    }

    async fn lesson_42_a_comparison_is_no_sync_and_stands_in_nobodys_way(bed) {
        let lab = fabric(&bed, "lab").await;
        enqueue(&bed, ask(lab.id, Verb::SyncFromFabric, "x")).await;
        let comparing = claim(&bed, "p", 1).await.unwrap();
        let sync = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "x")).await;
        assert_eq!(sync.disposition, Disposition::New);
        let syncing = claim(&bed, "p", 1).await.unwrap();
        assert_eq!((syncing.id, syncing.verb), (sync.operation.id, Verb::SyncToKubernetes));
        // And the other way round: it may have read before the request, so it is not shared.
        let again = enqueue(&bed, ask(lab.id, Verb::SyncFromFabric, "x")).await;
        assert_eq!(again.disposition, Disposition::New);
        assert_ne!(again.operation.id, comparing.id);
        assert!(claim(&bed, "p", 1).await.is_some(), "a comparison runs beside a sync");
    }

    async fn the_same_key_gives_the_same_operation(bed) {
        let lab = fabric(&bed, "lab").await;
        let keyed = |key: &str, verb, print: &str| NewOperation {
            idempotency_key: Some(key.into()), ..ask(lab.id, verb, print)
        };
        let first = enqueue(&bed, keyed("k1", Verb::SyncToKubernetes, "a")).await.operation;
        let joined = enqueue(&bed, keyed("k2", Verb::SyncToKubernetes, "a")).await;
        assert_eq!((joined.operation.id, joined.disposition), (first.id, Disposition::AlreadyRunning));
        claim(&bed, "p", 1).await.unwrap();
        bed.operations().finish(first.id, "p", &succeeded(), t(2)).await.unwrap();
        // Both keys keep their operation after its end, also the one that joined.
        for key in ["k1", "k2"] {
            let same = enqueue(&bed, keyed(key, Verb::SyncToKubernetes, "b")).await;
            assert_eq!((same.operation.id, same.disposition), (first.id, Disposition::SameKey), "{key}");
        }
        let compared = enqueue(&bed, keyed("k3", Verb::SyncFromGit, "")).await.operation;
        assert_eq!(enqueue(&bed, keyed("k3", Verb::SyncFromGit, "")).await.operation.id, compared.id);
        // Keys are of their fabric.
        let other = fabric(&bed, "prod").await;
        let new = NewOperation { fabric_id: other.id, ..keyed("k1", Verb::SyncToKubernetes, "a") };
        assert_eq!(enqueue(&bed, new).await.disposition, Disposition::New);
        // An empty key is none.
        let empty = enqueue(&bed, keyed("", Verb::SyncFromGit, "")).await.operation;
        assert_ne!(enqueue(&bed, keyed("", Verb::SyncFromGit, "")).await.operation.id, empty.id);
    }

    async fn lesson_14_a_storm_of_the_same_request_is_one_operation(bed) {
        let lab = fabric(&bed, "lab").await;
        let processes = processes(&bed, 4).await;
        for round in 0..5 {
            let mut storm = tokio::task::JoinSet::new();
            for i in 0..12 {
                let store = processes[i % processes.len()].clone();
                let new = NewOperation {
                    idempotency_key: (i % 3 == 0).then(|| format!("key-{round}")),
                    ..ask(lab.id, Verb::SyncToKubernetes, &format!("all@{round}"))
                };
                storm.spawn(async move { enqueue(&store, new).await });
            }
            let answers = storm.join_all().await;
            assert_eq!(answers.iter().map(|a| a.operation.id).collect::<HashSet<_>>().len(), 1);
            assert_eq!(answers.iter().filter(|a| a.disposition == Disposition::New).count(), 1);
        }
    }

    async fn only_one_writer_a_fabric_whoever_claims(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        for i in 0..6 {
            for fabric in [&lab, &prod] {
                enqueue(&bed, ask(fabric.id, Verb::SyncToKubernetes, &i.to_string())).await;
                enqueue(&bed, ask(fabric.id, Verb::SyncFromFabric, "")).await;
            }
        }
        let claimed = everybody_claims(&bed).await;
        let ids: HashSet<i64> = claimed.iter().map(|o| o.id).collect();
        assert_eq!(ids.len(), claimed.len(), "nothing was claimed twice");
        let writers = |fabric: &Fabric| claimed.iter().filter(|o| o.fabric_id == fabric.id && o.verb.writes()).count();
        assert_eq!((writers(&lab), writers(&prod)), (1, 1));
        assert_eq!(claimed.iter().filter(|o| !o.verb.writes()).count(), 12, "comparisons all run");

        // The next one runs when the first has ended, the oldest first.
        let first = claimed.iter().find(|o| o.fabric_id == lab.id && o.verb.writes()).unwrap();
        let owner = first.lease_owner.clone().unwrap();
        bed.operations().finish(first.id, &owner, &succeeded(), t(2)).await.unwrap();
        let next = everybody_claims(&bed).await;
        assert_eq!(next.iter().map(|o| (o.fabric_id, o.fingerprint.as_str())).collect::<Vec<_>>(), [(lab.id, "1")]);
    }

    async fn the_database_itself_refuses_a_second_writer(bed) {
        let lab = fabric(&bed, "lab").await;
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "1")).await;
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "2")).await;
        claim(&bed, "p", 1).await.unwrap();
        let refused = bed.try_meddle(
            "UPDATE operations SET state = 'running', lease_owner = 'x', lease_expires_at = 1 WHERE state = 'queued'"
        ).await.unwrap_err();
        assert!(refused.to_lowercase().contains("unique"), "{refused}");
    }

    async fn what_waits_is_seen_by_fabric_however_long_the_queue_is(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let mut ids = Vec::new();
        for i in 0..5 {
            for verb in [Verb::SyncFromGit, Verb::SyncToKubernetes] {
                ids.push(enqueue(&bed, ask(lab.id, verb, &i.to_string())).await.operation.id);
            }
        }
        let last = enqueue(&bed, ask(prod.id, Verb::SyncFromGit, "")).await.operation.id;
        let waiting = async || {
            let waiting = bed.operations().waiting().await.unwrap();
            waiting.iter().map(|w| (w.id, w.fabric_id, w.writes)).collect::<Vec<_>>()
        };
        assert_eq!(waiting().await, [(ids[0], lab.id, false), (ids[1], lab.id, true), (last, prod.id, false)]);
        for id in [ids[0], ids[1]] {
            assert!(bed.operations().claim(id, &lease("p"), t(1)).await.unwrap().is_some());
            assert_eq!(bed.operations().claim(id, &lease("p2"), t(1)).await.unwrap(), None, "it is taken");
        }
        assert_eq!(waiting().await, [(ids[2], lab.id, false), (last, prod.id, false)], "its writer waits for the first");
        assert_eq!(bed.operations().claim(ids[3], &lease("p2"), t(1)).await.unwrap(), None, "one writes already");
        assert_eq!(bed.operations().claim(999, &lease("p2"), t(1)).await.unwrap(), None);
    }

    async fn who_lost_the_lease_changes_nothing(bed) {
        let lab = fabric(&bed, "lab").await;
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "a")).await;
        let running = claim(&bed, "p1", 0).await.unwrap();
        let seen = held(&bed, running.id).await;
        // It says that it lives while somebody is about to take it for dead: then it is not dead.
        assert!(bed.operations().heartbeat(running.id, &lease("p1"), t(20)).await.unwrap());
        assert_eq!(bed.operations().interrupt(&seen, t(31)).await.unwrap(), None);
        assert_eq!(bed.operations().get(running.id).await.unwrap().state, OperationState::Running);
        let seen = held(&bed, running.id).await;
        assert_eq!(bed.operations().interrupt(&HeldLease { owner: "p9".into(), ..seen.clone() }, t(31)).await.unwrap(), None);
        let died = bed.operations().interrupt(&seen, t(31)).await.unwrap();
        assert_eq!(died.map(|o| o.id), Some(running.id));
        // The process was only slow, and comes back.
        assert!(!bed.operations().heartbeat(running.id, &lease("p1"), t(32)).await.unwrap());
        assert!(!bed.operations().save_progress(running.id, "p1", &[]).await.unwrap());
        assert!(!bed.operations().set_commit(running.id, "p1", "x").await.unwrap());
        assert!(!bed.operations().put_outcomes(running.id, "p1", &[planned("vpc-1", None)]).await.unwrap());
        assert!(!bed.operations().finish(running.id, "p1", &succeeded(), t(33)).await.unwrap());
        assert_eq!(bed.operations().get(running.id).await.unwrap().state, OperationState::Interrupted);
        // Nor does anybody else's process.
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "a")).await;
        let next = claim(&bed, "p2", 40).await.unwrap();
        assert!(!bed.operations().finish(next.id, "p1", &succeeded(), t(41)).await.unwrap());
        assert!(!bed.operations().heartbeat(next.id, &lease("p1"), t(41)).await.unwrap());
    }

    async fn lesson_13_a_dead_process_is_noticed_and_the_next_sync_runs(bed) {
        let lab = fabric(&bed, "lab").await;
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "a")).await;
        let running = claim(&bed, "p1", 0).await.unwrap();
        let mut connecting = phase(Phase::Connect, PhaseState::Done);
        connecting.ended_at = Some(t(1));
        let mut applying = phase(Phase::Apply, PhaseState::Running);
        applying.retry = Some(Retry {
            what: "VPC vpc-1".into(),
            why: "the server is busy".into(),
            code: Code::KubernetesUnavailable,
            attempt: 2,
            of: 4,
            at: t(2),
        });
        let phases = [connecting, applying, phase(Phase::Verify, PhaseState::Waiting)];
        bed.operations().save_progress(running.id, "p1", &phases).await.unwrap();
        let outcomes = [planned("vpc-1", None), planned("vpc-2", Some(Code::SourceInvalid))];
        bed.operations().put_outcomes(running.id, "p1", &outcomes).await.unwrap();
        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "b")).await;
        assert_eq!(claim(&bed, "p2", 10).await, None);

        let seen = held(&bed, running.id).await;
        let died = bed.operations().interrupt(&seen, t(31)).await.unwrap().unwrap();
        assert_eq!((died.state, died.code, died.ended_at), (OperationState::Interrupted, Some(Code::Interrupted), Some(t(31))));
        assert!(died.message.contains("during \"Write to the cluster\""), "{}", died.message);
        let states: Vec<_> = died.phases.iter().map(|p| p.state).collect();
        assert_eq!(states, [PhaseState::Done, PhaseState::Failed, PhaseState::Skipped]);
        assert!(died.phases.iter().all(|p| p.retry.is_none()), "nobody tries it again");
        assert_eq!(bed.operations().get(died.id).await.unwrap(), died);
        assert_eq!(bed.operations().interrupt(&seen, t(32)).await.unwrap(), None);
        assert_eq!(bed.operations().leases().await.unwrap(), []);
        let objects = bed.operations().outcomes(died.id, &[], Page::all()).await.unwrap().rows;
        let said: Vec<_> = objects.iter().map(|o| (o.key.name.as_str(), o.outcome, o.code, o.message.contains("may have been"))).collect();
        let unknown = ("vpc-1", OutcomeKind::Unknown, Some(Code::Interrupted), true);
        assert_eq!(said, [unknown, ("vpc-2", OutcomeKind::NotAttempted, Some(Code::SourceInvalid), false)]);
        assert_eq!(claim(&bed, "p2", 33).await.unwrap().fingerprint, "b");
    }

    async fn what_writes_nothing_and_dies_has_written_nothing(bed) {
        let lab = fabric(&bed, "lab").await;
        let dry = NewOperation { writes: false, ..ask(lab.id, Verb::SyncToKubernetes, "dry") };
        let adopts = NewOperation {
            phases: vec![phase(Phase::Adopt, PhaseState::Waiting)],
            ..ask(lab.id, Verb::SyncFromFabric, "adopts")
        };
        for (new, stays, may_have) in [(dry, false, false), (adopts, true, true)] {
            let phases = new.phases.clone();
            enqueue(&bed, new).await;
            let running = claim(&bed, "p1", 0).await.unwrap();
            bed.operations().save_progress(running.id, "p1", &phases).await.unwrap();
            bed.operations().put_outcomes(running.id, "p1", &[planned("vpc-1", None)]).await.unwrap();
            let seen = held(&bed, running.id).await;
            let died = bed.operations().interrupt(&seen, t(31)).await.unwrap().unwrap();
            let said = (died.message.ends_with("What it wrote before stays."), died.message.ends_with("Nothing was written."));
            assert_eq!(said, (stays, !stays), "{}", died.message);
            let objects = bed.operations().outcomes(died.id, &[], Page::all()).await.unwrap().rows;
            let said = (objects[0].code, objects[0].message.contains("may have been"));
            assert_eq!(said, (Some(Code::Interrupted), may_have), "{}", objects[0].message);
            assert_eq!(objects[0].outcome == OutcomeKind::Unknown, may_have, "{:?}", objects[0]);
        }
    }

    async fn cancelling(bed) {
        let lab = fabric(&bed, "lab").await;
        let queued = enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "a")).await.operation;
        let cancel = async |id| bed.operations().request_cancel(id, "bert", t(5)).await.unwrap();
        assert_eq!(cancel(queued.id).await, CancelRequest::Ended);
        let ended = bed.operations().get(queued.id).await.unwrap();
        assert_eq!((ended.state, ended.code), (OperationState::Cancelled, Some(Code::Cancelled)));
        assert_eq!(ended.message, "Cancelled by bert before it began.");
        assert_eq!(cancel(queued.id).await, CancelRequest::AlreadyFinal);
        assert_eq!(claim(&bed, "p", 6).await, None);

        enqueue(&bed, ask(lab.id, Verb::SyncToKubernetes, "a")).await;
        let running = claim(&bed, "p", 6).await.unwrap();
        assert_eq!(cancel(running.id).await, CancelRequest::Requested);
        assert_eq!(cancel(running.id).await, CancelRequest::RequestedBefore);
        let told = bed.operations().get(running.id).await.unwrap();
        assert_eq!((told.state, told.cancel_requested_by.as_deref()), (OperationState::Running, Some("bert")));
        assert_eq!(bed.operations().told_to_end("p").await.unwrap(), [(running.id, "bert".to_owned())]);
        assert_eq!(bed.operations().told_to_end("another").await.unwrap(), []);
        assert!(matches!(bed.operations().request_cancel(999, "x", t(0)).await, Err(Error::NotFound("operation"))));
    }

    async fn an_end_is_final(bed) {
        let lab = fabric(&bed, "lab").await;
        enqueue(&bed, ask(lab.id, Verb::SyncFromGit, "")).await;
        let running = claim(&bed, "p", 0).await.unwrap();
        let not_an_end = Finish { state: OperationState::Running, ..succeeded() };
        assert!(bed.operations().finish(running.id, "p", &not_an_end, t(1)).await.is_err());
        let failed = Finish {
            state: OperationState::Failed,
            code: Some(Code::KubernetesRejected),
            message: "webhook: VLAN 5 is taken".into(),
            error_object: Some("VPC.vpc.githedgehog.com/default/vpc-1".into()),
            ..succeeded()
        };
        assert!(bed.operations().finish(running.id, "p", &failed, t(1)).await.unwrap());
        assert!(!bed.operations().finish(running.id, "p", &succeeded(), t(2)).await.unwrap());
        let ended = bed.operations().get(running.id).await.unwrap();
        assert_eq!((ended.code, ended.error_object.clone()), (Some(Code::KubernetesRejected), failed.error_object));
    }
}
