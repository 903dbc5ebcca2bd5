//! What a scope lets through, in lists, single reads and writes: every lookup, on both engines alike.

use crate::bed::{add, both_engines, fabric, t};
use serde_json::{Value, json};
use store::fabrics::{FabricFilter, SecretChanges};
use store::scope::Term;
use store::*;

fn constraint(value: &Value) -> Constraint {
    let terms = value.as_object().unwrap().iter().map(|(k, v)| Term::parse(k, v).unwrap()).collect();
    Constraint { terms }
}

fn scope(values: &[Value]) -> Scope {
    Scope::Where(values.iter().map(constraint).collect())
}

async fn names(store: &Store, scope: &Scope) -> Vec<String> {
    let listed = store.fabrics().list(scope, &FabricFilter::default(), Page::all()).await.unwrap();
    assert_eq!(listed.rows.len() as u64, listed.total);
    listed.rows.into_iter().map(|f| f.name).collect()
}

both_engines! {
    async fn every_lookup_means_the_same_on_both_engines(bed) {
        for (name, description) in [("lab-1", "a_b"), ("LAB-2", "50%"), ("prod", ""), ("prod-lab", "a\\b'\"")] {
            let spec = FabricSpec { name: name.into(), description: description.into(), ..FabricSpec::default() };
            add(&bed, spec, FabricSecrets::default()).await.unwrap();
        }
        let cases: Vec<(Value, &[&str])> = vec![
            (json!({"name": "lab-1"}), &["lab-1"]),
            (json!({"name__n": "lab-1"}), &["LAB-2", "prod", "prod-lab"]),
            (json!({"name__ie": "lab-2"}), &["LAB-2"]),
            (json!({"name__iexact": "LAB-1"}), &["lab-1"]),
            (json!({"name__contains": "lab"}), &["lab-1", "prod-lab"]),
            (json!({"name__contains": ""}), &["lab-1", "LAB-2", "prod", "prod-lab"]),
            (json!({"name__ic": "lab"}), &["lab-1", "LAB-2", "prod-lab"]),
            (json!({"name__startswith": "lab"}), &["lab-1"]),
            (json!({"name__isw": "lab"}), &["lab-1", "LAB-2"]),
            (json!({"name__endswith": "lab"}), &["prod-lab"]),
            (json!({"name__endswith": "a very long text that no name ends with"}), &[]),
            (json!({"name__iew": "AB"}), &["prod-lab"]),
            (json!({"name__in": ["prod", "LAB-2", "x"]}), &["LAB-2", "prod"]),
            (json!({"name__in": []}), &[]),
            (json!({"id__lte": 2}), &["lab-1", "LAB-2"]),
            (json!({"id__lt": 2}), &["lab-1"]),
            (json!({"id__gt": 3}), &["prod-lab"]),
            (json!({"id__gte": "3"}), &["prod", "prod-lab"]),
            (json!({"id__in": [1, 4]}), &["lab-1", "prod-lab"]),
            (json!({"description__ic": "_"}), &["lab-1"]),
            (json!({"description__ic": "%"}), &["LAB-2"]),
            (json!({"description__ic": "\\"}), &["prod-lab"]),
            (json!({"description": "a\\b'\""}), &["prod-lab"]),
            (json!({"sync_enabled": true, "name__isw": "p"}), &["prod", "prod-lab"]),
            (json!({"sync_enabled": false}), &[]),
            (json!({"source_url": ""}), &["lab-1", "LAB-2", "prod", "prod-lab"]),
            (json!({"source_url__n": ""}), &[]),
            (json!({"branch": "main", "namespace": "default", "path": ""}), &["lab-1", "LAB-2", "prod", "prod-lab"]),
            (json!({"name": "x' OR '1'='1"}), &[]),
        ];
        for (value, expected) in cases {
            assert_eq!(names(&bed, &scope(std::slice::from_ref(&value))).await, expected, "{value}");
        }
        let or = scope(&[json!({"name": "prod"}), json!({"id": 1})]);
        assert_eq!(names(&bed, &or).await, ["lab-1", "prod"]);
        assert_eq!(names(&bed, &Scope::None).await, Vec::<String>::new());
        assert_eq!(names(&bed, &Scope::Where(vec![])).await, Vec::<String>::new());
        assert_eq!(names(&bed, &scope(&[json!({})])).await.len(), 4);
        assert_eq!(names(&bed, &Scope::All).await.len(), 4);
    }

    async fn as_many_limits_as_a_user_may_have_are_one_query(bed) {
        let lab = fabric(&bed, "lab-1").await;
        fabric(&bed, "prod").await;
        let many: Vec<Value> = (0..2_000).map(|n| json!({"name": if n == 1_234 { "lab-1".into() } else { format!("f{n}") }})).collect();
        let many = scope(&many);
        assert_eq!(names(&bed, &many).await, ["lab-1"]);
        assert_eq!(names(&bed, &many.within(&many)).await, ["lab-1"]);
        assert_eq!(bed.fabrics().get(&many, lab.id).await.unwrap().id, lab.id);
        let anna = crate::bed::user(&bed, "anna").await;
        let people = |noun| {
            let name = if noun == Noun::User { "username" } else { "name" };
            let limit = |n| Constraint { terms: vec![Term::read(noun, name, &json!(format!("{n}"))).unwrap()] };
            Scope::Where((0..2_000).map(limit).collect())
        };
        let readable = changes::Readable {
            fabrics: many.clone(), users: people(Noun::User), groups: people(Noun::Group),
            permissions: people(Noun::Permission), deleted: false,
        };
        let changes = bed.changes().list(&readable, &changes::ChangeFilter::default(), Page::first(50)).await.unwrap();
        assert_eq!(changes.total, 0);
        let seen = activity::Seen { fabrics: &many, people: false, own: Some(anna.id) };
        let filter = activity::ActivityFilter::default();
        assert_eq!(bed.activity().list(&seen, &filter, Page::first(50)).await.unwrap().total, 0);
    }

    async fn what_is_outside_of_the_scope_is_not_found(bed) {
        let (lab, prod) = (fabric(&bed, "lab-1").await, fabric(&bed, "prod").await);
        let labs = scope(&[json!({"name__startswith": "lab-"})]);
        assert!(bed.fabrics().get(&labs, lab.id).await.is_ok());
        for outside in [&labs, &Scope::None] {
            assert!(matches!(bed.fabrics().get(outside, prod.id).await, Err(Error::NotFound("fabric"))));
            assert!(matches!(bed.fabrics().delete(outside, prod.id).await, Err(Error::NotFound("fabric"))));
            let off = bed.fabrics().set_sync_enabled(outside, prod.id, false, t(1)).await;
            assert!(matches!(off, Err(Error::NotFound("fabric"))));
        }
        assert!(bed.fabrics().get(&Scope::System, prod.id).await.unwrap().sync_enabled);
    }

    async fn nothing_is_created_in_or_moved_out_of_the_scope(bed) {
        let labs = scope(&[json!({"name__startswith": "lab-"})]);
        let new = |id, name: &str| NewFabric {
            id,
            spec: FabricSpec { name: name.into(), ..FabricSpec::default() },
            secrets: FabricSecrets::default(),
        };
        let refused = bed.fabrics().create(&labs, new(1001, "prod"), t(0)).await.unwrap_err();
        assert!(matches!(refused, Error::OutOfScope("fabric")), "{refused:?}");
        assert_eq!(refused.code(), model::Code::PermissionDenied);
        assert!(matches!(bed.fabrics().get(&Scope::System, 1001).await, Err(Error::NotFound(_))), "rolled back");

        let lab = bed.fabrics().create(&labs, new(1002, "lab-1"), t(0)).await.unwrap();
        let spec = FabricSpec { name: "prod".into(), ..lab.spec() };
        let refused = bed.fabrics().update(&labs, lab.id, 1, &spec, &SecretChanges::default(), t(1)).await.unwrap_err();
        assert!(matches!(refused, Error::OutOfScope("fabric")), "{refused:?}");
        let unchanged = bed.fabrics().get(&Scope::System, lab.id).await.unwrap();
        assert_eq!((unchanged.name.as_str(), unchanged.version), ("lab-1", 1));
        let nothing = bed.fabrics().create(&Scope::None, new(1003, "lab-2"), t(0)).await;
        assert!(matches!(nothing, Err(Error::OutOfScope("fabric"))));
    }
}
