//! Tests of the built program, as a user or a script calls it: arguments in, output, files and exit code out. The pages
//! it serves are tested elsewhere; here it is started, asked for one page, and stopped.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in what it calls")]

mod command_line;
mod demo;
mod ending;
mod lab;
mod requests;
mod running;
mod self_test;
mod serving;
mod settings;
mod users;
mod verify_every;
mod visitor;
