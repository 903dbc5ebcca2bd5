//! The words of the trade, pure: no I/O, no async, no clock and no randomness of its own.
//!
//! Everything that must be provable lives here: parsing manifests, comparing desired with live, planning what to
//! write, deriving the one status, reading the rollout from agents. Every other room uses these words.

pub mod adopt;
pub mod body;
pub mod code;
pub mod compare;
pub mod kind;
pub mod manifest;
pub mod naming;
pub mod normalise;
pub mod object;
pub mod operation;
pub mod part;
pub mod path;
pub mod plan;
pub mod policy;
pub mod preflight;
pub mod prune;
pub mod references;
pub mod rollout;
pub mod schema;
pub mod status;
pub mod sync_options;

pub use body::Body;
pub use code::Code;
pub use object::{Gvk, ObjectKey};
