//! `hedgerow verify --every`: the same run again and again, until Ctrl-C or SIGTERM. When a run is due, what it leaves
//! behind, and who is told; what a run means to a monitor is `verify::monitor`.
//!
//! A run that takes longer than the interval delays the next one; what was missed is not made up. Telling somebody is a
//! task beside the runs, and a folder that cannot be written costs its evidence, not the monitor.

use super::{Told, misuse, one_line, walk};
use crate::cli;
use crate::client::complain;
use crate::metrics_listener::MetricsListener;
use crate::{output, server};
use anyhow::Context as _;
use secrecy::SecretString;
use serde::Serialize;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use verify::evidence;
use verify::evidence::sign::SigningKey;
use verify::monitor::{
    Alert, Event, Judged, Kept, QUIET, Row, Tally, Webhook, beyond, due, folder_name, is_folder_name,
};
use verify::results::Run;
use verify::site::Plan;

/// How long the end waits for somebody who is being told.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What the flags ask for, checked.
pub(super) struct Every {
    interval: Duration,
    metrics: Option<MetricsListener>,
    webhook: Option<Webhook>,
    alert_after: u32,
    keep: usize,
    folder: PathBuf,
    json: bool,
}

impl Every {
    /// Checks the flags, and takes the port for the metrics before anything is made.
    pub(super) fn new(arguments: &cli::Verify, interval: Duration) -> anyhow::Result<Self> {
        let metrics = arguments.metrics.map(|listen| MetricsListener::at(listen, "--metrics")).transpose();
        let metrics = metrics.map_err(|error| misuse(format!("{error:#}")))?;
        let webhook = webhook(arguments)?;
        let output = arguments.output.as_deref().unwrap_or(Path::new("."));
        Ok(Self {
            interval,
            metrics,
            webhook,
            alert_after: arguments.alert_after,
            keep: arguments.keep,
            folder: folder(output)?,
            json: arguments.json,
        })
    }
}

/// The journeys of a monitor that was told none: those that leave no trace, unless it may change something.
pub(super) fn journeys(arguments: &cli::Verify) -> Vec<String> {
    if arguments.journey.is_empty() && !arguments.allow_sync {
        return QUIET.map(str::to_owned).to_vec();
    }
    arguments.journey.clone()
}

fn webhook(arguments: &cli::Verify) -> anyhow::Result<Option<Webhook>> {
    let address = match (&arguments.webhook, &arguments.webhook_file) {
        (None, None) => return Ok(None),
        (Some(address), _) => SecretString::from(address.as_str()),
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| misuse(format!("--webhook-file {} cannot be read: {error}", file.display())))?;
            one_line(&text, &file.display().to_string(), "address")?
        }
    };
    Ok(Some(Webhook::new(&address).map_err(|error| misuse(error.to_string()))?))
}

/// The folder that the runs' folders are made in. It may hold older ones, and anything else.
fn folder(path: &Path) -> anyhow::Result<PathBuf> {
    let shown = path.display();
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| misuse(format!("--output {shown} cannot be made: {error}")))?;
    path.canonicalize().with_context(|| format!("cannot find {shown}"))
}

/// Runs until it is told to end.
pub(super) async fn run(plan: Plan, every: Every, key: Option<SigningKey>) -> anyhow::Result<ExitCode> {
    let stop = server::stop_on_signal()?;
    let Every { interval, metrics, webhook, alert_after, keep, folder, json } = every;
    let tally = Arc::new(Mutex::new(Tally::default()));
    if let Some(metrics) = metrics {
        announce(&metrics, json)?;
        answer(metrics, tally.clone(), interval, stop.clone());
    }
    let mut telling = JoinSet::new();
    let mut slots = tokio::time::interval(interval);
    slots.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            _ = slots.tick() => {}
        }
        let mut plan = plan.clone();
        plan.id = super::run_id();
        let redactor = verify::site::redactor(&plan);
        let place = folder.join(folder_name(jiff::Timestamp::now(), &plan.id));
        // Where no folder can be made the run is made all the same; only its evidence is missing.
        let made = std::fs::DirBuilder::new().mode(0o700).create(&place);
        let place = made.is_ok().then_some(place);
        if let Err(error) = made {
            complain(&format!("No folder for the evidence could be made in {}: {error}.\n", folder.display()));
        }
        let mut run = walk(plan, place.clone(), &stop, Told::quietly()).await;
        let is_written = place.as_ref().is_some_and(|place| {
            let written = evidence::write(&run, place, key.as_ref());
            written.map_err(|error| complain(&format!("The evidence could not be written down: {error}\n"))).is_ok()
        });
        // Nobody could be shown what it says.
        if !is_written {
            run.unwritten();
        }
        let judged = Judged::of(&run);
        // A monitor goes on whether or not somebody reads along.
        if let Err(error) = say(&run, judged.as_ref(), place.as_deref(), json) {
            complain(&format!("The result could not be printed: {error:#}\n"));
        }
        // Whoever ended the run ended the monitor.
        let Some(judged) = judged else { break };
        let (before, after) = {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            let before = tally.add(&judged);
            (before, tally.row)
        };
        if let (Some(event), Some(webhook)) = (due(before, after, alert_after), webhook.clone()) {
            let evidence = place.as_deref().map(|place| place.display().to_string());
            let alert =
                Alert::of(event, &judged, told_row(event, before, after), evidence.as_deref()).hidden(&redactor);
            telling.spawn(async move { (alert.event.clone(), webhook.send(&alert).await) });
        }
        while let Some(told) = telling.try_join_next() {
            report(told);
        }
        sweep(&folder, keep);
    }
    let last_words = async {
        while let Some(told) = telling.join_next().await {
            report(told);
        }
    };
    if tokio::time::timeout(LAST_WORDS, last_words).await.is_err() {
        complain("The end came before the webhook took what it was told.\n");
    }
    Ok(ExitCode::SUCCESS)
}

/// The row that an event is about: the one that is too long, or the one that is over.
fn told_row(event: Event, before: Row, after: Row) -> Row {
    match event {
        Event::Failing => after,
        Event::Recovered => before,
    }
}

fn announce(metrics: &MetricsListener, json: bool) -> anyhow::Result<()> {
    let url = format!("http://{}/metrics", metrics.address());
    if json {
        #[derive(Serialize)]
        struct Ready {
            metrics: String,
        }
        return Ok(output::json_line(&Ready { metrics: url })?);
    }
    Ok(output::text(&format!("metrics are at {url}\n"))?)
}

fn answer(metrics: MetricsListener, tally: Arc<Mutex<Tally>>, interval: Duration, stop: CancellationToken) {
    let text = move || {
        let text = tally.lock().unwrap_or_else(PoisonError::into_inner).exposition(interval);
        async move { text }
    };
    tokio::spawn(async move {
        if let Err(error) = metrics.answer(text, stop).await {
            complain(&format!("The metrics are not answered any more: {error:#}.\n"));
        }
    });
}

fn report(told: Result<(String, Result<(), verify::monitor::Undelivered>), tokio::task::JoinError>) {
    match told {
        Ok((_, Ok(()))) => {}
        Ok((event, Err(error))) => complain(&format!("Nobody was told ({event}): {error}\n")),
        Err(error) => complain(&format!("Nobody was told: {error}\n")),
    }
}

/// One line on standard output for each run: for a person, or as JSON.
fn say(run: &Run, judged: Option<&Judged>, folder: Option<&Path>, json: bool) -> anyhow::Result<()> {
    let folder = folder.map(|folder| folder.display().to_string());
    if json {
        #[derive(Serialize)]
        struct Line<'a> {
            #[serde(flatten)]
            run: Option<&'a Judged>,
            interrupted: bool,
            evidence: Option<String>,
        }
        return Ok(output::json_line(&Line { run: judged, interrupted: judged.is_none(), evidence: folder })?);
    }
    let at = run.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    let word = judged.map_or(run.verdict.word(), |judged| judged.verdict.word());
    let evidence = folder.map(|folder| format!("  {folder}")).unwrap_or_default();
    Ok(output::text(&format!("{at}  {word}: {}{evidence}\n", run.sentence))?)
}

/// Takes away the evidence beyond what is kept. Only folders that a monitor made are counted, and only those go.
fn sweep(folder: &Path, keep: usize) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let ours = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().into_string().ok()?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        (is_folder && is_folder_name(&name)).then_some(name)
    });
    let names: Vec<String> = ours.collect();
    // Their results are long; they are read when something has to go.
    if names.len() <= keep {
        return;
    }
    let runs = names.into_iter().map(|name| Kept { good: is_good(&folder.join(&name)), name });
    for gone in beyond(runs.collect(), keep) {
        let path = folder.join(&gone.name);
        if let Err(error) = std::fs::remove_dir_all(&path) {
            complain(&format!("{} could not be removed: {error}.\n", path.display()));
        }
    }
}

/// Whether a run was good, as its results say. What cannot be read was killed in the middle, and tells nothing.
fn is_good(folder: &Path) -> bool {
    let results = std::fs::read(folder.join(evidence::RESULTS));
    let run: Option<Run> = results.ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    run.is_none_or(|run| Judged::of(&run).is_none_or(|judged| judged.verdict.is_good()))
}
