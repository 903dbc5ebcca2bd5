//! Who has a part of the permissions: what is given works, what is not is refused by name, and what may not be seen is
//! not there. Permissions are given on the command line, as an administrator gives them.

use crate::http_session_lessons::fill;
use crate::world::{Fabric, NAMESPACES, add_fabric, press, token, vpc, world};
use anyhow::{Context, Result, ensure};
use testkit::{HttpUser, Page};
use web::{Kind, Needs, RouteInfo};

const PASSWORD: &str = "a part of it all";

/// A user with these permissions, each the arguments of one `hedgerow user grant`, logged in.
pub async fn person(name: &str, grants: &[&[&str]]) -> Result<(HttpUser, Page)> {
    let console = &world().await.console;
    let made = console.run(&["user", "create", name, "--password-stdin"], Some(PASSWORD)).await?;
    ensure!(made.status.success(), "{made:?}");
    for grant in grants {
        let given = console.run(&[&["user", "grant", name], *grant].concat(), None).await?;
        ensure!(given.status.success(), "{grant:?}: {given:?}");
    }
    console.login(name, PASSWORD).await
}

/// A fabric with something to sync, and a first comparison.
async fn fabric() -> Result<Fabric> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    // The background may have read the repository before it held anything.
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    assert_eq!(fabric.press("sync_from_fabric").await?["state"], "succeeded");
    Ok(fabric)
}

/// The word of the action that a route needs on a fabric.
fn action(route: &RouteInfo) -> Option<&'static str> {
    match route.needs {
        Needs::Fabrics(action) | Needs::Fabric(action) | Needs::Operation(action) => Some(action.as_str()),
        Needs::Public | Needs::LoggedIn | Needs::Listing | Needs::Metrics => None,
        // Not about a fabric: `browser_accounts` and the tests of the pages.
        Needs::Type(..) | Needs::User(_) | Needs::Group(_) | Needs::Permission(_) => None,
    }
}

/// Asks every route about this fabric, and holds each answer against what the user may do. What is permitted is also
/// done, as far as it does no harm. Gives the addresses of the operations that came of it.
async fn matrix(user: &mut HttpUser, csrf: &str, fabric: i64, operation: &str, may: &[&str]) -> Result<Vec<String>> {
    let (mut refused, mut operations) = (0, Vec::new());
    for route in web::routes().iter().filter(|route| route.kind != Kind::Stream) {
        let Some(action) = action(route) else { continue };
        let (path, what) = (fill(&route.path, fabric, operation), format!("{} {}", route.method, route.path));
        let headers = [("X-CSRFToken", csrf)];
        let is_post = route.method == "POST";
        if !may.contains(&action) {
            let answer = user.script(route.method.as_str(), &path, &headers, is_post.then_some("{}")).await?;
            assert_eq!(answer.status, 403, "{what}: {action} was not given");
            let said = answer.json().with_context(|| what.clone())?;
            assert_eq!(said["code"], "permission_denied", "{what}");
            let permission = format!("hedgerow.{action}_fabric");
            assert!(said["message"].as_str().is_some_and(|words| words.contains(&permission)), "{what}: {said}");
            assert_eq!(said["failure_point"], 6, "{what}");
            refused += 1;
        } else if !is_post || matches!(route.kind, Kind::Verb(_)) {
            let answer = user.script(route.method.as_str(), &path, &headers, is_post.then_some("{}")).await?;
            assert!(![401, 403].contains(&answer.status) && answer.status < 500, "{what}: {}", answer.body);
            if is_post {
                let place = answer.json()?["operation"]["url"].as_str().map(str::to_owned);
                operations.push(place.with_context(|| format!("{what} leads to an operation: {}", answer.body))?);
            }
        }
    }
    assert!(refused > 5, "{refused} routes were refused");
    Ok(operations)
}

async fn operations(fabric: &mut Fabric) -> Result<Vec<String>> {
    let page = fabric.user.visit(&format!("/fabrics/{}/operations/", fabric.id)).await?;
    Ok(page.texts("td.name a"))
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_who_may_only_view_sees_everything_and_does_nothing() -> Result<()> {
    let mut fabric = fabric().await?;
    let before = operations(&mut fabric).await?;
    let (mut user, home) = person("lesson-35-viewer", &[&["--action", "view"]]).await?;
    let operation = fabric.user.visit(&format!("/fabrics/{}/operations/", fabric.id)).await?;
    let operation = operation.attribute("td.name a", "href")?.context("an operation")?;
    let id = operation.trim_matches('/').rsplit('/').next().context("a number")?.to_owned();
    let begun = matrix(&mut user, &token(&home)?, fabric.id, &id, &["view"]).await?;
    assert_eq!(begun, Vec::<String>::new());

    // A person sees the page, with buttons that say what is missing.
    let page = user.visit(&format!("/fabrics/{}/", fabric.id)).await?;
    assert_eq!(page.status, 200);
    assert!(page.visible_text().contains("vpc-01"), "{}", page.visible_text());
    assert!(page.attribute("#sync-now-btn", "disabled")?.is_some(), "the button cannot be pressed");
    assert!(page.visible_text().contains("Needs the permission hedgerow.sync_fabric"), "and says why");
    assert!(page.attributes("a", "href").iter().all(|href| !href.contains("/edit/") && !href.contains("/delete/")));
    let edit = user.get(&format!("/fabrics/{}/edit/", fabric.id)).await?;
    assert_eq!(edit.status, 403);
    assert!(edit.visible_text().contains("hedgerow.change_fabric"), "{}", edit.visible_text());

    assert_eq!(operations(&mut fabric).await?, before, "no operation came of it");
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written");
    let activity = fabric.user.visit(&format!("/fabrics/{}/activity/?show=refused", fabric.id)).await?.visible_text();
    assert!(activity.contains("lesson-35-viewer") && activity.contains("permission_denied"), "{activity}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_who_may_sync_one_fabric_syncs_that_one_only() -> Result<()> {
    let (mut mine, mut other) = (fabric().await?, fabric().await?);
    let limit = serde_json::json!({ "name": mine.name }).to_string();
    let grants: [&[&str]; 2] = [&["--action", "view"], &["--action", "sync", "--constraints", &limit]];
    let (mut user, home) = person("lesson-35-operator", &grants).await?;
    let csrf = token(&home)?;
    let before = operations(&mut other).await?;
    assert_eq!(matrix(&mut user, &csrf, other.id, "1", &["view"]).await.map(|begun| begun.len())?, 0);
    assert_eq!(operations(&mut other).await?, before);
    assert!(other.live("VPC", "vpc-01").await?.is_none(), "nothing was written to the other fabric");

    let begun = matrix(&mut user, &csrf, mine.id, "1", &["view", "sync"]).await?;
    assert!(begun.len() >= 4, "every verb began: {begun:?}");
    for place in &begun {
        let ended = mine.ended(place).await?;
        assert_eq!((&ended["state"], &ended["actor"]), (&"succeeded".into(), &"lesson-35-operator".into()), "{ended}");
    }
    assert!(mine.live("VPC", "vpc-01").await?.is_some(), "the permission that was given works");

    // Taken away, it is gone with the next request of the same session.
    let console = &world().await.console;
    let users = console.run(&["user", "list", "--json"], None).await?;
    let users: serde_json::Value = serde_json::from_slice(&users.stdout)?;
    let users = users.as_array().context("a list of users")?;
    let entry = users.iter().find(|user| user["username"] == "lesson-35-operator").context("the operator")?;
    let held = entry["permissions"].as_array().context("permissions")?;
    let sync = held.iter().find(|one| one["actions"][0] == "sync").context("the permission to sync")?;
    let taken = console.run(&["user", "revoke", "lesson-35-operator", &sync["id"].to_string()], None).await?;
    assert!(taken.status.success(), "{taken:?}");
    let path = format!("/fabrics/{}/sync/", mine.id);
    let refused = user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (403, Some("permission_denied")));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_what_a_constraint_hides_is_nowhere() -> Result<()> {
    let (mut seen, hidden) = (fabric().await?, fabric().await?);
    assert_eq!(seen.press("sync_to_kubernetes").await?["state"], "succeeded");
    let limit = serde_json::json!([{ "id": seen.id }]).to_string();
    let every: &[&str] = &["--action", "view,change,delete,sync", "--constraints", &limit];
    let (mut user, home) = person("lesson-35-one-fabric", &[every]).await?;
    let csrf = token(&home)?;
    for path in ["/", "/activity/", &format!("/?q={}", hidden.name)] {
        let page = user.visit(path).await?;
        let rows = page.texts("main table").concat();
        assert!(!rows.contains(&hidden.name), "{path} lists what may not be seen");
        assert_eq!(rows.contains(&seen.name), !path.contains(&hidden.name), "{path}: {rows}");
    }
    let mut asked = 0;
    for route in web::routes().iter().filter(|route| matches!(route.needs, Needs::Fabric(_))) {
        let path = fill(&route.path, hidden.id, "1");
        let body = (route.method == "POST").then_some(r#"{"confirm":"x"}"#);
        let answer = user.script(route.method.as_str(), &path, &[("X-CSRFToken", &csrf)], body).await?;
        assert_eq!(answer.status, 404, "{} {}: {}", route.method, route.path, answer.body);
        assert!(!answer.body.contains(&hidden.name), "{} names it", route.path);
        asked += 1;
    }
    assert!(asked > 20, "{asked} routes");
    assert_eq!(user.visit(&format!("/fabrics/{}/", seen.id)).await?.status, 200, "the control");
    assert!(hidden.live("VPC", "vpc-01").await?.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_a_constraint_holds_for_what_is_added_and_for_what_something_becomes() -> Result<()> {
    let prefix = format!("team-{}-", std::process::id());
    let limit = serde_json::json!({ "name__startswith": prefix }).to_string();
    let grant: &[&str] = &["--action", "view,add,change", "--constraints", &limit];
    let (mut user, _) = person("lesson-35-team", &[grant]).await?;
    let form = user.visit("/fabrics/add/").await?;
    let fields = |name: &str| {
        [("name", name), ("cluster_kind", "none"), ("credential_kind", "none"), ("namespace", "default")]
            .map(|(field, value)| (field, value.to_owned()))
    };
    let elsewhere = format!("other-{prefix}x");
    for (name, status) in [(elsewhere.clone(), 422), (format!("{prefix}x"), 303)] {
        let fields = fields(&name);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(field, value)| (*field, value.as_str())).collect();
        let answer = user.submit(&form, "form.form", &fields).await?;
        assert_eq!(answer.status, status, "{name}: {}", answer.visible_text());
        if status == 422 {
            assert!(answer.has("#error-name"), "the word stands at the field: {}", answer.visible_text());
        }
    }
    let mut admin = world().await.admin().await?;
    let listed = admin.visit(&format!("/?q={prefix}")).await?.texts("main table").concat();
    assert!(listed.contains(&format!("{prefix}x")) && !listed.contains(&elsewhere), "{listed}");

    let own = user.visit(&format!("/?q={prefix}x")).await?;
    let own = own.attributes("main table a", "href").into_iter().find(|href| href.starts_with("/fabrics/"));
    let edit = user.visit(&format!("{}edit/", own.context("a link to the fabric")?)).await?;
    let renamed = user.submit(&edit, "form.form", &[("name", &elsewhere)]).await?;
    assert_eq!(renamed.status, 422, "{}", renamed.visible_text());
    let kept = user.submit(&edit, "form.form", &[("description", "Ours.")]).await?;
    assert_eq!(kept.status, 303, "the control: {}", kept.visible_text());
    let listed = admin.visit(&format!("/?q={prefix}")).await?.texts("main table").concat();
    assert!(listed.contains(&format!("{prefix}x")) && !listed.contains(&elsewhere), "{listed}");
    Ok(())
}

/// Two fabrics on one namespace of one cluster: whoever may see the other one is told which it is, and nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn the_fabric_that_has_the_namespace_already_is_named_to_whoever_may_see_it() -> Result<()> {
    let first = fabric().await?;
    let (name, own) = Fabric::place().await?;
    let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
    fields.retain(|(field, _)| *field != "namespace");
    fields.push(("namespace", &first.name));
    let mut admin = world().await.admin().await?;
    let id = add_fabric(&mut admin, &fields).await?;
    let ended = press(&mut admin, id, "sync_to_kubernetes").await?;
    assert_eq!((ended["state"].as_str(), ended["code"].as_str()), (Some("failed"), Some("cluster_config_invalid")));
    // Its namespace carries the other's name, so the name alone is no proof.
    let plain = format!("Another fabric already manages namespace {} of this cluster", first.name);
    let named = format!("Fabric {} manages namespace {} of this cluster already.", first.name, first.name);
    let limit = serde_json::json!({ "name": name }).to_string();
    let (mut limited, _) = person("sees-one-of-two", &[&["--action", "view", "--constraints", &limit]]).await?;
    let operation = ended["url"].as_str().context("its address")?;
    for path in [format!("/fabrics/{id}/"), operation.to_owned()] {
        let link = format!("/fabrics/{}/", first.id);
        let page = admin.visit(&path).await?;
        let text = page.visible_text();
        ensure!(text.contains(&named) && text.contains(&plain), "{path}: {text}");
        ensure!(page.attributes(".notice a", "href").contains(&link), "{path}: {:?}", page.attributes("a", "href"));
        let page = limited.visit(&path).await?;
        let text = page.visible_text();
        ensure!(page.status == 200 && text.contains(&plain) && !text.contains(&named), "{path}: {text}");
        ensure!(!page.attributes("a", "href").iter().any(|href| href.starts_with(&link)), "{path}");
    }
    // What is stored names nobody, and there is no other cluster to confirm.
    ensure!(!ended.to_string().contains(&named), "{ended}");
    let confirm = admin.visit(&format!("/fabrics/{id}/confirm-cluster/")).await?.visible_text();
    ensure!(!confirm.contains("Confirm the new cluster"), "{confirm}");
    Ok(())
}
