//! Operations as they are read: lists under a scope, what a status is derived from, outcomes, pruning.

use crate::bed::{ask, both_engines, claim, fabric, t, user};
use crate::comparisons::comparison;
use crate::objects::row;
use model::compare::ObjectState;
use model::operation::{ObjectOutcome, OperationState, OutcomeDetail, OutcomeKind, Trigger, Verb};
use model::{Code, ObjectKey};
use serde_json::json;
use store::operations::{Finish, OperationFilter};
use store::scope::Term;
use store::*;

async fn ran(store: &Store, fabric_id: i64, verb: Verb, state: OperationState, at: i64) -> i64 {
    ran_by(store, ask(fabric_id, verb, &at.to_string()), state, at).await
}

/// An operation that was just claimed by the process `p`.
async fn begun(store: &Store, new: NewOperation, at: i64) -> i64 {
    let fabric_id = new.fabric_id;
    let id = store.operations().enqueue(new, t(at)).await.unwrap().operation.id;
    let running = claim(store, Some(fabric_id), "p", at).await.unwrap();
    assert_eq!(running.id, id);
    id
}

async fn ran_by(store: &Store, new: NewOperation, state: OperationState, at: i64) -> i64 {
    let id = begun(store, new, at).await;
    let phases = vec![];
    let end = Finish { state, code: None, message: String::new(), error_object: None, result: json!(null), phases };
    assert!(store.operations().finish(id, "p", &end, t(at + 1)).await.unwrap());
    id
}

fn outcome(i: usize, outcome: OutcomeKind) -> ObjectOutcome {
    ObjectOutcome {
        key: ObjectKey::new("vpc.githedgehog.com", "VPC", "default", format!("vpc-{i:05}")),
        outcome,
        verified: outcome == OutcomeKind::Created,
        code: (outcome == OutcomeKind::Refused).then_some(Code::KubernetesRejected),
        message: if outcome == OutcomeKind::Refused { "VLAN 5 is taken — by 'vpc-2'".into() } else { String::new() },
        overwrote: vec!["spec.vlan: 5 (kubectl-edit)".into()],
        attempts: 2,
        at: t(3),
        detail: OutcomeDetail {
            webhook: Some("vvpc.kb.io".into()),
            switches: vec!["leaf-01".into()],
            ..OutcomeDetail::default()
        },
    }
}

both_engines! {
    async fn lists_show_what_the_scope_covers(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        for at in 0..3 {
            ran(&bed, lab.id, Verb::SyncToKubernetes, OperationState::Succeeded, at).await;
        }
        ran(&bed, lab.id, Verb::TestConnection, OperationState::Failed, 3).await;
        let newest = ran(&bed, prod.id, Verb::SyncToKubernetes, OperationState::Succeeded, 4).await;
        let list = async |scope: &Scope, filter: OperationFilter, page| {
            let listed = bed.operations().list(scope, &filter, page).await.unwrap();
            (listed.rows.len(), listed.total, listed.rows.first().map(|o| o.id))
        };
        let all = OperationFilter::default();
        assert_eq!(list(&Scope::All, all, Page::first(2)).await, (2, 5, Some(newest)));
        assert_eq!(list(&Scope::None, all, Page::all()).await, (0, 0, None));
        let labs = Scope::Where(vec![Constraint { terms: vec![Term::parse("name", &json!("lab")).unwrap()] }]);
        assert_eq!(list(&labs, all, Page::all()).await.1, 4);
        let of_prod = OperationFilter { fabric_id: Some(prod.id), ..all };
        assert_eq!(list(&labs, of_prod, Page::all()).await.1, 0, "the filter does not widen the scope");
        assert_eq!(list(&Scope::All, of_prod, Page::all()).await.1, 1);
        let failed = OperationFilter { state: Some(OperationState::Failed), verb: Some(Verb::TestConnection), ..all };
        assert_eq!(list(&labs, failed, Page::all()).await.1, 1);
    }

    async fn lesson_7_times_are_derived_from_operations(bed) {
        let lab = fabric(&bed, "lab").await;
        let nothing = bed.operations().summary(lab.id).await.unwrap();
        assert!(nothing.operations.is_empty() && nothing.last_attempt().is_none());

        use OperationState::{Failed, Partial, Succeeded};
        let good = ran(&bed, lab.id, Verb::SyncToKubernetes, Succeeded, 0).await;
        ran(&bed, lab.id, Verb::SyncToKubernetes, Partial, 10).await;
        let bad = ran(&bed, lab.id, Verb::SyncToKubernetes, Failed, 20).await;
        let tested = ran(&bed, lab.id, Verb::TestConnection, Succeeded, 30).await;
        for at in 40..60 {
            ran(&bed, lab.id, Verb::SyncFromFabric, Succeeded, at).await;
        }
        let running = bed.operations().enqueue(ask(lab.id, Verb::SyncToKubernetes, "x"), t(90)).await.unwrap().operation;
        claim(&bed, None, "p", 91).await.unwrap();
        let waiting = bed.operations().enqueue(ask(lab.id, Verb::SyncToKubernetes, "y"), t(92)).await.unwrap().operation;

        let summary = bed.operations().summary(lab.id).await.unwrap();
        let id = |o: Option<&Operation>| o.map(|o| o.id);
        assert_eq!(id(summary.last_attempt()), Some(waiting.id));
        assert_eq!(id(summary.writer()), Some(running.id));
        assert_eq!(summary.queued().map(|o| o.id).collect::<Vec<_>>(), [waiting.id]);
        assert_eq!(id(summary.last(Verb::SyncToKubernetes)), Some(waiting.id));
        assert_eq!(id(summary.last_ended(Verb::SyncToKubernetes)), Some(bad));
        assert_eq!(id(summary.last_success(Verb::SyncToKubernetes)), Some(good));
        assert_eq!(id(summary.last_success(Verb::TestConnection)), Some(tested));
        assert_eq!(id(summary.last_success(Verb::SyncFromGit)), None);
        assert!(summary.operations.len() <= 8, "{}", summary.operations.len());

        let last = |verb| { let store = bed.store.clone(); async move { store.operations().last(lab.id, verb).await.unwrap().map(|o| o.id) } };
        assert_eq!(last(Verb::SyncToKubernetes).await, Some(waiting.id));
        assert_eq!(last(Verb::SyncFromGit).await, None);
        let success = bed.operations().last_success(lab.id, Verb::SyncToKubernetes).await.unwrap();
        assert_eq!(success.map(|o| o.id), Some(good));
        let now: Vec<_> = bed.operations().running(lab.id).await.unwrap().iter().map(|o| o.id).collect();
        assert_eq!(now, [running.id]);
        let open: Vec<_> = bed.operations().open().await.unwrap().iter().map(|o| o.id).collect();
        assert_eq!(open, [running.id, waiting.id]);
    }

    async fn a_dry_run_holds_up_nothing_and_is_no_sync(bed) {
        use OperationState::{Failed, Succeeded};
        let lab = fabric(&bed, "lab").await;
        let dry = |print: &str| NewOperation { writes: false, ..ask(lab.id, Verb::SyncToKubernetes, print) };
        let good = ran(&bed, lab.id, Verb::SyncToKubernetes, Succeeded, 0).await;
        let bad = ran(&bed, lab.id, Verb::SyncToKubernetes, Failed, 10).await;
        let asked = ran_by(&bed, dry("d1"), Succeeded, 20).await;
        let summary = bed.operations().summary(lab.id).await.unwrap();
        let of = |o: Option<&Operation>| o.map(|o| o.id);
        assert_eq!(of(summary.last(Verb::SyncToKubernetes)), Some(bad));
        assert_eq!(of(summary.last_ended(Verb::SyncToKubernetes)), Some(bad), "it ends no error");
        assert_eq!(of(summary.last_success(Verb::SyncToKubernetes)), Some(good));
        let last = bed.operations().last(lab.id, Verb::SyncToKubernetes).await.unwrap();
        let success = bed.operations().last_success(lab.id, Verb::SyncToKubernetes).await.unwrap();
        assert_eq!((last.map(|o| o.id), success.map(|o| o.id)), (Some(bad), Some(good)));
        assert!(!bed.operations().get(asked).await.unwrap().writes);

        // It runs beside a sync, and a sync beside it.
        bed.operations().enqueue(ask(lab.id, Verb::SyncToKubernetes, "x"), t(30)).await.unwrap();
        let sync = claim(&bed, None, "p", 30).await.unwrap();
        let first = bed.operations().enqueue(dry("d2"), t(31)).await.unwrap();
        assert_eq!(first.disposition, Disposition::New);
        let running = claim(&bed, None, "p", 31).await.expect("it waits for nobody");
        assert_eq!((running.id, running.writes), (first.operation.id, false));
        let summary = bed.operations().summary(lab.id).await.unwrap();
        assert_eq!(of(summary.writer()), Some(sync.id));
        // Who asks again gets an answer of now, as for everything that only reads.
        let second = bed.operations().enqueue(dry("d2"), t(32)).await.unwrap();
        assert_eq!(second.disposition, Disposition::New);
        // No verb becomes a writing one by saying so.
        let lie = NewOperation { writes: true, ..ask(lab.id, Verb::SyncFromGit, "z") };
        assert!(!bed.operations().enqueue(lie, t(33)).await.unwrap().operation.writes);
    }

    async fn lesson_29_every_outcome_is_kept(bed) {
        let lab = fabric(&bed, "lab").await;
        let id = begun(&bed, ask(lab.id, Verb::SyncToKubernetes, "a"), 0).await;
        let outcomes: Vec<_> = (0..1203)
            .map(|i| outcome(i, if i % 100 == 7 { OutcomeKind::Refused } else { OutcomeKind::Created }))
            .collect();
        assert!(bed.operations().put_outcomes(id, "p", &outcomes).await.unwrap());
        assert!(bed.operations().put_outcomes(id, "p", &[]).await.unwrap());

        let all = bed.operations().outcomes(id, &[], Page::all()).await.unwrap();
        let (failed, done): (Vec<_>, Vec<_>) =
            outcomes.iter().cloned().partition(|o| o.outcome == OutcomeKind::Refused);
        assert_eq!((all.total, all.rows), (1203, [failed, done].concat()), "failures first, then by object");
        let refused = bed.operations().outcomes(id, &[OutcomeKind::Refused], Page::new(5, 10)).await.unwrap();
        assert_eq!((refused.total, refused.rows.len()), (12, 2));
        assert_eq!(refused.rows[0], outcomes[1007]);

        // A second try of one object replaces its outcome.
        assert!(bed.operations().put_outcomes(id, "p", &[outcome(7, OutcomeKind::Created)]).await.unwrap());
        let counts = bed.operations().outcome_counts(id).await.unwrap();
        let counts: Vec<_> = counts.iter().map(|c| (c.outcome, c.objects, c.verified)).collect();
        assert_eq!(counts, [(OutcomeKind::Created, 1192, 1192), (OutcomeKind::Refused, 11, 0)]);
        for (id, owner) in [(id, "another"), (999, "p")] {
            let stored = bed.operations().put_outcomes(id, owner, &[outcome(1203, OutcomeKind::Created)]).await.unwrap();
            assert!(!stored, "{owner} does not run {id}");
        }
        assert_eq!(bed.operations().outcomes(id, &[], Page::all()).await.unwrap().total, 1203);
    }

    async fn what_is_refused_still_and_what_was_deleted_is_known(bed) {
        let (lab, other) = (fabric(&bed, "lab").await, fabric(&bed, "other").await);
        let id = begun(&bed, ask(lab.id, Verb::SyncToKubernetes, "a"), 0).await;
        let refused = |i| outcome(i, OutcomeKind::Refused);
        let of_deletion = |i, kind| {
            let said = outcome(i, kind);
            ObjectOutcome { detail: OutcomeDetail { deletion: true, ..said.detail.clone() }, ..said }
        };
        use OutcomeKind::{ChangedMeanwhile, NotAttempted, NotVerified, Pruned, Unknown};
        let may_be_gone = [of_deletion(13, Pruned), of_deletion(14, Unknown), of_deletion(15, NotVerified),
            of_deletion(16, ChangedMeanwhile)];
        // One was put right since, one is no object any more.
        let mut outcomes = vec![refused(1), refused(4), refused(7), refused(22), outcome(10, OutcomeKind::Created),
            of_deletion(17, NotAttempted), outcome(18, Unknown), outcome(19, NotVerified), outcome(20, ChangedMeanwhile)];
        outcomes.extend(may_be_gone.clone());
        assert!(bed.operations().put_outcomes(id, "p", &outcomes).await.unwrap());
        assert_eq!(bed.operations().still_refused(lab.id, id).await.unwrap(), None, "nothing was compared yet");
        let differs = |i| ObjectRow { state: ObjectState::Undelivered, ..row(i) };
        let upserts = vec![row(1), differs(4), differs(7), differs(10)];
        let delta = ObjectDelta { upserts, deletes: Vec::new(), agents: None };
        bed.comparisons().save(&comparison(lab.id, 0, ComparisonResult::Ok), &delta).await.unwrap();
        let first = (2, refused(4).key, refused(4).message);
        assert_eq!(bed.operations().still_refused(lab.id, id).await.unwrap(), Some(first));
        assert_eq!(bed.operations().still_refused(other.id, id).await.unwrap(), None);
        assert_eq!(bed.operations().deleted(lab.id).await.unwrap(), may_be_gone.map(|o| o.key).into());
        assert!(bed.operations().deleted(other.id).await.unwrap().is_empty());
    }

    async fn what_failed_comes_before_what_was_left_because_of_it(bed) {
        use OutcomeKind::{ChangedMeanwhile, Created, Extra, Failed, NotAttempted, NotVerified, Refused, Unchanged, Unknown,
            Updated};
        let lab = fabric(&bed, "lab").await;
        let id = begun(&bed, ask(lab.id, Verb::SyncToKubernetes, "a"), 0).await;
        let kinds = [Unchanged, NotAttempted, Extra, Updated, NotAttempted, Created, ChangedMeanwhile, NotVerified, Unknown,
            Failed, Refused];
        let mut outcomes: Vec<_> = kinds.iter().enumerate().map(|(i, kind)| outcome(i, *kind)).collect();
        outcomes[1].code = Some(Code::PreflightFailed);
        outcomes[4].code = Some(Code::SourceInvalid);
        assert!(bed.operations().put_outcomes(id, "p", &outcomes).await.unwrap());
        let listed = bed.operations().outcomes(id, &[], Page::all()).await.unwrap().rows;
        let order: Vec<_> = listed.iter().map(|o| o.outcome).collect();
        let expected = [Refused, Failed, Unknown, NotVerified, ChangedMeanwhile, NotAttempted, NotAttempted, Created, Updated,
            Extra, Unchanged];
        assert_eq!(order, expected);
        assert_eq!(listed[5].code, Some(Code::SourceInvalid), "an error of its own before those that it held up");
        let first = bed.operations().outcomes(id, &[], Page::first(2)).await.unwrap().rows;
        assert_eq!(first, listed[..2], "page by page, too");
    }

    async fn an_operation_outlives_the_user_who_started_it(bed) {
        let (lab, anna) = (fabric(&bed, "lab").await, user(&bed, "anna").await);
        let new = NewOperation { actor_user_id: Some(anna.id), ..ask(lab.id, Verb::SyncFromGit, "") };
        let id = bed.operations().enqueue(new, t(0)).await.unwrap().operation.id;
        bed.users().delete(anna.id).await.unwrap();
        let orphan = bed.operations().get(id).await.unwrap();
        assert_eq!((orphan.actor.as_str(), orphan.actor_user_id), ("anna", None));
    }

    async fn pruning_keeps_what_people_did_and_what_the_status_needs(bed) {
        let lab = fabric(&bed, "lab").await;
        let by_schedule = |at: i64| NewOperation { trigger: if at == 20 { Trigger::Interval } else { Trigger::SelfHeal }, ..ask(lab.id, Verb::SyncFromFabric, &at.to_string()) };
        let by_hand = ran(&bed, lab.id, Verb::SyncFromFabric, OperationState::Succeeded, 0).await;
        let old = ran_by(&bed, by_schedule(10), OperationState::Succeeded, 10).await;
        let last_good = ran_by(&bed, by_schedule(20), OperationState::Succeeded, 20).await;
        let failed = ran_by(&bed, by_schedule(30), OperationState::Failed, 30).await;
        let newest = ran_by(&bed, by_schedule(40), OperationState::Failed, 40).await;
        assert_eq!(bed.operations().prune(lab.id, t(100)).await.unwrap(), 2);
        for (id, kept) in [(by_hand, true), (old, false), (last_good, true), (failed, false), (newest, true)] {
            assert_eq!(bed.operations().get(id).await.is_ok(), kept, "{id}");
        }
        assert_eq!(bed.operations().prune(lab.id, t(5)).await.unwrap(), 0);
    }
}
