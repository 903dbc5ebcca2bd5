//! What Prometheus reads: who may, what it says of a fabric, and that it says the same as the page.

use crate::apart::{Apart, Database, SOON, end_of, running_phase};
use crate::world::{NAMESPACES, endpoint, press, vpc, world};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{Chaos, ChaosProxy, Console, ConsoleOptions, HttpUser, Rule, eventually};

const TOKEN: &str = "planted-metrics-token-1";

/// One value of the exposition; the labels in the order in which they are written.
fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn scrape(console: &Console) -> Result<String> {
    let bearer = format!("Bearer {TOKEN}");
    let answer = console.visitor()?.script("GET", "/metrics", &[("Authorization", &bearer)], None).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// A free port: the console is told it, because a setting cannot say which one it took.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_are_for_superusers_the_token_and_a_listener_of_their_own() -> Result<()> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let env = vec![
        ("HEDGEROW_METRICS_TOKEN".to_owned(), TOKEN.to_owned()),
        ("HEDGEROW_METRICS_LISTEN".to_owned(), listen.clone()),
    ];
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let mut nobody = console.visitor()?;
    let refused = nobody.script("GET", "/metrics", &[], None).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (401, Some("authentication_required")));
    let wrong = nobody.script("GET", "/metrics", &[("Authorization", "Bearer planted-metrics-token-2")], None).await?;
    assert_eq!(wrong.status, 401, "{}", wrong.body);
    let text = scrape(&console).await?;
    assert_eq!(value(&text, "hedgerow_store_up"), Some(1.0), "{text}");

    let made = console.run(&["user", "create", "reader", "--password-stdin"], Some("no superuser 1")).await?;
    assert!(made.status.success(), "{made:?}");
    let (mut reader, _) = console.login("reader", "no superuser 1").await?;
    let refused = reader.script("GET", "/metrics", &[], None).await?;
    assert_eq!((refused.status, refused.json()?["code"].as_str()), (403, Some("permission_denied")));
    let (mut admin, _) = console.login(console.username()?, console.password()?).await?;
    assert_eq!(admin.script("GET", "/metrics", &[], None).await?.status, 200);

    let mut aside = HttpUser::new(&format!("http://{listen}"))?;
    let answer = aside.get("/metrics").await?;
    assert_eq!(answer.status, 200, "the listener asks for no login");
    let media = answer.header("content-type").unwrap_or_default();
    assert!(media.starts_with("application/openmetrics-text"), "{media}");
    assert_eq!(aside.get("/").await?.status, 404, "it answers nothing else");
    assert!(!console.log().contains(TOKEN), "the token is in the log");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_say_of_a_fabric_what_its_page_says() -> Result<()> {
    let world = world().await;
    let door = ChaosProxy::start(&world.plane.address()).await?;
    let env = [
        ("HEDGEROW_METRICS_TOKEN", TOKEN),
        ("HEDGEROW_COMPARE_INTERVAL", "1s"),
        ("HEDGEROW_COMPARE_FRESHNESS", "8s"),
        ("HEDGEROW_CLUSTER_CONNECT_TIMEOUT", "1s"),
        ("HEDGEROW_CLUSTER_TIMEOUT", "2s"),
    ];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let (mut user, _) = console.login(console.username()?, console.password()?).await?;
    let (name, own) = crate::world::Fabric::place().await?;
    let files = [("n.yaml", Some(NAMESPACES)), ("one.yaml", Some(&*vpc("vpc-01", 1, 1001)))];
    world.git.commit(&name, "main", &files, "Begin").await?;
    let server = format!("https://{}", door.address());
    let token = world.plane.admin_token().to_owned();
    let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
    let cluster = endpoint(&server, &token, world.plane.ca_certificate());
    fields.retain(|(field, _)| !cluster.iter().any(|(known, _)| known == field));
    fields.extend(cluster);
    let form = user.visit("/fabrics/add/").await?;
    let added = user.submit(&form, "form.form", &fields).await?;
    ensure!(added.status == 303, "{}", added.visible_text());
    let page = user.arrive(added).await?;
    let id: i64 = page.attribute("#sync-now-btn", "data-fabric-id")?.context("the button names its fabric")?.parse()?;

    let synced = press(&mut user, id, "sync_to_kubernetes").await?;
    assert_eq!(synced["state"], "succeeded", "{synced}");
    let state = |state: &str| format!("hedgerow_fabric_sync_state{{fabric=\"{name}\",state=\"{state}\"}}");
    let text = eventually(Duration::from_secs(30), "in sync by the metrics", || async {
        let text = scrape(&console).await?;
        ensure!(value(&text, &state("in_sync")) == Some(1.0), "not yet: {text}");
        Ok::<_, anyhow::Error>(text)
    })
    .await?;
    let ones = text.lines().filter(|line| line.starts_with("hedgerow_fabric_sync_state{") && line.ends_with(" 1"));
    assert_eq!(ones.count(), 1, "one state holds: {text}");
    assert_eq!(
        value(&text, &format!("hedgerow_fabric_objects{{fabric=\"{name}\",state=\"equal\"}}")),
        Some(3.0),
        "{text}"
    );
    let age = value(&text, &format!("hedgerow_fabric_evidence_age_seconds{{fabric=\"{name}\"}}"));
    assert!(age.is_some_and(|seconds| seconds < 8.0), "{age:?}");
    let ended = "hedgerow_operations_total{verb=\"sync_to_kubernetes\",outcome=\"succeeded\"}";
    assert_eq!(value(&text, ended), Some(1.0), "{text}");
    let created = "hedgerow_kubernetes_requests_total{verb=\"create\",code=\"201\"}";
    assert_eq!(value(&text, created), Some(3.0), "{text}");
    let begun = "hedgerow_http_requests_total{route=\"sync\",method=\"POST\",status=\"3xx\"}";
    assert_eq!(value(&text, begun), Some(1.0), "{text}");
    for secret in [TOKEN, &token, "git-token-1", console.password()?, "admin"] {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }

    // The cluster is gone: no word of ours stays green.
    door.set(Chaos::Cut);
    let text = eventually(Duration::from_secs(60), "not in sync by the metrics", || async {
        let text = scrape(&console).await?;
        ensure!(value(&text, &state("in_sync")) == Some(0.0), "still in sync");
        Ok::<_, anyhow::Error>(text)
    })
    .await?;
    let path = format!("/fabrics/{id}/");
    let page = user.script("GET", &path, &[("Accept", "application/json")], None).await?.json()?;
    let word = page["sync_status"].as_str().context("a status")?;
    assert_eq!(value(&text, &state(word)), Some(1.0), "the page says {word}: {text}");
    let failed = value(&text, "hedgerow_background_comparisons_total{outcome=\"failed\"}");
    assert!(failed.is_some_and(|count| count >= 1.0), "{text}");
    door.set(Chaos::Pass);
    eventually(Duration::from_secs(60), "in sync again", || async {
        let text = scrape(&console).await?;
        ensure!(value(&text, &state("in_sync")) == Some(1.0), "not yet");
        Ok::<_, anyhow::Error>(())
    })
    .await?;
    // The log said each once, however often it happened.
    let log = console.log();
    assert_eq!(log.matches("the background comparison fails").count(), 1, "{log}");
    assert_eq!(log.matches("the background comparison works again").count(), 1, "{log}");
    Ok(())
}

/// Waits until a series is at least so large; gives the text that said it.
async fn reaches(console: &Console, series: &str, least: f64) -> Result<String> {
    eventually(SOON, &format!("{series} reaches {least}"), || async {
        let text = scrape(console).await?;
        ensure!(value(&text, series).is_some_and(|count| count >= least), "{:?} in\n{text}", value(&text, series));
        Ok::<_, anyhow::Error>(text)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_lost_are_counted_by_their_reason_and_their_openings_by_status() -> Result<()> {
    let settings = [("HEDGEROW_METRICS_TOKEN", TOKEN), ("HEDGEROW_COMPARE_WATCH", "true")];
    let mut apart = Apart::start(Database::Sqlite, &settings).await?;
    let fabric = apart.fabric().await?;
    let lost = |reason: &str| format!("hedgerow_watch_restarts_total{{reason=\"{reason}\"}}");
    let opened = |code: &str| format!("hedgerow_kubernetes_requests_total{{verb=\"watch\",code=\"{code}\"}}");
    let text = reaches(&apart.console, &opened("200"), 1.0).await?;
    assert_eq!(value(&text, &lost("disconnected")), None, "nothing was cut yet: {text}");

    fabric.cable.set(Chaos::Cut);
    reaches(&apart.console, &lost("disconnected"), 1.0).await?;
    let text = reaches(&apart.console, &opened("connection_failed"), 1.0).await?;
    let (opened_before, lost_before) = (value(&text, &opened("200")), value(&text, &lost("disconnected")));
    fabric.front.add(Rule::on("GET", "watch=true").times(1).expired());
    fabric.cable.set(Chaos::Pass);
    reaches(&apart.console, &opened("410"), 1.0).await?;
    reaches(&apart.console, &lost("expired"), 1.0).await?;
    let text = reaches(&apart.console, &opened("200"), opened_before.context("they were open")? + 1.0).await?;
    assert_eq!(value(&text, &lost("disconnected")), lost_before, "tries to come back are no losses: {text}");
    let took = value(&text, "hedgerow_kubernetes_request_duration_seconds_count{verb=\"watch\"}");
    assert!(took.is_some_and(|count| count >= 3.0), "{text}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_and_how_long_things_took_is_counted() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[("HEDGEROW_METRICS_TOKEN", TOKEN)]).await?;
    let fabric = apart.fabric().await?;
    let of_fabric = |gauge: &str| {
        format!("hedgerow_fabric_operations_{gauge}{{fabric=\"{}\",verb=\"sync_to_kubernetes\"}}", fabric.name)
    };
    // What writes nothing runs beside it, and is counted, too.
    let reading = of_fabric("running").replace("sync_to_kubernetes", "sync_from_fabric");
    fabric.front.add(Rule::on("GET", "/vpcs?").hang());
    let reads = fabric.begin(&mut apart.tab()?, "sync_from_fabric").await?;
    let runs = fabric.begin(&mut apart.tab()?, "sync_to_kubernetes").await?;
    eventually(SOON, "the sync reads the cluster", || async {
        let (phase, operation) = running_phase(&mut apart.tab()?, &runs).await?;
        ensure!(phase == "observe", "{operation}");
        Ok(())
    })
    .await?;
    // Another sync than the one that runs waits for it.
    let waits = fabric.begin_with(&mut apart.tab()?, r#"{"prune": true}"#).await?;
    let text = reaches(&apart.console, &of_fabric("queued"), 1.0).await?;
    assert_eq!(value(&text, &of_fabric("running")), Some(1.0), "{text}");
    assert_eq!(value(&text, &reading), Some(1.0), "{text}");
    let ran = |part: &str| format!("hedgerow_operation_duration_seconds_{part}{{verb=\"sync_to_kubernetes\"}}");
    assert_eq!(value(&text, &ran("count")), None, "it has not ended: {text}");

    fabric.heal();
    end_of(&mut apart.tab()?, &reads).await?;
    let mut seconds = 0.0;
    for location in [&runs, &waits] {
        let ended = end_of(&mut apart.tab()?, location).await?;
        ensure!(ended["state"] == "succeeded", "{ended}");
        let at = |key: &str| -> Result<jiff::Timestamp> { Ok(ended[key].as_str().context("a time")?.parse()?) };
        seconds += at("ended_at")?.duration_since(at("started_at")?).as_secs_f64();
    }
    let text = eventually(SOON, "nothing waits and nothing runs", || async {
        let text = scrape(&apart.console).await?;
        for gauge in ["queued", "running"] {
            ensure!(value(&text, &of_fabric(gauge)).unwrap_or_default() == 0.0, "{gauge}: {text}");
        }
        ensure!(value(&text, &reading).unwrap_or_default() == 0.0, "{text}");
        Ok::<_, anyhow::Error>(text)
    })
    .await?;
    assert_eq!(value(&text, &ran("count")), Some(2.0), "{text}");
    let sum = value(&text, &ran("sum")).context("its sum")?;
    assert!((sum - seconds).abs() < 1.0, "they took {seconds} s by their pages and {sum} s by the metrics");
    // Every call and every request has a time.
    for (family, label, word) in [
        ("kubernetes_request", "verb", "list"),
        ("kubernetes_request", "verb", "create"),
        ("http_request", "route", "fabric"),
    ] {
        let times = format!("hedgerow_{family}_duration_seconds_count{{{label}=\"{word}\"}}");
        let counted = text.lines().filter(|line| {
            line.starts_with(&format!("hedgerow_{family}s_total{{")) && line.contains(&format!("{label}=\"{word}\""))
        });
        let calls: f64 = counted.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum();
        assert!(calls >= 1.0 && value(&text, &times) == Some(calls), "{calls} of {word}: {text}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_contradicts_the_comparison_is_counted_and_logged_with_the_object() -> Result<()> {
    let settings = [("HEDGEROW_METRICS_TOKEN", TOKEN), ("HEDGEROW_COMPARE_INTERVAL", "1s")];
    let mut apart = Apart::start(Database::Sqlite, &settings).await?;
    let fabric = apart.fabric().await?;
    // What the server says that a write of the VPC would make of it: something else than what is there.
    let mut other: Value = serde_saphyr::from_str(&vpc("vpc-01", 1, 1999))?;
    other["metadata"] = json!({"name": "vpc-01", "namespace": fabric.name, "uid": "u", "resourceVersion": "1"});
    fabric.front.add(Rule::on("PUT", "/vpcs/vpc-01?").text(200, "application/json", &other.to_string()));
    let disagreements = "hedgerow_comparison_disagreements_total";
    assert_eq!(value(&scrape(&apart.console).await?, disagreements), Some(0.0));
    let said = "the server disagrees with the offline comparison";
    assert!(!apart.console.log().contains(said), "{}", apart.console.log());

    let synced = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(synced["state"] == "succeeded", "{synced}");
    let text = reaches(&apart.console, disagreements, 1.0).await?;
    let log = apart.console.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(said)).collect();
    assert_eq!(lines.len().to_string(), value(&text, disagreements).unwrap_or_default().to_string(), "{lines:?}");
    for word in ["vpc-01", &format!("fabric={}", fabric.id), "server_says_equal=false"] {
        assert!(lines[0].contains(word), "{word} is not in {}", lines[0]);
    }
    // Its word counts.
    let status = eventually(SOON, "the page says what the server says", || async {
        let status = fabric.status(&mut apart.tab()?).await?;
        ensure!(status["sync_status"] == "out_of_sync", "{status}");
        Ok::<_, anyhow::Error>(status)
    })
    .await?;
    assert_eq!(status["status"]["counts"]["equal"], 4, "{status}");
    Ok(())
}
