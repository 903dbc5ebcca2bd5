//! Users, groups and permissions by their forms, with the effect in the database; what is refused, and in which words.

use crate::console::{Answer, Browser, Console};
use crate::forms::{contents, send, set};
use http::StatusCode;
use serde_json::json;
use store::changes::{ChangeFilter, Readable};
use store::{Noun, Page};

const OTHER: &str = "seven-copper-gates-3";
const NEW: &str = "quiet-orchard-lamp-7";

/// Opens a form, fills it in, and sends it. A field that is not there yet is a box that was not ticked.
async fn fill(browser: &mut Browser, path: &str, values: &[(&str, &str)], unticked: &[&str]) -> Answer {
    let page = browser.open(path).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.text());
    let mut fields = contents(&page);
    fields.retain(|(name, _)| !unticked.contains(&name.as_str()));
    for (name, value) in values {
        let boxes =
            ["group", "member", "user", "actions", "object_types", "is_superuser", "is_active", "enabled", "preview"];
        match boxes.contains(name) {
            true => fields.push(((*name).to_owned(), (*value).to_owned())),
            false => set(&mut fields, name, value),
        }
    }
    send(browser, path, &fields).await
}

fn id_of(answer: &Answer) -> i64 {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    answer.header("location").trim_matches('/').rsplit('/').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn users_groups_and_permissions_are_made_changed_and_deleted_by_their_forms() {
    let console = Console::start().await;
    console.admin().await;
    console.fabric("lab-1").await;
    console.fabric("prod").await;
    let mut admin = console.logged_in("alice").await;

    let group =
        id_of(&fill(&mut admin, "/groups/add/", &[("name", "operators"), ("description", "Night <shift>")], &[]).await);
    let group_text = group.to_string();
    let values = [("username", "bob"), ("password", NEW), ("password_again", NEW), ("group", group_text.as_str())];
    let bob = id_of(&fill(&mut admin, "/users/add/", &values, &[]).await);
    let stored = console.store.users().get(bob).await.unwrap();
    assert!(stored.is_active && !stored.is_superuser && stored.password_hash.starts_with("$argon2id$"));
    assert_eq!(console.store.groups().of_user(bob).await.unwrap()[0].id, group);

    let terms = r#"{"name__startswith": "lab-"}"#;
    let values = [
        ("name", "labs"),
        ("actions", "view"),
        ("actions", "sync"),
        ("object_types", "hedgerow.fabric"),
        ("constraints", terms),
        ("group", group_text.as_str()),
    ];
    let permission = id_of(&fill(&mut admin, "/permissions/add/", &values, &[]).await);
    let stored = console.store.permissions().effective(bob).await.unwrap();
    assert_eq!((stored.len(), stored[0].id), (1, permission));
    assert_eq!(stored[0].constraints, Some(json!({"name__startswith": "lab-"})));

    // It works for whom it was made.
    let mut bobs = console.browser();
    assert_eq!(bobs.log_in("bob", NEW, "/").await.status, StatusCode::SEE_OTHER);
    let listed = bobs.open("/fabrics/").await.text();
    assert!(listed.contains("lab-1") && !listed.contains("prod"), "{listed}");
    let account = bobs.open("/account/").await.text();
    assert!(
        account.contains("operators") && account.contains("View, sync: fabrics whose name begins with lab-"),
        "{account}"
    );
    assert!(!bobs.open("/").await.body.contains("href=\"/users/\""), "no entry for whoever may see none of it");
    assert!(admin.open("/").await.body.contains("href=\"/users/\""));

    // Pages say it, with its changes.
    let page = admin.open(&format!("/users/{bob}/")).await;
    let text = page.text();
    assert!(text.contains("by the group operators") && text.contains("created"), "{text}");
    assert!(admin.open(&format!("/groups/{group}/")).await.body.contains("Night &#60;shift&#62;"));
    let list = admin.open("/users/?q=BO&active=true").await.text();
    assert!(list.contains("bob") && list.contains("1 in all"), "{list}");

    // A new password ends the sessions; switching off does so, too.
    let path = format!("/users/{bob}/password/");
    let common = [("password", "password2026"), ("password_again", "password2026")];
    let common = fill(&mut admin, &path, &common, &[]).await;
    assert!(common.text().contains("among those that are guessed first"), "{}", common.text());
    let set = fill(&mut admin, &path, &[("password", OTHER), ("password_again", OTHER)], &[]).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.text());
    assert_eq!(bobs.script("/fabrics/").await.json()["code"], "session_revoked");
    assert_eq!(bobs.log_in("bob", OTHER, "/").await.status, StatusCode::SEE_OTHER);
    let page = admin.open(&format!("/users/{bob}/")).await;
    let token = page.field("csrfmiddlewaretoken");
    let ended = admin.submit(&format!("/users/{bob}/sessions/end/"), &[("csrfmiddlewaretoken", token.as_str())]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.text());
    assert_eq!(bobs.script("/fabrics/").await.json()["code"], "session_revoked");
    assert_eq!(bobs.log_in("bob", OTHER, "/").await.status, StatusCode::SEE_OTHER);
    let edited =
        fill(&mut admin, &format!("/users/{bob}/edit/"), &[("username", "robert")], &["is_active", "group"]).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.text());
    assert_eq!(bobs.script("/fabrics/").await.json()["code"], "session_revoked");
    let stored = console.store.users().get(bob).await.unwrap();
    assert_eq!((stored.username.as_str(), stored.is_active), ("robert", false));
    assert_eq!(console.store.groups().of_user(bob).await.unwrap(), []);
    let sessions = console.store.sessions().list_of_user(bob).await.unwrap();
    assert_eq!(sessions[0].ended_by.as_deref(), Some("alice"));

    // Everything is in the log, and no secret.
    let log =
        console.store.changes().list(&Readable::everything(), &ChangeFilter::default(), Page::all()).await.unwrap();
    assert!(log.rows.iter().all(|change| change.actor == "alice" && change.request_id.len() == 36), "{:?}", log.rows);
    let all = format!("{:?}", log.rows);
    assert!(!all.contains("argon2") && !all.contains(NEW) && !all.contains(OTHER), "{all}");
    let text = admin.open(&format!("/users/{bob}/")).await.text();
    assert!(text.contains("password: set → changed") && text.contains("username: bob → robert"), "{text}");

    for (path, list) in [
        (format!("/permissions/{permission}/delete/"), "/permissions/"),
        (format!("/groups/{group}/delete/"), "/groups/"),
        (format!("/users/{bob}/delete/"), "/users/"),
    ] {
        let gone = fill(&mut admin, &path, &[], &[]).await;
        assert_eq!((gone.status, gone.header("location")), (StatusCode::SEE_OTHER, list), "{}", gone.text());
        assert_eq!(admin.open(&path).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_stands_at_its_field_and_nothing_typed_is_lost() {
    let console = Console::start().await;
    console.admin().await;
    let mut admin = console.logged_in("alice").await;
    let values = [("username", "bob builder"), ("password", "short"), ("password_again", "other")];
    let refused = fill(&mut admin, "/users/add/", &values, &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("id=\"error-username\"") && refused.body.contains("value=\"bob builder\""));
    assert!(refused.body.contains("id=\"error-password_again\"") && !refused.body.contains("short"));
    let values = [("username", "ALICE"), ("password", NEW), ("password_again", NEW)];
    assert!(fill(&mut admin, "/users/add/", &values, &[]).await.text().contains("Another user has this name."));
    let values = [("username", "bob"), ("password", "short"), ("password_again", "short")];
    assert!(
        fill(&mut admin, "/users/add/", &values, &[]).await.text().contains("A password has 10 to 1024 characters.")
    );

    let one = [("actions", "view"), ("object_types", "hedgerow.fabric"), ("name", "p")];
    let many =
        serde_json::to_string(&(0..501).map(|n| json!({ "name": format!("f{n}") })).collect::<Vec<_>>()).unwrap();
    for (constraints, said) in [
        (r#"{"name": "x\u0000"}"#, "holds the character NUL"),
        (many.as_str(), "compare with 501 values, and 500 are the most"),
        ("{\n \"name\": }", "This is no JSON: line 2, column 10"),
        (r#"{"nmae": "x"}"#, "the field &#39;nmae&#39; of fabrics"),
        (r#"[{"name": "a"}, {"name__regex": "x"}]"#, "In object 2, the term name__regex"),
    ] {
        let values: Vec<(&str, &str)> = one.iter().copied().chain([("constraints", constraints)]).collect();
        let refused = fill(&mut admin, "/permissions/add/", &values, &[]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let at = refused.body.split("id=\"error-constraints\"").nth(1).unwrap_or_else(|| panic!("{}", refused.text()));
        assert!(at.split("</p>").next().unwrap().contains(said), "{said}: {}", refused.text());
    }
    let nothing = fill(&mut admin, "/permissions/add/", &[("name", "p")], &[]).await;
    assert!(nothing.body.contains("id=\"error-actions\"") && nothing.body.contains("id=\"error-object_types\""));
    assert_eq!(console.store.permissions().list().await.unwrap(), []);
    assert_eq!(console.store.users().count().await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let mut admin = console.logged_in("alice").await;
    let path = format!("/users/{}/", alice.id);
    for unticked in ["is_active", "is_superuser"] {
        let refused = fill(&mut admin, &format!("{path}edit/"), &[], &[unticked]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
        let at = refused
            .body
            .split(&format!("id=\"error-{unticked}\""))
            .nth(1)
            .unwrap_or_else(|| panic!("{}", refused.text()));
        assert!(at.contains("This is the last active administrator"), "{unticked}");
    }
    let refused = fill(&mut admin, &format!("{path}delete/"), &[], &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("This is the last active administrator; make another user one first."));
    assert_eq!(console.store.users().get(alice.id).await.unwrap().spec(), alice.spec());
    let token = admin.token().await;
    let script = admin.call(&format!("{path}delete/"), &token, &[]).await;
    assert_eq!((script.status, script.json()["success"].clone()), (StatusCode::UNPROCESSABLE_ENTITY, json!(false)));
    // With a second one it goes.
    console.user("second", true).await;
    assert_eq!(fill(&mut admin, &format!("{path}edit/"), &[], &["is_superuser"]).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn not_seen_is_not_found_and_seen_but_not_permitted_names_the_permission() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    let (anna, carl) = (console.user("anna", false).await, console.user("carl", false).await);
    console.permit_on(&bob, "users.user", &["view"], Some(json!({"username__startswith": "a"}))).await;
    let mut bobs = console.logged_in("bob").await;
    let list = bobs.open("/users/").await.text();
    // The administrator's name begins with an a, too.
    assert!(
        list.contains("anna") && list.contains("alice") && !list.contains("carl") && list.contains("2 in all"),
        "{list}"
    );
    for end in ["", "edit/", "password/", "delete/"] {
        let hidden = bobs.open(&format!("/users/{}/{end}", carl.id)).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{end}");
    }
    for (end, permission) in
        [("edit/", "users.change_user"), ("password/", "users.change_user"), ("delete/", "users.delete_user")]
    {
        let refused = bobs.open(&format!("/users/{}/{end}", anna.id)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.text().contains(permission), "{}", refused.text());
    }
    for (path, permission) in [
        ("/users/add/", "users.add_user"),
        ("/groups/", "users.view_group"),
        ("/groups/add/", "users.add_group"),
        ("/permissions/", "users.view_objectpermission"),
        ("/permissions/add/", "users.add_objectpermission"),
    ] {
        let refused = bobs.open(path).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}");
        assert!(refused.text().contains(permission), "{path}: {}", refused.text());
    }
    // Neither the group that she belongs to nor what it gives is told, not in the changes either.
    let mut admin = console.logged_in("alice").await;
    let hers = anna.id.to_string();
    let values = [("name", "secret-group"), ("member", hers.as_str())];
    id_of(&fill(&mut admin, "/groups/add/", &values, &[]).await);
    assert!(admin.open(&format!("/users/{hers}/")).await.text().contains("groups: nothing → secret-group"));
    let page = bobs.open(&format!("/users/{}/", anna.id)).await;
    assert!(page.text().contains("groups: nothing → 1 that you may not see"), "{}", page.text());
    assert!(!page.body.contains("secret-group"), "{}", page.text());
    assert!(!page.body.contains("/edit/") && !page.body.contains("/delete/"), "what is not permitted is not offered");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_promotes_themselves() {
    let console = Console::start().await;
    let alice = console.admin().await;
    let mallory = console.user("mallory", false).await;
    for object_type in ["users.user", "users.group", "users.objectpermission"] {
        console.permit_on(&mallory, object_type, &["view", "add", "change"], None).await;
    }
    let powerful = console.permission("everything", "hedgerow.fabric", &["view", "delete"], None).await;
    let group = console.store.groups().create("powerful", "").await.unwrap();
    console.store.permissions().give_to_group(powerful, group.id).await.unwrap();
    let mut browser = console.logged_in("mallory").await;
    let (me, group_id) = (mallory.id.to_string(), group.id.to_string());
    let own = format!("/users/{me}/edit/");
    assert!(!browser.open(&own).await.body.contains("is_superuser"), "it is not offered");
    let all = [("actions", "view"), ("actions", "delete"), ("object_types", "hedgerow.fabric")];
    let new: Vec<(&str, &str)> = all.iter().copied().chain([("name", "mine"), ("user", me.as_str())]).collect();
    let lacks = "This would give others hedgerow.";
    /// The form's address, what is filled in, and what the refusal says.
    type Try<'a> = (String, Vec<(&'a str, &'a str)>, &'a str);
    let tries: Vec<Try> = vec![
        (own.clone(), vec![("is_superuser", "on")], "Only an administrator may"),
        (own, vec![("group", group_id.as_str())], lacks),
        (format!("/groups/{group_id}/edit/"), vec![("member", me.as_str())], lacks),
        ("/permissions/add/".to_owned(), new, lacks),
        (format!("/permissions/{powerful}/edit/"), vec![("user", me.as_str())], lacks),
        (format!("/users/{}/edit/", alice.id), vec![("username", "alice2")], "Only an administrator may"),
        (
            format!("/users/{}/password/", alice.id),
            vec![("password", NEW), ("password_again", NEW)],
            "Only an administrator may set an administrator's password",
        ),
    ];
    for (path, values, said) in tries {
        let refused = fill(&mut browser, &path, &values, &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.text());
        assert!(refused.text().replace("&#39;", "'").contains(said), "{path}: {}", refused.text());
    }
    let stored = console.store.users().get(mallory.id).await.unwrap();
    assert!(!stored.is_superuser);
    assert_eq!(console.store.groups().of_user(mallory.id).await.unwrap(), []);
    assert_eq!(console.store.permissions().effective(mallory.id).await.unwrap().len(), 3);
    assert_eq!(console.store.users().get(alice.id).await.unwrap(), alice.clone());
    // What one has one may give.
    let values =
        [("name", "users too"), ("actions", "view"), ("object_types", "users.user"), ("group", group_id.as_str())];
    id_of(&fill(&mut browser, "/permissions/add/", &values, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_must_stay_within_the_constraints() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    let lab = console.user("lab-1", false).await;
    let labs = json!({"username__startswith": "lab-"});
    console.permit_on(&bob, "users.user", &["view", "add", "change"], Some(labs)).await;
    let mut bobs = console.logged_in("bob").await;
    let refused = fill(&mut bobs, &format!("/users/{}/edit/", lab.id), &[("username", "root2")], &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("The permission does not cover the user as it would be"), "{}", refused.text());
    let values = [("username", "other"), ("password", NEW), ("password_again", NEW)];
    let refused = fill(&mut bobs, "/users/add/", &values, &[]).await;
    assert!(refused.text().contains("The permission does not cover the user as it would be"), "{}", refused.text());
    assert_eq!(console.store.users().get(lab.id).await.unwrap().username, "lab-1");
    assert_eq!(console.store.users().count().await.unwrap(), 3);
    let values = [("username", "lab-2"), ("password", NEW), ("password_again", NEW)];
    id_of(&fill(&mut bobs, "/users/add/", &values, &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_shows_only_what_its_reader_may_see() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    for name in ["lab-1", "lab-2", "prod-lab"] {
        console.fabric(name).await;
    }
    console.permit(&bob, &["view"], Some(json!({"name__startswith": "lab-"}))).await;
    let query = |constraints: &str| {
        let query = crate::console::encode(&[("type", "hedgerow.fabric"), ("constraints", constraints)]);
        format!("/permissions/preview/?{query}")
    };
    let (mut admin, mut bobs) = (console.logged_in("alice").await, console.logged_in("bob").await);
    let all = query(r#"{"name__contains": "lab"}"#);
    assert_eq!(admin.script(&all).await.json()["count"], 3);
    let seen = bobs.script(&all).await.json();
    assert_eq!((&seen["count"], &seen["of"], &seen["names"]), (&json!(2), &json!(2), &json!(["lab-1", "lab-2"])));
    let either = query(r#"[{"name": "prod-lab"}, {"name": "lab-1"}]"#);
    assert_eq!(bobs.script(&either).await.json()["names"], json!(["lab-1"]));
    assert_eq!(bobs.script(&query("")).await.json()["count"], 2);
    let users = bobs.script("/permissions/preview/?type=users.user").await.json();
    assert_eq!((&users["count"], &users["of"]), (&json!(0), &json!(0)));
    let wrong = bobs.script(&query("{")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.json()["fields"]["constraints"].as_str().unwrap().contains("line 1, column 1"), "{}", wrong.body);

    // The same without script, by the form, which saves nothing.
    let values = [
        ("actions", "view"),
        ("object_types", "hedgerow.fabric"),
        ("constraints", r#"{"name__endswith": "2"}"#),
        ("preview", "1"),
    ];
    let shown = fill(&mut admin, "/permissions/add/", &values, &[]).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(shown.text().contains("Matches 1 of the 3 fabrics that you may see. lab-2"), "{}", shown.text());
    assert_eq!(console.store.permissions().list().await.unwrap().len(), 1, "nothing was saved");
    let filter = ChangeFilter { noun: Some(Noun::Permission), ..ChangeFilter::default() };
    let log = console.store.changes().list(&Readable::everything(), &filter, Page::all()).await.unwrap();
    assert_eq!(log.total, 0);
}

#[tokio::test]
async fn a_name_that_is_taken_by_what_may_not_be_seen_is_not_told_apart() {
    let console = Console::start().await;
    let (west, east) = (console.fabric("west").await, console.fabric("east").await);
    let limited = console.user("limited", false).await;
    for object_type in ["hedgerow.fabric", "users.group"] {
        let only = Some(json!({"name": "west"}));
        console.permit_on(&limited, object_type, &["view", "add", "change"], only).await;
    }
    console.store.groups().create("east", "").await.unwrap();
    let mut browser = console.logged_in("limited").await;
    assert_eq!(browser.open(&format!("/fabrics/{}/", east.id)).await.status, StatusCode::NOT_FOUND, "it is hidden");
    let edit = format!("/fabrics/{}/edit/", west.id);
    let mut said = Vec::new();
    for name in ["east", "nobody-has-this"] {
        let mut fields = contents(&browser.open(&edit).await);
        set(&mut fields, "name", name);
        let refused = send(&mut browser, &edit, &fields).await;
        let csrf = browser.token().await;
        let group = browser.call("/groups/add/", &csrf, &[("name", name), ("description", "")]).await;
        assert_eq!(
            (refused.status, group.status),
            (StatusCode::UNPROCESSABLE_ENTITY, StatusCode::UNPROCESSABLE_ENTITY)
        );
        said.push((refused.text().contains("has this name"), group.json()["fields"]["name"].clone()));
    }
    assert_eq!(said[0], said[1], "one that exists and one that does not are refused alike");
    assert!(!said[0].0, "{said:?}");
}

#[tokio::test]
async fn how_long_sessions_last_is_for_administrators_and_ones_own_password_for_its_own_page() {
    let console = Console::start().await;
    let root = console.admin().await;
    let limited = console.user("limited", false).await;
    console.permit_on(&limited, "users.group", &["view", "change"], None).await;
    let group = console.store.groups().create("operators", "").await.unwrap();
    let edit = format!("/groups/{}/edit/", group.id);
    let limits = async || console.store.groups().session_limits(group.id).await.unwrap();
    let mut browser = console.logged_in("limited").await;
    let longer = fill(&mut browser, &edit, &[("session_idle", "43200")], &[]).await;
    assert_eq!(longer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(longer.text().contains("Only an administrator may change how long sessions last."), "{}", longer.text());
    assert_eq!(limits().await, (None, None));
    let described = fill(&mut browser, &edit, &[("description", "of the lab")], &[]).await;
    assert_eq!(described.status, StatusCode::SEE_OTHER, "what else stands there may be changed: {}", described.text());

    let mut browser = console.logged_in("alice").await;
    assert_eq!(fill(&mut browser, &edit, &[("session_idle", "120")], &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(limits().await, (Some(7_200), None));
    let own = format!("/users/{}/password/", root.id);
    assert_eq!(browser.open(&own).await.header("location"), "/account/password/");
    let csrf = browser.token().await;
    let fields = [("csrfmiddlewaretoken", csrf.as_str()), ("password", NEW), ("password_again", NEW)];
    assert_eq!(browser.submit(&own, &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let mut anew = console.browser();
    let old = anew.log_in("alice", crate::console::PASSWORD, "/").await;
    assert_eq!(old.status, StatusCode::SEE_OTHER, "the password until now is still the one");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_and_may_not_be_seen_is_refused_like_what_is_not_there() {
    let console = Console::start().await;
    console.admin().await;
    let bob = console.user("bob", false).await;
    let carl = console.user("carl", false).await;
    console.permit_on(&bob, "users.user", &["view", "change"], None).await;
    console.permit_on(&bob, "users.group", &["view"], Some(json!({"name": "seen"}))).await;
    let group = async |name: &str| console.store.groups().create(name, "").await.unwrap().id.to_string();
    let (seen, hidden) = (group("seen").await, group("hidden").await);
    let mut bobs = console.logged_in("bob").await;
    let path = format!("/users/{}/edit/", carl.id);
    for other in [hidden.as_str(), "4711", "x"] {
        let refused = fill(&mut bobs, &path, &[("group", seen.as_str()), ("group", other)], &[]).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{other}: {}", refused.text());
        let sentence = format!("Of the groups that you may see none has the id {other}. Choose again.");
        assert!(refused.text().contains(&sentence), "{}", refused.text());
        assert!(console.store.groups().of_user(carl.id).await.unwrap().is_empty(), "{other}: nothing is half done");
    }
    let done = fill(&mut bobs, &path, &[("group", seen.as_str())], &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "the control: {}", done.text());
    assert_eq!(console.store.groups().of_user(carl.id).await.unwrap()[0].name, "seen");
}
