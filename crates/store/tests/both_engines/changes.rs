//! The log of changes: written with the change or not at all, with before and after, and without any secret.

use crate::bed::{both_engines, fabric, sealed, t, user};
use model::policy::Suspension;
use serde_json::json;
use store::changes::{ChangeFilter, Readable};
use store::fabrics::{SecretChange, SecretChanges};
use store::nouns::Links;
use store::permissions::Holders;
use store::scope::Term;
use store::*;

fn author() -> Author {
    Author { request_id: "req-7".into(), ..Author::named("root", t(50)) }
}

async fn of(store: &Store, noun: Noun, id: i64) -> Vec<Change> {
    let filter = ChangeFilter { noun: Some(noun), object_id: Some(id), ..ChangeFilter::default() };
    store.changes().list(&Readable::everything(), &filter, Page::all()).await.unwrap().rows
}

both_engines! {
    async fn accounts_are_recorded_with_before_and_after(bed) {
        let author = author();
        let group = bed.groups().by(&author).create("operators", "").await.unwrap();
        let new = NewUser {
            username: "anna".into(), password_hash: "$argon2id$one".into(), is_superuser: false, is_active: true,
        };
        let anna = bed.users().by(&author).add(&Scope::All, new, &[group.id], t(1)).await.unwrap();
        let made = &of(&bed, Noun::User, anna.id).await[0];
        assert_eq!((made.action, made.actor.as_str(), made.request_id.as_str()), (ChangeAction::Created, "root", "req-7"));
        assert!(made.before.is_empty());
        assert_eq!(serde_json::Value::from(made.after.clone()), json!({
            "username": "anna", "is_active": true, "is_superuser": false, "groups": ["operators"], "password": "set",
        }));
        let joined = &of(&bed, Noun::Group, group.id).await[0];
        assert_eq!((&joined.before["members"], &joined.after["members"]), (&json!([]), &json!(["anna"])));

        bed.users().by(&author).set_password_in(&Scope::All, anna.id, "$argon2id$two").await.unwrap();
        let changed = &of(&bed, Noun::User, anna.id).await[0];
        assert_eq!((&changed.before["password"], &changed.after["password"]), (&json!("set"), &json!("changed")));

        let permission = ObjectPermission {
            id: 0, name: "see labs".into(), enabled: true, object_types: vec!["hedgerow.fabric".into()],
            actions: vec!["view".into()], constraints: Some(json!({"name__startswith": "lab-"})),
        };
        let holders = Holders { users: Links::to(&[anna.id]), groups: Links::to(&[group.id]) };
        let id = bed.permissions().by(&author).add(&Scope::All, &permission, &holders).await.unwrap();
        let wider = ObjectPermission { id, constraints: None, ..permission };
        let taken = Holders { users: Links::from(&[anna.id]), groups: Links::default() };
        bed.permissions().by(&author).update_in(&Scope::All, &wider, &taken).await.unwrap();
        let log = of(&bed, Noun::Permission, id).await;
        assert_eq!(log.len(), 2);
        assert_eq!(serde_json::Value::from(log[0].before.clone()),
            json!({"constraints": {"name__startswith": "lab-"}, "users": ["anna"]}));
        assert_eq!(serde_json::Value::from(log[0].after.clone()), json!({"constraints": null, "users": []}));
        let given: Vec<_> = of(&bed, Noun::User, anna.id).await.into_iter().take(2).map(|c| c.after["permissions"].clone()).collect();
        assert_eq!(given, [json!([]), json!(["see labs"])], "it stands with the user, too");

        bed.users().by(&author).delete_in(&Scope::All, anna.id).await.unwrap();
        let gone = &of(&bed, Noun::User, anna.id).await[0];
        assert_eq!((gone.action, gone.object_name.as_str()), (ChangeAction::Deleted, "anna"));
        assert!(gone.after.is_empty() && gone.before["password"] == json!("set"));
        let all = bed.changes().list(&Readable::everything(), &ChangeFilter::default(), Page::all()).await.unwrap();
        assert!(!format!("{:?}", all.rows).contains("argon2"), "no hash is anywhere");
    }

    async fn what_does_not_happen_or_changes_nothing_is_not_recorded(bed) {
        let author = author();
        let (anna, bert) = (user(&bed, "anna").await, user(&bed, "bert").await);
        let same = anna.spec();
        bed.users().by(&author).update(&Scope::All, anna.id, &same, &Links::default()).await.unwrap();
        let taken = UserSpec { username: "BERT".into(), ..same };
        assert!(bed.users().by(&author).update(&Scope::All, anna.id, &taken, &Links::default()).await.is_err());
        // A password that is hashed anew is nobody's change.
        bed.users().set_password(bert.id, "$newer$").await.unwrap();
        let all = bed.changes().list(&Readable::everything(), &ChangeFilter::default(), Page::all()).await.unwrap();
        assert_eq!(all.total, 0, "{:?}", all.rows);
    }

    async fn fabrics_are_recorded_without_their_secrets(bed) {
        let author = author();
        let id = bed.fabrics().reserve_id().await.unwrap();
        let spec = FabricSpec { name: "lab".into(), cluster: Cluster::Kubeconfig, ..FabricSpec::default() };
        let secrets = FabricSecrets { kubeconfig: sealed("s3cret-one"), ..FabricSecrets::default() };
        let lab = bed.fabrics().by(&author).create(&Scope::All, NewFabric { id, spec, secrets }, t(1)).await.unwrap();
        let spec = FabricSpec { branch: "next".into(), ..lab.spec() };
        let secrets = SecretChanges {
            kubeconfig: SecretChange::Set(sealed("s3cret-two").unwrap()), ..SecretChanges::default()
        };
        bed.fabrics().by(&author).update(&Scope::All, id, 1, &spec, &secrets, t(2)).await.unwrap();
        let stop = Suspension { at: t(3), by: "root".into(), reason: "works".into() };
        bed.fabrics().by(&author).set_suspension(&Scope::All, id, Some(&stop)).await.unwrap();
        bed.fabrics().by(&author).set_suspension(&Scope::All, id, None).await.unwrap();
        let log = of(&bed, Noun::Fabric, id).await;
        assert_eq!(log.iter().map(|c| c.action.as_str()).collect::<Vec<_>>(), ["changed", "changed", "changed", "created"]);
        assert_eq!(log[3].after["kubeconfig"], json!("set"));
        assert_eq!(serde_json::Value::from(log[2].before.clone()), json!({"branch": "main", "kubeconfig": "set"}));
        assert_eq!(serde_json::Value::from(log[2].after.clone()), json!({"branch": "next", "kubeconfig": "changed"}));
        assert_eq!(log[1].after["suspended"], json!("by root: works"));
        assert_eq!(log[0].after["suspended"], json!(null));
        bed.fabrics().by(&author).delete(&Scope::All, id).await.unwrap();
        let log = of(&bed, Noun::Fabric, id).await;
        assert_eq!((log[0].action, log[0].object_name.as_str()), (ChangeAction::Deleted, "lab"));
        assert!(!format!("{log:?}").contains("s3cret"), "{log:?}");
    }

    async fn who_may_see_an_object_may_see_its_changes(bed) {
        let author = author();
        let (lab, prod) = (fabric(&bed, "lab-1").await, fabric(&bed, "prod").await);
        for each in [&lab, &prod] {
            bed.fabrics().by(&author).set_sync_enabled(&Scope::All, each.id, false, t(1)).await.unwrap();
        }
        let gone = bed.groups().by(&author).create("gone", "").await.unwrap();
        bed.groups().by(&author).delete(gone.id).await.unwrap();
        bed.groups().by(&author).create("here", "").await.unwrap();
        let labs = Scope::Where(vec![Constraint { terms: vec![Term::parse("name", &json!("lab-1")).unwrap()] }]);
        let readable = Readable {
            fabrics: labs, users: Scope::None, groups: Scope::All, permissions: Scope::None, deleted: false,
        };
        let names = async |readable: &Readable, filter: ChangeFilter| -> Vec<String> {
            let listed = bed.changes().list(readable, &filter, Page::all()).await.unwrap();
            assert_eq!(listed.total, listed.rows.len() as u64);
            listed.rows.into_iter().map(|c| c.object_name).collect()
        };
        assert_eq!(names(&readable, ChangeFilter::default()).await, ["here", "lab-1"]);
        let nobody = Readable { fabrics: Scope::None, groups: Scope::None, ..readable };
        assert_eq!(names(&nobody, ChangeFilter::default()).await, Vec::<String>::new());
        let everything = Readable::everything();
        assert_eq!(names(&everything, ChangeFilter::default()).await, ["here", "gone", "gone", "prod", "lab-1"]);
        let by = |actor: &str| ChangeFilter { actor: Some(actor.into()), ..ChangeFilter::default() };
        assert_eq!(names(&everything, by("root")).await.len(), 5);
        assert_eq!(names(&everything, by("anna")).await.len(), 0);
        let at = |since, before| ChangeFilter { since, before, ..ChangeFilter::default() };
        assert_eq!(names(&everything, at(Some(t(50)), Some(t(51)))).await.len(), 5);
        assert_eq!(names(&everything, at(Some(t(51)), None)).await.len(), 0);
        assert_eq!(bed.changes().purge(t(50)).await.unwrap(), 0);
        assert_eq!(bed.changes().purge(t(51)).await.unwrap(), 5);
    }
}
