//! The matrix of faults and moments: what may break, when, what may come of it, and a stage on which each is played.

pub mod choice;
pub mod page;
mod plan;
pub mod play;
pub mod stage;
mod strike;
pub mod table;
pub mod words;
