//! `cargo xtask scripts`: the browser modules are plain JavaScript with types in their comments; TypeScript's compiler
//! reads both and writes nothing. It comes from npm into the user's cache, so that the checkout has no `node_modules`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{cache, find, run, workspace};

/// Pinned, because a newer compiler may find more.
const TYPESCRIPT: &str = "7.0.2";

/// Checks every module under `crates/web/static`.
pub fn run_scripts() -> Result<()> {
    let mut modules = Vec::new();
    collect(&workspace().join("crates/web/static"), &mut modules)?;
    modules.sort();
    if modules.is_empty() {
        println!("crates/web/static has no modules");
        return Ok(());
    }
    for program in ["node", "npm"] {
        if find(program).is_none() {
            bail!("{program} is not on this machine; `cargo xtask setup --for ci` installs it");
        }
    }
    let folder = cache()?.join(format!("typescript-{TYPESCRIPT}"));
    let compiler = folder.join("node_modules/typescript/bin/tsc");
    if !compiler.is_file() {
        println!("setup: fetching TypeScript {TYPESCRIPT} with npm");
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "--prefix"]);
        run(npm.arg(&folder).arg(format!("typescript@{TYPESCRIPT}"))).context("fetch TypeScript")?;
    }
    let mut tsc = Command::new("node");
    tsc.current_dir(workspace()).arg(&compiler);
    tsc.args(["--noEmit", "--allowJs", "--checkJs", "--strict", "--noUnusedLocals", "--noImplicitReturns"]);
    tsc.args(["--target", "es2023", "--module", "es2022", "--moduleResolution", "bundler"]);
    tsc.args(["--lib", "es2023,dom,dom.iterable", "--types", ""]);
    run(tsc.args(&modules))?;
    println!("{} browser modules are sound", modules.len());
    Ok(())
}

fn collect(folder: &Path, modules: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.with_context(|| format!("read {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, modules)?;
        } else if path.extension().is_some_and(|extension| extension == "js" || extension == "mjs") {
            modules.push(path);
        }
    }
    Ok(())
}
