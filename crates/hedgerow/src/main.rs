//! The program `hedgerow`. This file starts the command and turns its end into an exit code; `cli.rs` defines the
//! command line, `commands/` holds one file a sub-command, `settings/` every setting.
//!
//! Errors: `anyhow` here and only here, each with the context of what was being done; the libraries below have typed
//! errors of their own. Exit codes: 0 done, 1 failed, 2 called or configured wrongly; the
//! commands that ask a console end with 1 where something differs, and with 2 for every failure (`client/verdict.rs`).

mod backup;
mod cli;
mod client;
mod commands;
mod console;
mod data_dir;
mod database;
mod logging;
mod metrics_listener;
mod monitor;
mod output;
mod password;
mod private_file;
mod server;
mod settings;

use std::io::Write as _;
use std::process::ExitCode;

/// What comparisons take for a moment is given back to the system by a thread of the allocator's own, and few arenas keep
/// what lives long together: of a server that watches ten thousand objects mimalloc keeps twice as much, the C library's
/// allocator four times. SQLite, which is C, gets its memory here too. `.cargo/config.toml` sets it up.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = cli::parse();
    let error = match commands::run(cli.command) {
        Ok(code) => return code,
        Err(error) => error,
    };
    // Who closed our output, as `head` does, has seen enough.
    let is_broken_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    if error.downcast_ref().is_some_and(is_broken_pipe) {
        return ExitCode::SUCCESS;
    }
    // Standard error may be closed, too; there is nobody left to tell then.
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    if error.is::<settings::Problems>() || error.is::<Misuse>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}

/// The program was called or configured in a way that cannot work; the text says what to do instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Misuse(String);
