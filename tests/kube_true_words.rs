//! What a sync says when somebody or something comes between its writes and its proof. Answers that do not pass are asked
//! for once.

use crate::apart::{Apart, Database};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::Rule;

fn outcome<'a>(operation: &'a Value, name: &str) -> Result<&'a Value> {
    let rows = operation["outcomes"]["results"].as_array().context("the objects")?;
    rows.iter().find(|row| row["key"]["name"] == name).with_context(|| format!("{name} is no object of {operation}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_something_else_answers_is_sent_once() -> Result<()> {
    let mut apart = Apart::start(Database::Sqlite, &[]).await?;
    let fabric = apart.fabric().await?;
    // A proxy's page instead of a Kubernetes answer: the code is that of a connection that failed, and it does not pass.
    fabric.front.add(Rule::on("POST", "/ipv4namespaces?").without("dryRun").text(200, "text/html", "<p>Welcome</p>"));
    let ended = fabric.press(&mut apart.user, "sync_to_kubernetes").await?;
    ensure!(ended["code"] == "connection_failed", "{ended}");
    let calls = fabric.front.calls();
    let sent = calls.iter().filter(|call| call.method == "POST" && call.path.contains("/ipv4namespaces?"));
    let sent: Vec<&str> = sent.map(|call| call.path.as_str()).filter(|path| !path.contains("dryRun")).collect();
    assert_eq!(sent.len(), 1, "{sent:?}");
    ensure!(outcome(&ended, "default")?["attempts"] == 1, "{ended}");
    Ok(())
}
