//! Adding, changing and deleting a fabric by the forms; no secret ever comes back.

use crate::console::{Answer, Browser, Console};
use http::StatusCode;
use lab::{Lab, Options};
use store::{Cluster, EndpointLogin, Scope};

const SECRET: &str = "eyJhbGciOiJSUzI1NiJ9.very-secret";

/// The values of a form as a browser would send them: text fields, areas, selects and ticked boxes.
pub fn contents(page: &Answer) -> Vec<(String, String)> {
    let form = page.body.split("<form class=\"form").nth(1).expect("a form").split("</form>").next().unwrap();
    let attribute = |tag: &str, name: &str| {
        let rest = tag.split(&format!(" {name}=\"")).nth(1)?;
        Some(unescape(rest.split('"').next()?))
    };
    let mut fields = Vec::new();
    for tag in form.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap()) {
        let checkbox = tag.contains("type=\"checkbox\"");
        if !checkbox || tag.contains(" checked") {
            fields.push((attribute(tag, "name").unwrap(), attribute(tag, "value").unwrap_or_default()));
        }
    }
    for area in form.split("<textarea").skip(1) {
        let (tag, rest) = area.split_once('>').unwrap();
        fields.push((attribute(tag, "name").unwrap(), unescape(rest.split("</textarea>").next().unwrap())));
    }
    for select in form.split("<select").skip(1) {
        let (tag, rest) = select.split_once('>').unwrap();
        let chosen =
            rest.split("</select>").next().unwrap().split("<option").find(|option| option.contains(" selected"));
        fields.push((attribute(tag, "name").unwrap(), attribute(chosen.unwrap(), "value").unwrap()));
    }
    fields
}

fn unescape(text: &str) -> String {
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}

pub async fn send(browser: &mut Browser, path: &str, fields: &[(String, String)]) -> Answer {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.submit(path, &fields).await
}

pub fn set(fields: &mut [(String, String)], name: &str, value: &str) {
    let field = fields.iter_mut().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no field {name}"));
    field.1 = value.to_owned();
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_24_what_is_entered_comes_back_and_saving_it_again_changes_nothing() {
    let console = Console::start().await;
    console.admin().await;
    let mut browser = console.logged_in("alice").await;
    let page = browser.open("/fabrics/add/").await;
    assert!(page.text().contains("kind: ServiceAccount"), "the account is offered");
    let mut fields = contents(&page);
    set(&mut fields, "name", "Zürich \"1\" <a>");
    set(&mut fields, "description", "it's & more");
    set(&mut fields, "cluster_kind", "endpoint");
    set(&mut fields, "server", "https://127.0.0.1:1");
    set(&mut fields, "token", SECRET);
    set(&mut fields, "namespace", "fab-1");
    set(&mut fields, "source_url", "https://git.example.net/a.git");
    set(&mut fields, "branch", "release/1");
    set(&mut fields, "path", "fabric/one");
    set(&mut fields, "credential_kind", "token");
    set(&mut fields, "source_username", "hedgerow");
    set(&mut fields, "source_token", "git-secret-4711");
    set(&mut fields, "deadline_minutes", "30");
    let added = send(&mut browser, "/fabrics/add/", &fields).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.text());
    let fabric_page = added.header("location").to_owned();
    let id: i64 = fabric_page.trim_matches('/').rsplit('/').next().unwrap().parse().unwrap();
    let stored = console.store.fabrics().get(&Scope::System, id).await.unwrap();
    assert_eq!(
        stored.cluster,
        Cluster::Endpoint { server: "https://127.0.0.1:1".into(), ca_pem: None, login: EndpointLogin::Token }
    );

    let settings = format!("{fabric_page}edit/");
    let page = browser.open(&settings).await;
    let again = contents(&page);
    for (name, value) in &fields {
        let secret = ["token", "source_token", "kubeconfig", "ssh_key", "csrfmiddlewaretoken"].contains(&name.as_str());
        let now = &again.iter().find(|(field, _)| field == name).unwrap_or_else(|| panic!("no field {name}")).1;
        assert!(secret || now == value, "{name}: {value} became {now}");
    }
    let saved = send(&mut browser, &settings, &again).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text());
    let after = console.store.fabrics().get(&Scope::System, id).await.unwrap();
    assert_eq!(after.spec(), stored.spec());
    assert!(
        console.store.fabrics().secrets(id).await.unwrap().endpoint.is_some(),
        "an empty field keeps what is stored"
    );

    // The form that was opened before is of an older version now.
    let stale = send(&mut browser, &settings, &again).await;
    assert_eq!(stale.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(stale.text().contains("was changed by somebody else"), "{}", stale.text());

    let sealed = console.store.fabrics().secrets(id).await.unwrap().endpoint.unwrap();
    assert!(!String::from_utf8_lossy(&sealed.0).contains("very-secret"), "lesson 33: sealed in the database");
    for path in [settings.as_str(), &fabric_page, "/", "/activity/"] {
        let body = browser.open(path).await.body;
        assert!(!body.contains("very-secret") && !body.contains("git-secret"), "lesson 33: {path}");
    }

    // Choosing a way without a secret removes it.
    let mut fields = contents(&browser.open(&settings).await);
    set(&mut fields, "cluster_kind", "none");
    assert_eq!(send(&mut browser, &settings, &fields).await.status, StatusCode::SEE_OTHER);
    assert!(console.store.fabrics().secrets(id).await.unwrap().endpoint.is_none());
}

#[tokio::test]
async fn a_refused_form_keeps_what_was_typed_and_says_why_at_the_field() {
    let console = Console::start().await;
    console.admin().await;
    console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let mut fields = contents(&browser.open("/fabrics/add/").await);
    set(&mut fields, "name", "lab-1");
    set(&mut fields, "description", "typed");
    set(&mut fields, "cluster_kind", "endpoint");
    set(&mut fields, "server", "nonsense");
    set(&mut fields, "token", SECRET);
    let refused = send(&mut browser, "/fabrics/add/", &fields).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("id=\"error-server\"") && refused.body.contains("href=\"#id_server\""));
    assert_eq!(contents(&refused).iter().find(|(name, _)| name == "description").unwrap().1, "typed");
    assert!(!refused.body.contains("very-secret"));
    set(&mut fields, "cluster_kind", "none");
    let taken = send(&mut browser, "/fabrics/add/", &fields).await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.text().contains("Another fabric has this name."), "{}", taken.text());
    let token = browser.token().await;
    let pairs: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let script = browser.call("/fabrics/add/", &token, &pairs).await;
    assert_eq!(script.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(script.json()["fields"]["name"], "Another fabric has this name.");
    assert_eq!(
        console.store.fabrics().list(&Scope::System, &Default::default(), store::Page::all()).await.unwrap().total,
        1
    );
}

#[tokio::test]
async fn lesson_23_deleting_lists_what_goes_and_asks_for_the_name() {
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric("lab-1").await;
    let mut browser = console.logged_in("alice").await;
    let path = format!("/fabrics/{}/delete/", fabric.id);
    let page = browser.open(&path).await;
    assert!(page.text().contains("Delete the fabric lab-1") && page.text().contains("Operations"), "{}", page.text());
    let token = page.field("csrfmiddlewaretoken");
    let wrong = browser.submit(&path, &[("csrfmiddlewaretoken", &token), ("confirm", "lab")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().contains("Nothing was done."), "{}", wrong.text());
    assert!(console.store.fabrics().get(&Scope::System, fabric.id).await.is_ok());
    let right = browser.submit(&path, &[("csrfmiddlewaretoken", &token), ("confirm", "lab-1")]).await;
    assert_eq!((right.status, right.header("location")), (StatusCode::SEE_OTHER, "/fabrics/"));
    assert!(console.store.fabrics().get(&Scope::System, fabric.id).await.is_err());
    assert_eq!(browser.open(&format!("/fabrics/{}/", fabric.id)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_44_another_cluster_is_shown_and_confirmed_by_the_name() {
    let first = Lab::start(Options { empty: true, ..Options::default() }).await.unwrap();
    let second = Lab::start(Options { empty: true, ..Options::default() }).await.unwrap();
    let console = Console::start().await;
    console.admin().await;
    let fabric = console.fabric_on("lab-1", &first.kubeconfig()).await;
    console.commit(&fabric, "all.yaml", crate::verbs::MANIFESTS).await;
    let mut browser = console.logged_in("alice").await;
    let token = browser.token().await;
    let sync = format!("/fabrics/{}/sync/?wait=30", fabric.id);
    assert_eq!(browser.call(&sync, &token, &[]).await.status, StatusCode::OK);
    let settings = format!("/fabrics/{}/edit/", fabric.id);
    let mut fields = contents(&browser.open(&settings).await);
    set(&mut fields, "kubeconfig", &second.kubeconfig());
    assert_eq!(send(&mut browser, &settings, &fields).await.status, StatusCode::SEE_OTHER);
    let refused = browser.call(&sync, &token, &[]).await;
    assert_eq!(refused.json()["code"], "cluster_changed", "{}", refused.body);
    assert!(second.object("VPC", "vpc-01").is_none(), "nothing was written");
    let page = browser.open(&format!("/fabrics/{}/", fabric.id)).await;
    assert!(page.text().contains("Another cluster answers."), "{}", page.text());
    let confirm = format!("/fabrics/{}/confirm-cluster/", fabric.id);
    assert!(page.body.contains(&confirm));
    let asked = browser.open(&confirm).await;
    let token = asked.field("csrfmiddlewaretoken");
    let wrong = browser.submit(&confirm, &[("csrfmiddlewaretoken", &token), ("confirm", "lab")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let right = browser.submit(&confirm, &[("csrfmiddlewaretoken", &token), ("confirm", "lab-1")]).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER, "{}", right.text());
    assert_eq!(browser.call(&sync, &token, &[]).await.status, StatusCode::OK);
    assert!(second.object("VPC", "vpc-01").is_some());
    first.stop().await;
    second.stop().await;
}
