//! `cargo xtask docs`: the reference pages are what the program says of itself, so they cannot lie; they can be stale,
//! which `--check` finds.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{built, cache, cargo, output, run, workspace};

/// What a run of all cells of the matrix writes, and its test compares.
const OF_THE_MATRIX: &str = "faults.md";

/// Writes `docs/reference`, or compares it with what would be written.
pub fn run_docs(args: &[String]) -> Result<()> {
    let check = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => bail!("use: cargo xtask docs [--check]"),
    };
    run(cargo().args(["build", "--workspace", "--bin", "hedgerow"]))?;
    let fresh = cache()?.join(format!("reference-{}", std::process::id()));
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).with_context(|| format!("make {}", fresh.display()))?;
    let written = write(&fresh, check);
    let _ = fs::remove_dir_all(&fresh);
    written
}

fn write(fresh: &Path, check: bool) -> Result<()> {
    output(Command::new(built()?.join("hedgerow")).args(["reference", "--output"]).arg(fresh))
        .context("write the reference")?;
    let folder = workspace().join("docs/reference");
    let (wanted, mut found) = (pages(fresh)?, pages(&folder)?);
    found.remove(OF_THE_MATRIX);
    let mut names: Vec<&String> = wanted.keys().chain(found.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| wanted.get(*name) != found.get(*name));
    if check {
        for name in &names {
            println!("stale: docs/reference/{name}");
        }
        if !names.is_empty() {
            bail!("docs/reference is stale: run `cargo xtask docs` and commit what it writes");
        }
        println!("docs/reference is fresh ({} pages)", wanted.len());
        return Ok(());
    }
    fs::create_dir_all(&folder).context("make docs/reference")?;
    for name in names {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("make {}", parent.display()))?;
        }
        match wanted.get(name) {
            Some(text) => fs::write(&path, text).with_context(|| format!("write {}", path.display()))?,
            None => fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?,
        }
        println!("docs/reference/{name}: {}", if wanted.contains_key(name) { "written" } else { "removed" });
    }
    Ok(())
}

/// The files below a folder by their place in it; one that does not exist has none.
fn pages(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten() {
            let path = entry.with_context(|| format!("read {}", next.display()))?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            pages.insert(name, fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the file of this test is, or lies in, a module of that name.
    fn is_in(module: &str, path: &str) -> bool {
        let parts = path.trim_end_matches(".rs").split('/');
        parts.into_iter().any(|part| part == module)
    }

    #[test]
    fn every_test_that_the_page_on_security_names_is_there() {
        let page = fs::read_to_string(workspace().join("docs/security.md")).unwrap();
        let mut sources = pages(&workspace().join("crates")).unwrap();
        sources.extend(pages(&workspace().join("tests")).unwrap());
        sources.retain(|path, _| path.ends_with(".rs"));
        let rows: Vec<&str> =
            page.lines().filter(|line| line.matches('|').count() == 4 && line.contains("::")).collect();
        assert!(rows.len() > 30, "{} rows", rows.len());
        let mut missing = Vec::new();
        for row in rows {
            let named = row.rsplit('|').nth(1).unwrap_or_default();
            for test in named.split('`').skip(1).step_by(2) {
                let (module, name) = test.split_once("::").unwrap_or((test, ""));
                let written = format!("fn {name}(");
                let is_there = sources
                    .iter()
                    .any(|(path, text)| is_in(module, path) && String::from_utf8_lossy(text).contains(&written));
                if !is_there {
                    missing.push(test);
                }
            }
        }
        assert_eq!(missing, Vec::<&str>::new(), "docs/security.md names tests that are not there");
    }
}
