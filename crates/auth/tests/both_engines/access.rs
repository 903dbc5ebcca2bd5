//! The door to fabrics: what is seen, what is permitted, and what the refusal tells.

use crate::bed::{Bed, both_engines};
use auth::*;
use model::Code;
use serde_json::{Value, json};
use store::fabrics::FabricFilter;
use store::*;

async fn fabric(bed: &Bed, name: &str) -> Fabric {
    let id = bed.store.fabrics().reserve_id().await.unwrap();
    let spec = FabricSpec { name: name.into(), ..FabricSpec::default() };
    let new = NewFabric { id, spec, secrets: FabricSecrets::default() };
    bed.store.fabrics().create(&Scope::System, new, bed.clock.now()).await.unwrap()
}

async fn permit(bed: &Bed, user: &User, name: &str, actions: &[&str], constraints: Option<Value>) {
    let permission = ObjectPermission {
        id: 0,
        name: name.into(),
        enabled: true,
        object_types: vec!["hedgerow.fabric".into()],
        actions: actions.iter().map(|a| (*a).to_owned()).collect(),
        constraints,
    };
    let id = bed.store.permissions().create(&permission).await.unwrap();
    bed.store.permissions().give_to_user(id, user.id).await.unwrap();
}

async fn access(bed: &Bed, user: &User) -> Access {
    Access::new(bed.store.clone(), Actor::of_user(&bed.store, user).await.unwrap())
}

both_engines! {
    async fn lesson_35_not_seen_is_not_found_and_seen_but_not_permitted_is_denied(bed) {
        let (anna, lab, prod) = (bed.user("anna").await, fabric(&bed, "lab-1").await, fabric(&bed, "prod").await);
        permit(&bed, &anna, "see labs", &["view"], Some(json!({"name__startswith": "lab-"}))).await;
        let access = access(&bed, &anna).await;

        assert_eq!(access.fabric(lab.id, Action::View).await.unwrap().name, "lab-1");
        let denied = access.fabric(lab.id, Action::Sync).await.unwrap_err();
        assert!(matches!(denied, AccessError::Denied(Denied { action: Action::Sync, .. })), "{denied:?}");
        assert_eq!((denied.code(), denied.to_string().as_str()),
            (Code::PermissionDenied, "the permission hedgerow.sync_fabric is missing"));
        for action in Action::ALL {
            let hidden = access.fabric(prod.id, *action).await.unwrap_err();
            assert!(matches!(hidden, AccessError::NotFound("fabric")), "{hidden:?}");
            assert_eq!(hidden.code(), Code::NotFound);
        }
        let listed = bed.store.fabrics().list(&access.fabrics(), &FabricFilter::default(), Page::all()).await.unwrap();
        assert_eq!(listed.rows.iter().map(|f| f.id).collect::<Vec<_>>(), [lab.id]);
        assert!(!access.may(lab.id, Action::Sync).await.unwrap());
        assert!(access.require(Action::Add).is_err());
    }

    async fn a_permission_to_sync_without_one_to_see_shows_nothing(bed) {
        let (anna, lab) = (bed.user("anna").await, fabric(&bed, "lab-1").await);
        permit(&bed, &anna, "sync", &["sync"], None).await;
        let access = access(&bed, &anna).await;
        assert!(matches!(access.fabric(lab.id, Action::Sync).await, Err(AccessError::NotFound("fabric"))));
    }

    async fn each_action_has_its_own_constraints(bed) {
        let (anna, lab, prod) = (bed.user("anna").await, fabric(&bed, "lab-1").await, fabric(&bed, "prod").await);
        permit(&bed, &anna, "see all", &["view"], None).await;
        permit(&bed, &anna, "sync labs", &["sync"], Some(json!([{"name__isw": "LAB"}, {"name": "stage"}]))).await;
        let access = access(&bed, &anna).await;
        let granted = access.fabric(lab.id, Action::Sync).await.unwrap();
        assert_eq!((granted.action(), granted.actor().name().as_str(), granted.id), (Action::Sync, "anna", lab.id));
        assert!(matches!(access.fabric(prod.id, Action::Sync).await, Err(AccessError::Denied(_))));
        assert!(access.may(lab.id, Action::Sync).await.unwrap() && !access.may(prod.id, Action::Sync).await.unwrap());
    }

    async fn permissions_of_groups_count_and_end_with_membership(bed) {
        let (anna, lab) = (bed.user("anna").await, fabric(&bed, "lab-1").await);
        let group = bed.store.groups().create("operators", "").await.unwrap();
        let permission = ObjectPermission {
            id: 0, name: "all".into(), enabled: true, object_types: vec!["hedgerow.fabric".into()],
            actions: vec!["view".into(), "change".into()], constraints: None,
        };
        let id = bed.store.permissions().create(&permission).await.unwrap();
        bed.store.permissions().give_to_group(id, group.id).await.unwrap();
        assert!(!access(&bed, &anna).await.may(lab.id, Action::Change).await.unwrap());
        bed.store.groups().add_member(group.id, anna.id).await.unwrap();
        assert!(access(&bed, &anna).await.may(lab.id, Action::Change).await.unwrap());
        bed.store.groups().remove_member(group.id, anna.id).await.unwrap();
        assert!(!access(&bed, &anna).await.may(lab.id, Action::Change).await.unwrap());
    }

    async fn superusers_and_the_system_are_not_limited(bed) {
        let (root, lab) = (bed.user("root").await, fabric(&bed, "lab-1").await);
        bed.store.users().set_flags(root.id, true, true).await.unwrap();
        let root = bed.store.users().get(root.id).await.unwrap();
        for access in [access(&bed, &root).await, Access::new(bed.store.clone(), Actor::System("schedule"))] {
            for action in Action::ALL {
                assert!(access.fabric(lab.id, *action).await.is_ok());
            }
            assert!(matches!(access.fabric(999, Action::View).await, Err(AccessError::NotFound("fabric"))));
        }
    }
}
