//! The stand-in for the predecessor behaves as the predecessor was seen to: its login, its CSRF check, and each row of the
//! table of its sync request, defects included. What a browser shows of it is in `netbox_stand_in_page.rs`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Fault, FaultPlan, Lab, RequestFault};
use serde_json::{Value, json};
use testkit::{
    Chaos, ChaosProxy, HttpUser, NetboxStandIn, Page, StandInFabric, StandInOptions, StandInStatus, StandInUser,
    eventually,
};

const PASSWORD: &str = "a password of ada's";
const VIEW_TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

async fn start() -> Result<NetboxStandIn> {
    let mut viewer = StandInUser::new("vic", PASSWORD, false);
    viewer.token = Some(VIEW_TOKEN.to_owned());
    let users = vec![StandInUser::new("ada", PASSWORD, true), viewer];
    NetboxStandIn::start(StandInOptions { users, ..StandInOptions::default() }).await
}

async fn ada(site: &NetboxStandIn) -> Result<HttpUser> {
    let mut ada = HttpUser::new(&site.url())?;
    ada.login("ada", PASSWORD).await?;
    Ok(ada)
}

/// A lab with so many servers, which keeps a journal of what is written to it.
async fn lab_of(servers: usize) -> Result<Lab> {
    let lab = Lab::start(lab::Options { journal: true, ..lab::Options::default() }).await?;
    let server = |number| {
        json!({"apiVersion": "wiring.githedgehog.com/v1beta1", "kind": "Server",
            "metadata": {"name": format!("server-{number:04}"), "namespace": "default"},
            "spec": {"description": "one of many, with words enough to make an answer with all of them large"}})
    };
    lab.load((0..servers).map(server), "kubectl")?;
    Ok(lab)
}

fn at(url: &str, token: &str) -> StandInFabric {
    StandInFabric { server: Some(url.to_owned()), token: token.to_owned(), ..StandInFabric::default() }
}

fn path(id: u64) -> String {
    format!("/plugins/hedgehog/fabrics/{id}/")
}

/// Sends what a press of the button sends, with this token.
async fn post(user: &mut HttpUser, id: u64, token: &str) -> Result<Page> {
    let headers = [("x-csrftoken", token), ("content-type", "application/json")];
    Ok(user.script("POST", &format!("{}sync/", path(id)), &headers, None).await?)
}

/// Opens the page and presses the button: the token is the page's.
async fn press(user: &mut HttpUser, id: u64) -> Result<Page> {
    let token = token(&user.visit(&path(id)).await?)?;
    post(user, id, &token).await
}

fn token(page: &Page) -> Result<String> {
    page.attribute("meta[name=csrf-token]", "content")?.context("the page has a token")
}

/// The statuses that the list and the page show.
async fn shown(user: &mut HttpUser, id: u64) -> Result<(String, String)> {
    let list = user.visit("/plugins/hedgehog/fabrics/").await?;
    let page = user.visit(&path(id)).await?;
    let row = format!("tr:has(a[href='{}']) .badge", path(id));
    Ok((list.text(&row).context("a row")?, page.text("#sync-status .badge").context("a badge")?))
}

/// The answer is a success that imported so many.
fn imported(answer: &Page, many: usize) -> Result<Value> {
    let said = answer.json()?;
    ensure!((answer.status, &said["success"]) == (200, &Value::Bool(true)), "{}: {said}", answer.status);
    let message = said["message"].as_str().unwrap_or_default();
    ensure!(message.contains(&format!("Imported: {many}, Applied: 0")), "{message}");
    Ok(said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_djangos() -> Result<()> {
    let site = start().await?;
    let id = site.add_fabric(StandInFabric::default());
    let mut user = HttpUser::new(&site.url())?;
    assert!(user.visit("/").await?.has("a[href^='/login/']"), "nobody is logged in yet");

    let form = user.get(&format!("/login/?next={}", path(id))).await?;
    assert_eq!(form.status, 200);
    let before = user.cookies()[0].clone();
    assert_eq!(
        (before.name.as_str(), before.attribute("samesite"), before.attribute("path")),
        ("csrftoken", Some("Lax"), Some("/"))
    );
    assert_eq!(before.attribute("httponly"), None, "scripts can read it");
    assert_eq!(form.attribute("[name=csrfmiddlewaretoken]", "type")?.as_deref(), Some("hidden"));

    let wrong = user.submit(&form, "form", &[("username", "ada"), ("password", "no")]).await?;
    assert_eq!(wrong.status, 200);
    let alert = wrong.text(".alert").context("an alert")?;
    assert_eq!(alert, "Please enter a correct username and password. Note that both fields may be case-sensitive.");
    assert!(user.cookies().iter().all(|cookie| cookie.name != "sessionid"));

    let good = user.submit(&wrong, "form", &[("username", "ada"), ("password", PASSWORD)]).await?;
    assert_eq!((good.status, good.location()), (302, Some(path(id))), "the place to go outlived the wrong password");
    let cookie = |name: &str| user.cookies().iter().find(|cookie| cookie.name == name).cloned();
    let session = cookie("sessionid").context("a session")?;
    assert_eq!((session.attribute("samesite"), session.attribute("max-age")), (Some("Lax"), Some("1209600")));
    assert!(session.attribute("httponly").is_some() && session.attribute("secure").is_none());
    assert_ne!(cookie("csrftoken").context("a token")?.value, before.value, "it is rotated");
    let home = user.visit("/").await?;
    assert!(home.visible_text().contains("ada"));
    assert_eq!(home.text("title").as_deref(), Some("Home | NetBox"));

    let out = user.get("/logout/").await?;
    assert_eq!((out.status, out.location().as_deref()), (302, Some("/login/")));
    assert!(!user.visit("/").await?.visible_text().contains("ada"));
    assert!(user.cookies().iter().all(|cookie| cookie.name != "sessionid"));
    for foreign in ["https://example.com/", "//example.com/", "/\\example.com/"] {
        let mut user = HttpUser::new(&site.url())?;
        let form = user.get(&format!("/login/?next={foreign}")).await?;
        let answer = user.submit(&form, "form", &[("username", "ada"), ("password", PASSWORD)]).await?;
        assert_eq!((answer.status, answer.location().as_deref()), (302, Some("/")), "{foreign}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_everybodys_and_names_its_buttons() -> Result<()> {
    let site = start().await?;
    let id = site.add_fabric(StandInFabric { name: "east <1>".to_owned(), ..StandInFabric::default() });
    for mut user in [HttpUser::new(&site.url())?, ada(&site).await?] {
        let page = user.visit(&path(id)).await?;
        assert_eq!((page.status, page.text("title").as_deref()), (200, Some("east <1> | NetBox")));
        let buttons = [
            ("#sync-button", "Sync from Git", format!("triggerSync({id})")),
            ("#sync-fabric-button", "Sync from Fabric", format!("syncFromFabric({id})")),
            ("#test-connection-button", "Test Connection", format!("testConnection({id})")),
        ];
        for (button, words, script) in buttons {
            assert_eq!(page.text(button).as_deref(), Some(words));
            assert_eq!(page.attribute(&format!("button{button}"), "onclick")?, Some(script));
        }
        assert!(!page.has("#sync-now-btn") && !page.has("script[src]"));
        assert!(page.body.contains(&format!("window.CSRF_TOKEN = \"{}\"", token(&page)?)));
        let text = page.visible_text();
        assert!(text.contains("No drift detected") && text.contains("Last Drift Check: Never"), "{text}");
        assert!(text.contains("It is no NetBox"), "it says what it is: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forged_gets_a_page_of_1004_bytes() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    let id = site.add_fabric(at(&lab.url(), lab.token()));
    let mut user = ada(&site).await?;
    let stale = token(&user.visit(&path(id)).await?)?;
    let good = post(&mut user, id, &stale).await?;
    imported(&good, 1).context("the control")?;

    let sync = format!("{}sync/", path(id));
    let missing = user.script("POST", &sync, &[], None).await?;
    let wrong = post(&mut user, id, "nonsense").await?;
    let foreign = [("x-csrftoken", stale.as_str()), ("origin", "https://example.com")];
    let foreign = user.script("POST", &sync, &foreign, None).await?;
    // Another tab of the same browser: a login there begins another session, and rotates what the cookie holds.
    user.get("/logout/").await?;
    user.login("ada", PASSWORD).await?;
    let late = post(&mut user, id, &stale).await?;
    for answer in [missing, wrong, foreign, late] {
        assert_eq!((answer.status, answer.body.len()), (403, 1_004), "{}", answer.body);
        assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
        assert!(answer.body.starts_with("<!DOCTYPE"), "{}", answer.body);
    }
    let mut nobody = HttpUser::new(&site.url())?;
    for path in [sync.as_str(), "/login/"] {
        let answer = nobody.script("POST", path, &[], None).await?;
        assert_eq!((answer.status, answer.body.len()), (403, 1_367), "{}", answer.body);
    }
    assert_eq!(site.syncs(id), 1, "only the control ran");
    // The cookie's own value is as good as the page's copy.
    let cookie = user.cookies().iter().find(|cookie| cookie.name == "csrftoken").context("a cookie")?.value.clone();
    imported(&post(&mut user, id, &cookie).await?, 1)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_session_a_press_leads_to_the_login_page() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    let id = site.add_fabric(at(&lab.url(), lab.token()));
    let (nobody, expired) = (HttpUser::new(&site.url())?, ada(&site).await?);
    site.end_sessions();
    for mut user in [nobody, expired] {
        let answer = press(&mut user, id).await?;
        let login = format!("/login/?next={}sync/", path(id));
        assert_eq!((answer.status, answer.location()), (302, Some(login)));
        let page = user.follow(&answer).await?;
        assert_eq!(page.status, 200);
        assert!(page.body.starts_with("<!DOCTYPE") && page.has("form [name=password]"), "{}", page.body);
    }
    assert_eq!((site.syncs(id), site.stored_status(id)), (0, Some(StandInStatus::NeverSynced)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_and_what_is_not_there() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    let id = site.add_fabric(at(&lab.url(), lab.token()));
    let mut viewer = HttpUser::new(&site.url())?;
    viewer.login("vic", PASSWORD).await?;
    let answer = press(&mut viewer, id).await?;
    assert_eq!((answer.status, answer.json()?), (403, json!({"success": false, "error": "Permission denied"})));
    let mut user = ada(&site).await?;
    assert_eq!(user.get(&format!("{}sync/", path(id))).await?.status, 405);
    let token = token(&user.visit(&path(id)).await?)?;
    for address in [format!("/plugins/hedgehog/api/fabrics/{id}/sync/"), format!("/api{}sync/", path(id))] {
        let answer = user.script("POST", &address, &[("x-csrftoken", &token)], None).await?;
        assert_eq!(answer.status, 404, "{address}");
        assert!(answer.body.starts_with("<!DOCTYPE"), "{}", answer.body);
    }
    assert_eq!((site.syncs(id), site.stored_status(id)), (0, Some(StandInStatus::NeverSynced)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_cluster_is_read_and_nothing_is_done() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(600).await?);
    let id = site.add_fabric(at(&lab.url(), lab.token()));
    let mut user = ada(&site).await?;
    let answer = press(&mut user, id).await?;
    let said = imported(&answer, 600)?;
    assert_eq!(said["results"]["errors"], json!([]));
    assert!(answer.body.len() > 300_000, "it has every object in it: {} bytes", answer.body.len());
    for object in lab.objects("Server") {
        assert!(answer.body.contains(object["metadata"]["name"].as_str().context("a name")?), "{object}");
    }
    assert_eq!(shown(&mut user, id).await?, ("In Sync".to_owned(), "In Sync".to_owned()));
    assert!(site.last_sync(id).is_some());
    assert!(lab.journal().is_empty(), "nothing was applied");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_refuses_makes_a_success() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(3).await?);
    let mut user = ada(&site).await?;
    let refused = site.add_fabric(at(&lab.url(), "a token that was revoked"));
    let forbidden = site.add_fabric(at(&lab.url(), lab.token()));
    for (id, fault) in [(refused, None), (forbidden, Some(Fault::Forbidden))] {
        let requests = fault.map(RequestFault::all).into_iter().collect();
        lab.faults().set(FaultPlan { requests, ..FaultPlan::default() });
        let said = imported(&press(&mut user, id).await?, 0)?;
        assert_eq!(said["results"]["errors"], json!([]));
        assert_eq!(shown(&mut user, id).await?, ("In Sync".to_owned(), "In Sync".to_owned()));
        assert!(site.last_sync(id).is_some(), "and that just now");
    }
    lab.faults().clear();
    imported(&press(&mut user, forbidden).await?, 3).context("the control")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_cannot_be_reached_makes_a_success_that_changes_nothing() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    let mut user = ada(&site).await?;
    let proxy = ChaosProxy::start(&lab.address().to_string()).await?;
    proxy.set(Chaos::Cut);
    let gone = at(&format!("https://{}", proxy.address()), lab.token());
    // Its authority, the right one.
    let with_ca = StandInFabric { ca: Some(lab.ca_pem().to_owned()), ..at(&lab.url(), lab.token()) };
    for (fabric, reason) in [(gone, "connect"), (with_ca.clone(), "certificate")] {
        for status in [StandInStatus::NeverSynced, StandInStatus::InSync] {
            let id = site.add_fabric(StandInFabric { status, ..fabric.clone() });
            let said = imported(&press(&mut user, id).await?, 0)?;
            let errors = said["results"]["errors"].as_array().context("errors")?.clone();
            assert!(errors.len() == 1 && errors[0].to_string().to_lowercase().contains(reason), "{errors:?}");
            let message = said["message"].as_str().context("a message")?;
            assert!(!message.contains(reason), "the reason stands in no other place: {message}");
            assert_eq!((site.stored_status(id), site.last_sync(id), site.syncs(id)), (Some(status), None, 1));
        }
    }
    let id = site.add_fabric(with_ca);
    let token = token(&user.visit(&path(id)).await?)?;
    let test = format!("{}test-connection/", path(id));
    let test = user.script("POST", &test, &[("x-csrftoken", &token)], None).await?;
    assert_eq!(test.json()?["success"], true, "the connection test disagrees");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_it_says_that_it_failed() -> Result<()> {
    let site = start().await?;
    let id = site.add_fabric(StandInFabric::default());
    let mut user = ada(&site).await?;
    let answer = press(&mut user, id).await?;
    let said = answer.json()?;
    assert_eq!((answer.status, &said["success"]), (200, &Value::Bool(false)));
    assert!(said.to_string().contains("Reconciliation failed to initialize"), "{said}");
    assert_eq!(shown(&mut user, id).await?, ("Never Synced".to_owned(), "Never Synced".to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn six_clusters_that_never_answer_stop_the_whole_site() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    lab.faults().set(FaultPlan { requests: vec![RequestFault::all(Fault::Hang)], ..FaultPlan::default() });
    let id = site.add_fabric(StandInFabric { status: StandInStatus::InSync, ..at(&lab.url(), lab.token()) });
    let user = ada(&site).await?;
    let token = token(&user.clone().visit(&path(id)).await?)?;
    let mut pending = Vec::new();
    for number in 1..=6 {
        HttpUser::new(&site.url())?
            .visit("/")
            .await
            .with_context(|| format!("others are served before click {number}"))?;
        let (mut user, token) = (user.clone(), token.clone());
        pending.push(tokio::spawn(async move { post(&mut user, id, &token).await }));
        eventually(Duration::from_secs(20), "the click arrived", || async {
            let runs = site.syncs(id);
            ensure!(runs == number, "{runs} runs");
            Ok::<_, anyhow::Error>(())
        })
        .await?;
    }
    // The first who asked has long closed the tab, which frees nobody.
    pending.remove(0).abort();
    let mut nobody = HttpUser::new(&site.url())?;
    let answer = tokio::time::timeout(Duration::from_secs(2), nobody.visit("/login/")).await;
    assert!(answer.is_err(), "somebody was served: {answer:?}");
    assert!(pending.iter().all(|press| !press.is_finished()));
    assert_eq!((site.stored_status(id), site.last_sync(id)), (Some(StandInStatus::InSync), None));

    lab.faults().clear();
    lab.faults().cut_connections();
    assert_eq!(nobody.visit("/login/").await?.status, 200);
    for press in pending {
        let said = imported(&press.await??, 0)?;
        assert_eq!(said["results"]["errors"].as_array().map(Vec::len), Some(1), "{said}");
    }
    assert_eq!(site.last_sync(id), None);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_is_ignored_and_an_old_error_stays() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(2).await?);
    let mut user = ada(&site).await?;
    let good = at(&lab.url(), lab.token());
    let syncing = StandInFabric { status: StandInStatus::Syncing, ..good.clone() };
    let disconnected = StandInFabric { connection_status: "disconnected".to_owned(), ..good.clone() };
    let error = Some("connection refused".to_owned());
    let failed = StandInFabric { status: StandInStatus::Error, error, ..good };
    for (fabric, page) in [(syncing, "In Sync"), (disconnected, "In Sync"), (failed, "Sync Error")] {
        let id = site.add_fabric(fabric);
        imported(&press(&mut user, id).await?, 2)?;
        assert_eq!(shown(&mut user, id).await?, ("In Sync".to_owned(), page.to_owned()));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_run_twice() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(2).await?);
    lab.faults().set(FaultPlan { latency_ms: 100, ..FaultPlan::default() });
    let id = site.add_fabric(at(&lab.url(), lab.token()));
    let (mut one, mut two) = (ada(&site).await?, ada(&site).await?);
    let (first, second) = tokio::join!(press(&mut one, id), press(&mut two, id));
    imported(&first?, 2)?;
    imported(&second?, 2)?;
    assert_eq!(site.syncs(id), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_api_shows_the_clusters_token() -> Result<()> {
    let (site, lab) = (start().await?, lab_of(1).await?);
    let error = Some("an old one".to_owned());
    let id = site.add_fabric(StandInFabric { error, status: StandInStatus::InSync, ..at(&lab.url(), lab.token()) });
    let (list, one) = ("/api/plugins/hedgehog/fabrics/", format!("/api{}", path(id)));
    let mut nobody = HttpUser::new(&site.url())?;
    assert_eq!(nobody.script("GET", list, &[], None).await?.status, 403);
    let wrong = [("authorization", "Token nonsense")];
    assert_eq!(nobody.script("GET", list, &wrong, None).await?.status, 403);
    let header = format!("Token {VIEW_TOKEN}");
    let listed = nobody.script("GET", list, &[("authorization", &header)], None).await?.json()?;
    assert_eq!((&listed["count"], &listed["results"][0]["id"]), (&json!(1), &json!(id)));
    let alone = nobody.script("GET", &one, &[("authorization", &header)], None).await?.json()?;
    assert_eq!(alone, listed["results"][0]);
    let with_session = ada(&site).await?.script("GET", &one, &[], None).await?.json()?;
    assert_eq!(with_session, alone);
    assert_eq!(alone["sync_status"], "in_sync", "raw, where the page says Sync Error");
    assert_eq!(alone["kubernetes_token"], lab.token(), "in clear, to somebody who may only look");
    Ok(())
}
