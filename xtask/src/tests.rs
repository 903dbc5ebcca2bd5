//! `cargo xtask test`: the one test command.
//!
//! It runs `cargo test`, not cargo-nextest: the slow fixtures (a Kubernetes API server takes four seconds to start) are
//! shared by the tests of one process, while nextest starts a process a test. What nextest does better, one closing
//! line for the whole run, is added here.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result};

use crate::command::{built, cargo, run, words};
use crate::control_plane;
use crate::npm;
use crate::setup::{Purpose, run_for};

/// What the runs of all test binaries come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    passed: u64,
    failed: u64,
    skipped: u64,
    failures: Vec<String>,
}

impl Total {
    /// Adds what a line of the test runner says, if it says something.
    fn read(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        // test result: ok. 8 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 19.71s
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else {
            return;
        };
        for part in counts.split("; ") {
            let (count, what) = part.split_once(' ').unwrap_or_default();
            let count = count.parse().unwrap_or(0);
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.skipped += count,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        let skipped = if self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
        format!("{} passed, {} failed{skipped}", self.passed, self.failed)
    }
}

/// Sets up, builds the binary that the journeys drive, and runs the tests.
pub fn run_tests(args: &[String]) -> Result<ExitCode> {
    let started = Instant::now();
    run_for(Purpose::Tests)?;
    // The journeys start the built program, which `cargo test` alone does not build for another package's tests.
    run(cargo().args(["build", "--workspace", "--bin", "hedgerow"]))?;
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"]);
    if !args.iter().any(|word| word == "-p" || word.starts_with("--package")) {
        test.arg("--workspace");
    }
    test.args(args);
    test.env("HEDGEROW_TEST_CONTROL_PLANE", control_plane::ensure()?).env("HEDGEROW_BIN", built()?.join("hedgerow"));
    test.env("HEDGEROW_TEST_AXE", npm::axe()?.join("axe.min.js"));
    let oidc = npm::oidc()?;
    test.env("HEDGEROW_TEST_OIDC", oidc.parent().unwrap_or(&oidc));
    println!("+ {}", words(&test));
    let mut child = test.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let mut total = Total::default();
    for line in BufReader::new(child.stdout.take().context("no pipe from cargo test")?).split(b'\n') {
        let line = line.context("read from cargo test")?;
        let line = String::from_utf8_lossy(&line);
        total.read(&line);
        println!("{line}");
    }
    let status = child.wait().context("wait for cargo test")?;
    println!();
    for name in &total.failures {
        println!("failed: {name}");
    }
    if !status.success() && total.failed == 0 {
        println!("failed: a test did not compile, or its process died ({status}); see above");
        total.failed = 1;
    }
    println!("the tests took {} s, set-up and build included", started.elapsed().as_secs());
    println!("{}", total.line());
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod reading {
    use super::Total;

    #[test]
    fn adds_up_the_runs_of_all_binaries() {
        let mut total = Total::default();
        for line in [
            "running 3 tests",
            "test one ... ok",
            "test two::deep ... FAILED",
            "test three ... ignored, it is for later",
            "test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: ok. 8 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 19.71s",
        ] {
            total.read(line);
        }
        let expected = Total { passed: 9, failed: 1, skipped: 1, failures: vec!["two::deep".to_owned()] };
        assert_eq!(total, expected);
        assert_eq!(total.line(), "9 passed, 1 failed, 1 skipped");
    }
}
