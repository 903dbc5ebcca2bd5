//! Every endpoint, every stranger: one table of all routes and of what each of twelve strangers gets there. The table is
//! `stranger_matrix.txt`; a route without a row fails, and so does a row without a route. `HEDGEROW_ACCEPT=1` writes it
//! anew, and what it may say is held by [`must`] all the same.

use crate::console::{Answer, Browser, Console, HOST};
use crate::strangers::filled;
use auth::Clock;
use http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::json;
use std::time::Duration;
use store::{Fabric, User};
use web::{Kind, Needs, RouteInfo};

/// Who calls.
const STRANGERS: [&str; 12] = [
    "nobody",
    "expired",
    "revoked",
    "other",
    "reader",
    "elsewhere",
    "constrained",
    "owner",
    "admin",
    "csrf",
    "foreign",
    "bad-token",
];

/// Each type of object, with every action that there is on it.
const TYPES: [&str; 4] = ["hedgerow.fabric", "users.user", "users.group", "users.objectpermission"];

/// The world that is called.
struct World {
    console: Console,
    fabric: Fabric,
    operation: i64,
    victims: u32,
    browsers: Vec<(&'static str, Browser, String)>,
}

impl World {
    async fn start() -> Self {
        let console = Console::start().await;
        let fabric = console.fabric("lab-1").await;
        console.fabric("prod-1").await;
        let admin = console.admin().await;
        let mut browsers = vec![("nobody", console.browser(), "x".to_owned())];
        let mut ended = Vec::new();
        for name in ["expired", "revoked"] {
            console.user(name, true).await;
            let mut browser = console.logged_in(name).await;
            let token = browser.token().await;
            ended.push((name, browser, token));
            if name == "expired" {
                console.clock.advance(Duration::from_secs(3_601));
            }
        }
        let revoked = console.store.users().by_name("revoked").await.unwrap().unwrap();
        console.state.sessions.revoke_all(revoked.id, None, "root").await.unwrap();
        browsers.append(&mut ended);

        let everything: &[&str] = &["view", "add", "change", "delete", "sync"];
        for (name, actions, constraints) in [
            ("other", &[][..], None),
            ("reader", &["view"][..], None),
            ("elsewhere", everything, Some(json!({"name": "prod-1"}))),
            ("constrained", everything, Some(json!([{"name__startswith": "lab-"}]))),
            ("owner", everything, None),
        ] {
            let user = console.user(name, false).await;
            let types = if name == "reader" || name == "owner" { &TYPES[..] } else { &TYPES[..1] };
            for object_type in types.iter().filter(|_| !actions.is_empty()) {
                console.permit_on(&user, object_type, actions, constraints.clone()).await;
            }
            if name == "reader" {
                // What it may do elsewhere it may not do here.
                let there = Some(json!({"name": "prod-1"}));
                console.permit_on(&user, TYPES[0], &["change", "delete", "sync"], there).await;
            }
            let mut browser = console.logged_in(name).await;
            let token = browser.token().await;
            browsers.push((name, browser, token));
        }
        let mut browser = console.logged_in("alice").await;
        let token = browser.token().await;
        let started = browser.call(&format!("/fabrics/{}/sync-from-git/", fabric.id), &token, &[]).await;
        let operation = started.json()["operation"]["id"].as_i64().unwrap();
        browsers.push(("admin", browser.clone(), token.clone()));
        browsers.push(("csrf", browser.clone(), "wrong".to_owned()));
        browsers.push(("foreign", browser.clone(), token));
        // One that was good: wrong ones are slowed down after a few.
        let made = console.state.tokens.make(admin.id, auth::TokenWishes::default(), None).await.unwrap();
        console.store.api_tokens().revoke(made.token.id, "alice", console.clock.now()).await.unwrap();
        browsers.push(("bad-token", browser, made.text.expose_secret().to_owned()));
        Self { console, fabric, operation, victims: 0, browsers }
    }

    /// Somebody, a group and a permission that a call may delete.
    async fn victim(&mut self) -> User {
        self.victims += 1;
        let new = store::NewUser {
            username: format!("victim-{}", self.victims),
            password_hash: "x".into(),
            is_superuser: false,
            is_active: true,
        };
        self.console.store.users().create(new, self.console.clock.now()).await.unwrap()
    }

    /// The route's address with things that exist.
    async fn address(&mut self, route: &RouteInfo) -> String {
        let (mut id, mut token) = (self.fabric.id, 0);
        match route.needs {
            Needs::Operation(_) => id = self.operation,
            Needs::User(_) => {
                id = self.victim().await.id;
                token = self.console.state.tokens.make(id, auth::TokenWishes::default(), None).await.unwrap().token.id;
            }
            Needs::Group(_) => {
                self.victims += 1;
                id = self.console.store.groups().create(&format!("group-{}", self.victims), "").await.unwrap().id;
            }
            Needs::Permission(_) => {
                self.victims += 1;
                let name = format!("permission-{}", self.victims);
                id = self.console.permission(&name, "users.user", &["view"], None).await;
            }
            // Sessions and tokens of somebody else.
            _ if route.path.starts_with("/account/") => id = 4_711,
            _ => {}
        }
        filled(&route.path, id).replace("/tokens/{token}/", &format!("/tokens/{token}/")).replace("{token}", "x")
    }

    /// What a stranger gets, as a script and as a person.
    async fn ask(&mut self, stranger: usize, route: &RouteInfo) -> (Answer, Answer) {
        let path = self.address(route).await;
        let (name, browser, token) = &self.browsers[stranger];
        let (mut browser, mut token, name) = (browser.clone(), token.clone(), *name);
        // What ends a session gets one of its own.
        let ends = route.path == "/logout/" || route.path.starts_with("/account/sessions/");
        if ends
            && route.method == Method::POST
            && matches!(name, "other" | "reader" | "elsewhere" | "constrained" | "owner" | "admin")
        {
            browser = self.console.logged_in(if name == "admin" { "alice" } else { name }).await;
            token = browser.token().await;
        }
        let by_person = browser.clone();
        let script = call(&mut browser, name, route, &path, &token, true).await;
        let path = self.address(route).await;
        let mut browser = by_person;
        let person = call(&mut browser, name, route, &path, &token, false).await;
        (script, person)
    }
}

async fn call(browser: &mut Browser, name: &str, route: &RouteInfo, path: &str, token: &str, script: bool) -> Answer {
    let (form, bearer) = (format!("csrfmiddlewaretoken={token}"), format!("Bearer {token}"));
    let mut headers = vec![("host", HOST)];
    if script {
        headers.extend([("accept", "application/json"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]);
    } else {
        headers.extend([("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]);
    }
    headers.push(("sec-fetch-site", if name == "foreign" { "cross-site" } else { "same-origin" }));
    if name == "bad-token" {
        headers.push(("authorization", &bearer));
    }
    let body = (route.method == Method::POST).then(|| {
        headers.push(("content-type", "application/x-www-form-urlencoded"));
        form
    });
    browser.send(route.method.as_str(), path, &headers[1..], body).await
}

/// What must hold of an answer, whatever the table says.
fn must(stranger: &str, route: &RouteInfo, script: &Answer, person: &Answer) -> Result<(), String> {
    let is_post = route.method == Method::POST;
    let code =
        || serde_json::from_str::<serde_json::Value>(&script.body).map(|json| json["code"].clone()).unwrap_or_default();
    let status = script.status;
    if route.path != "/readyz" && (status.is_server_error() || person.status.is_server_error()) {
        return Err(format!("{status}: {}", script.body));
    }
    let expect = |wanted: StatusCode, word: &str| match (status, code().as_str()) {
        (got, said) if got == wanted && (word.is_empty() || said == Some(word)) => Ok(()),
        (got, said) => Err(format!("{got} {said:?}, not {wanted} {word}")),
    };
    if route.needs == Needs::Public {
        // A foreign page may not even send the login form or report an error.
        return if stranger == "foreign" && is_post { expect(StatusCode::FORBIDDEN, "csrf_failed") } else { Ok(()) };
    }
    let is_of_one = matches!(
        route.needs,
        Needs::Fabric(_) | Needs::Operation(_) | Needs::User(_) | Needs::Group(_) | Needs::Permission(_)
    );
    let is_of_people = matches!(route.needs, Needs::User(_) | Needs::Group(_) | Needs::Permission(_));
    let is_of_type = matches!(route.needs, Needs::Fabrics(_) | Needs::Type(..));
    let views = route.needs.to_string().contains("permission to view");
    let led = |code: &str| {
        expect(StatusCode::UNAUTHORIZED, code)?;
        match (person.status, person.header("location").starts_with("/login/")) {
            (StatusCode::SEE_OTHER, true) => Ok(()),
            (status, _) => Err(format!("a person gets {status} and goes to {:?}", person.header("location"))),
        }
    };
    match stranger {
        "nobody" => led("authentication_required"),
        "expired" => led("session_idle_expired"),
        "revoked" => led("session_revoked"),
        "csrf" if is_post => expect(StatusCode::FORBIDDEN, "csrf_failed"),
        "foreign" if is_post => expect(StatusCode::FORBIDDEN, "csrf_failed"),
        "bad-token" => expect(StatusCode::FORBIDDEN, "token_revoked"),
        "other" if is_of_one => expect(StatusCode::NOT_FOUND, "not_found"),
        "other" if is_of_type || route.needs == Needs::Metrics => expect(StatusCode::FORBIDDEN, "permission_denied"),
        "elsewhere" if matches!(route.needs, Needs::Fabric(_) | Needs::Operation(_)) => {
            expect(StatusCode::NOT_FOUND, "not_found")
        }
        "elsewhere" | "constrained" if is_of_people => expect(StatusCode::NOT_FOUND, "not_found"),
        "reader" if is_of_one && !views => expect(StatusCode::FORBIDDEN, "permission_denied"),
        "reader" if is_of_type && !views => expect(StatusCode::FORBIDDEN, "permission_denied"),
        // Who may is neither sent away nor refused; an object that is not there is not found by anybody.
        "owner" | "admin" | "constrained" | "reader" if is_of_one || is_of_type => match status.as_u16() {
            401 | 403 if !matches!(stranger, "constrained") || is_of_one => Err(format!("{status}: {}", script.body)),
            404 if !route.path.contains("{name}") => Err(format!("{status}: {}", script.body)),
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lesson_35_every_endpoint_answers_every_stranger_as_the_table_says() {
    let mut world = World::start().await;
    let mut routes = web::routes();
    routes.sort_by_key(|route| (route.path.clone(), route.method.to_string()));
    let mut lines = vec![format!("{:75} {}", "route", STRANGERS.join(" "))];
    let mut wrong = Vec::new();
    for route in &routes {
        let mut cells = Vec::new();
        for (index, stranger) in STRANGERS.iter().enumerate() {
            let (script, person) = world.ask(index, route).await;
            if let Err(why) = must(stranger, route, &script, &person) {
                wrong.push(format!("{stranger} at {} {}: {why}", route.method, route.path));
            }
            if route.kind == Kind::Page && !script.status.is_success() {
                assert!(
                    !person.status.is_success(),
                    "{stranger} at {}: a person sees what a script does not",
                    route.path
                );
            }
            cells.push(format!("{:width$}", script.status.as_u16(), width = stranger.len()));
        }
        lines.push(format!("{:4} {:70} {}", route.method.as_str(), route.path, cells.join(" ")));
    }
    let table = lines.join("\n") + "\n";
    assert!(wrong.is_empty(), "{wrong:#?}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/stranger_matrix.txt");
    if std::env::var_os("HEDGEROW_ACCEPT").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let accepted = std::fs::read_to_string(path).unwrap_or_default();
    for (is, was) in table.lines().zip(accepted.lines()) {
        assert_eq!(is, was, "a stranger gets another answer; look at it, then accept with HEDGEROW_ACCEPT=1");
    }
    assert_eq!(table.lines().count(), accepted.lines().count(), "a route has no row, or a row no route");
}
