//! Explain says what the guard does: over many permissions, objects and actions, its verdict is compared with the answer
//! of the very routes.

use crate::console::{Browser, Console};
use http::StatusCode;
use serde_json::{Value, json};
use store::Scope;

/// A page that needs exactly this, and what it is about.
fn page(object_type: &str, action: &str, id: i64) -> Option<String> {
    let list = match object_type {
        "hedgerow.fabric" => "fabrics",
        "users.user" => "users",
        "users.group" => "groups",
        _ => "permissions",
    };
    Some(match action {
        "view" => format!("/{list}/{id}/"),
        "add" => format!("/{list}/add/"),
        "change" => format!("/{list}/{id}/edit/"),
        "delete" => format!("/{list}/{id}/delete/"),
        "sync" if list == "fabrics" => format!("/fabrics/{id}/suspend/"),
        _ => return None,
    })
}

async fn explained(admin: &mut Browser, user: i64, action: &str, object_type: &str, id: i64) -> Value {
    let query = format!("?user={user}&action={action}&type={object_type}&object={id}");
    let answer = admin.script(&format!("/permissions/explain/{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{query}: {}", answer.body);
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_what_the_guard_does() {
    let console = Console::start().await;
    console.admin().await;
    let (lab, prod) = (console.fabric("lab-1").await, console.fabric("prod").await);
    let group = console.store.groups().create("operators", "").await.unwrap();
    let other = console.user("other", false).await;
    let some = console.permission("some", "users.group", &["view"], None).await;
    let objects = [
        ("hedgerow.fabric", lab.id),
        ("hedgerow.fabric", prod.id),
        ("users.user", 1),
        ("users.user", other.id),
        ("users.group", group.id),
        ("users.objectpermission", some),
    ];
    let labs = Some(json!({"name__startswith": "lab-"}));
    let grants: Vec<(&str, &[&str], Option<Value>, bool)> = vec![
        ("hedgerow.fabric", &["view"], None, true),
        ("hedgerow.fabric", &["sync", "view"], labs.clone(), true),
        ("hedgerow.fabric", &["change"], Some(json!([{"name": "prod"}, {"id": lab.id, "sync_enabled": false}])), true),
        ("hedgerow.fabric", &["delete", "add"], None, false),
        ("hedgerow.fabric", &["delete", "view"], Some(json!({"name__regex": "x"})), true),
        ("users.user", &["view", "change"], Some(json!({"username__n": "alice"})), true),
        ("users.user", &["view", "change", "delete"], Some(json!({"id": "$user"})), true),
        ("users.group", &["view", "add", "change"], Some(json!({"name__in": ["operators"]})), true),
        ("users.objectpermission", &["view", "delete"], Some(json!({"enabled": true})), true),
        ("users.objectpermission", &["change"], None, true),
    ];
    let mut admin = console.logged_in("alice").await;
    let (mut compared, mut granted) = (0, 0);
    // Each by itself, each beside its neighbour, and all of them together; every other by a group.
    for round in 0..grants.len() + 3 {
        let name = format!("user{round}");
        let user = console.user(&name, false).await;
        let own = console.store.groups().create(&format!("group{round}"), "").await.unwrap();
        console.store.groups().add_member(own.id, user.id).await.unwrap();
        for (index, (object_type, actions, constraints, enabled)) in grants.iter().enumerate() {
            let has = round >= grants.len() || index == round || index == (round + 1) % grants.len();
            if !has || (round == grants.len() && *object_type == "hedgerow.fabric") {
                continue;
            }
            let id = console.permission(&format!("p{round}.{index}"), object_type, actions, constraints.clone()).await;
            let mut stored = console.store.permissions().get(id).await.unwrap();
            stored.enabled = *enabled;
            console.store.permissions().update(&stored).await.unwrap();
            match index % 2 {
                0 => console.store.permissions().give_to_user(id, user.id).await.unwrap(),
                _ => console.store.permissions().give_to_group(id, own.id).await.unwrap(),
            }
        }
        let mut browser = console.logged_in(&name).await;
        for (object_type, id) in objects {
            for action in ["view", "add", "change", "delete", "sync"] {
                let Some(path) = page(object_type, action, id) else { continue };
                let answer = browser.open(&path).await;
                let said = explained(&mut admin, user.id, action, object_type, id).await;
                let may = answer.status == StatusCode::OK;
                assert!(may || matches!(answer.status.as_u16(), 403 | 404), "{path}: {}", answer.status);
                assert_eq!(said["may"], may, "{name} {action} {object_type} {id}: {said}; {}", answer.text());
                let missing = said["missing"].as_array().unwrap();
                assert_eq!(missing.is_empty(), may, "{said}");
                if answer.status == StatusCode::FORBIDDEN {
                    let last = missing.last().unwrap().as_str().unwrap();
                    assert!(answer.body.contains(last), "{last} is the one that the guard names: {}", answer.text());
                }
                compared += 1;
                granted += usize::from(may);
            }
        }
    }
    assert!(compared > 300 && granted > 50, "{compared} compared, {granted} granted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_which_permission_and_which_term() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    let prod = console.fabric("prod").await;
    console.permit(&bob, &["view"], None).await;
    let labs =
        console.permission("labs", "hedgerow.fabric", &["sync"], Some(json!({"name__startswith": "lab-"}))).await;
    let group = console.store.groups().create("operators", "").await.unwrap();
    console.store.permissions().give_to_group(labs, group.id).await.unwrap();
    console.store.groups().add_member(group.id, bob.id).await.unwrap();
    let mut admin = console.logged_in("alice").await;
    let path = format!("/permissions/explain/?user={}&action=sync&type=hedgerow.fabric&object={}", bob.id, prod.id);
    let page = admin.open(&path).await.text();
    for said in [
        "bob may not sync the fabric prod.",
        "No permission of the user grants it.",
        "Missing: hedgerow.sync_fabric",
        "by the group operators",
        "Does not match: name begins with lab- – the name is “prod”.",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let of_admin = admin.open(&format!("/permissions/explain/?user=1&action=sync&object={}", prod.id)).await.text();
    assert!(of_admin.contains("alice may sync the fabric prod. The user is an administrator."), "{of_admin}");

    // Switched off, nothing helps; and a session of it gets nothing either.
    let mut session = console.logged_in("bob").await;
    console.store.users().set_flags(bob.id, false, false).await.unwrap();
    let off = admin.open(&format!("/permissions/explain/?user={}&action=view&object={}", bob.id, prod.id)).await.text();
    assert!(off.contains("bob may not view the fabric prod. The user is switched off"), "{off}");
    assert_eq!(session.script(&format!("/fabrics/{}/", prod.id)).await.status, StatusCode::UNAUTHORIZED);
    console.store.users().set_flags(bob.id, false, true).await.unwrap();

    // Everybody may ask about themselves; about others only who may see them; and of objects only those that are seen.
    let mut bobs = console.logged_in("bob").await;
    let own = bobs.open(&format!("/permissions/explain/?action=sync&object={}", prod.id)).await;
    assert!(own.text().contains("bob may not sync the fabric prod.") && own.text().contains("labs"), "{}", own.text());
    assert_eq!(bobs.open("/permissions/explain/?user=1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bobs.open("/permissions/explain/?type=users.user&object=1").await.status, StatusCode::NOT_FOUND);
    let fabrics = console.store.fabrics().get(&Scope::All, prod.id).await.unwrap();
    assert_eq!(fabrics.name, "prod");
}
