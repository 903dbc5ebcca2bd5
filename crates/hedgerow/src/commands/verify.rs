//! `hedgerow verify`: proof on the user's own path. What is walked, and how it is judged, is the crate `verify`; here it
//! gets its target, users and oracles from the command line, and its end becomes an exit code.

mod every;
mod self_test;
mod told;

use crate::cli::{self, VerifyDriver};
use crate::client::complain;
use crate::{Misuse, output, server};
use anyhow::Context as _;
use secrecy::SecretString;
use serde::Serialize;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;
use told::Told;
use verify::evidence::sign::{PublicKey, SigningKey};
use verify::oracle::{ClusterOracle, DatabaseOracle, GitOracle};
use verify::redact::SHORTEST;
use verify::results::Run;
use verify::run::Runner;
use verify::site::{Account, DriverKind, Plan, Site};
use verify::{evidence, journeys};

/// Runs it to its end.
pub(crate) fn run(arguments: &cli::Verify) -> anyhow::Result<ExitCode> {
    if arguments.list {
        list(arguments.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(folder) = &arguments.check {
        return check(folder, arguments);
    }
    if let Some([before, after]) = arguments.compare.as_deref() {
        return compare(before, after, arguments.json);
    }
    if arguments.self_test {
        return self_test::run(arguments);
    }
    let key = signing_key(arguments)?;
    let mut plan = plan(arguments)?;
    if let Some(interval) = arguments.every {
        plan.journeys = every::journeys(arguments);
        let every = every::Every::new(arguments, interval)?;
        return server::block_on(every::run(plan, every, key));
    }
    let folder = arguments.output.as_deref().map(folder).transpose()?;
    let mut run = server::block_on(async {
        let stop = server::stop_on_signal_or(2, leaving)?;
        Ok(walk(plan, folder.clone(), &stop, Told::default()).await)
    })?;
    let written = folder.as_ref().map(|folder| evidence::write(&run, folder, key.as_ref())).transpose();
    if written.is_err() {
        run.unwritten();
    }
    // Who reads only the beginning, as `head` does, or nothing at all, changes nothing of the verdict.
    let told = report(&run, folder.as_deref().filter(|_| written.is_ok()), arguments.json);
    if let Err(error) = told {
        complain(&format!("The result could not be printed: {error:#}\n"));
    }
    let Err(error) = written else { return Ok(ExitCode::from(run.exit_code)) };
    complain(&format!("The evidence could not be written down: {error}\n"));
    Ok(ExitCode::from(run.exit_code))
}

/// The key of `--sign`.
fn signing_key(arguments: &cli::Verify) -> anyhow::Result<Option<SigningKey>> {
    let key = arguments.sign.as_deref().map(SigningKey::read).transpose();
    key.map_err(|error| misuse(format!("--sign: {error}")))
}

/// Whether a run's folder is as it was written.
fn check(folder: &Path, arguments: &cli::Verify) -> anyhow::Result<ExitCode> {
    let key = arguments.public_key.as_deref().map(PublicKey::read).transpose();
    let key = key.map_err(|error| misuse(format!("--public-key: {error}")))?;
    let checked = evidence::check(folder, key.as_ref()).map_err(|error| misuse(error.to_string()))?;
    if arguments.json {
        output::json(&checked)?;
    } else {
        output::text(&checked.to_text())?;
    }
    Ok(if checked.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What is different between two runs.
fn compare(before: &Path, after: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let read = |folder: &Path| -> anyhow::Result<Run> {
        let file = folder.join(evidence::RESULTS);
        let text =
            std::fs::read(&file).map_err(|error| misuse(format!("{} cannot be read: {error}", file.display())))?;
        serde_json::from_slice(&text).map_err(|error| misuse(format!("{} holds no results: {error}", file.display())))
    };
    let comparison = evidence::compare(&read(before)?, &read(after)?);
    if json {
        output::json(&comparison)?;
    } else {
        output::text(&comparison.to_text())?;
    }
    Ok(if comparison.is_same() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn list(json: bool) -> anyhow::Result<()> {
    if json {
        #[derive(Serialize)]
        struct Listed {
            name: &'static str,
            changes: bool,
            proves: &'static str,
        }
        let all = journeys::ALL.iter().map(|one| Listed { name: one.name, changes: one.changes, proves: one.proves });
        return Ok(output::json(&all.collect::<Vec<_>>())?);
    }
    let rows: Vec<Vec<String>> = journeys::ALL
        .iter()
        .map(|one| vec![one.name.into(), if one.changes { "yes" } else { "no" }.into(), one.proves.into()])
        .collect();
    Ok(output::text(&output::table(&["JOURNEY", "CHANGES", "PROVES"], &rows))?)
}

fn misuse(text: impl Into<String>) -> anyhow::Error {
    Misuse(text.into()).into()
}

fn plan(arguments: &cli::Verify) -> anyhow::Result<Plan> {
    let target = arguments.target.as_deref().unwrap_or_default();
    let target = verify::site::target(target).map_err(|why| misuse(format!("--target: {why}")))?;
    for name in &arguments.journey {
        if !journeys::ALL.iter().any(|one| one.name == name) {
            let known: Vec<&str> = journeys::ALL.iter().map(|one| one.name).collect();
            return Err(misuse(format!("there is no journey {name}; there are {}", known.join(", "))));
        }
    }
    let profile = verify::profile::load(&arguments.profile).map_err(|error| misuse(error.to_string()))?;
    let named = |named: &Option<(String, PathBuf)>| {
        named.as_ref().map(|(name, file)| {
            Ok::<_, anyhow::Error>(Account { username: name.clone(), password: password_of(file)? })
        })
    };
    let username = arguments.username.clone().unwrap_or_default();
    for (flag, one) in [("--second", &arguments.second), ("--reader", &arguments.reader)] {
        if one.as_ref().is_some_and(|(name, _)| name.eq_ignore_ascii_case(&username)) {
            return Err(misuse(format!("{flag} names {username}, as --username does: it is to be somebody else")));
        }
    }
    let cluster = arguments.oracle_kubeconfig.as_ref().map(|file| {
        ClusterOracle::open(file, arguments.oracle_context.as_deref())
            .map_err(|error| misuse(format!("--oracle-kubeconfig: {error}")))
    });
    let git = arguments.oracle_git.as_ref().map(|place| {
        let local = Path::new(place);
        if !local.is_dir() && !place.contains(':') {
            return Err(misuse(format!("--oracle-git: {place} is neither a folder nor an address")));
        }
        let oracle = if local.is_dir() {
            GitOracle::local(local, &arguments.oracle_branch, &arguments.oracle_folder)
        } else {
            GitOracle::remote(place, &arguments.oracle_branch, &arguments.oracle_folder)
        };
        oracle.map_err(|error| misuse(format!("--oracle-git: {error}")))
    });
    let database = arguments
        .oracle_database
        .as_deref()
        .map(|address| DatabaseOracle::open(address).map_err(|error| misuse(format!("--oracle-database: {error}"))));
    let ca = arguments.ca.as_ref().map(|file| {
        std::fs::read_to_string(file)
            .map_err(|error| misuse(format!("--ca {} cannot be read: {error}", file.display())))
            .and_then(|text| match text.contains("-----BEGIN CERTIFICATE-----") {
                true => Ok(text),
                false => Err(misuse(format!("--ca {} holds no certificate in PEM", file.display()))),
            })
    });
    Ok(Plan {
        target,
        account: Account { username, password: password(arguments)? },
        second: named(&arguments.second).transpose()?,
        reader: named(&arguments.reader).transpose()?,
        profile,
        drivers: drivers(arguments),
        journeys: arguments.journey.clone(),
        fabric: arguments.fabric.clone(),
        unreachable_fabric: arguments.unreachable_fabric.clone(),
        namespace: arguments.namespace.clone(),
        allow_sync: arguments.allow_sync,
        cluster: cluster.transpose()?,
        git: git.transpose()?,
        database: database.transpose()?,
        direct: arguments.direct.clone(),
        ca: ca.transpose()?,
        max_requests: arguments.max_requests,
        max_time: arguments.max_time,
        patience: arguments.patience,
        max_wait: arguments.max_wait,
        secrets: secrets(&arguments.secret)?,
        id: run_id(),
    })
}

/// Who walks; without a word about it, the driver that is always there.
fn drivers(arguments: &cli::Verify) -> Vec<DriverKind> {
    let named = arguments.driver.iter().map(|driver| match driver {
        VerifyDriver::Http => DriverKind::Http,
        VerifyDriver::Chromium => DriverKind::Chromium,
        VerifyDriver::Firefox => DriverKind::Firefox,
    });
    let named: Vec<DriverKind> = named.collect();
    let mut drivers: Vec<DriverKind> = Vec::new();
    for kind in named {
        if !drivers.contains(&kind) {
            drivers.push(kind);
        }
    }
    if drivers.is_empty() { vec![DriverKind::Http] } else { drivers }
}

/// Further secrets, each line of each file.
fn secrets(files: &[PathBuf]) -> anyhow::Result<Vec<(String, SecretString)>> {
    let mut all = Vec::new();
    for file in files {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| misuse(format!("--secret {shown} cannot be read: {error}")))?;
        let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty());
        if let Some((number, _)) = lines.clone().find(|(_, line)| line.len() < SHORTEST) {
            return Err(misuse(format!(
                "--secret {shown}: line {} has fewer than {SHORTEST} characters, and cannot be told from ordinary text; \
                 take it out of the file",
                number + 1
            )));
        }
        all.extend(lines.map(|(number, line)| (format!("line {} of {shown}", number + 1), line.into())));
    }
    Ok(all)
}

/// A random name for a run.
pub(crate) fn run_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..12].to_owned()
}

fn password(arguments: &cli::Verify) -> anyhow::Result<SecretString> {
    if let Some(file) = &arguments.password_file {
        return password_of(file);
    }
    if !arguments.password_stdin {
        return Err(misuse("say where the password comes from: --password-stdin or --password-file FILE"));
    }
    crate::password::given()
}

fn password_of(file: &Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| misuse(format!("the password cannot be read from {}: {error}", file.display())))?;
    one_line(&text, &file.display().to_string(), "password")
}

fn one_line(text: &str, place: &str, what: &str) -> anyhow::Result<SecretString> {
    // What some editors put before a text is no part of it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || line.contains('\n') {
        return Err(misuse(format!("{place} holds no {what}: one line is expected")));
    }
    Ok(line.into())
}

/// The folder for the evidence: new, or empty.
fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| misuse(format!("--output {shown} cannot be made: {error}")))?;
    let mut entries =
        std::fs::read_dir(path).map_err(|error| misuse(format!("--output {shown} cannot be read: {error}")))?;
    if entries.next().is_some() {
        return Err(misuse(format!("--output {shown} is not empty; the evidence of a run has a folder of its own")));
    }
    path.canonicalize().with_context(|| format!("cannot find {shown}"))
}

async fn walk(plan: Plan, folder: Option<PathBuf>, stop: &CancellationToken, mut told: Told) -> Run {
    let mut runner = Runner::new(Site::new(plan, folder));
    let ended = tokio::select! {
        ended = runner.walk(&mut told) => Some(ended),
        () = stop.cancelled() => None,
    };
    told.end();
    let interrupted = ended.is_none();
    // Also after Ctrl-C: what was planted is taken back, and sessions are ended.
    runner.clean().await;
    runner.finish(ended.flatten(), interrupted)
}

/// Says what a further signal does while a run that was interrupted cleans up, and ends it at the last.
fn leaving(name: &str, is_last: bool) {
    if is_last {
        complain(&format!(
            "{name} once more: ended at once. What the run planted in the cluster, and its sessions, may be left; the next run says so.\n"
        ));
        std::process::exit(i32::from(verify::verdict::RunVerdict::Interrupted.exit_code()));
    }
    complain(&format!(
        "{name} again: what was planted is being taken back and sessions are ended; once more leaves them.\n"
    ));
}

fn report(run: &Run, folder: Option<&Path>, json: bool) -> anyhow::Result<()> {
    if json {
        return Ok(output::json(run)?);
    }
    let mut said = format!("{}: {}\n", run.verdict.word(), run.sentence);
    if let Some(finding) = &run.finding {
        said.push_str(&format!("  expected  {}\n", finding.expected));
        // The sentence has it already, mostly.
        if !run.sentence.contains(&finding.observed) {
            said.push_str(&format!("  observed  {}\n", finding.observed));
        }
        let point = finding.failure_point.map(|point| format!(", failure point {point}")).unwrap_or_default();
        said.push_str(&format!(
            "  cause     {} (layer {}{point})\n  to do     {}\n",
            finding.cause.code(),
            finding.layer.word(),
            finding.what_to_do
        ));
    }
    if let Some(folder) = folder {
        said.push_str(&format!("  evidence  {}\n", folder.join(evidence::REPORT).display()));
    }
    Ok(output::text(&said)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_an_ordinary_word_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secrets");
        std::fs::write(&file, "a long secret\n\nabc\n").unwrap();
        let why = secrets(std::slice::from_ref(&file)).unwrap_err().to_string();
        assert!(why.contains("line 3 has fewer than 6 characters") && !why.contains("abc"), "{why}");
        std::fs::write(&file, "a long secret\n\nanother one\n").unwrap();
        assert_eq!(secrets(&[file]).unwrap().len(), 2);
    }
}
