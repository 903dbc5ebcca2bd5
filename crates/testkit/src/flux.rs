//! What Flux applies with, for the benchmark: a program of our own around Flux's library, built by
//! `cargo xtask setup --for bench` from `bench/flux`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::machine::{built, workspace};

/// The program; `None` where it was not built.
pub struct FluxApply(PathBuf);

impl FluxApply {
    /// Looks for the program.
    pub fn find() -> Result<Option<Self>> {
        let program = built("flux-apply", &workspace().join("bench/flux"), &["go.sum", "main.go"])?.join("flux");
        Ok(program.is_file().then_some(Self(program)))
    }

    /// Applies a file of manifests, and says how long the library took for it; what comes before is not in it.
    pub async fn apply(&self, kubeconfig: &Path, manifests: &Path) -> Result<Duration> {
        let mut command = Command::new(&self.0);
        command.arg(kubeconfig).arg(manifests);
        let done =
            tokio::process::Command::from(command).kill_on_drop(true).output().await.context("start flux-apply")?;
        let said = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "flux-apply ended with {}: {}", done.status, said.trim());
        let ms: f64 = String::from_utf8_lossy(&done.stdout).trim().parse().context("flux-apply prints milliseconds")?;
        Ok(Duration::from_secs_f64(ms / 1000.0))
    }
}
