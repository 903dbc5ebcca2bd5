//! Every page with something of every kind on it: no 500, no dead link, no secret, exact counts.

use crate::console::{Browser, Console};
use crate::verbs::{follow, press, with_lab};
use http::StatusCode;
use std::collections::{BTreeSet, VecDeque};

/// Opens every page that can be reached by links from the dashboard, and gives their addresses.
async fn crawl(browser: &mut Browser) -> BTreeSet<String> {
    let (mut seen, mut queue) = (BTreeSet::new(), VecDeque::from(["/".to_owned()]));
    while let Some(path) = queue.pop_front() {
        let plain = path.split('#').next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&");
        if !plain.starts_with('/') || !seen.insert(plain.clone()) || seen.len() > 400 {
            continue;
        }
        let answer = browser.open(&plain).await;
        assert!(
            answer.status == StatusCode::OK || answer.status == StatusCode::SEE_OTHER,
            "{plain}: {} {}",
            answer.status,
            answer.text()
        );
        if answer.header("content-type").starts_with("text/html") {
            assert!(answer.body.len() < 400_000, "{plain} is {} bytes", answer.body.len());
            let links = answer.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
            queue.extend(links.map(str::to_owned));
        }
    }
    seen
}

/// Wherever a page shows a code, it is a link to what the code means.
async fn every_code_leads_to_its_page(browser: &mut Browser, seen: &BTreeSet<String>) {
    let (mut shown, codes) = (BTreeSet::new(), model::Code::ALL);
    for path in seen.iter().filter(|path| !path.starts_with("/docs/")).chain([&"/nowhere/".to_owned()]) {
        let body = browser.open(path).await.body;
        for code in codes {
            // As a word of its own between two tags, or beside the request's id.
            for marked in [format!(">{code}<"), format!(">{code} "), format!(" {code} ·")] {
                // A choice of a filter is no code of something that happened.
                let is_choice = |at: usize| body[..at].rfind('<').is_some_and(|tag| body[tag..].starts_with("<option"));
                for (at, _) in body.match_indices(&marked).filter(|(at, _)| !is_choice(*at)) {
                    let link = format!("href=\"/docs/codes/{code}/\"");
                    assert!(body[..at + 1].ends_with(&format!("{link}>")), "{path} shows {code} without a link");
                    shown.insert(code.as_str());
                }
            }
        }
    }
    assert!(
        shown.len() >= 3 && ["csrf_failed", "not_configured", "not_found"].iter().all(|code| shown.contains(code)),
        "{shown:?}"
    );
}

#[tokio::test]
async fn every_code_has_its_page_for_everybody() {
    let console = Console::start().await;
    let mut nobody = console.browser();
    let all = nobody.open("/docs/codes/").await;
    assert_eq!(all.status, StatusCode::OK);
    for code in model::Code::ALL {
        let path = format!("/docs/codes/{code}/");
        assert!(all.body.contains(&format!("href=\"{path}\"")), "{path} is not in the list");
        let page = nobody.open(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        let text = page.text().replace("&#39;", "'");
        for words in [code.as_str(), code.explained().title, "What happened", "What to do", "HTTP status"] {
            assert!(text.contains(words), "{path}: {words}: {text}");
        }
    }
    let missing = nobody.script("/docs/codes/no_such_code/").await;
    assert_eq!((missing.status, &missing.json()["code"]), (StatusCode::NOT_FOUND, &"not_found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_25_every_page_stands_with_something_on_it() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    for button in ["test-connection-btn", "sync-from-git-btn", "sync-now-btn"] {
        let url = press(&mut browser, &fabric, button).await;
        follow(&mut browser, &url).await;
    }
    // Something modified, something missing, something extra, something wrong in the source, and a refused attempt.
    let mut changed = lab.object("VPC", "vpc-01").unwrap();
    changed["spec"]["subnets"]["default"]["vlan"] = 1009.into();
    lab.load([changed], "kubectl-edit").unwrap();
    lab.delete("VPC", "default", "vpc-02").unwrap();
    let mut extra = lab.object("VPC", "vpc-01").unwrap();
    extra["metadata"] = serde_json::json!({"name": "vpc-99", "namespace": "default"});
    extra["spec"]["subnets"]["default"] = serde_json::json!({"subnet": "10.10.9.0/24", "vlan": 1099});
    lab.load([extra], "kubectl-create").unwrap();
    console.commit(&fabric, "broken.yaml", "kind: [\n").await;
    let url = press(&mut browser, &fabric, "sync-from-fabric-btn").await;
    follow(&mut browser, &url).await;
    browser.call(&format!("/fabrics/{}/sync/", fabric.id), "wrong", &[]).await;
    let new = console.fabric("new").await;
    let token = browser.token().await;
    let failed = browser.call(&format!("/fabrics/{}/sync/?wait=30", new.id), &token, &[]).await;
    assert_eq!(failed.json()["code"], "not_configured", "{}", failed.body);

    let seen = crawl(&mut browser).await;
    let of = |part: &str| seen.iter().filter(|path| path.contains(part)).count();
    assert!(of("/objects/VPC.") >= 3 && of("/operations/") >= 4 && of("/server/") >= 2, "{seen:#?}");

    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await.text();
    for words in ["Changed in cluster", "Missing in cluster", "Only in cluster", "broken.yaml"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let object = browser.open(&format!("/fabrics/{}/objects/VPC.vpc.githedgehog.com/default/vpc-01/", fabric.id)).await;
    let text = object.text();
    assert!(
        text.contains("spec.subnets.default.vlan") && text.contains("1009") && text.contains("kubectl-edit"),
        "{text}"
    );
    assert!(text.contains("vpcs/all.yaml, line 11"), "{text}");
    assert_eq!(object.body.matches("side-line add").count(), 1, "what the server fills in is no difference: {text}");
    let server =
        browser.open(&format!("/fabrics/{}/objects/VPC.vpc.githedgehog.com/default/vpc-01/server/", fabric.id)).await;
    assert!(server.text().contains("What the server would change"), "{}", server.text());
    assert_eq!(lab.object("VPC", "vpc-01").unwrap()["spec"]["subnets"]["default"]["vlan"], 1009, "it changes nothing");
    let activity = browser.open("/activity/?show=refused").await;
    assert!(activity.text().contains("csrf_failed"), "{}", activity.text());
    every_code_leads_to_its_page(&mut browser, &seen).await;
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_26_filters_sort_and_pages_are_exact() {
    let (lab, console, fabric, mut browser) = with_lab().await;
    let many: String = (0..130)
        .map(|n| {
            format!(
                "apiVersion: wiring.githedgehog.com/v1beta1\nkind: Server\nmetadata: {{name: server-{n:03}}}\nspec: {{description: s}}\n---\n"
            )
        })
        .collect();
    console.commit(&fabric, "servers.yaml", &many).await;
    let url = press(&mut browser, &fabric, "sync-from-git-btn").await;
    follow(&mut browser, &url).await;
    let base = format!("/fabrics/{}/objects/", fabric.id);
    let rows = |answer: &crate::console::Answer| answer.body.matches("<td class=\"name\">").count();
    let first = browser.open(&format!("{base}?kind=Server.wiring.githedgehog.com&sort=name")).await;
    assert_eq!(rows(&first), 50);
    assert!(first.text().contains("1–50 of 130"), "{}", first.text());
    assert!(first.body.contains("server-000") && !first.body.contains("server-050"));
    let last = browser.open(&format!("{base}?kind=Server.wiring.githedgehog.com&sort=name&page=3")).await;
    assert_eq!(rows(&last), 30);
    assert!(last.text().contains("101–130 of 130"));
    let down = browser.open(&format!("{base}?kind=Server.wiring.githedgehog.com&sort=-name")).await;
    assert!(down.body.contains("server-129") && down.body.contains("aria-sort=\"descending\""));
    let named = browser.open(&format!("{base}?name=SERVER-12")).await;
    assert_eq!(rows(&named), 10);
    assert!(named.body.contains("Take off the filter name: SERVER-12"));
    let state = browser.open(&format!("{base}?kind=VPC.vpc.githedgehog.com&state=undelivered")).await;
    assert_eq!(rows(&state), 2);
    let none = browser.open(&format!("{base}?state=conflict")).await;
    assert_eq!(rows(&none), 0);
    assert!(none.text().contains("No object fits these filters."));
    let beyond = browser.open(&format!("{base}?page=9")).await;
    assert!(beyond.text().contains("This list has fewer pages."), "{}", beyond.text());
    lab.stop().await;
}

#[tokio::test]
async fn lesson_20_what_was_never_compared_is_never_good() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    for path in ["/".to_owned(), format!("/fabrics/{}/", fabric.id)] {
        let page = browser.open(&path).await;
        assert!(page.text().contains("Not configured"), "{}", page.text());
        assert!(!page.body.contains("tone-good"), "{path}: nothing here is green");
    }
}

#[tokio::test]
async fn static_files_are_kept_for_ever_under_their_version_only() {
    let console = Console::start().await;
    let mut browser = console.browser();
    let page = browser.open("/login/").await;
    let sheet = page.body.split("href=\"/static/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let answer = browser.open(&format!("/static/{sheet}")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("cache-control").contains("immutable"));
    let old = browser.open("/static/0123456789abcdef/tokens.css").await;
    assert_eq!((old.status, old.header("cache-control")), (StatusCode::OK, "no-cache"));
    for path in ["/static/x/none.js", "/static/x/tsconfig.json", "/static/x/..%2FCargo.toml"] {
        assert_eq!(browser.open(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(browser.open("/healthz").await.json()["status"], "ok");
    assert_eq!(browser.open("/readyz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_theme_is_kept_and_comes_with_the_first_byte() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    assert!(browser.open("/fabrics/").await.body.contains("<html lang=\"en\">"));
    let token = browser.token().await;
    let fields = [("csrfmiddlewaretoken", token.as_str()), ("theme", "dark"), ("next", "/activity/")];
    assert_eq!(browser.submit("/theme/", &fields).await.header("location"), "/activity/");
    assert!(browser.open("/fabrics/").await.body.contains("<html lang=\"en\" data-theme=\"dark\">"));
    assert!(browser.open("/nowhere/").await.body.contains("data-theme=\"dark\""));
}

#[tokio::test]
async fn a_failing_script_is_recorded_for_whoever_sees_everything() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let report = r#"{"message":"TypeError: x is not a function","place":"press.js:3","page":"/fabrics/"}"#;
    let headers = [("content-type", "application/json"), ("accept", "application/json")];
    let answer = browser.send("POST", "/client-error/", &headers, Some(report.into())).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let activity = browser.open("/activity/").await;
    assert!(
        activity.text().contains("client_script_error") && activity.text().contains("TypeError"),
        "{}",
        activity.text()
    );
}
