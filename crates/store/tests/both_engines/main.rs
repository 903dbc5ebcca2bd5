//! The store's contract: every test here runs on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the helpers of tests are tests too")]

mod accounts;
mod activity;
mod adopted;
mod api_tokens;
mod automatic;
mod backup;
mod bed;
mod changes;
mod comparisons;
mod durability;
mod fabrics;
mod migrations;
mod objects;
mod operations;
mod people;
mod queue;
mod records;
mod schema;
mod scope;
mod sessions;
mod verify_runs;
