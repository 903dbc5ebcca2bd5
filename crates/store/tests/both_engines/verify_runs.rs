//! Runs of the console's own monitor.

use crate::bed::{both_engines, fabric, t};
use serde_json::json;
use store::scope::Term;
use store::verify_runs::{InARow, NewVerifyRun};
use store::{Constraint, Page, Scope};

fn walked(fabric_id: Option<i64>, at: i64, verdict: &str) -> NewVerifyRun {
    NewVerifyRun {
        run_id: format!("run-{at}-{}", fabric_id.unwrap_or(0)),
        fabric_id,
        started_at: t(at),
        ended_at: t(at + 1),
        verdict: verdict.to_owned(),
        is_good: verdict == "pass",
        sentence: format!("It was {verdict}."),
        cause: (verdict != "pass").then(|| "transport_failed".to_owned()),
        failure_point: (verdict != "pass").then_some(2),
        what_to_do: None,
        journeys: json!([{"name": "login_logout", "verdict": verdict}]),
    }
}

both_engines! {
    async fn what_is_in_a_row_is_counted_and_old_runs_go(bed) {
        let lab = fabric(&bed, "lab").await;
        let mut rows = Vec::new();
        for (at, verdict) in [(1, "pass"), (2, "fail"), (3, "invalid"), (4, "fail"), (5, "pass"), (6, "fail")] {
            rows.push(bed.verify_runs().record(&walked(Some(lab.id), at, verdict), 4).await.unwrap());
        }
        assert_eq!(rows.iter().map(|row| row.after.count).collect::<Vec<_>>(), [0, 1, 2, 3, 0, 1]);
        assert_eq!(rows[4].before, InARow { count: 3, since: Some(t(2)) }, "since the first of them, which is gone since");
        assert_eq!(rows[5].after.since, Some(t(6)));

        let listed = bed.verify_runs().of_fabric(lab.id, Page::new(2, 1)).await.unwrap();
        assert_eq!(listed.total, 4, "the oldest two are gone");
        let found: Vec<_> = listed.rows.iter().map(|run| (run.started_at, run.verdict.as_str())).collect();
        assert_eq!(found, [(t(5), "pass"), (t(4), "fail")]);
        let kept = &listed.rows[1];
        assert_eq!((kept.failure_point, kept.cause.as_deref()), (Some(2), Some("transport_failed")));
        assert_eq!(kept.journeys, json!([{"name": "login_logout", "verdict": "fail"}]));
        assert_eq!(bed.verify_runs().successes().await.unwrap(), [(lab.id, t(6))].into());
    }

    async fn a_scope_shows_its_fabrics_only_and_a_fabric_takes_its_runs_along(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        for at in 1..=3 {
            for fabric in [Some(lab.id), Some(prod.id), None] {
                bed.verify_runs().record(&walked(fabric, at, "pass"), 100).await.unwrap();
            }
        }
        let all = bed.verify_runs().newest(&Scope::All, 2).await.unwrap();
        assert_eq!(all.len(), 6, "two of each");
        assert_eq!(all[0].started_at, t(3), "the newest first");
        let only = Scope::Where(vec![Constraint { terms: vec![Term::parse("name", &json!("lab")).unwrap()] }]);
        let seen = bed.verify_runs().newest(&only, 9).await.unwrap();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|run| run.fabric_id == Some(lab.id)), "not those of nobody's fabric: {seen:?}");
        assert_eq!(bed.verify_runs().newest(&Scope::None, 9).await.unwrap(), []);
        bed.meddle("DELETE FROM fabrics WHERE name = 'prod'").await;
        let left = bed.verify_runs().newest(&Scope::All, 9).await.unwrap();
        assert_eq!(left.iter().filter(|run| run.fabric_id.is_none()).count(), 3);
        assert_eq!(left.len(), 6, "those of the fabric went with it: {left:?}");
    }

    async fn of_several_processes_one_begins(bed) {
        let (lab, runs) = (fabric(&bed, "lab").await, bed.verify_runs());
        assert!(runs.claim(Some(lab.id), t(100), t(40)).await.unwrap(), "nobody was there yet");
        assert!(!bed.another().await.verify_runs().claim(Some(lab.id), t(101), t(41)).await.unwrap());
        assert!(runs.claim(None, t(101), t(41)).await.unwrap(), "what is about no fabric is a thing of its own");
        assert!(runs.claim(Some(lab.id), t(160), t(100)).await.unwrap(), "a whole interval later");
    }
}
