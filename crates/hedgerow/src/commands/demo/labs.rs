//! The two lab clusters of the demo. Their identity (authority, token, the cluster's UID) is kept, so that a later start
//! meets the clusters that its fabrics remember; what is in them begins anew.

use crate::private_file;
use anyhow::Context as _;
use lab::demo::{self, DemoFabric, Seed};
use lab::{AgentTimings, Identity, Lab, Options};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Quick enough to be waited for at the start, slow enough to be seen at work.
const AGENTS: AgentTimings =
    AgentTimings { heartbeat: Duration::from_secs(15), apply_after: Duration::from_millis(800) };

/// One cluster, with the fabric that it is for.
pub(super) struct Cluster {
    /// Files, objects and name of the fabric.
    pub(super) fabric: DemoFabric,
    /// The running lab.
    pub(super) lab: Lab,
    kubeconfig: PathBuf,
}

/// The two clusters.
pub(super) struct Labs {
    /// Where something is to do.
    pub(super) east: Cluster,
    /// Where all is well.
    pub(super) west: Cluster,
}

impl Labs {
    /// Starts both, with what the installer once put into them.
    pub(super) async fn start(data: &Path) -> anyhow::Result<Self> {
        let folder = data.join("labs");
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self {
            east: Cluster::start(&folder, demo::east()).await?,
            west: Cluster::start(&folder, demo::west()).await?,
        })
    }

    /// The kubeconfig file to try things with.
    pub(super) fn kubeconfig(&self) -> &Path {
        &self.east.kubeconfig
    }

    /// Stops both.
    pub(super) async fn stop(self) {
        self.east.lab.stop().await;
        self.west.lab.stop().await;
    }
}

impl Cluster {
    async fn start(folder: &Path, fabric: DemoFabric) -> anyhow::Result<Self> {
        let identity = identity(&folder.join(format!("{}.json", fabric.name)))?;
        let options = Options { empty: true, identity: Some(identity), agents: AGENTS, ..Options::default() };
        let lab = Lab::start(options).await.with_context(|| format!("cannot start the lab of {}", fabric.name))?;
        let kubeconfig = folder.join(format!("{}.kubeconfig", fabric.name));
        private_file::write(&kubeconfig, lab.kubeconfig().as_bytes())?;
        let cluster = Self { fabric, lab, kubeconfig };
        cluster.load(|seed| !is_by_hand(seed))?;
        Ok(cluster)
    }

    /// Lets people at it: what was changed with kubectl.
    pub(super) fn drift(&self) -> anyhow::Result<()> {
        self.load(is_by_hand)
    }

    fn load(&self, which: impl Fn(&Seed) -> bool) -> anyhow::Result<()> {
        let seeds = self.fabric.seeds.iter().filter(|seed| which(seed));
        seeds
            .into_iter()
            .try_for_each(|seed| self.lab.load(seed.objects.iter().cloned(), seed.manager))
            .with_context(|| format!("cannot fill the lab of {}", self.fabric.name))
    }
}

/// Whether a person wrote it, not the installer.
fn is_by_hand(seed: &Seed) -> bool {
    seed.manager.starts_with("kubectl")
}

/// The identity of an earlier start, or a new one.
fn identity(path: &Path) -> anyhow::Result<Identity> {
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).with_context(|| format!("cannot understand {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let identity = Identity::generate(None).context("cannot make the identity of a lab")?;
            let text = serde_json::to_vec_pretty(&identity).context("cannot write down the identity of a lab")?;
            private_file::write(path, &text)?;
            Ok(identity)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_of_east_are_of_both_sorts() {
        let east = demo::east();
        let (by_hand, installed): (Vec<_>, Vec<_>) = east.seeds.iter().partition(|seed| is_by_hand(seed));
        assert!(!by_hand.is_empty() && installed.iter().any(|seed| seed.objects.iter().any(|o| o["kind"] == "VPC")));
        assert!(!demo::west().seeds.iter().any(is_by_hand), "nobody was at the cluster of west");
    }
}
