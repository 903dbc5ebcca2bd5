//! Going back in time: what is stored is put aside and put back later, as an operator does with a backup. Objects are
//! then as they were, and resource versions go on from where they were then, so that each may be used twice.

use anyhow::{Context, Result};

use super::{ControlPlane, settings};
use crate::process::run;

/// What was stored at one moment; good for the control plane that it was taken of.
#[derive(Debug)]
pub struct Snapshot {
    folder: std::path::PathBuf,
}

impl ControlPlane {
    /// Puts aside what is stored now. The API server is away for that time.
    pub async fn snapshot(&mut self) -> Result<Snapshot> {
        let folder = self.folder.join("etcd.put-aside");
        self.stop_all();
        self.copy(&self.folder.join("etcd"), &folder).await?;
        self.start_all().await?;
        Ok(Snapshot { folder })
    }

    /// Puts back what was stored then.
    pub async fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        self.stop_all();
        self.copy(&snapshot.folder, &self.folder.join("etcd")).await?;
        self.start_all().await
    }

    fn stop_all(&mut self) {
        self.stop_api_server();
        if let Some(mut etcd) = self.etcd.take() {
            etcd.kill();
        }
    }

    async fn start_all(&mut self) -> Result<()> {
        // A socket that its process left behind is not one that somebody listens to.
        for socket in ["etcd.sock", "peer.sock"] {
            let _ = std::fs::remove_file(self.folder.join(socket));
        }
        self.etcd = Some(settings::start_etcd(&settings::programs()?.join("etcd"), &self.folder).await?);
        self.start_api_server().await?;
        self.ready_to_use().await
    }

    async fn copy(&self, from: &std::path::Path, to: &std::path::Path) -> Result<()> {
        if to.exists() {
            std::fs::remove_dir_all(to).with_context(|| format!("remove {}", to.display()))?;
        }
        let mut copy = std::process::Command::new("cp");
        copy.arg("-a").arg(from).arg(to);
        run("copy what etcd stores", &mut copy).await.map(drop)
    }
}
