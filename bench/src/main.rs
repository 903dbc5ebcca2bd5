//! The side-by-side benchmark: what the engine takes, as a ratio to what the bare requests and kubectl take, in one run
//! on one real kube-apiserver. See README.md beside this package.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program whose result is what it prints")]

mod bare;
mod kubectl;
mod objects;
mod report;
mod rounds;
mod subject;
mod watch;

use anyhow::{Context, Result};
use bare::Bare;
use clap::Parser;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;
use testkit::ControlPlane;

/// The program's own allocator, because the engine is measured in this process.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Measures the engine beside the bare loops and kubectl, and prints ratios.
#[derive(Parser)]
struct Options {
    /// How often everything is measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Objects that are compared; 0 leaves the comparisons out
    #[arg(long, default_value_t = 10_000)]
    compare: usize,
    /// Objects that are synced; 0 leaves the syncs out
    #[arg(long, default_value_t = 1_000)]
    apply: usize,
    /// Calls under way at once, of the engine and of the bare loops; without it, as many as the engine has by default
    #[arg(long)]
    at_once: Option<usize>,
    /// `kubectl diff` is asked about each so-many-th object, and its time multiplied; 0 leaves it out
    #[arg(long, default_value_t = 10)]
    diff_each: usize,
    /// Objects that are watched while some change each second; 0 leaves that out
    #[arg(long, default_value_t = 0)]
    watch: usize,
    /// Of the watched objects one in so many changes each second
    #[arg(long, default_value_t = 100)]
    one_in: usize,
    /// For how many minutes they change
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Also writes everything that was measured to this file
    #[arg(long)]
    json: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    anyhow::ensure!(options.rounds > 0, "--rounds must be at least 1");
    let crds = lab::kinds::crds();
    let mut plane = ControlPlane::start().await?;
    plane.install_crds(&crds).await?;
    let bare = Bare::new(&plane, &crds)?;
    warm_up(&bare).await?;
    progress("the control plane is ready");

    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let version = plane.client()?.request("GET", "/version", None).await?.success("ask the version")?;
    let server = version["gitVersion"].as_str().unwrap_or_default();
    let (processor, memory) = machine();
    let mut report = Report {
        setting: vec![format!(
            "{cores} cores ({processor}) and {memory} MiB of memory, shared with kube-apiserver {server} and etcd; load before {}; {} rounds{}",
            load(),
            options.rounds,
            if cfg!(debug_assertions) { "; DEBUG BUILD, its figures mean nothing" } else { "" }
        )],
        rows: Vec::new(),
        breakdowns: Vec::new(),
        watched: None,
    };
    if options.apply > 0 {
        let (rows, breakdowns) = rounds::syncs(&mut plane, &bare, &options).await?;
        report.rows.extend(rows);
        report.breakdowns.extend(breakdowns);
    }
    if options.compare > 0 {
        let (rows, breakdowns) = rounds::comparisons(&mut plane, &bare, &options, &mut report.setting).await?;
        report.rows.extend(rows);
        report.breakdowns.extend(breakdowns);
    }
    if options.watch > 0 {
        let time = Duration::from_secs_f64(options.minutes * 60.0);
        let wanted = watch::Options { objects: options.watch, one_in: options.one_in.max(1), time };
        report.watched = Some(watch::watch(&mut plane, &bare, &wanted).await?);
    }
    report.setting.push(format!("load after {}", load()));
    println!("{}", report.text());
    if let Some(file) = &options.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
    }
    Ok(())
}

impl Options {
    fn at_once(&self) -> usize {
        self.at_once.unwrap_or_else(|| subject::settings(PathBuf::new()).cluster.concurrency)
    }
}

/// A new API server is slow at first: connections, caches, code that never ran.
async fn warm_up(bare: &Bare) -> Result<()> {
    bare.create(&objects::objects(400)?, 16).await?;
    for _ in 0..3 {
        bare.list(8).await?;
    }
    Ok(())
}

fn progress(what: &str) {
    eprintln!("{what}");
}

/// The name of the processor, and how much memory there is.
fn machine() -> (String, u64) {
    let line = |file: &str, start: &str| -> Option<String> {
        let text = std::fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| Some(line.strip_prefix(start)?.split_once(':')?.1.trim().to_owned()))
    };
    let processor = line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = line("/proc/meminfo", "MemTotal").and_then(|kib| kib.split_whitespace().next()?.parse::<u64>().ok());
    (processor, memory.unwrap_or(0) / 1024)
}

/// The machine's load, because other work on it spoils times (less so ratios).
fn load() -> String {
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    load.split_whitespace().next().unwrap_or("unknown").to_owned()
}
