//! `cargo xtask`: the project's own commands. It finds or installs what the project needs, runs the demo, runs every
//! test, and keeps the generated reference fresh. Standard library and a few small libraries only: it is compiled
//! before anything else can be said.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to its terminal")]

mod command;
mod control_plane;
mod crates;
mod demo;
mod docs;
mod flux;
mod go;
mod npm;
mod scripts;
mod setup;
mod supplies;
mod tests;

use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
The project's own commands. Each does the set-up that it needs first.

Usage: cargo xtask <COMMAND>

  demo [ARGS]        Build hedgerow and run `hedgerow demo ARGS`. Needs Rust, a C compiler and git.
                     With --release in front, as an optimised build (the first one takes long).
  test [ARGS]        Run every test. ARGS go to `cargo test`, for example `-p store` or `-- --nocapture`.
  setup [--for WHAT] Only find or install what WHAT needs: demo, tests (the default), ci, or bench.
  docs [--check]     Write docs/reference from the binary; with --check, fail when it is stale.
  scripts            Check the types of the browser modules with TypeScript's compiler.
  supplies           Check licences and sources of other people's code with cargo-deny.
  help               Print this.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result<ExitCode> {
    let (command, rest) = words.split_first().map_or(("help", words), |(first, rest)| (first.as_str(), rest));
    match command {
        "demo" => demo::run_demo(rest),
        "test" => tests::run_tests(rest),
        "setup" => setup::run(setup::Purpose::parse(rest)?).map(|()| ExitCode::SUCCESS),
        "docs" => docs::run_docs(rest).map(|()| ExitCode::SUCCESS),
        "scripts" => scripts::run_scripts().map(|()| ExitCode::SUCCESS),
        "supplies" => supplies::run_supplies().map(|()| ExitCode::SUCCESS),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("there is no command {other:?}; `cargo xtask help` lists them"),
    }
}
