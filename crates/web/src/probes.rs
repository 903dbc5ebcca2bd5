//! Whether the console can serve: what it needs, looked at piece by piece. Asked by load balancers, containers and
//! systemd without a session, so it names what is missing and no path, and a flood of questions is one look.

use crate::state::AppState;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How long a finding is given out again.
const FRESH: Duration = Duration::from_secs(2);
/// How long one look may take.
const LIMIT: Duration = Duration::from_secs(3);

/// What was found last.
#[derive(Default)]
pub struct Probes {
    last: Mutex<Option<(Instant, Vec<Check>)>>,
}

/// One thing that the console needs.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its name: `database`, `schema`, `key`, `data_folder`, `git`.
    pub name: &'static str,
    /// What is wrong and what to do; none when it is there.
    pub missing: Option<String>,
}

impl Check {
    /// The check for scripts.
    pub fn to_json(&self) -> Value {
        json!({ "name": self.name, "ok": self.missing.is_none(), "message": self.missing })
    }
}

impl Probes {
    /// What the console needs, as it was found at most a moment ago.
    pub async fn look(&self, state: &AppState) -> Vec<Check> {
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return checks.clone();
        }
        let before: Vec<&'static str> = last.iter().flat_map(|(_, checks)| missing(checks)).collect();
        let checks = look(state).await;
        for check in checks.iter().filter(|check| !before.contains(&check.name)) {
            if let Some(message) = &check.missing {
                tracing::warn!(check = check.name, message, "not ready");
            }
        }
        if !before.is_empty() && missing(&checks).next().is_none() {
            tracing::info!("ready again");
        }
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

fn missing(checks: &[Check]) -> impl Iterator<Item = &'static str> {
    checks.iter().filter(|check| check.missing.is_some()).map(|check| check.name)
}

async fn look(state: &AppState) -> Vec<Check> {
    let check = |name, result: Result<(), String>| Check { name, missing: result.err() };
    let mut checks = vec![check("database", database(state).await), check("schema", schema(state).await)];
    if let Some(file) = state.settings.key_file.clone() {
        let read = tokio::task::spawn_blocking(move || key(&file)).await;
        checks.push(check("key", read.unwrap_or_else(|_| Err("It could not be looked at.".to_owned()))));
    }
    if let Some(folder) = state.settings.data.clone() {
        let git = source::require_git(&folder).await.map_err(|error| error.message);
        let written = tokio::task::spawn_blocking(move || writable(&folder)).await;
        checks.push(check("data_folder", written.unwrap_or_else(|_| Err("It could not be looked at.".to_owned()))));
        checks.push(check("git", git));
    }
    checks
}

async fn database(state: &AppState) -> Result<(), String> {
    match tokio::time::timeout(LIMIT, state.store.meta().ping()).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("The database does not answer, or takes no writes. Check its file and the disk, or the \
                           PostgreSQL server."
            .to_owned()),
        Err(_) => Err(format!(
            "The database did not answer within {} s. Check the disk, or the PostgreSQL server.",
            LIMIT.as_secs()
        )),
    }
}

async fn schema(state: &AppState) -> Result<(), String> {
    match tokio::time::timeout(LIMIT, state.store.schema_version()).await {
        Ok(Ok((found, known))) if found == known => Ok(()),
        Ok(Ok((found, known))) => {
            Err(format!("The database has schema version {found}, this release needs {known}. Run `hedgerow migrate`."))
        }
        Ok(Err(_)) | Err(_) => Err("The version of the schema could not be read.".to_owned()),
    }
}

fn key(file: &Path) -> Result<(), String> {
    match std::fs::File::open(file) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!(
            "The file of the key that seals credentials cannot be read ({}). Put it back from its backup.",
            error.kind()
        )),
    }
}

/// Writes a byte and takes it away: a full disk is found as well as one that can only be read.
fn writable(folder: &Path) -> Result<(), String> {
    let file = folder.join(format!(".probe-{}", std::process::id()));
    let written = std::fs::write(&file, b"1").and_then(|()| std::fs::remove_file(&file));
    written.map_err(|error| format!("The data folder cannot be written to ({}). Check the disk.", error.kind()))
}
