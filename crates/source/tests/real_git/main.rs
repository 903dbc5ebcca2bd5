//! The room against real Git: repositories made by git itself, `git http-backend` over HTTP, `sshd` over SSH.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod committing;
mod fixture;
mod glancing;
mod http;
mod interrupted;
mod pushing;
mod reading;
mod ssh;
