//! normalise (to be filled).
