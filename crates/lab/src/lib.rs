//! An in-process Kubernetes API with Hedgehog's kinds, for demo, drills and tests: unmodified kubectl works against it.
//!
//! ```text
//! kinds, profiles   the facts: definitions, built-in switch profiles
//! admission         what Hedgehog's webhooks default and refuse, as pure functions and as a webhook server
//! agents            a simulated fabric controller and simulated agents
//! api               the Kubernetes API: discovery, objects, watches, tables, server-side apply
//! demo              two fabrics to look at: manifests, and what their clusters hold
//! faults            what can be made to go wrong while it runs
//! journal           what clients have written
//! lab               the handle: start, load, look, stop
//! ```
//!
//! It is no proof of anything: what counts is a real kube-apiserver, for which the definitions and the webhooks serve too.

pub mod admission;
pub mod agents;
mod api;
pub mod demo;
pub mod faults;
pub mod identity;
pub mod journal;
pub mod kinds;
mod lab;
pub mod profiles;
#[cfg(test)]
mod recorded;
pub mod serve;

pub use agents::AgentTimings;
pub use api::ApiError;
pub use faults::{Fault, FaultPlan, Faults, Rejection, RequestFault};
pub use identity::Identity;
pub use journal::Journal;
pub use lab::{Lab, LoadError, Options, StartError};
