//! A gate in one of the tests' own servers: requests wait in front of it until the test has seen that they came, has done
//! what it wants to have done at that very moment, and opens.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::sync::watch;

/// A closed gate. Cloning gives another handle to the same one; it does not open by being dropped.
#[derive(Debug, Clone)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    held: Vec<String>,
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Gate {
    /// Waits until a request stands in front of it, and says which came first.
    pub async fn arrived(&self, within: Duration) -> Result<String> {
        let mut state = self.0.subscribe();
        let came = tokio::time::timeout(within, state.wait_for(|state| !state.held.is_empty()));
        let state = came.await.with_context(|| format!("no request came to the gate within {within:?}"))?;
        Ok(state.context("the gate is gone")?.held.first().cloned().unwrap_or_default())
    }

    /// Lets everything pass that waits, and whatever comes later.
    pub fn open(&self) {
        self.0.send_modify(|state| state.open = true);
    }

    /// Whether it was opened.
    pub(crate) fn is_open(&self) -> bool {
        self.0.borrow().open
    }

    /// A request comes, and waits until the gate is open.
    pub(crate) async fn pass(&self, request: String) {
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.held.push(request));
        // The sender is in this very handle.
        let _ = state.wait_for(|state| state.open).await;
    }
}
