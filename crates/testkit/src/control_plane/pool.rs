//! A few control planes for many tests: started once, handed out to one test at a time, emptied in between.
//!
//! One takes 350 MB and a good part of a core while it starts, so there are at most [`MOST`] on a machine, whatever
//! number of test processes run: each holds a lock on a slot file in the temp folder.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{ControlPlane, eventually};

/// How many pooled control planes there are at once on a machine.
pub const MOST: usize = 2;

/// A test waits for its turn; that may be long, because tests that use a cluster are.
const TURN_WITHIN: Duration = Duration::from_secs(20 * 60);

static TURNS: LazyLock<std::sync::Arc<Semaphore>> = LazyLock::new(|| std::sync::Arc::new(Semaphore::new(MOST)));
static IDLE: Mutex<Vec<Pooled>> = Mutex::new(Vec::new());

struct Pooled {
    control_plane: ControlPlane,
    _slot: File,
}

/// A control plane that is the caller's alone until this is dropped.
pub struct Lease {
    pooled: Option<Pooled>,
    _turn: OwnedSemaphorePermit,
}

impl ControlPlane {
    /// Takes an empty control plane from the pool, starting one if need be, and waits for its turn. Definitions that an
    /// earlier test installed may be there: [`Self::replace_crds`] makes sure.
    pub async fn pool() -> Result<Lease> {
        let mut leases = Self::pool_of(1).await?;
        leases.pop().context("one was asked for")
    }

    /// Takes several at once; a test with two clusters must not take one and then wait for the other, while another
    /// test does the same.
    pub async fn pool_of(count: usize) -> Result<Vec<Lease>> {
        ensure!(count <= MOST, "{count} control planes at once, of {MOST} on a machine");
        let turns = u32::try_from(count).context("a small number")?;
        let turn = tokio::time::timeout(TURN_WITHIN, TURNS.clone().acquire_many_owned(turns));
        let mut turn = turn.await.context("no control plane came free in the pool")??;
        let mut leases = Vec::new();
        for _ in 0..count {
            let own = turn.split(1).context("a permit a control plane")?;
            leases.push(lease(own).await?);
        }
        Ok(leases)
    }
}

async fn lease(turn: OwnedSemaphorePermit) -> Result<Lease> {
    let idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    if let Some(mut pooled) = idle {
        match pooled.control_plane.reset().await {
            Ok(()) => return Ok(Lease { pooled: Some(pooled), _turn: turn }),
            // What a test did to it cannot be undone: a new one.
            Err(error) => tracing::warn!("a pooled control plane could not be emptied: {error:#}"),
        }
    }
    let slot = eventually(TURN_WITHIN, "a slot for a control plane on this machine", || async { free_slot() }).await?;
    let control_plane = ControlPlane::start().await?;
    Ok(Lease { pooled: Some(Pooled { control_plane, _slot: slot }), _turn: turn })
}

/// Locks one of the slot files. The lock ends with the file's last handle, so also when the process dies.
fn free_slot() -> Result<File> {
    for number in 0..MOST {
        let path = std::env::temp_dir().join(format!("hedgerow-control-plane-{number}.lock"));
        let file = File::options().create(true).append(true).open(&path);
        let file = file.with_context(|| format!("open {}", path.display()))?;
        if file.try_lock().is_ok() {
            return Ok(file);
        }
    }
    bail!("other test runs hold all {MOST}")
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(pooled) = self.pooled.take() {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(pooled);
        }
    }
}

impl Deref for Lease {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.pooled.as_ref().expect("it is taken out only by drop").control_plane
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut ControlPlane {
        &mut self.pooled.as_mut().expect("it is taken out only by drop").control_plane
    }
}
