//! A simulated fabric controller, and simulated agents on the switches and gateways.
//!
//! [`plan`] is pure: from the objects that users wrote to the objects that the controller owns. It also serves beside a
//! real API server, where Hedgehog's controller does not run; so do [`Reporter`] and its statuses.

mod catalog;
mod gateways;
mod plan;
mod run;
mod state;

pub use plan::{Planned, plan};
pub(crate) use run::Simulation;
pub use state::Reporter;

use std::time::Duration;

/// The version that simulated agents report, and that the controller asks for.
pub const AGENT_VERSION: &str = "v0.126.0-lab";

/// How fast the simulated agents are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTimings {
    /// How often an agent reports.
    pub heartbeat: Duration,
    /// How long an agent takes to apply a new generation.
    pub apply_after: Duration,
}

impl Default for AgentTimings {
    fn default() -> Self {
        Self { heartbeat: Duration::from_secs(15), apply_after: Duration::from_secs(2) }
    }
}
