//! Sessions, access and keys over a real store: every test runs on SQLite and on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests too")]

mod access;
mod api_tokens;
mod bed;
mod external;
mod keys;
mod sessions;
