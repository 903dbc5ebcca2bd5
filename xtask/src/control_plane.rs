//! The real Kubernetes API of the tests: etcd, kube-apiserver and kubectl, built from their Go modules.
//!
//! No registry offers the programs, but all three are Go modules; `tests/control-plane/go.mod` is the whole recipe. The
//! result is kept in the user's cache under the hash of `go.sum`: five minutes on two cores, once for each version.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::command::workspace;
use crate::go;

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
    let recipe = go::Recipe { name: "control-plane", folder: workspace().join("tests/control-plane"), sources: &[] };
    recipe.ensure(&PROGRAMS, |beside| build(&recipe.folder, beside))
}

fn build(recipe: &Path, beside: &Path) -> Result<()> {
    let version = kubernetes_version(recipe)?;
    println!("setup: building etcd and Kubernetes {version} (once; about five minutes on two cores)");
    let mut parts = version.trim_start_matches('v').split('.');
    let (major, minor) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let base = "k8s.io/component-base/version";
    let flags = format!(
        "-s -w -X {base}.gitVersion={version} -X {base}.gitMajor={major} -X {base}.gitMinor={minor} \
         -X {base}.gitTreeState=clean"
    );
    go::build(recipe, beside, &flags, "tool").context("build the control plane")?;
    fs::rename(beside.join("server"), beside.join("etcd")).context("give etcd its name")
}

/// The version that go.mod requires, which the programs then say they are.
fn kubernetes_version(recipe: &Path) -> Result<String> {
    let text = fs::read_to_string(recipe.join("go.mod")).context("read tests/control-plane/go.mod")?;
    let version = text.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "));
    let version = version.and_then(|rest| rest.split_whitespace().next());
    Ok(version.context("tests/control-plane/go.mod requires no k8s.io/kubernetes")?.to_owned())
}
