//! preflight (to be filled).
