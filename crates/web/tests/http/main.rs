//! The console over its router, with the real store, auth and engine, as browsers, scripts and strangers meet it.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on stops here")]

mod account;
mod accounts;
mod accounts_explain;
mod activity;
mod console;
mod ending;
mod form_certificate;
mod forms;
mod login;
mod objects;
mod pages;
mod refusals;
mod review;
mod review_checks;
mod stranger_matrix;
mod strangers;
mod streams;
mod tokens;
mod verbs;
mod verify;
