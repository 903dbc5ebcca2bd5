//! status (to be filled).
