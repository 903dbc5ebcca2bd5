//! rollout (to be filled).
