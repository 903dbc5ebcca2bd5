//! What Flux applies with, which the benchmark measures beside Hedgerow: `bench/flux` is the whole recipe.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::command::workspace;
use crate::go::{self, Recipe};

/// The program, built if need be.
pub fn ensure() -> Result<PathBuf> {
    let recipe = Recipe { name: "flux-apply", folder: workspace().join("bench/flux"), sources: &["main.go"] };
    let folder = recipe.ensure(&["flux"], |beside| {
        println!("setup: building what Flux applies with (once; some minutes on two cores)");
        go::build(&recipe.folder, beside, "-s -w", ".").context("build what Flux applies with")
    })?;
    Ok(folder.join("flux"))
}
