//! `hedgerow sync`: presses Sync to Kubernetes at a console, follows it to its end, and says what came of it.

use crate::client::{self, Client, Failure, Outcome, Progress, Verdict};
use crate::{cli, output};
use serde_json::{Value, json};
use std::process::ExitCode;
use std::time::Duration;

/// How long it waits unless it is told.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Objects that are listed; `--json` has all of them.
const LISTED: usize = 50;

/// Runs the command.
pub(crate) fn run(arguments: &cli::Sync) -> anyhow::Result<ExitCode> {
    let remote = &arguments.remote;
    client::run(remote, LONGEST, async |client: &Client| {
        let mut form = Vec::new();
        for (name, wanted) in [("dry_run", arguments.dry_run), ("prune", arguments.prune)] {
            if wanted {
                form.push((name, "true".to_owned()));
            }
        }
        if let Some(name) = &arguments.confirm_prune {
            form.push(("prune_confirmation", name.clone()));
        }
        let fabric = client.fabric(&remote.fabric).await?;
        let operation = client::begin(client, &fabric, "sync", &form).await?;
        let operation = client::follow(client, operation, &mut Progress::new(remote.json)).await?;
        let outcomes = client::outcomes(client, &operation).await?;
        let verdict = verdict(&operation, &outcomes);
        if !remote.json {
            tell(client, &operation, &outcomes, verdict)?;
        }
        let listed: Vec<&Value> = outcomes.iter().map(|outcome| &outcome.json).collect();
        let address = client.address(client::text(&operation, "url")?);
        let fabric = json!({ "name": fabric.name, "url": client.address(&fabric.url) });
        let error = (verdict == Verdict::Failed).then(|| {
            json!({ "code": operation["code"], "message": operation["message"], "what_to_do": operation["what_to_do"],
                    "request_id": operation["request_id"] })
        });
        let body = json!({ "fabric": fabric, "operation_url": address, "operation": operation, "objects": listed,
            "error": error });
        Ok((verdict, body))
    })
}

/// A dry run that would do something says so by its exit code.
fn verdict(operation: &Value, outcomes: &[Outcome]) -> Verdict {
    if operation["success"] != true {
        return Verdict::Failed;
    }
    let would_change = operation["dry_run"] == true && outcomes.iter().any(Outcome::is_good);
    if would_change { Verdict::Differs } else { Verdict::InSync }
}

fn tell(client: &Client, operation: &Value, outcomes: &[Outcome], verdict: Verdict) -> Result<(), Failure> {
    let word = |name: &str| operation[name].as_str().unwrap_or_default();
    let dry = operation["dry_run"] == true;
    let address = client.address(client::text(operation, "url")?);
    let mut said = String::new();
    let (good, bad): (Vec<_>, Vec<_>) = outcomes.iter().partition(|outcome| outcome.is_good());
    for outcome in good.iter().take(LISTED) {
        said.push_str(&format!("  {} {}\n", done(outcome.word(), dry), outcome.object()));
    }
    if good.len() > LISTED {
        said.push_str(&format!("  and {} more\n", good.len() - LISTED));
    }
    if verdict == Verdict::Failed {
        let _ = output::text(&said);
        let code = operation["code"].as_str().unwrap_or_default();
        let mut wrong = format!("error: {} ({code})\n", word("message"));
        for outcome in bad.iter().take(LISTED) {
            wrong.push_str(&format!("  {}: {}. {}\n", outcome.object(), outcome.word(), outcome.sentence()));
        }
        if bad.len() > LISTED {
            wrong.push_str(&format!("  and {} more objects; --json lists all of them\n", bad.len() - LISTED));
        }
        wrong.push_str(&format!("  {}\n  {address}\n", word("what_to_do")));
        client::complain(&wrong);
        return Ok(());
    }
    said.push_str(&format!("{}\n{address}\n", word("message")));
    // Who closed the pipe has seen enough; the exit code says the same.
    let _ = output::text(&said);
    Ok(())
}

/// What was done to an object, or would be.
fn done(word: &str, dry: bool) -> &str {
    match (word, dry) {
        ("created", true) => "would create",
        ("updated", true) => "would update",
        ("pruned", true) => "would delete",
        ("pruned", false) => "deleted",
        (word, _) => word,
    }
}
