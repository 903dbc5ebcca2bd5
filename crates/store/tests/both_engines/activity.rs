//! The list of everything that was done and tried: its order, its filters, its pages, and who sees what.

use crate::bed::{ask, both_engines, fabric, lease, t, user};
use model::Code;
use model::operation::{OperationState, Verb};
use serde_json::json;
use store::activity::{ActivityFilter, Entry, Seen, Show};
use store::operations::Finish;
use store::scope::Term;
use store::*;

async fn ran(store: &Store, fabric_id: i64, actor: &str, verb: Verb, code: Option<Code>, at: i64) -> i64 {
    let new = NewOperation { actor: actor.into(), ..ask(fabric_id, verb, &at.to_string()) };
    let id = store.operations().enqueue(new, t(at)).await.unwrap().operation.id;
    store.operations().claim(id, &lease("p"), t(at)).await.unwrap().unwrap();
    let state = if code.is_some() { OperationState::Failed } else { OperationState::Succeeded };
    let (message, result) = (String::new(), json!(null));
    let end = Finish { state, code, message, error_object: None, result, phases: vec![] };
    assert!(store.operations().finish(id, "p", &end, t(at + 1)).await.unwrap());
    id
}

async fn tried(store: &Store, fabric: Option<&Fabric>, actor: &str, status: u16, at: i64) -> i64 {
    store.attempts().record(&attempt(fabric, actor, status, at)).await.unwrap()
}

/// An attempt that an operation came of.
async fn asked(store: &Store, fabric: &Fabric, actor: &str, operation: i64, at: i64) -> i64 {
    let new = NewAttempt { operation_id: Some(operation), ..attempt(Some(fabric), actor, 202, at) };
    store.attempts().record(&new).await.unwrap()
}

fn attempt(fabric: Option<&Fabric>, actor: &str, status: u16, at: i64) -> NewAttempt {
    NewAttempt {
        at: t(at),
        fabric_id: fabric.map(|f| f.id),
        fabric_name: fabric.map(|f| f.name.clone()).unwrap_or_default(),
        verb: Some(Verb::SyncToKubernetes),
        action: "sync".into(),
        subject: String::new(),
        actor: actor.into(),
        user_id: None,
        token_key: None,
        address: "192.0.2.1".into(),
        method: "POST".into(),
        path: "/fabrics/1/sync/".into(),
        http_status: status,
        redirected: false,
        code: (status >= 400).then_some(Code::PermissionDenied),
        message: String::new(),
        request_id: "req-1".into(),
        operation_id: None,
    }
}

/// Rows as `o1` and `a1`, with the exact count of all pages.
async fn list(store: &Store, fabrics: &Scope, filter: ActivityFilter, page: Page) -> (String, u64) {
    let seen = Seen { fabrics, people: matches!(fabrics, Scope::All), own: None };
    let listed = store.activity().list(&seen, &filter, page).await.unwrap();
    let rows = listed.rows.iter().map(|entry| match entry {
        Entry::Operation(operation) => format!("o{}", operation.id),
        Entry::Attempt(attempt) => format!("a{}", attempt.id),
    });
    (rows.collect::<Vec<_>>().join(" "), listed.total)
}

both_engines! {
    async fn operations_and_refusals_are_one_list_under_every_filter(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let sync = Verb::SyncToKubernetes;
        let o1 = ran(&bed, lab.id, "anna", sync, None, 10).await;
        let a1 = tried(&bed, Some(&lab), "bob", 403, 20).await;
        let accepted = asked(&bed, &lab, "anna", o1, 25).await;
        let o2 = ran(&bed, prod.id, "system", Verb::SyncFromGit, Some(Code::SourceUnreachable), 30).await;
        let a2 = tried(&bed, None, "anonymous", 401, 40).await;
        let o3 = ran(&bed, lab.id, "anna", sync, Some(Code::Partial), 50).await;
        let all = ActivityFilter::default;
        let of = async |filter: ActivityFilter| list(&bed, &Scope::All, filter, Page::all()).await;
        assert_eq!(of(all()).await, (format!("o{o3} a{a2} o{o2} a{a1} o{o1}"), 5), "newest first, no attempt twice");
        assert_eq!(of(ActivityFilter { show: Show::Operations, ..all() }).await, (format!("o{o3} o{o2} o{o1}"), 3));
        assert_eq!(
            of(ActivityFilter { show: Show::Attempts, ..all() }).await,
            (format!("a{a2} a{accepted} a{a1}"), 3)
        );
        assert_eq!(of(ActivityFilter { show: Show::Refused, ..all() }).await, (format!("a{a2} a{a1}"), 2));
        assert_eq!(of(ActivityFilter { fabric_id: Some(lab.id), ..all() }).await, (format!("o{o3} a{a1} o{o1}"), 3));
        assert_eq!(of(ActivityFilter { actor: Some("anna".into()), ..all() }).await, (format!("o{o3} o{o1}"), 2));
        assert_eq!(of(ActivityFilter { actor: Some("ann".into()), ..all() }).await, (String::new(), 0), "exactly");
        assert_eq!(of(ActivityFilter { verb: Some(Verb::SyncFromGit), ..all() }).await, (format!("o{o2}"), 1));
        let states = vec![OperationState::Failed];
        assert_eq!(of(ActivityFilter { states: states.clone(), ..all() }).await, (format!("o{o3} o{o2}"), 2));
        let none = ActivityFilter { states, show: Show::Refused, ..all() };
        assert_eq!(of(none).await, (String::new(), 0), "what was turned away has no state");
        assert_eq!(of(ActivityFilter { code: Some(Code::Partial), ..all() }).await, (format!("o{o3}"), 1));
        assert_eq!(of(ActivityFilter { code: Some(Code::PermissionDenied), ..all() }).await.1, 2);
        let between = ActivityFilter { since: Some(t(20)), before: Some(t(40)), ..all() };
        assert_eq!(of(between).await, (format!("o{o2} a{a1}"), 2), "from, and up to");
        let together = ActivityFilter {
            fabric_id: Some(lab.id), actor: Some("anna".into()), verb: Some(sync), since: Some(t(11)), ..all()
        };
        assert_eq!(of(together).await, (format!("o{o3}"), 1));

        let page = async |offset| list(&bed, &Scope::All, all(), Page::new(2, offset)).await;
        assert_eq!(page(0).await, (format!("o{o3} a{a2}"), 5));
        assert_eq!(page(2).await, (format!("o{o2} a{a1}"), 5));
        assert_eq!(page(4).await, (format!("o{o1}"), 5));
        assert_eq!(page(6).await, (String::new(), 5));

        let labs = Scope::Where(vec![Constraint { terms: vec![Term::parse("name", &json!("lab")).unwrap()] }]);
        assert_eq!(list(&bed, &labs, all(), Page::all()).await, (format!("o{o3} a{a1} o{o1}"), 3));
        let of_prod = ActivityFilter { fabric_id: Some(prod.id), ..all() };
        assert_eq!(list(&bed, &labs, of_prod, Page::all()).await, (String::new(), 0), "not even by its number");
        assert_eq!(list(&bed, &Scope::None, all(), Page::all()).await, (String::new(), 0));
    }

    async fn what_people_did_on_no_fabric_is_seen_by_them_and_by_whoever_may_see_people(bed) {
        let (anna, lab) = (user(&bed, "anna").await, fabric(&bed, "lab").await);
        let own = NewAttempt { user_id: Some(anna.id), ..attempt(None, "anna", 303, 10) };
        let own = bed.attempts().record(&own).await.unwrap();
        let others = tried(&bed, None, "bob", 303, 20).await;
        let on_lab = tried(&bed, Some(&lab), "bob", 403, 30).await;
        let all = async |seen: Seen<'_>| {
            let listed = bed.activity().list(&seen, &ActivityFilter::default(), Page::all()).await.unwrap();
            let ids = listed.rows.iter().map(|entry| match entry {
                Entry::Attempt(attempt) => attempt.id,
                Entry::Operation(_) => 0,
            });
            assert_eq!(listed.rows.len() as u64, listed.total);
            ids.collect::<Vec<_>>()
        };
        let (every, none) = (&Scope::All, &Scope::None);
        assert_eq!(all(Seen::all()).await, [on_lab, others, own]);
        assert_eq!(all(Seen { fabrics: every, people: false, own: Some(anna.id) }).await, [on_lab, own]);
        assert_eq!(all(Seen { fabrics: every, people: false, own: None }).await, [on_lab]);
        assert_eq!(all(Seen { fabrics: none, people: false, own: Some(anna.id) }).await, [own]);
        assert_eq!(all(Seen { fabrics: none, people: true, own: None }).await, [others, own]);
    }
}
