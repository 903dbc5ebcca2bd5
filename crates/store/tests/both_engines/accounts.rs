//! What is decided about accounts inside the transaction: the last administrator, scopes, and what may be handed out.

use crate::bed::{Bed, both_engines, t, user};
use model::Code;
use serde_json::{Value, json};
use store::nouns::Links;
use store::permissions::{Holders, PermissionFilter};
use store::scope::Term;
use store::users::UserFilter;
use store::*;

fn permission(name: &str, object_type: &str, actions: &[&str], constraints: Option<Value>) -> ObjectPermission {
    ObjectPermission {
        id: 0,
        name: name.into(),
        enabled: true,
        object_types: vec![object_type.into()],
        actions: actions.iter().map(|a| (*a).to_owned()).collect(),
        constraints,
    }
}

fn scope(noun: Noun, value: &Value) -> Scope {
    let terms = value.as_object().unwrap().iter().map(|(k, v)| Term::read(noun, k, v).unwrap()).collect();
    Scope::Where(vec![Constraint { terms }])
}

async fn root(bed: &Bed, name: &str) -> User {
    let new = NewUser { username: name.into(), password_hash: "$h$".into(), is_superuser: true, is_active: true };
    bed.users().create(new, t(0)).await.unwrap()
}

/// Somebody who has these permissions.
fn limited(held: &[ObjectPermission]) -> Author {
    Author { reach: Reach::Only(held.iter().flat_map(Allowance::of).collect()), ..Author::named("mallory", t(9)) }
}

both_engines! {
    async fn the_last_administrator_stays(bed) {
        let (one, two) = (root(&bed, "one").await, root(&bed, "two").await);
        let author = Author::named("system (command line)", t(1));
        let off = UserSpec { is_active: false, ..two.spec() };
        bed.users().by(&author).update(&Scope::System, two.id, &off, &Links::default()).await.unwrap();
        for spec in [UserSpec { is_active: false, ..one.spec() }, UserSpec { is_superuser: false, ..one.spec() }] {
            let refused = bed.users().by(&author).update(&Scope::System, one.id, &spec, &Links::default()).await;
            assert!(matches!(refused, Err(Error::LastAdministrator)), "{refused:?}");
        }
        assert!(matches!(bed.users().by(&author).delete_in(&Scope::All, one.id).await, Err(Error::LastAdministrator)));
        assert_eq!(bed.users().get(one.id).await.unwrap().spec(), one.spec());
        let renamed = UserSpec { username: "uno".into(), ..one.spec() };
        bed.users().update(&Scope::All, one.id, &renamed, &Links::default()).await.unwrap();
        bed.users().delete(two.id).await.unwrap();
    }

    async fn two_who_remove_each_other_at_once_leave_one(bed) {
        for round in 0..8 {
            let names = [format!("a{round}"), format!("b{round}")];
            let (one, two) = (root(&bed, &names[0]).await, root(&bed, &names[1]).await);
            let (left, right) = (bed.another().await, bed.another().await);
            let down = UserSpec { is_superuser: false, ..two.spec() };
            let demote = async move { left.users().update(&Scope::All, two.id, &down, &Links::default()).await.map(drop) };
            let delete = async move { right.users().delete_in(&Scope::All, one.id).await };
            let (demoted, deleted) = tokio::join!(tokio::spawn(demote), tokio::spawn(delete));
            let results = [demoted.unwrap(), deleted.unwrap()];
            let refused = results.iter().filter(|r| matches!(r, Err(Error::LastAdministrator))).count();
            assert_eq!((results.iter().filter(|r| r.is_ok()).count(), refused), (1, 1), "{results:?}");
            let administrators = UserFilter { superuser: Some(true), active: Some(true), ..UserFilter::default() };
            let left = bed.users().list_in(&Scope::All, &administrators, Page::all()).await.unwrap();
            assert_eq!(left.total, 1, "{:?}", left.rows);
            bed.meddle("UPDATE users SET is_superuser = 0").await;
        }
    }

    async fn nobody_but_a_superuser_touches_a_superuser(bed) {
        let (boss, anna) = (root(&bed, "boss").await, user(&bed, "anna").await);
        root(&bed, "other").await;
        let everything = permission("all", "users.user", &["view", "add", "change", "delete"], None);
        let author = limited(&[everything]);
        let users = bed.users();
        let users = users.by(&author);
        let none = Links::default();
        let promote = UserSpec { is_superuser: true, ..anna.spec() };
        let demote = UserSpec { is_superuser: false, ..boss.spec() };
        let new = NewUser { username: "new".into(), password_hash: "h".into(), is_superuser: true, is_active: true };
        let refusals = [
            users.update(&Scope::All, anna.id, &promote, &none).await.map(drop),
            users.update(&Scope::All, boss.id, &demote, &none).await.map(drop),
            users.add(&Scope::All, new, &[], t(1)).await.map(drop),
            users.set_password_in(&Scope::All, boss.id, "$mine$").await,
            users.delete_in(&Scope::All, boss.id).await,
        ];
        for refused in refusals {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, Error::SuperusersOnly(_)), "{refused:?}");
            assert_eq!(refused.code(), Code::PermissionDenied);
        }
        assert_eq!(bed.users().get(boss.id).await.unwrap(), boss);
        assert!(bed.users().by_name("new").await.unwrap().is_none());
        let renamed = UserSpec { username: "anne".into(), ..anna.spec() };
        users.update(&Scope::All, anna.id, &renamed, &none).await.unwrap();
        users.set_password_in(&Scope::All, anna.id, "$new$").await.unwrap();
    }

    async fn nobody_hands_out_what_they_do_not_have(bed) {
        let anna = user(&bed, "anna").await;
        let has = permission("has", "hedgerow.fabric", &["view"], None);
        let lacks = permission("lacks", "hedgerow.fabric", &["view", "delete"], None);
        let author = limited(std::slice::from_ref(&has));
        let nobody = Holders::default();
        let (has_id, lacks_id) =
            (bed.permissions().create(&has).await.unwrap(), bed.permissions().create(&lacks).await.unwrap());
        let group = bed.groups().create("operators", "").await.unwrap();
        bed.permissions().give_to_group(lacks_id, group.id).await.unwrap();

        let permissions = bed.permissions();
        let permissions = permissions.by(&author);
        let more = ObjectPermission { id: has_id, ..lacks.clone() };
        let less = ObjectPermission { id: lacks_id, name: "less".into(), ..has.clone() };
        let to_anna = Holders { users: Links::to(&[anna.id]), groups: Links::default() };
        let (groups, users) = (bed.groups(), bed.users());
        let (groups, users) = (groups.by(&author), users.by(&author));
        let group_spec = GroupSpec::new(&group.name, "");
        let refusals = [
            permissions.add(&Scope::All, &ObjectPermission { name: "n".into(), ..lacks.clone() }, &nobody).await.map(drop),
            permissions.update_in(&Scope::All, &more, &nobody).await,
            permissions.update_in(&Scope::All, &less, &to_anna).await,
            permissions.give_to_user(lacks_id, anna.id).await,
            groups.update(&Scope::All, group.id, &group_spec, &Links::to(&[anna.id])).await.map(drop),
            groups.add_member(group.id, anna.id).await,
            users.update(&Scope::All, anna.id, &anna.spec(), &Links::to(&[group.id])).await.map(drop),
        ];
        for refused in refusals {
            let refused = refused.unwrap_err();
            assert!(matches!(refused, Error::BeyondReach { .. }), "{refused:?}");
            assert!(refused.to_string().contains("hedgerow.delete_fabric"), "{refused}");
        }
        assert_eq!(bed.permissions().effective(anna.id).await.unwrap(), []);
        permissions.give_to_user(has_id, anna.id).await.unwrap();

        // Whoever knows a password may do what its user may.
        users.set_password_in(&Scope::All, anna.id, "$new$").await.unwrap();
        bed.groups().add_member(group.id, anna.id).await.unwrap();
        let refused = users.set_password_in(&Scope::All, anna.id, "$newer$").await.unwrap_err();
        assert!(matches!(refused, Error::BeyondReach { .. }), "{refused:?}");
        // Taking away gives nobody anything.
        groups.update(&Scope::All, group.id, &group_spec, &Links::from(&[anna.id])).await.unwrap();
        permissions.delete_in(&Scope::All, lacks_id).await.unwrap();
    }

    async fn rows_are_in_the_scope_before_and_after(bed) {
        let names = json!({"username__startswith": "lab-"});
        let labs = scope(Noun::User, &names);
        let (lab, prod) = (user(&bed, "lab-1").await, user(&bed, "prod").await);
        let none = Links::default();
        assert!(matches!(bed.users().get_in(&labs, prod.id).await, Err(Error::NotFound("user"))));
        assert!(matches!(bed.users().delete_in(&labs, prod.id).await, Err(Error::NotFound("user"))));
        let out = UserSpec { username: "other".into(), ..lab.spec() };
        let refused = bed.users().update(&labs, lab.id, &out, &none).await;
        assert!(matches!(refused, Err(Error::OutOfScope("user"))), "{refused:?}");
        let new = NewUser { username: "x".into(), password_hash: "h".into(), is_superuser: false, is_active: true };
        assert!(matches!(bed.users().add(&labs, new, &[], t(1)).await, Err(Error::OutOfScope("user"))));
        assert_eq!(bed.users().list().await.unwrap().len(), 2, "nothing of it stayed");
        let listed = bed.users().list_in(&labs, &UserFilter::default(), Page::all()).await.unwrap();
        assert_eq!((listed.total, listed.rows[0].id), (1, lab.id));
        let named = bed.nouns().names(Noun::User, &labs, "", Page::all()).await.unwrap();
        assert_eq!(named.rows, [Named { id: lab.id, name: "lab-1".into() }]);

        let groups = scope(Noun::Group, &json!({"name": "a"}));
        let spec = |name: &str| GroupSpec::new(name, "");
        let a = bed.groups().add(&groups, &spec("a"), &[lab.id]).await.unwrap();
        assert!(matches!(bed.groups().add(&groups, &spec("b"), &[]).await, Err(Error::OutOfScope("group"))));
        assert!(matches!(bed.groups().update(&groups, a.id, &spec("b"), &none).await, Err(Error::OutOfScope("group"))));
        let both = bed.nouns().links(Link::Member, (&Scope::All, &Scope::All), None).await.unwrap();
        assert_eq!((both.len(), both[0].right.id), (1, lab.id));
        let prods = scope(Noun::User, &json!({"username": "prod"}));
        let seen = bed.nouns().links(Link::Member, (&Scope::All, &prods), None).await.unwrap();
        assert_eq!(seen, [], "who may not be seen is not among the members");

        let on = scope(Noun::Permission, &json!({"enabled": true}));
        let p = permission("p", "users.group", &["view"], None);
        let off = ObjectPermission { enabled: false, ..p.clone() };
        assert!(matches!(bed.permissions().add(&on, &off, &Holders::default()).await, Err(Error::OutOfScope(_))));
        let id = bed.permissions().add(&on, &p, &Holders::default()).await.unwrap();
        let off = ObjectPermission { id, ..off };
        assert!(matches!(bed.permissions().update_in(&on, &off, &Holders::default()).await, Err(Error::OutOfScope(_))));
        for (object_type, found) in [("users.group", 1), ("users.user", 0)] {
            let filter = PermissionFilter { object_type: Some(object_type.into()), ..PermissionFilter::default() };
            assert_eq!(bed.permissions().list_in(&Scope::All, &filter, Page::all()).await.unwrap().total, found);
        }
    }

    async fn who_is_switched_off_is_logged_out(bed) {
        let anna = user(&bed, "anna").await;
        let hash = |c: char| c.to_string().repeat(64).parse().unwrap();
        let session = NewSession {
            token_hash: hash('a'), user_id: anna.id, idle_expires_at: t(100), absolute_expires_at: t(200),
            user_agent: String::new(), address: String::new(), idle_limit: None,
            method: Method::Password,
        };
        let session = bed.sessions().create(session, t(1)).await.unwrap();
        let author = Author::named("root", t(5));
        let off = UserSpec { is_active: false, ..anna.spec() };
        bed.users().by(&author).update(&Scope::All, anna.id, &off, &Links::default()).await.unwrap();
        let ended = bed.sessions().get(session.id).await.unwrap();
        assert_eq!((ended.end_reason, ended.ended_by.as_deref()), (Some(EndReason::Revoked), Some("root")));
    }

    async fn a_term_is_tested_by_the_condition_of_the_scope(bed) {
        let (lab, prod) = (crate::bed::fabric(&bed, "lab-1").await, crate::bed::fabric(&bed, "prod").await);
        for (key, value, in_lab, shown) in [
            ("name__startswith", json!("lab-"), true, "lab-1"),
            ("name__in", json!(["prod"]), false, "lab-1"),
            ("sync_enabled", json!(true), true, "true"),
            ("id__gt", json!(0), true, "1"),
            ("source_url", json!(""), true, ""),
        ] {
            let term = Term::parse(key, &value).unwrap();
            let tested = bed.nouns().test(Noun::Fabric, lab.id, &term).await.unwrap();
            assert_eq!((tested.holds, tested.value.as_str()), (in_lab, shown), "{key} {value}");
            let scope = Scope::Where(vec![Constraint { terms: vec![term.clone()] }]);
            for fabric in [&lab, &prod] {
                let holds = bed.nouns().test(Noun::Fabric, fabric.id, &term).await.unwrap().holds;
                assert_eq!(holds, bed.fabrics().get(&scope, fabric.id).await.is_ok(), "{key} {value} {}", fabric.name);
            }
        }
    }
}
