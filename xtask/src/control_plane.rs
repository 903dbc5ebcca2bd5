//! The real Kubernetes API of the tests: etcd, kube-apiserver and kubectl, built from their Go modules.
//!
//! No registry offers the programs, but all three are Go modules; `tests/control-plane/go.mod` is the whole recipe. The
//! result is kept in the user's cache under the hash of `go.sum`: five minutes on two cores, once for each version.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::command::{cache, find, output, run, workspace};

/// What the tests look for in the folder.
const PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];

/// The folder with the three programs, built if need be. `KUBEBUILDER_ASSETS`, the convention of controller tests,
/// comes first.
pub fn ensure() -> Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty()) {
        let folder = PathBuf::from(folder);
        for program in PROGRAMS {
            let is_here = folder.join(program).is_file();
            ensure!(is_here, "KUBEBUILDER_ASSETS names {}, which holds no {program}", folder.display());
        }
        return Ok(folder);
    }
    let recipe = workspace().join("tests/control-plane");
    let sum = fs::read(recipe.join("go.sum")).context("read tests/control-plane/go.sum")?;
    let hash: String = Sha256::digest(sum).iter().map(|byte| format!("{byte:02x}")).collect();
    let all = cache()?.join("control-plane");
    let folder = all.join(&hash);
    if is_complete(&folder) {
        return Ok(folder);
    }
    fs::create_dir_all(&all).with_context(|| format!("make {}", all.display()))?;
    // Two checkouts may ask at once: the second waits, and finds it done. The lock ends with its process.
    let lock = File::create(all.join("lock")).context("make the lock of the control plane's build")?;
    lock.lock().context("wait for another build of the control plane")?;
    if !is_complete(&folder) {
        build(&recipe, &all.join(format!("{hash}.building")), &folder)?;
    }
    Ok(folder)
}

fn is_complete(folder: &Path) -> bool {
    PROGRAMS.iter().all(|program| folder.join(program).is_file())
}

/// Builds beside the place and moves there in one step, so that a build that was interrupted is never taken for one.
fn build(recipe: &Path, beside: &Path, folder: &Path) -> Result<()> {
    check_go()?;
    let version = kubernetes_version(recipe)?;
    println!("setup: building etcd and Kubernetes {version} (once; about five minutes on two cores)");
    let _ = fs::remove_dir_all(beside);
    fs::create_dir_all(beside).with_context(|| format!("make {}", beside.display()))?;
    let started = Instant::now();
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let base = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {base}.gitVersion={version} -X {base}.gitMajor={major} -X {base}.gitMinor={minor} \
         -X {base}.gitTreeState=clean"
    );
    let mut go = Command::new("go");
    go.current_dir(recipe).env("CGO_ENABLED", "0").env_remove("GOFLAGS");
    go.args(["build", "-mod=readonly", "-trimpath", "-ldflags", &flags, "-o"]);
    go.arg(format!("{}/", beside.display())).arg("tool");
    run(&mut go).context("build the control plane")?;
    fs::rename(beside.join("server"), beside.join("etcd")).context("give etcd its name")?;
    ensure!(is_complete(beside), "the build left no {PROGRAMS:?} in {}", beside.display());
    let _ = fs::remove_dir_all(folder);
    fs::rename(beside, folder).with_context(|| format!("move the control plane to {}", folder.display()))?;
    println!("setup: built the control plane in {} s", started.elapsed().as_secs());
    Ok(())
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

/// The version that go.mod requires, which the programs then say they are.
fn kubernetes_version(recipe: &Path) -> Result<String> {
    let text = fs::read_to_string(recipe.join("go.mod")).context("read tests/control-plane/go.mod")?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    let version = version.and_then(|rest| rest.split_whitespace().next());
    Ok(version.context("tests/control-plane/go.mod requires no k8s.io/kubernetes")?.to_owned())
}
