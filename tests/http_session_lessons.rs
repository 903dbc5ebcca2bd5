//! Who may do what, and what somebody is told who may not: ended sessions, forged requests, strangers, wrong addresses.

use crate::crawl::crawl;
use crate::world::{Fabric, NAMESPACES, same_cookies, token, vpc, world};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::time::Duration;
use testkit::{Access, Console, ConsoleOptions, HttpUser, Page, eventually};
use tokio::sync::Mutex;
use web::{Kind, Needs};

/// A console of the test's own, with sessions that end soon.
async fn short_sessions(idle: &str, absolute: &str) -> Result<Console> {
    let env = [("IDLE", idle), ("ABSOLUTE", absolute), ("WARN_BEFORE", "1s")];
    let env = env.map(|(name, value)| (format!("HEDGEROW_SESSION_{name}"), value.to_owned()));
    Console::start(ConsoleOptions { env: env.to_vec(), ..ConsoleOptions::default() }).await
}

/// A fabric with a repository of the console's own and no cluster; its address.
async fn local_fabric(user: &mut HttpUser, name: &str) -> Result<String> {
    let form = user.visit("/fabrics/add/").await?;
    let fields = [("name", name), ("cluster_kind", "none"), ("credential_kind", "none"), ("namespace", "default")];
    let answer = user.submit(&form, "form.form", &fields).await?;
    answer.location().with_context(|| format!("the form was not taken: {}", answer.visible_text()))
}

/// What a page asks for by itself: it must not keep a session alive.
const BACKGROUND: &[(&str, &str)] = &[("X-Hedgerow-Background", "1")];

/// Waits until the session of `user` is over, while `control` is at work; gives the last answer.
async fn outlive(user: &mut HttpUser, control: &mut HttpUser) -> Result<Page> {
    let both = Mutex::new((user, control));
    eventually(Duration::from_secs(40), "the session ends", || async {
        let mut both = both.lock().await;
        let answer = both.0.script("GET", "/session/", BACKGROUND, None).await?;
        let beside = both.1.get("/").await?;
        assert_eq!(beside.status, 200, "the session beside it is in use and valid");
        ensure!(answer.status != 200, "it is still valid");
        Ok(answer)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_08_an_expired_session_is_a_401_with_its_code_and_the_login_leads_back() -> Result<()> {
    let console = short_sessions("6s", "1h").await?;
    let (name, password) = (console.username()?, console.password()?);
    let (mut user, _) = console.login(name, password).await?;
    let fabric = local_fabric(&mut user, "lab").await?;
    let page = user.visit(&fabric).await?;
    let (csrf, sync) = (token(&page)?, format!("{fabric}sync-from-git/"));
    let (mut control, _) = console.login(name, password).await?;

    let ended = outlive(&mut user, &mut control).await?;
    assert_eq!((ended.status, ended.json()?["code"].as_str()), (401, Some("session_idle_expired")));

    // A script's press.
    let answer = user.script("POST", &sync, &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    let problem = answer.json()?;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(problem["code"], "session_idle_expired");
    assert_eq!(problem["error"], "authentication_required");
    assert!(problem["redirect"].as_str().is_some_and(|to| to.starts_with("/login/")), "{problem}");
    // A form's press, and a page.
    let pressed = user.submit(&page, "form[data-verb=sync_from_git]", &[]).await?;
    let opened = user.get(&fabric).await?;
    for answer in [&pressed, &opened] {
        assert_eq!(answer.status, 303, "a person is led to the login");
        let to = answer.location().context("it leads somewhere")?;
        assert!(to.starts_with("/login/?next="), "{to}");
    }
    let seen = control.visit(&format!("{fabric}operations/")).await?;
    assert_eq!(seen.texts("td.name a"), Vec::<String>::new(), "nothing ran for an ended session");

    // The login says why, and leads back to the same page; the first page's button works.
    let login = user.arrive(pressed).await?;
    assert!(login.visible_text().contains("not used for some time"), "{}", login.visible_text());
    let fields = [("username", name), ("password", password)];
    let answer = user.submit(&login, "form:has([name=username])", &fields).await?;
    let offered = user.arrive(answer).await?;
    assert!(offered.visible_text().contains("so nothing was done"), "{}", offered.visible_text());
    let again = user.submit(&offered, &format!("form[action='{sync}']"), &[]).await?;
    let operation = again.location().with_context(|| format!("what was pressed is taken: {}", again.visible_text()))?;
    assert!(operation.starts_with("/operations/"), "{operation}");
    let again = user.submit(&page, "form[data-verb=sync_from_git]", &[]).await?;
    let operation = again.location().with_context(|| format!("the retry is taken: {}", again.visible_text()))?;
    assert!(operation.starts_with("/operations/"), "{operation}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_08_each_way_a_session_ends_has_its_own_code() -> Result<()> {
    let console = short_sessions("5s", "8s").await?;
    let (name, password) = (console.username()?, console.password()?);
    let said = |page: &Page| -> Result<String> { Ok(page.json()?["code"].as_str().unwrap_or_default().to_owned()) };

    // Logged out in another tab.
    let (mut user, page) = console.login(name, password).await?;
    let mut other = same_cookies(&console, &user)?;
    assert_eq!(other.script("GET", "/session/", &[], None).await?.status, 200, "the precondition: logged in");
    let out = user.submit(&page, "form.who", &[]).await?;
    assert_eq!(out.status, 303);
    let refused = other.script("GET", "/session/", &[], None).await?;
    assert_eq!((refused.status, said(&refused)?.as_str()), (401, "session_revoked"));

    // The password was changed by an administrator.
    let made = console.run(&["user", "create", "revoked", "--password-stdin"], Some("a first password")).await?;
    assert!(made.status.success(), "{made:?}");
    let (mut user, _) = console.login("revoked", "a first password").await?;
    let changed =
        console.run(&["user", "set-password", "revoked", "--password-stdin"], Some("a second password")).await?;
    assert!(changed.status.success(), "{changed:?}");
    let refused = user.script("GET", "/session/", &[], None).await?;
    assert_eq!((refused.status, said(&refused)?.as_str()), (401, "session_revoked"));

    // Used all the time, and over all the same.
    let (user, _) = console.login(name, password).await?;
    let user = Mutex::new(user);
    let refused = eventually(Duration::from_secs(30), "a session that is used ends", || async {
        let answer = user.lock().await.script("GET", "/session/", &[], None).await?;
        ensure!(answer.status != 200, "it is still valid");
        Ok(answer)
    })
    .await?;
    assert_eq!(said(&refused)?, "session_absolute_expired");

    // Never logged in.
    let refused = console.visitor()?.script("GET", "/session/", &[], None).await?;
    assert_eq!((refused.status, said(&refused)?.as_str()), (401, "authentication_required"));
    Ok(())
}

/// A fabric that has something to sync.
async fn with_something_to_sync() -> Result<Fabric> {
    let mut fabric = Fabric::add().await?;
    fabric.commit(&[("namespaces.yaml", Some(NAMESPACES)), ("one.yaml", Some(&vpc("vpc-01", 1, 1001)))]).await?;
    assert_eq!(fabric.press("sync_from_git").await?["state"], "succeeded");
    Ok(fabric)
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_09_a_forged_request_is_refused_in_the_askers_own_form_and_does_nothing() -> Result<()> {
    let mut fabric = with_something_to_sync().await?;
    let page = fabric.page().await?;
    let (csrf, sync) = (token(&page)?, format!("/fabrics/{}/sync/", fabric.id));
    let of_another_installation = "x".repeat(csrf.len());
    let wrong: [&[(&str, &str)]; 5] = [
        &[],
        &[("X-CSRFToken", "nonsense")],
        &[("X-CSRFToken", &of_another_installation)],
        &[("X-CSRFToken", &csrf), ("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site")],
        &[("X-CSRFToken", &csrf), ("Origin", "null")],
    ];
    for headers in wrong {
        let answer = fabric.user.script("POST", &sync, headers, Some("{}")).await?;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert_eq!(answer.header("content-type").as_deref(), Some("application/problem+json"), "{headers:?}");
        assert_eq!(answer.json()?["code"], "csrf_failed", "{headers:?}");
    }
    // A person's form gets a page with a sentence.
    let mut forged = page.clone();
    // Each form has a token of its own.
    let own = "form[data-verb=sync_to_kubernetes] [name=csrfmiddlewaretoken]";
    let own = page.attribute(own, "value")?.context("the form has a token")?;
    forged.body = forged.body.replace(&own, "nonsense");
    let answer = fabric.user.submit(&forged, "form[data-verb=sync_to_kubernetes]", &[]).await?;
    assert_eq!(answer.status, 403);
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with("text/html")));
    assert!(answer.visible_text().contains("Nothing was done"), "{}", answer.visible_text());

    let operations = fabric.user.visit(&format!("/fabrics/{}/operations/", fabric.id)).await?;
    assert!(
        !operations.texts("main table").concat().contains("Sync to Kubernetes"),
        "no operation came of any of them"
    );
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written");

    // The control: the same request with the page's token.
    let answer = fabric.user.script("POST", &format!("{sync}?wait=50"), &[("X-CSRFToken", &csrf)], Some("{}")).await?;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(fabric.live("VPC", "vpc-01").await?.is_some());
    Ok(())
}

/// An address of a route, about one fabric and one operation.
pub fn fill(path: &str, fabric: i64, operation: &str) -> String {
    let id = if path.contains("/operations/{id}") { operation.to_owned() } else { fabric.to_string() };
    path.replace("{id}", &id)
        .replace("{kind}", "VPC.vpc.githedgehog.com")
        .replace("{namespace}", "default")
        .replace("{name}", "vpc-01")
        .replace("{code}", "partial")
        .replace("{version}", "v")
        .replace("{file}", "none.css")
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_no_route_answers_a_stranger() -> Result<()> {
    let mut fabric = with_something_to_sync().await?;
    let before = fabric.press("sync_from_fabric").await?;
    let operation = before["id"].to_string();
    let mut nobody = world().await.console.visitor()?;
    let routes = web::routes();
    assert!(routes.len() > 40, "the table is not empty: {}", routes.len());
    for route in routes.iter().filter(|route| route.needs != Needs::Public) {
        let (path, what) = (fill(&route.path, fabric.id, &operation), format!("{} {}", route.method, route.path));
        let script = nobody.script(route.method.as_str(), &path, &[], None).await?;
        assert_eq!(script.status, 401, "{what}");
        assert_eq!(script.json()?["code"], "authentication_required", "{what}");
        if route.method == "GET" {
            let person = nobody.get(&path).await?;
            assert_eq!(person.status, 303, "{what}");
            assert!(person.location().is_some_and(|to| to.starts_with("/login/")), "{what}");
        }
    }
    // What is public shows nothing of anybody's: a login form, a probe, a way back to a page that asks for a login.
    for route in routes.iter().filter(|route| route.needs == Needs::Public && route.method == "GET") {
        let answer = nobody.get(&fill(&route.path, fabric.id, &operation)).await?;
        assert!(!answer.body.contains(&fabric.name), "{}", route.path);
        assert!(answer.status < 500, "{}: {}", route.path, answer.status);
        if route.kind == Kind::Back {
            assert_eq!(answer.status, 303, "{}", route.path);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_who_has_no_permission_sees_no_fabric_and_does_nothing() -> Result<()> {
    let world = world().await;
    let mut fabric = with_something_to_sync().await?;
    let read = fabric.press("sync_from_fabric").await?;
    let operation = read["id"].to_string();
    let made = world.console.run(&["user", "create", "lesson-35", "--password-stdin"], Some("no permissions")).await?;
    assert!(made.status.success(), "{made:?}");
    let (mut user, home) = world.console.login("lesson-35", "no permissions").await?;
    assert!(home.attributes("main a", "href").iter().all(|href| !href.starts_with("/fabrics/")), "an empty list");
    let csrf = token(&home)?;
    let headers = [("X-CSRFToken", csrf.as_str())];
    for route in web::routes() {
        let (path, what) = (fill(&route.path, fabric.id, &operation), format!("{} {}", route.method, route.path));
        let refused = match route.needs {
            Needs::Fabric(_) | Needs::Operation(_) | Needs::User(_) | Needs::Group(_) | Needs::Permission(_) => 404,
            Needs::Fabrics(_) | Needs::Type(..) => 403,
            _ => {
                // What was sent after an end is somebody's, and a timeline is of somebody.
                let is_kept = ["kept", "timeline"].contains(&route.name);
                if route.method == "GET" && route.kind == Kind::Page && route.needs != Needs::Public && !is_kept {
                    let page = user.visit(&path).await?;
                    assert_eq!(page.status, 200, "{what}");
                    assert!(!page.body.contains(&fabric.name), "{what} lists a fabric that the user may not see");
                }
                continue;
            }
        };
        let body = (route.method == "POST").then_some(r#"{"confirm":"x"}"#);
        let answer = user.script(route.method.as_str(), &path, &headers, body).await?;
        assert_eq!(answer.status, refused, "{what}: {}", answer.body);
        assert!(!answer.body.contains(&fabric.name), "{what} names the fabric");
    }
    assert_eq!(fabric.page().await?.status, 200, "the fabric is still there");
    assert!(fabric.live("VPC", "vpc-01").await?.is_none(), "nothing was written");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_39_wrong_addresses_are_404_and_wrong_input_is_400() -> Result<()> {
    let mut fabric = with_something_to_sync().await?;
    let (id, user) = (fabric.id, &mut fabric.user);
    let huge = "9".repeat(40);
    for missing in ["999999", "0", "-1", "x", "1.5", "%00", "'", &huge] {
        for path in [
            format!("/fabrics/{missing}/"),
            format!("/fabrics/{missing}/edit/"),
            format!("/fabrics/{missing}/objects/"),
            format!("/fabrics/{missing}/operations/"),
            format!("/operations/{missing}/"),
            format!("/fabrics/{id}/objects/VPC.vpc.githedgehog.com/default/{missing}-none/"),
            format!("/fabrics/{id}/objects/{missing}/default/vpc-01/"),
        ] {
            let page = user.get(&path).await?;
            assert_eq!(page.status, 404, "{path}");
            assert!(page.has("h1") && page.has("a[href]"), "{path} is a page with a way on");
            assert_eq!(user.script("GET", &path, &[], None).await?.json()?["code"], "not_found", "{path}");
        }
    }
    for query in ["page=0", "page=x", "page=-1", &format!("page={huge}"), "state=nonsense", "sort=nonsense"] {
        let path = format!("/fabrics/{id}/objects/?{query}");
        assert_eq!(user.get(&path).await?.status, 400, "{path}");
        assert_eq!(user.script("GET", &path, &[], None).await?.json()?["code"], "invalid_input", "{path}");
    }
    let page = user.visit(&format!("/fabrics/{id}/")).await?;
    let csrf = token(&page)?;
    let headers = [("X-CSRFToken", csrf.as_str())];
    let sync = format!("/fabrics/{id}/sync/");
    for (query, body) in [("", "{"), ("", "[1]"), ("", r#"{"comparison":"x"}"#), ("?wait=x", "{}")] {
        let answer = user.script("POST", &format!("{sync}{query}"), &headers, Some(body)).await?;
        assert_eq!((answer.status, answer.json()?["code"].as_str()), (400, Some("invalid_input")), "{query} {body}");
    }
    let answer = user.script("PUT", &sync, &headers, Some("{}")).await?;
    assert_eq!((answer.status, answer.json()?["code"].as_str()), (405, Some("method_not_allowed")));
    Ok(())
}

/// Every file under a folder with its bytes.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_33_no_page_file_or_log_line_holds_a_secret() -> Result<()> {
    let world = world().await;
    let env = vec![("HEDGEROW_LOG_LEVEL".to_owned(), "debug".to_owned())];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let (mut user, _) = console.login(console.username()?, console.password()?).await?;
    let account = world.plane.token_user("lesson-33", &Access::writer()).await?;
    world.git.add_user("lesson-33", "git-secret-of-lesson-33");
    world.git.create_repo("lesson-33").await?;
    let namespace = serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "lesson-33"}});
    world.plane.client()?.create(&namespace).await?;
    world.git.commit("lesson-33", "main", &[("namespaces.yaml", Some(NAMESPACES))], "Begin").await?;
    let kubeconfig = world.plane.kubeconfig(&world.plane.url(), &account.token);
    let url = world.git.url("lesson-33");
    let form = user.visit("/fabrics/add/").await?;
    let fields = [
        ("name", "lesson-33"),
        ("kubeconfig", kubeconfig.as_str()),
        ("cluster_kind", "kubeconfig"),
        ("namespace", "lesson-33"),
        ("source_url", &url),
        ("credential_kind", "token"),
        ("source_username", "lesson-33"),
        ("source_token", "git-secret-of-lesson-33"),
    ];
    // Refused first: the form comes back with what it held, but not with what is secret.
    let refused = user.submit(&form, "form.form", &[&fields[..], &[("deadline_minutes", "x")]].concat()).await?;
    assert_eq!(refused.status, 422);
    let answer = user.submit(&form, "form.form", &fields).await?;
    let fabric = answer.location().with_context(|| answer.visible_text())?;
    let id: i64 = fabric.trim_matches('/').rsplit('/').next().context("a number")?.parse()?;
    let mut said = vec![(String::from("the refused form"), refused.body)];
    for verb in ["test-connection", "sync-from-git", "sync-from-fabric", "sync"] {
        let page = user.visit(&fabric).await?;
        let path = format!("{fabric}{verb}/?wait=50");
        let answer = user.script("POST", &path, &[("X-CSRFToken", &token(&page)?)], Some("{}")).await?;
        assert_eq!(answer.status, 200, "the secrets work, so they were used: {verb}: {}", answer.body);
        said.push((verb.to_owned(), answer.body));
    }
    said.push(("the fabric's JSON".to_owned(), user.script("GET", &fabric, &[], None).await?.body));
    let crawled = crawl(&mut user, id).await?;
    assert!(crawled.pages.iter().any(|page| page.url.path().ends_with("/edit/")), "the form is among the pages");
    said.extend(crawled.pages.into_iter().map(|page| (page.url.to_string(), page.body)));
    let mut everything: Vec<(String, Vec<u8>)> = said.into_iter().map(|(at, text)| (at, text.into_bytes())).collect();
    files(console.data_dir(), &mut everything)?;
    assert!(everything.iter().any(|(at, bytes)| at.contains(".db") && !bytes.is_empty()), "the database is among them");
    everything.push(("the log".to_owned(), console.log().replace(console.password()?, "printed once").into_bytes()));
    let mut secrets = vec![&*account.token, "git-secret-of-lesson-33", console.password()?];
    secrets.extend(user.cookies().iter().filter(|cookie| cookie.name.contains("session")).map(|c| c.value.as_str()));
    assert_eq!(secrets.len(), 4, "token, password, source token and session");
    for (at, bytes) in &everything {
        for secret in &secrets {
            let holds = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!holds, "{at} holds a secret that begins with {}", &secret[..6]);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_08_nobody_ever_gets_a_login_page_with_200_in_place_of_an_answer() -> Result<()> {
    let mut nobody = world().await.console.visitor()?;
    for route in web::routes().into_iter().filter(|route| route.path != "/login/") {
        let path = fill(&route.path, 1, "1");
        let script = nobody.script(route.method.as_str(), &path, &[], None).await?;
        assert!(!script.body.contains("<form"), "{} {path}: a script never gets a form", route.method);
        if route.method == "GET" {
            let person = nobody.get(&path).await?;
            assert!(!person.body.contains("id_password"), "{path}: {}", person.status);
        }
    }
    Ok(())
}
