//! Comparisons: round trip, the last of each kind, pruning, agents.

use crate::bed::{Bed, ask, both_engines, fabric, t};
use crate::objects::row;
use model::Code;
use model::manifest::{Finding, Location, Severity};
use model::operation::{Trigger, Verb};
use serde_json::json;
use store::comparisons::CommitInfo;
use store::*;

pub fn comparison(fabric_id: i64, at: i64, result: ComparisonResult) -> NewComparison {
    NewComparison {
        fabric_id,
        operation_id: None,
        trigger: Trigger::Schedule,
        commit: Some(CommitInfo {
            id: "0123abcd".into(),
            time: Some(t(at - 100)),
            subject: "Add vpc-1".into(),
            author: "Anna <anna@example.org>".into(),
        }),
        observed_at: t(at),
        finished_at: t(at + 1),
        result,
        code: (result != ComparisonResult::Ok).then_some(Code::KubernetesForbidden),
        message: "1 kind could not be read".into(),
        problems: json!([{"kind": "Switch", "reason": "forbidden"}]),
        counts: json!({"VPC": {"equal": 3}}),
        findings: vec![Finding {
            severity: Severity::Warning,
            rule: "unknown_field".into(),
            object: Some("VPC.vpc.githedgehog.com/default/vpc-1".parse().unwrap()),
            path: Some("spec.vlann".into()),
            location: Some(Location { file: "vpc.yaml".into(), line: 3, column: 5, document: 1 }),
            message: "The field is not known.".into(),
            glimpses: Vec::new(),
        }],
        findings_total: 1,
        release: Some("v0.96".into()),
        duration_ms: 812,
        kinds: json!(["VPC"]),
    }
}

async fn save(store: &Store, new: &NewComparison) -> i64 {
    store.comparisons().save(new, &ObjectDelta::default()).await.unwrap()
}

/// From now on the database refuses rows with a certain digest, as a full disk would refuse any.
async fn refuse_digest(bed: &Bed) {
    let sqlite = "CREATE TRIGGER refuse BEFORE INSERT ON objects WHEN NEW.digest = 'refused' \
                  BEGIN SELECT RAISE(ABORT, 'refused'); END";
    let postgres = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'refused'; END $$ LANGUAGE plpgsql; \
                    CREATE TRIGGER refuse BEFORE INSERT ON objects FOR EACH ROW WHEN (NEW.digest = 'refused') \
                    EXECUTE FUNCTION refuse()";
    bed.meddle(if bed.engine() == Engine::Sqlite { sqlite } else { postgres }).await;
}

both_engines! {
    async fn a_comparison_round_trips(bed) {
        let lab = fabric(&bed, "lab").await;
        let operation = bed.operations().enqueue(ask(lab.id, Verb::SyncFromGit, ""), t(0)).await.unwrap().operation;
        let mut new = comparison(lab.id, 10, ComparisonResult::Partial);
        new.operation_id = Some(operation.id);
        let id = save(&bed, &new).await;
        assert_eq!(bed.comparisons().get(id).await.unwrap(), Comparison { id, comparison: new, confirmed_until: None });

        let mut bare = comparison(lab.id, 20, ComparisonResult::Failed);
        (bare.commit, bare.release, bare.findings, bare.findings_total) = (None, None, vec![], 0);
        let id = save(&bed, &bare).await;
        assert_eq!(*bed.comparisons().get(id).await.unwrap(), bare);
        assert!(matches!(bed.comparisons().get(999).await, Err(Error::NotFound("comparison"))));
        let nowhere = bed.comparisons().save(&comparison(999, 0, ComparisonResult::Ok), &ObjectDelta::default()).await;
        assert!(matches!(nowhere, Err(Error::Dangling(_))), "{nowhere:?}");
    }

    async fn evidence_moves_only_forward_and_only_of_the_newest_whole_comparison(bed) {
        use ComparisonResult::{Failed, Ok};
        let lab = fabric(&bed, "lab").await;
        let saved = |second| jiff::Timestamp::from_second(lab.updated_at.as_second() + second).unwrap();
        let mut new = comparison(lab.id, 0, Ok);
        new.observed_at = saved(10);
        let first = save(&bed, &new).await;
        let comparisons = bed.comparisons();
        assert_eq!(comparisons.get(first).await.unwrap().evidence_at(), saved(10));
        assert!(comparisons.still_holds(lab.id, first, saved(20)).await.unwrap());
        assert!(!comparisons.still_holds(lab.id, first, saved(15)).await.unwrap(), "not back");
        assert!(!comparisons.still_holds(lab.id + 1, first, saved(30)).await.unwrap(), "of another fabric");
        let read = comparisons.get(first).await.unwrap();
        assert_eq!((read.confirmed_until, read.evidence_at()), (Some(saved(20)), saved(20)));
        assert_eq!(*read, new, "nothing else has changed");

        let second = save(&bed, &new).await;
        assert!(!comparisons.still_holds(lab.id, first, saved(40)).await.unwrap(), "there is a newer one");
        assert!(comparisons.still_holds(lab.id, second, saved(40)).await.unwrap());
        (new.result, new.code) = (Failed, Some(model::Code::KubernetesUnavailable));
        let failed = save(&bed, &new).await;
        for id in [second, failed] {
            assert!(!comparisons.still_holds(lab.id, id, saved(50)).await.unwrap(), "the newest one failed");
        }
        (new.result, new.code, new.observed_at) = (Ok, None, saved(60));
        let before = save(&bed, &new).await;
        bed.fabrics().set_sync_enabled(&Scope::System, lab.id, false, saved(61)).await.unwrap();
        assert!(!comparisons.still_holds(lab.id, before, saved(70)).await.unwrap(), "the settings are others now");
    }

    async fn the_last_and_the_last_complete_one(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        assert_eq!(bed.comparisons().latest(lab.id).await.unwrap(), None);
        use ComparisonResult::{Failed, Ok, Partial};
        let ok = save(&bed, &comparison(lab.id, 1, Ok)).await;
        let partial = save(&bed, &comparison(lab.id, 2, Partial)).await;
        let failed = save(&bed, &comparison(lab.id, 3, Failed)).await;
        save(&bed, &comparison(prod.id, 4, Ok)).await;
        let id = |c: Option<Comparison>| c.map(|c| c.id);
        assert_eq!(id(bed.comparisons().latest(lab.id).await.unwrap()), Some(failed));
        assert_eq!(id(bed.comparisons().latest_ok(lab.id).await.unwrap()), Some(ok));
        assert_eq!(id(bed.comparisons().latest_of(lab.id, Partial).await.unwrap()), Some(partial));
        let listed = bed.comparisons().list(lab.id, Page::first(2)).await.unwrap();
        assert_eq!((listed.rows.iter().map(|c| c.id).collect::<Vec<_>>(), listed.total), (vec![failed, partial], 3));
    }

    async fn pruning_keeps_the_newest_and_what_is_referred_to(bed) {
        let lab = fabric(&bed, "lab").await;
        use ComparisonResult::{Ok, Partial};
        let shown = save(&bed, &comparison(lab.id, 0, Ok)).await;
        let new = NewOperation { shown_comparison_id: Some(shown), ..ask(lab.id, Verb::SyncToKubernetes, "") };
        let operation = bed.operations().enqueue(new, t(0)).await.unwrap().operation;
        let made = save(&bed, &NewComparison { operation_id: Some(operation.id), ..comparison(lab.id, 1, Ok) }).await;
        let last_partial = save(&bed, &comparison(lab.id, 2, Partial)).await;
        let mut rest = Vec::new();
        for at in 3..10 {
            rest.push(save(&bed, &comparison(lab.id, at, Ok)).await);
        }
        assert_eq!(bed.comparisons().prune(lab.id, 100).await.unwrap(), 0);
        assert_eq!(bed.comparisons().prune(lab.id, 3).await.unwrap(), 4);
        for id in [shown, made, last_partial].iter().chain(&rest[4..]) {
            assert!(bed.comparisons().get(*id).await.is_ok(), "{id}");
        }
        assert!(bed.comparisons().get(rest[3]).await.is_err());
    }

    async fn agents_are_replaced_only_when_they_were_read(bed) {
        let lab = fabric(&bed, "lab").await;
        let agent = |name: &str, generation: i64| AgentRow {
            kind: "Agent".into(),
            name: name.into(),
            summary: json!({"generation": generation}),
            observed_at: t(generation),
        };
        let read = async |agents| {
            let delta = ObjectDelta { agents, ..ObjectDelta::default() };
            bed.comparisons().save(&comparison(lab.id, 0, ComparisonResult::Ok), &delta).await.unwrap();
            bed.agents().list(lab.id).await.unwrap()
        };
        assert_eq!(read(Some(vec![agent("leaf-2", 1), agent("leaf-1", 1)])).await, [agent("leaf-1", 1), agent("leaf-2", 1)]);
        assert_eq!(read(None).await.len(), 2, "not read is not gone");
        assert_eq!(read(Some(vec![agent("leaf-2", 7), agent("spine-1", 1)])).await, [agent("leaf-2", 7), agent("spine-1", 1)]);
        bed.agents().replace(lab.id, &[]).await.unwrap();
        assert_eq!(bed.agents().list(lab.id).await.unwrap(), []);
    }

    async fn a_comparison_and_its_objects_are_stored_together_or_not_at_all(bed) {
        let lab = fabric(&bed, "lab").await;
        // What is refused stands last, after hundreds of good rows.
        let mut upserts: Vec<_> = (0..450).map(row).collect();
        upserts.push(ObjectRow { digest: "refused".into(), ..row(9999) });
        let delta = ObjectDelta { upserts, ..ObjectDelta::default() };
        refuse_digest(&bed).await;
        let saved = bed.comparisons().save(&comparison(lab.id, 0, ComparisonResult::Ok), &delta).await;
        assert!(saved.is_err());
        assert_eq!(bed.comparisons().latest(lab.id).await.unwrap(), None);
        assert_eq!(bed.objects().counts(lab.id).await.unwrap(), []);
    }
}
