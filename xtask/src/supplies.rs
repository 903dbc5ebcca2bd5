//! `cargo xtask supplies`: what other people's code the program is made of. `deny.toml` says under which licences it may
//! stand, where it may come from, and what must not be there; cargo-deny holds it, without the network. Known
//! vulnerabilities are not looked up (docs/decisions/0016 says why).

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{run, workspace};
use crate::crates;

/// The version that `deny.toml` was written for.
const VERSION: &str = "0.20.2";

/// cargo-deny, built into the user's cache when it is not there yet.
pub fn ensure() -> Result<PathBuf> {
    crates::program("cargo-deny", VERSION)
}

/// Looks through everything in the lock file.
pub fn run_supplies() -> Result<()> {
    let mut deny = Command::new(ensure()?);
    deny.current_dir(workspace()).args(["--offline", "--locked", "check", "licenses", "bans", "sources"]);
    run(&mut deny).context("what others wrote cannot be used as it is; deny.toml says what may")
}
