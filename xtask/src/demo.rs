//! `cargo xtask demo`: from a fresh clone to an address to open.
//!
//! The build is of the dev profile: on two cores it takes some three minutes instead of ten, its dependencies are the
//! ones that the tests are built with, and what would be slow without optimisation (hashing passwords) is optimised
//! there too. `--release` is for whoever wants to see how fast it is.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::command::{built, cargo, run, words};
use crate::setup::{Purpose, run_for};

/// Sets up, builds, and becomes `hedgerow demo`.
pub fn run_demo(args: &[String]) -> Result<ExitCode> {
    run_for(Purpose::Demo)?;
    let release = args.iter().any(|word| word == "--release");
    // Not `-p hedgerow`: the features of shared libraries, and so their builds, are those of the whole workspace.
    let mut build = cargo();
    build.args(["build", "--workspace", "--bin", "hedgerow"]);
    let mut folder = built()?;
    if release {
        build.arg("--release");
        folder = folder.with_file_name("release");
    }
    run(&mut build)?;
    let mut demo = Command::new(folder.join("hedgerow"));
    demo.arg("demo").args(args.iter().filter(|word| *word != "--release"));
    eprintln!("+ {}", words(&demo));
    // In place of ourselves, so that Ctrl-C reaches it and nothing else.
    Err(demo.exec()).with_context(|| format!("cannot run {}", words(&demo)))
}
