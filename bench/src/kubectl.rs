//! What an operator would do without Hedgerow: kubectl, or Flux, with a file of manifests.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use testkit::{ControlPlane, FluxApply};

/// kubectl with one file of manifests.
pub struct Kubectl {
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Kubectl {
    /// Writes the manifests to a file, and lets kubectl discover the cluster: it keeps what it finds.
    pub async fn new(plane: &ControlPlane, objects: &[Value]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let documents = objects.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>()?;
        let file = folder.path().join("objects.yaml");
        std::fs::write(&file, documents.join("---\n"))?;
        plane.kubectl(&["get", "vpcs", "--namespace=default"]).await?;
        Ok(Self { file, folder })
    }

    /// `kubectl apply --server-side`.
    pub async fn apply(&self, plane: &ControlPlane) -> Result<Duration> {
        self.run(plane, &["apply", "--server-side"]).await
    }

    /// `kubectl diff --server-side`, which finds no difference.
    pub async fn diff(&self, plane: &ControlPlane) -> Result<Duration> {
        self.run(plane, &["diff", "--server-side"]).await
    }

    /// What Flux's library takes for the same file.
    pub async fn flux(&self, flux: &FluxApply, plane: &ControlPlane) -> Result<Duration> {
        let kubeconfig = self.folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, plane.kubeconfig_admin())?;
        flux.apply(&kubeconfig, &self.file).await
    }

    async fn run(&self, plane: &ControlPlane, verb: &[&str]) -> Result<Duration> {
        let file = self.file.to_str().context("a temp folder that is no UTF-8")?;
        let args = [verb, &["--filename", file]].concat();
        let start = Instant::now();
        let output = plane.kubectl_output(&args, None).await?;
        let took = start.elapsed();
        ensure!(
            output.status.success(),
            "kubectl {verb:?} in {}: {} {}",
            self.folder.path().display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(took)
    }
}
