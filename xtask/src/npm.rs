//! What comes from npm: packages by name and pinned version, into the user's cache, so that the checkout has no
//! `node_modules`.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{cache, find, run};

/// The rules of accessibility that the browser journeys check pages by. The tests read the same file.
const AXE: &str = include_str!("../../tests/axe-core.version");

/// The provider that the journeys log in by. The tests read the same file.
const OIDC: &str = include_str!("../../tests/oidc-provider.version");

/// The folder of a package, fetched when it is not in the cache yet. `witness` is a file that a whole one has.
pub fn package(name: &str, version: &str, witness: &str) -> Result<PathBuf> {
    let folder = cache()?.join(format!("{name}-{version}"));
    let package = folder.join("node_modules").join(name);
    if package.join(witness).is_file() {
        return Ok(package);
    }
    for program in ["node", "npm"] {
        ensure!(
            find(program).is_some(),
            "{program} is not on this machine; `cargo xtask setup --for tests` installs it"
        );
    }
    println!("setup: fetching {name} {version} with npm");
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--prefix"]);
    run(npm.arg(&folder).arg(format!("{name}@{version}"))).with_context(|| format!("fetch {name}"))?;
    ensure!(package.join(witness).is_file(), "npm fetched {name} {version}, and {witness} is not in it");
    Ok(package)
}

/// axe-core, which the browser journeys run in every page.
pub fn axe() -> Result<PathBuf> {
    package("axe-core", AXE.trim(), "axe.min.js")
}

/// oidc-provider, which the journeys log in by.
pub fn oidc() -> Result<PathBuf> {
    package("oidc-provider", OIDC.trim(), "lib/index.js")
}
