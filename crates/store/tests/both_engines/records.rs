//! Attempts.

use crate::bed::{ask, both_engines, fabric, t, user};
use model::Code;
use model::operation::Verb;
use serde_json::json;
use store::attempts::AttemptFilter;
use store::scope::Term;
use store::*;

fn attempt(at: i64, fabric: Option<&Fabric>) -> NewAttempt {
    NewAttempt {
        at: t(at),
        fabric_id: fabric.map(|f| f.id),
        fabric_name: fabric.map(|f| f.name.clone()).unwrap_or_default(),
        verb: Some(Verb::SyncToKubernetes),
        action: "sync".into(),
        subject: String::new(),
        actor: "anna".into(),
        user_id: None,
        token_key: None,
        address: "2001:db8::1".into(),
        method: "POST".into(),
        path: "/fabrics/1/sync/".into(),
        http_status: 401,
        redirected: false,
        code: Some(Code::SessionIdleExpired),
        message: "Your session ended because it was not used.".into(),
        request_id: "req-9".into(),
        operation_id: None,
    }
}

async fn list(store: &Store, scope: &Scope, filter: AttemptFilter) -> Vec<i64> {
    let listed = store.attempts().list(scope, &filter, Page::all()).await.unwrap();
    assert_eq!(listed.total, listed.rows.len() as u64);
    listed.rows.iter().map(|a| a.id).collect()
}

both_engines! {
    async fn an_attempt_round_trips(bed) {
        let (lab, anna) = (fabric(&bed, "lab").await, user(&bed, "anna").await);
        let operation = bed.operations().enqueue(ask(lab.id, Verb::SyncFromGit, ""), t(0)).await.unwrap().operation;
        let new = NewAttempt {
            user_id: Some(anna.id), operation_id: Some(operation.id), http_status: 202, code: None,
            ..attempt(1, Some(&lab))
        };
        let id = bed.attempts().record(&new).await.unwrap();
        let listed = bed.attempts().list(&Scope::All, &AttemptFilter::default(), Page::all()).await.unwrap();
        assert_eq!(listed.rows, [Attempt { id, attempt: new }]);
    }

    async fn what_does_not_exist_does_not_hinder_the_record(bed) {
        let new = NewAttempt { fabric_id: Some(99), user_id: Some(99), operation_id: Some(99), ..attempt(1, None) };
        bed.attempts().record(&new).await.unwrap();
        let listed = bed.attempts().list(&Scope::All, &AttemptFilter::default(), Page::all()).await.unwrap();
        assert_eq!((listed.rows[0].fabric_id, listed.rows[0].user_id, listed.rows[0].operation_id), (None, None, None));
    }

    async fn lists_show_what_the_scope_covers(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let on_lab = bed.attempts().record(&attempt(1, Some(&lab))).await.unwrap();
        let on_prod = bed.attempts().record(&NewAttempt { http_status: 202, ..attempt(2, Some(&prod)) }).await.unwrap();
        let nowhere = bed.attempts().record(&attempt(3, None)).await.unwrap();
        let any = AttemptFilter::default();
        assert_eq!(list(&bed, &Scope::All, any).await, [nowhere, on_prod, on_lab]);
        let labs = Scope::Where(vec![Constraint { terms: vec![Term::parse("name", &json!("lab")).unwrap()] }]);
        assert_eq!(list(&bed, &labs, any).await, [on_lab]);
        assert_eq!(list(&bed, &Scope::None, any).await, Vec::<i64>::new());
        let of_prod = AttemptFilter { fabric_id: Some(prod.id), ..any };
        assert_eq!(list(&bed, &Scope::All, of_prod).await, [on_prod]);
        assert_eq!(list(&bed, &labs, of_prod).await, Vec::<i64>::new());
        assert_eq!(list(&bed, &Scope::All, AttemptFilter { refused_only: true, ..any }).await, [nowhere, on_lab]);
    }

    async fn an_attempt_outlives_its_fabric_and_is_purged_by_age(bed) {
        let lab = fabric(&bed, "lab").await;
        bed.attempts().record(&attempt(1, Some(&lab))).await.unwrap();
        bed.fabrics().delete(&Scope::System, lab.id).await.unwrap();
        let listed = bed.attempts().list(&Scope::All, &AttemptFilter::default(), Page::all()).await.unwrap();
        assert_eq!((listed.rows[0].fabric_id, listed.rows[0].fabric_name.as_str()), (None, "lab"));
        assert_eq!(bed.attempts().purge(t(1)).await.unwrap(), 0);
        assert_eq!(bed.attempts().purge(t(2)).await.unwrap(), 1);
    }
}
