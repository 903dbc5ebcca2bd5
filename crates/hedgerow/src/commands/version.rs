//! `hedgerow version`: which program this is, for a report of a defect.

use crate::cli;
use crate::output;
use serde::Serialize;

/// Version of the program.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

#[derive(Serialize)]
struct Version {
    version: &'static str,
    /// Set at build time by who knows it; see `build.rs`.
    commit: Option<&'static str>,
    rustc: &'static str,
    target: &'static str,
}

/// Prints the version.
pub(crate) fn run(arguments: &cli::Version) -> anyhow::Result<()> {
    let version = Version {
        version: VERSION,
        commit: option_env!("HEDGEROW_BUILD_COMMIT").filter(|commit| !commit.is_empty()),
        rustc: env!("HEDGEROW_RUSTC"),
        target: env!("HEDGEROW_TARGET"),
    };
    if arguments.json {
        output::json_line(&version)?;
    } else {
        let commit = version.commit.unwrap_or("not known");
        output::text(&format!(
            "hedgerow {}\ncommit   {commit}\nbuilt by {}\nfor      {}\n",
            version.version, version.rustc, version.target
        ))?;
    }
    Ok(())
}
