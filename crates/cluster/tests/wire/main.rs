//! The client against a server that the tests command: what a real API server does too rarely to wait for.
#![cfg(test)]

mod faults;
mod lists;
mod reports;
mod support;
mod watches;
