//! `hedgerow user` and `hedgerow migrate`, on the database directly.

use crate::running::{assert_done, run, run_with_input, stderr, stdout};
use serde_json::Value;
use std::path::Path;

const DATA: [&str; 2] = ["--data", "data"];

fn create(home: &Path, name: &str, extra: &[&str], password: &str) -> std::process::Output {
    run_with_input(home, &[&["user", "create", name, "--password-stdin"], extra, &DATA].concat(), password)
}

fn list(home: &Path) -> Value {
    let output = run(home, &[&["user", "list", "--json"][..], &DATA].concat());
    assert_done(&output);
    serde_json::from_str(&stdout(&output)).unwrap()
}

#[test]
fn users_are_created_and_listed() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&create(home.path(), "alice", &["--superuser"], "trellis-moth-92\n"));
    assert_done(&create(home.path(), "bob", &[], "correct rudder 7"));
    let users = list(home.path());
    assert_eq!(users.as_array().unwrap().len(), 2);
    assert_eq!((&users[0]["username"], &users[0]["superuser"]), (&"alice".into(), &true.into()));
    assert_eq!((&users[1]["username"], &users[1]["superuser"]), (&"bob".into(), &false.into()));
    assert!(!users.to_string().contains("argon2"), "the hash is nobody's business: {users}");
    let table = run(home.path(), &[&["user", "list"][..], &DATA].concat());
    assert!(stdout(&table).starts_with("NAME") && stdout(&table).contains("alice"), "{}", stdout(&table));
}

#[test]
fn a_name_is_taken_once_whatever_its_case() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&create(home.path(), "alice", &[], "trellis-moth-92"));
    let again = create(home.path(), "Alice", &[], "correct rudder 7");
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("there is a user 'alice' already"), "{}", stderr(&again));
    for bad in ["", "a b", "a/b", &"x".repeat(151)] {
        let refused = create(home.path(), bad, &[], "correct rudder 7");
        assert_eq!(refused.status.code(), Some(2), "{bad}: {}", stderr(&refused));
    }
    assert_eq!(list(home.path()).as_array().unwrap().len(), 1);
}

#[test]
fn a_bad_password_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    for (password, why) in
        [("short", "10 to 1024 characters"), ("", "holds no password"), ("Password123", "guessed first")]
    {
        let refused = create(home.path(), "alice", &[], password);
        assert_eq!(refused.status.code(), Some(2), "{password}");
        assert!(stderr(&refused).contains(why), "{password}: {}", stderr(&refused));
    }
    let unasked = run(home.path(), &[&["user", "create", "alice"][..], &DATA].concat());
    assert!(stderr(&unasked).contains("--password-stdin"), "{}", stderr(&unasked));
    assert_eq!(list(home.path()), Value::Array(vec![]));
}

#[test]
fn a_password_is_set_for_a_user_that_exists() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&create(home.path(), "alice", &[], "trellis-moth-92"));
    let set = |name: &str| {
        run_with_input(
            home.path(),
            &[&["user", "set-password", name, "--password-stdin"][..], &DATA].concat(),
            "correct rudder 7\n",
        )
    };
    assert_done(&set("alice"));
    let refused = set("nobody");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("there is no user 'nobody'"), "{}", stderr(&refused));
}

#[test]
fn permissions_are_given_shown_and_taken() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&create(home.path(), "bob", &[], "trellis-moth-92"));
    assert_done(&create(home.path(), "root", &["--superuser"], "trellis-moth-92"));
    let user = |words: &[&str]| run(home.path(), &[&["user"], words, &DATA[..]].concat());
    let lab = r#"{"name__startswith":"lab-"}"#;
    let given = user(&["grant", "bob", "--action", "sync,view", "--constraints", lab]);
    assert_done(&given);
    assert!(stdout(&given).contains("'bob' may now view, sync fabrics with"), "{}", stdout(&given));
    let again = user(&["grant", "BOB", "--action", "view", "--action", "sync", "--constraints", lab]);
    assert!(stdout(&again).contains("has this already"), "{}", stdout(&again));
    assert_done(&user(&["grant", "bob", "--action", "delete"]));

    let users = list(home.path());
    let held = users[0]["permissions"].as_array().unwrap();
    assert_eq!(held.len(), 2, "the same twice is one: {users}");
    assert_eq!(held[0]["actions"], serde_json::json!(["view", "sync"]));
    assert_eq!(held[0]["constraints"], serde_json::json!({"name__startswith": "lab-"}));
    assert_eq!((&held[1]["actions"][0], &held[1]["constraints"]), (&"delete".into(), &Value::Null));
    assert_eq!(users[1]["permissions"], Value::Array(vec![]));
    let table = stdout(&user(&["list"]));
    assert!(table.contains("view, sync fabrics with") && table.contains("everything"), "{table}");

    let id = held[0]["id"].to_string();
    let other = user(&["revoke", "root", &id]);
    assert_eq!(other.status.code(), Some(1));
    assert!(stderr(&other).contains("'root' has no permission"), "{}", stderr(&other));
    assert_done(&user(&["revoke", "bob", &id]));
    assert_eq!(list(home.path())[0]["permissions"].as_array().unwrap().len(), 1);
    assert_eq!(user(&["revoke", "bob", &id]).status.code(), Some(1));
}

#[test]
fn a_permission_that_makes_no_sense_is_not_given() {
    let home = tempfile::tempdir().unwrap();
    assert_done(&create(home.path(), "bob", &[], "trellis-moth-92"));
    let wrong: [(&[&str], i32, &str); 7] = [
        (&["bob", "--action", "reboot"], 2, "'reboot' is not an action"),
        (&["bob"], 2, "--action"),
        (&["bob", "--action", "view", "--type", "spaceship"], 2, "spaceship"),
        (&["bob", "--action", "view", "--constraints", "{"], 2, "no JSON"),
        (&["bob", "--action", "view", "--constraints", "3"], 2, "an object of terms"),
        (&["bob", "--action", "view", "--constraints", r#"{"kubeconfig": "x"}"#], 2, "the field 'kubeconfig'"),
        (&["nobody", "--action", "view"], 1, "there is no user 'nobody'"),
    ];
    for (words, code, why) in wrong {
        let refused = run(home.path(), &[&["user", "grant"], words, &DATA[..]].concat());
        assert_eq!(refused.status.code(), Some(code), "{words:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(why), "{words:?}: {}", stderr(&refused));
    }
    assert_eq!(list(home.path())[0]["permissions"], Value::Array(vec![]));
}

#[test]
fn migrate_says_from_where_to_where_and_may_run_again() {
    let home = tempfile::tempdir().unwrap();
    let migrate = [&["migrate"][..], &DATA].concat();
    let first = run(home.path(), &migrate);
    assert_done(&first);
    assert!(stdout(&first).contains("from version 0 to "), "{}", stdout(&first));
    let second = run(home.path(), &migrate);
    assert_done(&second);
    assert!(stdout(&second).contains("nothing to do"), "{}", stdout(&second));
}

#[test]
fn the_last_administrator_stays() {
    let home = tempfile::tempdir().unwrap();
    let change = |arguments: &[&str]| run(home.path(), &[&["user"], arguments, &DATA].concat());
    assert_done(&create(home.path(), "alice", &["--superuser"], "trellis-moth-92"));
    for arguments in [
        &["change", "alice", "--active", "false"][..],
        &["change", "alice", "--superuser", "false"],
        &["delete", "alice"],
    ] {
        let refused = change(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&refused).contains("the last active administrator"), "{}", stderr(&refused));
    }
    assert_done(&create(home.path(), "bob", &[], "correct rudder 7"));
    assert_done(&change(&["change", "bob", "--superuser", "true"]));
    assert_done(&change(&["delete", "alice"]));
    let users = list(home.path());
    assert_eq!((users.as_array().unwrap().len(), &users[0]["superuser"]), (1, &true.into()), "{users}");
}
