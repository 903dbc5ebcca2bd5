//! `cargo xtask scripts`: the browser modules are plain JavaScript with types in their comments; TypeScript's compiler
//! reads both and writes nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{run, workspace};
use crate::npm;

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
    let compiler = npm::package("typescript", TYPESCRIPT, "bin/tsc")?.join("bin/tsc");
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
