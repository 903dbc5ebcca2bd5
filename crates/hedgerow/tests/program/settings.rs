//! Settings as `hedgerow config` shows them: precedence, origins, and errors that name the place.

use crate::running::{assert_done, program, run, stderr, stdout};
use serde_json::Value;
use std::path::Path;

fn write(home: &Path, text: &str) {
    std::fs::write(home.join("hedgerow.toml"), text).unwrap();
}

fn find<'a>(rows: &'a Value, key: &str) -> (&'a str, &'a str) {
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == key).unwrap();
    (row["value"].as_str().unwrap(), row["place"].as_str().unwrap())
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "listen = '127.0.0.1:1'\n[session]\nidle = '2m'\nwarn_before = '30s'\n[log]\nlevel = 'warn'\n");
    let mut command = program(
        home.path(),
        &["config", "--json", "--config", "hedgerow.toml", "--listen", "127.0.0.1:3", "--set", "log.level=debug"],
    );
    command.env("HEDGEROW_LISTEN", "127.0.0.1:2").env("HEDGEROW_SESSION_IDLE", "30m").env("HEDGEROW_LOG_LEVEL", "info");
    let output = command.output().unwrap();
    assert_done(&output);
    let rows: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(find(&rows, "listen"), ("127.0.0.1:3", "flag --listen"));
    assert_eq!(find(&rows, "log.level"), ("debug", "flag --set"));
    assert_eq!(find(&rows, "session.idle"), ("30m", "environment HEDGEROW_SESSION_IDLE"));
    assert_eq!(find(&rows, "session.warn_before"), ("30s", "file hedgerow.toml:4"));
    assert_eq!(find(&rows, "session.absolute"), ("12h", "default"));
}

#[test]
fn the_file_may_be_named_by_the_environment() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "[compare]\ninterval = '7s'\n");
    let output = program(home.path(), &["config"]).env("HEDGEROW_CONFIG", "hedgerow.toml").output().unwrap();
    assert_done(&output);
    let line = stdout(&output).lines().find(|line| line.starts_with("compare.interval")).unwrap().to_owned();
    assert!(line.contains("7s") && line.contains("hedgerow.toml:2"), "{line}");
}

#[test]
fn an_unknown_key_is_an_error_that_names_key_and_line() {
    let home = tempfile::tempdir().unwrap();
    write(home.path(), "listen = '127.0.0.1:0'\n\n[session]\nidel = '30m'\n");
    for command in ["config", "migrate"] {
        let output = run(home.path(), &[command, "--config", "hedgerow.toml"]);
        assert_eq!(output.status.code(), Some(2), "{command}");
        let text = stderr(&output);
        assert!(text.contains("hedgerow.toml:4: unknown key 'session.idel'; did you mean 'session.idle'?"), "{text}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn an_unknown_variable_is_an_error() {
    let home = tempfile::tempdir().unwrap();
    let output = program(home.path(), &["config"]).env("HEDGEROW_TRUSTED_PROXYS", "10.0.0.1").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("did you mean HEDGEROW_TRUSTED_PROXIES?"), "{}", stderr(&output));
}

#[test]
fn a_password_in_the_database_url_is_never_shown() {
    let home = tempfile::tempdir().unwrap();
    let set = ["--set", "database.url=postgres://hedgerow:s3cret@db.example/hedgerow"];
    for extra in [&[][..], &["--json"]] {
        let output = run(home.path(), &[&["config"], &set[..], extra].concat());
        assert_done(&output);
        assert!(stdout(&output).contains("postgres://hedgerow:(set)@db.example/hedgerow"), "{}", stdout(&output));
        assert!(!stdout(&output).contains("s3cret"));
    }
}
