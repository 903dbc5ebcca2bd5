//! The log after a tour through failures: no secret in it, one line for each thing to act on, with its ids as fields.

use crate::world::{Fabric, press, token, world};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::{Console, ConsoleOptions};

/// A private key that belongs to nothing; its base64 is what must not be seen.
const SSH_KEY: &str =
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1wbGFudGVkLXNzaC1rZXktNzc=\n-----END OPENSSH PRIVATE KEY-----\n";

#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_in_the_log_and_each_event_is_one_line_with_its_ids() -> Result<()> {
    let world = world().await;
    let env = [
        ("HEDGEROW_LOG_FORMAT", "json"),
        ("HEDGEROW_LOG_LEVEL", "debug"),
        ("HEDGEROW_METRICS_TOKEN", "planted-metrics-token-9"),
        ("HEDGEROW_COMPARE_INTERVAL", "1s"),
    ];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let console = Console::start(ConsoleOptions { env, ..ConsoleOptions::default() }).await?;
    let password = console.password()?.to_owned();
    let mut stranger = console.visitor()?;
    let mut form = stranger.visit("/login/").await?;
    for _ in 0..12 {
        let wrong = [("username", "admin-planted-as-name"), ("password", "planted-login-password")];
        form = stranger.submit(&form, "form.form", &wrong).await?;
        ensure!([401, 429].contains(&form.status), "{}", form.status);
    }
    assert_eq!(form.status, 429, "the control: it was throttled");
    let (mut user, _) = console.login(console.username()?, &password).await?;
    let session: Vec<String> = user.cookies().iter().map(|cookie| cookie.value.clone()).collect();

    let (_, own) = Fabric::place().await?;
    let identity = world.plane.client_certificate("planted", &[])?;
    let server = world.plane.url();
    let ca = world.plane.ca_certificate();
    let wrong_kubeconfig = world.plane.kubeconfig(&server, "planted-kubeconfig-token");
    let url_with_secret = world.git.url("nowhere");
    let cases: [(&str, Vec<(&str, &str)>); 5] = [
        ("kubeconfig", vec![("kubeconfig", &wrong_kubeconfig)]),
        (
            "endpoint",
            vec![
                ("cluster_kind", "endpoint"),
                ("kubeconfig", ""),
                ("server", &server),
                ("ca_pem", ca),
                ("token", "planted-endpoint-token"),
            ],
        ),
        (
            "certificate",
            vec![
                ("cluster_kind", "endpoint"),
                ("kubeconfig", ""),
                ("server", &server),
                ("ca_pem", ca),
                ("client_certificate", &identity.certificate),
                ("client_key", &identity.key),
            ],
        ),
        ("git", vec![("source_token", "planted-git-token"), ("source_url", &url_with_secret)]),
        (
            "ssh",
            vec![
                ("credential_kind", "ssh"),
                ("source_url", "ssh://git@127.0.0.1:9/x.git"),
                ("source_token", ""),
                ("ssh_key", SSH_KEY),
            ],
        ),
    ];
    let mut operations = Vec::new();
    for (name, changes) in &cases {
        let mut fields: Vec<(&str, &str)> = own.iter().map(|(field, value)| (*field, value.as_str())).collect();
        fields.retain(|(field, _)| *field != "name" && !changes.iter().any(|(known, _)| known == field));
        fields.extend(changes.iter().chain([&("name", *name)]));
        let page = user.visit("/fabrics/add/").await?;
        let added = user.submit(&page, "form.form", &fields).await?;
        ensure!(added.status == 303, "{name}: {}", added.visible_text());
        let page = user.arrive(added).await?;
        let id: i64 = page.attribute("#sync-now-btn", "data-fabric-id")?.context("its number")?.parse()?;
        for verb in ["test_connection", "sync_from_git", "sync_to_kubernetes"] {
            let ended = press(&mut user, id, verb).await?;
            operations.push((id, ended));
        }
        let page = user.visit(&format!("/fabrics/{id}/")).await?;
        let csrf = token(&page)?;
        let path = format!("/fabrics/{id}/sync/");
        user.script("POST", &path, &[("X-CSRFToken", "planted-csrf-token")], Some("{}")).await?;
        user.script("POST", &path, &[("X-CSRFToken", &csrf)], Some("{\"broken\": ")).await?;
    }
    let failed = operations.iter().filter(|(_, ended)| ended["state"] == "failed").count();
    assert!(failed >= 8, "the control: they fail: {operations:?}");
    stranger.script("GET", "/metrics", &[("Authorization", "Bearer planted-wrong-bearer-1")], None).await?;

    let log = console.log();
    let key = std::fs::read_to_string(console.data_dir().join("secret.key"))?;
    let key_line = identity.key.lines().nth(1).context("a line of the client's key")?;
    let mut secrets = vec![
        "planted-login-password",
        "planted-kubeconfig-token",
        "planted-endpoint-token",
        "planted-git-token",
        "b3BlbnNzaC1wbGFudGVkLXNzaC1rZXktNzc",
        "planted-metrics-token-9",
        "planted-wrong-bearer-1",
        "planted-csrf-token",
        "git-token-1",
        world.plane.admin_token(),
        key.trim(),
        key_line,
    ];
    secrets.extend(session.iter().map(String::as_str).filter(|value| value.len() > 20));
    for secret in &secrets {
        assert!(!log.contains(secret), "{secret} is in the log: {:?}", log.lines().find(|line| line.contains(secret)));
    }
    // The password is printed once, to who started it, and never logged.
    let said = log.lines().filter(|line| line.contains(&password)).count();
    assert!(said <= 1 && !log.lines().any(|line| line.contains(&password) && line.contains("\"level\"")), "{said}");

    let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |message: &str| lines.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    for (fabric, ended) in &operations {
        let told = of("operation ended");
        let mine: Vec<_> = told.iter().filter(|line| line["operation"] == ended["id"]).collect();
        assert_eq!(mine.len(), 1, "one line for each: {ended}");
        assert_eq!((&mine[0]["fabric"], &mine[0]["state"]), (&Value::from(*fabric), &ended["state"]), "{}", mine[0]);
        assert_eq!((&mine[0]["request_id"], &mine[0]["code"]), (&ended["request_id"], &ended["code"]), "{}", mine[0]);
        assert!(mine[0]["duration_ms"].is_u64(), "{}", mine[0]);
    }
    assert_eq!(of("logins are throttled: too many failed for a user or an address").len(), 1, "not one a try");
    // Compared once a second for as long as all this took: each reason is said once.
    for (fabric, _) in &operations {
        let told = of("the background comparison fails");
        let mine: Vec<&Value> =
            told.iter().filter(|line| line["fabric"] == *fabric).map(|line| &line["code"]).collect();
        let mut codes = mine.clone();
        codes.dedup();
        assert_eq!(mine, codes, "the same reason is not said again");
    }
    Ok(())
}
