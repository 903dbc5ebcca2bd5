//! `hedgerow wait`: waits at a console until a fabric is in sync, until its switches run it, or until nothing writes to it.

use crate::cli::{self, Awaited};
use crate::client::{self, Client, Fabric, Failure, Progress, Verdict};
use crate::output;
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// How long it waits unless it is told.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// States that no waiting ends: somebody has to do something.
const FOR_GOOD: [&str; 2] = ["not_configured", "disabled"];

/// Runs the command.
pub(crate) fn run(arguments: &cli::Wait) -> anyhow::Result<ExitCode> {
    let remote = &arguments.remote;
    client::run(remote, LONGEST, async |client: &Client| {
        let mut progress = Progress::new(remote.json);
        let (verdict, fabric, operation) = match arguments.awaited {
            Awaited::OperationEnd => operation_end(client, &remote.fabric, &mut progress).await?,
            Awaited::InSync => (Verdict::InSync, until(client, &remote.fabric, is_in_sync, &mut progress).await?, None),
            Awaited::Applied => {
                (Verdict::InSync, until(client, &remote.fabric, is_applied, &mut progress).await?, None)
            }
        };
        progress.end();
        if !remote.json && verdict == Verdict::InSync {
            let _ = output::text(&format!("{}: {}\n", fabric.name, fabric.message()));
        }
        let body = json!({
            "fabric": { "name": fabric.name, "url": client.address(&fabric.url) },
            "status": fabric.json["status"],
            "stages": fabric.json["stages"],
            "operation": operation,
        });
        Ok((verdict, body))
    })
}

fn is_in_sync(fabric: &Fabric) -> bool {
    fabric.state() == "in_sync"
}

/// In sync, and every switch that is concerned runs it.
fn is_applied(fabric: &Fabric) -> bool {
    let mut stages = fabric.json["stages"].as_array().into_iter().flatten();
    let applied = stages.find(|stage| stage["name"] == "applied");
    is_in_sync(fabric) && applied.is_some_and(|stage| stage["state"] == "done" && stage["stale"] == false)
}

async fn until(
    client: &Client,
    wanted: &str,
    holds: impl Fn(&Fabric) -> bool,
    progress: &mut Progress,
) -> Result<Fabric, Failure> {
    let mut fabric = client.fabric(wanted).await?;
    loop {
        if holds(&fabric) {
            return Ok(fabric);
        }
        if FOR_GOOD.contains(&fabric.state()) {
            return Err(Failure::new(fabric.state(), fabric.message().to_owned())
                .todo("Waiting does not change that; see the fabric's settings."));
        }
        progress.say(&format!("{}: {}", fabric.name, fabric.message()));
        if client.is_over() {
            return Err(client.timed_out(&format!("{} stands like this: {}", fabric.name, fabric.message())));
        }
        tokio::time::sleep(EVERY).await;
        fabric = again(client, &fabric).await?;
    }
}

async fn again(client: &Client, fabric: &Fabric) -> Result<Fabric, Failure> {
    let json = client.get(&fabric.url).await?;
    Ok(Fabric { name: fabric.name.clone(), url: fabric.url.clone(), json })
}

/// Follows what writes now, and what comes after it, and gives the outcome of the last.
async fn operation_end(
    client: &Client,
    wanted: &str,
    progress: &mut Progress,
) -> Result<(Verdict, Fabric, Option<Value>), Failure> {
    let mut fabric = client.fabric(wanted).await?;
    let mut last = None;
    while let Some(url) = fabric.json["running"].as_str().map(str::to_owned) {
        let operation = client.get(&url).await?;
        last = Some(client::follow(client, operation, progress).await?);
        fabric = again(client, &fabric).await?;
        if client.is_over() {
            return Err(client.timed_out("There was always another operation."));
        }
    }
    let verdict = match &last {
        Some(operation) if operation["success"] != true => {
            let word = |name: &str| operation[name].as_str().unwrap_or_default();
            client::complain(&format!("error: {} ({})\n  {}\n", word("message"), word("code"), word("what_to_do")));
            Verdict::Failed
        }
        _ => Verdict::InSync,
    };
    Ok((verdict, fabric, last))
}
