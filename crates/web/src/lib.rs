//! The web console: pages, layers, static files and the one table of routes.
#![allow(dead_code, missing_docs)]

pub mod assets;
pub mod frame;
#[cfg(test)]
mod gallery;
pub mod icon;
pub mod pages;
pub mod parts;
pub mod url;
pub mod when;
