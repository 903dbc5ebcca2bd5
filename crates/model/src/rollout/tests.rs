//! Switch states and object rollouts.
