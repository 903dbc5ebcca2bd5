//! What an engine may be told: intervals, limits and where it keeps its repositories.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a fabric's repository lives in the data folder. Who fills one before its first use asks here, too.
pub fn source_dir(data_dir: &Path, fabric_id: i64) -> PathBuf {
    data_dir.join("sources").join(format!("fabric-{fabric_id}.git"))
}

/// Settings of an engine. `hedgerow config` shows them with their origin.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder that holds one bare Git repository a fabric, under `sources/`.
    pub data_dir: PathBuf,
    /// Time between two background comparisons of a fabric.
    pub compare_interval: Duration,
    /// Background comparisons that work at once.
    pub parallel_comparisons: usize,
    /// Automatic syncs at once; what a person asks for does not count and does not wait.
    pub parallel_syncs: usize,
    /// Whether clusters are watched, so that a change is compared at once. Otherwise only the background comparison tells.
    pub watch: bool,
    /// Age at which evidence is too old to be called true.
    pub freshness: Duration,
    /// How long an operation's lease holds without a heartbeat.
    pub lease: Duration,
    /// How many operations run at once; twice as many may stand still besides, because their servers do not answer.
    pub parallel: usize,
    /// How often what fails in a way that passes is tried again in an operation.
    pub retries: u32,
    /// How long a sync follows the switches before it ends; the background comparison follows them further.
    pub rollout_wait: Duration,
    /// How long fetching the source may take.
    pub fetch_timeout: Duration,
    /// Whether `file://` sources are allowed.
    pub allow_file: bool,
    /// How often the console walks its own front door, for the metrics; not at all without.
    pub verify_every: Option<Duration>,
    /// Limits on calls to a cluster.
    pub cluster: cluster::Limits,
    /// Limits on what is read from a source.
    pub source: model::manifest::Limits,
}

impl Settings {
    /// The defaults, with the folder that holds the repositories.
    pub fn new(data_dir: PathBuf) -> Self {
        Self {
            data_dir,
            compare_interval: Duration::from_secs(60),
            parallel_comparisons: 8,
            parallel_syncs: 4,
            watch: true,
            freshness: Duration::from_secs(180),
            lease: Duration::from_secs(15),
            parallel: 64,
            retries: 3,
            rollout_wait: Duration::from_secs(15),
            fetch_timeout: Duration::from_secs(60),
            allow_file: false,
            verify_every: None,
            cluster: cluster::Limits::default(),
            source: model::manifest::Limits::default(),
        }
    }
}
