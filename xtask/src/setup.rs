//! Set-up: finds the tools, installs those of Debian's that are missing, builds the control plane. Says what it does,
//! is safe to repeat, and stops with the name of what cannot be had.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::command::{find, succeeds};
use crate::control_plane;
use crate::crates;
use crate::flux;
use crate::npm;
use crate::supplies;

/// What the set-up is for; each needs what the one before needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `cargo xtask demo`.
    Demo,
    /// `cargo xtask test`.
    Tests,
    /// `.ci/run`.
    Ci,
    /// The benchmark.
    Bench,
}

impl Purpose {
    /// Reads `--for WHAT`.
    pub fn parse(words: &[String]) -> Result<Self> {
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] | ["--for", "tests"] => Ok(Self::Tests),
            ["--for", "demo"] => Ok(Self::Demo),
            ["--for", "ci"] => Ok(Self::Ci),
            ["--for", "bench"] => Ok(Self::Bench),
            _ => bail!("use: cargo xtask setup [--for demo|tests|ci|bench]"),
        }
    }
}

/// A tool, how to see that it is here, and Debian's package of it.
struct Tool {
    needed_from: Purpose,
    what_for: &'static str,
    package: &'static str,
    is_here: fn() -> bool,
}

const TOOLS: &[Tool] = &[
    Tool {
        needed_from: Purpose::Demo,
        what_for: "a C compiler, for SQLite and cryptography",
        package: "build-essential",
        is_here: || find("cc").is_some(),
    },
    Tool {
        needed_from: Purpose::Demo,
        what_for: "git, which Hedgerow keeps desired state with",
        package: "git",
        is_here: || find("git").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "certificate authorities, to fetch Go modules",
        package: "ca-certificates",
        is_here: || std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").is_file(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "Chromium, for tests in a browser",
        package: "chromium",
        is_here: || find("chromium").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "chromedriver, for tests in a browser",
        package: "chromium-driver",
        is_here: || find("chromedriver").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "Firefox, for tests in a second browser",
        package: "firefox-esr",
        is_here: || find("firefox-esr").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "PostgreSQL's server programs, for tests of the store",
        package: "postgresql",
        is_here: || find("postgres").is_some() || debian_postgres(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "sqlite3, to hold and to read a database beside its owner",
        package: "sqlite3",
        is_here: || find("sqlite3").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "sshd, for tests of Git over SSH",
        package: "openssh-server",
        is_here: || find("sshd").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "ssh, for Git over SSH",
        package: "openssh-client",
        is_here: || find("ssh").is_some() && find("ssh-keygen").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "setpriv and prlimit, to run programs as another user and with limits",
        package: "util-linux",
        is_here: || find("setpriv").is_some() && find("prlimit").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "Node.js, for npm and for the type check of the browser modules",
        package: "nodejs",
        is_here: || find("node").is_some(),
    },
    Tool {
        needed_from: Purpose::Tests,
        what_for: "npm, to fetch axe-core and oidc-provider, which journeys need",
        package: "npm",
        is_here: || find("npm").is_some(),
    },
];

/// Debian keeps the server's programs off the PATH.
fn debian_postgres() -> bool {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    versions.map(|version| version.path().join("bin/postgres")).any(|program| program.is_file())
}

/// Sets up everything that `purpose` needs.
pub fn run_for(purpose: Purpose) -> Result<()> {
    install_missing(purpose)?;
    if purpose >= Purpose::Tests {
        let folder = control_plane::ensure()?;
        println!("setup: control plane: {}", folder.display());
        println!("setup: geckodriver: {}", crates::geckodriver()?.display());
        println!("setup: axe-core: {}", npm::axe()?.display());
        println!("setup: oidc-provider: {}", npm::oidc()?.display());
    }
    if purpose >= Purpose::Ci {
        println!("setup: cargo-deny: {}", supplies::ensure()?.display());
    }
    if purpose == Purpose::Bench {
        println!("setup: what Flux applies with: {}", flux::ensure()?.display());
    }
    Ok(())
}

/// As [`run_for`], with a closing word.
pub fn run(purpose: Purpose) -> Result<()> {
    run_for(purpose)?;
    println!("setup: done");
    Ok(())
}

fn install_missing(purpose: Purpose) -> Result<()> {
    let missing = || TOOLS.iter().filter(move |tool| tool.needed_from <= purpose && !(tool.is_here)());
    let packages: Vec<&str> = missing().map(|tool| tool.package).collect();
    if packages.is_empty() {
        println!("setup: every tool is here");
        return Ok(());
    }
    println!("setup: missing:");
    for tool in missing() {
        println!("  {} (Debian package {})", tool.what_for, tool.package);
    }
    let by_hand = format!("apt-get install {}", packages.join(" "));
    ensure!(find("apt-get").is_some(), "this is no Debian: install the tools named above, then try again");
    println!("setup: installing {} with apt-get", packages.join(", "));
    let mut apt = apt_get().with_context(|| format!("install them yourself, as root: {by_hand}"))?;
    run_apt(&mut apt, &["update", "--quiet"])?;
    let mut apt = apt_get()?;
    let install = [&["install", "--quiet", "--yes", "--no-install-recommends"], &packages[..]].concat();
    run_apt(&mut apt, &install).with_context(|| format!("cannot install; by hand: {by_hand}"))?;
    let still: Vec<&str> = missing().map(|tool| tool.what_for).collect();
    ensure!(still.is_empty(), "installed, and still not here: {}", still.join("; "));
    Ok(())
}

fn run_apt(apt: &mut Command, words: &[&str]) -> Result<()> {
    crate::command::run(apt.args(words))
}

/// apt-get as root: directly, or by sudo where it does not ask for a password.
fn apt_get() -> Result<Command> {
    let root = crate::command::output(Command::new("id").arg("-u"))?.trim() == "0";
    let mut command = if root {
        Command::new("env")
    } else {
        ensure!(
            find("sudo").is_some() && succeeds(Command::new("sudo").args(["-n", "true"])),
            "not root, and sudo is not here or asks for a password"
        );
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "env"]);
        sudo
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}
