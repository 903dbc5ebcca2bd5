//! Objects: bulk writes of what changed, lists without bodies, counts, bases.

use crate::bed::{both_engines, fabric, t};
use crate::comparisons::comparison;
use model::compare::{FieldDiff, ObjectState, Side};
use model::manifest::{Finding, Location, Severity};
use model::{Body, ObjectKey};
use serde_json::json;
use store::objects::{KindCount, ObjectFilter, ObjectSort};
use store::*;

fn key(i: usize) -> ObjectKey {
    match i % 3 {
        0 => ObjectKey::new("wiring.githedgehog.com", "Server", "default", format!("server-{i:05}")),
        1 => ObjectKey::new("vpc.githedgehog.com", "VPC", "default", format!("vpc-{i:05}")),
        _ => ObjectKey::new("wiring.githedgehog.com", "Connection", "other", format!("Conn_{i:05}")),
    }
}

fn kind_of(i: usize) -> String {
    format!("{}.{}", key(i).kind, key(i).group)
}

pub fn row(i: usize) -> ObjectRow {
    let body = Body::from(&json!({"kind": key(i).kind, "metadata": {"name": key(i).name}, "spec": {"vlan": i}}));
    ObjectRow {
        key: key(i),
        version: "v1beta1".into(),
        rank: [20, 30, 40][i % 3],
        state: ObjectState::Equal,
        managed: true,
        confirmed: None,
        desired: Some(body.clone()),
        live: Some(body),
        base: BaseChange::Keep,
        diffs: vec![],
        findings: vec![],
        location: Some(Location {
            file: format!("f{}.yaml", i % 7).into(),
            line: i as u32 + 1,
            column: 1,
            document: 2,
        }),
        live_rv: Some(format!("rv{i}")),
        live_uid: Some(format!("uid{i}")),
        live_changed: true,
        holdings: json!([]),
        digest: format!("d{i}"),
    }
}

async fn save(store: &Store, fabric_id: i64, upserts: Vec<ObjectRow>, deletes: Vec<ObjectKey>) -> i64 {
    let delta = ObjectDelta { upserts, deletes, agents: None };
    store.comparisons().save(&comparison(fabric_id, 0, ComparisonResult::Ok), &delta).await.unwrap()
}

fn diff() -> FieldDiff {
    FieldDiff {
        path: "spec.vlan".into(),
        desired: Some(json!(5)),
        live: None,
        side: Side::Live,
        manager: Some("kubectl-edit".into()),
        changed_at: Some(t(4)),
    }
}

fn finding(severity: Severity) -> Finding {
    Finding {
        severity,
        rule: "unknown_field".into(),
        object: None,
        path: None,
        location: None,
        message: "A field.".into(),
        glimpses: Vec::new(),
    }
}

both_engines! {
    async fn an_object_round_trips(bed) {
        let lab = fabric(&bed, "lab").await;
        let full = ObjectRow {
            state: ObjectState::Conflict,
            managed: false,
            confirmed: Some(false),
            base: BaseChange::Set(Body::from(&json!({"spec": {"vlan": 1.5, "name": "é\u{1F980}"}}))),
            diffs: vec![diff()],
            findings: vec![finding(Severity::Warning), finding(Severity::Error)],
            holdings: json!({"leaf-1": 4}),
            ..row(1)
        };
        let comparison = save(&bed, lab.id, vec![full.clone()], vec![]).await;
        let stored = bed.objects().get(lab.id, &full.key).await.unwrap();
        assert_eq!(stored.brief.key, full.key);
        assert_eq!((stored.brief.state, stored.brief.managed, stored.brief.confirmed), (full.state, false, Some(false)));
        assert_eq!((stored.brief.diff_count, stored.brief.finding_count, stored.brief.has_errors), (1, 2, true));
        assert_eq!(stored.brief.changed_in, comparison);
        assert_eq!((stored.brief.location.clone(), stored.brief.rank), (full.location, 30));
        assert_eq!((stored.brief.live_rv.clone(), stored.brief.live_uid.clone()), (full.live_rv, full.live_uid));
        assert_eq!(stored.brief.gvk().api_version(), "vpc.githedgehog.com/v1beta1");
        assert_eq!((stored.desired, stored.live), (full.desired.map(|b| b.value()), full.live.map(|b| b.value())));
        assert_eq!((stored.diffs, stored.findings, stored.holdings), (full.diffs, full.findings, full.holdings));
        assert_eq!(stored.base, Some(json!({"spec": {"vlan": 1.5, "name": "é\u{1F980}"}})));

        let bare = ObjectRow { desired: None, live: None, location: None, live_rv: None, live_uid: None, ..row(2) };
        save(&bed, lab.id, vec![bare.clone()], vec![]).await;
        let stored = bed.objects().get(lab.id, &bare.key).await.unwrap();
        assert_eq!((stored.desired, stored.live, stored.base, stored.brief.location), (None, None, None, None));
        assert!(matches!(bed.objects().get(lab.id, &key(77)).await, Err(Error::NotFound("object"))));
    }

    async fn only_what_is_given_changes(bed) {
        let (lab, prod) = (fabric(&bed, "lab").await, fabric(&bed, "prod").await);
        let base = json!({"b": 1});
        let with_base = |i| ObjectRow { base: BaseChange::Set(Body::from(&base)), ..row(i) };
        let first = save(&bed, lab.id, (0..3).map(with_base).collect(), vec![]).await;
        save(&bed, prod.id, vec![row(0)], vec![]).await;

        let same_live = ObjectRow { live_changed: false, digest: "new".into(), state: ObjectState::Undelivered, ..row(0) };
        let live_moved = ObjectRow { state: ObjectState::Modified, base: BaseChange::Clear, ..row(1) };
        let second = save(&bed, lab.id, vec![same_live, live_moved], vec![key(2), key(50)]).await;
        let get = async |i| bed.objects().get(lab.id, &key(i)).await;
        let kept = get(0).await.unwrap();
        assert_eq!((kept.brief.changed_in, kept.brief.state, kept.brief.digest.as_str()), (first, ObjectState::Undelivered, "new"));
        assert_eq!(kept.base.as_ref(), Some(&base), "a base stays until it is set or cleared");
        let moved = get(1).await.unwrap();
        assert_eq!((moved.brief.changed_in, moved.base), (second, None));
        assert!(matches!(get(2).await, Err(Error::NotFound(_))));
        assert_eq!(bed.objects().get(prod.id, &key(0)).await.unwrap().brief.state, ObjectState::Equal);
    }

    async fn bases_are_set_in_bulk(bed) {
        let lab = fabric(&bed, "lab").await;
        let with_base = |i: usize| ObjectRow { base: BaseChange::Set(Body::from(&json!({"vlan": i}))), ..row(i) };
        save(&bed, lab.id, (0..450).map(row).collect(), vec![]).await;
        let all: Vec<ObjectKey> = (0..450).map(key).collect();
        assert_eq!(bed.objects().bases(lab.id, &all).await.unwrap(), []);
        save(&bed, lab.id, (0..450).map(with_base).collect(), vec![]).await;
        save(&bed, lab.id, vec![ObjectRow { base: BaseChange::Clear, ..row(3) }], vec![]).await;
        let stored = bed.objects().bases(lab.id, &all).await.unwrap();
        assert_eq!(stored.len(), 449);
        assert!(stored.contains(&(key(4), Body::from(&json!({"vlan": 4})))));
        let some = bed.objects().bases(lab.id, &[key(3), key(5), key(900)]).await.unwrap();
        assert_eq!(some, [(key(5), Body::from(&json!({"vlan": 5})))]);
    }

    async fn lesson_26_lists_filter_sort_and_page(bed) {
        let lab = fabric(&bed, "lab").await;
        let rows = (0..300).map(|i| {
            let mut row = row(i);
            if i % 10 == 1 {
                row.state = ObjectState::Modified;
                row.managed = i % 20 == 1;
            }
            if i == 5 {
                row.findings = vec![finding(Severity::Error)];
            }
            row
        });
        save(&bed, lab.id, rows.collect(), vec![]).await;
        let list = async |filter: ObjectFilter, page: Page| {
            let listed = bed.objects().list(lab.id, &filter, page).await.unwrap();
            (listed.rows.into_iter().map(|o| o.key.name).collect::<Vec<_>>(), listed.total)
        };
        let any = ObjectFilter::default;
        assert_eq!(list(any(), Page::first(2)).await, (vec!["server-00000".into(), "server-00003".into()], 300));
        let vpcs = ObjectFilter { kind: Some("VPC".into()), group: Some("vpc.githedgehog.com".into()), ..any() };
        assert_eq!(list(vpcs.clone(), Page::new(2, 1)).await, (vec!["vpc-00004".into(), "vpc-00007".into()], 100));
        let modified = ObjectFilter { states: vec![ObjectState::Modified, ObjectState::Missing], ..any() };
        assert_eq!(list(modified.clone(), Page::all()).await.1, 30);
        assert_eq!(list(ObjectFilter { managed: Some(false), ..modified }, Page::all()).await.1, 15);
        assert_eq!(list(ObjectFilter { has_errors: Some(true), ..any() }, Page::all()).await, (vec!["Conn_00005".into()], 1));
        let several = ObjectFilter { kinds: vec![kind_of(0), kind_of(1)], ..any() };
        assert_eq!(list(several, Page::first(1)).await, (vec!["server-00000".into()], 200));
        let chosen = ObjectFilter { keys: vec![key(7), key(2), key(9999)], ..any() };
        assert_eq!(list(chosen, Page::all()).await, (vec!["vpc-00007".into(), "Conn_00002".into()], 2));
        let named = ObjectFilter { name: Some("CONN_".into()), ..any() };
        assert_eq!(list(named, Page::first(0)).await.1, 100, "the underscore is a letter, the case does not matter");
        assert_eq!(list(ObjectFilter { name: Some("%".into()), ..any() }, Page::all()).await.1, 0);
        assert_eq!(list(ObjectFilter { namespace: Some("other".into()), ..any() }, Page::all()).await.1, 100);
        for (sort, first, last) in [
            (ObjectSort::Rank, "server-00000", "Conn_00299"),
            (ObjectSort::Kind, "Conn_00002", "vpc-00298"),
            (ObjectSort::Name, "Conn_00002", "vpc-00298"),
            (ObjectSort::State, "server-00021", "Conn_00299"),
        ] {
            let up = list(ObjectFilter { sort, ..any() }, Page::first(1)).await.0;
            let down = list(ObjectFilter { sort, direction: Direction::Descending, ..any() }, Page::first(1)).await.0;
            assert_eq!((up[0].as_str(), down[0].as_str()), (first, last), "{sort:?}");
            let mut all = list(ObjectFilter { sort, ..any() }, Page::all()).await.0;
            all.sort();
            all.dedup();
            assert_eq!(all.len(), 300, "{sort:?}");
        }
        assert_eq!(list(any(), Page::new(50, 290)).await.0.len(), 10);
        assert_eq!(list(any(), Page::new(50, 300)).await, (vec![], 300));
    }

    async fn lesson_36_counts_equal_a_count_of_the_objects(bed) {
        let lab = fabric(&bed, "lab").await;
        let rows = (0..31).map(|i| ObjectRow {
            state: if i == 3 { ObjectState::Missing } else { ObjectState::Equal }, ..row(i)
        });
        save(&bed, lab.id, rows.collect(), vec![]).await;
        let count = |group: &str, kind: &str, rank, state, objects| KindCount {
            group: group.into(), kind: kind.into(), rank, state, objects,
        };
        let (wiring, vpc) = ("wiring.githedgehog.com", "vpc.githedgehog.com");
        assert_eq!(bed.objects().counts(lab.id).await.unwrap(), [
            count(wiring, "Server", 20, ObjectState::Equal, 10),
            count(wiring, "Server", 20, ObjectState::Missing, 1),
            count(vpc, "VPC", 30, ObjectState::Equal, 10),
            count(wiring, "Connection", 40, ObjectState::Equal, 10),
        ]);
    }

    async fn the_engine_reads_what_it_compares_with(bed) {
        let lab = fabric(&bed, "lab").await;
        let first = save(&bed, lab.id, vec![row(0), ObjectRow { holdings: json!(["leaf-1"]), ..row(1) }], vec![]).await;
        let brief = bed.objects().all_brief(lab.id).await.unwrap();
        assert_eq!(brief.iter().map(|b| b.key.clone()).collect::<Vec<_>>(), [key(0), key(1)]);
        assert_eq!((brief[0].digest.as_str(), brief[0].live_rv.as_deref(), brief[0].changed_in), ("d0", Some("rv0"), first));
        assert_eq!(bed.objects().holdings(lab.id).await.unwrap()[1], (key(1), json!(["leaf-1"])));
    }
}
