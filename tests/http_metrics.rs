//! What Prometheus reads: who may, what it says of a fabric, and that it says the same as the page.

use crate::world::{NAMESPACES, endpoint, press, vpc, world};
use anyhow::{Context, Result, ensure};
use std::time::Duration;
use testkit::{Chaos, ChaosProxy, Console, ConsoleOptions, HttpUser, eventually};

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
