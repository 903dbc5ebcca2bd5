//! The console's own monitor (`verify.every`): what it finds stands on the page, in the metrics and at the webhook, for
//! whom it concerns; it walks only with an account that may do no more than look; and it leaves no trace.

use crate::apart::SOON;
use crate::world::database;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use store::activity::{ActivityFilter, Entry, Seen, Show};
use store::fabrics::FabricFilter;
use store::operations::OperationFilter;
use store::{Fabric, FabricSecrets, FabricSpec, NewFabric, Page, Scope, Store};
use testkit::{Console, ConsoleOptions, Folder, HttpUser, eventually};

const PASSWORD: &str = "only looks around 1";
const TOKEN: &str = "planted-metrics-token-2";

/// A receiver of webhooks, over bare sockets, and what it was sent.
fn receiver() -> Result<(String, Arc<Mutex<Vec<Value>>>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}/hook", listener.local_addr()?);
    let taken: Arc<Mutex<Vec<Value>>> = Arc::default();
    let all = Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
            // The body is one JSON document: it is whole when it can be read.
            let body: Value = loop {
                let Ok(read) = stream.read(&mut buffer) else { break Value::Null };
                text.extend_from_slice(&buffer[..read]);
                let whole = String::from_utf8_lossy(&text).into_owned();
                let body = whole.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok());
                if let Some(body) = body {
                    break body;
                }
                if read == 0 {
                    break Value::Null;
                }
            };
            all.lock().expect("nobody panics with it").push(body);
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        }
    });
    Ok((address, taken))
}

async fn fabric(store: &Store, name: &str) -> Result<Fabric> {
    let id = store.fabrics().reserve_id().await?;
    let spec = FabricSpec { name: name.into(), ..FabricSpec::default() };
    let new = NewFabric { id, spec, secrets: FabricSecrets::default() };
    Ok(store.fabrics().create(&Scope::System, new, jiff::Timestamp::now()).await?)
}

async fn json(user: &mut HttpUser, path: &str) -> Result<Value> {
    Ok(user.script("GET", path, &[("Accept", "application/json")], None).await?.json()?)
}

/// What the page says of a fabric.
async fn newest(user: &mut HttpUser, name: &str) -> Result<Value> {
    let all = json(user, "/verify/").await?;
    let rows = all["results"].as_array().context("a list")?.clone();
    let row = rows.into_iter().find(|row| row["fabric"]["name"] == name);
    Ok(row.with_context(|| format!("{name} is in {all}"))?["newest"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_monitor_tells_what_it_finds_to_whom_it_concerns_and_leaves_no_trace() -> Result<()> {
    let folder = Folder::new("monitor")?;
    folder.write("password", PASSWORD)?;
    let (hook, told) = receiver()?;
    let password_file = folder.join("password").display().to_string();
    let env = [
        ("HEDGEROW_VERIFY_EVERY", "1s"),
        ("HEDGEROW_VERIFY_USERNAME", "monitor"),
        ("HEDGEROW_VERIFY_PASSWORD_FILE", &password_file),
        ("HEDGEROW_VERIFY_WEBHOOK", &hook),
        ("HEDGEROW_VERIFY_ALERT_AFTER", "2"),
        ("HEDGEROW_METRICS_TOKEN", TOKEN),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let mut console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let (admin, _) = console.login(console.username()?, console.password()?).await?;
    let run = async |words: &[&str], input: Option<&str>| -> Result<()> {
        let done = console.run(words, input).await?;
        ensure!(done.status.success(), "{words:?}: {done:?}");
        Ok(())
    };

    // Without an account nothing is walked, and that is seen.
    eventually(SOON, "that there is no account is said", || async {
        let all = json(&mut admin.clone(), "/verify/").await?;
        let said = all["results"][0]["newest"]["sentence"].as_str().unwrap_or_default().to_owned();
        ensure!(said.contains("there is no user monitor"), "{all}");
        Ok(())
    })
    .await?;

    let store = database(&console).await?;
    let (seen, unseen) = (fabric(&store, "lab-a").await?, fabric(&store, "lab-b").await?);
    run(&["user", "create", "monitor", "--password-stdin"], Some(PASSWORD)).await?;
    run(&["user", "grant", "monitor", "--action", "view", "--constraints", r#"{"name": "lab-a"}"#], None).await?;
    eventually(SOON, "the fabric that the account may see is walked", || async {
        let run = newest(&mut admin.clone(), "lab-a").await?;
        ensure!(matches!(run["verdict"].as_str(), Some("pass" | "unverified")), "{run}");
        ensure!(run["journeys"].as_array().is_some_and(|all| all.len() == 3), "{run}");
        Ok(())
    })
    .await?;
    assert_eq!(newest(&mut admin.clone(), "lab-b").await?, Value::Null, "the account may not see it");
    let page = admin.clone().visit("/verify/").await?;
    assert_eq!(page.status, 200);
    let text = page.visible_text();
    assert!(text.contains("lab-a") && text.contains("No run yet") && text.contains("Every 1 s"), "{text}");
    assert!(page.has("nav a[href='/verify/']"), "the navigation leads there");

    // A person who may see nothing is shown nothing, and one who may see the other fabric that one.
    run(&["user", "create", "bob", "--password-stdin"], Some("another gardener")).await?;
    let (mut bob, _) = console.login("bob", "another gardener").await?;
    assert_eq!(json(&mut bob, "/verify/").await?["results"], Value::Array(Vec::new()));
    let path = format!("/fabrics/{}/verify/", seen.id);
    assert_eq!(bob.script("GET", &path, &[], None).await?.status, 404);
    run(&["user", "grant", "bob", "--action", "view", "--constraints", r#"{"name": "lab-b"}"#], None).await?;
    let all = json(&mut bob, "/verify/").await?;
    assert_eq!((&all["count"], &all["results"][0]["fabric"]["id"]), (&1.into(), &unseen.id.into()), "{all}");

    // Four runs later: no operation, nothing but one login in the activity, no session that stays.
    eventually(SOON, "several runs are in the list", || async {
        let runs = json(&mut admin.clone(), &path).await?;
        ensure!(runs["count"].as_u64() >= Some(4), "{runs}");
        Ok(())
    })
    .await?;
    let bearer = format!("Bearer {TOKEN}");
    eventually(SOON, "the metrics say it, too", || async {
        let text = console.visitor()?.script("GET", "/metrics", &[("Authorization", &bearer)], None).await?.body;
        for expected in [
            "hedgerow_verify_failures_in_a_row{fabric=\"lab-a\"} 0",
            "hedgerow_verify_interval_seconds{fabric=\"lab-a\"} 1.0",
            "hedgerow_verify_journey_verdict{fabric=\"lab-a\",journey=\"login_logout\",driver=\"http\",verdict=\"pass\"} 1",
        ] {
            ensure!(text.lines().any(|line| line == expected), "{expected} is not in\n{text}");
        }
        ensure!(text.contains("hedgerow_verify_runs_total{fabric=\"lab-a\""), "{text}");
        Ok(())
    })
    .await?;
    let operations = store.operations().list(&Scope::System, &OperationFilter::default(), Page::all()).await?;
    assert_eq!(operations.total, 0, "it began none");
    let filter = ActivityFilter { show: Show::Attempts, actor: Some("monitor".into()), ..ActivityFilter::default() };
    let tries = store.activity().list(&Seen::all(), &filter, Page::all()).await?.rows;
    let said: Vec<String> = tries
        .iter()
        .filter_map(|entry| {
            if let Entry::Attempt(tried) = entry { Some(format!("{} {}", tried.action, tried.message)) } else { None }
        })
        .collect();
    assert_eq!(said, ["login Logged in, as the console's own monitor."], "one row for all of them");

    // Who is not let in is not let in for any fabric: one row about none, one message, and no second try that the throttle
    // would count. Both fabrics are walked now.
    run(&["user", "grant", "monitor", "--action", "view"], None).await?;
    eventually(SOON, "the other fabric is walked, too", || async {
        let run = newest(&mut admin.clone(), "lab-b").await?;
        ensure!(matches!(run["verdict"].as_str(), Some("pass" | "unverified")), "{run}");
        Ok(())
    })
    .await?;
    told.lock().expect("nobody panics with it").clear();
    run(&["user", "set-password", "monitor", "--password-stdin"], Some("another one altogether")).await?;
    eventually(SOON, "the login is refused", || async {
        let run = json(&mut admin.clone(), "/verify/").await?["results"][0]["newest"].clone();
        ensure!(run["verdict"] == "invalid" && run["in_a_row"].as_u64() >= Some(4), "{run}");
        ensure!(run["cause"] == "bad_password" && run["failure_point"] == 5, "{run}");
        Ok(())
    })
    .await?;
    let text = admin.clone().visit("/verify/").await?.visible_text();
    for words in ["This console", "the console refuses the password of monitor", "failure point 5", &password_file] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let alerts = told.lock().expect("nobody panics with it").clone();
    assert_eq!(alerts.len(), 1, "one message, not one for each fabric: {alerts:?}");
    assert_eq!((&alerts[0]["event"], &alerts[0]["in_a_row"]), (&"failing".into(), &2.into()), "{alerts:?}");
    assert_eq!((&alerts[0]["cause"], &alerts[0]["fabric"]), (&"bad_password".into(), &Value::Null), "{alerts:?}");
    assert!(!format!("{alerts:?}").contains(PASSWORD), "{alerts:?}");
    let refused = ActivityFilter { show: Show::Attempts, actor: Some("monitor".into()), ..ActivityFilter::default() };
    let refused = store.activity().list(&Seen::all(), &refused, Page::all()).await?.rows;
    let wrong = "The user name or the password is wrong.";
    let is_refusal = |entry: &&Entry| matches!(entry, Entry::Attempt(tried) if tried.message == wrong);
    // Once, and once more for each run that had begun before the password was another: the account is another one then.
    // Runs come every second, and at least four were seen to be refused above.
    let tries = refused.iter().filter(is_refusal).count();
    assert!((1..=3).contains(&tries), "it was tried again and again: {refused:?}");

    // The file has the new one: it is tried at once, and whoever was told is told that it is over.
    folder.write("password", "another one altogether")?;
    eventually(SOON, "it is let in again", || async {
        let alerts = told.lock().expect("nobody panics with it").clone();
        ensure!(alerts.iter().any(|one| one["event"] == "recovered" && one["fabric"].is_null()), "{alerts:?}");
        let run = newest(&mut admin.clone(), "lab-a").await?;
        ensure!(matches!(run["verdict"].as_str(), Some("pass" | "unverified")), "{run}");
        Ok(())
    })
    .await?;

    // It may do more now: it is not walked with, and the page says why.
    run(&["user", "grant", "monitor", "--action", "sync"], None).await?;
    eventually(SOON, "an account that may sync is refused", || async {
        let all = json(&mut admin.clone(), "/verify/").await?;
        let said = all["results"][0]["newest"]["sentence"].as_str().unwrap_or_default().to_owned();
        ensure!(said.contains("monitor has hedgerow.sync_fabric"), "{all}");
        Ok(())
    })
    .await?;

    let status = console.stop().await?;
    assert!(status.success(), "{status}: {}", console.log());
    let user = store.users().by_name("monitor").await?.context("the account")?;
    let sessions = store.sessions().list_of_user(user.id).await?;
    assert!(!sessions.is_empty() && sessions.iter().all(|one| one.ended_at.is_some()), "{sessions:?}");
    let fabrics = store.fabrics().list(&Scope::System, &FabricFilter::default(), Page::all()).await?;
    assert_eq!(fabrics.total, 2);
    assert!(!console.log().contains(PASSWORD), "the password is in the log");
    Ok(())
}
