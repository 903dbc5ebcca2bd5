//! What comes from crates.io as a program: built in a pinned version, once, into the user's cache. A debug build, which
//! is quick enough for what these do, without debug information, which would be four fifths of the file.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::command::{cache, cargo, run};

/// What drives Firefox in the tests, which read the same file. Debian has no package of it.
const GECKODRIVER: &str = include_str!("../../tests/geckodriver.version");

/// A program that is named as its package, built when it is not in the cache yet.
pub fn program(name: &str, version: &str) -> Result<PathBuf> {
    let folder = cache()?.join(format!("{name}-{version}"));
    let program = folder.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    println!("setup: building {name} {version} (once; a minute or two on two cores)");
    let mut install = cargo();
    install.args(["install", name, "--version", version, "--locked", "--debug", "--quiet", "--root"]).arg(&folder);
    run(install.env("CARGO_PROFILE_DEV_DEBUG", "false")).with_context(|| format!("build {name}"))?;
    ensure!(program.is_file(), "cargo installed {name}, and {} is not there", program.display());
    Ok(program)
}

/// geckodriver.
pub fn geckodriver() -> Result<PathBuf> {
    program("geckodriver", GECKODRIVER.trim())
}
