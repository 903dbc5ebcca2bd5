//! `hedgerow diff`: what Git and the cluster have different, by a comparison that is made now if that is permitted.

use crate::client::{self, Client, Fabric, Failure, Progress, Verdict};
use crate::{cli, output};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

/// How long it waits unless it is told.
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// Runs the command.
pub(crate) fn run(arguments: &cli::Diff) -> anyhow::Result<ExitCode> {
    let remote = &arguments.remote;
    client::run(remote, LONGEST, async |client: &Client| {
        let mut fabric = client.fabric(&remote.fabric).await?;
        let mut refreshed = false;
        if !arguments.no_refresh {
            refreshed = refresh(client, &fabric, remote.json).await?;
            fabric = client.fabric(&remote.fabric).await?;
        }
        let objects = differing(client, &fabric).await?;
        let verdict = verdict(&fabric, &objects)?;
        if !remote.json {
            let _ = output::text(&in_words(&fabric, &objects));
        }
        let evidence = fabric.json["status"]["evidence_at"].clone();
        let body = json!({
            "fabric": { "name": fabric.name, "url": client.address(&fabric.url) },
            "status": fabric.json["status"],
            "compared_at": evidence,
            "commit": fabric.json["current_commit"],
            "refreshed": refreshed,
            "objects": objects,
        });
        Ok((verdict, body))
    })
}

/// Compares now. `false` where whoever asks may only look: what is stored is shown then, and that is said.
async fn refresh(client: &Client, fabric: &Fabric, json: bool) -> Result<bool, Failure> {
    let operation = match client::begin(client, fabric, "sync-from-git", &[]).await {
        Ok(operation) => operation,
        Err(failure) if matches!(failure.code.as_str(), "permission_denied" | "token_read_only") => {
            let at = fabric.json["status"]["evidence_at"].as_str().unwrap_or("no time that is known");
            client::complain(&format!("note: not compared now: {} This is the comparison of {at}.\n", failure.message));
            return Ok(false);
        }
        Err(failure) => return Err(failure),
    };
    let ended = client::follow(client, operation, &mut Progress::beside(json)).await?;
    if ended["success"] != true {
        let word = |name: &str| ended[name].as_str().unwrap_or_default();
        return Err(Failure::new(word("code"), word("message").to_owned()).todo(word("what_to_do")));
    }
    Ok(true)
}

/// The objects that differ, in the order in which they would be written.
async fn differing(client: &Client, fabric: &Fabric) -> Result<Vec<Value>, Failure> {
    let (mut found, mut number) = (Vec::new(), Some(1));
    while let Some(page) = number {
        let mut list = client.get(&format!("{}objects/?state=differs&page={page}", fabric.url)).await?;
        number = list["next_page"].as_u64().filter(|next| *next > page);
        if let Value::Array(rows) = list["results"].take() {
            found.extend(rows);
        }
    }
    Ok(found)
}

/// In sync is only what the console calls so; what it does not know, or what is wrong, is neither.
fn verdict(fabric: &Fabric, objects: &[Value]) -> Result<Verdict, Failure> {
    match fabric.state() {
        "in_sync" if objects.is_empty() => Ok(Verdict::InSync),
        "in_sync" | "out_of_sync" => Ok(Verdict::Differs),
        // A sync that failed before says nothing against a comparison that was made since and found something.
        "error" if fabric.json["status"]["failed"] != "comparison" && !objects.is_empty() => Ok(Verdict::Differs),
        "syncing" => Ok(if objects.is_empty() { Verdict::InSync } else { Verdict::Differs }),
        state => {
            let code = fabric.json["status"]["code"].as_str().unwrap_or(state);
            Err(Failure::new(code, format!("It cannot be said what differs. {}", fabric.message()))
                .todo("See on the fabric's page what stands in the way."))
        }
    }
}

/// The differences as text: a line an object, two lines a field, Git's side with a plus.
fn in_words(fabric: &Fabric, objects: &[Value]) -> String {
    let mut text = String::new();
    for object in objects {
        let word = |name: &str| object[name].as_str().unwrap_or_default();
        let state = word("state");
        let mark = match state {
            "undelivered" if object["differences"].as_array().is_none_or(Vec::is_empty) => "+",
            "missing" => "+",
            "extra" => "-",
            "unknown" => "?",
            _ => "~",
        };
        let place = object["place"].as_str().map(|place| format!("  {place}")).unwrap_or_default();
        let _ =
            writeln!(text, "{mark} {}  {}{place}", client::object(&object["key"]), word("state_title").to_lowercase());
        for field in object["differences"].as_array().into_iter().flatten() {
            let by = field["manager"].as_str().map(|by| format!("  (by {by})")).unwrap_or_default();
            let _ = writeln!(text, "    {}{by}", field["path"].as_str().unwrap_or_default());
            for (sign, side) in [("-", "live"), ("+", "desired")] {
                if !field[side].is_null() {
                    let _ = writeln!(text, "      {sign} {}", field[side]);
                }
            }
        }
    }
    let _ = writeln!(text, "{}: {}", fabric.name, fabric.message());
    text
}
