//! Help, version, reference pages, exit codes.

use crate::running::{assert_done, run, stderr, stdout};

#[test]
fn help_is_grouped_and_has_examples() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["--help"]);
    assert_done(&output);
    insta::assert_snapshot!("help", stdout(&output));
}

#[test]
fn every_command_explains_itself() {
    let home = tempfile::tempdir().unwrap();
    for command in "demo lab serve migrate config sync diff wait user key backup restore version".split(' ') {
        let short = run(home.path(), &[command, "-h"]);
        assert_done(&short);
        assert!(stdout(&short).contains("Usage: hedgerow"), "{command}: {}", stdout(&short));
    }
    for command in ["demo", "lab", "serve", "config", "sync", "diff", "wait", "backup", "restore"] {
        let long = stdout(&run(home.path(), &[command, "--help"]));
        assert!(long.contains("Examples:\n  hedgerow"), "{command} has no examples: {long}");
    }
}

#[test]
fn a_wrong_call_is_2_and_nothing_is_on_standard_output() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["serv"][..], &["serve", "--lisen", "x"], &["user", "create"], &["serve", "--set", "novalue"]] {
        let output = run(home.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(stdout(&output), "", "{arguments:?}");
        assert!(stderr(&output).contains("error:"), "{arguments:?}: {}", stderr(&output));
    }
    assert!(stderr(&run(home.path(), &["serv"])).contains("serve"), "a near command is offered");
}

#[test]
fn version_names_the_program_and_its_compiler() {
    let home = tempfile::tempdir().unwrap();
    let output = run(home.path(), &["version", "--json"]);
    assert_done(&output);
    let version: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    assert!(version["rustc"].as_str().unwrap().starts_with("rustc 1."), "{version}");
    assert!(stdout(&run(home.path(), &["version"])).starts_with("hedgerow "));
}

#[test]
fn reference_pages_are_written_checked_and_found_stale() {
    let home = tempfile::tempdir().unwrap();
    let write = ["reference", "--output", "reference"];
    let check = ["reference", "--output", "reference", "--check"];
    assert_eq!(run(home.path(), &check).status.code(), Some(1), "pages that are missing are stale");
    assert_done(&run(home.path(), &write));
    assert_done(&run(home.path(), &check));
    std::fs::write(home.path().join("reference/settings.md"), "old").unwrap();
    let stale = run(home.path(), &check);
    assert_eq!(stale.status.code(), Some(1));
    assert!(stderr(&stale).contains("settings.md") && !stderr(&stale).contains("cli.md"), "{}", stderr(&stale));
}

#[test]
fn the_reference_pages_of_this_repository_are_fresh() {
    let home = tempfile::tempdir().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference");
    assert_done(&run(home.path(), &["reference", "--output", folder, "--check"]));
}
