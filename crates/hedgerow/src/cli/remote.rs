//! The flags of what asks a console from any machine.

use super::*;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Which console is asked, and about which fabric.
#[derive(Debug, Clone, Args)]
pub(crate) struct Remote {
    /// Number or name of the fabric
    #[arg(value_name = "FABRIC")]
    pub(crate) fabric: String,
    /// Address of the console [env: HEDGEROW_SERVER]
    #[arg(long, value_name = "URL", env = "HEDGEROW_SERVER", hide_env = true, help_heading = "Server")]
    pub(crate) server: String,
    /// Read the API token from this file, and not from HEDGEROW_TOKEN
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) token_file: Option<PathBuf>,
    /// Trust the certificates of this PEM file and what they issued, and nothing else
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) ca: Option<PathBuf>,
    /// Allow plain HTTP beyond this machine; the token then crosses the network in clear
    #[arg(long, help_heading = "Server")]
    pub(crate) allow_http: bool,
    /// Stop waiting after this long, for example 90s or 15m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Print one JSON document, and nothing else on standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// Make a fabric's cluster equal to Git, from any machine
///
/// Presses Sync to Kubernetes at the console with an API token, and follows it to its end. An answer that is lost is asked
/// for again, and nothing runs twice. Ctrl-C ends this command; the operation goes on.
///
/// Exit codes: 0 done and verified, 1 a dry run that would change something, 2 failed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow sync lab --server https://hedgerow.example.net --token-file token
  HEDGEROW_TOKEN=nbt_... hedgerow sync lab --server https://hedgerow.example.net --dry-run --json")]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Ask what would happen, and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete what Git no longer names, as far as the fabric's policy allows it
    #[arg(long)]
    pub(crate) prune: bool,
    /// The fabric's name, where much would be deleted and the console wants it typed
    #[arg(long, value_name = "NAME", requires = "prune")]
    pub(crate) confirm_prune: Option<String>,
}

/// Show what Git and a fabric's cluster have different, from any machine
///
/// Fetches and compares first, as the button Sync from Git does. Who may only look sees the comparison that is stored, and
/// is told of when it is.
///
/// Exit codes: 0 in sync, 1 something differs, 2 failed or not known.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow diff lab --server https://hedgerow.example.net
  hedgerow diff lab --server https://hedgerow.example.net --no-refresh --json")]
pub(crate) struct Diff {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// Show the comparison that is stored, and make none
    #[arg(long)]
    pub(crate) no_refresh: bool,
}

/// Wait until a fabric is in sync, from any machine
///
/// Exit codes: 0 it is, 2 failed, or it did not come to that in time.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  hedgerow wait lab --server https://hedgerow.example.net --timeout 15m
  hedgerow wait lab --server https://hedgerow.example.net --for operation-end")]
pub(crate) struct Wait {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// What to wait for
    #[arg(long = "for", value_name = "WHAT", value_enum, default_value = "in-sync")]
    pub(crate) awaited: Awaited,
}

/// What `hedgerow wait` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Awaited {
    /// The cluster equals Git
    #[value(alias = "in_sync")]
    InSync,
    /// In sync, and the switches run it
    Applied,
    /// Nothing writes to the fabric any more
    #[value(alias = "operation_end")]
    OperationEnd,
}
