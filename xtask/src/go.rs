//! Programs that are built from their Go modules and kept in the user's cache under the hash of what they are made of.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::command::{cache, find, output, run};

/// What programs are built from: a folder with `go.mod` and `go.sum`.
pub struct Recipe {
    /// The name of the folder in the cache.
    pub name: &'static str,
    /// Where the recipe lies.
    pub folder: PathBuf,
    /// Its own sources, which the hash covers besides `go.sum`.
    pub sources: &'static [&'static str],
}

impl Recipe {
    /// The folder in the cache that holds these programs, built if need be: beside the place and moved there in one
    /// step, so that a build that was interrupted is never taken for one.
    pub fn ensure(&self, programs: &[&str], build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let is_complete = |folder: &Path| programs.iter().all(|program| folder.join(program).is_file());
        let all = cache()?.join(self.name);
        let folder = all.join(self.hash()?);
        if is_complete(&folder) {
            return Ok(folder);
        }
        fs::create_dir_all(&all).with_context(|| format!("make {}", all.display()))?;
        // Two checkouts may ask at once: the second waits, and finds it done. The lock ends with its process.
        let lock = File::create(all.join("lock")).context("make the lock of the build")?;
        lock.lock().context("wait for another build of the same")?;
        if is_complete(&folder) {
            return Ok(folder);
        }
        check_go()?;
        let (started, beside) = (Instant::now(), folder.with_extension("building"));
        let _ = fs::remove_dir_all(&beside);
        fs::create_dir_all(&beside).with_context(|| format!("make {}", beside.display()))?;
        build(&beside)?;
        ensure!(is_complete(&beside), "the build left no {programs:?} in {}", beside.display());
        let _ = fs::remove_dir_all(&folder);
        fs::rename(&beside, &folder).with_context(|| format!("move the build to {}", folder.display()))?;
        println!("setup: built {} in {} s", self.name, started.elapsed().as_secs());
        Ok(folder)
    }

    fn hash(&self) -> Result<String> {
        let mut hash = Sha256::new();
        for file in std::iter::once(&"go.sum").chain(self.sources) {
            let path = self.folder.join(file);
            hash.update(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// `go build` of a package, or of the tools that a module names (`tool`), into a folder.
pub fn build(recipe: &Path, into: &Path, linker_flags: &str, package: &str) -> Result<()> {
    let mut go = Command::new("go");
    go.current_dir(recipe).env("CGO_ENABLED", "0").env_remove("GOFLAGS");
    go.args(["build", "-mod=readonly", "-trimpath", "-ldflags", linker_flags, "-o"]);
    go.arg(format!("{}/", into.display())).arg(package);
    run(&mut go)
}

/// Go 1.21 is the first that fetches the version which a go.mod asks for.
fn check_go() -> Result<()> {
    if find("go").is_none() {
        bail!("Go is not on the PATH; it builds the Kubernetes API server of the tests (1.26 or newer)");
    }
    let said = output(Command::new("go").args(["env", "GOVERSION"]))?;
    let minor = said.trim().strip_prefix("go1.").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    ensure!(minor.is_none_or(|minor| minor >= 21), "{} is too old: 1.26 or newer is needed", said.trim());
    Ok(())
}
