//! Users, groups, permissions, facts.

use crate::bed::{both_engines, t, user};
use model::Code;
use serde_json::json;
use store::{Error, NewUser, ObjectPermission, Unique};

fn permission(name: &str) -> ObjectPermission {
    ObjectPermission {
        id: 0,
        name: name.into(),
        enabled: true,
        object_types: vec!["hedgerow.fabric".into()],
        actions: vec!["view".into(), "sync".into()],
        constraints: Some(json!([{"name__startswith": "lab-"}])),
    }
}

both_engines! {
    async fn a_user_round_trips(bed) {
        assert_eq!(bed.users().count().await.unwrap(), 0);
        let new = NewUser {
            username: "Anna".into(), password_hash: "$argon2id$x".into(), is_superuser: true, is_active: true,
        };
        let anna = bed.users().create(new, t(1)).await.unwrap();
        assert_eq!(bed.users().get(anna.id).await.unwrap(), anna);
        assert_eq!((anna.created_at, anna.last_login_at, anna.is_superuser), (t(1), None, true));
        assert!(!format!("{anna:?}").contains("argon2"));

        bed.users().set_last_login(anna.id, t(2)).await.unwrap();
        bed.users().set_password(anna.id, "$argon2id$y").await.unwrap();
        let root = NewUser {
            username: "root".into(), password_hash: "x".into(), is_superuser: true, is_active: true,
        };
        bed.users().create(root, t(1)).await.unwrap();
        bed.users().set_flags(anna.id, false, false).await.unwrap();
        let changed = bed.users().by_name("aNNa").await.unwrap().unwrap();
        assert_eq!((changed.last_login_at, changed.password_hash.as_str()), (Some(t(2)), "$argon2id$y"));
        assert!(!changed.is_superuser && !changed.is_active);
        assert_eq!(bed.users().by_name("nobody").await.unwrap(), None);
    }

    async fn names_are_taken_without_regard_to_case(bed) {
        user(&bed, "anna").await;
        let again = NewUser {
            username: "ANNA".into(), password_hash: "x".into(), is_superuser: false, is_active: true,
        };
        let refused = bed.users().create(again, t(0)).await.unwrap_err();
        assert!(matches!(refused, Error::Conflict(Unique::Username)), "{refused:?}");
        assert_eq!((refused.code(), refused.to_string().as_str()), (Code::InvalidInput, "another user has this name"));
        let unnamed = NewUser {
            username: String::new(), password_hash: "x".into(), is_superuser: false, is_active: true,
        };
        let refused = bed.users().create(unnamed, t(0)).await.unwrap_err();
        assert_eq!(refused.to_string(), "a user needs a name");
    }

    async fn who_does_not_exist_is_not_found(bed) {
        assert!(matches!(bed.users().get(1).await, Err(Error::NotFound("user"))));
        assert!(matches!(bed.users().set_password(1, "x").await, Err(Error::NotFound("user"))));
        assert!(matches!(bed.users().delete(1).await, Err(Error::NotFound("user"))));
        assert!(matches!(bed.groups().delete(1).await, Err(Error::NotFound("group"))));
        assert!(matches!(bed.permissions().delete(1).await, Err(Error::NotFound("permission"))));
        assert!(matches!(bed.groups().add_member(1, 1).await, Err(Error::Dangling(_))));
    }

    async fn lists_are_by_name(bed) {
        for name in ["carla", "Anna", "bert"] {
            user(&bed, name).await;
        }
        let names: Vec<_> = bed.users().list().await.unwrap().into_iter().map(|u| u.username).collect();
        assert_eq!(names, ["Anna", "bert", "carla"]);
    }

    async fn groups_and_members(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let operators = bed.groups().create("operators", "who press Sync").await.unwrap();
        assert_eq!(bed.groups().get(operators.id).await.unwrap(), operators);
        assert_eq!(bed.groups().by_name("operators").await.unwrap(), Some(operators.clone()));
        assert!(matches!(bed.groups().create("operators", "").await, Err(Error::Conflict(Unique::GroupName))));
        for _ in 0..2 {
            bed.groups().add_member(operators.id, anna.id).await.unwrap();
        }
        bed.groups().add_member(operators.id, bert.id).await.unwrap();
        let members = bed.groups().members(operators.id).await.unwrap();
        assert_eq!(members.iter().map(|u| u.id).collect::<Vec<_>>(), [anna.id, bert.id]);
        bed.groups().remove_member(operators.id, bert.id).await.unwrap();
        assert_eq!(bed.groups().of_user(anna.id).await.unwrap(), std::slice::from_ref(&operators));
        assert_eq!(bed.groups().of_user(bert.id).await.unwrap(), []);
        bed.groups().delete(operators.id).await.unwrap();
        assert_eq!(bed.groups().of_user(anna.id).await.unwrap(), []);
        assert_eq!(bed.groups().list().await.unwrap(), []);
    }

    async fn effective_permissions_are_those_of_the_user_and_its_groups(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let group = bed.groups().create("operators", "").await.unwrap();
        bed.groups().add_member(group.id, anna.id).await.unwrap();

        let own = bed.permissions().create(&permission("own")).await.unwrap();
        let by_group = bed.permissions().create(&permission("by group")).await.unwrap();
        let off = bed.permissions().create(&ObjectPermission { enabled: false, ..permission("off") }).await.unwrap();
        bed.permissions().create(&permission("given to nobody")).await.unwrap();
        bed.permissions().give_to_user(own, anna.id).await.unwrap();
        bed.permissions().give_to_group(by_group, group.id).await.unwrap();
        // Twice, by two ways: it is still one permission.
        bed.permissions().give_to_user(by_group, anna.id).await.unwrap();
        bed.permissions().give_to_user(off, anna.id).await.unwrap();

        let effective = bed.permissions().effective(anna.id).await.unwrap();
        assert_eq!(effective.iter().map(|p| p.id).collect::<Vec<_>>(), [own, by_group]);
        assert_eq!(effective[0], ObjectPermission { id: own, ..permission("own") });
        assert_eq!(bed.permissions().effective(bert.id).await.unwrap(), []);

        bed.permissions().take_from_user(own, anna.id).await.unwrap();
        bed.permissions().take_from_user(by_group, anna.id).await.unwrap();
        bed.permissions().take_from_group(by_group, group.id).await.unwrap();
        assert_eq!(bed.permissions().effective(anna.id).await.unwrap(), []);
    }

    async fn a_grant_is_made_and_given_at_once_and_goes_with_its_last_owner(bed) {
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let id = bed.permissions().grant(&permission("p"), anna.id).await.unwrap();
        assert_eq!(bed.permissions().of_user(anna.id).await.unwrap(), [ObjectPermission { id, ..permission("p") }]);
        assert_eq!(bed.permissions().effective(anna.id).await.unwrap().len(), 1);
        let taken = bed.permissions().grant(&permission("p"), bert.id).await;
        assert!(matches!(taken, Err(Error::Conflict(Unique::PermissionName))), "{taken:?}");
        let nobody = bed.permissions().grant(&permission("q"), 4711).await;
        assert!(matches!(nobody, Err(Error::Dangling(_))), "{nobody:?}");
        assert_eq!(bed.permissions().list().await.unwrap().len(), 1, "what could not be given was not made");

        bed.permissions().give_to_user(id, bert.id).await.unwrap();
        bed.permissions().revoke(id, anna.id).await.unwrap();
        assert_eq!(bed.permissions().of_user(anna.id).await.unwrap(), []);
        assert_eq!(bed.permissions().effective(bert.id).await.unwrap().len(), 1, "the other still has it");
        assert!(matches!(bed.permissions().revoke(id, anna.id).await, Err(Error::NotFound("permission"))));
        bed.permissions().revoke(id, bert.id).await.unwrap();
        assert_eq!(bed.permissions().list().await.unwrap(), []);
    }

    async fn permissions_change_and_go(bed) {
        let id = bed.permissions().create(&permission("p")).await.unwrap();
        let changed = ObjectPermission { id, constraints: None, enabled: false, ..permission("q") };
        bed.permissions().update(&changed).await.unwrap();
        assert_eq!(bed.permissions().get(id).await.unwrap(), changed);
        assert_eq!(bed.permissions().list().await.unwrap(), [changed]);
        let taken = bed.permissions().create(&permission("q")).await;
        assert!(matches!(taken, Err(Error::Conflict(Unique::PermissionName))));
        bed.permissions().delete(id).await.unwrap();
        assert!(matches!(bed.permissions().get(id).await, Err(Error::NotFound(_))));
    }

    async fn facts_are_kept_and_the_first_one_stays(bed) {
        assert_eq!(bed.meta().get("k").await.unwrap(), None);
        assert_eq!(bed.meta().get_or_set("k", "one").await.unwrap(), "one");
        assert_eq!(bed.meta().get_or_set("k", "two").await.unwrap(), "one");
        bed.meta().set("k", "three").await.unwrap();
        assert_eq!(bed.meta().get("k").await.unwrap().as_deref(), Some("three"));
        let id = bed.meta().installation_id().await.unwrap();
        assert_eq!(bed.another().await.meta().installation_id().await.unwrap(), id);
        bed.meta().ping().await.unwrap();
    }
}
